//! The repository: a pool, one index for each suite, a signature where there is gpg.

use super::deb::{self, check_path, make_dir, run, write};
use super::{LabError, PATH, PackageSpec, Suite};
use patchflow_core::digest::Digest;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) struct Repository {
    lab: PathBuf,
}

impl Repository {
    pub(super) fn at(lab: PathBuf) -> Self {
        Self { lab }
    }

    pub(super) fn dir(&self) -> PathBuf {
        self.lab.join("repo")
    }

    pub(super) fn advisories_file(&self) -> PathBuf {
        self.dir().join("advisories.json")
    }

    /// The public key, when the repository is signed.
    pub(super) fn keyring(&self) -> Option<PathBuf> {
        let path = self.dir().join("archive-keyring.gpg");
        path.exists().then_some(path)
    }

    fn gnupg(&self) -> PathBuf {
        self.lab.join("gnupg")
    }

    fn pool(&self, suite: Suite) -> PathBuf {
        match suite {
            Suite::Staged => self.lab.join("staged"),
            Suite::Base | Suite::Updates | Suite::Security => self.dir().join("pool").join(suite.name()),
        }
    }

    pub(super) fn make(&self, signed: bool) -> Result<(), LabError> {
        for suite in Suite::PUBLISHED.into_iter().chain([Suite::Staged]) {
            make_dir(&self.pool(suite))?;
        }
        let gpg_is_there = PATH.split(':').any(|dir| Path::new(dir).join("gpg").is_file());
        if signed && gpg_is_there {
            self.make_key()?;
        }
        Ok(())
    }

    pub(super) fn add(&self, spec: &PackageSpec) -> Result<(), LabError> {
        let deb = deb::build(spec, &self.lab.join("scratch"), &self.pool(spec.suite))?;
        if let Some(severity) = &spec.severity {
            let advisory = json!({
                "id": format!("{}={}", spec.name, spec.version),
                "package": spec.name,
                "version": spec.version,
                "title": format!("{} {}", spec.name, spec.version),
                "severity": severity,
                "category": if spec.cves.is_empty() { "bugfix" } else { "security" },
                "cves": spec.cves,
                "released": spec.released,
                "reboot": spec.postinst.contains(&super::Step::RequireReboot),
            });
            write(&deb.with_extension("advisory"), &advisory.to_string(), 0o644)?;
        }
        Ok(())
    }

    pub(super) fn find(&self, name: &str, version: &str) -> Result<PathBuf, LabError> {
        let file = deb::file_name(name, version);
        let all = Suite::PUBLISHED.into_iter().chain([Suite::Staged]);
        let found = all.map(|suite| self.pool(suite).join(&file)).find(|path| path.is_file());
        found.ok_or_else(|| LabError::NoSuch(format!("package `{name}` in version `{version}`")))
    }

    pub(super) fn shift(&self, name: &str, version: &str, suite: Suite) -> Result<(), LabError> {
        let from = self.find(name, version)?;
        let to = self.pool(suite).join(deb::file_name(name, version));
        for extension in ["advisory", "stanza", "deb"] {
            let (from, to) = (from.with_extension(extension), to.with_extension(extension));
            if from.exists() {
                fs::rename(&from, &to).map_err(LabError::io("move", &from))?;
            }
        }
        Ok(())
    }

