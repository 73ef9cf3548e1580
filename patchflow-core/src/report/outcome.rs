//! Where one member of a rollout stands, in one sentence: the piece that explanations and outcomes share.

use super::document::{Step, StepState};
use super::waiting::{attached, deferred, draining, draining_back, reboot_waits, retry, waiting};
use super::words::{PipelineStage, failure_words};
use crate::error::FailureKind;
use crate::fleet::{EndpointView, Fleet};
use crate::ids::EndpointIx;
use crate::rollout::{Member, Phase, RingState, Rollout, RolloutKind};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::{String, ToString};

/// The last rollout or trial of a candidate that has this endpoint.
pub(super) fn last_rollout_of(
    fleet: &Fleet,
    candidate: crate::ids::CandidateId,
    endpoint: EndpointIx,
) -> Option<(&Rollout, &Member)> {
    let mut rollouts = fleet.rollouts().filter(|rollout| rollout.candidate() == candidate);
    let mut last = None;
    // Rollouts come in the order of their start, and only forwards.
    for rollout in &mut rollouts {
        if let Some(member) = rollout.member_of(endpoint) {
            last = rollout.members().get(member.index()).map(|member| (rollout, member));
        }
    }
    last
}

/// Where a member stands and why. Every phase has its sentence.
pub(super) fn member_step(fleet: &Fleet, rollout: &Rollout, member: &Member) -> Step {
    use PipelineStage::{Deploy, Verify};
    use StepState::{Open, Passed, Stopped};
    let phase = member.phase();
    let place = place(fleet, rollout, member);
    let prior = rollout.prior_version(member);
    let target =
        fleet.candidate(rollout.candidate()).map_or("?", |c| c.identified().patch().target.version.as_str());
    let (attempts, due) = (attempts(rollout, member), fleet.due(member));
    let why =
        reason(fleet, member).map_or_else(String::new, |(kind, detail)| format!(": {}", told(kind, detail)));
    let from = prior.map_or_else(String::new, |prior| format!(", from {prior}"));
    let back = prior.map_or_else(|| "its absence before".to_string(), ToString::to_string);
    // A failure that only the look afterwards showed belongs to the last stage.
    let failed_at = match reason(fleet, member) {
        Some((FailureKind::Unhealthy | FailureKind::WrongLevel, _)) => Verify,
        Some(_) | None => Deploy,
    };
    let (stage, state, text) = match phase {
        Phase::Waiting => (Deploy, Open, waiting(fleet, rollout, member)),
        Phase::Ordered => {
            let until = by(", back to waiting if it is not by", due);
            (Deploy, Open, format!("ordered {place}, not acknowledged yet{until}"))
        }
        Phase::Running => {
            let due = by(", its report is due by", due);
            let put_off = put_off(fleet, rollout, member);
            (Deploy, Open, format!("being installed {place}{attempts}{put_off}{due}"))
        }
        Phase::Recalling => (Deploy, Open, format!("being recalled before it starts {place}")),
        Phase::Backoff => {
            let next = retry(fleet, rollout, member);
            (Deploy, Open, format!("failed{attempts} {place}{why}; to be tried again{next}"))
        }
        Phase::Silent => (
            Deploy,
            Open,
            match due {
                Some(due) => format!(
                    "silent past its report deadline {place}: the outcome is unknown, asked after until {due}"
                ),
                None => format!(
                    "silent past its report deadline {place}: the outcome is unknown and nobody answered; a late \
                     report is taken, or a person removes it"
                ),
            },
        ),
        Phase::Installed => (
            Verify,
            Open,
            format!("installed {place} by the installer's word, waiting for the inventory to show it"),
        ),
        Phase::RebootPending => {
            let waits = reboot_waits(fleet, rollout, member);
            (
                Verify,
                Open,
                format!("installed {place}, waiting for a reboot{}{waits}", reboot_words(fleet, member)),
            )
        }
        Phase::Rebooting if member.attempts() == 0 => {
            (Deploy, Open, format!("rebooting before the install {place}{}", reboot_words(fleet, member)))
        }
        Phase::Rebooting => {
            let words = (put_off(fleet, rollout, member), reboot_words(fleet, member));
            (Verify, Open, format!("installed {place}, rebooting{}{}", words.0, words.1))
        }
        Phase::Verified => {
            let back = taken_back(fleet, rollout, member);
            (Verify, Passed, format!("verified at {target} {place}{attempts}{from}{back}"))
        }
        Phase::Failed => {
            let back =
                revert_waits(fleet, rollout, member).map_or_else(String::new, |text| format!("; {text}"));
            (failed_at, Stopped, format!("failed{attempts} {place}{why}{back}"))
        }
        Phase::Reverting => (failed_at, Open, format!("being rolled back to {back}{why}")),
        Phase::Reverted => (
            failed_at,
            Open,
            format!("rolled back by the installer's word, waiting for the inventory to show {back}{why}"),
        ),
        Phase::RevertSilent => (
            failed_at,
            Open,
            format!("silent during its rollback to {back}: the outcome is unknown and asked after{why}"),
        ),
        Phase::RolledBack => {
            let then = if fleet.is_held(rollout.candidate(), member.endpoint()) {
                "and held there until a person clears the hold"
            } else {
                "and not held there any more; a person can let it try again while the rollout goes on, or start another one"
            };
            (failed_at, Stopped, format!("rolled back to {back}{attempts} {then}{why}"))
        }
        Phase::NeedsOperator => {
            (failed_at, Stopped, format!("neither forward nor back by itself, an operator must act{why}"))
        }
        Phase::Deferred => deferred(fleet, rollout, member, &place),
        Phase::Skipped => {
            (Verify, Passed, format!("at {target} or above it already before its turn came {place}"))
        }
        Phase::Cancelled => (Deploy, Stopped, format!("never started {place}: {}", stopped(rollout))),
        Phase::Held => {
            (Deploy, Stopped, format!("held back {place}{why}{}", held_besides(fleet, member, &why)))
        }
        Phase::Draining => (Deploy, Open, draining(rollout, &place, due)),
        Phase::RevertDraining => (failed_at, Open, draining_back(rollout, &back, due)),
        Phase::Attached => (Deploy, Open, attached(fleet, rollout, member, &place)),
        Phase::Removed => (Deploy, Stopped, format!("taken out of the rollout {place}")),
    };
    Step { stage, state, text }
}

