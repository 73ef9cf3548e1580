//! What people ask: what is refused, and what comes of the rest.

use super::candidates::NoVote;
use super::state::{Evidence, Model, Stage};
use super::windows::freezes_of;
use super::{Illegal, Mutation};
use patchflow_core::fleet::{Command, Request};
use patchflow_core::gate::Class;
use patchflow_core::ids::{EndpointId, RolloutId};
use patchflow_core::policy::{OnRevoke, Policy};
use patchflow_core::rollout::{Phase, RingState, RolloutKind, RolloutState};

/// What came of a request, or the kind of its refusal; refusals change nothing.
pub(super) type Answer = Result<String, &'static str>;

const NOT_FOUND: &str = "not found";
const WRONG_STATE: &str = "wrong state";
const NOT_ALLOWED: &str = "not allowed";
const UNSOUND: &str = "unsound";

/// A refusal as `?` wants it: the outer error is a choice that no rule allows.
macro_rules! granted {
    ($answer:expr) => {
        match $answer {
            Ok(value) => value,
            Err(refusal) => return Ok(Err(refusal)),
        }
    };
}

fn done() -> Result<Answer, Illegal> {
    Ok(Ok("done".into()))
}

fn refused(why: &'static str) -> Result<Answer, Illegal> {
    Ok(Err(why))
}

impl Model {
    pub(super) fn carry_out(&mut self, request: &Request) -> Result<Answer, Illegal> {
        let asked = format!("{} {:?}", request.by.name, request.ask);
        if let Some((first, outcome)) = self.requests.get(&request.id) {
            return Ok(if *first == asked { Ok(outcome.clone()) } else { Err("id reused") });
        }
        let answer = self.answer(request)?;
        if let Ok(outcome) = &answer {
            self.requests.insert(request.id.clone(), (asked, outcome.clone()));
        }
        Ok(answer)
    }

