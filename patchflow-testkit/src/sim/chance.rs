//! Chance from one seed: a stream of its own for each thing and purpose, so that one more draw here changes nothing there.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// The fleet and its endpoints.
    Fleet = 1,
    /// The patches.
    Patches = 2,
    /// The policy.
    Policy = 3,
    /// What people do.
    People = 4,
    /// What goes wrong.
    Faults = 5,
    /// What an endpoint does.
    Behaviour = 6,
    /// What happens to messages on their way.
    Network = 7,
}

/// One stream of chance.
#[derive(Clone, Debug)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The stream of one purpose, for one of many things (an endpoint, say).
    #[must_use]
    pub fn new(seed: u64, purpose: Purpose, of: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream((purpose as u64) << 56 | of);
        Self(rng)
    }

    /// A number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `n`; 0 when `n` is 0. The bias for small `n` is below one in 2^32.
    pub fn below(&mut self, n: u64) -> u64 {
        let product = u128::from(self.0.next_u64()) * u128::from(n);
        (product >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// True so many times in a thousand.
    pub fn permille(&mut self, n: u32) -> bool {
        n > 0 && self.below(1000) < u64::from(n)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// One of several; the slice must not be empty.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len() as u64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_do_not_depend_on_each_other() {
        let mut one = Chance::new(7, Purpose::Network, 3);
        let first: Vec<_> = (0..5).map(|_| one.number()).collect();
        let mut other = Chance::new(7, Purpose::Network, 4);
        other.number();
        let mut again = Chance::new(7, Purpose::Network, 3);
        assert_eq!((0..5).map(|_| again.number()).collect::<Vec<_>>(), first);
        assert!((0..1000).all(|_| (2..=5).contains(&other.between(2, 5))));
    }
}
