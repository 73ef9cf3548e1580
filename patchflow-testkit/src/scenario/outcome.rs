//! What came of a story: for people as text, for programs as JSON.

use super::Diagnostic;
use core::fmt;
use patchflow_core::error::Position;
use patchflow_core::time::Timestamp;
use serde_json::Value;

/// Something that the story expects and that is not so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The sentence in the file; line and column count from 1.
    pub place: Position,
    /// The sentence.
    pub expected: String,
    /// When it was seen that it is not so.
    pub at: Timestamp,
    /// What is so instead.
    pub instead: String,
}

/// A story that was told to its end.
#[derive(Clone, Debug)]
pub struct Told {
    /// Its title.
    pub title: String,
    /// How many expectations were checked.
    pub checked: u32,
    /// Those that did not hold.
    pub differences: Vec<Difference>,
    /// Facts, orders, notices and everything else that happened, in its order.
    pub timeline: Vec<String>,
    /// The final state: endpoints, candidates, rollouts with their rings and members.
    pub state: Value,
    /// The hash of everything that happened: the same file gives the same hash.
    pub trace: u64,
}

/// What came of a file.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The file is wrong: everything that is wrong with it.
    Wrong(Vec<Diagnostic>),
    /// It was told to its end.
    Told(Box<Told>),
}

impl Outcome {
    /// 0 when everything holds, 1 when something does not, 2 when the file is wrong.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Wrong(_) => 2,
            Self::Told(told) if told.differences.is_empty() => 0,
            Self::Told(_) => 1,
        }
    }

    /// What a person is shown, each line beginning with the name of the file where that helps.
    #[must_use]
    pub fn report(&self, file: &str) -> String {
        match self {
            Self::Wrong(found) => found
                .iter()
                .map(|flaw| {
                    let hint =
                        if flaw.hint.is_empty() { String::new() } else { format!("\n  hint: {}", flaw.hint) };
                    format!("{file}:{}:{}: {}{hint}\n", flaw.at.line, flaw.at.column, flaw.message)
                })
                .collect(),
            Self::Told(told) if told.differences.is_empty() => {
                format!("ok      {file}: {} ({} expectations)\n", told.title, told.checked)
            }
            Self::Told(told) => {
                let mut text = format!("FAILED  {file}: {}\n", told.title);
                for difference in &told.differences {
                    text.push_str(&format!("{file}:{difference}\n"));
                }
                text
            }
        }
    }

    /// The same for programs: findings, or the differences with the final state and the timeline.
    #[must_use]
    pub fn json(&self, file: &str) -> Value {
        let place = |at: &Position| serde_json::json!({ "line": at.line, "column": at.column });
        match self {
            Self::Wrong(found) => {
                let found: Vec<Value> = found
                    .iter()
                    .map(|flaw| {
                        serde_json::json!({ "at": place(&flaw.at), "message": flaw.message, "hint": flaw.hint })
                    })
                    .collect();
                serde_json::json!({ "file": file, "outcome": "wrong", "findings": found })
            }
            Self::Told(told) => {
                let differences: Vec<Value> = told
                    .differences
                    .iter()
                    .map(|difference| {
                        serde_json::json!({
                            "at": place(&difference.place),
                            "expected": difference.expected,
                            "seen_at": difference.at,
                            "instead": difference.instead,
                        })
                    })
                    .collect();
                let outcome = if differences.is_empty() { "holds" } else { "differs" };
                serde_json::json!({
                    "file": file,
                    "title": told.title,
                    "outcome": outcome,
                    "checked": told.checked,
                    "differences": differences,
                    "state": told.state,
                    "timeline": told.timeline,
                    "trace": format!("{:016x}", told.trace),
                })
            }
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.place;
        write!(f, "{line}:{column}: {}\n  at {}: {}", self.expected, self.at, self.instead)
    }
}
