//! One heap for everything that happens at a time: deadlines of fleets, retries, leases. Looking at it when nothing is
//! due costs one comparison, however many fleets there are.

use patchflow_core::ids::FleetId;
use patchflow_core::time::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// A deadline of a fleet may be over.
    Fleet(FleetId),
    /// An append of this incarnation of a fleet is to be repeated.
    Append(FleetId, u32),
    /// A fleet that could not be loaded is to be tried again.
    Load(FleetId),
    /// New alerts of this life of a fleet are to be asked for.
    Alerts(FleetId, u32),
    /// A lease is to be renewed.
    Lease(FleetId),
    /// Work of a lane has waited long enough.
    Lane(usize),
    /// The first append has waited long enough for others.
    Commit,
    /// The grace of a stop is over.
    Grace,
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Timestamp, Due)>>,
}

impl Timers {
    pub(super) fn at(&mut self, when: Timestamp, due: Due) {
        self.heap.push(Reverse((when, due)));
    }

    pub(super) fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((when, _))| *when)
    }

    /// Takes the earliest that is due, with the time it was set for.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<(Timestamp, Due)> {
        let Reverse((when, _)) = self.heap.peek()?;
        if *when > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_time_order_and_nothing_comes_early() {
        let at = Timestamp::from_secs;
        let mut timers = Timers::default();
        timers.at(at(30), Due::Commit);
        timers.at(at(10), Due::Fleet(FleetId(2)));
        timers.at(at(20), Due::Lane(0));
        assert_eq!(timers.next(), Some(at(10)));
        assert_eq!(timers.pop(at(9)), None);
        assert_eq!(timers.pop(at(20)), Some((at(10), Due::Fleet(FleetId(2)))));
        assert_eq!(timers.pop(at(20)), Some((at(20), Due::Lane(0))));
        assert_eq!(timers.pop(at(20)), None);
    }
}
