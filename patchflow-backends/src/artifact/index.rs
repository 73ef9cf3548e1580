//! What a repository says it has.

use super::is_plain_name;
use patchflow_core::catalog::{Category, Patch, RebootBehaviour, Relations, Severity, Target};
use patchflow_core::digest::Digest;
use patchflow_core::ids::PatchId;
use patchflow_core::package::{Ecosystem, PackageName};
use patchflow_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// An index is read whole; one that is larger is refused (100 000 releases are about 40 MiB).
pub(super) const INDEX_BYTES_MAX: u64 = 64 * 1024 * 1024;
pub(super) const FORMAT: u32 = 1;

/// One published version of one package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The package: letters, digits and `. _ - + ~`.
    pub package: String,
    /// The version, of the same characters.
    pub version: String,
    /// The name of its patch; `package=version` when it has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patch: Option<String>,
    /// One line for people.
    #[serde(default)]
    pub title: String,
    /// What kind of change it is.
    pub category: Category,
    /// Its severity.
    pub severity: Severity,
    /// CVE numbers it closes.
    #[serde(default)]
    pub cves: Vec<String>,
    /// When it was released.
    pub released: Option<Timestamp>,
    /// Whether it asks for a reboot.
    pub reboot: RebootBehaviour,
    /// Patches it replaces, by name.
    #[serde(default)]
    pub supersedes: Vec<String>,
    /// Why it was pulled, when it was. It is then not installed any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<String>,
    /// The archive, a file beside the index. Filled in by [`super::Publisher`].
    pub file: String,
    /// The archive's digest. Filled in by [`super::Publisher`].
    pub sha256: Digest,
    /// The archive's size. Filled in by [`super::Publisher`].
    pub archive_bytes: u64,
    /// What the archive holds, unpacked. Filled in by [`super::Publisher`].
    pub unpacked_bytes: u64,
}

impl Release {
    /// A release to be published: moderate security, no reboot; the rest is set by hand or by the publisher.
    pub fn new(package: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            package: package.into(),
            version: version.into(),
            patch: None,
            title: String::new(),
            category: Category::Security,
            severity: Severity::Moderate,
            cves: Vec::new(),
            released: None,
            reboot: RebootBehaviour::Never,
            supersedes: Vec::new(),
            withdrawn: None,
            file: String::new(),
            sha256: Digest([0; 32]),
            archive_bytes: 0,
            unpacked_bytes: 0,
        }
    }

    /// The name of its patch.
    #[must_use]
    pub fn patch_id(&self) -> PatchId {
        match &self.patch {
            Some(id) => id.as_str().into(),
            None => format!("{}={}", self.package, self.version).into(),
        }
    }

    /// The patch that this release is; its content is the archive's digest.
    #[must_use]
    pub fn to_patch(&self, source: &str) -> Patch {
        let title = match self.title.as_str() {
            "" => format!("{} {}", self.package, self.version),
            title => title.to_owned(),
        };
        Patch {
            id: self.patch_id(),
            title,
            target: Target { package: package_name(&self.package), version: self.version.clone() },
            category: self.category,
            severity: self.severity,
            cves: self.cves.clone(),
            released: self.released,
            disclosed: None,
            exploited: None,
            closes: Vec::new(),
            platform: None,
            reboot: self.reboot,
            relations: Relations {
                supersedes: self.supersedes.iter().map(|id| id.as_str().into()).collect(),
                ..Relations::default()
            },
            content: self.sha256,
            source: source.to_owned(),
        }
    }

    /// Whether its names can be names of files, as everything that handles it takes for granted.
    pub(super) fn is_plain(&self) -> bool {
        [&self.package, &self.version, &self.file].into_iter().all(|name| is_plain_name(name))
    }
}

pub(super) fn package_name(name: &str) -> PackageName {
    PackageName::new(Ecosystem::Artifact, name)
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IndexText {
    format: u32,
    /// Read one by one, so that one that cannot be read does not hide the others.
    releases: Vec<serde_json::Value>,
}

/// Reads an index; releases that cannot be read are left out and told in the log.
pub(super) fn parse(text: &[u8]) -> Result<Vec<Release>, String> {
    let index: IndexText = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if index.format != FORMAT {
        return Err(format!("format {}, this program reads {FORMAT}", index.format));
    }
    let read = |(position, value)| match serde_json::from_value::<Release>(value) {
        Ok(release) if release.is_plain() => Some(release),
        Ok(release) => {
            tracing::warn!(position, package = %release.package, "a release whose names are not plain was left out");
            None
        }
        Err(error) => {
            tracing::warn!(position, %error, "a release that cannot be read was left out");
            None
        }
    };
    Ok(index.releases.into_iter().enumerate().filter_map(read).collect())
}

pub(super) fn print(releases: &[Release]) -> Result<Vec<u8>, serde_json::Error> {
    let releases = releases.iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    serde_json::to_vec_pretty(&IndexText { format: FORMAT, releases })
}
