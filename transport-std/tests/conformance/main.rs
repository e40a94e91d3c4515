//! What every driver must do, shown on real sockets with a toy machine.

#[path = "../common/mod.rs"]
mod common;

mod accepting;
mod bounds;
mod closing;
mod crossing;
mod dialling;
mod effects;
mod ending;
mod mixed;
mod timers;
