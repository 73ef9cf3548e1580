//! Who is to start next, and who has waited too long.

use super::{MemberSet, Parked, Phase, RingState, Rollout};
use crate::ids::{EndpointIx, MemberIx};
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Who is to start next. A cache: after a replay it is found again by looking at the members from the first.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// Members of the open ring before this position have been looked at.
    pub(crate) cursor: u32,
    /// Members that were looked at before and wait again.
    pub(crate) again: MemberSet,
    /// Members that were looked at and found a budget full.
    pub(crate) parked: Parked,
    /// Whose content is staged next.
    pub(crate) staging: StageQueue,
    /// Members that are to be rolled back and have not been ordered to.
    pub(crate) reverts: Reverts,
    /// Whether the members of the whole rollout must be looked at for what a halt left to do.
    pub(crate) sweep: bool,
    /// The same after a replay: what is asked once, when a halt comes, was asked.
    pub(crate) recovered: bool,
    /// Whether what has been ordered must be looked at because a policy with other freezes was adopted.
    pub(crate) frozen: bool,
    /// Endpoints that may have become eligible since the plan was made.
    pub(crate) newcomers: BTreeSet<EndpointIx>,
    /// Whether the deferred must be looked at because the rollout has completed.
    pub(crate) release: bool,
    /// Whether it is on the fleet's agenda.
    pub(crate) queued: bool,
    /// Whether all members of the open ring were looked at for having waited too long; from then on only `late` are.
    pub(crate) deferral_swept: bool,
    /// Members to look at for having waited too long.
    pub(crate) late: Vec<MemberIx>,
    /// Whether anything but `anytime` stands in the policy, or a freeze in the adopted one, so that members may have to
    /// wait for a window.
    pub(crate) windowed: bool,
    /// Members of opened rings that wait, by the number of their calendar; kept only when `windowed`.
    pub(crate) waits: BTreeMap<u32, Wait>,
    /// Calendars for which somebody waits and whose next window is not watched yet.
    pub(crate) unwatched: Vec<u32>,
    /// Whether nothing else in the catalogue has to do with its patch, and as of which change of relations.
    pub(crate) alone: Option<(u32, bool)>,
    /// Where what is known of openings stands, by the seconds that an operation needs.
    pub(crate) books: Vec<(u64, u32)>,
}

/// Whose content is staged next; used only where the policy wants it there before.
#[derive(Debug, Default)]
pub(crate) struct StageQueue {
    /// Members before this position have been looked at.
    pub(crate) cursor: u32,
    /// Members that were looked at before, and are to be looked at again.
    pub(crate) again: MemberSet,
    /// Members that found the budget of their scope full.
    pub(crate) parked: Parked,
}

/// Members that are to be rolled back, by what they wait for.
#[derive(Debug, Default)]
pub(crate) struct Reverts {
    /// To be looked at.
    pub(crate) ready: BTreeSet<MemberIx>,
    /// They found a budget full.
    pub(crate) parked: Parked,
    /// They wait for their availability group.
    pub(crate) grouped: BTreeSet<MemberIx>,
}

impl Reverts {
    /// Whether nobody waits for a place or to be looked at.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.parked.is_empty() && self.grouped.is_empty()
    }

    /// Whether there is somebody to look at.
    pub(crate) fn has_next(&self) -> bool {
        !self.ready.is_empty() || self.parked.head().is_some()
    }

    /// The next member to look at, in plan order.
    pub(crate) fn take(&mut self) -> Option<MemberIx> {
        let (ready, parked) = (self.ready.first().copied(), self.parked.head());
        let first = ready.into_iter().chain(parked).min()?;
        if parked == Some(first) {
            self.ready.remove(&first);
            self.parked.take()
        } else {
            self.ready.pop_first()
        }
    }
}

/// Members that wait for one calendar, or are at work by it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wait {
    pub(crate) members: u32,
    /// The window at whose end it is seen whether somebody missed it, or is still at work.
    pub(crate) watch: Option<Watch>,
    /// When those who are out of contact are asked to wake for the next window, in seconds since the fleet's epoch.
    pub(crate) near: Option<u32>,
}

/// A window that is watched until it closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watch {
    /// In seconds since the fleet's epoch.
    pub(crate) due: u32,
    pub(crate) opened: Timestamp,
    pub(crate) closes: Timestamp,
}

impl Queue {
    /// Whether nobody must be looked at any more for what a halt or a crash left to do.
    pub(crate) const fn is_swept(&self) -> bool {
        !self.sweep && !self.recovered
    }

    /// A member waits that was under way, or was let go.
    pub(crate) fn waits_again(&mut self, at: MemberIx) {
        self.again.insert(at);
        if self.deferral_swept {
            self.late.push(at);
        }
    }

    /// The time after which members are deferred starts anew.
    pub(crate) fn defers_anew(&mut self) {
        self.deferral_swept = false;
        self.late.clear();
    }

    /// Windows are watched again after a halt or a pause, for everybody who still waits.
    pub(crate) fn watch_anew(&mut self) {
        let Self { waits, unwatched, .. } = self;
        let unseen = |wait: &Wait| wait.watch.is_none() || wait.near.is_none();
        unwatched.extend(waits.iter().filter(|(_, wait)| unseen(wait)).map(|(calendar, _)| *calendar));
    }

    /// One member more, or one less, waits for a calendar. What is watched stays so: others may be at work.
    pub(crate) fn count_waiting(&mut self, calendar: u32, waits: bool) {
        let wait = self.waits.entry(calendar).or_default();
        if waits {
            wait.members += 1;
            if wait.members == 1 {
                self.unwatched.push(calendar);
            }
        } else {
            wait.members = wait.members.saturating_sub(1);
        }
    }

    /// Somebody is at work by a calendar: the end of its window is watched.
    pub(crate) fn watch_work(&mut self, calendar: u32) {
        if self.waits.entry(calendar).or_default().watch.is_none() && !self.unwatched.contains(&calendar) {
            self.unwatched.push(calendar);
        }
    }
}

impl Rollout {
    /// Whether there is somebody to look at.
    pub(crate) fn has_next(&mut self) -> bool {
        !self.queue.again.is_empty() || self.queue.parked.head().is_some() || self.next_of_ring().is_some()
    }

    /// The next of the open ring that waits, without taking it.
    fn next_of_ring(&mut self) -> Option<MemberIx> {
        let ring = &self.rings[usize::from(self.ring)];
        if ring.state != RingState::Open {
            return None;
        }
        let end = ring.first + ring.size;
        while self.queue.cursor < end && self.members[self.queue.cursor as usize].phase != Phase::Waiting {
            self.queue.cursor += 1;
        }
        (self.queue.cursor < end && self.ring_has_room(self.ring)).then_some(MemberIx(self.queue.cursor))
    }

    /// The next member to look at, in plan order: of those that wait again, of those for whom a place became free, and
    /// of the open ring.
    pub(crate) fn next_member(&mut self) -> Option<MemberIx> {
        let (again, parked) = (self.queue.again.first(), self.queue.parked.head());
        let first = again.into_iter().chain(parked).chain(self.next_of_ring()).min()?;
        if again == Some(first) {
            self.queue.again.pop_first()
        } else if parked == Some(first) {
            self.queue.parked.take()
        } else {
            self.queue.cursor += 1;
            Some(first)
        }
    }
}
