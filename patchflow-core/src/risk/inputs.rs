//! What is known about a weakness and about the endpoint it is on, each with who says so. Unknown is a value of its own.

use super::cvss::{CvssVersion, Score, Vector};
use super::likelihood::Likelihood;
use crate::catalog::{Advisory, Category, Exploitation, Fix, Patch, Severity, Status, Weakness};
use crate::inventory::{Criticality, Environment, Exposure};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// What a rule can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reads {
    /// Whether it is known to be exploited.
    KnownExploited,
    /// Whether ransomware uses it.
    Ransomware,
    /// How far exploitation has come.
    Exploitation,
    /// Whether an attack needs no people.
    Automatable,
    /// The CVSS base score.
    Cvss,
    /// The EPSS score.
    Epss,
    /// The vendor's severity.
    Severity,
    /// The vendor's category.
    Category,
    /// How much depends on the endpoint.
    Criticality,
    /// From where the endpoint can be reached.
    Exposure,
    /// Whether real work depends on the endpoint.
    Environment,
    /// Whether the support of the endpoint's platform has ended.
    EndOfLife,
    /// Whether something repairs it.
    FixAvailable,
}

impl Reads {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 13] = [
        Self::KnownExploited,
        Self::Ransomware,
        Self::Exploitation,
        Self::Automatable,
        Self::Cvss,
        Self::Epss,
        Self::Severity,
        Self::Category,
        Self::Criticality,
        Self::Exposure,
        Self::Environment,
        Self::EndOfLife,
        Self::FixAvailable,
    ];
}

impl fmt::Display for Reads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::KnownExploited => "known exploitation",
            Self::Ransomware => "use by ransomware",
            Self::Exploitation => "state of exploitation",
            Self::Automatable => "automatable attack",
            Self::Cvss => "CVSS base score",
            Self::Epss => "EPSS score",
            Self::Severity => "vendor's severity",
            Self::Category => "vendor's category",
            Self::Criticality => "criticality of the endpoint",
            Self::Exposure => "exposure of the endpoint",
            Self::Environment => "environment of the endpoint",
            Self::EndOfLife => "end of life of the platform",
            Self::FixAvailable => "available fix",
        })
    }
}

/// One input: its value, or that nobody said, and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input<T> {
    /// The value; `None` is unknown.
    pub value: Option<T>,
    /// Who says so; of an unknown, why it is unknown.
    pub from: String,
}

impl<T> Input<T> {
    /// A value and who says so.
    pub fn known(value: T, from: impl Into<String>) -> Self {
        Self { value: Some(value), from: from.into() }
    }

    /// Unknown, and why.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self { value: None, from: why.into() }
    }

    fn of(value: Option<T>, from: &str) -> Self {
        Self { from: if value.is_some() { from.into() } else { "nobody said".into() }, value }
    }
}

/// Which catalogues were read. An advisory that a catalogue does not list is known not to be listed only if it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Catalogues {
    /// A catalogue of known exploited weaknesses.
    pub known_exploited: bool,
}

/// All that rules can read of one weakness on one endpoint, or on none in particular.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// Whether it is known to be exploited.
    pub known_exploited: Input<bool>,
    /// Whether ransomware uses it.
    pub ransomware: Input<bool>,
    /// How far exploitation has come.
    pub exploitation: Input<Exploitation>,
    /// Whether an attack needs no people.
    pub automatable: Input<bool>,
    /// The CVSS base score: the highest of the vectors of 3.0 and later, else of 2.0. Temporal and environmental values
    /// of feeds are left out: that a fix exists is no reason to wait with it, and the environment is ours to know.
    pub cvss: Input<Score>,
    /// Whether a vector could not be read, so that the score may be higher.
    pub cvss_may_be_higher: bool,
    /// The EPSS score.
    pub epss: Input<Likelihood>,
    /// The vendor's severity.
    pub severity: Input<Severity>,
    /// The vendor's category.
    pub category: Input<Category>,
    /// How much depends on the endpoint.
    pub criticality: Input<Criticality>,
    /// From where the endpoint can be reached.
    pub exposure: Input<Exposure>,
    /// Whether real work depends on the endpoint.
    pub environment: Input<Environment>,
    /// Whether the support of the endpoint's platform has ended.
    pub end_of_life: Input<bool>,
    /// Whether something repairs it.
    pub fix: Input<bool>,
    /// When it was made public.
    pub disclosed: Option<Timestamp>,
    /// Since when it is known to be exploited.
    pub exploited_since: Option<Timestamp>,
    /// When the vendor released what repairs it.
    pub released: Option<Timestamp>,
    /// What people should know beside, such as a vector that could not be read.
    pub notes: Vec<String>,
}

