//! Everything that is linked has a licence that `deny.toml` allows, and comes from crates.io.
//!
//! It asks cargo what the lock file resolves to on this platform; `cargo deny check` looks at the others too.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The quoted texts of the list `key = [ .. ]` in a section; enough of TOML for our own file.
fn list(toml: &str, section: &str, key: &str) -> BTreeSet<String> {
    let (_, rest) =
        toml.split_once(&format!("[{section}]\n")).unwrap_or_else(|| panic!("deny.toml has no [{section}]"));
    let rest = rest.split("\n[").next().unwrap_or(rest);
    let (_, rest) =
        rest.split_once(&format!("{key} = [")).unwrap_or_else(|| panic!("[{section}] has no list `{key}`"));
    let (inside, _) = rest.split_once(']').expect("a list is closed");
    inside.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether an SPDX expression can be met with the allowed licences: `OR` is a choice, `AND` binds tighter.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    // Old manifests write a choice as `MIT/Apache-2.0`.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = choice(&words, &mut at, allowed);
    assert_eq!(at, words.len(), "`{expression}` is not an SPDX expression");
    met
}

fn choice(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all(words, at, allowed);
    }
    met
}

fn all(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    if words.get(*at) == Some(&"(") {
        *at += 1;
        let met = choice(words, at, allowed);
        *at += 1;
        return met;
    }
    let mut licence = (*words.get(*at).unwrap_or(&"nothing")).to_owned();
    *at += 1;
    if words.get(*at) == Some(&"WITH") {
        licence = format!("{licence} WITH {}", words.get(*at + 1).unwrap_or(&"nothing"));
        *at += 2;
    }
    allowed.contains(&licence)
}

#[test]
fn what_is_linked_may_be_linked_into_any_product() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let deny = std::fs::read_to_string(root.join("deny.toml")).expect("deny.toml can be read");
    let allowed = list(&deny, "licenses", "allow");
    let host = Command::new("rustc").arg("-vV").output().expect("rustc runs");
    let host = String::from_utf8_lossy(&host.stdout).into_owned();
    let platform = host.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--filter-platform", platform, "--manifest-path"])
        .arg(root.join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let packages = metadata["packages"].as_array().expect("packages is a list");
    let mut wrong = Vec::new();
    for package in packages {
        let name = format!("{} {}", package["name"], package["version"]);
        match package["license"].as_str() {
            Some(expression) if is_met(expression, &allowed) => {}
            other => wrong.push(format!("{name}: licence {other:?}")),
        }
        let source = package["source"].as_str();
        if source.is_some_and(|source| source != "registry+https://github.com/rust-lang/crates.io-index") {
            wrong.push(format!("{name}: from {source:?}"));
        }
    }
    assert!(packages.len() > 20, "only {} packages", packages.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn expressions_are_read_as_meant() {
    let allowed = BTreeSet::from([
        "MIT".to_owned(),
        "Unicode-3.0".to_owned(),
        "Apache-2.0 WITH LLVM-exception".to_owned(),
    ]);
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT OR GPL-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("MIT/GPL-3.0", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(GPL-2.0 OR Apache-2.0) AND Unicode-3.0", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
        ("GPL-2.0 OR MIT AND GPL-3.0", false),
    ] {
        assert_eq!(is_met(expression, &allowed), met, "{expression}");
    }
}
