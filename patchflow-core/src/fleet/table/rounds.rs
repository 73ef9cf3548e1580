//! Where the rounds of questions to the inventory stand.

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
