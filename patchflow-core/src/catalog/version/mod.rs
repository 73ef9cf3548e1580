//! Version orders: which of two versions is newer, by the rules of the package manager that named them.
//!
//! Every order is total over the texts it takes, and versions of two schemes are never compared. A text that a scheme
//! cannot read is an error, not "older": what cannot be compared holds a patch back (invariant 5). Nothing here knows
//! packages or distributions.

mod alpine;
mod arch;
mod deb;
mod generic;
mod maven;
mod npm;
mod pep440;
mod range;
mod rpm;
mod scan;
mod semantic;
mod windows;

pub use npm::{BadRange, NpmRange};
pub use range::{Bound, Interval, Range};

use crate::package::Ecosystem;
use alloc::string::String;
use alloc::sync::Arc;
use core::cmp::Ordering;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// The longest version that is read, in bytes. Package managers stop far below; advisories from strangers may not.
pub const VERSION_BYTES_MAX: usize = 512;

/// Whose rules order a version.
///
/// ```
/// use core::cmp::Ordering;
/// use patchflow_core::catalog::version::Scheme;
/// assert_eq!(Scheme::Deb.compare("1.0~rc1", "1.0").unwrap(), Ordering::Less);
/// assert_eq!(Scheme::Rpm.compare("1.0^git1", "1.0").unwrap(), Ordering::Greater);
/// assert!(Scheme::Semver.compare("1.0", "1.0.0").is_err(), "three parts are needed");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Debian: deb-version(7).
    Deb,
    /// RPM: epoch, version, release, with tilde and caret (rpm-version(7)).
    Rpm,
    /// Arch Linux: vercmp(8).
    Arch,
    /// Alpine Linux: apk-package(5).
    Alpine,
    /// Python packages: PEP 440.
    Pep440,
    /// Semantic Versioning 2.0.0.
    Semver,
    /// npm: Semantic Versioning, read as node-semver reads it.
    Npm,
    /// Maven: the order of its `ComparableVersion`.
    Maven,
    /// Windows: one to four numbers, and build numbers.
    Windows,
    /// Anything else: numbers by value, words by alphabet, words of a pre-release below the release.
    Generic,
}

/// A text that a scheme cannot read as a version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version of the scheme {scheme}: {why}")]
pub struct BadVersion {
    /// The scheme.
    pub scheme: Scheme,
    /// The text, cut after 80 characters.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Scheme {
    /// All schemes.
    pub const ALL: [Self; 10] = [
        Self::Deb,
        Self::Rpm,
        Self::Arch,
        Self::Alpine,
        Self::Pep440,
        Self::Semver,
        Self::Npm,
        Self::Maven,
        Self::Windows,
        Self::Generic,
    ];

    /// The scheme by which an ecosystem orders its versions; `None` for those that have none.
    #[must_use]
    pub const fn of(ecosystem: Ecosystem) -> Option<Self> {
        match ecosystem {
            Ecosystem::Deb => Some(Self::Deb),
            Ecosystem::Rpm => Some(Self::Rpm),
            Ecosystem::Apk => Some(Self::Alpine),
            Ecosystem::Pacman => Some(Self::Arch),
            Ecosystem::Pypi => Some(Self::Pep440),
            Ecosystem::Npm => Some(Self::Npm),
            Ecosystem::Cargo | Ecosystem::Go => Some(Self::Semver),
            Ecosystem::Maven => Some(Self::Maven),
            Ecosystem::Nuget | Ecosystem::Gem | Ecosystem::Artifact => Some(Self::Generic),
            Ecosystem::Windows => Some(Self::Windows),
            Ecosystem::Other => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Arch => "arch",
            Self::Alpine => "alpine",
            Self::Pep440 => "pep440",
            Self::Semver => "semver",
            Self::Npm => "npm",
            Self::Maven => "maven",
            Self::Windows => "windows",
            Self::Generic => "generic",
        }
    }

    /// Whether `a` is older than, as new as, or newer than `b`.
    ///
    /// # Errors
    /// [`BadVersion`] when one of them is no version of this scheme, or is longer than [`VERSION_BYTES_MAX`].
    pub fn compare(self, a: &str, b: &str) -> Result<Ordering, BadVersion> {
        self.check(a)?;
        self.check(b)?;
        self.order(a, b)
    }

