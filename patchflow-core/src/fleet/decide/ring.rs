//! What follows for a rollout as a whole: rings open, settle, are judged, promoted, halted (semantics S2, S3).

use super::Facts;
use super::join::{self, of_member};
use super::window::defers_from;
use crate::fleet::RichFact;
use crate::fleet::state::State;
use crate::gate::{Decision, judge};
use crate::rollout::{Event, RingState, Rollout, RolloutKind, RolloutState};
use crate::time::Timestamp;

/// The next step of one rollout; called again until it adds nothing.
pub(crate) fn review(state: &State, now: Timestamp, rollout: &Rollout, facts: &mut Facts) {
    match rollout.state() {
        RolloutState::Running | RolloutState::Paused => review_ring(state, now, rollout, facts),
        // Not before everybody in it was looked at for what the halt leaves to do.
        RolloutState::Halted
            if rollout.kind() == RolloutKind::Trial && rollout.moving == 0 && rollout.queue.is_swept() =>
        {
            let candidate = rollout.candidate();
            facts.push(RichFact::TrialFailed { candidate, rollout: rollout.id() }.into());
            facts.push(RichFact::RolloutEnded { rollout: rollout.id(), completed: false }.into());
        }
        // A reboot that waits for its window, or for a person, goes on by itself: nothing is at work meanwhile.
        RolloutState::Cancelled
            if rollout.moving == rollout.reboots_pending
                && rollout.counts().waiting == 0
                && rollout.queue.is_swept() =>
        {
            facts.push(RichFact::RolloutEnded { rollout: rollout.id(), completed: false }.into());
        }
        RolloutState::Completed => join::review(rollout, facts),
        RolloutState::Halted | RolloutState::Cancelled | RolloutState::Ended => {}
    }
}

/// Whether the gate of the open ring would halt now, asked after every start; where nothing failed, no start can break
/// a limit.
pub(crate) fn halts_now(now: Timestamp, rollout: &Rollout) -> bool {
    let (ring, standing) = (rollout.current_ring(), rollout.standing());
    standing.counts.bad() + standing.before.bad() > 0
        && ring.state() == RingState::Open
        && judge(ring.gate(), &standing, now).decision == Decision::Halt
}

fn review_ring(state: &State, now: Timestamp, rollout: &Rollout, facts: &mut Facts) {
    let ring = rollout.current_ring();
    let id = rollout.id();
    match ring.state() {
        RingState::Pending => open(rollout, rollout.ring, facts),
        RingState::Open | RingState::Settled | RingState::Held => {
            let verdict = judge(ring.gate(), &state.standing(now, rollout), now);
            let counts = verdict.counts;
            let settled = counts.waiting == 0 && counts.in_flight == 0;
            match verdict.decision {
                Decision::Halt => {
                    let reason = verdict.sentence(ring.gate());
                    let (ring, verdict) = (rollout.ring, Some(verdict));
                    facts.push(
                        RichFact::RolloutHalted { rollout: id, ring, verdict, by: None, reason }.into(),
                    );
                }
                Decision::Hold { .. } if settled && ring.state() == RingState::Open => {
                    facts.push(RichFact::RingSettled { rollout: id, ring: rollout.ring }.into());
                }
                Decision::Ask if ring.state() == RingState::Settled => {
                    facts.push(RichFact::RingHeld { rollout: id, ring: rollout.ring, verdict }.into());
                }
                Decision::Promote if settled && rollout.state() == RolloutState::Running => {
                    facts.push(
                        RichFact::RingPromoted { rollout: id, ring: rollout.ring, verdict, by: None }.into(),
                    );
                    next_ring(rollout, facts);
                }
                Decision::Hold { .. } | Decision::Ask | Decision::Promote => {}
            }
        }
        RingState::Promoted | RingState::Skipped => next_ring(rollout, facts),
        RingState::Halted | RingState::CatchUp => {}
    }
}

pub(super) fn next_ring(rollout: &Rollout, facts: &mut Facts) {
    let behind = rollout.rings().iter().enumerate().skip(usize::from(rollout.ring) + 1);
    // Those that a person passed over are behind it already.
    let next = behind.filter(|(_, ring)| ring.state() == RingState::Pending).map(|(i, _)| i).next();
    match next.and_then(|next| u8::try_from(next).ok()) {
        Some(next) => open(rollout, next, facts),
        None => end(rollout, facts),
    }
}

/// Every ring is behind it. Whoever waits in an earlier ring, to try again, is left to catch-up; of the last ring nobody
/// waits, or it was said already.
fn end(rollout: &Rollout, facts: &mut Facts) {
    if rollout.counts().waiting > 0 {
        let earlier = rollout.waiting().filter(|ix| rollout.members()[ix.index()].ring() != rollout.ring);
        facts.extend(earlier.map(|member| of_member(rollout, member, Event::Deferred)));
    }
    facts.push(RichFact::RolloutEnded { rollout: rollout.id(), completed: true }.into());
}

fn open(rollout: &Rollout, ring: u8, facts: &mut Facts) {
    let empty = rollout.rings().get(usize::from(ring)).is_some_and(|next| next.counts().members() == 0);
    let rollout = rollout.id();
    facts.push(if empty {
        RichFact::RingSkipped { rollout, ring }.into()
    } else {
        RichFact::RingOpened { rollout, ring }.into()
    });
}

/// When time alone may change something for a rollout as a whole; members that wait have their own timers.
pub(crate) fn next_look(state: &State, now: Timestamp, rollout: &Rollout) -> Option<Timestamp> {
    if !matches!(rollout.state(), RolloutState::Running | RolloutState::Paused) {
        return None;
    }
    let ring = rollout.current_ring();
    let waits = ring.counts().waiting > 0 || !rollout.queue.again.is_empty();
    match ring.state() {
        RingState::Open if waits && !rollout.queue.deferral_swept => defers_from(rollout),
        // Whoever was asked may be relieved of the question: other gates, by a revision, hold for a time of their own.
        RingState::Settled | RingState::Held => {
            match judge(ring.gate(), &state.standing(now, rollout), now).decision {
                Decision::Hold { until } => until,
                Decision::Promote | Decision::Halt | Decision::Ask => None,
            }
        }
        RingState::Open
        | RingState::Pending
        | RingState::Promoted
        | RingState::Skipped
        | RingState::CatchUp
        | RingState::Halted => None,
    }
}
