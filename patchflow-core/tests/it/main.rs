//! The engine driven from outside, as a host drives it.

mod approval;
mod faults;
mod halt;
mod replay;
mod road;
mod world;
