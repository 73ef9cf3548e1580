//! Stores on disk for the suite: a place is a file.

use async_trait::async_trait;
use patchflow_core::sdk::{BackendError, JournalStore};
use patchflow_testkit::conformance::store::StoreBuilder;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

pub(super) type Open = fn(&Path) -> Result<Arc<dyn JournalStore>, BackendError>;

/// Opens stores in a folder of their own.
pub(super) struct OnDisk(TempDir, Open);

impl OnDisk {
    pub(super) fn new(open: Open) -> Self {
        Self(tempfile::tempdir().unwrap(), open)
    }
}

#[async_trait]
impl StoreBuilder for OnDisk {
    async fn open(&self, place: &str) -> Result<Arc<dyn JournalStore>, BackendError> {
        (self.1)(&self.0.path().join(place))
    }
}
