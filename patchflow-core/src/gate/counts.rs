//! The classes that every member of a ring is counted in, each in exactly one (semantics S2).

use serde::{Deserialize, Serialize};

/// What a member counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Class {
    /// Not started yet.
    Waiting,
    /// Started, no outcome yet; a pending reboot is in flight.
    InFlight,
    /// At the target level by inventory, probes passed.
    Verified,
    /// Retries exhausted, refused, or rolled back.
    Failed,
    /// Silent past its report deadline.
    Unknown,
    /// Did not start in time; catch-up installs it later.
    Deferred,
    /// Already at or above the target.
    Skipped,
    /// Taken out by a person or by a halt before it started.
    Cancelled,
    /// Kept away by a hold or in quarantine.
    Held,
    /// No longer part of the fleet or the rollout.
    Removed,
}

/// How many classes there are.
pub(crate) const CLASSES: usize = 10;

/// How many members of a ring are in each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Not started yet.
    pub waiting: u32,
    /// Started, no outcome yet.
    pub in_flight: u32,
    /// Verified at the target level.
    pub verified: u32,
    /// Failed for good.
    pub failed: u32,
    /// Silent past the report deadline.
    pub unknown: u32,
    /// Not started in time.
    pub deferred: u32,
    /// Already there.
    pub skipped: u32,
    /// Taken out.
    pub cancelled: u32,
    /// Held or quarantined.
    pub held: u32,
    /// No longer there.
    pub removed: u32,
}

impl Counts {
    /// From one number a class, in the order of [`Class`].
    #[must_use]
    pub const fn from_classes(n: [u32; CLASSES]) -> Self {
        Self {
            waiting: n[0],
            in_flight: n[1],
            verified: n[2],
            failed: n[3],
            unknown: n[4],
            deferred: n[5],
            skipped: n[6],
            cancelled: n[7],
            held: n[8],
            removed: n[9],
        }
    }

    /// All members.
    #[must_use]
    pub const fn members(&self) -> u32 {
        self.counted() + self.deferred + self.skipped + self.cancelled + self.held + self.removed
    }

    /// The members that shares are taken of: all less removed, skipped, cancelled, deferred and held.
    #[must_use]
    pub const fn counted(&self) -> u32 {
        self.waiting + self.in_flight + self.verified + self.failed + self.unknown
    }

    /// Failed and unknown: what counts against the limits.
    #[must_use]
    pub const fn bad(&self) -> u32 {
        self.failed + self.unknown
    }

    /// Members that have been started and counted.
    #[must_use]
    pub const fn started(&self) -> u32 {
        self.in_flight + self.verified + self.failed + self.unknown
    }

    /// Both added up, class by class.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            waiting: self.waiting + other.waiting,
            in_flight: self.in_flight + other.in_flight,
            verified: self.verified + other.verified,
            failed: self.failed + other.failed,
            unknown: self.unknown + other.unknown,
            deferred: self.deferred + other.deferred,
            skipped: self.skipped + other.skipped,
            cancelled: self.cancelled + other.cancelled,
            held: self.held + other.held,
            removed: self.removed + other.removed,
        }
    }
}
