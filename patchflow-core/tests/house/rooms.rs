//! A room of the core uses only the rooms before it.

use crate::lexer::{Token, tokens};
use std::path::Path;

/// The rooms in their order. A new one is put here on purpose, with a line in `docs/architecture.md`.
const ROOMS: &[&str] = &[
    "ids",
    "time",
    "error",
    "digest",
    "package", // newtypes without behaviour of the domain
    "catalog",
    "inventory",
    "risk",
    "identify",
    "schedule",
    "gate",
    "policy",
    "candidate",
    "plan",
    "rollout",
    "fleet",
    "journal",
    "report",
    "sdk",
];

/// Values for doctests and unit tests. Not a room: code that ships must not use it.
const FIXTURES: &str = "doc";

/// One use of another room: its name, the line, and whether only tests see it.
#[derive(Debug, PartialEq, Eq)]
struct Use {
    room: String,
    line: usize,
    in_test: bool,
}

/// The modules that a file stands in, below the root: `fleet/fact.rs` is `[fleet, fact]`.
fn modules(path: &Path) -> Vec<String> {
    let mut names: Vec<String> = path
        .with_extension("")
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    if names.last().is_some_and(|last| last == "mod" || (last == "lib" && names.len() == 1)) {
        names.pop();
    }
    names
}

