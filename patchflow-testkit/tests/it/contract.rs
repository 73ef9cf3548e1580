//! The contract on paper and the contract that is checked are the same.

use patchflow_testkit::conformance::{installer, store::clauses};

/// The lines of a page that are clauses of a letter: number and text.
fn written(page: &str, letter: char) -> Vec<(String, String)> {
    let path = format!("{}/../docs/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let clause = |line: &str| {
        let (number, text) = line.strip_prefix("- **")?.split_once("** ")?;
        let digits = number.strip_prefix(letter)?;
        digits.parse::<u32>().ok()?;
        Some((number.to_owned(), text.to_owned()))
    };
    text.lines().filter_map(clause).collect()
}

#[test]
fn the_clauses_of_stores_stand_in_the_contract_word_for_word() {
    let checked: Vec<_> =
        clauses().map(|clause| (clause.number.to_owned(), clause.text.to_owned())).collect();
    assert!(!checked.is_empty());
    assert_eq!(written("contract.md", 'J'), checked);
}

#[test]
fn the_clauses_of_installers_and_inventories_stand_in_the_contract_word_for_word() {
    let checked: Vec<_> =
        installer::clauses().map(|clause| (clause.number.to_owned(), clause.text.to_owned())).collect();
    let mut on_paper = written("contract.md", 'I');
    on_paper.extend(written("contract.md", 'V'));
    assert!(!checked.is_empty());
    assert_eq!(on_paper, checked);
}
