//! What the world shows, beyond orders: endpoints, patches, needs, alerts, answers from outside.

use super::reports::Fits;
use super::state::{Candidate, Endpoint, Model, Need, Stage, may_still_move};
use patchflow_core::catalog::Patch;
use patchflow_core::fleet::{EndpointSeen, NeedSeen, Observation, Standing};
use patchflow_core::ids::{Actor, AskId, EndpointIx};
use patchflow_core::risk::{DueLimits, assess};
use patchflow_core::rollout::Phase;
use patchflow_core::time::Timestamp;
use std::collections::BTreeMap;

impl Model {
    /// Takes an observation; whether it fitted anything.
    pub(super) fn observe(&mut self, seen: &Observation<'_>) -> Fits {
        match seen {
            Observation::Time => Ok(true),
            Observation::Endpoints { endpoints } => {
                endpoints.iter().for_each(|seen| self.endpoint(seen));
                Ok(true)
            }
            Observation::EndpointGone { endpoint } => Ok(self.endpoint_gone(endpoint.index())),
            Observation::Unreachable { endpoints, since } => {
                let since = (*since).min(self.now);
                Ok(self.present_of(endpoints, |it| {
                    it.unreachable = true;
                    it.away_since.get_or_insert(since);
                }))
            }
            // Whoever comes back is read before it is ordered anything.
            Observation::Reachable { endpoints } => Ok(self.present_of(endpoints, |it| {
                it.stale |= it.unreachable;
                (it.unreachable, it.away_since) = (false, None);
            })),
            Observation::RebootsPending { endpoints, pending } => {
                Ok(self.reboots_pending(endpoints, *pending))
            }
            Observation::Stale { endpoints } => Ok(self.present_of(endpoints, |it| it.stale = true)),
            Observation::Read { endpoints } => Ok(self.present_of(endpoints, |it| {
                (it.unreachable, it.stale, it.away_since) = (false, false, None);
            })),
            Observation::Published { patch } => {
                self.published(patch);
                Ok(true)
            }
            Observation::Withdrawn { patch, .. } => Ok(self.withdraw(patch.as_str())),
            Observation::Needs { candidate, needs } => Ok(self.needs(candidate.index(), needs)),
            Observation::HookDone { order, stage, failure } => {
                Ok(self.hook_done(*order, *stage, failure.is_some()))
            }
            Observation::Identified => {
                self.candidates.iter_mut().for_each(|candidate| candidate.look = true);
                Ok(true)
            }
            Observation::Staged { stage, outcome } => self.staged(*stage, outcome),
            Observation::ContentHeld { content, endpoints, depot } => {
                Ok(self.content_held(*content, endpoints, depot.as_ref()))
            }
            Observation::Reported(report) => self.reported(report),
            Observation::Answered { order, answer } => self.answered(*order, answer),
            Observation::RecallAnswered { order, answer } => Ok(self.recall_answered(*order, *answer)),
            Observation::Inspected(seen) => self.inspected(seen),
            Observation::Approval { ask, by, approve, .. } => Ok(self.approval(*ask, by, *approve)),
            Observation::Alerts { rollout, ring, new } => {
                let rollout = self.rollouts.get_mut(rollout.index());
                let Some(ring) = rollout.and_then(|r| r.rings.get_mut(usize::from(*ring))) else {
                    return Ok(false);
                };
                ring.alerts_known = if ring.gate.max_alerts.is_some() || new.is_some_and(|new| new > 0) {
                    new.is_some()
                } else {
                    ring.alerts_known
                };
                ring.alerts += new.unwrap_or(0);
                Ok(true)
            }
            _ => Err(super::Illegal(format!("the model does not know {seen:?}"))),
        }
    }

    /// Something is said of endpoints; of those that left it says nothing. Whether all of them are known.
    fn present_of(&mut self, endpoints: &[EndpointIx], say: impl Fn(&mut Endpoint)) -> bool {
        for ix in endpoints {
            self.endpoints.get_mut(ix.index()).filter(|endpoint| !endpoint.gone).into_iter().for_each(&say);
        }
        endpoints.iter().all(|ix| ix.index() < self.endpoints.len())
    }

    /// S5: out of contact, or not read: it is ordered nothing.
    pub(super) fn is_kept(&self, endpoint: usize) -> bool {
        let at = &self.endpoints[endpoint];
        let quarantined = at.quarantined && !self.bent(super::Mutation::ClonesAreOrdered);
        let unread = at.stale && !self.bent(super::Mutation::OrdersTheUnread);
        at.unreachable || unread || quarantined || self.is_anothers(endpoint)
    }

