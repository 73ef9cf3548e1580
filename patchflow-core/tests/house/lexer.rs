//! Just enough of Rust's lexical grammar to tell code from comments and texts.
//!
//! It knows nested comments, raw strings, and the difference between a character and a lifetime. It keeps identifiers
//! and punctuation and drops the rest, so that a path in a comment, a doctest or a message is not taken for a use.

/// A word or a mark of punctuation, with its line from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

/// The tokens of a source. `::` is one token, all other punctuation stands alone.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut rest = source;
    let mut line = 1;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (length, keep) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with("/*") {
            (block_comment(rest), false)
        } else if let Some(length) = string(rest) {
            (length, false)
        } else if first == '\'' {
            (quote(rest), false)
        } else if first.is_alphanumeric() || first == '_' {
            (rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len()), true)
        } else if rest.starts_with("::") {
            (2, true)
        } else {
            (first.len_utf8(), !first.is_whitespace())
        };
        let (taken, after) = rest.split_at(length);
        if keep {
            found.push(Token { text: taken.to_owned(), line });
        }
        line += taken.matches('\n').count();
        rest = after;
    }
    found
}

/// The length of the block comment at the start; they nest.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// The length of the string literal at the start: plain or raw, of characters, bytes or C.
fn string(rest: &str) -> Option<usize> {
    let prefix = rest.find(|c: char| !matches!(c, 'b' | 'c' | 'r'))?;
    let body = &rest[prefix..];
    let hashes = body.len() - body.trim_start_matches('#').len();
    let is_raw = rest[..prefix].ends_with('r');
    if prefix > 2 || !body[hashes..].starts_with('"') || (hashes > 0 && !is_raw) {
        return None;
    }
    let start = prefix + hashes + 1;
    if is_raw {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len()));
    }
    let mut escaped = false;
    for (at, c) in rest[start..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(start + at + 1),
            _ => {}
        }
    }
    Some(rest.len())
}

/// The length of the character literal at the start, or of the mark of a lifetime.
fn quote(rest: &str) -> usize {
    let mut inside = rest[1..].chars();
    match (inside.next(), inside.next()) {
        // An escape ends at the next quote that is not itself the escaped one.
        (Some('\\'), Some(c)) => {
            let from = 2 + c.len_utf8();
            rest[from..].find('\'').map_or(rest.len(), |at| from + at + 1)
        }
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 1,
    }
}

#[test]
fn comments_texts_and_characters_are_no_code() {
    let source = r####"
        // crate::a
        /* crate::b /* nested */ crate::c */
        /// [`crate::d`]
        let s = "crate::e \" crate::f"; let r = r#"crate::g " crate::h"#;
        let c = '"'; let q = '\''; fn f<'a>(x: &'a str) -> crate::yes { b"crate::i" }
    "####;
    let found = tokens(source);
    let paths: Vec<_> =
        found.windows(3).filter(|w| w[0].text == "crate").map(|w| (w[2].text.as_str(), w[2].line)).collect();
    assert_eq!(paths, [("yes", 6)]);
}
