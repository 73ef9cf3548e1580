//! The limits of a gate, and exact percentages.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A percentage from 0 to 100 with at most three decimal places, kept exactly in thousandths.
///
/// ```
/// use patchflow_core::gate::Percent;
/// let p: Percent = "12.5".parse().unwrap();
/// assert_eq!((p.of_ceil(40), p.to_string().as_str()), (5, "12.5"));
/// assert!("100.001".parse::<Percent>().is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u32);

impl Percent {
    /// All of it.
    pub const FULL: Self = Self(100_000);

    /// A whole percentage; above 100 is 100.
    #[must_use]
    pub const fn whole(percent: u32) -> Self {
        Self(if percent > 100 { 100_000 } else { percent * 1000 })
    }

    /// In thousandths of a percent, 0 to 100 000.
    #[must_use]
    pub const fn thousandths(self) -> u32 {
        self.0
    }

    /// The share of `n`, rounded up.
    #[must_use]
    pub const fn of_ceil(self, n: u32) -> u32 {
        (self.0 as u64 * n as u64).div_ceil(100_000) as u32
    }

    /// Whether `part` of `whole` is strictly more than this percentage. Of nothing, nothing is more.
    #[must_use]
    pub const fn is_exceeded_by(self, part: u32, whole: u32) -> bool {
        part as u64 * 100_000 > self.0 as u64 * whole as u64
    }

    /// Whether `part` of `whole` reaches this percentage.
    #[must_use]
    pub const fn is_reached_by(self, part: u32, whole: u32) -> bool {
        part as u64 * 100_000 >= self.0 as u64 * whole as u64
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1000, self.0 % 1000);
        match (part, part % 100, part % 10) {
            (0, _, _) => write!(f, "{whole}"),
            (_, 0, _) => write!(f, "{whole}.{}", part / 100),
            (_, _, 0) => write!(f, "{whole}.{:02}", part / 10),
            (..) => write!(f, "{whole}.{part:03}"),
        }
    }
}

impl fmt::Debug for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}%")
    }
}

/// A text that is not a percentage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a percentage: expected 0 to 100 with at most three decimal places, such as 12.5")]
pub struct BadPercent(pub String);

impl FromStr for Percent {
    type Err = BadPercent;

    fn from_str(text: &str) -> Result<Self, BadPercent> {
        let bad = || BadPercent(text.chars().take(40).collect());
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |s: &str| (1..=3).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) {
            return Err(bad());
        }
        let scale = [100, 10, 1][part.len() - 1];
        let whole: u32 = whole.parse().map_err(|_| bad())?;
        let part: u32 = part.parse().map_err(|_| bad())?;
        let thousandths = whole * 1000 + part * scale;
        if thousandths > 100_000 { Err(bad()) } else { Ok(Self(thousandths)) }
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// What becomes of a hold that outlives its longest time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnMaxHold {
    /// The ring is halted.
    Halt,
    /// A person is asked; until then the hold stands.
    Ask,
}

/// What the failure share is a share of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShareOf {
    /// All members that are counted, started or not.
    #[default]
    Members,
    /// Those that have been started; asks for a `min_started`, because one failure of one start is a share of 100 %.
    Started,
}

/// Over which members the failure limits count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitScope {
    /// Those of the ring.
    #[default]
    Ring,
    /// Those of the ring and of all rings before it.
    Rollout,
}

/// The limits of one ring's gate (semantics S2, S3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Over which members `max_failures` and `max_failure_percent` count; every other limit is the ring's own.
    pub scope: LimitScope,
    /// What `max_failure_percent` is a share of.
    pub of: ShareOf,
    /// Halts on the first failure beyond this many: 3 halts on the fourth.
    pub max_failures: Option<u32>,
    /// Halts on strictly more than this share of the members that `of` names.
    pub max_failure_percent: Option<Percent>,
    /// Delays the percent rule, never the count rule, until so many have started.
    pub min_started: u32,
    /// The least share of verified members that promotes, inclusive, judged after the bake.
    pub min_success_percent: Percent,
    /// Fewer verified members than this hold the ring, unless it has fewer members to count.
    pub min_verified: u32,
    /// Halts on the first new alert of the ring's endpoints beyond this many; a ring whose alerts nobody can tell holds.
    pub max_alerts: Option<u32>,
    /// How long to watch after the ring has settled, in seconds.
    pub bake_secs_min: u32,
    /// How long a settled ring may hold after its bake, in seconds.
    pub hold_secs_max: u32,
    /// What becomes of a hold that outlives it.
    pub on_max_hold: OnMaxHold,
}

impl Limits {
    /// Says what contradicts itself, each at its path below `path`.
    pub(crate) fn check(&self, path: &str, say: &mut dyn FnMut(String, &str)) {
        if self.of == ShareOf::Started && self.min_started == 0 {
            say(
                format!("{path}.min_started"),
                "`of: started` needs it: without it the first failure of the first start is a share of 100 %",
            );
        }
    }
}
