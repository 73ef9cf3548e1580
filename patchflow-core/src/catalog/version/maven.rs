//! Maven versions, in the order of its `ComparableVersion` (Maven's POM reference, "Version Order Specification").
//!
//! A version is cut at dots, at hyphens, and where digits and letters meet, which counts like a hyphen. A hyphen opens a
//! sublist. Numbers above sublists above words; known words in their own order around the release.

use super::scan::{is_clean, numbers, run};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

pub(super) fn check(text: &str) -> Result<(), &'static str> {
    is_clean(text)
}

#[derive(Clone, Debug)]
enum Item {
    /// Digits without leading zeros; empty is 0.
    Number(Vec<u8>),
    Word(String),
    List(Vec<Item>),
}

/// The words with a place of their own; the release itself is the empty one.
const KNOWN: [&str; 7] = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];

/// The place of a word: known ones by their place, others after all of them, by alphabet.
fn place(word: &str) -> (usize, &str) {
    match KNOWN.iter().position(|known| *known == word) {
        Some(place) => (place, ""),
        None => (KNOWN.len(), word),
    }
}

const RELEASE: (usize, &str) = (5, "");

impl Item {
    fn is_null(&self) -> bool {
        match self {
            Self::Number(digits) => digits.is_empty(),
            Self::Word(word) => word.is_empty(),
            Self::List(items) => items.is_empty(),
        }
    }

    fn word(text: &str, before_digit: bool) -> Self {
        let text = match text {
            "a" if before_digit => "alpha",
            "b" if before_digit => "beta",
            "m" if before_digit => "milestone",
            "ga" | "final" | "release" => "",
            "cr" => "rc",
            other => other,
        };
        Self::Word(text.to_owned())
    }

    /// Against another item, or against nothing.
    fn order(&self, other: Option<&Self>) -> Ordering {
        match (self, other) {
            (Self::Number(digits), None) => {
                if digits.is_empty() {
                    Ordering::Equal
                } else {
                    Ordering::Greater
                }
            }
            (Self::Word(word), None) => place(word).cmp(&RELEASE),
            (Self::List(items), None) => items
                .iter()
                .map(|item| item.order(None))
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal),
            (Self::Number(a), Some(Self::Number(b))) => numbers(a, b),
            (Self::Number(_), Some(Self::Word(_) | Self::List(_))) => Ordering::Greater,
            (Self::Word(a), Some(Self::Word(b))) => place(a).cmp(&place(b)),
            (Self::Word(_), Some(Self::Number(_) | Self::List(_))) => Ordering::Less,
            (Self::List(_), Some(Self::Number(_))) => Ordering::Less,
            (Self::List(_), Some(Self::Word(_))) => Ordering::Greater,
            (Self::List(a), Some(Self::List(b))) => lists(a, b),
        }
    }
}

fn lists(a: &[Item], b: &[Item]) -> Ordering {
    for i in 0..a.len().max(b.len()) {
        let order = match (a.get(i), b.get(i)) {
            (Some(a), b) => a.order(b),
            (None, Some(b)) => b.order(None).reverse(),
            (None, None) => Ordering::Equal,
        };
        if order.is_ne() {
            return order;
        }
    }
    Ordering::Equal
}

/// Drops what says nothing from the end of a list, and before its sublists.
fn trim(items: &mut Vec<Item>) {
    let mut i = items.len();
    while i > 0 {
        i -= 1;
        if items[i].is_null() {
            items.remove(i);
        } else if !matches!(items[i], Item::List(_)) {
            break;
        }
    }
}

fn parse(text: &str) -> Vec<Item> {
    let lower = text.to_ascii_lowercase();
    // Lists that are open, the innermost last; each hyphen opens one more.
    let mut open: Vec<Vec<Item>> = Vec::from([Vec::new()]);
    let mut left = lower.as_bytes();
    let mut at_start = true;
    while let Some(byte) = left.first().copied() {
        match byte {
            b'.' | b'-' => {
                if at_start && let Some(items) = open.last_mut() {
                    // Nothing between two separators counts as 0.
                    items.push(Item::Number(Vec::new()));
                }
                if byte == b'-' {
                    open.push(Vec::new());
                }
                (left, at_start) = (&left[1..], true);
            }
            _ => {
                let digit = byte.is_ascii_digit();
                let (part, rest) = run(left, |b| b != b'.' && b != b'-' && b.is_ascii_digit() == digit);
                let item = if digit {
                    Item::Number(run(part, |b| b == b'0').1.to_vec())
                } else {
                    let meets_digit = rest.first().is_some_and(u8::is_ascii_digit);
                    Item::word(core::str::from_utf8(part).unwrap_or_default(), meets_digit)
                };
                if !digit && !at_start {
                    open.push(Vec::new());
                }
                if let Some(items) = open.last_mut() {
                    items.push(item);
                }
                if !digit && rest.first().is_some_and(u8::is_ascii_digit) {
                    open.push(Vec::new());
                }
                (left, at_start) = (rest, false);
            }
        }
    }
    while open.len() > 1 {
        let mut inner = open.pop().unwrap_or_default();
        trim(&mut inner);
        if let Some(outer) = open.last_mut() {
            outer.push(Item::List(inner));
        }
    }
    let mut items = open.pop().unwrap_or_default();
    trim(&mut items);
    items
}

pub(super) fn compare(a: &str, b: &str) -> Ordering {
    lists(&parse(a), &parse(b))
}
