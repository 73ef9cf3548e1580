//! A set of members in plan order: sixty-four of them in twelve bytes where they stand side by side.

use crate::ids::MemberIx;
use alloc::collections::BTreeMap;
use serde::{Deserialize, Serialize};

/// Members, each once, the first of the plan first. A whole rollout in it takes less than half a byte a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct MemberSet {
    /// By a sixty-fourth of the index, one bit for each member; no word is zero.
    words: BTreeMap<u32, u64>,
}

const fn place(at: MemberIx) -> (u32, u64) {
    (at.0 / 64, 1 << (at.0 % 64))
}

const fn lowest(high: u32, word: u64) -> MemberIx {
    MemberIx(high * 64 + word.trailing_zeros())
}

impl MemberSet {
    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    pub(crate) fn contains(&self, at: MemberIx) -> bool {
        let (high, bit) = place(at);
        self.words.get(&high).is_some_and(|word| word & bit != 0)
    }

    pub(crate) fn clear(&mut self) {
        self.words.clear();
    }

    pub(crate) fn insert(&mut self, at: MemberIx) {
        let (high, bit) = place(at);
        *self.words.entry(high).or_default() |= bit;
    }

    pub(crate) fn remove(&mut self, at: MemberIx) {
        let (high, bit) = place(at);
        let Some(word) = self.words.get_mut(&high) else { return };
        *word &= !bit;
        if *word == 0 {
            self.words.remove(&high);
        }
    }

    pub(crate) fn first(&self) -> Option<MemberIx> {
        self.words.first_key_value().map(|(high, word)| lowest(*high, *word))
    }

    pub(crate) fn pop_first(&mut self) -> Option<MemberIx> {
        let mut entry = self.words.first_entry()?;
        let first = lowest(*entry.key(), *entry.get());
        // Its lowest bit goes.
        *entry.get_mut() &= entry.get() - 1;
        if *entry.get() == 0 {
            entry.remove();
        }
        Some(first)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = MemberIx> + '_ {
        self.words.iter().flat_map(|(high, word)| {
            let mut left = *word;
            core::iter::from_fn(move || {
                let first = (left != 0).then(|| lowest(*high, left))?;
                left &= left - 1;
                Some(first)
            })
        })
    }
}

impl Extend<MemberIx> for MemberSet {
    fn extend<I: IntoIterator<Item = MemberIx>>(&mut self, members: I) {
        members.into_iter().for_each(|at| self.insert(at));
    }
}

impl FromIterator<MemberIx> for MemberSet {
    fn from_iter<I: IntoIterator<Item = MemberIx>>(members: I) -> Self {
        let mut set = Self::default();
        set.extend(members);
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    #[test]
    fn it_is_the_set_that_the_library_has() {
        let (mut set, mut plain) = (MemberSet::default(), BTreeSet::new());
        let mut state = 7_u32;
        for step in 0..20_000_u32 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let at = MemberIx((state >> 16) % [70, 640, 60_000][step as usize / 7_000]);
            match state >> 29 {
                0..=3 => {
                    set.insert(at);
                    plain.insert(at);
                }
                4 | 5 => {
                    set.remove(at);
                    plain.remove(&at);
                }
                _ => assert_eq!(set.pop_first(), plain.pop_first()),
            }
            assert_eq!(set.contains(at), plain.contains(&at));
            assert_eq!((set.first(), set.is_empty()), (plain.first().copied(), plain.is_empty()));
            if step % 500 == 0 {
                assert!(set.iter().eq(plain.iter().copied()));
                assert_eq!(set, plain.iter().copied().collect());
            }
        }
        let all: Vec<_> = [u32::MAX, 64, 63, 0].map(MemberIx).into();
        let set: MemberSet = all.iter().copied().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, u32::MAX].map(MemberIx));
    }
}
