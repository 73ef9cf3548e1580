//! Plain facts, many at once: nothing but the move itself, and an endpoint that is taken or free.
//!
//! Nearly all facts of a journal are of this kind, and they come in runs of one rollout. What could make one of them more
//! than plain is asked once for a run; what a run counts is added up and counted once. That the outcome is the same as
//! that of [`evolve_endpoint`](State::evolve_endpoint) is held by every comparison of a live fleet with its replay.

use super::condition::keep_quiet;
use crate::error::CorruptJournal;
use crate::fleet::state::{State, secs_since};
use crate::fleet::table::conditions::Bits;
use crate::fleet::table::slot::Slot;
use crate::fleet::{EndpointFact, Fact};
use crate::ids::{MemberIx, RolloutId};
use crate::rollout::{Event, Member, Phase, RolloutKind};
use crate::time::Timestamp;

/// Facts whose members and endpoints are fetched together: with what they change they stay in a core's nearest cache.
const AHEAD: usize = 64;

impl State {
    /// Applies endpoint facts that follow each other, in replay.
    pub(in crate::fleet) fn evolve_many(
        &mut self,
        facts: &[(Timestamp, EndpointFact)],
    ) -> Result<(), CorruptJournal> {
        for ahead in facts.chunks(AHEAD) {
            self.fetch(ahead);
            let mut left = ahead;
            while let Some((at, fact)) = left.first() {
                let plain = self.evolve_plainly(left);
                if plain == 0 {
                    self.evolve_one(*at, fact)?;
                }
                left = left.get(plain.max(1)..).unwrap_or_default();
            }
        }
        Ok(())
    }

    fn evolve_one(&mut self, at: Timestamp, fact: &EndpointFact) -> Result<(), CorruptJournal> {
        let seq = self.seq.next();
        let evolve = if fact.event.is_of_content() { Self::evolve_stage } else { Self::evolve_endpoint };
        evolve(self, at, fact).map_err(|state| Self::misfit(seq, &Fact::Endpoint(*fact), state))?;
        (self.seq, self.clock) = (seq, self.clock.max(at));
        Ok(())
    }

    /// Applies the plain facts that these begin with: those of one rollout and one event, and of one ring where members
    /// start or end. Returns how many they are.
    fn evolve_plainly(&mut self, facts: &[(Timestamp, EndpointFact)]) -> usize {
        if self.cache.live || self.resync.is_some() || !self.posts.is_empty() {
            return 0;
        }
        let limits = self.starts_max().is_some();
        let (grouped, extends) = (!self.endpoints.groups_are_unused(), !self.patience.is_empty());
        let Some((_, EndpointFact { rollout: id, member: first, event, .. })) = facts.first().copied() else {
            return 0;
        };
        let Self { rollouts, endpoints, quiet, epoch, seq, clock, cache, .. } = self;
        let deployed = rollouts.get_mut(id.index()).filter(|it| it.kind == RolloutKind::Deployment);
        let Some(rollout) = deployed else { return 0 };
        let deploy = &rollout.policy.deploy;
        let quiet_secs = deploy.quiet_reserve_secs;
        let is_alone =
            rollout.bundle.is_empty() && deploy.hooks.post.is_none() && rollout.unplaced.is_empty();
        let number = rollout.members.get(first.index()).map_or(0, |member| member.ring);
        let counts = |ring: u8| {
            is_alone && rollout.rings.get(usize::from(ring)).is_some_and(|ring| ring.counts_plainly())
        };
        let starts_count = limits || rollout.is_staged_first();
        let members = &mut rollout.members;
        let slots = &mut endpoints.slots;
        let told = |slot: &Slot| grouped && (slot.is_grouped() || slot.is_broken());
        let done = if event == Event::Acknowledged {
            run(facts, members, |_, fact, member| {
                let is_plain = member.phase == Phase::Ordered;
                is_plain && member.apply(Event::Acknowledged, fact.reason, fact.due).is_some()
            })
        } else if event == Event::InstallReported {
            run(facts, members, |_, fact, member| {
                let is_plain = member.phase == Phase::Ordered || (member.phase == Phase::Running && !extends);
                is_plain && member.apply(Event::InstallReported, fact.reason, fact.due).is_some()
            })
        } else if event == Event::Ordered && counts(number) && !starts_count {
            let started = run(facts, members, |_, fact, member| {
                let Some(slot) = slots.get_mut(member.endpoint.index()) else { return false };
                let is_plain = member.phase == Phase::Waiting && member.ring == number && !told(slot);
                if is_plain {
                    slot.fence += 1;
                    slot.set_active(Some((id, fact.member)));
                }
                is_plain && member.apply(Event::Ordered, fact.reason, fact.due).is_some()
            });
            rollout.count_moves(number, [Phase::Waiting, Phase::Ordered], started as u32);
            started
        } else if event == Event::Verified && counts(number) {
            let mut now = (Timestamp::MIN, 0);
            let verified = run(facts, members, |at, fact, member| {
                let Some(slot) = slots.get_mut(member.endpoint.index()) else { return false };
                let is_plain = member.phase == Phase::Installed && member.ring == number && !told(slot);
                if is_plain {
                    slot.set_active(None);
                    if now.0 != at {
                        now = (at, secs_since(*epoch, at));
                    }
                    keep_quiet(quiet, now.1, member.endpoint, quiet_secs);
                }
                is_plain && member.apply(Event::Verified, fact.reason, fact.due).is_some()
            });
            rollout.count_moves(number, [Phase::Installed, Phase::Verified], verified as u32);
            verified
        } else {
            0
        };
        let latest = facts.iter().take(done).fold(*clock, |latest, (at, _)| latest.max(*at));
        cache.resumes = None;
        (*clock, seq.0) = (latest, seq.0 + done as u64);
        done
    }

