//! The two doors, and the loop between them: decide, evolve, react, until nothing follows any more.

use super::decide::{self, Facts};
use super::drive::short::Short;
use super::replay::Replay;
use super::state::openings::Turn;
use super::state::{CandidateEntry, State};
use super::table::timers::sooner;
use super::{Effect, Fact, Observation, Outbox, Outcome, Recorded, Request, RichFact};
use crate::error::{CorruptJournal, FailureKind, Refusal};
use crate::ids::{CandidateId, FleetId, MemberIx, RolloutId};
use crate::rollout::Phase;
use crate::time::Timestamp;
use alloc::string::String;

/// A set of endpoints with all its candidates and rollouts: one writer, one journal stream.
///
/// Every door takes the time as an argument and an [`Outbox`] that facts and effects are added to. Store the facts,
/// then release the effects.
#[derive(Debug)]
pub struct Fleet {
    pub(super) state: State,
    pub(super) scratch: Facts,
    strays: u64,
    reviews: u64,
    pub(super) short: Short,
}

impl Fleet {
    /// Founds a fleet. Its first fact holds the seed of every stable choice and the instant deadlines count from.
    ///
    /// ```
    /// use patchflow_core::{fleet::{Fleet, Outbox}, ids::FleetId};
    /// let mut out = Outbox::new();
    /// let fleet = Fleet::found(FleetId(1), "acme", 42, "2026-11-21T08:00:00Z".parse().unwrap(), &mut out);
    /// assert_eq!((fleet.name(), out.facts().len()), ("acme", 1));
    /// ```
    pub fn found(id: FleetId, name: impl Into<String>, seed: u64, now: Timestamp, out: &mut Outbox) -> Self {
        let mut fleet = Self::of(State::default());
        fleet.state.cache.live = true;
        fleet.state.cache.now = now;
        fleet.apply(
            now,
            RichFact::FleetFounded { fleet: id, name: name.into(), seed, epoch: now }.into(),
            out,
        );
        fleet
    }

    /// The world. Never refused: what fits nothing is counted as a stray (see [`Fleet::strays`]).
    pub fn observe(&mut self, now: Timestamp, seen: Observation<'_>, out: &mut Outbox) {
        self.see(now, &seen, out);
    }

    #[inline]
    pub(super) fn see(&mut self, now: Timestamp, seen: &Observation<'_>, out: &mut Outbox) {
        if !self.goes_short(now, seen, out) {
            self.go_long(now, seen, out);
        }
    }

