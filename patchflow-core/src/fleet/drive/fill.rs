//! Who starts next: members take places while their window, their rollout and every budget allow it.

use super::reverts;
use crate::fleet::decide::{self, Facts, Full, Start};
use crate::fleet::state::State;
use crate::fleet::state::openings::Turn;
use crate::fleet::table::budget::Rank;
use crate::fleet::{Fleet, Outbox};
use crate::ids::{MemberIx, RolloutId};
use crate::policy::StartsMax;
use crate::rollout::{Event, Lane, Phase};
use crate::time::Timestamp;
use core::cmp::Reverse;

impl Fleet {
    /// Rolls back and starts members of one rollout while places are free. Whoever came first in line to roll somebody
    /// back starts nobody for that: it stands in line for its starts again.
    pub(in crate::fleet) fn fill(&mut self, now: Timestamp, rank: Rank, facts: &mut Facts, out: &mut Outbox) {
        let (_, _, id) = rank;
        self.take_back(now, id, facts, out);
        if rank == reverts::rank(id) && self.state.want(now, id) {
            return;
        }
        self.start_some(now, id, facts, out);
        self.look_ahead(now, id);
        self.state.pass_on(id);
    }

    fn start_some(&mut self, now: Timestamp, id: RolloutId, facts: &mut Facts, out: &mut Outbox) {
        if !decide::starts_now(&self.state, now, &self.state.rollouts[id.index()]) {
            return;
        }
        let needed = decide::needed_secs(&self.state, &self.state.rollouts[id.index()]);
        let mut unread = alloc::vec::Vec::new();
        self.state.rollouts[id.index()].open_rings();
        while self.state.rollouts[id.index()].may_start() {
            let next = if self.state.fleet_is_open(now) {
                self.state.rollouts[id.index()].next_member()
            } else {
                let follower = self.state.next_follower(id);
                if follower.is_none() {
                    self.state.await_fleet(id);
                }
                follower
            };
            let Some(ix) = next else { break };
            let turn = self.state.turn(now, id, ix, needed);
            let Some(at) = self.state.member(id, ix) else { continue };
            if at.member.phase == Phase::Draining {
                // It stands in the queue from before its pre hook, and goes on when that is done.
                continue;
            }
            let start = decide::start(&self.state, now, at, turn);
            let takes_turn = matches!(start, Start::Order { .. } | Start::Settle(..) | Start::Attach);
            if at.member.phase == Phase::Deferred && takes_turn {
                facts.push(at.fact(Event::Released, 0, 0));
            }
            let is_to_be_read =
                matches!((turn, &start), (Turn::Open { read_since: 1.., .. }, Start::Read | Start::Busy));
            match start {
                Start::Order { due } => {
                    if matches!(turn, Turn::Open { outside: true, .. }) {
                        decide::outside(&self.state, at, facts);
                    }
                    facts.push(self.state.begin(now, at, due));
                }
                Start::Settle(event, reason) => {
                    let code = reason.map_or(0, |(kind, text)| self.state.reason(facts, kind, &text));
                    facts.push(at.fact(event, code, 0));
                }
                Start::Attach => facts.push(at.fact(Event::Attached, 0, 0)),
                // No more are read than could start: a reading grows old.
                Start::Read if unread.len() >= self.reads_now(id) => {
                    self.state.rollouts[id.index()].queue.again.insert(ix);
                    self.state.cache.unread_rollouts.insert(id);
                    break;
                }
                Start::Read => unread.push((ix, at.member.endpoint())),
                Start::Reboot => self.reboot_first(now, id, ix, facts),
                Start::Busy => self.await_turn(id, ix),
                Start::Full(full) => self.state.park(id, ix, full),
                Start::Later(at) => self.state.wake_at(at, id, ix),
                Start::Waits => self.await_kin(id, ix),
                // It takes its turn when its content is there.
                Start::Unstaged => self.state.stage_first(id, ix),
                Start::Lapsed => {
                    facts.extend(decide::lapsed(&self.state, at));
                    self.await_kin(id, ix);
                }
                Start::Nothing => {}
            }
            if is_to_be_read {
                // Its next window asks for no reading.
                self.wake_at_window(now, id, ix, needed);
            }
            self.apply_all(now, facts, out);
            // One more that has started may be what a share was waiting for: its gate speaks before the next one.
            if decide::halts_now(now, &self.state.rollouts[id.index()]) {
                break;
            }
        }
        self.read_first(now, id, &unread, facts, out);
    }

    /// A member that catches up looks again when its own window opens.
    fn wake_at_window(&mut self, now: Timestamp, id: RolloutId, ix: MemberIx, needed_secs: u64) {
        let Some(at) = self.state.member(id, ix) else { return };
        let calendar = self.state.calendar_of(at.member.endpoint());
        let opening = self.state.opening(now, id, calendar, needed_secs);
        let Some((at, opening)) = self.state.member(id, ix).zip(opening) else { return };
        let starts = self.state.spread(at.rollout, at.member.endpoint(), opening);
        if starts > now {
            self.state.wake_at(starts, id, ix);
        }
    }

    /// Another rollout has the endpoint, or its condition keeps it: the member looks again when that changes.
    pub(in crate::fleet) fn await_turn(&mut self, rollout: RolloutId, member: MemberIx) {
        let Some(at) = self.state.member(rollout, member) else { return };
        let endpoint = at.member.endpoint();
        let is_free =
            |slot: &crate::fleet::table::slot::Slot| slot.active().is_none() && slot.conditions.is_empty();
        if self.state.endpoints.slot(endpoint).is_none_or(is_free)
            && !self.state.posts.contains_key(&endpoint)
        {
            return;
        }
        self.await_kin(rollout, member);
    }

