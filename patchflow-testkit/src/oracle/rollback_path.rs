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
            && rollout.policy.rollback.without_path.is_none()
        {
            says(format!("{} of {} was ordered without a way back", fact.member, fact.rollout));
        }
        if let Sight::Left(Effect::Submit(Order::Install(order))) = sight {
            let id = order.id();
            let known = ledger.member(id.rollout, id.member).map(|member| member.path);
            if known != Some(order.path()) {
                says(format!("{id} carries the way back {:?}, the plan says {known:?}", order.path()));
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
