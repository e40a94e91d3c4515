//! What a login costs the server's machine and its client together, without the network and without hashing the password:
//! the handshake, the ticket, the session, and the word to the client.
//!
//! `cargo bench -p simplechat-core --bench login`. What a hash costs is measured in `cli/benches/passwords.rs`.
#![allow(missing_docs, reason = "nobody uses a benchmark but by running it")]

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use simplechat_core::channel::Noise;
use simplechat_core::server::config::Config;
use simplechat_sim::crowd::Crowd;

fn main() {
    divan::main();
}

#[divan::bench]
fn login_without_hash(bencher: Bencher<'_, '_>) {
    let mut crowd = Crowd::gather(1, Config::default(), Arc::new(Noise));
    bencher
        .counter(ItemsCount::new(1u32))
        .bench_local(|| crowd.log_in_again(0));
}
