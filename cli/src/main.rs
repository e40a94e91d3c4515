//! The `simplechat` program.

fn main() {}
