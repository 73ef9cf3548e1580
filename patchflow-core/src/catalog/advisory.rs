//! An advisory: what is wrong with which versions of what, as one or more feeds say it.

use super::version::{Range, Scheme, Version};
use super::{Category, Severity};
use crate::package::{Cpe, PackageName, Platform};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What an advisory speaks of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// A package of an ecosystem.
    Package {
        /// Its name.
        package: PackageName,
        /// The platform it is built for; `None` for packages that belong to none. An advisory for a package of an
        /// operating system that names no release applies to none (fail closed: whose versions are meant is unknown).
        platform: Option<Platform>,
        /// Whether the name is that of a source, which stands for every package built from it.
        of_source: bool,
    },
    /// Products that a CPE name matches.
    Cpe(Cpe),
}

/// What a feed says of the versions it lists, in the words of VEX (CSAF 2.0, section 3.2.3.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// They have the weakness.
    Affected,
    /// They do not have it, and why; beats `Affected` of the same or a less exact product.
    NotAffected {
        /// The justification, as the feed words it.
        why: String,
    },
    /// They are repaired.
    Fixed,
    /// Nobody knows yet. Counts as affected without a fix (fail closed), and is shown as what it is.
    UnderInvestigation,
}

/// Which versions.
#[derive(Clone, Debug, PartialEq)]
pub enum Versions {
    /// All of them.
    All,
    /// Those in a range, and those that are listed by their text.
    Some {
        /// The intervals, in the order of the package's versions.
        range: Range,
        /// Versions that are meant by their exact text.
        exact: Vec<String>,
    },
    /// Those with exactly these texts, of an ecosystem whose versions have no order.
    Exactly(Vec<String>),
}

/// Whether something repairs it.
#[derive(Clone, Debug, PartialEq)]
pub enum Fix {
    /// From this version on.
    From(Version),
    /// An update under its own name, such as a KB number.
    By(Arc<str>),
    /// The vendor says that there will be none.
    Never,
    /// The feed names none.
    NotNamed,
}

/// One product, some of its versions, and what is said of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Affected {
    /// The product.
    pub product: Product,
    /// Its versions.
    pub versions: Versions,
    /// What is said of them.
    pub status: Status,
    /// What repairs them.
    pub fix: Fix,
    /// The severity here, where the feed rates each product by itself.
    pub severity: Option<Severity>,
    /// What to do where nothing repairs it.
    pub mitigation: Option<String>,
}

/// Where a statement came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Provenance {
    /// The feed, such as `osv almalinux`.
    pub feed: Arc<str>,
    /// The record within it, such as `ALSA-2024:1234`.
    pub record: Arc<str>,
    /// When the feed last changed the record.
    pub modified: Option<Timestamp>,
}

/// That a weakness is exploited, as CISA's catalogue or another feed says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownExploited {
    /// Since when it is listed.
    pub since: Timestamp,
    /// The catalogue's own due date.
    pub due: Option<Timestamp>,
    /// Whether it is used for ransomware.
    pub ransomware: bool,
}

/// How likely exploitation is, after the Exploit Prediction Scoring System.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epss {
    /// Probability within 30 days, 0 to 1.
    pub score: f64,
    /// Share of all weaknesses with the same or a lower score, 0 to 1.
    pub percentile: f64,
    /// The day of the score.
    pub on: Option<Timestamp>,
}

/// How far exploitation of a weakness has come, in the words of SSVC's decision point "Exploitation".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exploitation {
    /// Nothing is known to be public.
    None,
    /// A working example is public.
    PublicPoc,
    /// It happens.
    Active,
}

/// What an analyst decided about a weakness, after the Stakeholder-Specific Vulnerability Categorization: CISA adds it
/// to CVE records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ssvc {
    /// How far exploitation has come; `None` when nobody said.
    pub exploitation: Option<Exploitation>,
    /// Whether an attacker can go through the first four steps of an attack without people; `None` when nobody said.
    pub automatable: Option<bool>,
    /// Whether an attacker gains total control of what has the weakness; `None` when nobody said.
    pub total_impact: Option<bool>,
    /// When it was decided.
    pub at: Option<Timestamp>,
}

/// One advisory.
#[derive(Clone, Debug, PartialEq)]
pub struct Advisory {
    /// Its name, such as `CVE-2024-3094` or `DSA-5649-1`.
    pub id: Arc<str>,
    /// Other names of the same weakness, and weaknesses that it speaks of.
    pub aliases: Vec<Arc<str>>,
    /// One line for people.
    pub title: String,
    /// The vendor's category.
    pub category: Category,
    /// The vendor's severity.
    pub severity: Severity,
    /// CVSS vectors as the feed gives them, each checked by `risk` when it is read there.
    pub cvss: Vec<String>,
    /// When it was made public.
    pub published: Option<Timestamp>,
    /// When a first fix was released, where the feed says so.
    pub fixed_at: Option<Timestamp>,
    /// When its publisher took it back; nothing matches then.
    pub withdrawn: Option<Timestamp>,
    /// Known exploitation.
    pub exploited: Option<KnownExploited>,
    /// Likelihood of exploitation.
    pub epss: Option<Epss>,
    /// What an analyst decided about it.
    pub ssvc: Option<Ssvc>,
    /// What it speaks of.
    pub affected: Vec<Affected>,
    /// Who says so.
    pub provenance: Vec<Provenance>,
}

impl Advisory {
    /// An advisory that says nothing yet: severity unknown, nothing affected.
    #[must_use]
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self {
            id: id.into(),
            aliases: Vec::new(),
            title: String::new(),
            category: Category::Security,
            severity: Severity::Unknown,
            cvss: Vec::new(),
            published: None,
            fixed_at: None,
            withdrawn: None,
            exploited: None,
            epss: None,
            ssvc: None,
            affected: Vec::new(),
            provenance: Vec::new(),
        }
    }
}

impl Affected {
    /// That versions of a product are affected, and nothing more: no fix is named.
    #[must_use]
    pub const fn of(product: Product, versions: Versions) -> Self {
        let (status, fix) = (Status::Affected, Fix::NotNamed);
        Self { product, versions, status, fix, severity: None, mitigation: None }
    }
}

impl Versions {
    /// Whether a version, given by its text, is meant. A text that the scheme cannot read is meant by its exact text
    /// only; whoever asks learns of it from [`Scheme::check`].
    #[must_use]
    pub fn contain(&self, version: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some { range, exact } => {
                exact.iter().any(|text| text == version)
                    || Version::new(range.scheme(), version).is_ok_and(|version| range.contains(&version))
            }
            Self::Exactly(texts) => texts.iter().any(|text| text == version),
        }
    }

    /// Whose rules order them; `None` where there is no order.
    #[must_use]
    pub fn scheme(&self) -> Option<Scheme> {
        match self {
            Self::Some { range, .. } => Some(range.scheme()),
            Self::All | Self::Exactly(_) => None,
        }
    }
}
