//! The kernel's part about windows: waking members, watching windows close, deferring who has waited too long.

use crate::fleet::decide::{self, Facts};
use crate::fleet::state::State;
use crate::fleet::table::openings::Openings;
use crate::fleet::{Fleet, Outbox};
use crate::ids::{MemberIx, RolloutId};
use crate::rollout::{Event, Member, Phase, Rollout, RolloutState, Watch};
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

impl Fleet {
    /// Sees who is still waiting, or at work, when a watched window closes.
    pub(in crate::fleet) fn fire_closes(&mut self, now: Timestamp, facts: &mut Facts, out: &mut Outbox) {
        let secs = self.state.secs(now);
        while self.state.resync.is_none()
            && let Some((due, id, calendars)) = self.state.cache.closes.take_due(secs)
        {
            let id = RolloutId(id);
            for calendar in &calendars {
                let Some(rollout) = self.state.rollouts.get_mut(id.index()) else { continue };
                let Some(wait) = rollout.queue.waits.get_mut(calendar) else { continue };
                let Some(watch) = wait.watch.take_if(|watch| watch.due == due) else { continue };
                let waiting = wait.members;
                rollout.queue.unwatched.push(*calendar);
                self.state.put_on_agenda(id);
                decide::window_missed(&self.state, now, id, *calendar, (watch, waiting), facts);
                decide::window_overrun(&self.state, id, *calendar, watch, facts);
                self.apply_all(now, facts, out);
            }
            self.state.cache.closes.keep(calendars);
        }
    }

    /// Tells of windows that come near, for which some may have to wake.
    pub(in crate::fleet) fn fire_nears(&mut self, now: Timestamp, facts: &mut Facts, out: &mut Outbox) {
        let Some((due, id, calendars)) = self.state.cache.nears.take_due(self.state.secs(now)) else {
            return;
        };
        let id = RolloutId(id);
        for calendar in &calendars {
            let Some(rollout) = self.state.rollouts.get_mut(id.index()) else { continue };
            let Some(wait) = rollout.queue.waits.get_mut(calendar) else { continue };
            let (waiting, near) = (wait.members, wait.near.take_if(|near| *near == due));
            let Some(rollout) = near.and_then(|_| self.state.rollout(id)) else { continue };
            let needed = decide::needed_secs(&self.state, rollout);
            let Some((from, opens)) = self.state.nears_at(now, id, *calendar, needed) else { continue };
            match opens {
                Some(opens) if from <= now => {
                    if waiting > 0 {
                        decide::window_neared(&self.state, id, *calendar, (opens, waiting), facts);
                        self.apply_all(now, facts, out);
                        self.state.watch_near(now, id, *calendar, needed);
                    }
                }
                // Nothing fits into this one any more; or the next opens later than it was to, by a freeze or because
                // more has to fit.
                Some(_) | None => self.state.watch_near(now, id, *calendar, needed),
            }
        }
        self.state.cache.nears.keep(calendars);
    }

    /// Lets those look again who waited for this instant. It costs in proportion to them.
    pub(in crate::fleet) fn fire_wakes(&mut self, now: Timestamp) {
        let secs = self.state.secs(now);
        while self.state.resync.is_none()
            && let Some((_, id, members)) = self.state.cache.wakes.take_due(secs)
        {
            let id = RolloutId(id);
            if let Some(rollout) = self.state.rollouts.get_mut(id.index()) {
                for ix in members.iter().map(|ix| MemberIx(*ix)) {
                    let Some(member) = rollout.members.get(ix.index()) else { continue };
                    match member.phase {
                        Phase::Waiting => rollout.queue.waits_again(ix),
                        Phase::Deferred => {
                            rollout.queue.again.insert(ix);
                        }
                        Phase::Backoff if member.deadline <= secs => {
                            rollout.queue.again.insert(ix);
                        }
                        Phase::RebootPending => self.state.cache.tending.push((id, ix)),
                        Phase::Backoff
                        | Phase::Ordered
                        | Phase::Running
                        | Phase::Recalling
                        | Phase::Installed
                        | Phase::Rebooting
                        | Phase::Verified
                        | Phase::Silent
                        | Phase::Failed
                        | Phase::Reverting
                        | Phase::Reverted
                        | Phase::RevertSilent
                        | Phase::RolledBack
                        | Phase::NeedsOperator
                        | Phase::Skipped
                        | Phase::Cancelled
                        | Phase::Held
                        | Phase::Removed
                        | Phase::Attached
                        | Phase::Draining
                        | Phase::RevertDraining => {}
                    }
                }
                self.state.put_on_agenda(id);
            }
            self.state.cache.wakes.keep(members);
        }
    }

