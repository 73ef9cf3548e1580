//! One operation at a time on an endpoint, across all rollouts, by the engine's word and by the endpoint's.

use super::{Ledger, Oracle, member_fact};
use crate::sim::Sight;
use patchflow_core::ids::OrderId;
use patchflow_core::rollout::Event;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct OneOperation {
    at_work: BTreeMap<String, OrderId>,
}

impl Oracle for OneOperation {
    fn name(&self) -> &'static str {
        "one operation per endpoint"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        if let Some((fact, _)) = member_fact(&sight)
            && matches!(
                fact.event,
                Event::Ordered
                    | Event::HookAsked
                    | Event::RevertOrdered
                    | Event::RebootOrdered
                    | Event::InstallReported
            )
            && let Some(member) = ledger.member(fact.rollout, fact.member)
        {
            for (i, rollout) in ledger.rollouts.iter().enumerate() {
                let other = rollout.members.iter().find(|other| other.endpoint == member.endpoint);
                if let Some(other) = other.filter(|other| other.standing.occupies())
                    && i != fact.rollout.index()
                {
                    says(format!(
                        "{} was taken by {} ({:?}) while r{i} has it: {:?}",
                        member.endpoint, fact.rollout, fact.event, other.standing
                    ));
                }
            }
        }
        match sight {
            Sight::Began(name, order) => {
                if let Some(other) = self.at_work.insert(name.into(), order.id()) {
                    says(format!("{name} began {} while it was at {other}", order.id()));
                }
            }
            Sight::Ended(name, order, _) if self.at_work.get(name) == Some(&order.id()) => {
                self.at_work.remove(name);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::{Stage, orders};

    #[test]
    fn two_rollouts_on_one_endpoint_are_caught() {
        let mut stage = Stage::with(Box::new(OneOperation::default()));
        stage.ready(&[2]).member(0, Event::Ordered).member(0, Event::Verified);
        stage.rollout(&[2]).open(0).member(0, Event::Ordered);
        assert!(stage.caught().is_empty());
        stage.in_rollout(0, 0, Event::RevertOrdered);
        assert!(stage.caught()[0].contains("while r1 has it"));
    }

    #[test]
    fn an_endpoint_that_does_two_things_at_once_is_caught() {
        let mut stage = Stage::with(Box::new(OneOperation::default()));
        let [first, second] = orders();
        let done = crate::sim::Stage::Done;
        stage.sight(Sight::Began("a", &first)).sight(Sight::Ended("a", &first, &done));
        stage.sight(Sight::Began("a", &second));
        assert!(stage.caught().is_empty());
        stage.sight(Sight::Began("a", &first));
        assert!(stage.caught()[0].contains("while it was at"));
    }
}
