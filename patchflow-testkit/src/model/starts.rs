//! S6, S12: who may start now. The engine chooses among equals; here every choice is checked, and that none was missed.

use super::state::{Member, Model, is_operating};
use super::windows::Window;
use super::{Illegal, Mutation, Sent};
use patchflow_core::catalog::RebootBehaviour;
use patchflow_core::fleet::Standing;
use patchflow_core::inventory::Environment;
use patchflow_core::plan::RollbackPath;
use patchflow_core::risk::Priority;
use patchflow_core::rollout::{Event, Phase, RingState, RolloutKind, RolloutState};
use patchflow_core::time::Timestamp;
use std::cmp::Reverse;

/// Events that a look at a member for its start may end in.
pub(super) fn is_start(event: Event) -> bool {
    [
        Event::Ordered,
        Event::HookAsked,
        Event::Attached,
        Event::Skipped,
        Event::Cancelled,
        Event::Held,
        Event::Removed,
    ]
    .contains(&event)
}

/// How a rollout stands to others that want the same endpoint: the least comes first.
type Rank = (Reverse<(bool, Priority)>, Timestamp, usize);

/// What must come of looking at a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is not its turn, or somebody else has the endpoint.
    Waits,
    Starts,
    /// Another rollout of the same patch is at work there.
    Attaches,
    Settles(Event),
}

impl Model {
    /// Whether a proof stands behind a rollout: an approval that holds, or its being a trial of what is in trial.
    pub(super) fn is_permitted(&self, r: usize) -> bool {
        use super::state::Stage;
        let rollout = &self.rollouts[r];
        match (&self.candidates[rollout.candidate].stage, rollout.kind) {
            (Stage::Approved { expires, .. }, RolloutKind::Deployment) => {
                self.now < *expires || self.bent(Mutation::ApprovalsNeverExpire)
            }
            (Stage::Identified, RolloutKind::Trial) => true,
            _ => false,
        }
    }

    /// How long an operation takes, with the reboot that it may ask for.
    pub(super) fn needed(&self, r: usize) -> u64 {
        let rollout = &self.rollouts[r];
        let deploy = &rollout.policy.deploy;
        let reserve = match self.candidates[rollout.candidate].patch.reboot {
            RebootBehaviour::Never => 0,
            RebootBehaviour::Possible | RebootBehaviour::Required => deploy.reboot_reserve_secs,
        };
        let hooks = &deploy.hooks;
        let pre = hooks.pre.as_ref().map_or(0, |_| hooks.pre_secs_max);
        let post = hooks.post.as_ref().map_or(0, |_| hooks.post_secs_max);
        [deploy.expected_secs, reserve, pre, post].into_iter().map(u64::from).sum()
    }

    /// Whether the rollout may issue an order at all now.
    fn may_order(&self, r: usize) -> bool {
        let rollout = &self.rollouts[r];
        let paused = rollout.state == RolloutState::Paused && self.bent(Mutation::PauseStopsNothing);
        let runs = rollout.state == RolloutState::Running || paused;
        let ring = rollout.rings[rollout.ring].state;
        let open = matches!(ring, RingState::Open | RingState::Settled | RingState::Held);
        let goes_on = runs && open || rollout.is_catching_up();
        goes_on
            && self.resync.is_none()
            && self.is_permitted(r)
            && self.has_a_place(r)
            && self.fleet_is_open()
    }

    /// When the starts that are used up let somebody start again, if anybody waits for that alone.
    pub(super) fn starts_look(&self) -> Option<Timestamp> {
        let at = self.starts_again_at()?;
        let mut anew = self.clone();
        anew.starts.clear();
        let mut looks = Vec::new();
        for r in (0..self.rollouts.len()).filter(|r| anew.may_order(*r)) {
            let members = self.rollouts[r].members.iter().enumerate();
            for (_, member) in members.filter(|(m, _)| anew.fate((r, *m)) == Fate::Starts) {
                // Its place in the spread is the engine's to choose, and may come later.
                looks.push(match self.window(r, member.endpoint, self.needed(r)) {
                    Window::Open { spread_until, .. } => at.max(spread_until),
                    Window::Shut { .. } => at,
                });
            }
        }
        looks.into_iter().min()
    }

