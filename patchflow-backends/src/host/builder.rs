//! Putting a host together, with every backend checked before anything runs.

use super::Host;
use super::backends::{Backends, Resolver, check_store};
use super::driver::Parts;
use super::error::BuildError;
use super::handle::HostHandle;
use super::identify::Rounds;
use super::limits::HostLimits;
use super::stats::SharedStats;
use patchflow_core::ids::FleetId;
use patchflow_core::sdk::{
    Approver, Clock, HealthSource, HookRunner, Installer, Inventory, JournalStore, Lease, Notifier, Probe,
    Waker,
};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// Collects what a [`Host`] needs: a store, a clock, and for its fleets an installer and an inventory.
#[derive(Default)]
pub struct HostBuilder {
    store: Option<Arc<dyn JournalStore>>,
    clock: Option<Arc<dyn Clock>>,
    installer: Option<Arc<dyn Installer>>,
    inventory: Option<Arc<dyn Inventory>>,
    probes: Vec<Arc<dyn Probe>>,
    health: Option<Arc<dyn HealthSource>>,
    hooks: Option<Arc<dyn HookRunner>>,
    waker: Option<Arc<dyn Waker>>,
    approver: Option<Arc<dyn Approver>>,
    notifier: Option<Arc<dyn Notifier>>,
    resolver: Option<Resolver>,
    lease: Option<(Arc<dyn Lease>, Arc<str>)>,
    limits: HostLimits,
    rounds: Vec<Rounds>,
}

impl HostBuilder {
    /// Where journals are kept.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn JournalStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// What tells the time.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// What installs on the endpoints of every fleet.
    #[must_use]
    pub fn installer(mut self, installer: Arc<dyn Installer>) -> Self {
        self.installer = Some(installer);
        self
    }

    /// What reads the endpoints of every fleet.
    #[must_use]
    pub fn inventory(mut self, inventory: Arc<dyn Inventory>) -> Self {
        self.inventory = Some(inventory);
        self
    }

    /// One more smoke test; every one is asked about every endpoint.
    #[must_use]
    pub fn probe(mut self, probe: Arc<dyn Probe>) -> Self {
        self.probes.push(probe);
        self
    }

    /// What knows alerts and metrics.
    #[must_use]
    pub fn health(mut self, health: Arc<dyn HealthSource>) -> Self {
        self.health = Some(health);
        self
    }

    /// What runs hooks.
    #[must_use]
    pub fn hooks(mut self, hooks: Arc<dyn HookRunner>) -> Self {
        self.hooks = Some(hooks);
        self
    }

    /// What wakes endpoints before their windows.
    #[must_use]
    pub fn waker(mut self, waker: Arc<dyn Waker>) -> Self {
        self.waker = Some(waker);
        self
    }

    /// What asks people outside.
    #[must_use]
    pub fn approver(mut self, approver: Arc<dyn Approver>) -> Self {
        self.approver = Some(approver);
        self
    }

    /// What tells people.
    #[must_use]
    pub fn notifier(mut self, notifier: Arc<dyn Notifier>) -> Self {
        self.notifier = Some(notifier);
        self
    }

    /// Instead of one set of backends for all: says which fleet uses which, and which fleets this host does not drive
    /// (`None`). It is asked once for each fleet, when the fleet is first met. Fleets that get the same [`Arc`] share
    /// batches, limits and queues.
    #[must_use]
    pub fn backends_of(
        mut self,
        resolver: impl Fn(FleetId) -> Option<Arc<Backends>> + Send + Sync + 'static,
    ) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// Who may write a fleet, on several nodes; `holder` names this one. Without it the expected end of the journal
    /// alone decides, which is safe and less polite.
    #[must_use]
    pub fn lease(mut self, lease: Arc<dyn Lease>, holder: impl Into<Arc<str>>) -> Self {
        self.lease = Some((lease, holder.into()));
        self
    }

    /// With rounds of identification for a fleet, which the host drives itself ([`Rounds`]), with the inventory of the fleet's
    /// backends and, unless the identifier has some, with the ways back that its installer knows.
    #[must_use]
    pub fn rounds(mut self, rounds: Rounds) -> Self {
        self.rounds.push(rounds);
        self
    }

    /// The numbers it runs under.
    #[must_use]
    pub fn limits(mut self, limits: HostLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The host, which does nothing until [`Host::run`] is polled.
    ///
    /// # Errors
    /// A backend that does not fit, something that is missing, a limit that is zero, rounds for one fleet twice or without a
    /// pause.
    pub fn build(self) -> Result<Host, BuildError> {
        let store = self.store.ok_or(BuildError::Missing("a journal store"))?;
        let clock = self.clock.ok_or(BuildError::Missing("a clock"))?;
        check_store(&*store)?;
        if let Some(limit) = self.limits.zero() {
            return Err(BuildError::ZeroLimit(limit));
        }
        let mut fleets = BTreeSet::new();
        for rounds in &self.rounds {
            if !fleets.insert(rounds.fleet()) {
                return Err(BuildError::RoundsTwice(rounds.fleet()));
            }
            if rounds.period().as_secs() == 0 {
                return Err(BuildError::RoundsTooOften(rounds.fleet()));
            }
        }
        let resolver = match self.resolver {
            Some(resolver) => resolver,
            None => {
                let installer = self.installer.ok_or(BuildError::Missing("an installer"))?;
                let inventory = self.inventory.ok_or(BuildError::Missing("an inventory"))?;
                let backends = Backends {
                    installer,
                    inventory,
                    probes: self.probes,
                    health: self.health,
                    hooks: self.hooks,
                    waker: self.waker,
                    approver: self.approver,
                    notifier: self.notifier,
                };
                backends.check()?;
                let backends = Arc::new(backends);
                Arc::new(move |_| Some(backends.clone())) as Resolver
            }
        };
        let (inbox, outlet) = async_channel::bounded(self.limits.inbox_messages_max);
        let stats = SharedStats::default();
        let (lease, holder) = match self.lease {
            Some((lease, holder)) => (Some(lease), holder),
            None => (None, Arc::from("")),
        };
        let limits = Arc::new(self.limits);
        let parts = Parts { store, clock, resolver, lease, holder, limits, stats: stats.clone() };
        let handle = HostHandle { inbox, stats };
        Ok(Host { handle, parts: Mutex::new(Some((parts, outlet, self.rounds))) })
    }
}
