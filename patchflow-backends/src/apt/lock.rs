//! Whether somebody works on an endpoint's package database: by its locks, and by processes that were left behind.
//!
//! Nothing is locked to find out: a trial lock could make somebody else's operation fail.

use super::host::{AptHost, CHANGES};
use rustix::process::{Flock, FlockType, fcntl_getlk};
use std::fs::{self, File};
use std::path::Path;

/// The process that holds the package manager's lock, when there is one.
pub(super) fn lock_holder(host: &AptHost) -> Option<i32> {
    ["lock-frontend", "lock"].iter().find_map(|name| holder(&host.admin_dir.join(name)))
}

fn holder(path: &Path) -> Option<i32> {
    let file = File::open(path).ok()?;
    let wanted = Flock::from(FlockType::WriteLock);
    let found = fcntl_getlk(&file, &wanted).ok()??;
    // Zero: the holder lives where its number says nothing here.
    Some(found.pid.map_or(0, |pid| pid.as_raw_nonzero().get()))
}

/// Processes that still change an endpoint although nobody waits for them, such as the maintainer script of a dpkg
/// that was killed. On an isolated root they are known by `DPKG_ROOT` in their environment, beside our own mark or
/// the one that dpkg gives to maintainer scripts.
///
/// A service that a maintainer script has started inherits that environment too; it leads a session of its own, or
/// belongs to one whose leader does, and is not meant.
pub(super) fn left_behind(host: &AptHost) -> Vec<i32> {
    let Some((_, root)) = host.runner.env.iter().find(|(name, _)| name == "DPKG_ROOT") else {
        return Vec::new();
    };
    let root = [b"DPKG_ROOT=", root.as_encoded_bytes()].concat();
    let pids = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = pids.filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok());
    let ours: Vec<i32> = pids.filter(|pid| changes(*pid, &root)).collect();
    ours.iter().copied().filter(|pid| session(*pid).is_some_and(|leader| !ours.contains(&leader))).collect()
}

fn changes(pid: i32, root: &[u8]) -> bool {
    // Of somebody else's processes the environment cannot be read; those hold the lock while they work.
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    let mark = format!("{}={}", CHANGES.0, CHANGES.1);
    let has = |fits: &dyn Fn(&[u8]) -> bool| environment.split(|byte| *byte == 0).any(fits);
    has(&|variable| variable == root)
        && has(&|variable| variable == mark.as_bytes() || variable.starts_with(b"DPKG_MAINTSCRIPT_PACKAGE="))
}

/// The session of a process; `None` when it has ended.
fn session(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // After the name, which may hold anything: state, parent, group, session.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(2)?.parse().ok()
}
