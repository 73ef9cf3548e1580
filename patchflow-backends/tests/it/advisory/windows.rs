//! Updates of Windows.

use super::{data, feed, notes, read};
use patchflow_backends::advisory::{Collected, Limits, Summary, windows};
use patchflow_core::catalog::{Category, RebootBehaviour, Severity};

fn updates(bytes: &[u8]) -> (Summary, Collected) {
    read(|input, feed, limits, sink| windows::read(input, feed, limits, sink), bytes)
}

#[test]
fn updates_are_patches() {
    let (mut read, mut standings) = (Collected::default(), Vec::new());
    let file = data("written/windows.json");
    let summary =
        windows::read_standings(&file[..], &feed(), &Limits::default(), &mut read, |one| standings.push(one))
            .unwrap();
    assert_eq!((summary.records, summary.patches), (2, 2));
    assert_eq!(notes(&read), [""; 0]);
    let [rollup, driver] = &read.patches[..] else { panic!("two updates") };
    assert_eq!(rollup.id.as_str(), "6f1c3f56-5a2b-4c1b-9a56-0e9c0f6b3a11");
    assert_eq!(rollup.target.to_string(), "windows:KB5034763=200");
    assert_eq!((rollup.category, rollup.severity), (Category::Security, Severity::Critical));
    assert_eq!(rollup.reboot, RebootBehaviour::Possible);
    assert_eq!(rollup.released.unwrap().to_string(), "2024-02-13T00:00:00.000Z");
    assert_eq!(rollup.relations.supersedes[0].as_str(), "11111111-2222-3333-4444-555555555555");
    assert_eq!(rollup.cves, ["CVE-2024-21412"]);
    assert_eq!((driver.category, driver.reboot), (Category::Driver, RebootBehaviour::Never));
    assert_eq!(driver.severity, Severity::Unknown);
    assert_ne!(rollup.content, driver.content);
    let installed: Vec<_> = standings.iter().map(|standing| standing.installed).collect();
    assert_eq!(installed, [Some(false), Some(true)]);
}

#[test]
fn a_new_revision_is_new_content() {
    let update =
        |revision: u32| format!(r#"[{{"UpdateID": "A", "RevisionNumber": {revision}, "Title": "t"}}]"#);
    let content = |revision| updates(update(revision).as_bytes()).1.patches[0].content;
    assert_eq!(content(1), content(1));
    assert_ne!(content(1), content(2));
}

#[test]
fn what_is_broken_is_told() {
    let text = r#"{"Updates": [{"UpdateID": "A", "Title": "t"}, {"UpdateID": "B", "RevisionNumber": 1, "Title": "t",
        "KBArticleIDs": ["KB5034763", "soon"], "MsrcSeverity": "Spicy", "RebootBehavior": 9,
        "LastDeploymentChangeTime": "/Date(9999999999999)/"}]}"#;
    let (summary, read) = updates(text.as_bytes());
    assert_eq!((summary.records, summary.patches, summary.skipped, summary.partly), (2, 1, 1, 1));
    assert_eq!(read.patches[0].target.package.name, "KB5034763");
    let whys: Vec<_> = read.notes.iter().map(|note| note.why.as_str()).collect();
    assert_eq!(
        whys,
        [
            "missing field `RevisionNumber`",
            "`KBArticleIDs`: `soon` is no number of an article, such as 5034763",
            "`MsrcSeverity`: `Spicy` is no severity that is known; taken as unknown",
            "`LastDeploymentChangeTime`: `2286-11-20T17:46:39.999Z` lies in the future; it is taken as not known",
            "`RebootBehavior`: `9` is none of 0, 1 and 2; taken as possible",
        ]
    );
    let error = windows::read(&b"{\"a\": 1}"[..], &feed(), &Limits::default(), &mut Collected::default());
    assert_eq!(error.unwrap_err().to_string(), "test, byte 8: expected an object with a list `Updates`");
}
