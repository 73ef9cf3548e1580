//! A hold keeps a patch away from an endpoint that it was rolled back from, until a person clears it.

use super::condition_entry::takes_back;
use super::{Ledger, Oracle, member_fact, rich_fact};
use crate::sim::Sight;
use patchflow_core::fleet::RichFact;
use patchflow_core::ids::{CandidateId, EndpointIx};
use patchflow_core::rollout::Event;
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(super) struct Holds(BTreeSet<(CandidateId, EndpointIx)>);

impl Oracle for Holds {
    fn name(&self) -> &'static str {
        "holds respected"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        if let Some((RichFact::HoldCleared { candidate, endpoint, .. }, _)) = rich_fact(&sight) {
            self.0.remove(&(*candidate, *endpoint));
        }
        let Some((fact, _)) = member_fact(&sight) else { return };
        let Some(rollout) = ledger.rollout(fact.rollout) else { return };
        let Some(member) = ledger.member(fact.rollout, fact.member) else { return };
        let held = (rollout.candidate, member.endpoint);
        match fact.event {
            // A drill holds nothing away: nothing was wrong.
            Event::RolledBack if ledger.drilling.contains(&(fact.rollout, fact.member)) => {}
            Event::RolledBack => {
                self.0.insert(held);
            }
            Event::Ordered | Event::HookAsked
                if self.0.contains(&held) && !takes_back(fact.event, member) =>
            {
                says(format!("{} was ordered {} that it was rolled back from", held.1, held.0));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;

    #[test]
    fn an_order_against_a_hold_is_caught() {
        let mut stage = Stage::with(Box::new(Holds::default()));
        stage
            .ready(&[2])
            .member(0, Event::Ordered)
            .member(0, Event::RevertOrdered)
            .member(0, Event::RolledBack);
        stage.clear_hold(0).member(0, Event::Ordered).member(0, Event::RolledBack);
        assert!(stage.caught().is_empty());
        stage.member(0, Event::Ordered);
        assert!(stage.caught()[0].contains("rolled back from"));
    }
}
