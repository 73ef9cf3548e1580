//! S1: who may be in which ring. The engine deals the members out; here the deal is checked.

use super::Illegal;
use super::staging::Content;
use super::state::{Member, Model, Need, Ring, Rollout};
use patchflow_core::fleet::Standing;
use patchflow_core::gate::Limits;
use patchflow_core::inventory::Environment;
use patchflow_core::plan::PlanFact;
use patchflow_core::policy::{Policy, RingSize, Selector};
use patchflow_core::rollout::{Phase, RingState, RolloutKind, RolloutState};
use std::collections::BTreeSet;

/// Sizes of percentage rings over `n` endpoints: counted up until the share is reached.
fn shares(n: u32, cumulative: &[u32]) -> Vec<u32> {
    let mut sizes = Vec::new();
    let mut before = 0;
    for p in cumulative {
        let mut target = 0;
        while u64::from(target) * 100_000 < u64::from(*p) * u64::from(n) {
            target += 1;
        }
        if *p < 100_000 && n >= 2 && target > n - 1 {
            target = n - 1;
        }
        let target = target.max(before);
        sizes.push(target - before);
        before = target;
    }
    sizes
}

impl Member {
    pub(super) fn new(endpoint: usize, ring: usize, need: &Need) -> Self {
        Self {
            endpoint,
            ring,
            phase: Phase::Waiting,
            due: None,
            attempts: 0,
            operations: 0,
            prior: need.present.clone(),
            path: need.path,
            forgiven: false,
            placed: false,
            taken_out: false,
            failed_late: false,
            unread: false,
            undrained: 0,
            patience: None,
            leader: None,
            content: Content::Nowhere,
        }
    }
}

impl Model {
    pub(super) fn takes(&self, selector: &Selector, endpoint: usize) -> bool {
        let seen = &self.endpoints[endpoint].seen;
        let attributes = seen.attributes();
        match selector {
            Selector::All => true,
            Selector::Scope { within } => attributes.scope.is_within(within),
            Selector::Tag { name, value } => attributes.tags.get(name) == Some(value),
            Selector::AllOf { of } => of.iter().all(|selector| self.takes(selector, endpoint)),
            Selector::AnyOf { of } => of.iter().any(|selector| self.takes(selector, endpoint)),
            Selector::Not { of } => !self.takes(of, endpoint),
        }
    }

    /// Endpoints of one environment that need a candidate.
    pub(super) fn starters(&self, candidate: usize, environment: Environment) -> BTreeSet<usize> {
        let needs = &self.candidates[candidate].needs;
        (0..self.endpoints.len())
            .filter(|e| !self.endpoints[*e].gone && self.endpoints[*e].seen.environment == environment)
            .filter(|e| needs.get(e).is_some_and(|need| need.standing == Standing::Needs))
            .collect()
    }

    /// How many members each ring must have, in order, with the endpoints it must or may take; `None` when refused.
    fn deal(&self, policy: &Policy, chosen: &BTreeSet<usize>) -> Option<Vec<(usize, BTreeSet<usize>)>> {
        if chosen.is_empty() {
            return None;
        }
        let mut rings: Vec<(usize, BTreeSet<usize>)> = vec![(0, BTreeSet::new()); policy.rings.len()];
        // Which endpoints a selector may still take depends on whom a count ring before it took; histories for the
        // model put selector rings first, so that the deal is determined but for the order of equals.
        let mut left = chosen.clone();
        let mut counted = 0;
        for (i, ring) in policy.rings.iter().enumerate() {
            match &ring.size {
                RingSize::Selector { selector } => {
                    let taken: BTreeSet<_> =
                        left.iter().copied().filter(|e| self.takes(selector, *e)).collect();
                    left = left.difference(&taken).copied().collect();
                    rings[i] = (taken.len(), taken);
                }
                RingSize::Count { endpoints } => {
                    let wanted = *endpoints as usize;
                    if counted + wanted > left.len() {
                        return None;
                    }
                    counted += wanted;
                    rings[i] = (wanted, BTreeSet::new());
                }
                RingSize::Percent { .. } => {}
            }
        }
        let n = left.len() - counted;
        let mut cumulative = Vec::new();
        for ring in &policy.rings {
            if let RingSize::Percent { cumulative: percent } = &ring.size {
                cumulative.push(percent.thousandths());
            }
        }
        let mut sizes = shares(n as u32, &cumulative).into_iter();
        for (i, ring) in policy.rings.iter().enumerate() {
            match &ring.size {
                RingSize::Percent { .. } => rings[i] = (sizes.next()? as usize, left.clone()),
                RingSize::Count { .. } => rings[i].1 = left.clone(),
                RingSize::Selector { .. } => {}
            }
        }
        if rings.iter().map(|(size, _)| size).sum::<usize>() < chosen.len() {
            return None;
        }
        // All of several in one ring is everything at once.
        let filled = rings.iter().filter(|(size, _)| *size > 0).count();
        if chosen.len() > 1 && filled == 1 && policy.single_ring.is_none() {
            return None;
        }
        Some(rings)
    }

