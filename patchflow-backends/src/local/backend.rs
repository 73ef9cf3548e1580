//! What the writer of a local package manager implements.

use patchflow_core::catalog::Target;
use patchflow_core::digest::Digest;
use patchflow_core::ids::EndpointId;
use patchflow_core::inventory::EndpointRecord;
use patchflow_core::package::PackageName;
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::{Failure, InstallOrder, Level, RebootOrder, RevertOrder, StageOrder};
use patchflow_core::sdk::InstallerCapabilities;
use patchflow_core::time::Timestamp;
use std::path::PathBuf;

/// A package manager on this machine, seen endpoint by endpoint. Everything blocks; `LocalInstaller` runs it on
/// threads it owns.
///
/// The runtime calls at most one of `install`, `revert`, `reboot`, `recover` and `set_hold` for an endpoint at a
/// time; `record`, `level`, `stage`, `reboot_required` and `preflight` may come meanwhile and must change nothing.
pub trait LocalBackend: Send + Sync + 'static {
    /// The name under which it introduces itself.
    fn name(&self) -> &str;

    /// What it can do beyond installing. `recalls` is the runtime's own and always true.
    fn capabilities(&self) -> InstallerCapabilities;

    /// The endpoints there are now.
    fn endpoints(&self) -> Vec<EndpointId>;

    /// Directory (on the endpoint's own storage) where the runtime may keep its ledger for this endpoint. It is made
    /// when it is not there. `None` for an endpoint that is not known here.
    fn state_dir(&self, endpoint: &EndpointId) -> Option<PathBuf>;

    /// What stands on an endpoint.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn record(&self, endpoint: &EndpointId, now: Timestamp) -> Result<EndpointRecord, Failure<'static>>;

    /// The level of the target's package, from the package database, never from what an earlier call returned.
    fn level(&self, endpoint: &EndpointId, target: &Target) -> Level<'static>;

    /// Whether the endpoint waits for a reboot.
    fn reboot_required(&self, endpoint: &EndpointId) -> bool;

    /// Looks whether an install would begin, and which way back is really there. Changes nothing.
    ///
    /// # Errors
    /// What stands in its way.
    fn preflight(&self, order: &InstallOrder) -> Result<RollbackPath, Failure<'static>>;

    /// Brings a patch's content to the endpoint, installs nothing, and returns the digest of what lies there then, read
    /// anew from there. Called again for what is there already, it brings nothing and answers the same. It may run
    /// beside operations, and more than once at a time.
    ///
    /// # Errors
    /// Why it failed. [`FailureKind::Unsupported`](patchflow_core::sdk::FailureKind) for a manager that cannot.
    fn stage(&self, order: &StageOrder) -> Result<Digest, Failure<'static>> {
        let _ = order;
        let kind = patchflow_core::sdk::FailureKind::Unsupported;
        Err(Failure::new(kind, "this package manager does not stage content"))
    }

    /// Throws staged content away, when it is there.
    fn unstage(&self, endpoint: &EndpointId, content: Digest) {
        let _ = (endpoint, content);
    }

    /// Installs the exact version, and returns when that has ended.
    ///
    /// # Errors
    /// Why it failed. The runtime does not retry.
    fn install(&self, order: &InstallOrder) -> Result<(), Failure<'static>>;

    /// Brings the package back to the level that the order names.
    ///
    /// # Errors
    /// Why it failed.
    fn revert(&self, order: &RevertOrder) -> Result<(), Failure<'static>>;

    /// Reboots the endpoint, and returns when it is up again.
    ///
    /// # Errors
    /// Why it failed; [`FailureKind::Unsupported`](patchflow_core::sdk::FailureKind::Unsupported) when it cannot.
    fn reboot(&self, order: &RebootOrder) -> Result<(), Failure<'static>>;

    /// After a crash in the middle of an operation: is it still running, or repaired, or broken? May repair.
    fn recover(&self, endpoint: &EndpointId) -> Recovery;

    /// Holds a package at its version on the endpoint itself, or lets it go.
    ///
    /// # Errors
    /// Why it failed.
    fn set_hold(
        &self,
        endpoint: &EndpointId,
        package: &PackageName,
        held: bool,
    ) -> Result<(), Failure<'static>>;
}

/// How a look at an endpoint ended whose operation was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Something that was begun then is still at work.
    StillRunning,
    /// Nothing runs and the package database is whole, perhaps after a repair. What is installed says how far it got.
    Whole,
    /// It is not whole and could not be repaired.
    Broken(Failure<'static>),
}
