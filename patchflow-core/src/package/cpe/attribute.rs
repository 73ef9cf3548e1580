//! One attribute of a name, and how two of them lie to each other.

use alloc::string::String;

/// One attribute of a CPE name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// Any value, or nothing said: `*`.
    Any,
    /// Does not apply: `-`.
    NotApplicable,
    /// A value, which may stand for several.
    Value {
        /// What may stand before the text.
        before: Around,
        /// The text, in lower case, without escapes.
        text: String,
        /// What may stand after the text.
        after: Around,
    },
}

/// Characters that may stand around a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Around {
    /// At most so many: a question mark for each. None where there is no wildcard.
    UpTo(u16),
    /// Any: an asterisk.
    Anything,
}

/// How the values of one name lie to those of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The same.
    Equal,
    /// All of the other, and more.
    Superset,
    /// A part of the other.
    Subset,
    /// None is of both.
    Disjoint,
    /// The rules do not say: a pattern was compared to a pattern.
    Undefined,
}

impl Relation {
    /// Of two attributes together with a third: disjoint in one is disjoint at all; what is wider in one and narrower in
    /// another is neither (NISTIR 7696, section 6.3).
    pub(super) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Disjoint, _) | (_, Self::Disjoint) => Self::Disjoint,
            (Self::Undefined, _) | (_, Self::Undefined) => Self::Undefined,
            (Self::Equal, same) | (same, Self::Equal) => same,
            (Self::Superset, Self::Superset) => Self::Superset,
            (Self::Subset, Self::Subset) => Self::Subset,
            (Self::Superset, Self::Subset) | (Self::Subset, Self::Superset) => Self::Undefined,
        }
    }
}

impl Attribute {
    /// The value that is exactly this text.
    #[must_use]
    pub fn literal(text: &str) -> Self {
        Self::Value { before: Around::UpTo(0), text: text.to_ascii_lowercase(), after: Around::UpTo(0) }
    }

    /// The text, when it stands for itself alone.
    #[must_use]
    pub fn as_literal(&self) -> Option<&str> {
        match self {
            Self::Value { text, .. } if self.is_plain() => Some(text),
            Self::Value { .. } | Self::Any | Self::NotApplicable => None,
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Value { before: Around::UpTo(0), after: Around::UpTo(0), .. })
    }

    /// Reads an attribute of a formatted string (NISTIR 7695, section 6.2.3). Characters that ought to be escaped and are
    /// not are taken for themselves.
    pub(super) fn read(written: &str) -> Result<Self, &'static str> {
        match written {
            "*" | "" => return Ok(Self::Any),
            "-" => return Ok(Self::NotApplicable),
            _ => {}
        }
        let mut rest = written;
        let before = around(&mut rest, |rest, c| rest.strip_prefix(c));
        let mut text = String::with_capacity(rest.len());
        let mut after = Around::UpTo(0);
        let mut characters = rest.chars();
        while let Some(c) = characters.next() {
            match c {
                '\\' => match characters.next() {
                    Some(c) if c.is_ascii_graphic() => text.push(c.to_ascii_lowercase()),
                    Some(_) | None => return Err("a backslash has nothing after it"),
                },
                '*' | '?' => {
                    let mut rest = &rest[rest.len() - characters.as_str().len() - 1..];
                    after = around(&mut rest, |rest, c| rest.strip_suffix(c));
                    if !rest.is_empty() {
                        return Err("a wildcard stands in the middle of a value");
                    }
                    break;
                }
                c if c.is_ascii_graphic() => text.push(c.to_ascii_lowercase()),
                _ => return Err("a value has a character that is not printable ASCII"),
            }
        }
        if text.is_empty() {
            return Err("a value is made of wildcards alone");
        }
        Ok(Self::Value { before, text, after })
    }

    /// Writes it as a formatted string has it.
    pub(super) fn write(&self, into: &mut String) {
        match self {
            Self::Any => into.push('*'),
            Self::NotApplicable => into.push('-'),
            Self::Value { before, text, after } => {
                before.write(into);
                for c in text.chars() {
                    // A lone dash would be read as "not applicable".
                    if !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) || text == "-" {
                        into.push('\\');
                    }
                    into.push(c);
                }
                after.write(into);
            }
        }
    }

    /// How the values of this one lie to those of another (NISTIR 7696, table 6-2).
    #[must_use]
    pub fn compare(&self, target: &Self) -> Relation {
        match (self, target) {
            (Self::Any, Self::Any) | (Self::NotApplicable, Self::NotApplicable) => Relation::Equal,
            (_, target @ Self::Value { .. }) if !target.is_plain() => Relation::Undefined,
            (Self::Any, Self::NotApplicable | Self::Value { .. }) => Relation::Superset,
            (Self::NotApplicable | Self::Value { .. }, Self::Any) => Relation::Subset,
            (Self::NotApplicable, Self::Value { .. }) | (Self::Value { .. }, Self::NotApplicable) => {
                Relation::Disjoint
            }
            (Self::Value { before, text, after }, Self::Value { text: there, .. }) => {
                if self.is_plain() {
                    if text == there { Relation::Equal } else { Relation::Disjoint }
                } else if stands_for(*before, text, *after, there) {
                    Relation::Superset
                } else {
                    Relation::Disjoint
                }
            }
        }
    }
}

impl Around {
    fn write(self, into: &mut String) {
        match self {
            Self::Anything => into.push('*'),
            Self::UpTo(n) => (0..n).for_each(|_| into.push('?')),
        }
    }

    fn allows(self, characters: usize) -> bool {
        match self {
            Self::Anything => true,
            Self::UpTo(n) => characters <= usize::from(n),
        }
    }
}

/// Takes wildcards off one end: one asterisk, or question marks.
fn around<'a>(rest: &mut &'a str, strip: impl Fn(&'a str, char) -> Option<&'a str>) -> Around {
    if let Some(shorter) = strip(rest, '*') {
        *rest = shorter;
        return Around::Anything;
    }
    let mut n = 0;
    while let Some(shorter) = strip(rest, '?') {
        (*rest, n) = (shorter, n + 1);
    }
    Around::UpTo(n)
}

/// Whether a text with something around it stands for another. Both are ASCII.
fn stands_for(before: Around, text: &str, after: Around, there: &str) -> bool {
    let (text, there) = (text.as_bytes(), there.as_bytes());
    let Some(room) = there.len().checked_sub(text.len()) else { return false };
    (0..=room).any(|at| before.allows(at) && after.allows(room - at) && there[at..].starts_with(text))
}
