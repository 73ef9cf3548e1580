//! Nothing begins after its `start_by`, by the endpoint's own clock.

use super::{Ledger, Oracle};
use crate::sim::Sight;
use patchflow_core::ids::OrderId;
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(super) struct StartBy {
    /// What people put off begins when they let it.
    put_off: BTreeSet<OrderId>,
}

impl Oracle for StartBy {
    fn name(&self) -> &'static str {
        "nothing starts after start_by"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        if let Sight::PutOff(order) = sight {
            self.put_off.insert(order);
        }
        if let Sight::Began(name, order) = sight
            && !self.put_off.contains(&order.id())
            && ledger.now > order.start_by()
        {
            says(format!("{name} began {}, which was to be begun by {}", order.id(), order.start_by()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Panel;
    use crate::sim::{Happening, Machine, Operation, World};
    use patchflow_core::doc::patch;
    use patchflow_core::policy::{Policy, StartMode};

    /// One endpoint that was away when it was ordered, and begins two days later, or does not.
    fn begins_late(liar: bool) -> usize {
        let panel = Panel::of(vec![Box::new(StartBy::default())]);
        let start = "2026-11-21T08:00:00Z".parse().unwrap();
        let mut world = World::watched("acme", 1, start, Some(panel.watch()));
        let mut policy = Policy::standard("test");
        policy.trial.required_for.clear();
        policy.deploy.start = StartMode::WhenApproved;
        policy.approval.clear();
        world.adopt(policy).unwrap();
        let operation = Operation { ignores_start_by: liar, ..Operation::default() };
        let mut machine = Machine::new("prod-0").with("webd", "1.0").installing(operation);
        machine.reachable = false;
        world.join([machine]);
        world.machine_mut("prod-0").unwrap().reachable = true;
        let candidate = world.publish(patch("webd", "1.1")).unwrap();
        world.machine_mut("prod-0").unwrap().reachable = false;
        let ada = patchflow_core::ids::Actor::new("ada", ["change-manager"]);
        let ask = patchflow_core::fleet::Command::Approve { candidate, reason: "so".into() };
        world.ask(ada, ask).unwrap();
        let back = crate::sim::Change::Reachable(true);
        world.schedule(start.plus_secs(25 * 3600), Happening::Changes("prod-0".into(), back));
        world.run_for(25 * 3600 + 600);
        panel.violations().len()
    }

    #[test]
    fn a_liar_that_begins_late_is_caught() {
        assert_eq!(begins_late(false), 0);
        assert!(begins_late(true) > 0);
    }
}
