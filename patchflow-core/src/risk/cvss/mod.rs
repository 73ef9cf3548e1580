//! Scores after the Common Vulnerability Scoring System, versions 2.0, 3.0, 3.1 and 4.0, from their vectors.
//!
//! Everything is computed in whole numbers: the specifications define decimals, and a computer's fractions round some
//! of them differently from one platform to the next. A vector that cannot be read has no score; whoever asks for one
//! gets the reason instead of a low number.

mod metrics;
mod v2;
mod v3;
mod v4;

use crate::catalog::Severity;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest vector that is read, in bytes; one of 4.0 with all metrics has 190.
pub const VECTOR_BYTES_MAX: usize = 512;

/// A version of the system. The greatest is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CvssVersion {
    /// 2.0.
    #[serde(rename = "2.0")]
    V2,
    /// 3.0.
    #[serde(rename = "3.0")]
    V3_0,
    /// 3.1.
    #[serde(rename = "3.1")]
    V3_1,
    /// 4.0.
    #[serde(rename = "4.0")]
    V4,
}

impl fmt::Display for CvssVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::V2 => "2.0",
            Self::V3_0 => "3.0",
            Self::V3_1 => "3.1",
            Self::V4 => "4.0",
        })
    }
}

/// A score from 0.0 to 10.0, exact to its one decimal place. As text it is `9.8`.
///
/// ```
/// use patchflow_core::{catalog::Severity, risk::Score};
/// let score: Score = "9.8".parse().unwrap();
/// assert_eq!((score.tenths(), score.severity(), score.to_string().as_str()), (98, Severity::Critical, "9.8"));
/// assert!("10.1".parse::<Score>().is_err() && "9.85".parse::<Score>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Score(u8);

impl Score {
    /// The highest.
    pub const MAX: Self = Self(100);

    /// From tenths; above 100 is 100.
    #[must_use]
    pub const fn from_tenths(tenths: u8) -> Self {
        Self(if tenths > 100 { 100 } else { tenths })
    }

    fn of(tenths: i128) -> Self {
        Self(u8::try_from(tenths.clamp(0, 100)).unwrap_or(100))
    }

    /// In tenths, 0 to 100.
    #[must_use]
    pub const fn tenths(self) -> u8 {
        self.0
    }

