//! What a member that has not started waits for, and what would let it go on: with the numbers and instants that hold
//! now (semantics S14).

use super::document::StepState;
use super::outcome::{by, condition_sentence, place, stopped};
use super::words::PipelineStage;
use crate::fleet::{Fleet, MemberTurn};
use crate::gate::{Class, Decision, OnMaxHold, Rule, judge};
use crate::rollout::{Member, Phase, RingState, Rollout, RolloutState};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::String;

/// What a waiting member waits for.
pub(super) fn waiting(fleet: &Fleet, rollout: &Rollout, member: &Member) -> String {
    let own = rollout.rings().get(usize::from(member.ring()));
    let name = own.map_or("?", |ring| ring.name());
    match rollout.state() {
        RolloutState::Halted => {
            return format!(
                "not started in ring {name}: {}; it goes on when a person lifts the halt",
                stopped(rollout)
            );
        }
        RolloutState::Paused => {
            return format!(
                "waiting in ring {name}: a person paused the rollout; it goes on when a person resumes it"
            );
        }
        RolloutState::Completed if rollout.is_catching_up() => {}
        RolloutState::Cancelled | RolloutState::Completed | RolloutState::Ended => return stopped(rollout),
        RolloutState::Running => {
            if own.is_some_and(|ring| ring.state() == RingState::Pending) {
                return format!("ring {name} opens after ring {}", ring_before(fleet, rollout));
            }
        }
    }
    format!("waiting {}: {}", place(fleet, rollout, member), in_the_way(fleet, rollout, member))
}

/// The ring whose turn it is, and what it lacks.
fn ring_before(fleet: &Fleet, rollout: &Rollout) -> String {
    let current = rollout.current_ring();
    let verdict = judge(current.gate(), &fleet.standing(rollout), fleet.last_seen_at());
    let mut said = verdict.sentence(current.gate());
    if verdict.rule == Rule::Unsettled {
        said.push_str(&standing_still(fleet, rollout));
    }
    let name = current.name();
    let Decision::Hold { until: Some(until) } = verdict.decision else {
        return match current.state() {
            RingState::Held => format!("{name}: {said}; a person must let it pass"),
            RingState::Pending
            | RingState::Open
            | RingState::Settled
            | RingState::Promoted
            | RingState::Skipped
            | RingState::Halted
            | RingState::CatchUp => format!("{name}: {said}"),
        };
    };
    if verdict.rule == Rule::Bake {
        let left = duration(until.since(fleet.last_seen_at()).as_secs());
        return format!("{name}: it has {left} more bake, until {until}; {said}");
    }
    let then = match current.gate().on_max_hold {
        OnMaxHold::Halt => "the rollout is halted",
        OnMaxHold::Ask => "a person is asked",
    };
    match verdict.rule {
        Rule::AlertsUnknown => {
            format!("{name}: {said}; it passes when they are told, and at {until} {then}")
        }
        Rule::PathsEnded => {
            let ended = fleet.paths_ended(rollout);
            format!("{name}: {said} ({ended}); it passes when they are told anew, and at {until} {then}")
        }
        Rule::MaxFailures
        | Rule::MaxFailurePercent
        | Rule::MaxAlerts
        | Rule::MinSuccessPercent
        | Rule::MinVerified
        | Rule::Unsettled
        | Rule::Bake
        | Rule::MaxHold
        | Rule::AllMet => format!("{name}: {said}; at {until} {then}"),
    }
}

/// What stands between a member of an opened ring and its order.
fn in_the_way(fleet: &Fleet, rollout: &Rollout, member: &Member) -> String {
    if let Some(until) = fleet.resync_until() {
        return format!(
            "the host was away, and nothing starts before it is known what happened meanwhile, until {until} at the latest"
        );
    }
    if let Some(missing) = not_permitted(fleet, rollout) {
        return missing.into();
    }
    if let Some(text) = fleet.endpoint(member.endpoint()).and_then(|there| condition_sentence(&there)) {
        return match fleet.woken(rollout, member) {
            Some((opens, told)) => {
                format!("{text}; at {told} it was asked to wake for the window that opens {opens}")
            }
            None => text,
        };
    }
    let need = fleet.need(rollout.candidate(), member.endpoint());
    if let Some(until) = need.and_then(|need| need.path_valid_until).filter(|until| *until <= fleet.clock()) {
        return format!("its way back held until {until} and must be looked at again");
    }
    if fleet.snapshot(rollout, member).0 {
        return "the policy requires a snapshot to go back to, and none is known there; it goes on when there is one"
            .into();
    }
    if let Some(missing) = fleet.waits_for(rollout.candidate(), member.endpoint()) {
        return missing;
    }
    let Some(ix) = rollout.member_of(member.endpoint()) else { return String::new() };
    let content = super::content::content(fleet, rollout, ix);
    if let Some(closed) = closed(fleet, member, fleet.turn(rollout.id(), ix)) {
        return match content {
            Some((content, _)) => format!("{closed}; {content}"),
            None => closed,
        };
    }
    if let Some((lacks, true)) = content {
        return lacks;
    }
    let busy = fleet.rollouts().filter(|other| other.id() != rollout.id()).find_map(|other| {
        let theirs = other.members().get(other.member_of(member.endpoint())?.index())?;
        theirs.phase().occupies().then_some((other, theirs))
    });
    if let Some((other, theirs)) = busy {
        let patch = fleet
            .candidate(other.candidate())
            .map_or("another patch", |other| other.identified().patch().id.as_str());
        return format!(
            "{patch} is under way there ({}), and it is next when that has come to its end",
            theirs.phase()
        );
    }
    if let Some(until) = fleet.resumed_until(member.endpoint()) {
        return format!("the endpoint is being resumed by a post hook, until {until} at the latest");
    }
    if let Some(full) = fleet.full_budget(rollout.id(), ix) {
        return full;
    }
    if let Some(there) = fleet.endpoint(member.endpoint()).filter(|there| there.is_asked()) {
        return format!("{} is read before it is ordered anything, and has not answered yet", there.id());
    }
    "it is next when the fleet is looked at again".into()
}

