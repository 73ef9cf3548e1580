//! Openings of calendars that were worked out once: for each policy, length of operation and calendar.

use crate::digest::Digest;
use crate::schedule::Schedule;
use crate::time::Timestamp;
use alloc::vec::Vec;

/// An opening in which an operation fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    /// What is said here holds from then.
    pub(crate) asked: Timestamp,
    /// When the window opened, when that can be said.
    pub(crate) began: Option<Timestamp>,
    /// The first instant, at or after `asked`, at which the operation fits.
    pub(crate) opens: Timestamp,
    /// The last instant at which it fits.
    pub(crate) last_start: Timestamp,
    pub(crate) closes: Timestamp,
}

impl Opening {
    /// The opening that covers `at`, or else the next one.
    pub(crate) fn after(schedule: &Schedule, at: Timestamp, needed_secs: u64) -> Option<Self> {
        let opens = schedule.next_open(at, needed_secs)?;
        let began = if opens == at { schedule.opened(at) } else { Some(opens) };
        let closes = schedule.closes(opens)?;
        // A window is half-open: what takes no time must still begin before it closes.
        let needed = i64::try_from(needed_secs).unwrap_or(i64::MAX).saturating_mul(1000).max(1);
        let last_start = Timestamp::from_millis(closes.as_millis().saturating_sub(needed));
        Some(Self { asked: at, began, opens, last_start, closes })
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Known {
    Nothing,
    Opening(Opening),
    /// None was found when it was asked for.
    Never(Timestamp),
}

/// The openings of one policy's calendars for one length of operation, by the calendars' numbers.
#[derive(Debug)]
struct Book {
    policy: Digest,
    needed_secs: u64,
    known: Vec<Known>,
}

/// What is known of openings. A cache.
#[derive(Debug, Default)]
pub(crate) struct Openings(Vec<Book>);

impl Openings {
    pub(crate) fn book(&mut self, policy: Digest, needed_secs: u64) -> u32 {
        let known = self.0.iter().position(|book| book.policy == policy && book.needed_secs == needed_secs);
        known.unwrap_or_else(|| {
            self.0.push(Book { policy, needed_secs, known: Vec::new() });
            self.0.len() - 1
        }) as u32
    }

    pub(crate) fn entry(&mut self, book: u32, calendar: u32) -> Option<&mut Known> {
        let known = &mut self.0.get_mut(book as usize)?.known;
        if known.len() <= calendar as usize {
            known.resize(calendar as usize + 1, Known::Nothing);
        }
        known.get_mut(calendar as usize)
    }
}
