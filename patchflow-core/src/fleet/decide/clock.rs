//! Due dates: rated when a patch is published, told of when they come near, a fact when they have passed (semantics S7).

use super::{At, Facts};
use crate::candidate::Candidate;
use crate::catalog::Patch;
use crate::fleet::RichFact;
use crate::fleet::message::observation::Standing;
use crate::fleet::state::{CandidateEntry, State};
use crate::ids::{CandidateId, EndpointIx};
use crate::inventory::Environment;
use crate::risk::{Assessment, DueDates, DueLimits, Priority, assess};
use crate::rollout::Phase;
use crate::time::Timestamp;
use alloc::format;

impl State {
    /// The limits of the policy that holds, else the field's.
    pub(in crate::fleet) fn due_limits(&self) -> &dyn DueDates {
        self.policy.as_ref().map_or(&DueLimits::STANDARD, |(policy, _)| &**policy)
    }

    /// The rating of a patch, with the clocks of what it replaces: of its own older content, and of other patches.
    pub(super) fn rated(&self, now: Timestamp, id: CandidateId, patch: &Patch) -> Assessment {
        let rated = assess(patch, now, self.due_limits());
        let same = self.by_patch.get(&patch.id).copied().filter(|same| *same != id);
        let named = patch.relations.supersedes.iter().filter_map(|name| self.by_patch.get(name).copied());
        // What those replaced themselves stands in their own clocks already.
        same.into_iter().chain(named).filter(|older| *older != id).fold(rated, |rated, older| {
            match self.candidate(older) {
                Some(older) => rated.replacing(patch.category, older.candidate.identified().risk()),
                None => rated,
            }
        })
    }

    /// Production endpoints in service that need a candidate and do not have it verified, each with its own due date.
    fn overdue<'a>(&'a self, entry: &'a CandidateEntry) -> impl Iterator<Item = Timestamp> + 'a {
        let risk = entry.candidate.identified().risk();
        let needing = entry.needs.iter().filter(|(_, need)| need.standing == Standing::Needs);
        let needing = needing.filter(|(endpoint, _)| !self.is_onboarding(*endpoint));
        needing.filter(|(endpoint, _)| !self.is_done(entry, *endpoint)).filter_map(|(endpoint, need)| {
            self.endpoints.slot(endpoint).filter(|s| !s.gone && s.environment == Environment::Production)?;
            risk.due_there(self.day_began(need.day), self.due_limits())
        })
    }

    pub(super) fn is_done(&self, entry: &CandidateEntry, endpoint: EndpointIx) -> bool {
        entry.deployments.iter().filter_map(|id| self.rollout(*id)).any(|rollout| {
            let member = rollout.member_of(endpoint).and_then(|ix| rollout.members().get(ix.index()));
            member.is_some_and(|member| matches!(member.phase(), Phase::Verified | Phase::Skipped))
        })
    }
}

/// Tells of due dates that come near or have passed. Returns when to look again.
pub(crate) fn clock(
    state: &State,
    now: Timestamp,
    entry: &CandidateEntry,
    facts: &mut Facts,
) -> Option<Timestamp> {
    let first = first_install(state, now, entry, facts);
    first.into_iter().chain(due_date(state, now, entry, facts)).min()
}

/// Until when a critical candidate should have its first install on a non-production endpoint (semantics S7); `None`
/// when it has it, or is not critical, or its trial is behind it or not asked for.
pub(crate) fn first_install_due(state: &State, entry: &CandidateEntry) -> Option<Timestamp> {
    let (policy, _) = state.policy.as_ref()?;
    let Candidate::Identified(identified) = &entry.candidate else { return None };
    let wanted = identified.risk().priority == Priority::Critical
        && entry.clock.first_install.is_none()
        && super::candidate::trial_rule(policy, identified).is_some()
        && entry.needs.iter().any(|(_, need)| need.standing == Standing::Needs);
    let seen = |at: Option<Timestamp>| at.filter(|at| *at <= identified.identified_at());
    let patch = identified.patch();
    // Its own dates: what it replaces had a first install of its own. Whoever becomes critical later has as long from then.
    let fixed = seen(patch.released).unwrap_or(identified.identified_at());
    let from = seen(patch.disclosed).into_iter().chain(entry.clock.critical_since).fold(fixed, Ord::max);
    wanted.then(|| from.plus_secs(policy.clock.first_install_within_secs.into()))
}

fn first_install(
    state: &State,
    now: Timestamp,
    entry: &CandidateEntry,
    facts: &mut Facts,
) -> Option<Timestamp> {
    let due = first_install_due(state, entry)?;
    let (policy, _) = state.policy.as_ref()?;
    let candidate = entry.candidate.identified().id();
    if entry.clock.first_told || !state.is_live(candidate) {
        return None;
    }
    if now >= due {
        facts.push(RichFact::FirstInstallOverdue { candidate, due }.into());
        return None;
    }
    let before = policy.clock.first_install_warned_secs();
    if before == 0 || entry.clock.first_warned {
        return Some(due);
    }
    let warns_at = Timestamp::from_millis(due.as_millis() - i64::from(before) * 1000);
    if now < warns_at {
        return Some(warns_at);
    }
    facts.push(RichFact::FirstInstallNeared { candidate, due }.into());
    Some(due)
}

/// Tells of the due date, when it comes near and when it has passed, once each and with the number of endpoints. It
/// counts endpoints only then.
fn due_date(state: &State, now: Timestamp, entry: &CandidateEntry, facts: &mut Facts) -> Option<Timestamp> {
    let (policy, _) = state.policy.as_ref()?;
    let identified = entry.candidate.identified();
    let (candidate, due) = (identified.id(), identified.risk().due?);
    if !state.is_live(candidate) {
        return None;
    }
    if now < due {
        let before = i64::from(policy.clock.warn_before_secs) * 1000;
        let warns_at = Timestamp::from_millis(due.as_millis() - before);
        if entry.clock.warned || before == 0 {
            return Some(due);
        }
        if now < warns_at {
            return Some(warns_at);
        }
        let endpoints = state.overdue(entry).count() as u32;
        if endpoints > 0 {
            facts.push(RichFact::DeadlineNeared { candidate, due, endpoints }.into());
        }
        return Some(due);
    }
    if let Some(next) = entry.clock.next.filter(|next| now < *next) {
        return Some(next);
    }
    let (mut endpoints, mut new, mut next) = (0, 0, None::<Timestamp>);
    for due in state.overdue(entry) {
        if due <= now {
            endpoints += 1;
            new += u32::from(entry.clock.told.is_none_or(|told| due > told));
        } else {
            next = Some(next.map_or(due, |next| next.min(due)));
        }
    }
    if new > 0 {
        facts.push(RichFact::DeadlinePassed { candidate, due, endpoints, next }.into());
    }
    next
}

/// The first order of a rollout that leaves outside of the windows says why.
pub(crate) fn outside(state: &State, at: At<'_>, facts: &mut Facts) {
    if at.rollout.outside {
        return;
    }
    let reason = match (at.rollout.emergency(), state.due_there(at.rollout, at.member.endpoint)) {
        (Some(emergency), _) => format!("{} called it an emergency: {}", emergency.by, emergency.reason),
        (None, _) if state.is_onboarding(at.member.endpoint) => {
            "endpoints that are not in service yet".into()
        }
        (None, Some(due)) => format!("it was due {due}"),
        (None, None) => return,
    };
    facts.push(RichFact::WindowPassed { rollout: at.rollout.id(), reason }.into());
}
