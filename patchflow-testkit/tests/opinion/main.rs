//! The engine against a second opinion: random histories, and every history of small fleets.

mod exhaustive;
mod found;
mod histories;
mod knobs;
mod mutations;
mod pair;
