//! The host product's side: ask, tell, look, stop.

use super::error::AskError;
use super::message::{Ask, Message, Seen};
use super::stats::{HostStats, SharedStats};
use async_channel::Sender;
use futures_channel::oneshot;
use patchflow_core::fleet::{Fleet, Observation, Outcome, Request};
use patchflow_core::ids::FleetId;

/// Speaks to a running [`Host`](super::Host); clones speak to the same one.
///
/// Every method that waits does so until the host's [`run`](super::Host::run) is polled; before it begins, messages
/// wait for it. Any of the futures may be dropped: a request that was taken in is carried out all the same.
#[derive(Clone, Debug)]
pub struct HostHandle {
    pub(super) inbox: Sender<Message>,
    pub(super) stats: SharedStats,
}

impl HostHandle {
    /// Founds a fleet; returns once its first fact is stored.
    ///
    /// # Errors
    /// [`AskError::FleetExists`] when the store has a stream of that id, and whatever kept it from being stored.
    pub async fn found(&self, fleet: FleetId, name: impl Into<String>, seed: u64) -> Result<(), AskError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Ask(fleet, Ask::Found { name: name.into(), seed, reply })).await?;
        answer.await.unwrap_or(Err(AskError::Unsettled))
    }

    /// Asks something of a fleet; returns once the facts that answer it are stored.
    ///
    /// # Errors
    /// [`AskError::Refused`] when the fleet says no. After [`AskError::Unsettled`] repeat the request under its id.
    pub async fn request(&self, fleet: FleetId, request: Request) -> Result<Outcome, AskError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Ask(fleet, Ask::Request(Box::new(request), reply))).await?;
        answer.await.unwrap_or(Err(AskError::Unsettled))
    }

    /// Tells a fleet what the world shows; returns once the fleet has taken it in, which it does not while too many of
    /// its facts wait to be stored or too many of its effects are open. It need not be stored by then: what a crash
    /// takes away is seen again.
    ///
    /// # Errors
    /// When there is no such fleet or it is not driven here. The fleet itself refuses nothing.
    pub async fn observe(&self, fleet: FleetId, seen: Observation<'static>) -> Result<(), AskError> {
        self.observe_all(fleet, vec![seen]).await
    }

    /// Tells a fleet several things, in their order, as [`HostHandle::observe`] does.
    ///
    /// # Errors
    /// As [`HostHandle::observe`].
    pub async fn observe_all(
        &self,
        fleet: FleetId,
        observations: Vec<Observation<'static>>,
    ) -> Result<(), AskError> {
        let (reply, answer) = oneshot::channel();
        self.send(Message::Seen(fleet, Seen { observations, reply: Some(reply) })).await?;
        answer.await.unwrap_or(Err(AskError::Unsettled))
    }

    /// Looks at a fleet. What it shows may be ahead of the store by the facts that are being stored.
    ///
    /// The closure runs within the host's `run`, so it should be short.
    ///
    /// # Errors
    /// When there is no such fleet or it is not driven here.
    pub async fn with_fleet<R: Send + 'static>(
        &self,
        fleet: FleetId,
        look: impl FnOnce(&Fleet) -> R + Send + 'static,
    ) -> Result<R, AskError> {
        let (reply, answer) = oneshot::channel();
        let look = move |fleet: Result<&Fleet, AskError>| drop(reply.send(fleet.map(look)));
        self.send(Message::Ask(fleet, Ask::Look(Box::new(look)))).await?;
        answer.await.unwrap_or(Err(AskError::NotRunning))
    }

    /// Stops gracefully: nothing new is taken in, facts are stored, calls that are under way get their grace. Returns
    /// when the host has ended, which [`Host::run`](super::Host::run) reports.
    pub async fn stop(&self) {
        if self.inbox.send(Message::Stop).await.is_ok() {
            // The driver closes its end when it has ended.
            self.inbox.closed().await;
        }
    }

    /// What the host has done and holds.
    #[must_use]
    pub fn stats(&self) -> HostStats {
        self.stats.lock().clone()
    }

    async fn send(&self, message: Message) -> Result<(), AskError> {
        self.inbox.send(message).await.map_err(|_| AskError::NotRunning)
    }
}
