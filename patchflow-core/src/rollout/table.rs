//! The one table of transitions: which event is possible in which phase, and where it leads.
//!
//! [`Phase::row`] is an exhaustive match, so a new phase does not compile until its row is written; the diagram in
//! `docs/architecture.md` is printed from it by a test. What is not in the table is impossible: `decide` never
//! produces it, and a journal that holds it is corrupt.

use super::Phase;
use alloc::string::String;
use core::fmt::Write as _;
use serde::{Deserialize, Serialize};

macro_rules! events {
    ($($(#[$doc:meta])* $name:ident = $code:literal),+ $(,)?) => {
        /// What happened to a member: the kinds of packed endpoint facts. The numbers stand in journals for ever.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum Event { $($(#[$doc])* $name = $code),+ }

        impl Event {
            /// All events, by their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The event with this number in a journal.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code {
                    $($code => Some(Self::$name),)+
                    // A number of a newer version: the caller reports the journal as too new.
                    _ => None,
                }
            }
        }
    };
}

events! {
    /// An install order was issued; due: until when it must be acknowledged.
    Ordered = 0,
    /// The order was acknowledged, or an answer showed it at work; due: the report deadline.
    Acknowledged = 1,
    /// The order was never acknowledged, or the endpoint never saw it; the member waits again.
    Expired = 2,
    /// The installer reports success; due: until when the inventory must have been read.
    InstallReported = 3,
    /// The attempt failed and will be repeated; due: when.
    RetryScheduled = 4,
    /// The last attempt failed, or the failure is not one that gets better.
    GaveUp = 5,
    /// The inventory shows the target level, and the probes passed.
    Verified = 6,
    /// The inventory shows the target level, and the endpoint waits for a reboot.
    RebootNeeded = 7,
    /// A reboot was ordered; due: the report deadline.
    RebootOrdered = 8,
    /// The endpoint is back; due: until when the inventory must have been read.
    Rebooted = 9,
    /// The report deadline passed; due: when the question must have been answered.
    WentSilent = 10,
    /// The question was not answered either; nothing is due any more.
    StayedSilent = 11,
    /// The endpoint never saw the order, and it is sent again under the same id; due: acknowledgement.
    Resent = 12,
    /// A recall was sent; due: when it must have been answered.
    RecallAsked = 13,
    /// The order was recalled before it started.
    Recalled = 14,
    /// The recall came too late; due: the report deadline.
    RecallFailed = 15,
    /// The member did not start in time.
    Deferred = 16,
    /// The member is at the target already.
    Skipped = 17,
    /// The member was taken out before it started.
    Cancelled = 18,
    /// A hold, or the lack of a rollback path, keeps the member away.
    Held = 19,
    /// A person lets the member try again.
    Released = 20,
    /// The endpoint left the fleet or the rollout.
    Removed = 21,
    /// A rollback was ordered, or ordered anew after it was cut off; due: the report deadline.
    RevertOrdered = 22,
    /// The installer reports the rollback done; due: until when the inventory must have been read.
    RevertReported = 23,
    /// The rollback's report deadline passed; due: when the question must have been answered.
    RevertWentSilent = 24,
    /// The endpoint never saw the rollback order, and it is sent again; due: the report deadline.
    RevertResent = 25,
    /// The inventory shows the recorded level again; the patch is held off this endpoint.
    RolledBack = 26,
    /// Neither forward nor back by itself.
    OperatorNeeded = 27,
    /// Another rollout of the same patch has an order there; this member waits for its outcome.
    Attached = 28,
    /// That order came to nothing; the member waits again.
    Detached = 29,
    /// The pre hook was asked for, before the order, a reboot that comes first, or a rollback; due: when it is late.
    HookAsked = 30,
    /// The pre hook failed or was late: the member does not start; of a rollback, due: when it is run again.
    HookFailed = 31,
    /// The pre hook was run, and the member may not start, or be rolled back, for now; it waits again.
    HookUndone = 32,
    /// The content was asked to be staged on the endpoint; due: when that is late.
    StageAsked = 33,
    /// The content is on the endpoint, with the digest that was approved; due: until when it is good.
    Staged = 34,
    /// The content could not be staged, and will be tried again; due: when.
    StageFailed = 35,
    /// The content could not be staged; due: when it begins anew, 0 for when a person says so.
    StageGaveUp = 36,
    /// Staged content is too old, or another attempt is wanted: it begins anew.
    StageDropped = 37,
}

