//! A plan over rings that another rollout had (semantics S11).

use super::draft::{RolloutPlan, assemble};
use super::{Starter, draft::DealtRing};
use crate::candidate::Approved;
use crate::gate::Limits;
use crate::policy::Selector;
use alloc::string::String;
use alloc::vec::Vec;

impl RolloutPlan {
    /// The plan of an approved candidate over rings that are given: nobody changes their ring, and empty rings are
    /// skipped when their turn comes. `None` when nobody needs it.
    pub(crate) fn over_rings<'a>(
        approved: &Approved,
        select: Selector,
        rings: impl IntoIterator<Item = (String, Limits, Vec<Starter<'a>>)>,
    ) -> Option<Self> {
        let mut starters = Vec::new();
        let mut dealt: Vec<DealtRing> = Vec::new();
        for (name, gate, members) in rings {
            let first = starters.len();
            starters.extend(members);
            dealt.push(DealtRing { name, gate, chosen: (first..starters.len()).collect(), mirror: None });
        }
        (!starters.is_empty()).then(|| Self::of(approved.id(), assemble(&starters, select, dealt)))
    }
}
