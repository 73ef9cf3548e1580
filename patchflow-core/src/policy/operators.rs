//! Who is called when an endpoint can go neither forward nor back (semantics S10).

use super::Say;
use super::defaults::HOUR;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// One level of operators. Whoever does not acknowledge in time is passed over to the next; the last level is called
/// again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorLevel {
    /// Who is called; whoever holds the role of any level may acknowledge.
    pub role: String,
    /// How long they have for it, in seconds; not 0.
    pub acknowledge_within_secs: u32,
}

/// Those on call within the hour, then the change managers within four.
pub(super) fn standard() -> Vec<OperatorLevel> {
    vec![
        OperatorLevel { role: "on-call".into(), acknowledge_within_secs: HOUR },
        OperatorLevel { role: "change-manager".into(), acknowledge_within_secs: 4 * HOUR },
    ]
}

pub(super) fn check(levels: &[OperatorLevel], say: &mut Say<'_>) {
    if levels.is_empty() {
        say(
            "operators".into(),
            "nobody is called when an endpoint can go neither forward nor back; name a role",
        );
    }
    if levels.len() > 100 {
        say("operators".into(), "more than 100 levels");
    }
    for (i, level) in levels.iter().enumerate() {
        if level.role.is_empty() {
            say(format!("operators[{i}].role"), "an empty role is held by nobody");
        }
        if level.acknowledge_within_secs == 0 {
            say(
                format!("operators[{i}].acknowledge_within_secs"),
                "nobody acknowledges at once; 1 is the least",
            );
        }
    }
}
