//! CVE records, real and written.

use super::{all_shown, data, notes, read};
use patchflow_backends::advisory::{Collected, Summary, cve};
use patchflow_core::catalog::{Exploitation, Severity};

fn cve(bytes: &[u8]) -> (Summary, Collected) {
    read(|input, feed, limits, sink| cve::read(input, feed, limits, sink), bytes)
}

/// A record with one block of the numbering authority.
fn block(block: &str) -> Vec<String> {
    let text = format!(
        r#"{{"cveMetadata": {{"cveId": "CVE-2026-1", "state": "PUBLISHED"}}, "containers": {{"cna": {{"affected": [{block}]}}}}}}"#
    );
    let (_, read) = cve(text.as_bytes());
    let mut lines = all_shown(&read.advisories[0].affected);
    lines.extend(read.notes.iter().map(|note| note.why.clone()));
    lines
}

#[test]
fn cisas_part_brings_ssvc_kev_and_cpe_names() {
    let (_, read) = cve(&data("real/CVE-2023-41265.json"));
    let [advisory] = &read.advisories[..] else { panic!("one record") };
    let ssvc = advisory.ssvc.unwrap();
    assert_eq!(ssvc.exploitation, Some(Exploitation::Active));
    assert_eq!((ssvc.automatable, ssvc.total_impact), (Some(true), Some(true)));
    let exploited = advisory.exploited.as_ref().unwrap();
    assert_eq!(exploited.since.to_string(), "2023-12-08T00:00:00.000Z", "a day counts from its end");
    assert_eq!(advisory.cvss, ["CVSS:3.1/AC:L/AV:N/A:N/C:H/I:H/PR:L/S:C/UI:N"]);
    assert_eq!(
        all_shown(&advisory.affected)[0],
        "cpe:2.3:a:qlik:qlik_sense:may_2023:-:*:*:enterprise:windows:*:*: up to may_2023: affected"
    );
    assert_eq!(
        notes(&read),
        [
            "test: `CVE-2023-41265` (record 1), byte 0: `containers.cna.affected[0]`: it names no product (kept in part)"
        ]
    );
}

#[test]
fn red_hat_names_sources_on_its_releases() {
    let (_, read) = cve(&data("real/CVE-2023-41175.json"));
    let [advisory] = &read.advisories[..] else { panic!("one record") };
    assert_eq!(advisory.severity, Severity::Moderate);
    let shown = all_shown(&advisory.affected);
    assert_eq!(
        &shown[..2],
        [
            "rpm:libtiff on rhel 9 (source): below 0:4.4.0-12.el9: affected, fixed from 0:4.4.0-12.el9",
            "rpm:libtiff on rhel 9 (source): from 0:4.4.0-12.el9: not affected (the record calls these versions \
             unaffected)",
        ]
    );
    assert!(shown.contains(&"rpm:libtiff on rhel 6 (source): all: under investigation".to_owned()));
    assert!(shown.contains(&"rpm:libtiff on rhel 8 (source): every version: affected".to_owned()));
    assert_eq!(notes(&read), [""; 0]);
}

#[test]
fn the_rest_of_linux_is_affected() {
    let (_, read) = cve(&data("real/CVE-2024-46705.json"));
    let [advisory] = &read.advisories[..] else { panic!("one record") };
    assert_eq!(
        all_shown(&advisory.affected),
        [
            "other:Linux/Linux: below 6.10.7: affected, fixed from 6.10.7",
            "other:Linux/Linux: from 6.10.7 below 6.11, or from 6.11: not affected (the record calls these versions \
             unaffected)",
        ]
    );
    assert_eq!(notes(&read).len(), 1, "the block of commits is told: {:?}", notes(&read));
}

#[test]
fn statuses_change_within_a_range() {
    assert_eq!(
        block(
            r#"{"vendor": "v", "product": "p", "defaultStatus": "unaffected", "versions": [{"version": "1.0",
            "status": "affected", "lessThan": "3.0", "versionType": "custom",
            "changes": [{"at": "2.5", "status": "affected"}, {"at": "2.0", "status": "unaffected"}]}]}"#
        ),
        [
            "other:v/p: from 1.0 below 2.0: affected, fixed from 2.0",
            "other:v/p: from 2.5 below 3.0: affected, fixed from 3.0",
            "other:v/p: from 2.0 below 2.5: not affected (the record calls these versions unaffected)",
        ]
    );
}

