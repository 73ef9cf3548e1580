//! Stories in plain text: who is there, what happens when, and what must be true. No Rust is needed to write one.
//!
//! [`run`] reads a story, plays it in the simulated world around a real fleet, and says what did not come true. It does
//! no input or output, so it runs in tests and in a browser alike. The language is described in `docs/scenarios.md`; the
//! stories in `tests/scenarios` are its examples and the semantics' documentation.
//!
//! ```
//! let story = "
//! scenario One bad endpoint of five is not more than 20 %
//!
//! endpoints
//!   e1..e5: tag ring=pilot
//!   e6..e9
//!
//! patch webd=1.1
//!
//! policy
//!   rings
//!     pilot tag ring=pilot
//!       gate.max_failure_percent 20
//!     broad 100 %
//!
//! at 0m: e1 fails
//! at 1h
//!   expect ring pilot promoted
//!   expect e2..e9 verified
//! ";
//! let outcome = patchflow_testkit::scenario::run(story);
//! assert_eq!(outcome.exit_code(), 0, "{}", outcome.report("story"));
//! ```

mod check;
mod diagnose;
mod line;
mod outcome;
mod policy;
mod read;
mod run;
mod stage;
mod story;
mod words;

pub use diagnose::Diagnostic;
pub use outcome::{Difference, Outcome, Told};
pub use policy::bare;

/// Reads a story and tells it to its end. The same text always comes out the same.
#[must_use]
pub fn run(text: &str) -> Outcome {
    let story = match read::read(text) {
        Ok(story) => story,
        Err(found) => return Outcome::Wrong(found),
    };
    match run::run(&story) {
        Ok(told) => Outcome::Told(Box::new(told)),
        Err(refused) => {
            let at = patchflow_core::error::Position { line: 1, column: 1 };
            Outcome::Wrong(vec![Diagnostic::new(
                at,
                format!("the engine does not take the policy: {refused}"),
            )])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::read::read;

    /// All stories, one text after the other.
    fn stories() -> Vec<String> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
            .iter()
            .filter(|path| path.is_file())
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect()
    }

    #[test]
    fn a_story_cut_anywhere_is_read_or_told_to_be_wrong() {
        for story in stories() {
            for at in (0..story.len()).step_by(11).filter(|at| story.is_char_boundary(*at)) {
                if let Err(found) = read(&story[..at]) {
                    assert!(!found.is_empty());
                }
            }
        }
    }

    #[test]
    fn a_story_with_any_word_replaced_is_read_or_told_to_be_wrong() {
        for story in stories() {
            let words: Vec<&str> = story.split(' ').collect();
            for (i, other) in
                ["", ":", "\"", "(", "e1..", "-1", "99999999999", "ß"].iter().cycle().enumerate()
            {
                if i >= words.len() {
                    break;
                }
                let mut words = words.clone();
                words[i] = other;
                if let Err(found) = read(&words.join(" ")) {
                    assert!(found.iter().all(|flaw| flaw.at.line > 0 && flaw.at.column > 0), "{found:?}");
                }
            }
        }
    }

    #[test]
    fn a_file_of_nonsense_is_wrong_and_costs_little() {
        for text in
            ["\u{0}", "at", "at 1h", "expect", "policy\n", &"(".repeat(1000), &"e1..e99999 ".repeat(1000)]
        {
            assert!(read(text).is_err(), "{text:.20}");
        }
        assert!(read(&"x\n".repeat(super::line::BYTES_MAX)).is_err());
    }
}
