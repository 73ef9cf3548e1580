//! One release of one operating system.

use alloc::string::{String, ToString};
use core::fmt;
use serde::{Deserialize, Serialize};

/// One release of one operating system, such as `debian 12`: what its packages are built for.
///
/// ```
/// use patchflow_core::package::Platform;
/// let bookworm = Platform::named("Debian 12");
/// assert_eq!((bookworm.family.as_str(), bookworm.release.as_str()), ("debian", "12"));
/// assert_eq!(Platform::named("arch").release, "", "a rolling release has none");
/// assert_eq!(Platform::named("opensuse leap 15.6").family, "opensuse leap");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// The system, in lower case: `debian`, `ubuntu`, `almalinux`, `windows`.
    pub family: String,
    /// Its release, as far as packages of two releases differ: `12`, `24.04`, `9`; empty for a rolling one.
    pub release: String,
}

impl Platform {
    /// A release of a family.
    #[must_use]
    pub fn new(family: &str, release: &str) -> Self {
        Self { family: family.trim().to_lowercase(), release: release.trim().to_lowercase() }
    }

    /// Reads the way an [`EndpointRecord`](crate::inventory::EndpointRecord) writes it: the last word is the release
    /// when it begins with a digit.
    #[must_use]
    pub fn named(os: &str) -> Self {
        match os.trim().rsplit_once(' ') {
            Some((family, release)) if release.starts_with(|c: char| c.is_ascii_digit()) => {
                Self::new(family, release)
            }
            Some(_) | None => Self::new(os, ""),
        }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.release.is_empty() {
            self.family.clone()
        } else {
            self.family.clone() + " " + &self.release
        };
        f.pad(&name.to_string())
    }
}
