//! The artifact backend against real directories: what is refused, what a crash leaves, what a reader sees.

use super::archive::pack;
use super::*;
use crate::local::{LocalBackend, Recovery};
use patchflow_core::catalog::{Patch, RebootBehaviour};
use patchflow_core::ids::EndpointId;
use patchflow_core::plan::RollbackPath;
use patchflow_core::rollout::Level;
use patchflow_core::sdk::{Cursor, PublishedPatch};
use patchflow_core::time::Timestamp;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

struct Lab {
    dir: tempfile::TempDir,
    publisher: Publisher,
    backend: ArtifactBackend,
    host: EndpointId,
}

impl Lab {
    /// A repository with shop 1.0 and 1.1, and a host that has 1.0.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let publisher = Publisher::open(dir.path().join("repository")).unwrap();
        for version in ["1.0", "1.1"] {
            publisher.publish(Release::new("shop", version), &files(version)).unwrap();
        }
        let backend = ArtifactBackend::new(dir.path().join("hosts"), publisher.repository());
        let host: EndpointId = "web-1".into();
        backend.add_host(&host, &HostFile::default()).unwrap();
        backend.seed(&host, "shop", "1.0").unwrap();
        Self { dir, publisher, backend, host }
    }

    fn patch(&self, version: &str) -> Patch {
        self.backend_release(version).to_patch("lab")
    }

    fn backend_release(&self, version: &str) -> Release {
        self.publisher.repository().releases().unwrap().into_iter().find(|r| r.version == version).unwrap()
    }

    fn install(&self, version: &str) -> Result<(), Failure<'static>> {
        self.backend.install_patch(&self.host, &self.patch(version))
    }

    fn app(&self) -> PathBuf {
        self.dir.path().join("hosts/web-1/apps/shop")
    }

    fn level(&self) -> Level<'static> {
        self.backend.level(&self.host, &self.patch("1.1").target)
    }
}

fn files(version: &str) -> [ArtifactFile; 2] {
    let program =
        ArtifactFile { executable: true, ..ArtifactFile::new("bin/shop", format!("#!shop {version}")) };
    [program, ArtifactFile::new("share/about/version", version)]
}

fn at(version: &str) -> Level<'static> {
    Level::Version { version: version.to_owned().into(), intact: true }
}

fn kind<T: std::fmt::Debug>(result: Result<T, Failure<'static>>) -> FailureKind {
    result.unwrap_err().kind
}

#[test]
fn an_install_switches_and_a_rollback_switches_back() {
    let lab = Lab::new();
    assert_eq!(lab.level(), at("1.0"));
    let before = fs::read_dir(lab.app()).unwrap().count();
    assert_eq!(lab.backend.look_before(&lab.host, &lab.patch("1.1")), Ok(RollbackPath::Switch));
    assert_eq!(fs::read_dir(lab.app()).unwrap().count(), before, "a look changes nothing");
    lab.install("1.1").unwrap();
    assert_eq!(lab.level(), at("1.1"));
    let (version, dir) = lab.backend.current(&lab.host, "shop").unwrap().unwrap();
    assert_eq!(
        (version.as_str(), fs::read_to_string(dir.join("share/about/version")).unwrap().as_str()),
        ("1.1", "1.1")
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(dir.join("bin/shop")).unwrap().permissions().mode() & 0o777, 0o755);
    }
    lab.backend.revert_to(&lab.host, &lab.patch("1.1").target, Some("1.0")).unwrap();
    assert_eq!(lab.level(), at("1.0"));
    lab.backend.revert_to(&lab.host, &lab.patch("1.1").target, None).unwrap();
    assert_eq!(lab.level(), Level::Absent);
    assert_eq!(lab.backend.way_back(&lab.host, "shop"), Ok(RollbackPath::Uninstall));
}

