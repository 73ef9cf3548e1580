//! Endpoints that are not in service yet: brought to the approved patches outside rings, and told of when they have them
//! (semantics S5).

use super::Facts;
use crate::fleet::RichFact;
use crate::fleet::message::observation::Standing;
use crate::fleet::state::{CandidateEntry, State};
use crate::fleet::table::conditions::Bits;
use crate::ids::{CandidateId, EndpointIx};
use crate::inventory::Environment;
use crate::rollout::RolloutState;
use crate::time::Timestamp;

impl State {
    /// Whether an endpoint is not in service yet and has not everything that is approved for it.
    pub(crate) fn is_onboarding(&self, endpoint: EndpointIx) -> bool {
        self.endpoints.slot(endpoint).is_some_and(|slot| slot.conditions.has(Bits::ONBOARDING))
    }

    /// A patch that an endpoint must have before its service and does not have: it is approved and needed there, and a
    /// rollout of it that means the endpoint has completed, or had taken it before.
    pub(crate) fn missing_before_service(&self, now: Timestamp, endpoint: EndpointIx) -> Option<CandidateId> {
        let is_missing = |entry: &&CandidateEntry| {
            let id = entry.candidate.identified().id();
            let approved = entry.candidate.approved().is_some_and(|approved| now < approved.expires());
            let needs = entry.needs.get(endpoint).is_some_and(|need| need.standing == Standing::Needs);
            approved
                && needs
                && entry.held.is_none()
                && !self.is_done(entry, endpoint)
                && !self.is_replaced_there(id, endpoint)
                && self.taken_up_by(entry, endpoint).and_then(|rollout| self.rollout(rollout)).is_some_and(
                    |rollout| {
                        rollout.state() == RolloutState::Completed
                            || rollout.present_member_of(endpoint).is_some()
                    },
                )
        };
        self.candidates.iter().find(is_missing).map(|entry| entry.candidate.identified().id())
    }
}

/// An endpoint that has everything may go into service. One that is out of contact or was not read may lack what nobody
/// has seen yet.
pub(crate) fn onboarded(state: &State, now: Timestamp, endpoint: EndpointIx, facts: &mut Facts) {
    let Some(slot) = state.endpoints.slot(endpoint).filter(|slot| !slot.gone) else { return };
    let unsure = Bits::UNREACHABLE.with(Bits::STALE).with(Bits::QUARANTINED);
    if slot.conditions.has(Bits::ONBOARDING)
        && !slot.conditions.has(unsure)
        && slot.environment == Environment::Production
        && slot.active().is_none()
        && state.resync.is_none()
        && state.missing_before_service(now, endpoint).is_none()
    {
        facts.push(RichFact::EndpointOnboarded { endpoint }.into());
    }
}
