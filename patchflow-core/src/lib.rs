//! The pure engine of patchflow: identify, test, approve, deploy, verify as one typed state machine.
//!
//! No input or output, no clock, no threads, no randomness: [`fleet::Fleet`] is handed observations and requests with
//! the time they come at, and hands out facts to store and effects to carry out once they are stored. The rooms of the
//! crate stand in an order, and each uses only those before it:
//!
//! `ids time error digest package` · [`catalog`] · [`inventory`] · [`risk`] · [`identify`] · [`schedule`] · [`gate`] · [`policy`] ·
//! [`candidate`] · [`plan`] · [`rollout`] · [`fleet`] · [`journal`] · [`report`] · [`sdk`]
#![no_std]
#![forbid(unsafe_code)]
#![warn(clippy::wildcard_enum_match_arm)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod digest;
pub mod error;
pub mod ids;
pub mod package;
pub mod time;

pub mod catalog;

pub mod inventory;

pub mod risk;

pub mod identify;

pub mod schedule;

pub mod gate;

pub mod policy;

pub mod candidate;

pub mod plan;

pub mod rollout;

pub mod fleet;

pub mod journal;

pub mod report;

pub mod sdk;

#[doc(hidden)]
pub mod doc;
