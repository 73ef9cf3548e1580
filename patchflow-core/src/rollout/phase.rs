//! The phases of a member, and what each of them means for counts, places and deadlines.

use crate::gate::Class;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Where a member of a rollout stands. One byte; every transition is in one table (see [`Phase::next`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Phase {
    /// Not started.
    Waiting,
    /// An order is out, not acknowledged.
    Ordered,
    /// The order is acknowledged.
    Running,
    /// A recall of the order is out.
    Recalling,
    /// The installer says installed; the inventory has not been read yet.
    Installed,
    /// The install waits for a reboot.
    RebootPending,
    /// A reboot is ordered.
    Rebooting,
    /// Failed, to be tried again after a wait.
    Backoff,
    /// At the target level by inventory, probes passed.
    Verified,
    /// Silent past its report deadline; asked after.
    Silent,
    /// Failed for good.
    Failed,
    /// A rollback is ordered.
    Reverting,
    /// The installer says rolled back; the inventory has not been read yet.
    Reverted,
    /// Silent during a rollback; asked after.
    RevertSilent,
    /// Back at the recorded level by inventory; a hold keeps the patch away.
    RolledBack,
    /// Neither forward nor back by itself: a person must act.
    NeedsOperator,
    /// Did not start in time.
    Deferred,
    /// Already at the target.
    Skipped,
    /// Taken out before it started.
    Cancelled,
    /// Kept away by a hold, or lacks a rollback path.
    Held,
    /// No longer part of the rollout.
    Removed,
    /// Another rollout of the same patch has the endpoint: what comes of its order counts here too.
    Attached,
    /// Its pre hook runs; the order follows.
    Draining,
    /// Its pre hook runs; its rollback follows.
    RevertDraining,
}

impl Phase {
    /// Whether something is being done on the endpoint, so that its alerts say nothing new.
    pub(crate) const fn is_quiet(self) -> bool {
        match self {
            Self::Draining
            | Self::RevertDraining
            | Self::Running
            | Self::Recalling
            | Self::Installed
            | Self::Rebooting
            | Self::Reverting
            | Self::Reverted => true,
            Self::Waiting
            | Self::Ordered
            | Self::Attached
            | Self::RebootPending
            | Self::Backoff
            | Self::Verified
            | Self::Silent
            | Self::Failed
            | Self::RevertSilent
            | Self::RolledBack
            | Self::NeedsOperator
            | Self::Deferred
            | Self::Skipped
            | Self::Cancelled
            | Self::Held
            | Self::Removed => false,
        }
    }

    /// All phases, in the order of their numbers.
    pub const ALL: [Self; 24] = [
        Self::Waiting,
        Self::Ordered,
        Self::Running,
        Self::Recalling,
        Self::Installed,
        Self::RebootPending,
        Self::Rebooting,
        Self::Backoff,
        Self::Verified,
        Self::Silent,
        Self::Failed,
        Self::Reverting,
        Self::Reverted,
        Self::RevertSilent,
        Self::RolledBack,
        Self::NeedsOperator,
        Self::Deferred,
        Self::Skipped,
        Self::Cancelled,
        Self::Held,
        Self::Removed,
        Self::Attached,
        Self::Draining,
        Self::RevertDraining,
    ];

    /// Everything that is counted of a phase, in one load: a move between phases that have the same is counted nowhere.
    pub(crate) const fn tally(self) -> Tally {
        TALLIES[self as usize]
    }

    /// The class a member counts in (semantics S2): exactly one.
    #[must_use]
    pub const fn class(self) -> Class {
        match self {
            Self::Waiting => Class::Waiting,
            Self::Ordered
            | Self::Running
            | Self::Recalling
            | Self::Installed
            | Self::RebootPending
            | Self::Rebooting
            | Self::Backoff
            | Self::Attached
            | Self::Draining => Class::InFlight,
            Self::Verified => Class::Verified,
            Self::Silent => Class::Unknown,
            Self::Failed
            | Self::RevertDraining
            | Self::Reverting
            | Self::Reverted
            | Self::RevertSilent
            | Self::RolledBack
            | Self::NeedsOperator => Class::Failed,
            Self::Deferred => Class::Deferred,
            Self::Skipped => Class::Skipped,
            Self::Cancelled => Class::Cancelled,
            Self::Held => Class::Held,
            Self::Removed => Class::Removed,
        }
    }

    /// Whether an operation is under way, so that a place in `in_flight_max` is held. Unknown frees its place.
    #[must_use]
    pub const fn is_operating(self) -> bool {
        match self {
            Self::Ordered
            | Self::Running
            | Self::Recalling
            | Self::Installed
            | Self::RebootPending
            | Self::Rebooting
            | Self::RevertDraining
            | Self::Reverting
            | Self::Reverted
            | Self::Draining => true,
            Self::Waiting
            | Self::Backoff
            | Self::Verified
            | Self::Silent
            | Self::Failed
            | Self::RevertSilent
            | Self::RolledBack
            | Self::NeedsOperator
            | Self::Deferred
            | Self::Skipped
            | Self::Cancelled
            | Self::Held
            | Self::Removed
            | Self::Attached => false,
        }
    }

    /// Whether the endpoint is taken: an operation is under way, or may still be for all that is known.
    #[must_use]
    pub const fn occupies(self) -> bool {
        self.is_operating() || matches!(self, Self::Silent | Self::RevertSilent)
    }

    /// Whether the member may still move without a person: it is under way, waits, or is asked after.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self.class(), Class::Waiting | Class::InFlight)
            || matches!(
                self,
                Self::Silent | Self::RevertDraining | Self::Reverting | Self::Reverted | Self::RevertSilent
            )
    }

    /// What the phase means, as the start of a sentence.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Waiting => "waiting for its turn",
            Self::Ordered => "ordered, not acknowledged yet",
            Self::Running => "being installed",
            Self::Recalling => "being recalled before it starts",
            Self::Installed => "installed by the installer's word, waiting for the inventory to show it",
            Self::RebootPending => "installed, waiting for a reboot",
            Self::Rebooting => "rebooting",
            Self::Backoff => "failed, to be tried again",
            Self::Verified => "verified at the target level",
            Self::Silent => "silent past its report deadline, outcome unknown",
            Self::Failed => "failed",
            Self::Reverting => "being rolled back",
            Self::Reverted => "rolled back by the installer's word, waiting for the inventory to show it",
            Self::RevertSilent => "silent during its rollback, outcome unknown",
            Self::RolledBack => "rolled back to the level it had, and held there",
            Self::NeedsOperator => "in need of an operator",
            Self::Deferred => "not started in time, left to catch-up",
            Self::Skipped => "at the target already",
            Self::Cancelled => "cancelled before it started",
            Self::Held => "held",
            Self::Removed => "removed from the rollout",
            Self::Draining => "being prepared by its pre hook",
            Self::RevertDraining => "being prepared for its rollback by its pre hook",
            Self::Attached => "being installed by another rollout of the same patch",
        }
    }
}

/// What is counted of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) class: Class,
    pub(crate) operating: bool,
    pub(crate) occupies: bool,
    /// It may still move without a person, beyond waiting.
    pub(crate) moving: bool,
}

static TALLIES: [Tally; Phase::ALL.len()] = {
    let none = Tally { class: Class::Waiting, operating: false, occupies: false, moving: false };
    let mut tallies = [none; Phase::ALL.len()];
    let mut i = 0;
    while i < tallies.len() {
        let phase = Phase::ALL[i];
        tallies[phase as usize] = Tally {
            class: phase.class(),
            operating: phase.is_operating(),
            occupies: phase.occupies(),
            moving: !matches!(phase, Phase::Waiting) && phase.is_open(),
        };
        i += 1;
    }
    tallies
};

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}
