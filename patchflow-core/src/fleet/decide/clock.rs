//! Due dates: rated when a patch is published, told of when they come near, a fact when they have passed (semantics S7).

use super::{At, Facts};
use crate::candidate::Candidate;
use crate::catalog::Patch;
use crate::fleet::RichFact;
use crate::fleet::message::observation::Standing;
use crate::fleet::state::{CandidateEntry, State};
use crate::fleet::{EndpointSeen, NeedFact};
use crate::ids::{CandidateId, EndpointIx};
use crate::inventory::{Attributes, Environment};
use crate::policy::Policy;
use crate::risk::{Assessment, DueDates, DueLimits, Priority, RiskRules, Surroundings, rate_patch};
use crate::rollout::Phase;
use crate::time::Timestamp;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec::Vec;

impl State {
    /// The limits of the policy that holds, else the field's.
    pub(in crate::fleet) fn due_limits(&self) -> &dyn DueDates {
        self.policy.as_ref().map_or(&DueLimits::STANDARD, |(policy, _)| &**policy)
    }

    /// The rating of a patch by the policy that holds, else by the field's rules.
    pub(super) fn rated(&self, now: Timestamp, id: CandidateId, patch: &Patch) -> Assessment {
        match &self.policy {
            Some((policy, _)) => self.rated_by(now, id, patch, &policy.risk, &**policy),
            None => self.rated_by(now, id, patch, &RiskRules::default(), &DueLimits::STANDARD),
        }
    }

    /// The rating of a patch, with the clocks of what it replaces: of its own older content, and of other patches.
    fn rated_by(
        &self,
        now: Timestamp,
        id: CandidateId,
        patch: &Patch,
        rules: &RiskRules,
        limits: &dyn DueDates,
    ) -> Assessment {
        let needed_on = if rules.read_endpoints() { self.needed_on(now, id) } else { Vec::new() };
        let rated = rate_patch(patch, &needed_on, rules, limits, now).assessment;
        self.clocks_before(id, patch).into_iter().filter_map(|older| self.candidate(older)).fold(
            rated,
            |rated, older| {
                let older = older.candidate.identified();
                rated.replacing(patch.category, (older.patch().category, older.risk()))
            },
        )
    }

    /// What replaces a patch that was published, or rated anew, takes over its clocks where they are earlier.
    pub(super) fn hand_on(&self, patch: &Patch, risk: &Assessment, facts: &mut Facts) {
        for by in self.replacing_patch(&patch.id) {
            let Some(entry) = self.candidate(by).filter(|_| self.is_live(by)) else { continue };
            let newer = entry.candidate.identified();
            let before = newer.risk();
            let risk = before.clone().replacing(newer.patch().category, (patch.category, risk));
            if risk != *before {
                let patch = newer.patch().clone();
                facts.push(RichFact::CandidateRerated { candidate: by, patch, risk }.into());
            }
        }
    }

    /// On what kinds of endpoints a candidate is needed.
    fn needed_on(&self, now: Timestamp, id: CandidateId) -> Vec<Surroundings> {
        let needs = self.candidate(id).into_iter().flat_map(|entry| entry.needs.iter());
        let needing =
            needs.filter(|(_, need)| need.standing == Standing::Needs).map(|(endpoint, _)| endpoint);
        self.surroundings(now, needing)
    }

