//! Nothing starts that was not staged, where the policy requires it (semantics S4).

use super::condition_entry::takes_back;
use super::ledger::RolloutEntry;
use super::{Ledger, Oracle, Standing, member_fact, rich_fact};
use crate::sim::Sight;
use patchflow_core::digest::Digest;
use patchflow_core::fleet::{EndReason, EndpointFact, Observation, RichFact};
use patchflow_core::ids::{EndpointIx, RolloutId};
use patchflow_core::policy::Amount;
use patchflow_core::rollout::{Event, StageOutcome};
use patchflow_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What was heard of content, and what the facts say of it.
#[derive(Debug, Default)]
pub(super) struct Staged {
    /// Content that endpoints said they hold.
    heard: BTreeSet<(EndpointIx, Digest)>,
    /// Until when what was staged is good, in seconds since the epoch.
    good: BTreeMap<(RolloutId, EndpointIx), u32>,
    /// What is on its way.
    asked: BTreeSet<(RolloutId, EndpointIx)>,
    epoch: Option<Timestamp>,
}

impl Oracle for Staged {
    fn name(&self) -> &'static str {
        "staged"
    }

    fn see(&mut self, sight: Sight<'_>, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        match &sight {
            Sight::Heard(Observation::Staged { stage, outcome: StageOutcome::There { content } }) => {
                self.heard.insert((stage.endpoint, *content));
            }
            Sight::Heard(Observation::ContentHeld { content, endpoints, .. }) => {
                self.heard.extend(endpoints.iter().map(|endpoint| (*endpoint, *content)));
            }
            Sight::Stored(recorded) => _ = self.epoch.get_or_insert(recorded.at),
            _ => {}
        }
        if let Some((fact, _)) = rich_fact(&sight) {
            self.thrown_away(fact, ledger);
        }
        if let Some((fact, at)) = member_fact(&sight) {
            self.moves(fact, at, ledger, says);
        }
    }
}

impl Staged {
    /// What is thrown away takes no place, and nothing starts from it.
    fn thrown_away(&mut self, fact: &RichFact, ledger: &Ledger) {
        let (of_rollout, of_candidate) = match fact {
            RichFact::RolloutEnded { rollout, completed } => {
                let goes_on = *completed && ledger.rollout(*rollout).is_some_and(RolloutEntry::brings_along);
                if goes_on {
                    return;
                }
                (Some(*rollout), None)
            }
            RichFact::CatchUpStopped { rollout, .. } => (Some(*rollout), None),
            RichFact::ApprovalEnded { candidate, end: EndReason::Revoked { .. } }
            | RichFact::CandidateSuperseded { candidate, .. }
            | RichFact::CandidateWithdrawn { candidate, .. } => (None, Some(*candidate)),
            // Members of rings that have not opened are asked for anew under their new numbers.
            RichFact::RolloutRevised { rollout, .. } | RichFact::RingPassedOver { rollout, .. } => {
                self.asked.retain(|(asked, _)| asked != rollout);
                return;
            }
            _ => return,
        };
        // What is under way keeps what it is installed from.
        let keep = |key: &(RolloutId, EndpointIx)| {
            let Some(entry) = ledger.rollout(key.0) else { return true };
            let waits = entry.members.iter().filter(|member| member.endpoint == key.1).any(|member| {
                matches!(member.standing, Standing::Waiting | Standing::Backoff | Standing::Deferred)
            });
            !waits || Some(key.0) != of_rollout && Some(entry.candidate) != of_candidate
        };
        self.asked.retain(keep);
        self.good.retain(|key, _| keep(key));
    }

