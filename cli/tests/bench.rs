//! The load tool, with real processes: each workload for a second, and what is said when it cannot be done.
#![allow(
    clippy::unwrap_used,
    clippy::missing_assert_message,
    reason = "a test may fail"
)]

mod common;

use common::{Server, file, run};

/// The value of a field of the JSON line.
fn field<'a>(json: &'a str, name: &str) -> &'a str {
    let name = format!("\"{name}\":");
    let (_, rest) = json
        .split_once(&name)
        .unwrap_or_else(|| panic!("{name} is missing: {json}"));
    rest.split([',', '}']).next().unwrap_or_default()
}

fn measured(args: &[&str]) -> String {
    let all = [&["bench"], args, &["--json", "--seconds", "1"]].concat();
    let (code, json, complaints) = run(&all, "");
    assert_eq!(code, 0, "{json}{complaints}");
    for fault in [
        "lost",
        "doubled",
        "out_of_order",
        "invented",
        "refused",
        "breaks",
    ] {
        assert_eq!(field(&json, fault), "0", "{json}");
    }
    json
}

fn count(args: &[&str]) -> u64 {
    field(&measured(args), "count").parse().unwrap()
}

#[test]
fn pairs_write_to_each_other_on_held_links() {
    assert!(count(&["direct", "--users", "6"]) > 0);
}

#[test]
fn pairs_write_to_each_other_over_connections_for_each_exchange() {
    let args = [
        "direct",
        "--users",
        "4",
        "--link",
        "per-message",
        "--transport",
        "async",
    ];
    assert!(count(&args) > 0);
}

#[test]
fn a_fixed_rate_is_kept() {
    let sent = count(&["latency", "--users", "4", "--rate", "50"]);
    assert!((40..=60).contains(&sent), "{sent}");
}

#[test]
fn one_writes_to_all() {
    assert!(count(&["fanout", "--users", "5", "--window", "4"]) > 0);
}

#[test]
fn silent_users_are_counted() {
    assert_eq!(count(&["idle", "--users", "5"]), 0);
}

#[test]
fn users_log_in_again_and_again() {
    assert!(count(&["login", "--users", "4"]) > 0);
}

#[test]
fn who_was_away_fetches_everything() {
    let json = measured(&["mailbox", "--users", "4", "--window", "4"]);
    let fetched = json.split_once("\"fetched\":{\"count\":").unwrap().1;
    let fetched = fetched.split(',').next().unwrap();
    assert_eq!(fetched, field(&json, "sent"));
}

#[test]
fn introduced_pairs_write_directly() {
    for link in ["held", "per-message"] {
        assert!(count(&["private", "--users", "4", "--link", link]) > 0);
    }
}

#[test]
fn a_server_that_runs_is_measured_within_its_limits() {
    let server = Server::start(&[]);
    let accounts = file("accounts", common::ACCOUNTS);
    let args = [
        "bench",
        "direct",
        "--json",
        "--seconds",
        "1",
        "--users",
        "4",
        "--window",
        "4",
    ];
    let place = [
        "--server",
        &server.place,
        "--accounts",
        accounts.to_str().unwrap(),
    ];
    let (code, json, complaints) = run(&[&args[..], &place].concat(), "");
    assert_eq!(code, 0, "{json}{complaints}");
    assert_eq!(field(&json, "server"), "\"foreign\"");
    assert_eq!(
        field(&json, "slowed"),
        "2",
        "both senders do too much: {json}"
    );
}
