//! A member of a rollout: 16 bytes, moved by the table only.

use super::{Event, Phase};
use crate::ids::EndpointIx;
use crate::plan::RollbackPath;

/// One endpoint in one rollout. Packed into 16 bytes so that a million of them stay in a few cache lines each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub(crate) endpoint: EndpointIx,
    /// Seconds since the fleet's epoch at which something is due; 0 means nothing is.
    pub(crate) deadline: u32,
    /// Index into the fleet's table of reasons; 0 means none.
    pub(crate) reason: u16,
    /// The way back in the upper 3 bits; below them 1 + the index into the rollout's table of prior levels, or 0 when
    /// nothing was installed.
    pub(crate) prior: u16,
    pub(crate) phase: Phase,
    pub(crate) ring: u8,
    /// Install attempts so far.
    pub(crate) attempt: u8,
    /// Orders and pre hooks of any kind so far; the last one's number.
    pub(crate) operation: u8,
}

const _: () = assert!(size_of::<Member>() == 16);

/// After so many orders and hooks nothing more is installed: the numbers above are for reboots and the way back, which
/// must be there before anything starts (semantics S10).
const STARTS_MAX: u8 = 224;

impl Member {
    pub(crate) const fn new(endpoint: EndpointIx, ring: u8, level: u16, path: RollbackPath) -> Self {
        let prior = (path as u16) << 13 | (level & 0x1fff);
        Self {
            endpoint,
            deadline: 0,
            reason: 0,
            prior,
            phase: Phase::Waiting,
            ring,
            attempt: 0,
            operation: 0,
        }
    }

    /// The way back.
    #[must_use]
    pub const fn path(&self) -> RollbackPath {
        RollbackPath::from_code(self.prior >> 13)
    }

    /// Another way back to the level that is recorded.
    pub(crate) const fn renew_path(&mut self, path: RollbackPath) {
        self.prior = (path as u16) << 13 | (self.prior & 0x1fff);
    }

    /// The index of the prior level in the rollout's table; `None` when nothing was installed.
    pub(crate) const fn level(&self) -> Option<usize> {
        let code = self.prior & 0x1fff;
        if code == 0 { None } else { Some(code as usize - 1) }
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

    /// The number of the reason it last gave, for [`Fleet::reason`](crate::fleet::Fleet::reason); 0 for none.
    #[must_use]
    pub const fn reason(&self) -> u16 {
        self.reason
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

    /// Orders and pre hooks of any kind so far: each has its number, and there are 255 of them.
    #[must_use]
    pub const fn operations(&self) -> u8 {
        self.operation
    }

    /// Whether there are numbers for so many orders and hooks more.
    pub(crate) const fn has_numbers(&self, more: u8) -> bool {
        self.operation <= u8::MAX - more
    }

    /// Whether it may be installed once more: the last numbers are for reboots and the way back. What has had its pre hook
    /// gets its order.
    pub(crate) const fn may_start_again(&self) -> bool {
        let drained = matches!(self.phase, Phase::Draining);
        self.operation < STARTS_MAX || drained && self.operation == STARTS_MAX
    }

    pub(crate) fn packed(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.endpoint.0.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.deadline.to_le_bytes());
        bytes[8..10].copy_from_slice(&self.reason.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.prior.to_le_bytes());
        bytes[12..].copy_from_slice(&[self.phase as u8, self.ring, self.attempt, self.operation]);
        bytes
    }

    /// `None` when the phase is none.
    pub(crate) fn unpacked(bytes: &[u8; 16]) -> Option<Self> {
        let word = |i: usize| u32::from_le_bytes([bytes[i], bytes[i + 1], bytes[i + 2], bytes[i + 3]]);
        let half = |i: usize| u16::from_le_bytes([bytes[i], bytes[i + 1]]);
        Some(Self {
            endpoint: EndpointIx(word(0)),
            deadline: word(4),
            reason: half(8),
            prior: half(10),
            phase: *Phase::ALL.get(usize::from(bytes[12]))?,
            ring: bytes[13],
            attempt: bytes[14],
            operation: bytes[15],
        })
    }

    /// Applies one event. `None` when the table forbids it; nothing is changed then.
    #[inline]
    pub(crate) fn apply(&mut self, event: Event, reason: u16, deadline: u32) -> Option<Phase> {
        let to = self.phase.next(event)?;
        match event {
            Event::Ordered => {
                self.attempt = self.attempt.saturating_add(1);
                self.operation = self.operation.saturating_add(1);
            }
            Event::RebootOrdered | Event::RevertOrdered | Event::HookAsked => {
                self.operation = self.operation.saturating_add(1)
            }
            // An order that nobody saw is not an attempt; its number stays used.
            Event::Expired | Event::Recalled if self.phase != Phase::Rebooting => {
                self.attempt = self.attempt.saturating_sub(1);
            }
            // A reboot that does not happen says nothing about the install.
            Event::Expired | Event::Recalled => {}
            // Also when its order was thought never to have arrived.
            Event::InstallReported => self.attempt = self.attempt.max(1),
            Event::Released => self.attempt = 0,
            // What is known of its content stands beside the member.
            Event::StageAsked
            | Event::Staged
            | Event::StageFailed
            | Event::StageGaveUp
            | Event::StageDropped => return Some(to),
            Event::Acknowledged
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
            | Event::Attached
            | Event::Detached
            | Event::HookFailed
            | Event::HookUndone
            | Event::OperatorNeeded => {}
        }
        // Whoever is taken out by a person stays out, and the reason tells those from others: it is not kept from before.
        if reason != 0 || matches!(event, Event::Removed) {
            self.reason = reason;
        }
        self.deadline = deadline;
        self.phase = to;
        Some(to)
    }
}
