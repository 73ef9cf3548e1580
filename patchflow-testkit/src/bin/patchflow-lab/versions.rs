//! Which of two versions is newer?

use clap::Args;
use patchflow_core::catalog::version::Scheme;
use std::process::ExitCode;

/// Prints -1, 0 or 1: the first version is older than, as new as, or newer than the second. Exits with 2 when one of
/// them is no version of the scheme.
#[derive(Args, Debug)]
pub(crate) struct Versions {
    /// deb, rpm, arch, alpine, pep440, semver, npm, maven, windows or generic.
    scheme: Scheme,
    /// The first version.
    a: String,
    /// The second version.
    b: String,
}

impl Versions {
    #[expect(clippy::print_stderr, reason = "a program for people at a terminal")]
    pub(crate) fn run(&self) -> ExitCode {
        match self.scheme.compare(&self.a, &self.b) {
            Ok(order) => {
                println!("{}", order as i32);
                ExitCode::SUCCESS
            }
            Err(bad) => {
                eprintln!("{bad}");
                ExitCode::from(2)
            }
        }
    }
}
