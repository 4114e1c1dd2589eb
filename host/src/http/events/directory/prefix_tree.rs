//! A tree of byte strings, which finds those that another one begins with in one walk along that.

use std::iter::successors;

/// Values by keys. A path without a branch is one node, so there are no more than two nodes for each key.
pub(super) struct PrefixTree<V> {
    root: Node<V>,
}

struct Node<V> {
    /// What the keys from here on have behind those of the parent.
    label: Box<[u8]>,
    value: Option<V>,
    /// In the order of the first bytes of their labels, which all differ.
    children: Vec<Self>,
}

impl<V> Node<V> {
    fn new(label: &[u8]) -> Self {
        Self { label: label.into(), value: None, children: Vec::new() }
    }

    /// Where the child is whose label begins with a byte, or would be.
    fn position(&self, first: u8) -> Result<usize, usize> {
        self.children.binary_search_by_key(&first, |child| child.label[0])
    }

    /// Cuts the label, and leaves all that the node has to a child with the rest of it.
    fn split(&mut self, length: usize) {
        let mut lower = Self::new(&self.label[length..]);
        lower.value = self.value.take();
        lower.children = std::mem::take(&mut self.children);
        self.label = self.label[..length].into();
        self.children.push(lower);
    }

    /// Takes the place of an only child, where no key ends here.
    fn join(&mut self) {
        if self.value.is_none()
            && self.children.len() == 1
            && let Some(child) = self.children.pop()
        {
            self.label = [&*self.label, &*child.label].concat().into();
            (self.value, self.children) = (child.value, child.children);
        }
    }

    fn remove(&mut self, rest: &[u8]) -> Option<V> {
        let Some(&first) = rest.first() else { return self.value.take() };
        let index = self.position(first).ok()?;
        let child = &mut self.children[index];
        let value = child.remove(rest.strip_prefix(&*child.label)?)?;
        child.join();
        if child.value.is_none() && child.children.is_empty() {
            self.children.remove(index);
            self.children.shrink_to(2 * self.children.len());
        }
        Some(value)
    }
}

impl<V> Default for PrefixTree<V> {
    fn default() -> Self {
        Self { root: Node::new(&[]) }
    }
}

impl<V: Default> PrefixTree<V> {
    /// The value of a key, which gets one if it has none.
    pub(super) fn get_or_insert(&mut self, key: &[u8]) -> &mut V {
        let (mut node, mut rest) = (&mut self.root, key);
        while let Some(&first) = rest.first() {
            let index = node.position(first).unwrap_or_else(|index| {
                node.children.insert(index, Node::new(rest));
                index
            });
            node = &mut node.children[index];
            let common = node.label.iter().zip(rest).take_while(|(own, wanted)| own == wanted).count();
            if common < node.label.len() {
                node.split(common);
            }
            rest = &rest[common..];
        }
        node.value.get_or_insert_default()
    }

    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut V> {
        let (mut node, mut rest) = (&mut self.root, key);
        while let Some(&first) = rest.first() {
            let index = node.position(first).ok()?;
            node = &mut node.children[index];
            rest = rest.strip_prefix(&*node.label)?;
        }
        node.value.as_mut()
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<V> {
        self.root.remove(key)
    }

    /// The values of all keys that `text` begins with, each with the length of its key; the shortest first.
    pub(super) fn beginnings<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, &'a V)> {
        let path = successors(Some((&self.root, text)), |(node, rest)| {
            let child = &node.children[node.position(*rest.first()?).ok()?];
            Some((child, rest.strip_prefix(&*child.label)?))
        });
        path.filter_map(|(node, rest)| Some((text.len() - rest.len(), node.value.as_ref()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::simulation::{Random, simulate};
    use std::collections::BTreeMap;

    /// The number of nodes below one, which all are there for a key or a branch.
    fn nodes(node: &Node<u64>) -> usize {
        let below = node.children.iter().map(|child| {
            assert!(!child.label.is_empty() && (child.value.is_some() || child.children.len() > 1));
            1 + nodes(child)
        });
        below.sum()
    }

    fn key(random: &mut Random) -> Vec<u8> {
        (0..random.below(8)).map(|_| b'a' + random.below(3) as u8).collect()
    }

    #[test]
    fn it_finds_what_a_look_at_each_key_finds() {
        simulate(|random| {
            let (mut tree, mut keys) = (PrefixTree::default(), BTreeMap::new());
            for step in 1..500 {
                let key = key(random);
                if random.one_in(2) {
                    *tree.get_or_insert(&key) = step;
                    keys.insert(key, step);
                } else {
                    assert_eq!(tree.get_mut(&key).copied(), keys.get(&key).copied());
                    assert_eq!(tree.remove(&key), keys.remove(&key));
                }
                assert!(nodes(&tree.root) <= 2 * keys.len());
                let text = self::key(random);
                let found: Vec<_> = tree.beginnings(&text).map(|(length, value)| (length, *value)).collect();
                let expected = keys.iter().filter(|(key, _)| text.starts_with(key));
                assert_eq!(found, expected.map(|(key, value)| (key.len(), *value)).collect::<Vec<_>>());
            }
            500
        });
    }

    #[test]
    fn keys_of_every_length_are_one_walk() {
        let text = [b'x'; 1_025];
        let mut tree = PrefixTree::<u64>::default();
        (0..=1_024).for_each(|length| *tree.get_or_insert(&text[..length]) = length as u64);
        assert!(tree.beginnings(&text).map(|(length, _)| length).eq(0..=1_024));
        (0..=1_024).for_each(|length| assert_eq!(tree.remove(&text[..length]), Some(length as u64)));
        assert_eq!(nodes(&tree.root), 0);
    }
}
