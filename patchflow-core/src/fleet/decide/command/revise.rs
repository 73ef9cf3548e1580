//! Changing a plan that runs: every finding at once, and one fact that holds what it came to.

use super::super::join::{joined, of_member};
use super::super::ring::next_ring;
use super::{Asked, Done, require_reason, rollout_for, rollout_in};
use crate::error::{Finding, Refusal};
use crate::fleet::state::State;
use crate::fleet::{Outcome, RichFact};
use crate::gate::Counts;
use crate::ids::{EndpointIx, MemberIx, RolloutId};
use crate::inventory::Environment;
use crate::plan::{MovedMember, PlacedMember, PlanRevision, RevisedGate, RevisedPlan};
use crate::policy::Policy;
use crate::rollout::{Event, Phase, RingState, Rollout, RolloutKind, RolloutState};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

const UNDER_WAY: [RolloutState; 3] = [RolloutState::Running, RolloutState::Paused, RolloutState::Halted];

pub(super) fn revise(asked: Asked<'_>, rollout: RolloutId, revision: &PlanRevision, reason: &str) -> Done {
    let Asked { state, expect, facts, actor, .. } = asked;
    require_reason(reason)?;
    let at =
        rollout_in(state, rollout, expect, &UNDER_WAY, "it is over; start another rollout for what is left")?;
    if at.kind() == RolloutKind::Trial {
        return Err(Refusal::WrongState {
            what: format!("{rollout}"),
            state: "a trial".into(),
            allowed: "a trial is cancelled and repeated, or waived, not revised".into(),
        });
    }
    let mut findings = Vec::new();
    let mut plan = RevisedPlan::default();
    let mut policy = at.policy_digest();
    if !revision.adopt_policy && revision.place.is_empty() {
        findings.push(Finding::new("revision", "changes nothing; place endpoints, or adopt the policy"));
    }
    if revision.adopt_policy {
        match &state.policy {
            Some((adopted, digest)) if *digest != policy => {
                gates(at, adopted, &mut plan, &mut findings);
                policy = *digest;
            }
            Some(_) | None => findings.push(Finding::new(
                "adopt_policy",
                "it runs under the policy that holds now; adopt another first",
            )),
        }
    }
    place(state, at, revision, &mut plan, &mut findings);
    if !findings.is_empty() {
        return Err(Refusal::Unsound { findings });
    }
    let by = actor.name.clone();
    facts.push(RichFact::RolloutRevised { rollout, policy, plan, by, reason: reason.into() }.into());
    Ok(Outcome::Done)
}

/// The adopted policy's gates for rings that have not been judged.
fn gates(at: &Rollout, adopted: &Policy, plan: &mut RevisedPlan, findings: &mut Vec<Finding>) {
    for (i, ring) in (0u8..).zip(at.rings()) {
        let judged = match ring.state() {
            RingState::Promoted | RingState::Skipped | RingState::CatchUp => true,
            RingState::Pending
            | RingState::Open
            | RingState::Settled
            | RingState::Held
            | RingState::Halted => false,
        };
        if judged {
            continue;
        }
        match adopted.rings.iter().find(|other| other.name == ring.name()) {
            Some(other) => plan.gates.push(RevisedGate { ring: i, gate: other.gate.clone() }),
            None => {
                let message = format!(
                    "the policy that holds now has no ring `{}`, whose gate has not been judged; name one so",
                    ring.name()
                );
                findings.push(Finding::new(format!("rings[{i}]"), message));
            }
        }
    }
}

fn place(
    state: &State,
    at: &Rollout,
    revision: &PlanRevision,
    plan: &mut RevisedPlan,
    findings: &mut Vec<Finding>,
) {
    let mut seen = BTreeSet::new();
    let mut fresh: Vec<(u8, EndpointIx)> = Vec::new();
    for (i, placement) in revision.place.iter().enumerate() {
        let mut say = |field: &str, message: String| {
            findings.push(Finding::new(format!("place[{i}].{field}"), message));
        };
        match at.rings().get(usize::from(placement.ring)) {
            None => say("ring", format!("there are {} rings, from 0", at.rings().len())),
            Some(ring) if ring.state() != RingState::Pending => {
                say(
                    "ring",
                    format!("ring `{}` has opened, or was skipped; name one that has not", ring.name()),
                );
            }
            Some(_) if !at.is_movable() => {
                say("ring", "a ring behind it was skipped, and its members keep their places".into());
            }
            Some(_) => {}
        }
        let id = &placement.endpoint;
        let Some(endpoint) = state.endpoints.ix(id.as_str()) else {
            say("endpoint", format!("there is no endpoint `{id}`"));
            continue;
        };
        if !seen.insert(endpoint) {
            say("endpoint", format!("`{id}` is placed twice"));
            continue;
        }
        match at.present_member_of(endpoint) {
            Some(member) => match may_move(at, member) {
                Ok(()) => plan.moved.push(MovedMember { member, ring: placement.ring }),
                Err(why) => say("endpoint", format!("`{id}` {why}")),
            },
            None => match may_join(state, at, endpoint) {
                Ok(()) => fresh.push((placement.ring, endpoint)),
                Err(why) => say("endpoint", format!("`{id}` {why}")),
            },
        }
    }
    let endpoints: Vec<_> = fresh.iter().map(|(_, endpoint)| *endpoint).collect();
    let (levels, members) = joined(state, at, &endpoints);
    plan.levels = levels;
    let placed = fresh.iter().zip(members).map(|((ring, _), joined)| PlacedMember { ring: *ring, joined });
    plan.placed = placed.collect();
}

