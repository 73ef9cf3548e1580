//! How likely something is, exactly: EPSS scores and thresholds.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A probability from 0 to 1 in millionths, which is as fine as EPSS is published. As text it is `0.1`.
///
/// ```
/// use patchflow_core::risk::Likelihood;
/// let tenth: Likelihood = "0.1".parse().unwrap();
/// assert_eq!((tenth.millionths(), Likelihood::of(0.1)), (100_000, Some(tenth)));
/// assert_eq!(Likelihood::of(f64::NAN), None);
/// assert!("1.5".parse::<Likelihood>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Likelihood(u32);

impl Likelihood {
    /// From a number, rounded to millionths; `None` when it lies outside of 0 to 1 or is no number.
    #[must_use]
    pub fn of(score: f64) -> Option<Self> {
        // A product and a sum of two numbers are the same on every platform; no library function is called.
        (0.0..=1.0).contains(&score).then_some(Self((score * 1_000_000.0 + 0.5) as u32))
    }

    /// From millionths; `None` beyond 1 000 000.
    #[must_use]
    pub const fn of_millionths(millionths: u32) -> Option<Self> {
        if millionths > 1_000_000 { None } else { Some(Self(millionths)) }
    }

    /// In millionths, 0 to 1 000 000.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Likelihood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = alloc::format!("{:06}", self.0 % 1_000_000);
        match digits.trim_end_matches('0') {
            "" => write!(f, "{}", self.0 / 1_000_000),
            part => write!(f, "{}.{part}", self.0 / 1_000_000),
        }
    }
}

/// A text that is no probability.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a probability: expected 0 to 1 with at most six decimal places, such as 0.1")]
pub struct BadLikelihood(pub String);

impl FromStr for Likelihood {
    type Err = BadLikelihood;

    fn from_str(text: &str) -> Result<Self, BadLikelihood> {
        let bad = || BadLikelihood(text.chars().take(40).collect());
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits =
            |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole, 1) || !digits(part, 6) {
            return Err(bad());
        }
        let part = part.bytes().chain(core::iter::repeat(b'0')).take(6);
        let millionths =
            whole.bytes().chain(part).fold(0_u32, |all, digit| all * 10 + u32::from(digit - b'0'));
        if millionths > 1_000_000 { Err(bad()) } else { Ok(Self(millionths)) }
    }
}

impl Serialize for Likelihood {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Likelihood {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
