//! Where one member of a rollout stands, in one sentence: the piece that explanations and outcomes share.

use super::document::{Step, StepState};
use super::words::{PipelineStage, failure_words};
use crate::error::FailureKind;
use crate::fleet::{EndpointView, Fleet};
use crate::gate::judge;
use crate::ids::EndpointIx;
use crate::rollout::{Member, Phase, RingState, Rollout, RolloutKind, RolloutState};
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
    let place = place(rollout, member);
    let prior = rollout.prior_version(member);
    let target =
        fleet.candidate(rollout.candidate()).map_or("?", |c| c.identified().patch().target.version.as_str());
    let attempts = attempts(member);
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
        Phase::Ordered => (Deploy, Open, format!("ordered {place}, not acknowledged yet")),
        Phase::Running => {
            (Deploy, Open, format!("being installed {place}{attempts}{}", put_off(fleet, rollout, member)))
        }
        Phase::Recalling => (Deploy, Open, format!("being recalled before it starts {place}")),
        Phase::Backoff => (Deploy, Open, format!("failed{attempts} {place}, to be tried again{why}")),
        Phase::Silent => (
            Deploy,
            Open,
            format!("silent past its report deadline {place}: the outcome is unknown and asked after"),
        ),
        Phase::Installed => (
            Verify,
            Open,
            format!("installed {place} by the installer's word, waiting for the inventory to show it"),
        ),
        Phase::RebootPending => {
            (Verify, Open, format!("installed {place}, waiting for a reboot{}", reboot_words(fleet, member)))
        }
        Phase::Rebooting if member.attempts() == 0 => {
            (Deploy, Open, format!("rebooting before the install {place}{}", reboot_words(fleet, member)))
        }
        Phase::Rebooting => {
            let words = (put_off(fleet, rollout, member), reboot_words(fleet, member));
            (Verify, Open, format!("installed {place}, rebooting{}{}", words.0, words.1))
        }
        Phase::Verified => (Verify, Passed, format!("verified at {target} {place}{attempts}{from}")),
        Phase::Failed => (failed_at, Stopped, format!("failed{attempts} {place}{why}")),
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
            (failed_at, Stopped, format!("rolled back to {back}{attempts} and held there{why}"))
        }
        Phase::NeedsOperator => {
            (failed_at, Stopped, format!("neither forward nor back by itself, an operator must act{why}"))
        }
        Phase::Deferred if why.is_empty() => {
            (Deploy, Stopped, format!("not started in time {place}, left to catch-up"))
        }
        // A pre hook that failed, or the failure after which it did not come to its next attempt.
        Phase::Deferred => (Deploy, Stopped, format!("not started {place}, left to catch-up{why}")),
        Phase::Skipped => (Verify, Passed, format!("at {target} already before its turn came {place}")),
        Phase::Cancelled => (Deploy, Stopped, format!("never started {place}: {}", stopped(rollout))),
        Phase::Held => (Deploy, Stopped, format!("held back {place}{why}")),
        Phase::Draining => (Deploy, Open, format!("{place}: its pre hook prepares it")),
        Phase::Attached => (
            Deploy,
            Open,
            format!(
                "{place}: another rollout of the same patch has the endpoint, and its outcome counts here too"
            ),
        ),
        Phase::Removed => (Deploy, Stopped, format!("taken out of the rollout {place}")),
    };
    Step { stage, state, text }
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

fn attempts(member: &Member) -> String {
    match member.attempts() {
        0 | 1 => String::new(),
        n => format!(" after {n} attempts"),
    }
}

fn place(rollout: &Rollout, member: &Member) -> String {
    match rollout.kind() {
        RolloutKind::Trial => "in the trial".into(),
        RolloutKind::Deployment => rollout
            .rings()
            .get(usize::from(member.ring()))
            .map_or_else(String::new, |ring| format!("in ring {}", ring.name())),
    }
}

/// Why a rollout starts nothing any more.
fn stopped(rollout: &Rollout) -> String {
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

/// What of an endpoint's own state keeps every order back, as a part of a sentence; `None` when nothing does.
pub(super) fn condition_sentence(endpoint: &EndpointView<'_>) -> Option<String> {
    let name = endpoint.id();
    if let Some(reason) = endpoint.quarantine() {
        return Some(format!("{name} is in quarantine until a person clears it: {reason}"));
    }
    if let Some(manager) = endpoint.held_by_manager() {
        return Some(format!("{manager} patches {name} too, until ownership is declared"));
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

fn waiting(fleet: &Fleet, rollout: &Rollout, member: &Member) -> String {
    let own = rollout.rings().get(usize::from(member.ring()));
    let name = own.map_or("?", |ring| ring.name());
    match rollout.state() {
        RolloutState::Halted => return format!("not started in ring {name}: {}", stopped(rollout)),
        RolloutState::Paused => return format!("waiting in ring {name}: a person paused the rollout"),
        RolloutState::Completed if rollout.is_catching_up() => {}
        RolloutState::Cancelled | RolloutState::Completed | RolloutState::Ended => return stopped(rollout),
        RolloutState::Running => {}
    }
    let current = rollout.current_ring();
    if own.is_some_and(|ring| ring.state() == RingState::Pending) {
        let verdict = judge(current.gate(), &rollout.standing(), fleet.clock());
        return format!(
            "ring {name} opens after ring {}: {}",
            current.name(),
            verdict.sentence(current.gate())
        );
    }
    if let Some(text) = fleet.endpoint(member.endpoint()).and_then(|there| condition_sentence(&there)) {
        return format!("waiting in ring {name}: {text}");
    }
    let need = fleet.need(rollout.candidate(), member.endpoint());
    if let Some(until) = need.and_then(|need| need.path_valid_until).filter(|until| *until <= fleet.clock()) {
        return format!(
            "waiting in ring {name}: its way back held until {until} and must be looked at again"
        );
    }
    if let Some(missing) = fleet.waits_for(rollout.candidate(), member.endpoint()) {
        return format!("waiting in ring {name}: {missing}");
    }
    let deploy = &rollout.policy().deploy;
    let needed = u64::from(deploy.expected_secs);
    let Some(schedule) = fleet.schedule_for(rollout, member.endpoint()) else {
        let calendar =
            fleet.endpoint(member.endpoint()).and_then(|endpoint| endpoint.calendar()).unwrap_or("");
        return format!(
            "waiting in ring {name}: it names the calendar `{calendar}`, which the rollout's policy does not have"
        );
    };
    if !schedule.is_open(fleet.clock(), needed) {
        return schedule.next_open(fleet.clock(), needed).map_or_else(
            || format!("waiting in ring {name}: no maintenance window is long enough"),
            |at| format!("waiting in ring {name}: the next maintenance window opens {at}"),
        );
    }
    let busy = fleet.rollouts().filter(|other| other.id() != rollout.id()).find_map(|other| {
        let theirs = other.members().get(other.member_of(member.endpoint())?.index())?;
        theirs.phase().occupies().then_some(other)
    });
    match busy.and_then(|other| fleet.candidate(other.candidate())) {
        Some(other) => {
            format!("waiting in ring {name}: {} is under way there", other.identified().patch().id)
        }
        None => {
            let own = rollout.member_of(member.endpoint());
            let full = own.and_then(|member| fleet.full_budget(rollout.id(), member));
            let most = || format!("at most {} at a time", deploy.in_flight_max);
            format!("waiting for its turn in ring {name}: {}", full.unwrap_or_else(most))
        }
    }
}
