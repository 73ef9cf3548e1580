//! Who is asked to wake before a window, and who missed one and catches up inside active hours (semantics S4).

use super::State;
use crate::fleet::RichFact;
use crate::fleet::state::openings::Turn;
use crate::fleet::table::openings::Opening;
use crate::ids::{EndpointIx, MemberIx, RolloutId};
use crate::rollout::{Neared, Phase, Rollout};
use crate::time::Timestamp;
use alloc::sync::Arc;

const UNKNOWN: &str = "no endpoint names its calendar";

impl State {
    /// What a fact about a window leaves behind. That one was overrun says only what was not kept.
    pub(in crate::fleet) fn window_told(
        &mut self,
        at: Timestamp,
        fact: &RichFact,
    ) -> Result<(), &'static str> {
        let number = |calendar: &Option<Arc<str>>| self.endpoints.calendar_number(calendar.as_deref());
        if let RichFact::WindowNeared { rollout, calendar, opens, .. } = fact {
            let calendar = number(calendar).ok_or(UNKNOWN)?;
            let rollout = self.rollouts.get_mut(rollout.index()).ok_or("there is no such rollout")?;
            rollout.windows.note_neared(calendar, Neared { opens: *opens, told: at });
        } else if let RichFact::WindowMissed { rollout, calendar, closed, .. } = fact {
            let calendar = number(calendar).ok_or(UNKNOWN)?;
            self.window_missed(*rollout, calendar, *closed)?;
        }
        Ok(())
    }

    /// Endpoints whose members wait for a window and are out of contact. Costs in proportion to the endpoints of the fleet
    /// that are in some condition.
    pub(in crate::fleet) fn asleep<'a>(
        &'a self,
        rollout: &'a Rollout,
        calendar: u32,
    ) -> impl Iterator<Item = EndpointIx> + 'a {
        let away = self.endpoints.conditions().filter(|(_, known)| known.unreachable_since.is_some());
        away.map(|(endpoint, _)| endpoint).filter(move |endpoint| {
            let member = rollout.member_of(*endpoint).and_then(|ix| rollout.members().get(ix.index()));
            self.calendar_of(*endpoint) == calendar
                && member.is_some_and(|member| {
                    let ring = rollout.rings().get(usize::from(member.ring));
                    member.phase == Phase::Waiting && ring.is_some_and(|ring| ring.opened_at().is_some())
                })
        })
    }

    /// A window closed over those who wait by its calendar. All members are looked at, once for each such window, and
    /// only where the policy names active hours.
    fn window_missed(&mut self, id: RolloutId, calendar: u32, closed: Timestamp) -> Result<(), &'static str> {
        let rollout = self.rollouts.get_mut(id.index()).ok_or("there is no such rollout")?;
        if rollout.policy.calendars.active_hours.is_none() {
            return Ok(());
        }
        let Rollout { members, rings, windows, queue, .. } = rollout;
        let opened = |ring: u8| rings.get(usize::from(ring)).is_some_and(|ring| ring.opened_at.is_some());
        let goes_by = |endpoint| self.endpoints.calendar_of(endpoint) == calendar;
        let waits = (0..).map(MemberIx).zip(members.iter()).filter(|(_, member)| {
            member.phase == Phase::Waiting && opened(member.ring) && goes_by(member.endpoint)
        });
        let waits = waits.map(|(ix, _)| ix);
        windows.note_missed(calendar, closed, waits.clone());
        if self.cache.live {
            // Their turn may come before the window that they wait for, and that for their content with it.
            queue.again.extend(waits.clone());
            if rollout.policy.staging.required {
                queue.staging.again.extend(waits);
            }
        }
        Ok(())
    }

    /// When the grace ends that a member has after the window that it missed; `None` when it missed none, or its policy
    /// names no active hours.
    pub(crate) fn grace_ends(&self, rollout: &Rollout, ix: MemberIx) -> Option<Timestamp> {
        let calendars = &rollout.policy().calendars;
        calendars.active_hours.as_ref()?;
        let calendar = self.calendar_of(rollout.members().get(ix.index())?.endpoint);
        let closed = rollout.windows.missed(calendar, ix)?;
        Some(closed.plus_secs(calendars.grace_secs.into()))
    }

    /// When a member that missed a window may start inside active hours.
    pub(crate) fn catch_up(
        &self,
        now: Timestamp,
        id: RolloutId,
        ix: MemberIx,
        needed_secs: u64,
    ) -> Option<Turn> {
        let at = self.member(id, ix)?;
        let from = self.grace_ends(at.rollout, ix)?;
        // What is frozen by its own calendar is frozen in active hours, too.
        let own = self.schedule_for(at.rollout, self.calendar_of(at.member.endpoint))?;
        let hours = at.rollout.policy().calendars.active_hours.as_deref();
        let hours = self.schedule_named(at.rollout, hours)?.with_freezes(own.freezes());
        let hours = hours.without(false, at.rollout.overrides_freezes());
        let opening = Opening::after(&hours, now.max(from), needed_secs)?;
        Some(if opening.opens <= now {
            Turn::Open { last_start: opening.last_start, outside: false, read_since: self.due(from) }
        } else {
            Turn::Later(opening.opens)
        })
    }
}
