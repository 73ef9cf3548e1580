//! Rounds of questions to the inventory: every endpoint once, spread over a while (semantics S5).
//!
//! A turn asks for every endpoint whose index leaves its remainder, so that it costs in proportion to the endpoints it
//! asks for, needs no timer for each of them, and neighbours in the list are not asked for together. What is answered
//! in time leaves no fact.

use super::EndpointSet;
use super::conditions::Bits;
use super::state::State;
use crate::ids::EndpointIx;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Turns of a round at most.
const TURNS_MAX: u32 = 144;
/// Below so many endpoints a turn, a round has fewer turns.
const TURN_ENDPOINTS: u32 = 64;

/// A turn whose answers are awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OpenTurn {
    pub(crate) turn: u32,
    pub(crate) turns: u32,
    /// In seconds since the fleet's epoch.
    pub(crate) due: u32,
}

/// Where the rounds stand. Times in seconds since the fleet's epoch, from which the first round counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rounds {
    pub(crate) started_at: u32,
    pub(crate) asked_at: u32,
    /// The last turn that was asked.
    pub(crate) turn: u32,
    /// How many turns the round has; 0 before the first.
    pub(crate) turns: u32,
    /// Another round follows at once.
    pub(crate) wanted: bool,
    pub(crate) open: Vec<OpenTurn>,
}

impl Rounds {
    pub(crate) fn asked(&mut self, open: OpenTurn, now: u32) {
        if open.turn == 0 {
            (self.started_at, self.wanted) = (now, false);
        }
        (self.turn, self.turns, self.asked_at) = (open.turn, open.turns, now);
        self.open.push(open);
    }

    pub(crate) fn ended(&mut self, turn: u32, turns: u32) {
        self.open.retain(|open| (open.turn, open.turns) != (turn, turns));
    }
}

/// How many turns a round over so many endpoints has.
pub(crate) fn turns_for(endpoints: usize) -> u32 {
    (u32::try_from(endpoints).unwrap_or(u32::MAX) / TURN_ENDPOINTS).clamp(1, TURNS_MAX)
}

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
            let is_stale = |slot: &super::endpoints::Slot| slot.conditions.has(Bits::STALE);
            self.cache.awaited.contains(ix) && !self.endpoints.slot(*ix).is_some_and(is_stale)
        };
        self.of_turn(open.turn, open.turns).filter(missed).collect()
    }
}
