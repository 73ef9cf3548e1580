//! From a fleet and its history to a summary.

use super::History;
use super::explain::explain;
use super::outcome::{member_step, reason};
use super::share::{Share, TimeToPatch};
use super::summary::{
    CandidateSummary, EndpointSummary, FailureSummary, Kpis, Outcome, RingSummary, RolloutSummary, StageSpan,
    Summary,
};
use super::words::{PipelineStage, approved_sentence, rule_words};
use crate::candidate::Candidate;
use crate::error::FailureKind;
use crate::fleet::{EndpointView, Fleet, Standing};
use crate::gate::{Class, Counts};
use crate::ids::{CandidateId, EndpointIx};
use crate::inventory::Environment;
use crate::rollout::{Phase, Ring, Rollout, RolloutKind};
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What a fleet shows now, with the times and reasons that its history adds. The history may reach less far than the
/// fleet (a pruned journal); what it lacks is left out.
#[must_use]
pub fn summarize(fleet: &Fleet, history: &History) -> Summary {
    let mut rollouts = Rollouts::new();
    for rollout in fleet.rollouts() {
        rollouts.entry(rollout.candidate()).or_default().push(rollout);
    }
    let endpoints: Vec<EndpointSummary> = fleet
        .endpoints()
        .filter(|endpoint| !endpoint.is_gone())
        .map(|endpoint| of_endpoint(fleet, history, &rollouts, &endpoint))
        .collect();
    // One pass over all outcomes, not one for each candidate.
    let mut shares: BTreeMap<CandidateId, Share> = BTreeMap::new();
    let in_service = endpoints.iter().filter(|endpoint| !endpoint.onboarding);
    for (endpoint, outcome) in in_service.flat_map(|e| e.outcomes.iter().map(move |of| (e, of))) {
        let share = shares.entry(outcome.candidate).or_default();
        share.part += u32::from(is_compliant(endpoint, outcome));
        share.whole += 1;
    }
    let share = |candidate: &Candidate| shares.get(&candidate.identified().id()).copied().unwrap_or_default();
    Summary {
        kpis: kpis(fleet, history, &endpoints),
        candidates: fleet
            .candidates()
            .map(|candidate| of_candidate(history, &rollouts, candidate, share(candidate)))
            .collect(),
        rollouts: fleet.rollouts().map(|rollout| of_rollout(fleet, rollout)).collect(),
        failures: failures(fleet, history),
        timeline: history.timeline().to_vec(),
        endpoints,
    }
}

/// The rollouts and trials of each candidate, in the order of their start.
type Rollouts<'a> = BTreeMap<CandidateId, Vec<&'a Rollout>>;

fn of_endpoint(
    fleet: &Fleet,
    history: &History,
    rollouts: &Rollouts<'_>,
    endpoint: &EndpointView<'_>,
) -> EndpointSummary {
    let outcomes = fleet.candidates().filter_map(|candidate| {
        let of_candidate = rollouts.get(&candidate.identified().id()).map_or(&[][..], |all| all);
        of_pair(fleet, history, of_candidate, candidate, endpoint.ix())
    });
    EndpointSummary {
        ix: endpoint.ix(),
        id: endpoint.id().to_string(),
        environment: endpoint.environment(),
        scope: endpoint.attributes().scope.to_string(),
        unreachable_since: endpoint.unreachable_since(),
        stale_since: endpoint.stale_since(),
        onboarding: endpoint.is_onboarding(),
        outcomes: outcomes.collect(),
    }
}

