//! S3, S10: rings open, settle and are judged; halts recall, roll back and come to rest.

use super::gate::Says;
use super::state::{Model, is_operating, may_still_move};
use super::windows::Window;
use super::{Illegal, Mutation, Sent};
use patchflow_core::gate::Class;
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::{DeployPolicy, OnFailure, OnHalt};
use patchflow_core::rollout::{Event, Phase, RingState, RolloutKind, RolloutState};
use patchflow_core::time::Timestamp;

impl Model {
    pub(super) fn member(&self, (r, m): (usize, usize)) -> &super::state::Member {
        &self.rollouts[r].members[m]
    }

    pub(super) fn phase(&self, at: (usize, usize)) -> Phase {
        self.member(at).phase
    }

    pub(super) fn deploy(&self, at: (usize, usize)) -> &DeployPolicy {
        &self.rollouts[at.0].policy.deploy
    }

    pub(super) fn send(&mut self, what: impl FnOnce((usize, usize, u8)) -> Sent, (r, m): (usize, usize)) {
        let operation = self.rollouts[r].members[m].operations;
        self.sent.push(what((r, m, operation)));
    }

    /// The next order of any kind for a member: under a higher fence.
    pub(super) fn next_operation(&mut self, (r, m): (usize, usize)) {
        let member = &mut self.rollouts[r].members[m];
        member.operations = member.operations.saturating_add(1);
        let endpoint = member.endpoint;
        self.endpoints[endpoint].fence += 1;
    }

    pub(super) fn order_revert(&mut self, at: (usize, usize)) {
        if let Some(chosen) = self.choices.reverts.iter().position(|chosen| *chosen == at) {
            self.choices.reverts.remove(chosen);
        }
        self.next_operation(at);
        let due = self.later(self.deploy(at).acknowledge_within_secs);
        // One that is repeated after a silence has lost its place.
        let operated = is_operating(self.phase(at)) || self.phase(at) == Phase::RevertSilent;
        self.put(at, Phase::Reverting, Some(due));
        self.rollouts[at.0].members[at.1].placed |= !operated;
        self.send(|order| Sent::Revert { order }, at);
    }

    /// What the phases of a rollout's members leave to do: recalls, reboots, rollbacks. Whether anything moved.
    pub(super) fn tend(&mut self, r: usize) -> bool {
        if self.resync.is_some() {
            return false;
        }
        let mut moved = false;
        let sweep = std::mem::take(&mut self.rollouts[r].sweep);
        for m in 0..self.rollouts[r].members.len() {
            moved |= self.tend_member((r, m), sweep);
        }
        if std::mem::take(&mut self.rollouts[r].frozen) {
            for m in 0..self.rollouts[r].members.len() {
                moved |= self.freeze((r, m));
            }
        }
        moved
    }

    fn tend_member(&mut self, at: (usize, usize), sweep: bool) -> bool {
        let rollout = &self.rollouts[at.0];
        let stopped = rollout.is_stopped();
        let cancelled = rollout.state == RolloutState::Cancelled;
        match self.phase(at) {
            Phase::Waiting | Phase::Deferred if cancelled => self.put(at, Phase::Cancelled, None),
            // Nothing starts any more in a rollout that has completed, unless it brings along who came late.
            Phase::Waiting if stopped && rollout.state == RolloutState::Completed => {
                self.put(at, Phase::Cancelled, None);
            }
            Phase::Attached => return self.tend_attached(at),
            Phase::Draining if stopped => self.put(at, Phase::Waiting, None),
            // Nothing new starts, another attempt neither.
            Phase::Backoff if stopped => self.put(at, Phase::Failed, None),
            Phase::Ordered if stopped && !self.bent(Mutation::HaltRecallsNothing) => self.recall(at),
            // It may stand in a queue on the endpoint: asked once.
            Phase::Running if stopped && sweep && !self.bent(Mutation::HaltRecallsNothing) => self.recall(at),
            Phase::RebootPending => {
                let reserve = u64::from(self.deploy(at).reboot_reserve_secs);
                let window = self.window(at.0, self.member(at).endpoint, reserve);
                let open = match window {
                    // Its place in the spread may be to come; then the engine says when it is there.
                    Window::Open { spread_until, .. } => {
                        self.now >= spread_until || self.choices.reboots.contains(&at)
                    }
                    Window::Shut { .. } => self.bent(Mutation::RebootsAtAnyTime),
                };
                let endpoint = &self.endpoints[self.member(at).endpoint];
                let away = endpoint.unreachable || endpoint.quarantined;
                if self.member(at).operations > 252 || !open || away {
                    return false;
                }
                if self.trips_the_breaker(at) {
                    self.put(at, Phase::NeedsOperator, None);
                    return true;
                }
                self.next_operation(at);
                let (endpoint, due) =
                    (self.member(at).endpoint, self.later(self.deploy(at).report_within_secs));
                self.endpoints[endpoint].reboots.push(self.now);
                self.put(at, Phase::Rebooting, Some(due));
                self.send(|order| Sent::Reboot { order }, at);
            }
            Phase::Failed | Phase::Verified if self.is_to_be_reverted(at) => return self.revert(at),
            _ => return false,
        }
        true
    }

