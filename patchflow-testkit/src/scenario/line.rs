//! From text to lines that know what stands below them: indentation makes the tree, words keep their place.

use super::diagnose::Diagnostic;
use patchflow_core::error::Position;

/// The greatest file that is read, in bytes: a story that no person wrote must not take all memory.
pub(super) const BYTES_MAX: usize = 1 << 18;

/// How deep lines may be indented below each other.
const DEPTH_MAX: usize = 12;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A bare word.
    Word,
    /// A text in quotes.
    Text,
    /// One of `: , ( )`.
    Mark,
}

/// One word, text or mark with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) text: String,
    pub(super) at: Position,
}

impl Token {
    pub(super) fn is(&self, word: &str) -> bool {
        self.kind != Kind::Text && self.text == word
    }
}

/// One line with the lines that are indented below it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) tokens: Vec<Token>,
    /// What follows the first word, as it stands there.
    pub(super) rest: String,
    /// Just behind the last word.
    pub(super) end: Position,
    pub(super) below: Vec<Line>,
}

impl Line {
    pub(super) fn at(&self) -> Position {
        self.tokens.first().map_or(self.end, |token| token.at)
    }
}

/// Reads the lines of a file. Lines that cannot be read are told and left out, the rest is kept.
pub(super) fn lines(text: &str, found: &mut Vec<Diagnostic>) -> Vec<Line> {
    // Open lines from the outermost inwards, each with its indentation.
    let mut open: Vec<(usize, Line)> = Vec::new();
    let mut top = Vec::new();
    for (number, raw) in text.lines().enumerate() {
        let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
        let body = raw.trim_start_matches(' ');
        let indent = raw.len() - body.len();
        let column = u32::try_from(indent + 1).unwrap_or(u32::MAX);
        let at = Position { line: number, column };
        if body.trim().is_empty() || body.starts_with('#') {
            continue;
        }
        if body.starts_with('\t') {
            found.push(Diagnostic::new(at, "a tab indents this line").hint("indent with spaces"));
            continue;
        }
        let Some(line) = line(number, indent, body.trim_end(), found) else { continue };
        while open.last().is_some_and(|(outer, _)| *outer >= indent) {
            close(&mut open, &mut top);
        }
        if open.len() >= DEPTH_MAX {
            found.push(Diagnostic::new(at, format!("indented more than {DEPTH_MAX} times")));
            continue;
        }
        open.push((indent, line));
    }
    while !open.is_empty() {
        close(&mut open, &mut top);
    }
    top
}

fn close(open: &mut Vec<(usize, Line)>, top: &mut Vec<Line>) {
    let Some((_, line)) = open.pop() else { return };
    match open.last_mut() {
        Some((_, outer)) => outer.below.push(line),
        None => top.push(line),
    }
}

/// One line of text. What a title or a reason says is not cut into words that could be wrong.
fn line(number: u32, indent: usize, body: &str, found: &mut Vec<Diagnostic>) -> Option<Line> {
    let (first, rest) = body.split_once(' ').unwrap_or((body, ""));
    let prose = indent == 0 && matches!(first, "scenario" | "why");
    let mut end = Position { line: number, column: 0 };
    let tokens = if prose {
        let at = Position { line: number, column: 1 };
        vec![Token { kind: Kind::Word, text: first.into(), at }]
    } else {
        tokens(number, indent, body, found)?
    };
    end.column = u32::try_from(indent + body.chars().count() + 1).unwrap_or(u32::MAX);
    Some(Line { tokens, rest: rest.trim().into(), end, below: Vec::new() })
}

fn tokens(number: u32, indent: usize, body: &str, found: &mut Vec<Diagnostic>) -> Option<Vec<Token>> {
    let chars: Vec<char> = body.chars().collect();
    let place =
        |i: usize| Position { line: number, column: u32::try_from(indent + i + 1).unwrap_or(u32::MAX) };
    let is_end = |i: usize| chars.get(i).is_none_or(|c| c.is_whitespace());
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let from = i;
        let (kind, text) = match chars[i] {
            c if c.is_whitespace() => {
                i += 1;
                continue;
            }
            '#' => break,
            '"' => {
                let mut said = String::new();
                let mut until = i + 1;
                // A backslash takes what follows as it is.
                while chars.get(until).is_some_and(|c| *c != '"') {
                    until += usize::from(chars[until] == '\\' && until + 1 < chars.len());
                    said.push(chars[until]);
                    until += 1;
                }
                if until >= chars.len() {
                    found.push(
                        Diagnostic::new(place(i), "a text begins here and does not end")
                            .hint("close it with `\"` on the same line"),
                    );
                    return None;
                }
                i = until + 1;
                (Kind::Text, said)
            }
            c @ (',' | '(' | ')') => {
                i += 1;
                (Kind::Mark, String::from(c))
            }
            ':' if is_end(i + 1) => {
                i += 1;
                (Kind::Mark, String::from(":"))
            }
            _ => {
                // A colon within a word belongs to it, as in 14:30; one at its end does not.
                let ends = |i: usize| {
                    let is_mark = matches!(chars.get(i), Some(',' | '(' | ')' | '"'));
                    is_end(i) || is_mark || (chars[i] == ':' && is_end(i + 1))
                };
                while !ends(i) {
                    i += 1;
                }
                (Kind::Word, chars[from..i].iter().collect())
            }
        };
        tokens.push(Token { kind, text, at: place(from) });
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indentation_makes_the_tree_and_words_know_their_place() {
        let mut found = Vec::new();
        let text = "scenario it's \"half\n\nat 14:30:\n  e1, e2: fails \"so, \\\"so\\\"\" # why\n    deep\n  e3\nends 1d\n";
        let lines = lines(text, &mut found);
        assert!(found.is_empty(), "{found:?}");
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].rest, "it's \"half");
        let words: Vec<&str> = lines[1].tokens.iter().map(|t| t.text.as_str()).collect();
        assert_eq!(words, ["at", "14:30", ":"]);
        let below = &lines[1].below;
        let words: Vec<&str> = below[0].tokens.iter().map(|t| t.text.as_str()).collect();
        assert_eq!(words, ["e1", ",", "e2", ":", "fails", "so, \"so\""]);
        assert_eq!(below[0].tokens[4].at, Position { line: 4, column: 11 });
        assert_eq!((below[0].below.len(), below.len()), (1, 2));
    }

    #[test]
    fn what_cannot_be_read_is_told_and_the_rest_is_kept() {
        let mut found = Vec::new();
        let lines = lines("a \"b\n\tc\nd\n", &mut found);
        assert_eq!(lines.len(), 1);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "1:3: a text begins here and does not end; close it with `\"` on the same line",
                "2:1: a tab indents this line; indent with spaces",
            ]
        );
    }
}
