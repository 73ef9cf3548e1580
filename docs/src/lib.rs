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

/// What a backend owes, clause by clause.
#[doc = include_str!("../contract.md")]
pub mod contract {}

/// What an installer owes, clause by clause.
#[doc = include_str!("../contract-installer.md")]
pub mod contract_installer {}

/// The bytes of a journal.
#[doc = include_str!("../journal.md")]
pub mod journal {}
