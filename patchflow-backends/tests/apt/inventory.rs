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
        #[cfg(feature = "inventory")]
        trial(
            "this_machine_is_read_as_its_package_database_says",
            this_machine_is_read_as_its_package_database_says,
        ),
        #[cfg(feature = "inventory")]
        trial("a_damaged_package_database_is_told", a_damaged_package_database_is_told),
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

/// The real database of the machine the tests run on, asked in two ways.
#[cfg(feature = "inventory")]
fn this_machine_is_read_as_its_package_database_says() {
    use patchflow_backends::inventory::Machine;
    use std::collections::BTreeSet;
    use std::process::Command;

    let now = Timestamp::from_secs(1_800_000_000);
    let reading = Machine { others: false, ..Machine::local() }.read(now);
    assert_eq!((reading.unread.as_slice(), reading.managers.as_slice()), (&[][..], &["dpkg"][..]));
    let read: BTreeSet<String> = reading
        .record
        .installed
        .iter()
        .map(|software| {
            let (name, version) = (&software.package.name, &software.version);
            let from = software.built_from.as_ref();
            let (source, of) = from.map_or((name, version), |from| (&from.name, &from.version));
            format!("{name} {version} {} {source} {of}", software.arch)
        })
        .collect();
    // dpkg's own file, read without its tools: a paragraph a package.
    let status = std::fs::read_to_string("/var/lib/dpkg/status").unwrap();
    let paragraphs = status.split("\n\n").filter_map(|paragraph| {
        let field = |name: &str| {
            let lines = paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
            lines.map(str::to_owned)
        };
        let state = field("Status")?;
        if state.ends_with(" not-installed") || state.ends_with(" config-files") {
            return None;
        }
        let (name, version) = (field("Package")?, field("Version")?);
        // `Source: name`, or `Source: name (version)` when that differs.
        let source = field("Source").unwrap_or_else(|| name.clone());
        let (source, of) = match source.split_once(" (") {
            Some((source, of)) => (source.to_owned(), of.trim_end_matches(')').to_owned()),
            None => (source, version.clone()),
        };
        Some(format!("{name} {version} {} {source} {of}", field("Architecture")?))
    });
    assert_eq!(read, paragraphs.collect());
    let listed = Command::new("dpkg-query").args(["-W", "-f=${db:Status-Abbrev}\n"]).output().unwrap();
    let there =
        String::from_utf8(listed.stdout).unwrap().lines().filter(|line| line.starts_with("ii")).count();
    assert!(there > 50 && read.len() >= there, "{there} of {}", read.len());
    assert!(reading.record.os.contains(' ') || !reading.record.os.is_empty());
}

#[cfg(feature = "inventory")]
fn a_damaged_package_database_is_told() {
    use patchflow_backends::inventory::Machine;

    let folder = tempfile::tempdir().unwrap();
    let machine = Machine { root: folder.path().to_owned(), others: false, ..Machine::local() };
    let now = Timestamp::from_secs(1_800_000_000);
    let bare = machine.read(now);
    assert!(bare.unread.is_empty() && bare.managers.is_empty(), "no database is no damage");
    std::fs::create_dir_all(folder.path().join("var/lib/dpkg")).unwrap();
    std::fs::write(folder.path().join("var/lib/dpkg/status"), "Package: a\nVersion\n").unwrap();
    let damaged = machine.read(now);
    let told: Vec<_> = damaged.unread.iter().map(|unread| unread.manager).collect();
    assert_eq!((told, damaged.record.installed.len()), (vec!["dpkg"], 0), "{:?}", damaged.unread);
}
