//! What a store knows of its streams: tails, latest baselines, which fleets there are.

use super::Checked;
use super::fabric::{Bench, Stream, ask, holds, only, same, same_records, store_one};
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::RecordKind::{Baseline, Frame, Rich};
use patchflow_core::journal::Tail;
use patchflow_core::sdk::{PluginKind, negotiate};

pub(super) fn manifest<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let manifest = bench.open().await?.manifest();
        same("whether the manifest has a name", &manifest.name.is_empty(), &false)?;
        negotiate(&manifest, PluginKind::JournalStore, &[]).map_err(|mismatch| mismatch.to_string())
    })
}

pub(super) fn empty<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        // Once in a store without any stream, once beside one.
        for round in 0..2 {
            for fleet in [0, 2, u64::MAX].map(FleetId) {
                let tail = ask("asking for the tail", store.tail(fleet)).await?;
                same("the tail of a stream without records", &tail, &Tail::EMPTY)?;
                for from in [0, 1, 2, u64::MAX] {
                    let read = ask("reading", store.read(fleet, Seq(from), 1 << 20)).await?;
                    same_records(&read, &[])?;
                }
                let baseline = ask("asking for the latest baseline", store.latest_baseline(fleet)).await?;
                same("the latest baseline of a stream without records", &baseline, &None)?;
            }
            if round == 0 {
                store_one(&*store, &Stream::new(1).append(&[Rich, Baseline])).await?;
            }
        }
        Ok(())
    })
}

pub(super) fn independent<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        // Neighbours, both ends of the range, and a number that is another one when its high bits are lost.
        let fleets = [0, 1, 2, 1 << 32, (1 << 32) + 1, i64::MAX as u64, 1 << 63, u64::MAX];
        let mut streams: Vec<Stream> = fleets.map(Stream::new).into();
        for round in 0..3 {
            for (at, stream) in streams.iter_mut().enumerate() {
                let kinds = if (at + round) % 2 == 0 { &[Rich, Frame][..] } else { &[Baseline, Rich] };
                store_one(&*store, &stream.append(kinds)).await?;
            }
        }
        for stream in &streams {
            holds(&*store, stream).await.map_err(|seen| format!("{}: {seen}", stream.fleet))?;
            let (baseline, _) = ask("asking for the latest baseline", store.latest_baseline(stream.fleet))
                .await?
                .ok_or_else(|| format!("{} has no baseline any more", stream.fleet))?;
            let wanted = stream.records.iter().rfind(|record| record.kind == Baseline).into_iter();
            same_records(&[baseline], &wanted.cloned().collect::<Vec<_>>())?;
        }
        Ok(())
    })
}

pub(super) fn tail<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        for kinds in [&[Rich][..], &[Frame], &[Baseline], &[Baseline, Rich], &[Rich, Baseline]] {
            let append = stream.append(kinds);
            store_one(&*store, &append).await?;
            let tail = ask("asking for the tail", store.tail(stream.fleet)).await?;
            same(&format!("the tail after {kinds:?}"), &tail, &append.tail_after())?;
        }
        Ok(())
    })
}

pub(super) fn latest_baseline<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        let mut wanted = None;
        // At the very beginning, after records, twice at one place, and in the middle of an append.
        for kinds in
            [&[Baseline][..], &[Rich, Frame], &[Baseline], &[Baseline], &[Rich, Baseline, Frame, Rich]]
        {
            let append = stream.append(kinds);
            store_one(&*store, &append).await?;
            let mut before = append.expected.head;
            for record in append.records {
                let head = record.head;
                if record.kind == Baseline {
                    wanted = Some((record, before));
                }
                before = head;
            }
            let found = ask("asking for the latest baseline", store.latest_baseline(stream.fleet)).await?;
            let (Some((found, head)), Some((wanted, wanted_head))) = (&found, &wanted) else {
                return Err("there is no latest baseline although one was appended".into());
            };
            same_records(std::slice::from_ref(found), std::slice::from_ref(wanted))?;
            same("the head before the latest baseline", head, wanted_head)?;
        }
        Ok(())
    })
}

pub(super) fn fleets<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let none = ask("listing fleets", store.fleets(None, 10)).await?;
        same("the list of fleets of an empty store", &none, &Vec::new())?;
        for fleet in [1 << 63, 7, u64::MAX, 300, 0, 255] {
            let mut stream = Stream::new(fleet);
            store_one(&*store, &stream.append(&[Rich])).await?;
            store_one(&*store, &stream.append(&[Rich])).await?;
        }
        // A conflict makes no stream.
        let mut never = Stream::new(8);
        never.append(&[Rich]);
        drop(only(store.append(&[never.append(&[Rich])]).await)?);
        let fleets = ask("listing fleets", store.fleets(None, 100)).await?;
        same("the list of fleets", &fleets, &[0, 7, 255, 300, 1 << 63, u64::MAX].map(FleetId).to_vec())
    })
}

pub(super) fn fleets_paged<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let all: Vec<FleetId> = [2, 3, 5, 8, 13, 1 << 40, 1 << 63, u64::MAX].map(FleetId).to_vec();
        for fleet in &all {
            store_one(&*store, &Stream::new(fleet.0).append(&[Rich])).await?;
        }
        for limit in [1, 3, all.len(), 100] {
            let mut seen = Vec::new();
            let mut after = None;
            // One page more than there can be: an end is an empty page.
            for _ in 0..=all.len() {
                let page = ask("listing fleets", store.fleets(after, limit)).await?;
                if page.len() > limit {
                    return Err(format!("a page of at most {limit} fleets holds {}", page.len()));
                }
                after = page.last().copied().or(after);
                seen.extend(page);
            }
            same(&format!("the fleets in pages of {limit}"), &seen, &all)?;
        }
        // `after` need not have a stream.
        let page = ask("listing fleets", store.fleets(Some(FleetId(4)), 2)).await?;
        same("the two fleets after fleet-4", &page, &[5, 8].map(FleetId).to_vec())
    })
}