    /// Members of the open ring that have not started in time are left to catch-up. All of them are looked at once;
    /// whose first window ends later is looked at again then.
    pub(in crate::fleet) fn defer(&mut self, now: Timestamp, id: RolloutId, facts: &mut Facts) {
        let Some(rollout) = self.state.rollouts.get(id.index()) else { return };
        let Some(from) = decide::defers_from(rollout).filter(|from| *from <= now) else { return };
        let waits = |ix: &MemberIx| {
            let member = rollout.members().get(ix.index());
            member.is_some_and(|member| member.phase == Phase::Waiting && member.ring == rollout.ring)
        };
        let members: Vec<MemberIx> = if rollout.queue.deferral_swept {
            // One may have come to wait again more than once since the last look.
            let late: BTreeSet<_> = rollout.queue.late.iter().copied().filter(waits).collect();
            late.into_iter().collect()
        } else {
            let ring = rollout.current_ring();
            (ring.first..ring.first + ring.size).map(MemberIx).filter(waits).collect()
        };
        let mut later = Vec::new();
        let mut ends = BTreeMap::new();
        for ix in members {
            let Some(at) = self.state.member(id, ix) else { continue };
            let calendar = self.state.calendar_of(at.member.endpoint);
            let end = *ends.entry(calendar).or_insert_with(|| {
                let schedule = self.state.schedule_for(at.rollout, calendar)?;
                decide::first_window_ends(at.rollout, &schedule)
            });
            match end.filter(|end| *end > from.max(now)) {
                Some(end) => later.push((end, ix)),
                None => facts.push(at.fact(Event::Deferred, 0, 0)),
            }
        }
        for (end, ix) in later {
            self.state.wake_at(end, id, ix);
        }
        if let Some(rollout) = self.state.rollouts.get_mut(id.index()) {
            rollout.queue.deferral_swept = true;
            rollout.queue.late.clear();
        }
    }
}

impl State {
    /// Watches the window of every calendar by which somebody began to wait or to work.
    pub(in crate::fleet) fn watch(&mut self, now: Timestamp, id: RolloutId) {
        let Some(rollout) = self.rollouts.get_mut(id.index()) else { return };
        if rollout.queue.unwatched.is_empty() {
            return;
        }
        let unwatched = core::mem::take(&mut rollout.queue.unwatched);
        let Some(rollout) = self.rollouts.get(id.index()) else { return };
        let works = rollout.counts().in_flight > 0 && rollout.members().iter().any(decide::works_in_a_window);
        let goes_on = matches!(rollout.state(), RolloutState::Running | RolloutState::Paused);
        let needed = decide::needed_secs(self, rollout);
        for calendar in unwatched {
            self.watch_near(now, id, calendar, needed);
            let wait = self.rollouts.get(id.index()).and_then(|it| it.queue.waits.get(&calendar));
            if !wait.is_some_and(|wait| wait.watch.is_none() && (works || wait.members > 0 && goes_on)) {
                continue;
            }
            let Some(watch) = self.next_watch(now, id, calendar, needed) else { continue };
            let wait = self.rollouts.get_mut(id.index()).and_then(|it| it.queue.waits.get_mut(&calendar));
            if let Some(wait) = wait {
                wait.watch = Some(watch);
                self.cache.closes.arm(watch.due, id.0, calendar);
            }
        }
    }

