//! Debian: its security tracker, and the metadata of repositories (`Release`, `Packages`), Ubuntu's phasing included.

mod repository;
mod tracker;

pub use repository::{Offer, Release, read_packages, read_release};
pub use tracker::read_tracker;
pub(super) use tracker::read_tracker_file;
