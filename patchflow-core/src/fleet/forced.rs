//! Starts outside of windows: emergencies, and due dates that have passed (semantics S7).

use super::openings::{Opening, Turn};
use super::state::State;
use crate::ids::{EndpointIx, MemberIx, RolloutId};
use crate::rollout::Rollout;
use crate::time::Timestamp;
use core::cmp::Reverse;

impl State {
    /// Until when the patch of a rollout should be verified on an endpoint.
    pub(crate) fn due_there(&self, rollout: &Rollout, endpoint: EndpointIx) -> Option<Timestamp> {
        let entry = self.candidate(rollout.candidate())?;
        let risk = entry.candidate.identified().risk();
        let day = entry.needs.get(endpoint).map_or(0, |need| need.day);
        risk.due_there(self.day_began(day))
    }

    /// The rollout of the agenda that is looked at next: an emergency first, then by priority, due date and number, so
    /// that it finds the endpoints free.
    pub(crate) fn next_rollout(&mut self) -> Option<RolloutId> {
        let rank = |id: &RolloutId| {
            let rollout = self.rollout(*id);
            let risk = rollout
                .and_then(|at| self.candidate(at.candidate()))
                .map(|entry| entry.candidate.identified().risk());
            let emergency = rollout.is_some_and(|at| at.emergency().is_some());
            let due = risk.and_then(|risk| risk.due).unwrap_or(Timestamp::MAX);
            (Reverse(emergency), Reverse(risk.map(|risk| risk.priority)), due, *id)
        };
        let agenda = &self.cache.rollout_agenda;
        let next = match agenda.len() {
            0 => return None,
            // The common case: one report, one rollout.
            1 => 0,
            _ => agenda.iter().enumerate().min_by_key(|(_, id)| rank(id)).map_or(0, |(i, _)| i),
        };
        Some(self.cache.rollout_agenda.swap_remove(next))
    }

    /// What an emergency or a passed due date makes of a turn that would not come yet.
    pub(crate) fn hasten(
        &self,
        now: Timestamp,
        id: RolloutId,
        ix: MemberIx,
        needed_secs: u64,
        turn: Turn,
    ) -> Turn {
        let later = match turn {
            Turn::Open { .. } => return turn,
            Turn::Later(at) => Some(at),
            Turn::Never => None,
        };
        let Some(at) = self.member(id, ix) else { return turn };
        let policy = at.rollout.policy();
        let is_emergency = at.rollout.emergency().is_some();
        let mut passes = is_emergency && policy.emergency.passes_windows;
        let thaws = is_emergency && policy.emergency.overrides_freeze;
        let mut look_again = later;
        if !passes && policy.clock.enforce_at_deadline {
            match self.due_there(at.rollout, at.member.endpoint) {
                Some(due) if due <= now => passes = true,
                Some(due) => look_again = Some(later.map_or(due, |later| later.min(due))),
                None => {}
            }
        }
        let otherwise = look_again.map_or(turn, Turn::Later);
        if !passes && !thaws {
            return otherwise;
        }
        // An endpoint whose calendar nobody knows stays untouched: what is frozen there is not known either.
        let calendar = self.calendar_of(at.member.endpoint);
        let Some(schedule) = self.schedule_for(at.rollout, calendar) else { return turn };
        let schedule = schedule.without(passes, thaws);
        match Opening::after(&schedule, now, needed_secs) {
            Some(opening) if opening.opens <= now => {
                Turn::Open { last_start: opening.last_start, outside: true }
            }
            Some(opening) => Turn::Later(look_again.map_or(opening.opens, |at| at.min(opening.opens))),
            None => otherwise,
        }
    }
}
