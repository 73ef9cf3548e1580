//! The pages hang together: each is a doctest, its links lead somewhere, and the tests it names exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder with this extension, in order.
fn below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the repository can be listed") {
            let path = entry.expect("a folder of the repository can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn pages() -> Vec<PathBuf> {
    let mut pages = below(&root().join("docs"), "md");
    pages.push(root().join("README.md"));
    pages.push(root().join("benches/README.md"));
    pages
}

/// The targets of the links of a page, without those to other sites and to places within the page.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .map(|target| target.split('#').next().unwrap_or(target))
        .filter(|t| !t.is_empty() && !t.contains("://"))
        .collect()
}

#[test]
fn every_page_is_compiled() {
    let lib = read(&root().join("docs/src/lib.rs"));
    for page in below(&root().join("docs"), "md") {
        let below_docs =
            page.strip_prefix(root().join("docs")).expect("it lies below docs").display().to_string();
        assert!(
            lib.contains(&format!("\"../{below_docs}\"")),
            "docs/src/lib.rs has no line for {below_docs}"
        );
    }
}

#[test]
fn links_lead_somewhere() {
    for page in pages() {
        let text = read(&page);
        for link in links(&text) {
            let target = page.parent().expect("a page lies in a folder").join(link);
            assert!(target.exists(), "{} links to {link}, which does not exist", page.display());
        }
    }
    assert_eq!(links("[a](b.md#c), [d](#e), [f](https://g.example/h) and [i](../j)"), ["b.md", "../j"]);
}

/// The functions with a `#[test]` or `proptest!` body, and the names of trials, in all packages.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for package in
        ["patchflow-core", "patchflow-backends", "patchflow-testkit", "examples", "benches", "docs"]
    {
        for source in below(&root().join(package), "rs") {
            let text = read(&source);
            for rest in text.split("fn ").skip(1) {
                found.insert(rest.split(['(', '<']).next().unwrap_or_default().to_owned());
            }
            // Trials and scenarios that are named by a text rather than by a function.
            for name in text.split('"').skip(1).step_by(2) {
                found.insert(name.to_owned());
            }
        }
    }
    // A story is a test by the name of its file.
    for story in below(&root().join("patchflow-testkit/tests/scenarios"), "scenario") {
        found.extend(story.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    found
}

/// The stories by rule, as `docs/semantics.md` shows them: the rule stands at the beginning of a file's name.
fn table_of_stories() -> String {
    let folder = root().join("patchflow-testkit/tests/scenarios");
    let mut table = String::from("| Rule | What it shows | Story |\n|---|---|---|\n");
    for story in below(&folder, "scenario").iter().filter(|story| story.parent() == Some(&folder)) {
        let name = story.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let rule = name.split('_').next().unwrap_or_default();
        let number: u32 = rule.trim_start_matches('s').parse().unwrap_or_else(|_| {
            panic!("{}: a story's name begins with its rule, such as s02", story.display())
        });
        let text = read(story);
        let title = text.lines().next().and_then(|line| line.strip_prefix("scenario ")).unwrap_or_default();
        table.push_str(&format!("| S{number} | {} | `{name}` |\n", title.replace('|', "\\|")));
    }
    table
}

#[test]
fn the_stories_stand_in_the_semantics() {
    let path = root().join("docs/semantics.md");
    let page = read(&path);
    let (begin, end) = (
        "<!-- stories: printed from the files by a test; PATCHFLOW_BLESS=1 writes them anew -->\n\n",
        "\n<!-- end of stories -->",
    );
    let (before, rest) = page.split_once(begin).expect("the page marks where the stories begin");
    let (shown, after) = rest.split_once(end).expect("the page marks where the stories end");
    let table = table_of_stories();
    if std::env::var_os("PATCHFLOW_BLESS").is_some() {
        let page = format!("{before}{begin}{table}{end}{after}");
        std::fs::write(&path, page).expect("the page can be written");
    } else {
        assert!(shown == table, "docs/semantics.md shows other stories; PATCHFLOW_BLESS=1 writes them anew");
    }
}

#[test]
fn the_tests_that_the_semantics_name_exist() {
    let page = read(&root().join("docs/semantics.md"));
    let tests = tests();
    let mut named = 0;
    for line in page.lines().filter(|line| line.starts_with('|')) {
        let Some(cell) = line.trim_end_matches('|').rsplit('|').next() else { continue };
        // In the last column, what stands in backquotes is the name of a test, perhaps with its modules.
        for name in cell.split('`').skip(1).step_by(2) {
            let function = name.rsplit("::").next().unwrap_or(name);
            assert!(
                tests.contains(function),
                "docs/semantics.md names the test `{name}`, which does not exist"
            );
            named += 1;
        }
    }
    assert!(named > 40, "docs/semantics.md names only {named} tests; has its table changed its form?");
}
