//! EPSS scores, as FIRST publishes them: a comment with the model and the day, then `cve,epss,percentile`.

use super::csv::Rows;
use super::desk::{Desk, Outcome, check_name, one_input};
use super::error::ReadErrorKind;
use super::note::{Place, Sink, Summary};
use super::{Feed, Limits, ReadError};
use patchflow_core::catalog::{Advisory, Epss};
use patchflow_core::time::Timestamp;
use std::io::{BufRead, Read};

/// Reads scores; each becomes an advisory under its CVE number that says nothing else.
///
/// # Errors
/// [`ReadError`] when the input fails or is no such list.
pub fn read(
    input: impl Read,
    feed: &Feed,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ReadError> {
    one_input(input, feed, limits, sink, read_file)
}

pub(super) fn read_file(input: Box<dyn BufRead + '_>, desk: &mut Desk<'_>) -> Outcome {
    let mut rows = Rows::new(input, desk.limits.record_bytes_max.min(1 << 16));
    let mut on = None;
    let mut heads: Option<[usize; 3]> = None;
    loop {
        let row = rows.next_row();
        desk.read_to(rows.bytes());
        let row = match row {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) => return Err(desk.fail_io(Place::Line(rows.line()), error)),
        };
        let first = row.cells.first().map(String::as_str).unwrap_or_default();
        if first.starts_with('#') {
            on = score_date(desk, &row.cells).or(on);
        } else if let Some([cve, epss, percentile]) = heads {
            desk.record(Place::Line(row.line));
            let cell = |at: usize| row.cells.get(at).map_or("", |cell| cell.trim());
            match row.fault {
                Some(why) => desk.skip_it(why),
                None => take(desk, cell(cve), cell(epss), cell(percentile), on),
            }
        } else {
            let column = |name: &str| row.cells.iter().position(|head| head.trim() == name);
            let (Some(cve), Some(epss)) = (column("cve"), column("epss")) else { break };
            heads = Some([cve, epss, column("percentile").unwrap_or(usize::MAX)]);
        }
    }
    if heads.is_none() {
        let why = "expected a line with the columns `cve`, `epss` and `percentile`".to_owned();
        return Err(desk.fail(Place::Line(rows.line()), ReadErrorKind::Form(why)));
    }
    Ok(())
}

/// The day in `#model_version:v2025.03.14,score_date:2026-11-20T00:00:00+0000`. It is a day of scores, not of a
/// deadline, so it stays the day that it names.
fn score_date(desk: &mut Desk<'_>, cells: &[String]) -> Option<Timestamp> {
    let text =
        cells.iter().find_map(|cell| cell.trim_start_matches('#').trim().strip_prefix("score_date:"))?;
    // Its offset is written without a colon.
    let text = text.trim().replace("+0000", "Z");
    let text = if text.len() == 10 { text + "T00:00:00Z" } else { text };
    match super::dates::past(&text, desk.feed.read_at) {
        Ok(day) => day,
        Err(why) => {
            desk.part(format!("`score_date`: {why}"));
            None
        }
    }
}

fn take(desk: &mut Desk<'_>, cve: &str, epss: &str, percentile: &str, on: Option<Timestamp>) {
    desk.name(cve);
    if let Err(why) = check_name(cve) {
        return desk.skip_it(format!("`cve`: {why}"));
    }
    let share = |field: &str, text: &str| match text.parse::<f64>() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        Ok(_) | Err(_) => {
            Err(format!("`{field}`: `{}` is no number from 0 to 1", super::desk::cut(text, 40)))
        }
    };
    match (share("epss", epss), share("percentile", percentile)) {
        (Ok(score), Ok(percentile)) => {
            if !desk.is_new(cve, &[score.to_le_bytes(), percentile.to_le_bytes()].concat()) {
                return;
            }
            let mut advisory = Advisory::new(cve);
            advisory.epss = Some(Epss { score, percentile, on });
            advisory.provenance.push(desk.provenance(cve, on));
            desk.advisory(advisory);
        }
        (Err(why), _) | (_, Err(why)) => desk.skip_it(why),
    }
}
