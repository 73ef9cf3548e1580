//! What the world says about the state of endpoints, and what of it keeps an order back (semantics S5, S6).

use super::{At, Facts, Start};
use crate::error::FailureKind;
use crate::fleet::state::State;
use crate::fleet::table::conditions::Bits;
use crate::fleet::table::endpoints::fingerprint_hash;
use crate::fleet::table::rounds::turns_for;
use crate::fleet::table::slot::{Profile, Slot};
use crate::fleet::{EndpointFact, EndpointSeen, EndpointSet, Fact, RichFact};
use crate::ids::{EndpointIx, MemberIx};
use crate::policy::EndpointPolicy;
use crate::rollout::{Event, Phase};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::String;

/// What keeps every order back, rollbacks too.
pub(super) const NO_ORDERS: Bits =
    Bits::UNREACHABLE.with(Bits::STALE).with(Bits::QUARANTINED).with(Bits::MANAGED);

/// Whether the conditions of an endpoint keep a member from starting; nothing is looked up when it has none.
pub(super) fn keeps_back(state: &State, slot: &Slot, at: At<'_>) -> Option<Start> {
    let has = slot.conditions;
    if has.is_empty() {
        return None;
    }
    // A member that has failed once counts as started: it is not held any more, it waits.
    let fresh = at.member.phase == Phase::Waiting;
    let held = |text| Some(Start::Settle(Event::Held, Some((FailureKind::Denied, text))));
    if has.has(Bits::QUARANTINED) && fresh {
        return held("two machines report under its name; a person must look".into());
    }
    if has.has(Bits::MANAGED) && fresh {
        let known = state.endpoints.condition(at.member.endpoint);
        let manager = known.and_then(|known| known.manager.as_deref()).unwrap_or("another patch manager");
        return held(format!("{manager} is active there; declare ownership first").into());
    }
    has.has(NO_ORDERS).then_some(Start::Busy)
}

/// The policy for endpoints as a whole, which belongs to the fleet and not to a rollout.
fn policy(state: &State) -> EndpointPolicy {
    state.policy.as_ref().map_or_else(EndpointPolicy::default, |(policy, _)| policy.endpoints.clone())
}

/// Those of some endpoints that are in the fleet and are not so yet; whether all of them are known.
fn news<'a>(
    state: &'a State,
    endpoints: &'a [EndpointIx],
    is_news: impl Fn(&Slot) -> bool + 'a,
) -> (EndpointSet, bool) {
    let slot = |ix: &&EndpointIx| state.endpoints.slot(**ix).is_some_and(|slot| !slot.gone && is_news(slot));
    let known = endpoints.iter().all(|ix| state.endpoints.slot(*ix).is_some());
    (endpoints.iter().filter(slot).copied().collect(), known)
}

/// Endpoints went out of contact.
pub(crate) fn unreachable(
    state: &State,
    now: Timestamp,
    endpoints: &[EndpointIx],
    since: Timestamp,
    facts: &mut Facts,
) -> bool {
    let (endpoints, known) = news(state, endpoints, |slot| !slot.conditions.has(Bits::UNREACHABLE));
    if !endpoints.is_empty() {
        facts.push(RichFact::EndpointsWentUnreachable { endpoints, since: since.min(now) }.into());
    }
    known
}

/// Endpoints are in contact again: read before they are ordered anything.
pub(crate) fn reachable(state: &State, now: Timestamp, endpoints: &[EndpointIx], facts: &mut Facts) -> bool {
    let (endpoints, known) = news(state, endpoints, |slot| slot.conditions.has(Bits::UNREACHABLE));
    if !endpoints.is_empty() {
        facts.push(RichFact::EndpointsCameBack { endpoints: endpoints.clone() }.into());
        scan(state, now, endpoints, facts);
    }
    known
}

