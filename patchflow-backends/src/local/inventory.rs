//! The runtime: the SDK's `Inventory` over a [`LocalBackend`].
//!
//! A cursor stands for a place in a pass over all endpoints. Each pass reads every endpoint and hands out those whose
//! record differs from what was seen when the pass before began. Cursors of another process start from the beginning.

use super::reply::{gather, locked};
use super::{LocalBackend, LocalInstaller};
use async_trait::async_trait;
use patchflow_core::digest::Digest;
use patchflow_core::fleet::InspectOrder;
use patchflow_core::ids::EndpointId;
use patchflow_core::inventory::EndpointRecord;
use patchflow_core::rollout::Level;
use patchflow_core::sdk::{BackendError, Cursor, Inventory, LevelRead, Manifest, Page};
use patchflow_core::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

/// What was seen of each endpoint, so that a page can tell what changed.
pub(super) struct Reader {
    backend: Arc<dyn LocalBackend>,
    /// Tells this process's cursors from another's.
    nonce: u64,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// How many changes were found so far.
    changes: u64,
    /// For each endpoint its digest, and the how-manieth change led to it.
    endpoints: BTreeMap<EndpointId, (Digest, u64)>,
}

/// Where a pass stands.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// What changed after this is handed out.
    base: u64,
    /// How many changes had been found when the pass began.
    start: u64,
    /// How many the pass has found itself.
    own: u64,
    /// The last endpoint that was read.
    after: Option<EndpointId>,
}

impl Reader {
    pub(super) fn new(backend: Arc<dyn LocalBackend>) -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let nonce = u64::try_from(since_epoch.as_nanos()).unwrap_or(0)
            ^ u64::from(std::process::id()).rotate_left(48);
        Self { backend, nonce, seen: Mutex::default() }
    }

    fn place(&self, cursor: Option<&Cursor>) -> Place {
        let changes = locked(&self.seen).changes;
        let beginning = Place { base: 0, start: changes, own: 0, after: None };
        let Some(Cursor(text)) = cursor else { return beginning };
        let mut parts = text.splitn(5, ':');
        let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok());
        let (Some(nonce), Some(base), Some(start), Some(own)) = (number(), number(), number(), number())
        else {
            return beginning;
        };
        if nonce != self.nonce {
            return beginning;
        }
        match parts.next() {
            Some(after) => Place { base, start, own, after: Some(after.into()) },
            None => Place { base, start: changes, own: 0, after: None },
        }
    }

    fn cursor(&self, place: &Place) -> Cursor {
        let Place { base, start, own, after } = place;
        let head = format!("{}:{base}:{start}:{own}", self.nonce);
        Cursor(after.as_ref().map_or_else(|| head.clone(), |after| format!("{head}:{after}")))
    }

    /// Reads from a place on until `limit` changed records are found or no endpoint is left.
    fn read(&self, cursor: Option<&Cursor>, limit: usize, now: Timestamp) -> Page<EndpointRecord> {
        let mut place = self.place(cursor);
        let endpoints: BTreeSet<EndpointId> = self.backend.endpoints().into_iter().collect();
        let mut items = Vec::new();
        let mut left = endpoints
            .into_iter()
            .filter(|id| place.after.as_ref().is_none_or(|after| id > after))
            .collect::<Vec<_>>()
            .into_iter();
        while items.len() < limit.max(1) {
            let Some(endpoint) = left.next() else {
                // Changes that another pass found meanwhile may lie behind this one: then its own are given twice.
                let changes = locked(&self.seen).changes;
                let base = if changes == place.start + place.own { changes } else { place.start };
                let next = self.cursor(&Place { base, start: 0, own: 0, after: None });
                return Page { items, next, more: false };
            };
            if let Some(record) = self.record(&endpoint, now) {
                let (change, found) = self.compare(&record);
                place.own += u64::from(found);
                if change > place.base {
                    items.push(record);
                }
            }
            place.after = Some(endpoint);
        }
        Page { items, next: self.cursor(&place), more: true }
    }

    fn record(&self, endpoint: &EndpointId, now: Timestamp) -> Option<EndpointRecord> {
        match catch_unwind(AssertUnwindSafe(|| self.backend.record(endpoint, now))) {
            Ok(Ok(record)) => Some(record),
            Ok(Err(failure)) => {
                tracing::warn!(%endpoint, %failure, "an endpoint could not be read");
                None
            }
            Err(_) => {
                tracing::error!(%endpoint, "the backend panicked while it read an endpoint");
                None
            }
        }
    }

    /// The change that led to this record, and whether it was found just now.
    fn compare(&self, record: &EndpointRecord) -> (u64, bool) {
        let timeless = EndpointRecord { read_at: Timestamp::default(), ..record.clone() };
        // A record that cannot be written down counts as changed: it is handed out rather than lost.
        let digest = serde_json::to_vec(&timeless).ok().map(|text| Digest::of(&text));
        let mut seen = locked(&self.seen);
        match (digest, seen.endpoints.get(&record.id)) {
            (Some(digest), Some((known, change))) if *known == digest => (*change, false),
            (digest, _) => {
                seen.changes += 1;
                let change = seen.changes;
                seen.endpoints.insert(record.id.clone(), (digest.unwrap_or(Digest([0; 32])), change));
                (change, true)
            }
        }
    }

    fn level(&self, order: &InspectOrder) -> LevelRead {
        let (endpoint, id) = (&order.endpoint, order.order);
        let unreadable = |detail: String| Level::Unreadable { detail: detail.into() };
        if self.backend.state_dir(endpoint).is_none() {
            let level = unreadable(format!("there is no endpoint `{endpoint}` here"));
            return LevelRead { order: id, level, reboot_required: false };
        }
        let read = || (self.backend.level(endpoint, &order.target), self.backend.reboot_required(endpoint));
        let (level, reboot_required) = catch_unwind(AssertUnwindSafe(read))
            .unwrap_or_else(|_| (unreadable("the backend panicked".into()), false));
        LevelRead { order: id, level, reboot_required }
    }
}

#[async_trait]
impl<B: LocalBackend> Inventory for LocalInstaller<B> {
    fn manifest(&self) -> Manifest {
        self.manifest_of()
    }

    async fn page(&self, since: Option<&Cursor>, limit: usize) -> Result<Page<EndpointRecord>, BackendError> {
        let (part, page) = gather();
        let (reader, since, now) = (Arc::clone(&self.reader), since.cloned(), self.clock.now());
        self.readers.put(move || part.put(reader.read(since.as_ref(), limit, now)));
        page.await.pop().ok_or_else(|| BackendError::lasting("reading the inventory of a stopped installer"))
    }

    async fn inspect(&self, orders: &[InspectOrder]) -> Vec<LevelRead> {
        let (part, reads) = gather();
        for order in orders {
            let (part, reader, order) = (part.clone(), Arc::clone(&self.reader), order.clone());
            self.readers.put(move || part.put(reader.level(&order)));
        }
        drop(part);
        reads.await
    }
}