    /// The window that covers `now`, if an operation fits into the whole of it; else the next one into which it fits.
    fn next_watch(
        &mut self,
        now: Timestamp,
        id: RolloutId,
        calendar: u32,
        needed_secs: u64,
    ) -> Option<Watch> {
        let fits = self.opening(now, id, calendar, needed_secs)?;
        let (mut opened, mut closes) = (fits.began, fits.closes);
        if fits.opens > now {
            // What does not fit any more may have begun, or been waited for, while it did.
            let schedule = self.schedule_for(self.rollouts.get(id.index())?, calendar)?;
            let covering = schedule.closes(now).and_then(|closes| Some((schedule.opened(now)?, closes)));
            if let Some((began, ends)) =
                covering.filter(|(began, ends)| began.plus_secs(needed_secs) <= *ends)
            {
                (opened, closes) = (Some(began), ends);
            }
        }
        // What never closes is never missed, and never overrun.
        let due = self.due(closes);
        (closes < Timestamp::MAX).then_some(Watch { due, opened: opened?, closes })
    }

    /// Whether a window comes near that nobody was told of.
    pub(in crate::fleet) fn is_near(&self, now: Timestamp) -> bool {
        self.resync.is_none() && self.cache.nears.first().is_some_and(|due| due <= self.secs(now))
    }

    /// From when on those are asked to wake who wait for the next window of a calendar, and when it opens; `None` when
    /// nobody is. While it is open, or when they were asked for it: when nothing fits into it any more, and whoever still
    /// waits does so for the next.
    fn nears_at(
        &mut self,
        now: Timestamp,
        id: RolloutId,
        calendar: u32,
        needed_secs: u64,
    ) -> Option<(Timestamp, Option<Timestamp>)> {
        let rollout = self.rollout(id).filter(|rollout| rollout.state() == RolloutState::Running)?;
        let lead_secs = i64::from(rollout.policy().calendars.wake_lead_secs);
        let told = rollout.windows.neared(calendar);
        if lead_secs == 0 {
            return None;
        }
        let opening = self.opening(now, id, calendar, needed_secs)?;
        let opens = opening.opens;
        if opens <= now || told.is_some_and(|told| told.opens == opens) {
            return (opening.last_start < Timestamp::MAX).then(|| (opening.last_start.plus_secs(1), None));
        }
        Some((Timestamp::from_millis(opens.as_millis() - lead_secs * 1000), Some(opens)))
    }

    /// Sets a timer for when the next window of a calendar comes near, where somebody waits for it.
    fn watch_near(&mut self, now: Timestamp, id: RolloutId, calendar: u32, needed_secs: u64) {
        let wait = self.rollout(id).and_then(|rollout| rollout.queue.waits.get(&calendar));
        if !wait.is_some_and(|wait| wait.members > 0 && wait.near.is_none()) {
            return;
        }
        let Some((from, _)) = self.nears_at(now, id, calendar, needed_secs) else { return };
        let due = self.due(from.max(now));
        let wait = self.rollouts.get_mut(id.index()).and_then(|it| it.queue.waits.get_mut(&calendar));
        if let Some(wait) = wait {
            wait.near = Some(due);
            self.cache.nears.arm(due, id.0, calendar);
        }
    }

    /// A member begins or ceases to wait in an opened ring.
    pub(in crate::fleet) fn count_waiting(&mut self, id: RolloutId, calendar: u32, waits: bool) {
        if let Some(rollout) = self.rollouts.get_mut(id.index()) {
            rollout.queue.count_waiting(calendar, waits);
        }
    }

    /// Counts the members of opened rings that wait, by calendar: those of one ring, or of all.
    pub(in crate::fleet) fn count_all_waiting(&mut self, id: RolloutId, ring: Option<u8>) {
        let Some(rollout) = self.rollouts.get_mut(id.index()).filter(|it| it.queue.windowed) else { return };
        let Rollout { members, rings, queue, .. } = rollout;
        let range =
            ring.and_then(|ring| rings.get(usize::from(ring))).map_or(0..members.len(), |it| it.range());
        for member in members.get(range).unwrap_or_default() {
            let opened = rings.get(usize::from(member.ring)).is_some_and(|ring| ring.opened_at.is_some());
            let calendar = || self.endpoints.calendar_of(member.endpoint);
            if member.phase == Phase::Waiting && opened {
                queue.count_waiting(calendar(), true);
            } else if decide::works_in_a_window(member) {
                queue.watch_work(calendar());
            }
        }
    }

