//! A directory of archives and the index over them, seen by those who install from it.

use super::bounded::read_bounded;
use super::index::{self, INDEX_BYTES_MAX, Release};
use super::io_failure;
use patchflow_core::digest::Digest;
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::FailureKind;
use sha2::Digest as _;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// A repository: content is checked against the index's digests, and the index against a signature where one is asked
/// for. Nothing is kept in memory: each use reads the index that is there.
#[derive(Clone, Debug)]
pub struct Repository {
    dir: PathBuf,
    #[cfg(feature = "artifact-signed")]
    trusted: Vec<ed25519_dalek::VerifyingKey>,
}

/// A public key that is not one.
#[cfg(feature = "artifact-signed")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an ed25519 public key that can be trusted")]
pub struct BadKey;

impl Repository {
    /// The repository in a directory, its index trusted as far as the directory is.
    pub fn open(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            #[cfg(feature = "artifact-signed")]
            trusted: Vec::new(),
        }
    }

    /// Asks for a signature over the index by one of these ed25519 public keys; without one nothing is read from it.
    ///
    /// # Errors
    /// [`BadKey`] when one of them is not a key, or a weak one.
    #[cfg(feature = "artifact-signed")]
    pub fn trusting(mut self, keys: &[[u8; 32]]) -> Result<Self, BadKey> {
        for key in keys {
            let key = ed25519_dalek::VerifyingKey::from_bytes(key).map_err(|_| BadKey)?;
            if key.is_weak() {
                return Err(BadKey);
            }
            self.trusted.push(key);
        }
        Ok(self)
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What it has, in the order of publication. Withdrawn releases are among them.
    ///
    /// # Errors
    /// [`FailureKind::Network`] when there is no index to be reached, [`FailureKind::Corrupt`] when it cannot be read
    /// or its signature does not hold.
    pub fn releases(&self) -> Result<Vec<Release>, Failure<'static>> {
        let corrupt =
            |why: String| Failure::new(FailureKind::Corrupt, format!("the repository's index: {why}"));
        let text = read_bounded(&self.dir.join("index.json"), INDEX_BYTES_MAX).map_err(|error| {
            match error.kind() {
                io::ErrorKind::FileTooLarge => corrupt(error.to_string()),
                // The directory may be a mount that comes back.
                _ => Failure::new(FailureKind::Network, format!("the repository's index: {error}")),
            }
        })?;
        #[cfg(feature = "artifact-signed")]
        self.check_signature(&text)?;
        index::parse(&text).map_err(corrupt)
    }

    #[cfg(feature = "artifact-signed")]
    fn check_signature(&self, text: &[u8]) -> Result<(), Failure<'static>> {
        if self.trusted.is_empty() {
            return Ok(());
        }
        let corrupt =
            |why: &str| Failure::new(FailureKind::Corrupt, format!("the repository's index: {why}"));
        let hex =
            read_bounded(&self.dir.join("index.json.sig"), 1024).map_err(|_| corrupt("it is not signed"))?;
        let signature =
            super::bounded::signature_from_hex(&hex).ok_or_else(|| corrupt("no signature was read"))?;
        if self.trusted.iter().any(|key| key.verify_strict(text, &signature).is_ok()) {
            return Ok(());
        }
        Err(corrupt("its signature is not by a trusted key, or it was changed"))
    }

    /// The release of an exact version.
    pub(super) fn find(&self, package: &str, version: &str) -> Result<Release, Failure<'static>> {
        let found = self.releases()?.into_iter().rev().find(|r| r.package == package && r.version == version);
        let not_found = |why| Failure::new(FailureKind::NotFound, format!("{package} {version} {why}"));
        match found {
            None => Err(not_found("is not in the repository".to_owned())),
            Some(Release { withdrawn: Some(why), .. }) => Err(not_found(format!("was withdrawn: {why}"))),
            Some(release) => Ok(release),
        }
    }

    /// Copies a release's archive and checks what was copied, so that nothing can be changed after the check.
    pub(super) fn fetch(&self, release: &Release, into: &mut impl Write) -> Result<(), Failure<'static>> {
        let doing = format!("fetching {}", release.file);
        let file = File::open(self.dir.join(&release.file)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::new(FailureKind::NotFound, format!("{doing}: {error}")),
            _ => io_failure(&doing, &error),
        })?;
        copy_checked(file, release, into)
    }
}

/// Copies an archive and checks what was copied.
pub(super) fn copy_checked(
    file: File,
    release: &Release,
    into: &mut impl Write,
) -> Result<(), Failure<'static>> {
    let doing = format!("fetching {}", release.file);
    {
        // One byte more than there should be tells a file that is too long, however long it is.
        let mut archive = file.take(release.archive_bytes.saturating_add(1));
        let mut hash = sha2::Sha256::new();
        let mut chunk = vec![0; 64 * 1024];
        let mut length = 0;
        loop {
            let read = archive.read(&mut chunk).map_err(|error| io_failure(&doing, &error))?;
            if read == 0 {
                break;
            }
            length += read as u64;
            hash.update(&chunk[..read]);
            into.write_all(&chunk[..read]).map_err(|error| io_failure(&doing, &error))?;
        }
        let digest = Digest(hash.finalize().into());
        if length != release.archive_bytes || digest != release.sha256 {
            let detail = format!("{}: not the content that the index names ({digest})", release.file);
            return Err(Failure::new(FailureKind::Corrupt, detail));
        }
        Ok(())
    }
}
