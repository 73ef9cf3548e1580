//! Makes a package database whole again after a failed script, a kill, or a crash.
//!
//! A half-configured package blocks its endpoint: every later apt call tries it again and fails, whatever it was
//! called for. So nothing is left that way. What happens:
//!
//! | found | done |
//! |---|---|
//! | dpkg's journal is not empty (a kill) | it is folded in; apt refuses to work before |
//! | `iU`, `iF`, triggers open, after a kill | `dpkg --configure -a`: the script runs again, the new version stays |
//! | the same after a script failed or took too long | back to the version before; the script is not run again, since a retry is the policy's decision |
//! | `iHR`, half-installed (a kill before unpacking) | the version before is unpacked again; `--configure -a` passes this over without a word |
//! | a package that was not there before | removed |
//!
//! "The version before" is the one noted when the operation began, from the package lists or from the kept file.
//! What cannot be mended is `FailureKind::Broken`; a package whose `prerm` fails as well is such a case, and the one
//! where dpkg's answer misleads: after a failed downgrade it calls the new version installed.

use super::database::{self, Row};
use super::host::AptHost;
use super::intent::{self, Change};
use super::{lock, saved, updates};
use crate::local::Recovery;
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::FailureKind;
use std::ffi::OsString;

impl AptHost {
    /// After an operation that was cut off: still running (a lock is held, or a maintainer script that was left
    /// behind works on), whole (perhaps after a repair), or broken.
    #[must_use]
    pub fn recover_now(&self) -> Recovery {
        if lock::lock_holder(self).is_some() || !lock::left_behind(self).is_empty() {
            return Recovery::StillRunning;
        }
        match finish(self) {
            Ok(()) => Recovery::Whole,
            Err(failure) => Recovery::Broken(failure),
        }
    }
}

/// Finishes what was cut off; takes back what cannot be finished.
pub(super) fn finish(host: &AptHost) -> Result<(), Failure<'static>> {
    let changes = intent::noted(host);
    if database::is_interrupted(host) || broken(host)?.iter().any(|row| !row.needs_reinstall()) {
        // Its outcome is read from the database, like every other.
        host.dpkg(&["--configure", "-a"])?;
    }
    take_back(host, &changes)
}

/// Brings what is not whole back to where it was.
pub(super) fn take_back(host: &AptHost, changes: &[Change]) -> Result<(), Failure<'static>> {
    if database::is_interrupted(host) {
        // An empty list of selections changes nothing, but dpkg folds its journal in before it reads it.
        host.dpkg(&["--set-selections"])?;
    }
    let broken_now = broken(host)?;
    if !broken_now.is_empty() {
        restore(host, &broken_now, changes)?;
    }
    // A failed downgrade of a package whose `prerm` fails too ends as "installed", in the version that never worked.
    let rows = database::rows(host)?;
    let pretended = |row: &Row| {
        let change = changes.iter().find(|change| change.name == row.name)?;
        let now = rows.iter().find(|now| now.name == row.name && now.is_intact())?;
        change.from.as_ref().is_some_and(|back| *back != now.version).then_some(now)
    };
    let doubtful: Vec<&Row> = broken_now.iter().filter_map(pretended).collect();
    if !doubtful.is_empty() {
        doubtful.iter().for_each(|row| intent::doubt(host, &row.name, &row.version));
        let names: Vec<_> = doubtful.iter().map(|row| row.name.as_str()).collect();
        let detail = format!("neither configured nor taken back, whatever dpkg says: {}", names.join(", "));
        return Err(Failure::new(FailureKind::Broken, detail));
    }
    let left: Vec<_> = rows.into_iter().filter(|row| !row.is_intact()).collect();
    if left.is_empty() && !database::is_interrupted(host) {
        intent::forget(host);
        return Ok(());
    }
    let names: Vec<_> = left.iter().map(|row| row.name.as_str()).collect();
    Err(Failure::new(FailureKind::Broken, format!("could not be made whole: {}", names.join(", "))))
}

fn restore(host: &AptHost, broken: &[Row], changes: &[Change]) -> Result<(), Failure<'static>> {
    let mut install: Vec<OsString> = Vec::new();
    let mut remove: Vec<&str> = Vec::new();
    for row in broken {
        let change = changes.iter().find(|change| change.name == row.name);
        let before = match change {
            Some(Change { from: None, .. }) => {
                remove.push(&row.name);
                continue;
            }
            Some(Change { from: Some(from), .. }) => from,
            // Nobody noted it. A half-installed package still has its old version in the database.
            None if row.needs_reinstall() => &row.version,
            None => continue,
        };
        if let Some(word) = source(host, &row.name, before)? {
            install.push(word);
        }
    }
    if !install.is_empty() {
        let verb = ["--no-remove", "--allow-downgrades", "--reinstall", "install"];
        host.change(&verb, &install)?;
    }
    if !remove.is_empty() {
        let words: Vec<_> = ["--force-remove-reinstreq", "--remove"].into_iter().chain(remove).collect();
        host.dpkg(&words)?;
    }
    Ok(())
}

/// How apt is told to install a version: by name when the lists offer it, else by the kept file.
pub(super) fn source(
    host: &AptHost,
    name: &str,
    version: &str,
) -> Result<Option<OsString>, Failure<'static>> {
    if let Some(path) = saved::find(host, name, version) {
        return Ok(Some(path.into_os_string()));
    }
    let offered = updates::offer(host, name, version)?.is_some();
    Ok(offered.then(|| format!("{name}={version}").into()))
}

/// Packages that are not whole.
pub(super) fn broken(host: &AptHost) -> Result<Vec<Row>, Failure<'static>> {
    Ok(database::rows(host)?.into_iter().filter(|row| !row.is_intact()).collect())
}
