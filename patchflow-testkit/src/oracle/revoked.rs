//! What was revoked, withdrawn, superseded or rejected is not ordered any more, and what is stopped orders nothing.

use super::condition_entry::takes_back;
use super::{Ledger, Oracle, member_fact, rich_fact};
use crate::sim::Sight;
use patchflow_core::fleet::RichFact;
use patchflow_core::ids::CandidateId;
use patchflow_core::rollout::Event;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Revoked(BTreeMap<CandidateId, &'static str>);

impl Oracle for Revoked {
    fn name(&self) -> &'static str {
        "revoked means no new order"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        match rich_fact(&sight) {
            Some((RichFact::ApprovalEnded { candidate, .. }, _)) => {
                self.0.insert(*candidate, "revoked or over");
            }
            Some((RichFact::CandidateWithdrawn { candidate, .. }, _)) => {
                self.0.insert(*candidate, "withdrawn");
            }
            Some((RichFact::CandidateSuperseded { candidate, .. }, _)) => {
                self.0.insert(*candidate, "superseded");
            }
            Some((RichFact::ApprovalRejected { candidate, .. }, _)) => {
                self.0.insert(*candidate, "rejected");
            }
            Some((
                RichFact::ApprovalGranted { candidate, .. } | RichFact::CandidateReopened { candidate, .. },
                _,
            )) => {
                self.0.remove(candidate);
            }
            _ => {}
        }
        let Some((fact, _)) = member_fact(&sight) else { return };
        if !matches!(fact.event, Event::Ordered | Event::HookAsked) {
            return;
        }
        if ledger.member(fact.rollout, fact.member).is_some_and(|member| takes_back(fact.event, member)) {
            return;
        }
        let Some(rollout) = ledger.rollout(fact.rollout) else { return };
        if let Some(word) = self.0.get(&rollout.candidate) {
            says(format!("{} of {} was ordered what is {word}", fact.member, fact.rollout));
        }
        // A completed rollout brings along who came late.
        if let Some(word) = rollout.stopped.filter(|word| *word != "completed") {
            says(format!("{} of {} was ordered, and the rollout is {word}", fact.member, fact.rollout));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;
    use patchflow_core::gate::Rule;

    #[test]
    fn an_order_after_a_revocation_is_caught() {
        let mut stage = Stage::with(Box::new(Revoked::default()));
        stage.ready(&[3]).member(0, Event::Ordered).revoke().approve().member(1, Event::Ordered);
        assert!(stage.caught().is_empty());
        stage.revoke().member(2, Event::Ordered);
        assert!(stage.caught()[0].contains("revoked"));
    }

    #[test]
    fn an_order_after_a_halt_is_caught() {
        let mut stage = Stage::with(Box::new(Revoked::default()));
        stage.ready(&[3]).halt(0, Rule::MaxFailures).member(0, Event::Ordered);
        assert!(stage.caught()[0].contains("halted"));
    }
}
