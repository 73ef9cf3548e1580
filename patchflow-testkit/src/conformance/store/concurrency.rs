//! Several appends at once, and one that is given up.

use super::Checked;
use super::fabric::{
    Bench, Stream, ask, holds, only, poll_once, read_all, same_records, store_one, together, told,
};
use patchflow_core::digest::Digest;
use patchflow_core::fleet::Persisted;
use patchflow_core::journal::RecordKind::{Baseline, Frame, Rich};
use patchflow_core::sdk::{Append, AppendError, JournalStore};
use std::future::Future;
use std::pin::Pin;

/// How many appenders there are at once.
const APPENDERS: usize = 8;
/// How often each tries.
const ROUNDS: usize = 12;

type Outcome = Result<Persisted, AppendError>;
type Call<'a> = Pin<Box<dyn Future<Output = Result<Outcome, String>> + Send + 'a>>;

fn calls<'a>(store: &'a dyn JournalStore, appends: &'a [Append]) -> Vec<Call<'a>> {
    let call = |append: &'a Append| {
        Box::pin(async move { only(store.append(std::slice::from_ref(append)).await) }) as Call<'a>
    };
    appends.iter().map(call).collect()
}

pub(super) fn one_wins<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        for round in 0..ROUNDS {
            // Rivals differ: each in its head.
            let rivals: Vec<Stream> = (0..APPENDERS)
                .map(|rival| {
                    let mut rivals = stream.clone();
                    let mut record = rivals.next(if rival % 2 == 0 { Rich } else { Frame });
                    record.head = Digest::of(format!("round {round}, rival {rival}").as_bytes());
                    rivals.push(record);
                    rivals
                })
                .collect();
            let appends: Vec<Append> = rivals
                .iter()
                .map(|rival| Append {
                    fleet: stream.fleet,
                    expected: stream.tail,
                    records: rival.records[stream.records.len()..].to_vec(),
                })
                .collect();
            let mut won = Vec::new();
            for (rival, outcome) in together(calls(&*store, &appends)).await.into_iter().enumerate() {
                match outcome? {
                    Ok(_) => won.push(rival),
                    Err(AppendError::Conflict { .. }) => {}
                    Err(error) => return Err(format!("a rival met no conflict, but: {}", told(&error))),
                }
            }
            let [winner] = won[..] else {
                return Err(format!("{} of {APPENDERS} appends to one end were acknowledged", won.len()));
            };
            stream = rivals[winner].clone();
            holds(&*store, &stream).await.map_err(|seen| format!("not what the winner appended: {seen}"))?;
        }
        Ok(())
    })
}

pub(super) fn all_win<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut streams: Vec<Stream> = (0..APPENDERS as u64).map(Stream::new).collect();
        for round in 0..ROUNDS {
            let kinds = if round % 3 == 0 { &[Rich, Baseline][..] } else { &[Frame] };
            let appends: Vec<Append> = streams.iter_mut().map(|stream| stream.append(kinds)).collect();
            for (append, outcome) in appends.iter().zip(together(calls(&*store, &appends)).await) {
                outcome?
                    .map_err(|error| format!("an append to {} failed: {}", append.fleet, told(&error)))?;
            }
        }
        for stream in &streams {
            holds(&*store, stream).await.map_err(|seen| format!("{}: {seen}", stream.fleet))?;
        }
        Ok(())
    })
}

pub(super) fn dropped<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        for round in 0..ROUNDS {
            let append = stream.append(&[Rich, Frame, Baseline, Rich]);
            poll_once(store.append(std::slice::from_ref(&append))).await;
            // The identical append settles it, as after an answer that was lost.
            match only(store.append(std::slice::from_ref(&append)).await)? {
                Ok(_) => {}
                Err(AppendError::Conflict { actual }) if actual == append.tail_after() => {}
                Err(error) => {
                    let text = told(&error);
                    return Err(format!("after append {round} was dropped it could not be settled: {text}"));
                }
            }
            same_records(&read_all(&*store, stream.fleet).await?, &stream.records)
                .map_err(|seen| format!("after append {round} was dropped: {seen}"))?;
        }
        ask("asking for the tail", store.tail(stream.fleet)).await?;
        store_one(&*store, &stream.append(&[Rich])).await?;
        holds(&*store, &stream).await
    })
}