fn may_move(at: &Rollout, member: MemberIx) -> Result<(), String> {
    let member = &at.members()[member.index()];
    let ring = &at.rings()[usize::from(member.ring())];
    if ring.state() != RingState::Pending {
        return Err(format!("is in ring `{}`, which has opened, or was skipped", ring.name()));
    }
    if member.phase() == Phase::Waiting { Ok(()) } else { Err(format!("is {}", member.phase())) }
}

fn may_join(state: &State, at: &Rollout, endpoint: EndpointIx) -> Result<(), String> {
    let slot = state.endpoints.slot(endpoint);
    if slot.is_none_or(|slot| slot.gone || slot.environment != Environment::Production) {
        return Err("is not in production".into());
    }
    let need = state.candidate(at.candidate()).and_then(|entry| entry.needs.get(endpoint));
    if need.is_none_or(|need| need.standing != crate::fleet::Standing::Needs) {
        return Err("does not need the patch".into());
    }
    Ok(())
}

pub(super) fn skip_ring(asked: Asked<'_>, rollout: RolloutId, number: u8, reason: &str) -> Done {
    let Asked { state, expect, facts, actor, .. } = asked;
    require_reason(reason)?;
    rollout_for(state, rollout, expect)?;
    let states = [RolloutState::Running, RolloutState::Paused];
    let at =
        rollout_in(state, rollout, expect, &states, "lift its halt first; what is over has nothing to skip")?;
    let Some(ring) = at.rings().get(usize::from(number)) else {
        return Err(super::not_found("ring", &number));
    };
    let Counts { in_flight, .. } = ring.counts();
    let refuse = |state: String, allowed: &str| {
        let what = format!("ring `{}`", ring.name());
        Err(Refusal::WrongState { what, state, allowed: allowed.into() })
    };
    let is_current = number == at.ring;
    match ring.state() {
        RingState::Open | RingState::Settled | RingState::Held if is_current && in_flight > 0 => {
            return refuse(
                format!("{:?} with {in_flight} in flight", ring.state()),
                "a ring can be skipped when nothing is in flight in it; pause the rollout and wait",
            );
        }
        RingState::Open | RingState::Settled | RingState::Held | RingState::Pending => {}
        RingState::Promoted | RingState::Skipped | RingState::Halted | RingState::CatchUp => {
            return refuse(
                format!("{:?}", ring.state()),
                "only a ring that has not been judged can be skipped",
            );
        }
    }
    let remains = at.rings().iter().enumerate().skip(usize::from(at.ring)).any(|(i, other)| {
        let unjudged = matches!(
            other.state(),
            RingState::Pending | RingState::Open | RingState::Settled | RingState::Held
        );
        i != usize::from(number) && unjudged && other.counts().members() > 0
    });
    if !remains {
        return refuse(
            "the only ring that is left".into(),
            "its members have no other ring to wait for; promote it, or cancel the rollout",
        );
    }
    // Whoever waits goes to the last ring; where there is none behind it, or the ring has opened, to catch-up.
    let to = if ring.state() == RingState::Pending && at.is_movable() {
        at.last_pending_after(number)
    } else {
        None
    };
    if to.is_none() {
        let members = (ring.first..).zip(&at.members()[ring.range()]);
        let waiting = members.filter(|(_, member)| member.phase() == Phase::Waiting);
        facts.extend(waiting.map(|(i, _)| of_member(at, MemberIx(i), Event::Deferred)));
    }
    let (by, reason) = (actor.name.clone(), reason.into());
    facts.push(RichFact::RingPassedOver { rollout, ring: number, to, by, reason }.into());
    if is_current {
        next_ring(at, facts);
    }
    Ok(Outcome::Done)
}
