//! The kernel's part about staging: who is looked at, within its own budgets, and when (semantics S4).
//!
//! Members are looked at for their content in a queue of its own, beside the one for starts: content is brought while
//! others hold every place to install, and before windows in which nothing may start yet.

use crate::candidate::{Candidate, NonProduction, TrialPermit};
use crate::fleet::decide::{self, At, Facts, Stage};
use crate::fleet::state::State;
use crate::fleet::state::openings::Turn;
use crate::fleet::{Effect, Fleet, Outbox};
use crate::ids::{MemberIx, RolloutId};
use crate::inventory::Environment;
use crate::policy::StartsMax;
use crate::rollout::{Event, Lane, RolloutKind, StageHead, StageId, StageOrder, StageState};
use crate::time::Timestamp;
use alloc::vec::Vec;

impl Fleet {
    /// Asks for the content of members of one rollout to be staged, while its budgets allow it.
    pub(in crate::fleet) fn stage(
        &mut self,
        now: Timestamp,
        id: RolloutId,
        facts: &mut Facts,
        out: &mut Outbox,
    ) {
        let needed = decide::needed_secs(&self.state, &self.state.rollouts[id.index()]);
        while self.state.stages_now(id) && self.state.resync.is_none() {
            if !self.state.staging_is_open(now) {
                if self.state.rollouts[id.index()].has_next_to_stage() {
                    let rank = self.state.rank(id);
                    self.state.cache.stagings.wait(rank);
                }
                return;
            }
            let Some(ix) = self.state.rollouts[id.index()].next_to_stage() else { return };
            let turn = self.state.turn(now, id, ix, needed);
            let opens = self.state.next_opens(now, id, ix, needed, turn);
            let Some(at) = self.state.member(id, ix) else { continue };
            match decide::stage(&self.state, now, at, turn, opens) {
                Stage::Ask { due } => facts.push(at.fact(Event::StageAsked, 0, due)),
                Stage::Drop => facts.push(at.fact(Event::StageDropped, 0, 0)),
                Stage::Later(from) => {
                    let due = self.state.due(from);
                    self.state.cache.stage_timers.arm(due, id.0, ix.0);
                }
                Stage::Full { innermost, full } => {
                    let (rank, lane) = (self.state.rank(id), Lane::Scope(innermost));
                    self.state.rollouts[id.index()].queue.staging.parked.park(lane, ix);
                    self.state.cache.stagings.wait_in(full, rank, lane);
                }
                waits @ (Stage::Waits | Stage::Settles) => {
                    let (endpoint, in_turn) = (at.member.endpoint, at.rollout.is_in_turn(at.member));
                    if waits == Stage::Settles && in_turn {
                        self.state.rollouts[id.index()].queue.again.insert(ix);
                        self.state.put_on_agenda(id);
                    }
                    self.state.cache.stage_turns.insert((endpoint, id, ix));
                }
                Stage::Nothing => {}
            }
            self.apply_all(now, facts, out);
        }
    }

    /// Content whose time has come: asked for too long ago, tried again, too old, or wanted before a window.
    pub(in crate::fleet) fn fire_stages(&mut self, now: Timestamp, facts: &mut Facts, out: &mut Outbox) {
        let secs = self.state.secs(now);
        while self.state.resync.is_none()
            && let Some((due, id, members)) = self.state.cache.stage_timers.take_due(secs)
        {
            let id = RolloutId(id);
            for ix in members.iter().map(|ix| MemberIx(*ix)) {
                let Some(at) = self.state.member(id, ix) else { continue };
                let slot = at.rollout.stages.get(ix);
                if slot.state == StageState::Asked {
                    if slot.due == due {
                        decide::stage_late(&self.state, now, at, facts);
                        self.apply_all(now, facts, out);
                    }
                } else if at.member.phase.is_staged_for() {
                    self.state.rollouts[id.index()].queue.staging.again.insert(ix);
                    self.state.put_on_agenda(id);
                }
            }
            self.state.cache.stage_timers.keep(members);
        }
    }
}

impl State {
    /// Puts a rollout in line for its content, when somebody of it is to be looked at.
    pub(in crate::fleet) fn want_staging(&mut self, now: Timestamp, id: RolloutId) {
        if !self.stages_now(id) || !self.rollouts[id.index()].has_next_to_stage() {
            return;
        }
        if decide::goes_on(self, now, &self.rollouts[id.index()]) {
            let rank = self.rank(id);
            self.cache.stagings.want(rank);
        }
    }

    /// The next rollout whose members are looked at for their content.
    pub(in crate::fleet) fn next_to_stage(&mut self, now: Timestamp) -> Option<RolloutId> {
        let is_open = self.cache.stagings.somebody_waits() && self.staging_is_open(now);
        let Self { cache, rollouts, .. } = self;
        let next = cache.stagings.next(is_open, |rollout, lane| {
            if let Some(rollout) = rollouts.get_mut(rollout.index()) {
                rollout.queue.staging.parked.open(lane);
            }
        });
        next.map(|(_, _, rollout)| rollout)
    }