/// What is known of endpoints is too old. Those that nobody asks any more are asked again.
pub(crate) fn stale(state: &State, now: Timestamp, endpoints: &[EndpointIx], facts: &mut Facts) -> bool {
    let (new, known) = news(state, endpoints, |slot| !slot.conditions.has(Bits::STALE));
    let is_asked = |ix: EndpointIx| {
        state.endpoints.condition(ix).and_then(|known| known.scan).is_some_and(|scan| scan.due != 0)
    };
    let (here, _) = news(state, endpoints, |slot| !slot.conditions.has(Bits::UNREACHABLE));
    let unasked: EndpointSet = here.iter().filter(|ix| !is_asked(*ix)).collect();
    if !new.is_empty() {
        facts.push(RichFact::EndpointsWentStale { endpoints: new }.into());
    }
    scan(state, now, unasked, facts);
    known
}

/// Endpoints were read. Only what was waited for is a fact.
pub(crate) fn read(state: &State, endpoints: &[EndpointIx], facts: &mut Facts) -> bool {
    let (back, _) = news(state, endpoints, |slot| slot.conditions.has(Bits::UNREACHABLE));
    let waited = |ix: &EndpointIx| {
        state.endpoints.condition(*ix).is_some_and(|known| {
            known.stale_since.is_some() || known.scan.is_some() || known.unreachable_since.is_some()
        })
    };
    let (here, known) = news(state, endpoints, |_| true);
    let endpoints: EndpointSet = here.iter().filter(waited).collect();
    if !back.is_empty() {
        facts.push(RichFact::EndpointsCameBack { endpoints: back }.into());
    }
    if !endpoints.is_empty() {
        facts.push(RichFact::EndpointsRead { endpoints }.into());
    }
    known
}

/// Endpoints wait for a reboot, or wait no more.
pub(crate) fn reboots_pending(
    state: &State,
    endpoints: &[EndpointIx],
    pending: bool,
    facts: &mut Facts,
) -> bool {
    // While an order is under way there, the reboot may be its own: that one has a phase.
    let is_ours = |slot: &Slot| pending && slot.active().is_some();
    let (endpoints, known) =
        news(state, endpoints, |slot| slot.conditions.has(Bits::REBOOT_PENDING) != pending && !is_ours(slot));
    if !endpoints.is_empty() {
        facts.push(RichFact::RebootsPendingSeen { endpoints, pending }.into());
    }
    known
}

/// Asks for endpoints to be read.
pub(crate) fn scan(state: &State, now: Timestamp, endpoints: EndpointSet, facts: &mut Facts) {
    if !endpoints.is_empty() {
        let due = state.due(now.plus_secs(policy(state).stale_after_secs.into()));
        facts.push(RichFact::ScansAsked { endpoints, due }.into());
    }
}

/// The next turn of a round, or the first of the next one.
pub(crate) fn next_turn(state: &State, now: Timestamp, facts: &mut Facts) {
    let rounds = &state.rounds;
    let goes_on = rounds.turn + 1 < rounds.turns;
    let (turn, turns) =
        if goes_on { (rounds.turn + 1, rounds.turns) } else { (0, turns_for(state.endpoints.len())) };
    let due = state.due(now.plus_secs(policy(state).stale_after_secs.into()));
    facts.push(RichFact::ScanTurnAsked { turn, turns, due }.into());
}

/// The time of the oldest open turn is over: who was not read is stale, and asked for one by one.
pub(crate) fn turn_over(state: &State, now: Timestamp, facts: &mut Facts) {
    let Some(open) = state.rounds.open.first() else { return };
    let missed = state.missed(*open);
    facts.push(RichFact::ScanTurnEnded { turn: open.turn, turns: open.turns, missed: missed.clone() }.into());
    scan(state, now, missed, facts);
}

/// Whether the policy asks for everybody to be read because of a new patch.
pub(super) fn read_for_candidate(state: &State, facts: &mut Facts) {
    if policy(state).scan_on_candidate && !state.rounds.wanted {
        facts.push(RichFact::ScanRoundWanted.into());
    }
}

/// Whether a member's endpoint must be read before this order, and has not been: lately, or since an instant (in seconds
/// since the epoch, 0 for none).
pub(super) fn is_unread(state: &State, now: Timestamp, at: At<'_>, since: u32) -> bool {
    let policy = &at.rollout.policy().endpoints;
    let read_at = || state.endpoints.profile(at.member.endpoint).map_or(0, |profile| profile.read_at);
    let is_old = |read_at| read_at == 0 || state.secs(now).saturating_sub(read_at) > policy.stale_after_secs;
    policy.scan_before_order && is_old(read_at()) || since > 0 && read_at() < since
}

