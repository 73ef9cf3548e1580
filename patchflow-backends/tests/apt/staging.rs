//! Content that is on an endpoint before its order: fetched, hashed, installed without the archive, thrown away.

use crate::fixture::{Fixture, Holder, host, kind, lone_host, trial};
use libtest_mimic::Trial;
use patchflow_core::digest::Digest;
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::Level;
use patchflow_core::sdk::FailureKind;
use patchflow_testkit::lab::apt::{PackageSpec, Suite};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("staged_content_is_installed_without_the_archive", without_the_archive),
        trial("staged_content_outlives_newer_publications", outlives_newer_publications),
        trial("staging_changes_nothing_and_waits_for_no_lock", changes_nothing),
        trial("staging_again_answers_and_fetches_nothing", again_fetches_nothing),
        trial("staging_that_was_cut_off_leaves_nothing_that_counts", cut_off),
        trial("other_content_than_was_approved_is_not_staged", other_content),
        trial("staged_file_that_was_cut_short_is_found_at_the_install", cut_short),
        trial("staging_says_why_it_failed", says_why),
        trial("success_that_fetched_nothing_is_seen", success_that_fetched_nothing),
        trial("unstaging_removes_just_that", unstaging_removes_just_that),
        trial("staging_leaves_a_hold_alone", held_package),
        trial("failed_install_leaves_what_was_staged", failed_install),
    ]
}

impl Fixture {
    /// What the archive's file of a version holds.
    fn content(&self, name: &str, version: &str) -> Digest {
        Digest::of(&fs::read(self.lab.package_file(name, version).unwrap()).unwrap())
    }

    fn stage(&self, name: &str) -> Digest {
        let content = self.content(name, "1.1-1");
        assert_eq!(self.host.stage_version(name, "1.1-1", content), Ok(content));
        content
    }

    fn folder(&self, content: Digest) -> PathBuf {
        self.host.state_dir.join("staged-packages").join(content.to_string())
    }

