//! Backends that are there and have nothing to do.

use async_trait::async_trait;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::InspectOrder;
use patchflow_core::ids::{EndpointId, OrderId};
use patchflow_core::inventory::EndpointRecord;
use patchflow_core::package::PackageName;
use patchflow_core::rollout::{Failure, InstallOrder, Order, QueryAnswer, RecallAnswer, Report};
use patchflow_core::sdk::{
    BackendError, Cursor, Installer, InstallerCapabilities, Inventory, LevelRead, Manifest, Page, PluginKind,
    Preflight, Receipt, SDK_VERSION,
};

/// An installer and inventory without endpoints. Nothing is ordered of it in a bench of idle fleets.
pub(crate) struct Idle;

fn manifest() -> Manifest {
    Manifest {
        name: "idle".into(),
        version: SDK_VERSION,
        sdk: format!("^{SDK_VERSION}").parse().expect("a version is a requirement"),
        kinds: vec![PluginKind::Installer, PluginKind::Inventory],
        capabilities: Vec::new(),
        configuration_schema: None,
    }
}

fn nothing() -> Failure<'static> {
    Failure::new(FailureKind::Unsupported, "no endpoint is here")
}

#[async_trait]
impl Installer for Idle {
    fn manifest(&self) -> Manifest {
        manifest()
    }

    fn capabilities(&self) -> InstallerCapabilities {
        InstallerCapabilities::default()
    }

    async fn preflight(&self, _: &[InstallOrder]) -> Vec<Preflight> {
        Vec::new()
    }

    async fn submit(&self, orders: &[Order]) -> Result<Vec<Receipt>, BackendError> {
        Ok(orders.iter().map(|order| Receipt::Refused(order.id(), nothing())).collect())
    }

    async fn recall(&self, _: &[OrderId]) -> Result<Vec<(OrderId, RecallAnswer)>, BackendError> {
        Ok(Vec::new())
    }

    async fn query(
        &self,
        _: &[(OrderId, EndpointId)],
    ) -> Result<Vec<(OrderId, QueryAnswer<'static>)>, BackendError> {
        Ok(Vec::new())
    }

    async fn reports(&self) -> Result<Vec<Report<'static>>, BackendError> {
        std::future::pending().await
    }

    async fn set_hold(&self, _: &EndpointId, _: &PackageName, _: bool) -> Result<(), Failure<'static>> {
        Err(nothing())
    }
}

#[async_trait]
impl Inventory for Idle {
    fn manifest(&self) -> Manifest {
        manifest()
    }

    async fn page(&self, _: Option<&Cursor>, _: usize) -> Result<Page<EndpointRecord>, BackendError> {
        Ok(Page { items: Vec::new(), next: Cursor(String::new()), more: false })
    }

    async fn inspect(&self, _: &[InspectOrder]) -> Vec<LevelRead> {
        Vec::new()
    }
}
