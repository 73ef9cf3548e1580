//! What embedders may count on from the first day: threads, sizes, object safety.

use patchflow_core::candidate::{Approved, Candidate, TrialPermit};
use patchflow_core::error::{CorruptJournal, Finding, Refusal};
use patchflow_core::fleet::{
    Effect, EndpointFact, EndpointSeen, Fact, Fleet, Observation, Outbox, Outcome, Persisted, Recorded,
    Request,
};
use patchflow_core::gate::Verdict;
use patchflow_core::ids::OrderId;
use patchflow_core::inventory::EndpointRecord;
use patchflow_core::journal::{Record, Tail};
use patchflow_core::plan::{RolloutDraft, RolloutPlan};
use patchflow_core::policy::Policy;
use patchflow_core::rollout::{InstallOrder, Member, Order, Phase, RebootOrder, RevertOrder};
use patchflow_core::sdk;
use std::sync::Arc;

fn shared<T: Send + Sync + 'static>() {}

fn shared_unsized<T: Send + Sync + ?Sized + 'static>() {}

/// What holds here is decided when this compiles; the test runs so that the list is not taken for dead code.
#[test]
fn core_types_cross_threads() {
    shared::<Fleet>();
    shared::<Outbox>();
    shared::<Persisted>();
    shared::<Recorded>();
    shared::<Fact>();
    shared::<Effect>();
    shared::<Request>();
    shared::<Outcome>();
    shared::<Observation<'static>>();
    shared::<EndpointSeen>();
    shared::<Refusal>();
    shared::<Finding>();
    shared::<CorruptJournal>();
    shared::<Candidate>();
    shared::<Approved>();
    shared::<TrialPermit>();
    shared::<RolloutDraft>();
    shared::<RolloutPlan>();
    shared::<Policy>();
    shared::<Verdict>();
    shared::<InstallOrder>();
    shared::<RevertOrder>();
    shared::<RebootOrder>();
    shared::<Order>();
    shared::<EndpointRecord>();
    shared::<Record>();
    shared::<Tail>();
    shared::<sdk::BackendError>();
    shared::<sdk::AppendError>();
    shared::<sdk::Manifest>();
}

#[test]
fn sdk_traits_are_object_safe_and_their_objects_cross_threads() {
    shared_unsized::<dyn sdk::Approver>();
    shared_unsized::<dyn sdk::Clock>();
    shared_unsized::<dyn sdk::HealthSource>();
    shared_unsized::<dyn sdk::Installer>();
    shared_unsized::<dyn sdk::Inventory>();
    shared_unsized::<dyn sdk::JournalStore>();
    shared_unsized::<dyn sdk::Lease>();
    shared_unsized::<dyn sdk::Notifier>();
    shared_unsized::<dyn sdk::PatchSource>();
    shared_unsized::<dyn sdk::Probe>();
}

/// The futures of the SDK are `Send`: a host may poll them on any thread.
#[test]
fn sdk_futures_are_send() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    // Never called: it only has to compile.
    let _ = |store: Arc<dyn sdk::JournalStore>, installer: Arc<dyn sdk::Installer>| {
        drop(is_send(store.append(&[])));
        drop(is_send(installer.reports()));
    };
}

#[test]
fn what_there_are_millions_of_stays_small() {
    assert_eq!(size_of::<Member>(), 16, "a member of a rollout");
    assert_eq!(size_of::<EndpointFact>(), 16, "an endpoint fact in the outbox");
    assert_eq!(size_of::<Phase>(), 1);
    assert!(size_of::<Fact>() <= 24, "a fact must not be blown up by its rich kinds: {}", size_of::<Fact>());
    assert!(size_of::<Recorded>() <= 40, "a fact with its place: {}", size_of::<Recorded>());
    assert_eq!(size_of::<OrderId>(), 24, "an order's identity carries indices, no text");
}