/// How many kinds of events there are.
const EVENTS: usize = Event::ALL.len();
const PHASES: usize = Phase::ALL.len();

impl Event {
    /// Whether it is about the member's content alone: it leaves the member where it is.
    #[must_use]
    pub const fn is_of_content(self) -> bool {
        matches!(
            self,
            Self::StageAsked | Self::Staged | Self::StageFailed | Self::StageGaveUp | Self::StageDropped
        )
    }
}

impl Phase {
    /// The events that are possible in this phase, and where each leads.
    const fn row(self) -> &'static [(Event, Self)] {
        use Event as E;
        match self {
            Self::Waiting => &[
                (E::Ordered, Self::Ordered),
                (E::RebootOrdered, Self::Rebooting),
                (E::InstallReported, Self::Installed),
                (E::Attached, Self::Attached),
                (E::HookAsked, Self::Draining),
                (E::StageAsked, Self::Waiting),
                (E::Staged, Self::Waiting),
                (E::StageFailed, Self::Waiting),
                (E::StageGaveUp, Self::Waiting),
                (E::StageDropped, Self::Waiting),
                (E::Deferred, Self::Deferred),
                (E::Skipped, Self::Skipped),
                (E::Cancelled, Self::Cancelled),
                (E::Held, Self::Held),
                (E::Removed, Self::Removed),
            ],
            Self::Ordered => &[
                (E::Acknowledged, Self::Running),
                (E::Expired, Self::Waiting),
                (E::InstallReported, Self::Installed),
                (E::RetryScheduled, Self::Backoff),
                (E::GaveUp, Self::Failed),
                (E::WentSilent, Self::Silent),
                (E::Resent, Self::Ordered),
                (E::RecallAsked, Self::Recalling),
                (E::Removed, Self::Removed),
            ],
            Self::Running => &[
                (E::Acknowledged, Self::Running),
                (E::InstallReported, Self::Installed),
                (E::RetryScheduled, Self::Backoff),
                (E::GaveUp, Self::Failed),
                (E::WentSilent, Self::Silent),
                (E::RecallAsked, Self::Recalling),
                (E::Expired, Self::Waiting),
                (E::Removed, Self::Removed),
            ],
            Self::Recalling => &[
                (E::Recalled, Self::Waiting),
                (E::RecallFailed, Self::Running),
                (E::InstallReported, Self::Installed),
                (E::RetryScheduled, Self::Backoff),
                (E::GaveUp, Self::Failed),
                (E::WentSilent, Self::Silent),
                (E::Removed, Self::Removed),
            ],
            Self::Installed => &[
                (E::Verified, Self::Verified),
                (E::RebootNeeded, Self::RebootPending),
                (E::RetryScheduled, Self::Backoff),
                (E::GaveUp, Self::Failed),
                (E::WentSilent, Self::Silent),
                (E::Removed, Self::Removed),
            ],
            Self::RebootPending => &[
                (E::RebootOrdered, Self::Rebooting),
                (E::Rebooted, Self::Installed),
                (E::Verified, Self::Verified),
                (E::GaveUp, Self::Failed),
                (E::OperatorNeeded, Self::NeedsOperator),
                (E::Removed, Self::Removed),
            ],
            Self::Rebooting => &[
                (E::Expired, Self::Waiting),
                (E::RecallAsked, Self::Rebooting),
                (E::Recalled, Self::RebootPending),
                (E::Acknowledged, Self::Rebooting),
                (E::Rebooted, Self::Installed),
                (E::GaveUp, Self::Failed),
                (E::WentSilent, Self::Silent),
                (E::Resent, Self::Rebooting),
                (E::Removed, Self::Removed),
            ],
            Self::Backoff => &[
                (E::Ordered, Self::Ordered),
                (E::StageAsked, Self::Backoff),
                (E::Staged, Self::Backoff),
                (E::StageFailed, Self::Backoff),
                (E::StageGaveUp, Self::Backoff),
                (E::StageDropped, Self::Backoff),
                (E::InstallReported, Self::Installed),
                (E::GaveUp, Self::Failed),
                (E::Cancelled, Self::Cancelled),
                (E::Removed, Self::Removed),
            ],
            Self::Verified => &[
                (E::HookAsked, Self::RevertDraining),
                (E::RevertOrdered, Self::Reverting),
                (E::Removed, Self::Removed),
            ],
            Self::Silent => &[
                (E::Acknowledged, Self::Running),
                (E::InstallReported, Self::Installed),
                (E::Rebooted, Self::Installed),
                (E::RetryScheduled, Self::Backoff),
                (E::GaveUp, Self::Failed),
                (E::StayedSilent, Self::Silent),
                (E::Expired, Self::Waiting),
                (E::Verified, Self::Verified),
                (E::Removed, Self::Removed),
            ],
            Self::Failed => &[
                (E::InstallReported, Self::Installed),
                (E::HookAsked, Self::RevertDraining),
                (E::RevertOrdered, Self::Reverting),
                (E::OperatorNeeded, Self::NeedsOperator),
                (E::Released, Self::Waiting),
                (E::Removed, Self::Removed),
            ],
            Self::Reverting => &[
                (E::Acknowledged, Self::Reverting),
                (E::RevertReported, Self::Reverted),
                (E::RevertWentSilent, Self::RevertSilent),
                (E::RevertResent, Self::Reverting),
                (E::RevertOrdered, Self::Reverting),
                (E::OperatorNeeded, Self::NeedsOperator),
                (E::Removed, Self::Removed),
            ],
            Self::Reverted => &[
                (E::RolledBack, Self::RolledBack),
                (E::RevertWentSilent, Self::RevertSilent),
                (E::OperatorNeeded, Self::NeedsOperator),
                (E::Removed, Self::Removed),
            ],
            Self::RevertSilent => &[
                (E::Acknowledged, Self::Reverting),
                (E::RevertReported, Self::Reverted),
                (E::RevertResent, Self::Reverting),
                (E::RevertOrdered, Self::Reverting),
                (E::RolledBack, Self::RolledBack),
                (E::OperatorNeeded, Self::NeedsOperator),
                (E::Removed, Self::Removed),
            ],
            Self::RolledBack => &[(E::Released, Self::Waiting), (E::Removed, Self::Removed)],
            Self::NeedsOperator => &[
                (E::RevertReported, Self::Reverted),
                (E::RevertOrdered, Self::Reverting),
                (E::Released, Self::Waiting),
                (E::Removed, Self::Removed),
            ],
            Self::Deferred => &[
                (E::Released, Self::Waiting),
                (E::StageAsked, Self::Deferred),
                (E::Staged, Self::Deferred),
                (E::StageFailed, Self::Deferred),
                (E::StageGaveUp, Self::Deferred),
                (E::StageDropped, Self::Deferred),
                (E::InstallReported, Self::Installed),
                (E::Cancelled, Self::Cancelled),
                (E::Skipped, Self::Skipped),
                (E::Removed, Self::Removed),
            ],
            Self::Skipped => &[(E::Removed, Self::Removed)],
            Self::Cancelled => &[
                (E::Released, Self::Waiting),
                (E::InstallReported, Self::Installed),
                (E::Removed, Self::Removed),
            ],
            Self::Held => {
                &[(E::Released, Self::Waiting), (E::Cancelled, Self::Cancelled), (E::Removed, Self::Removed)]
            }
            Self::Removed => &[],
            Self::RevertDraining => &[
                (E::RevertOrdered, Self::Reverting),
                (E::HookFailed, Self::Failed),
                (E::HookUndone, Self::Failed),
                (E::OperatorNeeded, Self::NeedsOperator),
                (E::Removed, Self::Removed),
            ],
            Self::Draining => &[
                (E::Ordered, Self::Ordered),
                (E::RebootOrdered, Self::Rebooting),
                (E::HookFailed, Self::Deferred),
                (E::HookUndone, Self::Waiting),
                (E::Removed, Self::Removed),
            ],
            Self::Attached => &[
                (E::Verified, Self::Verified),
                (E::GaveUp, Self::Failed),
                (E::Detached, Self::Waiting),
                (E::Cancelled, Self::Cancelled),
                (E::Removed, Self::Removed),
            ],
        }
    }

    /// Whether the content of a member in this phase may be staged: it has not started, or is to be tried again.
    pub(crate) const fn is_staged_for(self) -> bool {
        self.next(Event::StageAsked).is_some()
    }

    /// Where an event leads from here; `None` when it is impossible in this phase.
    ///
    /// ```
    /// use patchflow_core::rollout::{Event, Phase};
    /// assert_eq!(Phase::Ordered.next(Event::Acknowledged), Some(Phase::Running));
    /// assert_eq!(Phase::Waiting.next(Event::Verified), None, "success is an observation, after an order");
    /// ```
    #[must_use]
    pub const fn next(self, event: Event) -> Option<Self> {
        TABLE[self as usize][event as usize]
    }
}

