//! The spanned tree that a policy is read from: keys, words and what stands below, each with its place.

use super::super::diagnose::Diagnostic;
use super::super::line::{Kind, Line, Token};
use super::super::words::Words;
use patchflow_core::error::Position;

/// One field, section or list entry.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) key: Token,
    /// What stands behind the key on the same line.
    pub(crate) words: Vec<Token>,
    pub(crate) end: Position,
    pub(crate) below: Vec<Node>,
}

impl Node {
    /// A line and everything below it. `deploy.in_flight_max 3` is the field in its section, on one line.
    pub(crate) fn of(line: &Line, found: &mut Vec<Diagnostic>) -> Option<Self> {
        let (first, rest) = line.tokens.split_first()?;
        if first.kind == Kind::Mark {
            found.push(
                Diagnostic::new(first.at, format!("`{}` stands where a field should", first.text))
                    .hint("begin the line with the name of a field"),
            );
            return None;
        }
        let mut words = rest.to_vec();
        if words.first().is_some_and(|word| word.is(":")) {
            words.remove(0);
        }
        let below = line.below.iter().filter_map(|line| Self::of(line, found)).collect();
        let path = if first.kind == Kind::Text {
            vec![first.text.as_str()]
        } else {
            first.text.split('.').collect()
        };
        let mut column = first.at.column;
        let mut keys = Vec::new();
        for part in path {
            let at = Position { line: first.at.line, column };
            column += u32::try_from(part.chars().count() + 1).unwrap_or(u32::MAX);
            keys.push(Token { kind: first.kind, text: part.to_owned(), at });
        }
        let mut node = Self { key: keys.pop()?, words, end: line.end, below };
        while let Some(key) = keys.pop() {
            node = Self { key, words: Vec::new(), end: line.end, below: vec![node] };
        }
        Some(node)
    }

    pub(crate) fn words(&self) -> Words<'_> {
        Words::slice(&self.words, self.end)
    }

    /// Where its value stands, or would stand.
    pub(crate) fn value_at(&self) -> Position {
        self.words.first().map_or(self.end, |word| word.at)
    }
}