const NO_ENDPOINT: &str = "no endpoint is in view";

impl Inputs {
    fn bare(category: Input<Category>) -> Self {
        Self {
            known_exploited: Input::unknown("nobody said"),
            ransomware: Input::unknown("nobody said"),
            exploitation: Input::unknown("nobody said"),
            automatable: Input::unknown("nobody said"),
            cvss: Input::unknown("nobody said"),
            cvss_may_be_higher: false,
            epss: Input::unknown("nobody said"),
            severity: Input::unknown("nobody said"),
            category,
            criticality: Input::unknown(NO_ENDPOINT),
            exposure: Input::unknown(NO_ENDPOINT),
            environment: Input::unknown(NO_ENDPOINT),
            end_of_life: Input::unknown(NO_ENDPOINT),
            fix: Input::unknown("nobody said"),
            disclosed: None,
            exploited_since: None,
            released: None,
            notes: Vec::new(),
        }
    }

    /// What an advisory says.
    #[must_use]
    pub fn of(advisory: &Advisory, catalogues: Catalogues) -> Self {
        let from = sources(advisory);
        let listed = advisory.exploited.as_ref();
        // An advisory that names no weakness by number has nothing that a catalogue could list.
        let numbered =
            core::iter::once(&advisory.id).chain(&advisory.aliases).any(|name| name.starts_with("CVE-"));
        let exploitation = advisory.ssvc.and_then(|ssvc| ssvc.exploitation);
        let (known_exploited, ransomware) = match listed {
            Some(listed) => (
                Input::known(true, format!("{from}, since {}", listed.since)),
                Input::known(listed.ransomware, from.clone()),
            ),
            None if catalogues.known_exploited || !numbered => {
                let not = if numbered { "no catalogue lists it" } else { "it names no CVE number" };
                (Input::known(false, not), Input::known(false, not))
            }
            None => {
                let why = "no catalogue of known exploited weaknesses was read";
                (Input::unknown(why), Input::unknown(why))
            }
        };
        let mut inputs = Self {
            known_exploited,
            ransomware,
            exploitation: match (listed, exploitation) {
                (Some(_), _) => Input::known(Exploitation::Active, from.clone()),
                (None, exploitation) => Input::of(exploitation, &from),
            },
            automatable: Input::of(advisory.ssvc.and_then(|ssvc| ssvc.automatable), &from),
            severity: Input::of(Some(advisory.severity).filter(|s| *s != Severity::Unknown), &from),
            epss: Input::of(advisory.epss.and_then(|epss| Likelihood::of(epss.score)), &from),
            fix: fix_of(advisory, &from),
            disclosed: advisory.published,
            exploited_since: listed.map(|listed| listed.since),
            released: advisory.fixed_at,
            ..Self::bare(Input::known(advisory.category, from.clone()))
        };
        if advisory.epss.is_some() && inputs.epss.value.is_none() {
            inputs.notes.push("its EPSS score lies outside of 0 to 1 and counts as unknown".into());
        }
        inputs.take_vectors(&advisory.cvss, &from);
        inputs
    }

    /// What a patch says of itself: everything but its category, severity and dates is unknown, and it is a fix.
    #[must_use]
    pub fn of_patch(patch: &Patch) -> Self {
        let from = patch.source.as_str();
        Self {
            known_exploited: Input::known(patch.exploited.is_some(), from),
            ransomware: match patch.exploited {
                Some(_) => Input::unknown("nobody said"),
                None => Input::known(false, from),
            },
            exploitation: Input::of(patch.exploited.map(|_| Exploitation::Active), from),
            severity: Input::of(Some(patch.severity).filter(|s| *s != Severity::Unknown), from),
            fix: Input::known(true, from),
            disclosed: patch.disclosed,
            exploited_since: patch.exploited,
            released: patch.released,
            ..Self::bare(Input::known(patch.category, from))
        }
    }