    fn answer(&mut self, request: &Request) -> Result<Answer, Illegal> {
        let by = &request.by;
        match &request.ask {
            Command::AdoptPolicy { policy } => {
                if !policy.findings().is_empty() {
                    return refused(UNSOUND);
                }
                let freezes = |policy: &Policy| {
                    let named = policy.calendars.named.values();
                    named.chain([&policy.schedule]).flat_map(freezes_of).copied().collect::<Vec<_>>()
                };
                let before = self.policy.as_ref().map(freezes).unwrap_or_default();
                if before != freezes(policy) {
                    self.rollouts.iter_mut().for_each(|rollout| rollout.frozen = true);
                }
                self.policy = Some((**policy).clone());
                self.candidates.iter_mut().for_each(|candidate| candidate.look = true);
                done()
            }
            Command::WaiveTrial { candidate, until, reason } => {
                let c = granted!(self.known(candidate.index()));
                granted!(said_why(reason));
                if self.candidates[c].stage != Stage::Identified || *until <= self.now {
                    return refused(WRONG_STATE);
                }
                if let Some(trial) = self.candidates[c].trial.filter(|_| !self.candidates[c].trial_failed) {
                    self.cancel(trial);
                }
                self.conclude(c, Evidence::Waived { by: by.name.to_string(), until: *until });
                done()
            }
            Command::RepeatTrial { candidate } => {
                let c = granted!(self.known(candidate.index()));
                if self.candidates[c].stage != Stage::Identified || !self.candidates[c].trial_failed {
                    return refused(WRONG_STATE);
                }
                let r = self.rollouts.len();
                if self.start_trial(c)? { started(r) } else { refused(WRONG_STATE) }
            }
            Command::Approve { candidate, reason } => {
                let c = granted!(self.known(candidate.index()));
                granted!(said_why(reason));
                match self.vote(c, by) {
                    Ok(0) => done(),
                    Ok(missing) => Ok(Ok(format!("{missing} more"))),
                    Err(NoVote::NotAsked) => refused(WRONG_STATE),
                    Err(NoVote::NotAllowed) => refused(NOT_ALLOWED),
                }
            }
            Command::Reject { candidate, reason } => {
                let c = granted!(self.known(candidate.index()));
                granted!(said_why(reason));
                let candidate = &mut self.candidates[c];
                let (Stage::Trialled(_), Some(ask)) = (&candidate.stage, &candidate.ask) else {
                    return refused(WRONG_STATE);
                };
                if !by.has_role(&ask.from.role) && self.mutation != Some(Mutation::RolesDoNotMatter) {
                    return refused(NOT_ALLOWED);
                }
                (candidate.stage, candidate.ask, candidate.look) = (Stage::Rejected, None, true);
                done()
            }
            Command::Reconsider { candidate, reason } => {
                let c = granted!(self.known(candidate.index()));
                granted!(said_why(reason));
                if self.candidates[c].stage != Stage::Rejected {
                    return refused(WRONG_STATE);
                }
                self.reopen(c);
                self.candidates[c].reconsidered = true;
                done()
            }
            Command::Revoke { candidate, reason } => {
                let c = granted!(self.known(candidate.index()));
                granted!(said_why(reason));
                if !matches!(self.candidates[c].stage, Stage::Approved { .. }) {
                    return refused(WRONG_STATE);
                }
                self.candidates[c].stage = Stage::Rejected;
                self.unstage_candidate(c);
                if !self.bent(Mutation::RevocationStopsNothing) {
                    self.stop_rollouts(c);
                }
                // As the policy says that holds now.
                let back = self.policy.as_ref().is_some_and(|it| it.rollback.on_revoke == OnRevoke::RollBack);
                if back && !self.bent(Mutation::RevocationTakesNothingBack) {
                    self.take_back(c, true);
                }
                done()
            }
            Command::Withdraw { candidate, reason } => {
                let c = granted!(self.known(candidate.index()));
                granted!(said_why(reason));
                let patch = self.candidates[c].patch.id.clone();
                self.withdraw(patch.as_str());
                done()
            }
            Command::Start { draft } => {
                let c = granted!(self.known(draft.candidate.index()));
                // What is replaced may come to its end, and is not begun anew.
                let stage = &self.candidates[c].stage;
                if !matches!(stage, Stage::Approved { .. }) || self.approved_superseder(c).is_some() {
                    return refused(WRONG_STATE);
                }
                let r = self.rollouts.len();
                if let Some(reason) = &draft.emergency {
                    granted!(said_why(reason));
                }
                if !self.start_deployment(c, &draft.select)? {
                    return refused(UNSOUND);
                }
                if draft.emergency.is_some() {
                    self.hurry(r);
                }
                started(r)
            }
            Command::Pause { rollout } => {
                let r = granted!(self.rollout_in(*rollout, &[RolloutState::Running]));
                self.rollouts[r].state = RolloutState::Paused;
                done()
            }
            Command::Resume { rollout } => {
                let r = granted!(self.rollout_in(*rollout, &[RolloutState::Paused]));
                self.rollouts[r].state = RolloutState::Running;
                done()
            }
            Command::Halt { rollout, reason } => {
                granted!(said_why(reason));
                let states = [RolloutState::Running, RolloutState::Paused];
                let r = granted!(self.rollout_in(*rollout, &states));
                self.halt(r, false);
                done()
            }
            Command::LiftHalt { rollout, reason } => {
                granted!(said_why(reason));
                let r = granted!(self.rollout_in(*rollout, &[RolloutState::Halted]));
                let stage = &self.candidates[self.rollouts[r].candidate].stage;
                let approved = matches!(stage, Stage::Approved { .. });
                if self.rollouts[r].kind == RolloutKind::Deployment && !approved {
                    return refused(WRONG_STATE);
                }
                self.lift(r);
                done()
            }
            Command::Cancel { rollout, reason } => {
                granted!(said_why(reason));
                if self.rollouts.get(rollout.index()).is_some_and(|rollout| rollout.is_catching_up()) {
                    self.stop_catch_up(rollout.index());
                    return done();
                }
                let states = [RolloutState::Running, RolloutState::Paused, RolloutState::Halted];
                let r = granted!(self.rollout_in(*rollout, &states));
                self.cancel(r);
                done()
            }
            Command::Promote { rollout, reason } => {
                granted!(said_why(reason));
                let r = granted!(self.rollout_in(*rollout, &[RolloutState::Running]));
                let ring = self.rollouts[r].ring;
                let state = self.rollouts[r].rings[ring].state;
                let open = matches!(state, RingState::Open | RingState::Settled | RingState::Held);
                if !open || self.tally(r, ring).in_flight > 0 {
                    return refused(WRONG_STATE);
                }
                self.promote_by_hand(r);
                done()
            }
            Command::Retry { rollout, endpoint } => {
                let late = self.rollouts.get(rollout.index()).is_some_and(|rollout| rollout.is_catching_up());
                let states = [RolloutState::Running, RolloutState::Completed];
                let r = granted!(self.rollout_in(*rollout, &states[..=usize::from(late)]));
                let m = granted!(self.member_named(r, endpoint));
                if self.brings_content_anew((r, m)) {
                    return done();
                }
                let again = [Phase::Failed, Phase::NeedsOperator, Phase::Deferred, Phase::Cancelled];
                let opened = self.rollouts[r].rings[self.member((r, m)).ring].opened_at.is_some();
                let held = self.holds.contains(&(self.rollouts[r].candidate, self.member((r, m)).endpoint));
                let phase = self.phase((r, m));
                let freed = matches!(phase, Phase::Held | Phase::RolledBack) && !held;
                if !(again.contains(&phase) || freed) || !(late || opened) {
                    return refused(WRONG_STATE);
                }
                self.release((r, m));
                done()
            }
            Command::Remove { rollout, endpoint } => {
                let r = granted!(self.rollout_in(*rollout, &[]));
                let m = granted!(self.member_named(r, endpoint));
                if self.phase((r, m)) == Phase::Removed {
                    return refused(WRONG_STATE);
                }
                self.put((r, m), Phase::Removed, None);
                self.rollouts[r].members[m].taken_out = true;
                done()
            }
            Command::ClearHold { candidate, endpoint } => {
                let c = granted!(self.known(candidate.index()));
                let Some(e) = self.endpoint_named(endpoint.as_str()) else { return refused(NOT_FOUND) };
                if !self.holds.remove(&(c, e)) {
                    return refused(WRONG_STATE);
                }
                (self.endpoints[e].broken, self.endpoints[e].back) = (false, false);
                for r in 0..self.rollouts.len() {
                    for m in 0..self.rollouts[r].members.len() {
                        let rollout = &self.rollouts[r];
                        let takes =
                            !rollout.is_over() || rollout.is_catching_up() && !self.is_taken_over((r, m));
                        let concerned = rollout.candidate == c && takes;
                        let held = matches!(self.phase((r, m)), Phase::Held | Phase::RolledBack);
                        if concerned && held && self.member((r, m)).endpoint == e {
                            self.release((r, m));
                        }
                    }
                }
                done()
            }
            Command::AllowReboots { endpoint, reason } => {
                granted!(said_why(reason));
                let Some(e) = self.endpoint_named(endpoint.as_str()) else { return refused(NOT_FOUND) };
                if !std::mem::take(&mut self.endpoints[e].reboots_stopped) {
                    return refused(WRONG_STATE);
                }
                done()
            }
            Command::ClearQuarantine { endpoint, reason } => {
                granted!(said_why(reason));
                let Some(e) = self.endpoint_named(endpoint.as_str()) else { return refused(NOT_FOUND) };
                if self.clear_quarantine(e) { done() } else { refused(WRONG_STATE) }
            }
            Command::DeclareOwnership { endpoint, reason } => {
                granted!(said_why(reason));
                let Some(e) = self.endpoint_named(endpoint.as_str()) else { return refused(NOT_FOUND) };
                if self.declare_ownership(e) { done() } else { refused(WRONG_STATE) }
            }
            Command::SkipRing { rollout, ring, reason } => {
                granted!(said_why(reason));
                let states = [RolloutState::Running, RolloutState::Paused];
                let r = granted!(self.rollout_in(*rollout, &states));
                if usize::from(*ring) >= self.rollouts[r].rings.len() {
                    return refused(NOT_FOUND);
                }
                if self.skip_ring(r, usize::from(*ring)) { done() } else { refused(WRONG_STATE) }
            }
            Command::Revise { rollout, revision, reason } => {
                granted!(said_why(reason));
                let states = [RolloutState::Running, RolloutState::Paused, RolloutState::Halted];
                let r = granted!(self.rollout_in(*rollout, &states));
                if self.rollouts[r].kind == RolloutKind::Trial {
                    return refused(WRONG_STATE);
                }
                if self.revise(r, revision) { done() } else { refused(UNSOUND) }
            }
            ask => Err(Illegal(format!("the model does not know {ask:?}"))),
        }
    }

