//! Staging and bundles against real directories.

use super::*;
use patchflow_core::catalog::Patch;
use patchflow_core::ids::EndpointId;
use patchflow_core::report::{BundleItem, StagingBundle};
use std::fs;
use std::path::PathBuf;

struct Lab {
    dir: tempfile::TempDir,
    backend: ArtifactBackend,
    repository: Repository,
    host: EndpointId,
    patch: Patch,
}

fn lab() -> Lab {
    let dir = tempfile::tempdir().unwrap();
    let publisher = Publisher::open(dir.path().join("repository")).unwrap();
    for version in ["1.0", "1.1"] {
        let files = [ArtifactFile::new("bin/shop", format!("#!shop {version}"))];
        publisher.publish(Release::new("shop", version), &files).unwrap();
    }
    let repository = publisher.repository();
    let backend = ArtifactBackend::new(dir.path().join("hosts"), repository.clone());
    let host: EndpointId = "web-1".into();
    backend.add_host(&host, &HostFile::default()).unwrap();
    backend.seed(&host, "shop", "1.0").unwrap();
    let release = repository.releases().unwrap().into_iter().find(|r| r.version == "1.1").unwrap();
    Lab { patch: release.to_patch("lab"), dir, backend, repository, host }
}

impl Lab {
    fn staged(&self) -> Vec<PathBuf> {
        let Ok(dir) = fs::read_dir(self.dir.path().join("hosts/web-1/staged")) else { return vec![] };
        let mut all: Vec<_> = dir.map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all
    }

    fn hide_the_repository(&self) {
        fs::rename(self.repository.dir(), self.dir.path().join("hidden")).unwrap();
    }

    fn wanted(&self) -> StagingBundle {
        let Patch { id, target, content, .. } = self.patch.clone();
        let endpoints = vec![self.host.clone()];
        StagingBundle { items: vec![BundleItem { patch: id, target, content, endpoints }] }
    }
}

#[test]
fn what_was_staged_is_installed_without_the_repository_and_leaves() {
    let lab = lab();
    let content = lab.backend.stage_patch(&lab.host, &lab.patch).unwrap();
    assert_eq!(content, lab.patch.content);
    assert_eq!(lab.backend.current(&lab.host, "shop").unwrap().unwrap().0, "1.0", "nothing is installed");
    assert_eq!(lab.staged().len(), 2);
    assert_eq!(lab.backend.stage_patch(&lab.host, &lab.patch), Ok(content), "again is the same");
    lab.hide_the_repository();
    assert_eq!(lab.backend.stage_patch(&lab.host, &lab.patch), Ok(content), "and asks nobody");
    lab.backend.install_patch(&lab.host, &lab.patch).unwrap();
    assert_eq!(lab.backend.current(&lab.host, "shop").unwrap().unwrap().0, "1.1");
    assert_eq!(lab.staged(), Vec::<PathBuf>::new());
}

#[test]
fn a_byte_that_changes_after_staging_is_found_at_the_install() {
    let lab = lab();
    lab.backend.stage_patch(&lab.host, &lab.patch).unwrap();
    let archive = lab.staged().into_iter().find(|path| path.extension().is_some_and(|e| e == "gz")).unwrap();
    let mut bytes = fs::read(&archive).unwrap();
    bytes[20] ^= 1;
    fs::write(&archive, bytes).unwrap();
    let failure = lab.backend.install_patch(&lab.host, &lab.patch).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Corrupt);
    assert_eq!(lab.backend.current(&lab.host, "shop").unwrap().unwrap().0, "1.0");
    assert_eq!(lab.backend.stage_patch(&lab.host, &lab.patch), Ok(lab.patch.content), "it is brought anew");
    lab.backend.install_patch(&lab.host, &lab.patch).unwrap();
}

#[test]
fn a_bundle_is_carried_over_and_staged_from() {
    let lab = lab();
    let place = lab.dir.path().join("stick");
    let written = Bundle::write(&lab.wanted(), &lab.repository, &place).unwrap();
    lab.hide_the_repository();
    let bundle = Bundle::open(&place).unwrap();
    assert_eq!((&bundle, bundle.files().len()), (&written, 1));
    let staged = lab.backend.stage_from(&bundle.repository(), &lab.host, &lab.patch);
    assert_eq!(staged, Ok(lab.patch.content));
    lab.backend.install_patch(&lab.host, &lab.patch).unwrap();
    assert_eq!(lab.backend.current(&lab.host, "shop").unwrap().unwrap().0, "1.1");
}

#[test]
fn a_missing_file_and_a_changed_byte_are_told_by_name() {
    let lab = lab();
    let place = lab.dir.path().join("stick");
    let bundle = Bundle::write(&lab.wanted(), &lab.repository, &place).unwrap();
    let name = bundle.files()[0].file.clone();
    let mut bytes = fs::read(place.join(&name)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(place.join(&name), bytes).unwrap();
    let flaws = Bundle::open(&place).unwrap_err();
    assert!(matches!(&flaws[..], [BundleFlaw::Changed { file, .. }] if *file == name), "{flaws:?}");
    assert!(lab.backend.stage_from(&bundle.repository(), &lab.host, &lab.patch).is_err());
    fs::remove_file(place.join(&name)).unwrap();
    let flaws = Bundle::open(&place).unwrap_err();
    assert!(matches!(&flaws[..], [BundleFlaw::Missing { file, .. }] if *file == name), "{flaws:?}");
    fs::remove_file(place.join("bundle.json")).unwrap();
    assert!(matches!(&Bundle::open(&place).unwrap_err()[..], [BundleFlaw::Unreadable(_)]));
}
