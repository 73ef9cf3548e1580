//! Packed endpoint facts: the layout of a frame, and the packer that writes it without allocating.
//!
//! A frame holds up to 4096 facts as little-endian words of four bytes: two words of head, then for each fact one to
//! five words. What a fact shares with the facts before it is not written again, so that a burst of reports over one
//! rollout costs four bytes a fact, and members in a row to which the same happens at once, as when a ring opens, cost
//! one word together. The layout is described in `docs/journal.md`; [`super::unpack_frame`] reads it.

use crate::fleet::EndpointFact;
use crate::ids::{MemberIx, RolloutId};
use crate::rollout::Event;
use crate::time::Timestamp;
use alloc::vec::Vec;

/// The greatest number of facts in a frame: its facts are applied whole or not at all, and at 16 bytes each they stay
/// within a core's own cache while they are.
pub const FRAME_FACTS_MAX: usize = 4096;

/// The format of frames that this version writes.
pub(super) const FRAME_VERSION: u8 = 1;
/// Format, a zero byte, the count; then the rollout of the first fact.
pub(super) const HEAD_BYTES: usize = 8;
/// A fact with all its words.
const FACT_BYTES_MAX: usize = 20;

// The first word of a fact: 24 bits of member, 6 bits of event, 2 flags. 24 bits take 16 777 216 members, sixteen
// times the fleet that the engine is built for; a member above, or an event above 61, is written wide.
pub(super) const MEMBER_BITS: u32 = 24;
pub(super) const MEMBER_MAX: u32 = (1 << MEMBER_BITS) - 1;
pub(super) const EVENT_MASK: u32 = 0x3f;
/// In place of an event: the event's number stands where the member would, and the member in a word of its own.
pub(super) const WIDE: u32 = 0x3f;
/// In place of an event: the fact before comes as often again as stands in place of the member, each time for the next
/// member, and in all else the same.
pub(super) const RUN: u32 = 0x3e;
/// The due time differs from that of the fact before with the same event in this frame; it follows as the last word.
pub(super) const DUE: u32 = 1 << 30;
/// A second word follows: 15 bits of milliseconds since the fact before, 1 flag, 16 bits of reason.
pub(super) const DETAIL: u32 = 1 << 31;
/// In the second word: the rollout differs from that of the fact before; it follows as a word.
pub(super) const ROLLOUT: u32 = 1 << 15;
pub(super) const STEP_MASK: u32 = ROLLOUT - 1;

/// Nothing has happened yet.
const NOTHING: EndpointFact = EndpointFact {
    rollout: RolloutId(u32::MAX),
    member: MemberIx(0),
    event: Event::Verified,
    reason: 0,
    due: 0,
};

/// The due time that each event had last; kept alike by packer and reader, from zeros at the start of each frame.
pub(super) type LastDues = [u32; 64];

/// Packs endpoint facts into frames. It keeps its buffer: after the first frame it allocates nothing.
///
/// ```
/// use patchflow_core::fleet::EndpointFact;
/// use patchflow_core::ids::{MemberIx, RolloutId};
/// use patchflow_core::journal::FramePacker;
/// use patchflow_core::rollout::Event;
/// use patchflow_core::time::Timestamp;
///
/// let mut packer = FramePacker::new();
/// for member in (0..100).rev() {
///     let fact = EndpointFact { rollout: RolloutId(1), member: MemberIx(member), event: Event::Verified, reason: 0, due: 0 };
///     assert!(packer.push(&fact, Timestamp::from_secs(1_800_000_000)));
/// }
/// let frame = packer.finish().unwrap();
/// assert_eq!((frame.facts, frame.payload.len()), (100, 8 + 100 * 4));
/// ```
#[derive(Clone, Debug)]
pub struct FramePacker {
    bytes: Vec<u8>,
    facts: u16,
    at: Timestamp,
    last_millis: i64,
    rollout: RolloutId,
    dues: LastDues,
    /// What would continue a run: the last fact, for the next member.
    next: EndpointFact,
    /// How many facts continue a run, which are not written yet.
    run: u32,
}

/// A finished frame, in the packer's own buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedFrame<'a> {
    /// When its first fact was decided.
    pub at: Timestamp,
    /// How many facts it holds, from 1 to 4096.
    pub facts: u16,
    /// The bytes.
    pub payload: &'a [u8],
}

impl Default for FramePacker {
    fn default() -> Self {
        Self::new()
    }
}

