//! The identity of a package: the ecosystem that names it, the name, and the platform it is built for.
//!
//! `openssl` of Debian 12 and `openssl` of Ubuntu 24.04 are two packages with two histories: their versions must not be
//! compared. Packages of an operating system are therefore known by platform, ecosystem and name; packages of a language
//! by ecosystem and name alone; products of Windows and of third parties by a CPE name where nothing better is known.

mod cpe;
mod identity;
mod names;
mod percent;
mod platform;
mod purl;

pub use cpe::{Around, Attribute, BadCpe, CPE_BYTES_MAX, Cpe, Relation};
pub use identity::Identity;
pub use names::Home;
pub use platform::Platform;
pub use purl::{BadPurl, PURL_BYTES_MAX, Purl};

use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Which package manager's names and version order are meant. Names of two ecosystems are never the same package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ecosystem {
    /// Debian packages (dpkg, apt).
    Deb,
    /// RPM packages.
    Rpm,
    /// Alpine packages (apk).
    Apk,
    /// Arch Linux packages (pacman).
    Pacman,
    /// Python packages.
    Pypi,
    /// JavaScript packages of npm.
    Npm,
    /// Rust crates.
    Cargo,
    /// Go modules.
    Go,
    /// Java artifacts, named `group:artifact`.
    Maven,
    /// .NET packages.
    Nuget,
    /// Ruby packages.
    Gem,
    /// Products and updates of Windows: named as its list of installed programs names them, updates by their KB number.
    Windows,
    /// Archives unpacked into versioned directories; versions are ordered as people expect of most.
    Artifact,
    /// Anything else; versions are compared for equality only.
    Other,
}

impl Ecosystem {
    /// Its word, as in a package's printed name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Apk => "apk",
            Self::Pacman => "pacman",
            Self::Pypi => "pypi",
            Self::Npm => "npm",
            Self::Cargo => "cargo",
            Self::Go => "go",
            Self::Maven => "maven",
            Self::Nuget => "nuget",
            Self::Gem => "gem",
            Self::Windows => "windows",
            Self::Artifact => "artifact",
            Self::Other => "other",
        }
    }

    /// Whether its packages belong to one release of an operating system, so that the same name on another is another
    /// package.
    ///
    /// ```
    /// use patchflow_core::package::Ecosystem;
    /// assert!(Ecosystem::Deb.is_of_a_platform() && !Ecosystem::Pypi.is_of_a_platform());
    /// ```
    #[must_use]
    pub const fn is_of_a_platform(self) -> bool {
        match self {
            Self::Deb | Self::Rpm | Self::Apk | Self::Pacman => true,
            Self::Pypi
            | Self::Npm
            | Self::Cargo
            | Self::Go
            | Self::Maven
            | Self::Nuget
            | Self::Gem
            | Self::Windows
            | Self::Artifact
            | Self::Other => false,
        }
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A package, named within its ecosystem.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PackageName {
    /// Whose name it is.
    pub ecosystem: Ecosystem,
    /// The name.
    pub name: String,
}

impl PackageName {
    /// A package of an ecosystem.
    pub fn new(ecosystem: Ecosystem, name: impl Into<String>) -> Self {
        Self { ecosystem, name: name.into() }
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.ecosystem, self.name)
    }
}
