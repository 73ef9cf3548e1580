//! What is installed on an endpoint, and what its own sources offer.

use crate::package::{Cpe, PackageName};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The source that a package was built from, where its distribution tells the two apart: Debian and Alpine publish
/// advisories for sources, and one source builds many packages.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BuiltFrom {
    /// The name of the source, in the ecosystem of the package.
    pub name: String,
    /// Its version, which may differ from the package's.
    pub version: String,
}

/// One installed package in one version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstalledSoftware {
    /// The package.
    pub package: PackageName,
    /// The installed version, as the package manager prints it.
    pub version: String,
    /// Architecture as the package manager names it; empty where there is none.
    #[serde(default)]
    pub arch: String,
    /// Whether the package manager calls the package whole: unpacked, configured, not half-installed.
    #[serde(default = "yes")]
    pub intact: bool,
    /// Whether the package is held back on the endpoint itself.
    #[serde(default)]
    pub held: bool,
    /// The source it was built from, when the package manager knows it under another name or version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_from: Option<BuiltFrom>,
    /// Its CPE name, for products that no package manager names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpe: Option<Cpe>,
}

/// What no record says is not broken.
fn yes() -> bool {
    true
}

impl InstalledSoftware {
    /// A package that is whole and not held, of which nothing more is known.
    ///
    /// ```
    /// use patchflow_core::{inventory::InstalledSoftware, package::{Ecosystem, PackageName}};
    /// let curl = InstalledSoftware::new(PackageName::new(Ecosystem::Deb, "curl"), "7.88.1-10+deb12u8");
    /// let foreign = InstalledSoftware { arch: "arm64".into(), ..curl };
    /// assert!(foreign.intact && !foreign.held);
    /// ```
    #[must_use]
    pub fn new(package: PackageName, version: impl Into<String>) -> Self {
        let (arch, version) = (String::new(), version.into());
        Self { package, version, arch, intact: true, held: false, built_from: None, cpe: None }
    }
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
#[serde(default)]
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
