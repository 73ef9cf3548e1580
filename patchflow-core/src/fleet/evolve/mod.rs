//! Evolution: the only code that changes a fleet's state. It touches and never looks outside, live and in replay.

mod candidate;
mod condition;
mod endpoint;
mod newcomers;
mod plain;
mod stage;

use super::state::{Ask, CandidateEntry, Clock, Resync, State};
use super::table::conditions::{Condition, RebootStop};
use super::table::rescue::Call;
use super::{EndReason, Fact, RichFact};
use crate::candidate::{Candidate, Evidence, Identified};
use crate::error::{CorruptJournal, Flaw};
use crate::gate::Class;
use crate::ids::{CandidateId, MemberIx, Revision, RolloutId, Seq};
use crate::plan::{JoinedMember, PlacedMember};
use crate::rollout::{Halt, RingState, Rollout, RolloutKind, RolloutState};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use candidate::Fits;

/// Why a fact does not fit, as a fragment.
pub(crate) type Misfit = String;

impl State {
    /// Applies one fact at its place.
    pub(crate) fn evolve(&mut self, seq: Seq, at: Timestamp, fact: &Fact) -> Result<(), CorruptJournal> {
        if seq != self.seq.next() {
            return Err(CorruptJournal { seq, flaw: Flaw::Gap { expected: self.seq.next() } });
        }
        // What the fact before left to react to is done.
        self.cache.unstaged.clear();
        self.cache.resumes = None;
        let done = match fact {
            Fact::Endpoint(fact) if fact.event.is_of_content() => self.evolve_stage(at, fact),
            Fact::Endpoint(fact) => self.evolve_endpoint(at, fact),
            Fact::Rich(fact) => self.evolve_rich(at, fact),
        };
        if let Err(state) = done {
            return Err(Self::misfit(seq, fact, state));
        }
        self.seq = seq;
        self.clock = self.clock.max(at);
        Ok(())
    }

    #[cold]
    pub(in crate::fleet) fn misfit(seq: Seq, fact: &Fact, state: Misfit) -> CorruptJournal {
        let fact = match fact {
            Fact::Endpoint(fact) => format!("{:?} of {} in {}", fact.event, fact.member, fact.rollout),
            Fact::Rich(fact) => Self::kind_of(fact),
        };
        CorruptJournal { seq, flaw: Flaw::Misfit { fact, state } }
    }

    fn entry(&mut self, id: CandidateId) -> Result<&mut CandidateEntry, Misfit> {
        self.cache.candidate_agenda.insert(id);
        self.candidates.get_mut(id.index()).ok_or_else(|| format!("there is no candidate {id}"))
    }

    /// What was told of its dates. That changes nothing about its next step, so it is not looked at for it.
    fn clock_of(&mut self, id: CandidateId) -> Result<&mut Clock, Misfit> {
        let entry = self.candidates.get_mut(id.index());
        entry.map(|entry| &mut entry.clock).ok_or_else(|| format!("there is no candidate {id}"))
    }

    fn touched(&mut self, id: RolloutId) -> Result<&mut Rollout, Misfit> {
        self.put_on_agenda(id);
        let rollout = self.rollouts.get_mut(id.index()).ok_or_else(|| format!("there is no rollout {id}"))?;
        rollout.revision = Revision(rollout.revision.0 + 1);
        Ok(rollout)
    }

