//! What is broken, too large or contradictory: told with its place and what to mend; the rest is kept.

use super::{all_shown, feed, notes, read};
use patchflow_backends::advisory::{Collected, Limits, ReadErrorKind, Summary, csaf, cve, osv};

fn osv(text: &str) -> (Summary, Collected) {
    read(|input, feed, limits, sink| osv::read(input, feed, limits, sink), text.as_bytes())
}

fn good(id: &str) -> String {
    format!(
        r#"{{"id": "{id}", "affected": [{{"package": {{"ecosystem": "AlmaLinux:9", "name": "a"}},
        "ranges": [{{"type": "ECOSYSTEM", "events": [{{"introduced": "0"}}, {{"fixed": "2"}}]}}]}}]}}"#
    )
}

fn ids(read: &Collected) -> Vec<&str> {
    read.advisories.iter().map(|advisory| &*advisory.id).collect()
}

#[test]
fn a_wrong_type_names_its_member_and_place() {
    let text = format!(
        r#"[{}, {{"id": "BAD-1", "affected": [{{"package": {{"ecosystem": "npm", "name": 5}}}}]}}, {}]"#,
        good("A"),
        good("B")
    );
    let (summary, read) = osv(&text);
    assert_eq!((summary.records, summary.advisories, summary.skipped), (3, 2, 1));
    assert_eq!(ids(&read), ["A", "B"]);
    let at = text.find("5}").unwrap();
    assert_eq!(
        notes(&read),
        [format!(
            "test: `BAD-1` (record 2), byte {at}: `affected[0].package.name`: invalid type: integer `5`, expected a \
             string (skipped)"
        )]
    );
}

