//! What the calendar says to a member, for people: when its turn comes, and by what (semantics S4, S7).

use super::Fleet;
use super::decide;
use super::state::openings::Turn;
use super::table::openings::Opening;
use crate::ids::{MemberIx, RolloutId};
use crate::rollout::{Member, Rollout};
use crate::time::Timestamp;

/// What the calendar says to a waiting member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberTurn {
    /// It may start.
    Open,
    /// Its window opens then, its place in the spread included.
    Opens(Timestamp),
    /// A freeze lasts until then, and it may start at that time or later.
    Frozen { until: Timestamp, starts: Timestamp },
    /// Its due date comes before that, and opens a window of its own.
    Due {
        /// Its due date.
        due: Timestamp,
        /// When its window opens; `None` when none is long enough.
        opens: Option<Timestamp>,
    },
    /// It missed a window, and may start inside active hours before the next one.
    CatchesUp {
        /// When the grace after that window ends.
        grace: Timestamp,
        /// When it may start.
        starts: Timestamp,
        /// When its next window opens; `None` when none is long enough.
        opens: Option<Timestamp>,
    },
    /// Its window is open, and its place in the spread is to come.
    Spread(Timestamp),
    /// No opening is long enough.
    Never,
    /// It names a calendar that the policy does not have.
    NoCalendar,
}

impl Fleet {
    /// Whether the window of a member is open for it now, and if not, when.
    #[must_use]
    pub(crate) fn turn(&self, rollout: RolloutId, member: MemberIx) -> MemberTurn {
        let rollout = self.state.rollout(rollout);
        let needed = rollout.map_or(0, |rollout| decide::needed_secs(&self.state, rollout));
        self.turn_for(rollout.and_then(|it| self.state.member(it.id(), member)), needed)
    }

    /// The same for the reboot that a member waits for.
    #[must_use]
    pub(crate) fn reboot_turn(&self, rollout: RolloutId, member: MemberIx) -> MemberTurn {
        let at = self.state.member(rollout, member);
        let reserve = at.map_or(0, |at| at.rollout.policy().deploy.reboot_reserve_secs);
        self.turn_for(at, reserve.into())
    }

    /// For which opening that is to come a member was asked to wake, and when.
    #[must_use]
    pub(crate) fn woken(&self, rollout: &Rollout, member: &Member) -> Option<(Timestamp, Timestamp)> {
        let since = self.endpoint(member.endpoint)?.unreachable_since()?;
        let neared = rollout.windows.neared(self.state.calendar_of(member.endpoint))?;
        let is_meant = since <= neared.told && self.last_seen_at() < neared.opens;
        is_meant.then_some((neared.opens, neared.told))
    }

    /// Whether a member leaves its reboot to others of its bundle that are still to be installed.
    #[must_use]
    pub(crate) fn leaves_its_reboot(&self, rollout: RolloutId, member: MemberIx) -> bool {
        let at = self.state.member(rollout, member).filter(|at| !at.rollout.bundle().is_empty());
        at.is_some_and(|at| self.state.leaves_its_reboot(self.last_seen_at(), at))
    }

    fn turn_for(&self, at: Option<decide::At<'_>>, needed: u64) -> MemberTurn {
        let Some(at) = at else { return MemberTurn::Never };
        self.hastened(at, needed, self.usual_turn(at, needed))
    }

    /// What the calendar alone says.
    fn usual_turn(&self, at: decide::At<'_>, needed: u64) -> MemberTurn {
        let (now, endpoint) = (self.state.cache.now, at.member.endpoint);
        let Some(schedule) = self.state.schedule_for(at.rollout, self.state.calendar_of(endpoint)) else {
            return MemberTurn::NoCalendar;
        };
        let Some(opening) = Opening::after(&schedule, now, needed) else { return MemberTurn::Never };
        let starts = self.state.spread(at.rollout, endpoint, opening);
        let frozen = schedule.frozen_until(now).filter(|_| !at.rollout.overrides_freezes());
        match (opening.opens > now, starts > now) {
            (true, _) => {
                frozen.map_or(MemberTurn::Opens(starts), |until| MemberTurn::Frozen { until, starts })
            }
            (false, true) => MemberTurn::Spread(starts),
            (false, false) => MemberTurn::Open,
        }
    }

    /// What an emergency or a due date makes of it.
    fn hastened(&self, at: decide::At<'_>, needed: u64, usual: MemberTurn) -> MemberTurn {
        let turn = match usual {
            MemberTurn::Opens(at) | MemberTurn::Spread(at) | MemberTurn::Frozen { starts: at, .. } => {
                Turn::Later(at)
            }
            MemberTurn::Never => Turn::Never,
            MemberTurn::Open
            | MemberTurn::NoCalendar
            | MemberTurn::Due { .. }
            | MemberTurn::CatchesUp { .. } => return usual,
        };
        let due = self.state.due_there(at.rollout, at.member.endpoint);
        let (now, id) = (self.state.cache.now, at.rollout.id());
        let hastened = self.state.hasten(now, id, at.ix, needed, turn);
        if let (Turn::Later(starts), Some(grace)) = (hastened, self.state.grace_ends(at.rollout, at.ix))
            && hastened != turn
            && self.state.catch_up(now, id, at.ix, needed) == Some(hastened)
        {
            let opens = if let Turn::Later(opens) = turn { Some(opens) } else { None };
            return MemberTurn::CatchesUp { grace, starts, opens };
        }
        match (hastened, usual) {
            (Turn::Open { .. }, _) => MemberTurn::Open,
            (later, _) if later == turn => usual,
            (Turn::Later(at), MemberTurn::Frozen { until, .. }) if at <= until => {
                MemberTurn::Frozen { until, starts: at }
            }
            (Turn::Later(at), MemberTurn::Opens(opens) | MemberTurn::Frozen { starts: opens, .. })
                if due == Some(at) =>
            {
                MemberTurn::Due { due: at, opens: Some(opens) }
            }
            (Turn::Later(at), MemberTurn::Never) if due == Some(at) => {
                MemberTurn::Due { due: at, opens: None }
            }
            (Turn::Later(at), MemberTurn::Spread(_)) => MemberTurn::Spread(at),
            (Turn::Later(at), _) => MemberTurn::Opens(at),
            (Turn::Never, usual) => usual,
        }
    }
}