    /// S6: more than so many reboots in 24 hours, and there is no further one before a person allows it.
    fn trips_the_breaker(&mut self, at: (usize, usize)) -> bool {
        let max = usize::from(self.rollouts[at.0].policy.reboot.max_reboots);
        let (now, never) = (self.now, self.bent(Mutation::RebootsForEver));
        let endpoint = self.member(at).endpoint;
        let endpoint = &mut self.endpoints[endpoint];
        let recent = endpoint.reboots.iter().filter(|at| now.since(**at).as_secs() < 24 * 3_600).count();
        endpoint.reboots_stopped |= recent >= max && !never;
        endpoint.reboots_stopped
    }

    pub(super) fn recall(&mut self, at: (usize, usize)) {
        let due = self.later(self.deploy(at).report_within_secs);
        self.put(at, Phase::Recalling, Some(due));
        self.send(|order| Sent::Recall { order }, at);
    }

    /// S10: who is rolled back: whoever failed, if the policy says so, and on a halt by a gate whom its word names.
    fn is_to_be_reverted(&self, at: (usize, usize)) -> bool {
        let rollout = &self.rollouts[at.0];
        let failed = self.phase(at) == Phase::Failed;
        // What another rollout installed is that one's to take back.
        if self.member(at).operations == 0 {
            return false;
        }
        if failed && rollout.policy.rollback.on_failure == OnFailure::RollBack {
            return true;
        }
        if rollout.takes_back && !self.is_replaced(rollout.candidate, self.member(at).endpoint) {
            return true;
        }
        let Some(halt) = rollout.halt.as_ref().filter(|halt| halt.by_gate) else { return false };
        // A trial has ended with the halt.
        let ended = rollout.state == RolloutState::Ended && rollout.kind == RolloutKind::Trial;
        let stands = rollout.state == RolloutState::Halted || ended;
        if !stands || self.bent(Mutation::RollsNobodyBack) {
            return false;
        }
        match rollout.policy.rollback.on_halt {
            OnHalt::Nobody => false,
            OnHalt::Failed => failed,
            OnHalt::Ring => failed || self.member(at).ring == halt.ring,
            OnHalt::Rollout => true,
        }
    }

    /// 255 orders and hooks are numbered for a member; a rollback takes one number, and one more for its pre hook.
    fn has_no_number_to_revert(&self, at: (usize, usize)) -> bool {
        let takes = 1 + u8::from(self.rollouts[at.0].policy.deploy.hooks.pre.is_some());
        self.member(at).operations > 255 - takes
    }

    fn revert(&mut self, at: (usize, usize)) -> bool {
        let member = self.member(at);
        if member.path == RollbackPath::None || self.has_no_number_to_revert(at) {
            // No way back: a person must act, unless it is fine as it is.
            let stuck = self.phase(at) == Phase::Failed;
            if stuck {
                self.put(at, Phase::NeedsOperator, None);
            }
            return stuck;
        }
        // A trial that a gate halted has ended with that: whether before those leave who are still to be rolled back, no
        // rule says.
        let ends = self.rollouts[at.0].state == RolloutState::Halted && self.choices.ended.contains(&at.0);
        if ends && self.rollouts[at.0].kind == RolloutKind::Trial && !self.rollouts[at.0].is_under_way() {
            return false;
        }
        // Who is first where several could be is the engine's choice; that nobody is left out is looked at in the end.
        let drain = (at.0, at.1, Event::HookAsked);
        let asked = self.choices.starts.iter().position(|start| *start == drain);
        if (asked.is_none() && !self.choices.reverts.contains(&at)) || !self.may_revert(at) {
            return false;
        }
        let is_drained = self.phase(at) == Phase::Failed && self.endpoints[self.member(at).endpoint].drained;
        match asked {
            Some(i) if self.has_pre_hook(at.0) && !is_drained => {
                self.choices.starts.remove(i);
                self.drain_for_revert(at);
            }
            _ if self.has_pre_hook(at.0) && !is_drained => return false,
            _ => self.order_revert(at),
        }
        true
    }