    fn evolve_rich(&mut self, at: Timestamp, fact: &RichFact) -> Result<(), Misfit> {
        match fact {
            RichFact::FleetFounded { fleet, name, seed, epoch } => {
                (self.id, self.name, self.seed, self.epoch) = (*fleet, name.clone(), *seed, *epoch);
                self.revision = Revision(1);
            }
            RichFact::PolicyAdopted { policy, digest, by: _ } => {
                self.policies.insert(*digest, policy.clone());
                let before = self.policy.replace((policy.clone(), *digest));
                let freezes_stay = match &before {
                    Some((before, _)) => before.freezes().eq(policy.freezes()),
                    None => policy.freezes().next().is_none(),
                };
                self.revision = Revision(self.revision.0 + 1);
                let all = (0..self.candidates.len()).map(|i| CandidateId(i as u32));
                self.cache.candidate_agenda.extend(all);
                self.all_due_dates_change();
                self.look_at_drills();
                self.budgets_changed();
                let dates_stay = before.is_some_and(|(before, _)| {
                    (&before.clock, &before.calendars.named) == (&policy.clock, &policy.calendars.named)
                });
                if !freezes_stay && self.cache.live {
                    self.freezes_changed();
                } else if !dates_stay && self.cache.live {
                    // What is due may be due earlier, and start without its window.
                    (0..self.rollouts.len()).for_each(|i| self.all_look_again(RolloutId(i as u32)));
                }
            }
            RichFact::EndpointsJoined { first, endpoints } => {
                if first.index() != self.endpoints.len() {
                    return Err(format!("the next endpoint is e{}", self.endpoints.len()));
                }
                endpoints.iter().for_each(|seen| self.endpoints.join(seen));
                if self.cache.live {
                    self.count_joined(*first);
                }
            }
            RichFact::EndpointChanged { endpoint, seen } => {
                let was_gone = self.endpoints.slot(*endpoint).is_none_or(|slot| slot.gone);
                self.attributes_change(*endpoint, seen);
                self.condition_changes(*endpoint, |known| {
                    // What it had when it left says nothing any more.
                    known.stale_since = if was_gone { Some(at) } else { known.stale_since };
                });
            }
            RichFact::EndpointLeft { endpoint } => {
                if let Some(slot) = self.endpoints.slots.get_mut(endpoint.index()) {
                    slot.gone = true;
                }
                self.condition_changes(*endpoint, |known| *known = Condition::default());
                for entry in &mut self.candidates {
                    entry.needs.remove(*endpoint);
                    entry.paths_until.remove(endpoint);
                    entry.whys.remove(endpoint);
                }
                if self.cache.live {
                    self.count_left(*endpoint);
                }
                self.drained.remove(endpoint);
                if let Some(post) = self.posts.remove(endpoint)
                    && let Some(slot) = self.endpoints.slots.get_mut(endpoint.index())
                {
                    slot.set_broken(post.broken, post.back);
                }
            }
            RichFact::EndpointsWentUnreachable { endpoints, since } => {
                self.conditions_change(endpoints, |known| {
                    (known.unreachable_since, known.scan) = (Some(*since), None);
                })?;
            }
            RichFact::EndpointsCameBack { endpoints } => self.came_back(at, endpoints)?,
            RichFact::EndpointsWentStale { endpoints } => {
                self.conditions_change(endpoints, |known| {
                    known.stale_since.get_or_insert(at);
                })?;
            }
            RichFact::ScansAsked { endpoints, due } => self.scans_asked(endpoints, *due)?,
            RichFact::ScanRoundWanted => self.rounds.wanted = true,
            RichFact::ScanTurnAsked { turn, turns, due } => self.turn_asked(at, *turn, *turns, *due),
            RichFact::ScanTurnEnded { turn, turns, missed } => self.turn_ended(at, *turn, *turns, missed)?,
            RichFact::ScansGivenUp { endpoints } => self.scans_given_up(at, endpoints)?,
            RichFact::EndpointsRead { endpoints } => self.endpoints_read(at, endpoints)?,
            RichFact::EndpointReimaged { endpoint, seen } => self.reimaged(at, *endpoint, seen)?,
            RichFact::EndpointOnboarded { endpoint } => self.onboarded(*endpoint),
            RichFact::EndpointQuarantined { endpoint, reason } => self.quarantined(*endpoint, reason)?,
            RichFact::QuarantineCleared { endpoint, .. } => self.quarantine_cleared(at, *endpoint)?,
            RichFact::OwnershipDeclared { endpoint, .. } => {
                self.condition_changes(*endpoint, |known| known.owned = true);
            }
            RichFact::RebootsPendingSeen { endpoints, pending } => {
                self.conditions_change(endpoints, |known| {
                    known.reboot_pending_since = pending.then_some(at);
                })?;
            }
            RichFact::RebootsStopped { endpoint, by, reason } => {
                let stop = RebootStop { by: by.clone(), reason: reason.clone() };
                self.condition_changes(*endpoint, |known| known.reboots_stopped = Some(stop));
            }
            RichFact::RebootsAllowed { endpoint, .. } => self.condition_changes(*endpoint, |known| {
                known.reboots_stopped = None;
                (known.cancelling, known.timer_unsure) = (false, false);
            }),
            RichFact::RebootCancelAsked { endpoint } => {
                self.condition_changes(*endpoint, |known| known.cancelling = true);
            }
            RichFact::RebootCancelled { endpoint } => self.condition_changes(*endpoint, |known| {
                (known.cancelling, known.timer_unsure) = (false, false);
            }),
            RichFact::RebootCancelUnconfirmed { endpoint } => {
                self.condition_changes(*endpoint, |known| known.timer_unsure = true);
            }
            RichFact::OperationPutOff { rollout, member, reboot, until } => {
                self.put_off(*rollout, *member, *reboot, *until)?;
            }
            RichFact::CandidateIdentified { candidate, patch, risk } => {
                if candidate.index() != self.candidates.len() {
                    return Err(format!("the next candidate is c{}", self.candidates.len()));
                }
                let identified = Identified::new(*candidate, patch.clone(), risk.clone(), at);
                // A hold is about a version: the same one under other content stays away as well.
                let same = |held: &CandidateId| {
                    self.candidates.get(held.index()).is_some_and(|entry| *entry.target == patch.target)
                };
                let held = self.holds.iter().filter(|(held, _)| same(held)).map(|(_, on)| (*candidate, *on));
                let held: Vec<_> = held.collect();
                self.holds.extend(held);
                self.candidates.push(CandidateEntry::new(identified));
                self.by_patch.insert(patch.id.clone(), *candidate);
                self.kin.add(*candidate, patch);
                self.rethink_kin_of(*candidate);
            }
            RichFact::CandidateRerated { candidate, patch, risk } => {
                self.rerate(at, *candidate, patch, risk)?
            }
            RichFact::DeadlineNeared { candidate, .. } => self.clock_of(*candidate)?.warned = true,
            RichFact::FirstInstallNeared { candidate, .. } => {
                self.clock_of(*candidate)?.first_warned = true;
            }
            RichFact::FirstInstallOverdue { candidate, .. } => {
                self.clock_of(*candidate)?.first_told = true;
            }
            RichFact::DeadlinePassed { candidate, next, .. } => {
                let clock = self.clock_of(*candidate)?;
                (clock.told, clock.next) = (Some(at), *next);
            }
            RichFact::WindowPassed { rollout, reason: _ } => self.touched(*rollout)?.outside = true,
            RichFact::StartRefused { candidate, reason } => {
                self.entry(*candidate)?.refused = Some(Arc::from(reason.as_str()));
            }
            RichFact::CandidateHeld { candidate, reason } => {
                self.entry(*candidate)?.held = Some(Arc::from(reason.as_str()));
                self.rethink_kin_of(*candidate);
            }
            RichFact::CandidateReleased { candidate } => {
                self.released(*candidate)?;
            }
            RichFact::CandidateReopened { candidate, by, reason: _ } => {
                self.reopen(*candidate, by.is_some())?;
            }
            RichFact::NeedsChanged { candidate, needs } => self.needs_change(at, *candidate, needs)?,
            RichFact::TrialConcluded { candidate, evidence } => {
                let entry = self.transition(*candidate, |state| match state {
                    Candidate::Identified(identified) => {
                        (Candidate::Trialled(identified.tried(evidence.clone())), Fits::Yes)
                    }
                    Candidate::Trialled(_)
                    | Candidate::Approved(_)
                    | Candidate::Rejected(_)
                    | Candidate::Superseded(_)
                    | Candidate::Withdrawn(_) => (state, Fits::No),
                })?;
                if let Evidence::Waived { by, .. } = evidence {
                    entry.waived_by = Some(by.clone());
                }
            }
            RichFact::TrialFailed { candidate, rollout } => {
                let entry = self.entry(*candidate)?;
                entry.trial = Some((*rollout, true));
                entry.revision = Revision(entry.revision.0 + 1);
            }
            RichFact::ApprovalAsked { candidate, ask, rule, from } => {
                self.asks = self.asks.max(ask.0);
                let entry = self.entry(*candidate)?;
                entry.revision = Revision(entry.revision.0 + 1);
                entry.ask = Some(Ask { id: *ask, rule: rule.clone(), from: from.clone(), votes: Vec::new() });
            }
            RichFact::ApprovalVoted { candidate, by, reason: _ } => {
                let entry = self.entry(*candidate)?;
                entry.revision = Revision(entry.revision.0 + 1);
                entry.ask.as_mut().ok_or("nobody was asked")?.votes.push(by.clone());
            }
            RichFact::ApprovalGranted { candidate, by, content, expires } => {
                let entry = self.transition(*candidate, |state| match state {
                    Candidate::Trialled(trialled) if trialled.identified().patch().content == *content => {
                        (Candidate::Approved(trialled.approved(by.clone(), at, *expires)), Fits::Yes)
                    }
                    Candidate::Trialled(_)
                    | Candidate::Identified(_)
                    | Candidate::Approved(_)
                    | Candidate::Rejected(_)
                    | Candidate::Superseded(_)
                    | Candidate::Withdrawn(_) => (state, Fits::No),
                })?;
                entry.ask = None;
                self.takes_back(*candidate, false)?;
            }
            RichFact::ApprovalRejected { candidate, by, reason } => {
                let entry = self.transition(*candidate, |state| match state {
                    Candidate::Trialled(trialled) => {
                        (Candidate::Rejected(trialled.rejected(by.clone(), reason.clone(), at)), Fits::Yes)
                    }
                    Candidate::Identified(_)
                    | Candidate::Approved(_)
                    | Candidate::Rejected(_)
                    | Candidate::Superseded(_)
                    | Candidate::Withdrawn(_) => (state, Fits::No),
                })?;
                entry.ask = None;
            }
            RichFact::ApprovalEnded { candidate, end } => {
                let rejected = match end {
                    EndReason::Expired => None,
                    EndReason::Revoked { by, reason } => Some((by.clone(), reason.clone())),
                };
                self.transition(*candidate, |state| match state {
                    Candidate::Approved(approved) => {
                        let open = approved.revoked();
                        let next = match rejected {
                            // What somebody took back is not approved again by a rule at the next look.
                            Some((by, reason)) => Candidate::Rejected(open.rejected(by, reason, at)),
                            None => Candidate::Trialled(open),
                        };
                        (next, Fits::Yes)
                    }
                    Candidate::Identified(_)
                    | Candidate::Trialled(_)
                    | Candidate::Rejected(_)
                    | Candidate::Superseded(_)
                    | Candidate::Withdrawn(_) => (state, Fits::No),
                })?;
                // What has only run out may be approved again, and is the same content then.
                if matches!(end, EndReason::Revoked { .. }) {
                    self.unstage_candidate(*candidate);
                }
            }
            RichFact::RollbackAsked { candidate, by: _, reason: _ } => self.takes_back(*candidate, true)?,
            RichFact::CandidateSuperseded { candidate, by } => {
                self.transition(*candidate, |state| (state.superseded(*by, at), Fits::Yes))?.ask = None;
                self.unstage_candidate(*candidate);
            }
            RichFact::CandidateWithdrawn { candidate, reason } => {
                self.transition(*candidate, |state| (state.withdrawn(reason.clone(), at), Fits::Yes))?.ask =
                    None;
                self.unstage_candidate(*candidate);
            }
            RichFact::RolloutStarted { rollout, candidate, kind, policy, plan, emergency, bundle } => {
                if rollout.index() != self.rollouts.len() {
                    return Err(format!("the next rollout is r{}", self.rollouts.len()));
                }
                let whole: u64 = plan.rings.iter().map(|ring| u64::from(ring.size)).sum();
                if whole != plan.members.len() as u64 || plan.rings.is_empty() || plan.rings.len() > 256 {
                    return Err("its rings do not add up to its members".into());
                }
                let text = self.policies.get(policy).ok_or("its policy was never adopted")?.clone();
                let entry = self.entry(*candidate)?;
                entry.revision = Revision(entry.revision.0 + 1);
                match kind {
                    RolloutKind::Trial => entry.trial = Some((*rollout, false)),
                    RolloutKind::Deployment => {
                        entry.deployments.push(*rollout);
                        entry.refused = None;
                    }
                }
                self.rollouts.push(Rollout::new(*rollout, *candidate, *kind, text, *policy, plan, at));
                if *kind == RolloutKind::Deployment {
                    self.count_on(&plan.paths, at);
                }
                let freezes =
                    self.policy.as_ref().is_some_and(|(policy, _)| policy.freezes().next().is_some());
                if let Some(started) = self.rollouts.last_mut() {
                    // It may go on under an older policy than the one that is adopted, whose freezes act on it too.
                    started.queue.windowed |= freezes;
                    started.emergency.clone_from(emergency);
                    started.bundle.clone_from(bundle);
                }
                self.note_left_out(*rollout);
                self.takes_up(*candidate, *rollout);
                self.put_on_agenda(*rollout);
            }
            RichFact::MembersJoined { rollout, ring, levels, members } => {
                let known = |new: &JoinedMember| new.endpoint.index() < self.endpoints.len();
                if !members.iter().all(known) {
                    return Err("it names an endpoint that is not there".into());
                }
                if !self.touched(*rollout)?.join(at, *ring, levels, members) {
                    return Err("its last ring does not take them".into());
                }
                if self.cache.live {
                    self.count_joined_members(*rollout, members.len());
                }
            }
            RichFact::CatchUpStopped { rollout, by: _, reason } => {
                let rollout = self.touched(*rollout)?;
                let (reason, ring) = (reason.clone(), rollout.ring);
                rollout.catch_up_stopped = Some(Halt { reason, by_gate: false, ring, at });
                rollout.queue.sweep = true;
                let id = rollout.id;
                self.unstage_rollout(id);
            }
            RichFact::RingOpened { rollout: id, ring: opened } => {
                let rollout = self.touched(*id)?;
                rollout.ring = *opened;
                let ring = rollout.ring_state_mut(*opened).ok_or("it has no such ring")?;
                (ring.state, ring.opened_at) = (RingState::Open, Some(at));
                rollout.queue.cursor = rollout.current_ring().first;
                rollout.queue.defers_anew();
                if self.cache.live {
                    self.count_all_waiting(*id, Some(*opened));
                }
            }
            RichFact::RingSkipped { rollout, ring } => {
                let rollout = self.touched(*rollout)?;
                rollout.ring = *ring;
                let ring = rollout.ring_state_mut(*ring).ok_or("it has no such ring")?;
                (ring.state, ring.ended_at) = (RingState::Skipped, Some(at));
            }
            RichFact::RingPassedOver { rollout, ring, to, by: _, reason: _ } => {
                let id = *rollout;
                let rollout = self.touched(id)?;
                if to.is_some_and(|to| !rollout.move_all(*ring, to)) {
                    return Err("its members cannot move there".into());
                }
                let ring = rollout.ring_state_mut(*ring).ok_or("it has no such ring")?;
                (ring.state, ring.ended_at) = (RingState::Skipped, Some(at));
                self.restage_unopened(id);
            }
            RichFact::RolloutRevised { rollout: id, policy, plan, by: _, reason: _ } => {
                let known = |new: &PlacedMember| new.joined.endpoint.index() < self.endpoints.len();
                if !plan.placed.iter().all(known) {
                    return Err("it names an endpoint that is not there".into());
                }
                let text = self.policies.get(policy).ok_or("its policy was never adopted")?.clone();
                let rollout = self.touched(*id)?;
                let (before, candidate) = (rollout.policy_digest, rollout.candidate);
                if !rollout.revise(plan, text, *policy) {
                    return Err("its rings do not take the revision".into());
                }
                // Its policy says whether it goes on when its patch is replaced.
                self.cache.candidate_agenda.insert(candidate);
                if self.cache.live && before != *policy {
                    self.count_all_waiting(*id, None);
                }
                self.restage_unopened(*id);
            }
            RichFact::RingSettled { rollout, ring } => {
                let ring = self.touched(*rollout)?.ring_state_mut(*ring).ok_or("it has no such ring")?;
                (ring.state, ring.settled_at) = (RingState::Settled, Some(at));
            }
            RichFact::RingPromoted { rollout, ring, verdict, by: _ } => {
                let ring = self.touched(*rollout)?.ring_state_mut(*ring).ok_or("it has no such ring")?;
                (ring.state, ring.ended_at) = (RingState::Promoted, Some(at));
                ring.verdict = Some(verdict.clone());
            }
            RichFact::RingHeld { rollout, ring, verdict } => {
                let ring = self.touched(*rollout)?.ring_state_mut(*ring).ok_or("it has no such ring")?;
                (ring.state, ring.verdict) = (RingState::Held, Some(verdict.clone()));
            }
            RichFact::RolloutHalted { rollout, ring, verdict, by: _, reason } => {
                let rollout = self.touched(*rollout)?;
                rollout.state = RolloutState::Halted;
                rollout.queue.sweep = true;
                let by_gate = verdict.is_some();
                rollout.halt = Some(Halt { reason: reason.clone(), by_gate, ring: *ring, at });
                let ring = rollout.ring_state_mut(*ring).ok_or("it has no such ring")?;
                (ring.state, ring.ended_at) = (RingState::Halted, Some(at));
                ring.verdict = verdict.clone().or_else(|| ring.verdict.take());
            }
            RichFact::RolloutCancelled { rollout, by: _, reason: _ } => {
                let rollout = self.touched(*rollout)?;
                rollout.state = RolloutState::Cancelled;
                rollout.queue.sweep = true;
                // Who cancels leaves what is done, whatever a gate said before.
                if let Some(halt) = &mut rollout.halt {
                    halt.by_gate = false;
                }
            }
            RichFact::HaltLifted { rollout, by: _, reason: _ } => {
                let rollout = self.touched(*rollout)?;
                rollout.state = RolloutState::Running;
                let ring = rollout.ring;
                let ring = rollout.ring_state_mut(ring).ok_or("it has no such ring")?;
                (ring.state, ring.settled_at, ring.ended_at) = (RingState::Open, None, None);
                rollout.start_evidence_anew();
                rollout.queue.cursor = rollout.current_ring().first;
                rollout.queue.defers_anew();
                rollout.queue.watch_anew();
            }
            RichFact::RolloutPaused { rollout, by: _ } => {
                self.touched(*rollout)?.state = RolloutState::Paused
            }
            RichFact::RolloutResumed { rollout, by: _ } => {
                let rollout = self.touched(*rollout)?;
                rollout.state = RolloutState::Running;
                rollout.queue.watch_anew();
            }
            RichFact::RolloutEnded { rollout, completed } => {
                let rollout = self.touched(*rollout)?;
                rollout.state = if *completed { RolloutState::Completed } else { RolloutState::Ended };
                rollout.ended_at = Some(at);
                rollout.queue.release = *completed;
                let (id, candidate, goes_on) = (rollout.id, rollout.candidate, rollout.is_catching_up());
                rollout.stage_anew();
                // Whoever is brought along afterwards, or waits for its reboot, has put off what it has put off.
                if !goes_on {
                    let Self { rollouts, patience, .. } = self;
                    let members = rollouts.get(id.index()).map_or(&[][..], |rollout| &rollout.members[..]);
                    let under_way = |ix: MemberIx| {
                        members.get(ix.index()).is_some_and(|member| {
                            matches!(member.phase.class(), Class::InFlight | Class::Unknown)
                        })
                    };
                    patience.forget(id, under_way);
                }
                self.cache.candidate_agenda.insert(candidate);
                self.note_onboarding(id);
                // Whoever is still to be tried again there may be a later rollout's now.
                self.look_again_in_part(&[id]);
                if !goes_on {
                    self.unstage_rollout(id);
                }
            }
            RichFact::OperatorCalled { rollout, member, level, until } => {
                let call = Call { level: *level, until: *until, acknowledged: None };
                self.calls.insert((*rollout, *member), call);
                self.cache.call_alarms.set((*rollout, *member), Some(*until));
            }
            RichFact::OperatorAcknowledged { rollout, member, by } => {
                let call = self.calls.get_mut(&(*rollout, *member)).ok_or("nobody was called")?;
                call.acknowledged = Some(by.clone());
                self.cache.call_alarms.set((*rollout, *member), None);
            }
            RichFact::PathLapsed { candidate, endpoint, until: _ } => {
                self.lapsed.insert((*candidate, *endpoint));
            }
            RichFact::DrillStarted { rollout, member, path, by: _ } => {
                self.drilling.insert((*rollout, *member), *path);
            }
            RichFact::DrillDone { rollout, member, path, ok } => {
                self.drilling.remove(&(*rollout, *member));
                let way = self.ways.entry(*path).or_default();
                way.tried = Some((at, *ok));
                if *ok {
                    (way.led_back, way.told) = (Some(at), false);
                }
                self.look_at_drills();
            }
            RichFact::DrillOverdue { path, last: _ } => {
                self.ways.entry(*path).or_default().told = true;
                self.look_at_drills();
            }
            RichFact::HoldCleared { candidate, endpoint, by: _ } => {
                self.holds.remove(&(*candidate, *endpoint));
                self.mended(*endpoint);
                self.wake(*endpoint);
            }
            RichFact::AlertsSeen { rollout, ring, new } => {
                let ring = self.touched(*rollout)?.ring_state_mut(*ring).ok_or("it has no such ring")?;
                ring.alerts_known = new.is_some();
                ring.alerts = ring.alerts.saturating_add(new.unwrap_or(0));
            }
            RichFact::WrongContentSeen { rollout, .. } => self.touched(*rollout)?.wrong_content = true,
            RichFact::HookEnded { order, failed, detail: _ } => {
                self.post_ended(*order, failed.is_some()).ok_or("nobody waits for it")?;
            }
            RichFact::ReasonNamed { code, kind, detail } => {
                if !self.reasons.record(*code, *kind, detail) {
                    return Err(format!("the next reason is {}", self.reasons.next_code()));
                }
            }
            RichFact::WindowNeared { .. }
            | RichFact::WindowMissed { .. }
            | RichFact::WindowOverrun { .. } => self.window_told(at, fact)?,
            RichFact::ClockSteppedBack { .. } => self.clock_steps += 1,
            RichFact::ResyncStarted { silence_secs: _, until } => {
                let open = self.operating_members().collect();
                self.resync = Some(Resync { until: *until, open });
            }
            RichFact::ResyncEnded { .. } => {
                self.resync = None;
                for i in 0..self.rollouts.len() {
                    self.rollouts[i].queue.sweep = true;
                    self.put_on_agenda(RolloutId(i as u32));
                }
            }
            RichFact::RequestDone { request, by: _, asked, outcome } => {
                self.remember(request, *asked, outcome)
            }
        }
        Ok(())
    }
}
