//! One laboratory for all tests, one host for each; tests that change the repository make a laboratory of their own.

use libtest_mimic::{Failed, Trial};
use patchflow_backends::apt::AptHost;
use patchflow_core::rollout::{Failure, Level};
use patchflow_core::sdk::FailureKind;
use patchflow_testkit::lab::apt::{AptLab, HostSpec, LabHost, LabSpec, PackageSpec, Step, Suite};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long something that must happen may take. Only a broken machine or program comes near.
const PATIENCE: Duration = Duration::from_secs(60);

/// A test that is ignored where a laboratory cannot be made.
pub(crate) fn trial(name: &'static str, test: fn()) -> Trial {
    let missing = AptLab::missing_tools();
    let required = std::env::var("PATCHFLOW_REQUIRE").is_ok_and(|value| value == "all");
    let ignored = !missing.is_empty() && !required;
    let run = move || -> Result<(), Failed> {
        let missing = AptLab::missing_tools();
        if !missing.is_empty() {
            return Err(format!("this machine lacks {}", missing.join(", ")).into());
        }
        test();
        Ok(())
    };
    Trial::test(name, run).with_ignored_flag(ignored)
}

/// The packages of every laboratory here: 1.0-1 of each is what hosts begin with.
pub(crate) fn packages() -> Vec<PackageSpec> {
    let mut all = Vec::new();
    for name in [
        "lab-app",
        "lab-other",
        "lab-fails",
        "lab-flaky",
        "lab-slow",
        "lab-kernel",
        "lab-conf",
        "lab-stuck",
        "lab-uses",
        "lab-lib",
    ] {
        let package = PackageSpec::new(name, "1.0-1");
        all.push(match name {
            "lab-app" => package.health("/srv/app/health", true),
            "lab-conf" => package.conffile("/etc/lab-conf.conf", "level=default\n"),
            _ => package,
        });
    }
    let newer = |name: &str| PackageSpec::new(name, "1.1-1").suite(Suite::Security);
    all.extend([
        newer("lab-app").health("/srv/app/health", false).advisory(
            "critical",
            &["CVE-2099-10001"],
            Some("2026-01-02T00:00:00Z"),
        ),
        newer("lab-other").suite(Suite::Updates),
        newer("lab-fails").postinst(Step::Fail),
        newer("lab-stuck").postinst(Step::Fail).prerm(Step::Fail),
        newer("lab-flaky").postinst(Step::FailCounted("/etc/lab/flaky-1".into())),
        newer("lab-slow")
            .preinst(Step::Append { file: "/run/lab-slow".into(), line: "preinst".into() })
            .preinst(Step::SleepFrom("/etc/lab/slow-preinst".into()))
            .postinst(Step::Append { file: "/run/lab-slow".into(), line: "postinst".into() })
            .postinst(Step::SleepFrom("/etc/lab/slow-postinst".into())),
        newer("lab-kernel").postinst(Step::RequireReboot).advisory("high", &["CVE-2099-10002"], None),
        newer("lab-conf").conffile("/etc/lab-conf.conf", "level=new\n"),
        newer("lab-lib"),
        newer("lab-uses").depends("lab-lib (>= 1.1), lab-new").advisory(
            "critical",
            &["CVE-2099-10003"],
            Some("2026-01-02T00:00:00Z"),
        ),
        PackageSpec::new("lab-new", "1.0-1"),
        PackageSpec::new("lab-new-fails", "1.0-1").postinst(Step::Fail),
        PackageSpec::new("lab-needy", "1.0-1").depends("lab-missing (>= 9)"),
        PackageSpec { installed_kib: Some(1 << 40), ..PackageSpec::new("lab-huge", "1.0-1") },
        PackageSpec::new("lab-app", "1.2-1").suite(Suite::Staged).health("/srv/app/health", true),
    ]);
    all
}

/// The folder of the shared laboratory, and the laboratory.
static SHARED: Mutex<Option<(TempDir, AptLab)>> = Mutex::new(None);

/// A host of the shared laboratory with these packages, each in version 1.0-1.
pub(crate) fn host(installed: &[&str]) -> Fixture {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let lab = {
        let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if shared.is_none() {
            *shared = Some(make(false));
        }
        shared.as_ref().unwrap().1.clone()
    };
    Fixture::in_lab(lab, None, &format!("apt-{:03}", NEXT.fetch_add(1, Ordering::Relaxed)), installed)
}

