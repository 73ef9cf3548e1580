//! Patches of one's own.

use super::{data, notes, read};
use patchflow_backends::advisory::{Collected, Format, Summary, patches};
use patchflow_core::catalog::{Category, RebootBehaviour, Severity};
use patchflow_core::package::Platform;

fn patches(bytes: &[u8]) -> (Summary, Collected) {
    read(|input, feed, limits, sink| patches::read(input, feed, limits, sink), bytes)
}

#[test]
fn patches_say_how_they_stand_to_each_other() {
    let file = data("written/patches.jsonl");
    assert_eq!(Format::of(&file), Some(Format::Patches));
    let (summary, read) = patches(&file);
    assert_eq!((summary.records, summary.patches, summary.skipped), (2, 2, 0));
    assert_eq!(notes(&read), [""; 0]);
    let [first, second] = &read.patches[..] else { panic!("two patches") };
    assert_eq!((first.id.as_str(), first.target.to_string().as_str()), ("shop-2.0", "deb:shop=2.0-1"));
    assert_eq!((first.category, first.severity), (Category::Security, Severity::High));
    assert_eq!(
        (first.reboot, first.platform.clone()),
        (RebootBehaviour::Never, Some(Platform::new("debian", "12")))
    );
    assert_eq!(first.released.unwrap().to_string(), "2026-10-02T00:00:00.000Z");
    assert_eq!((second.title.as_str(), second.severity), ("shop-2.1", Severity::Unknown));
    assert_eq!((second.reboot, second.platform.clone()), (RebootBehaviour::Possible, None));
    let relations = &second.relations;
    assert_eq!((relations.supersedes[0].as_str(), relations.requires[0].as_str()), ("shop-2.0", "libshop-3"));
    assert_eq!((relations.conflicts[0].as_str(), relations.floors[0].as_str()), ("shop-beta", "2.0-1"));
}

#[test]
fn a_mistake_costs_the_patch_and_is_told() {
    let line = String::from_utf8(data("written/patches.jsonl")).unwrap();
    let line = line.lines().nth(1).unwrap();
    for (from, to, why) in [
        ("conflicts", "conflict", "unknown field `conflict`"),
        ("\"category\": \"bugfix\", ", "", "missing field `category`"),
        ("\"2.1-1\"", "\"2 1\"", "`version`: `2 1` is not a version of the scheme deb"),
        ("[\"2.0-1\"]", "[\"2 0\"]", "`floors`: `2 0` is not a version of the scheme deb"),
        ("e3b0", "e3", "`sha256`: expected 64 hexadecimal digits"),
        ("[\"shop-beta\"]", "[\"shop-2.1\"]", "`conflicts`: it names itself"),
        (
            "\"floors\"",
            "\"severity\": \"spicy\", \"floors\"",
            "`severity`: expected one of low, moderate, high and critical",
        ),
    ] {
        let (summary, read) = patches(line.replacen(from, to, 1).as_bytes());
        assert_eq!((summary.patches, summary.skipped), (0, 1), "{from}: {:?}", notes(&read));
        assert!(notes(&read)[0].contains(why), "{from}: {:?}", notes(&read));
    }
}
