//! Inventory documents: one endpoint a line.

use patchflow_core::inventory::EndpointRecord;
use std::io::{self, BufRead, Write};

/// The longest line that is read, in bytes: an endpoint with some 100 000 packages.
pub const LINE_BYTES_MAX: usize = 32 << 20;

/// A line that is no endpoint.
#[derive(Debug, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct BadLine {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it, and where.
    pub why: String,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Lines that were endpoints.
    pub endpoints: u64,
    /// Lines that were none.
    pub skipped: u64,
}

/// Reads a document, line by line: `each` gets every endpoint, `bad` every line that is none. Empty lines are nothing.
/// At most one line, and at most [`LINE_BYTES_MAX`] bytes of it, is in memory.
///
/// # Errors
/// When the input cannot be read.
///
/// ```
/// use patchflow_backends::inventory::read_document;
/// let document = r#"{"id":"web-1","os":"debian 12","read_at":"2026-11-21T08:00:00Z"}
/// {"id":"web-2"}
/// "#;
/// let (mut ids, mut complaints) = (vec![], vec![]);
/// let read = read_document(document.as_bytes(), |record| ids.push(record.id.to_string()), |bad| complaints.push(bad.to_string()));
/// assert_eq!((read.unwrap().skipped, ids), (1, vec!["web-1".to_owned()]));
/// assert_eq!(complaints, ["line 2: missing field `read_at` at line 1 column 14"]);
/// ```
pub fn read_document(
    mut input: impl BufRead,
    mut each: impl FnMut(EndpointRecord),
    mut bad: impl FnMut(BadLine),
) -> io::Result<Read> {
    let mut read = Read::default();
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        number += 1;
        line.clear();
        let whole = match next_line(&mut input, &mut line)? {
            Line::End => return Ok(read),
            Line::Whole => true,
            Line::TooLong => false,
        };
        if line.trim_ascii().is_empty() {
            continue;
        }
        let record = match whole {
            true => serde_json::from_slice(&line).map_err(|error| error.to_string()),
            false => Err(format!(
                "it is longer than {LINE_BYTES_MAX} bytes: report the endpoint's software in fewer words"
            )),
        };
        match record {
            Ok(record) => {
                read.endpoints += 1;
                each(record);
            }
            Err(why) => {
                read.skipped += 1;
                bad(BadLine { line: number, why });
            }
        }
    }
}

enum Line {
    End,
    Whole,
    /// The rest of it was passed over.
    TooLong,
}

fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    let mut too_long = false;
    let mut any = false;
    loop {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            return Ok(if too_long {
                Line::TooLong
            } else if any {
                Line::Whole
            } else {
                Line::End
            });
        }
        any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        let room = LINE_BYTES_MAX - line.len();
        too_long |= part.len() > room;
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = end.map_or(buffer.len(), |end| end + 1);
        input.consume(used);
        if end.is_some() {
            return Ok(if too_long { Line::TooLong } else { Line::Whole });
        }
    }
}

/// Writes one endpoint as a line.
///
/// # Errors
/// When the output cannot be written.
pub fn write_record(mut output: impl Write, record: &EndpointRecord) -> io::Result<()> {
    serde_json::to_writer(&mut output, record)?;
    output.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchflow_core::inventory::{Environment, InstalledSoftware};
    use patchflow_core::package::{Ecosystem, PackageName};
    use patchflow_core::time::Timestamp;

    fn read(document: &[u8]) -> (Vec<EndpointRecord>, Vec<String>, Read) {
        let (mut records, mut bad) = (vec![], vec![]);
        let read = read_document(document, |record| records.push(record), |line| bad.push(line.to_string()));
        (records, bad, read.unwrap())
    }

    #[test]
    fn what_is_written_is_read_again() {
        let curl = InstalledSoftware::new(PackageName::new(Ecosystem::Deb, "curl"), "7.88.1-10");
        let record = EndpointRecord {
            installed: vec![curl],
            ..EndpointRecord::new("a".into(), Environment::NonProduction, Timestamp::from_secs(1_800_000_000))
        };
        let mut document = Vec::new();
        write_record(&mut document, &record).unwrap();
        write_record(&mut document, &record).unwrap();
        assert_eq!(
            read(&document),
            (vec![record.clone(), record], vec![], Read { endpoints: 2, skipped: 0 })
        );
    }

    #[test]
    fn a_bad_line_is_told_and_the_rest_is_kept() {
        let good = r#"{"id":"a","read_at":"2026-11-21T08:00:00Z"}"#;
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        let document = format!("{good}\n\n{{\"id\":7}}\n{{\"id\":\n{deep}\n\u{0}\n{good}");
        let (records, bad, counts) = read(document.as_bytes());
        assert_eq!((records.len(), counts), (2, Read { endpoints: 2, skipped: 4 }));
        assert_eq!(
            bad,
            [
                "line 3: invalid type: integer `7`, expected a string at line 1 column 7",
                "line 4: EOF while parsing a value at line 1 column 6",
                "line 5: invalid type: sequence, expected a string at line 1 column 1",
                "line 6: expected value at line 1 column 1",
            ]
        );
        let record = &records[0];
        assert_eq!(record.environment, Environment::Production, "what nobody says is taken for the worst");
        assert_eq!(read(b""), (vec![], vec![], Read::default()));
    }

    #[test]
    fn a_line_without_end_takes_no_more_memory_than_a_line_may() {
        let endless = io::Read::chain(
            io::Read::take(io::repeat(b'x'), 40 << 20),
            &b"\n{\"id\":\"a\",\"read_at\":\"2026-11-21T08:00:00Z\"}\n"[..],
        );
        let (mut ids, mut bad) = (vec![], vec![]);
        let counts = read_document(
            io::BufReader::new(endless),
            |record| ids.push(record.id),
            |line| bad.push(line.to_string()),
        );
        assert_eq!((counts.unwrap().endpoints, ids.len()), (1, 1));
        assert_eq!(
            bad,
            ["line 1: it is longer than 33554432 bytes: report the endpoint's software in fewer words"]
        );
    }
}