#[test]
fn a_missing_member_is_named() {
    let (_, read) = osv(r#"{"modified": "2026-01-01T00:00:00Z"}"#);
    assert_eq!(notes(&read), ["test: record 1, byte 35: missing field `id` (skipped)"]);
    let (_, read) = osv(r#"{"id": " "}"#);
    assert_eq!(
        notes(&read),
        ["test: ` ` (record 1), byte 0: `id`: it is empty; every record needs a name (skipped)"]
    );
}

#[test]
fn a_document_that_is_cut_off_keeps_what_came_before() {
    let text = format!("[{}, {}", good("A"), &good("B")[..80]);
    let mut read = Collected::default();
    let error = osv::read(text.as_bytes(), &feed(), &Limits::default(), &mut read).unwrap_err();
    assert_eq!(ids(&read), ["A"]);
    assert_eq!(error.so_far.advisories, 1);
    assert!(matches!(error.kind, ReadErrorKind::CutOff));
    let at = text.rfind(r#"{"id": "B""#).unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "test, byte {at}: it ends in the middle of a record; fetch it again, the records before are kept"
        )
    );
    // A list that is not closed is cut off too, even between two records.
    let text = format!("[{}, ", good("A"));
    let error = osv::read(text.as_bytes(), &feed(), &Limits::default(), &mut read).unwrap_err();
    assert!(matches!(error.kind, ReadErrorKind::CutOff));
}

#[test]
fn a_broken_line_costs_itself_only() {
    let one = |id: &str| good(id).replace('\n', " ");
    let broken = [r#"{"id": "C", "affected": ["#, r#"{"id": "D", "summary": "never closed}"#, "}}", "junk"];
    for broken in broken {
        let text = format!("{}\n{broken}\n{}\n", one("A"), one("B"));
        let (summary, read) = osv(&text);
        assert_eq!(ids(&read), ["A", "B"], "{broken}: {:?}", notes(&read));
        assert!(summary.skipped >= 1);
    }
    let text = format!("{}\n{}\n{}\n", one("A"), broken[0], one("B"));
    assert_eq!(
        notes(&osv(&text).1),
        [format!(
            "test: record 2, byte {}: it is not closed before the next record begins (skipped)",
            one("A").len() + 1
        )]
    );
}

#[test]
fn a_record_of_fifty_megabytes_is_skipped_and_never_in_memory() {
    /// Makes the record as it is read, so that a test for memory does not need the memory itself.
    struct Large {
        head: &'static [u8],
        left: usize,
        tail: &'static [u8],
        largest: usize,
    }
    impl std::io::Read for Large {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            self.largest = self.largest.max(buf.len());
            if !self.head.is_empty() {
                return std::io::Read::read(&mut self.head, buf);
            }
            if self.left > 0 {
                let some = self.left.min(buf.len());
                buf[..some].fill(b'x');
                self.left -= some;
                return Ok(some);
            }
            std::io::Read::read(&mut self.tail, buf)
        }
    }
    let mut large = Large {
        head: br#"[{"id": "BIG", "summary": ""#,
        left: 50_000_000,
        tail: br#""}, {"id": "AFTER"}]"#,
        largest: 0,
    };
    let mut read = Collected::default();
    let summary = osv::read(&mut large, &feed(), &Limits::default(), &mut read).unwrap();
    assert_eq!(ids(&read), ["AFTER"]);
    assert_eq!((summary.records, summary.skipped), (2, 1));
    assert_eq!(
        notes(&read),
        [
            "test: record 1, byte 1: it has 50000028 bytes; a record may have 16777216 (Limits::record_bytes_max) \
          (skipped)"
        ]
    );
    assert!(large.largest <= 1 << 16, "the input is read in pieces of {} bytes", large.largest);
}

#[test]
fn nesting_is_bounded() {
    let deep = format!(r#"{{"id": "DEEP", "x": {}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let (_, read) = osv(&format!("[{deep}, {}]", good("A")));
    assert_eq!(ids(&read), ["A"]);
    assert_eq!(
        notes(&read),
        [
            "test: record 1, byte 1: its lists and objects nest deeper than 64 levels (Limits::nesting_max) (skipped)"
        ]
    );
    // A caller who lets more pass is still held by the library below.
    let limits = Limits { nesting_max: 1_000_000, ..Limits::default() };
    let mut read = Collected::default();
    osv::read(deep.replace("\"x\"", "\"affected\"").as_bytes(), &feed(), &limits, &mut read).unwrap();
    assert_eq!(read.notes.len(), 1);
}

#[test]
fn a_version_of_ten_thousand_characters_never_makes_a_version_safe() {
    let long = "9".repeat(10_000);
    let text = format!(
        r#"{{"id": "L", "affected": [{{"package": {{"ecosystem": "AlmaLinux:9", "name": "a"}}, "versions": ["{long}"],
        "ranges": [{{"type": "ECOSYSTEM", "events": [{{"introduced": "0"}}, {{"fixed": "{long}"}}]}}]}}]}}"#
    );
    let (_, read) = osv(&text);
    assert_eq!(all_shown(&read.advisories[0].affected), ["rpm:a on almalinux 9: every version: affected"]);
    assert_eq!(
        notes(&read),
        [
            format!(
                "test: `L` (record 1), byte 0: `affected[0].ranges[0]`: the end of a range: `{}` is not a version of \
                 the scheme rpm: it is longer than 512 bytes; taken as not repaired there (kept in part)",
                "9".repeat(80)
            ),
            "test: `L` (record 1), byte 0: `affected[0].versions`: a version of 10000 bytes; 512 are let pass (kept in \
             part)"
                .to_owned(),
        ]
    );
}

