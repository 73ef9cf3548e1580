//! Severity and category as vendors state them.

use core::fmt;
use serde::{Deserialize, Serialize};

/// A vendor's severity. `Unknown` is a value of its own: rules that read it hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing was said.
    Unknown,
    /// Low.
    Low,
    /// Moderate, medium.
    Moderate,
    /// Important, high.
    High,
    /// Critical.
    Critical,
}

/// What kind of change a patch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Closes a weakness.
    Security,
    /// Repairs without new features.
    Bugfix,
    /// Brings new features.
    Feature,
    /// A driver.
    Driver,
    /// Firmware.
    Firmware,
}

impl Category {
    /// Whether updates of this class go by the clocks of what they replace, and hand their own on: feature, driver and
    /// firmware updates do neither (semantics S7).
    #[must_use]
    pub const fn has_security_clocks(self) -> bool {
        match self {
            Self::Security | Self::Bugfix => true,
            Self::Feature | Self::Driver | Self::Firmware => false,
        }
    }
}

macro_rules! words {
    ($ty:ty { $($variant:ident => $word:literal),+ $(,)? }) => {
        impl fmt::Display for $ty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$variant => $word),+ })
            }
        }
    };
}

words!(Severity { Unknown => "unknown", Low => "low", Moderate => "moderate", High => "high", Critical => "critical" });
words!(Category { Security => "security", Bugfix => "bugfix", Feature => "feature", Driver => "driver", Firmware => "firmware" });