    /// What lies there, by file name.
    fn staged(&self, content: Digest) -> Vec<String> {
        let entries = fs::read_dir(self.folder(content)).into_iter().flatten();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    fn end_the_archive(&self) {
        fs::rename(self.lab.dir().join("repo"), self.lab.dir().join("repo.gone")).unwrap();
    }
}

fn without_the_archive() {
    let it = lone_host(false, &["lab-uses", "lab-lib"]);
    it.there.run(&["apt-mark", "auto", "lab-lib"]).unwrap();
    let content = it.stage("lab-uses");
    assert_eq!(
        it.staged(content),
        ["lab-lib_1.1-1_all.deb", "lab-new_1.0-1_all.deb", "lab-uses_1.1-1_all.deb", "packages"]
    );
    assert_eq!(
        (it.whole_version("lab-uses").as_str(), it.whole_version("lab-lib").as_str()),
        ("1.0-1", "1.0-1")
    );
    it.end_the_archive();
    assert_eq!(it.host.preflight_content("lab-uses", "1.1-1", content), Ok(RollbackPath::Reinstall));
    it.host.install_content("lab-uses", "1.1-1", content).unwrap();
    assert_eq!(
        (it.whole_version("lab-uses").as_str(), it.whole_version("lab-lib").as_str()),
        ("1.1-1", "1.1-1")
    );
    assert_eq!(it.there.run(&["apt-mark", "showauto"]).unwrap(), "lab-lib\nlab-new\n");
    assert!(!it.folder(content).exists(), "it is of no use any more");
    // Back as well: the version before was kept.
    it.host.revert_to("lab-uses", Some("1.0-1")).unwrap();
    assert_eq!(it.whole_version("lab-uses"), "1.0-1");
    it.assert_whole();
}

fn outlives_newer_publications() {
    let it = lone_host(false, &["lab-uses", "lab-lib"]);
    let content = it.stage("lab-uses");
    // The archive has moved on: another library, and the staged version is not offered any more.
    it.lab.add_package(&PackageSpec::new("lab-lib", "1.2-1").suite(Suite::Security)).unwrap();
    it.lab.publish("lab-uses", "1.1-1", Suite::Staged).unwrap();
    it.host.refresh_lists().unwrap();
    assert_eq!(kind(it.host.install_version("lab-uses", "1.1-1")), FailureKind::NotFound);
    it.host.install_content("lab-uses", "1.1-1", content).unwrap();
    assert_eq!(
        (it.whole_version("lab-uses").as_str(), it.whole_version("lab-lib").as_str()),
        ("1.1-1", "1.1-1")
    );
    it.assert_whole();
}

fn changes_nothing() {
    let it = host(&["lab-uses", "lab-lib"]);
    let state = |file: &str| fs::read(it.there.root().join(file)).unwrap_or_default();
    let files = ["var/lib/dpkg/status", "var/lib/apt/extended_states", "var/log/apt/history.log"];
    let before = files.map(state);
    let lock = it.host.admin_dir.join("lock-frontend");
    let archives = it.there.root().join("var/cache/apt/archives/lock");
    let (_dpkg, _apt) = (Holder::of(&lock), Holder::of(&archives));
    it.stage("lab-uses");
    assert_eq!(files.map(state), before);
}

fn again_fetches_nothing() {
    let it = lone_host(false, &["lab-app"]);
    let content = it.stage("lab-app");
    it.end_the_archive();
    // As after a restart: the answer was lost, and the same is asked again.
    let restarted = it.host.clone();
    assert_eq!(restarted.stage_version("lab-app", "1.1-1", content), Ok(content));
    // The disk decides, and not the memory of it.
    fs::remove_file(it.folder(content).join("lab-app_1.1-1_all.deb")).unwrap();
    assert_eq!(kind(it.host.stage_version("lab-app", "1.1-1", content)), FailureKind::NotFound);
    assert_eq!(it.staged(content), [""; 0]);
}

fn cut_off() {
    let it = host(&["lab-app"]);
    let content = it.content("lab-app", "1.1-1");
    // What a crash in the middle leaves: part of a file aside.
    let aside = it.host.state_dir.join("staged-packages").join(format!(".aside-{content}"));
    fs::create_dir_all(&aside).unwrap();
    fs::write(aside.join("lab-app_1.1-1_all.deb"), "half").unwrap();
    // And one in the middle of throwing away: files without their list.
    fs::create_dir_all(it.folder(content)).unwrap();
    fs::write(it.folder(content).join("lab-app_1.1-1_all.deb"), "half").unwrap();
    it.host.install_content("lab-app", "1.1-1", content).unwrap();
    it.host.revert_to("lab-app", Some("1.0-1")).unwrap();
    it.stage("lab-app");
    assert!(!aside.exists());
    assert_eq!(it.staged(content), ["lab-app_1.1-1_all.deb", "packages"]);
}

fn other_content() {
    let it = lone_host(false, &["lab-app", "lab-other"]);
    let approved = it.content("lab-app", "1.1-1");
    // The archive changes its content under the same version, and says so.
    let deb = it.lab.package_file("lab-app", "1.1-1").unwrap();
    fs::remove_file(&deb).unwrap();
    let other = PackageSpec::new("lab-app", "1.1-1").suite(Suite::Security).file("/usr/share/other", "else");
    it.lab.add_package(&other).unwrap();
    let failure = it.host.stage_version("lab-app", "1.1-1", approved).unwrap_err();
    // The lists are those of before: what comes is not what they say.
    assert_eq!(failure.kind, FailureKind::Corrupt, "{failure}");
    it.host.refresh_lists().unwrap();
    let failure = it.host.stage_version("lab-app", "1.1-1", approved).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Corrupt, "{failure}");
    assert!(failure.detail.contains("other content than was approved"), "{failure}");
    assert_eq!(it.staged(approved), [""; 0]);
    // A byte of another, which its lists know nothing of.
    let approved = it.content("lab-other", "1.1-1");
    let deb = it.lab.package_file("lab-other", "1.1-1").unwrap();
    let mut bytes = fs::read(&deb).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&deb, bytes).unwrap();
    assert_eq!(kind(it.host.stage_version("lab-other", "1.1-1", approved)), FailureKind::Corrupt);
    assert_eq!(it.staged(approved), [""; 0]);
}

fn cut_short() {
    let it = host(&["lab-uses", "lab-lib"]);
    let content = it.stage("lab-uses");
    for file in ["lab-lib_1.1-1_all.deb", "lab-uses_1.1-1_all.deb"] {
        let deb = fs::File::options().write(true).open(it.folder(content).join(file)).unwrap();
        deb.set_len(deb.metadata().unwrap().len() - 7).unwrap();
        let failure = it.host.preflight_content("lab-uses", "1.1-1", content).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Corrupt, "{failure}");
        assert!(failure.detail.contains(file), "{failure}");
        it.stage("lab-uses");
        assert_eq!(it.host.preflight_content("lab-uses", "1.1-1", content), Ok(RollbackPath::Reinstall));
    }
    fs::write(it.folder(content).join("lab-new_1.0-1_all.deb"), "").unwrap();
    assert_eq!(kind(it.host.install_content("lab-uses", "1.1-1", content)), FailureKind::Corrupt);
    assert_eq!(
        (it.whole_version("lab-uses").as_str(), it.whole_version("lab-lib").as_str()),
        ("1.0-1", "1.0-1")
    );
    assert_eq!(it.host.read_level("lab-new"), Level::Absent);
    // It is gone now, and the next attempt asks the archive.
    assert!(!it.folder(content).exists());
    it.host.install_content("lab-uses", "1.1-1", content).unwrap();
    it.assert_whole();
}

