//! `patchflow-lab match`, from files to what it prints.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const INVENTORY: &str = r#"{"id":"web-1","os":"debian 12","read_at":"2026-11-21T08:00:00Z","installed":[
  {"package":{"ecosystem":"deb","name":"libcurl4"},"version":"7.88.1-10+deb12u1","built_from":{"name":"curl","version":"7.88.1-10+deb12u1"}},
  {"package":{"ecosystem":"pypi","name":"Zope.Interface"},"version":"5.0"}]}
{"id":"web-2","os":"debian 12","read_at":"2026-11-21T08:00:00Z"}
{"id":"broken"}
"#;
const PYTHON: &str = r#"{"id":"PYSEC-2026-1","modified":"2026-11-01T00:00:00Z","published":"2026-11-01T00:00:00Z",
  "aliases":["CVE-2026-1"],"database_specific":{"severity":"CRITICAL"},
  "affected":[{"package":{"ecosystem":"PyPI","name":"zope-interface"},
  "ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"5.1"}]}]}]}"#;
const TRACKER: &str = r#"{"curl":{"CVE-2026-2":{"releases":{"bookworm":{"status":"resolved",
  "repositories":{"bookworm":"7.88.1-10+deb12u8"},"fixed_version":"7.88.1-10+deb12u8","urgency":"low"}}}}}"#;

/// A folder of its own, which goes with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("patchflow-match-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("feeds")).unwrap();
        // One endpoint is one line.
        let lines = INVENTORY.replace(",\n  ", ",").replace("[\n  ", "[");
        fs::write(path.join("inventory.jsonl"), lines).unwrap();
        fs::write(path.join("feeds/python.json"), PYTHON).unwrap();
        fs::write(path.join("feeds/tracker.json"), TRACKER).unwrap();
        fs::write(path.join("feeds/broken.json"), r#"{"id": "PYSEC-2026-9", "modified": 7"#).unwrap();
        Self(path)
    }

    fn run(&self, inventory: &str, more: &[&str]) -> Output {
        let mut lab = Command::new(env!("CARGO_BIN_EXE_patchflow-lab"));
        lab.current_dir(&self.0).args(["match", "--inventory", inventory, "--now", "2026-11-21T09:00:00Z"]);
        lab.args(more).output().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(Path::new(&self.0));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn what_is_missing_is_printed_the_most_urgent_first() {
    let folder = Folder::new("people");
    let told = folder.run("inventory.jsonl", &["--advisories", "feeds"]);
    let (out, err) = (text(&told.stdout), text(&told.stderr));
    assert_eq!(told.status.code(), Some(0), "{out}{err}");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines[0], "web-1 (debian 12): 2 of 2 packages are hit", "{out}");
    assert!(lines[1].starts_with("  critical pypi:zope-interface 5.0 -> 5.1, due 2026-"), "{out}");
    assert_eq!(lines[2].trim(), "CVE-2026-1");
    assert!(
        out.contains("deb:libcurl4 7.88.1-10+deb12u1 -> 7.88.1-10+deb12u8 (versions of its source curl)"),
        "{out}"
    );
    assert_eq!(lines.last(), Some(&"web-2 (debian 12): 0 of 0 packages are hit"), "{out}");
    assert!(
        err.contains("line 3: missing field `read_at`") && err.contains("2 endpoints, 1 lines skipped"),
        "{err}"
    );
    assert!(err.contains("broken.json"), "{err}");
}