#[test]
fn a_changed_archive_is_corrupt_and_nothing_is_switched() {
    let lab = Lab::new();
    let release = lab.backend_release("1.1");
    let path = lab.publisher.repository().dir().join(&release.file);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    assert_eq!(kind(lab.backend.look_before(&lab.host, &lab.patch("1.1"))), FailureKind::Corrupt);
    assert_eq!(kind(lab.install("1.1")), FailureKind::Corrupt);
    fs::write(&path, &bytes[..middle]).unwrap();
    assert_eq!(kind(lab.install("1.1")), FailureKind::Corrupt, "cut short");
    bytes[middle] ^= 1;
    bytes.push(0);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(kind(lab.install("1.1")), FailureKind::Corrupt, "one byte too long");
    assert_eq!(lab.level(), at("1.0"));
}

#[test]
fn content_other_than_approved_is_refused_though_the_index_agrees_with_it() {
    let lab = Lab::new();
    let mut patch = lab.patch("1.1");
    patch.content = patchflow_core::digest::Digest::of(b"what was approved");
    assert_eq!(kind(lab.backend.install_patch(&lab.host, &patch)), FailureKind::Corrupt);
}

#[test]
fn a_version_that_is_not_there_or_withdrawn_is_not_found() {
    let lab = Lab::new();
    let patch = lab.patch("1.1");
    lab.publisher.withdraw("shop", "1.1", "eats data").unwrap();
    let failure = lab.backend.install_patch(&lab.host, &patch).unwrap_err();
    assert_eq!(failure.kind, FailureKind::NotFound);
    assert!(failure.detail.contains("eats data"));
    let mut patch = patch;
    patch.target.version = "9.9".into();
    assert_eq!(kind(lab.backend.install_patch(&lab.host, &patch)), FailureKind::NotFound);
    let archive = lab.publisher.repository().dir().join(lab.backend_release("1.0").file);
    fs::remove_file(archive).unwrap();
    fs::remove_dir_all(lab.app()).unwrap();
    assert_eq!(kind(lab.install("1.0")), FailureKind::NotFound, "the index names it, the archive is gone");
}

/// A gzipped tar archive of entries that no publisher would write.
fn wicked(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let gzip = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (path, entry_type, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        let name = &mut header.as_gnu_mut().unwrap().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o4777);
        header.set_entry_type(*entry_type);
        if !entry_type.is_file() {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.set_cksum();
        tar.append(&header, *bytes).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[test]
fn nothing_leaves_the_directory_and_no_link_is_followed() {
    use tar::EntryType;
    type Entries = &'static [(&'static str, EntryType, &'static [u8])];
    let cases: &[(&str, Entries)] = &[
        ("up", &[("../escaped", EntryType::Regular, b"x")]),
        ("up-later", &[("a/../../escaped", EntryType::Regular, b"x")]),
        ("absolute", &[("/tmp/patchflow-escaped", EntryType::Regular, b"x")]),
        ("backslash", &[("..\\escaped", EntryType::Regular, b"x")]),
        ("drive", &[("c:escaped", EntryType::Regular, b"x")]),
        ("symlink", &[("link", EntryType::Symlink, b"")]),
        ("hard-link", &[("link", EntryType::Link, b"")]),
        ("device", &[("null", EntryType::Char, b"")]),
        ("manifest", &[(".manifest.json", EntryType::Regular, b"{}")]),
    ];
    for (name, entries) in cases {
        let lab = Lab::new();
        lab.publisher.publish_archive(Release::new("shop", *name), &wicked(entries), 1).unwrap();
        let failure = lab.install(name).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Corrupt, "{name}: {failure}");
        assert_eq!(lab.level(), at("1.0"), "{name}");
        let strays = walk(lab.dir.path()).into_iter().filter(|path| path.contains("escaped")).count();
        assert_eq!(strays, 0, "{name}");
    }
    assert!(!std::path::Path::new("/tmp/patchflow-escaped").exists());
}

fn walk(dir: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(walk(&entry.path()));
        }
        found.push(entry.path().to_string_lossy().into_owned());
    }
    found
}

#[test]
fn the_same_path_twice_is_refused() {
    let lab = Lab::new();
    let twice = [("a", tar::EntryType::Regular, &b"1"[..]), ("a", tar::EntryType::Regular, b"2")];
    lab.publisher.publish_archive(Release::new("shop", "twice"), &wicked(&twice), 2).unwrap();
    lab.install("twice").unwrap_err();
    assert_eq!(lab.level(), at("1.0"));
}