    /// Whether the fleet's own bounds let anything be staged now.
    fn staging_is_open(&self, now: Timestamp) -> bool {
        self.cache.stagings.fleet_has_room() && self.stages_again_at(now).is_none()
    }

    /// When the next staging may begin; `None` when it may now.
    pub(in crate::fleet) fn stages_again_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.stage_starts.next_at(self.stage_starts_max(), now)
    }

    /// When to look again because the stagings of a time were used up.
    pub(in crate::fleet) fn stage_starts_alarm(&self) -> Option<Timestamp> {
        if self.cache.stagings.somebody_waits() { self.stages_again_at(self.cache.now) } else { None }
    }

    /// How many stagings may begin in a time, by the policy that is adopted.
    pub(in crate::fleet) fn stage_starts_max(&self) -> Option<StartsMax> {
        self.policy.as_ref()?.0.staging.starts_max
    }

    /// When the window of a member opens next, when it waits for one.
    fn next_opens(
        &mut self,
        now: Timestamp,
        id: RolloutId,
        ix: MemberIx,
        needed_secs: u64,
        turn: Turn,
    ) -> Option<Timestamp> {
        let waits = matches!(turn, Turn::Later(_));
        let endpoint = self.member(id, ix).filter(|_| waits)?.member.endpoint;
        let calendar = self.calendar_of(endpoint);
        self.opening(now, id, calendar, needed_secs).map(|opening| opening.opens)
    }

    /// A member found on its turn that its content is not there: that is looked at first.
    pub(in crate::fleet) fn stage_first(&mut self, id: RolloutId, ix: MemberIx) {
        self.rollouts[id.index()].queue.staging.again.insert(ix);
        let rank = self.rank(id);
        self.cache.stagings.want(rank);
    }

    /// Members whose content is being staged.
    pub(in crate::fleet) fn stages_asked(&self) -> impl Iterator<Item = (RolloutId, MemberIx)> + '_ {
        self.rollouts.iter().flat_map(|rollout| rollout.stages.asked().map(|member| (rollout.id(), member)))
    }

    /// Finds the timers of stagings again after a replay; whose content is wanted is looked at from the first.
    pub(in crate::fleet) fn recover_stages(&mut self) {
        let mut timers: Vec<(u32, RolloutId, MemberIx)> = Vec::new();
        for rollout in self.rollouts.iter_mut().filter(|rollout| rollout.is_staged_first()) {
            rollout.stage_anew();
            let id = rollout.id();
            let due = (0..).zip(&rollout.stages.0).filter(|(_, slot)| slot.due != 0);
            timers.extend(due.map(|(i, slot)| (slot.due, id, MemberIx(i))));
        }
        for (due, id, ix) in timers {
            self.cache.stage_timers.arm(due, id.0, ix.0);
        }
    }

    /// The name of a member's last attempt.
    pub(in crate::fleet) fn stage_id(&self, at: At<'_>) -> StageId {
        StageId {
            fleet: self.id,
            rollout: at.rollout.id(),
            endpoint: at.member.endpoint,
            attempt: at.rollout.stages.get(at.ix).attempt,
        }
    }

    /// The order to stage a member's content: it takes the approval, or a trial's permit.
    pub(in crate::fleet) fn stage_order(&self, at: At<'_>) -> Option<Effect> {
        let entry = self.candidate(at.rollout.candidate())?;
        let (slot, policy) = (at.rollout.stages.get(at.ix), &at.rollout.policy().staging);
        let head = StageHead {
            id: self.stage_id(at),
            endpoint: self.endpoints.id(at.member.endpoint)?.clone(),
            within_secs: policy.within_secs,
            report_by: self.at(slot.due),
            keep_until: self.at(slot.due).plus_secs(policy.keep_secs.into()),
        };
        let environment = self.endpoints.slot(at.member.endpoint)?.environment;
        match (at.rollout.kind(), &entry.candidate, environment) {
            (RolloutKind::Deployment, Candidate::Approved(approved), _) => {
                Some(Effect::Stage(StageOrder::approved(approved, head)))
            }
            (RolloutKind::Trial, Candidate::Identified(identified), Environment::NonProduction) => {
                let permit = TrialPermit::new(identified, NonProduction(at.member.endpoint));
                Some(Effect::Stage(StageOrder::trial(&permit, head)))
            }
            // What its approval ran out for is not brought anywhere; what was asked for before is late by itself.
            (RolloutKind::Deployment | RolloutKind::Trial, _, _) => None,
        }
    }

    /// What the last fact threw away.
    pub(in crate::fleet) fn unstaged(&self, mut act: impl FnMut(Effect)) {
        for (rollout, member) in &self.cache.unstaged {
            let Some(at) = self.member(*rollout, *member) else { continue };
            let Some(entry) = self.candidate(at.rollout.candidate()) else { continue };
            let Some(endpoint) = self.endpoints.id(at.member.endpoint).cloned() else { continue };
            let content = entry.candidate.identified().patch().content;
            act(Effect::Unstage { stage: self.stage_id(at), endpoint, content });
        }
    }
}
