//! Appending: receipts, conflicts, batches.

use super::Checked;
use super::fabric::{
    Bench, Stream, ask, conflict_of, holds, is_lasting, only, read_all, same, same_records, store_one, told,
};
use patchflow_core::digest::Digest;
use patchflow_core::fleet::Persisted;
use patchflow_core::ids::Seq;
use patchflow_core::journal::RecordKind::{Baseline, Frame, Rich};
use patchflow_core::journal::Tail;
use patchflow_core::sdk::{Append, AppendError};

pub(super) fn receipt<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        for kinds in [&[Rich][..], &[Frame, Rich, Frame], &[Baseline], &[Baseline, Rich]] {
            let append = stream.append(kinds);
            let receipt = store_one(&*store, &append).await?;
            let through = Seq(stream.tail.next.0 - 1);
            let wanted = Persisted { fleet: stream.fleet, through, head: stream.tail.head };
            same("the receipt", &receipt, &wanted)?;
        }
        let stored = read_all(&*store, stream.fleet).await?;
        same("the number of stored records", &stored.len(), &stream.records.len())
    })
}

pub(super) fn conflict<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        let before = stream.clone();
        store_one(&*store, &stream.append(&[Rich, Frame])).await?;
        for (append, why) in rivals(&before, &stream) {
            conflict_of(&*store, &append, why).await?;
        }
        let mut elsewhere = Stream::new(4);
        elsewhere.append(&[Rich]);
        let append = elsewhere.append(&[Rich]);
        conflict_of(&*store, &append, "an append that expects records in a stream without any").await?;
        Ok(())
    })
}

/// Appends that expect another end than that of `now`, each with what is wrong with it.
fn rivals(before: &Stream, now: &Stream) -> Vec<(Append, &'static str)> {
    let mut late = before.clone();
    let late = late.append(&[Frame]);
    let mut early = now.clone();
    early.append(&[Rich]);
    let early = early.append(&[Rich]);
    let mut forked = now.clone();
    forked.tail.head = Digest::of(b"another head");
    let forked = forked.append(&[Rich]);
    let mut shifted = now.clone();
    shifted.tail.next = shifted.tail.next.next();
    let shifted = shifted.append(&[Rich]);
    vec![
        (late, "an append that expects an earlier end"),
        (early, "an append that expects a later end"),
        (forked, "an append that expects the right sequence and another head"),
        (shifted, "an append that expects the right head and another sequence"),
    ]
}

pub(super) fn conflict_names_end<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        let before = stream.clone();
        store_one(&*store, &stream.append(&[Rich, Frame])).await?;
        for (append, why) in rivals(&before, &stream) {
            if let Err(AppendError::Conflict { actual }) = only(store.append(&[append]).await)? {
                same(&format!("the end that the conflict of {why} names"), &actual, &stream.tail)?;
                continue;
            }
            // That it must be a conflict is the clause before; the stream may now end anywhere.
            return Ok(());
        }
        let mut elsewhere = Stream::new(4);
        elsewhere.append(&[Rich]);
        if let Err(AppendError::Conflict { actual }) = only(store.append(&[elsewhere.append(&[Rich])]).await)?
        {
            same("the end that a conflict in an empty stream names", &actual, &Tail::EMPTY)?;
        }
        Ok(())
    })
}

pub(super) fn repeat<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        for kinds in [&[Rich, Frame][..], &[Baseline], &[Rich, Baseline]] {
            let append = stream.append(kinds);
            store_one(&*store, &append).await?;
            for _ in 0..2 {
                let actual = conflict_of(&*store, &append, "a repeated append").await?;
                same("the end that the conflict of a repeated append names", &actual, &append.tail_after())?;
            }
            let stored = read_all(&*store, stream.fleet).await?;
            same("the number of records after a repeated append", &stored.len(), &stream.records.len())?;
        }
        Ok(())
    })
}

