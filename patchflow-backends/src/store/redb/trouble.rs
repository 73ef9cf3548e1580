//! What may go wrong inside a redb file.

use patchflow_core::sdk::BackendError;
use redb::Error;

/// What may go wrong inside the file.
pub(super) enum Trouble {
    /// redb says so.
    Redb(Error),
    /// We say so; the file itself is well.
    Ours(BackendError),
}

impl<E: Into<Error>> From<E> for Trouble {
    fn from(error: E) -> Self {
        Self::Redb(error.into())
    }
}
