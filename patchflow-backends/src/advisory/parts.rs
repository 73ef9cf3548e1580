//! Parts that several formats share: severities, statements on versions, members that may be of any type.

use super::desk::Desk;
use super::ranges::Span;
use patchflow_core::catalog::version::{Range, Scheme, Version};
use patchflow_core::catalog::{Affected, Fix, Product, Severity, Status, Versions};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::HashMap;
use std::fmt;

/// A vendor's word for a severity; nothing when it is none that is known.
pub(super) fn severity(word: &str) -> Option<Severity> {
    let word = word.trim();
    let is = |known: &[&str]| known.iter().any(|known| word.eq_ignore_ascii_case(known));
    if is(&["critical", "urgent"]) {
        Some(Severity::Critical)
    } else if is(&["high", "important"]) {
        Some(Severity::High)
    } else if is(&["moderate", "medium"]) {
        Some(Severity::Moderate)
    } else if is(&["low", "minor", "negligible", "unimportant"]) {
        Some(Severity::Low)
    } else if is(&["", "none", "unknown", "unspecified", "unset", "n/a", "not yet assigned", "untriaged"]) {
        Some(Severity::Unknown)
    } else {
        None
    }
}

/// A statement on some spans of one product, those with the same fix in one; on every version when they are too many.
pub(super) fn affected(
    desk: &mut Desk<'_>,
    product: &Product,
    scheme: Scheme,
    spans: Vec<Span>,
) -> Vec<Affected> {
    let name = match product {
        Product::Package { package, .. } => package.name.len(),
        Product::Cpe(_) => 0,
    };
    if !desk.may(spans.len().saturating_mul(name + 400)) {
        desk.part(format!("{} ranges are more than a record may have; taken as every version", spans.len()));
        return vec![statement(product.clone(), Versions::All, Status::Affected, Fix::NotNamed)];
    }
    let mut found: Vec<(Option<Version>, Range)> = Vec::new();
    let mut by_fix: HashMap<Option<String>, usize> = HashMap::new();
    for span in spans {
        let at = *by_fix.entry(span.fix.as_ref().map(|fix| fix.as_str().to_owned())).or_insert(found.len());
        match found.get_mut(at) {
            Some((_, range)) => {
                let before = std::mem::replace(range, Range::new(scheme));
                *range = before.or(span.interval);
            }
            None => found.push((span.fix, Range::new(scheme).or(span.interval))),
        }
    }
    let build = |(fix, range): (Option<Version>, Range)| {
        let fix = fix.map_or(Fix::NotNamed, Fix::From);
        statement(product.clone(), Versions::Some { range, exact: Vec::new() }, Status::Affected, fix)
    };
    found.into_iter().map(build).collect()
}

/// A statement without severity and mitigation.
pub(super) fn statement(product: Product, versions: Versions, status: Status, fix: Fix) -> Affected {
    Affected { product, versions, status, fix, severity: None, mitigation: None }
}

/// A member that may be of any type: its text if it is one, otherwise nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Word(pub(super) Option<String>);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Word;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_str<E>(self, text: &str) -> Result<Word, E> {
                Ok(Word(Some(text.to_owned())))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Word, E> {
                Ok(Word(None))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Word, E> {
                Ok(Word(Some(number.to_string())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Word, E> {
                Ok(Word(Some(number.to_string())))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Word, E> {
                Ok(Word(None))
            }
            fn visit_unit<E>(self) -> Result<Word, E> {
                Ok(Word(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Word, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Word(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Word, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Word(None))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// `null` as the default, which some feeds write where a list is empty.
pub(super) fn or_default<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