/// What the calendar says against a start now.
fn closed(fleet: &Fleet, member: &Member, turn: MemberTurn) -> Option<String> {
    Some(match turn {
        MemberTurn::NoCalendar => {
            let calendar =
                fleet.endpoint(member.endpoint()).and_then(|endpoint| endpoint.calendar()).unwrap_or("");
            format!(
                "it names the calendar `{calendar}`, which the rollout's policy does not have; give it another, or revise \
                 the rollout"
            )
        }
        MemberTurn::Never => "no maintenance window is long enough; the calendar must change".into(),
        MemberTurn::Opens(at) => format!("the next maintenance window opens {at}"),
        MemberTurn::Due { due, opens: Some(at) } => format!(
            "the next maintenance window opens {at}; it is due before that, and starts outside of the windows from {due}"
        ),
        MemberTurn::Due { due, opens: None } => {
            format!(
                "no maintenance window is long enough; it starts outside of them when it is due, from {due}"
            )
        }
        MemberTurn::CatchesUp { grace, starts, opens } => {
            let next = opens.map_or_else(
                || "no maintenance window is long enough".into(),
                |at| format!("the next maintenance window opens {at}"),
            );
            format!(
                "it missed its window and starts inside active hours, from {starts}, once its endpoint was read after {grace}; \
                 {next}"
            )
        }
        MemberTurn::Frozen { until, starts } if starts <= until => format!("a freeze lasts until {until}"),
        MemberTurn::Frozen { until, starts } => {
            format!("a freeze lasts until {until}; the next maintenance window opens {starts}")
        }
        MemberTurn::Spread(at) => format!("starts are spread over the window, and its place is at {at}"),
        MemberTurn::Open => return None,
    })
}

/// From when a failed attempt is tried again, and what else that waits for.
pub(super) fn retry(fleet: &Fleet, rollout: &Rollout, member: &Member) -> String {
    if rollout.state() == RolloutState::Paused {
        return ": a person paused the rollout; it goes on when a person resumes it".into();
    }
    match fleet.due(member).filter(|due| *due > fleet.last_seen_at()) {
        None => format!(": {}", in_the_way(fleet, rollout, member)),
        Some(due) => {
            let ix = rollout.member_of(member.endpoint());
            let turn = ix.map_or(MemberTurn::Open, |ix| fleet.turn(rollout.id(), ix));
            let never = matches!(turn, MemberTurn::NoCalendar | MemberTurn::Never);
            let closed = closed(fleet, member, turn).filter(|_| never);
            format!(" from {due}{}", closed.map_or_else(String::new, |closed| format!(", but {closed}")))
        }
    }
}

/// What a reboot waits for, as the end of a sentence.
pub(super) fn reboot_waits(fleet: &Fleet, rollout: &Rollout, member: &Member) -> String {
    let Some(there) = fleet.endpoint(member.endpoint()) else { return String::new() };
    let Some(ix) = rollout.member_of(member.endpoint()) else { return String::new() };
    if let Some(since) = there.unreachable_since() {
        return format!("; {} is unreachable since {since}", there.id());
    }
    if let Some(reason) = there.quarantine() {
        return format!("; {} is in quarantine until a person clears it: {reason}", there.id());
    }
    if fleet.leaves_its_reboot(rollout.id(), ix) {
        return "; others of its bundle come first, and one reboot is for all".into();
    }
    let closed = closed(fleet, member, fleet.reboot_turn(rollout.id(), ix));
    closed.map_or_else(String::new, |closed| format!("; {closed}"))
}

