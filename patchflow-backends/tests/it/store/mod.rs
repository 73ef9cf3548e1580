//! The journal stores: every clause of the contract, and what no suite can do to a store from inside its process.

#[cfg(any(feature = "redb", feature = "sqlite"))]
mod chain;
mod clauses;
#[cfg(feature = "redb")]
mod damage;
#[cfg(any(feature = "redb", feature = "sqlite"))]
mod kill;
#[cfg(any(feature = "redb", feature = "sqlite"))]
mod on_disk;
#[cfg(any(feature = "redb", feature = "sqlite"))]
mod sharing;
