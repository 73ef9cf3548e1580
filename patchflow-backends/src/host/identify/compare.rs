//! One endpoint against one patch: does it need it, does it have it, and is there a way back.
//!
//! An endpoint needs a patch when its own sources offer exactly the target version, and has it when that, or what its
//! package manager calls newer, is installed and whole. Anything else is not applicable, which holds a patch back but
//! never installs a wrong one. What cannot be compared is left to the engine, which holds it.

use patchflow_core::catalog::{Patch, Target};
use patchflow_core::fleet::Standing;
use patchflow_core::inventory::EndpointRecord;
use patchflow_core::plan::RollbackPath;
use std::cmp::Ordering;

/// How an endpoint stands to a patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison<'a> {
    /// Needs it, has it, or has nothing to do with it.
    pub standing: Standing,
    /// The version that is installed now.
    pub present: Option<&'a str>,
    /// The way back to it, of those the installer knows.
    pub path: RollbackPath,
}

/// Compares an endpoint with a patch. `paths` are the ways back that the installer knows, best first.
///
/// ```
/// use patchflow_backends::host::identify::compare;
/// use patchflow_core::{fleet::Standing, plan::RollbackPath};
/// # use patchflow_core::{catalog::*, digest::Digest, inventory::*, package::*};
/// # let curl = PackageName::new(Ecosystem::Deb, "curl");
/// # let endpoint = EndpointRecord {
/// #     os: "debian 12".into(),
/// #     installed: vec![InstalledSoftware::new(curl.clone(), "7.88.1-10")],
/// #     available: vec![AvailableUpdate { package: curl.clone(), from: Some("7.88.1-10".into()), to: "7.88.1-11".into(), suite: String::new(), origin: String::new(), security: true }],
/// #     ..EndpointRecord::new("web-1".into(), Environment::Production, Default::default())
/// # };
/// # let patch = Patch {
/// #     id: "DSA-1".into(), title: String::new(), target: Target { package: curl, version: "7.88.1-11".into() },
/// #     category: Category::Security, severity: Severity::Critical, cves: vec![], released: None, disclosed: None, exploited: None, closes: vec![], platform: None,
/// #     reboot: RebootBehaviour::Never, relations: Relations::default(), content: Digest::of(b""), source: String::new(),
/// # };
/// let found = compare(&endpoint, &patch, &[RollbackPath::Reinstall]);
/// assert_eq!((found.standing, found.present, found.path), (Standing::Needs, Some("7.88.1-10"), RollbackPath::Reinstall));
/// ```
#[must_use]
pub fn compare<'a>(endpoint: &'a EndpointRecord, patch: &Patch, paths: &[RollbackPath]) -> Comparison<'a> {
    let target = &patch.target;
    let installed = endpoint.installed.iter().find(|software| software.package == target.package);
    let offered = endpoint
        .available
        .iter()
        .any(|update| update.package == target.package && update.to == target.version);
    let present = installed.map(|software| software.version.as_str());
    let order = present.and_then(|present| target.compare_present(present)?.ok());
    let intact = installed.is_none_or(|software| software.intact);
    let standing = stand(present, intact, order, target, offered);
    let path = if standing == Standing::Needs && present != Some(&target.version) {
        way_back(present.is_some(), paths)
    } else {
        // Nothing to go back from, or no other version to go back to.
        RollbackPath::None
    };
    Comparison { standing, present, path }
}

/// How an endpoint stands to a target, by what is there of its package and whether something asks for it there.
pub(super) fn stand(
    present: Option<&str>,
    intact: bool,
    order: Option<Ordering>,
    target: &Target,
    wanted: bool,
) -> Standing {
    match present {
        Some(_) if order == Some(Ordering::Greater) => {
            // Newer, but half-installed: this patch must not mend it, that would be a step back.
            if intact { Standing::Has } else { Standing::NotApplicable }
        }
        // The same version under another text.
        Some(_) if order == Some(Ordering::Equal) && intact => Standing::Has,
        Some(present) if present == target.version && intact => Standing::Has,
        // At the target, but half-installed: installing it again is what mends it.
        Some(present) if present == target.version => Standing::Needs,
        Some(_) | None if wanted => Standing::Needs,
        Some(_) | None => Standing::NotApplicable,
    }
}

