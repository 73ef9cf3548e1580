//! Evolution: the only code that changes a fleet's state. It touches and never looks outside, live and in replay.

mod candidate;
mod endpoint;
mod newcomers;

use super::needs::Needs;
use super::observation::Standing;
use super::state::{Ask, CandidateEntry, Resync, State};
use super::{EndReason, Fact, RichFact};
use crate::candidate::{Candidate, Evidence, Identified};
use crate::error::{CorruptJournal, Flaw};
use crate::ids::{CandidateId, Revision, RolloutId, Seq};
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
        let done = match fact {
            Fact::Endpoint(fact) => self.evolve_endpoint(at, fact),
            Fact::Rich(fact) => self.evolve_rich(at, fact),
        };
        if let Err(state) = done {
            let fact = match fact {
                Fact::Endpoint(fact) => format!("{:?} of {} in {}", fact.event, fact.member, fact.rollout),
                Fact::Rich(fact) => Self::kind_of(fact),
            };
            return Err(CorruptJournal { seq, flaw: Flaw::Misfit { fact, state } });
        }
        self.seq = seq;
        self.clock = self.clock.max(at);
        Ok(())
    }

    fn entry(&mut self, id: CandidateId) -> Result<&mut CandidateEntry, Misfit> {
        self.cache.candidate_agenda.insert(id);
        self.candidates.get_mut(id.index()).ok_or_else(|| format!("there is no candidate {id}"))
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
                self.policy = Some((policy.clone(), *digest));
                self.revision = Revision(self.revision.0 + 1);
                let all = (0..self.candidates.len()).map(|i| CandidateId(i as u32));
                self.cache.candidate_agenda.extend(all);
                self.budgets_changed();
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
                let scope = self.cache.budgets.scope_of(&self.endpoints, *endpoint);
                let group = self.endpoints.slot(*endpoint).map_or(0, |slot| slot.group);
                let before = (self.calendar_of(*endpoint), self.endpoints.selection(*endpoint));
                self.endpoints.change(*endpoint, seen);
                let after = (self.calendar_of(*endpoint), self.endpoints.selection(*endpoint));
                if self.cache.live {
                    self.count_moved(*endpoint, was_gone, scope);
                    self.count_regrouped(*endpoint, was_gone, group);
                    if before.0 != after.0 {
                        self.calendar_changed(*endpoint, before.0, after.0);
                    }
                }
                if before.1 != after.1 {
                    self.note_selection(*endpoint);
                }
            }
            RichFact::EndpointLeft { endpoint } => {
                if let Some(slot) = self.endpoints.slots.get_mut(endpoint.index()) {
                    slot.gone = true;
                }

                for entry in &mut self.candidates {
                    entry.needs.remove(*endpoint);
                }
                if self.cache.live {
                    self.count_left(*endpoint);
                }
                if let Some(post) = self.posts.remove(endpoint)
                    && let Some(slot) = self.endpoints.slots.get_mut(endpoint.index())
                {
                    slot.broken = post.broken;
                }
            }
            RichFact::CandidateIdentified { candidate, patch, risk } => {
                if candidate.index() != self.candidates.len() {
                    return Err(format!("the next candidate is c{}", self.candidates.len()));
                }
                let identified = Identified::new(*candidate, patch.clone(), risk.clone(), at);
                self.candidates.push(CandidateEntry {
                    candidate: Candidate::Identified(identified),
                    target: Arc::new(patch.target.clone()),
                    revision: Revision(1),
                    needs: Needs::default(),
                    levels: Vec::new(),
                    ask: None,
                    trial: None,
                    deployments: Vec::new(),
                    waived_by: None,
                });
                self.by_patch.insert(patch.id.clone(), *candidate);
            }
            RichFact::NeedsChanged { candidate, needs } => {
                let entry = self.candidates.get_mut(candidate.index()).ok_or("there is no such candidate")?;
                let CandidateEntry { needs: known, levels, .. } = entry;
                known.extend(needs.iter().map(|need| Self::pack_need(levels, need)));
                let needing = needs.iter().filter(|need| need.standing == Standing::Needs);
                self.note_needs(*candidate, needing.map(|need| need.endpoint));
            }
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
                let deployments = entry.deployments.clone();
                deployments.into_iter().for_each(|id| self.put_on_agenda(id));
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
            }
            RichFact::CandidateSuperseded { candidate, by } => {
                self.transition(*candidate, |state| (state.superseded(*by, at), Fits::Yes))?.ask = None;
            }
            RichFact::CandidateWithdrawn { candidate, reason } => {
                self.transition(*candidate, |state| (state.withdrawn(reason.clone(), at), Fits::Yes))?.ask =
                    None;
            }
            RichFact::RolloutStarted { rollout, candidate, kind, policy, plan } => {
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
                    RolloutKind::Deployment => entry.deployments.push(*rollout),
                }
                self.rollouts.push(Rollout::new(*rollout, *candidate, *kind, text, *policy, plan, at));
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
                let rollout = self.touched(*rollout)?;
                if to.is_some_and(|to| !rollout.move_all(*ring, to)) {
                    return Err("its members cannot move there".into());
                }
                let ring = rollout.ring_state_mut(*ring).ok_or("it has no such ring")?;
                (ring.state, ring.ended_at) = (RingState::Skipped, Some(at));
            }
            RichFact::RolloutRevised { rollout: id, policy, plan, by: _, reason: _ } => {
                let known = |new: &PlacedMember| new.joined.endpoint.index() < self.endpoints.len();
                if !plan.placed.iter().all(known) {
                    return Err("it names an endpoint that is not there".into());
                }
                let text = self.policies.get(policy).ok_or("its policy was never adopted")?.clone();
                let rollout = self.touched(*id)?;
                let before = rollout.policy_digest;
                if !rollout.revise(plan, text, *policy) {
                    return Err("its rings do not take the revision".into());
                }
                if self.cache.live && before != *policy {
                    self.count_all_waiting(*id, None);
                }
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
                self.touched(*rollout)?.state = RolloutState::Running
            }
            RichFact::RolloutEnded { rollout, completed } => {
                let rollout = self.touched(*rollout)?;
                rollout.state = if *completed { RolloutState::Completed } else { RolloutState::Ended };
                rollout.ended_at = Some(at);
                rollout.queue.release = *completed;
                let candidate = rollout.candidate;
                self.cache.candidate_agenda.insert(candidate);
            }
            RichFact::HoldCleared { candidate, endpoint, by: _ } => {
                self.holds.remove(&(*candidate, *endpoint));
                self.mended(*endpoint);
            }
            RichFact::AlertsSeen { rollout, ring, new } => {
                let ring = self.touched(*rollout)?.ring_state_mut(*ring).ok_or("it has no such ring")?;
                ring.alerts_known = new.is_some();
                ring.alerts = ring.alerts.saturating_add(new.unwrap_or(0));
            }
            RichFact::HookEnded { order, failed, detail: _ } => {
                self.post_ended(*order, failed.is_some()).ok_or("nobody waits for it")?;
            }
            RichFact::ReasonNamed { code, kind, detail } => {
                if !self.reasons.record(*code, *kind, detail) {
                    return Err(format!("the next reason is {}", self.reasons.next_code()));
                }
            }
            // It says what did not happen.
            RichFact::WindowMissed { .. } => {}
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
