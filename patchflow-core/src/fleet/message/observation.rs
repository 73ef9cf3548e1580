//! What the world shows. Never refused: what fits nothing becomes a counted stray.

use crate::catalog::Patch;
use crate::digest::Digest;
use crate::fleet::message::effect::HookStage;
use crate::ids::{Actor, AskId, CandidateId, EndpointId, EndpointIx, OrderId, PatchId, RolloutId};
use crate::inventory::{Attributes, Criticality, EndOfLife, Environment, Exposure, ScopePath};
use crate::plan::RollbackPath;
use crate::rollout::{Failure, Inspection, QueryAnswer, RecallAnswer, Report, StageId, StageOutcome};
use crate::time::Timestamp;
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use serde::{Deserialize, Serialize};

/// An endpoint's attributes, as far as decisions need them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSeen {
    /// The host's name.
    pub id: EndpointId,
    /// Production unless said otherwise.
    pub environment: Environment,
    /// Where it belongs.
    pub scope: ScopePath,
    /// Attributes that selectors may name.
    pub tags: BTreeMap<String, String>,
    /// How much depends on it: rules of urgency may read it.
    #[serde(default, skip_serializing_if = "Criticality::is_unknown")]
    pub criticality: Criticality,
    /// From where it can be reached: rules of urgency may read it.
    #[serde(default, skip_serializing_if = "Exposure::is_unknown")]
    pub exposure: Exposure,
    /// That its platform gets no repairs any more, or when that begins: rules of urgency may read it, and what is asked
    /// about the endpoint says it. `None` where nobody says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_life: Option<Arc<EndOfLife>>,
    /// The calendar of the policy that says when it may be touched; the policy's schedule when it names none. One that
    /// the policy does not have never opens.
    pub calendar: Option<Arc<str>>,
    /// The availability group it belongs to, such as a cluster: its endpoints are not down together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Arc<str>>,
    /// What tells the machine itself from another under the same name: a serial number, an identity drawn when it was
    /// installed. `None` when the host knows none; then re-images and clones are not noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Another patch manager that is active there; it holds the endpoint until ownership is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// Whether it is not in service yet: it is brought to the approved patches outside rings first.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub onboarding: bool,
}

impl EndpointSeen {
    /// An endpoint without a scope and without tags; the rest is set by name.
    ///
    /// ```
    /// use patchflow_core::{fleet::EndpointSeen, inventory::{Environment, ScopePath}};
    /// let web = EndpointSeen { scope: ScopePath("acme/web".into()), ..EndpointSeen::new("web-1", Environment::Production) };
    /// assert_eq!(web.id.as_str(), "web-1");
    /// ```
    pub fn new(id: impl Into<EndpointId>, environment: Environment) -> Self {
        Self {
            id: id.into(),
            environment,
            scope: ScopePath::default(),
            tags: BTreeMap::new(),
            criticality: Criticality::Unknown,
            exposure: Exposure::Unknown,
            end_of_life: None,
            calendar: None,
            group: None,
            fingerprint: None,
            managed_by: None,
            onboarding: false,
        }
    }

    /// What it shares with others.
    #[must_use]
    pub fn attributes(&self) -> Attributes {
        let (criticality, exposure) = (self.criticality, self.exposure);
        let (scope, tags) = (self.scope.clone(), self.tags.clone());
        Attributes { scope, tags, criticality, exposure, end_of_life: self.end_of_life.clone() }
    }
}

/// How an endpoint stands to a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Applicable and missing.
    Needs,
    /// At the target or above.
    Has,
    /// Not applicable, or no longer.
    NotApplicable,
}

/// How an endpoint stands to a candidate, as the comparison of inventory and catalogue tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeedSeen {
    /// The endpoint.
    pub endpoint: EndpointIx,
    /// How it stands.
    pub standing: Standing,
    /// The version that is there now.
    pub present: Option<Arc<str>>,
    /// The way back to it.
    pub path: RollbackPath,
    /// Until when that way back holds; `None` while nothing ends it. It is looked at again before each order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_valid_until: Option<Timestamp>,
    /// Why it does not apply there, as a fragment such as `CVE-2026-1 does not affect it: component not present`; for
    /// the rare endpoint of which there is more to say than that it does not. At most 200 characters are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Arc<str>>,
}

impl NeedSeen {
    /// An endpoint that needs a candidate, with the version that is there and a way back to it that nothing ends.
    pub fn needs(endpoint: EndpointIx, present: Option<Arc<str>>, path: RollbackPath) -> Self {
        Self { endpoint, standing: Standing::Needs, present, path, path_valid_until: None, why: None }
    }
}

