//! The picture of the phases in the documentation is printed from the table.
//!
//! `PATCHFLOW_BLESS=1 cargo test -p patchflow-core --test house` writes it anew.

use std::path::Path;

const FROM: &str = "<!-- phases: printed from the table by a test; PATCHFLOW_BLESS=1 writes it anew -->\n";
const TO: &str = "<!-- end of phases -->";

/// The page with the picture in its place; `None` when a marker is missing.
fn with_diagram(page: &str, diagram: &str) -> Option<String> {
    let (before, rest) = page.split_once(FROM)?;
    let (_, after) = rest.split_once(TO)?;
    Some(format!("{before}{FROM}\n```mermaid\n{}\n```\n\n{TO}{after}", diagram.trim_end()))
}

#[test]
fn the_picture_in_the_architecture_page_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/architecture.md");
    let page = std::fs::read_to_string(&path).expect("the page can be read").replace("\r\n", "\n");
    let wanted = with_diagram(&page, &patchflow_core::rollout::diagram()).expect("the page has both markers");
    if std::env::var_os("PATCHFLOW_BLESS").is_some() {
        std::fs::write(&path, &wanted).expect("the page can be written");
    } else {
        assert!(
            page == wanted,
            "docs/architecture.md shows another table; write it anew with PATCHFLOW_BLESS=1"
        );
    }
}

#[test]
fn a_stale_picture_is_seen() {
    let page = format!("a\n{FROM}old\n{TO}\nb\n");
    let fresh = with_diagram(&page, "stateDiagram-v2\n").expect("both markers are there");
    assert_ne!(page, fresh);
    assert_eq!(with_diagram(&fresh, "stateDiagram-v2\n").as_ref(), Some(&fresh));
    assert!(fresh.starts_with("a\n") && fresh.ends_with("\nb\n"));
    assert_eq!(with_diagram("no markers", "x"), None);
}
