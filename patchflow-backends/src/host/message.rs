//! What handles send to the driver.

use super::error::AskError;
use futures_channel::oneshot;
use patchflow_core::fleet::{Fleet, Observation, Outcome, Request};
use patchflow_core::ids::FleetId;

/// Answers one caller. A caller that is gone is no error.
pub(super) type Reply<T> = oneshot::Sender<Result<T, AskError>>;

/// Looks at a fleet, or learns why it cannot.
pub(super) type Look = Box<dyn FnOnce(Result<&Fleet, AskError>) + Send>;

/// Something asked of a fleet, in the order in which it was asked.
pub(super) enum Ask {
    Request(Box<Request>, Reply<Outcome>),
    Look(Look),
    Found { name: String, seed: u64, reply: Reply<()> },
}

impl Ask {
    pub(super) fn refuse(self, why: AskError) {
        match self {
            Self::Request(_, reply) => drop(reply.send(Err(why))),
            Self::Found { reply, .. } => drop(reply.send(Err(why))),
            Self::Look(look) => look(Err(why)),
        }
    }
}

/// Observations that are taken in together, and the caller who waits for that; none for those of backends.
pub(super) struct Seen {
    pub(super) observations: Vec<Observation<'static>>,
    pub(super) reply: Option<Reply<()>>,
}

impl Seen {
    /// Whether the caller gave up before it was taken in.
    pub(super) fn is_abandoned(&self) -> bool {
        self.reply.as_ref().is_some_and(oneshot::Sender::is_canceled)
    }
}

pub(super) enum Message {
    Ask(FleetId, Ask),
    Seen(FleetId, Seen),
    Stop,
}
