//! What an observer of a world gets to see.

use super::Stage;
use patchflow_core::error::{CorruptJournal, Refusal};
use patchflow_core::fleet::{Effect, Fleet, Observation, Outcome, Recorded, Request};
use patchflow_core::ids::OrderId;
use patchflow_core::rollout::Order;
use patchflow_core::time::Timestamp;

/// One thing to see, in the order in which it happens.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Sight<'a> {
    /// A fact is stored for good.
    Stored(&'a Recorded),
    /// An effect leaves the host.
    Left(&'a Effect),
    /// The host hears something.
    Heard(&'a Observation<'static>),
    /// Somebody asked something.
    Asked(&'a Request, &'a Result<Outcome, Refusal>),
    /// The people at an endpoint put an order off.
    PutOff(OrderId),
    /// An endpoint begins an operation; the name is the endpoint's.
    Began(&'a str, &'a Order),
    /// An endpoint ends an operation, and how.
    Ended(&'a str, &'a Order, &'a Stage),
    /// Another machine comes under the name of one that left, and remembers nothing of it.
    Replaced(&'a str),
    /// The journal could not be replayed.
    ReplayFailed(&'a CorruptJournal),
    /// The engine promises a deadline and does not move on when it is told that it has come.
    Stalled(Timestamp),
    /// The host crashed; what was not stored is lost.
    Crashed,
    /// The host is back by replay. The first is what was before the crash when nothing was lost.
    Recovered(Option<&'a Fleet>, &'a Fleet),
    /// A fleet that was replayed beside the live one, at an instant at which everything was stored.
    Replayed(&'a Fleet, &'a Fleet),
    /// The live fleet, and what one that was replayed beside it found to do before the live one wants to be woken.
    Beside(&'a Fleet, &'a [Recorded]),
    /// The host went away.
    Away,
    /// The host is back after so many seconds, and its clock shows this.
    Back(u64, Timestamp),
    /// Nothing goes wrong any more.
    FaultsStopped,
    /// The world comes to its end.
    Finished(&'a Fleet),
}

/// Somebody who watches a world.
pub trait Watch: std::fmt::Debug {
    /// Sees one thing. The time is the world's, not what the host's clock shows.
    fn see(&mut self, at: Timestamp, sight: Sight<'_>);
}