    /// The member looks again when something happens on its endpoint.
    fn await_kin(&mut self, rollout: RolloutId, member: MemberIx) {
        let Some(at) = self.state.member(rollout, member) else { return };
        let endpoint = at.member.endpoint();
        self.state.cache.turns.wait(endpoint, rollout, member);
    }
}

impl State {
    /// A member starts: with its pre hook when there is one and it is not drained already, else with its order.
    fn begin(&self, now: Timestamp, at: decide::At<'_>, due: u32) -> crate::fleet::Fact {
        decide::drain(self, now, at).unwrap_or_else(|| at.fact(Event::Ordered, 0, due))
    }

    /// How a rollout stands to others: emergencies first, then priority, then due date, then its number.
    pub(in crate::fleet) fn rank(&self, id: RolloutId) -> Rank {
        let rollout = self.rollout(id);
        let emergency = rollout.is_some_and(|rollout| rollout.emergency().is_some());
        let risk = rollout
            .and_then(|rollout| self.candidate(rollout.candidate()))
            .map(|entry| entry.candidate.identified().risk());
        let priority = risk.map_or(crate::risk::Priority::Low, |risk| risk.priority);
        (Reverse((emergency, priority)), risk.and_then(|risk| risk.due).unwrap_or(Timestamp::MAX), id)
    }

    /// Puts a rollout in line when it has somebody to start; whether it has.
    pub(in crate::fleet) fn want(&mut self, now: Timestamp, id: RolloutId) -> bool {
        self.rollouts[id.index()].open_rings();
        let wants =
            self.rollouts[id.index()].has_next() && decide::starts_now(self, now, &self.rollouts[id.index()]);
        if wants {
            let rank = self.rank(id);
            self.cache.budgets.want(rank);
        }
        wants
    }

    /// The next rollout to fill, and how it stands: the first in line of those that may find a place.
    pub(in crate::fleet) fn next_to_fill(&mut self, now: Timestamp) -> Option<Rank> {
        for ((urgency, due, id, member), reverts) in self.cache.groups.next() {
            if reverts {
                self.look_at_revert(id, member);
            } else if let Some(rollout) = self.rollouts.get_mut(id.index()) {
                rollout.queue.again.insert(member);
                self.cache.budgets.want((urgency, due, id));
            }
        }
        let is_open = self.cache.budgets.somebody_waits() && self.fleet_is_open(now);
        let Self { cache, rollouts, .. } = self;
        cache.budgets.next(is_open, |rollout, lane| {
            if let Some(rollout) = rollouts.get_mut(rollout.index()) {
                rollout.queue.parked.open(lane);
                rollout.queue.reverts.parked.open(lane);
            }
        })
    }

    fn await_fleet(&mut self, id: RolloutId) {
        if self.rollouts[id.index()].has_next() {
            let rank = self.rank(id);
            self.cache.budgets.wait(rank);
        }
    }

    /// A member found a budget full, and stands in its lane until a place is free.
    fn park(&mut self, id: RolloutId, member: MemberIx, full: Full) {
        let rank = self.rank(id);
        let rollout = &mut self.rollouts[id.index()];
        match full {
            Full::Scope { innermost, full } => {
                let lane = Lane::Scope(innermost);
                rollout.queue.parked.park(lane, member);
                self.cache.budgets.wait_in(full, rank, lane);
            }
            // Whatever happens to a member of the ring puts the rollout in line again.
            Full::Ring { ring, retries } => {
                let lane = if retries { Lane::Retries(ring) } else { Lane::Ring(ring) };
                rollout.queue.parked.park(lane, member);
            }
            Full::Group(number) => {
                let endpoint = rollout.members()[member.index()].endpoint();
                let (urgency, due, id) = rank;
                self.cache.groups.wait(number, (urgency, due, id, member));
                // Should the endpoint itself fail meanwhile, the group no longer stands in its way.
                self.cache.turns.wait(endpoint, id, member);
            }
        }
    }

    /// Whether the fleet's own budgets let anything start now: its places, and its starts in a time.
    fn fleet_is_open(&self, now: Timestamp) -> bool {
        self.cache.budgets.fleet_has_room() && self.starts_again_at(now).is_none()
    }

    /// When the next start is allowed; `None` when it is allowed now (semantics S12).
    pub(in crate::fleet) fn starts_again_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.starts.next_at(self.starts_max(), now)
    }

    /// When to look again because starts were used up.
    pub(in crate::fleet) fn starts_alarm(&self) -> Option<Timestamp> {
        if self.cache.budgets.somebody_waits() { self.starts_again_at(self.cache.now) } else { None }
    }

    /// How many may start in a time, by the policy that is adopted.
    pub(in crate::fleet) fn starts_max(&self) -> Option<StartsMax> {
        self.policy.as_ref()?.0.budgets.starts_max
    }

    /// A policy was adopted: its budgets act at once.
    pub(in crate::fleet) fn budgets_changed(&mut self) {
        self.starts.keep(self.starts_max());
        self.stage_starts.keep(self.stage_starts_max());
        if self.cache.live {
            self.recount_budgets();
            for i in 0..self.rollouts.len() {
                let queue = &mut self.rollouts[i].queue;
                let parked = queue.parked.drain();
                queue.again.extend(parked);
                let reverts = &mut queue.reverts;
                reverts.ready.extend(reverts.parked.drain());
                self.put_on_agenda(RolloutId(i as u32));
            }
        }
    }
}
