//! JSON record by record: an own scan finds where a record begins and ends, then serde reads it.
//!
//! serde alone cannot do it: it has no way to pass over a broken record, nor to bound one before it is in memory. The
//! scan is a loop with a counter, so that no nesting can overflow a stack.

use super::desk::{Desk, Outcome, of_io};
use super::error::ReadErrorKind;
use super::input::fill;
use super::note::Place;
use serde::de::DeserializeOwned;
use std::io::BufRead;

/// Why the scan of a record gave up on it. The scan goes on after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    TooLarge(u64),
    TooDeep,
    /// A new line that begins a record stands within this one.
    Unclosed,
    /// A closing bracket, a colon or other bytes where a value should begin.
    Stray(u8),
}

/// A value as it was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) at: u64,
    pub(super) fault: Option<Fault>,
}

pub(super) struct Scanner<'a> {
    input: Box<dyn BufRead + 'a>,
    at: u64,
    record_bytes_max: usize,
    nesting_max: usize,
    /// Whether each record stands on a line of its own, as far as was seen.
    lines: bool,
}

/// What ends the scan: the kind of error and where.
pub(super) type Stop = (ReadErrorKind, u64);

impl<'a> Scanner<'a> {
    pub(super) fn new(input: Box<dyn BufRead + 'a>, desk: &Desk<'_>) -> Self {
        let (record_bytes_max, nesting_max) = (desk.limits.record_bytes_max, desk.limits.nesting_max);
        Self { input, at: 0, record_bytes_max, nesting_max, lines: false }
    }

    pub(super) fn at(&self) -> u64 {
        self.at
    }

    fn chunk(&mut self) -> Result<&[u8], Stop> {
        let at = self.at;
        fill(&mut *self.input).map_err(|error| (of_io(error), at))
    }

    fn take(&mut self, bytes: usize) {
        self.input.consume(bytes);
        self.at += bytes as u64;
    }

    /// The next byte that is no blank, without taking it; nothing at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, Stop> {
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let blanks = chunk.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let next = chunk.get(blanks).copied();
            self.take(blanks);
            if next.is_some() {
                return Ok(next);
            }
        }
    }

    /// Takes the next byte that is no blank if it is this one.
    pub(super) fn is(&mut self, byte: u8) -> Result<bool, Stop> {
        let found = self.peek()? == Some(byte);
        if found {
            self.take(1);
        }
        Ok(found)
    }

    /// Takes the next value into `into`, which is emptied before; when it has a fault, to its end without keeping it.
    pub(super) fn value(&mut self, into: &mut Vec<u8>) -> Result<Found, Stop> {
        into.clear();
        let first = self.peek()?;
        let start = self.at;
        let Some(first) = first else { return Err((ReadErrorKind::CutOff, start)) };
        if matches!(first, b'}' | b']' | b',' | b':') {
            self.take(1);
            return Ok(Found { at: start, fault: Some(Fault::Stray(first)) });
        }
        let bare = !matches!(first, b'{' | b'[' | b'"');
        let (mut depth, mut text, mut escaped, mut line_ended) = (0_u64, false, false, false);
        let mut multi_line = false;
        let mut fault = None;
        loop {
            let (lines, nesting_max, bytes_max) =
                (self.lines, self.nesting_max as u64, self.record_bytes_max);
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                if bare {
                    return Ok(Found { at: start, fault });
                }
                return Err((ReadErrorKind::CutOff, start));
            }
            let mut used = 0;
            let mut ended = false;
            for byte in chunk.iter().copied() {
                if text {
                    if escaped {
                        escaped = false;
                    } else if byte == b'\\' {
                        escaped = true;
                    } else if byte == b'"' {
                        text = false;
                        ended = depth == 0;
                    } else if byte == b'\n' {
                        // A text cannot hold a new line: it was not closed, and serde will say so.
                        (text, line_ended) = (false, true);
                        ended = depth == 0;
                        used += 1;
                        if ended {
                            break;
                        }
                        continue;
                    }
                } else if bare {
                    if matches!(byte, b',' | b']' | b'}' | b':') || byte.is_ascii_whitespace() {
                        ended = true;
                        break;
                    }
                } else {
                    match byte {
                        b'{' if line_ended && lines => {
                            (fault, ended) = (Some(Fault::Unclosed), true);
                            break;
                        }
                        b'{' | b'[' => {
                            depth += 1;
                            if depth > nesting_max {
                                fault = fault.or(Some(Fault::TooDeep));
                            }
                        }
                        b'}' | b']' => {
                            depth = depth.saturating_sub(1);
                            ended = depth == 0;
                        }
                        b'"' => text = true,
                        b'\n' => multi_line = true,
                        _ => {}
                    }
                    line_ended = byte == b'\n';
                }
                used += 1;
                if ended {
                    break;
                }
            }
            if fault.is_none() {
                if into.len() + used > bytes_max {
                    fault = Some(Fault::TooLarge(0));
                } else {
                    into.extend_from_slice(&chunk[..used]);
                }
            }
            self.take(used);
            if ended {
                break;
            }
        }
        if let Some(Fault::TooLarge(size)) = &mut fault {
            *size = self.at - start;
        }
        if fault.is_some() {
            into.clear();
        } else {
            self.lines = !multi_line;
        }
        Ok(Found { at: start, fault })
    }

    /// A name in an object, and its colon.
    pub(super) fn key(&mut self, buffer: &mut Vec<u8>) -> Result<String, Stop> {
        let found = self.value(buffer)?;
        let form = |why: &str| Err((ReadErrorKind::Form(why.to_owned()), found.at));
        let Ok(key) = serde_json::from_slice::<String>(buffer) else {
            return form("expected the name of a member in double quotes");
        };
        if self.is(b':')? { Ok(key) } else { form("expected a colon after the name of a member") }
    }

    /// After a member of an object: whether another one follows.
    pub(super) fn another(&mut self) -> Result<bool, Stop> {
        let at = self.at;
        if self.is(b',')? {
            return Ok(true);
        }
        if self.is(b'}')? {
            return Ok(false);
        }
        match self.peek()? {
            None => Err((ReadErrorKind::CutOff, at)),
            Some(_) => {
                Err((ReadErrorKind::Form("expected a comma or the end of an object".to_owned()), self.at))
            }
        }
    }
}

