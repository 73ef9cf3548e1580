//! The folder of a store's file.

use patchflow_core::sdk::BackendError;
use std::path::Path;
use std::time::Duration;

/// Makes the name of a new file survive a power cut, as its content does. Where folders cannot be synced (not a Unix),
/// it does nothing.
pub(super) fn sync_folder_of(file: &Path) -> Result<(), BackendError> {
    if cfg!(unix) {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| {
            let doing = format!("make the folder {} durable", folder.display());
            BackendError::retryable(doing, Duration::from_secs(1)).because(error)
        })?;
    }
    Ok(())
}
