//! Walks over relations: circles, and what can be reached.
//!
//! A graph library is not used for it: both walks together are shorter than a graph's set-up, they run on indices that
//! are there already, and their order is the same everywhere because the edges are sorted.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

/// Everything that can be reached from `from`, the nearest first, without `from` itself.
pub(crate) fn reach<T, I>(from: T, mut next: impl FnMut(T) -> I) -> Vec<T>
where
    T: Copy + Ord,
    I: IntoIterator<Item = T>,
{
    let mut seen = BTreeSet::from([from]);
    let mut queue = VecDeque::from([from]);
    let mut reached = Vec::new();
    while let Some(at) = queue.pop_front() {
        for to in next(at) {
            if seen.insert(to) {
                reached.push(to);
                queue.push_back(to);
            }
        }
    }
    reached
}

/// The shortest circle through `from`: its members in order, beginning with `from`; `None` when there is none.
pub(crate) fn circle<T, I>(from: T, mut next: impl FnMut(T) -> I) -> Option<Vec<T>>
where
    T: Copy + Ord,
    I: IntoIterator<Item = T>,
{
    let mut came_from = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        for to in next(at) {
            if to == from {
                let mut members = Vec::from([at]);
                let mut back = at;
                while let Some(before) = came_from.get(&back) {
                    members.push(*before);
                    back = *before;
                }
                members.reverse();
                return Some(members);
            }
            if let alloc::collections::btree_map::Entry::Vacant(free) = came_from.entry(to) {
                free.insert(at);
                queue.push_back(to);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(of: u32) -> Vec<u32> {
        // 0 -> 1 -> 2 -> 0 is a circle; 3 -> {4, 5} -> 6 is a diamond; 7 -> 7 is a circle of its own.
        match of {
            0 => [1].into(),
            1 => [2, 6].into(),
            2 => [0].into(),
            3 => [4, 5].into(),
            4 | 5 => [6].into(),
            7 => [7].into(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn circles_are_named_and_diamonds_are_none() {
        assert_eq!(circle(1, edges), Some([1, 2, 0].into()));
        assert_eq!(circle(7, edges), Some([7].into()));
        assert_eq!(circle(3, edges), None);
    }

    #[test]
    fn what_is_reached_on_two_ways_is_reached_once() {
        assert_eq!(reach(3, edges), [4, 5, 6]);
        assert_eq!(reach(0, edges), [1, 2, 6], "a circle ends");
    }
}