    /// What rules read of endpoints, each kind once.
    fn surroundings(&self, now: Timestamp, endpoints: impl Iterator<Item = EndpointIx>) -> Vec<Surroundings> {
        let of = |endpoint| {
            let slot = self.endpoints.slot(endpoint).filter(|slot| !slot.gone)?;
            Some(placed(slot.environment, self.endpoints.attributes(endpoint)?, now))
        };
        endpoints.filter_map(of).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// A candidate is needed on endpoints on which it was not: where rules rate it higher there, it is more urgent from
    /// now on. That it is needed there no more makes it no less urgent by itself.
    pub(super) fn raised(&self, now: Timestamp, id: CandidateId, needs: &[NeedFact]) -> Option<RichFact> {
        let needing = needs.iter().filter(|need| need.standing == Standing::Needs).map(|need| need.endpoint);
        self.raised_on(now, id, &self.surroundings(now, needing))
    }

    /// Endpoints are told with something else that rules read, such as that the Internet reaches them: what is needed there
    /// may be more urgent. Less than before lowers nothing.
    pub(super) fn raised_by(&self, now: Timestamp, seen: &[(EndpointIx, &EndpointSeen)], facts: &mut Facts) {
        let seen: Vec<_> = seen
            .iter()
            .map(|(endpoint, seen)| (*endpoint, placed(seen.environment, &seen.attributes(), now)))
            .filter(|(endpoint, there)| !self.surroundings(now, core::iter::once(*endpoint)).contains(there))
            .collect();
        if seen.is_empty() {
            return;
        }
        for entry in
            self.candidates.iter().filter(|entry| !matches!(entry.candidate, Candidate::Withdrawn(_)))
        {
            let is_needed =
                |endpoint| entry.needs.get(endpoint).is_some_and(|n| n.standing == Standing::Needs);
            let there: BTreeSet<_> =
                seen.iter().filter(|(endpoint, _)| is_needed(*endpoint)).map(|(_, there)| *there).collect();
            let there: Vec<_> = there.into_iter().collect();
            facts.extend(self.raised_on(now, entry.candidate.identified().id(), &there).map(Into::into));
        }
    }

    fn raised_on(&self, now: Timestamp, id: CandidateId, there: &[Surroundings]) -> Option<RichFact> {
        let ((policy, _), entry) = self.policy.as_ref().zip(self.candidate(id))?;
        if !policy.risk.read_endpoints() || there.is_empty() {
            return None;
        }
        let identified = entry.candidate.identified();
        let (patch, before) = (identified.patch(), identified.risk());
        let rated = rate_patch(patch, there, &policy.risk, &**policy, now).assessment;
        (rated.priority > before.priority).then(|| {
            let risk = rated.after(before, now, &**policy);
            RichFact::CandidateRerated { candidate: id, patch: patch.clone(), risk }
        })
    }

    /// What another policy rates otherwise; what is withdrawn is over. Where its rules say the same, a rating stays.
    pub(super) fn rated_anew(&self, now: Timestamp, policy: &Policy, facts: &mut Facts) {
        for entry in &self.candidates {
            let identified = entry.candidate.identified();
            let (id, patch, before) = (identified.id(), identified.patch(), identified.risk());
            if matches!(entry.candidate, Candidate::Withdrawn(_)) {
                continue;
            }
            let risk = self.rated_by(now, id, patch, &policy.risk, policy);
            if (risk.priority, &risk.why) != (before.priority, &before.why) {
                let risk = risk.after(before, now, policy);
                facts.push(RichFact::CandidateRerated { candidate: id, patch: patch.clone(), risk }.into());
            }
        }
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

    pub(crate) fn is_done(&self, entry: &CandidateEntry, endpoint: EndpointIx) -> bool {
        entry.deployments.iter().filter_map(|id| self.rollout(*id)).any(|rollout| {
            let member = rollout.member_of(endpoint).and_then(|ix| rollout.members().get(ix.index()));
            member.is_some_and(|member| matches!(member.phase(), Phase::Verified | Phase::Skipped))
        })
    }
}

/// What rules read of an endpoint.
fn placed(environment: Environment, attributes: &Attributes, now: Timestamp) -> Surroundings {
    let Attributes { criticality, exposure, end_of_life, .. } = attributes;
    let end_of_life = end_of_life.as_ref().map(|end| end.has_come(now));
    Surroundings { environment, criticality: *criticality, exposure: *exposure, end_of_life }
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

/// Tells of the first install that a critical candidate should have. Returns when to look again.
pub(crate) fn first_install(
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
/// counts endpoints only then. Returns when to look again, if nothing but time changes.
pub(crate) fn due_date(
    state: &State,
    now: Timestamp,
    entry: &CandidateEntry,
    facts: &mut Facts,
) -> Option<Timestamp> {
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
