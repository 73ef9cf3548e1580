//! The host: runs thousands of fleets over the SDK traits, as one future that the host product polls.
//!
//! It loads fleets from their journals, hands them what the world shows and what people ask, stores the facts that
//! they decide on, and only then carries out the effects. It spawns nothing and needs no async runtime; blocking work
//! belongs to the backends and their own threads. Dropping its future equals a crash, from which a new host on the same
//! store goes on: every fleet is replayed, what was under way is asked after, nothing is sent again blindly.
//!
//! What it does not do: decide anything (that is [`patchflow_core::fleet`]), keep fleets on several nodes apart (that
//! is the store's expected end, and a lease if there is one).
//!
//! Invariant 1 is kept here: effects come out of a fleet's outbox only with the store's receipt. An append whose
//! outcome is not known is repeated with identical bytes, and the fleet takes nothing in until it is settled.

mod backends;
mod builder;
mod driver;
mod error;
mod handle;
pub mod identify;
mod limits;
mod message;
mod stats;

pub use backends::{Backends, Resolver};
pub use builder::HostBuilder;
pub use error::{AskError, BuildError, HostError, Trouble};
pub use handle::HostHandle;
pub use limits::HostLimits;
pub use stats::{HostStats, RoundsStats, Stopped};

use async_channel::Receiver;
use driver::{Driver, Parts};
use futures_util::stream::{FuturesUnordered, StreamExt};
use message::Message;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

/// What a host runs with, until it does.
type Unrun = (Parts, Receiver<Message>, Vec<identify::Rounds>);

/// Runs fleets. Made by [`Host::builder`], driven by [`Host::run`], spoken to through [`Host::handle`].
pub struct Host {
    handle: HostHandle,
    parts: Mutex<Option<Unrun>>,
}

impl Host {
    /// Collects what a host needs.
    #[must_use]
    pub fn builder() -> HostBuilder {
        HostBuilder::default()
    }

    /// A handle; there may be many.
    #[must_use]
    pub fn handle(&self) -> HostHandle {
        self.handle.clone()
    }

    /// Runs until [`HostHandle::stop`]. The future may be polled by any executor, a bare `block_on` included; to drop
    /// it is to crash, and everybody who waits on a handle is told.
    ///
    /// Troubles of single fleets do not end it: they are logged, shown in [`HostStats::troubles`], and told to whoever
    /// asks something of those fleets.
    ///
    /// # Errors
    /// [`HostError::AlreadyRan`] the second time; [`HostError::Store`] when the store cannot say which fleets it has.
    pub async fn run(&self) -> Result<Stopped, HostError> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (parts, inbox, rounds) = parts.ok_or(HostError::AlreadyRan)?;
        let desk = identify::Desk {
            handle: self.handle(),
            clock: parts.clock.clone(),
            resolver: parts.resolver.clone(),
            limits: parts.limits.clone(),
            permits: identify::Permits::new(parts.limits.rounds_in_flight_max),
        };
        let mut rounds: FuturesUnordered<_> =
            rounds.into_iter().map(|rounds| rounds.drive(desk.clone())).collect();
        let mut driver = pin!(Driver::new(parts, inbox).run());
        poll_fn(|cx| {
            // The driver first: orders and reports wait for no comparison.
            if let Poll::Ready(ended) = driver.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            while let Poll::Ready(Some(())) = rounds.poll_next_unpin(cx) {}
            Poll::Pending
        })
        .await
    }
}

/// Lets whoever polls this host do something else.
async fn give_way() {
    let mut gave = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut gave, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("handle", &self.handle).finish_non_exhaustive()
    }
}
