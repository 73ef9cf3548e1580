//! All stores keep all clauses, each clause a test of its own.

use async_trait::async_trait;
use patchflow_backends::store::MemoryStore;
use patchflow_core::sdk::{BackendError, JournalStore};
use patchflow_testkit::conformance::store::{StoreBuilder, check, clauses};
use pollster::block_on;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Memory: a place is a store of which a handle stays behind.
#[derive(Default)]
struct InMemory(Mutex<BTreeMap<String, MemoryStore>>);

#[async_trait]
impl StoreBuilder for InMemory {
    async fn open(&self, place: &str) -> Result<Arc<dyn JournalStore>, BackendError> {
        Ok(Arc::new(self.0.lock().unwrap().entry(place.into()).or_default().clone()))
    }
}

fn passes(number: &str, builder: &dyn StoreBuilder) {
    if let Err(violation) = block_on(check(number, builder)) {
        panic!("{violation}");
    }
}

macro_rules! all_clauses {
    ($store:ident, $builder:expr; $($clause:ident)*) => {
        mod $store {
            use super::*;

            $(#[test]
            fn $clause() {
                passes(&stringify!($clause).to_uppercase(), &$builder);
            })*

            #[test]
            fn no_clause_is_left_out() {
                let here = [$(stringify!($clause)),*].map(str::to_uppercase);
                assert_eq!(here.to_vec(), clauses().map(|clause| clause.number).collect::<Vec<_>>());
            }
        }
    };
    ($store:ident, $builder:expr) => {
        all_clauses! { $store, $builder; j1 j2 j3 j4 j5 j6 j7 j8 j9 j10 j11 j12 j13 j14 j15 j16 j17 j18 j19 j20 j21 j22
            j23 j24 j25 j26 j27 j28 j29 j30 }
    };
}

all_clauses! { memory, InMemory::default() }

#[cfg(feature = "redb")]
all_clauses! { redb, super::super::on_disk::OnDisk::new(|path| Ok(Arc::new(patchflow_backends::store::RedbStore::open(path)?))) }

#[cfg(feature = "sqlite")]
all_clauses! { sqlite, super::super::on_disk::OnDisk::new(|path| Ok(Arc::new(patchflow_backends::store::SqliteStore::open(path)?))) }
