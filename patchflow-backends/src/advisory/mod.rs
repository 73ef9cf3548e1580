//! Readers of advisories and patches: what feeds publish, as [`Advisory`] and [`Patch`] of the core.
//!
//! One module a format. Each reads a stream and hands on record by record, so that memory is bounded by the largest
//! record that is let pass ([`Limits::record_bytes_max`]) and not by the feed. A record that cannot be read is told as
//! a [`Note`] (feed, record, position, what is wrong) and skipped; the rest is kept. What ends a reading altogether (a
//! stream that fails, a document that is cut off or is of another form) is a [`ReadError`], which says how far it came.
//!
//! Gzipped input is unpacked as it is read. [`read_path`] takes files, zip archives and folders, and finds the format
//! from the content.
//!
//! Rules that hold for all:
//! - What cannot be read never makes a version safe. An unreadable bound of an affected range is left open, an
//!   unreadable range of versions that are *not* affected is dropped; both are told.
//! - A date without a time counts from 00:00 UTC of the next day: nobody is late for a part of a day that the feed did
//!   not name. A date later than the day of reading is told and taken as unknown: a clock must not start in the future.
//! - Nothing here merges: a record that comes twice with other content is told and handed on twice.
//!
//! ```
//! use patchflow_backends::advisory::{Collected, Feed, Limits, osv};
//! let feed = Feed::new("osv", "2026-11-21T00:00:00Z".parse().unwrap());
//! let record = r#"{"id": "ALSA-2026:1", "modified": "2026-11-01T00:00:00Z", "affected": [{
//!     "package": {"ecosystem": "AlmaLinux:9", "name": "curl"},
//!     "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "7.76.1-31.el9"}]}]}]}"#;
//! let mut read = Collected::default();
//! let summary = osv::read(record.as_bytes(), &feed, &Limits::default(), &mut read).unwrap();
//! assert_eq!((summary.advisories, summary.skipped), (1, 0));
//! assert!(read.advisories[0].affected[0].versions.contain("0:7.76.1-29.el9"));
//! ```

mod csv;
mod dates;
mod desk;
mod ends;
mod error;
mod input;
mod json;
mod names;
mod note;
mod parts;
mod path;
mod ranges;
mod source;

pub mod csaf;
pub mod cve;
pub mod debian;
pub mod epss;
pub mod kev;
pub mod osv;
pub mod patches;
pub mod updateinfo;
pub mod windows;

pub use ends::{BadEnds, read_ends};
pub use error::{ReadError, ReadErrorKind};
pub use note::{Collected, Note, Place, Sink, Summary, What};
pub use path::{Format, read_path};
pub use source::{FeedFiles, FeedRecords};

use patchflow_core::package::Platform;
use patchflow_core::time::Timestamp;
use std::sync::Arc;

#[cfg(doc)]
use patchflow_core::catalog::{Advisory, Patch};

/// Which feed is read, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Its name, such as `osv almalinux`; stands in every provenance and note.
    pub name: Arc<str>,
    /// The platform of its packages, for formats that do not say it themselves (updateinfo).
    pub platform: Option<Platform>,
    /// The time of reading. Dates after it are not believed.
    pub read_at: Timestamp,
}

impl Feed {
    /// A feed whose records name their platforms themselves.
    pub fn new(name: impl Into<Arc<str>>, read_at: Timestamp) -> Self {
        Self { name: name.into(), platform: None, read_at }
    }

    /// With the platform of its packages.
    #[must_use]
    pub fn on(mut self, platform: Platform) -> Self {
        self.platform = Some(platform);
        self
    }
}

/// How much is read. The defaults are ten times what the largest public feeds held in 2026, and no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The largest record, in bytes; larger ones are skipped. Real ones stay below 5 MiB (a CSAF document).
    pub record_bytes_max: usize,
    /// How deep lists and objects, or elements, may nest within a record; at most 100 has an effect.
    pub nesting_max: usize,
    /// All bytes of a reading, unpacked; the reading ends beyond.
    pub total_bytes_max: u64,
    /// How many times larger something packed may become, beyond its first MiB. Advisories pack 5 to 30 times.
    pub ratio_max: u64,
    /// Files of a folder, or entries of an archive.
    pub files_max: usize,
    /// Notes that are handed on; further ones are only counted.
    pub notes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            record_bytes_max: 16 << 20,
            nesting_max: 64,
            total_bytes_max: 32 << 30,
            ratio_max: 200,
            files_max: 2_000_000,
            notes_max: 10_000,
        }
    }
}
