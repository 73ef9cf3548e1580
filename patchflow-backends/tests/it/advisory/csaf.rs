//! CSAF documents, written and real.

use super::{all_shown, data, notes, read};
use patchflow_backends::advisory::{Collected, Summary, csaf};
use patchflow_core::catalog::Severity;

fn csaf(bytes: &[u8]) -> (Summary, Collected) {
    read(|input, feed, limits, sink| csaf::read(input, feed, limits, sink), bytes)
}

#[test]
fn statuses_of_vex_are_carried_over() {
    let (summary, read) = csaf(&data("written/csaf-vex.json"));
    assert_eq!((summary.records, summary.advisories), (1, 2));
    assert_eq!(notes(&read), [""; 0]);
    let [linux, windows] = &read.advisories[..] else { panic!("two weaknesses") };
    assert_eq!((&*linux.id, &*linux.provenance[0].record), ("CVE-2026-2001", "EX-2026:0001"));
    assert_eq!(linux.severity, Severity::High);
    assert_eq!(linux.published.unwrap().to_string(), "2026-02-27T00:00:00.000Z");
    assert_eq!(linux.cvss, ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"]);
    assert_eq!(
        all_shown(&linux.affected),
        [
            "rpm:example on rhel 9: below 1:1.2-3.el9: affected, fixed from 1:1.2-3.el9",
            "rpm:example on rhel 9: from 1:1.2-3.el9: fixed",
            "pypi:example: exactly 2.0: affected, never fixed, critical, meanwhile: Turn the service off.",
            "rpm:other on rhel 9 (source): all: not affected (vulnerable_code_not_present)",
        ]
    );
    assert_eq!(windows.exploited.as_ref().unwrap().since.to_string(), "2026-03-01T08:00:00.000Z");
    assert_eq!(windows.fixed_at.unwrap().to_string(), "2026-02-13T08:00:00.000Z");
    assert_eq!(
        all_shown(&windows.affected),
        [
            "cpe:2.3:o:microsoft:windows_10_22h2:10.0.19045.4046:*:*:*:*:*:x64:*: exactly 10.0.19045.4046: fixed",
            "cpe:2.3:o:microsoft:windows_10_22h2:*:*:*:*:*:*:x64:*: below 10.0.19045.4046: affected, fixed by KB5034763",
            "rpm:other on rhel 9 (source): all: under investigation",
        ]
    );
}

#[test]
fn a_real_document_is_read() {
    let (_, read) = csaf(&data("real/icsa-20-098-05.json"));
    let [advisory] = &read.advisories[..] else { panic!("one weakness") };
    assert_eq!(&*advisory.id, "CVE-2020-10635");
    assert_eq!(all_shown(&advisory.affected), ["other:KUKA/KUKA.Sim Pro: exactly 3.1: affected"]);
    assert_eq!(notes(&read), [""; 0]);
}

/// A document with one product and one status.
fn one(category: &str, version: &str, status: &str) -> Vec<String> {
    let text = format!(
        r#"{{"document": {{"tracking": {{"id": "D-1"}}}}, "product_tree": {{"branches": [{{"category": "product_name",
        "name": "p", "branches": [{{"category": "{category}", "name": "{version}", "product": {{"product_id": "P",
        "name": "p {version}"}}}}]}}]}}, "vulnerabilities": [{{"product_status": {{"{status}": ["P"]}}}}]}}"#
    );
    let (_, read) = csaf(text.as_bytes());
    assert_eq!(&*read.advisories[0].id, "D-1#1", "a weakness without a number has its document's");
    let mut lines = all_shown(&read.advisories[0].affected);
    lines.extend(read.notes.iter().map(|note| note.why.clone()));
    lines
}

#[test]
fn what_cannot_be_read_never_makes_a_version_safe() {
    let unreadable = "only when running on ROX";
    let why = "`product_tree`: `p only when running on ROX`: `only when running on ROX` cannot be read as a range of \
               versions: `only` is no part of a version";
    assert_eq!(
        one("product_version_range", unreadable, "known_affected"),
        ["other:p: all: affected".to_owned(), format!("{why}; taken as every version")]
    );
    assert_eq!(one("product_version_range", unreadable, "known_not_affected"), [format!("{why}; left out")]);
    assert_eq!(one("product_version_range", unreadable, "fixed"), [format!("{why}; left out")]);
}

#[test]
fn ranges_are_read() {
    assert_eq!(
        one("product_version_range", "vers:generic/>=1.0|<1.4", "known_affected"),
        ["other:p: from 1.0 below 1.4: affected, fixed from 1.4"]
    );
    assert_eq!(
        one("product_version", "2.0 SP1", "known_not_affected"),
        ["other:p: exactly 2.0 SP1: not affected (the publisher gives no justification)"]
    );
    assert_eq!(one("product_version", "vers:all/*", "known_affected"), ["other:p: all: affected"]);
    assert_eq!(
        one("product_version", "1", "invented"),
        ["`vulnerabilities[0].product_status`: `invented` is no status that is known"]
    );
}

#[test]
fn a_product_that_is_not_in_the_tree_is_told() {
    let text = br#"{"document": {"tracking": {"id": "D-2"}}, "vulnerabilities": [{"cve": "CVE-1",
        "product_status": {"known_affected": ["NOBODY"]}}]}"#;
    let (_, read) = csaf(text);
    assert_eq!(
        notes(&read),
        [
            "test: `D-2` (record 1), byte 0: `vulnerabilities[0].product_status.known_affected`: `NOBODY` is not in the \
          product tree (kept in part)"
        ]
    );
}