    /// A person lets it try again: with all its attempts.
    pub(super) fn release(&mut self, at: (usize, usize)) {
        self.content_anew(at);
        self.rollouts[at.0].members[at.1].attempts = 0;
        debug_assert_ne!(super::state::class(self.phase(at)), Class::Verified, "nothing to try again");
        self.put(at, Phase::Waiting, None);
    }

    fn known(&self, c: usize) -> Result<usize, &'static str> {
        if c < self.candidates.len() { Ok(c) } else { Err(NOT_FOUND) }
    }

    fn rollout_in(&self, id: RolloutId, states: &[RolloutState]) -> Result<usize, &'static str> {
        let Some(rollout) = self.rollouts.get(id.index()) else { return Err(NOT_FOUND) };
        let fits = states.is_empty() || states.contains(&rollout.state);
        if fits { Ok(id.index()) } else { Err(WRONG_STATE) }
    }

    fn member_named(&self, r: usize, endpoint: &EndpointId) -> Result<usize, &'static str> {
        let Some(e) = self.endpoint_named(endpoint.as_str()) else { return Err(NOT_FOUND) };
        self.rollouts[r].member_of(e).ok_or(NOT_FOUND)
    }
}

fn started(r: usize) -> Result<Answer, Illegal> {
    Ok(Ok(format!("started r{r}")))
}

fn said_why(reason: &str) -> Result<(), &'static str> {
    if reason.trim().is_empty() { Err(UNSOUND) } else { Ok(()) }
}
