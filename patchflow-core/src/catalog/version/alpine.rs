//! Alpine versions: `digits{.digits}[letter]{_suffix[number]}[-r#]` (apk-package(5); the tokens of apk-tools).

use alloc::vec::Vec;
use core::cmp::Ordering;

use super::scan::run;

/// One token. The order of the variants is that of apk-tools where the kinds differ: an earlier kind, which means that
/// the version goes on at that level, is newer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// The first number, or a later one without a leading zero.
    Number(u64),
    /// A later number with a leading zero: a fraction, compared digit by digit.
    Fraction(Vec<u8>),
    Letter(u8),
    Suffix(u8),
    SuffixNumber(u64),
    Revision(u64),
    End,
}

/// The words before `p`..: below 4 they are pre-releases.
const SUFFIXES: [&str; 9] = ["alpha", "beta", "pre", "rc", "cvs", "svn", "git", "hg", "p"];
const PRE_RELEASES: u8 = 4;

impl Token {
    const fn level(&self) -> u8 {
        match self {
            Self::Number(_) | Self::Fraction(_) => 0,
            Self::Letter(_) => 1,
            Self::Suffix(_) => 2,
            Self::SuffixNumber(_) => 3,
            Self::Revision(_) => 4,
            Self::End => 5,
        }
    }

    fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b))
            | (Self::SuffixNumber(a), Self::SuffixNumber(b))
            | (Self::Revision(a), Self::Revision(b)) => a.cmp(b),
            (Self::Fraction(a), Self::Fraction(b)) => a.cmp(b),
            // As soon as one of the two has a leading zero, both are fractions.
            (Self::Fraction(a), Self::Number(b)) => a.as_slice().cmp(alloc::format!("{b}").as_bytes()),
            (Self::Number(a), Self::Fraction(b)) => alloc::format!("{a}").as_bytes().cmp(b.as_slice()),
            (Self::Letter(a), Self::Letter(b)) | (Self::Suffix(a), Self::Suffix(b)) => a.cmp(b),
            (Self::Suffix(a), _) if *a < PRE_RELEASES => Ordering::Less,
            (_, Self::Suffix(b)) if *b < PRE_RELEASES => Ordering::Greater,
            (
                Self::Number(_)
                | Self::Fraction(_)
                | Self::Letter(_)
                | Self::Suffix(_)
                | Self::SuffixNumber(_)
                | Self::Revision(_)
                | Self::End,
                _,
            ) => other.level().cmp(&self.level()),
        }
    }
}

/// A version as its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parsed(Vec<Token>);

impl PartialOrd for Parsed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Parsed {
    fn cmp(&self, other: &Self) -> Ordering {
        let end = Token::End;
        for i in 0..self.0.len().max(other.0.len()) {
            let order = self.0.get(i).unwrap_or(&end).order(other.0.get(i).unwrap_or(&end));
            if order.is_ne() {
                return order;
            }
        }
        Ordering::Equal
    }
}

const SHAPE: &str = "it does not have the form digits{.digits}[letter]{_suffix[number]}[-r#]";

pub(super) fn parse(text: &str) -> Result<Parsed, &'static str> {
    let mut tokens = Vec::new();
    let (first, mut left) = number(text.as_bytes())?;
    tokens.push(Token::Number(first));
    while let Some(rest) = left.strip_prefix(b".") {
        let (digits, after) = run(rest, |byte| byte.is_ascii_digit());
        tokens.push(match digits {
            [b'0', _, ..] => Token::Fraction(digits.to_vec()),
            _ => Token::Number(number(rest)?.0),
        });
        left = after;
    }
    if let [letter @ b'a'..=b'z', rest @ ..] = left {
        tokens.push(Token::Letter(*letter));
        left = rest;
    }
    while let Some(rest) = left.strip_prefix(b"_") {
        let (word, after) = run(rest, |byte| byte.is_ascii_lowercase());
        let known = SUFFIXES.iter().position(|suffix| suffix.as_bytes() == word).ok_or(SHAPE)?;
        tokens.push(Token::Suffix(known as u8));
        left = after;
        if left.first().is_some_and(u8::is_ascii_digit) {
            let (value, after) = number(left)?;
            tokens.push(Token::SuffixNumber(value));
            left = after;
        }
    }
    if let Some(rest) = left.strip_prefix(b"-r") {
        let (revision, after) = number(rest)?;
        tokens.push(Token::Revision(revision));
        left = after;
    }
    if left.is_empty() { Ok(Parsed(tokens)) } else { Err(SHAPE) }
}

fn number(bytes: &[u8]) -> Result<(u64, &[u8]), &'static str> {
    let (digits, rest) = run(bytes, |byte| byte.is_ascii_digit());
    let text = core::str::from_utf8(digits).map_err(|_| SHAPE)?;
    if text.is_empty() {
        return Err(SHAPE);
    }
    text.parse().map(|value| (value, rest)).map_err(|_| "one of its numbers is above 18446744073709551615")
}
