//! Facts into a state without deciding anything, many at once.

use super::kernel::Fleet;
use super::state::State;
use super::table::conditions::Bits;
use super::{EndpointFact, Fact, Recorded};
use crate::error::{CorruptJournal, Flaw};
use crate::ids::{MemberIx, RolloutId, Seq};
use crate::rollout::{Event, Phase, RolloutKind};
use crate::time::Timestamp;
use alloc::vec::Vec;

/// Endpoint facts that are applied at once.
const AT_ONCE: usize = 4096;

/// A state that grows fact by fact.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    state: State,
    /// Endpoint facts that follow the state and have not been applied yet.
    waiting: Vec<(Timestamp, EndpointFact)>,
}

impl Replay {
    pub(crate) fn new(state: State) -> Self {
        Self { state, waiting: Vec::new() }
    }

    /// Takes one fact.
    pub(crate) fn one(&mut self, Recorded { seq, at, fact }: Recorded) -> Result<(), CorruptJournal> {
        match fact {
            Fact::Endpoint(fact) => {
                let expected = Seq(self.state.seq.next().0 + self.waiting.len() as u64);
                if seq != expected {
                    self.apply_waiting()?;
                    return Err(CorruptJournal { seq, flaw: Flaw::Gap { expected } });
                }
                self.waiting.push((at, fact));
                if self.waiting.len() < AT_ONCE { Ok(()) } else { self.apply_waiting() }
            }
            Fact::Rich(_) => {
                self.apply_waiting()?;
                self.state.evolve(seq, at, &fact)
            }
        }
    }

    /// Takes the facts of a frame, the first of which has this sequence.
    pub(crate) fn frame(
        &mut self,
        first: Seq,
        facts: &[(Timestamp, EndpointFact)],
    ) -> Result<(), CorruptJournal> {
        self.apply_waiting()?;
        self.state.evolve_frame(first, facts)
    }

    fn apply_waiting(&mut self) -> Result<(), CorruptJournal> {
        let done = self.state.evolve_frame(self.state.seq.next(), &self.waiting);
        self.waiting.clear();
        done
    }

    /// The fleet that the facts built.
    pub(crate) fn finish(mut self) -> Result<Fleet, CorruptJournal> {
        self.apply_waiting()?;
        self.state.recover();
        Ok(Fleet::of(self.state))
    }
}

impl State {
    /// Applies endpoint facts that follow each other.
    fn evolve_frame(
        &mut self,
        first: Seq,
        facts: &[(Timestamp, EndpointFact)],
    ) -> Result<(), CorruptJournal> {
        if facts.is_empty() {
            return Ok(());
        }
        if first != self.seq.next() {
            return Err(CorruptJournal { seq: first, flaw: Flaw::Gap { expected: self.seq.next() } });
        }
        self.fetch(facts);
        for (at, fact) in facts {
            let seq = self.seq.next();
            if self.evolve_plain(*at, fact).is_none() {
                let evolve =
                    if fact.event.is_of_content() { Self::evolve_stage } else { Self::evolve_endpoint };
                evolve(self, *at, fact).map_err(|state| Self::misfit(seq, &Fact::Endpoint(*fact), state))?;
            }
            self.seq = seq;
            self.clock = self.clock.max(*at);
        }
        Ok(())
    }

    /// What [`evolve_endpoint`](Self::evolve_endpoint) does with the plain facts, which are nearly all: nothing but the
    /// move itself, and a free endpoint at the end. `None`, and nothing has changed, when there is more to it.
    #[inline]
    fn evolve_plain(&mut self, now: Timestamp, fact: &EndpointFact) -> Option<()> {
        let EndpointFact { rollout: id, member: ix, event, reason, due } = *fact;
        let is_watched = self.cache.live
            || self.resync.is_some()
            || !(self.attached.is_empty() && self.posts.is_empty() && self.patience.is_empty());
        let rollout = self.rollouts.get_mut(id.index()).filter(|_| !is_watched)?;
        let member = rollout.members.get_mut(ix.index())?;
        let phase = member.phase;
        let goes_on = (event == Event::Acknowledged && phase == Phase::Ordered)
            || (event == Event::InstallReported && matches!(phase, Phase::Ordered | Phase::Running));
        if goes_on && rollout.kind == RolloutKind::Deployment {
            member.apply(event, reason, due)?;
            self.cache.resumes = None;
            return Some(());
        }
        let ends = event == Event::Verified && phase == Phase::Installed && (reason, due) == (0, 0);
        if ends { self.verify_plainly(now, id, ix) } else { None }
    }

    /// Verifies a member of a deployment that stands alone, on an endpoint nothing else is said about. `None`, and nothing
    /// has changed, when that is not so.
    #[inline]
    pub(super) fn verify_plainly(&mut self, now: Timestamp, id: RolloutId, ix: MemberIx) -> Option<()> {
        let rollout = self.rollouts.get_mut(id.index())?;
        let endpoint = rollout.members.get(ix.index())?.endpoint;
        let deploy = &rollout.policy.deploy;
        let alone = rollout.bundle.is_empty() && deploy.hooks.post.is_none();
        let quiet_secs = deploy.quiet_reserve_secs;
        let slot = self.endpoints.slots.get_mut(endpoint.index())?;
        let told = slot.group != 0 || slot.broken || slot.conditions.has(Bits::ONBOARDING);
        if !alone || rollout.kind != RolloutKind::Deployment || told {
            return None;
        }
        rollout.apply(now, ix, Event::Verified, 0, 0)?;
        slot.set_active(None);
        self.cache.resumes = None;
        self.note_quiet(now, endpoint, quiet_secs);
        Some(())
    }

    /// Reads what the facts are about to change. Members and endpoints lie anywhere in memory; fetched together, the
    /// waits for them overlap, and the changes after it find them near.
    fn fetch(&self, facts: &[(Timestamp, EndpointFact)]) {
        let mut near = 0;
        let mut endpoints = [0; 64];
        for facts in facts.chunks(endpoints.len()) {
            let mut found = 0;
            for (_, fact) in facts {
                let Some(rollout) = self.rollouts.get(fact.rollout.index()) else { continue };
                let Some(member) = rollout.members.get(fact.member.index()) else { continue };
                near ^= member.deadline;
                if leaves_endpoints_alone(fact.event) {
                    continue;
                }
                if let Some(next) = endpoints.get_mut(found) {
                    *next = member.endpoint.0;
                    found += 1;
                }
            }
            for endpoint in endpoints.iter().take(found) {
                near ^= self.endpoints.slots.get(*endpoint as usize).map_or(0, |slot| slot.fence);
            }
        }
        core::hint::black_box(near);
    }
}

/// Events of an operation that goes on. Only what is fetched beforehand depends on it.
const fn leaves_endpoints_alone(event: Event) -> bool {
    matches!(event, Event::Acknowledged | Event::InstallReported | Event::Rebooted | Event::RebootNeeded)
}
