//! The identity of a package: the ecosystem that names it, and the name.

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
    /// Archives unpacked into versioned directories; versions are ordered as people expect of most.
    Artifact,
    /// Anything else; versions are compared for equality only.
    Other,
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Artifact => "artifact",
            Self::Other => "other",
        })
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
