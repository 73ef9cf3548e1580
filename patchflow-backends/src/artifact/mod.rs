//! Versioned artifacts: archives unpacked into versioned directories, an atomic switch, instant rollback.
//!
//! Portable, and needs no root. A repository is a directory with an index and archives:
//!
//! ```text
//! repository/index.json            packages and versions, with the SHA-256 of each archive
//! repository/index.json.sig        an ed25519 signature over it, when the repository is signed
//! repository/shop-1.2.0.tar.gz
//! ```
//!
//! A host is a directory too; what runs on it reads `current` and uses that version's directory:
//!
//! ```text
//! hosts/<id>/host.json                              who it is; without it, a production host
//! hosts/<id>/apps/<package>/versions/<version>/...  the files of one version, and `.manifest.json`
//! hosts/<id>/apps/<package>/current                 a file that holds the version in use
//! hosts/<id>/apps/<package>/held                    when it is there, nothing is switched
//! hosts/<id>/staged/<digest>.tar.gz                  content that was brought before its order
//! hosts/<id>/reboot-required                        when it is there, the host waits for a reboot
//! ```
//!
//! `current` is a file and not a symbolic link, on every system: links need a privilege on Windows, and a file is
//! replaced by a rename everywhere, so a reader sees the old version or the new one, never neither.
//!
//! Nothing from an archive is run. A service is restarted by the `after_switch` action of [`ArtifactBackend`].

mod archive;
mod backend;
mod bounded;
mod bundle;
mod host;
mod index;
mod publish;
mod repository;
mod source;
mod staged;
#[cfg(test)]
mod staging_tests;
#[cfg(test)]
mod tests;
mod version;

pub use backend::{ArtifactBackend, ArtifactLimits, Switched};
pub use bundle::{Bundle, BundleFile, BundleFlaw};
pub use host::HostFile;
pub use index::Release;
pub use publish::{ArtifactFile, PublishError, Publisher};
#[cfg(feature = "artifact-signed")]
pub use repository::BadKey;
pub use repository::Repository;
pub use source::ArtifactSource;
pub use version::compare_versions;

use patchflow_core::rollout::Failure;
use patchflow_core::sdk::FailureKind;
use std::io;

/// A failure of the file system, by what it means for a retry.
fn io_failure(doing: &str, error: &io::Error) -> Failure<'static> {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FailureKind::Disk,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => FailureKind::Denied,
        io::ErrorKind::TimedOut => FailureKind::Timeout,
        _ => FailureKind::Other,
    };
    Failure::new(kind, format!("{doing}: {error}"))
}

/// Whether a text can be the name of a directory: no way out of its parent, the same on every system.
fn is_plain_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '~');
    !text.is_empty()
        && text.len() <= 120
        && !text.starts_with('.')
        && !text.ends_with('.')
        && text.chars().all(plain)
}
