//! Sources of patches and advisories.

use super::{BackendError, Cursor, Manifest, Page};
use crate::catalog::Patch;
use crate::ids::PatchId;
use alloc::boxed::Box;
use alloc::string::String;
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
