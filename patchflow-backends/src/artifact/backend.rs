//! The local backend: hosts are directories, a patch is an archive, an install is a switch.

use super::archive::{UnpackLimits, check_dir};
use super::host::{AppDir, HostDir, HostFile, plain_names_in};
use super::index::{Release, package_name};
use super::repository::{Repository, copy_checked};
use super::{compare_versions, io_failure, is_plain_name};
use crate::local::{CommandRunner, LocalBackend, Recovery, replace_file, sync_dir};
use patchflow_core::catalog::{Category, Patch, RebootBehaviour, Target};
use patchflow_core::digest::Digest;
use patchflow_core::ids::EndpointId;
use patchflow_core::inventory::{AvailableUpdate, EndpointRecord, InstalledSoftware, PatchLevel};
use patchflow_core::package::{Ecosystem, PackageName};
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::{Failure, InstallOrder, Level, RebootOrder, RevertOrder, RevertTo, StageOrder};
use patchflow_core::sdk::{FailureKind, InstallerCapabilities};
use patchflow_core::time::Timestamp;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

type AfterSwitch = Arc<dyn Fn(&Switched) -> Result<(), Failure<'static>> + Send + Sync>;
type OnReboot = Arc<dyn Fn(&EndpointId) -> Result<(), Failure<'static>> + Send + Sync>;

/// How much an archive may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArtifactLimits {
    /// Files and directories in one archive.
    pub entries_max: usize,
    /// Bytes of all files of one archive, unpacked.
    pub unpacked_bytes_max: u64,
}

/// 100 000 entries and 4 GiB: above any application, below what fills a disk unseen.
impl Default for ArtifactLimits {
    fn default() -> Self {
        Self { entries_max: 100_000, unpacked_bytes_max: 4 * 1024 * 1024 * 1024 }
    }
}

/// What was switched, for the action that follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switched {
    /// The host.
    pub endpoint: EndpointId,
    /// The host's directory.
    pub host_dir: PathBuf,
    /// The package.
    pub package: String,
    /// The version in use now, and where its files are; `None` when there is none any more.
    pub now: Option<(String, PathBuf)>,
}

/// Hosts as directories, served from a [`Repository`]. Put it under a
/// [`LocalInstaller`](crate::local::LocalInstaller).
pub struct ArtifactBackend {
    hosts: PathBuf,
    repository: Repository,
    limits: ArtifactLimits,
    after_switch: Option<AfterSwitch>,
    on_reboot: Option<OnReboot>,
}

impl ArtifactBackend {
    /// Hosts below a directory. Nothing follows a switch, and nothing reboots.
    pub fn new(hosts: impl Into<PathBuf>, repository: Repository) -> Self {
        let limits = ArtifactLimits::default();
        Self { hosts: hosts.into(), repository, limits, after_switch: None, on_reboot: None }
    }

    /// With other limits.
    #[must_use]
    pub fn limited(mut self, limits: ArtifactLimits) -> Self {
        self.limits = limits;
        self
    }

    /// What follows each switch, such as the restart of a service. It must bear being repeated: after a crash it is
    /// not known whether it ran. Its failure is the order's failure; what was switched stays switched.
    #[must_use]
    pub fn after_switch(
        mut self,
        action: impl Fn(&Switched) -> Result<(), Failure<'static>> + Send + Sync + 'static,
    ) -> Self {
        self.after_switch = Some(Arc::new(action));
        self
    }

    /// Runs a command after each switch, with `PATCHFLOW_ENDPOINT`, `PATCHFLOW_HOST_DIR`, `PATCHFLOW_PACKAGE`, and
    /// (unless the package was removed) `PATCHFLOW_VERSION` and `PATCHFLOW_DIR` set. An exit code other than 0 fails
    /// the order.
    #[must_use]
    pub fn after_switch_command(self, runner: CommandRunner, argv: Vec<OsString>) -> Self {
        self.after_switch(move |switched| run_after_switch(&runner, &argv, switched))
    }

    /// How a host is rebooted; returns when it is up again. The marker is removed afterwards.
    #[must_use]
    pub fn on_reboot(
        mut self,
        action: impl Fn(&EndpointId) -> Result<(), Failure<'static>> + Send + Sync + 'static,
    ) -> Self {
        self.on_reboot = Some(Arc::new(action));
        self
    }

