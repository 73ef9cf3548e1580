//! Instants: UTC, in whole milliseconds, always handed in from outside.
//!
//! The core owns no clock. Zones, recurrence and calendars are the business of [`crate::schedule`].

use alloc::string::{String, ToString};
use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant in UTC, in milliseconds since 1970-01-01T00:00:00Z, within the years 0000 to 9999.
///
/// As text (in journals, reports and JSON) it is RFC 3339 with milliseconds.
///
/// ```
/// use patchflow_core::time::Timestamp;
/// let t: Timestamp = "2026-11-21T08:30:00Z".parse().unwrap();
/// assert_eq!(t.to_string(), "2026-11-21T08:30:00.000Z");
/// assert_eq!(t.plus_secs(90).since(t).as_secs(), 90);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant: 0000-01-01T00:00:00Z.
    pub const MIN: Self = Self(-62_167_219_200_000);
    /// The latest instant: 9999-12-30T22:00:00Z (what the calendar library can print).
    pub const MAX: Self = Self(253_402_207_200_000);

    /// From milliseconds since 1970; values outside the range are moved to its ends.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        if millis < Self::MIN.0 {
            Self::MIN
        } else if millis > Self::MAX.0 {
            Self::MAX
        } else {
            Self(millis)
        }
    }

    /// From whole seconds since 1970; values outside the range are moved to its ends.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self::from_millis(secs.saturating_mul(1000))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded towards the past.
    #[must_use]
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Later by so many seconds, at most [`Timestamp::MAX`].
    #[must_use]
    pub const fn plus_secs(self, secs: u64) -> Self {
        let secs = if secs > 400_000_000_000 { 400_000_000_000 } else { secs as i64 };
        Self::from_millis(self.0.saturating_add(secs * 1000))
    }

    /// Later by a duration, at most [`Timestamp::MAX`]; below a millisecond is dropped.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How much later than `earlier` this is; zero when it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// A text that is not an RFC 3339 instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an instant: expected RFC 3339 with an offset, such as 2026-11-21T08:30:00Z")]
pub struct BadTimestamp(pub String);

impl FromStr for Timestamp {
    type Err = BadTimestamp;

    fn from_str(text: &str) -> Result<Self, BadTimestamp> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Self::from_millis(t.as_millisecond()))
            .map_err(|_| BadTimestamp(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every value within MIN..=MAX is within the calendar library's range.
        let t = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        write!(f, "{t:.3}")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.to_string())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(feature = "jiff-timestamp")]
impl From<jiff::Timestamp> for Timestamp {
    fn from(t: jiff::Timestamp) -> Self {
        Self::from_millis(t.as_millisecond())
    }
}

#[cfg(feature = "jiff-timestamp")]
impl From<Timestamp> for jiff::Timestamp {
    fn from(t: Timestamp) -> Self {
        Self::from_millisecond(t.0).unwrap_or_default()
    }
}

#[cfg(feature = "chrono")]
impl From<chrono::DateTime<chrono::Utc>> for Timestamp {
    fn from(t: chrono::DateTime<chrono::Utc>) -> Self {
        Self::from_millis(t.timestamp_millis())
    }
}

#[cfg(feature = "chrono")]
impl From<Timestamp> for chrono::DateTime<chrono::Utc> {
    fn from(t: Timestamp) -> Self {
        // MIN..=MAX lies within chrono's range.
        Self::from_timestamp_millis(t.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_range_print_and_parse() {
        for t in [Timestamp::MIN, Timestamp::default(), Timestamp::MAX] {
            assert_eq!(t.to_string().parse::<Timestamp>().unwrap(), t);
        }
        assert_eq!(Timestamp::from_millis(i64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MAX.plus_secs(u64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Duration::ZERO);
    }
}
