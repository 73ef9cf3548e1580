//! OSV records, written and real.

use super::{all_shown, data, notes, read, texts};
use patchflow_backends::advisory::osv;
use patchflow_core::catalog::{Category, Severity};

fn osv(bytes: &[u8]) -> (patchflow_backends::advisory::Summary, patchflow_backends::advisory::Collected) {
    read(|input, feed, limits, sink| osv::read(input, feed, limits, sink), bytes)
}

#[test]
fn what_osv_says_is_carried_over() {
    let (summary, read) = osv(&data("written/osv.jsonl"));
    assert_eq!((summary.records, summary.advisories, summary.skipped, summary.partly), (4, 4, 0, 0));
    let [debian, ubuntu, pypi, npm] = &read.advisories[..] else { panic!("four records") };
    assert_eq!(&*debian.id, "DEBIAN-CVE-2026-1001");
    assert_eq!(texts(&debian.aliases), ["CVE-2026-1001"]);
    assert_eq!(debian.cvss, ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"]);
    assert_eq!(debian.published.unwrap().to_string(), "2026-05-30T00:00:00.000Z");
    assert_eq!(
        all_shown(&debian.affected),
        [
            "deb:example on debian 12 (source): below 1.2-3+deb12u1: affected, fixed from 1.2-3+deb12u1, high",
            "deb:example on debian 13 (source): every version: affected",
        ]
    );
    assert_eq!(ubuntu.severity, Severity::Moderate);
    assert_eq!(
        all_shown(&ubuntu.affected),
        [
            "deb:example on ubuntu 22.04 (source): below 1.2-1ubuntu0.3: affected, fixed from 1.2-1ubuntu0.3",
            "deb:example on ubuntu pro 18.04 (source): below 1.0-1ubuntu0.18.04.1+esm2: affected, fixed from \
             1.0-1ubuntu0.18.04.1+esm2",
        ]
    );
    // A weakness alike is not this one; versions outside the ranges count by their text, and up to the next repair.
    assert_eq!(texts(&pypi.aliases), ["CVE-2026-1002"]);
    assert_eq!(pypi.severity, Severity::Moderate);
    assert_eq!(
        all_shown(&pypi.affected),
        [
            "pypi:example-lib: from 1.0 below 1.4, and 0.9: affected, fixed from 1.4",
            "pypi:example-lib: from 2.0 up to 2.3, and 0.9-old: affected",
            "other:hex/example: exactly 1.0.0: affected",
        ]
    );
    assert_eq!(npm.withdrawn.unwrap().to_string(), "2026-06-03T10:00:00.000Z");
    assert_eq!(npm.published, None);
}

#[test]
fn a_real_record_of_github_repairs_each_branch() {
    let (summary, read) = osv(&data("real/GHSA-24rp-q3w6-vc56.json"));
    assert_eq!((summary.records, summary.advisories, summary.partly), (1, 1, 0));
    assert_eq!(notes(&read), [""; 0]);
    let postgres = &read.advisories[0];
    assert_eq!((&*postgres.id, postgres.severity), ("GHSA-24rp-q3w6-vc56", Severity::Critical));
    assert_eq!(texts(&postgres.aliases), ["CVE-2024-1597"]);
    assert_eq!(
        all_shown(&postgres.affected),
        [
            "maven:org.postgresql:postgresql: below 42.2.28: affected, fixed from 42.2.28",
            "maven:org.postgresql:postgresql: from 42.3.0 below 42.3.9: affected, fixed from 42.3.9",
            "maven:org.postgresql:postgresql: from 42.4.0 below 42.4.4: affected, fixed from 42.4.4",
            "maven:org.postgresql:postgresql: from 42.5.0 below 42.5.5: affected, fixed from 42.5.5",
            "maven:org.postgresql:postgresql: from 42.6.0 below 42.6.1: affected, fixed from 42.6.1",
            "maven:org.postgresql:postgresql: from 42.7.0 below 42.7.2: affected, fixed from 42.7.2",
        ]
    );
}

#[test]
fn a_range_of_commits_beside_versions_is_told_only_where_nothing_else_speaks() {
    let only_git = r#"{"id": "G-1", "affected": [
        {"package": {"ecosystem": "crates.io", "name": "a"}, "ranges": [{"type": "GIT", "repo": "r", "events": [{"introduced": "0"}]}]},
        {"ranges": [{"type": "GIT", "repo": "r", "events": [{"introduced": "0"}]}]}]}"#;
    let (summary, read) = osv(only_git.as_bytes());
    assert_eq!((summary.advisories, summary.partly), (1, 1));
    assert!(read.advisories[0].affected.is_empty());
    assert_eq!(
        notes(&read),
        [
            "test: `G-1` (record 1), byte 0: `affected[0]`: no version is named that can be read; it names Git commits \
             only, or nothing (kept in part)",
            "test: `G-1` (record 1), byte 0: `affected[1]`: it names only Git commits, which say nothing of installed \
             versions (kept in part)",
        ]
    );
}

