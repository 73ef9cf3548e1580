//! Bundles: rollouts that were started together, install one after another on each endpoint, and reboot it once at the
//! end (semantics S11).
//!
//! A bundle is one rollout for each of its candidates, over the same rings. Its members on one endpoint are *mates*. A
//! mate that waits for its reboot lets the next one go on with the endpoint and hands its place over, so that a bundle
//! takes one place of the budgets; the last one reboots for all, and then each is looked at anew.

use crate::error::{Finding, Refusal};
use crate::fleet::Fact;
use crate::fleet::decide::{self, At};
use crate::fleet::state::State;
use crate::gate::Class;
use crate::ids::{CandidateId, EndpointIx, MemberIx, RolloutId};
use crate::inventory::Environment;
use crate::plan::{RolloutDraft, RolloutPlan, Starter};
use crate::rollout::{Event, Phase, Rollout};
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// More at once is a mistake rather than a bundle.
const BUNDLE_MAX: usize = 16;

impl State {
    /// The others of a bundle on an endpoint, in the order in which they install.
    pub(crate) fn mates(&self, id: RolloutId, endpoint: EndpointIx) -> impl Iterator<Item = At<'_>> {
        let bundle = self.rollout(id).map_or(&[][..], |rollout| rollout.bundle());
        let others = bundle.iter().filter(move |other| **other != id);
        others.filter_map(move |other| self.member(*other, self.rollout(*other)?.member_of(endpoint)?))
    }

    /// Those of its bundle that are to be installed on its endpoint before it and are not yet.
    pub(crate) fn mates_ahead<'a>(&'a self, at: At<'a>) -> impl Iterator<Item = At<'a>> {
        self.mates(at.rollout.id(), at.member.endpoint).filter(move |mate| {
            let comes =
                matches!(mate.member.phase.class(), Class::Waiting | Class::InFlight | Class::Unknown);
            mate.rollout.id() < at.rollout.id()
                && comes
                && mate.member.phase != Phase::RebootPending
                && !mate.rollout.is_over()
        })
    }

    /// Whether its endpoint is taken by a mate that waits for its reboot, which is no reason to wait.
    pub(crate) fn follows_a_mate(&self, at: At<'_>) -> bool {
        let active = self.endpoints.slot(at.member.endpoint).and_then(|slot| slot.active());
        let Some((rollout, member)) = active.filter(|(active, _)| at.rollout.bundle().contains(active))
        else {
            return false;
        };
        rollout != at.rollout.id()
            && self.member(rollout, member).is_some_and(|mate| mate.member.phase == Phase::RebootPending)
    }

    /// Whether a mate brings what it needs, and only its reboot is missing.
    pub(crate) fn is_beside(
        &self,
        candidate: CandidateId,
        endpoint: EndpointIx,
        bundle: &[RolloutId],
    ) -> bool {
        bundle.iter().filter_map(|id| self.rollout(*id)).any(|rollout| {
            let member = rollout.member_of(endpoint).and_then(|ix| rollout.members().get(ix.index()));
            rollout.candidate() == candidate && member.is_some_and(|m| m.phase() == Phase::RebootPending)
        })
    }

    /// Whether the reboot is another's to do, or comes once others of the bundle are installed.
    pub(crate) fn leaves_its_reboot(&self, now: Timestamp, at: At<'_>) -> bool {
        self.mates(at.rollout.id(), at.member.endpoint).any(|mate| match mate.member.phase {
            Phase::RebootPending => mate.rollout.id() > at.rollout.id(),
            Phase::Waiting | Phase::Backoff => decide::may_come(self, now, mate),
            Phase::Silent => self.may_run_until(now, mate).is_some(),
            Phase::Ordered
            | Phase::Running
            | Phase::Recalling
            | Phase::Installed
            | Phase::Rebooting
            | Phase::Reverting
            | Phase::Reverted
            | Phase::RevertSilent
            | Phase::Draining
            | Phase::RevertDraining => true,
            Phase::Verified
            | Phase::Failed
            | Phase::RolledBack
            | Phase::NeedsOperator
            | Phase::Deferred
            | Phase::Skipped
            | Phase::Cancelled
            | Phase::Held
            | Phase::Removed
            | Phase::Attached => false,
        })
    }

    /// Until when a silent operation may still be at work: it is asked after, or has not taken as long as it may. After
    /// that the part is unknown, and the others do not wait for it.
    pub(crate) fn may_run_until(&self, now: Timestamp, at: At<'_>) -> Option<Timestamp> {
        if at.member.deadline != 0 {
            return Some(self.at(at.member.deadline));
        }
        let end = self.patience.ends.get(&(at.rollout.id(), at.ix)).map(|end| self.at(*end));
        end.filter(|end| *end > now)
    }

    /// When the first of the silent ones of a bundle on an endpoint has taken as long as it may.
    pub(crate) fn silence_ends(
        &self,
        now: Timestamp,
        id: RolloutId,
        endpoint: EndpointIx,
    ) -> Option<Timestamp> {
        let silent = self.mates(id, endpoint).filter(|mate| mate.member.phase == Phase::Silent);
        silent.filter_map(|mate| self.may_run_until(now, mate)).min()
    }

    /// How many of a bundle are to be installed from this one on; each must fit into the window.
    pub(crate) fn rest_of_bundle(&self, rollout: &Rollout) -> u64 {
        rollout.bundle().iter().skip_while(|id| **id != rollout.id()).count().max(1) as u64
    }

    /// After the one reboot: the mates that waited for it are looked at anew.
    pub(crate) fn rebooted_with(&self, at: At<'_>, due: u32) -> impl Iterator<Item = Fact> {
        self.mates(at.rollout.id(), at.member.endpoint)
            .filter(|mate| mate.member.phase == Phase::RebootPending)
            .map(move |mate| mate.fact(Event::Rebooted, 0, due))
    }

    /// An order goes to an endpoint that a mate has: the place is handed over.
    pub(crate) fn take_over_from_mate(&mut self, id: RolloutId, endpoint: EndpointIx) {
        let Some(rollout) = self.rollout(id).filter(|rollout| !rollout.bundle().is_empty()) else { return };
        let active = self.endpoints.slot(endpoint).and_then(|slot| slot.active());
        let Some((mate, member)) = active.filter(|(mate, _)| *mate != id && rollout.bundle().contains(mate))
        else {
            return;
        };
        let gave = self.rollouts.get_mut(mate.index()).is_some_and(|mate| mate.give_up_place(member));
        if gave && self.cache.live && self.cache.budgets.is_counting() {
            self.count_place(endpoint, false);
        }
    }

    /// The next member that takes over the place of a mate, which needs no room in the budgets.
    pub(crate) fn next_follower(&mut self, id: RolloutId) -> Option<MemberIx> {
        let rollout = self.rollout(id).filter(|rollout| !rollout.bundle().is_empty())?;
        let again = rollout.queue.again.iter();
        let next = again.filter_map(|ix| self.member(id, ix)).find(|at| self.follows_a_mate(*at))?.ix;
        self.rollouts[id.index()].queue.again.remove(next);
        Some(next)
    }

    /// Who else of the bundle still has the endpoint when one lets it go.
    pub(crate) fn left_with(&self, id: RolloutId, endpoint: EndpointIx) -> Option<(RolloutId, MemberIx)> {
        self.mates(id, endpoint)
            .find(|mate| mate.member.phase.occupies())
            .map(|mate| (mate.rollout.id(), mate.ix))
    }

    /// Something happened to a member of a bundle: its mates may have waited for that.
    pub(crate) fn wake_mates(&mut self, id: RolloutId, endpoint: EndpointIx) {
        let mates: Vec<_> =
            self.mates(id, endpoint).map(|mate| (mate.rollout.id(), mate.ix, mate.member.phase)).collect();
        for (mate, member, phase) in mates {
            match phase {
                Phase::RebootPending => self.cache.tending.push((mate, member)),
                Phase::Waiting | Phase::Backoff => {
                    self.rollouts[mate.index()].queue.again.insert(member);
                    self.put_on_agenda(mate);
                }
                Phase::Ordered
                | Phase::Running
                | Phase::Recalling
                | Phase::Installed
                | Phase::Rebooting
                | Phase::Verified
                | Phase::Silent
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
                | Phase::RevertDraining => {}
            }
        }
    }

    /// A rollout of a bundle was looked at: what it became may let reboots of its mates go.
    pub(crate) fn tend_mates(&mut self, id: RolloutId) {
        let Self { rollouts, cache, .. } = self;
        let Some(rollout) = rollouts.get(id.index()).filter(|rollout| !rollout.bundle.is_empty()) else {
            return;
        };
        let mates = rollout.bundle.iter().filter(|mate| **mate != id);
        for mate in mates.filter_map(|mate| rollouts.get(mate.index())).filter(|m| m.reboots_pending > 0) {
            let pending = mate.members.iter().zip(0..).filter(|(m, _)| m.phase == Phase::RebootPending);
            cache.tending.extend(pending.map(|(_, ix)| (mate.id, MemberIx(ix))));
        }
    }

    /// The candidates of a draft in the order in which they install, each with its plan over the same rings.
    pub(crate) fn bundled(&self, draft: &RolloutDraft) -> Result<Vec<RolloutPlan>, Refusal> {
        let all = core::iter::once(draft.candidate).chain(draft.bundle.iter().copied());
        let all: Vec<_> = all.collect();
        let unsound = |findings| Refusal::Unsound { findings };
        let first = self.startable(draft.candidate)?;
        if all.len() == 1 {
            return Ok(Vec::from([self.plan(first, draft).map_err(unsound)?]));
        }
        for candidate in &draft.bundle {
            self.startable(*candidate)?;
        }
        let findings = self.findings_of_bundle(&all);
        if !findings.is_empty() {
            return Err(unsound(findings));
        }
        let whole = self.plan(first, draft).map_err(unsound)?;
        let mut plans = Vec::new();
        for candidate in self.in_order(all) {
            let approved = self.startable(candidate)?;
            let Some(entry) = self.candidate(candidate) else { continue };
            let starters = self.starters(entry, Environment::Production).into_iter();
            let starters: BTreeMap<_, Starter<'_>> = starters.map(|s| (s.endpoint, s)).collect();
            let mut members = whole.members().iter();
            let rings: Vec<_> = whole
                .rings()
                .iter()
                .map(|ring| {
                    let here = members.by_ref().take(ring.size as usize);
                    let here: Vec<_> = here.filter_map(|member| starters.get(member).cloned()).collect();
                    (ring.name.clone(), ring.gate.clone(), here)
                })
                .collect();
            // Nobody may need one of them: the others are installed without it.
            plans.extend(RolloutPlan::over_rings(approved, draft.select.clone(), rings));
        }
        Ok(plans)
    }

    /// All that need any candidate of a draft: who needs several stands in it once.
    pub(crate) fn starters_of(&self, draft: &RolloutDraft) -> Vec<Starter<'_>> {
        let mut starters: BTreeMap<EndpointIx, Starter<'_>> = BTreeMap::new();
        for candidate in core::iter::once(&draft.candidate).chain(&draft.bundle) {
            let Some(entry) = self.candidate(*candidate) else { continue };
            for starter in self.starters(entry, Environment::Production) {
                starters.entry(starter.endpoint).or_insert(starter);
            }
        }
        starters.into_values().collect()
    }

    /// What stands before comes before; else the order in which they are named.
    fn in_order(&self, mut left: Vec<CandidateId>) -> Vec<CandidateId> {
        let mut sorted = Vec::with_capacity(left.len());
        while !left.is_empty() {
            // Circles are held and cannot be started, so that there is always one.
            let next = left
                .iter()
                .position(|id| left.iter().all(|other| other == id || !self.stands_on(*id, *other)));
            sorted.push(left.remove(next.unwrap_or(0)));
        }
        sorted
    }

    fn findings_of_bundle(&self, all: &[CandidateId]) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut say = |i: usize, text: String| findings.push(Finding::new(format!("bundle[{i}]"), text));
        if all.len() > BUNDLE_MAX {
            say(BUNDLE_MAX - 1, format!("{} at once; a bundle has at most {BUNDLE_MAX}", all.len()));
        }
        let (mut seen, mut packages) = (BTreeSet::new(), BTreeMap::new());
        for (i, id) in all.iter().enumerate() {
            let (Some(entry), at) = (self.candidate(*id), i.saturating_sub(1)) else { continue };
            if !seen.insert(*id) {
                say(at, format!("{id} is named twice"));
                continue;
            }
            let patch = entry.candidate.identified().patch();
            if let Some(other) = packages.insert(&patch.target.package, &patch.id) {
                say(
                    at,
                    format!(
                        "{} and {other} install the same package; each is an order of its own, verified \
                         before the next",
                        patch.id
                    ),
                );
            }
            for other in all[..i].iter().filter(|other| self.cannot_be_beside(*id, **other)) {
                let other = self.candidate(*other).map(|other| &other.candidate.identified().patch().id);
                if let Some(other) = other {
                    say(at, format!("{} conflicts with {other}", patch.id));
                }
            }
        }
        findings
    }
}

impl Rollout {
    /// The rollouts that were started together with it, itself among them, in the order in which they install; empty
    /// when it is no part of a bundle.
    #[must_use]
    pub fn bundle(&self) -> &[RolloutId] {
        &self.bundle
    }
}