    fn go_long(&mut self, now: Timestamp, seen: &Observation<'_>, out: &mut Outbox) {
        self.short.forget();
        let now = self.arrive(now, out);
        let mut facts = core::mem::take(&mut self.scratch);
        let hook_fits = if let Observation::HookDone { order, stage, failure } = seen {
            self.hook_done(now, *order, *stage, failure.as_ref(), &mut facts)
        } else {
            true
        };
        let state = &self.state;
        let fits = match seen {
            Observation::HookDone { .. } => hook_fits,
            Observation::Time => true,
            Observation::Reported(report) => decide::reported(state, now, report, &mut facts),
            Observation::Inspected(seen) => decide::inspected(state, now, seen, &mut facts),
            Observation::Answered { order, answer } => {
                decide::answered(state, now, *order, answer, &mut facts)
            }
            Observation::RecallAnswered { order, answer } => {
                decide::recall_answered(state, now, *order, *answer, &mut facts)
            }
            Observation::Endpoints { endpoints } => {
                decide::endpoints(state, now, endpoints, &mut facts);
                true
            }
            Observation::EndpointGone { endpoint } => decide::endpoint_gone(state, *endpoint, &mut facts),
            Observation::Unreachable { endpoints, since } => {
                decide::unreachable(state, now, endpoints, *since, &mut facts)
            }
            Observation::Reachable { endpoints } => decide::reachable(state, now, endpoints, &mut facts),
            Observation::Stale { endpoints } => decide::stale(state, now, endpoints, &mut facts),
            Observation::Read { endpoints } => decide::read(state, endpoints, &mut facts),
            Observation::RebootsPending { endpoints, pending } => {
                decide::reboots_pending(state, endpoints, *pending, &mut facts)
            }
            Observation::Published { patch } => {
                decide::published(state, now, patch, &mut facts);
                true
            }
            Observation::Withdrawn { patch, reason } => decide::withdrawn(state, patch, reason, &mut facts),
            Observation::Needs { candidate, needs } => {
                decide::needs(state, now, *candidate, needs, &mut facts)
            }
            Observation::Identified => {
                self.state.look_at_onboarding();
                let all = (0..self.state.candidates.len()).map(|i| CandidateId(i as u32));
                self.state.cache.candidate_agenda.extend(all);
                true
            }
            Observation::Staged { stage, outcome } => decide::staged(state, now, *stage, outcome, &mut facts),
            Observation::ContentHeld { content, endpoints, depot } => {
                decide::content_held(state, now, *content, endpoints, depot.as_ref(), &mut facts)
            }
            Observation::Approval { ask, by, approve, reason } => {
                decide::approval_answered(state, now, *ask, by, *approve, reason, &mut facts)
            }
            Observation::Alerts { rollout, ring, new } => {
                decide::alerts(state, *rollout, *ring, *new, &mut facts)
            }
        };
        if !fits {
            self.strays += 1;
        }
        if let Observation::Read { endpoints } = seen {
            // Answered for; what was expected leaves no fact to say so.
            for ix in &**endpoints {
                self.state.cache.awaited.remove(ix);
            }
        }
        if let Observation::Answered { order, .. } = seen
            && let Some(resync) = &mut self.state.resync
        {
            // Answered for, whatever the answer; an answer that changed nothing leaves no fact to say so.
            resync.open.remove(&(order.rollout, order.member));
        }
        self.apply_all(now, &mut facts, out);
        self.scratch = facts;
        self.settle(now, out);
    }

    /// People. May be refused, and then nothing has changed.
    ///
    /// # Errors
    /// A [`Refusal`] that says what would be allowed.
    pub fn command(&mut self, now: Timestamp, ask: Request, out: &mut Outbox) -> Result<Outcome, Refusal> {
        let at = now.max(self.state.cache.now);
        let mut facts = Facts::new();
        let outcome = decide::command(&self.state, at, &ask, &mut facts)?;
        self.short.forget();
        let now = self.arrive(now, out);
        self.apply_all(now, &mut facts, out);
        self.settle(now, out);
        Ok(outcome)
    }

