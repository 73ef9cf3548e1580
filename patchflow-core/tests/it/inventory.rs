//! The inventory index: its answers, and that they are those of a naive model after any history.

use patchflow_core::ids::{EndpointId, RecordIx, SoftwareIx};
use patchflow_core::inventory::*;
use patchflow_core::package::{Cpe, Ecosystem, PackageName, Platform};
use patchflow_core::time::Timestamp;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + secs)
}

fn deb(name: &str, version: &str) -> InstalledSoftware {
    InstalledSoftware::new(PackageName::new(Ecosystem::Deb, name), version)
}

fn endpoint(id: &str, os: &str, secs: i64, installed: Vec<InstalledSoftware>) -> EndpointRecord {
    EndpointRecord {
        os: os.into(),
        installed,
        ..EndpointRecord::new(id.into(), Environment::Production, at(secs))
    }
}

fn ids(index: &InventoryIndex, who: impl Iterator<Item = RecordIx>) -> Vec<String> {
    let mut ids: Vec<_> = who.map(|ix| index.at(ix).unwrap().id().to_string()).collect();
    ids.sort();
    ids
}

fn who_has_below(index: &InventoryIndex, name: &str, on: &str, version: &str) -> Vec<String> {
    let package = PackageName::new(Ecosystem::Deb, name);
    let found = index.below(&package, Some(&Platform::named(on)), version).unwrap();
    ids(index, index.holders_of(&found.software))
}

#[test]
fn an_endpoint_is_shown_as_it_was_reported() {
    let mut index = InventoryIndex::new();
    let mut record =
        endpoint("web-1", "debian 12.5", 0, vec![deb("curl", "7.88.1-10"), deb("bash", "5.2-1")]);
    record.installed[0].held = true;
    record.installed[1].intact = false;
    record.installed[0].arch = "amd64".into();
    record.installed[0].built_from = Some(BuiltFrom { name: "curl".into(), version: "7.88.1-10".into() });
    record.patch_level = PatchLevel {
        pending_security: 3,
        pending_other: 5,
        last_updated: Some(at(-9)),
        broken: vec![record.installed[1].package.clone()],
    };
    record.scope = ScopePath("acme/berlin".into());
    record.tags = BTreeMap::from([("role".into(), "web".into()), ("owner".into(), "ada".into())]);
    (record.criticality, record.exposure) = (Criticality::High, Exposure::Internet);
    (record.zone, record.group, record.calendar) =
        (Some("dmz".into()), Some("pair".into()), Some("nights".into()));
    (record.fingerprint, record.managed_by) = (Some("4c0d".into()), Some("wsus".into()));
    record.reboot_required = true;
    let change = index.put(&record);
    assert_eq!((change.taken, change.added.len(), change.seen.len()), (Taken::New, 2, 2));
    let view = index.endpoint(&"web-1".into()).unwrap();
    assert_eq!(view.to_record(), record);
    assert_eq!(
        view.platform(),
        Some(&Platform::new("debian", "12")),
        "the point release is not what packages are for"
    );
    assert_eq!(view.age(at(60)), Some(Duration::from_secs(60)));
    assert_eq!((view.software_len(), index.installed_len(), index.software_len()), (2, 2, 2));
    assert!(index.endpoint(&"web-2".into()).is_none());
}

#[test]
fn a_change_names_what_came_what_went_and_what_was_never_seen() {
    let mut index = InventoryIndex::new();
    let first = index.put(&endpoint("a", "debian 12", 0, vec![deb("curl", "1"), deb("bash", "1")]));
    let second = index.put(&endpoint("b", "debian 12", 0, vec![deb("curl", "1")]));
    let curl = second.added[0];
    assert!(second.seen.is_empty() && first.seen.contains(&curl), "the second endpoint brings nothing new");
    assert_eq!(ids(&index, index.holders(curl)), ["a", "b"]);

    let updated = index.put(&endpoint("a", "debian 12", 1, vec![deb("curl", "2"), deb("bash", "1")]));
    assert_eq!((updated.taken, &*updated.removed, updated.gone.len()), (Taken::Replaced, &[curl][..], 0));
    assert_eq!((updated.added.len(), &updated.seen), (1, &updated.added));
    assert!(!updated.standing_changed);

    let again = index.put(&endpoint("a", "debian 12", 2, vec![deb("curl", "2"), deb("bash", "1")]));
    assert!(again.added.is_empty() && again.removed.is_empty() && !again.standing_changed, "nothing new");
    let late = index.put(&endpoint("a", "debian 12", 1, vec![]));
    assert_eq!(
        (late.taken, late.removed.len()),
        (Taken::TooOld, 0),
        "an older reading that comes late changes nothing"
    );

    let last = index.put(&endpoint("b", "debian 12", 1, vec![]));
    assert_eq!((&*last.gone, index.software(curl).is_none()), (&[curl][..], true), "nobody has it any more");
    let removed = index.remove(&"a".into()).unwrap();
    assert_eq!((removed.removed.len(), removed.gone.len(), index.len()), (2, 2, 1));
    assert_eq!((index.remove(&"a".into()), index.software_len(), index.installed_len()), (None, 0, 0));

    index.put(&endpoint("b", "debian 13", 2, vec![deb("curl", "1")]));
    let moved = index.put(&endpoint("b", "debian 12", 3, vec![deb("curl", "1")]));
    assert_eq!(
        (moved.added.len(), moved.removed.len(), moved.standing_changed),
        (1, 1, true),
        "another platform"
    );
}