    /// Makes a host's directory, or changes who the host is.
    ///
    /// # Errors
    /// An id that cannot be the name of a directory, the file system.
    pub fn add_host(&self, id: &EndpointId, host: &HostFile) -> io::Result<()> {
        if !is_plain_name(id.as_str()) {
            let message = format!("`{id}` cannot be the name of a directory");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let dir = self.hosts.join(id.as_str());
        fs::create_dir_all(&dir)?;
        replace_file(&dir.join("host.json"), &serde_json::to_vec_pretty(host).map_err(io::Error::other)?)
    }

    /// The version of a package in use on a host, and where its files are.
    ///
    /// # Errors
    /// An unknown host, or a pointer that cannot be read.
    pub fn current(
        &self,
        host: &EndpointId,
        package: &str,
    ) -> Result<Option<(String, PathBuf)>, Failure<'static>> {
        let app = self.app(host, package)?;
        Ok(app.current()?.map(|version| (version.clone(), app.version_dir(&version))))
    }

    /// The way back that a package on a host has now: a switch to the version in use when that is whole, the removal
    /// of what was not there, or none.
    ///
    /// # Errors
    /// An unknown host, or a pointer that cannot be read.
    pub fn way_back(&self, host: &EndpointId, package: &str) -> Result<RollbackPath, Failure<'static>> {
        let app = self.app(host, package)?;
        Ok(match app.current()? {
            None => RollbackPath::Uninstall,
            Some(version) if app.is_whole(&version) => RollbackPath::Switch,
            Some(_) => RollbackPath::None,
        })
    }

    /// Installs a first version, outside the engine: what a host had before it was managed.
    ///
    /// # Errors
    /// As an install.
    pub fn seed(&self, host: &EndpointId, package: &str, version: &str) -> Result<(), Failure<'static>> {
        let (host_dir, app) = (self.host(host)?, self.app(host, package)?);
        let release = self.repository.find(package, version)?;
        app.bring(&release, &self.repository, &host_dir.staged(), self.unpack_limits())?;
        self.switch(host, &host_dir, &app, package, Some(version))
    }

    fn unpack_limits(&self) -> UnpackLimits {
        let ArtifactLimits { entries_max, unpacked_bytes_max } = self.limits;
        UnpackLimits { entries_max, unpacked_bytes_max }
    }

    fn host(&self, id: &EndpointId) -> Result<HostDir, Failure<'static>> {
        let dir = self.hosts.join(id.as_str());
        if is_plain_name(id.as_str()) && dir.is_dir() {
            return Ok(HostDir(dir));
        }
        Err(Failure::new(FailureKind::Unsupported, format!("there is no host `{id}`")))
    }

    fn app(&self, host: &EndpointId, package: &str) -> Result<AppDir, Failure<'static>> {
        if !is_plain_name(package) {
            return Err(Failure::new(
                FailureKind::Unsupported,
                format!("`{package}` is no name of a package here"),
            ));
        }
        Ok(self.host(host)?.app(package))
    }

    fn app_of(&self, host: &EndpointId, target: &Target) -> Result<AppDir, Failure<'static>> {
        if target.package.ecosystem != Ecosystem::Artifact || !is_plain_name(&target.version) {
            return Err(Failure::new(FailureKind::Unsupported, format!("{target} is no artifact")));
        }
        self.app(host, &target.package.name)
    }

    /// The release that an approved patch is: the same content, not only the same name.
    fn release_of(&self, host: &HostDir, patch: &Patch) -> Result<Release, Failure<'static>> {
        let release = match host.staged().release(patch.content) {
            // Approved and there: the repository need not be reached any more.
            Some(staged) if self.is_release_of(&staged, patch) => staged,
            Some(_) | None => self.published(&self.repository, patch)?,
        };
        if release.unpacked_bytes > self.limits.unpacked_bytes_max {
            let detail = format!(
                "{}: {} bytes unpacked is more than is allowed",
                patch.target, release.unpacked_bytes
            );
            return Err(Failure::new(FailureKind::Unsupported, detail));
        }
        Ok(release)
    }

    fn is_release_of(&self, release: &Release, patch: &Patch) -> bool {
        package_name(&release.package) == patch.target.package && release.version == patch.target.version
    }

    /// The release in a repository that an approved patch is.
    fn published(&self, repository: &Repository, patch: &Patch) -> Result<Release, Failure<'static>> {
        let Target { package, version } = &patch.target;
        let release = repository.find(&package.name, version)?;
        if release.sha256 != patch.content {
            let detail = format!("{}: the repository has other content than was approved", patch.target);
            return Err(Failure::new(FailureKind::Corrupt, detail));
        }
        Ok(release)
    }

    pub(super) fn look_before(
        &self,
        id: &EndpointId,
        patch: &Patch,
    ) -> Result<RollbackPath, Failure<'static>> {
        let host = self.host(id)?;
        let app = self.app_of(id, &patch.target)?;
        app.refuse_if_held()?;
        let release = self.release_of(&host, patch)?;
        let place = app.version_dir(&release.version);
        let is_there = matches!(check_dir(&place), Ok(Some(manifest)) if manifest.archive == release.sha256);
        if !is_there {
            match host.staged().open(release.sha256) {
                Some(file) => copy_checked(file, &release, &mut io::sink())?,
                None => self.repository.fetch(&release, &mut io::sink())?,
            }
            room_for(&host.0, release.archive_bytes.saturating_add(release.unpacked_bytes))?;
        }
        self.way_back(id, &patch.target.package.name)
    }

    pub(super) fn install_patch(&self, id: &EndpointId, patch: &Patch) -> Result<(), Failure<'static>> {
        let host = self.host(id)?;
        let app = self.app_of(id, &patch.target)?;
        app.refuse_if_held()?;
        let release = self.release_of(&host, patch)?;
        app.bring(&release, &self.repository, &host.staged(), self.unpack_limits())?;
        if app.current()?.as_deref() == Some(&*release.version) && !app.is_unfinished() {
            return Ok(());
        }
        if patch.reboot == RebootBehaviour::Required {
            // Before the switch: a reboot too many does less harm than one that a crash made forgotten.
            replace_file(&host.reboot_marker(), b"")
                .map_err(|error| io_failure("asking for a reboot", &error))?;
        }
        self.switch(id, &host, &app, &release.package, Some(&release.version))?;
        // It stands unpacked beside the others now.
        host.staged().discard(release.sha256);
        Ok(())
    }

    /// Brings a patch's content to a host from the repository, and gives the digest of what lies there then.
    pub(super) fn stage_patch(&self, id: &EndpointId, patch: &Patch) -> Result<Digest, Failure<'static>> {
        self.stage_from(&self.repository, id, patch)
    }

    /// The same from another repository, such as a [`Bundle`](super::Bundle) that was carried here. What lies there
    /// then is what the host tells as held.
    ///
    /// # Errors
    /// An unknown host, content that is not there or is not what was approved, the file system.
    pub fn stage_from(
        &self,
        repository: &Repository,
        id: &EndpointId,
        patch: &Patch,
    ) -> Result<Digest, Failure<'static>> {
        let host = self.host(id)?;
        if let Some(there) = host.staged().whole(patch.content) {
            return Ok(there);
        }
        let release = self.published(repository, patch)?;
        if host.staged().open(release.sha256).is_none() {
            room_for(&host.0, release.archive_bytes)?;
        }
        host.staged().bring(&release, repository)
    }

    /// To a version whose directory is still whole, or to none.
    pub(super) fn revert_to(
        &self,
        id: &EndpointId,
        target: &Target,
        version: Option<&str>,
    ) -> Result<(), Failure<'static>> {
        let host = self.host(id)?;
        let app = self.app_of(id, target)?;
        app.refuse_if_held()?;
        if let Some(version) = version
            && !(is_plain_name(version) && app.is_whole(version))
        {
            let detail = format!("the directory of version {version} is gone or not whole");
            return Err(Failure::new(FailureKind::NoRollbackPath, detail));
        }
        if app.current()?.as_deref() == version && !app.is_unfinished() {
            return Ok(());
        }
        self.switch(id, &host, &app, &target.package.name, version)
    }

    /// Switches, and does what follows a switch. A switch whose action did not end well stays marked as unfinished.
    fn switch(
        &self,
        id: &EndpointId,
        host: &HostDir,
        app: &AppDir,
        package: &str,
        version: Option<&str>,
    ) -> Result<(), Failure<'static>> {
        app.switch(version)?;
        self.follow_switch(id, host, app, package)
    }

    fn follow_switch(
        &self,
        id: &EndpointId,
        host: &HostDir,
        app: &AppDir,
        package: &str,
    ) -> Result<(), Failure<'static>> {
        if let Some(action) = &self.after_switch {
            let now = app.current()?.map(|version| (version.clone(), app.version_dir(&version)));
            let (endpoint, host_dir, package) = (id.clone(), host.0.clone(), package.to_owned());
            action(&Switched { endpoint, host_dir, package, now })?;
        }
        app.finish_switch()
    }

    fn installed(&self, package: &str, app: &AppDir) -> Option<InstalledSoftware> {
        let (version, intact) = match app.current() {
            Ok(None) => return None,
            Ok(Some(version)) => (version.clone(), app.is_intact(&version)),
            Err(_) => (String::new(), false),
        };
        let held = app.is_held();
        Some(InstalledSoftware { intact, held, ..InstalledSoftware::new(package_name(package), version) })
    }
}