#[test]
fn json_is_a_line_for_each_and_nothing_readable_is_bad_input() {
    let folder = Folder::new("json");
    let told =
        folder.run("inventory.jsonl", &["--json", "--advisories", "feeds/python.json", "feeds/tracker.json"]);
    let lines: Vec<serde_json::Value> =
        text(&told.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{}", text(&told.stderr));
    assert_eq!((lines[0]["priority"].as_str(), lines[0]["fix"].as_str()), (Some("critical"), Some("5.1")));
    assert_eq!(lines[1]["source"].as_str(), Some("curl"));

    for (inventory, feed, why) in [
        ("nothing.jsonl", "feeds", "--inventory nothing.jsonl"),
        ("feeds/tracker.json", "feeds", "no line of it is an endpoint"),
        ("inventory.jsonl", "nothing", "--advisories nothing"),
    ] {
        let told = folder.run(inventory, &["--advisories", feed]);
        assert_eq!((told.status.code(), text(&told.stdout).as_str()), (Some(2), ""));
        assert!(text(&told.stderr).contains(why), "{}", text(&told.stderr));
    }
}

const PATCHES: &str = r#"{"id":"zope-5.1","package":{"ecosystem":"pypi","name":"zope-interface"},"version":"5.1","category":"security","sha256":"SUM"}
{"id":"zope-5.2","package":{"ecosystem":"pypi","name":"zope-interface"},"version":"5.2","category":"security","supersedes":["zope-5.1"],"requires":["curl-u8"],"sha256":"SUM"}
{"id":"curl-u8","package":{"ecosystem":"deb","name":"libcurl4"},"version":"7.88.1-10+deb12u8","platform":"debian 12","category":"security","sha256":"SUM"}
{"id":"curl-u9","package":{"ecosystem":"deb","name":"libcurl4"},"version":"7.88.1-10+deb12u9","platform":"debian 12","category":"security","floors":["7.88.1-10+deb12u8"],"sha256":"SUM"}
{"id":"curl-hot","package":{"ecosystem":"deb","name":"libcurl4"},"version":"7.88.1-10+deb12u8.1","platform":"debian 12","category":"security","conflicts":["zope-5.2"],"sha256":"SUM"}
{"id":"elsewhere","package":{"ecosystem":"deb","name":"libcurl4"},"version":"7.88.1-10+deb12u8","platform":"debian 11","category":"security","sha256":"SUM"}
{"id":"misspelt","package":{"ecosystem":"deb","name":"libcurl4"},"version":"7.88.1-11","category":"security","conflict":["zope-5.2"],"sha256":"SUM"}
"#;

fn with_patches(name: &str) -> Folder {
    let folder = Folder::new(name);
    let sum = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    fs::write(folder.0.join("patches.jsonl"), PATCHES.replace("SUM", sum)).unwrap();
    folder
}

#[test]
fn patches_are_the_latest_of_their_chain_after_what_they_stand_on() {
    let folder = with_patches("patches");
    let told = folder.run("inventory.jsonl", &["--advisories", "feeds", "--patches", "patches.jsonl"]);
    let (out, err) = (text(&told.stdout), text(&told.stderr));
    assert_eq!(told.status.code(), Some(0), "{out}{err}");
    assert!(err.contains("unknown field `conflict`"), "{err}");
    let plan: Vec<_> = out.lines().skip_while(|line| *line != "  install").collect();
    assert_eq!(
        plan,
        [
            "  install",
            "           curl-u8: deb:libcurl4 -> 7.88.1-10+deb12u8; 7.88.1-10+deb12u1 is there, which has CVE-2026-2",
            "  when that is verified, install",
            "           curl-u9: deb:libcurl4 -> 7.88.1-10+deb12u9; 7.88.1-10+deb12u1 is there, which has CVE-2026-2",
            "  not zope-5.1: zope-5.2 replaces it",
            "  not curl-hot: it conflicts with zope-5.2",
            "  not zope-5.2: it conflicts with curl-hot",
            "web-2 (debian 12): 0 of 0 packages are hit",
        ],
        "{out}"
    );
    let told =
        folder.run("inventory.jsonl", &["--json", "--advisories", "feeds", "--patches", "patches.jsonl"]);
    let lines: Vec<serde_json::Value> =
        text(&told.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let install = lines.last().unwrap();
    assert_eq!(install["endpoint"], "web-1");
    assert_eq!(install["install"][0][0]["patch"], "curl-u8");
    assert_eq!(install["install"][1][0]["version"], "7.88.1-10+deb12u9");
    assert_eq!(install["replaced"]["zope-5.1"], "zope-5.2");
    assert_eq!(install["waiting"]["curl-hot"], "it conflicts with zope-5.2");
}

#[test]
fn a_platform_without_support_is_told_with_what_to_do_instead() {
    let folder = Folder::new("ends");
    let tracker =
        TRACKER.replace(r#""status":"resolved""#, r#""status":"open""#).replace("low", "end-of-life");
    fs::write(folder.0.join("feeds/tracker.json"), tracker).unwrap();
    let ends = r#"[{"platform": "debian 12", "since": "2026-06-10", "mitigation": "upgrade to debian 13"}]"#;
    fs::write(folder.0.join("ends.json"), ends).unwrap();
    let told = folder.run("inventory.jsonl", &["--advisories", "feeds", "--end-of-life", "ends.json"]);
    let (out, err) = (text(&told.stdout), text(&told.stderr));
    assert_eq!(told.status.code(), Some(0), "{out}{err}");
    assert!(
        out.contains(
            "  debian 12 gets no repairs since 2026-06-10T00:00:00.000Z; 1 of them cannot be patched: upgrade to debian 13"
        ),
        "{out}"
    );
    assert!(out.contains("deb:libcurl4 7.88.1-10+deb12u1 -> no fix is named"), "{out}");
    let told =
        folder.run("inventory.jsonl", &["--json", "--advisories", "feeds", "--end-of-life", "ends.json"]);
    let first = text(&told.stdout);
    let first: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert_eq!(first["unsupported_since"], "2026-06-10T00:00:00.000Z");
    fs::write(
        folder.0.join("ends.json"),
        r#"[{"platform": "debian 12", "since": "soon", "mitigation": "x"}]"#,
    )
    .unwrap();
    let told = folder.run("inventory.jsonl", &["--advisories", "feeds", "--end-of-life", "ends.json"]);
    assert_eq!(told.status.code(), Some(2));
    assert!(
        text(&told.stderr).contains("--end-of-life ends.json: [0].since: expected a day"),
        "{}",
        text(&told.stderr)
    );
}
