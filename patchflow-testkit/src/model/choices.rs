//! What the rules leave to the engine, read from its facts.

use super::Illegal;
use patchflow_core::fleet::{Fact, Recorded, RichFact};
use patchflow_core::plan::PlanFact;
use patchflow_core::rollout::{Event, Phase};
use patchflow_core::time::Timestamp;
use std::collections::BTreeMap;

/// What the engine chose at one input.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// When the fleet wanted to be looked at again, before this input.
    pub promised: Option<Timestamp>,
    /// Who was looked at for a start, in which order, and what came of it.
    pub(super) starts: Vec<(usize, usize, Event)>,
    /// Who is rolled back.
    pub(super) reverts: Vec<(usize, usize)>,
    /// Rollouts that come to their end.
    pub(super) ended: Vec<usize>,
    /// Candidates that something else takes the place of, and what.
    pub(super) superseded: Vec<(usize, usize)>,
    /// Candidates that are open again.
    pub(super) reopened: Vec<usize>,
    /// Who is rebooted.
    pub(super) reboots: Vec<(usize, usize)>,
    /// Whose content is asked for, or found too old.
    pub(super) stages: Vec<(usize, usize, Event)>,
    /// Until when retries wait.
    pub(super) retries: Vec<(usize, usize, u32)>,
    /// Who is in which ring.
    pub(super) plans: BTreeMap<usize, PlanFact>,
    epoch: Timestamp,
}

impl Choices {
    /// Reads them from the facts of one input; `epoch` is when the fleet was founded.
    #[must_use]
    pub fn read(facts: &[Recorded], promised: Option<Timestamp>, epoch: Timestamp) -> Self {
        let mut choices = Self { promised, epoch, ..Self::default() };
        for recorded in facts {
            match &recorded.fact {
                Fact::Endpoint(fact) => {
                    let at = (fact.rollout.index(), fact.member.index());
                    match fact.event {
                        Event::RetryScheduled | Event::HookFailed | Event::StageFailed => {
                            choices.retries.push((at.0, at.1, fact.due))
                        }
                        Event::StageAsked | Event::StageDropped => {
                            choices.stages.push((at.0, at.1, fact.event));
                        }
                        Event::RebootOrdered => choices.reboots.push(at),
                        Event::RevertOrdered => choices.reverts.push(at),
                        event if super::starts::is_start(event) => choices.starts.push((at.0, at.1, event)),
                        _ => {}
                    }
                }
                Fact::Rich(fact) => match &**fact {
                    RichFact::RolloutStarted { rollout, plan, .. } => {
                        choices.plans.insert(rollout.index(), plan.clone());
                    }
                    RichFact::CandidateSuperseded { candidate, by } => {
                        choices.superseded.push((candidate.index(), by.index()));
                    }
                    RichFact::CandidateReopened { candidate, .. } => choices.reopened.push(candidate.index()),
                    RichFact::RolloutEnded { rollout, .. } => choices.ended.push(rollout.index()),
                    _ => {}
                },
                _ => {}
            }
        }
        choices
    }

    /// Whether an order leaves for a member.
    pub(super) fn goes(&self, (r, m): (usize, usize)) -> bool {
        self.starts.contains(&(r, m, Event::Ordered))
    }

    /// The rollout whose member is looked at next for its start.
    pub(super) fn next_start(&self) -> Option<usize> {
        self.starts.first().map(|(r, _, _)| *r)
    }

    /// The rollout whose member's content is looked at next.
    pub(super) fn next_staging(&self) -> Option<usize> {
        self.stages.first().map(|(r, _, _)| *r)
    }

    /// A member came to an end that the engine's facts tell too: no choice of the engine's.
    pub(super) fn strike(&mut self, (r, m): (usize, usize), phase: Phase) {
        let ended = |event| match event {
            Event::Skipped => phase == Phase::Skipped,
            Event::Held => phase == Phase::Held,
            Event::Removed => phase == Phase::Removed,
            Event::Cancelled => phase == Phase::Cancelled,
            _ => false,
        };
        if let Some(i) = self.starts.iter().position(|start| (start.0, start.1) == (r, m) && ended(start.2)) {
            self.starts.remove(i);
        }
    }

    /// The instant that the engine chose for a retry, which must lie within the wait and its jitter.
    pub(super) fn retry(
        &mut self,
        (r, m): (usize, usize),
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Timestamp, Illegal> {
        let found = self.retries.iter().position(|(rollout, member, _)| (*rollout, *member) == (r, m));
        let Some(found) = found else {
            return Err(Illegal(format!(
                "r{r}.m{m} is to be tried again between {from} and {until}, and is not"
            )));
        };
        let (_, _, due) = self.retries.remove(found);
        let at = self.epoch.plus_secs(due.into());
        if at < from || at > until {
            return Err(Illegal(format!("r{r}.m{m} waits until {at}, allowed is {from} to {until}")));
        }
        Ok(at)
    }

    pub(super) fn is_used_up(&self) -> Result<(), Illegal> {
        if let Some((r, m, _)) = self.retries.first() {
            return Err(Illegal(format!("the engine tries r{r}.m{m} again, and no rule says so")));
        }
        if let Some((r, m, event)) =
            self.starts.iter().find(|(_, _, event)| matches!(event, Event::Ordered | Event::HookAsked))
        {
            return Err(Illegal(format!("the engine starts r{r}.m{m} ({event:?}), and no rule allows it")));
        }
        if let Some((r, m, event)) = self.stages.first() {
            return Err(Illegal(format!(
                "the content of r{r}.m{m}: the engine says {event:?}, and no rule does"
            )));
        }
        if let Some(r) = self.plans.keys().next() {
            return Err(Illegal(format!("the engine starts r{r}, and no rule says so")));
        }
        Ok(())
    }
}
