//! Where the content of a member is that has not started (semantics S4, S14).

use super::outcome::told;
use crate::error::FailureKind;
use crate::fleet::{ContentView, Fleet};
use crate::ids::MemberIx;
use crate::rollout::Rollout;
use alloc::format;
use alloc::string::String;

/// Where the content of a member is; `None` where the policy does not ask for it before the window. The flag says whether
/// it keeps the member from starting.
pub(super) fn content(fleet: &Fleet, rollout: &Rollout, member: MemberIx) -> Option<(String, bool)> {
    let lacks = "content is not on the endpoint";
    let failed = |reason| {
        let (kind, detail) = fleet.reason(reason)?;
        let told = told(kind, detail);
        Some(if kind == FailureKind::Unsupported {
            format!(
                "{lacks}, which the policy requires, and its installer cannot bring it: {told}; use one that stages, \
                 carry the content there, or adopt a policy that does not require it"
            )
        } else {
            format!("{lacks}: {told}")
        })
    };
    Some(match fleet.content(rollout.id(), member)? {
        ContentView::There { until } => {
            (format!("its content is on the endpoint, good until {until}"), false)
        }
        ContentView::Asked { until } => {
            (format!("{lacks}: it is being staged, until {until} at the latest"), true)
        }
        ContentView::Failed { reason, again } => {
            (format!("{}; it is staged again from {again}", failed(reason)?), true)
        }
        ContentView::GivenUp { reason, again: Some(again) } => {
            (format!("{}; it is staged anew from {again}, before the next window", failed(reason)?), true)
        }
        ContentView::GivenUp { reason, again: None } => {
            (format!("{}; it is staged anew when a person lets it try again", failed(reason)?), true)
        }
        ContentView::Wanted { from: Some(from) } => {
            (format!("{lacks}: it is staged from {from}, before the window"), true)
        }
        ContentView::Wanted { from: None } => match fleet.full_staging(rollout.id(), member) {
            Some(full) => (format!("{lacks}: {full}"), true),
            None => (format!("{lacks}: it is staged when the fleet is looked at again"), true),
        },
    })
}
