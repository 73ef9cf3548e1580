//! Package files kept for the way back: archives drop old versions, sometimes within the hour.
//!
//! A file is fetched by apt, which checks its hash against the signed lists, and is put in place under its final name
//! only when it is whole, with its digest beside it: a file that has changed since is as good as none. Nothing is ever deleted here; whoever owns the endpoint's state directory may do that.

use super::failure::read_failure;
use super::host::AptHost;
use patchflow_core::digest::Digest;
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::FailureKind;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The kept file of a version: from our own folder, else from the one where apt leaves what it has downloaded.
pub(super) fn find(host: &AptHost, name: &str, version: &str) -> Option<PathBuf> {
    let folders = [host.saved_dir(), host.path("var/cache/apt/archives")];
    folders.iter().find_map(|folder| find_in(host, folder, name, version))
}

fn find_in(host: &AptHost, folder: &Path, name: &str, version: &str) -> Option<PathBuf> {
    let start = format!("{}_{}_", name.split(':').next().unwrap_or(name), version.replace(':', "%3a"));
    let files = fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let mut named: Vec<_> = files
        .filter(|path| {
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            file.starts_with(&start) && file.ends_with(".deb")
        })
        .collect();
    named.sort();
    named.into_iter().find(|path| holds(host, path, version))
}

/// Where the digest of a kept file stands.
fn digest_file(path: &Path) -> PathBuf {
    path.with_extension("deb.sha256")
}

/// Whether a file is what was kept, and a readable package in this version.
fn holds(host: &AptHost, path: &Path, version: &str) -> bool {
    if let Ok(digest) = fs::read_to_string(digest_file(path)) {
        let now = fs::read(path).map(|bytes| Digest::of(&bytes).to_string());
        if now.is_ok_and(|now| now != digest.trim()) {
            return false;
        }
    }
    let argv = ["dpkg-deb", "-f", &path.to_string_lossy(), "Version"].map(str::to_owned);
    host.run(&argv).is_ok_and(|ran| ran.succeeded() && ran.stdout_text().trim() == version)
}

/// Sees to it that the file of a version is at hand, and says where. `None` when it is nowhere to be had.
///
/// # Errors
/// When it is offered and could not be fetched or kept.
pub(super) fn keep(host: &AptHost, name: &str, version: &str) -> Result<Option<PathBuf>, Failure<'static>> {
    let folder = host.saved_dir();
    if let Some(path) = find_in(host, &folder, name, version) {
        return Ok(Some(path));
    }
    if super::updates::offer(host, name, version)?.is_some() {
        return fetch(host, &folder, name, version).map(Some);
    }
    Ok(find(host, name, version))
}

fn fetch(host: &AptHost, folder: &Path, name: &str, version: &str) -> Result<PathBuf, Failure<'static>> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let unkept = |error: io::Error| {
        let kind = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FailureKind::Disk,
            _ => FailureKind::Other,
        };
        Failure::new(kind, format!("could not keep {name} {version} for the way back: {error}"))
    };
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let partial = folder.join(format!(".partial-{}-{number}", std::process::id()));
    fs::create_dir_all(&partial).map_err(unkept)?;
    let fetched = (|| {
        let ran = host.run_in(&partial, &["apt-get", "-q", "download", &format!("{name}={version}")])?;
        let path = find_in(host, &partial, name, version).ok_or_else(|| read_failure(&ran))?;
        let kept = folder.join(path.file_name().unwrap_or_default());
        fs::File::open(&path).and_then(|file| file.sync_all()).map_err(unkept)?;
        let digest = Digest::of(&fs::read(&path).map_err(unkept)?);
        // The digest first: a file without one would be taken at its word.
        fs::write(digest_file(&kept), format!("{digest}\n")).map_err(unkept)?;
        fs::rename(&path, &kept).map_err(unkept)?;
        Ok(kept)
    })();
    // What is left of a failed fetch is of no use to anybody.
    let _ = fs::remove_dir_all(&partial);
    fetched
}
