//! Every endpoint of a rollout is accounted for exactly once, and the engine's counts are what its facts add up to.

use super::ledger::MemberEntry;
use super::{Ledger, Oracle, Standing, rich_fact};
use crate::sim::Sight;
use patchflow_core::fleet::{Fleet, RichFact};
use patchflow_core::gate::Counts;
use patchflow_core::ids::RolloutId;
use std::collections::BTreeSet;

#[derive(Debug)]
pub(super) struct Accounting;

fn counts(ledger: &Ledger, rollout: RolloutId, ring: usize) -> Counts {
    let mut counts = Counts::default();
    let members = ledger.rollout(rollout).map_or(&[][..], |entry| entry.ring_members(ring));
    for member in members {
        let class = match member.standing {
            Standing::Waiting => &mut counts.waiting,
            Standing::Busy | Standing::WantsReboot | Standing::Backoff => &mut counts.in_flight,
            Standing::Verified => &mut counts.verified,
            Standing::Unknown => &mut counts.unknown,
            Standing::Failed
            | Standing::Undoing
            | Standing::UndoUnknown
            | Standing::RolledBack
            | Standing::Operator => &mut counts.failed,
            Standing::Deferred => &mut counts.deferred,
            Standing::Skipped => &mut counts.skipped,
            Standing::Cancelled => &mut counts.cancelled,
            Standing::Held => &mut counts.held,
            Standing::Removed => &mut counts.removed,
        };
        *class += 1;
    }
    counts
}

fn compare(ledger: &Ledger, fleet: &Fleet, says: &mut dyn FnMut(String)) {
    if fleet.rollouts().count() != ledger.rollouts.len() {
        says(format!(
            "{} rollouts stand in the facts, {} in the fleet",
            ledger.rollouts.len(),
            fleet.rollouts().count()
        ));
    }
    for rollout in fleet.rollouts() {
        for (i, ring) in rollout.rings().iter().enumerate() {
            let counted = counts(ledger, rollout.id(), i);
            if counted != ring.counts() {
                says(format!(
                    "ring {i} of {}: {:?}, the facts add up to {counted:?}",
                    rollout.id(),
                    ring.counts()
                ));
            }
            if counted.members() as usize != ring.range().len() {
                says(format!(
                    "ring {i} of {} has {} members, {} are accounted for",
                    rollout.id(),
                    ring.range().len(),
                    counted.members()
                ));
            }
        }
    }
}

impl Oracle for Accounting {
    fn name(&self) -> &'static str {
        "every endpoint accounted for exactly once"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        match rich_fact(&sight) {
            Some((RichFact::RolloutStarted { rollout, plan, .. }, _)) => {
                let distinct: BTreeSet<_> = plan.members.iter().collect();
                let sizes: u64 = plan.rings.iter().map(|ring| u64::from(ring.size)).sum();
                if distinct.len() != plan.members.len() || sizes != plan.members.len() as u64 {
                    says(format!(
                        "{rollout} has {} members, {} of them different, in rings of {sizes}",
                        plan.members.len(),
                        distinct.len()
                    ));
                }
                for gone in
                    plan.members.iter().filter(|ix| ledger.endpoint(**ix).is_none_or(|entry| entry.gone))
                {
                    says(format!("{rollout} has {gone}, which is not there"));
                }
            }
            Some((RichFact::RolloutEnded { rollout, completed: true }, _)) => {
                let Some(entry) = ledger.rollout(*rollout) else { return };
                // Whoever was unknown and is heard of late may be under way in an earlier ring, or is tried again there,
                // and comes to its end.
                let stuck = |member: &&MemberEntry| match member.standing {
                    Standing::Waiting => true,
                    Standing::Backoff => usize::from(member.ring) + 1 == entry.rings.len(),
                    _ => false,
                };
                let open = entry.members.iter().filter(stuck).count();
                if open > 0 || entry.rings.iter().any(|ring| !ring.passed) {
                    says(format!("{rollout} is complete with {open} members that wait"));
                }
            }
            _ => {}
        }
        if let Sight::Finished(fleet) | Sight::Recovered(_, fleet) = sight {
            compare(ledger, fleet, says);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;
    use patchflow_core::rollout::Event;

    #[test]
    fn an_endpoint_twice_in_a_plan_is_caught() {
        let mut stage = Stage::with(Box::new(Accounting));
        stage.ready(&[2]);
        assert!(stage.caught().is_empty());
        stage.rollout_of(&[2], &[0, 0]);
        assert!(stage.caught()[0].contains("1 of them different"));
    }

    #[test]
    fn an_end_that_leaves_somebody_waiting_is_caught() {
        let mut stage = Stage::with(Box::new(Accounting));
        stage.ready(&[2]).member(0, Event::Ordered).member(0, Event::Verified).promote(0).end();
        assert!(stage.caught()[0].contains("1 members that wait"));
    }

    #[test]
    fn counts_that_the_facts_do_not_add_up_to_are_caught() {
        let mut stage = Stage::with(Box::new(Accounting));
        stage.ready(&[2]);
        let at = "2026-11-21T08:00:00Z".parse().unwrap();
        let id = patchflow_core::ids::FleetId(1);
        let empty = Fleet::found(id, "acme", 1, at, &mut patchflow_core::fleet::Outbox::new());
        stage.sight(Sight::Finished(&empty));
        assert!(stage.caught()[0].contains("rollouts stand in the facts"));
    }
}
