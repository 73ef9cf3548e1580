//! Platforms that get no repairs any more.

use crate::package::Platform;
use crate::time::Timestamp;
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// That the support of a platform ended: what is wrong there will not be repaired.
///
/// As text it is a clause about an endpoint:
///
/// ```
/// use patchflow_core::inventory::EndOfLife;
/// let end = EndOfLife {
///     platform: patchflow_core::package::Platform::new("debian", "8"),
///     since: "2020-06-30T00:00:00Z".parse().unwrap(),
///     mitigation: "upgrade to debian 13".into(),
/// };
/// assert_eq!(
///     end.to_string(),
///     "its platform debian 8 is out of support since 2020-06-30T00:00:00.000Z, instead: upgrade to debian 13"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EndOfLife {
    /// The platform.
    pub platform: Platform,
    /// When its support ended, or will end.
    pub since: Timestamp,
    /// What to do instead, such as `upgrade to debian 13` or `isolate from the network`.
    pub mitigation: String,
}

impl EndOfLife {
    /// Whether it has ended by a time.
    #[must_use]
    pub fn has_come(&self, now: Timestamp) -> bool {
        self.since <= now
    }
}

impl fmt::Display for EndOfLife {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { platform, since, mitigation } = self;
        write!(f, "its platform {platform} is out of support since {since}, instead: {mitigation}")
    }
}