#[test]
fn an_archive_that_unpacks_to_more_than_allowed_is_stopped() {
    let lab = Lab::new();
    let limits = ArtifactLimits { entries_max: 10, unpacked_bytes_max: 1000 };
    let backend =
        ArtifactBackend::new(lab.dir.path().join("hosts"), lab.publisher.repository()).limited(limits);
    let bomb = pack([("zeros", &vec![0; 4_000_000][..], false)]).unwrap();
    assert!(bomb.len() < 10_000);
    // It says that it is small.
    let release = lab.publisher.publish_archive(Release::new("shop", "bomb"), &bomb, 10).unwrap();
    assert_eq!(kind(backend.install_patch(&lab.host, &release.to_patch("lab"))), FailureKind::Corrupt);
    let many: Vec<_> = (0..11).map(|n| ArtifactFile::new(format!("f{n}"), "")).collect();
    let release = lab.publisher.publish(Release::new("shop", "many"), &many).unwrap();
    assert_eq!(kind(backend.install_patch(&lab.host, &release.to_patch("lab"))), FailureKind::Corrupt);
    let release = lab.publisher.publish_archive(Release::new("shop", "honest"), &bomb, 4_000_000).unwrap();
    assert_eq!(kind(backend.look_before(&lab.host, &release.to_patch("lab"))), FailureKind::Unsupported);
    // A header that announces a long name without end is cut off by the same limit.
    let endless = wicked(&[("long", tar::EntryType::GNULongName, &vec![b'a'; 4_000_000])]);
    let release = lab.publisher.publish_archive(Release::new("shop", "endless"), &endless, 10).unwrap();
    backend.install_patch(&lab.host, &release.to_patch("lab")).unwrap_err();
    assert_eq!(lab.level(), at("1.0"));
}

#[test]
fn an_archive_that_is_none_is_corrupt() {
    let lab = Lab::new();
    for (version, bytes) in [
        ("text", &b"hello"[..]),
        ("empty", b""),
        ("cut", &pack([("a", &[7; 9000][..], false)]).unwrap()[..40]),
    ] {
        lab.publisher.publish_archive(Release::new("shop", version), bytes, 1).unwrap();
        assert_eq!(kind(lab.install(version)), FailureKind::Corrupt, "{version}");
    }
}

#[test]
fn something_in_the_way_fails_the_install_and_leaves_the_old_version_in_use() {
    let lab = Lab::new();
    fs::write(lab.app().join("staging"), "a file where a directory should be").unwrap();
    lab.install("1.1").unwrap_err();
    assert_eq!(lab.level(), at("1.0"));
    fs::remove_file(lab.app().join("staging")).unwrap();
    // A directory stands where the new pointer would be written: it fails for root, too.
    fs::create_dir(lab.app().join("current.new")).unwrap();
    lab.install("1.1").unwrap_err();
    assert_eq!(lab.level(), at("1.0"));
    fs::remove_dir(lab.app().join("current.new")).unwrap();
    lab.install("1.1").unwrap();
    assert_eq!(lab.level(), at("1.1"), "and once it is out of the way it goes on");
}

#[test]
fn a_crash_between_unpacking_and_switching_is_recovered() {
    let lab = Lab::new();
    // As after a kill in the middle of unpacking: half of the files, no manifest, and the copied archive.
    fs::create_dir_all(lab.app().join("staging/files/bin")).unwrap();
    fs::write(lab.app().join("staging/archive"), "half").unwrap();
    fs::write(lab.app().join("staging/files/bin/shop"), "half").unwrap();
    assert_eq!(lab.backend.recover(&lab.host), Recovery::Whole);
    assert!(!lab.app().join("staging").exists());
    assert_eq!(lab.level(), at("1.0"));
    // As after a kill between the rename of the directory and the switch.
    lab.install("1.1").unwrap();
    fs::write(lab.app().join("current"), "1.0\n").unwrap();
    assert_eq!(lab.backend.recover(&lab.host), Recovery::Whole);
    assert_eq!(lab.level(), at("1.0"));
    lab.install("1.1").unwrap();
    assert_eq!(lab.level(), at("1.1"));
}

