//! Operations that go well, and those that are refused before anything changes.

use crate::fixture::{Holder, host, kind, lone_host, trial};
use libtest_mimic::Trial;
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::Level;
use patchflow_core::sdk::FailureKind;
use patchflow_testkit::lab::apt::Suite;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("install_verify_and_roll_back", install_verify_and_roll_back),
        trial("what_was_not_there_is_uninstalled", what_was_not_there_is_uninstalled),
        trial("held_package_is_never_touched", held_package_is_never_touched),
        trial("reboot_clears_the_flag", reboot_clears_the_flag),
        trial("held_lock_is_busy", held_lock_is_busy),
        trial("edited_configuration_file_stays", edited_configuration_file_stays),
        trial("lower_version_is_refused", lower_version_is_refused),
        trial("new_publication_is_found_by_an_install", new_publication_is_found_by_an_install),
        trial("kept_file_that_changed_is_not_used", kept_file_that_changed),
        trial("version_that_is_gone_is_reached_from_the_kept_file", version_that_is_gone),
    ]
}

fn install_verify_and_roll_back() {
    let it = host(&["lab-app"]);
    assert_eq!(it.host.preflight_version("lab-app", "1.1-1"), Ok(RollbackPath::Reinstall));
    assert_eq!(it.whole_version("lab-app"), "1.0-1");
    it.host.install_version("lab-app", "1.1-1").unwrap();
    assert_eq!(it.whole_version("lab-app"), "1.1-1");
    assert_eq!(it.there.read("/srv/app/health").unwrap(), "bad 1.1-1\n");
    // The same order again is done already.
    it.host.install_version("lab-app", "1.1-1").unwrap();
    it.host.revert_to("lab-app", Some("1.0-1")).unwrap();
    assert_eq!(it.whole_version("lab-app"), "1.0-1");
    assert_eq!(it.there.read("/srv/app/health").unwrap(), "ok 1.0-1\n");
    it.host.revert_to("lab-app", Some("1.0-1")).unwrap();
    it.assert_whole();
}

fn what_was_not_there_is_uninstalled() {
    let it = host(&["lab-app"]);
    assert_eq!(it.host.preflight_version("lab-new", "1.0-1"), Ok(RollbackPath::Uninstall));
    it.host.install_version("lab-new", "1.0-1").unwrap();
    assert_eq!(it.whole_version("lab-new"), "1.0-1");
    it.host.revert_to("lab-new", None).unwrap();
    assert_eq!(it.host.read_level("lab-new"), Level::Absent);
    it.host.revert_to("lab-new", None).unwrap();
    assert_eq!(it.whole_version("lab-app"), "1.0-1");
}

fn held_package_is_never_touched() {
    let it = host(&["lab-app", "lab-other"]);
    it.host.mark_held("lab-app", true).unwrap();
    assert_eq!(kind(it.host.preflight_version("lab-app", "1.1-1")), FailureKind::Denied);
    assert_eq!(kind(it.host.install_version("lab-app", "1.1-1")), FailureKind::Denied);
    assert_eq!(it.whole_version("lab-app"), "1.0-1");
    assert_eq!(it.there.run(&["apt-mark", "showhold"]).unwrap(), "lab-app\n");
    it.host.install_version("lab-other", "1.1-1").unwrap();
    it.host.mark_held("lab-app", false).unwrap();
    it.host.install_version("lab-app", "1.1-1").unwrap();
    assert_eq!(kind(it.host.mark_held("lab-new", true)), FailureKind::NotFound);
}

fn reboot_clears_the_flag() {
    let mut it = host(&["lab-kernel"]);
    assert!(!it.host.waits_for_reboot());
    it.host.install_version("lab-kernel", "1.1-1").unwrap();
    assert!(it.host.waits_for_reboot());
    it.host.reboot_now().unwrap();
    assert!(!it.host.waits_for_reboot());
    it.there.write("/run/reboot-required", "").unwrap();
    it.host.reboot_command = vec!["true".into()];
    assert_eq!(kind(it.host.reboot_now()), FailureKind::Other);
    it.host.reboot_command.clear();
    assert_eq!(kind(it.host.reboot_now()), FailureKind::Unsupported);
}

