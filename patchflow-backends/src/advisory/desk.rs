//! Where one reading keeps its counts, tells its notes and hands on what it read.

use super::error::{ReadError, ReadErrorKind};
use super::input::{self, TooMuch};
use super::note::{Note, Place, Sink, Summary, What};
use super::{Feed, Limits};
use patchflow_core::catalog::{Advisory, Patch, Provenance};
use patchflow_core::time::Timestamp;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, Read};
use std::sync::Arc;

/// The longest name of a record or product. Some vendors name forty chips in one.
pub(super) const NAME_BYTES_MAX: usize = 512;
/// The longest line for people.
const TITLE_CHARS_MAX: usize = 300;
const WHY_CHARS_MAX: usize = 400;
/// So many notes tell of one record; the rest of it is only counted.
const NOTES_OF_A_RECORD_MAX: usize = 50;

/// Work that one record may make beside reading it: comparisons of its versions with its ranges, statements for each of its
/// products. A unit is a few dozen nanoseconds, or a byte of what is kept. Real records stay far below a tenth.
const WORK_MAX: u64 = 50_000_000;
/// So many vectors are kept of one record.
const VECTORS_MAX: usize = 100;

pub(super) type Outcome<T = ()> = Result<T, ReadError>;

pub(super) struct Desk<'a> {
    pub(super) feed: &'a Feed,
    pub(super) limits: &'a Limits,
    pub(super) summary: Summary,
    sink: &'a mut dyn Sink,
    file: Option<Arc<str>>,
    /// Bytes of the files before this one.
    before: u64,
    /// The record at hand.
    record: String,
    number: u64,
    at: Place,
    partly: bool,
    /// What was told of the record at hand: the same is told once.
    told: Vec<String>,
    /// What is left of [`WORK_MAX`] for the record at hand.
    work_left: u64,
    notes: u64,
    /// Hashes of names and of contents of all records so far.
    seen: HashMap<u64, u64>,
    hasher: RandomState,
}

/// Reads one input that has no name, from its opening to its summary.
pub(super) fn one_input<'i>(
    input: impl Read + 'i,
    feed: &Feed,
    limits: &Limits,
    sink: &mut dyn Sink,
    read: impl FnOnce(Box<dyn BufRead + 'i>, &mut Desk<'_>) -> Outcome,
) -> Result<Summary, ReadError> {
    let mut desk = Desk::new(feed, limits, sink);
    desk.file(None);
    let opened = input::open(input, limits).map_err(|error| desk.fail_io(Place::Byte(0), error))?;
    read(opened, &mut desk)?;
    Ok(desk.summary)
}

impl<'a> Desk<'a> {
    pub(super) fn new(feed: &'a Feed, limits: &'a Limits, sink: &'a mut dyn Sink) -> Self {
        Self {
            feed,
            limits,
            sink,
            summary: Summary::default(),
            file: None,
            before: 0,
            record: String::new(),
            number: 0,
            at: Place::Byte(0),
            partly: false,
            told: Vec::new(),
            work_left: WORK_MAX,
            notes: 0,
            seen: HashMap::new(),
            hasher: RandomState::new(),
        }
    }

    /// Begins a file; its name is told where there are several.
    pub(super) fn file(&mut self, name: Option<&str>) {
        self.file = name.map(Arc::from);
        self.before = self.summary.bytes;
        self.number = 0;
        self.summary.files += 1;
    }

    /// How many bytes of the file at hand have been read.
    pub(super) fn read_to(&mut self, bytes: u64) {
        self.summary.bytes = self.before + bytes;
    }

    /// Begins a record.
    pub(super) fn record(&mut self, at: Place) {
        self.number += 1;
        self.summary.records += 1;
        self.at = at;
        self.record.clear();
        self.partly = false;
        self.told.clear();
        self.work_left = WORK_MAX;
    }

    /// Whether the record at hand may make so much work: a record of some MiB can ask for quadrillions of comparisons.
    pub(super) fn may(&mut self, work: usize) -> bool {
        let work = work as u64;
        let may = work <= self.work_left;
        self.work_left -= if may { work } else { 0 };
        may
    }

    /// Takes a CVSS vector over, unless it is there already.
    pub(super) fn vector(&mut self, field: &str, text: &str, vectors: &mut Vec<String>) {
        let text = text.trim();
        if text.len() > 512 {
            self.part(format!("`{field}`: a vector of {} bytes; 512 are let pass", text.len()));
        } else if vectors.len() >= VECTORS_MAX {
            self.part(format!("`{field}`: more than {VECTORS_MAX} vectors; the rest is left out"));
        } else if !text.is_empty() && !vectors.iter().any(|vector| vector == text) {
            vectors.push(text.to_owned());
        }
    }

    /// The record at hand has a name.
    pub(super) fn name(&mut self, record: &str) {
        self.record.clear();
        self.record.extend(record.chars().take(NAME_BYTES_MAX));
    }

    /// Whether the record at hand is to be handed on: not when it came before with the same content. Names the record.
    pub(super) fn is_new(&mut self, key: &str, content: &[u8]) -> bool {
        let (key, content) = (self.hasher.hash_one(key), self.hasher.hash_one(content));
        match self.seen.insert(key, content) {
            None => true,
            Some(before) if before == content => {
                self.summary.repeated += 1;
                false
            }
            Some(_) => {
                self.summary.again += 1;
                let why = "the feed has it before with other content; whoever merges must choose";
                self.tell(What::Again, self.at, why.to_owned());
                true
            }
        }
    }

