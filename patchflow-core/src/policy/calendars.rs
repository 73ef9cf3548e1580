//! Calendars by name, for endpoints that do not go by the policy's own schedule (semantics S4).

use super::{DeployPolicy, Say};
use crate::schedule::Schedule;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Calendars beside the policy's own schedule, and how starts are spread over an opening.
///
/// An endpoint names its calendar ([`EndpointSeen::calendar`](crate::fleet::EndpointSeen)); one that names none goes by
/// the policy's schedule, and one that names a calendar that is not here never starts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarPolicy {
    /// The calendars by the names that endpoints use.
    pub named: BTreeMap<String, Schedule>,
    /// Over how many seconds the starts of one opening are spread, each endpoint by its stable hash; never so far that
    /// the operation would no longer fit. 0 lets everybody start as the window opens.
    pub spread_secs: u32,
    /// The calendar of the policy in whose openings whoever missed a window catches up. Its operation must fit in there as
    /// in a window, freezes of both calendars hold, and starts are not spread. `None`: it waits for its next window.
    #[serde(default)]
    pub active_hours: Option<String>,
    /// How long after the missed window closed it does not catch up yet, in seconds. It starts once its endpoint was read
    /// after that. Without `active_hours` it means nothing.
    #[serde(default)]
    pub grace_secs: u32,
    /// So long before a window opens those who wait for it and are out of contact are asked to wake, in seconds; 0 asks
    /// nobody. It takes a host that can wake endpoints.
    #[serde(default)]
    pub wake_lead_secs: u32,
}

impl CalendarPolicy {
    pub(super) fn check(&self, deploy: &DeployPolicy, say: &mut Say<'_>) {
        for (name, schedule) in &self.named {
            let path = format!("calendars.named.{name}");
            if name.is_empty() {
                say(path.clone(), "a calendar needs a name; endpoints that name none go by `schedule`");
            }
            super::check::schedule(&path, schedule, deploy, say);
        }
        if let Some(name) = self.active_hours.as_ref().filter(|name| !self.named.contains_key(*name)) {
            let message =
                format!("there is no calendar `{name}` in `calendars.named`; add it, or leave this out");
            say("calendars.active_hours".into(), &message);
        }
    }
}
