//! The publisher's side: archives and the index over them. Used by the quickstart and the tests, and by whoever has
//! no repository yet.

use super::archive::pack;
use super::bounded::read_bounded;
use super::index::{self, Release};
use super::repository::Repository;
use crate::local::replace_file;
use patchflow_core::digest::Digest;
use std::fs;
use std::io;
use std::path::PathBuf;

/// Publishes into a repository's directory. One publisher at a time: the index is read, changed and replaced.
#[derive(Debug)]
pub struct Publisher {
    dir: PathBuf,
    #[cfg(feature = "artifact-signed")]
    key: Option<ed25519_dalek::SigningKey>,
}

/// One file of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactFile {
    /// Its path in the version's directory, with `/`.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Whether it may be run.
    pub executable: bool,
}

impl ArtifactFile {
    /// A file that is not run.
    pub fn new(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { path: path.into(), bytes: bytes.into(), executable: false }
    }
}

/// Why a release was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Package or version are not of letters, digits and `. _ - + ~`.
    #[error("package `{package}` version `{version}` cannot be names of files")]
    BadName {
        /// The package.
        package: String,
        /// The version.
        version: String,
    },
    /// The version is there already, with other content.
    #[error("{package} {version} was published before with other content")]
    Exists {
        /// The package.
        package: String,
        /// The version.
        version: String,
    },
    /// There is no such version.
    #[error("{package} {version} was never published")]
    NotFound {
        /// The package.
        package: String,
        /// The version.
        version: String,
    },
    /// The index that is there cannot be read.
    #[error("the index cannot be read: {0}")]
    Index(String),
    /// The file system.
    #[error("could not write the repository")]
    Write(#[from] io::Error),
}

impl Publisher {
    /// A publisher without a signature. The directory is made.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(dir: impl Into<PathBuf>) -> io::Result<Self> {
        let dir = dir.into();
        fs::create_dir_all(&dir)?;
        Ok(Self {
            dir,
            #[cfg(feature = "artifact-signed")]
            key: None,
        })
    }

    /// Signs the index with this ed25519 secret key.
    #[cfg(feature = "artifact-signed")]
    #[must_use]
    pub fn signing(mut self, secret: &[u8; 32]) -> Self {
        self.key = Some(ed25519_dalek::SigningKey::from_bytes(secret));
        self
    }

    /// The public key that belongs to the signatures.
    #[cfg(feature = "artifact-signed")]
    #[must_use]
    pub fn public_key(&self) -> Option<[u8; 32]> {
        self.key.as_ref().map(|key| key.verifying_key().to_bytes())
    }

    /// The repository, for those who install from it.
    #[must_use]
    pub fn repository(&self) -> Repository {
        Repository::open(&self.dir)
    }

    /// Publishes a version. The same content again changes nothing.
    ///
    /// # Errors
    /// Names that cannot be names of files, a version that has other content, the file system.
    pub fn publish(&self, release: Release, files: &[ArtifactFile]) -> Result<Release, PublishError> {
        let archive = pack(files.iter().map(|file| (file.path.as_str(), &file.bytes[..], file.executable)))?;
        let unpacked_bytes = files.iter().map(|file| file.bytes.len() as u64).sum();
        self.publish_archive(release, &archive, unpacked_bytes)
    }

    /// Publishes a gzipped tar archive as it is.
    ///
    /// # Errors
    /// As [`Publisher::publish`]. What is in the archive is not looked at: those who install it do.
    pub fn publish_archive(
        &self,
        release: Release,
        archive: &[u8],
        unpacked_bytes: u64,
    ) -> Result<Release, PublishError> {
        let release = Release {
            file: format!("{}-{}.tar.gz", release.package, release.version),
            sha256: Digest::of(archive),
            archive_bytes: archive.len() as u64,
            unpacked_bytes,
            ..release
        };
        let Release { package, version, .. } = release.clone();
        if !release.is_plain() {
            return Err(PublishError::BadName { package, version });
        }
        let mut releases = self.read()?;
        match releases.iter().find(|known| known.package == package && known.version == version) {
            Some(known) if known.sha256 != release.sha256 => {
                return Err(PublishError::Exists { package, version });
            }
            Some(known) => return Ok(known.clone()),
            None => {}
        }
        // The archive first: an index must never name what is not there.
        replace_file(&self.dir.join(&release.file), archive)?;
        releases.push(release.clone());
        self.write(&releases)?;
        Ok(release)
    }

    /// Pulls a version: it is not installed any more.
    ///
    /// # Errors
    /// A version that was never published, the file system.
    pub fn withdraw(&self, package: &str, version: &str, reason: &str) -> Result<(), PublishError> {
        let mut releases = self.read()?;
        let found =
            releases.iter_mut().find(|release| release.package == package && release.version == version);
        let Some(release) = found else {
            return Err(PublishError::NotFound { package: package.into(), version: version.into() });
        };
        release.withdrawn = Some(reason.into());
        self.write(&releases)
    }

    fn read(&self) -> Result<Vec<Release>, PublishError> {
        match read_bounded(&self.dir.join("index.json"), index::INDEX_BYTES_MAX) {
            Ok(text) => index::parse(&text).map_err(PublishError::Index),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    fn write(&self, releases: &[Release]) -> Result<(), PublishError> {
        let text = index::print(releases).map_err(|error| PublishError::Index(error.to_string()))?;
        #[cfg(feature = "artifact-signed")]
        if let Some(key) = &self.key {
            use ed25519_dalek::Signer as _;
            // Between the two renames the signature is ahead of the index: readers refuse it then and come back.
            replace_file(&self.dir.join("index.json.sig"), hex(&key.sign(&text).to_bytes()).as_bytes())?;
        }
        replace_file(&self.dir.join("index.json"), &text)?;
        Ok(())
    }
}

#[cfg(feature = "artifact-signed")]
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
