//! May this member start now? Everything that stands against it is looked at here, at order time.

use super::At;
use super::condition::{is_unread, keeps_back};
use super::join::{is_caught_up, is_taken_over};
use super::reboot::comes_first;
use super::stage::{Stage, is_staged};
use crate::catalog::RebootBehaviour;
use crate::error::FailureKind;
use crate::fleet::message::observation::Standing;
use crate::fleet::state::State;
use crate::fleet::state::kin::Newer;
use crate::fleet::state::openings::Turn;
use crate::fleet::table::conditions::Bits;
use crate::fleet::{Fact, RichFact};
use crate::inventory::Environment;
use crate::plan::RollbackPath;
use crate::policy::SnapshotRule;
use crate::rollout::{Event, Phase, Rollout, RolloutKind, RolloutState};
use crate::time::Timestamp;
use alloc::borrow::Cow;

/// What comes of looking at one member.
pub(crate) enum Start {
    /// An order may leave; due: until when it must be acknowledged.
    Order { due: u32 },
    /// Its endpoint waits for a reboot of its own, which comes first.
    Reboot,
    /// Its endpoint is read first.
    Read,
    /// It does not start, and its phase says so.
    Settle(Event, Option<(FailureKind, Cow<'static, str>)>),
    /// Another rollout of the same patch has the endpoint, and its outcome counts here too.
    Attach,
    /// Another rollout has the endpoint, or its condition keeps it.
    Busy,
    /// A budget it counts in has no place left.
    Full(Full),
    /// Its window opens then, or its place in the spread comes.
    Later(Timestamp),
    /// Something must be there before it, and is not yet.
    Waits,
    /// Its content is not on its endpoint.
    Unstaged,
    /// Its way back has ended: somebody must look at it again.
    Lapsed,
    /// It is not its turn any more, or its window never opens.
    Nothing,
}

/// A budget that has no place left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The budget of a scope, and the innermost one that the member counts in.
    Scope {
        /// The innermost scope budget around the endpoint.
        innermost: u16,
        /// The one that is full.
        full: u16,
    },
    /// The budget of its ring, and whether it is to be tried again.
    Ring {
        /// The ring.
        ring: u8,
        /// Whether it started there before.
        retries: bool,
    },
    /// Its availability group, by its number: no other endpoint of it may become unavailable.
    Group(u32),
}

/// Whether the rollout as a whole may issue orders now: it runs, and its approval holds.
pub(crate) fn starts_now(state: &State, now: Timestamp, rollout: &Rollout) -> bool {
    rollout.may_start() && state.resync.is_none() && is_permitted(state, now, rollout)
}

/// The same, for a member that has its place already.
pub(crate) fn goes_on(state: &State, now: Timestamp, rollout: &Rollout) -> bool {
    let runs = rollout.state() == RolloutState::Running || rollout.is_catching_up();
    runs && state.resync.is_none() && is_permitted(state, now, rollout)
}

/// Whether a proof stands behind the rollout: an approval that has not expired, or its being a trial.
pub(super) fn is_permitted(state: &State, now: Timestamp, rollout: &Rollout) -> bool {
    let Some(entry) = state.candidate(rollout.candidate()) else { return false };
    match rollout.kind() {
        RolloutKind::Deployment => {
            let approved = entry.candidate.approved().is_some_and(|approved| now < approved.expires());
            approved && entry.held.is_none()
        }
        RolloutKind::Trial => matches!(entry.candidate, crate::candidate::Candidate::Identified(_)),
    }
}

/// How long an operation is expected to take, the reboot it may ask for included.
pub(crate) fn needed_secs(state: &State, rollout: &Rollout) -> u64 {
    let deploy = &rollout.policy().deploy;
    let reboots = state
        .candidate(rollout.candidate())
        .is_some_and(|entry| entry.candidate.identified().patch().reboot != RebootBehaviour::Never)
        || !rollout.bundle().is_empty();
    let hooks = deploy.hooks.secs_max();
    let expected = u64::from(deploy.expected_secs) * state.rest_of_bundle(rollout);
    hooks + expected + if reboots { u64::from(deploy.reboot_reserve_secs) } else { 0 }
}

/// Looks at one member that waits, or whose retry is due.
pub(crate) fn start(state: &State, now: Timestamp, at: At<'_>, turn: Turn) -> Start {
    let its_turn = match at.member.phase {
        Phase::Waiting | Phase::Draining => true,
        Phase::Deferred if !is_caught_up(state, at) => false,
        // Its pre hook failed not long ago.
        Phase::Deferred if at.member.deadline > state.secs(now) => {
            return Start::Later(state.at(at.member.deadline));
        }
        Phase::Deferred => true,
        // It may stand in the queue from an earlier retry; the one that counts comes with its deadline.
        Phase::Backoff => at.member.deadline <= state.secs(now),
        Phase::Ordered
        | Phase::Running
        | Phase::Recalling
        | Phase::Installed
        | Phase::RebootPending
        | Phase::Rebooting
        | Phase::Verified
        | Phase::Silent
        | Phase::Failed
        | Phase::Reverting
        | Phase::Reverted
        | Phase::RevertSilent
        | Phase::RolledBack
        | Phase::NeedsOperator
        | Phase::Skipped
        | Phase::Cancelled
        | Phase::Held
        | Phase::Removed
        | Phase::RevertDraining
        | Phase::Attached => false,
    };
    if !its_turn {
        return Start::Nothing;
    }
    let (last_start, read_since) = match turn {
        // An order that expires as it leaves is worth a try, and only one. A retry has its own: should it expire, it
        // is none any more.
        Turn::Open { last_start, .. }
            if last_start <= now && at.member.operation > 0 && at.member.phase != Phase::Backoff =>
        {
            return Start::Later(now.plus_secs(1));
        }
        Turn::Open { last_start, read_since, .. } => (last_start, read_since),
        Turn::Later(at) => return Start::Later(at),
        Turn::Never => return Start::Nothing,
    };
    let endpoint = at.member.endpoint;
    let Some(slot) = state.endpoints.slot(endpoint).filter(|slot| !slot.gone) else {
        return Start::Settle(Event::Removed, None);
    };
    if is_taken_over(state, at) {
        let text = "a later rollout has taken it up";
        return Start::Settle(Event::Cancelled, Some((FailureKind::Denied, text.into())));
    }
    if let Some(kept) = keeps_back(state, slot, at) {
        return kept;
    }
    if let Some(settle) = stands_against(state, now, slot.environment, at) {
        return settle;
    }
    if matches!(at.member.phase, Phase::Waiting | Phase::Deferred) && state.leader(at).is_some() {
        return Start::Attach;
    }
    if !is_staged(state, now, at) {
        return Start::Unstaged;
    }
    // It has its place already, or takes over that of a mate which waits for the reboot.
    let ready = at.member.phase == Phase::Draining || state.follows_a_mate(at);
    if !ready && (slot.active().is_some() || state.posts.contains_key(&endpoint)) {
        return Start::Busy;
    }
    if !ready && let Some(full) = full(state, at) {
        return Start::Full(full);
    }
    let read = || if slot.conditions.has(Bits::ASKED) { Start::Busy } else { Start::Read };
    let waits_for_reboot = slot.conditions.has(Bits::REBOOT_PENDING);
    if waits_for_reboot && !comes_first(slot, at) {
        return Start::Busy;
    }
    // Whoever catches up is not rebooted either before it has checked in.
    if read_since > 0 && is_unread(state, now, at, read_since) {
        return read();
    }
    if waits_for_reboot {
        return Start::Reboot;
    }
    if is_unread(state, now, at, 0) {
        return read();
    }
    let acknowledge_by = now.plus_secs(at.rollout.policy().deploy.acknowledge_within_secs.into());
    Start::Order { due: state.due(acknowledge_by.min(last_start).max(now)) }
}

/// The first budget of the endpoint or its ring that has no place left (semantics S12).
pub(crate) fn full(state: &State, at: At<'_>) -> Option<Full> {
    if let Some((innermost, full)) = state.cache.budgets.full_for(&state.endpoints, at.member.endpoint) {
        return Some(Full::Scope { innermost, full });
    }
    let ring = at.member.ring;
    let retries = at.member.phase == Phase::Backoff;
    if !(if retries { at.rollout.ring_has_place(ring) } else { at.rollout.ring_has_room(ring) }) {
        return Some(Full::Ring { ring, retries });
    }
    // What is unavailable already does not become so: it is the one that must be brought back first.
    let slot = state.endpoints.slot(at.member.endpoint).filter(|slot| slot.is_grouped() && !slot.is_down());
    let group = slot.map(|_| state.endpoints.group_of(at.member.endpoint))?;
    (!state.cache.groups.has_room(group)).then_some(Full::Group(group))
}

/// What keeps the member from starting for good, looked at again for every attempt.
fn stands_against(state: &State, now: Timestamp, environment: Environment, at: At<'_>) -> Option<Start> {
    let settle = |event, kind, text: &'static str| Some(Start::Settle(event, Some((kind, text.into()))));
    // A member that has failed once counts as started: it is not held or skipped any more, it is cancelled.
    let fresh = matches!(at.member.phase, Phase::Waiting | Phase::Draining | Phase::Deferred);
    let held = if fresh { Event::Held } else { Event::Cancelled };
    let wanted = match at.rollout.kind() {
        RolloutKind::Trial => Environment::NonProduction,
        RolloutKind::Deployment => Environment::Production,
    };
    if environment != wanted {
        let text = "its environment changed after the plan was made";
        return settle(Event::Cancelled, FailureKind::Denied, text);
    }
    if !state.holds.is_empty() && state.holds.contains(&(at.rollout.candidate(), at.member.endpoint)) {
        return settle(held, FailureKind::Denied, "it was rolled back from this version and is held");
    }
    let entry = state.candidate(at.rollout.candidate());
    let need = entry.and_then(|entry| entry.needs.get(at.member.endpoint));
    match need.map(|need| need.standing) {
        Some(Standing::Needs) => {}
        // Whoever has failed and has it now is ordered once more: the look after it verifies.
        Some(Standing::Has) if !fresh => {}
        Some(Standing::Has) => return Some(Start::Settle(Event::Skipped, None)),
        Some(Standing::NotApplicable) | None => return Some(Start::Settle(Event::Removed, None)),
    }
    match entry.and_then(|entry| state.newer_there(entry, at.member.endpoint)) {
        None => {}
        Some(Newer::Present) if fresh => return Some(Start::Settle(Event::Skipped, None)),
        Some(Newer::Present) => {
            return settle(Event::Cancelled, FailureKind::Denied, "something newer is installed there");
        }
        Some(Newer::Unknown(why)) => {
            return Some(Start::Settle(held, Some((FailureKind::Denied, why.into()))));
        }
    }
    if state.is_replaced_there(at.rollout.candidate(), at.member.endpoint) {
        let text = "what replaces it is installed there";
        return if fresh {
            Some(Start::Settle(Event::Skipped, None))
        } else {
            settle(Event::Cancelled, FailureKind::Denied, text)
        };
    }
    if let Some(entry) = entry.filter(|entry| state.has_kin(entry)) {
        if let Some(conflict) = state.in_conflict(entry, at.member.endpoint) {
            return Some(Start::Settle(held, Some((FailureKind::Denied, conflict.into()))));
        }
        if state.missing_before(entry, at.member.endpoint, at.rollout.bundle()).is_some() {
            return Some(Start::Waits);
        }
    }
    if !at.rollout.bundle().is_empty() && fresh && state.mates_ahead(at).next().is_some() {
        return Some(Start::Waits);
    }
    if at.rollout.policy().rollback.without_path.is_none() {
        // The plan's way back is looked at again: it may be gone by now, or have ended. After an attempt a look sees
        // what that attempt left there and no longer what was there before: then what was recorded counts.
        let path = need.map_or(RollbackPath::None, |need| need.path);
        let is_gone = at.member.attempt == 0 && path == RollbackPath::None;
        if at.member.path() == RollbackPath::None || is_gone {
            return settle(held, FailureKind::NoRollbackPath, "no rollback path is known");
        }
        if is_refused_snapshot(state, at) {
            let text = "restoring a snapshot would lose its own state; it needs another way back";
            return settle(held, FailureKind::NoRollbackPath, text);
        }
        if state.path_ended(at.rollout.candidate(), at.member.endpoint, now).is_some() {
            return Some(Start::Lapsed);
        }
    }
    if lacks_snapshot(state, at) {
        return Some(Start::Waits);
    }
    if !at.member.may_start_again() {
        let text = "224 orders were issued for it already; what is left is for reboots and the way back";
        return settle(held, FailureKind::Other, text);
    }
    None
}

/// Why a member needs no content now: something keeps it from starting, or somebody else installs it there. `None` when
/// it may need its content.
pub(super) fn unneeded(state: &State, now: Timestamp, environment: Environment, at: At<'_>) -> Option<Stage> {
    match stands_against(state, now, environment, at) {
        None | Some(Start::Waits | Start::Lapsed) => state.leader(at).map(|_| Stage::Waits),
        Some(_) => Some(Stage::Settles),
    }
}

/// Whether the way back of a member is a snapshot that must not be restored there (semantics S10).
pub(crate) fn is_refused_snapshot(state: &State, at: At<'_>) -> bool {
    at.member.path() == RollbackPath::Snapshot && is_stateful(state, at)
}

/// Whether the policy requires a snapshot that the member does not have.
pub(crate) fn lacks_snapshot(state: &State, at: At<'_>) -> bool {
    at.rollout.policy().rollback.snapshot == SnapshotRule::Required
        && at.member.path() != RollbackPath::Snapshot
        && !is_stateful(state, at)
}

fn is_stateful(state: &State, at: At<'_>) -> bool {
    let attributes = state.endpoints.attributes(at.member.endpoint);
    attributes.is_some_and(|attributes| at.rollout.policy().rollback.is_stateful(attributes))
}

/// Whether a waiting member may start before long: nothing but its turn is missing.
pub(crate) fn may_come(state: &State, now: Timestamp, at: At<'_>) -> bool {
    let Some(slot) = state.endpoints.slot(at.member.endpoint) else { return false };
    goes_on(state, now, at.rollout)
        && !is_taken_over(state, at)
        && match stands_against(state, now, slot.environment, at) {
            None => true,
            // Behind mates it comes when they do; for anything else nobody knows how long.
            Some(Start::Waits) => {
                let mut ahead = state.mates_ahead(at).peekable();
                let comes = |mate: At<'_>| match mate.member.phase {
                    Phase::Waiting => may_come(state, now, mate),
                    // What was asked after in vain, and has taken as long as it may, is not waited for.
                    Phase::Silent => state.may_run_until(now, mate).is_some(),
                    Phase::Ordered
                    | Phase::Running
                    | Phase::Recalling
                    | Phase::Installed
                    | Phase::RebootPending
                    | Phase::Rebooting
                    | Phase::Backoff
                    | Phase::Verified
                    | Phase::Failed
                    | Phase::Reverting
                    | Phase::Reverted
                    | Phase::RevertSilent
                    | Phase::RolledBack
                    | Phase::NeedsOperator
                    | Phase::Deferred
                    | Phase::Skipped
                    | Phase::Cancelled
                    | Phase::Held
                    | Phase::Removed
                    | Phase::Attached
                    | Phase::Draining
                    | Phase::RevertDraining => true,
                };
                ahead.peek().is_some() && ahead.all(comes)
            }
            Some(_) => false,
        }
}

/// A way back that has ended is a fact, once for each time that it does.
pub(crate) fn lapsed(state: &State, at: At<'_>) -> Option<Fact> {
    let (candidate, endpoint) = (at.rollout.candidate(), at.member.endpoint);
    let until = *state.candidate(candidate)?.paths_until.get(&endpoint)?;
    if state.lapsed.contains(&(candidate, endpoint)) {
        return None;
    }
    Some(RichFact::PathLapsed { candidate, endpoint, until }.into())
}
