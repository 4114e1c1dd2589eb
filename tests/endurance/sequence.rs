//! A sequence of numbers, kept as its length and a digest, so that two sequences can be compared.

/// A sequence of numbers, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    /// Its length.
    pub count: u64,
    digest: u64,
}

impl Sequence {
    pub fn add(&mut self, number: u64) {
        self.count += 1;
        // Like FNV-1a, over numbers instead of bytes.
        self.digest = (self.digest ^ number).wrapping_mul(0x0100_0000_01b3).rotate_left(17);
    }
}

#[test]
fn sequences_differ_by_order_and_by_what_is_missing() {
    let of = |numbers: &[u64]| {
        let mut sequence = Sequence::default();
        numbers.iter().for_each(|&number| sequence.add(number));
        sequence
    };
    assert_eq!(of(&[1, 2, 3]), of(&[1, 2, 3]));
    assert_ne!(of(&[1, 2, 3]), of(&[1, 3, 2]));
    assert_ne!(of(&[1, 2, 3]), of(&[1, 2, 4]));
    assert_ne!(of(&[1, 2, 3]), of(&[1, 2]));
}