    /// One operation at a time, and within the budgets: it waits until its endpoint is free and there is a place.
    fn may_revert(&self, at: (usize, usize)) -> bool {
        let endpoint = self.member(at).endpoint;
        let here = &self.endpoints[endpoint];
        if self.phase(at) == Phase::Failed && self.member(at).due.is_some_and(|due| due > self.now) {
            // Its pre hook failed not long ago.
            return false;
        }
        let kept = self.is_busy(endpoint) || here.post.is_some() || here.gone || self.is_kept(endpoint);
        !kept && self.takes_back(at)
    }

    /// Whoever may be rolled back, is at once.
    pub(super) fn nobody_keeps_harm(&self) -> Result<(), Illegal> {
        if self.resync.is_some() {
            return Ok(());
        }
        for r in 0..self.rollouts.len() {
            for m in 0..self.rollouts[r].members.len() {
                let (at, member) = ((r, m), &self.rollouts[r].members[m]);
                let may_be = matches!(member.phase, Phase::Failed | Phase::Verified);
                let leads_back = member.path != RollbackPath::None && !self.has_no_number_to_revert(at);
                if may_be && leads_back && self.is_to_be_reverted(at) && self.may_revert(at) {
                    return Err(Illegal(format!("r{r}.m{m} is to be rolled back, and is not")));
                }
            }
        }
        Ok(())
    }

    /// One look at a rollout. Whether anything moved.
    pub(super) fn review(&mut self, r: usize) -> bool {
        if self.resync.is_some() {
            // Nothing is judged before it is known what happened meanwhile.
            return false;
        }
        if self.take_in(r) {
            return true;
        }
        match self.rollouts[r].state {
            RolloutState::Running | RolloutState::Paused => self.review_ring(r),
            RolloutState::Halted if self.rollouts[r].kind == RolloutKind::Trial => self.end_trial(r),
            RolloutState::Cancelled => self.end_cancelled(r),
            RolloutState::Completed => self.review_catch_up(r),
            RolloutState::Halted | RolloutState::Ended => false,
        }
    }

    /// A trial that was halted has failed once everything in it came to its end.
    fn end_trial(&mut self, r: usize) -> bool {
        if self.rollouts[r].sweep || self.rollouts[r].is_under_way() {
            return false;
        }
        let candidate = self.rollouts[r].candidate;
        self.candidates[candidate].trial_failed |= self.candidates[candidate].trial == Some(r);
        self.end(r, false);
        true
    }

    fn end_cancelled(&mut self, r: usize) -> bool {
        let waits = self.rollouts[r].members.iter().any(|m| m.phase == Phase::Waiting);
        // A reboot that waits for its window goes on by itself.
        let at_work = self.rollouts[r]
            .members
            .iter()
            .any(|m| !matches!(m.phase, Phase::Waiting | Phase::RebootPending) && may_still_move(m.phase));
        if waits || self.rollouts[r].sweep || at_work {
            return false;
        }
        self.end(r, false);
        true
    }

    fn end(&mut self, r: usize, completed: bool) {
        if completed {
            // Whoever waits in an earlier ring, to try again, is left to catch-up.
            self.defer_waiting(r, |_| true);
        }
        self.rollouts[r].state = if completed { RolloutState::Completed } else { RolloutState::Ended };
        if !self.rollouts[r].is_catching_up() {
            self.unstage(r);
        }
        let candidate = self.rollouts[r].candidate;
        self.candidates[candidate].look = true;
    }