/// An instant, when there is one.
pub(super) fn by(words: &str, due: Option<Timestamp>) -> String {
    due.map_or_else(String::new, |due| format!("{words} {due}"))
}

/// The last failure of a member.
pub(super) fn reason<'a>(fleet: &'a Fleet, member: &Member) -> Option<(FailureKind, &'a str)> {
    fleet.reason(member.reason())
}

/// A failure, as a part of a sentence.
pub(super) fn told(kind: FailureKind, detail: &str) -> String {
    let words = failure_words(kind);
    if detail.is_empty() { words.into() } else { format!("{words} ({detail})") }
}

/// How many attempts there were, and of what failed how many there may be.
fn attempts(rollout: &Rollout, member: &Member) -> String {
    let most = rollout.policy().retry.attempts_max;
    match (member.phase(), member.attempts()) {
        (Phase::Backoff, n) if (1..=most).contains(&n) => format!(" {n} of {most}"),
        // Who failed earlier for good is not told of attempts that never come.
        (Phase::Failed, n) if n == most && most > 1 => format!(" {n} of {most}"),
        (_, 0 | 1) => String::new(),
        (_, n) => format!(" after {n} attempts"),
    }
}

pub(super) fn place(fleet: &Fleet, rollout: &Rollout, member: &Member) -> String {
    if fleet.endpoint(member.endpoint()).is_some_and(|there| there.is_onboarding())
        && rollout.rings().get(usize::from(member.ring())).is_some_and(|r| r.state() == RingState::CatchUp)
    {
        return "outside rings, before its service".into();
    }
    match rollout.kind() {
        RolloutKind::Trial => "in the trial".into(),
        RolloutKind::Deployment => rollout
            .rings()
            .get(usize::from(member.ring()))
            .map_or_else(String::new, |ring| format!("in ring {}", ring.name())),
    }
}

