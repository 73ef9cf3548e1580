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
    /// Why it is an emergency, which may do what [`EmergencyPolicy`](crate::policy::EmergencyPolicy) says; `None` when
    /// it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency: Option<String>,
    /// Further candidates that are installed together with it: each endpoint gets those it needs one after another,
    /// prerequisites first, and is rebooted once at the end. At most 15.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bundle: Vec<CandidateId>,
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

    /// No ring bakes longer than this.
    pub(crate) fn shorten_bakes(&mut self, secs: u32) {
        self.fact
            .rings
            .iter_mut()
            .for_each(|ring| ring.gate.bake_secs_min = ring.gate.bake_secs_min.min(secs));
    }

    pub(super) fn of(candidate: CandidateId, fact: PlanFact) -> Self {
        Self { candidate, fact }
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
    /// A candidate over all production endpoints that need it; the rest is set by name.
    ///
    /// ```
    /// use patchflow_core::{ids::CandidateId, inventory::ScopePath, plan::RolloutDraft, policy::Selector};
    /// let select = Selector::Scope { within: ScopePath("acme/berlin".into()) };
    /// let berlin = RolloutDraft { select, ..RolloutDraft::of(CandidateId(3)) };
    /// assert_eq!(berlin.emergency, None);
    /// ```
    #[must_use]
    pub fn of(candidate: CandidateId) -> Self {
        Self { candidate, select: Selector::All, emergency: None, bundle: Vec::new() }
    }

    /// Checks the draft against an approval and a policy, and deals the starters out to rings.
    ///
    /// # Errors
    /// Every finding at once: an approval for another candidate, ring sizes that contradict each other, more than one
    /// endpoint and all in a single ring without a waiver, endpoints that no ring takes, nothing to do.
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
        sort_by_spread(&mut left, starters, hash);
        let (total, mut dealing) = (left.len(), Vec::new());
        let rings = deal(policy, starters, left, &mut dealing);
        if total > 1 && policy.single_ring.is_none() {
            findings.extend(everything_at_once(total, &rings));
        }
        findings.extend(dealing);
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

pub(super) struct DealtRing {
    pub(super) name: String,
    pub(super) gate: Limits,
    pub(super) chosen: Vec<usize>,
    pub(super) mirror: Option<Mirror>,
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

/// The finding about a plan in which one ring has all endpoints, be it the only one or because the others came out empty.
fn everything_at_once(total: usize, rings: &[DealtRing]) -> Option<Finding> {
    let all = rings.iter().find(|ring| rings.len() == 1 || ring.chosen.len() == total)?;
    let which = if rings.len() == 1 { "one ring".into() } else { format!("ring `{}` alone", all.name) };
    let message = format!(
        "{which} over {total} endpoints puts everything at risk at once; add rings, or set `single_ring` with a name and \
         a reason"
    );
    Some(Finding::new("rings", message))
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
///
/// Each position stands in the low bits of its own key, so that what is sorted is plain numbers: the order is by as much
/// of the hash as is left above them (44 bits for a million), then by position.
fn sort_by_spread(chosen: &mut [usize], starters: &[Starter<'_>], hash: SpreadHash) {
    let low = (1_u64 << (u64::BITS - (starters.len() as u64).leading_zeros())) - 1;
    let key = |i: &usize| {
        let hash = starters.get(*i).map_or(0, |starter| hash.of(&[u64::from(starter.endpoint.0)]));
        (hash & !low) | (*i as u64 & low)
    };
    let mut keys: Vec<u64> = chosen.iter().map(key).collect();
    sort_hashes(&mut keys);
    chosen.iter_mut().zip(keys).for_each(|(place, key)| *place = (key & low) as usize);
}

/// Sorts numbers whose upper bits are a hash, and so lie evenly: dealt out by those bits into heaps of some hundred each,
/// which are then sorted where they lie, in a core's nearest cache.
fn sort_hashes(keys: &mut Vec<u64>) {
    const HEAP: usize = 256;
    let bits = (keys.len() / HEAP).checked_ilog2().unwrap_or(0).min(12);
    if bits < 2 {
        return keys.sort_unstable();
    }
    let heap = |key: u64| (key >> (u64::BITS - bits)) as usize;
    let mut ends = vec![0_usize; 1 << bits];
    keys.iter().for_each(|key| ends[heap(*key)] += 1);
    let mut sum = 0;
    for end in &mut ends {
        (*end, sum) = (sum, sum + *end);
    }
    let mut dealt = vec![0_u64; keys.len()];
    for key in &*keys {
        let place = &mut ends[heap(*key)];
        dealt[*place] = *key;
        *place += 1;
    }
    let mut from = 0;
    for end in ends {
        dealt[from..end].sort_unstable();
        from = end;
    }
    *keys = dealt;
}

pub(super) fn assemble(starters: &[Starter<'_>], select: Selector, rings: Vec<DealtRing>) -> PlanFact {
    let total = rings.iter().map(|ring| ring.chosen.len()).sum();
    let mut fact = PlanFact {
        select,
        rings: Vec::with_capacity(rings.len()),
        members: Vec::with_capacity(total),
        levels: Vec::new(),
        priors: Vec::with_capacity(total),
        paths: Vec::with_capacity(total),
    };
    let levels = Levels::of(starters);
    let mut codes = vec![None; levels.texts.len()];
    for DealtRing { name, gate, chosen, mirror } in rings {
        let size = u32::try_from(chosen.len()).unwrap_or(u32::MAX);
        fact.rings.push(PlanRingFact { name, size, gate, mirror });
        for (endpoint, packed) in chosen.into_iter().map(|i| levels.packed[i]) {
            let (level, path) = (packed >> 3, RollbackPath::from_code(packed as u16 & 7));
            fact.members.push(endpoint);
            let prior = (level as usize).checked_sub(1).map_or(0, |level| {
                *codes[level].get_or_insert_with(|| {
                    // Beyond 8 191 distinct versions of one package the way back is not recorded, and such an
                    // endpoint counts as one without a path: it does not start.
                    let code = u16::try_from(fact.levels.len() + 1)
                        .ok()
                        .filter(|code| *code <= LEVELS_MAX)
                        .unwrap_or(0);
                    if code != 0 {
                        fact.levels.push(levels.texts[level].clone());
                    }
                    code
                })
            });
            fact.priors.push(prior);
            let lost = prior == 0 && level != 0;
            fact.paths.push(if lost { RollbackPath::None } else { path });
        }
    }
    fact
}

/// What a plan takes over of each starter, packed: rings are read in the order of the hash, and that is fast only where
/// little memory is jumped about in.
struct Levels {
    /// Endpoint; number of its version from 1, or 0 for none, above 3 bits of way back.
    packed: Vec<(EndpointIx, u32)>,
    texts: Vec<Arc<str>>,
}

impl Levels {
    fn of(starters: &[Starter<'_>]) -> Self {
        let mut texts: Vec<Arc<str>> = Vec::new();
        let mut known: BTreeMap<&Arc<str>, u32> = BTreeMap::new();
        // Most endpoints share the very text of their version with the one before.
        let mut last: Option<(&Arc<str>, u32)> = None;
        let mut level = |version| {
            if let Some((_, level)) = last.filter(|(seen, _)| Arc::ptr_eq(seen, version)) {
                return level;
            }
            let level = *known.entry(version).or_insert_with(|| {
                texts.push(version.clone());
                texts.len() as u32
            });
            last = Some((version, level));
            level
        };
        let packed = starters
            .iter()
            .map(|starter| {
                let level = starter.present.map_or(0, &mut level);
                (starter.endpoint, level << 3 | starter.path as u32)
            })
            .collect();
        Self { packed, texts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dealing_hashes_into_heaps_sorts_them() {
        for n in [0, 1, 2, 255, 1023, 1024, 5000, 300_000_u64] {
            let hash = SpreadHash::new(n);
            let mut keys: Vec<u64> = (0..n).map(|i| hash.of(&[i])).collect();
            let mut sorted = keys.clone();
            sorted.sort_unstable();
            sort_hashes(&mut keys);
            assert_eq!(keys, sorted);
        }
    }

    #[test]
    fn keys_that_do_not_lie_evenly_are_sorted_too() {
        let mut keys: Vec<u64> = (0..3000).rev().collect();
        sort_hashes(&mut keys);
        assert!(keys.is_sorted() && keys.len() == 3000);
    }
}
