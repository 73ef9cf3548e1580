//! Laying what a file says over what already holds: by type for values, by name for fields.

use super::super::diagnose::Diagnostic;
use super::super::words::{self, Read, Words};
use super::tree::Node;
use patchflow_core::error::Position;
use std::collections::{BTreeMap, BTreeSet};

/// What is known while a policy is read: the flaws, and where each field was said.
pub(crate) struct Context<'a> {
    pub(crate) found: &'a mut Vec<Diagnostic>,
    /// The path of the section that is being read.
    pub(crate) path: String,
    /// Where each path was said.
    pub(crate) places: BTreeMap<String, Position>,
    /// Fields that have got their value already.
    pub(crate) said: BTreeSet<String>,
    /// Sections of the policy in which something could not be read.
    pub(crate) flawed: BTreeSet<String>,
}

impl Context<'_> {
    pub(crate) fn say(&mut self, flaw: Diagnostic) {
        self.found.push(flaw);
    }

    /// Takes a value, or tells its flaw.
    pub(crate) fn keep<T>(&mut self, read: Read<T>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(flaw) => {
                self.found.push(flaw);
                None
            }
        }
    }

    /// Reads something one step further down.
    pub(crate) fn within<T>(&mut self, step: &str, at: Position, read: impl FnOnce(&mut Self) -> T) -> T {
        let kept = self.path.len();
        if !step.starts_with('[') && !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.push_str(step);
        self.places.insert(self.path.clone(), at);
        let told = self.found.len();
        let value = read(self);
        if self.found.len() > told && kept == 0 {
            self.flawed.insert(step.into());
        }
        self.path.truncate(kept);
        value
    }

    /// A section holds fields below it, and no value behind its name.
    pub(crate) fn no_words(&mut self, node: &Node) {
        if let Some(word) = node.words.first() {
            let flaw =
                Diagnostic::new(word.at, format!("`{}` is a section and takes no value", node.key.text));
            self.say(flaw.hint("put its fields on lines of their own, indented below it"));
        }
    }

    /// A value has nothing below it.
    pub(crate) fn no_fields(&mut self, node: &Node) {
        if let Some(below) = node.below.first() {
            let flaw = Diagnostic::new(below.key.at, format!("`{}` has no fields", node.key.text));
            self.say(flaw.hint("its value stands behind its name on the same line"));
        }
    }
}

/// A value that a file may change in part.
pub(crate) trait Overlay: Sized {
    /// What it is before the file says anything, where nothing else holds.
    fn blank() -> Self;

    /// Changes what the file says, and leaves the rest.
    fn overlay(&mut self, node: &Node, context: &mut Context<'_>);
}

/// A value that is said in a few words on one line.
pub(crate) trait Word: Sized {
    fn blank() -> Self;

    fn word(words: &mut Words<'_>, key: &str) -> Read<Self>;
}

/// Reads a value that stands alone on the line of its field.
pub(crate) fn value<T>(
    node: &Node,
    context: &mut Context<'_>,
    read: impl FnOnce(&mut Words<'_>) -> Read<T>,
) -> Option<T> {
    context.no_fields(node);
    // A ring may say again what `every` said for all of them.
    if !context.path.starts_with("rings") && !context.said.insert(context.path.clone()) {
        context.say(Diagnostic::new(node.key.at, format!("`{}` is said twice", node.key.text)));
    }
    let mut words = node.words();
    let value = read(&mut words).and_then(|value| words.end().map(|()| value));
    context.keep(value)
}

macro_rules! overlay_words {
    ($($ty:ty),+ $(,)?) => {
        $(impl Overlay for $ty {
            fn blank() -> Self {
                <Self as Word>::blank()
            }

            fn overlay(&mut self, node: &Node, context: &mut Context<'_>) {
                if let Some(said) = value(node, context, |words| Word::word(words, &node.key.text)) {
                    *self = said;
                }
            }
        })+
    };
}
pub(crate) use overlay_words;

/// Fields are read by their names; a name that is not in the list is told with the nearest one.
macro_rules! fields {
    ($($ty:ty { $($field:ident),+ $(,)? } = $blank:expr;)+) => {
        $(impl $crate::scenario::policy::overlay::Overlay for $ty {
            fn blank() -> Self {
                $blank
            }

            fn overlay(
                &mut self,
                node: &$crate::scenario::policy::tree::Node,
                context: &mut $crate::scenario::policy::overlay::Context<'_>,
            ) {
                context.no_words(node);
                for child in &node.below {
                    match child.key.text.as_str() {
                        $(stringify!($field) => {
                            let at = child.key.at;
                            context.within(stringify!($field), at, |context| {
                                $crate::scenario::policy::overlay::Overlay::overlay(&mut self.$field, child, context);
                            });
                        })+
                        other => context.say($crate::scenario::diagnose::Diagnostic::unknown(
                            child.key.at,
                            "field",
                            other,
                            <Self as $crate::scenario::policy::overlay::Fields>::FIELDS.iter().copied(),
                        )),
                    }
                }
            }
        }

        impl $crate::scenario::policy::overlay::Fields for $ty {
            const FIELDS: &'static [&'static str] = &[$(stringify!($field)),+];
        })+
    };
}
pub(crate) use fields;

/// The names of a section's fields.
pub(crate) trait Fields {
    const FIELDS: &'static [&'static str];
}

/// Values that are one of a few words.
macro_rules! choices {
    ($($ty:ty { $($word:literal => $value:expr),+ $(,)? })+) => {
        $(impl $crate::scenario::policy::overlay::Word for $ty {
            fn blank() -> Self {
                [$($value),+][0]
            }

            fn word(words: &mut $crate::scenario::words::Words<'_>, key: &str) -> $crate::scenario::words::Read<Self> {
                words.one_of(&format!("value of `{key}`"), &[$(($word, $value)),+])
            }
        }
        $crate::scenario::policy::overlay::overlay_words!($ty);)+
    };
}
pub(crate) use choices;

impl Word for u32 {
    fn blank() -> Self {
        0
    }

