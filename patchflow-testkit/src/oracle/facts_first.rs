//! No effect without a stored fact that explains it, and not twice for one fact.

use super::{Ledger, Oracle, member_fact, rich_fact};
use crate::sim::Sight;
use patchflow_core::fleet::{Effect, RichFact};
use patchflow_core::ids::{AskId, MemberIx, OrderId, RolloutId};
use patchflow_core::rollout::Event;
use std::collections::{BTreeMap, BTreeSet};

type Key = (RolloutId, MemberIx, u32);

#[derive(Debug, Default)]
pub(super) struct FactsFirst {
    /// How often an order may still leave.
    orders: BTreeMap<Key, u32>,
    /// How often a recall may still leave.
    recalls: BTreeMap<Key, u32>,
    asked: BTreeSet<AskId>,
}

fn key(id: OrderId) -> Key {
    (id.rollout, id.member, id.operation.into())
}

impl Oracle for FactsFirst {
    fn name(&self) -> &'static str {
        "no effect before its fact"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        if let Some((fact, _)) = member_fact(&sight)
            && let Some(member) = ledger.member(fact.rollout, fact.member)
        {
            let key = |operation| (fact.rollout, fact.member, operation);
            match fact.event {
                Event::Ordered | Event::RevertOrdered | Event::RebootOrdered => {
                    *self.orders.entry(key(member.operations + 1)).or_default() += 1;
                }
                Event::Resent | Event::RevertResent => {
                    *self.orders.entry(key(member.operations)).or_default() += 1;
                }
                Event::RecallAsked => *self.recalls.entry(key(member.operations)).or_default() += 1,
                _ => {}
            }
        }
        if let Some((RichFact::ApprovalAsked { ask, .. }, _)) = rich_fact(&sight) {
            self.asked.insert(*ask);
        }
        let Sight::Left(effect) = sight else { return };
        let known = |id: OrderId| {
            ledger
                .member(id.rollout, id.member)
                .is_some_and(|member| u32::from(id.operation) <= member.operations)
        };
        match effect {
            Effect::Submit(order) => spend(&mut self.orders, key(order.id()), "order", says),
            Effect::Recall { order, .. } => spend(&mut self.recalls, key(*order), "recall", says),
            Effect::Query { order, .. } if !known(*order) => {
                says(format!("asked after {order}, which no stored fact explains"));
            }
            Effect::Inspect(look) if !known(look.order) => {
                says(format!("looked after {}, which no stored fact explains", look.order));
            }
            Effect::AskApproval { ask, .. } if !self.asked.contains(ask) => {
                says(format!("{ask} was asked, which no stored fact explains"));
            }
            _ => {}
        }
    }
}

fn spend(left: &mut BTreeMap<Key, u32>, key: Key, what: &str, says: &mut dyn FnMut(String)) {
    match left.get_mut(&key).filter(|left| **left > 0) {
        Some(left) => *left -= 1,
        None => says(format!("{what} {key:?} left, and no stored fact explains it")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::{Stage, orders};

    #[test]
    fn an_order_without_its_fact_or_for_the_second_time_is_caught() {
        let [first, _] = orders();
        let effect = Effect::Submit(first.clone());
        let mut stage = Stage::with(Box::new(FactsFirst::default()));
        stage.ready(&[1]).member(0, Event::Ordered).sight(Sight::Left(&effect));
        assert!(stage.caught().is_empty());
        stage.sight(Sight::Left(&effect));
        assert!(stage.caught()[0].contains("no stored fact"));
        let mut stage = Stage::with(Box::new(FactsFirst::default()));
        stage.ready(&[1]).sight(Sight::Left(&effect));
        assert_eq!(stage.caught().len(), 1);
    }
}
