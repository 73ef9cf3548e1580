//! A note of what is under way, so that an operation that was cut off can be taken back: for each package that it
//! touches, the version from which and to which.
//!
//! dpkg's own database forgets the old version as soon as the new one is unpacked.

use super::host::AptHost;
use super::updates::Step;
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::FailureKind;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

/// One package that an operation touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) name: String,
    /// `None` when it was not there.
    pub(super) from: Option<String>,
}

impl Change {
    pub(super) fn of(steps: &[Step]) -> Vec<Self> {
        steps.iter().map(|step| Self { name: step.name.clone(), from: step.from.clone() }).collect()
    }
}

fn path(host: &AptHost) -> PathBuf {
    host.state_dir.join("under-way")
}

/// Notes what is about to be done, on disk when this returns.
pub(super) fn note(host: &AptHost, changes: &[Change]) -> Result<(), Failure<'static>> {
    let write = || -> io::Result<()> {
        fs::create_dir_all(&host.state_dir)?;
        let text: String =
            changes.iter().map(|c| format!("{}\t{}\n", c.name, c.from.as_deref().unwrap_or("-"))).collect();
        let new = path(host).with_extension("new");
        let mut file = fs::File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path(host))
    };
    write().map_err(|error| {
        Failure::new(FailureKind::Other, format!("could not note what is under way: {error}"))
    })
}

/// What was under way; empty when nothing was.
pub(super) fn noted(host: &AptHost) -> Vec<Change> {
    let text = fs::read_to_string(path(host)).unwrap_or_default();
    let change = |line: &str| {
        let (name, from) = line.split_once('\t')?;
        super::database::check_words(name, Some(from).filter(|from| *from != "-")).ok()?;
        Some(Change { name: name.to_owned(), from: Some(from.to_owned()).filter(|from| from != "-") })
    };
    text.lines().filter_map(change).collect()
}

/// Nothing is under way any more.
pub(super) fn forget(host: &AptHost) {
    // A note that stays is only read when the database is not whole.
    let _ = fs::remove_file(path(host));
}
