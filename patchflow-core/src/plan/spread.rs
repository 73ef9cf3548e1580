//! The stable hash behind every choice that must look random and be the same for ever.

/// SplitMix64's output function over a seed and some numbers (Steele, Lea, Flood 2014, "Fast splittable pseudorandom
/// number generators"). Named and fixed: ring order, offsets and jitter of old journals depend on it.
///
/// ```
/// use patchflow_core::plan::SpreadHash;
/// assert_eq!(SpreadHash::new(0).of(&[]), 0xe220a8397b1dcdaf, "SplitMix64's first output for seed 0");
/// assert_eq!(SpreadHash::new(7).of(&[1, 2]), SpreadHash::new(7).of(&[1, 2]));
/// assert_ne!(SpreadHash::new(7).of(&[1, 2]), SpreadHash::new(7).of(&[2, 1]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpreadHash {
    seed: u64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl SpreadHash {
    /// The hash of one seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The hash of some numbers, in their order.
    #[must_use]
    pub fn of(self, numbers: &[u64]) -> u64 {
        let start = mix(self.seed.wrapping_add(GOLDEN));
        numbers.iter().fold(start, |state, number| mix((state ^ number).wrapping_add(GOLDEN)))
    }
}
