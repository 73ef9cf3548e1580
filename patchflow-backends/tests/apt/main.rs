//! The apt backend against real dpkg and apt, on hosts that a laboratory makes.
//!
//! Where dpkg or apt is missing every test here is ignored by name; with `PATCHFLOW_REQUIRE=all` it fails instead.

#[cfg(all(unix, feature = "host"))]
mod contract;
#[cfg(unix)]
mod cut;
#[cfg(unix)]
mod engine;
#[cfg(unix)]
mod failures;
#[cfg(unix)]
mod fixture;
#[cfg(all(unix, feature = "advisory", feature = "host"))]
mod identify;
#[cfg(unix)]
mod inventory;
#[cfg(unix)]
mod operations;
#[cfg(unix)]
mod source;
#[cfg(unix)]
mod staging;

#[cfg(unix)]
fn main() {
    if let Some(path) = std::env::var_os(fixture::HOLD_LOCK) {
        fixture::hold_lock(path.as_ref());
        return;
    }
    if let Some(root) = std::env::var_os(fixture::INSTALL.0) {
        fixture::install(root.as_ref());
        return;
    }
    let arguments = libtest_mimic::Arguments::from_args();
    let rooms = vec![
        inventory::trials(),
        operations::trials(),
        failures::trials(),
        cut::trials(),
        source::trials(),
        staging::trials(),
        #[cfg(feature = "host")]
        contract::trials(),
        engine::trials(),
        #[cfg(all(feature = "advisory", feature = "host"))]
        identify::trials(),
    ];
    let trials = rooms.into_iter().flatten().collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    fixture::clean_up();
    conclusion.exit();
}

#[cfg(not(unix))]
fn main() {}
