//! Laboratories: real packages, repositories and hosts, made from nothing in a directory.
//!
//! What is made here is real (package databases, maintainer scripts, locks, signatures) and small: a host is a
//! directory. Nothing here knows the engine or its backends; a test or a demonstration brings them together.

#[cfg(unix)]
pub mod apt;
