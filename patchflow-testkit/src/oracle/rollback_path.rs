//! Nothing starts without a known way back, unless the policy waives it by name.

use super::{Ledger, Oracle, member_fact};
use crate::sim::Sight;
use patchflow_core::fleet::Effect;
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::{Event, Order};

#[derive(Debug)]
pub(super) struct RollbackPathKnown;

impl Oracle for RollbackPathKnown {
    fn name(&self) -> &'static str {
        "rollback path known before start"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        if let Some((fact, _)) = member_fact(&sight)
            && fact.event == Event::Ordered
            && let Some(rollout) = ledger.rollout(fact.rollout)
            && let Some(member) = ledger.member(fact.rollout, fact.member)
            && member.path == RollbackPath::None
            && ledger.told_path(fact.rollout, member.endpoint).is_none_or(|path| path == RollbackPath::None)
            && rollout.policy.rollback.without_path.is_none()
        {
            says(format!("{} of {} was ordered without a way back", fact.member, fact.rollout));
        }
        if let Sight::Left(Effect::Submit(Order::Install(order))) = sight {
            let id = order.id();
            let Some(member) = ledger.member(id.rollout, id.member) else { return };
            // A snapshot may have been taken since the plan was made.
            let (planned, told) = (member.path, ledger.told_path(id.rollout, member.endpoint));
            if order.path() != planned && Some(order.path()) != told {
                let path = order.path();
                says(format!(
                    "{id} carries the way back {path:?}, the plan says {planned:?}, the inventory {told:?}"
                ));
            }
            let waived = ledger
                .rollout(id.rollout)
                .is_some_and(|rollout| rollout.policy.rollback.without_path.is_some());
            if order.path() == RollbackPath::None && !waived {
                says(format!("{id} carries no way back"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;
    use patchflow_core::policy::WaiverByName;

    #[test]
    fn a_start_without_a_way_back_is_caught() {
        let caught = |waived: bool, path| {
            let mut stage = Stage::with(Box::new(RollbackPathKnown));
            stage.path = path;
            stage.policy.rollback.without_path =
                waived.then(|| WaiverByName { by: "ada".into(), reason: "because".into() });
            stage.ready(&[1]).member(0, Event::Ordered);
            stage.caught().len()
        };
        assert_eq!(caught(false, RollbackPath::Reinstall) + caught(true, RollbackPath::None), 0);
        assert_eq!(caught(false, RollbackPath::None), 1);
    }
}
