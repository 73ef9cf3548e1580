//! What the core may depend on, each with its reason. A dependency of the core is a dependency of every embedder.

use std::collections::BTreeMap;
use std::process::Command;

/// Normal dependencies of the core: name, whether it is optional, and why it is there.
const ALLOWED: &[(&str, bool, &str)] = &[
    (
        "async-trait",
        false,
        "the SDK traits are async and object-safe; expands at compile time, nothing is linked",
    ),
    ("chrono", true, "conversions for hosts that use it; only behind a feature, in no other signature"),
    ("hashbrown", false, "hash maps without std, with a hasher of our own choice; std's map is this one"),
    (
        "jiff",
        false,
        "RFC 3339 text and zones with their own IANA data; without std; in no public signature unless asked",
    ),
    ("petgraph", false, "strongly connected patches in the supersedence graph; without std, in no signature"),
    ("semver", false, "plugins state which versions of the SDK they work with"),
    ("serde", false, "requests, observations and facts are plain data on every wire a host may have"),
    ("serde_json", false, "rich facts stand as readable text in the journal"),
    ("sha2", false, "the journal's chain, content and policy digests"),
    (
        "smol_str",
        false,
        "names of endpoints that stand where they are kept, not elsewhere in memory; without std, in no signature",
    ),
    ("thiserror", false, "errors with sources, without std; expands at compile time"),
];

#[test]
fn the_core_depends_on_what_is_allowed_and_nothing_else() {
    // `--no-deps` reads manifests only: no network, no lock.
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
    let core = metadata["packages"]
        .as_array()
        .expect("packages is a list")
        .iter()
        .find(|package| package["name"] == "patchflow-core")
        .expect("the core is in its workspace");
    let found: BTreeMap<&str, bool> = core["dependencies"]
        .as_array()
        .expect("dependencies is a list")
        .iter()
        .filter(|dependency| dependency["kind"] != "dev")
        .map(|dependency| {
            let name = dependency["name"].as_str().expect("a dependency has a name");
            // async-trait is a bare procedural macro without features.
            let defaults = dependency["uses_default_features"] == true && name != "async-trait";
            assert!(!defaults, "`{name}`: default features bring std in; name the features that are needed");
            (name, dependency["optional"] == true)
        })
        .collect();
    let allowed: BTreeMap<&str, bool> =
        ALLOWED.iter().map(|(name, optional, _)| (*name, *optional)).collect();
    assert_eq!(
        found, allowed,
        "put a new dependency into the list with its reason, and ask first whether it is needed"
    );
}

#[test]
fn every_dependency_has_a_reason() {
    for (name, _, reason) in ALLOWED {
        assert!(reason.len() > 30, "`{name}` needs a reason that a reader can judge");
    }
    assert!(ALLOWED.windows(2).all(|pair| pair[0].0 < pair[1].0), "the list is sorted");
}
