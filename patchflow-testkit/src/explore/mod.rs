//! Every history of a small fleet, up to a depth: all orders of everything that can happen next.
//!
//! A state is where a list of [`Event`]s leads. An exploration walks breadth first, so that the first path that breaks
//! a promise is a shortest one; it goes on from each state once, and tells states apart by everything that can still
//! make a difference, times as distances ([`Model::key`](crate::model::Model::key)). Events that do not happen when
//! all goes well (failures, people, endpoints that leave, hosts that crash) are *disturbances*; a path has at most as
//! many as [`Bounds::disturbances`] says, so that what goes well can be followed to its end.
//!
//! At every step the model must agree with the engine, all oracles watch, and what must hold at a step (`promises.rs`) is
//! asked; at every new state the facts are replayed and compared as well. From states at the rim a quiet state must be
//! within reach. No copy of a fleet is made: a path is lived again from its beginning, which is cheap, and keeps what
//! only a fleet that never crashed has in its caches.

mod calm;
mod event;
mod promises;
mod search;
mod small;

pub use event::{About, Ask, Event, OfMember};
pub use search::{Bounds, Broken, Sum, explore, repeat};
pub use small::Small;