    /// A hash that holds for this reading only.
    pub(super) fn hash(&self, text: &str) -> u64 {
        self.hasher.hash_one(text)
    }

    /// The record at hand cannot be read.
    pub(super) fn skip(&mut self, at: Place, why: impl Into<String>) {
        self.summary.skipped += 1;
        self.tell(What::Skipped, at, why.into());
    }

    /// The record at hand, from its beginning, cannot be read.
    pub(super) fn skip_it(&mut self, why: impl Into<String>) {
        self.skip(self.at, why);
    }

    /// A part of the record at hand cannot be read.
    pub(super) fn part(&mut self, why: impl Into<String>) {
        if !self.partly {
            self.partly = true;
            self.summary.partly += 1;
        }
        let why = why.into();
        if self.told.contains(&why) {
            return;
        }
        if self.told.len() >= NOTES_OF_A_RECORD_MAX {
            self.summary.untold += 1;
            return;
        }
        self.told.push(cut(&why, WHY_CHARS_MAX));
        self.tell(What::Partly, self.at, why);
    }

    /// A note on the whole file rather than on a record.
    pub(super) fn skip_file(&mut self, at: Place, why: impl Into<String>) {
        self.record.clear();
        self.number = 0;
        self.skip(at, why);
    }

    fn tell(&mut self, what: What, at: Place, why: String) {
        if self.notes >= self.limits.notes_max {
            self.summary.untold += 1;
            return;
        }
        self.notes += 1;
        let why = cut(&why, WHY_CHARS_MAX);
        let (feed, file) = (Arc::clone(&self.feed.name), self.file.clone());
        let (record, number) = (self.record.clone(), self.number);
        self.sink.note(Note { feed, file, record, number, at, what, why });
    }

    /// Hands on an advisory.
    pub(super) fn advisory(&mut self, mut advisory: Advisory) {
        advisory.aliases.retain(|alias| *alias != advisory.id);
        advisory.aliases.sort();
        advisory.aliases.dedup();
        self.summary.advisories += 1;
        self.sink.advisory(advisory);
    }

    /// Hands on a patch.
    pub(super) fn patch(&mut self, patch: Patch) {
        self.summary.patches += 1;
        self.sink.patch(patch);
    }

    /// Who says so.
    pub(super) fn provenance(&self, record: &str, modified: Option<Timestamp>) -> Provenance {
        Provenance { feed: Arc::clone(&self.feed.name), record: record.into(), modified }
    }

    /// A date that has passed; one that cannot be read is told and not known.
    pub(super) fn past(&mut self, field: &str, text: Option<&str>) -> Option<Timestamp> {
        let read = super::dates::past(text?, self.feed.read_at);
        read.unwrap_or_else(|why| {
            self.part(format!("`{field}`: {why}"));
            None
        })
    }

    /// A date that may lie in the future, such as a due date.
    pub(super) fn date(&mut self, field: &str, text: Option<&str>) -> Option<Timestamp> {
        let read = super::dates::read(text?);
        read.unwrap_or_else(|why| {
            self.part(format!("`{field}`: {why}"));
            None
        })
    }

    /// Names of the same weakness; one that is too long is told and left out.
    pub(super) fn names(&mut self, field: &str, names: impl IntoIterator<Item = String>) -> Vec<Arc<str>> {
        let mut kept = Vec::new();
        for name in names {
            if name.trim().is_empty() {
                continue;
            }
            if name.len() > NAME_BYTES_MAX {
                self.part(format!(
                    "`{field}`: a name of {} bytes; {NAME_BYTES_MAX} are let pass",
                    name.len()
                ));
            } else {
                kept.push(Arc::from(name.trim()));
            }
        }
        kept
    }

    /// An error at a place, with what was read before.
    pub(super) fn fail(&self, at: Place, kind: ReadErrorKind) -> ReadError {
        let (feed, file) = (Arc::clone(&self.feed.name), self.file.clone());
        ReadError { feed, file, at, kind, so_far: Box::new(self.summary) }
    }

    /// An error of the input.
    pub(super) fn fail_io(&self, at: Place, error: io::Error) -> ReadError {
        self.fail(at, of_io(error))
    }
}

/// What an error of the input means for a reading.
pub(super) fn of_io(error: io::Error) -> ReadErrorKind {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<TooMuch>()) {
        Some(TooMuch(why)) => ReadErrorKind::TooMuch(why.clone()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => ReadErrorKind::CutOff,
        None => ReadErrorKind::Io(error),
    }
}

/// One line for people, of bounded length.
pub(super) fn title(text: &str) -> String {
    let mut words = text.split_whitespace();
    let mut line = String::new();
    // Only as many words as fit are looked at: a text may have millions.
    while line.len() <= TITLE_CHARS_MAX * 4
        && let Some(word) = words.next()
    {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().take(TITLE_CHARS_MAX + 1));
    }
    cut(&line, TITLE_CHARS_MAX)
}

/// A text cut after so many characters.
pub(super) fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// Whether a name can stand for a record; if not, why.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err("it is empty; every record needs a name".to_owned());
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("it has {} bytes; at most {NAME_BYTES_MAX} are let pass", name.len()));
    }
    if name.chars().any(char::is_control) {
        return Err("it has control characters in it".to_owned());
    }
    Ok(())
}
