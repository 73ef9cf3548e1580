//! Budgets are kept: no more operations under way than the policy allows.

use super::{Ledger, Oracle, member_fact};
use crate::sim::Sight;
use patchflow_core::rollout::Event;

#[derive(Debug)]
pub(super) struct Budgets;

impl Oracle for Budgets {
    fn name(&self) -> &'static str {
        "budgets respected"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        let Some((fact, _)) = member_fact(&sight) else { return };
        if fact.event != Event::Ordered {
            return;
        }
        let Some(rollout) = ledger.rollout(fact.rollout) else { return };
        let taken = rollout.members.iter().filter(|member| member.placed).count();
        let max = rollout.policy.deploy.in_flight_max as usize;
        if taken >= max {
            says(format!(
                "{} of {} was ordered with {taken} of {max} places taken",
                fact.member, fact.rollout
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;

    #[test]
    fn one_operation_too_many_is_caught() {
        let mut stage = Stage::with(Box::new(Budgets));
        stage.policy.deploy.in_flight_max = 2;
        stage.ready(&[4]).member(0, Event::Ordered).member(1, Event::Ordered).member(1, Event::WentSilent);
        stage.member(2, Event::Ordered);
        assert!(stage.caught().is_empty(), "unknown frees its place");
        stage.member(3, Event::Ordered);
        assert!(stage.caught()[0].contains("2 of 2 places"));
    }
}
