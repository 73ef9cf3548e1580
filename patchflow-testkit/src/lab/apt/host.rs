//! A host: a directory with a package database, apt's state and configuration.

use super::deb::{check_path, make_dir, run, write};
use super::repository::Repository;
use super::{HostSpec, LabError, PATH, Suite};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One host of a laboratory.
#[derive(Clone, Debug)]
pub struct LabHost {
    id: String,
    dir: PathBuf,
}

impl LabHost {
    pub(super) fn at(id: String, dir: PathBuf) -> Self {
        Self { id, dir }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its file system.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// Where anything about it may be kept that is not part of its file system.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The environment under which dpkg and apt work on this host instead of the machine.
    #[must_use]
    pub fn env(&self) -> Vec<(OsString, OsString)> {
        let root = self.root();
        vec![
            ("PATH".into(), PATH.into()),
            ("APT_CONFIG".into(), self.dir.join("apt.conf").into()),
            ("DPKG_ADMINDIR".into(), root.join("var/lib/dpkg").into()),
            ("DPKG_ROOT".into(), root.into()),
            ("HOME".into(), self.dir.join("home").into()),
        ]
    }

    /// Runs a tool on this host and returns what it printed.
    ///
    /// # Errors
    /// What it said when it failed.
    pub fn run(&self, argv: &[&str]) -> Result<String, LabError> {
        let (program, args) =
            argv.split_first().ok_or_else(|| LabError::Unsound("an empty command".to_owned()))?;
        let out = run(Command::new(program).args(args).envs(self.env()))?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    /// Writes a file into the host's file system. `path` begins with `/`.
    ///
    /// # Errors
    /// When the path is not plain, or cannot be written.
    pub fn write(&self, path: &str, content: &str) -> Result<(), LabError> {
        check_path(path)?;
        write(&self.root().join(path.trim_start_matches('/')), content, 0o644)
    }

    /// Reads a file of the host's file system.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, path: &str) -> Result<String, LabError> {
        let path = self.root().join(path.trim_start_matches('/'));
        std::fs::read_to_string(&path).map_err(LabError::io("read", &path))
    }

    pub(super) fn make(
        spec: &HostSpec,
        dir: PathBuf,
        repository: &Repository,
        debs: &[PathBuf],
    ) -> Result<Self, LabError> {
        check_path(&format!("/{}", spec.id))?;
        let host = Self::at(spec.id.clone(), dir);
        let root = host.root();
        for part in [
            "etc/apt/apt.conf.d",
            "etc/apt/preferences.d",
            "etc/apt/sources.list.d",
            "etc/apt/trusted.gpg.d",
            "etc/lab",
            "run",
            "srv",
            "tmp",
            "usr",
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "var/log/apt",
        ] {
            make_dir(&root.join(part))?;
        }
        host.write("/var/lib/dpkg/status", "")?;
        host.write("/var/lib/dpkg/available", "")?;
        host.write("/etc/hostname", &format!("{}\n", spec.id))?;
        let os = "ID=lab\nVERSION_ID=1\nPRETTY_NAME=\"Patchflow lab host\"\n";
        host.write("/etc/os-release", os)?;
        for (path, content) in &spec.files {
            host.write(path, content)?;
        }
        write(&host.dir.join("home/.dpkg.cfg"), &dpkg_config(&root), 0o644)?;
        write(&host.dir.join("apt.conf"), &apt_config(&root), 0o644)?;
        host.write("/etc/apt/sources.list", &sources(repository)?)?;
        let mut install = Command::new("dpkg");
        if !debs.is_empty() {
            run(install.arg("--install").args(debs).envs(host.env()))?;
        }
        host.run(&["apt-get", "-qq", "update"])?;
        Ok(host)
    }
}

/// A path that goes into a configuration file of apt must not end its quoted string.
fn quotable(path: &Path) -> String {
    path.display().to_string()
}

fn dpkg_config(root: &Path) -> String {
    // Without the log line dpkg would write to the machine's own log; without fsync a host is made in a tenth.
    format!(
        "force-script-chrootless\nforce-not-root\nforce-unsafe-io\nlog {}/var/log/dpkg.log\n",
        quotable(root)
    )
}

/// Read instead of the machine's own configuration, whose hooks stay out. There is no policy for configuration files
/// on purpose: a client that forgets it must fail.
fn apt_config(root: &Path) -> String {
    let root = quotable(root);
    format!(
        "Dir \"{root}/\";\nDir::State \"{root}/var/lib/apt\";\nDir::State::status \"{root}/var/lib/dpkg/status\";\n\
         Dir::Etc \"{root}/etc/apt\";\nDir::Cache \"{root}/var/cache/apt\";\nDir::Log \"{root}/var/log/apt\";\n\
         Dir::Bin::methods \"/usr/lib/apt/methods\";\nDir::Bin::dpkg \"/usr/bin/dpkg\";\n\
         APT::Sandbox::User \"\";\n\
         Acquire::Languages \"none\";\nDPkg::Use-Pty \"false\";\n"
    )
}

/// `copy:` and not `file:`, so that indices and packages are fetched and checked as they are over a network.
fn sources(repository: &Repository) -> Result<String, LabError> {
    let dir = quotable(&repository.dir());
    if dir.contains(['"', ' ', '\n', '[', ']']) {
        return Err(LabError::Unsound(format!(
            "`{dir}` cannot stand in sources.list: it has a blank, quote or bracket"
        )));
    }
    let option = match repository.keyring() {
        Some(key) => format!("signed-by={}", quotable(&key)),
        None => "trusted=yes".to_owned(),
    };
    let line = |suite: Suite| format!("deb [{option}] copy:{dir} {} main\n", suite.name());
    Ok(Suite::PUBLISHED.into_iter().map(line).collect())
}
