//! Content that lies on a host before its order: the archive, and what the repository said about it, so that it can be
//! installed without one.

use super::index::Release;
use super::io_failure;
use super::repository::Repository;
use crate::local::{digest_of, replace_file, sync_dir};
use patchflow_core::digest::Digest;
use patchflow_core::rollout::Failure;
use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// The directory of a host in which content lies by its digest.
pub(super) struct Staged(pub(super) PathBuf);

/// Attempts of this process: two at a time do not write one file.
static ATTEMPTS: AtomicU64 = AtomicU64::new(0);

impl Staged {
    fn archive(&self, content: Digest) -> PathBuf {
        self.0.join(format!("{}.tar.gz", name(content)))
    }

    fn text(&self, content: Digest) -> PathBuf {
        self.0.join(format!("{}.json", name(content)))
    }

    /// The archive, when it is there.
    pub(super) fn open(&self, content: Digest) -> Option<File> {
        File::open(self.archive(content)).ok()
    }

    /// What the repository said about the content, when it is there.
    pub(super) fn release(&self, content: Digest) -> Option<Release> {
        let text = super::bounded::read_bounded(&self.text(content), 1024 * 1024).ok()?;
        let release: Release = serde_json::from_slice(&text).ok()?;
        (release.sha256 == content && release.is_plain() && self.archive(content).exists()).then_some(release)
    }

    /// The digest of content that is here already, read anew, with what the repository said about it: then the
    /// repository need not be asked again.
    pub(super) fn whole(&self, content: Digest) -> Option<Digest> {
        self.release(content)?;
        digest_of(&self.archive(content)).ok().filter(|there| *there == content)
    }

    /// Brings a release here, aside first and then under its name, and reads it anew.
    pub(super) fn bring(
        &self,
        release: &Release,
        repository: &Repository,
    ) -> Result<Digest, Failure<'static>> {
        let writing = |error: io::Error| io_failure("staging", &error);
        let place = self.archive(release.sha256);
        if place.exists() {
            let there = digest_of(&place).map_err(writing)?;
            if there == release.sha256 {
                return Ok(there);
            }
        }
        fs::create_dir_all(&self.0).map_err(writing)?;
        let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
        let aside = self.0.join(format!("part-{}-{attempt}", std::process::id()));
        let brought = File::create(&aside).map_err(writing).and_then(|mut file| {
            repository.fetch(release, &mut file)?;
            file.sync_all().map_err(writing)
        });
        if let Err(failure) = brought {
            let _ = fs::remove_file(&aside);
            return Err(failure);
        }
        let text = serde_json::to_vec(release).map_err(|error| writing(io::Error::other(error)))?;
        replace_file(&self.text(release.sha256), &text).map_err(writing)?;
        fs::rename(&aside, &place).and_then(|()| sync_dir(&self.0)).map_err(writing)?;
        digest_of(&place).map_err(writing)
    }

    /// Throws content away, when it is there.
    pub(super) fn discard(&self, content: Digest) {
        for path in [self.archive(content), self.text(content)] {
            match fs::remove_file(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "staged content could not be thrown away");
                }
            }
        }
    }
}

fn name(content: Digest) -> String {
    content.0.iter().map(|byte| format!("{byte:02x}")).collect()
}
