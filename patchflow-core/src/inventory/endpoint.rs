//! One endpoint as its inventory describes it.

use super::software::{AvailableUpdate, InstalledSoftware, PatchLevel};
use super::support::EndOfLife;
use crate::ids::EndpointId;
use crate::time::Timestamp;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use serde::{Deserialize, Serialize};

/// Whether real work depends on an endpoint. Trials run on non-production endpoints only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// Real work depends on it; also what an endpoint is taken for when nothing is said (fail closed).
    #[default]
    Production,
    /// A test or staging endpoint.
    NonProduction,
}

/// How much depends on an endpoint. The greatest is the worst to lose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// Nobody said. Rules that read it must not take it for low.
    #[default]
    Unknown,
    /// Its loss is hardly noticed.
    Low,
    /// Its loss is a nuisance.
    Moderate,
    /// Its loss stops a part of the work.
    High,
    /// Its loss stops the organisation, or harms people.
    Critical,
}

/// From where an endpoint can be reached. The greatest is the most exposed.
///
/// `Isolated`, `Internal` and `Internet` are what SSVC's decision point "System Exposure" calls small, controlled and open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exposure {
    /// Nobody said. Rules that read it must not take it for isolated.
    #[default]
    Unknown,
    /// From nowhere, or from a few known endpoints.
    Isolated,
    /// From the organisation's own networks.
    Internal,
    /// From the Internet.
    Internet,
}

/// Where an endpoint belongs: tenant/client/site/department, or any other path, joined by `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopePath(pub String);

impl ScopePath {
    /// Whether this path is `above` or lies below it. The empty path is above everything.
    ///
    /// ```
    /// use patchflow_core::inventory::ScopePath;
    /// let site = ScopePath("acme/berlin".into());
    /// assert!(site.is_within(&ScopePath("acme".into())) && !site.is_within(&ScopePath("ac".into())));
    /// ```
    #[must_use]
    pub fn is_within(&self, above: &Self) -> bool {
        match self.0.strip_prefix(above.0.as_str()) {
            Some(rest) => above.0.is_empty() || rest.is_empty() || rest.starts_with('/'),
            None => false,
        }
    }

    /// The first `depth` parts of this path, or all of it when it has fewer.
    ///
    /// ```
    /// use patchflow_core::inventory::ScopePath;
    /// let desk = ScopePath("acme/berlin/desk".into());
    /// assert_eq!((desk.above(1), desk.above(2), desk.above(9)), ("acme", "acme/berlin", "acme/berlin/desk"));
    /// ```
    #[must_use]
    pub fn above(&self, depth: u8) -> &str {
        let Some(last) = usize::from(depth).checked_sub(1) else { return "" };
        let end = self.0.match_indices('/').nth(last).map_or(self.0.len(), |(at, _)| at);
        &self.0[..end]
    }
}

impl fmt::Display for ScopePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What selectors and ratings look at; many endpoints share the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attributes {
    /// Where the endpoint belongs.
    pub scope: ScopePath,
    /// Free attributes.
    pub tags: BTreeMap<String, String>,
    /// How much depends on it.
    #[serde(default, skip_serializing_if = "Criticality::is_unknown")]
    pub criticality: Criticality,
    /// From where it can be reached.
    #[serde(default, skip_serializing_if = "Exposure::is_unknown")]
    pub exposure: Exposure,
    /// That its platform gets no repairs any more, or when that begins; `None` where nobody says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_of_life: Option<Arc<EndOfLife>>,
}

impl Criticality {
    /// Whether nobody said.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

impl Exposure {
    /// Whether nobody said.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

/// One endpoint at one moment, as its inventory reports it.
///
/// Read from text, everything but `id` and `read_at` may be left out; what is left out is as if nobody had said it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRecord {
    /// The host's name of the endpoint.
    pub id: EndpointId,
    /// Production unless the inventory says otherwise.
    #[serde(default)]
    pub environment: Environment,
    /// Operating system with version, such as `debian 12`.
    #[serde(default)]
    pub os: String,
    /// Where it belongs.
    #[serde(default)]
    pub scope: ScopePath,
    /// Free attributes that selectors and stratified rings may name.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The calendar of the policy by which it may be touched, when the inventory names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar: Option<Arc<str>>,
    /// How much depends on it.
    #[serde(default)]
    pub criticality: Criticality,
    /// From where it can be reached.
    #[serde(default)]
    pub exposure: Exposure,
    /// The network zone it stands in, by the host's name, such as `dmz`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Arc<str>>,
    /// The availability group, such as a cluster, whose endpoints must not be down together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Arc<str>>,
    /// Software that is there.
    #[serde(default)]
    pub installed: Vec<InstalledSoftware>,
    /// Updates that the endpoint's own sources offer.
    #[serde(default)]
    pub available: Vec<AvailableUpdate>,
    /// How far it is patched.
    #[serde(default)]
    pub patch_level: PatchLevel,
    /// Whether it waits for a reboot.
    #[serde(default)]
    pub reboot_required: bool,
    /// What tells the machine itself from another under the same name, such as a machine identity or a serial number.
    /// `None` when the inventory knows none; then re-images and clones are not noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Another patch manager that is active there; it holds the endpoint until ownership is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<String>,
    /// When this was read.
    pub read_at: Timestamp,
}

impl EndpointRecord {
    /// An endpoint of which nothing more is known: no software, no attributes, no reboot to come.
    ///
    /// ```
    /// use patchflow_core::inventory::{EndpointRecord, Environment};
    ///
    /// let bare = EndpointRecord::new("web-1".into(), Environment::NonProduction, Default::default());
    /// let named = EndpointRecord { os: "debian 12".into(), ..bare };
    /// assert!(named.installed.is_empty() && !named.reboot_required);
    /// ```
    #[must_use]
    pub fn new(id: EndpointId, environment: Environment, read_at: Timestamp) -> Self {
        Self {
            id,
            environment,
            os: String::new(),
            scope: ScopePath::default(),
            tags: BTreeMap::new(),
            calendar: None,
            criticality: Criticality::default(),
            exposure: Exposure::default(),
            zone: None,
            group: None,
            installed: Vec::new(),
            available: Vec::new(),
            patch_level: PatchLevel::default(),
            reboot_required: false,
            fingerprint: None,
            managed_by: None,
            read_at,
        }
    }
}
