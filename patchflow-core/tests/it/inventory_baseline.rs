//! The baseline assessment: what it counts, and how two are compared.

use patchflow_core::inventory::*;
use patchflow_core::package::{Ecosystem, PackageName};
use patchflow_core::report::{Gap, InventoryBaseline, inventory_baseline};
use patchflow_core::time::Timestamp;
use std::time::Duration;

const WEEK: Duration = Duration::from_secs(7 * 86_400);

fn at(day: u64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000).plus_secs(day * 86_400)
}

fn estate() -> InventoryIndex {
    let mut index = InventoryIndex::new();
    let curl = |version: &str| InstalledSoftware::new(PackageName::new(Ecosystem::Deb, "curl"), version);
    for (id, day, os, version) in [
        ("a", 0, "debian 12", "7.88-1"),
        ("b", 9, "debian 12.4", "7.88-2"),
        ("c", 9, "ubuntu 24.04", "8.5-1"),
        ("d", 9, "", "not a version!"),
    ] {
        let record = EndpointRecord {
            os: os.into(),
            installed: vec![curl(version)],
            fingerprint: Some(if id == "c" { "cafe" } else { id }.into()).filter(|_| id != "d"),
            managed_by: (id == "b").then(|| "wsus".into()),
            criticality: if id == "a" { Criticality::High } else { Criticality::Unknown },
            exposure: Exposure::Internal,
            reboot_required: id == "c",
            patch_level: PatchLevel { pending_security: u32::from(id == "a"), ..PatchLevel::default() },
            ..EndpointRecord::new(id.into(), Environment::Production, at(day))
        };
        index.put(&record);
    }
    index.miss(&"e".into(), at(1), "no agent");
    index
}

fn gap(baseline: &InventoryBaseline, gap: Gap) -> (u64, Vec<String>) {
    let count = baseline.gaps.get(&gap).cloned().unwrap_or_default();
    (count.endpoints, count.examples.iter().map(ToString::to_string).collect())
}

#[test]
fn a_baseline_says_what_is_there_and_what_is_not_known() {
    let baseline = inventory_baseline(&estate(), at(10), WEEK);
    assert_eq!((baseline.endpoints, baseline.environments["production"]), (5, 4));
    assert_eq!(
        baseline.operating_systems,
        [("debian 12".into(), 2), ("ubuntu 24.04".into(), 1), ("unknown".into(), 1)].into()
    );
    assert_eq!(baseline.tools, [("wsus".into(), 1)].into());
    let curl = &baseline.applications["deb:curl on debian 12"];
    assert_eq!((curl.installations, curl.versions.len()), (2, 2));
    assert_eq!(baseline.applications["deb:curl on ubuntu 24.04"].versions["8.5-1"], 1);
    let silent: Vec<_> = baseline.silent.iter().map(|s| (s.id.to_string(), s.last, s.why.clone())).collect();
    assert_eq!(silent, [("a".into(), Some(at(0)), None), ("e".into(), None, Some("no agent".into()))]);
    for (kind, who) in [
        (Gap::Stale, vec!["a"]),
        (Gap::NeverReported, vec!["e"]),
        (Gap::OtherManager, vec!["b"]),
        (Gap::SecurityUpdatesPending, vec!["a"]),
        (Gap::RebootPending, vec!["c"]),
        (Gap::BrokenPackages, vec![]),
        (Gap::HeldPackages, vec![]),
        (Gap::UnknownSystem, vec!["d"]),
        (Gap::UnknownCriticality, vec!["b", "c", "d"]),
        (Gap::UnknownExposure, vec![]),
        (Gap::NoFingerprint, vec!["d"]),
        (Gap::SharedFingerprint, vec![]),
        (Gap::UnreadableVersion, vec!["d"]),
    ] {
        assert_eq!(
            gap(&baseline, kind),
            (who.len() as u64, who.iter().map(ToString::to_string).collect()),
            "{kind:?}"
        );
    }
    let text = serde_json::to_string(&baseline).unwrap();
    assert_eq!(serde_json::from_str::<InventoryBaseline>(&text).unwrap(), baseline, "it can be kept");
    assert_eq!(inventory_baseline(&InventoryIndex::new(), at(10), Duration::MAX).endpoints, 0);
}

#[test]
fn two_baselines_are_compared() {
    let mut index = estate();
    let before = inventory_baseline(&index, at(10), WEEK);
    assert!(before.since(&before).gaps.is_empty());
    let held = InstalledSoftware {
        held: true,
        intact: false,
        ..InstalledSoftware::new(PackageName::new(Ecosystem::Deb, "curl"), "7.88-2")
    };
    let record = EndpointRecord {
        os: "debian 12".into(),
        installed: vec![held],
        fingerprint: Some("b".into()),
        ..EndpointRecord::new("a".into(), Environment::NonProduction, at(20))
    };
    index.put(&record);
    index.remove(&"d".into());
    let change = inventory_baseline(&index, at(20), WEEK).since(&before);
    assert_eq!((change.from, change.to, change.endpoints), (at(10), at(20), (5, 4)));
    assert_eq!(
        change.environments,
        [("production".into(), (4, 2)), ("non-production".into(), (0, 1))].into()
    );
    assert_eq!(change.operating_systems, [("unknown".into(), (1, 0))].into());
    assert_eq!(change.applications.get("deb:curl on debian 12"), None, "as often as before");
    assert_eq!(change.gaps[&Gap::SharedFingerprint], (0, 2), "a and b");
    assert_eq!((change.gaps[&Gap::HeldPackages], change.gaps[&Gap::BrokenPackages]), ((0, 1), (0, 1)));
    assert_eq!(change.gaps[&Gap::Stale], (1, 2), "b and c have gone silent, a is back");
    let names =
        |ids: &[patchflow_core::ids::EndpointId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        (names(&change.fell_silent), names(&change.came_back)),
        (vec!["b".to_owned(), "c".into()], vec!["a".to_owned()])
    );
    assert_eq!(Gap::Stale.to_string(), "were last read too long ago");
}
