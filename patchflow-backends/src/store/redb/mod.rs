//! Journals in one redb file: pure Rust, transactional, many streams in one commit.
//!
//! What this module does not do: verify chains (a reader's business), shrink the file (pages that pruning frees are
//! used again), or share a file between processes (redb locks it).

mod file;
mod tables;
#[cfg(test)]
mod tests;
mod trouble;

use super::manifest;
use super::threads::{Results, Threads, Writer, failed};
use async_trait::async_trait;
use file::File;
use patchflow_core::digest::Digest;
use patchflow_core::fleet::Persisted;
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::{Record, Tail};
use patchflow_core::sdk::{Append, AppendError, BackendError, JournalStore, Manifest};
use std::path::Path;
use std::sync::Arc;

/// Keeps journals in one redb file.
///
/// An append is on the disk when it is acknowledged: each commit ends with redb's immediate durability, and all
/// appends that wait when a commit begins share it. The file is locked while the store is open; a second store on it,
/// in this process or another, is refused. Hosts of one process share the store itself through an `Arc`.
///
/// After an input or output error the file is closed, and opened anew by the next call: an append that failed may
/// then be repeated. redb does not check pages when it reads them, so a page that rotted in a way redb can still read
/// is found only by the reader's chain check; one that it cannot read may make redb panic. Such a panic is caught and
/// becomes a [`BackendError`] (the panic hook of the process still prints it, and where panics abort, so does this
/// one), and the file is likewise opened anew, which checks the pages in use. One case nobody can see from inside: in
/// a file that was not closed in order, damage to the last commit looks like a commit that never reached the disk, and
/// redb goes back to the one before.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use patchflow_backends::store::RedbStore;
/// use patchflow_core::{ids::FleetId, journal::Tail, sdk::JournalStore};
/// let folder = tempfile::tempdir()?;
/// let store = RedbStore::open(folder.path().join("journal.redb"))?;
/// assert_eq!(pollster::block_on(store.tail(FleetId(7)))?, Tail::EMPTY);
/// # Ok(())
/// # }
/// ```
pub struct RedbStore {
    threads: Threads<OnWriter, Arc<File>>,
}

impl std::fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedbStore").finish_non_exhaustive()
    }
}

impl RedbStore {
    /// Opens the file at a path, or makes it. Blocks: for a file that was not closed in order, redb checks the pages in
    /// use first.
    ///
    /// # Errors
    /// Lasting: the file is open elsewhere, is no journal, is damaged, or was written by a later version. Otherwise as
    /// the file system says.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BackendError> {
        Self::over(File::open(path.as_ref())?)
    }

    fn over(file: File) -> Result<Self, BackendError> {
        let file = Arc::new(file);
        Ok(Self { threads: Threads::start(OnWriter(Arc::clone(&file)), file)? })
    }
}

struct OnWriter(Arc<File>);

impl Writer for OnWriter {
    fn commit(&mut self, appends: &[&Append]) -> Results {
        let done = self.0.with("append to the journal file", |database| tables::append(database, appends));
        done.unwrap_or_else(|error| failed(error, appends.len()))
    }
}

#[async_trait]
impl JournalStore for RedbStore {
    fn manifest(&self) -> Manifest {
        manifest("redb", &["durable"])
    }

    async fn append(&self, batch: &[Append]) -> Vec<Result<Persisted, AppendError>> {
        self.threads.append(batch).await
    }

    async fn tail(&self, fleet: FleetId) -> Result<Tail, BackendError> {
        let tail =
            move |file: &mut Arc<File>| file.with("read a tail", |database| tables::tail(database, fleet));
        self.threads.read(tail).await
    }

    async fn read(&self, fleet: FleetId, from: Seq, bytes_max: usize) -> Result<Vec<Record>, BackendError> {
        let read = move |file: &mut Arc<File>| {
            file.with("read records", |database| tables::read(database, fleet, from, bytes_max))
        };
        self.threads.read(read).await
    }

    async fn latest_baseline(&self, fleet: FleetId) -> Result<Option<(Record, Digest)>, BackendError> {
        let find = move |file: &mut Arc<File>| {
            file.with("read the latest baseline", |database| tables::latest_baseline(database, fleet))
        };
        self.threads.read(find).await
    }

    async fn fleets(&self, after: Option<FleetId>, limit: usize) -> Result<Vec<FleetId>, BackendError> {
        let list = move |file: &mut Arc<File>| {
            file.with("list fleets", |database| tables::fleets(database, after, limit))
        };
        self.threads.read(list).await
    }

    async fn prune(&self, fleet: FleetId, before: Seq) -> Result<u64, BackendError> {
        let prune = move |writer: &mut OnWriter| {
            writer.0.with("prune a stream", |database| tables::prune(database, fleet, before))
        };
        self.threads.write(prune).await
    }
}