    fn review_ring(&mut self, r: usize) -> bool {
        let ring = self.rollouts[r].ring;
        let state = self.rollouts[r].rings[ring].state;
        match state {
            RingState::Pending => self.open(r, ring),
            RingState::Open | RingState::Settled | RingState::Held => match self.gate(r, ring) {
                Says::Halt => self.halt(r, true),
                Says::Hold(_) if state == RingState::Open && self.is_settled(r, ring) => {
                    let ring = &mut self.rollouts[r].rings[ring];
                    (ring.state, ring.settled_at) = (RingState::Settled, Some(self.now));
                }
                Says::Hold(_) if state == RingState::Open => return self.defer(r, ring),
                Says::Ask if state == RingState::Settled => {
                    self.rollouts[r].rings[ring].state = RingState::Held
                }
                Says::Promote
                    if self.is_settled(r, ring) && self.rollouts[r].state == RolloutState::Running =>
                {
                    self.promote(r);
                }
                Says::Hold(_) | Says::Ask | Says::Promote => return false,
            },
            RingState::Promoted | RingState::Skipped => self.next_ring(r),
            RingState::Halted | RingState::CatchUp => return false,
        }
        true
    }

    /// S3: a person lets a ring pass; whoever has not started in it is left to catch-up.
    pub(super) fn promote_by_hand(&mut self, r: usize) {
        let ring = self.rollouts[r].ring;
        self.defer_waiting(r, |member| member == ring);
        self.promote(r);
    }

    pub(super) fn defer_waiting(&mut self, r: usize, of_ring: impl Fn(usize) -> bool) {
        for m in 0..self.rollouts[r].members.len() {
            let member = self.member((r, m));
            if member.phase == Phase::Waiting && of_ring(member.ring) {
                self.put((r, m), Phase::Deferred, None);
            }
        }
    }

    fn promote(&mut self, r: usize) {
        let ring = self.rollouts[r].ring;
        self.rollouts[r].rings[ring].state = RingState::Promoted;
        self.next_ring(r);
    }

    /// The next ring that nobody has passed over.
    pub(super) fn next_ring(&mut self, r: usize) {
        let behind = self.rollouts[r].ring + 1..self.rollouts[r].rings.len();
        let next = behind.into_iter().find(|ring| self.rollouts[r].rings[*ring].state == RingState::Pending);
        match next {
            Some(next) => self.open(r, next),
            None => self.end(r, true),
        }
    }

    /// A ring opens; an empty one is skipped, which is not a pass.
    fn open(&mut self, r: usize, ring: usize) {
        let now = self.now;
        let rollout = &mut self.rollouts[r];
        rollout.ring = ring;
        let empty = rollout.in_ring(ring).next().is_none();
        let ring = &mut rollout.rings[ring];
        if empty {
            ring.state = RingState::Skipped;
        } else {
            (ring.state, ring.opened_at) = (RingState::Open, Some(now));
        }
    }

    /// S3: who has not started within `start_within`, or by the end of the first window if that is later, is deferred.
    fn defer(&mut self, r: usize, ring: usize) -> bool {
        let mut moved = false;
        for m in 0..self.rollouts[r].members.len() {
            let member = &self.rollouts[r].members[m];
            let late = self.start_until(r, member.endpoint).is_some_and(|until| until <= self.now);
            if member.ring == ring && member.phase == Phase::Waiting && late {
                self.put((r, m), Phase::Deferred, None);
                moved = true;
            }
        }
        moved
    }

    fn start_until(&self, r: usize, endpoint: usize) -> Option<Timestamp> {
        if self.bent(Mutation::NeverDefers) {
            return None;
        }
        let rollout = &self.rollouts[r];
        let ring = &rollout.rings[rollout.ring];
        let opened = ring.reopened_at.or(ring.opened_at)?;
        let within = opened.plus_secs(rollout.policy.deploy.start_within_secs.into());
        Some(self.first_window_ends(r, endpoint, opened).map_or(within, |ends| ends.max(within)))
    }

