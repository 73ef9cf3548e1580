//! Debian packages, an apt repository, and hosts that are directories with a package database of their own.
//!
//! The machine's own dpkg and apt work on each host from outside, through `APT_CONFIG`, `DPKG_ROOT`,
//! `DPKG_ADMINDIR` and `HOME` (see [`LabHost::env`]). Nothing is mounted, no other program is needed, and no root:
//! `HOME/.dpkg.cfg` of each host says `force-script-chrootless` (maintainer scripts run outside, with `DPKG_ROOT`
//! set) and `force-not-root`. It was tried as root and as `nobody`.
//!
//! What stands on disk: `repo/` (pool, indices, `advisories.json`), `staged/` (packages that are built and not
//! published), `hosts/NAME/{root,home,apt.conf}`, and `lab.ready`, which is written last: a laboratory whose making
//! was cut off is made anew. Two laboratories of one specification hold the same packages, byte for byte.
//!
//! It does not start services: a [`PackageSpec::health`] package only leaves a file that one may answer from.

mod deb;
mod error;
mod host;
mod repository;
mod spec;

pub use error::LabError;
pub use host::LabHost;
pub use spec::{HostSpec, LabSpec, PackageSpec, Step, Suite};

use repository::Repository;
use std::fs;
use std::path::{Path, PathBuf};

/// The programs a laboratory is made with. All of them are part of any Debian system.
const TOOLS: [&str; 7] = ["dpkg", "dpkg-deb", "dpkg-query", "apt-get", "apt-mark", "apt-cache", "tar"];

/// Where the tools are looked for, by them too: dpkg wants `sbin` directories among them.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A laboratory in a directory.
#[derive(Clone, Debug)]
pub struct AptLab {
    dir: PathBuf,
}

impl AptLab {
    /// The tools that a laboratory needs and this machine does not have. Empty when one can be made.
    #[must_use]
    pub fn missing_tools() -> Vec<&'static str> {
        let there = |tool: &&str| !PATH.split(':').any(|dir| Path::new(dir).join(tool).is_file());
        TOOLS.into_iter().filter(there).collect()
    }

    /// Makes packages, repository and hosts in `dir`. What an earlier call left there unfinished is thrown away.
    ///
    /// # Errors
    /// [`LabError::AlreadyMade`] when a finished laboratory is there; what the tools said when one of them failed.
    pub fn create(dir: impl AsRef<Path>, spec: &LabSpec) -> Result<Self, LabError> {
        let dir = dir.as_ref();
        fs::create_dir_all(dir).map_err(LabError::io("make", dir))?;
        // The tools want absolute paths, and links in them resolved.
        let dir = fs::canonicalize(dir).map_err(LabError::io("resolve", dir))?;
        let lab = Self { dir };
        if lab.ready().exists() {
            return Err(LabError::AlreadyMade(lab.dir));
        }
        for part in ["repo", "staged", "hosts", "gnupg"] {
            let part = lab.dir.join(part);
            if part.exists() {
                fs::remove_dir_all(&part).map_err(LabError::io("remove", &part))?;
            }
        }
        deb::make_dir(&lab.dir.join("hosts"))?;
        let repository = lab.repository();
        repository.make(spec.signed)?;
        for package in &spec.packages {
            repository.add(package)?;
        }
        repository.index()?;
        let made: Result<Vec<()>, LabError> = two_at_a_time(&spec.hosts, |host| lab.add_host(host).map(drop));
        made?;
        fs::write(lab.ready(), "").map_err(LabError::io("write", &lab.ready()))?;
        Ok(lab)
    }

    /// A laboratory that was made before.
    ///
    /// # Errors
    /// [`LabError::NotMade`] when there is none, or its making was cut off.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, LabError> {
        let dir = dir.as_ref();
        let missing = || LabError::NotMade(dir.to_owned());
        let lab = Self { dir: fs::canonicalize(dir).map_err(|_| missing())? };
        if lab.ready().exists() { Ok(lab) } else { Err(missing()) }
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The hosts, by name.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn hosts(&self) -> Result<Vec<LabHost>, LabError> {
        let hosts = self.dir.join("hosts");
        let entries = fs::read_dir(&hosts).map_err(LabError::io("read", &hosts))?;
        let mut found: Vec<_> = entries
            .filter_map(Result::ok)
            .map(|entry| LabHost::at(entry.file_name().to_string_lossy().into_owned(), entry.path()))
            .collect();
        found.sort_by(|a, b| a.id().cmp(b.id()));
        Ok(found)
    }

    /// One host.
    ///
    /// # Errors
    /// [`LabError::NoSuch`] when there is none of that name.
    pub fn host(&self, id: &str) -> Result<LabHost, LabError> {
        let found = self.hosts()?.into_iter().find(|host| host.id() == id);
        found.ok_or_else(|| LabError::NoSuch(format!("host `{id}`")))
    }

    /// Makes one more host.
    ///
    /// # Errors
    /// When a package it should have is not there, or a tool failed.
    pub fn add_host(&self, spec: &HostSpec) -> Result<LabHost, LabError> {
        let repository = self.repository();
        let debs: Vec<_> = spec
            .packages
            .iter()
            .map(|(name, version)| repository.find(name, version))
            .collect::<Result<_, _>>()?;
        LabHost::make(spec, self.dir.join("hosts").join(&spec.id), &repository, &debs)
    }

    /// Builds one more package into the suite that its specification names, and publishes it.
    ///
    /// # Errors
    /// When a tool failed.
    pub fn add_package(&self, package: &PackageSpec) -> Result<(), LabError> {
        let repository = self.repository();
        repository.add(package)?;
        repository.index()
    }

    /// Publishes a staged version, or moves a published one to another suite ([`Suite::Staged`] withdraws it).
    ///
    /// # Errors
    /// [`LabError::NoSuch`] when there is no such package; what the tools said when signing failed.
    pub fn publish(&self, package: &str, version: &str, suite: Suite) -> Result<(), LabError> {
        let repository = self.repository();
        repository.shift(package, version, suite)?;
        repository.index()
    }

    /// The package file of a version, wherever it stands.
    ///
    /// # Errors
    /// [`LabError::NoSuch`] when there is no such package.
    pub fn package_file(&self, package: &str, version: &str) -> Result<PathBuf, LabError> {
        self.repository().find(package, version)
    }

    /// The advisories beside the repository, a JSON list of
    /// `{id, package, version, severity, category, cves, released, title, reboot}` for every published version that
    /// has a severity.
    #[must_use]
    pub fn advisories_file(&self) -> PathBuf {
        self.repository().advisories_file()
    }

    fn repository(&self) -> Repository {
        Repository::at(self.dir.clone())
    }

    fn ready(&self) -> PathBuf {
        self.dir.join("lab.ready")
    }
}

/// Does something to every item, two at a time; the first error is kept.
fn two_at_a_time<T: Sync, R: Send, E: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let half = items.len().div_ceil(2);
    let (left, right) = items.split_at(half);
    let run = |items: &[T]| items.iter().map(&work).collect::<Result<Vec<R>, E>>();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| run(right));
        let mut done = run(left)?;
        match other.join() {
            Ok(rest) => done.extend(rest?),
            Err(panic) => std::panic::resume_unwind(panic),
        }
        Ok(done)
    })
}
