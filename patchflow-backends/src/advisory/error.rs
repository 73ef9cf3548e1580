//! What ends a reading.

use super::note::{Place, Summary};
use std::sync::Arc;

/// A reading that came to an end before the feed did. What was handed on before stays good.
#[derive(Debug, thiserror::Error)]
#[error("{feed}{}, {at}: {kind}", file.as_ref().map(|file| format!(": {file}")).unwrap_or_default())]
pub struct ReadError {
    /// The feed.
    pub feed: Arc<str>,
    /// The file within it, where there are several.
    pub file: Option<Arc<str>>,
    /// Where.
    pub at: Place,
    /// Why.
    pub kind: ReadErrorKind,
    /// What was read before.
    pub so_far: Box<Summary>,
}

/// Why a reading ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadErrorKind {
    /// The input could not be read; whether to try again is for whoever opened it to say.
    #[error("it cannot be read")]
    Io(#[source] std::io::Error),
    /// The input ends in the middle of a record.
    #[error("it ends in the middle of a record; fetch it again, the records before are kept")]
    CutOff,
    /// The input is no such document.
    #[error("{0}")]
    Form(String),
    /// More than a limit lets pass.
    #[error("{0}")]
    TooMuch(String),
}
