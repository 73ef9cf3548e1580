//! CISA's catalogue and EPSS scores.

use super::{data, feed, notes, read};
use patchflow_backends::advisory::{Collected, Limits, Summary, epss, kev};

fn kev(bytes: &[u8]) -> (Summary, Collected) {
    read(|input, feed, limits, sink| kev::read(input, feed, limits, sink), bytes)
}

fn epss(bytes: &[u8]) -> (Summary, Collected) {
    read(|input, feed, limits, sink| epss::read(input, feed, limits, sink), bytes)
}

#[test]
fn both_forms_of_the_catalogue_say_the_same() {
    let (_, json) = kev(&data("real/kev.json"));
    let (_, csv) = kev(&data("real/kev.csv"));
    assert_eq!((notes(&json), notes(&csv)), (Vec::new(), Vec::new()));
    assert_eq!(json.advisories.len(), 4);
    let plain = |read: &Collected| {
        let mut found: Vec<_> =
            read.advisories.iter().map(|a| (a.id.clone(), a.exploited.clone(), a.title.clone())).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        found
    };
    assert_eq!(plain(&json), plain(&csv));
    let git = json.advisories.iter().find(|advisory| &*advisory.id == "CVE-2025-48384").unwrap();
    let exploited = git.exploited.as_ref().unwrap();
    assert_eq!(exploited.since.to_string(), "2025-08-26T00:00:00.000Z", "a day counts from its end");
    assert_eq!(exploited.due.unwrap().to_string(), "2025-09-16T00:00:00.000Z");
    assert!(!exploited.ransomware);
    assert!(json.advisories.iter().any(|advisory| advisory.exploited.as_ref().unwrap().ransomware));
    assert!(git.affected.is_empty(), "which versions is for other feeds to say");
}

#[test]
fn what_is_broken_in_the_catalogue_is_told() {
    let text = r#"{"count": 3, "vulnerabilities": [{"cveID": "CVE-1", "dateAdded": "2031-01-01"},
        {"cveID": "CVE-2", "dateAdded": 7}, {"cveID": "CVE-3", "dateAdded": "2026-01-01", "dueDate": "2031-01-01"}]}"#;
    let (summary, read) = kev(text.as_bytes());
    assert_eq!((summary.records, summary.advisories, summary.skipped), (3, 2, 1));
    // Listed is listed, whatever its date is; a due date may lie ahead.
    assert_eq!(read.advisories[0].exploited.as_ref().unwrap().since, feed().read_at);
    assert_eq!(
        read.advisories[1].exploited.as_ref().unwrap().due.unwrap().to_string(),
        "2031-01-02T00:00:00.000Z"
    );
    assert_eq!(
        notes(&read),
        [
            format!(
                "test: `CVE-1` (record 1), byte {}: `dateAdded`: `2031-01-01` lies in the future; it is taken as not \
                 known (kept in part)",
                text.find(r#"{"cveID": "CVE-1""#).unwrap()
            ),
            format!(
                "test: `CVE-2` (record 2), byte {}: `dateAdded`: invalid type: integer `7`, expected a string (skipped)",
                text.find("7}").unwrap()
            ),
        ]
    );
    let refused = |text: &str| {
        let error = kev::read(text.as_bytes(), &feed(), &Limits::default(), &mut Collected::default());
        error.unwrap_err().to_string()
    };
    assert_eq!(refused("{\"count\": 1}"), "test, byte 12: the catalogue has no list `vulnerabilities`");
    assert_eq!(refused("{\"vulnerabilities\": {}}"), "test, byte 20: `vulnerabilities` is no list");
    assert_eq!(
        refused("a,b\n1,2\n"),
        "test, line 1: expected a first line with the columns `cveID` and `dateAdded`"
    );
    assert!(refused("{\"vulnerabilities\": [{\"cveID\"").contains("it ends in the middle of a record"));
    let (_, read) = kev(b"cveID,dateAdded\nCVE-1,2026-01-01,x\nCVE-2,2026-01-01\n");
    assert_eq!(read.advisories.len(), 1);
    assert_eq!(
        notes(&read),
        [
            "test: `CVE-1` (record 1), line 2: it has 3 fields and the first line 2; is a quote missing? (skipped)"
        ]
    );
}

#[test]
fn scores_are_read_with_their_day() {
    let (_, read) = epss(&data("written/epss.csv"));
    assert_eq!(notes(&read), [""; 0]);
    let score = read.advisories[1].epss.unwrap();
    assert_eq!((score.score, score.percentile), (0.94358, 0.99957));
    assert_eq!(score.on.unwrap().to_string(), "2026-11-20T00:00:00.000Z");
    let (summary, read) = epss(&data("real/epss.csv"));
    assert_eq!((summary.records, summary.advisories), (5, 5));
    assert_eq!(notes(&read), [""; 0]);
    let last = &read.advisories[4];
    let score = last.epss.unwrap();
    assert_eq!((&*last.id, score.score, score.percentile), ("CVE-1999-0005", 0.91963, 0.99214));
    assert_eq!(score.on.unwrap().to_string(), "2025-02-20T00:00:00.000Z");
    let (summary, read) =
        epss(b"cve,epss,percentile\nCVE-1,1.5,0.1\nCVE-2,nan,0.1\nCVE-3,0.5\nCVE-4,0.5,0.6\n");
    assert_eq!((summary.records, summary.advisories), (4, 1));
    assert_eq!(
        notes(&read),
        [
            "test: `CVE-1` (record 1), line 2: `epss`: `1.5` is no number from 0 to 1 (skipped)",
            "test: `CVE-2` (record 2), line 3: `epss`: `nan` is no number from 0 to 1 (skipped)",
            "test: `CVE-3` (record 3), line 4: `percentile`: `` is no number from 0 to 1 (skipped)",
        ]
    );
    let error =
        epss::read(&b"hello"[..], &feed(), &Limits::default(), &mut Collected::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "test, line 1: expected a line with the columns `cve`, `epss` and `percentile`"
    );
}
