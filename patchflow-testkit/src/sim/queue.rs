//! What is to happen, in the order of time; at the same instant in the order in which it was put in.

use patchflow_core::time::Timestamp;
use std::collections::BinaryHeap;

#[derive(Debug)]
struct Entry<T> {
    at: Timestamp,
    n: u64,
    what: T,
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.n) == (other.at, other.n)
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // Turned round: the heap gives the greatest first.
        (other.at, other.n).cmp(&(self.at, self.n))
    }
}

/// A queue over simulated time.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    heap: BinaryHeap<Entry<T>>,
    next: u64,
}

impl<T> Queue<T> {
    pub(crate) const fn new() -> Self {
        Self { heap: BinaryHeap::new(), next: 0 }
    }

    pub(crate) fn put(&mut self, at: Timestamp, what: T) {
        self.next += 1;
        self.heap.push(Entry { at, n: self.next, what });
    }

    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.heap.peek().map(|entry| entry.at)
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.heap.pop().map(|entry| entry.what)
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.heap.retain(|entry| keep(&entry.what));
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}
