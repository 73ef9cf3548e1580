//! The integration tests of the backends.

#[cfg(feature = "advisory")]
mod advisory;
#[cfg(feature = "host")]
mod host;
#[cfg(all(feature = "artifact", feature = "host"))]
mod installer;
#[cfg(all(feature = "artifact", feature = "host"))]
mod local;
#[cfg(feature = "probe")]
mod probe;
#[cfg(feature = "html")]
mod report;
mod store;
