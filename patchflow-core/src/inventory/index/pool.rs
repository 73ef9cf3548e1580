//! Values that many endpoints share, kept once and counted.

use super::hash::hash_of;
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::hash::Hash;
use hashbrown::HashTable;

/// No value.
pub(super) const NONE: u32 = u32::MAX;

/// Each distinct value once, under a number that is used again when nobody holds the value any more.
#[derive(Clone, Debug)]
pub(super) struct Pool<T> {
    entries: Vec<Option<(T, u32)>>,
    free: Vec<u32>,
    table: HashTable<u32>,
    seed: u64,
}

impl<T: Hash + Eq> Pool<T> {
    pub(super) fn new(seed: u64) -> Self {
        Self { entries: Vec::new(), free: Vec::new(), table: HashTable::new(), seed }
    }

    /// The number of a value, held once more.
    pub(super) fn take<Q: Hash + Eq + ?Sized>(&mut self, value: &Q, make: impl FnOnce(&Q) -> T) -> u32
    where
        T: Borrow<Q>,
    {
        let hash = hash_of(self.seed, value);
        let entries = &self.entries;
        let same = |ix: &u32| value_at(entries, *ix).is_some_and(|known| known.borrow() == value);
        if let Some(&ix) = self.table.find(hash, same) {
            self.hold(ix);
            return ix;
        }
        let entry = Some((make(value), 1));
        let ix = match self.free.pop() {
            Some(ix) => {
                self.entries[ix as usize] = entry;
                ix
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        let (entries, seed) = (&self.entries, self.seed);
        self.table
            .insert_unique(hash, ix, |ix| value_at(entries, *ix).map_or(0, |value| hash_of(seed, value)));
        ix
    }

    /// Holds a value once more.
    pub(super) fn hold(&mut self, ix: u32) {
        if let Some(Some((_, held))) = self.entries.get_mut(ix as usize) {
            *held += 1;
        }
    }

    /// Holds a value once less; returns it when that was the last time. [`NONE`] is never held.
    pub(super) fn give_back(&mut self, ix: u32) -> Option<T> {
        let entry = self.entries.get_mut(ix as usize)?;
        let (value, held) = entry.as_mut()?;
        *held -= 1;
        if *held > 0 {
            return None;
        }
        let hash = hash_of(self.seed, value);
        if let Ok(found) = self.table.find_entry(hash, |known| *known == ix) {
            found.remove();
        }
        self.free.push(ix);
        entry.take().map(|(value, _)| value)
    }

    /// How many times a value is held.
    pub(super) fn held(&self, ix: u32) -> u32 {
        self.entries.get(ix as usize).and_then(Option::as_ref).map_or(0, |(_, held)| *held)
    }

    pub(super) fn get(&self, ix: u32) -> Option<&T> {
        value_at(&self.entries, ix)
    }

    /// The number of a value that is there.
    pub(super) fn find<Q: Hash + Eq + ?Sized>(&self, value: &Q) -> Option<u32>
    where
        T: Borrow<Q>,
    {
        let same = |ix: &u32| self.get(*ix).is_some_and(|known| known.borrow() == value);
        self.table.find(hash_of(self.seed, value), same).copied()
    }

    /// How many values there are.
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }
}

fn value_at<T>(entries: &[Option<(T, u32)>], ix: u32) -> Option<&T> {
    entries.get(ix as usize)?.as_ref().map(|(value, _)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::boxed::Box;

    #[test]
    fn a_value_is_there_as_long_as_it_is_held() {
        let mut pool: Pool<Box<str>> = Pool::new(7);
        let take = |pool: &mut Pool<Box<str>>, text: &str| pool.take(text, |text| Box::from(text));
        let (a, b) = (take(&mut pool, "a"), take(&mut pool, "b"));
        assert_eq!((take(&mut pool, "a"), pool.len()), (a, 2));
        assert_eq!(pool.give_back(a), None);
        assert_eq!(pool.give_back(a).as_deref(), Some("a"));
        assert_eq!((pool.find("a"), pool.find("b")), (None, Some(b)));
        assert_eq!(take(&mut pool, "c"), a, "its number is used again");
        assert_eq!(pool.get(a).map(|text| &**text), Some("c"));
        assert_eq!((pool.give_back(NONE), pool.get(NONE)), (None, None));
    }
}
