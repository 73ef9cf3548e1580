//! The pages of the repository as doctests: whatever Rust they show is compiled and run.
//!
//! This crate holds no code. A new page gets a line here, and `docs/tests/pages.rs` fails until it has one.

/// The front page.
#[doc = include_str!("../../README.md")]
pub mod readme {}

/// The map: crates, kernel, rooms, invariants, phases.
#[doc = include_str!("../architecture.md")]
pub mod architecture {}

/// Why it is so and not otherwise.
#[doc = include_str!("../design.md")]
pub mod design {}

/// The rules, and the tests that hold them.
#[doc = include_str!("../semantics.md")]
pub mod semantics {}

/// The language of stories.
#[doc = include_str!("../scenarios.md")]
pub mod scenarios {}

/// What a backend owes, clause by clause.
#[doc = include_str!("../contract.md")]
pub mod contract {}

/// How endpoints and their software are described, and what the index over them answers.
#[doc = include_str!("../inventory.md")]
pub mod inventory {}

/// The bytes of a journal.
#[doc = include_str!("../journal.md")]
pub mod journal {}

/// What things cost, and how the cost grows.
#[doc = include_str!("../cost.md")]
pub mod cost {}

/// Which feeds are read, by which rules.
#[doc = include_str!("../feeds.md")]
pub mod feeds {}

/// The guide for those who embed patchflow.
#[doc = include_str!("../guide-vendors.md")]
pub mod guide_vendors {}

/// The guide for those who write backends.
#[doc = include_str!("../guide-integrators.md")]
pub mod guide_integrators {}

/// The guide for those who study rollout policies.
#[doc = include_str!("../guide-researchers.md")]
pub mod guide_researchers {}