/// `None` when the candidate has nothing to do with the endpoint.
fn of_pair(
    fleet: &Fleet,
    history: &History,
    rollouts: &[&Rollout],
    candidate: &Candidate,
    endpoint: EndpointIx,
) -> Option<Outcome> {
    let identified = candidate.identified();
    let to = identified.patch().target.version.clone();
    let taken_up = rollouts.iter().rev().find_map(|rollout| Some((rollout, rollout.member_of(endpoint)?)));
    if let Some((rollout, ix)) = taken_up {
        let member = rollout.members().get(ix.index())?;
        let phase = member.phase();
        let ring = rollout.rings().get(usize::from(member.ring()));
        let times = history.member(rollout.id(), ix);
        return Some(Outcome {
            candidate: identified.id(),
            rollout: Some(rollout.id()),
            ring: ring.map(|ring| ring.name().into()),
            phase: Some(phase),
            class: Some(phase.class()),
            attempts: member.attempts(),
            from: rollout.prior_version(member).map(ToString::to_string),
            to,
            reason: reason(fleet, member).map(|(kind, detail)| (kind, detail.into())),
            verified_at: times.and_then(|times| times.verified_at).filter(|_| phase == Phase::Verified),
            sentence: member_step(fleet, rollout, member).text,
        });
    }
    let need = fleet.need(identified.id(), endpoint)?;
    let class = match need.standing {
        Standing::NotApplicable => return None,
        Standing::Has => Some(Class::Skipped),
        Standing::Needs => None,
    };
    let explanation = explain(fleet, endpoint, identified.id());
    Some(Outcome {
        candidate: identified.id(),
        rollout: None,
        ring: None,
        phase: class.map(|_| Phase::Skipped),
        class,
        attempts: 0,
        from: need.present.map(ToString::to_string),
        to,
        reason: None,
        verified_at: None,
        sentence: explanation.deciding().map_or_else(String::new, |step| step.text.clone()),
    })
}

fn is_live(candidate: &Candidate) -> bool {
    match candidate {
        Candidate::Identified(_) | Candidate::Trialled(_) | Candidate::Approved(_) => true,
        Candidate::Rejected(_) | Candidate::Superseded(_) | Candidate::Withdrawn(_) => false,
    }
}

/// What is stale is never compliant (semantics S5, S7).
fn is_compliant(endpoint: &EndpointSummary, outcome: &Outcome) -> bool {
    endpoint.stale_since.is_none() && matches!(outcome.class, Some(Class::Verified | Class::Skipped))
}

fn add(counts: &mut Counts, class: Class) {
    let place = match class {
        Class::Waiting => &mut counts.waiting,
        Class::InFlight => &mut counts.in_flight,
        Class::Verified => &mut counts.verified,
        Class::Failed => &mut counts.failed,
        Class::Unknown => &mut counts.unknown,
        Class::Deferred => &mut counts.deferred,
        Class::Skipped => &mut counts.skipped,
        Class::Cancelled => &mut counts.cancelled,
        Class::Held => &mut counts.held,
        Class::Removed => &mut counts.removed,
    };
    *place += 1;
}

fn kpis(fleet: &Fleet, history: &History, endpoints: &[EndpointSummary]) -> Kpis {
    let live: BTreeSet<CandidateId> =
        fleet.candidates().filter(|c| is_live(c)).map(|c| c.identified().id()).collect();
    let mut counts = Counts::default();
    let mut compliance = Share::default();
    let (mut untouched, mut rolled_back, mut operator_needed, mut retried) = (0, 0, 0, 0);
    let rejected: BTreeSet<CandidateId> = fleet
        .candidates()
        .filter(|candidate| matches!(candidate, Candidate::Rejected(_)))
        .map(|candidate| candidate.identified().id())
        .collect();
    let mut excepted = 0;
    let (mut times, mut exposures, mut overdue) = (Vec::new(), Vec::new(), 0);
    for (endpoint, outcome) in
        endpoints.iter().flat_map(|e| e.outcomes.iter().map(move |outcome| (e, outcome)))
    {
        match outcome.class {
            Some(class) => add(&mut counts, class),
            None => untouched += 1,
        }
        if live.contains(&outcome.candidate) && !endpoint.onboarding {
            compliance.whole += 1;
            compliance.part += u32::from(is_compliant(endpoint, outcome));
            overdue += u32::from(is_overdue(fleet, endpoint, outcome));
        }
        excepted += u32::from(rejected.contains(&outcome.candidate) && !is_compliant(endpoint, outcome));
        rolled_back += u32::from(outcome.phase == Some(Phase::RolledBack));
        operator_needed += u32::from(outcome.phase == Some(Phase::NeedsOperator));
        retried += u32::from(outcome.phase == Some(Phase::Verified) && outcome.attempts > 1);
        if let Some(patched) = patched_in(fleet, history, endpoint.ix, outcome) {
            times.push((patched.clock_started, patched.verified, patched.due));
            exposures.push((patched.exposed_since, patched.verified, patched.due));
        }
    }
    let settled = counts.verified + counts.failed + counts.unknown;
    let non_production = endpoints.iter().filter(|e| e.environment == Environment::NonProduction).count();
    Kpis {
        endpoints: count(endpoints.len()),
        non_production: count(non_production),
        compliance,
        success: Share { part: counts.verified, whole: settled },
        stale: count(endpoints.iter().filter(|e| e.stale_since.is_some()).count()),
        counts,
        untouched,
        rolled_back,
        operator_needed,
        retried,
        excepted,
        time_to_patch: TimeToPatch::of(&times, overdue),
        time_exposed: TimeToPatch::of(&exposures, overdue),
    }
}

