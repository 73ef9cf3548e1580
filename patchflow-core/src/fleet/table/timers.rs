//! Timers by the second in which they are due: what is due first is found without looking at anything else.
//!
//! One bucket for each second and rollout holds its members in four bytes each. A member that moves on leaves its entry
//! behind and only lowers the bucket's count; a bucket that counts nobody is dropped whole, and one that is mostly left
//! behind is cleaned. So a timer costs two look-ups in a hash table when it is set and dropped, whatever the number of
//! timers, and the order over buckets is touched only when one begins or ends.

use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use hashbrown::HashTable;

/// When a bucket is cleaned: more entries than four for each that counts, beyond some.
const LEFT_BEHIND: usize = 1024;
/// The greatest capacity of a list that is kept for the next bucket, and how many lists are kept.
const KEPT_CAPACITY: usize = 4096;
const KEPT: usize = 256;
/// How many buckets are found without the table; a power of two.
const RECENT: usize = 32;

#[derive(Debug)]
struct Bucket {
    due: u32,
    rollout: u32,
    /// Entries that count.
    live: u32,
    members: Vec<u32>,
}

/// The earlier of two; asked after every report, and so kept free of loops.
#[inline]
pub(crate) fn sooner<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Timers of members, by second and rollout.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    buckets: Vec<Bucket>,
    by_key: HashTable<u32>,
    order: BTreeSet<(u32, u32)>,
    /// Buckets that were found last, by their seconds.
    recent: [u32; RECENT],
    /// The first second of `order`.
    first: Option<u32>,
    /// Empty lists with room, for the next buckets.
    kept: Vec<Vec<u32>>,
}

fn key_hash(due: u32, rollout: u32) -> u64 {
    let key = u64::from(due) ^ u64::from(rollout).rotate_left(32);
    let mixed = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

/// Where a bucket stands among those found last. Time-outs are multiples of round numbers, so the low bits of the
/// seconds alone would bring them together in one place.
#[inline]
fn recent_place(due: u32, rollout: u32) -> usize {
    let mixed = (due ^ rollout.rotate_left(16)).wrapping_mul(0x9e37_79b9);
    (mixed >> (u32::BITS - RECENT.ilog2())) as usize
}

impl Timers {
    #[inline]
    fn find(&mut self, due: u32, rollout: u32) -> Option<u32> {
        // Reports of one moment go from one bucket to another, time and again.
        let place = recent_place(due, rollout);
        let recent = self.recent[place] as usize;
        if self.buckets.get(recent).is_some_and(|it| it.due == due && it.rollout == rollout) {
            return Some(recent as u32);
        }
        let found = self.look_up(due, rollout)?;
        self.recent[place] = found;
        Some(found)
    }

    #[cold]
    fn look_up(&self, due: u32, rollout: u32) -> Option<u32> {
        self.by_key
            .find(key_hash(due, rollout), |i| {
                let bucket = &self.buckets[*i as usize];
                bucket.due == due && bucket.rollout == rollout
            })
            .copied()
    }

    /// Sets a timer.
    #[inline]
    pub(crate) fn arm(&mut self, due: u32, rollout: u32, member: u32) {
        let at = match self.find(due, rollout) {
            Some(at) => at as usize,
            None => self.begin(due, rollout),
        };
        let bucket = &mut self.buckets[at];
        bucket.live += 1;
        bucket.members.push(member);
    }

    #[cold]
    fn begin(&mut self, due: u32, rollout: u32) -> usize {
        let Self { buckets, by_key, order, kept, first, .. } = self;
        let at = buckets.len();
        buckets.push(Bucket { due, rollout, live: 0, members: kept.pop().unwrap_or_default() });
        by_key.insert_unique(key_hash(due, rollout), at as u32, |i| {
            let bucket = &buckets[*i as usize];
            key_hash(bucket.due, bucket.rollout)
        });
        order.insert((due, rollout));
        *first = order.first().map(|(due, _)| *due);
        at
    }

    /// Lets go of one timer of a second and rollout; `counts` says of an entry whether it still does.
    #[inline]
    pub(crate) fn disarm(&mut self, due: u32, rollout: u32, counts: impl Fn(u32) -> bool) {
        let Some(at) = self.find(due, rollout) else { return };
        let bucket = &mut self.buckets[at as usize];
        bucket.live = bucket.live.saturating_sub(1);
        if bucket.live == 0 || bucket.members.len() > 4 * bucket.live as usize + LEFT_BEHIND {
            self.clean(at, counts);
        }
    }

    /// Drops what a bucket counts no more, or the bucket.
    #[cold]
    fn clean(&mut self, at: u32, counts: impl Fn(u32) -> bool) {
        let bucket = &mut self.buckets[at as usize];
        if bucket.live == 0 {
            let members = self.end(at);
            self.keep(members);
        } else {
            bucket.members.retain(|member| counts(*member));
            bucket.members.shrink_to(2 * bucket.members.len());
        }
    }

    /// Takes a bucket out and gives its list.
    fn end(&mut self, at: u32) -> Vec<u32> {
        let bucket = self.buckets.swap_remove(at as usize);
        let hash = key_hash(bucket.due, bucket.rollout);
        if let Ok(entry) = self.by_key.find_entry(hash, |i| *i == at) {
            entry.remove();
        }
        if let Some(moved) = self.buckets.get(at as usize) {
            // The last one stands in its place now.
            let last = self.buckets.len() as u32;
            if let Some(i) = self.by_key.find_mut(key_hash(moved.due, moved.rollout), |i| *i == last) {
                *i = at;
            }
        }
        self.order.remove(&(bucket.due, bucket.rollout));
        self.first = self.order.first().map(|(due, _)| *due);
        bucket.members
    }

    /// Keeps the room of a list for a later bucket.
    pub(crate) fn keep(&mut self, mut members: Vec<u32>) {
        if members.capacity() <= KEPT_CAPACITY && self.kept.len() < KEPT {
            members.clear();
            self.kept.push(members);
        }
    }

    /// The earliest second that has a timer.
    pub(crate) fn first(&self) -> Option<u32> {
        self.first
    }

    /// Takes the earliest bucket that is due by `secs`: its second, its rollout, and its members in their order, some
    /// of which may have moved on.
    pub(crate) fn take_due(&mut self, secs: u32) -> Option<(u32, u32, Vec<u32>)> {
        if self.first.is_none_or(|first| first > secs) {
            return None;
        }
        let (due, rollout) = self.order.first().copied()?;
        let at = self.find(due, rollout)?;
        let mut members = self.end(at);
        members.sort_unstable();
        members.dedup();
        Some((due, rollout, members))
    }
}

/// Deadlines of members. What was due is taken once; a deadline that is set into the past is due at the next look.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    timers: Timers,
    /// Buckets up to this second have been taken.
    taken: u32,
    overdue: Vec<(u32, u32, u32)>,
}