fn run_after_switch(
    runner: &CommandRunner,
    argv: &[OsString],
    switched: &Switched,
) -> Result<(), Failure<'static>> {
    let failed =
        |detail: String| Failure::new(FailureKind::ScriptFailed, format!("after the switch: {detail}"));
    let mut runner = runner.clone();
    let mut set = |name: &str, value: OsString| runner.env.push((name.into(), value));
    set("PATCHFLOW_ENDPOINT", switched.endpoint.as_str().into());
    set("PATCHFLOW_HOST_DIR", switched.host_dir.clone().into());
    set("PATCHFLOW_PACKAGE", switched.package.clone().into());
    if let Some((version, dir)) = &switched.now {
        set("PATCHFLOW_VERSION", version.into());
        set("PATCHFLOW_DIR", dir.into());
    }
    let ran = runner.run(argv).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        failed(format!("{error}: {source}"))
    })?;
    if ran.succeeded() {
        return Ok(());
    }
    if ran.timed_out {
        return Err(Failure::new(FailureKind::Timeout, "the action after the switch took too long"));
    }
    let said = ran.stderr_text();
    let last = said.lines().last().unwrap_or("it said nothing");
    Err(failed(match ran.code {
        Some(code) => format!("exit {code}: {last}"),
        None => format!("a signal ended it: {last}"),
    }))
}

