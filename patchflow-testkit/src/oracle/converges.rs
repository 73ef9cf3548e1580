//! Once nothing goes wrong any more, everything comes to rest, or waits for a person and says so.

use super::{Ledger, Oracle, RolloutEntry, Standing, rich_fact};
use crate::sim::Sight;
use patchflow_core::fleet::RichFact;
use patchflow_core::ids::RolloutId;
use patchflow_core::rollout::RolloutKind;
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub(super) struct Converges {
    faults_stopped: bool,
    /// Rollouts whose ring holds and asked a person.
    held: BTreeSet<RolloutId>,
}

impl Converges {
    fn waits_for_a_person(&self, ledger: &Ledger, id: RolloutId, rollout: &RolloutEntry) -> bool {
        let Some(candidate) = ledger.candidate(rollout.candidate) else { return false };
        let permitted = match rollout.kind {
            RolloutKind::Deployment if candidate.held => false,
            RolloutKind::Deployment => candidate.approved_until.is_some_and(|until| ledger.now < until),
            RolloutKind::Trial => candidate.evidence.is_none() && candidate.retired.is_none(),
        };
        // Somebody must mend the calendar of an endpoint that the policy does not know, or let another rollout go on.
        let stuck = rollout.members.iter().any(|member| {
            let calendar = ledger.endpoint(member.endpoint).and_then(|entry| entry.calendar.as_deref());
            let unknown = calendar.is_some_and(|name| !rollout.policy.calendars.named.contains_key(name));
            let leads = |other: &RolloutEntry| {
                other.candidate == rollout.candidate
                    && other.stopped.is_some()
                    && other.members.iter().any(|of| {
                        of.endpoint == member.endpoint
                            && matches!(of.standing, Standing::Backoff | Standing::WantsReboot)
                            && !of.attached
                    })
            };
            // An endpoint of its group may stay unavailable until a person has looked at it.
            let group = ledger.endpoint(member.endpoint).and_then(|entry| entry.state.group.as_ref());
            let blocks = |(other, i): (&super::EndpointEntry, u32)| {
                let ix = patchflow_core::ids::EndpointIx(i);
                ix != member.endpoint && other.state.group.as_ref() == group && ledger.is_down(ix)
            };
            let blocked = group.is_some() && ledger.endpoints.iter().zip(0..).any(blocks);
            // Whoever has the endpoint stays unknown there until a person has looked.
            let taken = ledger
                .rollouts
                .iter()
                .flat_map(|other| &other.members)
                .any(|other| other.endpoint == member.endpoint && other.standing == Standing::Unknown);
            // What it stands on may have been named only while it was under way, and need not be there.
            let relations = &candidate.patch.relations;
            let stands = !relations.requires.is_empty() || !relations.floors.is_empty();
            if unknown && member.standing == Standing::WantsReboot {
                return true;
            }
            member.standing == Standing::Backoff
                && (unknown
                    || blocked
                    || taken
                    || stands
                    || member.attached && ledger.rollouts.iter().any(leads))
        });
        self.held.contains(&id) || !permitted || stuck
    }
}

impl Oracle for Converges {
    fn name(&self) -> &'static str {
        "converges once faults stop"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        match rich_fact(&sight) {
            Some((RichFact::RingHeld { rollout, .. }, _)) => {
                self.held.insert(*rollout);
            }
            Some((RichFact::RingPromoted { rollout, .. } | RichFact::RingOpened { rollout, .. }, _)) => {
                self.held.remove(rollout);
            }
            _ => {}
        }
        match sight {
            Sight::FaultsStopped => self.faults_stopped = true,
            Sight::Stalled(at) => says(format!("time stands still at {at}")),
            Sight::Finished(_) if self.faults_stopped => {
                for (i, rollout) in ledger.rollouts.iter().enumerate() {
                    let id = RolloutId(i as u32);
                    if rollout.stopped.is_none() && !self.waits_for_a_person(ledger, id, rollout) {
                        says(format!("{id} neither ended nor waits for a person: {}", standings(rollout)));
                    }
                    // Who stays unknown after every question waits for a person, or for its own late report.
                    let unknown = rollout.members.iter().any(|member| member.standing == Standing::Unknown);
                    if rollout.stopped == Some("cancelled") && !unknown {
                        says(format!("{id} was cancelled and has not ended: {}", standings(rollout)));
                    }
                    let busy = |standing| {
                        matches!(standing, Standing::Busy | Standing::Undoing | Standing::UndoUnknown)
                    };
                    if let Some(at) = rollout.members.iter().position(|member| busy(member.standing)) {
                        let standing = rollout.members[at].standing;
                        says(format!("m{at} of {id} is {standing:?} for ever: {}", standings(rollout)));
                    }
                }
            }
            _ => {}
        }
    }
}

fn standings(rollout: &RolloutEntry) -> String {
    let each: Vec<_> = rollout.members.iter().map(|member| format!("{:?}", member.standing)).collect();
    format!("ring {}, {}", rollout.ring, each.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;
    use patchflow_core::rollout::Event;

    #[test]
    fn a_rollout_that_never_ends_is_caught() {
        let mut stage = Stage::with(Box::new(Converges::default()));
        stage.ready(&[1]).member(0, Event::Ordered).sight(Sight::FaultsStopped).finish();
        assert!(stage.caught().iter().any(|text| text.contains("for ever")));
        let mut stage = Stage::with(Box::new(Converges::default()));
        stage.ready(&[1]).member(0, Event::Ordered).member(0, Event::Verified).promote(0).end();
        stage.sight(Sight::FaultsStopped).finish();
        assert!(stage.caught().is_empty());
    }
}
