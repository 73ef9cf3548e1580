//! What must come first is there, and what cannot be beside it is not; what is held goes nowhere.

use super::condition_entry::takes_back;
use super::{Ledger, Oracle, Standing, member_fact};
use crate::sim::Sight;
use patchflow_core::fleet::Standing as Need;
use patchflow_core::ids::{CandidateId, EndpointIx, PatchId};
use patchflow_core::rollout::{Event, RolloutKind};

#[derive(Debug)]
pub(super) struct RelationsHeeded;

/// The latest candidate of a patch.
fn latest(ledger: &Ledger, patch: &PatchId) -> Option<CandidateId> {
    let at = ledger.candidates.iter().rposition(|entry| entry.patch.id == *patch)?;
    Some(CandidateId(at as u32))
}

fn was_verified(ledger: &Ledger, candidate: CandidateId, endpoint: EndpointIx, trials: bool) -> bool {
    ledger
        .rollouts
        .iter()
        .filter(|rollout| rollout.candidate == candidate)
        .filter(|rollout| trials || rollout.kind == RolloutKind::Deployment)
        .flat_map(|rollout| &rollout.members)
        .any(|member| {
            member.endpoint == endpoint && matches!(member.standing, Standing::Verified | Standing::Skipped)
        })
}

impl Oracle for RelationsHeeded {
    fn name(&self) -> &'static str {
        "relations heeded"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        let Some((fact, _)) = member_fact(&sight) else { return };
        if !matches!(fact.event, Event::Ordered | Event::HookAsked) {
            return;
        }
        if ledger.member(fact.rollout, fact.member).is_some_and(|member| takes_back(fact.event, member)) {
            return;
        }
        let Some(rollout) = ledger.rollout(fact.rollout) else { return };
        let Some(member) = ledger.member(fact.rollout, fact.member) else { return };
        let Some(entry) = ledger.candidate(rollout.candidate) else { return };
        let endpoint = member.endpoint;
        let who = format_args!("{endpoint} in {}", fact.rollout);
        if entry.held && rollout.kind == RolloutKind::Deployment {
            says(format!("{who} was ordered what is held"));
        }
        let need = |candidate| ledger.needs.get(&(candidate, endpoint)).copied();
        for name in &entry.patch.relations.requires {
            let Some(required) = latest(ledger, name) else {
                says(format!("{who} was ordered what stands on {name}, which is not known"));
                continue;
            };
            let missing =
                need(required) == Some(Need::Needs) && !was_verified(ledger, required, endpoint, true);
            // What replaces it may have brought it; whichever it is, something replaces it.
            let replaced = ledger.candidates.iter().any(|by| by.patch.relations.supersedes.contains(name));
            if missing && !replaced {
                says(format!("{who} was ordered what stands on {name}, which is missing"));
            }
        }
        for (other, i) in ledger.candidates.iter().zip(0..) {
            let id = CandidateId(i);
            let is_latest = latest(ledger, &other.patch.id) == Some(id);
            let named = entry.patch.relations.conflicts.contains(&other.patch.id);
            let naming = other.patch.relations.conflicts.contains(&entry.patch.id) && !other.held;
            let there = need(id) == Some(Need::Has) || was_verified(ledger, id, endpoint, false);
            if is_latest && (named || naming) && there {
                says(format!("{who} was ordered what conflicts with {}, which is there", other.patch.id));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;
    use patchflow_core::doc::patch;

    #[test]
    fn an_order_of_what_stands_on_something_unknown_is_caught() {
        let caught = |requires: bool| {
            let mut stage = Stage::with(Box::new(RelationsHeeded));
            if requires {
                stage.relations.requires = vec![patch("libc", "2").id];
            }
            stage.ready(&[2]).member(0, Event::Ordered);
            stage.caught()
        };
        assert!(caught(false).is_empty());
        assert!(caught(true)[0].contains("which is not known"));
    }

    #[test]
    fn an_order_of_what_is_held_is_caught() {
        let mut stage = Stage::with(Box::new(RelationsHeeded));
        stage.ready(&[2]);
        let reason = String::from("a circle");
        stage.rich(patchflow_core::fleet::RichFact::CandidateHeld { candidate: CandidateId(0), reason });
        stage.member(0, Event::Ordered);
        assert!(stage.caught()[0].contains("what is held"));
    }
}
