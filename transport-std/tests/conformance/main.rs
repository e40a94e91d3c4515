//! What every driver must do, shown on real sockets with a toy machine.

#[path = "../common/mod.rs"]
mod common;

mod accepting;