impl FramePacker {
    /// A packer without facts. It allocates with the first fact.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            bytes: Vec::new(),
            facts: 0,
            at: Timestamp::from_millis(0),
            last_millis: 0,
            rollout: RolloutId(0),
            dues: [0; 64],
            next: NOTHING,
            run: 0,
        }
    }

    /// How many facts wait in the frame.
    #[must_use]
    pub const fn facts(&self) -> u16 {
        self.facts
    }

    /// Adds a fact. `false` when the frame must be finished first, and then nothing was added: it is full, or the
    /// fact comes more than 32 767 ms after the one before it, or earlier. A new frame takes every fact.
    #[inline]
    pub fn push(&mut self, fact: &EndpointFact, at: Timestamp) -> bool {
        let millis = at.as_millis();
        let has_room = self.facts != 0 && usize::from(self.facts) < FRAME_FACTS_MAX;
        if *fact == self.next && millis == self.last_millis && has_room {
            self.facts += 1;
            self.run += 1;
            self.next.member.0 = self.next.member.0.wrapping_add(1);
            return true;
        }
        let is_next = millis == self.last_millis && fact.rollout == self.rollout && fact.reason == 0;
        let event = fact.event as u32;
        if is_next
            && event < RUN
            && self.dues[(event & EVENT_MASK) as usize] == fact.due
            && fact.member.0 <= MEMBER_MAX
            && has_room
        {
            // A burst of reports: one word.
            self.end_run();
            self.follow(fact);
            self.facts += 1;
            self.word(fact.member.0 | (event << MEMBER_BITS));
            return true;
        }
        self.push_any(fact, at)
    }

    fn push_any(&mut self, fact: &EndpointFact, at: Timestamp) -> bool {
        let millis = at.as_millis();
        if self.facts == 0 {
            self.begin(fact.rollout, at);
        }
        let Ok(step) = u32::try_from(millis - self.last_millis) else { return false };
        if step > STEP_MASK || usize::from(self.facts) == FRAME_FACTS_MAX {
            return false;
        }
        self.end_run();
        self.follow(fact);
        let moved = fact.rollout != self.rollout;
        let detail = (u32::from(fact.reason) << 16) | (u32::from(moved) * ROLLOUT) | step;
        let event = fact.event as u32;
        let wide = fact.member.0 > MEMBER_MAX || event >= RUN;
        let last_due = &mut self.dues[(event & EVENT_MASK) as usize];
        let dated = fact.due != *last_due;
        *last_due = fact.due;

        let start = if wide { event | (WIDE << MEMBER_BITS) } else { fact.member.0 | (event << MEMBER_BITS) };
        self.facts += 1;
        self.last_millis = millis;
        self.word(start | (u32::from(detail != 0) * DETAIL) | (u32::from(dated) * DUE));
        if detail != 0 {
            self.word(detail);
        }
        if wide {
            self.word(fact.member.0);
        }
        if moved {
            self.word(fact.rollout.0);
            self.rollout = fact.rollout;
        }
        if dated {
            self.word(fact.due);
        }
        true
    }

    /// Ends the frame and shows it; the next fact begins another. `None` when there is no fact in it.
    pub fn finish(&mut self) -> Option<PackedFrame<'_>> {
        if self.facts == 0 {
            return None;
        }
        self.end_run();
        let facts = core::mem::take(&mut self.facts);
        self.bytes[2..4].copy_from_slice(&facts.to_le_bytes());
        Some(PackedFrame { at: self.at, facts, payload: &self.bytes })
    }

    /// Forgets the facts of an unfinished frame.
    pub(super) fn reset(&mut self) {
        self.facts = 0;
    }

    /// What continues a run after this fact.
    #[inline]
    fn follow(&mut self, fact: &EndpointFact) {
        self.next = *fact;
        self.next.member.0 = self.next.member.0.wrapping_add(1);
    }

    #[inline]
    fn end_run(&mut self) {
        if self.run != 0 {
            let run = core::mem::take(&mut self.run);
            self.word(run | (RUN << MEMBER_BITS));
        }
    }

    #[cold]
    fn begin(&mut self, rollout: RolloutId, at: Timestamp) {
        self.bytes.clear();
        // Once, for the worst frame there can be.
        self.bytes.reserve(HEAD_BYTES + FRAME_FACTS_MAX * FACT_BYTES_MAX);
        self.bytes.extend_from_slice(&[FRAME_VERSION, 0, 0, 0]);
        self.bytes.extend_from_slice(&rollout.0.to_le_bytes());
        self.at = at;
        self.last_millis = at.as_millis();
        self.rollout = rollout;
        self.dues = [0; 64];
        self.run = 0;
    }

    #[inline]
    fn word(&mut self, word: u32) {
        self.bytes.extend_from_slice(&word.to_le_bytes());
    }
}