/// Why a rollout starts nothing any more.
pub(super) fn stopped(rollout: &Rollout) -> String {
    if let Some(stop) = rollout.catch_up_stopped() {
        return format!("it is not brought along any more, {}", stop.reason);
    }
    match rollout.halt() {
        Some(halt) => {
            let ring = rollout.rings().get(usize::from(halt.ring)).map_or("?", |ring| ring.name());
            format!("halted in ring {ring}, {}", halt.reason)
        }
        None => "the rollout was ended before its turn came".into(),
    }
}

/// What becomes of an endpoint that is to be rolled back: its approval was taken back, or its ring was halted.
fn taken_back(fleet: &Fleet, rollout: &Rollout, member: &Member) -> String {
    let why = if rollout.takes_back() { "its approval was revoked" } else { "the rollout was halted" };
    if let Some(text) = revert_waits(fleet, rollout, member) {
        return format!("; {why}, and {text}");
    }
    if !rollout.takes_back() {
        return String::new();
    }
    let stays = if fleet.is_replaced(rollout, member) {
        "something else has taken its place there since"
    } else if fleet.snapshot(rollout, member).1 {
        "restoring a snapshot would lose its own state"
    } else {
        "no way back is known there"
    };
    format!("; {why}, and {stays}")
}

/// What a member that is to be rolled back waits for.
fn revert_waits(fleet: &Fleet, rollout: &Rollout, member: &Member) -> Option<String> {
    fleet.revert_waits(rollout.id(), rollout.member_of(member.endpoint())?)
}

/// Until when the people at the endpoint put the operation off, when that is still to come.
fn put_off(fleet: &Fleet, rollout: &Rollout, member: &Member) -> String {
    rollout
        .member_of(member.endpoint())
        .and_then(|ix| fleet.put_off_until(rollout.id(), ix))
        .filter(|until| *until > fleet.clock())
        .map_or_else(String::new, |until| format!(", put off by its user until {until}"))
}

/// What keeps an endpoint from being rebooted, or is not known about its reboot.
fn reboot_words(fleet: &Fleet, member: &Member) -> String {
    let Some(there) = fleet.endpoint(member.endpoint()) else { return String::new() };
    let stopped = there
        .reboots_stopped()
        .map_or_else(String::new, |reason| format!("; not rebooted until a person allows it: {reason}"));
    let unsure = if there.is_reboot_unsure() { "; its cancelled reboot may still happen" } else { "" };
    format!("{stopped}{unsure}")
}

/// Who has to let an endpoint go besides what held a member back: another manager may have come since.
fn held_besides(fleet: &Fleet, member: &Member, why: &str) -> String {
    let Some(there) = fleet.endpoint(member.endpoint()) else { return String::new() };
    match there.held_by_manager().filter(|manager| !why.contains(manager)) {
        Some(manager) => format!("; {}", patches_too(&there, manager)),
        None => String::new(),
    }
}

fn patches_too(endpoint: &EndpointView<'_>, manager: &str) -> String {
    format!("{manager} patches {} too, until ownership is declared", endpoint.id())
}

/// What of an endpoint's own state keeps every order back, as a part of a sentence; `None` when nothing does.
pub(super) fn condition_sentence(endpoint: &EndpointView<'_>) -> Option<String> {
    let name = endpoint.id();
    if let Some(reason) = endpoint.quarantine() {
        return Some(format!("{name} is in quarantine until a person clears it: {reason}"));
    }
    if let Some(manager) = endpoint.held_by_manager() {
        return Some(patches_too(endpoint, manager));
    }
    if let Some(since) = endpoint.unreachable_since() {
        return Some(format!("{name} is unreachable since {since}"));
    }
    if let Some(since) = endpoint.stale_since() {
        return Some(if endpoint.is_asked() {
            format!("{name} is read anew before it is ordered anything, since {since}")
        } else {
            format!("{name} could not be read since {since}")
        });
    }
    endpoint.reboot_pending_since().map(|since| format!("{name} waits for a reboot of its own since {since}"))
}
