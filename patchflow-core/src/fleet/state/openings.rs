//! When the endpoints of a calendar may be touched next: worked out once for each calendar, policy and length of
//! operation, and asked for each member.

use crate::fleet::state::State;
use crate::fleet::table::openings::{Known, Opening};
use crate::ids::{EndpointIx, MemberIx, RolloutId};
use crate::rollout::Rollout;
use crate::schedule::Schedule;
use crate::time::Timestamp;
use alloc::borrow::Cow;

/// Whether a member may start as far as its calendar is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Now, and until then at the latest.
    Open {
        last_start: Timestamp,
        /// Whether neither its window nor active hours are open, and something else lets it start.
        outside: bool,
        /// Since when its endpoint must have been read, in seconds since the epoch, because it catches up; 0 as usual.
        read_since: u32,
    },
    /// Then, and not before.
    Later(Timestamp),
    /// Never: no opening is long enough, or the policy does not have its calendar.
    Never,
}

impl State {
    /// The schedule that an endpoint's calendar number means under a rollout's policy, with the freezes of the policy
    /// that is adopted now, which act at once (semantics S8); `None` when it means none.
    pub(crate) fn schedule_for<'a>(&self, rollout: &'a Rollout, calendar: u32) -> Option<Cow<'a, Schedule>> {
        match (calendar, self.endpoints.calendar(calendar)) {
            (0, _) => self.schedule_named(rollout, None),
            (_, Some(name)) => self.schedule_named(rollout, Some(name)),
            (_, None) => None,
        }
    }

    /// The same by the calendar's name.
    pub(crate) fn schedule_named<'a>(
        &self,
        rollout: &'a Rollout,
        name: Option<&str>,
    ) -> Option<Cow<'a, Schedule>> {
        let own = rollout.policy().schedule_of(name)?;
        let adopted = self.policy.as_ref().filter(|(_, digest)| *digest != rollout.policy_digest);
        let more =
            adopted.and_then(|(policy, _)| policy.schedule_of(name)).map_or(&[][..], Schedule::freezes);
        Some(if more.is_empty() { Cow::Borrowed(own) } else { Cow::Owned(own.with_freezes(more)) })
    }

    /// The number of an endpoint's calendar.
    pub(crate) fn calendar_of(&self, endpoint: EndpointIx) -> u32 {
        self.endpoints.calendar_of(endpoint)
    }

    /// The opening in which an operation fits, now or next.
    pub(crate) fn opening(
        &mut self,
        now: Timestamp,
        id: RolloutId,
        calendar: u32,
        needed_secs: u64,
    ) -> Option<Opening> {
        let rollout = self.rollouts.get_mut(id.index())?;
        let book =
            rollout.queue.books.iter().find(|(needed, _)| *needed == needed_secs).map(|(_, book)| *book);
        let book = book.unwrap_or_else(|| {
            let book = self.cache.openings.book(rollout.policy_digest, needed_secs);
            rollout.queue.books.push((needed_secs, book));
            book
        });
        match *self.cache.openings.entry(book, calendar)? {
            // What takes no time at all fits until the window closes, and not at that instant.
            Known::Opening(known) if known.asked <= now && now <= known.last_start && now < known.closes => {
                return Some(known);
            }
            // What never fits stays so, but for what lies beyond the horizon of the search.
            Known::Never(asked) if asked <= now && now.since(asked).as_secs() < 86_400 => return None,
            Known::Opening(_) | Known::Never(_) | Known::Nothing => {}
        }
        let schedule = self.schedule_for(self.rollouts.get(id.index())?, calendar);
        let found = schedule.and_then(|schedule| Opening::after(&schedule, now, needed_secs));
        *self.cache.openings.entry(book, calendar)? = found.map_or(Known::Never(now), Known::Opening);
        found
    }

    /// Whether a member may start now as far as its calendar is concerned, its place in the spread included.
    pub(crate) fn turn(&mut self, now: Timestamp, id: RolloutId, ix: MemberIx, needed_secs: u64) -> Turn {
        let Some(at) = self.member(id, ix) else { return Turn::Never };
        let endpoint = at.member.endpoint;
        if !at.rollout.queue.windowed && self.endpoints.calendars_are_unused() {
            return Turn::Open { last_start: Timestamp::MAX, outside: false, read_since: 0 };
        }
        let calendar = self.calendar_of(endpoint);
        let Some(opening) = self.opening(now, id, calendar, needed_secs) else {
            return self.hasten(now, id, ix, needed_secs, Turn::Never);
        };
        let Some(at) = self.member(id, ix) else { return Turn::Never };
        let starts = self.spread(at.rollout, endpoint, opening);
        if starts > now {
            return self.hasten(now, id, ix, needed_secs, Turn::Later(starts));
        }
        Turn::Open { last_start: opening.last_start, outside: false, read_since: 0 }
    }

    /// When an endpoint may start in an opening, its place in the spread included.
    pub(crate) fn spread(&self, rollout: &Rollout, endpoint: EndpointIx, opening: Opening) -> Timestamp {
        let spread_secs = u64::from(rollout.policy().calendars.spread_secs);
        let starts = opening.began.map_or(opening.opens, |began| {
            // S4: hash(rollout, endpoint, occurrence) modulo min(spread, window - needed).
            let room = spread_secs.min(opening.last_start.since(began).as_secs());
            if room == 0 {
                return began;
            }
            let occurrence = began.as_millis().cast_unsigned();
            let hash = Rollout::hash(self.seed, rollout.id()).of(&[u64::from(endpoint.0), occurrence]);
            began.plus_secs(hash % room)
        });
        starts.max(opening.opens)
    }

    /// Lets a member be looked at again at an instant.
    pub(crate) fn wake_at(&mut self, at: Timestamp, id: RolloutId, ix: MemberIx) {
        let due = self.due(at);
        self.cache.wakes.arm(due, id.0, ix.0);
    }
}
