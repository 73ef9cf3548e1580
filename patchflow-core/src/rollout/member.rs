//! A member of a rollout: 16 bytes, moved by the table only.

use super::{Event, Phase};
use crate::ids::EndpointIx;

/// One endpoint in one rollout. Packed into 16 bytes so that a million of them stay in a few cache lines each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub(crate) endpoint: EndpointIx,
    /// Seconds since the fleet's epoch at which something is due; 0 means nothing is.
    pub(crate) deadline: u32,
    /// Index into the fleet's table of reasons; 0 means none.
    pub(crate) reason: u16,
    /// Index into the rollout's table of prior levels; 0 means that nothing was installed.
    pub(crate) prior: u16,
    pub(crate) phase: Phase,
    pub(crate) ring: u8,
    /// Install attempts so far.
    pub(crate) attempt: u8,
    /// Orders of any kind so far; the last one's number.
    pub(crate) operation: u8,
}

const _: () = assert!(size_of::<Member>() == 16);

impl Member {
    pub(crate) const fn new(endpoint: EndpointIx, ring: u8, prior: u16) -> Self {
        Self { endpoint, deadline: 0, reason: 0, prior, phase: Phase::Waiting, ring, attempt: 0, operation: 0 }
    }

    /// The endpoint.
    #[must_use]
    pub const fn endpoint(&self) -> EndpointIx {
        self.endpoint
    }

    /// Where it stands.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// The ring it belongs to, from 0.
    #[must_use]
    pub const fn ring(&self) -> u8 {
        self.ring
    }

    /// Install attempts so far.
    #[must_use]
    pub const fn attempts(&self) -> u8 {
        self.attempt
    }

    /// Orders of any kind so far.
    #[must_use]
    pub const fn operations(&self) -> u8 {
        self.operation
    }

    /// Applies one event. `None` when the table forbids it; nothing is changed then.
    pub(crate) fn apply(&mut self, event: Event, reason: u16, deadline: u32) -> Option<Phase> {
        let to = self.phase.next(event)?;
        match event {
            Event::Ordered => {
                self.attempt = self.attempt.saturating_add(1);
                self.operation = self.operation.saturating_add(1);
            }
            Event::RebootOrdered | Event::RevertOrdered => self.operation = self.operation.saturating_add(1),
            // An order that nobody saw is not an attempt; its number stays used.
            Event::Expired | Event::Recalled => self.attempt = self.attempt.saturating_sub(1),
            Event::Released => self.attempt = 0,
            Event::Acknowledged
            | Event::InstallReported
            | Event::RetryScheduled
            | Event::GaveUp
            | Event::Verified
            | Event::RebootNeeded
            | Event::Rebooted
            | Event::WentSilent
            | Event::StayedSilent
            | Event::Resent
            | Event::RecallAsked
            | Event::RecallFailed
            | Event::Deferred
            | Event::Skipped
            | Event::Cancelled
            | Event::Held
            | Event::Removed
            | Event::RevertReported
            | Event::RevertWentSilent
            | Event::RevertResent
            | Event::RolledBack
            | Event::OperatorNeeded => {}
        }
        if reason != 0 {
            self.reason = reason;
        }
        self.deadline = deadline;
        self.phase = to;
        Some(to)
    }
}