    /// Writes the indices of all suites and the advisories anew. Each file is replaced as a whole.
    pub(super) fn index(&self) -> Result<(), LabError> {
        let arch = String::from_utf8_lossy(&run(Command::new("dpkg").arg("--print-architecture"))?)
            .trim()
            .to_owned();
        check_path(&format!("/{arch}"))?;
        let mut advisories = Vec::new();
        for suite in Suite::PUBLISHED {
            let mut packages = String::new();
            for stanza in sorted(&self.pool(suite), "stanza")? {
                let deb = stanza.with_extension("deb");
                let file = deb.file_name().unwrap_or_default().to_string_lossy();
                packages.push_str(&read(&stanza)?);
                let _ = writeln!(packages, "Filename: pool/{}/{file}\n", suite.name());
            }
            for advisory in sorted(&self.pool(suite), "advisory")? {
                let parsed: Value = serde_json::from_str(&read(&advisory)?)
                    .map_err(|_| LabError::Unsound(format!("`{}` is damaged", advisory.display())))?;
                advisories.push(parsed);
            }
            self.write_suite(suite, &arch, &packages)?;
        }
        let text = serde_json::to_string_pretty(&advisories).unwrap_or_default() + "\n";
        replace(&self.advisories_file(), &text)?;
        self.stop_agent();
        Ok(())
    }

    fn write_suite(&self, suite: Suite, arch: &str, packages: &str) -> Result<(), LabError> {
        let dists = self.dir().join("dists").join(suite.name());
        let index = format!("main/binary-{arch}/Packages");
        let release = format!(
            "Origin: Lab\nLabel: {}\nSuite: {name}\nCodename: {name}\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n\
             Architectures: {arch} all\nNo-Support-for-Architecture-all: Packages\nComponents: main\n\
             Acquire-By-Hash: no\nSHA256:\n {} {} {index}\n",
            suite.label(),
            Digest::of(packages.as_bytes()),
            packages.len(),
            name = suite.name(),
        );
        replace(&dists.join(index), packages)?;
        replace(&dists.join("Release"), &release)?;
        if self.keyring().is_some() {
            let signed = dists.join("InRelease.new");
            self.gpg(&["--yes", "--clearsign", "-o"], &[&signed, &dists.join("Release")])?;
            let to = dists.join("InRelease");
            fs::rename(&signed, &to).map_err(LabError::io("write", &to))?;
        }
        Ok(())
    }

    fn make_key(&self) -> Result<(), LabError> {
        make_dir(&self.gnupg())?;
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        fs::set_permissions(self.gnupg(), private).map_err(LabError::io("make", &self.gnupg()))?;
        let who = "Patchflow Lab Archive <lab@example.invalid>";
        let made = self.gpg(&["--passphrase", "", "--quick-gen-key", who, "ed25519", "sign", "never"], &[]);
        let exported = made.and_then(|_| self.gpg(&["--export"], &[]));
        self.stop_agent();
        match exported {
            Ok(key) => {
                let path = self.dir().join("archive-keyring.gpg");
                fs::write(&path, key).map_err(LabError::io("write", &path))
            }
            // A gpg that cannot make a key here (no agent, path too long for its socket) is as good as none: the
            // sources then say `[trusted=yes]`.
            Err(_) => Ok(()),
        }
    }

    fn gpg(&self, args: &[&str], paths: &[&Path]) -> Result<Vec<u8>, LabError> {
        run(Command::new("gpg")
            .args(["--batch", "--quiet"])
            .args(args)
            .args(paths)
            .env("GNUPGHOME", self.gnupg()))
    }

    /// gpg leaves an agent running for its directory; it is asked to go.
    fn stop_agent(&self) {
        if self.gnupg().exists() {
            let mut command = Command::new("gpgconf");
            let _ = run(command.args(["--kill", "gpg-agent"]).env("GNUPGHOME", self.gnupg()));
        }
    }
}

fn read(path: &Path) -> Result<String, LabError> {
    fs::read_to_string(path).map_err(LabError::io("read", path))
}

fn sorted(dir: &Path, extension: &str) -> Result<Vec<PathBuf>, LabError> {
    let entries = fs::read_dir(dir).map_err(LabError::io("read", dir))?;
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let mut found: Vec<_> = paths.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    found.sort();
    Ok(found)
}

fn replace(path: &Path, content: &str) -> Result<(), LabError> {
    let new = path.with_extension("new");
    write(&new, content, 0o644)?;
    fs::rename(&new, path).map_err(LabError::io("write", path))
}