#[test]
fn a_name_without_end_is_no_name() {
    let (_, read) = osv(&format!(r#"{{"id": "{}"}}"#, "n".repeat(10_000)));
    assert!(read.advisories.is_empty());
    assert!(notes(&read)[0].ends_with("`id`: it has 10000 bytes; at most 512 are let pass (skipped)"));
}

#[test]
fn an_unknown_severity_is_told_and_unknown() {
    let (_, read) = osv(r#"{"id": "S", "database_specific": {"severity": "Spicy"}}"#);
    assert_eq!(read.advisories[0].severity, patchflow_core::catalog::Severity::Unknown);
    assert_eq!(
        notes(&read),
        [
            "test: `S` (record 1), byte 0: `database_specific.severity`: `Spicy` is no severity that is known; taken as \
          unknown (kept in part)"
        ]
    );
    // Free members may be of any type.
    let (_, read) = osv(r#"{"id": "S", "database_specific": {"severity": [{"a": 1}], "urgency": 3.5}}"#);
    assert_eq!(notes(&read), [""; 0]);
}

#[test]
fn dates_in_the_future_are_not_known() {
    let (_, read) = osv(
        r#"{"id": "F", "published": "2031-01-01T00:00:00Z", "withdrawn": "2031-01-01T00:00:00Z", "modified": "soon"}"#,
    );
    let advisory = &read.advisories[0];
    assert_eq!(
        (advisory.published, advisory.withdrawn),
        (None, None),
        "a record is not withdrawn before its day"
    );
    assert_eq!(
        notes(&read),
        [
            "test: `F` (record 1), byte 0: `modified`: `soon` is no date: expected RFC 3339, such as \
             2026-11-21T08:30:00Z, or 2026-11-21 (kept in part)",
            "test: `F` (record 1), byte 0: `published`: `2031-01-01T00:00:00Z` lies in the future; it is taken as not \
             known (kept in part)",
            "test: `F` (record 1), byte 0: `withdrawn`: `2031-01-01T00:00:00Z` lies in the future; it is taken as not \
             known (kept in part)",
        ]
    );
}

#[test]
fn a_record_that_comes_twice_is_told_when_it_differs() {
    let (summary, read) = osv(&format!("[{}, {}]", good("A"), good("A")));
    assert_eq!((summary.records, summary.advisories, summary.repeated, summary.again), (2, 1, 1, 0));
    assert_eq!(notes(&read), [""; 0]);
    let other = good("A").replace("\"2\"", "\"3\"");
    let (summary, read) = osv(&format!("[{}, {other}]", good("A")));
    assert_eq!((summary.advisories, summary.repeated, summary.again), (2, 0, 1));
    assert_eq!(
        notes(&read),
        [format!(
            "test: `A` (record 2), byte {}: the feed has it before with other content; whoever merges must choose \
             (handed on again)",
            good("A").len() + 3
        )]
    );
}

#[test]
fn an_advisory_that_affects_everything_is_one_statement() {
    let (_, read) = osv(
        r#"{"id": "E", "affected": [{"package": {"ecosystem": "npm", "name": "a"}, "ranges": [{"type": "SEMVER",
        "events": [{"introduced": "0"}]}]}, {"package": {"ecosystem": "npm", "name": "b"}}]}"#,
    );
    assert_eq!(
        all_shown(&read.advisories[0].affected),
        ["npm:a: every version: affected", "npm:b: all: affected"]
    );
    assert_eq!(
        notes(&read),
        [
            "test: `E` (record 1), byte 0: `affected[1]`: it names no version; taken as affecting every one (kept in part)"
        ]
    );
}

#[test]
fn notes_are_bounded_and_the_rest_is_counted() {
    let broken: String = (0..100).map(|at| format!("{{\"id\": {at}}}\n")).collect();
    let mut read = Collected::default();
    let limits = Limits { notes_max: 10, ..Limits::default() };
    let summary = osv::read(broken.as_bytes(), &feed(), &limits, &mut read).unwrap();
    assert_eq!((summary.skipped, summary.untold, read.notes.len()), (100, 90, 10));
}

#[test]
fn a_reading_ends_at_the_limit_of_all_bytes() {
    let text: String = (0..100_000).map(|at| format!("{{\"id\": \"X-{at}\"}}\n")).collect();
    let limits = Limits { total_bytes_max: 100_000, ..Limits::default() };
    let mut read = Collected::default();
    let error = osv::read(text.as_bytes(), &feed(), &limits, &mut read).unwrap_err();
    assert!(
        error.to_string().ends_with("more than 100000 bytes, which is the limit of a reading"),
        "{error}"
    );
    assert!(read.advisories.len() > 1000 && error.so_far.advisories == read.advisories.len() as u64);
}

