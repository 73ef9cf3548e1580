//! What a file holds, without taking anybody's word for it.

use patchflow_core::digest::Digest;
use sha2::Digest as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The digest of a file, read from the disk.
pub(crate) fn digest_of(path: &Path) -> io::Result<Digest> {
    let mut file = File::open(path)?;
    let mut hash = sha2::Sha256::new();
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut chunk)?;
        if read == 0 {
            return Ok(Digest(hash.finalize().into()));
        }
        hash.update(&chunk[..read]);
    }
}