impl Deadlines {
    /// A member's deadline was `old` and is `new`; 0 is none. `counts` says of another member of the rollout whether its
    /// deadline is still this one.
    #[inline]
    pub(crate) fn moved(
        &mut self,
        rollout: u32,
        member: u32,
        [old, new]: [u32; 2],
        counts: impl Fn(u32) -> bool,
    ) {
        if old == new && new > self.taken {
            return;
        }
        if old > self.taken {
            self.timers.disarm(old, rollout, counts);
        }
        if new > self.taken {
            self.timers.arm(new, rollout, member);
        } else if new != 0 {
            self.overdue.push((new, rollout, member));
        }
    }

    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<u32> {
        if self.overdue.is_empty() {
            return self.timers.first;
        }
        sooner(self.overdue.iter().map(|(due, _, _)| *due).min(), self.timers.first)
    }

    /// Takes deadlines that are due by `secs`: when, of which rollout, and of which members, some of which may have moved on.
    pub(crate) fn take_due(&mut self, secs: u32) -> Option<(u32, u32, Vec<u32>)> {
        if let Some((due, rollout, member)) = self.overdue.pop() {
            let mut members = self.timers.kept.pop().unwrap_or_default();
            members.push(member);
            return Some((due, rollout, members));
        }
        let taken = self.timers.take_due(secs)?;
        self.taken = taken.0;
        Some(taken)
    }

    /// Gives the list of [`take_due`](Self::take_due) back.
    pub(crate) fn keep(&mut self, members: Vec<u32>) {
        self.timers.keep(members);
    }

    /// Drops what was overdue and has moved on.
    pub(crate) fn trim(&mut self, counts: impl Fn(u32, u32, u32) -> bool) {
        if self.overdue.is_empty() {
            return;
        }
        self.overdue.retain(|(due, rollout, member)| counts(*due, *rollout, *member));
    }
}

/// When something as a whole (a rollout, a candidate) wants to be looked at.
#[derive(Debug)]
pub(crate) struct Alarms<K> {
    at: BTreeMap<K, Timestamp>,
    order: BTreeSet<(Timestamp, K)>,
    first: Option<Timestamp>,
}

impl<K> Default for Alarms<K> {
    fn default() -> Self {
        Self { at: BTreeMap::new(), order: BTreeSet::new(), first: None }
    }
}

impl<K: Copy + Ord> Alarms<K> {
    pub(crate) fn set(&mut self, of: K, at: Option<Timestamp>) {
        if self.at.get(&of).copied() == at {
            return;
        }
        let before = match at {
            Some(at) => {
                self.order.insert((at, of));
                self.at.insert(of, at)
            }
            None => self.at.remove(&of),
        };
        if let Some(before) = before {
            self.order.remove(&(before, of));
        }
        self.first = self.order.first().map(|(at, _)| *at);
    }

    pub(crate) fn get(&self, of: K) -> Option<Timestamp> {
        self.at.get(&of).copied()
    }

    pub(crate) fn first(&self) -> Option<Timestamp> {
        self.first
    }

    /// Takes one that is due.
    pub(crate) fn take_due(&mut self, now: Timestamp) -> Option<K> {
        let (_, of) = self.order.first().copied().filter(|(at, _)| *at <= now)?;
        self.set(of, None);
        Some(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn what_is_due_first_comes_first_and_what_moved_on_costs_nothing() {
        let mut timers = Timers::default();
        for member in 0..100 {
            timers.arm(50, 1, member);
            timers.arm(40, 0, member);
        }
        timers.arm(45, 7, 3);
        assert_eq!(timers.first(), Some(40));
        for _ in 0..100 {
            timers.disarm(40, 0, |_| true);
        }
        timers.disarm(40, 0, |_| true);
        assert_eq!(timers.first(), Some(45), "a bucket that counts nobody is gone");
        assert_eq!(timers.take_due(44), None);
        assert_eq!(timers.take_due(60), Some((45, 7, vec![3])));
        assert_eq!(timers.take_due(60), Some((50, 1, (0..100).collect())));
        assert_eq!((timers.take_due(60), timers.first()), (None, None));
    }

    #[test]
    fn a_bucket_that_is_mostly_left_behind_is_cleaned() {
        let mut timers = Timers::default();
        (0..10_000).for_each(|member| timers.arm(9, 0, member));
        (0..9_000).for_each(|gone| timers.disarm(9, 0, |member| member > gone));
        assert!(timers.buckets[0].members.len() < 6000, "{}", timers.buckets[0].members.len());
        let (_, _, left) = timers.take_due(9).unwrap();
        assert!((9_000..10_000).all(|member| left.contains(&member)));
    }
}
