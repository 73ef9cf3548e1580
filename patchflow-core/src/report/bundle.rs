//! What must be carried to endpoints that no line reaches (semantics S4).

use crate::catalog::Target;
use crate::digest::Digest;
use crate::fleet::{ContentView, Fleet};
use crate::ids::{EndpointId, EndpointIx, MemberIx, PatchId};
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// What must be carried to some endpoints, in the order in which it will be installed. A backend adds the files; once
/// they lie there, the host tells [`Observation::ContentHeld`](crate::fleet::Observation::ContentHeld).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StagingBundle {
    /// One for each content.
    pub items: Vec<BundleItem>,
}

/// One content of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleItem {
    /// The patch, by its source's name.
    pub patch: PatchId,
    /// What is installed from it.
    pub target: Target,
    /// The digest that was approved.
    pub content: Digest,
    /// The endpoints that lack it, by the host's names.
    pub endpoints: Vec<EndpointId>,
}

/// What approved rollouts want staged on some endpoints and is not there yet.
#[must_use]
pub fn staging_bundle(fleet: &Fleet, endpoints: &[EndpointIx]) -> StagingBundle {
    let mut items: Vec<BundleItem> = Vec::new();
    // Rollouts of a bundle were started in the order in which they install.
    for rollout in fleet.rollouts().filter(|rollout| !rollout.starts_no_more()) {
        let Some(candidate) = fleet.candidate(rollout.candidate()) else { continue };
        let patch = candidate.identified().patch();
        let lacks = |ix: &MemberIx| {
            let member = rollout.members().get(ix.index());
            let may_start = member.is_some_and(|member| member.phase().is_staged_for());
            let content = fleet.content(rollout.id(), *ix);
            may_start && content.is_some_and(|content| !matches!(content, ContentView::There { .. }))
        };
        let members = endpoints.iter().filter_map(|endpoint| rollout.member_of(*endpoint)).filter(lacks);
        let names = members.filter_map(|ix| fleet.endpoint_id(rollout.members().get(ix.index())?.endpoint()));
        let mut names: Vec<EndpointId> = names.cloned().collect();
        if names.is_empty() {
            continue;
        }
        match items.iter_mut().find(|item| item.content == patch.content) {
            Some(item) => {
                names.retain(|name| !item.endpoints.contains(name));
                item.endpoints.extend(names);
            }
            None => items.push(BundleItem {
                patch: patch.id.clone(),
                target: patch.target.clone(),
                content: patch.content,
                endpoints: names,
            }),
        }
    }
    StagingBundle { items }
}
