//! Rich facts as JSON text: `{"v":1,"fact":"ring_opened",...}`, each kind with a version of its own.
//!
//! A fact that an older version wrote is lifted step by step to the form of today. What a newer version wrote is
//! refused, never skipped. Any change to the fields of a kind, or to a type within them, raises the kind's version and
//! adds the step up from the version before; the golden journals in `tests/golden` hold every form there ever was.

use crate::error::Flaw;
use crate::fleet::RichFact;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::Value;

macro_rules! kinds {
    ($($variant:ident => $kind:literal $version:literal),+ $(,)?) => {
        /// Every kind of rich fact with the version in which it is written today.
        pub const RICH_KINDS: &[(&str, u16)] = &[$(($kind, $version)),+];

        /// The kind of a rich fact and the version in which it is written.
        #[must_use]
        pub fn rich_kind(fact: &RichFact) -> (&'static str, u16) {
            match fact { $(RichFact::$variant { .. } => ($kind, $version)),+ }
        }
    };
}

kinds! {
    FleetFounded => "fleet_founded" 1,
    PolicyAdopted => "policy_adopted" 1,
    EndpointsJoined => "endpoints_joined" 1,
    EndpointChanged => "endpoint_changed" 1,
    EndpointLeft => "endpoint_left" 1,
    EndpointsWentUnreachable => "endpoints_went_unreachable" 1,
    EndpointsCameBack => "endpoints_came_back" 1,
    EndpointsWentStale => "endpoints_went_stale" 1,
    ScansAsked => "scans_asked" 1,
    ScanRoundWanted => "scan_round_wanted" 1,
    ScanTurnAsked => "scan_turn_asked" 1,
    ScanTurnEnded => "scan_turn_ended" 1,
    ScansGivenUp => "scans_given_up" 1,
    EndpointsRead => "endpoints_read" 1,
    EndpointReimaged => "endpoint_reimaged" 1,
    EndpointOnboarded => "endpoint_onboarded" 1,
    EndpointQuarantined => "endpoint_quarantined" 1,
    QuarantineCleared => "quarantine_cleared" 1,
    OwnershipDeclared => "ownership_declared" 1,
    RebootsPendingSeen => "reboots_pending_seen" 1,
    RebootsStopped => "reboots_stopped" 1,
    RebootsAllowed => "reboots_allowed" 1,
    RebootCancelAsked => "reboot_cancel_asked" 1,
    RebootCancelled => "reboot_cancelled" 1,
    RebootCancelUnconfirmed => "reboot_cancel_unconfirmed" 1,
    OperationPutOff => "operation_put_off" 1,
    CandidateIdentified => "candidate_identified" 1,
    NeedsChanged => "needs_changed" 1,
    TrialConcluded => "trial_concluded" 1,
    TrialFailed => "trial_failed" 1,
    ApprovalAsked => "approval_asked" 1,
    ApprovalVoted => "approval_voted" 1,
    ApprovalGranted => "approval_granted" 1,
    ApprovalRejected => "approval_rejected" 1,
    ApprovalEnded => "approval_ended" 1,
    RollbackAsked => "rollback_asked" 1,
    CandidateSuperseded => "candidate_superseded" 1,
    CandidateRerated => "candidate_rerated" 1,
    StartRefused => "start_refused" 1,
    CandidateHeld => "candidate_held" 1,
    CandidateReleased => "candidate_released" 1,
    CandidateReopened => "candidate_reopened" 1,
    DeadlineNeared => "deadline_neared" 1,
    DeadlinePassed => "deadline_passed" 1,
    FirstInstallNeared => "first_install_neared" 1,
    FirstInstallOverdue => "first_install_overdue" 1,
    CandidateWithdrawn => "candidate_withdrawn" 1,
    RolloutStarted => "rollout_started" 1,
    WindowPassed => "window_passed" 1,
    MembersJoined => "members_joined" 1,
    CatchUpStopped => "catch_up_stopped" 1,
    RingOpened => "ring_opened" 1,
    RingSkipped => "ring_skipped" 1,
    RingPassedOver => "ring_passed_over" 1,
    RolloutRevised => "rollout_revised" 1,
    RingSettled => "ring_settled" 1,
    RingPromoted => "ring_promoted" 1,
    RingHeld => "ring_held" 1,
    RolloutHalted => "rollout_halted" 1,
    RolloutCancelled => "rollout_cancelled" 1,
    HaltLifted => "halt_lifted" 1,
    RolloutPaused => "rollout_paused" 1,
    RolloutResumed => "rollout_resumed" 1,
    RolloutEnded => "rollout_ended" 1,
    OperatorCalled => "operator_called" 1,
    OperatorAcknowledged => "operator_acknowledged" 1,
    PathLapsed => "path_lapsed" 1,
    DrillStarted => "drill_started" 1,
    DrillDone => "drill_done" 1,
    DrillOverdue => "drill_overdue" 1,
    HoldCleared => "hold_cleared" 1,
    AlertsSeen => "alerts_seen" 1,
    WindowNeared => "window_neared" 1,
    WindowMissed => "window_missed" 1,
    WindowOverrun => "window_overrun" 1,
    WrongContentSeen => "wrong_content_seen" 1,
    HookEnded => "hook_ended" 1,
    ReasonNamed => "reason_named" 1,
    ClockSteppedBack => "clock_stepped_back" 1,
    ResyncStarted => "resync_started" 1,
    ResyncEnded => "resync_ended" 1,
    RequestDone => "request_done" 1,
}

