//! Several hosts on one store, several stores on one file, and files that are no journals.

use super::chain::{append_at, verify};
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::Tail;
use patchflow_core::sdk::{AppendError, BackendError, JournalStore, Retry};
use pollster::block_on;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

type Open = fn(&Path) -> Result<Arc<dyn JournalStore>, BackendError>;

#[cfg(feature = "redb")]
const REDB: Open = |path| Ok(Arc::new(patchflow_backends::store::RedbStore::open(path)?));
#[cfg(feature = "sqlite")]
const SQLITE: Open = |path| Ok(Arc::new(patchflow_backends::store::SqliteStore::open(path)?));

const FLEET: FleetId = FleetId(11);

/// Threads that each append to one stream until it has grown enough, taking the end anew after each conflict.
fn race(stores: &[Arc<dyn JournalStore>], until: Seq) -> (usize, usize) {
    let outcome = |store: &Arc<dyn JournalStore>| {
        let (mut won, mut lost) = (0, 0);
        let mut tail = Tail::EMPTY;
        while tail.next < until {
            let append = append_at(FLEET, tail, 1);
            match block_on(store.append(std::slice::from_ref(&append))).pop().unwrap() {
                Ok(_) => {
                    won += 1;
                    tail = append.tail_after();
                }
                Err(AppendError::Conflict { actual }) => {
                    lost += 1;
                    tail = actual;
                }
                Err(error) => panic!("{error}: {:?}", error.source()),
            }
        }
        (won, lost)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = stores.iter().map(|store| scope.spawn(|| outcome(store))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    })
}

/// Appends of one stream by several threads: as many were acknowledged as records are there.
fn grows_without_doubles(stores: &[Arc<dyn JournalStore>]) {
    let (won, lost) = race(stores, Seq(60));
    // All began at the empty stream, and one of them was first.
    assert!(lost >= stores.len() - 1, "{lost} conflicts among {} appenders", stores.len());
    verify(&*stores[0], FLEET).unwrap();
    let records = block_on(stores[0].read(FLEET, Seq(1), usize::MAX)).unwrap();
    assert_eq!(records.len(), won);
}

#[cfg(feature = "redb")]
#[test]
fn hosts_that_share_a_redb_store_meet_conflicts() {
    let folder = tempfile::tempdir().unwrap();
    let store = REDB(&folder.path().join("journal")).unwrap();
    grows_without_doubles(&[Arc::clone(&store), Arc::clone(&store), store]);
}

#[cfg(feature = "sqlite")]
#[test]
fn sqlite_stores_on_one_file_meet_conflicts() {
    let folder = tempfile::tempdir().unwrap();
    let open = || SQLITE(&folder.path().join("journal")).unwrap();
    grows_without_doubles(&[open(), open(), open()]);
}

#[cfg(feature = "redb")]
#[test]
fn a_second_redb_store_on_a_file_is_told_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal");
    let first = REDB(&path).unwrap();
    let Err(refused) = REDB(&path) else { panic!("two stores on one file") };
    assert_eq!(refused.retry, Retry::Never);
    let text = refused.to_string();
    assert!(text.contains("is open already") && text.contains("close that one"), "{text}");
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    // A dropped store has let go of the file when the drop returns.
    drop(first);
    REDB(&path).unwrap();
}

/// Refused for good, with the path, and left as it was.
fn refuses(open: Open, path: &Path) -> String {
    let before = std::fs::read(path).unwrap();
    let Err(refused) = open(path) else { panic!("{} was taken for a journal", path.display()) };
    assert_eq!(refused.retry, Retry::Never, "{refused}");
    assert_eq!(std::fs::read(path).unwrap(), before);
    let text = format!("{refused}: {}", refused.source().map(ToString::to_string).unwrap_or_default());
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    text
}

#[cfg(feature = "redb")]
#[test]
fn what_is_no_journal_is_refused_by_redb_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a journal\n".repeat(1000)).unwrap();
    assert!(refuses(REDB, &text).contains("is not a journal"));

    let other = folder.path().join("other.redb");
    let database = redb::Database::create(&other).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(redb::TableDefinition::<u64, u64>::new("settings")).unwrap();
    write.commit().unwrap();
    drop(database);
    let Err(refused) = REDB(&other) else { panic!("another program's file was taken for a journal") };
    assert_eq!(refused.source().unwrap().to_string(), "it is a redb file of something else");

    let later = folder.path().join("later.redb");
    drop(REDB(&later).unwrap());
    let database = redb::Database::create(&later).unwrap();
    let write = database.begin_write().unwrap();
    write
        .open_table(redb::TableDefinition::<&str, u64>::new("patchflow.form"))
        .unwrap()
        .insert("version", 2)
        .unwrap();
    write.commit().unwrap();
    drop(database);
    let Err(refused) = REDB(&later) else { panic!("a later form was read") };
    assert_eq!(refused.source().unwrap().to_string(), "its form is version 2, this program reads 1");
}

#[cfg(feature = "sqlite")]
#[test]
fn what_is_no_journal_is_refused_by_sqlite_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "not a journal\n".repeat(1000)).unwrap();
    assert!(refuses(SQLITE, &text).contains("is not a journal"));

    let other = folder.path().join("other.sqlite");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE settings (id INTEGER)").unwrap();
    assert!(refuses(SQLITE, &other).contains("of something else"));

    let later = folder.path().join("later.sqlite");
    drop(SQLITE(&later).unwrap());
    rusqlite::Connection::open(&later).unwrap().execute_batch("PRAGMA user_version = 2").unwrap();
    let Err(refused) = SQLITE(&later) else { panic!("a later form was read") };
    assert!(refused.to_string().contains("its form is version 2, this program reads 1"), "{refused}");
}
