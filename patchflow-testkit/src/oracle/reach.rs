//! What stories really reach: which facts there were, and which budgets were used up. A soak that reaches nothing of a
//! rule says nothing about it.

use super::budgets::budgets;
use super::{Ledger, member_fact, rich_fact};
use crate::sim::Sight;
use patchflow_core::fleet::RichFact;
use patchflow_core::journal::rich_kind;
use patchflow_core::rollout::Event;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub(super) struct Reach {
    named: BTreeMap<&'static str, u32>,
    events: BTreeMap<u8, (Event, u32)>,
}

impl Reach {
    pub(super) fn see(&mut self, sight: Sight<'_>, ledger: &Ledger) {
        let mut count = |name| *self.named.entry(name).or_default() += 1;
        if let Some((fact, _)) = rich_fact(&sight) {
            count(rich_kind(fact).0);
            match fact {
                RichFact::RolloutStarted { emergency: Some(_), .. } => count("emergency"),
                RichFact::RebootsStopped { by: None, .. } => count("reboot_breaker"),
                _ => {}
            }
        }
        if let Some((fact, at)) = member_fact(&sight) {
            for budget in budgets(ledger, fact, at).iter().filter(|budget| budget.taken + 1 == budget.max) {
                count(match budget.name {
                    "fleet" => "full_fleet",
                    "scope" => "full_scope",
                    "starts" => "full_starts",
                    "ring" => "full_ring",
                    "probe" => "probe_first",
                    "group" => "full_group",
                    _ => "full_rollout",
                });
            }
            self.events.entry(fact.event as u8).or_insert((fact.event, 0)).1 += 1;
        }
    }

    pub(super) fn all(&self) -> BTreeMap<String, u32> {
        let named = self.named.iter().map(|(name, n)| ((*name).to_owned(), *n));
        named.chain(self.events.values().map(|(event, n)| (format!("{event:?}"), *n))).collect()
    }
}
