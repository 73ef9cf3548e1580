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
