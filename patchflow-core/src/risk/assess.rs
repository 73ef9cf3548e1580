//! Priority, the due clock, and which input decided (semantics S7).

use super::Priority;
use crate::catalog::{Category, Patch, Severity};
use crate::time::Timestamp;
use alloc::format;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// How urgent a candidate is, until when, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// How urgent.
    pub priority: Priority,
    /// When the due clock started: the vendor's release, else the day it was first seen here.
    pub clock_started: Timestamp,
    /// Until when it should be verified everywhere; `None` at low priority.
    pub due: Option<Timestamp>,
    /// Which input decided, as a sentence.
    pub why: String,
}

const DAY_SECS: u64 = 24 * 60 * 60;

/// Rates a patch by the field's defaults: critical 7 days, high 30 days, moderate 30 days as the end of a monthly
/// cycle, low at convenience. A severity that nobody stated is rated high for security updates (fail closed: an
/// unknown is not a low) and low for anything else; feature, driver and firmware classes never inherit security rules.
///
/// `first_seen` starts the clock when the vendor's release date is unknown or lies in the future.
///
/// ```
/// # use patchflow_core::doc::patch;
/// use patchflow_core::risk::{assess, Priority};
/// let rated = assess(&patch("openssl", "3.0.22"), "2026-11-01T00:00:00Z".parse().unwrap());
/// assert_eq!(rated.priority, Priority::Critical);
/// ```
#[must_use]
pub fn assess(patch: &Patch, first_seen: Timestamp) -> Assessment {
    let (priority, why) = match (patch.category, patch.severity) {
        (Category::Security, Severity::Critical) => {
            (Priority::Critical, "a security update of critical severity".into())
        }
        (Category::Security, Severity::High) => (Priority::High, "a security update of high severity".into()),
        (Category::Security, Severity::Moderate) => {
            (Priority::Moderate, "a security update of moderate severity".into())
        }
        (Category::Security, Severity::Low) => (Priority::Low, "a security update of low severity".into()),
        (Category::Security, Severity::Unknown) => {
            (Priority::High, "a security update whose severity nobody stated, which counts as high".into())
        }
        (Category::Bugfix, Severity::Critical | Severity::High) => {
            (Priority::Moderate, format!("a repair that its vendor calls {}", patch.severity))
        }
        (Category::Bugfix, Severity::Unknown | Severity::Low | Severity::Moderate) => {
            (Priority::Low, "a repair without security content".into())
        }
        (category @ (Category::Feature | Category::Driver | Category::Firmware), _) => {
            (Priority::Low, format!("a {category} update, which no security rule covers"))
        }
    };
    let clock_started = patch.released.filter(|released| *released <= first_seen).unwrap_or(first_seen);
    let days = match priority {
        Priority::Critical => Some(7),
        Priority::High | Priority::Moderate => Some(30),
        Priority::Low => None,
    };
    Assessment { priority, clock_started, due: days.map(|d| clock_started.plus_secs(d * DAY_SECS)), why }
}