    pub(super) fn has_a_place(&self, r: usize) -> bool {
        let taken = self.rollouts[r].members.iter().filter(|member| self.holds_a_place(member)).count();
        let more = usize::from(self.bent(Mutation::OnePlaceMore));
        taken < self.rollouts[r].policy.deploy.in_flight_max as usize + more
    }

    /// S12: unknown frees its place, and its late report takes none.
    pub(super) fn holds_a_place(&self, member: &Member) -> bool {
        let late = self.bent(Mutation::LateReportsTakeAPlace) && is_operating(member.phase);
        member.placed || late || self.bent(Mutation::UnknownKeepsItsPlace) && member.phase == Phase::Silent
    }

    fn fate(&self, (r, m): (usize, usize)) -> Fate {
        let rollout = &self.rollouts[r];
        let member = &rollout.members[m];
        let again = match member.phase {
            Phase::Waiting => false,
            // After a hook that failed it waits like another attempt does.
            Phase::Deferred if self.is_caught_up((r, m)) && member.due.is_none_or(|due| due <= self.now) => {
                false
            }
            Phase::Backoff if member.due.is_some_and(|due| due <= self.now) => true,
            _ => return Fate::Waits,
        };
        if member.ring > rollout.ring && !rollout.is_catching_up() {
            return Fate::Waits;
        }
        match self.window(r, member.endpoint, self.needed(r)) {
            // An order that expires as it leaves is worth a try, and only one.
            Window::Open { last_start, .. } if last_start <= self.now.as_secs() && member.operations > 0 => {
                return Fate::Waits;
            }
            Window::Open { .. } => {}
            Window::Shut { .. } => return Fate::Waits,
        }
        let leaves = self.endpoints[member.endpoint].gone || self.is_taken_over((r, m));
        if !leaves && member.phase == Phase::Waiting && self.is_held_there(member.endpoint) {
            return Fate::Settles(Event::Held);
        }
        if !leaves && self.is_kept(member.endpoint) {
            return Fate::Waits;
        }
        if let Some(event) = self.stands_against((r, m), again) {
            return Fate::Settles(event);
        }
        if self.path_has_ended(r, member.endpoint) && !self.bent(Mutation::StartsOnEndedPaths) {
            // Somebody must look at it again.
            return Fate::Waits;
        }
        if member.phase != Phase::Backoff && self.leader((r, m)).is_some() {
            return Fate::Attaches;
        }
        if !self.is_staged((r, m)) {
            return Fate::Waits;
        }
        let waits = self.is_busy(member.endpoint)
            || self.endpoints[member.endpoint].post.is_some()
            || self.waits_for_reboot(member.endpoint)
            || self.is_full((r, m));
        if waits { Fate::Waits } else { Fate::Starts }
    }

    /// S6: a pending reboot blocks new orders.
    pub(super) fn waits_for_reboot(&self, endpoint: usize) -> bool {
        self.endpoints[endpoint].reboot_pending && !self.bent(Mutation::PendingRebootsBlockNothing)
    }

    pub(super) fn stands_nothing_against(&self, at: (usize, usize)) -> bool {
        let ended = self.path_has_ended(at.0, self.member(at).endpoint);
        self.stands_against(at, false).is_none() && (!ended || self.bent(Mutation::StartsOnEndedPaths))
    }

