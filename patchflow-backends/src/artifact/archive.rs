//! Archives: packed always alike, unpacked with distrust, and the manifest by which a directory is known to be whole.

use super::io_failure;
use crate::local::{digest_of, sync_dir};
use patchflow_core::digest::Digest;
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::FailureKind;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

pub(super) const MANIFEST: &str = ".manifest.json";
const MANIFEST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What one unpacked directory must hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DirManifest {
    /// The digest of the archive it was unpacked from.
    pub(super) archive: Digest,
    /// Paths with `/`, and the digest of each file. Files that a service adds are no business of ours.
    files: BTreeMap<String, Digest>,
}

/// How much an archive may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct UnpackLimits {
    pub(super) entries_max: usize,
    pub(super) unpacked_bytes_max: u64,
}

fn corrupt(why: impl Into<String>) -> Failure<'static> {
    Failure::new(FailureKind::Corrupt, format!("the archive: {}", why.into()))
}

/// Unpacks a gzipped tar archive into a new directory and brings it to the disk, manifest last. Only files and
/// directories, only below `into`, nothing twice, no more than the limits.
pub(super) fn unpack(
    archive: impl Read,
    digest: Digest,
    into: &Path,
    limits: UnpackLimits,
) -> Result<(), Failure<'static>> {
    let writing = |error: io::Error| io_failure("unpacking", &error);
    fs::create_dir(into).map_err(writing)?;
    // Headers and padding are not content, so a few blocks for each entry are let pass beside it.
    let beside = (limits.entries_max as u64).saturating_mul(4096);
    let bytes_max = limits.unpacked_bytes_max.saturating_add(beside);
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive).take(bytes_max));
    let mut files = BTreeMap::new();
    let mut dirs = BTreeSet::from([into.to_owned()]);
    let mut left = limits.unpacked_bytes_max;
    for (count, entry) in tar.entries().map_err(|error| corrupt(error.to_string()))?.enumerate() {
        let mut entry = entry.map_err(|error| corrupt(error.to_string()))?;
        if count >= limits.entries_max {
            return Err(corrupt(format!("more than {} entries", limits.entries_max)));
        }
        let path = plain_path(&entry.path().map_err(|error| corrupt(error.to_string()))?)?;
        let full = into.join(&path);
        match entry.header().entry_type() {
            tar::EntryType::Directory => make_dirs(&full, into, &mut dirs).map_err(writing)?,
            tar::EntryType::Regular => {
                make_dirs(full.parent().unwrap_or(into), into, &mut dirs).map_err(writing)?;
                let executable = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
                let (digest, length) = copy_new(&mut entry, &full, executable, left)?;
                left -= length;
                files.insert(path, digest);
            }
            other => {
                return Err(corrupt(format!(
                    "`{path}` is a {other:?}; only files and directories are taken"
                )));
            }
        }
    }
    let manifest = DirManifest { archive: digest, files };
    let text = serde_json::to_vec(&manifest).map_err(|error| corrupt(error.to_string()))?;
    let mut file = File::create_new(into.join(MANIFEST)).map_err(writing)?;
    file.write_all(&text).and_then(|()| file.sync_all()).map_err(writing)?;
    dirs.iter().try_for_each(|dir| sync_dir(dir)).map_err(writing)
}

/// A path inside the archive as one with `/` that cannot leave the directory.
fn plain_path(path: &Path) -> Result<String, Failure<'static>> {
    let refused = || corrupt(format!("`{}` is not a path inside it", path.display()));
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str().ok_or_else(refused)?),
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return Err(refused()),
        }
    }
    // A backslash or a colon is a plain character here and a way out elsewhere.
    if parts.first() == Some(&MANIFEST) || parts.iter().any(|part| part.contains(['\\', ':', '\0'])) {
        return Err(refused());
    }
    Ok(parts.join("/"))
}

fn make_dirs(dir: &Path, top: &Path, made: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let mut missing = Vec::new();
    let mut at = dir;
    while at != top && !made.contains(at) {
        missing.push(at.to_owned());
        let Some(above) = at.parent() else { break };
        at = above;
    }
    for dir in missing.into_iter().rev() {
        fs::create_dir(&dir)?;
        made.insert(dir);
    }
    Ok(())
}

fn copy_new(
    from: &mut impl Read,
    path: &Path,
    executable: bool,
    left: u64,
) -> Result<(Digest, u64), Failure<'static>> {
    let writing = |error: io::Error| io_failure("unpacking", &error);
    let mut file = File::create_new(path).map_err(writing)?;
    let mut from = from.take(left.saturating_add(1));
    let mut hash = sha2::Sha256::new();
    let mut chunk = vec![0; 64 * 1024];
    let mut length = 0;
    loop {
        let read = from.read(&mut chunk).map_err(|error| corrupt(error.to_string()))?;
        if read == 0 {
            break;
        }
        length += read as u64;
        if length > left {
            return Err(corrupt("it unpacks to more than is allowed"));
        }
        hash.update(&chunk[..read]);
        file.write_all(&chunk[..read]).map_err(writing)?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = if executable { 0o755 } else { 0o644 };
        file.set_permissions(fs::Permissions::from_mode(mode)).map_err(writing)?;
    }
    #[cfg(not(unix))]
    let _ = executable;
    file.sync_all().map_err(writing)?;
    Ok((Digest(hash.finalize().into()), length))
}

/// Whether a directory holds what was unpacked into it; `Ok(None)` when it is not there.
pub(super) fn check_dir(dir: &Path) -> Result<Option<DirManifest>, Failure<'static>> {
    let broken = |why: String| Failure::new(FailureKind::Broken, format!("{}: {why}", dir.display()));
    if !dir.try_exists().map_err(|error| broken(error.to_string()))? {
        return Ok(None);
    }
    let text = super::bounded::read_bounded(&dir.join(MANIFEST), MANIFEST_BYTES_MAX)
        .map_err(|error| broken(format!("its manifest: {error}")))?;
    let manifest: DirManifest =
        serde_json::from_slice(&text).map_err(|error| broken(format!("its manifest: {error}")))?;
    for (path, digest) in &manifest.files {
        let found = digest_of(&dir.join(path)).map_err(|error| broken(format!("{path}: {error}")))?;
        if found != *digest {
            return Err(broken(format!("{path} was changed")));
        }
    }
    Ok(Some(manifest))
}

/// Packs files, in the order of their paths, without times or owners: the same files give the same bytes.
pub(super) fn pack<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8], bool)>) -> io::Result<Vec<u8>> {
    let files: BTreeMap<_, _> =
        files.into_iter().map(|(path, bytes, executable)| (path, (bytes, executable))).collect();
    let gzip = flate2::GzBuilder::new().mtime(0).write(Vec::new(), flate2::Compression::default());
    let mut tar = tar::Builder::new(gzip);
    for (path, (bytes, executable)) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(if executable { 0o755 } else { 0o644 });
        header.set_mtime(0);
        header.set_entry_type(tar::EntryType::Regular);
        tar.append_data(&mut header, path, bytes)?;
    }
    tar.into_inner()?.finish()
}
