//! Rounds of questions to the inventory: every endpoint once, spread over a while (semantics S5).
//!
//! A turn asks for every endpoint whose index leaves its remainder, so that it costs in proportion to the endpoints it
//! asks for, needs no timer for each of them, and neighbours in the list are not asked for together. What is answered
//! in time leaves no fact.

use crate::fleet::EndpointSet;
use crate::fleet::state::State;
use crate::fleet::table::conditions::Bits;
use crate::fleet::table::rounds::OpenTurn;
use crate::ids::EndpointIx;

impl State {
    /// The endpoints of one turn that can be read at all.
    pub(crate) fn of_turn(&self, turn: u32, turns: u32) -> impl Iterator<Item = EndpointIx> + '_ {
        let here = |ix: &EndpointIx| {
            self.endpoints.slot(*ix).is_some_and(|slot| !slot.gone && !slot.conditions.has(Bits::UNREACHABLE))
        };
        let all = (turn as usize..self.endpoints.len()).step_by(turns.max(1) as usize);
        all.map(|i| EndpointIx(i as u32)).filter(here)
    }

    /// When the next turn comes, in seconds since the fleet's epoch; none comes after the last second that they count.
    pub(crate) fn next_turn_at(&self) -> Option<u32> {
        let (policy, _) = self.policy.as_ref().filter(|_| self.endpoints.len() > 0)?;
        let (policy, rounds) = (&policy.endpoints, &self.rounds);
        if rounds.turn + 1 < rounds.turns || rounds.wanted {
            let pause = policy.scan_spread_secs / rounds.turns.max(1);
            return if rounds.turns == 0 { Some(0) } else { rounds.asked_at.checked_add(pause.max(1)) };
        }
        policy.scan_every_secs.and_then(|every| rounds.started_at.checked_add(every))
    }

    /// Those of a turn that were not answered for and are not known to be stale already.
    pub(crate) fn missed(&self, open: OpenTurn) -> EndpointSet {
        let missed = |ix: &EndpointIx| {
            let is_stale = |slot: &crate::fleet::table::slot::Slot| slot.conditions.has(Bits::STALE);
            self.cache.awaited.contains(ix) && !self.endpoints.slot(*ix).is_some_and(is_stale)
        };
        self.of_turn(open.turn, open.turns).filter(missed).collect()
    }
}
