//! A redb file with a flipped byte: it is refused, or reading fails, or the chain does not fit, or nobody reads the byte.
//! Never a panic out of the store, and never other records that look right.

use super::chain::{append_at, verify};
use patchflow_backends::store::RedbStore;
use patchflow_core::ids::FleetId;
use patchflow_core::journal::Tail;
use patchflow_core::sdk::JournalStore;
use pollster::block_on;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Once;

const FLEETS: [FleetId; 3] = [FleetId(1), FleetId(2), FleetId(700)];

/// A journal of six commits: where its streams end after the last two, and its file.
struct Journal {
    tails: [Tail; 3],
    tails_before: [Tail; 3],
    /// As it was left when the store was closed.
    closed: Vec<u8>,
    /// As a crash would have left it.
    crashed: Vec<u8>,
}

fn journal(path: &Path) -> Journal {
    let store = RedbStore::open(path).unwrap();
    let mut tails = [Tail::EMPTY; 3];
    let mut tails_before = tails;
    for round in 0..6 {
        tails_before = tails;
        let batch: Vec<_> =
            FLEETS.iter().zip(tails).map(|(fleet, tail)| append_at(*fleet, tail, 3 + round)).collect();
        for (tail, (append, result)) in tails.iter_mut().zip(batch.iter().zip(block_on(store.append(&batch))))
        {
            result.unwrap();
            *tail = append.tail_after();
        }
    }
    let crashed = std::fs::read(path).unwrap();
    drop(store);
    Journal { tails, tails_before, closed: std::fs::read(path).unwrap(), crashed }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The file does not open.
    Refused,
    /// Reading fails, or the chain does not fit.
    Found,
    /// All is there, nobody reads the byte.
    Unread,
    /// The streams end where they ended before the last commit.
    CommitBefore,
    /// The streams look right and are not.
    Wrong,
}

fn outcome_of(path: &Path, journal: &Journal) -> Outcome {
    let Ok(store) = RedbStore::open(path) else { return Outcome::Refused };
    let seen: Result<Vec<Tail>, String> = FLEETS.iter().map(|fleet| verify(&store, *fleet)).collect();
    match seen {
        Err(_) => Outcome::Found,
        Ok(seen) if seen == journal.tails => Outcome::Unread,
        Ok(seen) if seen == journal.tails_before => Outcome::CommitBefore,
        Ok(_) => Outcome::Wrong,
    }
}

/// What becomes of a file of the journal when bytes of it are flipped, one at a time.
fn flip(path: &Path, file: &[u8], journal: &Journal) -> BTreeSet<Outcome> {
    std::fs::write(path, file).unwrap();
    assert_eq!(outcome_of(path, journal), Outcome::Unread);
    // A sample of the file's own header, and of all that is not empty.
    let written: Vec<usize> = (0..file.len()).filter(|at| file[*at] != 0).collect();
    let sample = (0..320).step_by(7).chain(written.iter().copied().step_by(written.len() / 60 + 1));
    let flipped = sample.map(|at| {
        let mut bad = file.to_vec();
        bad[at] ^= 0x40;
        std::fs::write(path, &bad).unwrap();
        outcome_of(path, journal)
    });
    flipped.collect()
}

/// redb's own panics are caught and told as errors; they need not fill the output of the tests.
fn hush_redb() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.location().is_some_and(|place| place.file().contains("/redb-")) {
                usual(panic);
            }
        }));
    });
}

#[test]
fn a_flipped_byte_never_passes_for_other_records() {
    hush_redb();
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(&folder.path().join("journal"));
    let outcomes = flip(&folder.path().join("flipped"), &journal.closed, &journal);
    assert!(outcomes.is_subset(&[Outcome::Refused, Outcome::Found, Outcome::Unread].into()), "{outcomes:?}");
    // The sample is large enough to meet both.
    assert!(outcomes.is_superset(&[Outcome::Refused, Outcome::Found].into()), "{outcomes:?}");
}

/// After a crash redb goes back to the commit before, when the last one does not add up: it cannot tell a byte that
/// rotted from one that never reached the disk. The streams then end, in good order, where they ended before.
#[test]
fn a_flipped_byte_in_a_crashed_file_costs_at_most_the_last_commit() {
    hush_redb();
    let folder = tempfile::tempdir().unwrap();
    let journal = journal(&folder.path().join("journal"));
    let outcomes = flip(&folder.path().join("flipped"), &journal.crashed, &journal);
    assert!(!outcomes.contains(&Outcome::Wrong), "{outcomes:?}");
    assert!(outcomes.contains(&Outcome::Refused), "{outcomes:?}");
}
