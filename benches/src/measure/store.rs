//! Appends to the durable store, beside a raw write and fdatasync of as many bytes in the same folder and run.

use crate::stores::Streams;
use patchflow_backends::store::RedbStore;
use patchflow_benches::Sample;
use patchflow_core::sdk::JournalStore;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Streams that share one commit.
const BATCHES: [usize; 3] = [1, 100, 1000];

pub(crate) fn run(folder: &Path, runs: usize) {
    // A commit's time varies more than anything else here: many of them, taken in turns with the raw ones.
    let rounds = runs * 20;
    println!("\n### Appending, one record of one rich fact a stream, durable on return\n");
    println!("In {}; each figure the median of {rounds}.\n", folder.display());
    println!(
        "| Streams in a batch | Bytes | `RedbStore::append` | write + fdatasync | In fdatasyncs | Records a second |"
    );
    println!("|---|---|---|---|---|---|");
    let folder = tempfile::tempdir_in(folder).expect("the folder can be written");
    for (i, batch) in BATCHES.into_iter().enumerate() {
        let store =
            RedbStore::open(folder.path().join(format!("journal-{i}.redb"))).expect("a store can be opened");
        let mut raw = open(&folder.path().join(format!("raw-{i}")));
        let mut streams = Streams::new(batch);
        let (mut appends, mut syncs, mut bytes) = (Vec::new(), Vec::new(), 0);
        for round in 0..=rounds {
            let batch = streams.next();
            let content: Vec<u8> = batch
                .iter()
                .flat_map(|append| &append.records)
                .flat_map(|record| record.header.iter().chain(record.payload.iter().flatten()).copied())
                .collect();
            let start = Instant::now();
            let stored = pollster::block_on(store.append(&batch));
            let append = start.elapsed();
            assert!(stored.iter().all(Result::is_ok), "an append failed");
            let sync = synced(&mut raw, &content);
            // The first round makes tables and files.
            if round > 0 {
                appends.push(append);
                syncs.push(sync);
                bytes = content.len();
            }
        }
        let (append, sync) = (Sample::of(appends), Sample::of(syncs));
        println!(
            "| {batch} | {bytes} | {:.2} ms ({:.2} to {:.2}) | {:.2} ms ({:.2} to {:.2}) | {:.1} | {:.0} |",
            millis(append.median),
            millis(append.fastest),
            millis(append.slowest),
            millis(sync.median),
            millis(sync.fastest),
            millis(sync.slowest),
            append.ratio_to(&sync),
            append.per_second(batch as u64),
        );
    }
}

fn open(path: &Path) -> File {
    OpenOptions::new().create_new(true).append(true).open(path).expect("a file can be made")
}

fn synced(file: &mut File, content: &[u8]) -> Duration {
    let start = Instant::now();
    file.write_all(content).expect("a file can be written");
    file.sync_data().expect("a file can be synced");
    start.elapsed()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