#[test]
fn a_crash_between_the_switch_and_its_action_repeats_the_action() {
    let lab = Lab::new();
    let runs = Arc::new(AtomicUsize::new(0));
    let works = Arc::new(AtomicBool::new(false));
    let (counted, working) = (Arc::clone(&runs), Arc::clone(&works));
    let backend = ArtifactBackend::new(lab.dir.path().join("hosts"), lab.publisher.repository())
        .after_switch(move |switched| {
            counted.fetch_add(1, Ordering::SeqCst);
            assert_eq!(switched.now.as_ref().unwrap().0, "1.1");
            if working.load(Ordering::SeqCst) {
                Ok(())
            } else {
                Err(Failure::new(FailureKind::ScriptFailed, "no"))
            }
        });
    let install = || backend.install_patch(&lab.host, &lab.patch("1.1"));
    assert_eq!(kind(install()), FailureKind::ScriptFailed);
    assert_eq!(backend.recover(&lab.host), Recovery::Whole, "the next order may take it back");
    let level = backend.level(&lab.host, &lab.patch("1.1").target);
    assert_eq!(
        level,
        Level::Version { version: "1.1".into(), intact: false },
        "it does not count as installed"
    );
    works.store(true, Ordering::SeqCst);
    assert_eq!(backend.recover(&lab.host), Recovery::Whole);
    assert_eq!(backend.recover(&lab.host), Recovery::Whole);
    assert_eq!(runs.load(Ordering::SeqCst), 3, "once it has ended well it is not repeated");
    install().unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 3, "nor for a version that is in use");
}

#[test]
fn a_damaged_version_is_no_way_back_and_is_not_called_whole() {
    let lab = Lab::new();
    lab.install("1.1").unwrap();
    let old = lab.app().join("versions/1.0/share/about/version");
    fs::write(&old, "0.9").unwrap();
    let back = || lab.backend.revert_to(&lab.host, &lab.patch("1.1").target, Some("1.0"));
    assert_eq!(kind(back()), FailureKind::NoRollbackPath);
    fs::remove_dir_all(lab.app().join("versions/1.0")).unwrap();
    assert_eq!(kind(back()), FailureKind::NoRollbackPath);
    assert_eq!(lab.level(), at("1.1"));
    fs::remove_file(lab.app().join("versions/1.1/bin/shop")).unwrap();
    assert_eq!(lab.level(), Level::Version { version: "1.1".into(), intact: false });
    assert_eq!(lab.backend.way_back(&lab.host, "shop"), Ok(RollbackPath::None));
    let record = lab.backend.record(&lab.host, Timestamp::default()).unwrap();
    assert_eq!(record.patch_level.broken.len(), 1);
    lab.install("1.1").unwrap();
    assert_eq!(lab.level(), at("1.1"), "an install mends it");
}

#[test]
fn a_reader_sees_the_old_version_or_the_new_one() {
    let lab = Lab::new();
    lab.install("1.1").unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = [0_u32; 2];
            while !done.load(Ordering::SeqCst) {
                let (version, dir) =
                    lab.backend.current(&lab.host, "shop").unwrap().expect("there always is one");
                let about = fs::read_to_string(dir.join("share/about/version")).unwrap();
                assert_eq!(version, about);
                seen[usize::from(version == "1.1")] += 1;
            }
            seen
        });
        let target = lab.patch("1.1").target;
        for _ in 0..200 {
            lab.backend.revert_to(&lab.host, &target, Some("1.0")).unwrap();
            lab.install("1.1").unwrap();
        }
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap();
    });
}

#[test]
fn a_hold_keeps_the_version_until_it_is_let_go() {
    let lab = Lab::new();
    let package = lab.patch("1.1").target.package;
    lab.backend.set_hold(&lab.host, &package, true).unwrap();
    assert_eq!(kind(lab.install("1.1")), FailureKind::Denied);
    assert_eq!(kind(lab.backend.look_before(&lab.host, &lab.patch("1.1"))), FailureKind::Denied);
    assert!(lab.backend.record(&lab.host, Timestamp::default()).unwrap().installed[0].held);
    lab.backend.set_hold(&lab.host, &package, false).unwrap();
    lab.backend.set_hold(&lab.host, &package, false).unwrap();
    lab.install("1.1").unwrap();
    assert!(lab.app().join("versions/1.0").exists());
}