    /// S7: an emergency may shorten the bake.
    pub(super) fn hurry(&mut self, r: usize) {
        let Some(max) = self.policy.as_ref().and_then(|policy| policy.emergency.bake_secs_min) else {
            self.rollouts[r].emergency = true;
            return;
        };
        self.rollouts[r].emergency = true;
        for ring in &mut self.rollouts[r].rings {
            if self.mutation.is_none_or(|bent| bent != Mutation::EmergenciesBake) {
                ring.gate.bake_secs_min = ring.gate.bake_secs_min.min(max);
            }
        }
    }

    /// S3: no new orders; what has not begun is recalled.
    pub(super) fn halt(&mut self, r: usize, by_gate: bool) {
        let rollout = &mut self.rollouts[r];
        let ring = rollout.ring;
        rollout.state = RolloutState::Halted;
        rollout.halt = Some(super::state::Halted { by_gate, ring });
        rollout.rings[ring].state = RingState::Halted;
        rollout.sweep = true;
    }

    pub(super) fn cancel(&mut self, r: usize) {
        if !self.rollouts[r].is_over() {
            self.rollouts[r].state = RolloutState::Cancelled;
            self.rollouts[r].sweep = true;
            // Who cancels leaves what is done, whatever a gate said before.
            self.rollouts[r].halt.iter_mut().for_each(|halt| halt.by_gate = false);
        }
    }

    /// A person lifts a halt: evidence starts anew.
    pub(super) fn lift(&mut self, r: usize) {
        let keeps = self.bent(Mutation::LiftKeepsTheEvidence);
        let rollout = &mut self.rollouts[r];
        rollout.state = RolloutState::Running;
        let number = rollout.ring;
        let ring = &mut rollout.rings[number];
        (ring.state, ring.settled_at) = (RingState::Open, None);
        if keeps {
            return;
        }
        rollout.rings[..=number].iter_mut().for_each(|ring| ring.alerts = 0);
        for member in rollout.members.iter_mut().filter(|member| member.ring <= number) {
            member.forgiven = matches!(super::state::class(member.phase), Class::Failed | Class::Unknown);
        }
    }

    /// When a rollout may do something by time alone.
    pub(super) fn rollout_looks_at(&self, r: usize) -> Option<Timestamp> {
        let rollout = &self.rollouts[r];
        let mut looks = Vec::new();
        let reserve = rollout.policy.deploy.reboot_reserve_secs.into();
        // Without a free place nobody is looked at; the place that becomes free says so.
        let runs = rollout.state == RolloutState::Running || rollout.is_catching_up();
        let starts = runs && self.is_permitted(r) && self.has_a_place(r) && self.fleet_is_open();
        let goes_on = matches!(rollout.state, RolloutState::Running | RolloutState::Paused);
        let open = goes_on && rollout.rings[rollout.ring].state == RingState::Open;
        for (m, member) in rollout.members.iter().enumerate() {
            let opens = |needed| match self.window(r, member.endpoint, needed) {
                Window::Open { spread_until, .. } => Some(spread_until),
                Window::Shut { opens } => opens,
            };
            match member.phase {
                Phase::RebootPending if self.endpoints[member.endpoint].unreachable => {}
                Phase::RebootPending if self.endpoints[member.endpoint].quarantined => {}
                Phase::RebootPending => looks.extend(opens(reserve)),
                Phase::Waiting | Phase::Backoff
                    if starts
                        && (member.ring <= rollout.ring || rollout.is_catching_up())
                        // Who waits for the endpoint is told when it is free.
                        && self.active(member.endpoint).is_none()
                        && !self.is_kept(member.endpoint)
                        && !self.waits_for_reboot(member.endpoint)
                        && self.endpoints[member.endpoint].post.is_none()
                        && !self.is_full((r, m))
                        // Who lacks its content, or its way back, is told when that is there.
                        && !self.path_has_ended(r, member.endpoint)
                        && self.is_staged((r, m)) =>
                {
                    // A retry is looked at when it is due, and not before.
                    let soonest = member.due.filter(|_| member.phase == Phase::Backoff);
                    looks.extend(opens(self.needed(r)).filter(|at| soonest.is_none_or(|due| *at >= due)));
                }
                _ => {}
            }
            if member.phase == Phase::Waiting && open && member.ring == rollout.ring {
                looks.extend(self.start_until(r, member.endpoint));
            }
        }
        if goes_on {
            looks.extend(self.gate_looks_at(r));
        }
        looks.into_iter().filter(|at| *at > self.now).min()
    }
}