/// The first way back that leads where the endpoint is now.
pub(super) fn way_back(was_installed: bool, paths: &[RollbackPath]) -> RollbackPath {
    let leads_back = |path: &RollbackPath| match path {
        RollbackPath::None => false,
        RollbackPath::Reinstall | RollbackPath::Switch => was_installed,
        RollbackPath::Uninstall => !was_installed,
        RollbackPath::Snapshot => true,
    };
    paths.iter().copied().find(leads_back).unwrap_or(RollbackPath::None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use patchflow_core::catalog::{Category, RebootBehaviour, Relations, Severity};
    use patchflow_core::digest::Digest;
    use patchflow_core::inventory::{AvailableUpdate, Environment, InstalledSoftware};
    use patchflow_core::package::{Ecosystem, PackageName};
    use patchflow_core::time::Timestamp;

    const PATHS: [RollbackPath; 2] = [RollbackPath::Reinstall, RollbackPath::Uninstall];

    fn curl() -> PackageName {
        PackageName::new(Ecosystem::Deb, "curl")
    }

    fn patch() -> Patch {
        Patch {
            id: "DSA-1".into(),
            title: "curl".into(),
            target: Target { package: curl(), version: "2".into() },
            category: Category::Security,
            severity: Severity::High,
            cves: vec![],
            released: None,
            disclosed: None,
            exploited: None,
            closes: Vec::new(),
            platform: None,
            reboot: RebootBehaviour::Never,
            relations: Relations::default(),
            content: Digest::of(b"curl 2"),
            source: "test".into(),
        }
    }

    fn endpoint(installed: Option<(&str, bool)>, offered: Option<&str>) -> EndpointRecord {
        let installed = installed
            .map(|(version, intact)| InstalledSoftware { intact, ..InstalledSoftware::new(curl(), version) });
        let available = offered.map(|to| AvailableUpdate {
            package: curl(),
            from: installed.as_ref().map(|software| software.version.clone()),
            to: to.into(),
            suite: "security".into(),
            origin: "test".into(),
            security: true,
        });
        EndpointRecord {
            os: "debian 12".into(),
            installed: installed.into_iter().collect(),
            available: available.into_iter().collect(),
            ..EndpointRecord::new("a".into(), Environment::Production, Timestamp::from_secs(0))
        }
    }

    #[test]
    fn every_case_of_installed_and_offered() {
        use RollbackPath::{None as NoWay, Reinstall, Uninstall};
        use Standing::{Has, Needs, NotApplicable};
        let cases = [
            (Some(("1", true)), Some("2"), Needs, Reinstall),
            (Some(("1", false)), Some("2"), Needs, Reinstall),
            (Some(("1", true)), Some("3"), NotApplicable, NoWay),
            (Some(("1", true)), None, NotApplicable, NoWay),
            (Some(("2", true)), None, Has, NoWay),
            (Some(("2", true)), Some("3"), Has, NoWay),
            (Some(("2", false)), None, Needs, NoWay),
            (Some(("3", true)), None, Has, NoWay),
            (Some(("10", true)), Some("2"), Has, NoWay),
            (Some(("3", false)), Some("2"), NotApplicable, NoWay),
            (Some(("0:2", true)), Some("2"), Has, NoWay),
            (Some(("2 beta", true)), Some("2"), Needs, Reinstall),
            (None, Some("2"), Needs, Uninstall),
            (None, None, NotApplicable, NoWay),
        ];
        for (installed, offered, standing, path) in cases {
            let endpoint = endpoint(installed, offered);
            let found = compare(&endpoint, &patch(), &PATHS);
            let expected = Comparison { standing, present: installed.map(|(version, _)| version), path };
            assert_eq!(found, expected, "installed {installed:?}, offered {offered:?}");
        }
    }

    #[test]
    fn a_way_back_is_one_that_the_installer_knows_and_that_leads_back() {
        use RollbackPath::{None as NoWay, Reinstall, Snapshot, Switch, Uninstall};
        assert_eq!(way_back(true, &[]), NoWay);
        assert_eq!(way_back(true, &[NoWay, Uninstall]), NoWay);
        assert_eq!(way_back(true, &[Uninstall, Switch, Reinstall]), Switch);
        assert_eq!(way_back(false, &[Reinstall, Snapshot]), Snapshot);
        assert_eq!(way_back(false, &[Reinstall, Switch]), NoWay);
    }

    #[test]
    fn the_same_name_in_another_ecosystem_is_another_package() {
        let mut patch = patch();
        patch.target.package.ecosystem = Ecosystem::Rpm;
        let endpoint = endpoint(Some(("1", true)), Some("2"));
        assert_eq!(compare(&endpoint, &patch, &PATHS).standing, Standing::NotApplicable);
    }
}