/// Every path of a source that starts at the root of the crate, by `crate::` or by enough `super::`.
fn uses(path: &Path, source: &str) -> Vec<Use> {
    let tokens = tokens(source);
    let text = |i: usize| tokens.get(i).map_or("", |token: &Token| token.text.as_str());
    let depth = modules(path).len();
    let mut found = Vec::new();
    // For each open brace: whether a module opened it, and whether only tests see what is inside.
    let mut open: Vec<(bool, bool)> = vec![(false, path.ends_with("tests.rs"))];
    let mut test_attribute = false;
    let mut i = 0;
    while i < tokens.len() {
        let in_test = open.iter().any(|(_, test)| *test) || test_attribute;
        match text(i) {
            "#" if (1..=6).map(|n| text(i + n)).eq(["[", "cfg", "(", "test", ")", "]"]) => {
                test_attribute = true;
                i += 6;
            }
            "{" => {
                open.push((i >= 2 && text(i - 2) == "mod", test_attribute));
                test_attribute = false;
            }
            "}" if open.len() > 1 => {
                open.pop();
            }
            ";" => test_attribute = false,
            "crate" if text(i + 1) == "::" => i = targets(&tokens, i + 2, in_test, &mut found),
            "super" if text(i + 1) == "::" => {
                let inner = open.iter().filter(|(module, _)| *module).count();
                let mut up = 0;
                while text(i) == "super" && text(i + 1) == "::" {
                    up += 1;
                    i += 2;
                }
                if up >= depth + inner {
                    i = targets(&tokens, i, in_test, &mut found);
                }
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// Collects the rooms that a path from the root names at `i`: one, or the heads of a group. Returns where the head ends.
fn targets(tokens: &[Token], i: usize, in_test: bool, found: &mut Vec<Use>) -> usize {
    let mut push = |token: &Token| found.push(Use { room: token.text.clone(), line: token.line, in_test });
    match tokens.get(i) {
        Some(token) if token.text == "{" => {
            let mut depth = 1;
            let mut at = i + 1;
            while let Some(token) = tokens.get(at).filter(|_| depth > 0) {
                match token.text.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ if depth == 1 && matches!(tokens[at - 1].text.as_str(), "{" | ",") => push(token),
                    _ => {}
                }
                at += 1;
            }
            at - 1
        }
        Some(token) => {
            push(token);
            i
        }
        None => i,
    }
}

/// What in a source breaks the order, one line each.
fn violations(path: &Path, source: &str) -> Vec<String> {
    let modules = modules(path);
    let rank = |name: &str| ROOMS.iter().position(|room| *room == name);
    let Some(own) = modules.first() else { return Vec::new() };
    let place = |line: usize| format!("{}:{line}", path.display());
    let own_rank = match rank(own) {
        Some(rank) => rank,
        None if own == FIXTURES => ROOMS.len(),
        None => return vec![format!("{}: `{own}` is not in the list of rooms", place(1))],
    };
    let mut found = Vec::new();
    for Use { room, line, in_test } in uses(path, source) {
        match rank(&room) {
            Some(other) if other <= own_rank => {}
            Some(_) => {
                found.push(format!("{}: `{own}` stands before `{room}` and must not use it", place(line)))
            }
            None if room == FIXTURES && (in_test || own == FIXTURES) => {}
            None if room == FIXTURES => {
                found.push(format!("{}: `{FIXTURES}` is for tests only", place(line)))
            }
            None => found.push(format!("{}: `{room}` is not in the list of rooms", place(line))),
        }
    }
    found
}

#[test]
fn every_room_uses_only_rooms_before_it() {
    let found: Vec<String> =
        crate::sources().iter().flat_map(|(path, source)| violations(path, source)).collect();
    assert!(found.is_empty(), "against the order of the rooms ({}):\n{}", ROOMS.join(" "), found.join("\n"));
}

#[test]
fn the_order_in_the_documentation_of_the_crate_is_this_one() {
    let sources = crate::sources();
    let (_, lib) = sources.iter().find(|(path, _)| path == Path::new("lib.rs")).expect("there is a lib.rs");
    let mut at = 0;
    for room in ROOMS.iter().filter(|room| lib.contains(&format!("pub mod {room};"))) {
        let header = lib.split("#![no_std]").next().unwrap_or(lib);
        let next =
            header[at..].find(room).unwrap_or_else(|| panic!("lib.rs does not name `{room}` in its place"));
        at += next + room.len();
    }
}

#[test]
fn the_check_finds_what_it_should() {
    let broken = |path: &str, source: &str| violations(Path::new(path), source).len();
    assert_eq!(broken("gate/limits.rs", "use crate::time::Timestamp;"), 0);
    assert_eq!(broken("gate/limits.rs", "use crate::fleet::Fleet;"), 1, "a plain import");
    assert_eq!(broken("gate/limits.rs", "fn f(x: &crate::sdk::Manifest) {}"), 1, "a path in a signature");
    assert_eq!(broken("gate/limits.rs", "use crate::{time, fleet::{self, Fleet}, plan};"), 2, "a group");
    assert_eq!(broken("gate/limits.rs", "use super::super::fleet::Fleet;"), 1, "by super");
    assert_eq!(broken("gate/mod.rs", "use super::fleet::Fleet;"), 1, "by super from mod.rs");
    assert_eq!(
        broken("gate/mod.rs", "mod inner { use super::super::fleet::Fleet; }"),
        1,
        "by super from an inner module"
    );
    assert_eq!(broken("gate/limits.rs", "use super::fleet_of_ships;"), 0, "a sibling");
    assert_eq!(broken("gate/limits.rs", "/// See [`crate::fleet::Fleet`].\nstruct S;"), 0, "a link");
    assert_eq!(
        broken("gate/limits.rs", "/// ```\n/// use crate::fleet::Fleet;\n/// ```\nstruct S;"),
        0,
        "a doctest"
    );
    assert_eq!(
        broken("fleet/x.rs", "#[cfg(test)] mod tests { use crate::sdk::Clock; }"),
        1,
        "tests keep the order too"
    );
    assert_eq!(broken("gate/limits.rs", "use crate::doc::limits;"), 1, "fixtures in code that ships");
    assert_eq!(
        broken("gate/limits.rs", "#[cfg(test)] mod tests { use crate::doc::limits; }"),
        0,
        "fixtures in tests"
    );
    assert_eq!(
        broken("gate/limits.rs", "#[cfg(test)]\nmod tests;\nuse crate::doc::limits;"),
        1,
        "after the test module"
    );
    assert_eq!(broken("gate/verdict/tests.rs", "use crate::doc::limits;"), 0, "a file of tests");
    assert_eq!(broken("attic/mod.rs", ""), 1, "a room that nobody announced");
    assert_eq!(broken("gate/limits.rs", "use crate::attic::Thing;"), 1, "a use of such a room");
}
