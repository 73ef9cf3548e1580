//! Operations that fail, and what they leave.

use crate::fixture::{host, kind, lone_host, trial};
use libtest_mimic::Trial;
use patchflow_core::rollout::Level;
use patchflow_core::sdk::FailureKind;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("failing_postinst_leaves_the_old_version_whole", failing_postinst),
        trial("failing_postinst_of_a_new_package_leaves_nothing", failing_postinst_of_a_new_package),
        trial("flaky_postinst_runs_once_an_attempt", flaky_postinst),
        trial("stuck_package_is_never_taken_for_installed", stuck_package),
        trial("half_configured_package_of_others_blocks_nobody", half_configured_package_of_others),
        trial("success_that_installed_nothing_is_seen", success_that_installed_nothing),
        trial("tampered_package_is_corrupt", tampered_package),
        trial("unmet_dependency_is_told", unmet_dependency),
        trial("too_little_space_is_told_before", too_little_space),
        trial("dead_repository_is_a_network_failure", dead_repository),
        trial("time_out_ends_the_operation", time_out),
        trial("missing_tool_is_unsupported", missing_tool),
    ]
}

fn failing_postinst() {
    let it = host(&["lab-fails", "lab-app"]);
    for _ in 0..2 {
        let failure = it.host.install_version("lab-fails", "1.1-1").unwrap_err();
        assert_eq!(failure.kind, FailureKind::ScriptFailed, "{failure}");
        assert!(failure.detail.contains("post-installation script"), "{failure}");
        assert_eq!(it.whole_version("lab-fails"), "1.0-1");
        it.assert_whole();
    }
    it.host.revert_to("lab-fails", Some("1.0-1")).unwrap();
    it.host.install_version("lab-app", "1.1-1").unwrap();
    assert_eq!(it.whole_version("lab-app"), "1.1-1");
}

fn failing_postinst_of_a_new_package() {
    let it = host(&["lab-app"]);
    assert_eq!(kind(it.host.install_version("lab-new-fails", "1.0-1")), FailureKind::ScriptFailed);
    assert_eq!(it.host.read_level("lab-new-fails"), Level::Absent);
    it.assert_whole();
    it.host.install_version("lab-app", "1.1-1").unwrap();
}

fn flaky_postinst() {
    let it = host(&["lab-flaky"]);
    it.there.write("/etc/lab/flaky-1", "2\n").unwrap();
    for left in ["1\n", "0\n"] {
        assert_eq!(kind(it.host.install_version("lab-flaky", "1.1-1")), FailureKind::ScriptFailed);
        assert_eq!(it.there.read("/etc/lab/flaky-1").unwrap(), left);
        assert_eq!(it.whole_version("lab-flaky"), "1.0-1");
    }
    it.host.install_version("lab-flaky", "1.1-1").unwrap();
    assert_eq!(it.whole_version("lab-flaky"), "1.1-1");
}

fn stuck_package() {
    let it = host(&["lab-stuck", "lab-app"]);
    for _ in 0..2 {
        assert_eq!(kind(it.host.install_version("lab-stuck", "1.1-1")), FailureKind::ScriptFailed);
        // dpkg's own word would be 1.1-1, installed.
        let level = Level::Version { version: "1.1-1".into(), intact: false };
        assert_eq!(it.host.read_level("lab-stuck"), level);
        let record = it.host.read_record(Default::default()).unwrap();
        assert_eq!(record.patch_level.broken.len(), 1);
    }
    assert_eq!(kind(it.host.revert_to("lab-stuck", Some("1.0-1"))), FailureKind::ScriptFailed);
    it.host.install_version("lab-app", "1.1-1").unwrap();
    // A person mends the script; then the same order works, and the doubt is gone.
    it.there.write("/var/lib/dpkg/info/lab-stuck.prerm", "#!/bin/sh\n").unwrap();
    it.host.revert_to("lab-stuck", Some("1.0-1")).unwrap();
    assert_eq!(it.whole_version("lab-stuck"), "1.0-1");
    it.assert_whole();
}

fn half_configured_package_of_others() {
    let it = host(&["lab-fails", "lab-app"]);
    // Somebody else's apt leaves it half-configured.
    it.there.run(&["apt-get", "-q", "-y", "install", "lab-fails=1.1-1"]).unwrap_err();
    let broken = Level::Version { version: "1.1-1".into(), intact: false };
    assert_eq!(it.host.read_level("lab-fails"), broken);
    let record = it.host.read_record(Default::default()).unwrap();
    assert_eq!(record.patch_level.broken.len(), 1);
    it.host.preflight_version("lab-app", "1.1-1").unwrap();
    it.host.install_version("lab-app", "1.1-1").unwrap();
    assert_eq!(it.whole_version("lab-app"), "1.1-1");
    it.host.revert_to("lab-fails", Some("1.0-1")).unwrap();
    it.assert_whole();
}

