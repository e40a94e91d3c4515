//! What checking a password costs, whoever it is for: with a hash in the file, with plain text in it, and without an account.
//!
//! `cargo bench -p simplechat --bench passwords`. The times have to be alike, or the time would tell which names exist.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "whoever runs it sees what went wrong"
)]

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use simplechat::credentials::{Cost, Credentials, Workbench};
use simplechat_core::text::Password;

fn main() {
    divan::main();
}

/// `hashed` has the hash of another password than `plain`, made with the default cost.
const ACCOUNTS: &str = "plain secret
hashed $argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$5GAVjvcDNjTJVTo9FCZrnlzS2/wrUQsn7Wnx0fpBm3M
";

#[divan::bench(args = ["plain", "hashed", "unknown"], sample_count = 50)]
fn check(bencher: Bencher<'_, '_>, name: &str) {
    let accounts =
        Credentials::parse("accounts", ACCOUNTS.as_bytes(), Cost::new(19_456, 2)).unwrap();
    let name = name.parse().unwrap();
    let password = Password::new("wrong".to_owned()).unwrap();
    let mut workbench = Workbench::default();
    bencher
        .counter(ItemsCount::new(1u32))
        .bench_local(|| accounts.check(black_box(name), black_box(&password), &mut workbench));
}
