//! The traits that backends implement: small, object-safe, batched, with declared capabilities.
//!
//! What each of them must do, clause by clause, is in `docs/contract.md`; the suites of `patchflow-testkit` check a
//! backend against it and name the clause that it breaks.

mod clock;
mod error;
mod health;
mod hooks;
mod installer;
mod inventory;
mod people;
mod plugin;
mod source;
mod store;
mod wake;

pub use crate::error::FailureKind;
pub use clock::{Clock, Lease, LeaseGrant};
pub use error::{BackendError, Retry};
pub use health::{HealthSource, Probe, ProbeRequest, ProbeResult, Sample, SampleRequest};
pub use hooks::HookRunner;
pub use installer::{Installer, InstallerCapabilities, Preflight, Receipt};
pub use inventory::{Cursor, Inventory, LevelRead, Page};
pub use people::{Approver, ApproverAnswer, Notifier};
pub use plugin::{Manifest, Mismatch, PluginKind, SDK_VERSION, negotiate};
pub use source::{AdvisorySource, PatchSource, PublishedAdvisory, PublishedPatch};
pub use store::{Append, AppendError, JournalStore};
pub use wake::Waker;
