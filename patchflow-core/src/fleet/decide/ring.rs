//! What follows for a rollout as a whole: rings open, settle, are judged, promoted, halted (semantics S2, S3).

use super::Facts;
use super::window::defers_from;
use crate::fleet::RichFact;
use crate::gate::{Decision, judge};
use crate::rollout::{RingState, Rollout, RolloutKind, RolloutState};
use crate::time::Timestamp;

/// The next step of one rollout; called again until it adds nothing.
pub(crate) fn review(now: Timestamp, rollout: &Rollout, facts: &mut Facts) {
    match rollout.state() {
        RolloutState::Running | RolloutState::Paused => review_ring(now, rollout, facts),
        // Not before everybody in it was looked at for what the halt leaves to do.
        RolloutState::Halted
            if rollout.kind() == RolloutKind::Trial && rollout.moving == 0 && !rollout.queue.sweep =>
        {
            let candidate = rollout.candidate();
            facts.push(RichFact::TrialFailed { candidate, rollout: rollout.id() }.into());
            facts.push(RichFact::RolloutEnded { rollout: rollout.id(), completed: false }.into());
        }
        RolloutState::Cancelled
            if rollout.moving == 0 && rollout.counts().waiting == 0 && !rollout.queue.sweep =>
        {
            facts.push(RichFact::RolloutEnded { rollout: rollout.id(), completed: false }.into());
        }
        RolloutState::Halted | RolloutState::Cancelled | RolloutState::Completed | RolloutState::Ended => {}
    }
}

fn review_ring(now: Timestamp, rollout: &Rollout, facts: &mut Facts) {
    let ring = rollout.current_ring();
    let id = rollout.id();
    match ring.state() {
        RingState::Pending => open(rollout, rollout.ring, facts),
        RingState::Open | RingState::Settled | RingState::Held => {
            let verdict = judge(ring.gate(), &ring.standing(), now);
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
        RingState::Halted => {}
    }
}

pub(super) fn next_ring(rollout: &Rollout, facts: &mut Facts) {
    match rollout.ring.checked_add(1).filter(|next| usize::from(*next) < rollout.rings().len()) {
        Some(next) => open(rollout, next, facts),
        None => facts.push(RichFact::RolloutEnded { rollout: rollout.id(), completed: true }.into()),
    }
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
pub(crate) fn next_look(now: Timestamp, rollout: &Rollout) -> Option<Timestamp> {
    if !matches!(rollout.state(), RolloutState::Running | RolloutState::Paused) {
        return None;
    }
    let ring = rollout.current_ring();
    let waits = ring.counts().waiting > 0 || !rollout.queue.again.is_empty();
    match ring.state() {
        RingState::Open if waits && !rollout.queue.deferral_swept => defers_from(rollout),
        RingState::Settled => match judge(ring.gate(), &ring.standing(), now).decision {
            Decision::Hold { until } => until,
            Decision::Promote | Decision::Halt | Decision::Ask => None,
        },
        RingState::Open
        | RingState::Pending
        | RingState::Held
        | RingState::Promoted
        | RingState::Skipped
        | RingState::Halted => None,
    }
}