#[test]
fn the_record_shows_what_is_installed_and_what_is_offered() {
    let lab = Lab::new();
    let feature =
        Release { category: patchflow_core::catalog::Category::Feature, ..Release::new("shop", "1.10") };
    lab.publisher.publish(feature, &files("1.10")).unwrap();
    lab.publisher.publish(Release::new("shop", "0.9"), &files("0.9")).unwrap();
    lab.publisher.publish(Release::new("other", "5"), &files("5")).unwrap();
    let record = lab.backend.record(&lab.host, Timestamp::from_secs(7)).unwrap();
    assert_eq!((record.id.as_str(), record.read_at), ("web-1", Timestamp::from_secs(7)));
    let [has] = &record.installed[..] else { panic!("{record:?}") };
    assert_eq!((has.version.as_str(), has.intact, has.held), ("1.0", true, false));
    let [update] = &record.available[..] else { panic!("{record:?}") };
    assert_eq!((update.from.as_deref(), update.to.as_str()), (Some("1.0"), "1.10"));
    assert!(update.security, "1.1 between them is one");
    assert_eq!((record.patch_level.pending_security, record.patch_level.pending_other), (1, 0));
    assert!(record.patch_level.last_updated.is_some() && !record.reboot_required);
    lab.install("1.10").unwrap();
    assert!(lab.backend.record(&lab.host, Timestamp::default()).unwrap().available.is_empty());
}

#[test]
fn a_patch_that_requires_a_reboot_says_so_on_the_host() {
    let lab = Lab::new();
    let release = Release { reboot: RebootBehaviour::Required, ..Release::new("shop", "2.0") };
    lab.publisher.publish(release, &files("2.0")).unwrap();
    assert!(!lab.backend.reboot_required(&lab.host));
    lab.install("2.0").unwrap();
    assert!(lab.backend.reboot_required(&lab.host));
}

#[test]
fn names_that_lead_elsewhere_are_no_hosts_packages_or_versions() {
    let lab = Lab::new();
    for name in ["..", ".", "", "a/b", "a\\b", "web-1/..", ".hidden", "a:b", "con\0"] {
        assert!(lab.backend.state_dir(&name.into()).is_none(), "{name:?}");
        assert!(lab.backend.add_host(&name.into(), &HostFile::default()).is_err(), "{name:?}");
        assert!(lab.backend.current(&lab.host, name).is_err(), "{name:?}");
        assert!(lab.publisher.publish(Release::new(name, "1"), &[]).is_err(), "{name:?}");
        assert!(lab.publisher.publish(Release::new("shop", name), &[]).is_err(), "{name:?}");
    }
    assert_eq!(lab.backend.endpoints(), ["web-1".into()]);
    for pointer in ["../../../etc", "", "\u{fffd}"] {
        fs::write(lab.app().join("current"), pointer).unwrap();
        assert!(matches!(lab.level(), Level::Unreadable { .. }), "{pointer:?}");
    }
}

#[test]
fn a_published_version_is_not_published_again_with_other_content() {
    let lab = Lab::new();
    lab.publisher.publish(Release::new("shop", "1.1"), &files("1.1")).unwrap();
    assert_eq!(lab.publisher.repository().releases().unwrap().len(), 2);
    let again = lab.publisher.publish(Release::new("shop", "1.1"), &files("other"));
    assert!(matches!(again, Err(PublishError::Exists { .. })));
}

#[test]
fn a_broken_index_is_said_to_be_and_one_bad_release_hides_no_other() {
    let lab = Lab::new();
    let index = lab.publisher.repository().dir().join("index.json");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, text.replacen("\"1.0\"", "\"../1.0\"", 1)).unwrap();
    let versions: Vec<_> =
        lab.publisher.repository().releases().unwrap().into_iter().map(|r| r.version).collect();
    assert_eq!(versions, ["1.1"]);
    for bad in [&text[..text.len() / 2], "", "{\"format\":2,\"releases\":[]}"] {
        fs::write(&index, bad).unwrap();
        assert_eq!(kind(lab.publisher.repository().releases()), FailureKind::Corrupt, "{bad:?}");
    }
    fs::remove_file(&index).unwrap();
    assert_eq!(kind(lab.publisher.repository().releases()), FailureKind::Network);
}