    /// Whether a text is a version of this scheme.
    ///
    /// # Errors
    /// [`BadVersion`], which says why it is not.
    pub fn check(self, text: &str) -> Result<(), BadVersion> {
        let checked = if text.len() > VERSION_BYTES_MAX {
            Err("it is longer than 512 bytes")
        } else if text.is_empty() {
            Err("it is empty")
        } else {
            match self {
                Self::Deb => deb::check(text),
                Self::Rpm => rpm::check(text),
                Self::Arch => arch::check(text),
                Self::Alpine => alpine::parse(text).map(drop),
                Self::Pep440 => pep440::parse(text).map(drop),
                Self::Semver => semantic::strict(text).map(drop),
                Self::Npm => semantic::loose(text).map(drop),
                Self::Maven => maven::check(text),
                Self::Windows => windows::parse(text).map(drop),
                Self::Generic => generic::check(text),
            }
        };
        checked.map_err(|why| self.bad(text, why))
    }

    fn bad(self, text: &str, why: &'static str) -> BadVersion {
        BadVersion { scheme: self, text: text.chars().take(80).collect(), why }
    }

    /// The order of two texts that were checked.
    fn order(self, a: &str, b: &str) -> Result<Ordering, BadVersion> {
        fn both<T: Ord>(
            scheme: Scheme,
            read: impl Fn(&str) -> Result<T, &'static str>,
            a: &str,
            b: &str,
        ) -> Result<Ordering, BadVersion> {
            let a = read(a).map_err(|why| scheme.bad(a, why))?;
            let b = read(b).map_err(|why| scheme.bad(b, why))?;
            Ok(a.cmp(&b))
        }
        match self {
            Self::Deb => Ok(deb::compare(a, b)),
            Self::Rpm => Ok(rpm::compare(a, b)),
            Self::Arch => Ok(arch::compare(a, b)),
            Self::Alpine => both(self, alpine::parse, a, b),
            Self::Pep440 => both(self, pep440::parse, a, b),
            Self::Semver => both(self, semantic::strict, a, b),
            Self::Npm => both(self, semantic::loose, a, b),
            Self::Maven => Ok(maven::compare(a, b)),
            Self::Windows => both(self, windows::parse, a, b),
            Self::Generic => Ok(generic::compare(a, b)),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no scheme's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a version scheme; there are deb, rpm, arch, alpine, pep440, semver, npm, maven, windows, generic"
)]
pub struct UnknownScheme(pub String);

impl FromStr for Scheme {
    type Err = UnknownScheme;

    fn from_str(name: &str) -> Result<Self, UnknownScheme> {
        let known = Self::ALL.into_iter().find(|scheme| scheme.name() == name);
        known.ok_or_else(|| UnknownScheme(name.chars().take(40).collect()))
    }
}

/// A version that was checked against its scheme.
///
/// Two versions are equal when their scheme says so, whatever their texts; versions of two schemes are neither equal
/// nor ordered.
///
/// ```
/// use patchflow_core::catalog::version::{Scheme, Version};
/// let read = |scheme, text| Version::new(scheme, text).unwrap();
/// assert!(read(Scheme::Deb, "2:1.0-1") > read(Scheme::Deb, "9.9-9"), "an epoch beats everything after it");
/// assert_eq!(read(Scheme::Pep440, "1.0"), read(Scheme::Pep440, "v1.0.0"));
/// assert_eq!(read(Scheme::Deb, "1").partial_cmp(&read(Scheme::Rpm, "1")), None);
/// ```
#[derive(Clone, Debug)]
pub struct Version {
    scheme: Scheme,
    text: Arc<str>,
}

impl Version {
    /// Reads a version.
    ///
    /// # Errors
    /// [`BadVersion`] when the text is none of this scheme.
    pub fn new(scheme: Scheme, text: impl Into<Arc<str>>) -> Result<Self, BadVersion> {
        let text = text.into();
        scheme.check(&text)?;
        Ok(Self { scheme, text })
    }

    /// Whose rules order it.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Its text, as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.partial_cmp(other) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.scheme == other.scheme).then(|| self.scheme.order(&self.text, &other.text).ok()).flatten()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
