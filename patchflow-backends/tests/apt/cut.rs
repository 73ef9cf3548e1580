//! Operations that are cut off by kills, and how their hosts come back.

use crate::fixture::{Fixture, INSTALL, host, kind, trial, wait_until};
use libtest_mimic::Trial;
use patchflow_backends::local::Recovery;
use patchflow_core::rollout::{Failure, Level};
use patchflow_core::sdk::FailureKind;
use std::process::{Command, Stdio};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("dpkg_killed_in_postinst_is_recovered", dpkg_killed_in_postinst),
        trial("dpkg_killed_in_preinst_is_recovered", dpkg_killed_in_preinst),
        trial("install_repairs_what_a_kill_left", install_repairs_what_a_kill_left),
        trial("apt_get_killed_is_recovered", apt_get_killed),
        trial("cut_off_work_of_others_is_repaired", cut_off_work_of_others),
        trial("host_program_killed_is_recovered", host_program_killed),
        trial("everything_killed_and_script_now_failing_goes_back", everything_killed),
    ]
}

/// Begins an install of `lab-slow`, does something when the named script runs, and returns what the install said.
fn cut(it: &Fixture, script: &str, cut: impl FnOnce()) -> Result<(), Failure<'static>> {
    it.there.write(&format!("/etc/lab/slow-{script}"), "600\n").unwrap();
    let result = std::thread::scope(|scope| {
        let install = scope.spawn(|| it.host.install_version("lab-slow", "1.1-1"));
        it.wait_for_line("/run/lab-slow", script);
        wait_until("the script sleeps", || !it.processes(Some("sleep")).is_empty());
        cut();
        install.join().unwrap()
    });
    it.there.write(&format!("/etc/lab/slow-{script}"), "0\n").unwrap();
    result
}

/// Ends the maintainer script that goes on alone, and waits until it is gone.
fn end_orphans(it: &Fixture) {
    assert_eq!(it.host.recover_now(), Recovery::StillRunning);
    assert_eq!(kind(it.host.install_version("lab-app", "1.1-1")), FailureKind::Busy);
    it.kill(Some("sleep"));
    wait_until("the orphan is gone", || it.host.recover_now() != Recovery::StillRunning);
}

fn dpkg_killed_in_postinst() {
    let it = host(&["lab-slow", "lab-app"]);
    let result = cut(&it, "postinst", || it.kill(Some("dpkg")));
    assert_eq!(kind(result), FailureKind::Interrupted);
    let half = Level::Version { version: "1.1-1".into(), intact: false };
    assert_eq!(it.host.read_level("lab-slow"), half);
    end_orphans(&it);
    assert_eq!(it.host.recover_now(), Recovery::Whole);
    assert!(!it.there.dir().join("state/under-way").exists());
    // `dpkg --configure -a` ran the script again, and the new version stays.
    assert_eq!(it.whole_version("lab-slow"), "1.1-1");
    it.assert_whole();
    it.host.install_version("lab-app", "1.1-1").unwrap();
    it.host.revert_to("lab-slow", Some("1.0-1")).unwrap();
}

fn dpkg_killed_in_preinst() {
    let it = host(&["lab-slow", "lab-app"]);
    let result = cut(&it, "preinst", || it.kill(Some("dpkg")));
    assert_eq!(kind(result), FailureKind::Interrupted);
    assert!(!matches!(it.host.read_level("lab-slow"), Level::Version { intact: true, .. }));
    // The state that `dpkg --configure -a` passes over without a word.
    let state = it.there.run(&["dpkg-query", "-W", "-f", "${db:Status-Abbrev}", "lab-slow"]).unwrap();
    assert_eq!(state, "iHR");
    end_orphans(&it);
    assert_eq!(it.host.recover_now(), Recovery::Whole);
    assert_eq!(it.whole_version("lab-slow"), "1.0-1");
    it.assert_whole();
    it.host.install_version("lab-slow", "1.1-1").unwrap();
    assert_eq!(it.whole_version("lab-slow"), "1.1-1");
}

fn install_repairs_what_a_kill_left() {
    let it = host(&["lab-slow", "lab-app"]);
    let result = cut(&it, "postinst", || it.kill(None));
    assert_eq!(kind(result), FailureKind::Interrupted);
    wait_until("all of it is gone", || it.processes(None).is_empty());
    it.host.preflight_version("lab-app", "1.1-1").unwrap();
    it.host.install_version("lab-app", "1.1-1").unwrap();
    assert_eq!(it.whole_version("lab-app"), "1.1-1");
    assert_eq!(it.whole_version("lab-slow"), "1.1-1");
    it.assert_whole();
}

fn apt_get_killed() {
    let it = host(&["lab-slow", "lab-app"]);
    let result = cut(&it, "postinst", || it.kill(Some("apt-get")));
    assert_eq!(kind(result), FailureKind::Interrupted);
    end_orphans(&it);
    assert_eq!(it.host.recover_now(), Recovery::Whole);
    it.assert_whole();
    it.host.install_version("lab-slow", "1.1-1").unwrap();
    assert_eq!(it.whole_version("lab-slow"), "1.1-1");
}

fn everything_killed() {
    let it = host(&["lab-slow"]);
    let result = cut(&it, "postinst", || it.kill(None));
    assert_eq!(kind(result), FailureKind::Interrupted);
    wait_until("all of it is gone", || it.processes(None).is_empty());
    // The script cannot work any more: what it reads is no number.
    it.there.write("/etc/lab/slow-postinst", "never\n").unwrap();
    assert_eq!(it.host.recover_now(), Recovery::Whole);
    assert_eq!(it.whole_version("lab-slow"), "1.0-1");
    it.assert_whole();
}

fn cut_off_work_of_others() {
    let it = host(&["lab-slow", "lab-app"]);
    it.there.write("/etc/lab/slow-preinst", "600\n").unwrap();
    // Somebody else's apt: of this nothing is noted.
    let mut theirs = Command::new("apt-get")
        .args(["-q", "-y", "install", "lab-slow=1.1-1"])
        .envs(it.there.env())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    it.wait_for_line("/run/lab-slow", "preinst");
    assert_eq!(it.host.recover_now(), Recovery::StillRunning);
    wait_until("the script sleeps", || !it.processes(Some("sleep")).is_empty());
    it.kill(None);
    theirs.wait().unwrap();
    wait_until("all of it is gone", || it.processes(None).is_empty());
    it.there.write("/etc/lab/slow-preinst", "0\n").unwrap();
    it.host.install_version("lab-app", "1.1-1").unwrap();
    assert_eq!(it.whole_version("lab-slow"), "1.0-1");
    it.assert_whole();
}

fn host_program_killed() {
    let it = host(&["lab-slow"]);
    it.there.write("/etc/lab/slow-postinst", "1\n").unwrap();
    let mut program = Command::new(std::env::current_exe().unwrap())
        .envs(it.there.env())
        .env(INSTALL.0, it.there.root())
        .env(INSTALL.1, &it.host.state_dir)
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    it.wait_for_line("/run/lab-slow", "postinst");
    program.kill().unwrap();
    program.wait().unwrap();
    // apt goes on alone, or dies of its closed pipes: both must end well.
    wait_until("it is over", || it.host.recover_now() != Recovery::StillRunning);
    assert_eq!(it.host.recover_now(), Recovery::Whole);
    assert_eq!(it.whole_version("lab-slow"), "1.1-1");
    it.assert_whole();
    it.host.revert_to("lab-slow", Some("1.0-1")).unwrap();
}
