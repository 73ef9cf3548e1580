//! Who has one piece of software: endpoints in pieces of 65 536, each piece a sorted list or, when that would be longer,
//! a map of bits (after Chambi, Lemire, Kaser, Godin: "Better bitmap performance with Roaring bitmaps", 2016).

use crate::ids::RecordIx;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// From so many on, two bytes each are more than the 8 KiB of a map.
const LIST_MAX: usize = 4096;
/// A map goes back to a list below this; the distance keeps one that wavers from being made anew each time.
const MAP_MIN: usize = 3072;
const WORDS: usize = 65_536 / 64;

#[derive(Clone, Debug)]
enum Piece {
    List(Vec<u16>),
    Map { words: Box<[u64]>, len: u32 },
}

/// Rising endpoints.
#[derive(Clone, Debug, Default)]
pub(super) struct Postings {
    pieces: Vec<(u16, Piece)>,
    len: u32,
}

impl Postings {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    /// Adds one; whether it was not there.
    pub(super) fn insert(&mut self, ix: RecordIx) -> bool {
        let (high, low) = parts(ix);
        let at = match self.pieces.last() {
            Some((last, _)) if *last == high => Ok(self.pieces.len() - 1),
            Some(_) | None => self.pieces.binary_search_by_key(&high, |(key, _)| *key),
        };
        let is_new = match at {
            Ok(at) => self.pieces[at].1.insert(low),
            Err(at) => {
                self.pieces.reserve_exact(1);
                self.pieces.insert(at, (high, Piece::List(vec![low])));
                true
            }
        };
        self.len += u32::from(is_new);
        is_new
    }

    /// Takes one out; whether it was there.
    pub(super) fn remove(&mut self, ix: RecordIx) -> bool {
        let (high, low) = parts(ix);
        let Ok(at) = self.pieces.binary_search_by_key(&high, |(key, _)| *key) else { return false };
        let piece = &mut self.pieces[at].1;
        let was_there = piece.remove(low);
        if piece.is_empty() {
            self.pieces.remove(at);
        }
        self.len -= u32::from(was_there);
        was_there
    }

    /// Whether one is there.
    pub(super) fn contains(&self, ix: RecordIx) -> bool {
        let (high, low) = parts(ix);
        match self.pieces.binary_search_by_key(&high, |(key, _)| *key) {
            Ok(at) => self.pieces[at].1.contains(low),
            Err(_) => false,
        }
    }

    /// What any of these has, rising, each once. The cost is what they hold together, and a microsecond for each 65 536
    /// endpoints.
    pub(super) fn union(all: &[&Self]) -> Vec<RecordIx> {
        if let [one] = all {
            return one.iter().collect();
        }
        let mut pieces: Vec<(u16, &Piece)> =
            all.iter().flat_map(|of| of.pieces.iter().map(|(high, piece)| (*high, piece))).collect();
        pieces.sort_unstable_by_key(|(high, _)| *high);
        let most = all.iter().map(|of| of.len()).sum::<usize>();
        let mut who = Vec::with_capacity(most.min(pieces.len() << 16));
        let mut words = [0_u64; WORDS];
        for same in pieces.chunk_by(|(one, _), (other, _)| one == other) {
            words.fill(0);
            same.iter().for_each(|(_, piece)| piece.add_to(&mut words));
            if let Some((high, _)) = same.first() {
                who.extend(mapped(&words).map(|low| RecordIx(u32::from(*high) << 16 | low)));
            }
        }
        who
    }

    /// All of them, rising.
    pub(super) fn iter(&self) -> impl Iterator<Item = RecordIx> + '_ {
        self.pieces.iter().flat_map(|(high, piece)| {
            let base = u32::from(*high) << 16;
            let (list, words): (&[u16], &[u64]) = match piece {
                Piece::List(list) => (list, &[]),
                Piece::Map { words, .. } => (&[], words),
            };
            let listed = list.iter().map(move |low| RecordIx(base | u32::from(*low)));
            listed.chain(mapped(words).map(move |low| RecordIx(base | low)))
        })
    }
}

/// The places of the ones in a word, rising.
fn ones(word: u64) -> impl Iterator<Item = u32> {
    let mut rest = word;
    core::iter::from_fn(move || {
        let bit = (rest != 0).then(|| rest.trailing_zeros())?;
        rest &= rest - 1;
        Some(bit)
    })
}

/// The places of the ones in a map, rising.
fn mapped(words: &[u64]) -> impl Iterator<Item = u32> + '_ {
    let numbered = (0_u32..).zip(words);
    numbered.flat_map(|(i, word)| ones(*word).map(move |bit| i << 6 | bit))
}

fn parts(ix: RecordIx) -> (u16, u16) {
    ((ix.0 >> 16) as u16, ix.0 as u16)
}

