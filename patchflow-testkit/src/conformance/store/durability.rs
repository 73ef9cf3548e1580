//! Closing, opening again, and a second handle.
//!
//! A suite cannot cut the power. What it shows is that nothing acknowledged lives in the handle alone; a store's own
//! tests kill its process.

use super::Checked;
use super::fabric::{Bench, Stream, ask, conflict_of, holds, same, store_one, told};
use patchflow_core::ids::Seq;
use patchflow_core::journal::RecordKind::{Baseline, Frame, Rich};
use patchflow_core::sdk::Retry;

pub(super) fn reopen<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let mut streams = [1, 2, u64::MAX].map(Stream::new);
        let mut before = None;
        for round in 0..3 {
            let store = bench.open().await?;
            for stream in &streams {
                holds(&*store, stream)
                    .await
                    .map_err(|seen| format!("{} after {round} rounds: {seen}", stream.fleet))?;
            }
            let fleets = ask("listing fleets", store.fleets(None, 10)).await?;
            same("the number of fleets", &fleets.len(), &if round == 0 { 0 } else { streams.len() })?;
            if let Some(before) = before.take() {
                let baseline =
                    ask("asking for the latest baseline", store.latest_baseline(streams[1].fleet)).await?;
                same(
                    "whether the latest baseline is the same after opening again",
                    &(baseline == before),
                    &true,
                )?;
            }
            for stream in &mut streams {
                // Two baselines at the end, so that the next round appends at a place where some stand.
                store_one(&*store, &stream.append(&[Rich, Frame, Baseline, Baseline])).await?;
            }
            if round == 1 {
                ask("pruning", store.prune(streams[0].fleet, Seq(12))).await?;
                for record in &mut streams[0].records {
                    if record.last < Seq(12) && record.kind != Baseline {
                        record.payload = None;
                    }
                }
            }
            before =
                Some(ask("asking for the latest baseline", store.latest_baseline(streams[1].fleet)).await?);
        }
        Ok(())
    })
}

pub(super) fn second_handle<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let first = bench.open().await?;
        let mut stream = Stream::new(3);
        store_one(&*first, &stream.append(&[Rich])).await?;
        match bench.try_open().await {
            Err(error) if error.retry == Retry::Never => {
                store_one(&*first, &stream.append(&[Frame])).await?;
                holds(&*first, &stream).await
            }
            Err(error) => Err(format!("the second handle was refused, but not for good: {}", told(&error))),
            Ok(second) => {
                for round in 0..4 {
                    let (one, other) = if round % 2 == 0 { (&first, &second) } else { (&second, &first) };
                    let late = stream.clone().append(&[Frame, Rich]);
                    store_one(&**one, &stream.append(&[Rich])).await?;
                    let why = "an append through one handle that does not know of the other's";
                    let actual = conflict_of(&**other, &late, why).await?;
                    same("the end that its conflict names", &actual, &stream.tail)?;
                    holds(&**other, &stream)
                        .await
                        .map_err(|seen| format!("through the other handle: {seen}"))?;
                }
                Ok(())
            }
        }
    })
}
