//! A process that is killed while it appends: everything it acknowledged is there, and the stream has no gap.
//!
//! The test starts its own binary again as the process to kill. What the disk's cache would lose in a power cut, no
//! test of a process shows.

use super::chain::{append_at, verify};
use patchflow_core::ids::FleetId;
use patchflow_core::sdk::{BackendError, JournalStore};
use pollster::block_on;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// Names the file to the process that is to be killed.
const FILE: &str = "PATCHFLOW_TEST_KILL_FILE";
const FLEETS: [FleetId; 2] = [FleetId(5), FleetId(u64::MAX)];
/// How many commits are waited for in each round before the kill; uneven, so that kills fall anywhere.
const COMMITS: [usize; 8] = [1, 7, 0, 23, 3, 40, 2, 11];
/// A process that nobody kills ends by itself.
const COMMITS_MAX: usize = 20_000;

type Open = fn(&Path) -> Result<Arc<dyn JournalStore>, BackendError>;

/// Appends for ever and prints the next sequence of each fleet once that is acknowledged.
fn append_until_killed(store: &dyn JournalStore) {
    let mut tails = FLEETS.map(|fleet| verify(store, fleet).unwrap());
    let mut out = std::io::stdout().lock();
    for round in 0..COMMITS_MAX {
        let batch: Vec<_> =
            FLEETS.iter().zip(tails).map(|(fleet, tail)| append_at(*fleet, tail, 1 + round % 4)).collect();
        for (result, (append, tail)) in
            block_on(store.append(&batch)).iter().zip(batch.iter().zip(&mut tails))
        {
            assert!(result.is_ok(), "{result:?}");
            *tail = append.tail_after();
        }
        if writeln!(out, "\nacknowledged {} {}", tails[0].next.0, tails[1].next.0).is_err() {
            return;
        }
    }
}

fn acknowledged(line: &str) -> Option<[u64; 2]> {
    let (first, second) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
    Some([first.parse().ok()?, second.parse().ok()?])
}

fn survives_kills(test: &str, open: Open) {
    if let Some(file) = std::env::var_os(FILE) {
        append_until_killed(&*open(Path::new(&file)).unwrap());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal");
    let mut seen = [1, 1];
    for commits in COMMITS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(FILE, &file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut count = 0;
        while count < commits {
            let line = lines.next().expect("the process ended before it was killed");
            if let Some(next) = acknowledged(&line) {
                seen = next;
                count += 1;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it had printed and nobody had read yet was acknowledged too.
        seen = lines.filter_map(|line| acknowledged(&line)).last().unwrap_or(seen);
        let store = open(&file).unwrap();
        for (fleet, seen) in FLEETS.into_iter().zip(seen) {
            let tail = verify(&*store, fleet).unwrap_or_else(|wrong| panic!("{fleet}: {wrong}"));
            assert!(tail.next.0 >= seen, "{fleet} ends at {} after {seen} was acknowledged", tail.next);
        }
    }
    assert!(seen[0] > 1, "nothing was acknowledged in any round");
}

#[cfg(feature = "redb")]
#[test]
fn redb_keeps_what_it_acknowledged() {
    survives_kills("store::kill::redb_keeps_what_it_acknowledged", |path| {
        Ok(Arc::new(patchflow_backends::store::RedbStore::open(path)?))
    });
}

#[cfg(feature = "sqlite")]
#[test]
fn sqlite_keeps_what_it_acknowledged() {
    survives_kills("store::kill::sqlite_keeps_what_it_acknowledged", |path| {
        Ok(Arc::new(patchflow_backends::store::SqliteStore::open(path)?))
    });
}
