//! Real processes over real TCP: every command, and every refusal, as users meet them.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

mod common;

use common::{Server, introduce};

#[test]
fn two_people_write_to_each_other() {
    let server = Server::start(&[]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    alice.sees("No messages while you were away.");
    alice.sees("* bob is online");
    alice.types("message bob hello  bob ⚽");
    bob.sees("alice: hello  bob ⚽");
    alice.sees("  delivered to bob");
    bob.types("MESSAGE Alice hi");
    alice.sees("bob: hi");
    bob.types("logout");
    bob.sees("Goodbye.");
    assert_eq!(bob.ends(), 0);
    alice.sees("* bob is offline");
}

#[test]
fn messages_to_somebody_away_wait_for_them() {
    let server = Server::start(&[]);
    let mut alice = server.join("alice");
    for text in ["one", "two"] {
        alice.types(&format!("message bob {text}"));
        alice.sees("  kept for bob");
    }
    alice.types("why");
    alice.sees("  message 2 to bob: kept by the server");
    alice.sees(" by the server: not delivered yet, kept there");
    let mut bob = server.join("bob");
    bob.sees("--- 2 messages while you were away ---");
    assert!(bob.sees("alice: ").ends_with("alice: one"));
    assert!(bob.sees("alice: ").ends_with("alice: two"));
    bob.sees("--- that is all that was kept ---");
    alice.sees("bob has your message now (message 1)");
    alice.sees("bob has your message now (message 2)");
    alice.types("why 1");
    alice.sees("  message 1 to bob: delivered");
    alice.types("why 3");
    alice.sees("! there is no such message: your last one is 2");
}

#[test]
fn refused_messages_say_why() {
    let server = Server::start(&[
        "max_text=20",
        "mailbox_messages=2",
        "mailbox_sender_percent=100",
    ]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    bob.types("block alice");
    bob.sees("  alice is blocked");
    alice.types("message nobody hi");
    alice.sees("  not sent to nobody: there is no such user");
    alice.types("message bob hi");
    alice.sees("  not sent to bob: you are blocked");
    alice.types("message alice hi");
    alice.sees("! that is you");
    alice.types("message bob this text is far too long");
    alice.sees("! the text has 25 bytes, and the server takes at most 20");
    for _ in 0..2 {
        alice.types("message carol hi");
        alice.sees("  kept for carol");
    }
    alice.types("message carol hi");
    alice.sees("  not sent to carol: the mailbox is full");
}

#[test]
fn a_broadcast_goes_to_everybody_who_has_not_blocked_the_sender() {
    let server = Server::start(&[]);
    let mut alice = server.join("alice");
    alice.types("broadcast anybody?");
    alice.sees("  nobody else is online to hear it");
    let (mut bob, mut carol) = (server.join("bob"), server.join("carol"));
    bob.types("block alice");
    bob.sees("  alice is blocked");
    alice.types("broadcast lunch?");
    alice.sees("  delivered to 1 user");
    carol.sees("alice to all: lunch?");
    bob.types("unblock alice");
    bob.sees("  alice is not blocked any more");
    alice.types("broadcast dinner?");
    alice.sees("  delivered to 2 users");
    bob.sees("alice to all: dinner?");
    assert!(!bob.has_seen("lunch?"));
}

#[test]
fn who_is_online_depends_on_who_asks() {
    let server = Server::start(&[]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    alice.types("online");
    alice.sees("  online (1): bob");
    bob.types("block alice");
    bob.sees("  alice is blocked");
    alice.types("online");
    alice.sees("  nobody else is online");
    bob.types("online");
    bob.sees("  online (1): alice");
    bob.types("message alice you I can write to");
    alice.sees("bob: you I can write to");
}

#[test]
fn blocking_says_what_is_wrong() {
    let server = Server::start(&[]);
    let mut alice = server.join("alice");
    for (line, answer) in [
        ("block alice", "! that is you"),
        (
            "block nobody",
            "  nobody was not blocked: there is no such user",
        ),
        ("unblock bob", "  bob is not blocked"),
        ("block bob", "  bob is blocked"),
        ("block bob", "  bob is blocked already"),
        (
            "getaddress bob",
            "  bob was not asked: you have blocked this user",
        ),
        ("unblock bob", "  bob is not blocked any more"),
        (
            "unblock nobody",
            "  nobody was not unblocked: there is no such user",
        ),
    ] {
        alice.types(line);
        alice.sees(answer);
    }
}

#[test]
fn a_blocked_user_hears_nothing_of_logins() {
    let server = Server::start(&["presence_interval=1ms"]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    alice.types("block bob");
    alice.sees("  bob is blocked");
    alice.types("logout");
    assert_eq!(alice.ends(), 0);
    let _alice = server.join("alice");
    let _carol = server.join("carol");
    bob.sees("* carol is online");
    assert!(!bob.has_seen("alice is o"), "neither online nor offline");
}

#[test]
fn addresses_are_exchanged_with_the_yes_of_both() {
    let server = Server::start(&[]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    alice.types("private bob psst");
    alice.sees("! bob is not in your address book");
    alice.types("addressbook");
    alice.sees("  your address book is empty");
    alice.types("getaddress bob");
    alice.sees("  bob has been asked");
    bob.sees("* alice asks to exchange addresses");
    // The question does not stop anything else.
    alice.types("message bob please");
    bob.sees("alice: please");
    bob.types("deny alice");
    alice.sees("* bob does not want to exchange addresses");
    introduce(&mut alice, "alice", &mut bob, "bob");
    alice.types("private bob psst");
    bob.sees("alice privately: psst");
    alice.sees("  delivered to bob, privately");
    bob.types("private alice hm?");
    alice.sees("bob privately: hm?");
    alice.types("getaddress bob");
    alice.sees("! bob is in your address book already");
    bob.types("addressbook");
    bob.sees("    alice  reachable");
    bob.types("removeaddress alice");
    bob.sees("* alice is not in your address book any more");
    alice.sees("* bob has taken you out of the address book");
    alice.types("private bob hello?");
    alice.sees("! bob is not in your address book");
    alice.types("removeaddress bob");
    alice.sees("! bob is not in your address book");
}

#[test]
fn a_bare_yes_is_enough_when_there_is_no_doubt() {
    let server = Server::start(&[]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    bob.types("y");
    bob.sees("! nobody asks for your address");
    alice.types("getaddress bob");
    bob.sees("* alice asks to exchange addresses");
    // A yes within the first second could be an accident; a person who tries again is taken at their word.
    let (too_early, taken) = ("whom do you answer?", "alice is in your address book");
    bob.types("y");
    while bob.sees_one_of(&[too_early, taken]).contains(too_early) {
        bob.types("y");
    }
    assert!(bob.has_seen(too_early), "the first was too early");
    alice.sees("* bob is in your address book");
}

#[test]
fn a_question_that_nobody_answers_expires_for_both() {
    let server = Server::start(&["question_expiry=2s"]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    alice.types("getaddress bob");
    bob.sees("* alice asks to exchange addresses");
    alice.sees("* bob did not answer");
    bob.sees("* alice's question to exchange addresses is closed");
    bob.types("accept alice");
    bob.sees("! alice has not asked for your address");
    // Somebody who is away looks the same.
    alice.types("getaddress dave");
    alice.sees("  dave has been asked");
    alice.sees("* dave did not answer");
    alice.types("getaddress nobody");
    alice.sees("  nobody was not asked: there is no such user");
}

#[test]
fn blocking_ends_the_exchange_of_addresses() {
    let server = Server::start(&[]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    introduce(&mut alice, "alice", &mut bob, "bob");
    alice.types("block bob");
    alice.sees("* bob is not in your address book any more");
    bob.sees("* alice has taken you out of the address book");
}

#[test]
fn a_peer_who_logs_out_leaves_the_address_book() {
    let server = Server::start(&[]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    introduce(&mut alice, "alice", &mut bob, "bob");
    bob.types("logout");
    assert_eq!(bob.ends(), 0);
    alice.sees("* bob has logged out, and is out of your address book");
    alice.types("addressbook");
    alice.sees("  your address book is empty");
}

#[test]
fn help_and_mistakes_get_helpful_lines() {
    let server = Server::start(&[]);
    let mut alice = server.join("alice");
    alice.types("help");
    for word in [
        "message",
        "broadcast",
        "private",
        "block",
        "unblock",
        "online",
        "getaddress",
        "removeaddress",
        "addressbook",
        "verify",
        "accept",
        "deny",
        "help",
        "logout",
    ] {
        alice.sees(&format!("  {word}"));
    }
    alice.types("help private");
    alice.sees("private USER TEXT: ");
    alice.types("/mesage bob hi");
    alice.sees("! there is no command \"/mesage\": did you mean \"message\"?");
    alice.types("message bob");
    alice.sees("! the text is missing: message USER TEXT");
    alice.types("block bob carol");
    alice.sees("! \"carol\" is too much");
    alice.types("online now");
    alice.sees("! \"now\" is too much");
    alice.types("message b\u{1b}ob hi");
    alice.sees("! nobody is called \"b\u{fffd}ob\"");
}

#[test]
fn text_from_others_does_nothing_but_show() {
    let server = Server::start(&[]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    alice.types("message bob \u{1b}[2J\u{202e}evil\u{7}");
    let line = bob.sees("evil");
    assert!(
        line.ends_with("alice: \u{fffd}[2J\u{fffd}evil\u{fffd}"),
        "{line:?}"
    );
}

#[test]
fn a_burst_is_slowed_down_and_arrives_once_and_in_order() {
    let server = Server::start(&["operations_burst=200", "operations_per_second=100"]);
    let (mut alice, mut bob) = (server.join("alice"), server.join("bob"));
    for number in 0..300 {
        alice.types(&format!("message bob n{number}."));
    }
    alice.sees("! That is more at once than the server takes.");
    bob.sees("alice: n299.");
    let numbers: Vec<_> = bob
        .all_with("alice: n")
        .iter()
        .map(|line| line.split("alice: ").nth(1).unwrap().to_owned())
        .collect();
    let expected: Vec<_> = (0..300).map(|number| format!("n{number}.")).collect();
    assert_eq!(numbers, expected);
}
