//! dpkg and apt: a [`LocalBackend`] over roots that have a package database of their own.
//!
//! It drives the command lines (`apt-get`, `apt-cache`, `apt-mark`, `dpkg`, `dpkg-query`, `dpkg-deb`), never asks a
//! question, and believes no exit code: what happened is read from the package database. It writes no package
//! sources, adds no keys, and does not decide what to install. [`AptHost`] also has each operation on plain data.
//!
//! How it copes with what apt and dpkg do:
//! - a hold is never broken ([`FailureKind::Denied`]); apt would break it and drop it;
//! - nothing else is removed to make an install possible ([`FailureKind::Dependency`]);
//! - configuration files that were edited on the endpoint stay as they are;
//! - a failed maintainer script leaves no half-configured package behind, which would block every later call: the
//!   packages of the operation go back to where they were;
//! - what a kill or a crash left is finished or taken back before the next operation, or by
//!   [`LocalBackend::recover`]; the maintainer script of a killed dpkg goes on alone, and is waited for;
//! - the old version's package file is kept before an install, since archives drop old versions;
//! - what was staged is installed without the archive, and is what was approved: it is hashed before.
//!
//! [`FailureKind::Denied`]: patchflow_core::sdk::FailureKind::Denied
//! [`FailureKind::Dependency`]: patchflow_core::sdk::FailureKind::Dependency

mod database;
mod failure;
mod host;
mod intent;
mod lock;
mod operate;
mod record;
mod repair;
mod saved;
mod source;
mod staged;
mod updates;

pub use host::AptHost;
pub use source::{Advisory, AptSource, Unread};

use crate::local::{LocalBackend, Recovery};
use patchflow_core::catalog::Target;
use patchflow_core::digest::Digest;
use patchflow_core::ids::EndpointId;
use patchflow_core::inventory::EndpointRecord;
use patchflow_core::package::{Ecosystem, PackageName};
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::{Failure, InstallOrder, Level, RebootOrder, RevertOrder, RevertTo, StageOrder};
use patchflow_core::sdk::{FailureKind, InstallerCapabilities};
use patchflow_core::time::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Endpoints with dpkg and apt.
#[derive(Clone, Debug)]
pub struct AptBackend {
    hosts: Arc<BTreeMap<EndpointId, AptHost>>,
}

impl AptBackend {
    /// A backend over some endpoints. Of two with the same id the later one counts.
    pub fn new(hosts: impl IntoIterator<Item = AptHost>) -> Self {
        Self { hosts: Arc::new(hosts.into_iter().map(|host| (host.id.clone(), host)).collect()) }
    }

    /// One endpoint.
    ///
    /// # Errors
    /// [`FailureKind::NotFound`] when it is not one of this backend.
    pub fn host(&self, endpoint: &EndpointId) -> Result<&AptHost, Failure<'static>> {
        let unknown =
            || Failure::new(FailureKind::NotFound, format!("endpoint `{endpoint}` is not known here"));
        self.hosts.get(endpoint).ok_or_else(unknown)
    }

    /// All endpoints.
    pub fn hosts(&self) -> impl Iterator<Item = &AptHost> {
        self.hosts.values()
    }

    fn of<'a>(
        &self,
        endpoint: &EndpointId,
        package: &'a PackageName,
    ) -> Result<(&AptHost, &'a str), Failure<'static>> {
        let host = self.host(endpoint)?;
        if package.ecosystem != Ecosystem::Deb {
            let detail = format!("`{package}` is not a Debian package");
            return Err(Failure::new(FailureKind::Unsupported, detail));
        }
        Ok((host, &package.name))
    }
}

impl LocalBackend for AptBackend {
    fn name(&self) -> &str {
        "apt"
    }

    fn capabilities(&self) -> InstallerCapabilities {
        InstallerCapabilities {
            paths: vec![RollbackPath::Reinstall, RollbackPath::Uninstall],
            holds: true,
            reboots: self.hosts.values().all(|host| !host.reboot_command.is_empty()),
            recalls: true,
            stages: true,
        }
    }

    fn endpoints(&self) -> Vec<EndpointId> {
        self.hosts.keys().cloned().collect()
    }

    fn state_dir(&self, endpoint: &EndpointId) -> Option<PathBuf> {
        self.hosts.get(endpoint).map(|host| host.state_dir.clone())
    }

    fn record(&self, endpoint: &EndpointId, now: Timestamp) -> Result<EndpointRecord, Failure<'static>> {
        self.host(endpoint)?.read_record(now)
    }

    fn level(&self, endpoint: &EndpointId, target: &Target) -> Level<'static> {
        match self.of(endpoint, &target.package) {
            Ok((host, name)) => host.read_level(name),
            Err(failure) => Level::Unreadable { detail: failure.detail },
        }
    }

    fn reboot_required(&self, endpoint: &EndpointId) -> bool {
        self.hosts.get(endpoint).is_some_and(AptHost::waits_for_reboot)
    }

    fn preflight(&self, order: &InstallOrder) -> Result<RollbackPath, Failure<'static>> {
        let (host, name) = self.of(order.endpoint(), &order.target().package)?;
        host.preflight_content(name, &order.target().version, order.patch().content)
    }

    fn stage(&self, order: &StageOrder) -> Result<Digest, Failure<'static>> {
        let (host, name) = self.of(order.endpoint(), &order.target().package)?;
        host.stage_version(name, &order.target().version, order.content())
    }

    fn unstage(&self, endpoint: &EndpointId, content: Digest) {
        if let Ok(host) = self.host(endpoint) {
            host.unstage_content(content);
        }
    }

    fn install(&self, order: &InstallOrder) -> Result<(), Failure<'static>> {
        let (host, name) = self.of(order.endpoint(), &order.target().package)?;
        host.install_content(name, &order.target().version, order.patch().content)
    }

    fn revert(&self, order: &RevertOrder) -> Result<(), Failure<'static>> {
        let (host, name) = self.of(order.endpoint(), &order.patch().target.package)?;
        match order.to() {
            RevertTo::Version { version } => host.revert_to(name, Some(version)),
            RevertTo::Absent => host.revert_to(name, None),
        }
    }

    fn reboot(&self, order: &RebootOrder) -> Result<(), Failure<'static>> {
        self.host(order.endpoint())?.reboot_now()
    }

    fn recover(&self, endpoint: &EndpointId) -> Recovery {
        match self.host(endpoint) {
            Ok(host) => host.recover_now(),
            Err(failure) => Recovery::Broken(failure),
        }
    }

    fn set_hold(
        &self,
        endpoint: &EndpointId,
        package: &PackageName,
        held: bool,
    ) -> Result<(), Failure<'static>> {
        let (host, name) = self.of(endpoint, package)?;
        host.mark_held(name, held)
    }
}
