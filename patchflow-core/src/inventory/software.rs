//! What is installed on an endpoint, and what its own sources offer.

use crate::package::PackageName;
use crate::time::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One installed package in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstalledSoftware {
    /// The package.
    pub package: PackageName,
    /// The installed version, as the package manager prints it.
    pub version: String,
    /// Architecture as the package manager names it; empty where there is none.
    pub arch: String,
    /// Whether the package manager calls the package whole: unpacked, configured, not half-installed.
    pub intact: bool,
    /// Whether the package is held back on the endpoint itself.
    pub held: bool,
}

/// An update that an endpoint's own package sources offer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AvailableUpdate {
    /// The package.
    pub package: PackageName,
    /// The installed version; `None` when the package is not installed.
    pub from: Option<String>,
    /// The offered version.
    pub to: String,
    /// The suite or channel that offers it, such as `bookworm-security`.
    pub suite: String,
    /// The origin or label of the archive, such as `Debian-Security`.
    pub origin: String,
    /// Whether the archive's origin or suite is one that carries security updates.
    pub security: bool,
}

/// How far an endpoint is patched, in two figures and a date.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchLevel {
    /// Pending updates from security archives.
    pub pending_security: u32,
    /// Pending updates from other archives.
    pub pending_other: u32,
    /// When a package was last changed, as the package manager's own log says.
    pub last_updated: Option<Timestamp>,
    /// Packages that are not whole.
    pub broken: Vec<PackageName>,
}
