//! A patch: one change to one or more packages, as its source publishes it.

use super::version::{BadVersion, Scheme};
use super::weakness::Weakness;
use super::{Category, Severity};
use crate::digest::Digest;
use crate::ids::PatchId;
use crate::package::{PackageName, Platform};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What a patch brings an endpoint to: one package in one exact version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The package.
    pub package: PackageName,
    /// The exact version to install.
    pub version: String,
}

impl Target {
    /// Whose rules order the versions of the package; `None` where nobody's are known, so that versions are compared for
    /// equality only.
    #[must_use]
    pub fn scheme(&self) -> Option<Scheme> {
        Scheme::of(self.package.ecosystem)
    }

    /// How a version that is there stands to this one: older, the same, or newer. `None` where nothing orders them.
    ///
    /// ```
    /// use core::cmp::Ordering;
    /// let target = patchflow_core::doc::patch("curl", "7.88.1-10+deb12u5").target;
    /// assert_eq!(target.compare_present("7.88.1-10+deb12u12"), Some(Ok(Ordering::Greater)));
    /// assert!(target.compare_present("unknown version").unwrap().is_err());
    /// ```
    ///
    /// # Errors
    /// [`BadVersion`] when one of the two is no version of the package's scheme.
    #[must_use]
    pub fn compare_present(&self, present: &str) -> Option<Result<Ordering, BadVersion>> {
        self.scheme().map(|scheme| scheme.compare(present, &self.version))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.package, self.version)
    }
}

/// Whether installing a patch asks for a reboot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RebootBehaviour {
    /// Never.
    Never,
    /// Perhaps; the endpoint says so afterwards.
    Possible,
    /// Always.
    Required,
}

/// How a patch stands to others of the same source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relations {
    /// Patches that this one replaces.
    pub supersedes: Vec<PatchId>,
    /// Patches that must be there first.
    pub requires: Vec<PatchId>,
    /// Patches that must not be there.
    pub conflicts: Vec<PatchId>,
    /// Versions of the same package that must be passed one after another before this one, the lowest first: each is
    /// a patch of its own, approved and verified before the next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub floors: Vec<String>,
}

/// One patch as its source publishes it. Approval binds to [`Patch::content`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// The source's own name.
    pub id: PatchId,
    /// One line for people.
    pub title: String,
    /// What it installs.
    pub target: Target,
    /// The vendor's category.
    pub category: Category,
    /// The vendor's severity.
    pub severity: Severity,
    /// CVE numbers it closes.
    pub cves: Vec<String>,
    /// When the vendor released it, which is when a fix was available; unknown is a state that rules must cope with.
    pub released: Option<Timestamp>,
    /// When what it closes was made public; `None` when that is unknown or it closes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disclosed: Option<Timestamp>,
    /// Since when what it closes is known to be exploited; `None` when it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exploited: Option<Timestamp>,
    /// The weaknesses that it closes, as advisories tell of them; empty while none was asked, or none speaks of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closes: Vec<Weakness>,
    /// The release of the operating system that it is built for, where its source says so: it is for no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Whether it asks for a reboot.
    pub reboot: RebootBehaviour,
    /// Relations to other patches.
    pub relations: Relations,
    /// Digest of what will be installed: changed content is a new candidate.
    pub content: Digest,
    /// Which source said so, such as `apt lab-security`.
    pub source: String,
}
