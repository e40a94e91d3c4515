//! The simulator: random worlds, held against what is promised.
//!
//! ```text
//! seed ─ generate ─▶ plan ─ trial ─▶ world ─ observations ─▶ checker ─▶ violation ─ shrink ─▶ smallest plan
//!                                                             └ model (the obvious truth)
//! ```
//!
//! A [`plan`] is all that makes a world: settings, weather, people, and what happens, step by step. [`generate`] makes one from a
//! seed; [`trial`] runs it; [`checker`] holds every observation against the [`model`]; [`shrink`] finds the smallest plan
//! that breaks the same promise. [`faults`] prove that the checker can see.

pub mod checker;
pub mod faults;
pub mod generate;
pub mod model;
pub mod plan;
pub mod report;
pub mod shrink;
pub mod trial;
