//! Rows of comma-separated values (RFC 4180), one at a time and bounded.
//!
//! Own, because a library's reader keeps a whole row before it can be refused, however long it is.

use super::input::fill;
use std::io::{self, BufRead};

pub(super) struct Rows<'a> {
    input: Box<dyn BufRead + 'a>,
    row_bytes_max: usize,
    bytes: u64,
    line: u64,
}

/// One row.
pub(super) struct Row {
    /// The line on which it begins, from 1.
    pub(super) line: u64,
    pub(super) cells: Vec<String>,
    /// Why it cannot be read; its fields are then not whole.
    pub(super) fault: Option<String>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(input: Box<dyn BufRead + 'a>, row_bytes_max: usize) -> Self {
        Self { input, row_bytes_max, bytes: 0, line: 1 }
    }

    /// Bytes read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The line that comes next.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// The next row that is not empty.
    pub(super) fn next_row(&mut self) -> io::Result<Option<Row>> {
        let mut row = Vec::new();
        loop {
            let line = self.line;
            let (mut quoted, mut too_long) = (false, false);
            row.clear();
            let mut ended = false;
            while !ended {
                let chunk = fill(&mut *self.input)?;
                if chunk.is_empty() {
                    if quoted {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    if row.is_empty() && !too_long {
                        return Ok(None);
                    }
                    break;
                }
                let mut used = 0;
                for byte in chunk {
                    used += 1;
                    if !too_long && row.len() + used > self.row_bytes_max {
                        // The quote is taken as a mistake, and the next line as a new row.
                        (too_long, quoted) = (true, false);
                    }
                    match byte {
                        // Two quotes within a field open and close at once, which comes to the same.
                        b'"' if !too_long => quoted = !quoted,
                        b'\n' => {
                            self.line += 1;
                            ended = !quoted;
                        }
                        _ => {}
                    }
                    if ended {
                        break;
                    }
                }
                if !too_long {
                    row.extend_from_slice(&chunk[..used]);
                }
                self.input.consume(used);
                self.bytes += used as u64;
            }
            let fault = too_long
                .then(|| format!("the row is longer than {} bytes; is a quote missing?", self.row_bytes_max));
            while row.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
                row.pop();
            }
            if row.is_empty() && fault.is_none() {
                continue;
            }
            let cells = cells(&row);
            let fault = fault.or_else(|| cells.is_none().then(|| "it is not UTF-8".to_owned()));
            return Ok(Some(Row { line, cells: cells.unwrap_or_default(), fault }));
        }
    }
}

/// The fields of a row without its end; nothing when one is not UTF-8.
fn cells(row: &[u8]) -> Option<Vec<String>> {
    let (mut cells, mut cell, mut quoted) = (Vec::new(), Vec::new(), false);
    let mut at = 0;
    while at < row.len() {
        match row[at] {
            b'"' if quoted && row.get(at + 1) == Some(&b'"') => {
                cell.push(b'"');
                at += 1;
            }
            b'"' => quoted = !quoted,
            b',' if !quoted => cells.push(String::from_utf8(std::mem::take(&mut cell)).ok()?),
            byte => cell.push(byte),
        }
        at += 1;
    }
    cells.push(String::from_utf8(cell).ok()?);
    Some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, max: usize) -> Vec<String> {
        let mut rows = Rows::new(Box::new(text.as_bytes()), max);
        let mut found = Vec::new();
        while let Some(row) = rows.next_row().unwrap() {
            found.push(format!("{}: {}", row.line, row.fault.unwrap_or_else(|| row.cells.join("|"))));
        }
        found
    }

    #[test]
    fn quotes_hold_commas_lines_and_quotes() {
        let text = "a,b\r\n\n\"x,\"\"y\"\"\nz\",2\nlast,";
        assert_eq!(rows(text, 100), ["1: a|b", "3: x,\"y\"\nz|2", "5: last|"]);
    }

    #[test]
    fn a_missing_quote_costs_what_the_limit_lets_pass() {
        let text = format!("a,\"b\n{}\nc,d\n", "x".repeat(200));
        assert_eq!(rows(&text, 100), ["1: the row is longer than 100 bytes; is a quote missing?", "3: c|d"]);
        let mut cut = Rows::new(Box::new("a,\"b".as_bytes()), 100);
        assert_eq!(cut.next_row().err().unwrap().kind(), io::ErrorKind::UnexpectedEof);
    }
}
