//! CISA's catalogue of known exploited vulnerabilities, as JSON or CSV.
//!
//! Each entry becomes an advisory under the CVE number that says only that it is exploited: which versions are affected
//! is for other feeds to say. The catalogue names days: an entry counts from 00:00 UTC of the day after it was added,
//! and is due at the end of its due date, which is 00:00 UTC of the next day.

use super::csv::Rows;
use super::desk::{Desk, Outcome, check_name, one_input, title};
use super::error::ReadErrorKind;
use super::json::{self, Scanner};
use super::note::{Place, Sink, Summary};
use super::parts::or_default;
use super::{Feed, Limits, ReadError, input};
use patchflow_core::catalog::{Advisory, KnownExploited};
use serde::Deserialize;
use std::io::{BufRead, Read};

/// A row of the CSV form; real ones stay below 4 KiB. A quote that is missing costs no more than this.
const ROW_BYTES_MAX: usize = 1 << 18;

/// Reads the catalogue, either form.
///
/// # Errors
/// [`ReadError`] when the input fails, is cut off or is no such catalogue.
pub fn read(
    input: impl Read,
    feed: &Feed,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ReadError> {
    one_input(input, feed, limits, sink, |mut opened, desk| {
        let first = input::fill(&mut *opened).map_err(|error| desk.fail_io(Place::Byte(0), error))?;
        let is_json = first.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
        if is_json { read_json(opened, desk) } else { read_csv(opened, desk) }
    })
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "cveID")]
    cve: String,
    #[serde(rename = "vulnerabilityName", default, deserialize_with = "or_default")]
    name: String,
    #[serde(rename = "dateAdded")]
    added: String,
    #[serde(rename = "dueDate", default)]
    due: Option<String>,
    #[serde(rename = "knownRansomwareCampaignUse", default, deserialize_with = "or_default")]
    ransomware: String,
}

pub(super) fn read_json(input: Box<dyn BufRead + '_>, desk: &mut Desk<'_>) -> Outcome {
    let lacks = "the catalogue has no list `vulnerabilities`";
    let scanner = Scanner::new(input, desk);
    json::records_of(scanner, desk, "vulnerabilities", lacks, &mut |desk, bytes, at| {
        if let Some(entry) = json::read::<Entry>(desk, bytes, at, &["cveID"]) {
            take(desk, entry);
        }
    })
}

pub(super) fn read_csv(input: Box<dyn BufRead + '_>, desk: &mut Desk<'_>) -> Outcome {
    let mut rows = Rows::new(input, desk.limits.record_bytes_max.min(ROW_BYTES_MAX));
    let heads = match rows.next_row() {
        Ok(heads) => heads,
        Err(error) => return Err(desk.fail_io(Place::Line(1), error)),
    };
    let Some(heads) = heads else {
        return Err(desk.fail(Place::Line(1), ReadErrorKind::Form("the catalogue is empty".to_owned())));
    };
    let column = |name: &str| heads.cells.iter().position(|head| head == name);
    let (Some(cve), Some(added)) = (column("cveID"), column("dateAdded")) else {
        let why = "expected a first line with the columns `cveID` and `dateAdded`";
        return Err(desk.fail(Place::Line(1), ReadErrorKind::Form(why.to_owned())));
    };
    let (name, due) = (column("vulnerabilityName"), column("dueDate"));
    let ransomware = column("knownRansomwareCampaignUse");
    loop {
        let row = rows.next_row();
        desk.read_to(rows.bytes());
        let row = match row {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(()),
            Err(error) => return Err(desk.fail_io(Place::Line(rows.line()), error)),
        };
        desk.record(Place::Line(row.line));
        if let Some(why) = row.fault {
            desk.skip_it(why);
            continue;
        }
        let cell = |at: Option<usize>| at.and_then(|at| row.cells.get(at)).map(String::as_str);
        if row.cells.len() != heads.cells.len() {
            desk.name(cell(Some(cve)).unwrap_or_default());
            let (has, wants) = (row.cells.len(), heads.cells.len());
            desk.skip_it(format!("it has {has} fields and the first line {wants}; is a quote missing?"));
            continue;
        }
        let text = |at| cell(at).unwrap_or_default().to_owned();
        take(
            desk,
            Entry {
                cve: text(Some(cve)),
                name: text(name),
                added: text(Some(added)),
                due: due.map(|due| text(Some(due))),
                ransomware: text(ransomware),
            },
        );
    }
}

fn take(desk: &mut Desk<'_>, entry: Entry) {
    desk.name(&entry.cve);
    if let Err(why) = check_name(&entry.cve) {
        return desk.skip_it(format!("`cveID`: {why}"));
    }
    let content = [&entry.name, &entry.added, entry.due.as_deref().unwrap_or_default(), &entry.ransomware];
    if !desk.is_new(&entry.cve, content.join("\n").as_bytes()) {
        return;
    }
    let mut advisory = Advisory::new(entry.cve.trim());
    advisory.title = title(&entry.name);
    // That it is listed counts more than since when: an unreadable date is taken as the time of reading.
    let since = desk.past("dateAdded", Some(&entry.added)).unwrap_or_else(|| {
        if entry.added.trim().is_empty() {
            desk.part("`dateAdded` is empty; it counts from now");
        }
        desk.feed.read_at
    });
    let due = desk.date("dueDate", entry.due.as_deref());
    let ransomware = entry.ransomware.trim().eq_ignore_ascii_case("known");
    advisory.exploited = Some(KnownExploited { since, due, ransomware });
    advisory.provenance.push(desk.provenance(entry.cve.trim(), None));
    desk.advisory(advisory);
}
