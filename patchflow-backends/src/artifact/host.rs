//! One host's directory: who it is, which versions it has, which one is in use.

use super::archive::{UnpackLimits, check_dir, unpack};
use super::bounded::read_bounded;
use super::index::Release;
use super::repository::{Repository, copy_checked};
use super::staged::Staged;
use super::{io_failure, is_plain_name};
use crate::local::{replace_file, sync_dir};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::FailureKind;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Who a host is: `host.json` in its directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HostFile {
    /// Production unless it says otherwise.
    pub environment: Environment,
    /// The operating system, for people and selectors.
    pub os: String,
    /// Where it belongs.
    pub scope: ScopePath,
    /// Free attributes.
    pub tags: BTreeMap<String, String>,
}

impl Default for HostFile {
    fn default() -> Self {
        Self {
            environment: Environment::Production,
            os: std::env::consts::OS.to_owned(),
            scope: ScopePath::default(),
            tags: BTreeMap::new(),
        }
    }
}

pub(super) struct HostDir(pub(super) PathBuf);

impl HostDir {
    pub(super) fn read(&self) -> Result<HostFile, Failure<'static>> {
        let broken = |why: String| Failure::new(FailureKind::Broken, format!("host.json: {why}"));
        match read_bounded(&self.0.join("host.json"), 1024 * 1024) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| broken(error.to_string())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(HostFile::default()),
            Err(error) => Err(broken(error.to_string())),
        }
    }

    pub(super) fn reboot_marker(&self) -> PathBuf {
        self.0.join("reboot-required")
    }

    pub(super) fn staged(&self) -> Staged {
        Staged(self.0.join("staged"))
    }

    pub(super) fn app(&self, package: &str) -> AppDir {
        AppDir(self.0.join("apps").join(package))
    }

    /// The packages that have a directory here, in order.
    pub(super) fn packages(&self) -> Result<Vec<String>, Failure<'static>> {
        plain_names_in(&self.0.join("apps")).map_err(|error| io_failure("reading the host's apps", &error))
    }
}

/// The names in a directory that can be ours, in order; none when there is no directory.
pub(super) fn plain_names_in(dir: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir()
            && let Ok(name) = entry.file_name().into_string()
            && is_plain_name(&name)
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// One package's directory on one host.
pub(super) struct AppDir(PathBuf);

impl AppDir {
    fn pointer(&self) -> PathBuf {
        self.0.join("current")
    }

    /// Stands while a switch has not been followed by its action, and names the version switched to.
    fn unfinished(&self) -> PathBuf {
        self.0.join("switching")
    }

    fn held_marker(&self) -> PathBuf {
        self.0.join("held")
    }

    /// Where nothing counts yet: whatever is here was cut off.
    fn staging(&self) -> PathBuf {
        self.0.join("staging")
    }

    pub(super) fn version_dir(&self, version: &str) -> PathBuf {
        self.0.join("versions").join(version)
    }

    /// The version in use.
    pub(super) fn current(&self) -> Result<Option<String>, Failure<'static>> {
        let broken =
            |why: String| Failure::new(FailureKind::Broken, format!("the pointer to the version: {why}"));
        match read_bounded(&self.pointer(), 1024) {
            Ok(text) => {
                let version = String::from_utf8_lossy(&text).trim_end().to_owned();
                if is_plain_name(&version) {
                    Ok(Some(version))
                } else {
                    Err(broken("it names no version".into()))
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(broken(error.to_string())),
        }
    }

    /// When the version in use was last changed.
    pub(super) fn switched_at(&self) -> Option<std::time::SystemTime> {
        fs::metadata(self.pointer()).and_then(|meta| meta.modified()).ok()
    }

    /// Whether a version's directory is there and holds what was unpacked into it.
    pub(super) fn is_whole(&self, version: &str) -> bool {
        matches!(check_dir(&self.version_dir(version)), Ok(Some(_)))
    }

    pub(super) fn is_held(&self) -> bool {
        self.held_marker().exists()
    }

    pub(super) fn refuse_if_held(&self) -> Result<(), Failure<'static>> {
        if self.is_held() {
            return Err(Failure::new(FailureKind::Denied, "the package is held on this host"));
        }
        Ok(())
    }

    pub(super) fn set_held(&self, held: bool) -> io::Result<()> {
        if held {
            fs::create_dir_all(&self.0)?;
            return replace_file(&self.held_marker(), b"");
        }
        match fs::remove_file(self.held_marker()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| sync_dir(&self.0)),
        }
    }

    /// Removes what a cut-off unpacking left.
    pub(super) fn clear_staging(&self) -> Result<(), Failure<'static>> {
        match fs::remove_dir_all(self.staging()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|error| io_failure("removing what was cut off", &error)),
        }
    }

    /// Brings a version's directory here, whole: fetched, checked, unpacked aside, on the disk, and then renamed.
    pub(super) fn bring(
        &self,
        release: &Release,
        repository: &Repository,
        staged: &Staged,
        limits: UnpackLimits,
    ) -> Result<(), Failure<'static>> {
        let place = self.version_dir(&release.version);
        match check_dir(&place) {
            Ok(Some(manifest)) if manifest.archive == release.sha256 => return Ok(()),
            Ok(_) | Err(_) => {}
        }
        let writing = |error: io::Error| io_failure("unpacking", &error);
        self.clear_staging()?;
        let staging = self.staging();
        fs::create_dir_all(&staging).map_err(writing)?;
        let archive = staging.join("archive");
        let mut copy = File::create_new(&archive).map_err(writing)?;
        // What was staged is checked once more: it may have lain there for days.
        match staged.open(release.sha256) {
            Some(file) => copy_checked(file, release, &mut copy)?,
            None => repository.fetch(release, &mut copy)?,
        }
        drop(copy);
        let files = staging.join("files");
        unpack(File::open(&archive).map_err(writing)?, release.sha256, &files, limits)?;
        let versions = self.0.join("versions");
        fs::create_dir_all(&versions).map_err(writing)?;
        if place.try_exists().map_err(writing)? {
            // It is damaged, or of other content. It leaves with the staging directory.
            fs::rename(&place, staging.join("damaged")).map_err(writing)?;
        }
        fs::rename(&files, &place).and_then(|()| sync_dir(&versions)).map_err(writing)?;
        self.clear_staging()
    }

    /// Switches to a version, or to none. Until [`AppDir::finish_switch`] it counts as unfinished.
    pub(super) fn switch(&self, version: Option<&str>) -> Result<(), Failure<'static>> {
        let writing = |error: io::Error| io_failure("switching", &error);
        replace_file(&self.unfinished(), version.unwrap_or_default().as_bytes()).map_err(writing)?;
        match version {
            Some(version) => replace_file(&self.pointer(), format!("{version}\n").as_bytes()),
            None => match fs::remove_file(self.pointer()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed.and_then(|()| sync_dir(&self.0)),
            },
        }
        .map_err(writing)
    }

    /// Whether a version's files are whole, and what follows a switch to it has ended well.
    pub(super) fn is_intact(&self, version: &str) -> bool {
        // A switch that never got as far as the pointer leaves the version before as it was.
        let unfinished = read_bounded(&self.unfinished(), 1024).is_ok_and(|to| to == version.as_bytes());
        self.is_whole(version) && !unfinished
    }

    pub(super) fn is_unfinished(&self) -> bool {
        self.unfinished().exists()
    }

    pub(super) fn finish_switch(&self) -> Result<(), Failure<'static>> {
        let finished = fs::remove_file(self.unfinished()).and_then(|()| sync_dir(&self.0));
        finished.map_err(|error| io_failure("switching", &error))
    }
}
