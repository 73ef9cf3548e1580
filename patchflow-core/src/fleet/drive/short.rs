//! The short road: plain reports, without asking every rule about each of them.
//!
//! Nearly all that a fleet hears is that an order was acknowledged, that it is done, and that the inventory shows its
//! target, from members with which nothing else is going on. Whether any rule has a say then depends on the fleet and
//! the rollout, and is worked out once for many reports ([`Plain`]): until something else than a plain report happens it
//! stays so. What is left for each report is a look at its member, the move by the table, and two counts of timers.
//!
//! The long road holds the rules, all of them, and whatever is not plain takes it. That both lead to the same facts,
//! effects and states is tested with every random history (`tests/it/histories.rs`), and asserted in debug builds.

use crate::catalog::Target;
use crate::fleet::decide::{self, Facts};
use crate::fleet::outbox::Look;
use crate::fleet::state::State;
use crate::fleet::{EndpointFact, Fact, Fleet, Observation, Outbox, Recorded};
use crate::ids::{Generation, MemberIx, OrderId, RolloutId};
use crate::rollout::{
    Event, Health, Inspection, Level, Member, Phase, Report, ReportKind, RingState, RolloutKind, RolloutState,
};
use crate::time::Timestamp;
use alloc::sync::Arc;

/// Observations whose members and endpoints are fetched together.
const AHEAD: usize = 64;

/// What the short road knows.
#[derive(Debug, Default)]
pub(in crate::fleet) struct Short {
    /// What plain reports need; known while nothing else happens.
    plain: Option<Plain>,
    /// Whether no report is taken for a plain one.
    goes_long: bool,
    /// Reports that were taken for plain ones.
    taken: u64,
}

/// What may be a plain report.
enum Said<'a> {
    Reported(&'a Report<'a>),
    Inspected(&'a Inspection<'a>),
}

impl<'a> Said<'a> {
    #[inline]
    fn of(seen: &'a Observation<'_>) -> Option<Self> {
        match seen {
            Observation::Reported(report) => Some(Self::Reported(report)),
            Observation::Inspected(inspection) => Some(Self::Inspected(inspection)),
            Observation::Time
            | Observation::Endpoints { .. }
            | Observation::EndpointGone { .. }
            | Observation::Unreachable { .. }
            | Observation::Reachable { .. }
            | Observation::Stale { .. }
            | Observation::Read { .. }
            | Observation::RebootsPending { .. }
            | Observation::Published { .. }
            | Observation::Withdrawn { .. }
            | Observation::Needs { .. }
            | Observation::Identified
            | Observation::Approval { .. }
            | Observation::HookDone { .. }
            | Observation::Answered { .. }
            | Observation::RecallAnswered { .. }
            | Observation::Staged { .. }
            | Observation::ContentHeld { .. }
            | Observation::Alerts { .. } => None,
        }
    }
}

impl Short {
    /// Something else happens.
    pub(in crate::fleet) fn forget(&mut self) {
        self.plain = None;
    }
}

/// What is the same for all plain reports of a rollout, while nothing else happens.
#[derive(Debug)]
struct Plain {
    rollout: RolloutId,
    now: Timestamp,
    /// Nothing wants to be looked at before.
    calm_until: Timestamp,
    /// The deadlines that reports of this moment set.
    acknowledged_due: u32,
    installed_due: u32,
    /// The ring whose members may become verified without anybody looking at the rollout as a whole.
    verifies: Option<u8>,
    target: Arc<Target>,
    /// Whether anything but its operation is said about any endpoint.
    told: bool,
}

