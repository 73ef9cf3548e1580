//! Nothing is overlooked: a fleet that is replayed, and looks at everything from the first, finds nothing to do before the
//! live one wants to be woken.

use super::{Ledger, Oracle};
use crate::sim::Sight;
use patchflow_core::fleet::{Fact, Fleet};
use patchflow_core::rollout::{Event, Phase};

#[derive(Debug)]
pub(super) struct Overlooked;

/// Whether somebody who waits for a place or for content is found not to need it: the live fleet says so when their turn comes.
fn is_early(live: &Fleet, fact: &Fact) -> bool {
    let Fact::Endpoint(fact) = fact else { return false };
    let settles = matches!(
        fact.event,
        Event::Skipped | Event::Held | Event::Cancelled | Event::Removed | Event::Attached
    );
    let rollout = live.rollout(fact.rollout).filter(|_| settles);
    let member = rollout.and_then(|rollout| rollout.members().get(fact.member.index()));
    member.is_some_and(|member| matches!(member.phase(), Phase::Waiting | Phase::Deferred))
}

impl Oracle for Overlooked {
    fn name(&self) -> &'static str {
        "nothing is overlooked"
    }

    fn see(&mut self, sight: Sight<'_>, _: &Ledger, says: &mut dyn FnMut(String)) {
        let Sight::Beside(live, facts) = sight else { return };
        if let Some(first) = facts.first()
            && !facts.iter().any(|found| is_early(live, &found.fact))
        {
            let more = facts.len() - 1;
            says(format!("after a replay there is {:?} to do at {}, and {more} more", first.fact, first.at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::synthetic::Stage;
    use patchflow_core::fleet::{EndpointFact, EndpointSet, Outbox, Recorded, RichFact};
    use patchflow_core::ids::{FleetId, MemberIx, RolloutId, Seq};

    #[test]
    fn what_only_a_replayed_fleet_finds_to_do_is_caught() {
        let at = "2026-11-21T08:00:00Z".parse().unwrap();
        let live = Fleet::found(FleetId(1), "acme", 1, at, &mut Outbox::new());
        let ordered = EndpointFact {
            rollout: RolloutId(0),
            member: MemberIx(0),
            event: Event::Ordered,
            reason: 0,
            due: 9,
        };
        let read = RichFact::ScansAsked { endpoints: EndpointSet::default(), due: 9 };
        for fact in [Fact::Endpoint(ordered), read.into()] {
            let found = [Recorded { seq: Seq(2), at, fact }];
            let mut stage = Stage::with(Box::new(Overlooked));
            stage.sight(Sight::Beside(&live, &[]));
            assert!(stage.caught().is_empty());
            stage.sight(Sight::Beside(&live, &found));
            assert!(stage.caught()[0].contains("after a replay there is"), "{:?}", stage.caught());
        }
    }
}