    /// The word for it, after the qualitative scale of 3.x and 4.0 (specification of 3.1, section 5). Their "none",
    /// which is 0.0, is low here.
    #[must_use]
    pub const fn severity(self) -> Severity {
        match self.0 {
            90.. => Severity::Critical,
            70..=89 => Severity::High,
            40..=69 => Severity::Moderate,
            0..=39 => Severity::Low,
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

/// A text that is no score.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a CVSS score: expected 0 to 10 with at most one decimal place, such as 9.8")]
pub struct BadScore(pub String);

impl FromStr for Score {
    type Err = BadScore;

    fn from_str(text: &str) -> Result<Self, BadScore> {
        let bad = || BadScore(text.chars().take(40).collect());
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str, most| text.len() <= most && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole, 2) || !digits(part, 1) {
            return Err(bad());
        }
        let (whole, part): (u8, u8) = (whole.parse().map_err(|_| bad())?, part.parse().map_err(|_| bad())?);
        let tenths = whole * 10 + part;
        if tenths > 100 { Err(bad()) } else { Ok(Self(tenths)) }
    }
}

impl Serialize for Score {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Score {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Which value each metric of a version has: the place of the value in the metric's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Values([u8; 32]);

impl Values {
    fn at(&self, metric: usize) -> usize {
        self.0[metric].into()
    }
}

/// A vector, read and checked.
///
/// ```
/// use patchflow_core::{catalog::Severity, risk::Vector};
/// let log4shell: Vector = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H".parse().unwrap();
/// assert_eq!((log4shell.score().to_string().as_str(), log4shell.severity()), ("10.0", Severity::Critical));
/// let missing = "CVSS:3.1/AV:N/AC:L".parse::<Vector>().unwrap_err();
/// assert!(missing.to_string().contains("the metric PR is missing"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vector {
    version: CvssVersion,
    values: Values,
}

/// A text that is no vector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a CVSS vector: {why}")]
pub struct BadVector {
    /// The text, cut after 120 characters.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl FromStr for Vector {
    type Err = BadVector;

    /// Reads a vector: `CVSS:3.0/`, `CVSS:3.1/` or `CVSS:4.0/` and metrics, or metrics alone, which is 2.0. Metrics may
    /// stand in any order, as many feeds write them; each at most once.
    fn from_str(text: &str) -> Result<Self, BadVector> {
        parse(text).map_err(|why| BadVector { text: text.chars().take(120).collect(), why })
    }
}

fn parse(text: &str) -> Result<Vector, String> {
    use alloc::format;
    if text.len() > VECTOR_BYTES_MAX {
        return Err(format!("it is longer than {VECTOR_BYTES_MAX} bytes"));
    }
    let text = text.trim();
    let (version, rest) = match text.strip_prefix("CVSS:") {
        Some(rest) => match rest.split_once('/') {
            Some(("3.0", rest)) => (CvssVersion::V3_0, rest),
            Some(("3.1", rest)) => (CvssVersion::V3_1, rest),
            Some(("4.0", rest)) => (CvssVersion::V4, rest),
            Some((other, _)) => {
                let other: String = other.chars().take(8).collect();
                return Err(format!("version `{other}` is none of 3.0, 3.1, 4.0"));
            }
            None => return Err("it has no metrics".into()),
        },
        // Version 2.0 has no prefix; some write it in parentheses.
        None => {
            let bare = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(text);
            (CvssVersion::V2, bare)
        }
    };
    let known = metrics::of(version);
    let mut values = Values([0; 32]);
    let mut given = 0_u32;
    for part in rest.strip_suffix('/').unwrap_or(rest).split('/') {
        let cut = |part: &str| -> String { part.chars().take(16).collect() };
        let Some((name, value)) = part.split_once(':') else {
            return Err(format!("`{}` is not a metric and its value, such as AV:N", cut(part)));
        };
        let Some(at) = known.iter().position(|metric| metric.name == name) else {
            return Err(format!("version {version} has no metric `{}`", cut(name)));
        };
        let Some(chosen) = known[at].values.iter().position(|known| *known == value) else {
            let choice = known[at].values.join(", ");
            return Err(format!("{name} has no value `{}`; there are {choice}", cut(value)));
        };
        if given & (1 << at) != 0 {
            return Err(format!("the metric {name} stands there twice"));
        }
        given |= 1 << at;
        values.0[at] = u8::try_from(chosen).unwrap_or(0);
    }
    match known.iter().enumerate().find(|(at, metric)| metric.required && given & (1 << at) == 0) {
        Some((_, metric)) => Err(format!("the metric {} is missing", metric.name)),
        None => Ok(Vector { version, values }),
    }
}

impl Vector {
    /// Its version.
    #[must_use]
    pub const fn version(&self) -> CvssVersion {
        self.version
    }

    fn any(&self, metrics: core::ops::RangeInclusive<usize>) -> bool {
        self.values.0[metrics].iter().any(|value| *value != 0)
    }

    /// The base score: what holds everywhere and at all times. In 4.0 with threat and environment left out (CVSS-B).
    #[must_use]
    pub fn base_score(&self) -> Score {
        Score::of(match self.version {
            CvssVersion::V2 => v2::base(&self.values),
            CvssVersion::V3_0 => v3::base(&self.values, 0),
            CvssVersion::V3_1 => v3::base(&self.values, 1),
            CvssVersion::V4 => v4::score(&self.values, true),
        })
    }

    /// The temporal score of 2.0 and 3.x; `None` where no temporal metric is given, and in 4.0, which has none.
    #[must_use]
    pub fn temporal_score(&self) -> Option<Score> {
        let given = match self.version {
            CvssVersion::V2 => self.any(6..=8),
            CvssVersion::V3_0 | CvssVersion::V3_1 => self.any(8..=10),
            CvssVersion::V4 => false,
        };
        given.then(|| {
            Score::of(match self.version {
                CvssVersion::V2 => v2::temporal(&self.values),
                CvssVersion::V3_0 => v3::temporal(&self.values, 0),
                CvssVersion::V3_1 | CvssVersion::V4 => v3::temporal(&self.values, 1),
            })
        })
    }

    /// The environmental score of 2.0 and 3.x; `None` where no environmental metric is given, and in 4.0.
    #[must_use]
    pub fn environmental_score(&self) -> Option<Score> {
        let given = match self.version {
            CvssVersion::V2 => self.any(9..=13),
            CvssVersion::V3_0 | CvssVersion::V3_1 => self.any(11..=21),
            CvssVersion::V4 => false,
        };
        given.then(|| {
            Score::of(match self.version {
                CvssVersion::V2 => v2::environmental(&self.values),
                CvssVersion::V3_0 => v3::environmental(&self.values, 0),
                CvssVersion::V3_1 | CvssVersion::V4 => v3::environmental(&self.values, 1),
            })
        })
    }

    /// The score from all metrics that are given: environmental, else temporal, else base; in 4.0 the one that there is.
    #[must_use]
    pub fn score(&self) -> Score {
        match self.version {
            CvssVersion::V4 => Score::of(v4::score(&self.values, false)),
            CvssVersion::V2 | CvssVersion::V3_0 | CvssVersion::V3_1 => {
                self.environmental_score().or(self.temporal_score()).unwrap_or(self.base_score())
            }
        }
    }

    /// The word for [`score`](Self::score). 2.0 defines none: there it is the NVD's scale, whose highest is high.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match (self.version, self.score().severity()) {
            (CvssVersion::V2, Severity::Critical) => Severity::High,
            (_, severity) => severity,
        }
    }

    /// Whether 4.0's supplemental metric says that an attacker can go on without people; `None` where it does not say.
    #[must_use]
    pub fn automatable(&self) -> Option<bool> {
        match (self.version, self.values.at(27)) {
            (CvssVersion::V4, 1) => Some(false),
            (CvssVersion::V4, 2) => Some(true),
            (CvssVersion::V2 | CvssVersion::V3_0 | CvssVersion::V3_1 | CvssVersion::V4, _) => None,
        }
    }
}

impl fmt::Display for Vector {
    /// In the order of the specification, without metrics that are not defined.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut slash = "";
        if self.version != CvssVersion::V2 {
            write!(f, "CVSS:{}", self.version)?;
            slash = "/";
        }
        for (at, metric) in metrics::of(self.version).iter().enumerate() {
            let value = self.values.at(at);
            if metric.required || value != 0 {
                write!(f, "{slash}{}:{}", metric.name, metric.values[value])?;
                slash = "/";
            }
        }
        Ok(())
    }
}

impl Serialize for Vector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