    fn moves(&mut self, fact: &EndpointFact, at: Timestamp, ledger: &Ledger, says: &mut dyn FnMut(String)) {
        let Some(rollout) = ledger.rollout(fact.rollout) else { return };
        let Some(member) = ledger.member(fact.rollout, fact.member) else { return };
        let policy = &rollout.policy.staging;
        let Some(candidate) = ledger.candidate(rollout.candidate).filter(|_| policy.required) else { return };
        let key = (fact.rollout, member.endpoint);
        let who = format!("{} in {}", member.endpoint, fact.rollout);
        let is_there = self.heard.contains(&(member.endpoint, candidate.patch.content));
        match fact.event {
            Event::StageAsked => {
                self.asked.insert(key);
                if candidate.retired.is_some() {
                    says(format!("{who} is staged, and is not installed any more"));
                }
                let most = ledger.policy.as_ref().and_then(|policy| policy.staging.in_flight_max);
                if let Some(Amount::Count { n }) = most
                    && self.asked.len() > n as usize
                {
                    says(format!("{} are staged at once, at most {n} may be", self.asked.len()));
                }
            }
            Event::Staged => {
                self.asked.remove(&key);
                self.good.insert(key, fact.due);
                if !is_there {
                    says(format!("{who} counts as staged, and never said that it holds what was approved"));
                }
            }
            Event::StageFailed | Event::StageGaveUp | Event::StageDropped => {
                self.asked.remove(&key);
                self.good.remove(&key);
            }
            Event::Ordered | Event::HookAsked if !takes_back(fact.event, member) => {
                let secs = self.epoch.map_or(0, |epoch| at.since(epoch).as_secs());
                let until = self.good.get(&key).copied().unwrap_or(0);
                if !is_there || secs >= u64::from(until) {
                    says(format!("{who} starts, and its content was not staged"));
                }
            }
            Event::Removed | Event::Cancelled | Event::Skipped | Event::Held => {
                self.asked.remove(&key);
                self.good.remove(&key);
            }
            // Nobody waits for what was asked for, such as a retry that a halt ends.
            Event::Attached | Event::InstallReported | Event::RebootOrdered | Event::GaveUp => {
                self.asked.remove(&key);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;
    use patchflow_core::doc::patch;
    use patchflow_core::ids::FleetId;
    use patchflow_core::rollout::StageId;

    fn told(content: Digest, keeps: u32) -> Vec<String> {
        let mut stage = Stage::with(Box::new(Staged::default()));
        stage.policy.staging.required = true;
        stage.ready(&[2]);
        let id = StageId { fleet: FleetId(1), rollout: RolloutId(0), endpoint: EndpointIx(0), attempt: 1 };
        let seen = Observation::Staged { stage: id, outcome: StageOutcome::There { content } };
        stage.member_due(0, Event::StageAsked, 7200).sight(Sight::Heard(&seen));
        stage.member_due(0, Event::Staged, keeps).pass(100).member(0, Event::Ordered);
        stage.caught()
    }

    #[test]
    fn one_more_than_may_be_is_caught_and_a_retry_that_is_given_up_frees_its_place() {
        let mut stage = Stage::with(Box::new(Staged::default()));
        stage.policy.staging.required = true;
        stage.policy.staging.in_flight_max = Some(Amount::Count { n: 1 });
        stage.ready(&[3]);
        let id = StageId { fleet: FleetId(1), rollout: RolloutId(0), endpoint: EndpointIx(0), attempt: 1 };
        let content = patch("webd", "1.1").content;
        let seen = Observation::Staged { stage: id, outcome: StageOutcome::There { content } };
        stage.member_due(0, Event::StageAsked, 7200).sight(Sight::Heard(&seen));
        stage.member_due(0, Event::Staged, 7200).member(0, Event::Ordered);
        stage
            .member(0, Event::RetryScheduled)
            .member_due(0, Event::StageAsked, 7200)
            .member(0, Event::GaveUp);
        stage.member_due(1, Event::StageAsked, 7200);
        assert!(stage.caught().is_empty(), "{:?}", stage.caught());
        stage.member_due(2, Event::StageAsked, 7200);
        assert!(stage.caught()[0].contains("at most 1 may be"));
    }

    #[test]
    fn a_start_without_content_is_caught() {
        let right = patch("webd", "1.1").content;
        assert_eq!(told(right, 7200), [""; 0]);
        assert!(told(right, 50)[0].contains("its content was not staged"), "it was too old");
        assert!(told(Digest::of(b"something else"), 7200)[0].contains("never said"));
        let mut stage = Stage::with(Box::new(Staged::default()));
        stage.policy.staging.required = true;
        stage.ready(&[2]).member(0, Event::Ordered);
        assert!(stage.caught()[0].contains("its content was not staged"));
    }
}
