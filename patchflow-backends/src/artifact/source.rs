//! Patches, as a repository publishes them.

use super::index::Release;
use super::repository::Repository;
use crate::local::{Pool, gather, own_version, sdk_requirement};
use async_trait::async_trait;
use patchflow_core::digest::Digest;
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::{
    BackendError, Cursor, FailureKind, Manifest, Page, PatchSource, PluginKind, PublishedPatch,
};
use std::io;
use std::time::Duration;

/// A [`PatchSource`] over a [`Repository`]: one patch for each published version, its content the archive's digest.
pub struct ArtifactSource {
    name: String,
    repository: Repository,
    thread: Pool,
}

impl ArtifactSource {
    /// A source under a name that patches carry as their source.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn new(name: impl Into<String>, repository: Repository) -> io::Result<Self> {
        Ok(Self { name: name.into(), repository, thread: Pool::new("patchflow-source", 1)? })
    }
}

#[async_trait]
impl PatchSource for ArtifactSource {
    fn manifest(&self) -> Manifest {
        Manifest {
            name: self.name.clone(),
            version: own_version(),
            sdk: sdk_requirement(),
            kinds: vec![PluginKind::PatchSource],
            capabilities: Vec::new(),
            configuration_schema: None,
        }
    }

    async fn page(&self, since: Option<&Cursor>, limit: usize) -> Result<Page<PublishedPatch>, BackendError> {
        let (part, releases) = gather();
        let repository = self.repository.clone();
        self.thread.put(move || part.put(repository.releases()));
        let stopped = || BackendError::lasting("reading patches from a stopped source");
        let releases = releases.await.pop().ok_or_else(stopped)?.map_err(unreadable)?;
        Ok(page_of(&self.name, &releases, since, limit))
    }
}

fn unreadable(failure: Failure<'static>) -> BackendError {
    match failure.kind {
        // Somebody has to mend it, or it is being written just now.
        FailureKind::Corrupt => BackendError::retryable(failure.to_string(), Duration::from_secs(60)),
        _ => BackendError::retryable(failure.to_string(), Duration::from_secs(10)),
    }
}

/// A cursor says how many releases were handed out and what they were: when one of those was changed, withdrawn or
/// taken out since, all are handed out again, which those who read them must bear.
fn page_of(source: &str, releases: &[Release], since: Option<&Cursor>, limit: usize) -> Page<PublishedPatch> {
    let start = since.and_then(|cursor| {
        let (count, digest) = cursor.0.split_once(':')?;
        let count = count.parse().ok()?;
        (digest.parse() == Ok(digest_of(releases.get(..count)?))).then_some(count)
    });
    let start = start.unwrap_or(0);
    let end = releases.len().min(start.saturating_add(limit.max(1)));
    let items = releases[start..end].iter().map(|release| match &release.withdrawn {
        Some(reason) => PublishedPatch::Withdrawn { id: release.patch_id(), reason: reason.clone() },
        None => PublishedPatch::Published(Box::new(release.to_patch(source))),
    });
    Page {
        items: items.collect(),
        next: Cursor(format!("{end}:{}", digest_of(&releases[..end]))),
        more: end < releases.len(),
    }
}

fn digest_of(releases: &[Release]) -> Digest {
    // Releases are plain data and always written; should one not be, the digest differs and all are read again.
    Digest::of(&serde_json::to_vec(releases).unwrap_or_default())
}
