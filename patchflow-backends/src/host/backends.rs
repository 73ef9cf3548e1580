//! The backends that carry out what fleets decide, and which fleet uses which.

use patchflow_core::error::Finding;
use patchflow_core::fleet::Fleet;
use patchflow_core::ids::FleetId;
use patchflow_core::policy::Policy;
use patchflow_core::sdk::{
    Approver, HealthSource, HookRunner, Installer, Inventory, JournalStore, Manifest, Mismatch, Notifier,
    PluginKind, Probe, Waker, negotiate,
};
use std::fmt;
use std::sync::Arc;

/// One set of backends. Fleets that get the same [`Arc`] share their queues, batches and limits.
///
/// ```no_run
/// # use std::sync::Arc;
/// # use patchflow_core::sdk::{Installer, Inventory, Probe};
/// # fn example(installer: Arc<dyn Installer>, inventory: Arc<dyn Inventory>, smoke: Arc<dyn Probe>) {
/// use patchflow_backends::host::Backends;
/// let backends = Backends::new(installer, inventory).with_probe(smoke);
/// # }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Backends {
    /// Installs, rolls back, reboots.
    pub installer: Arc<dyn Installer>,
    /// Reads endpoints after an operation.
    pub inventory: Arc<dyn Inventory>,
    /// Smoke tests after an operation; every one is asked about every endpoint.
    pub probes: Vec<Arc<dyn Probe>>,
    /// Alerts of cohorts.
    pub health: Option<Arc<dyn HealthSource>>,
    /// Runs hooks; without one, every hook fails.
    pub hooks: Option<Arc<dyn HookRunner>>,
    /// Wakes endpoints before their windows; without one, nobody is woken.
    pub waker: Option<Arc<dyn Waker>>,
    /// Asks people outside; without one, people answer through requests only.
    pub approver: Option<Arc<dyn Approver>>,
    /// Tells people.
    pub notifier: Option<Arc<dyn Notifier>>,
}

impl Backends {
    /// What every fleet needs.
    #[must_use]
    pub fn new(installer: Arc<dyn Installer>, inventory: Arc<dyn Inventory>) -> Self {
        Self {
            installer,
            inventory,
            probes: Vec::new(),
            health: None,
            hooks: None,
            waker: None,
            approver: None,
            notifier: None,
        }
    }

    /// With one more probe.
    #[must_use]
    pub fn with_probe(mut self, probe: Arc<dyn Probe>) -> Self {
        self.probes.push(probe);
        self
    }

    /// With a source of alerts and metrics.
    #[must_use]
    pub fn with_health(mut self, health: Arc<dyn HealthSource>) -> Self {
        self.health = Some(health);
        self
    }

    /// With a way to run hooks.
    #[must_use]
    pub fn with_hooks(mut self, hooks: Arc<dyn HookRunner>) -> Self {
        self.hooks = Some(hooks);
        self
    }

    /// With a way to wake endpoints before their windows.
    #[must_use]
    pub fn with_waker(mut self, waker: Arc<dyn Waker>) -> Self {
        self.waker = Some(waker);
        self
    }

    /// With a way to ask people outside.
    #[must_use]
    pub fn with_approver(mut self, approver: Arc<dyn Approver>) -> Self {
        self.approver = Some(approver);
        self
    }

    /// With a way to tell people.
    #[must_use]
    pub fn with_notifier(mut self, notifier: Arc<dyn Notifier>) -> Self {
        self.notifier = Some(notifier);
        self
    }

    /// What a policy asks for that these backends do not do, and what then stands still. The host logs it when a fleet is
    /// loaded and when its policy changes; ask yourself to show it to people before they adopt one.
    #[must_use]
    pub fn findings(&self, policy: &Policy) -> Vec<Finding> {
        self.installer.capabilities().findings(policy)
    }

    /// Warns of what the policy of a fleet asks for in vain.
    pub(super) fn warn_of(&self, fleet: &Fleet) {
        let Some((policy, _)) = fleet.policy() else { return };
        for finding in self.findings(policy) {
            tracing::warn!(fleet = %fleet.id(), %finding, "the policy asks for what its backends do not do");
        }
    }

    /// Whether each of them fits this version of the traits and the role it is given.
    ///
    /// # Errors
    /// The first that does not, with what would mend it.
    pub fn check(&self) -> Result<(), Mismatch> {
        let fits = |manifest: Manifest, kind| negotiate(&manifest, kind, &[]);
        fits(self.installer.manifest(), PluginKind::Installer)?;
        fits(self.inventory.manifest(), PluginKind::Inventory)?;
        self.probes.iter().try_for_each(|probe| fits(probe.manifest(), PluginKind::Probe))?;
        self.health.iter().try_for_each(|health| fits(health.manifest(), PluginKind::HealthSource))?;
        self.hooks.iter().try_for_each(|hooks| fits(hooks.manifest(), PluginKind::HookRunner))?;
        self.waker.iter().try_for_each(|waker| fits(waker.manifest(), PluginKind::Waker))?;
        self.approver.iter().try_for_each(|approver| fits(approver.manifest(), PluginKind::Approver))?;
        self.notifier.iter().try_for_each(|notifier| fits(notifier.manifest(), PluginKind::Notifier))
    }
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backends")
            .field("installer", &self.installer.manifest().name)
            .field("inventory", &self.inventory.manifest().name)
            .field("probes", &self.probes.len())
            .finish_non_exhaustive()
    }
}

/// Whether a store fits.
pub(super) fn check_store(store: &dyn JournalStore) -> Result<(), Mismatch> {
    negotiate(&store.manifest(), PluginKind::JournalStore, &[])
}

/// Says which backends a fleet uses; `None` when this host does not drive the fleet.
pub type Resolver = Arc<dyn Fn(FleetId) -> Option<Arc<Backends>> + Send + Sync>;