/// The rows, spread out once at compile time so that a transition is one load.
static TABLE: [[Option<Phase>; EVENTS]; PHASES] = {
    let mut table = [[None; EVENTS]; PHASES];
    let mut p = 0;
    while p < PHASES {
        let row = Phase::ALL[p].row();
        let mut e = 0;
        while e < row.len() {
            table[p][row[e].0 as usize] = Some(row[e].1);
            e += 1;
        }
        p += 1;
    }
    table
};

/// The table as a Mermaid state diagram, one line for each pair of phases.
#[must_use]
pub fn diagram() -> String {
    let mut text = String::from("stateDiagram-v2\n    [*] --> Waiting\n");
    for from in Phase::ALL {
        for to in Phase::ALL {
            let mut events = from
                .row()
                .iter()
                .filter(|(event, target)| *target == to && *event != Event::Removed)
                .peekable();
            if events.peek().is_none() {
                continue;
            }
            let _ = write!(text, "    {from:?} --> {to:?}: ");
            for (i, (event, _)) in events.enumerate() {
                let _ = write!(text, "{}{event:?}", if i == 0 { "" } else { ", " });
            }
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::Class;

    #[test]
    fn numbers_are_positions() {
        for (i, phase) in Phase::ALL.into_iter().enumerate() {
            assert_eq!(phase as usize, i);
        }
        for (i, event) in Event::ALL.iter().enumerate() {
            assert_eq!(*event as usize, i);
            assert_eq!(Event::from_code(i as u8), Some(*event));
        }
        assert_eq!(Event::from_code(EVENTS as u8), None);
    }

    #[test]
    fn every_event_is_possible_somewhere_and_every_phase_is_reached() {
        for event in Event::ALL {
            assert!(Phase::ALL.iter().any(|phase| phase.next(*event).is_some()), "{event:?}");
        }
        let mut reached = alloc::vec![Phase::Waiting];
        let mut i = 0;
        while let Some(phase) = reached.get(i).copied() {
            for (_, to) in phase.row() {
                if !reached.contains(to) {
                    reached.push(*to);
                }
            }
            i += 1;
        }
        assert_eq!(reached.len(), PHASES);
    }

    #[test]
    fn no_row_names_an_event_twice() {
        for phase in Phase::ALL {
            let row = phase.row();
            for (i, (event, _)) in row.iter().enumerate() {
                assert!(row[i + 1..].iter().all(|(other, _)| other != event), "{phase:?} {event:?}");
            }
        }
    }

    #[test]
    fn every_phase_but_removed_can_be_removed_and_removed_is_the_end() {
        for phase in Phase::ALL {
            assert_eq!(phase.next(Event::Removed).is_some(), phase != Phase::Removed);
        }
        assert!(Phase::Removed.row().is_empty());
    }

    #[test]
    fn verified_follows_only_from_an_observation_of_the_level() {
        for phase in Phase::ALL {
            let to_verified: alloc::vec::Vec<_> =
                phase.row().iter().filter(|(_, to)| *to == Phase::Verified).collect();
            assert!(to_verified.iter().all(|(event, _)| *event == Event::Verified), "{phase:?}");
        }
        assert_eq!(Phase::Verified.class(), Class::Verified);
    }

    #[test]
    fn an_operating_phase_counts_as_in_flight_or_as_a_failure_being_undone() {
        for phase in Phase::ALL.into_iter().filter(|phase| phase.is_operating()) {
            assert!(matches!(phase.class(), Class::InFlight | Class::Failed), "{phase:?}");
        }
    }
}
