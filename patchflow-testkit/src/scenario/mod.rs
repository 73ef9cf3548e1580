//! Stories as tests.
mod diagnose;
mod line;
mod policy;
mod words;
pub use diagnose::Diagnostic;
