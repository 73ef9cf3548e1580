//! Sources of patches and advisories.

use super::{BackendError, Cursor, Manifest, Page};
use crate::catalog::{Advisory, Patch};
use crate::ids::PatchId;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use async_trait::async_trait;

/// What a source says about a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublishedPatch {
    /// It is published, or its content or metadata changed.
    Published(Box<Patch>),
    /// Its vendor pulled it.
    Withdrawn {
        /// The patch.
        id: PatchId,
        /// Why.
        reason: String,
    },
}

/// Publishes patches.
#[async_trait]
pub trait PatchSource: Send + Sync {
    /// How the plugin introduces itself.
    fn manifest(&self) -> Manifest;

    /// What was published since a cursor; everything for `None`. At most `limit` items.
    ///
    /// # Errors
    /// The backend's own. A record that cannot be read is skipped and told through the backend's own channel.
    async fn page(&self, since: Option<&Cursor>, limit: usize) -> Result<Page<PublishedPatch>, BackendError>;
}

/// What a feed says about a weakness.
#[derive(Clone, Debug, PartialEq)]
pub enum PublishedAdvisory {
    /// A record is published, or changed. One that its publisher withdrew is published, with the day
    /// ([`Advisory::withdrawn`]).
    ///
    /// Shared: whoever merges records keeps them, and a source that keeps them too hands out the same ones.
    Published(Arc<Advisory>),
    /// A record is not in the feed any more.
    Gone {
        /// The feed, as the record's provenance names it.
        feed: Arc<str>,
        /// The record, as its provenance names it.
        record: Arc<str>,
    },
}

/// Publishes what is wrong with which versions of what: the records of one or more feeds, unmerged. Who merges them,
/// and by which rule, is said in [`crate::catalog::merge`].
#[async_trait]
pub trait AdvisorySource: Send + Sync {
    /// How the plugin introduces itself.
    fn manifest(&self) -> Manifest;

    /// What was published since a cursor; everything for `None`. At most `limit` items.
    ///
    /// # Errors
    /// The backend's own. A record that cannot be read is skipped and told through the backend's own channel.
    async fn page(
        &self,
        since: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page<PublishedAdvisory>, BackendError>;
}