#[test]
fn a_distribution_without_a_release_is_told() {
    let text = r#"{"id": "D-1", "affected": [{"package": {"ecosystem": "Debian", "name": "a"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2"}]}]}]}"#;
    let (_, read) = osv(text.as_bytes());
    assert_eq!(all_shown(&read.advisories[0].affected), ["deb:a (source): below 2: affected, fixed from 2"]);
    assert_eq!(
        notes(&read),
        [
            "test: `D-1` (record 1), byte 0: `affected[0].package.ecosystem`: `Debian` names no release that is known, so \
          it speaks of no endpoint (kept in part)"
        ]
    );
}

#[test]
fn real_records_are_read_whole() {
    let (_, alma) = osv(&data("real/ALSA-2022_0001.json"));
    let [advisory] = &alma.advisories[..] else { panic!("one record") };
    assert_eq!(advisory.severity, Severity::High);
    assert_eq!(
        texts(&advisory.aliases),
        ["CVE-2021-44716"],
        "what a distribution relates is what it repairs"
    );
    assert_eq!(
        all_shown(&advisory.affected),
        ["rpm:grafana on almalinux 8: below 7.5.9-5.el8_5: affected, fixed from 7.5.9-5.el8_5"]
    );
    let (_, rust) = osv(&data("real/RUSTSEC-2024-0003.json"));
    let [advisory] = &rust.advisories[..] else { panic!("one record") };
    assert_eq!(texts(&advisory.aliases), ["GHSA-8r5v-vm4m-4g25"]);
    assert_eq!(advisory.category, Category::Security);
    assert_eq!(
        all_shown(&advisory.affected),
        [
            "cargo:h2: from 0.0.0-0 below 0.3.24: affected, fixed from 0.3.24",
            "cargo:h2: from 0.4.0-0 below 0.4.2: affected, fixed from 0.4.2",
        ]
    );
    assert_eq!((notes(&alma).len(), notes(&rust).len()), (0, 0));
}

#[test]
fn repairs_of_a_distribution_are_no_security_updates() {
    let category = |id: &str| {
        let (_, read) = osv(format!(r#"{{"id": "{id}", "summary": "x: y"}}"#).as_bytes());
        (read.advisories[0].category, read.advisories[0].severity)
    };
    assert_eq!(category("ALBA-2021:1099"), (Category::Bugfix, Severity::Unknown));
    assert_eq!(category("ALEA-2021:1099"), (Category::Feature, Severity::Unknown));
    assert_eq!(category("ALSA-2021:1099"), (Category::Security, Severity::Unknown));
}

#[test]
fn lists_lines_and_single_records_are_read_alike() {
    let one = |id: u32| format!(r#"{{"id": "X-{id}", "affected": []}}"#);
    let ids = |text: &str| {
        let (_, read) = osv(text.as_bytes());
        assert_eq!(notes(&read), [""; 0], "{text}");
        read.advisories.iter().map(|advisory| advisory.id.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(ids(&one(1)), "X-1");
    assert_eq!(ids(&format!("[{}, \n{}]", one(1), one(2))), "X-1 X-2");
    assert_eq!(ids(&format!("{}\n{}\n\n", one(1), one(2))), "X-1 X-2");
    assert_eq!(ids(&format!("\u{feff}{}", one(1))), "X-1", "with a byte order mark");
    assert_eq!(ids("[]"), "");
    assert_eq!(ids(""), "");
}
