//! What readers hand on, and what they tell.

use patchflow_core::catalog::{Advisory, Patch};
use std::fmt;
use std::sync::Arc;

/// Where readers put what they read, in the order of the feed.
pub trait Sink {
    /// One advisory.
    fn advisory(&mut self, advisory: Advisory);
    /// One patch. Only some formats publish patches.
    fn patch(&mut self, patch: Patch);
    /// Something that could not be read, or not as it stands.
    fn note(&mut self, note: Note);
}

/// A sink that keeps everything.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// Advisories, in the order of the feed.
    pub advisories: Vec<Advisory>,
    /// Patches, in the order of the feed.
    pub patches: Vec<Patch>,
    /// What was told.
    pub notes: Vec<Note>,
}

impl Sink for Collected {
    fn advisory(&mut self, advisory: Advisory) {
        self.advisories.push(advisory);
    }

    fn patch(&mut self, patch: Patch) {
        self.patches.push(patch);
    }

    fn note(&mut self, note: Note) {
        self.notes.push(note);
    }
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum What {
    /// It was left out.
    Skipped,
    /// It was kept, but a part of it could not be read or was read otherwise than it stands.
    Partly,
    /// It stands in the feed before, with other content; both were handed on.
    Again,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Skipped => "skipped",
            Self::Partly => "kept in part",
            Self::Again => "handed on again",
        })
    }
}

/// A position in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// Bytes from the beginning of the unpacked file.
    Byte(u64),
    /// A line, from 1.
    Line(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(at) => write!(f, "byte {at}"),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}

/// A record, or a part of one, that could not be read as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The feed.
    pub feed: Arc<str>,
    /// The file within it, where there are several.
    pub file: Option<Arc<str>>,
    /// The record's own name; empty when it could not be found out.
    pub record: String,
    /// The how-manieth record of its file, from 1.
    pub number: u64,
    /// Where the record begins, or what is wrong in it stands.
    pub at: Place,
    /// What became of it.
    pub what: What,
    /// What is wrong, and where within the record. At most 400 characters.
    pub why: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.feed)?;
        if let Some(file) = &self.file {
            write!(f, "{file}: ")?;
        }
        match self.record.as_str() {
            "" => write!(f, "record {}", self.number)?,
            record => write!(f, "`{record}` (record {})", self.number)?,
        }
        write!(f, ", {}: {} ({})", self.at, self.why, self.what)
    }
}

/// What a reading came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Records that the feed held, with those that were skipped.
    pub records: u64,
    /// Advisories that were handed on.
    pub advisories: u64,
    /// Patches that were handed on.
    pub patches: u64,
    /// Records that were skipped.
    pub skipped: u64,
    /// Records that were kept in part.
    pub partly: u64,
    /// Records that stood in the feed before with the same content, and were dropped.
    pub repeated: u64,
    /// Records that stood in the feed before with other content, and were handed on.
    pub again: u64,
    /// Notes beyond the limit, which were not handed on.
    pub untold: u64,
    /// Files that were read.
    pub files: u64,
    /// Files of folders and archives that are of no known format, and were passed over.
    pub passed_over: u64,
    /// Bytes that were read, unpacked.
    pub bytes: u64,
}
