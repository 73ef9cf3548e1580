//! A draft is what somebody asks for; a plan is what the check made of it, with every finding told at once.
//!
//! ```compile_fail
//! // A plan needs an approval: an identified candidate does not do.
//! # use patchflow_core::{candidate::Identified, error::Finding, plan::*, policy::Policy};
//! fn plan(draft: &RolloutDraft, candidate: &Identified, policy: &Policy) -> Result<RolloutPlan, Vec<Finding>> {
//!     draft.check(candidate, policy, &[], SpreadHash::new(1))
//! }
//! ```
//!
//! ```
//! # use patchflow_core::{candidate::Approved, error::Finding, plan::*, policy::Policy};
//! fn plan(draft: &RolloutDraft, candidate: &Approved, policy: &Policy) -> Result<RolloutPlan, Vec<Finding>> {
//!     draft.check(candidate, policy, &[], SpreadHash::new(1))
//! }
//! ```

use super::{Mirror, PlanFact, PlanRingFact, RollbackPath, SpreadHash, ring_sizes, stratify};
use crate::candidate::Approved;
use crate::error::Finding;
use crate::gate::{Limits, Percent};
use crate::ids::{CandidateId, EndpointId, EndpointIx};
use crate::inventory::Attributes;
use crate::policy::{Policy, RingPolicy, RingSize, Selector, TrialPolicy};
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What somebody asks to roll out, and where to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutDraft {
    /// The candidate.
    pub candidate: CandidateId,
    /// Which of the production endpoints that need it are meant.
    pub select: Selector,
}

/// An endpoint that may take part: it needs the candidate.
#[derive(Clone, Debug)]
pub struct Starter<'a> {
    /// The endpoint.
    pub endpoint: EndpointIx,
    /// The host's name of it, for findings.
    pub id: &'a EndpointId,
    /// What selectors look at.
    pub attributes: &'a Attributes,
    /// The version that is there now.
    pub present: Option<&'a Arc<str>>,
    /// The way back to it.
    pub path: RollbackPath,
}

/// A checked plan. Only [`RolloutDraft::check`] makes one for a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RolloutPlan {
    candidate: CandidateId,
    fact: PlanFact,
}

impl RolloutPlan {
    /// The candidate.
    #[must_use]
    pub fn candidate(&self) -> CandidateId {
        self.candidate
    }

    /// The rings with their sizes and gates.
    #[must_use]
    pub fn rings(&self) -> &[PlanRingFact] {
        &self.fact.rings
    }

    /// The endpoints, ring after ring.
    #[must_use]
    pub fn members(&self) -> &[EndpointIx] {
        &self.fact.members
    }

    pub(crate) fn into_fact(self) -> PlanFact {
        self.fact
    }