#[test]
fn who_has_a_package_below_a_version() {
    let mut index = InventoryIndex::new();
    for (id, os, version) in [
        ("a", "debian 12", "3.0.9-1"),
        ("b", "debian 12", "3.0.11-1~deb12u2"),
        ("c", "debian 12", "3.0.11-1"),
        ("d", "ubuntu 22.04", "3.0.2-0ubuntu1.10"),
        ("e", "debian 12", ""),
    ] {
        index.put(&endpoint(id, os, 0, vec![deb("openssl", version)]));
    }
    // As texts 3.0.9 is the greatest; a tilde sorts below the end.
    assert_eq!(who_has_below(&index, "openssl", "debian 12", "3.0.11-1"), ["a", "b"]);
    assert_eq!(who_has_below(&index, "openssl", "debian 12", "3.0.9-1"), Vec::<String>::new());
    assert_eq!(
        who_has_below(&index, "openssl", "ubuntu 22.04", "3.0.11-1"),
        ["d"],
        "the other history is left alone"
    );
    assert_eq!(who_has_below(&index, "openssl", "ubuntu 24.04", "9"), Vec::<String>::new());

    let openssl = PackageName::new(Ecosystem::Deb, "openssl");
    let found = index.below(&openssl, Some(&Platform::named("debian 12")), "9").unwrap();
    let versions: Vec<_> =
        found.software.iter().map(|ix| &*index.software(*ix).unwrap().software.version).collect();
    assert_eq!(versions, ["3.0.9-1", "3.0.11-1~deb12u2", "3.0.11-1"], "the oldest first");
    assert_eq!(ids(&index, index.holders_of(&found.unreadable)), ["e"], "what nobody can compare is named");

    let unclear = index.below(&openssl, None, "9").unwrap_err();
    assert_eq!(
        unclear.to_string(),
        "deb:openssl is there on debian 12, ubuntu 22.04: name one of them, since their versions have nothing to do with each other"
    );
    assert!(matches!(index.below(&openssl, None, ""), Err(CannotCompare::BadVersion(_))));
    let odd = index.below(&PackageName::new(Ecosystem::Other, "x"), None, "1").unwrap_err();
    assert_eq!(odd.to_string(), "versions of the ecosystem other have no order: ask for exact versions");
    index.remove(&"d".into());
    assert_eq!(
        index.below(&openssl, None, "3.0.10").unwrap().software.len(),
        1,
        "one platform needs no name"
    );
}

#[test]
fn packages_are_found_by_their_source_too() {
    let mut index = InventoryIndex::new();
    let from = |name: &str, version: &str| Some(BuiltFrom { name: name.into(), version: version.into() });
    let library =
        InstalledSoftware { built_from: from("openssl", "3.0.9-1"), ..deb("libssl3", "3.0.9-1+b4") };
    let program = deb("openssl", "3.0.9-1");
    let other =
        InstalledSoftware { built_from: from("openssl", "3.0.11-1"), ..deb("libssl-dev", "3.0.11-1") };
    index.put(&endpoint("a", "debian 12", 0, vec![library, program, other]));
    let found =
        index.built_from_below(&PackageName::new(Ecosystem::Deb, "openssl"), None, "3.0.9-1+b1").unwrap();
    let mut names: Vec<_> =
        found.software.iter().map(|ix| &*index.software(*ix).unwrap().software.package.name).collect();
    names.sort_unstable();
    assert_eq!(names, ["libssl3", "openssl"], "by the version of the source, not by the package's");
}

