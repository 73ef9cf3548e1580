//! What the tools say, as typed failures.
//!
//! dpkg and apt have one exit code for everything, so their messages are read; the environment keeps them in English.
//! Whether something failed is not decided here: the package database says that.

use crate::local::{Ran, RunError};
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::FailureKind;

/// Phrases and what they mean. The first that is found in the output decides, so what is cause stands before what is
/// consequence: a full disk also fails a fetch, a fetch also fails dependencies.
const PHRASES: &[(&str, FailureKind)] = &[
    ("No space left on device", FailureKind::Disk),
    ("You don't have enough free space", FailureKind::Disk),
    ("Disk quota exceeded", FailureKind::Disk),
    // Before the locks: without rights a lock cannot be had either.
    ("are you root?", FailureKind::Denied),
    ("Could not get lock", FailureKind::Busy),
    ("Unable to acquire the dpkg frontend lock", FailureKind::Busy),
    ("Unable to lock", FailureKind::Busy),
    ("is locked by another process", FailureKind::Busy),
    ("was locked by another process", FailureKind::Busy),
    ("Hash Sum mismatch", FailureKind::Corrupt),
    ("File has unexpected size", FailureKind::Corrupt),
    ("unauthenticated packages", FailureKind::Corrupt),
    ("could not be authenticated", FailureKind::Corrupt),
    ("is not signed", FailureKind::Corrupt),
    ("BADSIG", FailureKind::Corrupt),
    ("NO_PUBKEY", FailureKind::Corrupt),
    ("corrupted filesystem tarfile", FailureKind::Corrupt),
    ("is not a Debian format archive", FailureKind::Corrupt),
    ("dpkg was interrupted", FailureKind::Interrupted),
    ("was not found", FailureKind::NotFound),
    ("Unable to locate package", FailureKind::NotFound),
    ("has no installation candidate", FailureKind::NotFound),
    ("404  Not Found", FailureKind::NotFound),
    ("File not found", FailureKind::NotFound),
    ("Failed to stat", FailureKind::NotFound),
    ("Failed to fetch", FailureKind::Network),
    ("Could not resolve", FailureKind::Network),
    ("Could not connect", FailureKind::Network),
    ("Connection timed out", FailureKind::Network),
    ("Held packages were changed", FailureKind::Denied),
    ("Packages were downgraded", FailureKind::Denied),
    ("Essential packages were removed", FailureKind::Denied),
    ("requires superuser privilege", FailureKind::Denied),
    ("you do not have permission", FailureKind::Denied),
    ("Permission denied", FailureKind::Denied),
    ("script subprocess returned error", FailureKind::ScriptFailed),
    ("script subprocess was killed", FailureKind::ScriptFailed),
    ("Sub-process /usr/bin/dpkg received signal", FailureKind::Interrupted),
    ("Sub-process /usr/bin/dpkg exited unexpectedly", FailureKind::Interrupted),
    ("Packages need to be removed but remove is disabled", FailureKind::Dependency),
    ("unmet dependencies", FailureKind::Dependency),
    ("Unable to correct problems", FailureKind::Dependency),
    ("held broken packages", FailureKind::Dependency),
    ("dependency problems", FailureKind::Dependency),
];

/// How long the telling line may be, in characters.
const DETAIL_CHARS_MAX: usize = 200;

/// What a command that did not do its work says about it.
pub(super) fn read_failure(ran: &Ran) -> Failure<'static> {
    if ran.timed_out {
        return Failure::new(FailureKind::Timeout, "the package manager took too long and was ended");
    }
    if let Some(signal) = ran.signal {
        return Failure::new(
            FailureKind::Interrupted,
            format!("the package manager was ended by signal {signal}"),
        );
    }
    let said = format!("{}\n{}", ran.stderr_text(), ran.stdout_text());
    classify(&said).unwrap_or_else(|| {
        let code = ran.code.unwrap_or_default();
        Failure::new(
            FailureKind::Other,
            telling_line(&said).unwrap_or(format!("exit code {code} without a word")),
        )
    })
}

fn classify(said: &str) -> Option<Failure<'static>> {
    PHRASES.iter().find_map(|(phrase, kind)| {
        let line = said.lines().find(|line| line.contains(phrase))?;
        Some(Failure::new(*kind, tidy(line)))
    })
}

/// The first error line, else the last line that says anything.
fn telling_line(said: &str) -> Option<String> {
    let error = said.lines().find(|line| line.starts_with("E: ") || line.starts_with("dpkg: error"));
    error.or_else(|| said.lines().rev().find(|line| !line.trim().is_empty())).map(tidy)
}

fn tidy(line: &str) -> String {
    line.trim().trim_start_matches("E: ").chars().take(DETAIL_CHARS_MAX).collect()
}

/// A tool that is not there, or may not be run.
#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
pub(super) fn unstarted(error: RunError) -> Failure<'static> {
    Failure::new(FailureKind::Unsupported, format!("{error}: {}", error.source))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(stderr: &str) -> (FailureKind, String) {
        let stderr = stderr.as_bytes().to_vec();
        let ran = Ran { code: Some(100), signal: None, stdout: Vec::new(), stderr, pid: 1, timed_out: false };
        let failure = read_failure(&ran);
        (failure.kind, failure.detail.into_owned())
    }

    #[test]
    fn the_cause_is_found_among_its_consequences() {
        let lock = "E: Could not get lock /r/var/lib/dpkg/lock-frontend. It is held by process 4711 (apt-get)\n\
                    E: Unable to acquire the dpkg frontend lock (/r/var/lib/dpkg/lock-frontend), is another process using it?\n";
        assert_eq!(said(lock).0, FailureKind::Busy);
        let script = "dpkg: error processing package lab-x (--configure):\n installed lab-x package \
                      post-installation script subprocess returned error exit status 1\n\
                      E: Sub-process /usr/bin/dpkg returned an error code (1)\n";
        let (kind, detail) = said(script);
        assert_eq!(kind, FailureKind::ScriptFailed);
        assert!(detail.starts_with("installed lab-x package post-installation script"), "{detail}");
        let hash = "E: Failed to fetch copy:/r/x.deb  Hash Sum mismatch\nE: Unable to fetch some archives\n";
        assert_eq!(said(hash).0, FailureKind::Corrupt);
        assert_eq!(said("E: Version '1.0-9' for 'lab-x' was not found\n").0, FailureKind::NotFound);
        assert_eq!(said("E: Failed to fetch http://x/y  Could not connect\n").0, FailureKind::Network);
        assert_eq!(said("E: Write error - write (28: No space left on device)\n").0, FailureKind::Disk);
    }

    #[test]
    fn what_is_not_known_keeps_its_own_words() {
        assert_eq!(said("W: hm\nE: Strange things\n"), (FailureKind::Other, "Strange things".to_owned()));
        assert_eq!(said(""), (FailureKind::Other, "exit code 100 without a word".to_owned()));
        assert_eq!(said(&"x".repeat(999)).1.len(), DETAIL_CHARS_MAX);
    }
}