#[test]
fn an_input_that_fails_names_its_cause() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is gone"))
        }
    }
    let error = osv::read(Broken, &feed(), &Limits::default(), &mut Collected::default()).unwrap_err();
    assert_eq!(error.to_string(), "test, byte 0: it cannot be read");
    let source = std::error::Error::source(&error.kind).expect("the cause is kept");
    assert_eq!(source.to_string(), "the disk is gone");
}

/// Texts made from numbers, joined by commas.
fn list(of: std::ops::Range<u32>, each: impl Fn(u32) -> String) -> String {
    of.map(each).collect::<Vec<_>>().join(",")
}

#[test]
fn a_record_cannot_ask_for_more_work_than_its_share() {
    // 1000 ranges beside 10 000 versions: ten million comparisons.
    let ranges = list(0..1000, |at| {
        format!(r#"{{"type": "SEMVER", "events": [{{"introduced": "{at}.0.0"}}, {{"fixed": "{at}.5.0"}}]}}"#)
    });
    let versions = list(0..10_000, |at| format!("\"0.{at}.1\""));
    let (_, read) = osv(&format!(
        r#"{{"id": "W", "affected": [{{"package": {{"ecosystem": "npm", "name": "a"}}, "ranges": [{ranges}],
        "versions": [{versions}]}}]}}"#
    ));
    assert!(
        notes(&read)[0].contains(
            "`affected[0]`: too many versions beside too many ranges; they are meant by their texts"
        ),
        "{:?}",
        notes(&read)
    );
    assert!(read.advisories[0].affected.iter().any(|one| one.versions.contain("0.9999.1")), "none is lost");

    // A name of half a kilobyte in each of 200 000 statements would be a hundred megabytes.
    let name = "n".repeat(500);
    let events = list(0..120_000, |at| format!(r#"{{"introduced": "{at}.0.0"}}, {{"fixed": "{at}.5.0"}}"#));
    let (_, read) = osv(&format!(
        r#"{{"id": "W", "affected": [{{"package": {{"ecosystem": "npm", "name": "{name}"}},
        "ranges": [{{"type": "SEMVER", "events": [{events}]}}]}}]}}"#
    ));
    assert_eq!(read.advisories[0].affected.len(), 1);
    assert!(
        notes(&read)[0].contains("120000 ranges are more than a record may have; taken as every version"),
        "{:?}",
        notes(&read)
    );
}

#[test]
fn lists_that_multiply_are_bounded() {
    // Each of 3000 CPE names has each of 3000 versions.
    let cpes = list(0..3000, |at| format!("\"cpe:2.3:a:v:p{at}:*:*:*:*:*:*:*:*\""));
    let versions = list(0..3000, |at| format!(r#"{{"version": "{at}", "status": "affected"}}"#));
    let text = format!(
        r#"{{"cveMetadata": {{"cveId": "CVE-1", "state": "PUBLISHED"}}, "containers": {{"cna": {{"affected": [
        {{"product": "p", "cpes": [{cpes}], "versions": [{versions}]}}]}}}}}}"#
    );
    let (_, cves) = read(|input, feed, limits, sink| cve::read(input, feed, limits, sink), text.as_bytes());
    assert!(
        notes(&cves)
            .iter()
            .any(|note| note.contains("too many versions of too many products; the rest is left out")),
        "{:?}",
        notes(&cves)
    );
    // Each of 1000 remediations names a group of 20 000 products.
    let members = list(0..20_000, |at| format!("\"P{at}\""));
    let groups = list(0..1000, |_| r#"{"category": "workaround", "group_ids": ["G"]}"#.to_owned());
    let text = format!(
        r#"{{"document": {{"tracking": {{"id": "D"}}}}, "product_tree": {{"product_groups": [{{"group_id": "G",
        "product_ids": [{members}]}}]}}, "vulnerabilities": [{{"cve": "CVE-1", "remediations": [{groups}]}}]}}"#
    );
    let (_, documents) =
        read(|input, feed, limits, sink| csaf::read(input, feed, limits, sink), text.as_bytes());
    assert_eq!(
        notes(&documents),
        [
            "test: `D` (record 1), byte 0: groups of products are named too often; the rest is left out (kept in part)"
        ]
    );
}