    /// What keeps it from starting for good.
    pub(super) fn stands_against(&self, (r, m): (usize, usize), again: bool) -> Option<Event> {
        let rollout = &self.rollouts[r];
        let member = &rollout.members[m];
        let endpoint = &self.endpoints[member.endpoint];
        // What has failed once is not held or skipped, it is cancelled.
        let held = if again { Event::Cancelled } else { Event::Held };
        let wanted = match rollout.kind {
            RolloutKind::Trial => Environment::NonProduction,
            RolloutKind::Deployment => Environment::Production,
        };
        if endpoint.gone {
            return Some(Event::Removed);
        }
        if endpoint.seen.environment != wanted || self.is_taken_over((r, m)) {
            return Some(Event::Cancelled);
        }
        if self.holds.contains(&(rollout.candidate, member.endpoint)) {
            return Some(held);
        }
        match self.candidates[rollout.candidate].needs.get(&member.endpoint).map(|need| need.standing) {
            Some(Standing::Needs) => {}
            Some(Standing::Has) if again => {}
            Some(Standing::Has) => return Some(Event::Skipped),
            Some(Standing::NotApplicable) | None => return Some(Event::Removed),
        }
        if self.newer_is_there(rollout.candidate, member.endpoint)
            || self.superseder_is_there(rollout.candidate, member.endpoint)
        {
            return Some(if again { Event::Cancelled } else { Event::Skipped });
        }
        let waived =
            rollout.policy.rollback.without_path.is_some() || self.bent(Mutation::StartsWithoutAWayBack);
        // The plan's way back is looked at again before the first attempt; afterwards a look sees what that left there.
        let path = self.candidates[rollout.candidate].needs.get(&member.endpoint).map(|need| need.path);
        let is_gone = member.attempts == 0 && path == Some(RollbackPath::None);
        let none = member.path == RollbackPath::None || is_gone;
        let used_up = member.operations >= 224 + u8::from(member.phase == Phase::Draining);
        if (none && !waived) || used_up {
            return Some(held);
        }
        None
    }

    /// Takes the engine's next start if it is legal now.
    pub(super) fn start(&mut self) -> Result<bool, Illegal> {
        let Some((r, m, event)) = self.choices.starts.first().copied() else { return Ok(false) };
        let fate = match event {
            Event::Ordered | Event::HookAsked => Fate::Starts,
            Event::Attached => Fate::Attaches,
            event => Fate::Settles(event),
        };
        let known = r < self.rollouts.len() && m < self.rollouts[r].members.len();
        if !known || !self.may_order(r) || self.fate((r, m)) != fate {
            return Ok(false);
        }
        let at = (r, m);
        match event {
            Event::Ordered | Event::HookAsked => {
                let drains = self.has_pre_hook(r) && self.phase(at) != Phase::Backoff;
                if drains != (event == Event::HookAsked) {
                    return Err(Illegal(format!(
                        "r{r}.m{m} begins with {event:?}, and has the hook: {drains}"
                    )));
                }
                self.choices.starts.remove(0);
                self.nobody_comes_first(at)?;
                if drains {
                    self.drain(at);
                } else {
                    self.starts.push(self.now);
                    self.order(at);
                }
            }
            Event::Attached => self.attach(at),
            Event::Skipped => self.settle(at, Phase::Skipped),
            Event::Held => self.settle(at, Phase::Held),
            Event::Removed => self.settle(at, Phase::Removed),
            _ => self.settle(at, Phase::Cancelled),
        }
        Ok(true)
    }

    fn settle(&mut self, at: (usize, usize), phase: Phase) {
        if let Some(i) = self.choices.starts.iter().position(|start| (start.0, start.1) == at) {
            self.choices.starts.remove(i);
        }
        self.wait_for_turn(at);
        self.put(at, phase, None);
    }

    /// Whoever was deferred has its turn again, with all its attempts.
    pub(super) fn wait_for_turn(&mut self, at: (usize, usize)) {
        if self.phase(at) == Phase::Deferred {
            self.content_anew(at);
            self.rollouts[at.0].members[at.1].attempts = 0;
            self.put(at, Phase::Waiting, None);
        }
    }

    /// Its hook is done: its place and its start are counted already.
    pub(super) fn order_drained(&mut self, at: (usize, usize)) {
        self.order(at);
    }

