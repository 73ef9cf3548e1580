//! How the conditions of endpoints change.

use super::Misfit;
use crate::fleet::state::{CandidateEntry, State};
use crate::fleet::table::conditions::{Condition, OpenScan};
use crate::fleet::table::rounds::OpenTurn;
use crate::fleet::{EndpointSeen, EndpointSet};
use crate::ids::{CandidateId, EndpointIx, MemberIx, RolloutId};
use crate::rollout::Phase;
use crate::time::Timestamp;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

impl State {
    /// Changes one condition of several endpoints.
    pub(super) fn conditions_change(
        &mut self,
        endpoints: &EndpointSet,
        change: impl Fn(&mut Condition),
    ) -> Result<(), Misfit> {
        if !endpoints.is_within(self.endpoints.len()) {
            return Err("it names endpoints that are not there".into());
        }
        endpoints.iter().for_each(|ix| self.condition_changes(ix, &change));
        Ok(())
    }

    /// Changes the condition of one endpoint, and lets those who wait for it look again.
    pub(super) fn condition_changes(&mut self, ix: EndpointIx, change: impl FnOnce(&mut Condition)) {
        let due = |state: &Self| {
            state
                .endpoints
                .condition(ix)
                .and_then(|known| known.scan)
                .map(|scan| scan.due)
                .filter(|due| *due != 0)
        };
        let before = due(self);
        self.endpoints.condition_changes(ix, change);
        if !self.cache.live {
            return;
        }
        let now = due(self);
        // Whoever waits for others to be read first may need no reading any more.
        let concerns =
            |id: &RolloutId| self.rollout(*id).is_some_and(|rollout| rollout.member_of(ix).is_some());
        if before != now || self.cache.unread_rollouts.iter().any(concerns) {
            while let Some(waiting) = self.cache.unread_rollouts.pop_first() {
                self.put_on_agenda(waiting);
            }
            before.map(|due| self.cache.scans.remove(&(due, ix)));
            now.map(|due| self.cache.scans.insert((due, ix)));
        }
        self.wake(ix);
        if let Some((rollout, member)) = self.endpoints.slot(ix).and_then(|slot| slot.active()) {
            self.cache.tending.push((rollout, member));
            self.put_on_agenda(rollout);
        }
    }

    pub(super) fn came_back(&mut self, at: Timestamp, endpoints: &EndpointSet) -> Result<(), Misfit> {
        self.conditions_change(endpoints, |known| {
            known.unreachable_since = None;
            known.stale_since.get_or_insert(at);
        })
    }

    pub(super) fn scans_asked(&mut self, endpoints: &EndpointSet, due: u32) -> Result<(), Misfit> {
        self.conditions_change(endpoints, |known| {
            let tries = known.scan.filter(|scan| scan.due != 0).map_or(0, |scan| scan.tries);
            known.scan = Some(OpenScan { due, tries: tries.saturating_add(1) });
        })
    }

    pub(super) fn turn_asked(&mut self, at: Timestamp, turn: u32, turns: u32, due: u32) {
        let now = self.secs(at);
        self.rounds.asked(OpenTurn { turn, turns, due }, now);
        if self.cache.live {
            let awaited: Vec<_> = self.of_turn(turn, turns).collect();
            self.cache.awaited.extend(awaited);
        }
    }

    pub(super) fn turn_ended(
        &mut self,
        at: Timestamp,
        turn: u32,
        turns: u32,
        missed: &EndpointSet,
    ) -> Result<(), Misfit> {
        self.rounds.ended(turn, turns);
        if self.cache.live {
            let over: Vec<_> = self.of_turn(turn, turns).collect();
            for ix in &over {
                self.cache.awaited.remove(ix);
            }
        }
        self.conditions_change(missed, |known| {
            known.stale_since.get_or_insert(at);
        })
    }

    pub(super) fn scans_given_up(&mut self, at: Timestamp, endpoints: &EndpointSet) -> Result<(), Misfit> {
        self.conditions_change(endpoints, |known| {
            known.scan = known.scan.map(|scan| OpenScan { due: 0, ..scan });
            known.stale_since.get_or_insert(at);
        })
    }

    pub(super) fn endpoints_read(&mut self, at: Timestamp, endpoints: &EndpointSet) -> Result<(), Misfit> {
        let secs = self.secs(at);
        self.conditions_change(endpoints, |known| (known.stale_since, known.scan) = (None, None))?;
        for ix in endpoints.iter() {
            if let Some(profile) = self.endpoints.profile_mut(ix) {
                profile.read_at = secs;
            }
        }
        Ok(())
    }

    /// What was known of the machine before is void; holds stay, for they are about the name.
    pub(super) fn reimaged(
        &mut self,
        at: Timestamp,
        ix: EndpointIx,
        seen: &EndpointSeen,
    ) -> Result<(), Misfit> {
        let earlier = self.endpoints.profile(ix).ok_or("there is no such endpoint")?.fingerprint();
        self.attributes_change(ix, seen);
        self.candidates.iter_mut().for_each(|entry| entry.needs.remove(ix));
        self.condition_changes(ix, |known| {
            known.earlier = earlier;
            (known.unreachable_since, known.scan) = (None, None);
            (known.reboot_pending_since, known.reboots_stopped) = (None, None);
            known.stale_since = Some(at);
            known.onboarded = false;
        });
        if self.cache.live {
            // It may be out of service now, and start at any time.
            let calendar = self.calendar_of(ix);
            self.calendar_changed(ix, calendar, calendar);
        }
        Ok(())
    }