    /// Counts so many last members, who joined, as those who wait in an opened ring.
    pub(in crate::fleet) fn count_joined_members(&mut self, id: RolloutId, n: usize) {
        let Some(rollout) = self.rollouts.get_mut(id.index()).filter(|it| it.queue.windowed) else { return };
        let Rollout { members, rings, queue, .. } = rollout;
        if rings.last().is_none_or(|ring| ring.opened_at.is_none()) {
            return;
        }
        let first = members.len().saturating_sub(n);
        for member in &members[first..] {
            queue.count_waiting(self.endpoints.calendar_of(member.endpoint), true);
        }
    }

    /// What lets its members start may be another now: whoever waits in an opened ring looks again, and so does a reboot
    /// that waits for its window.
    pub(in crate::fleet) fn all_look_again(&mut self, id: RolloutId) {
        let Some(rollout) = self.rollouts.get_mut(id.index()) else { return };
        let Rollout { members, rings, queue, .. } = rollout;
        let opened = |member: &Member| {
            rings.get(usize::from(member.ring)).is_some_and(|ring| ring.opened_at.is_some())
        };
        for (ix, member) in (0..).map(MemberIx).zip(members.iter()) {
            if member.phase == Phase::RebootPending {
                self.cache.tending.push((id, ix));
            } else if matches!(member.phase, Phase::Waiting | Phase::Backoff) && opened(member) {
                queue.again.insert(ix);
                if member.phase == Phase::Waiting && queue.deferral_swept {
                    queue.late.push(ix);
                }
            }
        }
        for wait in queue.waits.values_mut() {
            wait.watch.take().into_iter().for_each(|it| self.cache.closes.disarm(it.due, id.0, |_| true));
            wait.near.take().into_iter().for_each(|due| self.cache.nears.disarm(due, id.0, |_| true));
        }
        queue.watch_anew();
        rollout.queue.release |= rollout.is_catching_up() && rollout.counts().deferred > 0;
        if rollout.is_staged_first() {
            rollout.stage_anew();
        }
        self.put_on_agenda(id);
    }

    /// A policy with other freezes was adopted, and they act at once on what runs already (semantics S8): whoever waits
    /// looks again, and so does what was ordered and has not begun.
    pub(in crate::fleet) fn freezes_changed(&mut self) {
        self.cache.openings = Openings::default();
        let freezes = self.policy.as_ref().is_some_and(|(policy, _)| policy.freezes().next().is_some());
        for i in 0..self.rollouts.len() {
            let id = RolloutId(i as u32);
            self.all_look_again(id);
            let queue = &mut self.rollouts[i].queue;
            queue.books.clear();
            queue.frozen = true;
            let counted = queue.windowed;
            queue.windowed |= freezes;
            if !counted {
                self.count_all_waiting(id, None);
            }
        }
    }

    /// An endpoint goes by another calendar from now on: whoever waits there looks again.
    pub(in crate::fleet) fn calendar_changed(
        &mut self,
        endpoint: crate::ids::EndpointIx,
        before: u32,
        after: u32,
    ) {
        for i in 0..self.rollouts.len() {
            let id = RolloutId(i as u32);
            let Some(rollout) = self.rollouts.get_mut(i) else { continue };
            let Some(ix) = rollout.member_of(endpoint) else { continue };
            let Some(member) = rollout.members.get(ix.index()).copied() else { continue };
            if rollout.is_staged_first() {
                // Content of a ring that has not opened may be brought by another window, too.
                rollout.queue.staging.again.insert(ix);
                self.put_on_agenda(id);
            }
            let Some(rollout) = self.rollouts.get_mut(i) else { continue };
            let opened = rollout.rings.get(usize::from(member.ring)).is_some_and(|it| it.opened_at.is_some());
            if !opened {
                continue;
            }
            if member.phase == Phase::RebootPending {
                self.cache.tending.push((id, ix));
            } else if matches!(member.phase, Phase::Waiting | Phase::Backoff | Phase::Deferred) {
                rollout.queue.again.insert(ix);
                let counted = rollout.queue.windowed && member.phase == Phase::Waiting;
                if member.phase == Phase::Waiting && rollout.queue.deferral_swept {
                    rollout.queue.late.push(ix);
                }
                if counted {
                    self.count_waiting(id, before, false);
                    self.count_waiting(id, after, true);
                }
            }
            self.put_on_agenda(id);
        }
    }
}