impl LocalBackend for ArtifactBackend {
    fn name(&self) -> &str {
        "artifact"
    }

    fn capabilities(&self) -> InstallerCapabilities {
        InstallerCapabilities {
            paths: vec![RollbackPath::Switch, RollbackPath::Uninstall],
            holds: true,
            reboots: self.on_reboot.is_some(),
            recalls: true,
            stages: true,
        }
    }

    fn endpoints(&self) -> Vec<EndpointId> {
        match plain_names_in(&self.hosts) {
            Ok(names) => names.into_iter().map(EndpointId::from).collect(),
            Err(error) => {
                tracing::warn!(dir = %self.hosts.display(), %error, "the hosts could not be listed");
                Vec::new()
            }
        }
    }

    fn state_dir(&self, endpoint: &EndpointId) -> Option<PathBuf> {
        self.host(endpoint).ok().map(|host| host.0.join("state"))
    }

    fn record(&self, endpoint: &EndpointId, now: Timestamp) -> Result<EndpointRecord, Failure<'static>> {
        let host = self.host(endpoint)?;
        let HostFile { environment, os, scope, tags } = host.read()?;
        let apps: Vec<_> = host.packages()?.into_iter().map(|name| (host.app(&name), name)).collect();
        let installed: Vec<_> = apps.iter().filter_map(|(app, name)| self.installed(name, app)).collect();
        let releases = self.repository.releases()?;
        let available = installed.iter().filter_map(|has| update_of(has, &releases)).collect::<Vec<_>>();
        let security = available.iter().filter(|update| update.security).count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let last_switch = apps.iter().filter_map(|(app, _)| app.switched_at()).max();
        let patch_level = PatchLevel {
            pending_security: count(security),
            pending_other: count(available.len() - security),
            last_updated: last_switch
                .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
                .map(|since| Timestamp::default().plus(since)),
            broken: installed.iter().filter(|has| !has.intact).map(|has| has.package.clone()).collect(),
        };
        let reboot_required = host.reboot_marker().exists();
        let (id, read_at) = (endpoint.clone(), now);
        Ok(EndpointRecord {
            os,
            scope,
            tags,
            installed,
            available,
            patch_level,
            reboot_required,
            ..EndpointRecord::new(id, environment, read_at)
        })
    }

    fn level(&self, endpoint: &EndpointId, target: &Target) -> Level<'static> {
        let read = || {
            let app = self.app_of(endpoint, target)?;
            Ok(app.current()?.map(|version| (app.is_intact(&version), version)))
        };
        match read() {
            Ok(Some((intact, version))) => Level::Version { version: version.into(), intact },
            Ok(None) => Level::Absent,
            Err::<_, Failure<'_>>(failure) => Level::Unreadable { detail: failure.detail },
        }
    }

    fn reboot_required(&self, endpoint: &EndpointId) -> bool {
        self.host(endpoint).is_ok_and(|host| host.reboot_marker().exists())
    }

    fn preflight(&self, order: &InstallOrder) -> Result<RollbackPath, Failure<'static>> {
        self.look_before(order.endpoint(), order.patch())
    }

    fn stage(&self, order: &StageOrder) -> Result<Digest, Failure<'static>> {
        self.stage_patch(order.endpoint(), order.patch())
    }

    fn unstage(&self, endpoint: &EndpointId, content: Digest) {
        if let Ok(host) = self.host(endpoint) {
            host.staged().discard(content);
        }
    }

    fn install(&self, order: &InstallOrder) -> Result<(), Failure<'static>> {
        self.install_patch(order.endpoint(), order.patch())
    }

    fn revert(&self, order: &RevertOrder) -> Result<(), Failure<'static>> {
        let version = match order.to() {
            RevertTo::Version { version } => Some(&**version),
            RevertTo::Absent => None,
        };
        self.revert_to(order.endpoint(), &order.patch().target, version)
    }

    fn reboot(&self, order: &RebootOrder) -> Result<(), Failure<'static>> {
        let host = self.host(order.endpoint())?;
        let Some(action) = &self.on_reboot else {
            return Err(Failure::new(FailureKind::Unsupported, "no way to reboot was set up"));
        };
        action(order.endpoint())?;
        match fs::remove_file(host.reboot_marker()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed
                .and_then(|()| sync_dir(&host.0))
                .map_err(|error| io_failure("after the reboot", &error)),
        }
    }

    /// What was being unpacked is thrown away; a switch whose action is not known to have ended is followed by it
    /// again.
    fn recover(&self, endpoint: &EndpointId) -> Recovery {
        let repair = || {
            let host = self.host(endpoint)?;
            for package in host.packages()? {
                let app = host.app(&package);
                app.clear_staging()?;
                // An action that fails now, as it may have before, leaves the version not intact and nothing else
                // amiss: the next order repeats the switch or takes it back.
                if app.is_unfinished()
                    && let Err(failure) = self.follow_switch(endpoint, &host, &app, &package)
                {
                    tracing::warn!(%endpoint, package, %failure, "the action after a switch failed again");
                }
            }
            Ok(())
        };
        match repair() {
            Ok(()) => Recovery::Whole,
            Err(failure) => Recovery::Broken(failure),
        }
    }

    fn set_hold(
        &self,
        endpoint: &EndpointId,
        package: &PackageName,
        held: bool,
    ) -> Result<(), Failure<'static>> {
        if package.ecosystem != Ecosystem::Artifact {
            return Err(Failure::new(FailureKind::Unsupported, format!("{package} is no artifact")));
        }
        let app = self.app(endpoint, &package.name)?;
        app.set_held(held).map_err(|error| io_failure("holding the package", &error))
    }
}

