//! What goes wrong in a backend itself, as opposed to on an endpoint.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

/// An error of a backend: what it was doing, and whether to try again.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
#[non_exhaustive]
pub struct BackendError {
    /// What it was doing, as a lower-case fragment.
    pub doing: String,
    /// Whether to try again.
    pub retry: Retry,
    /// What lies beneath.
    #[source]
    pub source: Option<Box<dyn core::error::Error + Send + Sync>>,
}

/// Whether trying again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may; not before this long.
    After(Duration),
    /// It will not.
    Never,
}

impl BackendError {
    /// An error that may go away.
    pub fn retryable(doing: impl Into<String>, after: Duration) -> Self {
        Self { doing: doing.into(), retry: Retry::After(after), source: None }
    }

    /// An error that will not go away by itself.
    pub fn lasting(doing: impl Into<String>) -> Self {
        Self { doing: doing.into(), retry: Retry::Never, source: None }
    }

    /// With what lies beneath.
    #[must_use]
    pub fn because(mut self, source: impl core::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }
}