    fn endpoint(&mut self, seen: &EndpointSeen) {
        match self.endpoint_named(seen.id.as_str()) {
            Some(known) if self.other_machine(known, seen) => {}
            Some(known) => {
                let back = &mut self.endpoints[known];
                // What it had when it left says nothing any more.
                back.stale |= back.gone;
                let was_managed = back.seen.managed_by.is_some();
                back.take_over(seen);
                if was_managed && seen.managed_by.is_none() {
                    self.let_go(known);
                }
            }
            None => {
                let (seen, machine) = (seen.clone(), seen.fingerprint.clone());
                self.endpoints.push(Endpoint {
                    seen,
                    gone: false,
                    fence: 0,
                    broken: false,
                    back: false,
                    unreachable: false,
                    stale: false,
                    away_since: None,
                    reboot_pending: false,
                    machine,
                    machine_before: None,
                    quarantined: false,
                    owned: false,
                    reboots: vec![],
                    reboots_stopped: false,
                    post: None,
                    drained: false,
                });
            }
        }
    }

    /// S5: out of every rollout that goes on, and out of every operation.
    fn endpoint_gone(&mut self, endpoint: usize) -> bool {
        if self.endpoints.get(endpoint).is_none_or(|endpoint| endpoint.gone) {
            return false;
        }
        for r in 0..self.rollouts.len() {
            for m in 0..self.rollouts[r].members.len() {
                let phase = self.phase((r, m));
                let concerned = may_still_move(phase) || !self.rollouts[r].is_over();
                if self.member((r, m)).endpoint == endpoint && concerned && phase != Phase::Removed {
                    self.put((r, m), Phase::Removed, None);
                }
            }
        }
        let left = &mut self.endpoints[endpoint];
        (left.gone, left.post, left.drained, left.reboots_stopped) = (true, None, false, false);
        (left.unreachable, left.stale) = (false, false);
        (left.away_since, left.reboot_pending, left.machine_before) = (None, false, None);
        (left.quarantined, left.owned, left.seen.managed_by) = (false, false, None);
        self.candidates.iter_mut().for_each(|candidate| {
            candidate.needs.remove(&endpoint);
        });
        true
    }

    /// S8: changed content is a new candidate, in the place of the old one.
    fn published(&mut self, patch: &Patch) {
        let known = self.candidate_of(patch.id.as_str());
        if known.is_some_and(|c| self.candidates[c].patch.content == patch.content) {
            return;
        }
        let c = self.candidates.len();
        let risk = assess(patch, self.now, &DueLimits::default());
        self.candidates.push(Candidate {
            patch: patch.clone(),
            priority: risk.priority,
            due: risk.due.unwrap_or(Timestamp::MAX),
            stage: Stage::Identified,
            needs: BTreeMap::new(),
            ask: None,
            trial: None,
            trial_failed: false,
            deployed: false,
            waived_by: None,
            reconsidered: false,
            look: false,
        });
        // A hold is about a version, whatever its content.
        let same = |held: &usize| self.candidates[*held].patch.target == patch.target;
        let held: Vec<usize> = self.holds.iter().filter(|(held, _)| same(held)).map(|(_, e)| *e).collect();
        if !self.bent(super::Mutation::OtherContentIsNotHeld) {
            self.holds.extend(held.into_iter().map(|e| (c, e)));
        }
        if let Some(older) = known {
            self.supersede(older, c);
        }
    }

    fn needs(&mut self, candidate: usize, needs: &[NeedSeen]) -> bool {
        if candidate >= self.candidates.len() {
            return false;
        }
        for need in needs {
            let endpoint = need.endpoint.index();
            if self.endpoints.get(endpoint).is_some_and(|endpoint| !endpoint.gone) {
                let present = need.present.as_ref().map(ToString::to_string);
                let path_until = need.path_valid_until;
                let need = Need { standing: need.standing, present, path: need.path, path_until };
                if need.standing == Standing::Needs {
                    self.renew_path(candidate, endpoint, &need);
                }
                self.candidates[candidate].needs.insert(endpoint, need);
            }
        }
        true
    }

    /// S10: where nothing was ordered yet, the way back that is known now counts, as long as it leads to what the plan
    /// recorded.
    fn renew_path(&mut self, candidate: usize, endpoint: usize, need: &Need) {
        for rollout in self.rollouts.iter_mut().filter(|rollout| rollout.candidate == candidate) {
            let member = rollout.members.iter_mut().rfind(|member| member.endpoint == endpoint);
            if let Some(member) = member.filter(|member| member.operations == 0)
                && member.prior == need.present
            {
                member.path = need.path;
            }
        }
    }

    /// An answer from outside. One that may not count is a stray.
    fn approval(&mut self, ask: AskId, by: &Actor, approve: bool) -> bool {
        let asked = self.candidates.iter().position(|c| c.ask.as_ref().is_some_and(|open| open.id == ask.0));
        let Some(c) = asked else { return false };
        if approve {
            return self.vote(c, by).is_ok();
        }
        let may = self.candidates[c]
            .ask
            .as_ref()
            .is_some_and(|open| by.has_role(&open.from.role) || self.bent(super::Mutation::RolesDoNotMatter));
        if may {
            (self.candidates[c].stage, self.candidates[c].ask) = (Stage::Rejected, None);
        }
        may
    }
}