/// One step up: from a version of a kind to the next.
pub(super) struct Upcast {
    pub(super) kind: &'static str,
    /// The version it takes; it gives `from + 1`.
    pub(super) from: u16,
    /// The whole object of the fact, without `v`.
    pub(super) lift: fn(Value) -> Value,
}

/// The versions of today and the steps that lead to them.
pub(super) struct Versions {
    pub(super) kinds: &'static [(&'static str, u16)],
    pub(super) upcasts: &'static [Upcast],
}

/// What this version of the library writes and reads.
pub(super) const TODAY: Versions = Versions { kinds: RICH_KINDS, upcasts: &[] };

const OPENING: &[u8] = br#"{"v":"#;
const NAMING: &[u8] = br#","fact":""#;

/// The payload of a rich fact; the error is the encoder's own text.
pub(super) fn write(fact: &RichFact) -> Result<Vec<u8>, String> {
    let (_, version) = rich_kind(fact);
    let body = serde_json::to_vec(fact).map_err(|e| e.to_string())?;
    let version = version.to_string();
    let mut payload = Vec::with_capacity(OPENING.len() + version.len() + body.len());
    payload.extend_from_slice(OPENING);
    payload.extend_from_slice(version.as_bytes());
    payload.push(b',');
    // Its own opening brace is the only thing of it that is not kept.
    payload.extend_from_slice(body.get(1..).unwrap_or_default());
    Ok(payload)
}

/// What stands at the front of a payload.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Front<'a> {
    version: u64,
    kind: &'a str,
    /// Where the comma between version and kind stands.
    comma: usize,
}

/// Reads the front of a payload: version and kind stand first, in this order and without spaces.
pub(super) fn front(payload: &[u8]) -> Option<Front<'_>> {
    let rest = payload.strip_prefix(OPENING)?;
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    let version = core::str::from_utf8(&rest[..digits]).ok()?;
    if version.starts_with('0') {
        return None;
    }
    let version = version.parse().ok()?;
    let rest = rest[digits..].strip_prefix(NAMING)?;
    let end = rest.iter().position(|b| *b == b'"')?;
    let kind = core::str::from_utf8(&rest[..end]).ok()?;
    Some(Front { version, kind, comma: OPENING.len() + digits })
}

impl Versions {
    /// The fact that a payload holds.
    pub(super) fn read(&self, payload: &[u8]) -> Result<RichFact, Flaw> {
        let Some(Front { version, kind, comma }) = front(payload) else {
            return Err(Flaw::Damaged("the text does not begin with its version and kind".into()));
        };
        let known = self.kinds.iter().find(|(known, _)| *known == kind);
        let &(kind, current) = known
            .ok_or_else(|| Flaw::TooNew(format!("fact `{}`", kind.chars().take(80).collect::<String>())))?;
        let version = u16::try_from(version).unwrap_or(u16::MAX);
        if version > current {
            return Err(Flaw::TooNew(format!("fact `{kind}` in version {version}, known up to {current}")));
        }
        // Spaces in the place of the version keep the columns that the JSON reader names.
        let mut text = payload.to_vec();
        text[..comma].fill(b' ');
        text[comma] = b'{';
        if version == current {
            return serde_json::from_slice(&text).map_err(|e| unreadable(kind, &e));
        }
        let mut value: Value = serde_json::from_slice(&text).map_err(|e| unreadable(kind, &e))?;
        for from in version..current {
            let step = self.upcasts.iter().find(|step| step.kind == kind && step.from == from);
            let step = step.ok_or_else(|| {
                Flaw::Damaged(format!("no way leads up from version {from} of fact `{kind}`"))
            })?;
            value = (step.lift)(value);
        }
        serde_json::from_value(value).map_err(|e| unreadable(kind, &e))
    }
}

/// The reader's own words, cut: they may quote what they could not read.
fn unreadable(kind: &str, error: &serde_json::Error) -> Flaw {
    Flaw::Damaged(format!("fact `{kind}`: {}", error.to_string().chars().take(200).collect::<String>()))
}

#[cfg(test)]
mod tests;
