//! Health: probes of single endpoints after an operation, and samples of a cohort over a time.

use super::{BackendError, Manifest};
use crate::ids::{EndpointId, OrderId};
use crate::rollout::Health;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use async_trait::async_trait;

/// An endpoint to probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeRequest {
    /// The order after which it is probed.
    pub order: OrderId,
    /// The endpoint.
    pub endpoint: EndpointId,
}

/// What a probe says about one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeResult {
    /// The order after which it was probed.
    pub order: OrderId,
    /// What it says; [`Health::NotProbed`] when this probe has nothing to do with the endpoint.
    pub health: Health<'static>,
}

/// A smoke test of an application: a key workflow that must work on an endpoint.
#[async_trait]
pub trait Probe: Send + Sync {
    /// How the plugin introduces itself.
    fn manifest(&self) -> Manifest;

    /// The application it tests, for people.
    fn application(&self) -> String;

    /// Tests some endpoints. One result for each; a probe that cannot tell says failed, and what it lacked.
    async fn probe(&self, endpoints: &[ProbeRequest]) -> Vec<ProbeResult>;
}

/// A metric of some endpoints over a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleRequest {
    /// The endpoints.
    pub endpoints: Vec<EndpointId>,
    /// From when.
    pub from: Timestamp,
    /// Until when, exclusive.
    pub until: Timestamp,
}

/// One value of one metric of one endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The metric, with its unit last in the name, such as `error_ratio_percent`.
    pub metric: String,
    /// When it was measured.
    pub at: Timestamp,
    /// The value.
    pub value: f64,
}

/// Alerts and metrics of cohorts.
#[async_trait]
pub trait HealthSource: Send + Sync {
    /// How the plugin introduces itself.
    fn manifest(&self) -> Manifest;

    /// New alerts of some endpoints in a time. No data is an error, never zero.
    ///
    /// # Errors
    /// The backend's own.
    async fn alerts(&self, request: &SampleRequest) -> Result<u32, BackendError>;

    /// Samples of some endpoints in a time.
    ///
    /// # Errors
    /// The backend's own.
    async fn samples(&self, request: &SampleRequest) -> Result<Vec<Sample>, BackendError>;
}