/// Hands every record of a document to `each`: the elements of a list, or values one after another.
pub(super) fn records(
    scanner: &mut Scanner<'_>,
    desk: &mut Desk<'_>,
    each: &mut dyn FnMut(&mut Desk<'_>, &[u8], u64),
) -> Outcome {
    let fail = |desk: &Desk<'_>, (kind, at): Stop| desk.fail(Place::Byte(at), kind);
    let list = scanner.is(b'[').map_err(|stop| fail(desk, stop))?;
    let mut buffer = Vec::new();
    loop {
        match scanner.peek().map_err(|stop| fail(desk, stop))? {
            None if list => return Err(fail(desk, (ReadErrorKind::CutOff, scanner.at()))),
            None => break,
            Some(b']') if list => break,
            Some(b',') => scanner.take(1),
            Some(_) => {
                let found = scanner.value(&mut buffer).map_err(|stop| fail(desk, stop))?;
                desk.read_to(scanner.at());
                desk.record(Place::Byte(found.at));
                match found.fault {
                    None => each(desk, &buffer, found.at),
                    Some(fault) => desk.skip_it(words(fault, desk)),
                }
            }
        }
    }
    desk.read_to(scanner.at());
    Ok(())
}

/// Hands every element of the list `name` of the object that a document is to `each`; `lacks` says what is missing when
/// there is no such object or list.
pub(super) fn records_of(
    mut scanner: Scanner<'_>,
    desk: &mut Desk<'_>,
    name: &str,
    lacks: &str,
    each: &mut dyn FnMut(&mut Desk<'_>, &[u8], u64),
) -> Outcome {
    let result = walk_to(&mut scanner, desk, name, lacks, each);
    desk.read_to(scanner.at());
    result.map_err(|(kind, at)| desk.fail(Place::Byte(at), kind))
}

fn walk_to(
    scanner: &mut Scanner<'_>,
    desk: &mut Desk<'_>,
    name: &str,
    lacks: &str,
    each: &mut dyn FnMut(&mut Desk<'_>, &[u8], u64),
) -> Result<(), Stop> {
    let form = |why: String, at| (ReadErrorKind::Form(why), at);
    if !scanner.is(b'{')? || scanner.is(b'}')? {
        return Err(form(lacks.to_owned(), scanner.at()));
    }
    let mut buffer = Vec::new();
    let mut is_there = false;
    loop {
        if scanner.key(&mut buffer)? != name {
            scanner.value(&mut buffer)?;
        } else {
            is_there = true;
            if !scanner.is(b'[')? {
                return Err(form(format!("`{name}` is no list"), scanner.at()));
            }
            while !scanner.is(b']')? {
                if scanner.is(b',')? {
                    continue;
                }
                let found = scanner.value(&mut buffer)?;
                desk.read_to(scanner.at());
                desk.record(Place::Byte(found.at));
                match found.fault {
                    Some(fault) => desk.skip_it(words(fault, desk)),
                    None => each(desk, &buffer, found.at),
                }
            }
        }
        if !scanner.another()? {
            break;
        }
    }
    if is_there { Ok(()) } else { Err(form(lacks.to_owned(), scanner.at())) }
}

/// A fault in words.
pub(super) fn words(fault: Fault, desk: &Desk<'_>) -> String {
    match fault {
        Fault::TooLarge(bytes) => format!(
            "it has {bytes} bytes; a record may have {} (Limits::record_bytes_max)",
            desk.limits.record_bytes_max
        ),
        Fault::TooDeep => format!(
            "its lists and objects nest deeper than {} levels (Limits::nesting_max)",
            desk.limits.nesting_max
        ),
        Fault::Unclosed => "it is not closed before the next record begins".to_owned(),
        Fault::Stray(byte) => format!("`{}` stands where a record should begin", char::from(byte)),
    }
}

/// Reads a record; when it cannot be read it is skipped, told with its name (found at `name`), the path of the member
/// at fault and its position.
pub(super) fn read<T: DeserializeOwned>(
    desk: &mut Desk<'_>,
    bytes: &[u8],
    at: u64,
    name: &[&str],
) -> Option<T> {
    match serde_json::from_slice(bytes) {
        Ok(read) => Some(read),
        Err(error) => {
            if let Some(name) = text_at(bytes, name) {
                desk.name(&name);
            }
            let offset = offset(bytes, &error);
            let said = error.to_string();
            let mut path = path_at(bytes, offset);
            if said.starts_with("missing field") {
                // It is missing in the object whose last member was read.
                path.truncate(path.rfind('.').unwrap_or(0));
            }
            let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
            let why = if path.is_empty() { said.to_owned() } else { format!("`{path}`: {said}") };
            desk.skip(Place::Byte(at + offset as u64), why);
            None
        }
    }
}

/// Where in the record serde stopped.
fn offset(bytes: &[u8], error: &serde_json::Error) -> usize {
    let before = error.line().saturating_sub(1);
    let mut start = 0;
    if before > 0 {
        let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
        start = ends.map(|(at, _)| at + 1).nth(before - 1).unwrap_or(bytes.len());
    }
    (start + error.column().saturating_sub(1)).min(bytes.len())
}

enum Step {
    /// A name of a member, with or without its quotes escaped.
    Key(String),
    Index(usize),
}

/// Walks to an offset; calls `text` with the path and the raw inside of every text value that ends before it.
fn walk(bytes: &[u8], until: usize, mut text: impl FnMut(&[Step], &[u8]) -> bool) -> Vec<Step> {
    let mut path: Vec<Step> = Vec::new();
    let mut is_key = false;
    let mut at = 0;
    let until = until.min(bytes.len());
    while at < until {
        match bytes[at] {
            b'{' => {
                path.push(Step::Key(String::new()));
                is_key = true;
            }
            b'[' => path.push(Step::Index(0)),
            b'}' | b']' => {
                path.pop();
            }
            b',' => match path.last_mut() {
                Some(Step::Key(_)) => is_key = true,
                Some(Step::Index(index)) => *index += 1,
                None => {}
            },
            b':' => is_key = false,
            b'"' => {
                let from = at + 1;
                at = from;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                let inside = &bytes[from..at.min(bytes.len())];
                match path.last_mut() {
                    Some(Step::Key(key)) if is_key => {
                        let shown = &inside[..inside.len().min(64)];
                        *key = String::from_utf8_lossy(shown).into_owned();
                    }
                    _ => {
                        if at < until && text(&path, inside) {
                            return path;
                        }
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    path
}

/// The path of the member at an offset, such as `affected[0].package.name`.
fn path_at(bytes: &[u8], offset: usize) -> String {
    let mut path = String::new();
    for step in walk(bytes, offset, |_, _| false).iter().take(12) {
        match step {
            Step::Key(key) if key.is_empty() => {}
            Step::Key(key) => {
                path.push_str(if path.is_empty() { "" } else { "." });
                path.push_str(key);
            }
            Step::Index(index) => path.push_str(&format!("[{index}]")),
        }
    }
    path
}

/// The text at a path, read as far as the record goes.
fn text_at(bytes: &[u8], wanted: &[&str]) -> Option<String> {
    let mut found = None;
    walk(bytes, bytes.len(), |path, inside| {
        let here = path.len() == wanted.len()
            && path.iter().zip(wanted).all(|(step, name)| matches!(step, Step::Key(key) if key == name));
        if here {
            found = Some(String::from_utf8_lossy(&inside[..inside.len().min(200)]).into_owned());
        }
        here
    });
    found
}

/// The names of the members of the first object of a document, as far as its beginning goes.
pub(super) fn first_keys(head: &[u8]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    let mut object = None;
    let (mut depth, mut text, mut from) = (0_usize, false, 0);
    let mut escaped = false;
    for (at, byte) in head.iter().enumerate() {
        if text {
            if escaped {
                escaped = false;
            } else if *byte == b'\\' {
                escaped = true;
            } else if *byte == b'"' {
                text = false;
                let after = head[at + 1..].iter().find(|byte| !byte.is_ascii_whitespace());
                if object == Some(depth) && after == Some(&b':') && keys.len() < 64 {
                    keys.push(String::from_utf8_lossy(&head[from..at]).into_owned());
                }
            }
            continue;
        }
        match byte {
            b'"' => (text, from) = (true, at + 1),
            b'{' => {
                depth += 1;
                object.get_or_insert(depth);
            }
            b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                // The first object is enough.
                if object.is_some_and(|object| depth < object) {
                    break;
                }
            }
            _ => {}
        }
    }
    keys
}
