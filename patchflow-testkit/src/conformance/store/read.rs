//! Reading: bytes, places, pages.

use super::Checked;
use super::fabric::{Bench, Stream, ask, read_all, same, same_records, store_one};
use patchflow_core::ids::Seq;
use patchflow_core::journal::Record;
use patchflow_core::journal::RecordKind::{Baseline, Frame, Rich};
use patchflow_core::time::Timestamp;

pub(super) fn verbatim<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        let mut odd: Vec<Record> = Vec::new();
        for (kind, facts, bytes) in [
            (Rich, 1, 0),
            (Rich, 1, 1),
            (Frame, 4096, 70_000),
            (Baseline, 0, 300_000),
            (Frame, 1, 300),
            (Rich, 5, 9),
        ] {
            let mut record = stream.sized(kind, facts, bytes);
            record.at = match odd.len() {
                0 => Timestamp::MIN,
                1 => Timestamp::MAX,
                // Time may step back between records.
                _ => Timestamp::from_millis(1_000_000_000_000 - odd.len() as i64),
            };
            // What an import of a pruned journal appends.
            if odd.len() == 4 {
                record.payload = None;
            }
            if odd.len() == 5 {
                record.header = (0..=255).cycle().take(5000).collect();
            }
            odd.push(record.clone());
            let mut append = Stream::new(3).whole();
            append.expected = stream.tail;
            append.records.push(record.clone());
            stream.push(record);
            store_one(&*store, &append).await?;
        }
        same_records(&read_all(&*store, stream.fleet).await?, &stream.records)
    })
}

pub(super) fn from_anywhere<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        let kinds = [Rich, Frame, Baseline, Frame, Rich, Baseline, Baseline, Rich, Frame, Baseline];
        store_one(&*store, &stream.append(&kinds)).await?;
        // A neighbour, so that reading past the end would find something.
        store_one(&*store, &Stream::new(4).append(&[Rich, Frame, Rich])).await?;
        for from in (0..=stream.tail.next.0 + 2).chain([u64::MAX]).map(Seq) {
            let holds_from = |record: &Record| record.first <= from && from <= record.last;
            let start = stream
                .records
                .iter()
                .position(|record| holds_from(record) || record.first >= from)
                .unwrap_or(stream.records.len());
            let read = ask("reading", store.read(stream.fleet, from, usize::MAX)).await?;
            same_records(&read, &stream.records[start..]).map_err(|seen| format!("from {from}: {seen}"))?;
        }
        Ok(())
    })
}

pub(super) fn page_size<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        store_one(&*store, &stream.append(&[Rich, Frame, Baseline, Frame, Rich, Rich, Frame, Baseline]))
            .await?;
        for bytes_max in [0, 1, 39, 40, 200, 201, 500, 100_000] {
            for from in (1..=stream.tail.next.0).map(Seq) {
                let page = ask("reading", store.read(stream.fleet, from, bytes_max)).await?;
                // What stands at the stream's end after the last record comes on top.
                let counted =
                    page.iter().rposition(|record| record.kind != Baseline).map_or(0, |last| last + 1);
                let payload = |record: &Record| record.payload.as_ref().map_or(0, Vec::len);
                let bytes: usize = page[..counted].iter().map(payload).sum();
                let records = page.iter().filter(|record| record.kind != Baseline).count();
                if page.is_empty() {
                    return Err(format!("the page from {from} of at most {bytes_max} bytes is empty"));
                }
                if bytes > bytes_max && records > 1 {
                    return Err(format!(
                        "the page from {from} of at most {bytes_max} bytes holds {bytes} in {} records",
                        page.len()
                    ));
                }
            }
        }
        Ok(())
    })
}

pub(super) fn page_by_page<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        let kinds =
            [Baseline, Rich, Frame, Baseline, Frame, Baseline, Baseline, Rich, Rich, Frame, Rich, Baseline];
        store_one(&*store, &stream.append(&kinds)).await?;
        for bytes_max in [0, 1, 40, 100, 201, 250, 400, 600, 100_000] {
            let mut seen = Vec::new();
            let mut from = Seq(1);
            // As many pages as there are records are enough, when each page brings something.
            for _ in 0..kinds.len() {
                let page = ask("reading", store.read(stream.fleet, from, bytes_max)).await?;
                let Some(last) = page.last() else { break };
                from = last.last.next();
                seen.extend(page);
                if from >= stream.tail.next {
                    break;
                }
            }
            same_records(&seen, &stream.records)
                .map_err(|seen| format!("in pages of at most {bytes_max} bytes: {seen}"))?;
        }
        Ok(())
    })
}

pub(super) fn baselines_at_one_place<'a>(bench: &'a Bench<'a>) -> Checked<'a> {
    Box::pin(async move {
        let store = bench.open().await?;
        let mut stream = Stream::new(3);
        // In one append, and one by one.
        store_one(&*store, &stream.append(&[Rich, Baseline, Baseline, Baseline])).await?;
        store_one(&*store, &stream.append(&[Baseline])).await?;
        store_one(&*store, &stream.append(&[Baseline, Rich])).await?;
        let read = ask("reading", store.read(stream.fleet, Seq(2), usize::MAX)).await?;
        same_records(&read, &stream.records[1..])?;
        same("the number of baselines", &read.iter().filter(|record| record.kind == Baseline).count(), &5)
    })
}
