//! A disk that fails at any one of its operations: nothing is doubled, nothing acknowledged is lost.

use super::{File, RedbStore};
use patchflow_core::digest::Digest;
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::{Record, RecordKind, Tail};
use patchflow_core::sdk::{Append, AppendError, JournalStore, Retry};
use patchflow_core::time::Timestamp;
use pollster::block_on;
use redb::backends::FileBackend;
use redb::{Database, StorageBackend};
use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const FLEET: FleetId = FleetId(1);

/// Which of the coming writes and syncs fails: 1 is the next one, 0 none.
type Countdown = Arc<AtomicU64>;

#[derive(Debug)]
struct FailingDisk {
    file: FileBackend,
    countdown: Countdown,
    /// Whether the operation that fails is carried out all the same: its answer is lost.
    done_all_the_same: bool,
}

impl FailingDisk {
    fn change(&self, change: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let left = self.countdown.load(Ordering::SeqCst);
        if left > 0 {
            self.countdown.store(left - 1, Ordering::SeqCst);
        }
        if left == 1 {
            if self.done_all_the_same {
                change()?;
            }
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        change()
    }
}

impl StorageBackend for FailingDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(|| self.file.set_len(len))
    }
    fn sync_data(&self) -> io::Result<()> {
        self.change(|| self.file.sync_data())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(|| self.file.write(offset, data))
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}

fn open(path: &Path, countdown: &Countdown, done_all_the_same: bool) -> RedbStore {
    let countdown = Arc::clone(countdown);
    let opener = move |path: &Path| {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let disk = FailingDisk {
            file: FileBackend::new(file)?,
            countdown: Arc::clone(&countdown),
            done_all_the_same,
        };
        Database::builder().create_with_backend(disk)
    };
    RedbStore::over(File::open_by(path, Box::new(opener)).unwrap()).unwrap()
}

fn append_at(expected: Tail) -> Append {
    let header = vec![expected.next.0 as u8; 96];
    let record = Record {
        kind: RecordKind::Rich,
        first: expected.next,
        last: expected.next,
        at: Timestamp::from_secs(0),
        head: Digest::of(&[&expected.head.0[..], &header].concat()),
        header,
        payload: Some(vec![7; 9000]),
    };
    Append { fleet: FLEET, expected, records: vec![record] }
}

/// Lets each operation of an append fail in turn. Returns how many appends failed.
fn sweep(done_all_the_same: bool) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let countdown = Countdown::default();
    let store = open(&folder.path().join("journal"), &countdown, done_all_the_same);
    let mut tail = Tail::EMPTY;
    let mut failed = 0;
    for operation in 1..=12 {
        let append = append_at(tail);
        countdown.store(operation, Ordering::SeqCst);
        let first = block_on(store.append(std::slice::from_ref(&append))).pop().unwrap();
        countdown.store(0, Ordering::SeqCst);
        if let Err(error) = first {
            failed += 1;
            let AppendError::Failed(error) = error else { panic!("operation {operation}: {error}") };
            assert_ne!(error.retry, Retry::Never, "operation {operation}: {error}");
            // The identical append settles it.
            match block_on(store.append(std::slice::from_ref(&append))).pop().unwrap() {
                Ok(_) => {}
                Err(AppendError::Conflict { actual }) => assert_eq!(actual, append.tail_after()),
                Err(error) => panic!("after operation {operation}: {error:?}"),
            }
        }
        tail = append.tail_after();
        let heads: Vec<Digest> = block_on(store.read(FLEET, Seq(1), usize::MAX))
            .unwrap()
            .iter()
            .map(|record| record.head)
            .collect();
        assert_eq!(heads.len() as u64 + 1, tail.next.0, "operation {operation}");
        assert_eq!(heads.last(), Some(&tail.head));
    }
    failed
}

#[test]
fn an_append_on_a_disk_that_fails_is_settled_by_the_identical_one() {
    assert!(sweep(false) > 2);
}

#[test]
fn an_append_whose_answer_is_lost_is_settled_by_the_identical_one() {
    assert!(sweep(true) > 2);
}
