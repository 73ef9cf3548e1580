//! Platforms whose support ends, from a document that people write.

use patchflow_core::inventory::EndOfLife;
use patchflow_core::package::Platform;
use patchflow_core::time::Timestamp;
use serde::Deserialize;

/// As it is written: the platform by its name, the day as a date or an instant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    platform: String,
    since: String,
    mitigation: String,
}

/// Why such a document cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadEnds {
    /// It is no list of platforms.
    #[error("expected a list of objects with `platform`, `since` and `mitigation`")]
    Json(#[from] serde_json::Error),
    /// An entry says something that is none.
    #[error("[{at}].{field}: {why}")]
    Entry {
        /// The entry, from 0.
        at: usize,
        /// The member.
        field: &'static str,
        /// What is wrong with it.
        why: String,
    },
}

/// Reads a list of platforms whose support ends. A date without a time begins with its day.
///
/// ```
/// use patchflow_backends::advisory::read_ends;
/// let ends = read_ends(br#"[{"platform": "debian 8", "since": "2020-06-30", "mitigation": "upgrade to debian 13"}]"#)?;
/// assert_eq!(ends[0].since.to_string(), "2020-06-30T00:00:00.000Z");
/// assert!(read_ends(br#"[{"platform": "", "since": "2020-06-30", "mitigation": ""}]"#).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// The first thing that is wrong, with where it stands.
pub fn read_ends(text: &[u8]) -> Result<Vec<EndOfLife>, BadEnds> {
    let written: Vec<Written> = serde_json::from_slice(text)?;
    let read = |(at, Written { platform, since, mitigation }): (usize, Written)| {
        let bad = |field, why: &str| BadEnds::Entry { at, field, why: why.to_owned() };
        if platform.trim().is_empty() {
            return Err(bad("platform", "an empty name is no platform; say such as `debian 8`"));
        }
        if mitigation.trim().is_empty() {
            return Err(bad("mitigation", "say what to do instead, such as `upgrade to debian 13`"));
        }
        let instant = if since.contains('T') { since.clone() } else { format!("{since}T00:00:00Z") };
        let since: Timestamp =
            instant.parse().map_err(|_| bad("since", "expected a day such as 2020-06-30, or an instant"))?;
        Ok(EndOfLife { platform: Platform::named(&platform), since, mitigation })
    };
    written.into_iter().enumerate().map(read).collect()
}
