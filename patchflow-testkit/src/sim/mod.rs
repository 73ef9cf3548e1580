//! A world in which a real fleet runs and nothing else is real: virtual endpoints, a simulated clock, people, faults.
//!
//! One seed gives everything, and the same inputs give the same facts: no wall clock, no threads, no hash maps. The
//! engine in it is the real one, and so are its journal records; only what lies outside the engine is played. This
//! module judges nothing: the [`crate::oracle`]s do.
//!
//! ```
//! use patchflow_core::{doc::patch, policy::{Policy, StartMode}};
//! use patchflow_testkit::sim::{Machine, World};
//!
//! let mut world = World::found("acme", 7, "2026-11-21T08:00:00Z".parse().unwrap());
//! let mut policy = Policy::standard("short");
//! policy.deploy.start = StartMode::WhenApproved;
//! world.adopt(policy).unwrap();
//! world.join((0..4).map(|i| Machine::new(format!("prod-{i}")).with("webd", "1.0")));
//! world.join([Machine::new("test-0").non_production().with("webd", "1.0")]);
//! world.publish(patch("webd", "1.1"));
//! world.run_for(14 * 86_400);
//! assert_eq!(world.machine("prod-3").unwrap().levels["webd"], "1.1");
//! ```

mod agent;
mod behaviour;
mod chance;
mod generate;
mod happening;
mod host;
mod machine;
mod network;
mod queue;
mod sight;
mod story;
mod transcript;
mod version;
mod world;

pub use agent::{Agent, Stage};
pub use behaviour::{Behaviour, Ends, Hook, Operation, Reading, Staging};
pub use chance::{Chance, Purpose};
pub use generate::generate;
pub use happening::{Change, Happening};
pub use host::{CrashPoint, StoreFault};
pub use machine::Machine;
pub use network::Network;
pub use sight::{Sight, Watch};
pub use story::{Deed, Ending, Step, Story};
pub use transcript::{Line, Transcript};
pub use version::compare_versions;
pub use world::{Question, World};
