//! What a patch closes, as advisories tell of it: what its urgency is made of.
//!
//! A patch's own source says little: often no severity, no score, no day of disclosure. A [`Weakness`] carries from an
//! advisory to the patch what rules read, so that the patch can be rated by whoever holds it, without the feeds. It
//! stands in the journal with the patch.

use super::advisory::{Advisory, KnownExploited, Ssvc};
use super::{Category, Patch, Severity};
use crate::time::Timestamp;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// So many sources of one weakness are named; the feeds have the rest.
const SOURCES_MAX: usize = 4;

/// One weakness that a patch closes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weakness {
    /// Its name: a CVE number where it has one, else the advisory's.
    pub id: String,
    /// Who speaks of it, as feed and record, such as `debian DSA-5649-1`; at most four, in order.
    pub said_by: Vec<String>,
    /// The severity that was stated.
    pub severity: Severity,
    /// CVSS vectors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cvss: Vec<String>,
    /// The EPSS score in millionths; unknown is `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epss_millionths: Option<u32>,
    /// Known exploitation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exploited: Option<KnownExploited>,
    /// Whether a catalogue of known exploited weaknesses was read, so that one it does not list is known not to be listed.
    pub catalogue_read: bool,
    /// What an analyst decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssvc: Option<Ssvc>,
    /// When it was made public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disclosed: Option<Timestamp>,
    /// When a first fix was released, where a feed says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_at: Option<Timestamp>,
}

impl Weakness {
    /// What an advisory says of the weakness that it is about.
    ///
    /// ```
    /// use patchflow_core::catalog::{Advisory, Provenance, Severity, Weakness};
    /// let provenance = vec![Provenance { feed: "osv".into(), record: "OSV-1".into(), modified: None }];
    /// let advisory = Advisory { severity: Severity::High, provenance, ..Advisory::new("CVE-2026-1") };
    /// let weakness = Weakness::of(&advisory, false);
    /// assert_eq!((weakness.id.as_str(), weakness.severity), ("CVE-2026-1", Severity::High));
    /// assert_eq!(weakness.said_by, ["osv OSV-1"]);
    /// ```
    #[must_use]
    pub fn of(advisory: &Advisory, catalogue_read: bool) -> Self {
        let said_by: BTreeSet<String> =
            advisory.provenance.iter().map(|p| alloc::format!("{} {}", p.feed, p.record)).collect();
        let millionths = |score: f64| {
            // As `risk::Likelihood`: what is no probability is unknown.
            (0.0..=1.0).contains(&score).then_some((score * 1_000_000.0 + 0.5) as u32)
        };
        Self {
            id: advisory.id.to_string(),
            said_by: said_by.into_iter().take(SOURCES_MAX).collect(),
            severity: advisory.severity,
            cvss: advisory.cvss.clone(),
            epss_millionths: advisory.epss.and_then(|epss| millionths(epss.score)),
            exploited: advisory.exploited.clone(),
            catalogue_read,
            ssvc: advisory.ssvc,
            disclosed: advisory.published,
            fixed_at: advisory.fixed_at,
        }
    }

    /// Whether its name is a CVE number.
    #[must_use]
    pub fn is_numbered(&self) -> bool {
        self.id.starts_with("CVE-")
    }
}

/// Its name, and who says so: `CVE-2026-1 (osv OSV-7)`.
impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said_by = self.said_by.iter().filter(|said| !said.ends_with(&self.id)).map(String::as_str);
        match said_by.collect::<Vec<_>>().join(", ").as_str() {
            "" => f.write_str(&self.id),
            said_by => write!(f, "{} ({said_by})", self.id),
        }
    }
}

impl Patch {
    /// The patch with what it closes, in the place of what was known before. Of the words of its own source it keeps
    /// all, and:
    ///
    /// * its CVE numbers are joined by those of the weaknesses;
    /// * its severity becomes the highest that was stated of it or of a weakness;
    /// * the earliest day of disclosure and of known exploitation count; a release that its source does not know is the
    ///   first day on which a feed knew a fix;
    /// * a repair that closes a weakness is a security update. Feature, driver and firmware classes stay what they are
    ///   (semantics S7).
    ///
    /// ```
    /// use patchflow_core::catalog::{Advisory, Severity, Weakness};
    /// let own = patchflow_core::catalog::Patch { severity: Severity::Unknown, ..patchflow_core::doc::patch("curl", "2") };
    /// let advisory = Advisory { severity: Severity::High, ..Advisory::new("CVE-2026-1") };
    /// let patch = own.closing(vec![Weakness::of(&advisory, false)]);
    /// assert_eq!((patch.severity, patch.cves), (Severity::High, vec!["CVE-2026-1".to_string()]));
    /// ```
    #[must_use]
    pub fn closing(mut self, mut closes: Vec<Weakness>) -> Self {
        closes.sort_by(|a, b| a.id.cmp(&b.id));
        closes.dedup_by(|a, b| a.id == b.id);
        for weakness in &closes {
            if weakness.is_numbered() && !self.cves.contains(&weakness.id) {
                self.cves.push(weakness.id.clone());
            }
            self.severity = self.severity.max(weakness.severity);
            self.disclosed = self.disclosed.into_iter().chain(weakness.disclosed).min();
            let exploited = weakness.exploited.as_ref().map(|listed| listed.since);
            self.exploited = self.exploited.into_iter().chain(exploited).min();
        }
        self.released =
            self.released.or_else(|| closes.iter().filter_map(|weakness| weakness.fixed_at).min());
        if self.category == Category::Bugfix && !closes.is_empty() {
            self.category = Category::Security;
        }
        self.closes = closes;
        self
    }

    /// Whether another text of the same patch says the same, apart from how likely exploitation is: such scores change
    /// every day, and what follows from them is in the rating.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        if self.closes.len() != other.closes.len() {
            return false;
        }
        let silent = |patch: &Self| {
            let mut patch = patch.clone();
            patch.closes.iter_mut().for_each(|weakness| weakness.epss_millionths = None);
            patch
        };
        self == other || silent(self) == silent(other)
    }
}