#[test]
fn versions_are_read_as_people_write_them() {
    let versions = |versions: &str| block(&format!(r#"{{"product": "p", "versions": [{versions}]}}"#));
    assert_eq!(
        versions(r#"{"version": ">= 1.0, < 2.0", "status": "affected"}"#),
        ["other:p: from 1.0 below 2.0: affected, fixed from 2.0"]
    );
    assert_eq!(
        versions(
            r#"{"version": "4.19", "lessThanOrEqual": "4.19.*", "status": "affected", "versionType": "semver"}"#
        ),
        ["other:p: from 4.19 below 4.20: affected, fixed from 4.20"]
    );
    assert_eq!(
        versions(r#"{"version": "0", "lessThan": "*", "status": "affected"}"#),
        ["other:p: every version: affected"]
    );
    assert_eq!(
        versions(r#"{"version": "unspecified", "lessThanOrEqual": "5", "status": "unknown"}"#),
        ["other:p: up to 5: under investigation"]
    );
    assert_eq!(
        versions(r#"{"version": "Blue Edition", "status": "affected"}"#),
        [
            "other:p: no version, and Blue Edition: affected",
            "`containers.cna.affected[0].versions[0]`: `Blue Edition` cannot be read as a range of versions: `Blue` is \
             no part of a version; meant by its exact text only",
        ]
    );
    assert_eq!(
        versions(r#"{"version": "0", "lessThan": "the fix", "status": "affected"}"#),
        ["other:p: no version: affected".replace("no version", "below the.fix") + ", fixed from the.fix",]
    );
}

#[test]
fn the_order_of_a_package_is_never_changed() {
    assert_eq!(
        block(
            r#"{"packageURL": "pkg:pypi/a", "versions": [{"version": "0", "lessThan": "1.0rc1", "status": "affected"},
            {"version": "0", "lessThan": "soon", "status": "affected"}, {"version": "2.0-x y", "status": "affected"}]}"#
        ),
        [
            // What cannot be read is every version, so nothing is repaired at 1.0rc1.
            "pypi:a: below 1.0rc1, or every version: affected",
            "pypi:a: no version, and 2.0-x y: affected",
            "`containers.cna.affected[0].versions[1]`: `soon` is not a version of the scheme pep440: it does not have \
             the form [N!]N(.N)*[{a|b|rc}N][.postN][.devN][+local] of PEP 440; taken as every version; 1 more of this \
             block likewise",
        ]
    );
}

#[test]
fn collections_of_packages_are_known() {
    let of = |collection: &str, name: &str| {
        block(&format!(
            r#"{{"collectionURL": "{collection}", "packageName": "{name}", "versions": [{{"version": "1.0",
            "status": "affected", "lessThan": "1.5", "versionType": "semver"}}]}}"#
        ))
    };
    assert_eq!(
        of("https://pypi.python.org", "A_b"),
        ["pypi:a-b: from 1.0 below 1.5: affected, fixed from 1.5"]
    );
    assert_eq!(
        of("https://repo.maven.apache.org/maven2", "g:a"),
        ["maven:g:a: from 1.0 below 1.5: affected, fixed from 1.5"]
    );
    assert_eq!(of("https://example.org", "x"), ["other:x: from 1.0 below 1.5: affected, fixed from 1.5"]);
}

#[test]
fn nvds_configurations_are_read() {
    let text = br#"{"cveMetadata": {"cveId": "CVE-2026-1", "state": "PUBLISHED"}, "containers": {"cna": {"cpeApplicability": [
        {"nodes": [{"operator": "OR", "negate": false, "cpeMatch": [
            {"vulnerable": true, "criteria": "cpe:2.3:a:v:p:*:*:*:*:*:*:*:*", "versionStartIncluding": "1.0", "versionEndExcluding": "1.4"},
            {"vulnerable": false, "criteria": "cpe:2.3:o:v:os:*:*:*:*:*:*:*:*"},
            {"vulnerable": true, "criteria": "nonsense"}]}]}]}}}"#;
    let (_, read) = cve(text);
    assert_eq!(
        all_shown(&read.advisories[0].affected),
        ["cpe:2.3:a:v:p:*:*:*:*:*:*:*:*: from 1.0 below 1.4: affected, fixed from 1.4"]
    );
    assert!(
        notes(&read)[0]
            .contains("`containers.cna.cpeApplicability[0].nodes[0].criteria`: `nonsense` is not a CPE")
    );
}

#[test]
fn a_rejected_record_is_withdrawn() {
    let text = br#"{"cveMetadata": {"cveId": "CVE-2026-9", "state": "REJECTED", "dateRejected": "2026-02-01T00:00:00"},
        "containers": {"cna": {"rejectedReasons": [{"lang": "en", "value": "no"}]}}}"#;
    let (_, read) = cve(text);
    assert_eq!(read.advisories[0].withdrawn.unwrap().to_string(), "2026-02-01T00:00:00.000Z");
    assert!(read.advisories[0].affected.is_empty());
}