fn says_why() {
    let it = host(&["lab-app", "lab-other", "lab-uses"]);
    let content = it.content("lab-app", "1.1-1");
    let stage = |name: &str, version: &str| kind(it.host.stage_version(name, version, content));
    assert_eq!(stage("lab-app", "9.9-1"), FailureKind::NotFound);
    assert_eq!(stage("lab-needy", "1.0-1"), FailureKind::Dependency);
    it.host.install_version("lab-app", "1.1-1").unwrap();
    assert_eq!(stage("lab-app", "1.0-1"), FailureKind::Denied);
    // The lists are there; what they name cannot be fetched.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sources = it.there.read("/etc/apt/sources.list").unwrap();
    let lists = it.there.root().join("var/lib/apt/lists");
    let gone = format!("http://{closed}/");
    let repo = it.lab.dir().join("repo").display().to_string();
    it.there.write("/etc/apt/sources.list", &sources.replace(&format!("copy:{repo}"), &gone)).unwrap();
    for entry in fs::read_dir(&lists).unwrap().map(Result::unwrap) {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(rest) = name.strip_prefix(&repo.replace('/', "_")) {
            fs::rename(entry.path(), lists.join(format!("{closed}{rest}"))).unwrap();
        }
    }
    let content = it.content("lab-uses", "1.1-1");
    let failure = it.host.stage_version("lab-uses", "1.1-1", content).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Network, "{failure}");
    // The disk is full while it writes.
    let mut full = it.host.clone();
    pretend(
        &it,
        &mut full.runner,
        "echo 'E: Write error - write (28: No space left on device)' >&2; exit 100",
    );
    assert_eq!(kind(full.stage_version("lab-uses", "1.1-1", content)), FailureKind::Disk);
    assert_eq!(it.staged(content), [""; 0]);
}

/// An `apt-get` that plans like the real one, and does this instead of fetching.
fn pretend(it: &Fixture, runner: &mut patchflow_backends::local::CommandRunner, instead: &str) {
    let bin = it.there.dir().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let text = format!(
        "#!/bin/sh\ncase \" $* \" in *' download '*) {instead};; esac\nexec /usr/bin/apt-get \"$@\"\n"
    );
    fs::write(bin.join("apt-get"), text).unwrap();
    fs::set_permissions(bin.join("apt-get"), PermissionsExt::from_mode(0o755)).unwrap();
    let path = runner.env.iter_mut().find(|(name, _)| name == "PATH").unwrap();
    path.1 = format!("{}:{}", bin.display(), path.1.to_string_lossy()).into();
    runner.prefix = vec!["/usr/bin/env".into()];
}

fn success_that_fetched_nothing() {
    let mut it = host(&["lab-app"]);
    let content = it.content("lab-app", "1.1-1");
    let mut runner = it.host.runner.clone();
    for instead in ["exit 0", "echo other > lab-app_1.1-1_all.deb; exit 0"] {
        runner.env.clone_from(&it.host.runner.env);
        pretend(&it, &mut runner, instead);
        let honest = std::mem::replace(&mut it.host.runner, runner.clone());
        assert_eq!(kind(it.host.stage_version("lab-app", "1.1-1", content)), FailureKind::Corrupt);
        assert_eq!(it.staged(content), [""; 0]);
        it.host.runner = honest;
    }
    it.stage("lab-app");
}

fn unstaging_removes_just_that() {
    let it = host(&["lab-app", "lab-other"]);
    it.host.unstage_content(Digest::of(b"never there"));
    let (app, other) = (it.stage("lab-app"), it.stage("lab-other"));
    it.host.unstage_content(app);
    it.host.unstage_content(app);
    assert_eq!(it.staged(app), [""; 0]);
    assert_eq!(it.staged(other), ["lab-other_1.1-1_all.deb", "packages"]);
    let kept = fs::read_dir(it.host.state_dir.join("saved-packages")).unwrap().count();
    assert_eq!(kept, 4, "two versions for the way back, with their digests");
    // Nothing comes from what was thrown away, and the archive still has it.
    it.host.install_content("lab-app", "1.1-1", app).unwrap();
    it.host.install_content("lab-other", "1.1-1", other).unwrap();
}

fn held_package() {
    let it = host(&["lab-app"]);
    it.host.mark_held("lab-app", true).unwrap();
    // The hold may be let go before the window, and is not touched by what lies beside.
    let content = it.stage("lab-app");
    assert_eq!(kind(it.host.install_content("lab-app", "1.1-1", content)), FailureKind::Denied);
    assert_eq!(it.there.run(&["apt-mark", "showhold"]).unwrap(), "lab-app\n");
    it.host.mark_held("lab-app", false).unwrap();
    it.host.install_content("lab-app", "1.1-1", content).unwrap();
}

fn failed_install() {
    let it = lone_host(false, &["lab-flaky"]);
    it.there.write("/etc/lab/flaky-1", "1\n").unwrap();
    let content = it.stage("lab-flaky");
    it.end_the_archive();
    let failure = it.host.install_content("lab-flaky", "1.1-1", content).unwrap_err();
    assert_eq!(failure.kind, FailureKind::ScriptFailed, "{failure}");
    assert_eq!(it.whole_version("lab-flaky"), "1.0-1");
    it.assert_whole();
    it.host.install_content("lab-flaky", "1.1-1", content).unwrap();
    assert_eq!(it.whole_version("lab-flaky"), "1.1-1");
}
