//! One endpoint of the apt backend: where its file system is, and how commands reach it.

use super::failure::unstarted;
use crate::local::{CommandRunner, Ran};
use patchflow_core::ids::EndpointId;
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::rollout::Failure;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The environment of every command: messages in English, no questions, no pagers, no restarts behind our back.
const ENVIRONMENT: [(&str, &str); 9] = [
    ("LC_ALL", "C.UTF-8"),
    // Otherwise gettext would still translate under C.UTF-8.
    ("LANGUAGE", "C"),
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("DEBCONF_NONINTERACTIVE_SEEN", "true"),
    ("APT_LISTCHANGES_FRONTEND", "none"),
    ("NEEDRESTART_MODE", "l"),
    ("UCF_FORCE_CONFFOLD", "1"),
    ("TZ", "UTC"),
    // dpkg refuses to work when it does not find the tools of the sbin directories.
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
];

/// Options of every apt command that changes something.
const CHANGE: [&str; 10] = [
    "-q",
    "-y",
    "-o",
    "DPkg::Use-Pty=false",
    // A configuration file that was edited on the endpoint stays; a new one is put beside it.
    "-o",
    "DPkg::Options::=--force-confdef",
    "-o",
    "DPkg::Options::=--force-confold",
    // A wrapper may retry; ours is the engine's retry, with its own budget.
    "-o",
    "Acquire::Retries=1",
];

/// Set for commands that change something, and inherited by the scripts they run: so that what is left of them after
/// a crash is told from commands that only read.
pub(super) const CHANGES: (&str, &str) = ("PATCHFLOW_CHANGES", "1");

/// How long a command that only reads may take.
const READ_TIMEOUT: Duration = Duration::from_secs(120);

/// What is kept of the output of a command that reads: an inventory of 100 000 packages fits.
const READ_BYTES_MAX: usize = 16 << 20;

/// One endpoint: a root with a dpkg database, and how commands reach it.
///
/// With [`AptHost::isolated`] the machine's own dpkg and apt work on a directory from outside. A whole chroot or the
/// local machine is the same with another `runner.prefix` and `root`; paths that commands see must then be the same
/// inside and outside, which today is given for `/` only.
#[derive(Clone, Debug)]
pub struct AptHost {
    /// The host's name of the endpoint.
    pub id: EndpointId,
    /// Its file system, as this process sees it.
    pub root: PathBuf,
    /// The package database, as this process sees it.
    pub admin_dir: PathBuf,
    /// How commands reach it. Its environment is set after everything else was cleared.
    pub runner: CommandRunner,
    /// Where the runtime's ledger, our note of what is under way, package files for the way back, and staged content
    /// are kept.
    pub state_dir: PathBuf,
    /// Whether real work depends on it.
    pub environment: Environment,
    /// Where it belongs.
    pub scope: ScopePath,
    /// Free attributes.
    pub tags: BTreeMap<String, String>,
    /// Whether reading its inventory refreshes its package lists first (`apt-get update`). Without it, whoever owns
    /// the endpoint does.
    pub refresh: bool,
    /// How long an operation waits for the package manager's lock, in seconds.
    pub lock_wait_secs: u32,
    /// An archive whose label or suite has one of these words, in any case, carries security updates.
    pub security_words: Vec<String>,
    /// The command that reboots it and returns when it is up again; empty when it cannot be rebooted.
    pub reboot_command: Vec<OsString>,
    /// One refresh of its lists at a time: apt does not wait for that lock, it fails.
    pub(super) lists: Arc<Mutex<()>>,
}

impl AptHost {
    /// A directory with a dpkg database of its own, on which the machine's dpkg and apt work from outside. `env` says
    /// how: `APT_CONFIG`, `DPKG_ROOT`, `DPKG_ADMINDIR`, and `HOME` when dpkg needs a configuration of its own.
    ///
    /// Such a root never boots. Its reboot removes `/run/reboot-required` and `/run/reboot-required.pkgs`, which is
    /// all that a boot of it would change; another `reboot_command` may do more.
    pub fn isolated(
        id: impl Into<EndpointId>,
        root: impl Into<PathBuf>,
        env: Vec<(OsString, OsString)>,
        state_dir: impl Into<PathBuf>,
    ) -> Self {
        let root = root.into();
        let flag = |name: &str| root.join(name).into_os_string();
        let reboot_command =
            vec!["rm".into(), "-f".into(), flag("run/reboot-required"), flag("run/reboot-required.pkgs")];
        Self {
            id: id.into(),
            admin_dir: root.join("var/lib/dpkg"),
            runner: CommandRunner { env, env_clear: true, ..CommandRunner::default() },
            state_dir: state_dir.into(),
            environment: Environment::Production,
            scope: ScopePath::default(),
            tags: BTreeMap::new(),
            refresh: true,
            lock_wait_secs: 10,
            security_words: vec!["security".to_owned()],
            reboot_command,
            lists: Arc::default(),
            root,
        }
    }

    /// A path of the endpoint's own, as this process sees it.
    pub(super) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    /// Where package files for the way back are kept.
    pub(super) fn saved_dir(&self) -> PathBuf {
        self.state_dir.join("saved-packages")
    }

    /// Where content lies before the order that installs it.
    pub(super) fn staged_dir(&self) -> PathBuf {
        self.state_dir.join("staged-packages")
    }

    /// Runs a command that only reads.
    pub(super) fn read(&self, argv: &[&str]) -> Result<Ran, Failure<'static>> {
        let mut runner = self.prepared();
        runner.timeout = READ_TIMEOUT.min(runner.timeout);
        runner.output_bytes_max = READ_BYTES_MAX;
        runner.run(argv).map_err(unstarted)
    }

    /// Runs a command in a directory.
    pub(super) fn run_in(&self, dir: &Path, argv: &[&str]) -> Result<Ran, Failure<'static>> {
        CommandRunner { current_dir: Some(dir.to_owned()), ..self.prepared() }.run(argv).map_err(unstarted)
    }

    /// Runs any command.
    pub(super) fn run<A: AsRef<OsStr>>(&self, argv: &[A]) -> Result<Ran, Failure<'static>> {
        self.prepared().run(argv).map_err(unstarted)
    }

    /// Runs an `apt-get` that changes something: `verb` with its own options, then what it is about.
    pub(super) fn change(&self, verb: &[&str], about: &[OsString]) -> Result<Ran, Failure<'static>> {
        let wait = format!("DPkg::Lock::Timeout={}", self.lock_wait_secs);
        let words = ["apt-get"].into_iter().chain(CHANGE).chain(["-o", &wait]).chain(verb.iter().copied());
        let argv: Vec<OsString> = words.map(OsString::from).chain(about.iter().cloned()).collect();
        self.run_changing(&argv)
    }

    /// Runs a `dpkg` that changes something.
    pub(super) fn dpkg(&self, words: &[&str]) -> Result<Ran, Failure<'static>> {
        let argv: Vec<_> =
            ["dpkg", "--force-confdef", "--force-confold"].iter().chain(words).copied().collect();
        self.run_changing(&argv)
    }

    fn run_changing<A: AsRef<OsStr>>(&self, argv: &[A]) -> Result<Ran, Failure<'static>> {
        let mut runner = self.prepared();
        runner.env.push((CHANGES.0.into(), CHANGES.1.into()));
        runner.run(argv).map_err(unstarted)
    }

    fn prepared(&self) -> CommandRunner {
        let fixed = ENVIRONMENT.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        // The endpoint's own come last, and so win.
        let env = fixed.chain(self.runner.env.iter().cloned()).collect();
        CommandRunner { env, env_clear: true, ..self.runner.clone() }
    }
}