    /// When to observe [`Observation::Time`] at the latest; `None` when nothing is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if let Some(resync) = &self.state.resync {
            return Some(resync.until);
        }
        if !self.state.cache.rollout_agenda.is_empty() || !self.state.cache.candidate_agenda.is_empty() {
            // Only after a replay: what a crash left undecided is looked at as soon as there is a clock.
            return Some(self.state.clock);
        }
        let cache = &self.state.cache;
        let timer = sooner(cache.deadlines.first(), cache.wakes.first());
        let timer = sooner(timer, cache.closes.first());
        let timer = sooner(timer, cache.nears.first());
        let timer = sooner(timer, cache.posts_due.first().map(|(due, _)| *due));
        let timer = sooner(timer, cache.stage_timers.first());
        let mut alarm = sooner(cache.alarms.first(), cache.candidate_alarms.first());
        alarm = sooner(alarm, cache.call_alarms.first());
        alarm = sooner(alarm, cache.drill_look);
        alarm = sooner(alarm, self.state.starts_alarm());
        alarm = sooner(alarm, self.state.stage_starts_alarm());
        alarm = sooner(alarm, self.state.next_scan_due());
        sooner(alarm, timer.map(|due| self.state.at(due)))
    }

    /// The fleet that these facts built. Evolves only: nothing is decided anew.
    ///
    /// # Errors
    /// [`CorruptJournal`] at the first fact that does not fit; nothing after it is applied.
    pub fn replay(facts: impl IntoIterator<Item = Recorded>) -> Result<Self, CorruptJournal> {
        Self::go_on(State::default(), facts)
    }

    pub(super) fn go_on(
        state: State,
        facts: impl IntoIterator<Item = Recorded>,
    ) -> Result<Self, CorruptJournal> {
        let mut replay = Replay::new(state);
        facts.into_iter().try_for_each(|fact| replay.one(fact))?;
        replay.finish()
    }

    pub(super) fn of(state: State) -> Self {
        Self { state, scratch: Facts::new(), strays: 0, reviews: 0, short: Short::default() }
    }

    /// After a crash: what was under way. Questions and looks only; an order is never sent again blindly.
    pub fn outstanding(&self) -> impl Iterator<Item = Effect> + '_ {
        let orders = self
            .state
            .operating_members()
            .filter_map(|(rollout, member)| self.state.outstanding_for(rollout, member));
        let asks =
            (0..self.state.candidates.len()).filter_map(|i| self.state.question(CandidateId(i as u32)));
        let posts = self.state.posts.keys().filter_map(|endpoint| self.state.post_hook(*endpoint));
        let mut scans = alloc::vec::Vec::new();
        self.state.scans(&self.state.open_scans(), |scan| scans.push(scan));
        let stages = self.state.stages_asked().filter_map(|(rollout, member)| {
            self.state.member(rollout, member).and_then(|at| self.state.stage_order(at))
        });
        orders.chain(asks).chain(posts).chain(scans).chain(stages)
    }

    /// Observations that fitted nothing: reports for unknown or long finished orders, answers nobody asked for.
    ///
    /// Counted since this value was made and not journalled, so that a flood of bad reports cannot grow the journal.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// How often a rollout was looked at as a whole, since this value was made: the work that a report may leave behind
    /// itself. Nearly all reports leave none, which tests of cost hold on to; the same on every machine.
    #[must_use]
    pub fn reviews(&self) -> u64 {
        self.reviews
    }

    /// Takes note of the time: a clock that stepped back is held, a host that was away asks before it acts.
    fn arrive(&mut self, now: Timestamp, out: &mut Outbox) -> Timestamp {
        let last = self.state.cache.now;
        if now < last {
            if !self.state.cache.behind && last.since(now).as_secs() >= 1 {
                self.state.cache.behind = true;
                self.apply(last, RichFact::ClockSteppedBack { seen: now, held_at: last }.into(), out);
            }
            return last;
        }
        self.state.cache.behind = false;
        if now == last {
            return now;
        }
        let promised = self.next_deadline().filter(|promised| now > *promised);
        if promised.is_some() {
            let mut facts = Facts::new();
            decide::resync_start(&self.state, now, last, promised, &mut facts);
            self.state.cache.now = now;
            self.apply_all(now, &mut facts, out);
        }
        self.state.cache.now = now;
        now
    }

    pub(super) fn apply_all(&mut self, now: Timestamp, facts: &mut Facts, out: &mut Outbox) {
        // Nearly always there is one fact or none.
        if facts.len() == 1 {
            facts.pop().into_iter().for_each(|fact| self.apply(now, fact, out));
            return;
        }
        for fact in facts.drain(..) {
            self.apply(now, fact, out);
        }
    }

    /// Evolves, then reacts. A fact that the state does not take is a defect of a decision: it is dropped, never stored.
    fn apply(&mut self, now: Timestamp, fact: Fact, out: &mut Outbox) {
        let seq = self.state.seq.next();
        if let Err(defect) = self.state.evolve(seq, now, &fact) {
            debug_assert!(false, "{defect}");
            return;
        }
        self.state.react(&fact, |reaction| out.react(seq, reaction, self.state.endpoints.ids()));
        out.facts.push(Recorded { seq, at: now, fact });
    }

    /// Follows up until nothing follows any more.
    fn settle(&mut self, now: Timestamp, out: &mut Outbox) {
        // Most reports leave nothing to follow up.
        if self.state.cache.is_done()
            && self.state.resync.is_none()
            && self.next_deadline().is_none_or(|next| next > now)
        {
            return;
        }
        if self.state.resync.is_some() {
            let mut facts = Facts::new();
            decide::resync_end(&self.state, now, &mut facts);
            self.apply_all(now, &mut facts, out);
        }
        self.ring_alarms(now);
        self.fire_scans(now, out);
        let mut facts = core::mem::take(&mut self.scratch);
        self.fire_deadlines(now, &mut facts, out);
        self.fire_posts(now, &mut facts, out);
        self.fire_closes(now, &mut facts, out);
        self.fire_wakes(now);
        self.fire_stages(now, &mut facts, out);
        loop {
            if let Some((rollout, member)) = self.state.cache.tending.pop() {
                self.tend(now, rollout, member, false, &mut facts, out);
            } else if let Some(rollout) = self.state.cache.rollout_agenda.pop() {
                self.review(now, rollout, &mut facts, out);
            } else if let Some(candidate) = self.state.cache.candidate_agenda.pop_first() {
                self.step(now, candidate, &mut facts, out);
            } else if let Some(endpoint) = self.state.cache.onboarding.pop_first() {
                decide::onboarded(&self.state, now, endpoint, &mut facts);
                self.apply_all(now, &mut facts, out);
            } else if let Some(candidate) = self.state.cache.clock_agenda.pop_first() {
                let Some(entry) = self.state.candidate(candidate) else { continue };
                let first = decide::first_install(&self.state, now, entry, &mut facts);
                let due = self.look_at_due_dates(now, candidate, &mut facts);
                self.look_sooner(now, candidate, [first, due]);
                self.apply_all(now, &mut facts, out);
            } else if self.state.cache.drill_look.is_some_and(|look| look <= now) {
                decide::drills(&self.state, now, &mut facts);
                self.apply_all(now, &mut facts, out);
            } else if let Some(rollout) = self.state.next_to_stage(now) {
                self.stage(now, rollout, &mut facts, out);
            } else if let Some(rank) = self.state.next_to_fill(now) {
                self.fill(now, rank, &mut facts, out);
            } else if self.state.pass_on_any() {
            } else if self.state.is_near(now) {
                self.fire_nears(now, &mut facts, out);
            } else {
                break;
            }
        }
        self.scratch = facts;
        self.state.trim_deadlines();
    }

    /// Puts what wanted to be looked at by now on the agenda. Costs nothing when nothing is due.
    fn ring_alarms(&mut self, now: Timestamp) {
        if self.state.resync.is_some() {
            return;
        }
        while let Some(id) = self.state.cache.alarms.take_due(now) {
            self.state.put_on_agenda(id);
        }
        while let Some(call) = self.state.cache.call_alarms.take_due(now) {
            self.state.cache.tending.push(call);
        }
        while let Some(id) = self.state.cache.candidate_alarms.take_due(now) {
            let cache = &mut self.state.cache;
            // What is only identified waits for the next comparison: time alone tells of its dates, and starts nothing.
            let waits = self.state.candidates.get(id.index()).is_some_and(CandidateEntry::awaits_comparison);
            if waits { &mut cache.clock_agenda } else { &mut cache.candidate_agenda }.insert(id);
        }
    }

    fn fire_deadlines(&mut self, now: Timestamp, facts: &mut Facts, out: &mut Outbox) {
        let secs = self.state.secs(now);
        while self.state.resync.is_none()
            && let Some((due, rollout, members)) = self.state.cache.deadlines.take_due(secs)
        {
            let rollout = RolloutId(rollout);
            for member in members.iter().map(|member| MemberIx(*member)) {
                let Some(at) = self.state.member(rollout, member).filter(|at| at.member.deadline == due)
                else {
                    continue;
                };
                if at.member.phase == Phase::Failed {
                    // Its rollback is prepared anew.
                    self.state.cache.tending.push((rollout, member));
                    continue;
                }
                if at.member.phase == Phase::Deferred && !at.rollout.is_catching_up() {
                    // Looked at when the rollout has completed.
                    continue;
                }
                if matches!(at.member.phase, Phase::Backoff | Phase::Deferred) {
                    // A retry that is due takes its turn; that is no fact, its order will be.
                    let queue = &mut self.state.rollouts[rollout.index()].queue;
                    queue.again.insert(member);
                    // Its content may have grown too old meanwhile, and is brought whether or not there is a place to start.
                    queue.staging.again.insert(member);
                    self.state.put_on_agenda(rollout);
                    continue;
                }
                decide::due(&self.state, now, at, facts);
                self.apply_all(now, facts, out);
            }
            self.state.cache.deadlines.keep(members);
        }
    }

    fn tend(
        &mut self,
        now: Timestamp,
        rollout: RolloutId,
        member: MemberIx,
        sweep: bool,
        facts: &mut Facts,
        out: &mut Outbox,
    ) {
        let Some(at) = self.state.member(rollout, member) else { return };
        if at.member.phase == Phase::RebootPending {
            return self.tend_reboot(now, rollout, member, facts, out);
        }
        if matches!(at.member.phase, Phase::Failed | Phase::Verified)
            && decide::is_to_be_reverted(&self.state, at)
        {
            self.state.rollouts[rollout.index()].queue.reverts.ready.insert(member);
            return self.take_back(now, rollout, facts, out);
        }
        decide::tend(&self.state, now, at, sweep, facts);
        self.apply_all(now, facts, out);
    }

    /// A reboot needs a window too, long enough for what it is expected to take.
    fn tend_reboot(
        &mut self,
        now: Timestamp,
        rollout: RolloutId,
        member: MemberIx,
        facts: &mut Facts,
        out: &mut Outbox,
    ) {
        if self.state.resync.is_some() {
            return;
        }
        let Some(at) = self.state.member(rollout, member) else { return };
        if !at.rollout.bundle().is_empty() && self.state.leaves_its_reboot(now, at) {
            let endpoint = at.member.endpoint();
            if let Some(end) = self.state.silence_ends(now, rollout, endpoint) {
                self.state.wake_at(end, rollout, member);
            }
            return;
        }
        let reserve = u64::from(at.rollout.policy().deploy.reboot_reserve_secs);
        match self.state.turn(now, rollout, member, reserve) {
            Turn::Open { .. } => {
                let Some(at) = self.state.member(rollout, member) else { return };
                decide::reboot(&self.state, now, at, facts);
                self.apply_all(now, facts, out);
            }
            Turn::Later(at) => self.state.wake_at(at, rollout, member),
            Turn::Never => {}
        }
    }

    /// Reboots an endpoint before its install, in its window; otherwise the member waits for that.
    pub(super) fn reboot_first(
        &mut self,
        now: Timestamp,
        rollout: RolloutId,
        member: MemberIx,
        facts: &mut Facts,
    ) {
        let Some(at) = self.state.member(rollout, member) else { return };
        let reserve = u64::from(at.rollout.policy().deploy.reboot_reserve_secs);
        match self.state.turn(now, rollout, member, reserve) {
            Turn::Open { .. } => {
                let Some(at) = self.state.member(rollout, member) else { return };
                decide::reboot(&self.state, now, at, facts);
                let goes = facts.iter().any(|fact| matches!(fact, Fact::Endpoint(_)));
                if !goes {
                    self.await_turn(rollout, member);
                }
            }
            Turn::Later(at) => self.state.wake_at(at, rollout, member),
            Turn::Never => {}
        }
    }

    fn review(&mut self, now: Timestamp, id: RolloutId, facts: &mut Facts, out: &mut Outbox) {
        let Some(rollout) = self.state.rollouts.get_mut(id.index()) else { return };
        rollout.queue.queued = false;
        if self.state.resync.is_some() {
            // While it is asked what happened meanwhile, nothing is judged and nobody is deferred: the end of the
            // resync puts every rollout on the agenda.
            return;
        }
        self.reviews += 1;
        self.sweep(now, id, facts, out);
        self.state.tend_mates(id);
        self.take_in(now, id, facts, out);
        loop {
            // Who is to be rolled back or recalled on a halt is on its way before the halted rollout comes to its end.
            self.sweep(now, id, facts, out);
            decide::review(&self.state, now, &self.state.rollouts[id.index()], facts);
            if facts.is_empty() {
                self.defer(now, id, facts);
            }
            if facts.is_empty() {
                break;
            }
            self.apply_all(now, facts, out);
        }
        self.state.want_staging(now, id);
        self.take_back(now, id, facts, out);
        if !self.state.want(now, id) {
            self.look_ahead(now, id);
        }
    }

    /// Looks at every member where a halt, a crash or other freezes may have left something to do.
    fn sweep(&mut self, now: Timestamp, id: RolloutId, facts: &mut Facts, out: &mut Outbox) {
        let rollout = &mut self.state.rollouts[id.index()];
        let members = (0..rollout.members.len() as u32).map(MemberIx);
        let (sweep, frozen) =
            (core::mem::take(&mut rollout.queue.sweep), core::mem::take(&mut rollout.queue.frozen));
        let recovered = core::mem::take(&mut rollout.queue.recovered);
        if sweep || recovered {
            members.clone().for_each(|ix| self.tend(now, id, ix, sweep, facts, out));
        }
        if frozen {
            for ix in members {
                let Some(at) = self.state.member(id, ix) else { continue };
                decide::freeze(&self.state, now, at, facts);
                self.apply_all(now, facts, out);
            }
        }
    }

    /// Notes when time alone may change something for a rollout.
    pub(in crate::fleet) fn look_ahead(&mut self, now: Timestamp, id: RolloutId) {
        self.state.watch(now, id);
        let look =
            decide::next_look(&self.state, now, &self.state.rollouts[id.index()]).filter(|look| *look > now);
        self.state.cache.alarms.set(id, look);
    }

    /// Lets newcomers join, and the deferred of a completed rollout wait again. Costs nothing when there are none.
    fn take_in(&mut self, now: Timestamp, id: RolloutId, facts: &mut Facts, out: &mut Outbox) {
        let rollout = &mut self.state.rollouts[id.index()];
        if core::mem::take(&mut rollout.queue.release) {
            // They take their turn, and stay deferred until they can start.
            let deferred = rollout.deferred();
            rollout.queue.again.extend(deferred);
        }
        let rollout = &self.state.rollouts[id.index()];
        if !rollout.queue.newcomers.is_empty() && decide::takes_newcomers(&self.state, now, rollout) {
            let newcomers = core::mem::take(&mut self.state.rollouts[id.index()].queue.newcomers);
            decide::join(&self.state, &self.state.rollouts[id.index()], newcomers.into_iter(), facts);
            self.apply_all(now, facts, out);
        }
    }

    fn step(&mut self, now: Timestamp, id: CandidateId, facts: &mut Facts, out: &mut Outbox) {
        let due = self.look_at_due_dates(now, id, facts);
        let own = decide::step(&self.state, now, id, facts);
        self.look_later(now, id, [due, own]);
        self.apply_all(now, facts, out);
    }

    /// Its dates want to be looked at by then; whatever else does, does as before.
    fn look_sooner(&mut self, now: Timestamp, id: CandidateId, looks: [Option<Timestamp>; 2]) {
        let waits = self.state.candidates.get(id.index()).is_some_and(CandidateEntry::awaits_comparison);
        let known = self.state.cache.candidate_alarms.get(id).filter(|_| !waits);
        self.look_later(now, id, [looks.into_iter().flatten().min(), known]);
    }

    fn look_later(&mut self, now: Timestamp, id: CandidateId, looks: [Option<Timestamp>; 2]) {
        let look = looks.into_iter().flatten().min().filter(|look| *look > now);
        self.state.cache.candidate_alarms.set(id, look);
    }

    /// A reason by its number, as members carry it.
    #[must_use]
    pub fn reason(&self, code: u16) -> Option<(FailureKind, &str)> {
        self.state.reasons.get(code)
    }
}
