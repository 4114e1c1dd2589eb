//! The ZeroMQ sockets at a scrape.

use super::series::{counters, gauges};
use crate::config::METRICS_PEERS_MAX;
use crate::messaging::{PeerFigures, SocketFigures};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::registry::Unit;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug)]
pub(super) struct Sockets(pub(super) Vec<(&'static str, Arc<SocketFigures>)>);

impl Collector for Sockets {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        self.traffic(&mut encoder)?;
        self.peers(&mut encoder)?;
        self.queues(&mut encoder)
    }
}

impl Sockets {
    /// One figure of each socket.
    fn each<V>(
        &self,
        read: impl Fn(&SocketFigures) -> V,
    ) -> impl Iterator<Item = ([(&'static str, &'static str); 1], V)> {
        self.0.iter().map(move |(name, figures)| ([("socket", *name)], read(figures)))
    }

    fn traffic(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let both = |inward: fn(&SocketFigures) -> &AtomicU64, outward: fn(&SocketFigures) -> &AtomicU64| {
            self.0.iter().flat_map(move |(name, figures)| {
                let read =
                    |way, count: &AtomicU64| ([("socket", *name), ("direction", way)], count.load(Ordering::Relaxed));
                [read("in", inward(figures)), read("out", outward(figures))]
            })
        };
        counters(
            encoder,
            ("socket_messages", None, "Messages that came in, or were handed to libzmq"),
            both(|figures| &figures.messages_in, |figures| &figures.messages_out),
        )?;
        counters(
            encoder,
            ("socket", Some(Unit::Bytes), "Bytes of their frames"),
            both(|figures| &figures.bytes_in, |figures| &figures.bytes_out),
        )
    }

    fn peers(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        gauges(
            encoder,
            ("socket_peers", None, "Peers that are connected now"),
            self.each(|figures| figures.peer_count() as u64),
        )?;
        gauges(
            encoder,
            ("socket_subscriptions", None, "Subscriptions at present"),
            self.each(|figures| figures.subscriptions.load(Ordering::Relaxed)),
        )?;
        counters(
            encoder,
            ("socket_peers_cut_off", None, "Peers whose connection the host ended"),
            self.each(|figures| figures.cut_off.load(Ordering::Relaxed)),
        )?;
        counters(
            encoder,
            ("socket_messages_cut_off", None, "Messages that were queued to a peer when it was cut off or went"),
            self.each(|figures| figures.peer_queues.cut_off()),
        )?;
        counters(
            encoder,
            ("socket_messages_unread", None, "Messages that had come from a peer and were not read when it went"),
            self.each(|figures| figures.peer_queues.unread()),
        )?;
        counters(
            encoder,
            ("socket_handshakes_refused", None, "Connections that did not get past their handshake, by reason"),
            self.0.iter().flat_map(|(name, figures)| {
                let refused = figures.handshakes_refused().into_iter();
                refused.map(|(reason, count)| ([("socket", *name), ("reason", reason)], count))
            }),
        )
    }

    fn queues(&self, encoder: &mut DescriptorEncoder) -> fmt::Result {
        let peers: Vec<_> = self.0.iter().map(|(name, figures)| (*name, figures.peers())).collect();
        gauges(
            encoder,
            ("socket_queue_messages_longest", None, "Messages queued to the peer that is furthest behind"),
            peers.iter().map(|(name, peers)| {
                ([("socket", *name)], peers.iter().map(|peer| peer.queue_messages).max().unwrap_or_default())
            }),
        )?;
        gauges(
            encoder,
            ("socket_queue_messages", None, "Messages queued to a peer, of those with the longest queues"),
            peers.iter().flat_map(|(name, peers)| {
                let told = longest(peers).into_iter();
                told.map(|(address, queued)| ([("socket", *name), ("peer", address)], queued))
            }),
        )?;
        gauges(
            encoder,
            ("socket_queue_longest", Some(Unit::Bytes), "Bytes queued to the peer that has most of them"),
            peers.iter().map(|(name, peers)| {
                ([("socket", *name)], peers.iter().map(|peer| peer.queue_bytes).max().unwrap_or_default())
            }),
        )
    }
}

/// The peers with the longest queues, one for each address: two series of the same labels would spoil the whole answer.
fn longest(peers: &[PeerFigures]) -> Vec<(&str, u64)> {
    let mut by_address = BTreeMap::<&str, u64>::new();
    for peer in peers {
        let queued = by_address.entry(&peer.address).or_default();
        *queued = (*queued).max(peer.queue_messages);
    }
    let mut told: Vec<_> = by_address.into_iter().collect();
    told.sort_by_key(|(_, queued)| std::cmp::Reverse(*queued));
    told.truncate(METRICS_PEERS_MAX);
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    #[test]
    fn each_socket_tells_its_own_figures() {
        let publish = SocketFigures::default();
        publish.messages_out.store(7, Ordering::Relaxed);
        publish.bytes_out.store(70, Ordering::Relaxed);
        publish.subscriptions.store(2, Ordering::Relaxed);
        publish.cut_off.store(1, Ordering::Relaxed);
        for (count, messages) in publish.peer_queues.counts().iter().zip([5, 6]) {
            count.store(messages, Ordering::Relaxed);
        }
        let frontend = SocketFigures::default();
        frontend.messages_in.store(3, Ordering::Relaxed);
        let mut registry = Registry::default();
        let sockets = Sockets(vec![("publish", Arc::new(publish)), ("frontend", Arc::new(frontend))]);
        registry.register_collector(Box::new(sockets));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for sample in [
            "socket_messages_total{socket=\"publish\",direction=\"out\"} 7",
            "socket_messages_total{socket=\"frontend\",direction=\"in\"} 3",
            "socket_bytes_total{socket=\"publish\",direction=\"out\"} 70",
            "socket_subscriptions{socket=\"publish\"} 2",
            "socket_peers_cut_off_total{socket=\"publish\"} 1",
            "socket_peers_cut_off_total{socket=\"frontend\"} 0",
            "socket_messages_cut_off_total{socket=\"publish\"} 5",
            "socket_messages_unread_total{socket=\"publish\"} 6",
            "socket_queue_longest_bytes{socket=\"publish\"} 0",
            "socket_peers{socket=\"publish\"} 0",
            "socket_queue_messages_longest{socket=\"frontend\"} 0",
        ] {
            assert!(text.lines().any(|line| line == sample), "{sample} is not in\n{text}");
        }
    }

    #[test]
    fn of_many_peers_those_furthest_behind_are_told() {
        let peer = |address, queue_messages| PeerFigures {
            address,
            key: None,
            subscriptions: 0,
            queue_messages,
            queue_bytes: 0,
        };
        let mut peers: Vec<_> = (0..500).map(|number| peer(format!("127.0.0.1:{number}"), number)).collect();
        peers.push(peer("127.0.0.1:499".to_owned(), 1_000));
        let told = longest(&peers);
        assert_eq!(told.len(), METRICS_PEERS_MAX);
        assert_eq!(
            (told[0], told[1], told[99]),
            (("127.0.0.1:499", 1_000), ("127.0.0.1:498", 498), ("127.0.0.1:400", 400))
        );
    }
}