impl Piece {
    fn insert(&mut self, low: u16) -> bool {
        match self {
            Self::List(list) => {
                let at = match list.last() {
                    Some(last) if *last < low => list.len(),
                    Some(_) | None => match list.binary_search(&low) {
                        Ok(_) => return false,
                        Err(at) => at,
                    },
                };
                if list.len() == LIST_MAX {
                    let mut words = vec![0; WORDS].into_boxed_slice();
                    list.iter().chain([&low]).for_each(|low| words[word(*low)] |= bit(*low));
                    *self = Self::Map { words, len: LIST_MAX as u32 + 1 };
                    return true;
                }
                if list.len() == list.capacity() {
                    // By an eighth, not twofold: lists are most of the memory.
                    list.reserve_exact((list.len() / 8).max(4));
                }
                list.insert(at, low);
                true
            }
            Self::Map { words, len } => {
                let place = &mut words[word(low)];
                let is_new = *place & bit(low) == 0;
                *place |= bit(low);
                *len += u32::from(is_new);
                is_new
            }
        }
    }

    fn remove(&mut self, low: u16) -> bool {
        match self {
            Self::List(list) => {
                let Ok(at) = list.binary_search(&low) else { return false };
                list.remove(at);
                if list.capacity() > 16 && list.len() * 2 < list.capacity() {
                    list.shrink_to(list.len() + list.len() / 8);
                }
                true
            }
            Self::Map { words, len } => {
                let place = &mut words[word(low)];
                let was_there = *place & bit(low) != 0;
                *place &= !bit(low);
                *len -= u32::from(was_there);
                if (*len as usize) < MAP_MIN {
                    let mut list = Vec::with_capacity(*len as usize);
                    list.extend(mapped(words).map(|low| low as u16));
                    *self = Self::List(list);
                }
                was_there
            }
        }
    }

    /// Adds all that there are to a map.
    fn add_to(&self, map: &mut [u64; WORDS]) {
        match self {
            Self::List(list) => list.iter().for_each(|low| map[word(*low)] |= bit(*low)),
            Self::Map { words, .. } => map.iter_mut().zip(words).for_each(|(into, word)| *into |= word),
        }
    }

    fn contains(&self, low: u16) -> bool {
        match self {
            Self::List(list) => list.binary_search(&low).is_ok(),
            Self::Map { words, .. } => words[word(low)] & bit(low) != 0,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::List(list) => list.is_empty(),
            Self::Map { len, .. } => *len == 0,
        }
    }
}

fn word(low: u16) -> usize {
    usize::from(low >> 6)
}

fn bit(low: u16) -> u64 {
    1 << (low & 63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_piece_turns_into_a_map_and_back() {
        let mut postings = Postings::default();
        let all: Vec<u32> = (0..10_000).map(|i| i * 7 % 10_000 + 60_000).collect();
        assert!(all.iter().all(|ix| postings.insert(RecordIx(*ix))));
        assert!(!postings.insert(RecordIx(60_001)), "once is enough");
        assert!(postings.iter().map(|ix| ix.0).eq(60_000..70_000));
        assert!((60_000..68_000).all(|ix| postings.remove(RecordIx(ix))));
        assert!(!postings.remove(RecordIx(60_001)) && !postings.contains(RecordIx(67_999)));
        assert_eq!((postings.len(), postings.pieces.len()), (2000, 1));
        assert!(matches!(postings.pieces[0].1, Piece::List(_)));
        assert!(postings.iter().map(|ix| ix.0).eq(68_000..70_000));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn postings_are_a_set(steps in proptest::collection::vec((any::<bool>(), 0..200_000u32, 1..6000u32), 1..12)) {
            let (mut postings, mut model) = (Postings::default(), BTreeSet::new());
            for (add, from, n) in steps {
                for ix in (from..from + n * 3).step_by(3) {
                    let same = match add {
                        true => postings.insert(RecordIx(ix)) == model.insert(ix),
                        false => postings.remove(RecordIx(ix)) == model.remove(&ix),
                    };
                    prop_assert!(same);
                }
            }
            prop_assert_eq!(postings.len(), model.len());
            prop_assert!(postings.iter().map(|ix| ix.0).eq(model.iter().copied()));
            prop_assert!(model.iter().all(|ix| postings.contains(RecordIx(*ix))));
        }

        #[test]
        fn a_union_has_each_once(
            sets in proptest::collection::vec((0..150_000u32, 1..9000u32, 1..40u32), 0..5),
        ) {
            let mut all = Vec::new();
            let mut model = BTreeSet::new();
            for (from, n, step) in sets {
                let mut postings = Postings::default();
                for ix in (0..n).map(|i| from + i * step) {
                    postings.insert(RecordIx(ix));
                    model.insert(RecordIx(ix));
                }
                all.push(postings);
            }
            let union = Postings::union(&all.iter().collect::<Vec<_>>());
            prop_assert!(union.into_iter().eq(model));
        }
    }
}
