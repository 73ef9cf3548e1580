//! What several feeds say of the same weakness, made one advisory by a stated rule, with who said what.
//!
//! The order in which feeds are read does not matter. For each field:
//!
//! | Field | Which record wins |
//! |---|---|
//! | `id` | the CVE number, else the first of all names |
//! | `aliases` | all other names |
//! | `title` | the record that was changed last |
//! | `category` | security, when any record says so; else repairs before features, drivers, firmware |
//! | `severity` | the highest |
//! | `cvss` | all vectors |
//! | `published`, `fixed_at` | the earliest |
//! | `exploited` | the earliest listing and due date; used for ransomware when any says so |
//! | `epss` | the newest score; of one day the highest |
//! | `ssvc` | the newest decision; of one moment the worst |
//! | `affected` | of a package of a platform, that platform's own feed alone, when it speaks of it; else all |
//! | `withdrawn` | a record takes back its own words only; the whole is withdrawn when nobody speaks of a product any more |
//!
//! Records are joined by their names. A record that names one CVE number belongs to it, one that names none to the
//! number that its other names lead to. One that names several is a bulletin: it stays by itself, since its repairs
//! close all of them, and takes over what is known of exploitation, scores and disclosure of each. Two numbers are never
//! made one.

mod fields;
mod join;
mod kept;

pub use kept::{Merging, Remade};

use super::Advisory;
use super::advisory::Provenance;
use crate::error::Finding;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// A field of which one record decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// The line for people.
    Title,
    /// The category.
    Category,
    /// The severity.
    Severity,
    /// When it was made public.
    Published,
    /// When a first fix was released.
    FixedAt,
    /// Known exploitation.
    Exploited,
    /// Likelihood of exploitation.
    Epss,
    /// An analyst's decision.
    Ssvc,
    /// That it was taken back.
    Withdrawn,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Title => "title",
            Self::Category => "category",
            Self::Severity => "severity",
            Self::Published => "published",
            Self::FixedAt => "fixed_at",
            Self::Exploited => "exploited",
            Self::Epss => "epss",
            Self::Ssvc => "ssvc",
            Self::Withdrawn => "withdrawn",
        })
    }
}

/// One advisory made of several records.
#[derive(Clone, Debug, PartialEq)]
pub struct Merged {
    /// It, with all records in its provenance.
    pub advisory: Advisory,
    /// For each field that a record decided, which. Of a bulletin also the records of the weaknesses that it names.
    pub origins: BTreeMap<Field, Provenance>,
}

/// Which feeds speak for which platforms.
///
/// ```
/// use patchflow_core::catalog::Authorities;
/// let known = Authorities::default().and("corp mirror", "debian");
/// assert!(known.own("osv almalinux", "almalinux"), "a feed that bears a platform's name speaks for it");
/// assert!(known.own("corp mirror", "debian") && !known.own("nvd", "debian"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authorities(Vec<(String, String)>);

impl Authorities {
    /// Also lets a feed speak for a platform's family.
    #[must_use]
    pub fn and(mut self, feed: impl Into<String>, family: impl Into<String>) -> Self {
        self.0.push((feed.into(), family.into()));
        self
    }

    /// Whether a feed speaks for a family: its name contains the family's as words, or somebody said so.
    #[must_use]
    pub fn own(&self, feed: &str, family: &str) -> bool {
        if family.is_empty() {
            return false;
        }
        let word = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let named = feed.match_indices(family).any(|(at, found)| {
            word(feed[..at].chars().next_back()) && word(feed[at + found.len()..].chars().next())
        });
        named || self.0.iter().any(|(by, of)| by == feed && of == family)
    }
}

/// What came of merging.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Merge {
    /// The advisories, in the order of their names.
    pub advisories: Vec<Merged>,
    /// What people should look at: one name with two contents, feeds that contradict each other, records that were
    /// overruled. In order.
    pub findings: Vec<Finding>,
}

/// Makes one advisory of all records that speak of the same weakness.
///
/// ```
/// use patchflow_core::catalog::{merge, Advisory, Authorities, Provenance, Severity};
/// let record = |feed: &str, id: &str, severity| {
///     let provenance = vec![Provenance { feed: feed.into(), record: id.into(), modified: None }];
///     Advisory { severity, provenance, ..Advisory::new(id) }
/// };
/// let mut ghsa = record("ghsa", "GHSA-xxxx", Severity::High);
/// ghsa.aliases.push("CVE-2026-1".into());
/// let merged = merge([ghsa, record("nvd", "CVE-2026-1", Severity::Moderate)], &Authorities::default());
/// let one = &merged.advisories[0];
/// assert_eq!((&*one.advisory.id, one.advisory.severity), ("CVE-2026-1", Severity::High));
/// assert_eq!(&*one.advisory.aliases[0], "GHSA-xxxx");
/// assert_eq!(&*one.origins[&patchflow_core::catalog::Field::Severity].feed, "ghsa");
/// ```
#[must_use]
pub fn merge(records: impl IntoIterator<Item = Advisory>, authorities: &Authorities) -> Merge {
    let mut findings = Vec::new();
    let records = join::newest(records, &mut findings);
    let groups = join::groups(&records);
    let mut advisories: BTreeMap<_, Merged> = BTreeMap::new();
    let mut bulletins = Vec::new();
    for group in groups {
        let merged = fields::of(&group, &records, authorities, &mut findings);
        if group.bulletin {
            bulletins.push(merged.advisory.id.clone());
        }
        advisories.insert(merged.advisory.id.clone(), merged);
    }
    for id in bulletins {
        let Some(mut bulletin) = advisories.remove(&id) else { continue };
        for name in bulletin.advisory.aliases.clone() {
            if let Some(weakness) = advisories.get(&name) {
                fields::inherit(&mut bulletin, weakness);
            }
        }
        advisories.insert(id, bulletin);
    }
    findings.sort_by(|a, b| (&a.path, &a.message).cmp(&(&b.path, &b.message)));
    findings.dedup();
    Merge { advisories: advisories.into_values().collect(), findings }
}

#[cfg(test)]
mod tests;
