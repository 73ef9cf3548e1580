//! A fact and its place in the journal: one event of one member, or anything else.

use crate::fleet::RichFact;
use crate::ids::{MemberIx, RolloutId, Seq};
use crate::rollout::Event;
use crate::time::Timestamp;
use alloc::boxed::Box;
use serde::{Deserialize, Serialize};

/// A fact with its place in the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its position, from 1, without gaps.
    pub seq: Seq,
    /// When it was decided; never earlier than the fact before it.
    pub at: Timestamp,
    /// The fact.
    pub fact: Fact,
}

/// What happened: many small things to endpoints, few rich things to everything else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fact {
    /// One event of one member; packed into frames in the journal.
    Endpoint(EndpointFact),
    /// Anything else; readable as text in the journal.
    Rich(Box<RichFact>),
}

impl From<RichFact> for Fact {
    fn from(fact: RichFact) -> Self {
        Self::Rich(Box::new(fact))
    }
}

/// One event of one member of one rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointFact {
    /// The rollout.
    pub rollout: RolloutId,
    /// The member.
    pub member: MemberIx,
    /// What happened.
    pub event: Event,
    /// Index into the fleet's table of reasons (see [`RichFact::ReasonNamed`]); 0 for none.
    pub reason: u16,
    /// Seconds since the fleet's epoch at which the next thing is due; 0 for nothing.
    pub due: u32,
}

const _: () = assert!(size_of::<EndpointFact>() == 16);