impl Fleet {
    /// The world, many at once: the same as [`Fleet::observe`] for one after the other, and quicker, since what they are
    /// about is fetched from memory together.
    ///
    /// ```
    /// use patchflow_core::fleet::{Fleet, Observation, Outbox};
    /// # let now = "2026-11-21T08:00:00Z".parse().unwrap();
    /// # let mut out = Outbox::new();
    /// # let mut fleet = Fleet::found(patchflow_core::ids::FleetId(1), "acme", 42, now, &mut out);
    /// fleet.observe_all(now, &[Observation::Identified, Observation::Time], &mut out);
    /// assert_eq!(fleet.strays(), 0);
    /// ```
    pub fn observe_all(&mut self, now: Timestamp, seen: &[Observation<'_>], out: &mut Outbox) {
        for seen in seen.chunks(AHEAD) {
            self.fetch_seen(seen);
            for seen in seen {
                self.see(now, seen, out);
            }
        }
    }

    /// Lets every report take the long road from now on, for tests that compare the two.
    #[doc(hidden)]
    pub fn take_long_road(&mut self) {
        (self.short.goes_long, self.short.plain) = (true, None);
    }

    /// How many reports were plain ones, which no rule had to be asked about, since this value was made. What a burst of
    /// reports costs depends on it; the same on every machine.
    #[must_use]
    pub fn plain_reports(&self) -> u64 {
        self.short.taken
    }

    /// Whether the report was a plain one, and has been taken.
    #[inline]
    pub(in crate::fleet) fn goes_short(
        &mut self,
        now: Timestamp,
        seen: &Observation<'_>,
        out: &mut Outbox,
    ) -> bool {
        let taken = match Said::of(seen) {
            Some(Said::Reported(report)) => match report.kind {
                ReportKind::Acknowledged => self.reports(now, report.order, Event::Acknowledged, out),
                ReportKind::Done => self.reports(now, report.order, Event::InstallReported, out),
                ReportKind::PutOff { .. } | ReportKind::Failed(_) => None,
            },
            Some(Said::Inspected(inspection)) => self.is_there(now, inspection, out),
            None => None,
        };
        taken.is_some()
    }

    /// An install is acknowledged or done.
    #[inline]
    fn reports(&mut self, now: Timestamp, order: OrderId, event: Event, out: &mut Outbox) -> Option<()> {
        let plain = self.knowing_plain(now, order.rollout)?;
        let (acknowledges, at) = (event == Event::Acknowledged, (order.rollout, order.member));
        let due = if acknowledges { plain.acknowledged_due } else { plain.installed_due };
        let member = self.state.plain_member(order)?;
        let begins = member.phase == Phase::Ordered;
        let ends = member.phase == Phase::Running && !acknowledges && member.attempt != 0;
        if !(begins || ends) || self.state.patience.has_end(order.rollout, order.member) {
            return None;
        }
        let fact = EndpointFact { rollout: at.0, member: at.1, event, reason: 0, due };
        self.is_what_the_long_road_says(fact, |state, facts| {
            let kind = if acknowledges { ReportKind::Acknowledged } else { ReportKind::Done };
            decide::reported(state, now, &Report { order, kind }, facts)
        });
        let member = self.state.rollouts.get_mut(at.0.index())?.members.get_mut(at.1.index())?;
        let (old, endpoint) = (member.deadline, member.endpoint);
        member.apply(event, 0, due)?;
        self.moved(at.0, at.1, [old, due]);
        self.note(now, fact, out);
        if !acknowledges && let Some(plain) = &self.short.plain {
            let target = plain.target.clone();
            out.look(self.state.seq, Look { order, endpoint, target }, self.state.endpoints.ids());
        }
        Some(())
    }

    /// The inventory shows the target, whole and healthy.
    #[inline]
    fn is_there(&mut self, now: Timestamp, seen: &Inspection<'_>, out: &mut Outbox) -> Option<()> {
        let Inspection {
            order,
            level: Level::Version { version, intact: true },
            reboot_required: false,
            health: Health::Passed | Health::NotProbed,
        } = seen
        else {
            return None;
        };
        let plain = self.knowing_plain(now, order.rollout)?;
        let is_target = **version == *plain.target.version;
        let (verifies, told) = (plain.verifies?, plain.told);
        let state = &self.state;
        let member = *state.plain_member(*order)?;
        let fits = member.phase == Phase::Installed && member.ring == verifies;
        if !is_target || !fits || !state.rollout(order.rollout)?.has_more_under_way(verifies) {
            return None;
        }
        let endpoint = member.endpoint;
        let turns = &state.cache.turns;
        let waited_for = !turns.is_empty() && turns.is_waited_for(endpoint);
        if waited_for || state.waits_with_content(endpoint) {
            return None;
        }
        let (rollout, ix, event) = (order.rollout, order.member, Event::Verified);
        let fact = EndpointFact { rollout, member: ix, event, reason: 0, due: 0 };
        self.is_what_the_long_road_says(fact, |state, facts| decide::inspected(state, now, seen, facts));
        self.state.verify_plainly(now, rollout, ix, told)?;
        self.moved(rollout, ix, [member.deadline, 0]);
        self.note(now, fact, out);
        Some(())
    }

    #[inline]
    fn moved(&mut self, rollout: RolloutId, member: MemberIx, dues: [u32; 2]) {
        let Some(of) = self.state.rollouts.get(rollout.index()) else { return };
        let counts = |other: u32| of.members.get(other as usize).is_some_and(|it| it.deadline == dues[0]);
        self.state.cache.deadlines.moved(rollout.0, member.0, dues, counts);
    }

    #[inline]
    fn note(&mut self, now: Timestamp, fact: EndpointFact, out: &mut Outbox) {
        let seq = self.state.seq.next();
        self.state.cache.resumes = None;
        self.short.taken += 1;
        (self.state.seq, self.state.clock) = (seq, self.state.clock.max(now));
        out.facts.push(Recorded { seq, at: now, fact: Fact::Endpoint(fact) });
    }

    /// What is known of plain reports of this rollout now; `None` when none is plain.
    #[inline]
    fn knowing_plain(&mut self, now: Timestamp, id: RolloutId) -> Option<&Plain> {
        if self.short.plain.as_ref().is_none_or(|known| known.rollout != id || known.now != now) {
            self.learn(now, id);
        }
        self.short.plain.as_ref()
    }

    #[inline(never)]
    fn learn(&mut self, now: Timestamp, id: RolloutId) {
        let calm_until = match self.short.plain.take() {
            // What plain reports have set since is not due before.
            Some(Plain { calm_until, acknowledged_due, installed_due, .. }) => {
                calm_until.min(self.state.at(acknowledged_due.min(installed_due)))
            }
            None if self.is_calm() => self.next_deadline().unwrap_or(Timestamp::MAX),
            None => return,
        };
        if now >= self.state.cache.now && now < calm_until {
            self.short.plain = self.plainly(now, id, calm_until);
        }
        if self.short.plain.is_some() {
            (self.state.cache.now, self.state.cache.behind) = (now, false);
        }
    }

    /// Whether nothing is left to follow up, and no rule that watches single reports is at work.
    fn is_calm(&self) -> bool {
        let state = &self.state;
        !self.short.goes_long
            && state.cache.live
            && state.cache.is_done()
            && state.resync.is_none()
            && state.attached.is_empty()
            && !state.endpoints.is_cancelling()
            && (state.posts.is_empty() || state.endpoints.groups_are_unused())
    }

    fn plainly(&self, now: Timestamp, id: RolloutId, calm_until: Timestamp) -> Option<Plain> {
        let state = &self.state;
        let rollout = state.rollout(id)?;
        // Trials are few, and the first install of a candidate is noted there.
        let is_deployment = rollout.kind() == RolloutKind::Deployment;
        if rollout.starts_no_more() || !rollout.bundle().is_empty() || !is_deployment {
            return None;
        }
        let entry = state.candidate(rollout.candidate())?;
        let deploy = &rollout.policy().deploy;
        let ring = rollout.current_ring();
        let queue = &rollout.queue;
        let waits = ring.counts().waiting > 0
            || !(queue.again.is_empty() && queue.parked.is_empty() && queue.reverts.is_empty());
        let verifies = rollout.state() == RolloutState::Running
            && ring.state() == RingState::Open
            && !waits
            && !state.cache.budgets.is_counting()
            && deploy.hooks.post.is_none()
            && entry.deployments.len() <= 1;
        let [acknowledged_due, installed_due] = [deploy.report_within_secs, deploy.inspect_within_secs]
            .map(|secs| state.due(now.plus_secs(secs.into())));
        // A deadline that has passed already is followed up at once.
        let is_later = |due| state.at(due) > now;
        (is_later(acknowledged_due) && is_later(installed_due)).then(|| Plain {
            rollout: id,
            now,
            calm_until,
            acknowledged_due,
            installed_due,
            verifies: verifies.then_some(rollout.ring),
            target: entry.target.clone(),
            told: self.state.endpoints.is_anything_told(),
        })
    }

    #[inline]
    fn is_what_the_long_road_says(
        &mut self,
        fact: EndpointFact,
        long: impl FnOnce(&State, &mut Facts) -> bool,
    ) {
        if cfg!(debug_assertions) {
            let facts = &mut self.scratch;
            assert!(long(&self.state, facts), "the long road takes it too");
            assert_eq!(*facts, [Fact::Endpoint(fact)], "the long road says the same");
            facts.clear();
        }
    }

    /// Reads the members and endpoints that these are about. They lie anywhere in memory; fetched together, the waits
    /// for them overlap, and each finds its own near.
    fn fetch_seen(&self, seen: &[Observation<'_>]) {
        let mut near = 0;
        let mut endpoints = [0; AHEAD];
        let mut found = 0;
        for seen in seen {
            let (order, frees) = match Said::of(seen) {
                Some(Said::Reported(report)) => (report.order, false),
                Some(Said::Inspected(inspection)) => (inspection.order, true),
                None => continue,
            };
            let Some(rollout) = self.state.rollouts.get(order.rollout.index()) else { continue };
            let Some(member) = rollout.members.get(order.member.index()) else { continue };
            near ^= member.deadline;
            if frees && let Some(next) = endpoints.get_mut(found) {
                *next = member.endpoint.0;
                found += 1;
            }
        }
        let slots = &self.state.endpoints.slots;
        near ^= endpoints
            .iter()
            .take(found)
            .fold(0, |near, ix| near ^ slots.get(*ix as usize).map_or(0, |slot| slot.fence));
        core::hint::black_box(near);
    }
}

impl State {
    /// The member that an order is about, when that is its latest.
    #[inline]
    fn plain_member(&self, order: OrderId) -> Option<&Member> {
        let member = self.rollouts.get(order.rollout.index())?.members.get(order.member.index())?;
        let is_ours = order.fleet == self.id && order.generation == Generation(0);
        (is_ours && order.operation == member.operation && order.operation != 0).then_some(member)
    }
}
