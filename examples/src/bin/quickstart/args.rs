//! What the command line takes.

use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Patches a small real fleet on this machine, from identification to verification.
///
/// It makes endpoints in a directory (isolated dpkg roots where dpkg and apt are at hand, versioned artifacts
/// otherwise), publishes three updates of which one is bad and one is flaky, and runs them through trial, approval,
/// rings and verification. Interrupt it as you like and start it again with the same directory: it goes on where it
/// was.
#[derive(Debug, Parser)]
#[command(name = "quickstart", version)]
pub(crate) struct Args {
    /// Where everything is kept: the hosts, the journal, the reports.
    #[arg(long, value_name = "DIR", default_value = "patchflow-run")]
    pub(crate) out: PathBuf,
    /// How many endpoints; a quarter of them is non-production. [default: 24]
    #[arg(long, value_parser = clap::value_parser!(u32).range(8..=400))]
    pub(crate) endpoints: Option<u32>,
    /// The seed of every stable choice, such as who is in which ring. [default: 1]
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// What the endpoints are. [default: auto]
    #[arg(long, value_enum)]
    pub(crate) kind: Option<Kind>,
    /// How long rings bake and people think. [default: normal]
    #[arg(long, value_enum)]
    pub(crate) speed: Option<Speed>,
    /// Print events as plain lines, without moving bars.
    #[arg(long)]
    pub(crate) plain: bool,
}

/// What the endpoints are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Whatever this machine has the tools for.
    Auto,
    /// Isolated roots with a dpkg database each.
    Apt,
    /// Directories with versioned artifacts; portable, without root.
    Artifact,
}

/// How long rings bake and people think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Speed {
    /// 5 s, to watch.
    Calm,
    /// 2 s.
    Normal,
    /// 1 s, for tests.
    Fast,
}

impl Speed {
    /// Instead of a day or two.
    pub(crate) const fn bake_secs(self) -> u32 {
        match self {
            Self::Calm => 5,
            Self::Normal => 2,
            Self::Fast => 1,
        }
    }
}
