//! Pruning: payloads go, headers and heads stay.

use super::Checked;
use super::fabric::{Bench, Stream, ask, holds, read_all, same, same_records, store_one, told};
use patchflow_core::ids::Seq;
use patchflow_core::journal::Record;
use patchflow_core::journal::RecordKind::{Baseline, Frame, Rich};
use patchflow_core::sdk::{JournalStore, Retry};

/// Drops in the fabricated stream what the store is to drop. Returns how many payloads went.
fn prune(stream: &mut Stream, before: Seq) -> u64 {
    let mut dropped = 0;
    for record in &mut stream.records {
        let ended = if record.kind == Baseline { record.first < before } else { record.last < before };
        dropped += u64::from(ended && record.payload.take().is_some());
    }
    dropped
}

/// Facts 1 to 34, with baselines at 12, 23 and, twice, at 34.
async fn long_stream(store: &dyn JournalStore) -> Result<Stream, String> {
    let mut stream = Stream::new(3);
    store_one(store, &stream.append(&[Rich, Frame, Baseline, Frame, Rich])).await?;
    store_one(store, &stream.append(&[Baseline, Rich, Frame, Baseline, Baseline])).await?;
    Ok(stream)
}

pub(super) fn drops<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = long_stream(&*store).await?;
        for before in [12, 13, 30, 34].map(Seq) {
            let wanted = prune(&mut stream, before);
            for wanted in [wanted, 0] {
                let dropped = ask("pruning", store.prune(stream.fleet, before)).await?;
                same(&format!("how many payloads pruning before {before} dropped"), &dropped, &wanted)?;
            }
            let ended = |record: &&Record| record.last < before && record.payload.is_none();
            let stored = read_all(&*store, stream.fleet).await?;
            let wanted: Vec<Record> = stream.records.iter().filter(ended).cloned().collect();
            same_records(&stored[..wanted.len().min(stored.len())], &wanted)
                .map_err(|seen| format!("pruned before {before}: {seen}"))?;
        }
        Ok(())
    })
}

pub(super) fn needs_baseline<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let stream = long_stream(&*store).await?;
        let mut without = Stream::new(2);
        store_one(&*store, &without.append(&[Rich, Frame, Rich])).await?;
        // Beyond the last baseline; in a stream without any, beside one with some; in one without records.
        let nobody = Stream::new(9);
        for (stream, before) in
            [(&stream, 35), (&stream, u64::MAX), (&without, 2), (&without, 13), (&nobody, 1)]
        {
            match store.prune(stream.fleet, Seq(before)).await {
                Ok(dropped) => {
                    return Err(format!(
                        "pruning {} before #{before} was not refused, and dropped {dropped}",
                        stream.fleet
                    ));
                }
                Err(error) if error.retry != Retry::Never => {
                    return Err(format!("pruning was refused, but not for good: {}", told(&error)));
                }
                Err(_) => {}
            }
            holds(&*store, stream).await?;
        }
        Ok(())
    })
}

pub(super) fn keeps<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = long_stream(&*store).await?;
        let latest = ask("asking for the latest baseline", store.latest_baseline(stream.fleet)).await?;
        // In the middle of a frame, on a baseline, and one past it.
        for before in [5, 12, 15, 23, 24, 34].map(Seq) {
            prune(&mut stream, before);
            ask("pruning", store.prune(stream.fleet, before)).await?;
            // From the end, because what stands before is the business of J22.
            let kept = stream.records.iter().filter(|record| record.payload.is_some()).count();
            let stored = read_all(&*store, stream.fleet).await?;
            let (from, wanted_from) = (stored.len().saturating_sub(kept), stream.records.len() - kept);
            same_records(&stored[from..], &stream.records[wanted_from..])
                .map_err(|seen| format!("pruned before {before}: {seen}"))?;
            let found = ask("asking for the latest baseline", store.latest_baseline(stream.fleet)).await?;
            if found != latest {
                return Err(format!("pruning before {before} changed the latest baseline"));
            }
        }
        Ok(())
    })
}

pub(super) fn apart<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = long_stream(&*store).await?;
        let mut others = [2, 4, u64::MAX].map(Stream::new);
        for other in &mut others {
            store_one(&*store, &other.append(&[Rich, Frame, Baseline, Rich])).await?;
        }
        prune(&mut stream, Seq(23));
        ask("pruning", store.prune(stream.fleet, Seq(23))).await?;
        for other in &others {
            holds(&*store, other).await.map_err(|seen| format!("{}: {seen}", other.fleet))?;
        }
        let tail = ask("asking for the tail", store.tail(stream.fleet)).await?;
        same("the tail after pruning", &tail, &stream.tail)?;
        let append = stream.append(&[Rich, Baseline, Frame]);
        store_one(&*store, &append).await?;
        let read = ask("reading", store.read(stream.fleet, append.expected.next, usize::MAX)).await?;
        // The two baselines that stood at the end come before what was appended there.
        same_records(&read[read.len().min(2)..], &append.records)
    })
}
