//! Where the content of members is, for those who explain it.

use super::Fleet;
use super::decide::At;
use super::turns::MemberTurn;
use crate::ids::{MemberIx, RolloutId};
use crate::rollout::StageState;
use crate::time::Timestamp;
use alloc::format;
use alloc::string::String;

/// Where the content of one member is, where the policy wants it there before its window (semantics S4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentView {
    /// It has not been asked for.
    Wanted {
        /// From when it is; `None` when that is now, as soon as there is a place.
        from: Option<Timestamp>,
    },
    /// It is being staged.
    Asked {
        /// When that is late.
        until: Timestamp,
    },
    /// It is there, with the digest that was approved.
    There {
        /// Until when it is good.
        until: Timestamp,
    },
    /// It could not be staged.
    Failed {
        /// Why, for [`Fleet::reason`].
        reason: u16,
        /// When it is tried again.
        again: Timestamp,
    },
    /// It could not be staged, as often as the policy allows or for a reason that does not get better by itself.
    GivenUp {
        /// Why, for [`Fleet::reason`].
        reason: u16,
        /// When it begins anew; `None` for when a person says so.
        again: Option<Timestamp>,
    },
}

impl Fleet {
    /// Where the content of a member is; `None` when there is no such member, or its policy does not want it staged.
    #[must_use]
    pub fn content(&self, rollout: RolloutId, member: MemberIx) -> Option<ContentView> {
        let at = self.state.member(rollout, member).filter(|at| at.rollout.is_staged_first())?;
        let slot = at.rollout.stages.get(member);
        let due = self.state.at(slot.due);
        Some(match slot.state {
            StageState::Asked => ContentView::Asked { until: due },
            StageState::Staged if slot.is_good(self.state.secs(self.state.cache.now)) => {
                ContentView::There { until: due }
            }
            StageState::None | StageState::Staged => ContentView::Wanted { from: self.staged_from(at) },
            StageState::Failed => ContentView::Failed { reason: slot.reason, again: due },
            StageState::GivenUp => {
                ContentView::GivenUp { reason: slot.reason, again: (slot.due != 0).then_some(due) }
            }
        })
    }

    fn staged_from(&self, at: At<'_>) -> Option<Timestamp> {
        let (MemberTurn::Opens(opens) | MemberTurn::Spread(opens) | MemberTurn::Due { due: opens, .. }) =
            self.turn(at.rollout.id(), at.ix)
        else {
            return None;
        };
        let lead = i64::from(at.rollout.policy().staging.lead_secs) * 1000;
        let from = Timestamp::from_millis(opens.as_millis() - lead);
        (from > self.state.cache.now).then_some(from)
    }

    /// The bound on stagings that has no place left for a member, as a sentence; `None` when none stands in its way.
    #[must_use]
    pub fn full_staging(&self, rollout: RolloutId, member: MemberIx) -> Option<String> {
        let at = self.state.member(rollout, member)?;
        let stagings = &self.state.cache.stagings;
        if let Some((taken, most)) = stagings.fleet().filter(|(taken, most)| taken >= most) {
            return Some(format!("{taken} endpoints are being staged in the fleet, at most {most} may be"));
        }
        if let Some(at) = self.state.stages_again_at(self.state.cache.now) {
            return Some(format!(
                "the stagings that the policy allows in a time are used up, the next may begin at {at}"
            ));
        }
        let scope = stagings.scope_of(&self.state.endpoints, at.member.endpoint());
        let (within, taken, most) = stagings.scope(stagings.full_scope(scope)?)?;
        Some(format!("{taken} endpoints are being staged in `{within}`, at most {most} may be"))
    }
}
