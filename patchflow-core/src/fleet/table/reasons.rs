//! Reasons: each distinct text gets a number once, so that a packed fact can name it in two bytes.

use crate::error::FailureKind;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Distinct texts kept for one fleet. Beyond it a reason keeps its kind and loses its text, so that endpoints which
/// print something new each time cannot fill the journal.
const TEXTS_MAX: usize = 4096;
/// Characters kept of a text.
const TEXT_CHARS_MAX: usize = 200;
const OVERFLOW: &str = "(further texts are not kept)";

#[derive(Debug, Default)]
pub(crate) struct Reasons {
    named: Vec<(FailureKind, Arc<str>)>,
    known: BTreeMap<FailureKind, BTreeMap<Arc<str>, u16>>,
}

/// The number of a reason, and the text to record when it is new.
pub(crate) enum Named {
    Known(u16),
    New(u16, String),
}

impl Reasons {
    /// Finds or prepares a number.
    pub(crate) fn name(&self, kind: FailureKind, detail: &str) -> Named {
        let kept = cut(detail);
        if let Some(code) = self.code(kind, kept) {
            return Named::Known(code);
        }
        let (text, code) = (String::from(kept), self.next_code());
        if self.named.len() < TEXTS_MAX {
            return Named::New(code, text);
        }
        match self.code(kind, OVERFLOW) {
            Some(code) => Named::Known(code),
            None => Named::New(code, OVERFLOW.into()),
        }
    }

    fn code(&self, kind: FailureKind, text: &str) -> Option<u16> {
        self.known.get(&kind)?.get(text).copied()
    }

    pub(crate) fn next_code(&self) -> u16 {
        // At most TEXTS_MAX texts and one overflow for each kind: far below 65 535.
        u16::try_from(self.named.len() + 1).unwrap_or(u16::MAX)
    }

    /// Records a reason; `false` when the number is not the next one.
    pub(crate) fn record(&mut self, code: u16, kind: FailureKind, detail: &str) -> bool {
        if code != self.next_code() {
            return false;
        }
        let text: Arc<str> = Arc::from(detail);
        self.known.entry(kind).or_default().insert(text.clone(), code);
        self.named.push((kind, text));
        true
    }

    pub(crate) fn get(&self, code: u16) -> Option<(FailureKind, &str)> {
        let (kind, text) = self.named.get(usize::from(code).checked_sub(1)?)?;
        Some((*kind, text))
    }

    pub(crate) fn all(&self) -> &[(FailureKind, Arc<str>)] {
        &self.named
    }
}

fn cut(detail: &str) -> &str {
    let line = detail.trim();
    match line.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => &line[..end],
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn texts_are_cut_and_counted_once() {
        let mut reasons = Reasons::default();
        let Named::New(code, text) = reasons.name(FailureKind::Other, &"ü".repeat(300)) else {
            panic!("known")
        };
        assert_eq!((code, text.chars().count()), (1, 200));
        assert!(reasons.record(code, FailureKind::Other, &text));
        assert!(matches!(reasons.name(FailureKind::Other, &"ü".repeat(250)), Named::Known(1)));
        assert!(
            matches!(reasons.name(FailureKind::Disk, &"ü".repeat(250)), Named::New(2, _)),
            "another kind"
        );
    }

    #[test]
    fn a_flood_of_texts_is_bounded() {
        let mut reasons = Reasons::default();
        for i in 0..10_000 {
            if let Named::New(code, text) = reasons.name(FailureKind::Other, &format!("text {i}")) {
                assert!(reasons.record(code, FailureKind::Other, &text));
            }
        }
        assert_eq!(reasons.all().len(), TEXTS_MAX + 1);
        let Named::Known(code) = reasons.name(FailureKind::Other, "text 9999") else { panic!("new") };
        assert_eq!(reasons.get(code), Some((FailureKind::Other, OVERFLOW)));
    }
}
