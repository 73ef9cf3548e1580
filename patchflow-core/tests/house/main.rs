//! The house rules of the core, read from its sources: the order of its rooms, its dependencies, the picture of its
//! phases, and what embedders may count on. They test the crate from outside and nothing of its behaviour.

mod dependencies;
mod diagram;
mod lexer;
mod promises;
mod rooms;

use std::path::{Path, PathBuf};

/// The sources of the core: path below `src`, and text. In the order of their paths.
fn sources() -> Vec<(PathBuf, String)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("the sources can be listed") {
            let path = entry.expect("the sources can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source can be read");
                found.push((path.strip_prefix(&src).expect("it lies below src").to_owned(), text));
            }
        }
    }
    found.sort();
    assert!(found.len() > 20, "only {} sources were found in {}", found.len(), src.display());
    found
}

/// One enumeration cannot be parted: every kind of fact with what it holds stands in one place.
const WHOLE: [&str; 1] = ["fleet/message/fact.rs"];

#[test]
fn no_file_is_longer_than_600_lines() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(path, lines)| *lines > 600 && !WHOLE.iter().any(|whole| path.ends_with(whole)))
        .collect();
    assert!(long.is_empty(), "split these, each part named after what it implements: {long:?}");
}