    /// The plan of a trial: one ring over non-production endpoints, chosen so that it mirrors the production endpoints
    /// that need the patch, and by the stable hash among those who are alike.
    pub(crate) fn trial(
        candidate: CandidateId,
        starters: &[Starter<'_>],
        production: &[Starter<'_>],
        policy: &TrialPolicy,
        hash: SpreadHash,
    ) -> Self {
        let mut left: Vec<_> = (0..starters.len()).collect();
        sort_by_spread(&mut left, starters, hash);
        let size = (policy.endpoints_max as usize).min(left.len());
        let choice = stratify::like(&policy.stratify, starters, &left, production, size);
        let (chosen, _) = choice.split(left, size);
        let ring =
            DealtRing { name: "trial".into(), gate: policy.gate.clone(), chosen, mirror: choice.mirror };
        Self { candidate, fact: assemble(starters, Selector::All, vec![ring]) }
    }
}

impl RolloutDraft {
    /// Checks the draft against an approval and a policy, and deals the starters out to rings.
    ///
    /// # Errors
    /// Every finding at once: an approval for another candidate, ring sizes that contradict each other, a single ring
    /// over more than one endpoint without a waiver, endpoints that no ring takes, nothing to do.
    pub fn check(
        &self,
        approved: &Approved,
        policy: &Policy,
        starters: &[Starter<'_>],
        hash: SpreadHash,
    ) -> Result<RolloutPlan, Vec<Finding>> {
        let mut findings = Vec::new();
        if approved.id() != self.candidate {
            let message =
                format!("the approval is for {}, the draft names {}", approved.id(), self.candidate);
            findings.push(Finding::new("candidate", message));
        }
        self.select.check("select", &mut |path, message| findings.push(Finding::new(path, message)));
        let mut left: Vec<usize> =
            (0..starters.len()).filter(|i| self.select.takes(starters[*i].attributes)).collect();
        if left.is_empty() {
            findings.push(Finding::new("select", "no production endpoint that is selected needs this patch"));
        }
        if left.len() > 1 && policy.rings.len() == 1 && policy.single_ring.is_none() {
            findings.push(Finding::new(
                "rings",
                format!("one ring over {} endpoints puts everything at risk at once; add rings, or set `single_ring` \
                         with a name and a reason", left.len()),
            ));
        }
        sort_by_spread(&mut left, starters, hash);
        let rings = deal(policy, starters, left, &mut findings);
        if findings.is_empty() {
            Ok(RolloutPlan {
                candidate: self.candidate,
                fact: assemble(starters, self.select.clone(), rings),
            })
        } else {
            Err(findings)
        }
    }
}

/// A member keeps its prior level in 13 bits.
pub(crate) const LEVELS_MAX: u16 = 8_191;

struct DealtRing {
    name: String,
    gate: Limits,
    chosen: Vec<usize>,
    mirror: Option<Mirror>,
}

/// Deals the starters out: selector rings take theirs, count rings take from the rest, percentage rings share what
/// is left. An endpoint belongs to the first ring that takes it.
fn deal(
    policy: &Policy,
    starters: &[Starter<'_>],
    mut left: Vec<usize>,
    findings: &mut Vec<Finding>,
) -> Vec<DealtRing> {
    let empty = |ring: &RingPolicy| DealtRing {
        name: ring.name.clone(),
        gate: ring.gate.clone(),
        chosen: Vec::new(),
        mirror: None,
    };
    let mut dealt: Vec<DealtRing> = policy.rings.iter().map(empty).collect();
    let take = |i: usize, left: &mut Vec<usize>, size: usize, dealt: &mut [DealtRing]| {
        let size = size.min(left.len());
        let choice = stratify::even(&policy.rings[i].stratify, starters, left, size);
        let (chosen, rest) = choice.split(core::mem::take(left), size);
        (dealt[i].chosen, dealt[i].mirror, *left) = (chosen, choice.mirror, rest);
    };
    for (i, ring) in policy.rings.iter().enumerate() {
        match &ring.size {
            RingSize::Selector { selector } => {
                let (taken, rest) = left.into_iter().partition(|s| selector.takes(starters[*s].attributes));
                dealt[i].chosen = taken;
                left = rest;
            }
            RingSize::Count { endpoints } => {
                if *endpoints as usize > left.len() {
                    let message = format!("asks for {endpoints} endpoints, {} are left", left.len());
                    findings.push(Finding::new(format!("rings[{i}].size"), message));
                }
                take(i, &mut left, *endpoints as usize, &mut dealt);
            }
            RingSize::Percent { .. } => {}
        }
    }
    let shares: Vec<(usize, Percent)> = policy
        .rings
        .iter()
        .enumerate()
        .filter_map(|(i, ring)| match ring.size {
            RingSize::Percent { cumulative } => Some((i, cumulative)),
            RingSize::Count { .. } | RingSize::Selector { .. } => None,
        })
        .collect();
    let n = u32::try_from(left.len()).unwrap_or(u32::MAX);
    for ((i, _), size) in shares.iter().zip(ring_sizes(n, shares.iter().map(|(_, p)| *p))) {
        take(*i, &mut left, size as usize, &mut dealt);
    }
    if !left.is_empty() {
        findings.push(Finding::new("rings", left_over(starters, &left)));
    }
    dealt
}

/// Names the endpoints that no ring takes; beyond the first ones it counts them.
fn left_over(starters: &[Starter<'_>], left: &[usize]) -> String {
    const SHOWN: usize = 20;
    let mut names: Vec<_> = left.iter().map(|s| starters[*s].id.as_str()).collect();
    names.sort_unstable();
    let more = match names.len().checked_sub(SHOWN) {
        None | Some(0) => String::new(),
        Some(more) => format!(" and {more} more"),
    };
    names.truncate(SHOWN);
    format!(
        "no ring takes {} of the endpoints: {}{more}; add a ring that ends at 100 %, or select less",
        left.len(),
        names.join(", ")
    )
}

/// Puts positions into the order of the stable hash, so that the oldest machines are not always first.
fn sort_by_spread(chosen: &mut Vec<usize>, starters: &[Starter<'_>], hash: SpreadHash) {
    let mut keyed: Vec<(u64, u32)> = chosen
        .iter()
        .map(|i| (hash.of(&[u64::from(starters[*i].endpoint.0)]), u32::try_from(*i).unwrap_or(u32::MAX)))
        .collect();
    keyed.sort_unstable();
    chosen.clear();
    chosen.extend(keyed.into_iter().map(|(_, i)| i as usize));
}

fn assemble(starters: &[Starter<'_>], select: Selector, rings: Vec<DealtRing>) -> PlanFact {
    let total = rings.iter().map(|ring| ring.chosen.len()).sum();
    let mut fact = PlanFact {
        select,
        rings: Vec::with_capacity(rings.len()),
        members: Vec::with_capacity(total),
        levels: Vec::new(),
        priors: Vec::with_capacity(total),
        paths: Vec::with_capacity(total),
    };
    let mut known: BTreeMap<Arc<str>, u16> = BTreeMap::new();
    for DealtRing { name, gate, chosen, mirror } in rings {
        let size = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
        fact.rings.push(PlanRingFact { name, size, gate, mirror });
        for starter in chosen.into_iter().map(|i| &starters[i]) {
            fact.members.push(starter.endpoint);
            let prior = starter.present.map_or(0, |version| {
                known.get(version).copied().unwrap_or_else(|| {
                    // Beyond 8 191 distinct versions of one package the way back is not recorded, and such an
                    // endpoint counts as one without a path: it does not start.
                    let code = u16::try_from(fact.levels.len() + 1)
                        .ok()
                        .filter(|code| *code <= LEVELS_MAX)
                        .unwrap_or(0);
                    if code != 0 {
                        fact.levels.push(version.clone());
                        known.insert(version.clone(), code);
                    }
                    code
                })
            });
            fact.priors.push(prior);
            let lost = prior == 0 && starter.present.is_some();
            fact.paths.push(if lost { RollbackPath::None } else { starter.path });
        }
    }
    fact
}
