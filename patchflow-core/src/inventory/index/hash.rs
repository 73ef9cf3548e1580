//! A hash for tables: quick over short texts, and seeded, so that whoever names packages cannot aim at one bucket. No
//! answer depends on it.

use core::hash::{Hash, Hasher};

pub(super) fn hash_of<T: Hash + ?Sized>(seed: u64, what: &T) -> u64 {
    let mut hasher = Folded(seed ^ MIX);
    what.hash(&mut hasher);
    hasher.finish()
}

/// An odd number without a pattern: the first digits of the golden ratio, as SplitMix64 uses them.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Words multiplied into 128 bits and folded, after the inner loop of wyhash.
struct Folded(u64);

impl Folded {
    fn word(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * u128::from(MIX);
        self.0 = (product as u64) ^ ((product >> 64) as u64).rotate_left(23);
    }
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0.wrapping_mul(MIX)
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.word(u64::from_le_bytes(last) ^ (bytes.len() as u64) << 56);
    }

    fn write_u8(&mut self, n: u8) {
        self.word(u64::from(n));
    }

    fn write_u32(&mut self, n: u32) {
        self.word(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.word(n);
    }

    fn write_usize(&mut self, n: usize) {
        self.word(n as u64);
    }
}