/// One thing that the world shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and a patch is mostly lent")]
pub enum Observation<'a> {
    /// Time went by; ask for it at [`crate::fleet::Fleet::next_deadline`].
    Time,
    /// Endpoints as the inventory has them; new ones join, changed ones are changed, the rest stays.
    Endpoints {
        /// The endpoints.
        endpoints: Cow<'a, [EndpointSeen]>,
    },
    /// An endpoint is gone for good.
    EndpointGone {
        /// The endpoint.
        endpoint: EndpointIx,
    },
    /// Endpoints went out of contact. They are ordered nothing until they are back and read anew.
    Unreachable {
        /// The endpoints.
        endpoints: Cow<'a, [EndpointIx]>,
        /// Since when; the last contact, when the host knows it.
        since: Timestamp,
    },
    /// Endpoints are in contact again.
    Reachable {
        /// The endpoints.
        endpoints: Cow<'a, [EndpointIx]>,
    },
    /// What is known of endpoints is too old to go by. They are ordered nothing until they are read anew.
    Stale {
        /// The endpoints.
        endpoints: Cow<'a, [EndpointIx]>,
    },
    /// Endpoints were read anew; the answer to [`crate::fleet::Effect::Scan`]. What was found, by
    /// [`Observation::Needs`] and [`Observation::RebootsPending`], is told before this.
    Read {
        /// The endpoints.
        endpoints: Cow<'a, [EndpointIx]>,
    },
    /// Endpoints wait for a reboot that no order of this fleet asked for, or wait no more.
    RebootsPending {
        /// The endpoints.
        endpoints: Cow<'a, [EndpointIx]>,
        /// Whether they wait.
        pending: bool,
    },
    /// A source publishes a patch that endpoints of this fleet may need.
    Published {
        /// The patch.
        patch: Cow<'a, Patch>,
    },
    /// A vendor pulls a patch.
    Withdrawn {
        /// The patch, by its source's name.
        patch: PatchId,
        /// Why.
        reason: Cow<'a, str>,
    },
    /// How endpoints stand to a candidate.
    Needs {
        /// The candidate.
        candidate: CandidateId,
        /// What was found.
        needs: Cow<'a, [NeedSeen]>,
    },
    /// One comparison of inventory and catalogue has been told in full: candidates may move on.
    Identified,
    /// An installer reports on an order.
    #[serde(borrow)]
    Reported(Report<'a>),
    /// An installer answers a query.
    Answered {
        /// The order.
        order: OrderId,
        /// The answer.
        #[serde(borrow)]
        answer: QueryAnswer<'a>,
    },
    /// An installer answers a recall.
    RecallAnswered {
        /// The order.
        order: OrderId,
        /// The answer.
        answer: RecallAnswer,
    },
    /// What came of an attempt to stage; the answer to [`crate::fleet::Effect::Stage`].
    Staged {
        /// The attempt.
        stage: StageId,
        /// What came of it.
        #[serde(borrow)]
        outcome: StageOutcome<'a>,
    },
    /// Endpoints hold content that this fleet did not bring there, such as by a bundle that was carried over: it counts
    /// as staged wherever a rollout that has begun wants it. The host has hashed it.
    ContentHeld {
        /// The digest of the content.
        content: Digest,
        /// The endpoints that hold it.
        endpoints: Cow<'a, [EndpointIx]>,
        /// A part of the fleet whose depot holds it, and so every endpoint within reach of that depot.
        depot: Option<ScopePath>,
    },
    /// An endpoint was read after an operation.
    #[serde(borrow)]
    Inspected(Inspection<'a>),
    /// An outside approver answers a question.
    Approval {
        /// The question.
        ask: AskId,
        /// Who answers.
        by: Actor,
        /// Yes or no.
        approve: bool,
        /// Why.
        reason: Cow<'a, str>,
    },
    /// A hook has come to its end.
    HookDone {
        /// The order it was asked for with.
        order: OrderId,
        /// Before or after the operation.
        stage: HookStage,
        /// Why it failed; `None` when it did what it should.
        #[serde(borrow)]
        failure: Option<Failure<'a>>,
    },
    /// Endpoints of a rollout's ring raised new alerts, none, or nobody can tell. A gate that limits alerts passes only
    /// while they are told.
    Alerts {
        /// The rollout.
        rollout: RolloutId,
        /// The ring, from 0.
        ring: u8,
        /// How many new ones, 0 included; `None` when it is not known.
        new: Option<u32>,
    },
}
