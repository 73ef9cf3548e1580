//! What is read from an endpoint.

use crate::fixture::{Fixture, host, lone_host, trial};
use libtest_mimic::Trial;
use patchflow_backends::apt::AptBackend;
use patchflow_backends::local::LocalBackend as _;
use patchflow_core::catalog::Target;
use patchflow_core::ids::EndpointId;
use patchflow_core::package::{Ecosystem, PackageName};
use patchflow_core::rollout::Level;
use patchflow_core::time::Timestamp;
use patchflow_testkit::lab::apt::{AptLab, HostSpec, LabError, LabSpec, PackageSpec};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("lab_makes_the_same_packages_twice", lab_makes_the_same_packages_twice),
        trial("lab_that_was_cut_off_is_made_anew", lab_that_was_cut_off_is_made_anew),
        trial("signed_repository_is_accepted", signed_repository_is_accepted),
        trial("record_has_packages_updates_and_patch_level", record_has_packages_updates_and_patch_level),
        trial("level_is_read_by_package", level_is_read_by_package),
    ]
}

fn lab_makes_the_same_packages_twice() {
    let make = || {
        let dir = tempfile::tempdir().unwrap();
        let packages = vec![PackageSpec::new("lab-app", "1:1.0-1").health("/srv/app/health", true)];
        let hosts = vec![HostSpec::new("a", [("lab-app", "1:1.0-1")]), HostSpec::new("b", [])];
        let lab = AptLab::create(dir.path(), &LabSpec { packages, hosts, signed: false }).unwrap();
        let health = lab.host("a").unwrap().read("/srv/app/health").unwrap();
        let deb = std::fs::read(lab.package_file("lab-app", "1:1.0-1").unwrap()).unwrap();
        (health, deb, lab.hosts().unwrap().len())
    };
    let (first, second) = (make(), make());
    assert_eq!(first.0, "ok 1:1.0-1\n");
    assert_eq!(first, second);
    assert_eq!(first.2, 2);
}

fn lab_that_was_cut_off_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("hosts/old/root")).unwrap();
    assert!(matches!(AptLab::open(dir.path()), Err(LabError::NotMade(_))));
    let spec = LabSpec { packages: vec![PackageSpec::new("lab-app", "1.0-1")], ..LabSpec::default() };
    AptLab::create(dir.path(), &spec).unwrap();
    assert!(AptLab::open(dir.path()).unwrap().hosts().unwrap().is_empty());
    assert!(matches!(AptLab::create(dir.path(), &spec), Err(LabError::AlreadyMade(_))));
}

fn signed_repository_is_accepted() {
    let Fixture { host, there, .. } = &lone_host(true, &["lab-app"]);
    // Without gpg on the machine the sources are trusted instead; the rest is the same.
    let sources = there.read("/etc/apt/sources.list").unwrap();
    assert!(sources.contains("signed-by=") || sources.contains("trusted=yes"));
    host.install_version("lab-app", "1.1-1").unwrap();
}

fn record_has_packages_updates_and_patch_level() {
    let it = host(&["lab-app", "lab-other", "lab-new"]);
    it.there.run(&["apt-mark", "hold", "lab-new"]).unwrap();
    let now = Timestamp::from_secs(1_800_000_000);
    let record = it.host.read_record(now).unwrap();
    assert_eq!((record.os.as_str(), record.read_at, record.reboot_required), ("lab 1", now, false));
    let installed: Vec<_> =
        record.installed.iter().map(|s| (s.package.name.as_str(), s.held, s.intact)).collect();
    assert_eq!(installed, [("lab-app", false, true), ("lab-new", true, true), ("lab-other", false, true)]);
    let updates: Vec<_> = record
        .available
        .iter()
        .map(|u| (u.package.name.as_str(), u.from.as_deref(), u.to.as_str(), u.suite.as_str(), u.security))
        .collect();
    let expected = [
        ("lab-app", Some("1.0-1"), "1.1-1", "lab-security", true),
        ("lab-other", Some("1.0-1"), "1.1-1", "lab-updates", false),
    ];
    assert_eq!(updates, expected);
    assert_eq!(record.available[0].origin, "Lab-Security");
    let level = record.patch_level;
    assert_eq!((level.pending_security, level.pending_other, level.broken.len()), (1, 1, 0));
    assert!(level.last_updated.is_some());
    // The machine's identity is its fingerprint; an image that is still to be told apart has none.
    assert_eq!(record.fingerprint, None);
    for (written, told) in [
        ("uninitialized\n", None),
        ("4c0d58ab2f1e4bb3a5a7c3f9d2e10b76\n", Some("4c0d58ab2f1e4bb3a5a7c3f9d2e10b76")),
    ] {
        it.there.write("/etc/machine-id", written).unwrap();
        assert_eq!(it.host.read_record(now).unwrap().fingerprint.as_deref(), told);
    }
}

fn level_is_read_by_package() {
    let it = host(&["lab-app"]);
    let backend = AptBackend::new([it.host.clone()]);
    let level = |endpoint: &str, ecosystem, name: &str| {
        let target = Target { package: PackageName::new(ecosystem, name), version: "1.1-1".into() };
        backend.level(&EndpointId::from(endpoint), &target)
    };
    let here = it.host.id.as_str();
    let there = Level::Version { version: "1.0-1".into(), intact: true };
    assert_eq!(level(here, Ecosystem::Deb, "lab-app"), there);
    assert_eq!(level(here, Ecosystem::Deb, "lab-other"), Level::Absent);
    assert!(matches!(level(here, Ecosystem::Rpm, "lab-app"), Level::Unreadable { .. }));
    assert!(matches!(level(here, Ecosystem::Deb, "lab-*"), Level::Unreadable { .. }));
    assert!(matches!(level("elsewhere", Ecosystem::Deb, "lab-app"), Level::Unreadable { .. }));
    assert_eq!(backend.endpoints(), vec![it.host.id.clone()]);
    assert_eq!(backend.state_dir(&it.host.id), Some(it.host.state_dir.clone()));
}
