//! Whether somebody works on an endpoint's package database: by its locks, and by processes that were left behind.
//!
//! Nothing is locked to find out: a trial lock could make somebody else's operation fail.

use super::host::AptHost;
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

/// Processes that still work on an endpoint although nobody waits for them, such as the maintainer script of a dpkg
/// that was killed. On an isolated root they are known by `DPKG_ROOT` in their environment.
///
/// A service that a maintainer script has started inherits that environment too; it leads a session of its own, or
/// belongs to one whose leader does, and is not meant.
pub(super) fn left_behind(host: &AptHost) -> Vec<i32> {
    let Some((_, root)) = host.runner.env.iter().find(|(name, _)| name == "DPKG_ROOT") else {
        return Vec::new();
    };
    let wanted = format!("DPKG_ROOT={}", root.to_string_lossy());
    let pids = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = pids.filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok());
    let ours: Vec<i32> = pids.filter(|pid| has_variable(*pid, &wanted)).collect();
    ours.iter().copied().filter(|pid| session(*pid).is_some_and(|leader| !ours.contains(&leader))).collect()
}

fn has_variable(pid: i32, wanted: &str) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
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