/// Scans that were not answered in time: asked again, or given up.
pub(crate) fn scans_due(state: &State, now: Timestamp, due: &[EndpointIx], facts: &mut Facts) {
    let tries_max = policy(state).scan_tries_max;
    let tries = |ix: &EndpointIx| {
        state.endpoints.condition(*ix).and_then(|known| known.scan).map_or(0, |scan| scan.tries)
    };
    let (again, given_up): (alloc::vec::Vec<_>, alloc::vec::Vec<_>) =
        due.iter().copied().partition(|ix| tries(ix) < tries_max);
    scan(state, now, again.into_iter().collect(), facts);
    let endpoints: EndpointSet = given_up.into_iter().collect();
    if !endpoints.is_empty() {
        facts.push(RichFact::ScansGivenUp { endpoints }.into());
    }
}

/// Whether a known endpoint is told by another machine; what follows then is decided here, and nothing else is.
pub(super) fn other_machine(
    state: &State,
    now: Timestamp,
    ix: EndpointIx,
    seen: &EndpointSeen,
    facts: &mut Facts,
) -> bool {
    let Some(slot) = state.endpoints.slot(ix) else { return false };
    let told = seen.fingerprint.as_deref().map(fingerprint_hash);
    let known = state.endpoints.profile(ix).and_then(Profile::fingerprint);
    let (Some(told), Some(known)) = (told, known) else { return false };
    if told == known {
        return false;
    }
    let condition = state.endpoints.condition(ix);
    if slot.conditions.has(Bits::QUARANTINED) {
        // Said already; whose attributes these are is not known.
        return true;
    }
    let silent_secs = u64::from(policy(state).silent_after_secs);
    let since = condition.and_then(|known| known.unreachable_since);
    let was_silent = slot.gone || since.is_some_and(|since| now.since(since).as_secs() >= silent_secs);
    if condition.is_some_and(|known| known.earlier == Some(told)) {
        quarantine(ix, "the machine of before its re-image reports again", facts);
    } else if was_silent {
        facts.push(RichFact::EndpointReimaged { endpoint: ix, seen: seen.clone() }.into());
        release(state, ix, facts);
        disown(state, ix, facts);
        scan(state, now, core::iter::once(ix).collect(), facts);
    } else {
        let text =
            format!("another machine reports, and the one before was in contact within {silent_secs} s");
        quarantine(ix, &text, facts);
    }
    true
}

pub(super) fn quarantine(endpoint: EndpointIx, reason: &str, facts: &mut Facts) {
    facts.push(RichFact::EndpointQuarantined { endpoint, reason: String::from(reason) }.into());
}

/// Lets members go on that were held for the state of their endpoint. What holds them besides is found again.
pub(super) fn release(state: &State, endpoint: EndpointIx, facts: &mut Facts) {
    for rollout in state.rollouts.iter().filter(|r| !r.is_over() || r.is_catching_up()) {
        let Some(member) = rollout.member_of(endpoint) else { continue };
        let is_held = rollout.members()[member.index()].phase() == Phase::Held;
        if is_held && !state.holds.contains(&(rollout.candidate(), endpoint)) {
            facts.push(released(rollout.id(), member));
        }
    }
}

/// What was verified was verified on the machine that is gone.
fn disown(state: &State, endpoint: EndpointIx, facts: &mut Facts) {
    for rollout in &state.rollouts {
        let Some(member) = rollout.member_of(endpoint) else { continue };
        if matches!(rollout.members()[member.index()].phase(), Phase::Verified | Phase::Skipped) {
            let event = Event::Removed;
            let fact = EndpointFact { rollout: rollout.id(), member, event, reason: 0, due: 0 };
            facts.push(Fact::Endpoint(fact));
        }
    }
}

fn released(rollout: crate::ids::RolloutId, member: MemberIx) -> Fact {
    Fact::Endpoint(EndpointFact { rollout, member, event: Event::Released, reason: 0, due: 0 })
}
