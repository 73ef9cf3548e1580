//! Debian's tracker and the metadata of repositories.

use super::{all_shown, data, feed, notes, read};
use patchflow_backends::advisory::debian::{read_packages, read_release, read_tracker};
use patchflow_backends::advisory::{Collected, Limits, Summary};
use patchflow_core::catalog::{Category, Severity};

fn tracker(bytes: &[u8]) -> (Summary, Collected) {
    read(|input, feed, limits, sink| read_tracker(input, feed, limits, sink), bytes)
}

#[test]
fn the_tracker_says_how_each_release_stands() {
    let (summary, read) = tracker(&data("written/tracker.json"));
    assert_eq!((summary.records, summary.advisories, summary.skipped), (3, 3, 0));
    assert_eq!(notes(&read), [""; 0]);
    assert_eq!(
        all_shown(&read.advisories[0].affected),
        [
            "deb:example on debian 12 (source): below 1.2-3+deb12u1: affected, fixed from 1.2-3+deb12u1, high",
            "deb:example on debian 11 (source): all: not affected (the tracker says that this release never had the \
             weakness), low",
            "deb:example on debian (source): below 1.3-1: affected, fixed from 1.3-1, moderate",
            "deb:example on debian 13 (source): all: affected",
        ]
    );
    assert_eq!(
        all_shown(&read.advisories[1].affected),
        [
            "deb:example on debian 12 (source): all: affected, never fixed, low, meanwhile: no update by Debian: Minor \
             issue",
            "deb:example on debian 11 (source): all: affected, never fixed",
            "deb:example on debian 13 (source): all: under investigation",
        ]
    );
    assert_eq!(&*read.advisories[2].provenance[0].record, "CVE-2026-4001 second");
}

#[test]
fn real_records_of_the_tracker() {
    let (summary, read) = tracker(&data("real/debian-tracker.json"));
    assert_eq!((summary.records, summary.advisories, summary.skipped, summary.partly), (4, 4, 0, 0));
    assert_eq!(notes(&read), [""; 0]);
    let [prototype, hijacking, backupninja, chromium] = &read.advisories[..] else { panic!("four records") };
    // Urgencies with stars were taken over from elsewhere.
    assert_eq!((&*prototype.id, prototype.severity), ("CVE-2008-7220", Severity::High));
    assert_eq!(
        all_shown(&prototype.affected)[0],
        "deb:prototypejs on debian 10 (source): below 1.6.0.2-1: affected, fixed from 1.6.0.2-1, high"
    );
    assert_eq!(
        all_shown(&hijacking.affected)[0],
        "deb:prototypejs on debian 10 (source): all: not affected (the tracker says that this release never had the \
         weakness), low"
    );
    assert_eq!(&*backupninja.provenance[0].record, "CVE-2005-3111 backupninja");
    assert_eq!(
        all_shown(&chromium.affected),
        [
            "deb:chromium on debian 12 (source): below 98.0.4758.80-1: affected, fixed from 98.0.4758.80-1",
            "deb:chromium on debian 11 (source): below 98.0.4758.80-1~deb11u1: affected, fixed from 98.0.4758.80-1~deb11u1",
            "deb:chromium on debian 10 (source): all: affected, never fixed",
            "deb:chromium on debian (source): below 98.0.4758.80-1: affected, fixed from 98.0.4758.80-1",
            "deb:chromium on debian 9 (source): all: affected, never fixed",
        ]
    );
}

#[test]
fn what_is_broken_in_the_tracker_is_told() {
    let text = r#"{"a": [], "b": {"CVE-1": {"releases": {"bookworm": {"status": 7}}},
        "CVE-2": {"releases": {"potato2": {"status": "open"}, "bookworm": {"status": "odd", "urgency": "spicy"}}},
        "CVE-3": {"releases": {"bookworm": {"status": "resolved", "fixed_version": "1 2"}}}}}"#;
    let (summary, read) = tracker(text.as_bytes());
    assert_eq!((summary.records, summary.advisories, summary.skipped, summary.partly), (4, 2, 2, 2));
    let at = text.find("7}").unwrap();
    assert_eq!(
        notes(&read),
        [
            "test: `a` (record 1), byte 6: expected an object of the weaknesses of this source (skipped)"
                .to_owned(),
            format!(
                "test: `CVE-1 b` (record 2), byte {at}: `releases.bookworm.status`: invalid type: integer `7`, expected \
                 a string (skipped)"
            ),
            format!(
                "test: `CVE-2 b` (record 3), byte {}: `releases.bookworm.urgency`: `spicy` is no urgency that is known; \
                 taken as unknown (kept in part)",
                text.find("\"CVE-2\"").unwrap() + 9
            ),
            format!(
                "test: `CVE-2 b` (record 3), byte {}: `releases.bookworm.status`: `odd` is no status that is known; \
                 taken as under investigation (kept in part)",
                text.find("\"CVE-2\"").unwrap() + 9
            ),
            format!(
                "test: `CVE-2 b` (record 3), byte {}: `releases.potato2`: no release of Debian that is known (kept in \
                 part)",
                text.find("\"CVE-2\"").unwrap() + 9
            ),
            format!(
                "test: `CVE-3 b` (record 4), byte {}: `releases.bookworm.fixed_version`: `1 2` is not a version of the \
                 scheme deb: a version has letters, digits, and . + ~ - : only; taken as not repaired (kept in part)",
                text.find("\"CVE-3\"").unwrap() + 9
            ),
        ]
    );
    let cut = read_tracker(&text.as_bytes()[..200], &feed(), &Limits::default(), &mut Collected::default());
    assert!(cut.unwrap_err().to_string().contains("it ends in the middle of a record"));
}

