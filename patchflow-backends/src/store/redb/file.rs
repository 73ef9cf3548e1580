//! The open file: how it is opened, refused, and opened anew after it failed.

use super::tables;
use super::trouble::Trouble;
use patchflow_core::sdk::BackendError;
use redb::{Database, DatabaseError, Error};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

/// What redb may keep in memory. Its own default of 1 GiB is too much for a guest in somebody's product; a journal is
/// appended at its end and seldom read, so little is enough.
const CACHE_BYTES: usize = 64 << 20;

/// When to try again after an input or output error: a full disk is not emptied sooner.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How the database of a path is opened: from a file, or in tests from one that fails.
type Opener = Box<dyn Fn(&Path) -> Result<Database, DatabaseError> + Send + Sync>;

/// A redb file that is open, or will be at the next call.
pub(super) struct File {
    path: PathBuf,
    opener: Opener,
    database: RwLock<Option<Database>>,
}

impl File {
    pub(super) fn open(path: &Path) -> Result<Self, BackendError> {
        Self::open_by(path, Box::new(|path| Database::builder().set_cache_size(CACHE_BYTES).create(path)))
    }

    pub(super) fn open_by(path: &Path, opener: Opener) -> Result<Self, BackendError> {
        let database = RwLock::new(Some(open(path, &opener)?));
        Ok(Self { path: path.into(), opener, database })
    }

    /// Runs a task on the database. An error or a panic that leaves redb unusable closes the file.
    pub(super) fn with<T>(
        &self,
        doing: &str,
        task: impl FnOnce(&Database) -> Result<T, Trouble>,
    ) -> Result<T, BackendError> {
        self.reopen()?;
        let outcome = {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let Some(database) = database.as_ref() else {
                // The other thread closed it just now.
                return Err(BackendError::retryable(doing, RETRY_AFTER));
            };
            catch_unwind(AssertUnwindSafe(|| task(database)))
        };
        match outcome {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(Trouble::Ours(error))) => Err(error),
            Ok(Err(Trouble::Redb(error))) => Err(self.failed(doing, error)),
            Err(panic) => {
                self.close();
                Err(damaged(&self.path, &text_of(&*panic)))
            }
        }
    }

    fn failed(&self, doing: &str, error: Error) -> BackendError {
        if matches!(error, Error::Io(_) | Error::PreviousIo | Error::DatabaseClosed | Error::LockPoisoned(_))
        {
            self.close();
            return BackendError::retryable(doing, RETRY_AFTER).because(error);
        }
        match error {
            Error::Corrupted(what) => {
                self.close();
                damaged(&self.path, &what)
            }
            error => BackendError::lasting(doing).because(error),
        }
    }

    fn close(&self) {
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        let closed = database.take();
        // Closing writes too, and may meet the same damage; there is nothing left to save by it.
        drop(catch_unwind(AssertUnwindSafe(|| drop(closed))));
    }

    fn reopen(&self) -> Result<(), BackendError> {
        if self.database.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if database.is_none() {
            *database = Some(open(&self.path, &self.opener)?);
        }
        Ok(())
    }
}

fn open(path: &Path, opener: &Opener) -> Result<Database, BackendError> {
    let is_new = !path.exists();
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let database = opener(path)?;
        tables::prepare(&database)?;
        Ok(database)
    }));
    let path_shown = path.display();
    let database = match opened {
        Ok(Ok(database)) => database,
        Ok(Err(Trouble::Ours(error))) => {
            return Err(BackendError::lasting(format!("open {path_shown} as a journal")).because(error));
        }
        Ok(Err(Trouble::Redb(error))) => return Err(refused(path, error)),
        Err(panic) => return Err(damaged(path, &text_of(&*panic))),
    };
    if is_new {
        super::super::folder::sync_folder_of(path)?;
    }
    Ok(database)
}

fn refused(path: &Path, error: Error) -> BackendError {
    let shown = path.display();
    match error {
        Error::DatabaseAlreadyOpen => BackendError::lasting(format!(
            "open the journal {shown}: it is open already, in another process or in another store of this one; close \
             that one, share one store between the hosts of a process, or keep journals that several processes write \
             in a store with the capability `shared`"
        )),
        Error::Corrupted(what) => damaged(path, &what),
        Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            damaged(path, &error.to_string())
        }
        Error::Io(error) => {
            BackendError::retryable(format!("open the journal {shown}"), RETRY_AFTER).because(error)
        }
        error => BackendError::lasting(format!("open the journal {shown}")).because(error),
    }
}

fn damaged(path: &Path, what: &str) -> BackendError {
    BackendError::lasting(format!(
        "use the journal {}: the file is damaged, or is not a journal ({what}); put a copy back",
        path.display()
    ))
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no reason given".into())
}