/// A host in a laboratory of its own.
pub(crate) fn lone_host(signed: bool, installed: &[&str]) -> Fixture {
    let (dir, lab) = make(signed);
    Fixture::in_lab(lab, Some(dir), "apt-lone", installed)
}

fn make(signed: bool) -> (TempDir, AptLab) {
    let dir = tempfile::Builder::new().prefix("pf-apt-").tempdir().unwrap();
    let spec = LabSpec { packages: packages(), hosts: Vec::new(), signed };
    let lab = AptLab::create(dir.path().join("lab"), &spec).unwrap();
    (dir, lab)
}

/// Removes the shared laboratory.
pub(crate) fn clean_up() {
    SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
}

/// A host of a laboratory, and the backend's view of it.
pub(crate) struct Fixture {
    pub(crate) lab: AptLab,
    pub(crate) there: LabHost,
    pub(crate) host: AptHost,
    _dir: Option<TempDir>,
}

impl Fixture {
    fn in_lab(lab: AptLab, dir: Option<TempDir>, id: &str, installed: &[&str]) -> Self {
        let there = lab.add_host(&HostSpec::new(id, installed.iter().map(|name| (*name, "1.0-1")))).unwrap();
        let mut host = AptHost::isolated(id, there.root(), there.env(), there.dir().join("state"));
        host.lock_wait_secs = 0;
        Self { lab, there, host, _dir: dir }
    }

    /// The version of a package that is there and whole.
    #[track_caller]
    pub(crate) fn whole_version(&self, name: &str) -> String {
        match self.host.read_level(name) {
            Level::Version { version, intact: true } => version.into_owned(),
            other => panic!("{name} is not whole: {other:?}"),
        }
    }

    /// Every package is whole, and dpkg has nothing to say about it.
    #[track_caller]
    pub(crate) fn assert_whole(&self) {
        let audit = self.there.run(&["dpkg", "--audit"]).unwrap();
        assert_eq!(audit, "");
    }

    /// Waits for a marker that a maintainer script leaves.
    #[track_caller]
    pub(crate) fn wait_for_line(&self, file: &str, line: &str) {
        wait_until(&format!("{line} in {file}"), || {
            self.there.read(file).is_ok_and(|text| text.lines().any(|has| has == line))
        });
    }

    /// Processes that work on this host and have this name.
    pub(crate) fn processes(&self, name: Option<&str>) -> Vec<i32> {
        let wanted = format!("DPKG_ROOT={}", self.there.root().display());
        let pids = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let pids = pids.filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok());
        pids.filter(|pid| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            let comm = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
                && name.is_none_or(|name| comm.trim() == name)
        })
        .collect()
    }

    /// Kills processes of this host, by number.
    #[track_caller]
    pub(crate) fn kill(&self, name: Option<&str>) {
        let found = self.processes(name);
        assert!(!found.is_empty(), "nothing to kill");
        for pid in found {
            // One that has ended meanwhile is as good as killed.
            let _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
        }
    }
}

#[track_caller]
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < PATIENCE, "in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

#[track_caller]
pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, Failure<'static>>) -> FailureKind {
    result.unwrap_err().kind
}

/// The environment variables that make this program install `lab-slow` on a host (root, state directory) and end.
pub(crate) const INSTALL: (&str, &str) = ("PATCHFLOW_TEST_INSTALL", "PATCHFLOW_TEST_STATE");

/// Installs `lab-slow` on the host that this process's environment points to.
pub(crate) fn install(root: &Path) {
    let kept = ["APT_CONFIG", "DPKG_ROOT", "DPKG_ADMINDIR", "HOME"];
    let env = kept.iter().map(|name| ((*name).into(), std::env::var_os(name).unwrap())).collect();
    let host = AptHost::isolated("child", root, env, std::env::var_os(INSTALL.1).unwrap());
    host.install_version("lab-slow", "1.1-1").unwrap();
}

/// The environment variable that makes this program hold a lock instead of running tests.
pub(crate) const HOLD_LOCK: &str = "PATCHFLOW_TEST_HOLD_LOCK";

/// Holds a lock until standard input ends.
pub(crate) fn hold_lock(path: &Path) {
    let file =
        std::fs::File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    rustix::fs::fcntl_lock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    std::io::stdout().write_all(b"held\n").unwrap();
    std::io::stdout().flush().unwrap();
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
}

/// Another process that holds a lock; it lets go when this is dropped.
pub(crate) struct Holder(Child);

impl Holder {
    pub(crate) fn of(path: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(HOLD_LOCK, path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        Self(child)
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
