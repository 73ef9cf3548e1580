//! Rings open one after the other, and nobody is ordered before the turn of their ring.

use super::{Ledger, Oracle, member_fact, rich_fact};
use crate::sim::Sight;
use patchflow_core::fleet::RichFact;
use patchflow_core::rollout::Event;

#[derive(Debug)]
pub(super) struct RingOrder;

impl Oracle for RingOrder {
    fn name(&self) -> &'static str {
        "ring order"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        if let Some((fact, _)) = member_fact(&sight)
            && fact.event == Event::Ordered
            && let Some(rollout) = ledger.rollout(fact.rollout)
            && let Some(member) = ledger.member(fact.rollout, fact.member)
            // Whom a person passed over with its ring is brought along when the rollout has completed.
            && !rollout.rings.get(usize::from(member.ring)).is_some_and(|ring| {
                ring.opened || (ring.passed && rollout.stopped == Some("completed"))
            })
        {
            says(format!(
                "{} of {} was ordered, and ring {} is not open",
                fact.member, fact.rollout, member.ring
            ));
        }
        match rich_fact(&sight) {
            Some((RichFact::RingOpened { rollout, ring } | RichFact::RingSkipped { rollout, ring }, _)) => {
                let Some(entry) = ledger.rollout(*rollout) else { return };
                let before = &entry.rings[..usize::from(*ring).min(entry.rings.len())];
                if let Some(shut) = before.iter().position(|ring| !ring.passed) {
                    says(format!("ring {ring} of {rollout} was opened before ring {shut} had passed"));
                }
            }
            Some((RichFact::RingPromoted { rollout, ring, .. }, _)) => {
                let opened = ledger.rollout(*rollout).and_then(|entry| entry.rings.get(usize::from(*ring)));
                if opened.is_none_or(|ring| !ring.opened) {
                    says(format!("ring {ring} of {rollout} was promoted and never open"));
                }
            }
            _ => {}
        }
        if let Some((RichFact::RingSkipped { rollout, ring }, _)) = rich_fact(&sight)
            && ledger
                .rollout(*rollout)
                .is_some_and(|entry| !entry.ring_members(usize::from(*ring)).is_empty())
        {
            says(format!("ring {ring} of {rollout} was skipped and is not empty"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;

    #[test]
    fn a_ring_out_of_turn_is_caught() {
        let mut stage = Stage::with(Box::new(RingOrder));
        stage.ready(&[1, 2]).member(0, Event::Ordered).member(0, Event::Verified).promote(0).open(1);
        stage.member(1, Event::Ordered);
        assert!(stage.caught().is_empty());
        let mut stage = Stage::with(Box::new(RingOrder));
        stage.ready(&[1, 2]).member(1, Event::Ordered).open(1);
        let caught = stage.caught();
        assert!(caught[0].contains("is not open") && caught[1].contains("before ring 0"), "{caught:?}");
    }
}