#[test]
fn spellings_of_one_package_are_one_and_products_are_found_by_cpe() {
    let mut index = InventoryIndex::new();
    let python = |name: &str| InstalledSoftware::new(PackageName::new(Ecosystem::Pypi, name), "5.0");
    index.put(&endpoint("a", "debian 12", 0, vec![python("Zope.Interface")]));
    index.put(&endpoint("b", "ubuntu 22.04", 0, vec![python("zope_interface")]));
    let found = index.below(&PackageName::new(Ecosystem::Pypi, "zope-interface"), None, "6").unwrap();
    assert_eq!((found.software.len(), index.holders_of(&found.software).count()), (1, 2));
    assert_eq!(index.software(found.software[0]).unwrap().platform, None);

    let zip = |version: &str, cpe: &str| InstalledSoftware {
        cpe: Some(Cpe::new(cpe).unwrap()),
        ..InstalledSoftware::new(PackageName::new(Ecosystem::Windows, "7-Zip"), version)
    };
    index.put(&endpoint("c", "windows 11 23h2", 0, vec![zip("23.01", "cpe:2.3:a:7-zip:7-zip:23.01")]));
    index.put(&endpoint("d", "windows 11 23h2", 0, vec![zip("19.0", "cpe:2.3:a:7-zip:*:19.0")]));
    let matching = |pattern: &str| {
        let found = index.matching(&Cpe::new(pattern).unwrap());
        ids(&index, index.holders_of(&found))
    };
    assert_eq!(matching("cpe:2.3:a:7-zip:7-zip:24.0"), ["c"], "the version is left to a range");
    assert_eq!(matching("cpe:2.3:a:7-zip:7*"), ["c"]);
    assert_eq!(matching("cpe:2.3:a:7-zip"), ["c", "d"]);
    assert_eq!(matching("cpe:2.3:a:igor:7-zip"), Vec::<String>::new());
    index.remove(&"c".into());
    assert_eq!(index.matching(&Cpe::new("cpe:2.3:a:7-zip:7-zip").unwrap()), []);
}

#[test]
fn who_is_silent_and_since_when() {
    let mut index = InventoryIndex::new();
    index.put(&endpoint("old", "debian 12", 0, vec![]));
    index.put(&endpoint("new", "debian 12", 100, vec![]));
    index.miss(&"never".into(), at(50), "connection refused");
    index.miss(&"old".into(), at(90), "no route to host");
    index.miss(&"old".into(), at(80), "an older attempt, told late");
    let silent = |index: &InventoryIndex,
                  since: i64|
     -> Vec<(String, Option<Timestamp>, Timestamp, String)> {
        index
            .not_reported_since(at(since))
            .map(|who| {
                (who.id.to_string(), who.last, who.since, who.missed.map_or("", |(_, why)| why).to_owned())
            })
            .collect()
    };
    let old = ("old".to_owned(), Some(at(0)), at(0), "no route to host".to_owned());
    let never = ("never".to_owned(), None, at(50), "connection refused".to_owned());
    assert_eq!(
        silent(&index, 100),
        [old.clone(), never.clone()],
        "the longest silent first; at the instant itself is not before it"
    );
    assert_eq!(silent(&index, 50), [old]);
    assert_eq!((index.len(), index.reported()), (3, 2));
    assert!(!index.endpoint(&"never".into()).unwrap().has_reported());
    index.put(&endpoint("old", "debian 12", 200, vec![]));
    assert_eq!(silent(&index, 101), [never, ("new".to_owned(), Some(at(100)), at(100), String::new())]);
    index.put(&endpoint("never", "debian 12", 40, vec![]));
    assert_eq!(
        index.endpoint(&"never".into()).unwrap().read_at(),
        Some(at(40)),
        "a first report is never too old"
    );
}

/// What a history of reports is made of: few endpoints, few packages, so that everything meets everything.
#[derive(Clone, Debug)]
enum Step {
    Put(Box<EndpointRecord>),
    Remove(EndpointId),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let software = (0..6u8, 0..4u8, any::<bool>(), any::<bool>(), 0..3u8).prop_map(
        |(name, version, intact, held, kind)| {
            let ecosystem = [Ecosystem::Deb, Ecosystem::Pypi, Ecosystem::Windows][usize::from(kind)];
            let plain = InstalledSoftware::new(
                PackageName::new(ecosystem, format!("p{name}")),
                format!("1.{version}"),
            );
            let cpe = (kind == 2).then(|| Cpe::application("v", &format!("p{name}"), Some("1")).unwrap());
            let source = format!("s{}", name / 2);
            let built_from = (kind == 0 && version > 1)
                .then(|| BuiltFrom { name: source, version: format!("2.{version}") });
            InstalledSoftware {
                intact: intact || version != 0,
                held: held && version == 1,
                cpe,
                built_from,
                ..plain
            }
        },
    );
    let record = (0..5u8, 0..3u8, 0..40i64, proptest::collection::vec(software, 0..12), 0..4u8).prop_map(
        |(id, os, secs, installed, extra)| {
            let os = ["debian 12", "debian 12.1", "ubuntu 22.04"][usize::from(os)];
            let mut record = endpoint(&format!("e{id}"), os, secs, installed);
            record.tags = (0..extra).map(|i| (format!("k{i}"), format!("v{}", i * extra % 3))).collect();
            record.zone = (extra == 1).then(|| "dmz".into());
            record.group = (extra == 2).then(|| "v0".into());
            record.reboot_required = extra == 3;
            record.fingerprint = (extra > 1).then(|| format!("f{id}"));
            record
        },
    );
    let step = prop_oneof![
        5 => record.prop_map(|record| Step::Put(Box::new(record))),
        1 => (0..5u8).prop_map(|id| Step::Remove(EndpointId::from(format!("e{id}")))),
    ];
    proptest::collection::vec(step, 1..40)
}