    /// Starts a deployment under the adopted policy with the engine's deal. `Ok(false)` when the rules refuse it.
    pub(super) fn start_deployment(&mut self, candidate: usize, select: &Selector) -> Result<bool, Illegal> {
        let Some(policy) = self.policy.clone() else { return Ok(false) };
        let chosen: BTreeSet<usize> = self
            .starters(candidate, Environment::Production)
            .into_iter()
            .filter(|e| self.takes(select, *e))
            .collect();
        let Some(rings) = self.deal(&policy, &chosen) else { return Ok(false) };
        let gates: Vec<Limits> = policy.rings.iter().map(|ring| ring.gate.clone()).collect();
        self.begin(candidate, RolloutKind::Deployment, policy, rings, gates, select.clone())?;
        self.candidates[candidate].deployed = true;
        Ok(true)
    }

    /// Starts a trial on non-production endpoints. `Ok(false)` when there is none.
    pub(super) fn start_trial(&mut self, candidate: usize) -> Result<bool, Illegal> {
        let Some(policy) = self.policy.clone() else { return Ok(false) };
        let chosen = self.starters(candidate, Environment::NonProduction);
        if chosen.is_empty() {
            return Ok(false);
        }
        let size = chosen.len().min(policy.trial.endpoints_max as usize);
        let gates = vec![policy.trial.gate.clone()];
        let r = self.rollouts.len();
        self.begin(candidate, RolloutKind::Trial, policy, vec![(size, chosen)], gates, Selector::All)?;
        let entry = &mut self.candidates[candidate];
        (entry.trial, entry.trial_failed, entry.look) = (Some(r), false, true);
        Ok(true)
    }

    /// Takes the engine's deal over after checking it.
    pub(super) fn begin(
        &mut self,
        candidate: usize,
        kind: RolloutKind,
        policy: Policy,
        wanted: Vec<(usize, BTreeSet<usize>)>,
        gates: Vec<Limits>,
        select: Selector,
    ) -> Result<(), Illegal> {
        let r = self.rollouts.len();
        let plan = self.choices.plans.remove(&r);
        let plan = plan.ok_or_else(|| Illegal(format!("r{r} must start for c{candidate}, and does not")))?;
        let dealt: BTreeSet<usize> = plan.members.iter().map(|e| e.index()).collect();
        let sizes: Vec<usize> = plan.rings.iter().map(|ring| ring.size as usize).collect();
        let must: Vec<usize> = wanted.iter().map(|(size, _)| *size).collect();
        if sizes != must || dealt.len() != plan.members.len() {
            return Err(Illegal(format!("r{r}: rings of {sizes:?}, the rule says {must:?}")));
        }
        let members = self.members_of(candidate, &plan, &wanted)?;
        let ring = |(gate, name)| Ring {
            name,
            gate,
            state: RingState::Pending,
            alerts: 0,
            alerts_known: false,
            opened_at: None,
            reopened_at: None,
            settled_at: None,
        };
        self.candidates[candidate].look = true;
        self.rollouts.push(Rollout {
            candidate,
            kind,
            emergency: false,
            policy,
            select,
            state: RolloutState::Running,
            halt: None,
            ring: 0,
            rings: gates.into_iter().zip(plan.rings.iter().map(|ring| ring.name.clone())).map(ring).collect(),
            members,
            sweep: false,
            frozen: false,
            takes_back: false,
            catch_up_stopped: false,
        });
        Ok(())
    }

    fn members_of(
        &self,
        candidate: usize,
        plan: &PlanFact,
        wanted: &[(usize, BTreeSet<usize>)],
    ) -> Result<Vec<Member>, Illegal> {
        let mut members = Vec::new();
        for (ring, (size, may)) in wanted.iter().enumerate() {
            for _ in 0..*size {
                let endpoint = plan.members[members.len()].index();
                let need =
                    self.candidates[candidate].needs.get(&endpoint).filter(|_| may.contains(&endpoint));
                let Some(need) = need else {
                    return Err(Illegal(format!("e{endpoint} must not be in ring {ring}: {may:?}")));
                };
                members.push(Member::new(endpoint, ring, need));
            }
        }
        Ok(members)
    }
}
