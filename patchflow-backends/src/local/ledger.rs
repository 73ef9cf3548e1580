//! What an endpoint remembers of its orders: one small file on its own storage.
//!
//! It is written, and on the disk, before an operation begins and after it has ended, so that a later process can
//! answer for it. Whole files replace each other; a file that cannot be read is an error, never an empty ledger. A
//! lock of the operating system keeps a second process away while an operation runs, and ends with the process.

use patchflow_core::ids::{EndpointId, Fence, OrderId};
use patchflow_core::package::PackageName;
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::FailureKind;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// How many orders are remembered: an endpoint sees a few a week, and older ones are fenced off anyway.
const ORDERS_MAX: usize = 64;
/// Texts are cut at this many characters, so that a ledger stays small.
const DETAIL_CHARS_MAX: usize = 2000;
/// A ledger of [`ORDERS_MAX`] orders with the longest texts stays well below this; a larger file is not a ledger.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
const VERSION: u32 = 1;

/// What an operation was to lead to: what is looked at when its own word is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "want", rename_all = "snake_case")]
pub(super) enum Want {
    /// This version, whole.
    Version { package: PackageName, version: String },
    /// Not there; `version` is the one that was to be taken back.
    Absent { package: PackageName, version: String },
    /// Up again.
    Rebooted,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(super) enum State {
    Running,
    Done,
    Failed { failure: Failure<'static> },
}

impl State {
    pub(super) fn of(outcome: Result<(), Failure<'static>>) -> Self {
        match outcome {
            Ok(()) => Self::Done,
            Err(mut failure) => {
                if let Some((end, _)) = failure.detail.char_indices().nth(DETAIL_CHARS_MAX) {
                    failure.detail = failure.detail[..end].to_owned().into();
                }
                Self::Failed { failure }
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) id: OrderId,
    pub(super) fence: Fence,
    pub(super) want: Want,
    pub(super) state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ledger {
    version: u32,
    endpoint: EndpointId,
    /// The highest that was begun here.
    pub(super) fence: Fence,
    orders: VecDeque<Entry>,
}

impl Ledger {
    fn new(endpoint: EndpointId) -> Self {
        Self { version: VERSION, endpoint, fence: Fence(0), orders: VecDeque::new() }
    }

    pub(super) fn find(&self, id: OrderId) -> Option<&Entry> {
        self.orders.iter().rev().find(|entry| entry.id == id)
    }

    /// The operation that was begun and did not end.
    pub(super) fn running(&self) -> Option<&Entry> {
        self.orders.iter().rev().find(|entry| entry.state == State::Running)
    }

    /// Notes an order, or the new state of one. The oldest that has ended makes room.
    pub(super) fn note(&mut self, entry: Entry) {
        self.fence = self.fence.max(entry.fence);
        match self.orders.iter_mut().find(|known| known.id == entry.id) {
            Some(known) => *known = entry,
            None => self.orders.push_back(entry),
        }
        while self.orders.len() > ORDERS_MAX {
            let oldest = self.orders.iter().position(|entry| entry.state != State::Running).unwrap_or(0);
            self.orders.remove(oldest);
        }
    }
}

/// Why a ledger does not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum LedgerError {
    #[error("the endpoint is in use by another process")]
    InUse,
    #[error("the endpoint's ledger cannot be read: {0}")]
    Unreadable(String),
    #[error("the endpoint's ledger cannot be written: {0}")]
    Unwritable(io::Error),
}

impl LedgerError {
    pub(super) fn failure(&self) -> Failure<'static> {
        let kind = match self {
            Self::InUse => FailureKind::Busy,
            Self::Unreadable(_) => FailureKind::Broken,
            Self::Unwritable(error) if is_space(error) => FailureKind::Disk,
            Self::Unwritable(_) => FailureKind::Other,
        };
        Failure::new(kind, self.to_string())
    }
}

fn is_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

struct Open {
    _lock: File,
    ledger: Ledger,
    /// What stands here could not be written: it must not be forgotten.
    unsaved: bool,
}

/// The ledger of one endpoint, as a file. Open only while it is used, or pinned by an operation.
pub(super) struct LedgerFile {
    dir: PathBuf,
    endpoint: EndpointId,
    open: Option<Open>,
    pinned: bool,
}

impl LedgerFile {
    pub(super) fn new(dir: PathBuf, endpoint: EndpointId) -> Self {
        Self { dir, endpoint, open: None, pinned: false }
    }

    /// Keeps the lock until [`LedgerFile::unpin`], from the next use on.
    pub(super) fn pin(&mut self) {
        self.pinned = true;
    }

    pub(super) fn unpin(&mut self) {
        self.pinned = false;
        self.close_unless_needed();
    }

    /// Looks into the ledger as it stands.
    pub(super) fn read<R>(&mut self, look: impl FnOnce(&Ledger) -> R) -> Result<R, LedgerError> {
        let result = look(&self.opened()?.ledger);
        self.close_unless_needed();
        Ok(result)
    }

    /// Looks into the ledger while another process holds it: what it says may be older than what that one knows.
    pub(super) fn read_of_other<R>(&self, look: impl FnOnce(&Ledger) -> R) -> Result<R, LedgerError> {
        load(&self.dir, &self.endpoint).map(|ledger| look(&ledger))
    }

    /// Notes a state. On return it is on the disk; when that fails it is remembered here until it can be written.
    pub(super) fn note(&mut self, entry: Entry) -> Result<(), LedgerError> {
        let dir = self.dir.clone();
        let open = self.opened()?;
        open.ledger.note(entry);
        let saved = save(&dir, &open.ledger);
        open.unsaved = saved.is_err();
        self.close_unless_needed();
        saved.map_err(LedgerError::Unwritable)
    }

    fn opened(&mut self) -> Result<&mut Open, LedgerError> {
        if self.open.is_none() {
            fs::create_dir_all(&self.dir).map_err(LedgerError::Unwritable)?;
            let lock = File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(self.dir.join("ledger.lock"))
                .map_err(LedgerError::Unwritable)?;
            match lock.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(LedgerError::InUse),
                Err(TryLockError::Error(error)) => return Err(LedgerError::Unwritable(error)),
            }
            let ledger = load(&self.dir, &self.endpoint)?;
            self.open = Some(Open { _lock: lock, ledger, unsaved: false });
        }
        // It was just set; the error is for a reader of this line, not for a run of it.
        self.open.as_mut().ok_or_else(|| LedgerError::Unreadable("it is not open".into()))
    }

    fn close_unless_needed(&mut self) {
        if !self.pinned && self.open.as_ref().is_some_and(|open| !open.unsaved) {
            self.open = None;
        }
    }
}

fn load(dir: &Path, endpoint: &EndpointId) -> Result<Ledger, LedgerError> {
    let path = dir.join("ledger.json");
    let unreadable = |why: String| LedgerError::Unreadable(format!("{}: {why}", path.display()));
    match fs::metadata(&path) {
        Ok(meta) if meta.len() > FILE_BYTES_MAX => {
            return Err(unreadable(format!("{} bytes long", meta.len())));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ledger::new(endpoint.clone())),
        Err(error) => return Err(unreadable(error.to_string())),
    }
    let text = fs::read(&path).map_err(|error| unreadable(error.to_string()))?;
    let ledger: Ledger = serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
    if ledger.version != VERSION {
        return Err(unreadable(format!("version {}, this program reads {VERSION}", ledger.version)));
    }
    if ledger.endpoint != *endpoint {
        return Err(unreadable(format!("it is the ledger of `{}`, not of `{endpoint}`", ledger.endpoint)));
    }
    Ok(ledger)
}

fn save(dir: &Path, ledger: &Ledger) -> io::Result<()> {
    let text = serde_json::to_vec(ledger).map_err(io::Error::other)?;
    replace_file(&dir.join("ledger.json"), &text)
}

/// Replaces a file by another, whole or not at all, and returns when that is on the disk.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&temporary, path)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Brings a directory's entries to the disk, where the system can.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
}
