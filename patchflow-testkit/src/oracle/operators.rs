//! Who can go neither forward nor back is called for, level by level, until somebody takes care of it.

use super::{Ledger, Oracle, Standing, rich_fact};
use crate::sim::Sight;
use patchflow_core::fleet::RichFact;
use patchflow_core::ids::{MemberIx, RolloutId};
use patchflow_core::time::Timestamp;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct OperatorsCalled {
    /// The level that was called last, until when it may acknowledge, and whether it did.
    calls: BTreeMap<(RolloutId, MemberIx), (u8, Timestamp, bool)>,
}

impl Oracle for OperatorsCalled {
    fn name(&self) -> &'static str {
        "operators called"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        if let Some((fact, _)) = super::member_fact(&sight) {
            // Whatever happens to the member ends the call.
            self.calls.remove(&(fact.rollout, fact.member));
        }
        match rich_fact(&sight) {
            Some((RichFact::OperatorCalled { rollout, member, level, until }, at)) => {
                let levels = ledger.rollout(*rollout).map_or(0, |entry| entry.policy.operators.len());
                let last = u8::try_from(levels.saturating_sub(1)).unwrap_or(u8::MAX);
                let wanted = match self.calls.get(&(*rollout, *member)) {
                    None => 0,
                    Some((_, before, acknowledged)) if *acknowledged || at < *before => {
                        return says(format!("level {level} was called for {member} of {rollout} too soon"));
                    }
                    Some((before, ..)) => before.saturating_add(1).min(last),
                };
                if *level != wanted {
                    says(format!("level {level} was called for {member} of {rollout}, not {wanted}"));
                }
                self.calls.insert((*rollout, *member), (*level, *until, false));
            }
            Some((RichFact::OperatorAcknowledged { rollout, member, .. }, _)) => {
                if let Some(call) = self.calls.get_mut(&(*rollout, *member)) {
                    call.2 = true;
                }
            }
            _ => {}
        }
        if let Sight::Finished(_) = sight {
            for (rollout, i) in ledger.rollouts.iter().zip(0..) {
                for (member, j) in rollout.members.iter().zip(0..) {
                    let key = (RolloutId(i), MemberIx(j));
                    if member.standing == Standing::Operator && !self.calls.contains_key(&key) {
                        says(format!("m{j} of r{i} needs an operator, and nobody was called"));
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;
    use patchflow_core::rollout::Event;

    fn call(level: u8, until: Timestamp) -> RichFact {
        RichFact::OperatorCalled { rollout: RolloutId(0), member: MemberIx(0), level, until }
    }

    #[test]
    fn nobody_called_and_a_call_too_soon_are_caught() {
        let stuck = || {
            let mut stage = Stage::with(Box::new(OperatorsCalled::default()));
            stage.ready(&[1]).member(0, Event::Ordered).member(0, Event::OperatorNeeded);
            stage
        };
        let mut stage = stuck();
        let until = stage.now().plus_secs(60);
        stage.rich(call(0, until)).pass(60).rich(call(1, until)).finish();
        assert!(stage.caught().is_empty());
        let mut stage = stuck();
        stage.finish();
        assert!(stage.caught()[0].contains("nobody was called"));
        let mut stage = stuck();
        stage.rich(call(0, until)).rich(call(1, until));
        assert!(stage.caught()[0].contains("too soon"));
        let mut stage = stuck();
        stage.rich(call(1, until));
        assert!(stage.caught()[0].contains("not 0"));
    }
}
