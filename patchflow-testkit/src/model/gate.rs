//! S2 and S3: counting, limits and verdicts.

use super::Mutation;
use super::state::{Member, Model, class};
use patchflow_core::gate::{Class, LimitScope, OnMaxHold, Percent, ShareOf};
use patchflow_core::rollout::{Phase, RingState};
use patchflow_core::time::Timestamp;

/// What the gate of a ring says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Promote,
    /// Until when, if time alone can change it.
    Hold(Option<Timestamp>),
    Halt,
    Ask,
}

/// How many members of a ring are what.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) all: u32,
    pub(super) waiting: u32,
    pub(super) in_flight: u32,
    pub(super) verified: u32,
    pub(super) failed: u32,
    pub(super) unknown: u32,
    pub(super) skipped: u32,
    deferred: u32,
}

impl Tally {
    fn started(&self) -> u32 {
        self.in_flight + self.verified + self.failed + self.unknown
    }
}

impl Model {
    /// Counts the members of a ring by looking at each.
    pub(super) fn tally(&self, r: usize, ring: usize) -> Tally {
        self.tally_of(self.rollouts[r].in_ring(ring))
    }

    fn tally_of<'a>(&self, members: impl Iterator<Item = &'a Member>) -> Tally {
        let mut tally = Tally::default();
        for member in members {
            tally.all += 1;
            match class(member.phase) {
                Class::Waiting => tally.waiting += 1,
                Class::InFlight => tally.in_flight += 1,
                Class::Verified => tally.verified += 1,
                // After a halt was lifted, evidence starts anew.
                Class::Failed | Class::Unknown if member.forgiven => {}
                Class::Failed => tally.failed += 1,
                Class::Unknown => tally.unknown += 1,
                Class::Skipped => tally.skipped += 1,
                Class::Deferred => tally.deferred += 1,
                Class::Cancelled | Class::Held | Class::Removed => {}
            }
        }
        tally
    }

    /// The gate of a ring now: failure first, then success, and no data is never a pass.
    pub(super) fn gate(&self, r: usize, number: usize) -> Says {
        let ring = &self.rollouts[r].rings[number];
        let gate = &ring.gate;
        let tally = self.tally(r, number);
        let counted = self.counted(&tally);
        // The failure limits may count all rings so far.
        let whole = gate.scope == LimitScope::Rollout && !self.bent(Mutation::ScopeIsAlwaysTheRing);
        let failing = if whole {
            let so_far = self.rollouts[r].members.iter().filter(|member| member.ring <= number);
            self.tally_of(so_far)
        } else {
            tally
        };
        let bad = if self.bent(Mutation::ForgetsUnknown) {
            failing.failed
        } else {
            failing.failed + failing.unknown
        };
        let judged = failing.started() >= gate.min_started;
        let base = match gate.of {
            ShareOf::Started if !self.bent(Mutation::ShareIsAlwaysOfTheMembers) => failing.started(),
            ShareOf::Started | ShareOf::Members => self.counted(&failing),
        };
        if let Some(max) = gate.max_failures {
            let now = judged || !self.bent(Mutation::DelaysTheCountRule);
            if now && (bad > max || self.bent(Mutation::HaltsAtTheCountLimit) && bad == max && bad > 0) {
                return Says::Halt;
            }
        }
        if let Some(max) = gate.max_failure_percent
            && judged
        {
            let at_limit = compare(bad, base, max) == std::cmp::Ordering::Equal && bad > 0;
            let over = compare(bad, base, max) == std::cmp::Ordering::Greater;
            if over || at_limit && self.bent(Mutation::HaltsAtThePercentLimit) {
                return Says::Halt;
            }
        }
        if gate.max_alerts.is_some_and(|max| ring.alerts > max) {
            return Says::Halt;
        }
        // An unknown may still turn out well, and so may everything that has not ended.
        let best = counted - tally.failed;
        if counted > 0
            && compare(best, counted, gate.min_success_percent) == std::cmp::Ordering::Less
            && !self.bent(Mutation::WaitsForTheHopeless)
        {
            return Says::Halt;
        }
        let Some(settled_at) = ring.settled_at else { return Says::Hold(None) };
        let from = if self.bent(Mutation::BakesFromOpening) {
            ring.opened_at.unwrap_or(settled_at)
        } else {
            settled_at
        };
        let baked_at = from.plus_secs(gate.bake_secs_min.into());
        if self.now < baked_at && !self.bent(Mutation::SkipsTheBake) {
            return Says::Hold(Some(baked_at));
        }
        if counted > 0
            && compare(tally.verified, counted, gate.min_success_percent) == std::cmp::Ordering::Less
        {
            return Says::Halt;
        }
        let enough = tally.verified >= gate.min_verified.max(1);
        // A ring whose members were all there already has nothing to prove.
        let lacks = !enough && tally.skipped < tally.all;
        // S3: no new alert in the cohort, and nobody can tell; where nothing started, nobody could have raised one.
        let unheard = gate.max_alerts.is_some()
            && !ring.alerts_known
            && tally.started() > 0
            && !self.bent(Mutation::UnknownAlertsPass);
        // S3: the way back from what it installed is still valid.
        let ended = self.rollouts[r]
            .in_ring(number)
            .any(|member| member.phase == Phase::Verified && self.path_has_ended(r, member.endpoint))
            && !self.bent(Mutation::EndedPathsPass);
        if (lacks || unheard || ended) && !self.bent(Mutation::NoDataIsAPass) {
            let until = baked_at.plus_secs(gate.hold_secs_max.into());
            if self.now < until || self.bent(Mutation::HoldsForEver) {
                return Says::Hold(Some(until));
            }
            return match gate.on_max_hold {
                OnMaxHold::Halt => Says::Halt,
                OnMaxHold::Ask => Says::Ask,
            };
        }
        Says::Promote
    }

    fn counted(&self, tally: &Tally) -> u32 {
        let mut counted = tally.waiting + tally.started();
        if self.bent(Mutation::CountsDeferred) {
            counted += tally.deferred;
        }
        if self.bent(Mutation::CountsSkipped) {
            counted += tally.skipped;
        }
        counted
    }

    /// S3: no member is in flight, and every member has started or was deferred.
    pub(super) fn is_settled(&self, r: usize, ring: usize) -> bool {
        let tally = self.tally(r, ring);
        tally.waiting == 0 && tally.in_flight == 0
    }

    /// When the gate of the ring whose turn it is may say something else by time alone.
    pub(super) fn gate_looks_at(&self, r: usize) -> Option<Timestamp> {
        let ring = self.rollouts[r].ring;
        match self.rollouts[r].rings[ring].state {
            RingState::Settled | RingState::Held => match self.gate(r, ring) {
                Says::Hold(until) => until,
                Says::Promote | Says::Halt | Says::Ask => None,
            },
            RingState::Open
            | RingState::Pending
            | RingState::Promoted
            | RingState::Skipped
            | RingState::CatchUp
            | RingState::Halted => None,
        }
    }
}

/// `part` of `whole` against a percentage: exactly, with whole numbers.
fn compare(part: u32, whole: u32, percent: Percent) -> std::cmp::Ordering {
    let left = u128::from(part) * 100 * 1000;
    let right = u128::from(percent.thousandths()) * u128::from(whole);
    left.cmp(&right)
}
