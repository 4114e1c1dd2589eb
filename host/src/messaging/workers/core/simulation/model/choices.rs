//! Whom and what the world may choose for its next step.

use super::*;

impl Model {
    pub(in super::super) fn any_peer(&self, random: &mut Random) -> Option<SimPeer> {
        let count = self.peers.len() as u64;
        (count > 0).then(|| self.peers[random.below(count) as usize].clone())
    }

    pub(in super::super) fn all_peers(&self) -> Vec<SimPeer> {
        self.peers.clone()
    }

    pub(in super::super) fn any_in_hand(&self, random: &mut Random) -> Option<(SimPeer, Token)> {
        let holders: Vec<_> = self.peers.iter().filter(|peer| !peer.in_hand.is_empty()).collect();
        let peer = *holders.get(random.below(holders.len().max(1) as u64) as usize)?;
        let (token, _) = peer.in_hand[random.below(peer.in_hand.len() as u64) as usize];
        Some((peer.clone(), token))
    }

    /// A token that another peer has.
    pub(in super::super) fn foreign_token(&self, peer: &SimPeer) -> Option<Token> {
        let others = self.peers.iter().filter(|other| other.from.connection != peer.from.connection);
        others.flat_map(|other| &other.in_hand).map(|(token, _)| *token).next()
    }

    /// The number of a connection that has ended, and that no other has.
    pub(in super::super) fn free_connection(&self) -> Option<Descriptor> {
        let is_free = |gone: &&SimPeer| self.peers.iter().all(|peer| peer.from.connection != gone.from.connection);
        self.gone.iter().rfind(is_free).map(|gone| gone.from.connection)
    }

    pub(in super::super) fn any_gone(&self, random: &mut Random) -> Option<SimPeer> {
        let count = self.gone.len() as u64;
        let gone = (count > 0).then(|| self.gone[random.below(count) as usize].clone());
        // Of one with its identity and its number nobody could tell it.
        let id = |peer: &SimPeer| (peer.from.connection, peer.from.identity.clone());
        gone.filter(|gone| self.peers.iter().all(|peer| id(peer) != id(gone)))
    }
}