/// Whether a production endpoint does not have it verified although it was due there. What is stale may have it, and
/// is no delay that is known.
fn is_overdue(fleet: &Fleet, endpoint: &EndpointSummary, outcome: &Outcome) -> bool {
    if endpoint.environment != Environment::Production
        || matches!(outcome.class, Some(Class::Verified | Class::Skipped))
    {
        return false;
    }
    let risk = fleet.candidate(outcome.candidate).map(|candidate| candidate.identified().risk());
    let needed = fleet.need(outcome.candidate, endpoint.ix).and_then(|need| need.needed_since);
    let due = risk.zip(needed).and_then(|(risk, needed)| risk.due_there(needed, fleet.due_limits()));
    due.is_some_and(|due| due <= fleet.last_seen_at())
}

/// How one installation came to its end, by both clocks.
struct Patched {
    exposed_since: Timestamp,
    clock_started: Timestamp,
    verified: Timestamp,
    due: Option<Timestamp>,
}

/// Each clock starts at the later of the patch's own and the day it was first needed there (semantics S7).
fn patched_in(fleet: &Fleet, history: &History, endpoint: EndpointIx, outcome: &Outcome) -> Option<Patched> {
    let verified = outcome.verified_at?;
    let risk = fleet.candidate(outcome.candidate)?.identified().risk();
    let told =
        history.candidate(outcome.candidate).and_then(|times| times.needed_since.get(&endpoint).copied());
    let kept = fleet.need(outcome.candidate, endpoint).and_then(|need| need.needed_since);
    // What the fleet keeps is the day only; it is earlier than what was told where a clock of what was replaced goes on.
    let goes_on = |told: &Timestamp| kept.filter(|kept| kept.plus_secs(86_400) <= *told);
    let told = told.map(|told| goes_on(&told).unwrap_or(told));
    let needed = told.or(kept).unwrap_or(risk.exposed_since);
    Some(Patched {
        exposed_since: risk.exposed_since.max(needed),
        clock_started: risk.clock_started.max(needed),
        verified,
        due: risk.due_there(needed, fleet.due_limits()),
    })
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn of_candidate(
    history: &History,
    rollouts: &Rollouts<'_>,
    candidate: &Candidate,
    compliance: Share,
) -> CandidateSummary {
    let identified = candidate.identified();
    let patch = identified.patch();
    let decided = match candidate {
        Candidate::Identified(_) | Candidate::Trialled(_) => None,
        Candidate::Approved(approved) => Some(approved_sentence(approved.by())),
        Candidate::Rejected(rejected) => {
            Some(format!("turned down by {}: {}", rejected.by(), rejected.reason()))
        }
        Candidate::Superseded(superseded) => Some(format!("superseded by candidate {}", superseded.by())),
        Candidate::Withdrawn(withdrawn) => Some(format!("withdrawn: {}", withdrawn.reason())),
    };
    CandidateSummary {
        id: identified.id(),
        patch: patch.id.to_string(),
        title: patch.title.clone(),
        target: patch.target.to_string(),
        severity: patch.severity,
        category: patch.category,
        priority: identified.risk().priority,
        why: identified.risk().why.clone(),
        closes: patch.closes.iter().map(ToString::to_string).collect(),
        clock_started: identified.risk().clock_started,
        due: identified.risk().due,
        state: candidate.state().into(),
        decided,
        compliance,
        stages: stages(history, rollouts, identified.id()),
    }
}

/// Where the time went: waiting for the trial to start, trial, approval, rollout.
fn stages(history: &History, rollouts: &Rollouts<'_>, id: CandidateId) -> Vec<StageSpan> {
    let Some(times) = history.candidate(id) else { return Vec::new() };
    let own = rollouts.get(&id).map_or(&[][..], |all| all);
    let of_kind = |kind| own.iter().copied().filter(move |rollout| rollout.kind() == kind);
    let trial = of_kind(RolloutKind::Trial).next();
    let deployment = of_kind(RolloutKind::Deployment).next();
    let ended = of_kind(RolloutKind::Deployment).filter_map(last_instant).max();
    let mut spans = Vec::new();
    let mut push = |stage, from: Option<Timestamp>, until: Option<Timestamp>| {
        if let Some(from) = from {
            spans.push(StageSpan { stage, from, until: until.map(|until| until.max(from)) });
        }
    };
    let tested_from = trial.map(Rollout::started_at);
    push(PipelineStage::Identify, Some(times.identified_at), tested_from.or(times.trialled_at));
    push(PipelineStage::Test, tested_from, times.trialled_at);
    push(PipelineStage::Approve, times.trialled_at, times.approved_at);
    push(PipelineStage::Deploy, deployment.map(Rollout::started_at).and(times.approved_at), ended);
    spans
}

/// When a rollout ended, or was halted and left so.
fn last_instant(rollout: &Rollout) -> Option<Timestamp> {
    rollout.ended_at().or_else(|| rollout.halt().filter(|_| rollout.is_at_rest()).map(|halt| halt.at))
}

fn of_rollout(fleet: &Fleet, rollout: &Rollout) -> RolloutSummary {
    let patch = fleet.candidate(rollout.candidate()).map(|c| c.identified().patch().id.to_string());
    RolloutSummary {
        id: rollout.id(),
        kind: rollout.kind(),
        candidate: rollout.candidate(),
        patch: patch.unwrap_or_default(),
        state: rollout.state(),
        halt: rollout.halt().map(|halt| halt.reason.clone()),
        started_at: rollout.started_at(),
        ended_at: rollout.ended_at(),
        rings: rollout.rings().iter().map(of_ring).collect(),
    }
}

fn of_ring(ring: &Ring) -> RingSummary {
    RingSummary {
        name: ring.name().into(),
        state: ring.state(),
        counts: ring.counts(),
        opened_at: ring.opened_at(),
        settled_at: ring.settled_at(),
        ended_at: ring.ended_at(),
        verdict: ring.verdict().map(|verdict| verdict.sentence(ring.gate())),
        rule: ring.verdict().map(|verdict| rule_words(verdict.rule).into()),
    }
}

fn failures(fleet: &Fleet, history: &History) -> Vec<FailureSummary> {
    let mut found: BTreeMap<(CandidateId, u16), FailureSummary> = BTreeMap::new();
    for rollout in fleet.rollouts() {
        let patch = fleet.candidate(rollout.candidate()).map(|c| c.identified().patch().id.to_string());
        for (ix, member) in (0..).map(crate::ids::MemberIx).zip(rollout.members()) {
            let Some(times) = history.member(rollout.id(), ix) else { continue };
            let name = fleet.endpoint_id(member.endpoint()).map(ToString::to_string).unwrap_or_default();
            for (code, times) in tally(&times.reasons) {
                let Some((kind, detail)) = fleet.reason(code) else { continue };
                if kind == FailureKind::Stopped {
                    continue;
                }
                let entry = found.entry((rollout.candidate(), code)).or_insert_with(|| FailureSummary {
                    kind,
                    detail: detail.into(),
                    patch: patch.clone().unwrap_or_default(),
                    times: 0,
                    endpoints: Vec::new(),
                    recovered: 0,
                });
                entry.times += times;
                entry.recovered += u32::from(member.phase() == Phase::Verified);
                entry.endpoints.push(name.clone());
            }
        }
    }
    let mut failures: Vec<_> = found.into_values().collect();
    failures.sort_by_key(|failure| core::cmp::Reverse(failure.times));
    failures
}

fn tally(reasons: &[u16]) -> BTreeMap<u16, u32> {
    let mut tally = BTreeMap::new();
    for code in reasons {
        *tally.entry(*code).or_insert(0) += 1;
    }
    tally
}