/// A report as the index shows it again.
fn shown(record: &EndpointRecord) -> EndpointRecord {
    let mut each: BTreeMap<InstalledSoftware, (bool, bool)> = BTreeMap::new();
    for software in &record.installed {
        let package = software.package.clone().canonical();
        let plain = InstalledSoftware { package, intact: true, held: false, ..software.clone() };
        let (broken, held) = each.entry(plain).or_default();
        *broken |= !software.intact;
        *held |= software.held;
    }
    let installed =
        each.into_iter().map(|(plain, (broken, held))| InstalledSoftware { intact: !broken, held, ..plain });
    EndpointRecord { installed: installed.collect(), ..record.clone() }
}

type Held = BTreeMap<SoftwareIx, BTreeSet<RecordIx>>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_index_is_the_naive_model(steps in steps(), seed in any::<u64>()) {
        let mut index = InventoryIndex::with_seed(seed);
        let mut model: BTreeMap<EndpointId, EndpointRecord> = BTreeMap::new();
        // What somebody knows who only follows the changes.
        let mut followed = Held::new();
        for step in &steps {
            let change = match step {
                Step::Put(record) => {
                    let change = index.put(record);
                    let known = model.get(&record.id);
                    prop_assert_eq!(change.taken == Taken::TooOld, known.is_some_and(|known| known.read_at > record.read_at));
                    prop_assert_eq!(change.taken == Taken::New, known.is_none());
                    if change.taken != Taken::TooOld {
                        model.insert(record.id.clone(), shown(record));
                    }
                    Some(change)
                }
                Step::Remove(id) => {
                    let change = index.remove(id);
                    prop_assert_eq!(change.is_some(), model.remove(id).is_some());
                    change
                }
            };
            let Some(change) = change else { continue };
            for gone in &change.gone {
                prop_assert_eq!(followed.remove(gone), Some(BTreeSet::from([change.endpoint])));
            }
            for seen in &change.seen {
                prop_assert_eq!(followed.insert(*seen, BTreeSet::new()), None);
            }
            for added in &change.added {
                prop_assert!(followed.get_mut(added).unwrap().insert(change.endpoint));
            }
            for removed in change.removed.iter().filter(|ix| !change.gone.contains(ix)) {
                prop_assert!(followed.get_mut(removed).unwrap().remove(&change.endpoint));
            }
        }
        let held: Held = index.all_software().map(|(ix, _)| (ix, index.holders(ix).collect())).collect();
        prop_assert_eq!(&held, &followed);
        let mut records: Vec<EndpointRecord> = index.endpoints().map(|view| view.to_record()).collect();
        for record in &mut records {
            record.installed.sort();
        }
        records.sort_by(|a, b| a.id.cmp(&b.id));
        prop_assert_eq!(records, model.values().cloned().collect::<Vec<_>>());
        prop_assert_eq!(index.installed_len(), model.values().map(|record| record.installed.len() as u64).sum::<u64>());
        // Who has what below what, counted one by one.
        for on in ["debian 12", "ubuntu 22.04"] {
            for name in 0..6 {
                let name = format!("p{name}");
                let naive = model.values().filter(|record| {
                    let is_old = |software: &&InstalledSoftware| {
                        software.package.ecosystem == Ecosystem::Deb
                            && software.package.name == name
                            && ["1.0", "1.1"].contains(&&*software.version)
                    };
                    Platform::named(&record.os) == Platform::named(on) && record.installed.iter().any(|software| is_old(&software))
                });
                prop_assert_eq!(who_has_below(&index, &name, on, "1.2"), naive.map(|record| record.id.to_string()).collect::<Vec<_>>());
            }
        }
        let silent: BTreeSet<String> = index.not_reported_since(at(20)).map(|who| who.id.to_string()).collect();
        let naive: BTreeSet<String> = model.values().filter(|record| record.read_at < at(20)).map(|record| record.id.to_string()).collect();
        prop_assert_eq!(silent, naive);
        // Nothing is left behind.
        for id in model.keys() {
            index.remove(id);
        }
        prop_assert!(index.is_empty() && index.software_len() == 0 && index.installed_len() == 0 && index.reported() == 0);
        prop_assert!(index.holds_nothing());
    }
}
