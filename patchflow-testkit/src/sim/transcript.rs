//! What happened, for people, and a hash of it, for comparing two runs.

use patchflow_core::time::Timestamp;
use std::fmt;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, by the world's clock.
    pub at: Timestamp,
    /// What kind of thing: `fact`, `effect`, `heard`, `asked`, `endpoint`, `host`.
    pub kind: &'static str,
    /// What.
    pub text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:<8} {}", self.at, self.kind, self.text)
    }
}

/// The lines, when they are kept, and the hash of all that could have been written.
#[derive(Clone, Debug, Default)]
pub struct Transcript {
    lines: Option<Vec<Line>>,
    hash: u64,
}

impl Transcript {
    /// From now on lines are kept.
    pub fn keep(&mut self) {
        self.lines.get_or_insert_default();
    }

    /// The lines that were kept.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        self.lines.as_deref().unwrap_or_default()
    }

    /// The hash so far: the same seed gives the same hash.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn write(&mut self, at: Timestamp, kind: &'static str, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push(Line { at, kind, text: text() });
        }
    }

    /// Takes numbers into the hash: FNV-1a, eight bytes at a time.
    pub(super) fn mix(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.hash = (self.hash ^ number).wrapping_mul(0x0000_0100_0000_01b3).rotate_left(29);
        }
    }
}