/// The newest version that is above the installed one.
fn update_of(has: &InstalledSoftware, releases: &[Release]) -> Option<AvailableUpdate> {
    let above = |release: &&Release| {
        release.package == has.package.name
            && release.withdrawn.is_none()
            && compare_versions(&release.version, &has.version).is_gt()
    };
    // Installing the newest brings what the ones between would: it is a security update when one of them is.
    let security = releases.iter().filter(above).any(|release| release.category == Category::Security);
    let newest = releases.iter().filter(above).max_by(|a, b| compare_versions(&a.version, &b.version))?;
    Some(AvailableUpdate {
        package: has.package.clone(),
        from: Some(has.version.clone()),
        to: newest.version.clone(),
        suite: String::new(),
        origin: String::new(),
        security,
    })
}

#[cfg(unix)]
fn room_for(dir: &Path, bytes: u64) -> Result<(), Failure<'static>> {
    let stat = rustix::fs::statvfs(dir)
        .map_err(|error| io_failure("asking for free space", &io::Error::from(error)))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < bytes {
        return Err(Failure::new(FailureKind::Disk, format!("{bytes} bytes are needed, {free} are free")));
    }
    Ok(())
}

/// Elsewhere the free space is not known beforehand; a full disk fails the install itself.
#[cfg(not(unix))]
fn room_for(_: &Path, _: u64) -> Result<(), Failure<'static>> {
    Ok(())
}
