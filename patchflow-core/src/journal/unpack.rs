//! Reading frames: from packed words back to endpoint facts.

use super::frame::{
    DETAIL, DUE, EVENT_MASK, FRAME_FACTS_MAX, FRAME_VERSION, HEAD_BYTES, LastDues, MEMBER_BITS, MEMBER_MAX,
    ROLLOUT, RUN, STEP_MASK, WIDE,
};
use crate::error::Flaw;
use crate::fleet::EndpointFact;
use crate::ids::{MemberIx, RolloutId, Seq};
use crate::rollout::Event;
use crate::time::Timestamp;
use alloc::format;

/// Reads a frame that begins with the fact `first`, decided at `at`, and hands out its facts in their order. Returns
/// how many there were.
///
/// The facts before a flaw have been handed out when it is found. [`super::Decoder`] keeps them back until the frame
/// is read to its end; who calls this directly must, too.
///
/// # Errors
/// [`Flaw::TooNew`] when the format or an event is not known here, [`Flaw::Damaged`] when it is no whole frame.
#[inline]
pub fn unpack_frame(
    payload: &[u8],
    first: Seq,
    at: Timestamp,
    mut each: impl FnMut(Seq, Timestamp, EndpointFact),
) -> Result<u16, Flaw> {
    let (facts, rollout) = read_head(payload)?;
    let mut words = payload[HEAD_BYTES..].chunks_exact(4).map(|word| {
        // The chunks are exact, so the pattern always fits.
        if let [a, b, c, d] = *word { u32::from_le_bytes([a, b, c, d]) } else { 0 }
    });
    let mut dues: LastDues = [0; 64];
    let mut millis = at.as_millis();
    let mut rollout = rollout;
    let mut before = None;
    let mut n = 0;
    while n < facts {
        let start = words.next().ok_or_else(|| short(n))?;
        let code = (start >> MEMBER_BITS) & EVENT_MASK;
        if code == RUN {
            let mut fact: EndpointFact = before.ok_or_else(|| stray(n))?;
            let count =
                u16::try_from(start & MEMBER_MAX).ok().filter(|count| *count <= facts - n && *count != 0);
            let after = n + count.filter(|_| start & (DETAIL | DUE) == 0).ok_or_else(|| stray(n))?;
            // A member above the greatest there can be is of no rollout, which whoever applies it says.
            while n < after {
                fact.member.0 = fact.member.0.wrapping_add(1);
                each(Seq(first.0.wrapping_add(u64::from(n))), Timestamp::from_millis(millis), fact);
                n += 1;
            }
            before = Some(fact);
            continue;
        }
        if start & DETAIL != 0 || code == WIDE {
            // Everything that a burst of reports does not need stands apart, so that the common fact is one load.
            let detail = if start & DETAIL != 0 { words.next().ok_or_else(|| short(n))? } else { 0 };
            let (code, member) = if code == WIDE {
                (start & MEMBER_MAX, words.next().ok_or_else(|| short(n))?)
            } else {
                (code, start & MEMBER_MAX)
            };
            millis += i64::from(detail & STEP_MASK);
            if detail & ROLLOUT != 0 {
                rollout = RolloutId(words.next().ok_or_else(|| short(n))?);
            }
            let due = &mut dues[(code & EVENT_MASK) as usize];
            if start & DUE != 0 {
                *due = words.next().ok_or_else(|| short(n))?;
            }
            let event = event(code)?;
            let reason = (detail >> 16) as u16;
            let fact = EndpointFact { rollout, member: MemberIx(member), event, reason, due: *due };
            before = Some(fact);
            each(Seq(first.0.wrapping_add(u64::from(n))), Timestamp::from_millis(millis), fact);
        } else {
            let due = &mut dues[code as usize];
            if start & DUE != 0 {
                *due = words.next().ok_or_else(|| short(n))?;
            }
            let member = MemberIx(start & MEMBER_MAX);
            let fact = EndpointFact { rollout, member, event: event(code)?, reason: 0, due: *due };
            before = Some(fact);
            each(Seq(first.0.wrapping_add(u64::from(n))), Timestamp::from_millis(millis), fact);
        }
        n += 1;
    }
    if words.next().is_some() {
        return Err(Flaw::Damaged(format!("the frame goes on after its {facts} facts")));
    }
    Ok(facts)
}

/// The number of facts and the rollout of the first.
fn read_head(payload: &[u8]) -> Result<(u16, RolloutId), Flaw> {
    match payload.first() {
        Some(&FRAME_VERSION) => {}
        Some(0) | None => return Err(Flaw::Damaged("the frame has no format version".into())),
        Some(newer) => {
            return Err(Flaw::TooNew(format!("frame format {newer}, known up to {FRAME_VERSION}")));
        }
    }
    let Some(&[_, zero, facts_low, facts_high, r0, r1, r2, r3]) = payload.first_chunk::<HEAD_BYTES>() else {
        return Err(Flaw::Damaged(format!("the frame has {} bytes, less than its head", payload.len())));
    };
    let facts = u16::from_le_bytes([facts_low, facts_high]);
    if zero != 0 || facts == 0 || usize::from(facts) > FRAME_FACTS_MAX || !payload.len().is_multiple_of(4) {
        return Err(Flaw::Damaged("the head of the frame contradicts itself".into()));
    }
    Ok((facts, RolloutId(u32::from_le_bytes([r0, r1, r2, r3]))))
}

#[inline]
fn event(code: u32) -> Result<Event, Flaw> {
    let known = u8::try_from(code).ok().and_then(Event::from_code);
    known.ok_or_else(|| unknown(code))
}

#[cold]
fn unknown(code: u32) -> Flaw {
    Flaw::TooNew(format!("event number {code}"))
}

#[cold]
fn stray(fact: u16) -> Flaw {
    Flaw::Damaged(format!("the run at the frame's fact {} repeats nothing, or too much", u32::from(fact) + 1))
}

#[cold]
fn short(fact: u16) -> Flaw {
    Flaw::Damaged(format!("the frame ends within its fact {}", u32::from(fact) + 1))
}
