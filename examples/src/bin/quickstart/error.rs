//! One error for the whole program: what it was doing, and what lies beneath.

use std::error::Error as StdError;

/// What went wrong, for the person at the terminal.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub(crate) struct Error {
    doing: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

pub(crate) type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn new(doing: impl Into<String>) -> Self {
        Self { doing: doing.into(), source: None }
    }

    /// The error and everything beneath it, one below the other.
    pub(crate) fn told(&self) -> String {
        let mut text = self.doing.clone();
        let mut beneath = StdError::source(self);
        while let Some(error) = beneath {
            text.push_str(&format!("\n  because: {error}"));
            beneath = error.source();
        }
        text
    }
}

/// For `map_err`.
pub(crate) fn because<E: Into<Box<dyn StdError + Send + Sync>>>(
    doing: impl Into<String>,
) -> impl FnOnce(E) -> Error {
    let doing = doing.into();
    move |source| Error { doing, source: Some(source.into()) }
}