    /// Verifies a member of a deployment that stands alone, on an endpoint nothing else is said about. `None`, and nothing
    /// has changed, when that is not so. `told` is whether anything else is said about any endpoint: where nothing is, that
    /// part of the endpoint need not be waited for.
    #[inline]
    pub(in crate::fleet) fn verify_plainly(
        &mut self,
        now: Timestamp,
        id: RolloutId,
        ix: MemberIx,
        told: bool,
    ) -> Option<()> {
        let rollout = self.rollouts.get_mut(id.index())?;
        let endpoint = rollout.members.get(ix.index())?.endpoint;
        let deploy = &rollout.policy.deploy;
        let alone = rollout.bundle.is_empty() && deploy.hooks.post.is_none();
        let quiet_secs = deploy.quiet_reserve_secs;
        let slot = self.endpoints.slots.get_mut(endpoint.index())?;
        let told = told && (slot.is_grouped() || slot.is_broken() || slot.conditions.has(Bits::ONBOARDING));
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
        let mut endpoints = [0; AHEAD];
        let mut found = 0;
        let mut of = None;
        let mut members: &[Member] = &[];
        for (_, fact) in facts {
            if of != Some(fact.rollout) {
                of = Some(fact.rollout);
                members = self.rollouts.get(fact.rollout.index()).map_or(&[], |rollout| &rollout.members);
            }
            let Some(member) = members.get(fact.member.index()) else { continue };
            near ^= member.deadline;
            if !leaves_endpoints_alone(fact.event)
                && let Some(next) = endpoints.get_mut(found)
            {
                *next = member.endpoint.0;
                found += 1;
            }
        }
        for endpoint in endpoints.iter().take(found) {
            near ^= self.endpoints.slots.get(*endpoint as usize).map_or(0, |slot| slot.fence);
        }
        core::hint::black_box(near);
    }
}

/// Events of an operation that goes on. Only what is fetched beforehand depends on it.
const fn leaves_endpoints_alone(event: Event) -> bool {
    matches!(event, Event::Acknowledged | Event::InstallReported | Event::Rebooted | Event::RebootNeeded)
}

/// Lets every fact move its member, up to the first that is of another rollout or event, or is not taken.
#[inline(always)]
fn run(
    facts: &[(Timestamp, EndpointFact)],
    members: &mut [Member],
    mut takes: impl FnMut(Timestamp, &EndpointFact, &mut Member) -> bool,
) -> usize {
    let Some((_, first)) = facts.first() else { return 0 };
    let is_same = |fact: &EndpointFact| fact.rollout == first.rollout && fact.event == first.event;
    let mut done = 0;
    for (at, fact) in facts {
        let Some(member) = members.get_mut(fact.member.index()).filter(|_| is_same(fact)) else { break };
        if !takes(*at, fact, member) {
            break;
        }
        done += 1;
    }
    done
}