    /// What a patch says of itself and of each weakness that it closes: one for each of them, with its name, or one for
    /// the patch alone when none is known.
    #[must_use]
    pub fn of_each(patch: &Patch) -> Vec<(Option<&str>, Self)> {
        if patch.closes.is_empty() {
            return Vec::from([(None, Self::of_patch(patch))]);
        }
        patch.closes.iter().map(|weakness| (Some(&*weakness.id), Self::of_closed(patch, weakness))).collect()
    }

    /// What is known of a weakness that a patch closes. Category and severity are the patch's, which has the highest.
    fn of_closed(patch: &Patch, weakness: &Weakness) -> Self {
        let Weakness { id, said_by, cvss, epss_millionths, exploited, catalogue_read, ssvc, .. } = weakness;
        let from = if said_by.is_empty() { id.clone() } else { said_by.join(", ") };
        // What the patch's own source says of exploitation holds for what nobody else lists.
        let said = patch.exploited.filter(|_| patch.closes.iter().all(|other| other.exploited.is_none()));
        let (known_exploited, ransomware) = match (exploited, said) {
            (Some(listed), _) => {
                (Input::known(true, from.clone()), Input::known(listed.ransomware, from.clone()))
            }
            (None, Some(_)) => (Input::known(true, patch.source.clone()), Input::unknown("nobody said")),
            (None, None) if *catalogue_read => {
                (Input::known(false, "no catalogue lists it"), Input::known(false, "no catalogue lists it"))
            }
            (None, None) if !weakness.is_numbered() => {
                (Input::known(false, "it has no CVE number"), Input::known(false, "it has no CVE number"))
            }
            (None, None) => {
                let why = "no catalogue of known exploited weaknesses was read";
                (Input::unknown(why), Input::unknown(why))
            }
        };
        let mut inputs = Self {
            exploitation: match known_exploited.value {
                Some(true) => Input::known(Exploitation::Active, from.clone()),
                Some(false) | None => Input::of(ssvc.and_then(|ssvc| ssvc.exploitation), &from),
            },
            automatable: Input::of(ssvc.and_then(|ssvc| ssvc.automatable), &from),
            epss: Input::of(epss_millionths.and_then(Likelihood::of_millionths), &from),
            disclosed: patch.disclosed.into_iter().chain(weakness.disclosed).min(),
            exploited_since: exploited.as_ref().map(|listed| listed.since).or(said),
            known_exploited,
            ransomware,
            ..Self::of_patch(patch)
        };
        inputs.take_vectors(cvss, &from);
        inputs
    }

    /// The same on an endpoint, as its inventory describes it; whether its platform's support has ended is asked of
    /// whoever knows platforms.
    #[must_use]
    pub fn on(
        self,
        environment: Environment,
        criticality: Criticality,
        exposure: Exposure,
        end_of_life: Option<bool>,
    ) -> Self {
        let from = "inventory";
        Self {
            environment: Input::known(environment, from),
            criticality: Input::of(Some(criticality).filter(|c| *c != Criticality::Unknown), from),
            exposure: Input::of(Some(exposure).filter(|e| *e != Exposure::Unknown), from),
            end_of_life: Input::of(end_of_life, "platform"),
            ..self
        }
    }

    fn take_vectors(&mut self, vectors: &[String], from: &str) {
        let mut best: Option<(bool, Score, Vector)> = None;
        for text in vectors {
            match text.parse::<Vector>() {
                Ok(vector) => {
                    let ranked = (vector.version() != CvssVersion::V2, vector.base_score(), vector);
                    if best.is_none_or(|best| (ranked.0, ranked.1) > (best.0, best.1)) {
                        best = Some(ranked);
                    }
                    if self.automatable.value.is_none()
                        && let Some(automatable) = vector.automatable()
                    {
                        self.automatable = Input::known(automatable, format!("{vector}, {from}"));
                    }
                }
                Err(bad) => {
                    self.cvss_may_be_higher = true;
                    self.notes.push(bad.to_string());
                }
            }
        }
        match best {
            Some((_, score, vector)) => self.cvss = Input::known(score, format!("{vector}, {from}")),
            None if self.cvss_may_be_higher => self.cvss = Input::unknown("no vector of it can be read"),
            None => {}
        }
    }

