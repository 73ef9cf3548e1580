//! Starts outside of windows: emergencies, due dates that have passed (semantics S7), and windows that were missed (S4).

use crate::fleet::state::State;
use crate::fleet::state::openings::Turn;
use crate::fleet::table::openings::Opening;
use crate::ids::{EndpointIx, MemberIx, RolloutId};
use crate::policy::Onboarding;
use crate::rollout::Rollout;
use crate::time::Timestamp;

impl State {
    /// Until when the patch of a rollout should be verified on an endpoint.
    pub(crate) fn due_there(&self, rollout: &Rollout, endpoint: EndpointIx) -> Option<Timestamp> {
        let entry = self.candidate(rollout.candidate())?;
        let risk = entry.candidate.identified().risk();
        let day = entry.needs.get(endpoint).map_or(0, |need| need.day);
        risk.due_there(self.day_began(day), self.due_limits())
    }

    /// What an emergency, a passed due date or a missed window makes of a turn that would not come yet.
    pub(crate) fn hasten(
        &self,
        now: Timestamp,
        id: RolloutId,
        ix: MemberIx,
        needed_secs: u64,
        turn: Turn,
    ) -> Turn {
        match (self.force(now, id, ix, needed_secs, turn), self.catch_up(now, id, ix, needed_secs)) {
            (open @ Turn::Open { .. }, _)
            | (Turn::Later(_) | Turn::Never, Some(open @ Turn::Open { .. })) => open,
            (Turn::Later(one), Some(Turn::Later(other))) => Turn::Later(one.min(other)),
            (turn, None | Some(Turn::Never)) => turn,
            (Turn::Never, Some(turn)) => turn,
        }
    }

    fn force(&self, now: Timestamp, id: RolloutId, ix: MemberIx, needed_secs: u64, turn: Turn) -> Turn {
        let later = match turn {
            Turn::Open { .. } => return turn,
            Turn::Later(at) => Some(at),
            Turn::Never => None,
        };
        let Some(at) = self.member(id, ix) else { return turn };
        let policy = at.rollout.policy();
        let is_emergency = at.rollout.emergency().is_some();
        let mut passes = is_emergency && policy.emergency.passes_windows
            || policy.catch_up.onboarding == Onboarding::AtAnyTime && self.is_onboarding(at.member.endpoint);
        let thaws = at.rollout.overrides_freezes();
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
                Turn::Open { last_start: opening.last_start, outside: true, read_since: 0 }
            }
            Some(opening) => Turn::Later(look_again.map_or(opening.opens, |at| at.min(opening.opens))),
            None => otherwise,
        }
    }
}