/// Members in flight on whose endpoints nothing runs: each keeps its ring from settling and says what it waits for.
fn standing_still(fleet: &Fleet, rollout: &Rollout) -> String {
    const SHOWN: usize = 3;
    let ring = rollout.current_ring();
    let stands =
        |member: &&Member| matches!(member.phase(), Phase::Backoff | Phase::RebootPending | Phase::Attached);
    let still = rollout.members().get(ring.range()).unwrap_or_default().iter().filter(stands);
    let mut said = String::new();
    for member in still.take(SHOWN) {
        let name = fleet.endpoint_id(member.endpoint()).map_or("?", |id| id.as_str());
        let step = super::outcome::member_step(fleet, rollout, member);
        said.push_str(&format!("; {name}: {}", step.text));
    }
    said
}

fn not_permitted(fleet: &Fleet, rollout: &Rollout) -> Option<&'static str> {
    match rollout.kind() {
        crate::rollout::RolloutKind::Trial => None,
        crate::rollout::RolloutKind::Deployment => {
            let approved = fleet.candidate(rollout.candidate()).and_then(|candidate| candidate.approved());
            approved
                .is_none_or(|approved| approved.expires() <= fleet.last_seen_at())
                .then_some("its approval does not hold any more; it goes on when the patch is approved again")
        }
    }
}

/// Why a member did not start in time, and whether it is brought along.
pub(super) fn deferred(
    fleet: &Fleet,
    rollout: &Rollout,
    member: &Member,
    place: &str,
) -> (PipelineStage, StepState, String) {
    let why = super::outcome::reason(fleet, member)
        .map_or_else(String::new, |(kind, detail)| format!(", {}", super::outcome::told(kind, detail)));
    // A pre hook that failed, or the failure after which it did not come to its next attempt, is not lateness.
    let late = if why.is_empty() { " in time" } else { "" };
    let told = |state, text: String| {
        (PipelineStage::Deploy, state, format!("not started{late} {place}{why}: {text}"))
    };
    let brought = rollout.policy().catch_up.deferred;
    match rollout.state() {
        RolloutState::Completed if rollout.is_catching_up() && brought => {
            let again = fleet.due(member).filter(|again| *again > fleet.last_seen_at());
            let text = match again {
                Some(again) => format!("the rollout has completed, and its hook is run again from {again}"),
                None => format!(
                    "the rollout has completed and brings it along; {}",
                    in_the_way(fleet, rollout, member)
                ),
            };
            told(StepState::Open, text)
        }
        RolloutState::Completed if rollout.catch_up_stopped().is_some() => {
            told(StepState::Stopped, stopped(rollout))
        }
        RolloutState::Running | RolloutState::Paused | RolloutState::Halted if brought => told(
            StepState::Stopped,
            "it is brought along once the rollout has completed, or a person lets it try again".into(),
        ),
        RolloutState::Running
        | RolloutState::Paused
        | RolloutState::Halted
        | RolloutState::Cancelled
        | RolloutState::Completed
        | RolloutState::Ended => told(
            StepState::Stopped,
            "the policy does not bring it along; a person can let it try again, or start another rollout"
                .into(),
        ),
    }
}

pub(super) fn draining(rollout: &Rollout, place: &str, due: Option<Timestamp>) -> String {
    let hook = rollout.policy().deploy.hooks.pre.as_deref().unwrap_or("its pre hook");
    format!(
        "being prepared {place} by the hook `{hook}`{}; its order follows, and when the hook fails or is late it is \
         deferred",
        by(" until", due)
    )
}

pub(super) fn draining_back(rollout: &Rollout, back: &str, due: Option<Timestamp>) -> String {
    let hook = rollout.policy().deploy.hooks.pre.as_deref().unwrap_or("its pre hook");
    format!(
        "being prepared by the hook `{hook}`{} for its rollback to {back}; when the hook fails or is late it is run again, and \
         in the end an operator is called",
        by(" until", due)
    )
}

/// By whose order a member goes.
pub(super) fn attached(fleet: &Fleet, rollout: &Rollout, member: &Member, place: &str) -> String {
    let others = fleet.rollouts().filter(|other| other.candidate() == rollout.candidate());
    let leader = others.filter(|other| other.id() != rollout.id()).find_map(|other| {
        let theirs = other.members().get(other.member_of(member.endpoint())?.index())?;
        let at_work = matches!(theirs.phase().class(), Class::InFlight | Class::Unknown);
        (at_work && theirs.phase() != Phase::Attached).then_some((other, theirs))
    });
    let Some((other, theirs)) = leader else {
        return format!(
            "{place}: another rollout of the same patch had the endpoint, and its outcome counts here too"
        );
    };
    let waits = if theirs.phase() == Phase::Backoff {
        retry(fleet, other, theirs)
    } else if theirs.phase() == Phase::RebootPending {
        reboot_waits(fleet, other, theirs)
    } else {
        by(", due by", fleet.due(theirs))
    };
    format!(
        "attached {place}: {} has ordered the same patch there ({}{waits}), and its outcome counts here too; when nothing \
         comes of it, this rollout orders it itself",
        other.id(),
        theirs.phase(),
    )
}

/// A time span, as people say it.
fn duration(secs: u64) -> String {
    match (secs / 3600, secs % 3600 / 60, secs % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, 0) => format!("{m} min"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, 0, _) => format!("{h} h"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}
