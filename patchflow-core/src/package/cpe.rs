//! CPE names, version 2.3: reading (NISTIR 7695) and matching (NISTIR 7696).

mod attribute;
mod bind;

pub use attribute::{Around, Attribute, Relation};

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// The longest CPE name that is read, in bytes.
pub const CPE_BYTES_MAX: usize = 1024;

/// How many attributes a name has.
const ATTRIBUTES: usize = 11;
const PART: usize = 0;
const VENDOR: usize = 1;
const PRODUCT: usize = 2;
const VERSION: usize = 3;

/// A CPE 2.3 name in its formatted form, such as `cpe:2.3:a:7-zip:7-zip:23.01:*:*:*:*:*:*:*`: in lower case, all eleven
/// attributes there, and only escaped what must be.
///
/// ```
/// use patchflow_core::package::{Attribute, Cpe};
/// let pattern = Cpe::new("cpe:/a:7-zip:7-zip").unwrap();
/// let there = Cpe::new("cpe:2.3:a:7-Zip:7-Zip:23.01:*:*:*:*:*:x64:*").unwrap();
/// assert_eq!(pattern.as_str(), "cpe:2.3:a:7-zip:7-zip:*:*:*:*:*:*:*:*");
/// assert!(pattern.matches(&there) && !there.matches(&pattern));
/// assert_eq!(there.version(), Attribute::literal("23.01"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cpe(Arc<str>);

/// A text that is no CPE name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a CPE name: {why}")]
pub struct BadCpe {
    /// The text, cut after 80 characters.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Cpe {
    /// Reads a name: the formatted string of CPE 2.3 (`cpe:2.3:…`) or the URI of CPE 2.2 (`cpe:/…`). Attributes that are
    /// left out at the end stand for any value, in both.
    ///
    /// # Errors
    /// [`BadCpe`], which says what is wrong.
    pub fn new(text: &str) -> Result<Self, BadCpe> {
        let trimmed = text.trim();
        let starts =
            |with: &str| trimmed.get(..with.len()).is_some_and(|head| head.eq_ignore_ascii_case(with));
        let read = if trimmed.len() > CPE_BYTES_MAX {
            Err("it is longer than 1024 bytes")
        } else if starts("cpe:2.3:") {
            bind::formatted(&trimmed["cpe:2.3:".len()..])
        } else if starts("cpe:/") {
            bind::uri(&trimmed["cpe:/".len()..])
        } else {
            Err("it begins neither with `cpe:2.3:` nor with `cpe:/`")
        };
        let attributes = read.map_err(|why| BadCpe { text: text.chars().take(80).collect(), why })?;
        let mut canonical = String::from("cpe:2.3");
        for attribute in &attributes {
            canonical.push(':');
            attribute.write(&mut canonical);
        }
        Ok(Self(canonical.into()))
    }

    /// The name of a product of which only vendor, product and version are known. The texts are taken literally.
    ///
    /// # Errors
    /// [`BadCpe`] when one of them is empty, or not of printable ASCII.
    pub fn application(vendor: &str, product: &str, version: Option<&str>) -> Result<Self, BadCpe> {
        let mut text = String::from("cpe:2.3:a");
        for literal in [Some(vendor), Some(product), version] {
            text.push(':');
            match literal {
                Some(literal) => Attribute::literal(&literal.replace(' ', "_")).write(&mut text),
                None => text.push('*'),
            }
        }
        Self::new(&text)
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its attributes as they are written.
    fn written(&self) -> [&str; ATTRIBUTES] {
        let mut found = ["*"; ATTRIBUTES];
        let body = self.0.strip_prefix("cpe:2.3:").unwrap_or_default();
        for (place, written) in found.iter_mut().zip(bind::split(body)) {
            *place = written;
        }
        found
    }

    fn attribute(&self, at: usize) -> Attribute {
        Attribute::read(self.written()[at]).unwrap_or(Attribute::Any)
    }

    /// Application (`a`), operating system (`o`) or hardware (`h`).
    #[must_use]
    pub fn part(&self) -> Attribute {
        self.attribute(PART)
    }

    /// Who makes it.
    #[must_use]
    pub fn vendor(&self) -> Attribute {
        self.attribute(VENDOR)
    }

    /// What it is.
    #[must_use]
    pub fn product(&self) -> Attribute {
        self.attribute(PRODUCT)
    }

    /// Its version, for ranges.
    #[must_use]
    pub fn version(&self) -> Attribute {
        self.attribute(VERSION)
    }

    /// Vendor and product as they are written, joined by a colon, when both are plain values: what an index may sort by,
    /// since names that differ here cannot match.
    #[must_use]
    pub fn product_key(&self) -> Option<&str> {
        let written = self.written();
        let plain = |at: usize| matches!(Attribute::read(written[at]), Ok(value) if value.is_plain());
        if !(plain(VENDOR) && plain(PRODUCT)) {
            return None;
        }
        let start = "cpe:2.3:".len() + written[PART].len() + 1;
        self.0.get(start..start + written[VENDOR].len() + 1 + written[PRODUCT].len())
    }

    /// How the set of products that this name stands for lies to that of another (NISTIR 7696, section 6).
    #[must_use]
    pub fn compare(&self, other: &Self) -> Relation {
        self.relation(other, None)
    }

    /// Whether this name, as a pattern, stands for another: that is equal to it, or one of what it means.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        matches!(self.compare(other), Relation::Equal | Relation::Superset)
    }

    /// Whether it matches apart from the version, to which a range is applied.
    #[must_use]
    pub fn matches_product(&self, other: &Self) -> bool {
        matches!(self.relation(other, Some(VERSION)), Relation::Equal | Relation::Superset)
    }

    fn relation(&self, other: &Self, leave_out: Option<usize>) -> Relation {
        let pairs = self.written().into_iter().zip(other.written()).enumerate();
        let mut whole = Relation::Equal;
        for (at, (source, target)) in pairs {
            if Some(at) == leave_out {
                continue;
            }
            let one = match (Attribute::read(source), Attribute::read(target)) {
                (Ok(source), Ok(target)) => source.compare(&target),
                (Err(_), _) | (_, Err(_)) => Relation::Undefined,
            };
            whole = whole.and(one);
        }
        whole
    }
}

impl fmt::Display for Cpe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Cpe {
    type Err = BadCpe;

    fn from_str(text: &str) -> Result<Self, BadCpe> {
        Self::new(text)
    }
}

impl TryFrom<String> for Cpe {
    type Error = BadCpe;

    fn try_from(text: String) -> Result<Self, BadCpe> {
        Self::new(&text)
    }
}

impl From<Cpe> for String {
    fn from(cpe: Cpe) -> Self {
        cpe.as_str().into()
    }
}

#[cfg(test)]
mod tests;