    /// Times, which have `_secs` in their names, are said with a unit; a bare number counts seconds.
    fn word(words: &mut Words<'_>, key: &str) -> Read<Self> {
        let is_time = key.contains("_secs");
        let token = words.word(if is_time { "a length of time, such as 20m" } else { "a number" })?;
        if is_time && token.text.parse::<u32>().is_err() {
            let secs = words::secs(token)?;
            return u32::try_from(secs)
                .map_err(|_| Diagnostic::new(token.at, format!("`{}` is more than 136 years", token.text)));
        }
        words::number(token)
    }
}

impl Word for u8 {
    fn blank() -> Self {
        0
    }

    fn word(words: &mut Words<'_>, _: &str) -> Read<Self> {
        let token = words.word("a number")?;
        let number = words::number(token)?;
        Self::try_from(number)
            .map_err(|_| Diagnostic::new(token.at, format!("`{}` is more than 255", token.text)))
    }
}

impl Word for bool {
    fn blank() -> Self {
        false
    }

    fn word(words: &mut Words<'_>, key: &str) -> Read<Self> {
        words.one_of(&format!("value of `{key}`"), &[("yes", true), ("no", false)])
    }
}

impl Word for String {
    fn blank() -> Self {
        Self::new()
    }

    fn word(words: &mut Words<'_>, _: &str) -> Read<Self> {
        words.text("a name, or a text in quotes")
    }
}

overlay_words!(u32, u8, bool, String);

impl<T: Overlay> Overlay for Option<T> {
    fn blank() -> Self {
        None
    }

    /// `none` takes away what held.
    fn overlay(&mut self, node: &Node, context: &mut Context<'_>) {
        if node.words.len() == 1 && node.words[0].is("none") && node.below.is_empty() {
            *self = None;
            return;
        }
        self.get_or_insert_with(T::blank).overlay(node, context);
    }
}

impl<T: Word> Overlay for Vec<T> {
    fn blank() -> Self {
        Self::new()
    }

    /// Entries between commas, or one a line below; `none` for an empty list. What held before is replaced.
    fn overlay(&mut self, node: &Node, context: &mut Context<'_>) {
        self.clear();
        let mut words = node.words();
        if words.take("none") {
            let end = words.end();
            context.keep(end);
            return;
        }
        if words.is_over() && node.below.is_empty() {
            context.say(
                Diagnostic::new(node.value_at(), format!("`{}` lists nothing", node.key.text))
                    .hint("say `none` if that is meant"),
            );
        }
        while !words.is_over() {
            let entry = T::word(&mut words, &node.key.text);
            let Some(entry) = context.keep(entry) else { return };
            self.push(entry);
            if !words.take(",") {
                let end = words.end();
                context.keep(end);
                break;
            }
        }
        for child in &node.below {
            let mut all = vec![child.key.clone()];
            all.extend(child.words.iter().cloned());
            let mut words = Words::slice(&all, child.end);
            let entry = T::word(&mut words, &node.key.text).and_then(|entry| words.end().map(|()| entry));
            context.no_fields(child);
            if let Some(entry) = context.keep(entry) {
                self.push(entry);
            }
        }
    }
}
