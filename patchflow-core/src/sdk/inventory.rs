//! Inventory: endpoints in pages, and single endpoints read anew.

use super::{BackendError, Manifest};
use crate::fleet::InspectOrder;
use crate::ids::OrderId;
use crate::inventory::EndpointRecord;
use crate::rollout::Level;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use async_trait::async_trait;

/// Where a source stood when a page ended; opaque to everybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

/// Some items, and where to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where to go on; the same cursor again asks for what is new since.
    pub next: Cursor,
    /// Whether there is more at once.
    pub more: bool,
}

/// What the inventory shows after an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelRead {
    /// The order whose outcome was looked at.
    pub order: OrderId,
    /// The level of the order's package, from the package database, never from an exit code.
    pub level: Level<'static>,
    /// Whether the endpoint waits for a reboot.
    pub reboot_required: bool,
}

/// Endpoints and what stands on them.
#[async_trait]
pub trait Inventory: Send + Sync {
    /// How the plugin introduces itself.
    fn manifest(&self) -> Manifest;

    /// Endpoints whose record changed since a cursor; all of them for `None`. At most `limit` of them.
    ///
    /// # Errors
    /// The backend's own. An endpoint that cannot be read is left out of the page, not an error of the page.
    async fn page(&self, since: Option<&Cursor>, limit: usize) -> Result<Page<EndpointRecord>, BackendError>;

    /// Reads the level of one package on each of some endpoints, now. One answer for each order, in any order.
    async fn inspect(&self, orders: &[InspectOrder]) -> Vec<LevelRead>;
}
