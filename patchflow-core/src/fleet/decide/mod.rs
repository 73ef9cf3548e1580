//! Decisions: they look at the state and say which facts follow. They never touch it.

mod approval;
mod attach;
mod candidate;
mod clock;
mod command;
mod condition;
mod hook;
mod join;
mod kin;
mod onboard;
mod patience;
mod reboot;
mod report;
mod resync;
mod revert;
mod ring;
mod stage;
mod start;
mod tend;
mod window;
mod world;

pub(crate) use approval::approves_later;
pub(crate) use candidate::step;
pub(crate) use clock::{due_date, first_install, first_install_due, outside};
pub(crate) use command::command;
pub(crate) use condition::{
    next_turn, reachable, read, reboots_pending, scan, scans_due, stale, turn_over, unreachable,
};
pub(crate) use hook::{drain, drained_for_revert, not_drained};
pub(crate) use join::{join, takes_newcomers};
pub(crate) use onboard::onboarded;
pub(crate) use patience::deferrals_left;
pub(crate) use reboot::reboot;
pub(crate) use report::{answered, due, inspected, recall_answered, reported};
pub(crate) use resync::{resync_end, resync_start};
pub(crate) use revert::{
    Revert, begin as begin_revert, full_for_revert, is_kept_from_revert, is_replaced, is_to_be_reverted,
    revert,
};
pub(crate) use ring::{halts_now, next_look, review};
pub(crate) use stage::{Stage, content_held, is_staged, stage, stage_late, staged};
pub(crate) use start::{
    Full, Start, full, goes_on, is_refused_snapshot, lacks_snapshot, lapsed, may_come, needed_secs, start,
    starts_now,
};
pub(crate) use tend::{drills, freeze, tend};
pub(crate) use window::{
    defers_from, first_window_ends, window_missed, window_neared, window_overrun, works_in_a_window,
};
pub(crate) use world::{alerts, approval_answered, endpoint_gone, endpoints, needs, published, withdrawn};

use super::state::State;
use super::table::reasons::Named;
use super::{EndpointFact, Fact, RichFact};
use crate::error::FailureKind;
use crate::ids::{MemberIx, OrderId, RolloutId};
use crate::rollout::{Event, Member, Rollout};
use alloc::vec::Vec;

/// What a decision adds to.
pub(crate) type Facts = Vec<Fact>;

/// One member, named and seen.
#[derive(Clone, Copy)]
pub(crate) struct At<'a> {
    pub(crate) rollout: &'a Rollout,
    pub(crate) ix: MemberIx,
    pub(crate) member: &'a Member,
}

impl At<'_> {
    pub(crate) fn fact(&self, event: Event, reason: u16, due: u32) -> Fact {
        Fact::Endpoint(EndpointFact { rollout: self.rollout.id(), member: self.ix, event, reason, due })
    }
}

impl State {
    pub(crate) fn member(&self, rollout: RolloutId, ix: MemberIx) -> Option<At<'_>> {
        let rollout = self.rollout(rollout)?;
        Some(At { rollout, ix, member: rollout.members().get(ix.index())? })
    }

    /// The member an order is about, when the order is of this fleet and was ever issued.
    pub(crate) fn ordered(&self, order: OrderId) -> Option<At<'_>> {
        let at = self.member(order.rollout, order.member)?;
        let known = order.fleet == self.id && order.generation.0 == 0;
        (known && order.operation != 0 && order.operation <= at.member.operation).then_some(at)
    }

    pub(crate) fn order_id(&self, at: At<'_>) -> OrderId {
        OrderId {
            fleet: self.id,
            generation: crate::ids::Generation(0),
            rollout: at.rollout.id(),
            member: at.ix,
            operation: at.member.operation,
        }
    }

    /// The number of a reason, naming it first when it is new.
    pub(crate) fn reason(&self, facts: &mut Facts, kind: FailureKind, detail: &str) -> u16 {
        match self.reasons.name(kind, detail) {
            Named::Known(code) => code,
            Named::New(code, detail) => {
                facts.push(RichFact::ReasonNamed { code, kind, detail }.into());
                code
            }
        }
    }
}