fn held_lock_is_busy() {
    let it = host(&["lab-app"]);
    for lock in ["lock-frontend", "lock"] {
        let holder = Holder::of(&it.host.admin_dir.join(lock));
        let refused = it.host.preflight_version("lab-app", "1.1-1").unwrap_err();
        assert_eq!(refused.kind, FailureKind::Busy);
        assert_eq!(kind(it.host.install_version("lab-app", "1.1-1")), FailureKind::Busy, "{lock}");
        assert_eq!(it.whole_version("lab-app"), "1.0-1");
        // Reading goes on meanwhile.
        assert_eq!(it.host.available().unwrap().len(), 1);
        drop(holder);
    }
    it.host.install_version("lab-app", "1.1-1").unwrap();
}

fn edited_configuration_file_stays() {
    let it = host(&["lab-conf"]);
    it.there.write("/etc/lab-conf.conf", "level=mine\n").unwrap();
    it.host.install_version("lab-conf", "1.1-1").unwrap();
    assert_eq!(it.there.read("/etc/lab-conf.conf").unwrap(), "level=mine\n");
    assert_eq!(it.there.read("/etc/lab-conf.conf.dpkg-dist").unwrap(), "level=new\n");
    it.assert_whole();
}

fn lower_version_is_refused() {
    let it = host(&["lab-app"]);
    it.host.install_version("lab-app", "1.1-1").unwrap();
    assert_eq!(kind(it.host.install_version("lab-app", "1.0-1")), FailureKind::Denied);
    assert_eq!(kind(it.host.preflight_version("lab-app", "1.0-1")), FailureKind::Denied);
    assert_eq!(it.whole_version("lab-app"), "1.1-1");
}

fn new_publication_is_found_by_an_install() {
    let mut it = lone_host(false, &["lab-app"]);
    assert_eq!(kind(it.host.install_version("lab-app", "1.2-1")), FailureKind::NotFound);
    it.lab.publish("lab-app", "1.2-1", Suite::Security).unwrap();
    it.host.refresh = false;
    assert_eq!(kind(it.host.install_version("lab-app", "1.2-1")), FailureKind::NotFound);
    it.host.refresh = true;
    it.host.install_version("lab-app", "1.2-1").unwrap();
    assert_eq!(it.whole_version("lab-app"), "1.2-1");
}

fn version_that_is_gone() {
    let it = lone_host(false, &["lab-app", "lab-other"]);
    assert_eq!(it.host.preflight_version("lab-app", "1.1-1"), Ok(RollbackPath::Reinstall));
    it.lab.publish("lab-app", "1.0-1", Suite::Staged).unwrap();
    it.lab.publish("lab-other", "1.0-1", Suite::Staged).unwrap();
    it.host.refresh_lists().unwrap();
    it.host.install_version("lab-app", "1.1-1").unwrap();
    it.host.revert_to("lab-app", Some("1.0-1")).unwrap();
    assert_eq!(it.whole_version("lab-app"), "1.0-1");
    // Nothing was kept of the other in time: there is no way back, and that is said beforehand.
    assert_eq!(it.host.preflight_version("lab-other", "1.1-1"), Ok(RollbackPath::None));
    it.host.install_version("lab-other", "1.1-1").unwrap();
    assert_eq!(kind(it.host.revert_to("lab-other", Some("1.0-1"))), FailureKind::NotFound);
    assert_eq!(it.whole_version("lab-other"), "1.1-1");
    it.assert_whole();
}

fn kept_file_that_changed() {
    let it = lone_host(false, &["lab-app"]);
    it.host.install_version("lab-app", "1.1-1").unwrap();
    let kept = it.host.state_dir.join("saved-packages/lab-app_1.0-1_all.deb");
    let mut bytes = std::fs::read(&kept).unwrap();
    bytes.push(0);
    std::fs::write(&kept, &bytes).unwrap();
    // The archive has it still.
    it.host.revert_to("lab-app", Some("1.0-1")).unwrap();
    assert_eq!(it.whole_version("lab-app"), "1.0-1");
    // An install keeps it anew.
    it.host.install_version("lab-app", "1.1-1").unwrap();
    assert_ne!(std::fs::read(&kept).unwrap(), bytes);
    std::fs::write(&kept, &bytes).unwrap();
    it.lab.publish("lab-app", "1.0-1", Suite::Staged).unwrap();
    it.host.refresh_lists().unwrap();
    // What apt has in its own cache would do as well.
    let cached = it.there.root().join("var/cache/apt/archives/lab-app_1.0-1_all.deb");
    assert!(cached.exists(), "apt keeps what it has downloaded");
    std::fs::remove_file(cached).unwrap();
    assert_eq!(kind(it.host.revert_to("lab-app", Some("1.0-1"))), FailureKind::NotFound);
    assert_eq!(it.whole_version("lab-app"), "1.1-1");
}
