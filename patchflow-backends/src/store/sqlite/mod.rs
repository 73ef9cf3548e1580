//! Journals in a SQLite file: for hosts that have SQLite anyway, for several processes on one file, and for auditors
//! who want SQL.
//!
//! What this module does not do: verify chains (a reader's business), or shrink the file (`VACUUM` does, when nobody
//! writes).

mod rows;

use super::threads::{Results, Threads, Writer, failed};
use super::{folder, manifest};
use async_trait::async_trait;
use patchflow_core::digest::Digest;
use patchflow_core::fleet::Persisted;
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::{Record, Tail};
use patchflow_core::sdk::{Append, AppendError, BackendError, JournalStore, Manifest};
use rows::Trouble;
use rusqlite::{Connection, Error, ErrorCode};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a writer waits for one of another process before it says so. A commit takes milliseconds; a copy of the
/// file being taken, seconds.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// When to try again after the file was busy or the disk full.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Keeps journals in one SQLite file, in the write-ahead mode with full synchronization: an append is on the disk when
/// it is acknowledged, and all appends that wait when a commit begins share it.
///
/// Several stores, in several processes, may be open on one file (of a local disk: SQLite's locks do not work on
/// network shares); who appends second to a stream meets a conflict.
///
/// The table `records` is readable by people: one row a record, `kind` 1 rich fact as JSON text, 2 frame, 3 baseline,
/// `at_millis` since 1970 in UTC, `payload` null once pruned. Fleets from 2^63 on are shown negative.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use patchflow_backends::store::SqliteStore;
/// use patchflow_core::{ids::FleetId, journal::Tail, sdk::JournalStore};
/// let folder = tempfile::tempdir()?;
/// let store = SqliteStore::open(folder.path().join("journal.sqlite"))?;
/// assert_eq!(pollster::block_on(store.tail(FleetId(7)))?, Tail::EMPTY);
/// # Ok(())
/// # }
/// ```
pub struct SqliteStore {
    threads: Threads<Handle, Handle>,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the file at a path, or makes it. Blocks.
    ///
    /// # Errors
    /// Lasting: the file is no journal, is damaged, or was written by a later version. Otherwise as SQLite says.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BackendError> {
        let path = path.as_ref();
        let is_new = !path.exists();
        let writer = Handle::open(path)?;
        let reader = Handle::open(path)?;
        if is_new {
            folder::sync_folder_of(path)?;
        }
        Ok(Self { threads: Threads::start(writer, reader)? })
    }
}

/// A connection on the thread that owns it.
struct Handle {
    path: PathBuf,
    connection: Connection,
}

impl Handle {
    fn open(path: &Path) -> Result<Self, BackendError> {
        let open = || {
            let mut connection = Connection::open(path)?;
            connection.busy_timeout(BUSY_MAX)?;
            rows::prepare(&mut connection)?;
            Ok(connection)
        };
        match open() {
            Ok(connection) => Ok(Self { path: path.into(), connection }),
            Err(trouble) => Err(told("open", path, trouble)),
        }
    }

    fn with<T>(
        &mut self,
        doing: &str,
        task: impl FnOnce(&mut Connection) -> Result<T, Trouble>,
    ) -> Result<T, BackendError> {
        task(&mut self.connection).map_err(|trouble| told(doing, &self.path, trouble))
    }
}

/// What the caller hears of a trouble.
fn told(doing: &str, path: &Path, trouble: Trouble) -> BackendError {
    let doing = format!("{doing} the journal {}", path.display());
    let error = match trouble {
        Trouble::Refused(error) => return error,
        Trouble::Odd(what) => return BackendError::lasting(format!("{doing}: {what}")),
        Trouble::Sqlite(error) => error,
    };
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::CannotOpen,
        ) => BackendError::retryable(doing, RETRY_AFTER).because(error),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => BackendError::lasting(format!(
            "{doing}: the file is damaged, or is not a journal; put a copy back"
        ))
        .because(error),
        _ => BackendError::lasting(doing).because(error),
    }
}

impl Writer for Handle {
    fn commit(&mut self, appends: &[&Append]) -> Results {
        let done = self.with("append to", |connection| rows::append(connection, appends));
        done.unwrap_or_else(|error| failed(error, appends.len()))
    }
}

#[async_trait]
impl JournalStore for SqliteStore {
    fn manifest(&self) -> Manifest {
        manifest("sqlite", &["durable", "shared"])
    }

    async fn append(&self, batch: &[Append]) -> Vec<Result<Persisted, AppendError>> {
        self.threads.append(batch).await
    }

    async fn tail(&self, fleet: FleetId) -> Result<Tail, BackendError> {
        let tail = move |handle: &mut Handle| handle.with("read a tail in", |c| rows::tail(c, fleet));
        self.threads.read(tail).await
    }

    async fn read(&self, fleet: FleetId, from: Seq, bytes_max: usize) -> Result<Vec<Record>, BackendError> {
        let read = move |handle: &mut Handle| {
            handle.with("read records in", |c| rows::read(c, fleet, from, bytes_max))
        };
        self.threads.read(read).await
    }

    async fn latest_baseline(&self, fleet: FleetId) -> Result<Option<(Record, Digest)>, BackendError> {
        let find = move |handle: &mut Handle| {
            handle.with("read the latest baseline in", |c| rows::latest_baseline(c, fleet))
        };
        self.threads.read(find).await
    }

    async fn fleets(&self, after: Option<FleetId>, limit: usize) -> Result<Vec<FleetId>, BackendError> {
        let list =
            move |handle: &mut Handle| handle.with("list the fleets of", |c| rows::fleets(c, after, limit));
        self.threads.read(list).await
    }

    async fn prune(&self, fleet: FleetId, before: Seq) -> Result<u64, BackendError> {
        let prune =
            move |handle: &mut Handle| handle.with("prune a stream of", |c| rows::prune(c, fleet, before));
        self.threads.write(prune).await
    }
}
