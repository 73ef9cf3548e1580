//! Rounds that the host drives itself: one after another for each fleet, in its own future, beside everything else.
//!
//! A round that fails or takes too long is told in [`HostStats::rounds`](crate::host::HostStats::rounds) and in the log, and
//! repeated with rising waits, at the latest after its period. It holds nothing else up: between pages and patches the host
//! gets its turn, and what a round tells waits behind no order.

use super::{Identifier, IdentifyError, Round};
use crate::host::limits::HostLimits;
use crate::host::stats::SharedStats;
use crate::host::{AskError, HostHandle, Resolver, RoundsStats};
use async_channel::{Receiver, Sender};
use futures_util::future::{self, Either};
use futures_util::lock::Mutex;
use patchflow_core::ids::FleetId;
use patchflow_core::sdk::Clock;
use std::error::Error;
use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// An [`Identifier`] with the period of its rounds, for [`HostBuilder::rounds`](crate::host::HostBuilder::rounds). Clones
/// are about the same one, so whoever keeps one can look at it and ask for a round at once.
///
/// ```no_run
/// # use patchflow_backends::host::{Host, identify::{Identifier, Rounds}};
/// # use patchflow_core::{ids::FleetId, sdk::PatchSource};
/// # use std::{sync::Arc, time::Duration};
/// # fn embed(archive: Arc<dyn PatchSource>) {
/// let rounds = Rounds::every(Duration::from_secs(900), Identifier::new(FleetId(7)).source(archive));
/// let host = Host::builder().rounds(rounds.clone());
/// // Something new was published: no need to wait.
/// rounds.now();
/// # }
/// ```
#[derive(Clone)]
pub struct Rounds(Arc<Shared>);

struct Shared {
    fleet: FleetId,
    every: Duration,
    /// Held for as long as a round goes on.
    identifier: Mutex<Identifier>,
    wanted: (Sender<()>, Receiver<()>),
}

/// What rounds need of their host.
#[derive(Clone)]
pub(in crate::host) struct Desk {
    pub(in crate::host) handle: HostHandle,
    pub(in crate::host) clock: Arc<dyn Clock>,
    pub(in crate::host) resolver: Resolver,
    pub(in crate::host) limits: Arc<HostLimits>,
    pub(in crate::host) permits: Permits,
}

/// How many rounds may be under way.
#[derive(Clone)]
pub(in crate::host) struct Permits(Sender<()>, Receiver<()>);

impl Permits {
    pub(in crate::host) fn new(count: usize) -> Self {
        let (taken, given) = async_channel::bounded(count.max(1));
        Self(taken, given)
    }

    async fn take(&self) -> Permit<'_> {
        // It cannot be closed: both ends are here.
        let _ = self.0.send(()).await;
        Permit(&self.1)
    }
}

struct Permit<'a>(&'a Receiver<()>);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let _ = self.0.try_recv();
    }
}

/// How a round ended.
enum Ended {
    Well(Round),
    Badly(String),
    /// The host stops, or drives the fleet no more.
    ForGood,
}

impl Rounds {
    /// A round at once when the host begins to run, and then one such a time after each has ended.
    #[must_use]
    pub fn every(period: Duration, identifier: Identifier) -> Self {
        let (fleet, identifier) = (identifier.fleet(), Mutex::new(identifier));
        Self(Arc::new(Shared { fleet, every: period, identifier, wanted: async_channel::bounded(1) }))
    }

    /// For which fleet.
    #[must_use]
    pub fn fleet(&self) -> FleetId {
        self.0.fleet
    }

    /// Asks for a round as soon as the one that is under way, if any, has ended.
    pub fn now(&self) {
        // One that waits already is enough.
        let _ = self.0.wanted.0.try_send(());
    }

    /// Looks at what is known, such as [`Identifier::why`], once the round that is under way has ended. The look should be
    /// short: the next round waits for it.
    pub async fn look<R>(&self, look: impl FnOnce(&Identifier) -> R) -> R {
        look(&*self.0.identifier.lock().await)
    }

    /// How long it waits between rounds.
    pub(in crate::host) fn period(&self) -> Duration {
        self.0.every
    }

    /// Drives rounds until the host stops.
    pub(in crate::host) async fn drive(self, desk: Desk) {
        let Desk { handle, clock, limits, .. } = &desk;
        // Whatever another host was told, this one may not have stored.
        self.0.identifier.lock().await.forget();
        loop {
            let ended = {
                let _permit = desk.permits.take().await;
                // Who asked until now gets this one.
                let _ = self.0.wanted.1.try_recv();
                self.tell(&handle.stats, |stats| stats.under_way = true);
                self.one(&desk).await
            };
            let wait = match ended {
                Ended::ForGood => return,
                Ended::Well(round) => {
                    self.tell(&handle.stats, |stats| {
                        *stats = RoundsStats {
                            done: stats.done + 1,
                            failed: stats.failed,
                            last: Some(round),
                            ended_at: Some(clock.now()),
                            ..RoundsStats::default()
                        };
                    });
                    self.0.every
                }
                Ended::Badly(error) => {
                    let mut failures = 0;
                    self.tell(&handle.stats, |stats| {
                        stats.failed += 1;
                        stats.failed_in_a_row = stats.failed_in_a_row.saturating_add(1);
                        (stats.under_way, stats.error) = (false, Some(error));
                        failures = stats.failed_in_a_row;
                    });
                    limits.wait_after(failures).min(self.0.every)
                }
            };
            let asked = pin!(self.0.wanted.1.recv());
            future::select(clock.sleep_until(clock.now().plus(wait)), asked).await;
        }
    }

    async fn one(&self, desk: &Desk) -> Ended {
        let Desk { handle, clock, resolver, limits, .. } = desk;
        let Some(backends) = resolver(self.0.fleet) else { return Ended::ForGood };
        let mut identifier = self.0.identifier.lock().await;
        identifier.paths_or(|| backends.installer.capabilities().paths);
        let round = pin!(identifier.round(handle, &*backends.inventory));
        let limit = clock.sleep_until(clock.now().plus(limits.round_timeout));
        let error = match future::select(round, limit).await {
            Either::Left((Ok(round), _)) => return Ended::Well(round),
            Either::Left((Err(IdentifyError::Ask(AskError::NotRunning)), _)) => return Ended::ForGood,
            Either::Left((Err(error), _)) => whole(&error),
            Either::Right(((), _)) => {
                format!("it took longer than {} seconds and was given up", limits.round_timeout.as_secs())
            }
        };
        tracing::warn!(fleet = %self.0.fleet, %error, "a round of identification failed");
        Ended::Badly(error)
    }

    fn tell(&self, stats: &SharedStats, change: impl FnOnce(&mut RoundsStats)) {
        change(stats.lock().rounds.entry(self.0.fleet).or_default());
    }
}

/// An error with all that is behind it, in one line.
fn whole(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        line.push_str(": ");
        line.push_str(&source.to_string());
        next = source.source();
    }
    line
}

impl fmt::Debug for Rounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rounds")
            .field("fleet", &self.0.fleet)
            .field("every", &self.0.every)
            .finish_non_exhaustive()
    }
}