    /// It has what was approved for it: from now on it counts like any other.
    pub(super) fn onboarded(&mut self, ix: EndpointIx) {
        self.condition_changes(ix, |known| known.onboarded = true);
        self.all_due_dates_change();
        self.note_selection(ix);
        // What nobody else needed can start now.
        let idle = |(entry, _): &(&CandidateEntry, u32)| {
            entry.deployments.is_empty() && !entry.awaits_comparison() && entry.needs.get(ix).is_some()
        };
        let idle = self.candidates.iter().zip(0..).filter(idle).map(|(_, i)| CandidateId(i));
        self.cache.candidate_agenda.extend(idle);
    }

    /// Takes over what the inventory says of an endpoint, and moves it in all books that count by it.
    pub(super) fn attributes_change(&mut self, ix: EndpointIx, seen: &EndpointSeen) {
        let was_gone = self.endpoints.slot(ix).is_none_or(|slot| slot.gone);
        let scope = self.cache.budgets.scope_of(&self.endpoints, ix);
        let staged_in = self.cache.stagings.scope_of(&self.endpoints, ix);
        let group = self.endpoints.group_of(ix);
        let before = (self.calendar_of(ix), self.endpoints.selection(ix), self.is_onboarding(ix));
        self.endpoints.change(ix, seen);
        let after = (self.calendar_of(ix), self.endpoints.selection(ix), self.is_onboarding(ix));
        let environment = |selection: Option<(_, u32)>| selection.map(|(environment, _)| environment);
        if (environment(before.1), before.2) != (environment(after.1), after.2) {
            self.all_due_dates_change();
        }
        if self.cache.live {
            self.count_moved(ix, was_gone, scope);
            self.count_moved_stagings(ix, was_gone, staged_in);
            self.count_regrouped(ix, was_gone, group);
            // Who is not in service yet may start at any time.
            if (before.0, before.2) != (after.0, after.2) {
                self.calendar_changed(ix, before.0, after.0);
            }
        }
        if (before.1, before.2) != (after.1, after.2) {
            self.note_selection(ix);
        }
    }

    /// The people at an endpoint put an operation off; how long it may take counts from then.
    pub(super) fn put_off(
        &mut self,
        rollout: RolloutId,
        member: MemberIx,
        reboot: bool,
        until: Timestamp,
    ) -> Result<(), Misfit> {
        self.member(rollout, member).ok_or("there is no such member")?;
        let known = self.patience.deferrals.entry((rollout, member)).or_default();
        let count = if reboot { &mut known.reboots } else { &mut known.installs };
        *count = count.saturating_add(1);
        known.until = until;
        self.patience.ends.remove(&(rollout, member));
        Ok(())
    }

    /// Keeps until when progress may extend an install: from its first extension, or from the deadline it missed, to
    /// the end of the attempt.
    pub(super) fn note_progress(
        &mut self,
        rollout: RolloutId,
        member: MemberIx,
        [from, to]: [Phase; 2],
        old_due: u32,
    ) {
        let goes_on = matches!(to, Phase::Running | Phase::Silent);
        if !goes_on {
            self.patience.ends.remove(&(rollout, member));
        } else if from == Phase::Running
            && old_due != 0
            && let Some(at) = self.rollout(rollout)
        {
            let deploy = &at.policy().deploy;
            let end =
                old_due.saturating_sub(deploy.report_within_secs).saturating_add(deploy.duration_secs_max);
            self.patience.ends.entry((rollout, member)).or_insert(end);
        }
    }

    /// Keeps until when alerts of an endpoint that was verified are suppressed, and forgets whose time is over.
    pub(in crate::fleet) fn note_quiet(&mut self, at: Timestamp, endpoint: EndpointIx, reserve_secs: u32) {
        let now = self.secs(at);
        keep_quiet(&mut self.quiet, now, endpoint, reserve_secs);
    }

    pub(super) fn quarantined(&mut self, ix: EndpointIx, reason: &str) -> Result<(), Misfit> {
        self.endpoints.slot(ix).ok_or("there is no such endpoint")?;
        self.condition_changes(ix, |known| known.quarantine = Some(String::from(reason)));
        Ok(())
    }

    /// The machine that reports next is the endpoint; it is read before it is ordered anything.
    pub(super) fn quarantine_cleared(&mut self, at: Timestamp, ix: EndpointIx) -> Result<(), Misfit> {
        let profile = self.endpoints.profile_mut(ix).ok_or("there is no such endpoint")?;
        profile.forget_fingerprint();
        self.candidates.iter_mut().for_each(|entry| entry.needs.remove(ix));
        self.condition_changes(ix, |known| {
            (known.quarantine, known.earlier, known.scan) = (None, None, None);
            known.stale_since = Some(at);
        });
        Ok(())
    }
}

#[inline]
pub(super) fn keep_quiet(
    quiet: &mut VecDeque<(u32, EndpointIx)>,
    now: u32,
    endpoint: EndpointIx,
    reserve_secs: u32,
) {
    while quiet.front().is_some_and(|(until, _)| *until <= now) {
        quiet.pop_front();
    }
    if reserve_secs > 0 {
        quiet.push_back((now.saturating_add(reserve_secs), endpoint));
    }
}