fn success_that_installed_nothing() {
    let mut it = host(&["lab-app"]);
    // An apt-get that plans like the real one and does nothing, as broken wrappers do.
    let bin = it.there.dir().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let liar = bin.join("apt-get");
    let text = "#!/bin/sh\ncase \" $* \" in *' -y '*) exit 0;; esac\nexec /usr/bin/apt-get \"$@\"\n";
    std::fs::write(&liar, text).unwrap();
    std::fs::set_permissions(&liar, PermissionsExt::from_mode(0o755)).unwrap();
    let path = it.host.runner.env.iter_mut().find(|(name, _)| name == "PATH").unwrap();
    path.1 = format!("{}:{}", bin.display(), path.1.to_string_lossy()).into();
    // The real apt-get is found through PATH of this process; the runner looks there with the child's.
    it.host.runner.prefix = vec!["/usr/bin/env".into()];
    let failure = it.host.install_version("lab-app", "1.1-1").unwrap_err();
    assert_eq!(failure.kind, FailureKind::WrongLevel, "{failure}");
    assert_eq!(it.whole_version("lab-app"), "1.0-1");
    assert_eq!(it.host.read_level("lab-app"), Level::Version { version: "1.0-1".into(), intact: true });
}

fn tampered_package() {
    let it = lone_host(false, &["lab-app"]);
    let deb = it.lab.package_file("lab-app", "1.1-1").unwrap();
    std::fs::OpenOptions::new().append(true).open(&deb).unwrap().write_all(b"\n").unwrap();
    assert_eq!(kind(it.host.install_version("lab-app", "1.1-1")), FailureKind::Corrupt);
    assert_eq!(it.whole_version("lab-app"), "1.0-1");
    // The same length, other bytes.
    let mut bytes = std::fs::read(&deb).unwrap();
    bytes.pop();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&deb, bytes).unwrap();
    assert_eq!(kind(it.host.install_version("lab-app", "1.1-1")), FailureKind::Corrupt);
    // Gone altogether, while the lists still promise it.
    std::fs::remove_file(&deb).unwrap();
    assert_eq!(kind(it.host.install_version("lab-app", "1.1-1")), FailureKind::NotFound);
    assert_eq!(it.whole_version("lab-app"), "1.0-1");
    it.assert_whole();
}

fn unmet_dependency() {
    let it = host(&["lab-app"]);
    assert_eq!(kind(it.host.preflight_version("lab-needy", "1.0-1")), FailureKind::Dependency);
    assert_eq!(kind(it.host.install_version("lab-needy", "1.0-1")), FailureKind::Dependency);
    assert_eq!(kind(it.host.install_version("lab-nowhere", "1.0-1")), FailureKind::NotFound);
    assert_eq!(kind(it.host.install_version("lab-app", "9.9-1")), FailureKind::NotFound);
    assert_eq!(it.host.read_level("lab-needy"), Level::Absent);
}

fn too_little_space() {
    let it = host(&["lab-app"]);
    // It says it needs a pebibyte.
    let failure = it.host.preflight_version("lab-huge", "1.0-1").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Disk, "{failure}");
    assert_eq!(kind(it.host.install_version("lab-huge", "1.0-1")), FailureKind::Disk);
    assert_eq!(it.host.read_level("lab-huge"), Level::Absent);
}

fn dead_repository() {
    let it = host(&["lab-app"]);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sources = format!("deb [trusted=yes] http://{closed}/ lab main\n");
    it.there.write("/etc/apt/sources.list", &sources).unwrap();
    let failure = it.host.refresh_lists().unwrap_err();
    assert_eq!(failure.kind, FailureKind::Network, "{failure}");
    // Such an endpoint has no record, rather than one without updates.
    assert_eq!(kind(it.host.read_record(Default::default())), FailureKind::Network);
    assert_eq!(it.whole_version("lab-app"), "1.0-1");
}

fn time_out() {
    let mut it = host(&["lab-slow", "lab-app"]);
    it.there.write("/etc/lab/slow-postinst", "600\n").unwrap();
    let patient = it.host.runner.clone();
    it.host.runner.timeout = Duration::from_secs(3);
    it.host.runner.kill_after = Duration::from_millis(200);
    let failure = it.host.install_version("lab-slow", "1.1-1").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout, "{failure}");
    it.host.runner = patient;
    assert_eq!(it.processes(Some("dpkg")), [0; 0]);
    assert_eq!(it.whole_version("lab-slow"), "1.0-1");
    it.assert_whole();
    it.there.write("/etc/lab/slow-postinst", "0\n").unwrap();
    it.host.install_version("lab-slow", "1.1-1").unwrap();
}

fn missing_tool() {
    let mut it = host(&["lab-app"]);
    it.host.runner.prefix = vec!["/nonexistent/chroot".into()];
    let failure = it.host.install_version("lab-app", "1.1-1").unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unsupported);
    assert!(failure.detail.contains("/nonexistent/chroot"), "{failure}");
}
