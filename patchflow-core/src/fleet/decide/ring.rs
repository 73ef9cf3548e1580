//! What follows for a rollout as a whole: rings open, settle, are judged, promoted, halted (semantics S2, S3).

use super::Facts;
use super::start::{is_permitted, needed_secs};
use crate::fleet::state::State;
use crate::fleet::{EndpointFact, Fact, RichFact};
use crate::gate::{Decision, judge};
use crate::ids::MemberIx;
use crate::rollout::{Event, Phase, Ring, RingState, Rollout, RolloutKind, RolloutState};
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
                Decision::Hold { .. } if ring.state() == RingState::Open => defer(now, rollout, ring, facts),
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

/// Members that have not started in time are left to catch-up.
fn defer(now: Timestamp, rollout: &Rollout, ring: &Ring, facts: &mut Facts) {
    let waiting = ring.counts().waiting;
    if waiting == 0 || start_until(rollout, ring).is_none_or(|until| now < until) {
        return;
    }
    for (i, member) in rollout.members()[ring.range()].iter().enumerate() {
        if member.phase == Phase::Waiting {
            facts.push(Fact::Endpoint(EndpointFact {
                rollout: rollout.id(),
                member: MemberIx(ring.first + i as u32),
                event: Event::Deferred,
                reason: 0,
                due: 0,
            }));
        }
    }
}

fn start_until(rollout: &Rollout, ring: &Ring) -> Option<Timestamp> {
    let opened = ring.reopened_at.or(ring.opened_at())?;
    let within = opened.plus_secs(rollout.policy().deploy.start_within_secs.into());
    // Or the end of its first window, if that is later.
    let first_window = rollout.policy().schedule.next_open(opened, 0);
    let first_end = first_window.and_then(|opens| rollout.policy().schedule.closes(opens));
    Some(first_end.filter(|end| *end < Timestamp::MAX).map_or(within, |end| within.max(end)))
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

/// When time alone may change something for a rollout.
pub(crate) fn next_look(state: &State, now: Timestamp, rollout: &Rollout) -> Option<Timestamp> {
    let ring = rollout.current_ring();
    let schedule = &rollout.policy().schedule;
    let reserve = rollout.policy().deploy.reboot_reserve_secs.into();
    // What is under way goes on in a rollout that was halted or has ended too.
    let reboot = (rollout.reboots_pending > 0 && !schedule.is_open(now, reserve))
        .then(|| schedule.next_open(now, reserve))
        .flatten();
    if !matches!(rollout.state(), RolloutState::Running | RolloutState::Paused) {
        return reboot;
    }
    let waits = ring.counts().waiting > 0 || !rollout.queue.again.is_empty();
    let look = match ring.state() {
        RingState::Open if waits => {
            let until = start_until(rollout, ring);
            let needed = needed_secs(state, rollout);
            let opens = if schedule.is_open(now, needed) || !is_permitted(state, now, rollout) {
                None
            } else {
                schedule.next_open(now, needed)
            };
            // A time to start that is over must not hide the next window of those that wait for another attempt.
            until.filter(|until| *until > now).into_iter().chain(opens).min()
        }
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
    };
    look.into_iter().chain(reboot).min()
}
