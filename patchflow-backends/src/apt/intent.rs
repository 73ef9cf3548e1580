//! A note of what is under way, so that an operation that was cut off can be taken back: for each package that it
//! touches, the version from which and to which.
//!
//! dpkg's own database forgets the old version as soon as the new one is unpacked. Beside it a list of packages in
//! doubt: dpkg calls them installed, and their configuration is known to have failed.

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

fn doubts_path(host: &AptHost) -> PathBuf {
    host.state_dir.join("in-doubt")
}

/// Whether dpkg calls this version installed although its scripts failed.
pub(super) fn is_doubted(host: &AptHost, name: &str, version: &str) -> bool {
    doubts(host).iter().any(|(doubted, of)| doubted == name && of == version)
}

fn doubts(host: &AptHost) -> Vec<(String, String)> {
    let text = fs::read_to_string(doubts_path(host)).unwrap_or_default();
    text.lines().filter_map(|line| line.split_once('\t')).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

/// Puts a version of a package in doubt.
pub(super) fn doubt(host: &AptHost, name: &str, version: &str) {
    let mut doubts = doubts(host);
    doubts.retain(|(doubted, _)| doubted != name);
    doubts.push((name.to_owned(), version.to_owned()));
    write_doubts(host, &doubts);
}

/// Nothing about a package is in doubt any more.
pub(super) fn trust(host: &AptHost, name: &str) {
    let mut doubts = doubts(host);
    let before = doubts.len();
    doubts.retain(|(doubted, _)| doubted != name);
    if doubts.len() < before {
        write_doubts(host, &doubts);
    }
}

fn write_doubts(host: &AptHost, doubts: &[(String, String)]) {
    let text: String = doubts.iter().map(|(name, version)| format!("{name}\t{version}\n")).collect();
    let new = doubts_path(host).with_extension("new");
    let written = fs::write(&new, text).and_then(|()| fs::rename(&new, doubts_path(host)));
    if let Err(error) = written {
        tracing::warn!(endpoint = %host.id, %error, "could not note a package in doubt");
    }
}