#[test]
fn a_release_names_its_suite_and_expires() {
    let release = read_release(&data("written/Release")[..], &feed(), &Limits::default()).unwrap();
    assert_eq!((release.origin.as_str(), release.suite.as_str()), ("Ubuntu", "jammy-updates"));
    assert_eq!((release.codename.as_str(), release.version.as_str()), ("jammy", "22.04"));
    assert_eq!((release.architectures.len(), release.components.len()), (2, 2));
    assert!(release.has_expired("2024-02-18T00:00:00Z".parse().unwrap()));
    assert!(!release.has_expired("2024-02-17T00:00:00Z".parse().unwrap()));
    assert!(!release.is_security());
    let bad = "Suite: stable\nValid-Until: for ever\n";
    let error = read_release(bad.as_bytes(), &feed(), &Limits::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "test, line 1: `Valid-Until`: `for ever` is no date: expected one such as `Sat, 10 Feb 2024 11:07:25 UTC`"
    );
    let error = read_release(&b"Nothing: here\n"[..], &feed(), &Limits::default()).unwrap_err();
    assert_eq!(error.to_string(), "test, line 1: it names neither `Suite` nor `Codename`");
}

#[test]
fn packages_are_offers_with_their_phase() {
    let release = read_release(&data("written/Release")[..], &feed(), &Limits::default()).unwrap();
    let (mut read, mut offers) = (Collected::default(), Vec::new());
    let file = data("written/Packages");
    let summary = read_packages(&file[..], &release, &feed(), &Limits::default(), &mut read, |offer| {
        offers.push(offer)
    })
    .unwrap();
    assert_eq!((summary.records, summary.patches, summary.skipped), (4, 2, 2));
    assert_eq!(
        notes(&read),
        [
            "test: `broken=1.0` (record 3), line 15: `SHA256` is missing, so no approval could be bound to it (skipped)",
            "test: `odd=1 0` (record 4), line 18: `Version`: `1 0` is not a version of the scheme deb: a version has \
             letters, digits, and . + ~ - : only (skipped)",
        ]
    );
    let [curl, lib] = &offers[..] else { panic!("two packages") };
    assert_eq!((curl.patch.id.as_str(), curl.phased_percent), ("curl=7.81.0-1ubuntu1.16", Some(20)));
    assert_eq!(
        (curl.patch.category, curl.patch.source.as_str()),
        (Category::Bugfix, "apt Ubuntu jammy-updates")
    );
    assert_eq!(
        (lib.source.0.as_str(), lib.source.1.as_str(), lib.phased_percent),
        ("curl", "7.81.0-1ubuntu1.16", None)
    );
}

#[test]
fn a_real_repository_of_security_updates() {
    let release =
        read_release(&data("real/debian-security-Release")[..], &feed(), &Limits::default()).unwrap();
    assert_eq!((release.origin.as_str(), release.suite.as_str()), ("Debian", "oldstable-security"));
    assert_eq!((release.codename.as_str(), release.version.as_str()), ("bookworm-security", "12"));
    assert!(release.is_security());
    assert!(!release.has_expired(feed().read_at));
    assert!(release.has_expired("2026-11-26T00:00:00Z".parse().unwrap()));
    let (mut read, mut offers) = (Collected::default(), Vec::new());
    let file = data("real/debian-security-Packages");
    let summary = read_packages(&file[..], &release, &feed(), &Limits::default(), &mut read, |offer| {
        offers.push(offer)
    })
    .unwrap();
    assert_eq!((summary.records, summary.patches, summary.skipped), (3, 3, 0));
    assert_eq!(notes(&read), [""; 0]);
    let bind = &offers[0];
    assert_eq!(bind.patch.target.to_string(), "deb:bind9-host=1:9.18.49-1~deb12u3");
    assert_eq!((bind.source.0.as_str(), bind.source.1.as_str()), ("bind9", "1:9.18.49-1~deb12u3"));
    assert_eq!((bind.patch.category, bind.phased_percent), (Category::Security, None));
    let content = bind.patch.content.to_string();
    assert!(
        content.ends_with("00bd2c7f67c7d75301674b69498db582350dace307ff91d2f0005e2610344a2b"),
        "{content}"
    );
}