#[test]
fn the_source_pages_and_tells_what_was_withdrawn() {
    let lab = Lab::new();
    let source = ArtifactSource::new("lab", lab.publisher.repository()).unwrap();
    let page = |since: Option<&Cursor>, limit| {
        use patchflow_core::sdk::PatchSource as _;
        crate::local::block_on(source.page(since, limit)).unwrap()
    };
    let first = page(None, 1);
    assert!(matches!(&first.items[..], [PublishedPatch::Published(p)] if p.id.as_str() == "shop=1.0"));
    assert!(first.more);
    let second = page(Some(&first.next), 9);
    assert!(
        matches!(&second.items[..], [PublishedPatch::Published(p)] if p.content == lab.backend_release("1.1").sha256)
    );
    assert!(!second.more && page(Some(&second.next), 9).items.is_empty());
    lab.publisher.publish(Release::new("shop", "1.2"), &files("1.2")).unwrap();
    assert_eq!(page(Some(&second.next), 9).items.len(), 1);
    lab.publisher.withdraw("shop", "1.0", "old").unwrap();
    let all = page(Some(&second.next), 9).items;
    assert_eq!(all.len(), 3, "what was handed out has changed");
    assert!(matches!(&all[0], PublishedPatch::Withdrawn { reason, .. } if reason == "old"));
}

#[cfg(unix)]
#[test]
fn a_command_after_the_switch_hears_what_was_switched() {
    let lab = Lab::new();
    let with = |script: &str| {
        let argv = ["/bin/sh", "-c", script].map(Into::into).to_vec();
        ArtifactBackend::new(lab.dir.path().join("hosts"), lab.publisher.repository())
            .after_switch_command(crate::local::CommandRunner::default(), argv)
    };
    let backend =
        with("echo $PATCHFLOW_ENDPOINT $PATCHFLOW_PACKAGE $PATCHFLOW_VERSION > $PATCHFLOW_DIR/../../seen");
    backend.install_patch(&lab.host, &lab.patch("1.1")).unwrap();
    assert_eq!(fs::read_to_string(lab.app().join("seen")).unwrap(), "web-1 shop 1.1\n");
    let failure =
        with("echo it is stuck >&2; exit 4").revert_to(&lab.host, &lab.patch("1.1").target, Some("1.0"));
    assert_eq!(failure.unwrap_err().detail, "after the switch: exit 4: it is stuck");
}

#[cfg(feature = "artifact-signed")]
#[test]
fn a_signed_index_is_read_only_under_a_trusted_key() {
    let dir = tempfile::tempdir().unwrap();
    let publisher = Publisher::open(dir.path()).unwrap().signing(&[7; 32]);
    let key = publisher.public_key().unwrap();
    publisher.publish(Release::new("shop", "1.0"), &files("1.0")).unwrap();
    let stranger = Publisher::open(dir.path()).unwrap().signing(&[8; 32]).public_key().unwrap();
    let trusting = |keys: &[[u8; 32]]| publisher.repository().trusting(keys).unwrap();
    assert_eq!(trusting(&[stranger, key]).releases().unwrap().len(), 1);
    assert_eq!(kind(trusting(&[stranger]).releases()), FailureKind::Corrupt);
    let text = fs::read_to_string(dir.path().join("index.json")).unwrap();
    fs::write(dir.path().join("index.json"), text.replace("moderate", "critical")).unwrap();
    assert_eq!(kind(trusting(&[key]).releases()), FailureKind::Corrupt, "changed after it was signed");
    fs::write(dir.path().join("index.json"), text).unwrap();
    assert_eq!(trusting(&[key]).releases().unwrap().len(), 1);
    fs::remove_file(dir.path().join("index.json.sig")).unwrap();
    assert_eq!(kind(trusting(&[key]).releases()), FailureKind::Corrupt, "not signed");
    assert_eq!(publisher.repository().trusting(&[[0; 32]]).unwrap_err(), crate::artifact::repository::BadKey);
}