pub(super) fn whole<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        let first = stream.append(&[Rich, Frame]);
        let overlapping = {
            // What a caller does who lost an answer and cut its batch anew: some of it is stored, some not.
            let mut more = stream.clone();
            more.append(&[Rich, Baseline, Rich]);
            more.whole()
        };
        store_one(&*store, &first).await?;
        let result = only(store.append(std::slice::from_ref(&overlapping)).await)?;
        let stored = read_all(&*store, stream.fleet).await?;
        match result {
            Ok(_) => same_records(&stored, &overlapping.records),
            Err(_) => same_records(&stored, &stream.records),
        }?;
        let long = stream.append(&[Rich; 300]);
        store_one(&*store, &long).await?;
        same_records(&read_all(&*store, stream.fleet).await?, &stream.records)
    })
}

pub(super) fn gaps<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        store_one(&*store, &stream.append(&[Rich, Frame])).await?;
        for (append, why) in broken(&stream) {
            match only(store.append(&[append]).await)? {
                Err(error) if is_lasting(&error) => {}
                Err(error) => return Err(format!("{why} was refused, but not for good: {}", told(&error))),
                Ok(_) => return Err(format!("{why} was stored")),
            }
            holds(&*store, &stream).await.map_err(|seen| format!("after {why}: {seen}"))?;
        }
        Ok(())
    })
}

/// Appends that expect the right end and cannot be right.
fn broken(stream: &Stream) -> Vec<(Append, &'static str)> {
    let of = |kinds, break_it: &dyn Fn(&mut Append)| {
        let mut append = stream.clone().append(kinds);
        break_it(&mut append);
        append
    };
    vec![
        (of(&[Rich], &|append| append.records.clear()), "an append without records"),
        (of(&[Rich, Rich, Rich], &|append| drop(append.records.remove(1))), "an append with a gap in it"),
        (
            of(&[Rich, Rich], &|append| drop(append.records.remove(0))),
            "an append that begins after its expected end",
        ),
        (of(&[Rich, Rich], &|append| append.records.swap(0, 1)), "an append in the wrong order"),
        (of(&[Frame], &|append| append.records[0].last = Seq(2)), "a record that ends before it begins"),
        (
            of(&[Baseline, Rich], &|append| append.records[0].last = append.records[0].first),
            "a baseline that takes a sequence",
        ),
    ]
}

pub(super) fn batch_order<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        same("the number of results of an empty batch", &store.append(&[]).await.len(), &0)?;
        // Fleets out of order, so that a store that sorts has to sort back.
        let mut streams: Vec<Stream> = [9, 2, 7, 4, 1].map(Stream::new).into();
        let batch: Vec<Append> = streams.iter_mut().map(|stream| stream.append(&[Rich])).collect();
        let results = store.append(&batch).await;
        same("the number of results", &results.len(), &batch.len())?;
        for (stream, result) in streams.iter().zip(results) {
            let receipt = result.map_err(|error| format!("a lawful append failed: {}", told(&error)))?;
            same("the fleet of the receipt", &receipt.fleet, &stream.fleet)?;
        }
        Ok(())
    })
}

pub(super) fn neighbours<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut streams: Vec<Stream> = [1, 2, 3, 4, 5].map(Stream::new).into();
        let mut batch: Vec<Append> = streams.iter_mut().map(|stream| stream.append(&[Rich, Frame])).collect();
        batch[1].expected.head = Digest::of(b"another head");
        batch[3].records.clear();
        let results = store.append(&batch).await;
        same("the number of results", &results.len(), &batch.len())?;
        for (at, result) in results.into_iter().enumerate() {
            match (at % 2 == 1, result) {
                (false, Err(error)) => {
                    return Err(format!("append {at} failed with its neighbour: {}", told(&error)));
                }
                (false, Ok(_)) => holds(&*store, &streams[at]).await?,
                (true, _) => {}
            }
        }
        Ok(())
    })
}

pub(super) fn chained_batch<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        let mut other = Stream::new(1);
        let batch = [
            stream.append(&[Rich, Frame]),
            other.append(&[Rich]),
            stream.append(&[Baseline]),
            stream.append(&[Rich]),
        ];
        for (at, result) in store.append(&batch).await.into_iter().enumerate() {
            let receipt =
                result.map_err(|error| format!("append {at} of the batch failed: {}", told(&error)))?;
            same("the head of a receipt", &receipt.head, &batch[at].tail_after().head)?;
        }
        let tail = ask("asking for the tail", store.tail(stream.fleet)).await?;
        same("the tail after the batch", &tail, &stream.tail)?;
        holds(&*store, &stream).await
    })
}