    fn order(&mut self, (r, m): (usize, usize)) {
        self.wait_for_turn((r, m));
        self.next_operation((r, m));
        let rollout = &mut self.rollouts[r];
        rollout.members[m].attempts = rollout.members[m].attempts.saturating_add(1);
        let rollout = &self.rollouts[r];
        let acknowledged_by = self.later(rollout.policy.deploy.acknowledge_within_secs);
        let drained = u64::from(rollout.policy.deploy.hooks.pre_secs_max);
        let needed = match rollout.members[m].phase {
            Phase::Draining => self.needed(r) - drained,
            _ => self.needed(r),
        };
        let latest = match self.window(r, rollout.members[m].endpoint, needed) {
            Window::Open { last_start, .. } => last_start.min(Timestamp::MAX.as_secs()),
            Window::Shut { .. } => self.now.as_secs(),
        };
        let start_by = acknowledged_by.min(Timestamp::from_secs(latest)).max(self.now);
        self.put((r, m), Phase::Ordered, Some(start_by));
        self.rollouts[r].members[m].placed = true;
        self.send(|order| Sent::Install { order, start_by }, (r, m));
    }

    /// S6: who is first on an endpoint: emergencies, then by priority, then by due date, then by rollout.
    fn nobody_comes_first(&self, (r, m): (usize, usize)) -> Result<(), Illegal> {
        if self.bent(Mutation::LastComesFirst) && self.rollouts.len() > 1 {
            return self.nobody_at_all((r, m), |other, this| other > this);
        }
        self.nobody_at_all((r, m), |other, this| other < this)
    }

    fn nobody_at_all(
        &self,
        (r, m): (usize, usize),
        comes_first: impl Fn(Rank, Rank) -> bool,
    ) -> Result<(), Illegal> {
        let endpoint = self.rollouts[r].members[m].endpoint;
        // What stops the others at this instant may not have been looked at yet.
        let mut looked = self.clone();
        for other in (0..self.rollouts.len()).filter(|other| *other != r) {
            while looked.tend(other) | looked.review(other) {}
        }
        for other in (0..self.rollouts.len()).filter(|other| *other != r) {
            for (n, member) in self.rollouts[other].members.iter().enumerate() {
                let at = (other, n);
                let starts =
                    |of: &Self| of.may_order(other) && of.fate(at) == Fate::Starts && !of.is_spread(at);
                let first = comes_first(self.precedence(other), self.precedence(r));
                if member.endpoint == endpoint && first && starts(self) && starts(&looked) {
                    return Err(Illegal(format!(
                        "r{r}.m{m} starts on e{endpoint}, but r{other}.m{n} comes first"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Whether the member's place in the spread may still be to come.
    fn is_spread(&self, (r, m): (usize, usize)) -> bool {
        match self.window(r, self.rollouts[r].members[m].endpoint, self.needed(r)) {
            Window::Open { spread_until, .. } => self.now < spread_until,
            Window::Shut { .. } => true,
        }
    }

    fn precedence(&self, r: usize) -> Rank {
        let c = self.rollouts[r].candidate;
        let urgency = (self.rollouts[r].emergency, self.candidates[c].priority);
        (Reverse(urgency), self.due_of(c), r)
    }

    /// Whoever may start, starts at once.
    pub(super) fn nobody_was_left_out(&self) -> Result<(), Illegal> {
        for r in 0..self.rollouts.len() {
            if !self.may_order(r) {
                continue;
            }
            for m in 0..self.rollouts[r].members.len() {
                let fate = self.fate((r, m));
                // What stands against whoever waits for its endpoint may be said when that is free; against whoever waits
                // for its content, when that is there.
                let endpoint = self.rollouts[r].members[m].endpoint;
                let busy = self.active(endpoint).is_some()
                    || self.endpoints[endpoint].post.is_some()
                    || !self.is_staged((r, m));
                let waits =
                    matches!(fate, Fate::Settles(_) | Fate::Attaches) && (busy || self.is_full((r, m)));
                if fate != Fate::Waits && !waits && !self.is_spread((r, m)) {
                    return Err(Illegal(format!("r{r}.m{m} is left waiting, and the rule says {fate:?}")));
                }
            }
        }
        Ok(())
    }
}