    /// Each input as people read it: its value, or `None`, and who says so.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        fn line<T>(reads: Reads, input: &Input<T>, word: impl Fn(&T) -> String) -> Told {
            Told { reads, value: input.value.as_ref().map(word), from: input.from.clone() }
        }
        fn yes(value: &bool) -> String {
            if *value { "yes" } else { "no" }.into()
        }
        Reads::ALL
            .into_iter()
            .map(|reads| match reads {
                Reads::KnownExploited => line(reads, &self.known_exploited, yes),
                Reads::Ransomware => line(reads, &self.ransomware, yes),
                Reads::Exploitation => line(reads, &self.exploitation, |value| {
                    match value {
                        Exploitation::None => "none",
                        Exploitation::PublicPoc => "public example",
                        Exploitation::Active => "active",
                    }
                    .into()
                }),
                Reads::Automatable => line(reads, &self.automatable, yes),
                Reads::Cvss => line(reads, &self.cvss, |score| {
                    if self.cvss_may_be_higher { format!("{score} or more") } else { score.to_string() }
                }),
                Reads::Epss => line(reads, &self.epss, Likelihood::to_string),
                Reads::Severity => line(reads, &self.severity, Severity::to_string),
                Reads::Category => line(reads, &self.category, Category::to_string),
                Reads::Criticality => line(reads, &self.criticality, |value| {
                    match value {
                        Criticality::Unknown => "unknown",
                        Criticality::Low => "low",
                        Criticality::Moderate => "moderate",
                        Criticality::High => "high",
                        Criticality::Critical => "critical",
                    }
                    .into()
                }),
                Reads::Exposure => line(reads, &self.exposure, |value| {
                    match value {
                        Exposure::Unknown => "unknown",
                        Exposure::Isolated => "isolated",
                        Exposure::Internal => "internal",
                        Exposure::Internet => "internet",
                    }
                    .into()
                }),
                Reads::Environment => line(reads, &self.environment, |value| {
                    match value {
                        Environment::Production => "production",
                        Environment::NonProduction => "non-production",
                    }
                    .into()
                }),
                Reads::EndOfLife => line(reads, &self.end_of_life, yes),
                Reads::FixAvailable => line(reads, &self.fix, yes),
            })
            .collect()
    }
}

/// One input as people read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Which.
    pub reads: Reads,
    /// Its value; `None` is unknown.
    pub value: Option<String>,
    /// Who says so; of an unknown, why it is unknown.
    pub from: String,
}

/// Who says what an advisory says: its records, the first three by name.
fn sources(advisory: &Advisory) -> String {
    let mut names: Vec<String> =
        advisory.provenance.iter().map(|p| format!("{} {}", p.feed, p.record)).collect();
    names.sort();
    names.dedup();
    match names.len() {
        0 => advisory.id.to_string(),
        1..=3 => names.join(", "),
        more => format!("{} and {} more", names[..3].join(", "), more - 3),
    }
}

/// Whether anything repairs what is affected.
fn fix_of(advisory: &Advisory, from: &str) -> Input<bool> {
    let mut never = false;
    for affected in advisory.affected.iter().filter(|a| matches!(a.status, Status::Affected | Status::Fixed))
    {
        match (&affected.status, &affected.fix) {
            (_, Fix::From(_) | Fix::By(_)) | (Status::Fixed, _) => return Input::known(true, from),
            (_, Fix::Never) => never = true,
            (_, Fix::NotNamed) => {}
        }
    }
    match (advisory.fixed_at, never) {
        (Some(_), _) => Input::known(true, from),
        (None, true) => Input::known(false, from),
        (None, false) => Input::unknown("no feed names one"),
    }
}
