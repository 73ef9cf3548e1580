//! updateinfo.xml.

use super::{all_shown, data, feed, notes, read, texts};
use patchflow_backends::advisory::{Collected, Limits, Summary, updateinfo};
use patchflow_core::catalog::{Category, RebootBehaviour, Severity};
use patchflow_core::package::Platform;

fn updates(text: &str) -> (Summary, Collected) {
    read(|input, feed, limits, sink| updateinfo::read(input, feed, limits, sink), text.as_bytes())
}

#[test]
fn updates_are_advisories_and_patches() {
    let mut read = Collected::default();
    let feed = feed().on(Platform::new("example", "9"));
    let file = data("written/updateinfo.xml");
    let summary = updateinfo::read(&file[..], &feed, &Limits::default(), &mut read).unwrap();
    assert_eq!((summary.records, summary.advisories, summary.patches), (2, 2, 1));
    assert_eq!(notes(&read), [""; 0]);
    let [security, retracted] = &read.advisories[..] else { panic!("two updates") };
    assert_eq!(
        (&*security.id, security.category, security.severity),
        ("EXSA-2026:0001", Category::Security, Severity::High)
    );
    assert_eq!(security.title, "Important: openssl & curl <security> update");
    assert_eq!(texts(&security.aliases), ["CVE-2026-3001"]);
    assert_eq!(security.fixed_at.unwrap().to_string(), "2026-02-02T00:00:00.000Z");
    assert_eq!(security.provenance[0].modified.unwrap().to_string(), "2026-02-03T10:00:00.000Z");
    assert_eq!(
        all_shown(&security.affected),
        [
            "rpm:curl on example 9: below 7.76.1-31.el9: affected, fixed from 7.76.1-31.el9",
            "rpm:openssl on example 9: below 1:3.0.7-27.el9: affected, fixed from 1:3.0.7-27.el9",
        ]
    );
    assert_eq!(retracted.category, Category::Bugfix);
    assert_eq!(retracted.withdrawn.unwrap().to_string(), "2026-02-06T00:00:00.000Z");
    // curl has no sum, so no approval could be bound to it.
    let [patch] = &read.patches[..] else { panic!("one patch") };
    assert_eq!(
        (patch.id.as_str(), patch.target.to_string().as_str()),
        ("EXSA-2026:0001:openssl", "rpm:openssl=1:3.0.7-27.el9")
    );
    assert_eq!((patch.reboot, patch.cves.len()), (RebootBehaviour::Required, 1));
}

#[test]
fn real_errata_of_rocky_linux() {
    let mut read = Collected::default();
    let feed = feed().on(Platform::new("rocky", "8"));
    let file = data("real/rocky-updateinfo.xml");
    let summary = updateinfo::read(&file[..], &feed, &Limits::default(), &mut read).unwrap();
    assert_eq!((summary.records, summary.advisories, summary.patches), (3, 3, 4));
    assert_eq!(notes(&read), [""; 0]);
    let [lz4, kernel, ruby] = &read.advisories[..] else { panic!("three errata") };
    assert_eq!((&*lz4.id, lz4.severity), ("RLSA-2021:2575", Severity::Moderate));
    assert_eq!(texts(&lz4.aliases), ["CVE-2021-3520"]);
    assert_eq!(lz4.fixed_at.unwrap().to_string(), "2021-07-22T03:13:55.000Z");
    assert_eq!(
        all_shown(&lz4.affected),
        ["rpm:lz4 on rocky 8: below 1.8.3-3.el8_4: affected, fixed from 1.8.3-3.el8_4"]
    );
    assert_eq!(texts(&kernel.aliases), ["CVE-2021-22543", "CVE-2021-22555", "CVE-2021-3609"]);
    assert_eq!(kernel.severity, Severity::High);
    assert_eq!(
        all_shown(&ruby.affected),
        [
            "rpm:rubygem-abrt on rocky 8: below 0.3.0-4.module+el8.5.0+738+032c9c02: affected, fixed from \
             0.3.0-4.module+el8.5.0+738+032c9c02",
            "rpm:rubygem-bson on rocky 8: below 4.3.0-2.module+el8.4.0+592+03ff458a: affected, fixed from \
             4.3.0-2.module+el8.4.0+592+03ff458a",
        ]
    );
    assert_eq!(read.patches[0].id.as_str(), "RLSA-2021:2575:lz4");
    assert_eq!(read.patches[0].target.to_string(), "rpm:lz4=1.8.3-3.el8_4");
}

fn update(inside: &str) -> String {
    format!(
        "<updates><update type=\"security\"><id>A</id>{inside}</update><update type=\"security\"><id>B</id></update></updates>"
    )
}

#[test]
fn a_broken_update_costs_itself_only() {
    for (inside, why) in [
        ("<title>&who;</title>", "`&who;` is no entity of XML"),
        ("<title></id>", "it is no well-formed XML"),
        ("<pkglist><package name='a' name='b'/></pkglist>", "it is no well-formed XML"),
        (&format!("{}{}", "<a>".repeat(100), "</a>".repeat(100)), "its elements nest deeper than 64 levels"),
    ] {
        let (summary, read) = updates(&update(inside));
        assert_eq!(
            (summary.records, summary.advisories, summary.skipped),
            (2, 1, 1),
            "{inside}: {:?}",
            notes(&read)
        );
        assert_eq!(&*read.advisories[0].id, "B");
        let note = notes(&read).remove(0);
        assert!(note.starts_with("test: `A` (record 1), byte ") && note.contains(why), "{note}");
    }
}

#[test]
fn parts_that_cannot_be_read_are_told() {
    let (_, read) = updates(&update(
        "<severity>Spicy</severity><issued date='2031-01-01'/><pkglist><package name='a' version='1 2' release='x'/>\
         <package name='' version='1'/></pkglist>",
    ));
    let found: Vec<_> =
        read.notes.iter().filter(|note| note.record == "A").map(|note| note.why.as_str()).collect();
    assert_eq!(
        found,
        [
            "`severity`: `Spicy` is no severity that is known; taken as unknown",
            "`issued`: `2031-01-01` lies in the future; it is taken as not known",
            "a package without a name or a version",
            "the package `a`: `1 2-x` is not a version of the scheme rpm: it has blanks or control characters in it",
            "no platform is given for this file (Feed::on), so its updates speak of no endpoint",
        ]
    );
}

#[test]
fn an_update_that_is_too_large_is_skipped() {
    let limits = Limits { record_bytes_max: 1000, ..Limits::default() };
    let text = update(&format!("<description>{}</description>", "x".repeat(5000)));
    let mut read = Collected::default();
    let summary = updateinfo::read(text.as_bytes(), &feed(), &limits, &mut read).unwrap();
    assert_eq!((summary.skipped, summary.advisories), (1, 1));
    assert_eq!(
        notes(&read)[0],
        "test: record 1, byte 9: it has 5070 bytes; a record may have 1000 (Limits::record_bytes_max) (skipped)"
    );
}

#[test]
fn what_is_no_list_of_updates_is_refused() {
    let refused = |text: &str| {
        let error = updateinfo::read(text.as_bytes(), &feed(), &Limits::default(), &mut Collected::default());
        error.unwrap_err().to_string()
    };
    assert_eq!(refused("<html></html>"), "test, byte 0: expected a list of updates, `<updates>`");
    assert!(refused("<updates><update><id>A</id>").contains("it ends in the middle of a record"));
}
