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
