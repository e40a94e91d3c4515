//! Sealed mail: private messages between two who know each other for good and are never there at the same time.

use std::time::Duration;

use simplechat_core::client::command::Command;
use simplechat_core::client::config::Start;
use simplechat_core::limits::TEXT_LEN_MAX;
use simplechat_core::server::MailboxLimits;
use simplechat_core::server::config::Config;
use simplechat_core::server::record::Record;
use simplechat_sim::net::Listening;
use simplechat_sim::{ClientId, World};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Two whose clients have a store, and who are in each other's address books for good.
fn pair(w: &mut World) -> [ClientId; 2] {
    let (alice, bob) = (w.join_keeping("alice"), w.join_keeping("bob"));
    w.types(alice, "getaddress bob always");
    w.settle();
    w.types(bob, "accept alice always");
    w.settle();
    [alice, bob]
}

fn leave(w: &mut World, client: ClientId) {
    w.types(client, "logout");
    w.run(MINUTE);
    assert!(w.has_ended(client), "it has left");
}

fn come_back(w: &mut World, client: ClientId, name: &str) {
    w.look_away();
    w.start_again(client);
    w.log_in(client, name, name);
    w.run(MINUTE);
}

fn writes(w: &mut World, client: ClientId, texts: &[&str]) {
    for text in texts {
        w.types(client, &format!("private bob {text}"));
    }
    w.run(MINUTE);
}

/// The private messages among what somebody has seen.
fn letters(seen: &[String]) -> Vec<&str> {
    let lines = seen.iter().map(String::as_str);
    lines.filter(|line| line.contains(" privately: ")).collect()
}

/// How many of their private messages somebody has seen to be delivered.
fn delivered(w: &mut World, client: ClientId) -> usize {
    let is_delivered = |line: &&String| *line == "private to bob: delivered";
    w.saw(client).iter().filter(is_delivered).count()
}

#[test]
fn two_who_are_never_there_together_write_to_each_other() {
    let mut w = World::new(1);
    let [alice, bob] = pair(&mut w);
    leave(&mut w, bob);
    writes(&mut w, alice, &["one", "two"]);
    let about_it = |line: &String| line.starts_with("private to bob");
    let seen: Vec<_> = w.saw(alice).into_iter().filter(about_it).collect();
    assert_eq!(
        seen, ["private to bob: kept sealed"; 2],
        "not that it waits"
    );
    leave(&mut w, alice);
    come_back(&mut w, bob, "bob");
    let seen = w.saw(bob);
    assert_eq!(seen[..2], ["logged in as bob, 2 kept", "2 kept:"]);
    let expected = ["alice privately: one", "alice privately: two"];
    assert_eq!(letters(&seen), expected);
    leave(&mut w, bob);
    come_back(&mut w, alice, "alice");
    let seen = w.saw(alice);
    assert_eq!(
        seen[0], "logged in as alice, 0 kept",
        "answers are no messages"
    );
    let is_delivered = |line: &&String| *line == "private to bob: delivered";
    assert_eq!(seen.iter().filter(is_delivered).count(), 2, "{seen:?}");
    // The two meet, and nothing comes a second time.
    come_back(&mut w, bob, "bob");
    assert_eq!(letters(&w.saw(bob)), [""; 0]);
    writes(&mut w, alice, &["three"]);
    assert_eq!(letters(&w.saw(bob)), ["alice privately: three"]);
}

#[test]
fn what_becomes_of_it_is_told() {
    let mut w = World::new(2);
    let [alice, bob] = pair(&mut w);
    leave(&mut w, bob);
    writes(&mut w, alice, &["one"]);
    w.look_away();
    w.types(alice, "why");
    let why = w.saw(alice).remove(0);
    assert!(why.contains("to bob privately: stored"), "{why}");
    assert!(why.contains("mail: stored"), "{why}");
    assert!(why.ends_with("next WhenBack"), "{why}");
    come_back(&mut w, bob, "bob");
    w.look_away();
    w.types(alice, "why");
    let why = w.saw(alice).remove(0);
    assert!(why.contains("to bob privately: delivered"), "{why}");
}

/// Another client of the account has another key: the mail is not for it, and waits.
#[test]
fn only_the_client_that_it_is_sealed_for_gets_it() {
    let mut w = World::new(3);
    let [alice, bob] = pair(&mut w);
    leave(&mut w, bob);
    writes(&mut w, alice, &["one"]);
    w.types(alice, "message bob to all clients");
    w.settle();
    leave(&mut w, alice);
    w.look_away();
    let other = w.join("bob");
    assert_eq!(
        w.saw(other),
        [
            "logged in as bob, 1 kept",
            "1 kept:",
            "alice: to all clients",
            "that was kept"
        ]
    );
    leave(&mut w, other);
    come_back(&mut w, bob, "bob");
    assert_eq!(letters(&w.saw(bob)), ["alice privately: one"]);
}

#[test]
fn who_cannot_be_reached_though_they_are_there_gets_mail() {
    let mut w = World::new(4);
    let [alice, bob] = pair(&mut w);
    w.cut_between(alice, bob);
    w.look_away();
    writes(&mut w, alice, &["one", "two"]);
    let expected = ["alice privately: one", "alice privately: two"];
    assert_eq!(letters(&w.saw(bob)), expected, "{}", w.log());
    assert_eq!(delivered(&mut w, alice), 2);
}

/// The recipient notices that one before is missing, says so, and gets both, in order.
#[test]
fn a_mail_that_the_server_loses_is_missed_and_left_again() {
    let mut w = World::new(14);
    let [alice, bob] = pair(&mut w);
    leave(&mut w, bob);
    writes(&mut w, alice, &["one"]);
    w.crash_server();
    let mut records = w.store.records();
    records.retain(|record| !matches!(record, Record::KeptMail { .. }));
    w.store.forget();
    w.store.keep(records).expect("it works");
    w.start_server();
    w.run(MINUTE);
    writes(&mut w, alice, &["two"]);
    w.cut_between(alice, bob);
    come_back(&mut w, bob, "bob");
    let seen = w.saw(bob);
    assert_eq!(seen[0], "logged in as bob, 1 kept", "{}", w.log());
    let expected = ["alice privately: one", "alice privately: two"];
    assert_eq!(letters(&seen), expected, "{}", w.log());
    assert_eq!(delivered(&mut w, alice), 2);
}

/// It does not know either that the two know each other, until both have said so.
#[test]
fn a_server_that_has_lost_everything_gets_it_again() {
    let mut w = World::new(5);
    let [alice, bob] = pair(&mut w);
    leave(&mut w, bob);
    writes(&mut w, alice, &["one"]);
    w.crash_server();
    w.store.forget();
    w.start_server();
    w.run(MINUTE);
    writes(&mut w, alice, &["two"]);
    w.cut_between(alice, bob);
    come_back(&mut w, bob, "bob");
    let expected = ["alice privately: one", "alice privately: two"];
    assert_eq!(letters(&w.saw(bob)), expected, "{}", w.log());
    assert_eq!(delivered(&mut w, alice), 2);
}

#[test]
fn what_nobody_fetches_is_left_anew_and_nothing_is_lost() {
    let mailbox = MailboxLimits {
        age: 2 * HOUR,
        ..MailboxLimits::default()
    };
    let config = Config {
        mailbox,
        ..Config::default()
    };
    let mut w = World::with_config(6, config);
    let [alice, bob] = pair(&mut w);
    leave(&mut w, bob);
    writes(&mut w, alice, &["one"]);
    w.run(HOUR);
    writes(&mut w, alice, &["two"]);
    w.look_away();
    w.run(2 * HOUR);
    leave(&mut w, alice);
    come_back(&mut w, bob, "bob");
    let expected = ["alice privately: one", "alice privately: two"];
    assert_eq!(letters(&w.saw(bob)), expected, "{}", w.log());
}

/// What the server does not take waits, what follows too, and the two get it in order when they meet.
#[test]
fn what_the_server_refuses_waits_for_the_peer() {
    let mailbox = MailboxLimits {
        messages: 20,
        ..MailboxLimits::default()
    };
    let config = Config {
        mailbox,
        ..Config::default()
    };
    let mut w = World::with_config(7, config);
    let [alice, bob] = pair(&mut w);
    leave(&mut w, bob);
    let texts = ["one", "two", "three", "four"];
    for text in texts {
        writes(&mut w, alice, &[text]);
    }
    let is_waiting = |line: &&String| *line == "private to bob: waiting";
    assert_eq!(w.saw(alice).iter().filter(is_waiting).count(), 1);
    w.types(alice, "why 3");
    let why = w.saw(alice).remove(0);
    assert!(why.contains("to bob privately: waiting"), "{why}");
    assert!(why.contains("your share of the mailbox is full"), "{why}");
    come_back(&mut w, bob, "bob");
    let expected = texts.map(|text| format!("alice privately: {text}"));
    assert_eq!(letters(&w.saw(bob)), expected, "{}", w.log());
    assert_eq!(delivered(&mut w, alice), 4);
}

#[test]
fn a_client_that_starts_again_leaves_no_second_copy() {
    let mut w = World::new(8);
    let [alice, bob] = pair(&mut w);
    leave(&mut w, bob);
    writes(&mut w, alice, &["one"]);
    for _ in 0..3 {
        w.crash(alice);
        come_back(&mut w, alice, "alice");
    }
    writes(&mut w, alice, &["two"]);
    leave(&mut w, alice);
    come_back(&mut w, bob, "bob");
    let seen = w.saw(bob);
    assert_eq!(seen[0], "logged in as bob, 2 kept", "{}", w.log());
    let expected = ["alice privately: one", "alice privately: two"];
    assert_eq!(letters(&seen), expected);
}

#[test]
fn who_is_a_peer_no_more_shows_none_of_it() {
    for (seed, ending) in [(9, "removeaddress bob"), (10, "block bob")] {
        let mut w = World::new(seed);
        let [alice, bob] = pair(&mut w);
        leave(&mut w, bob);
        writes(&mut w, alice, &["one"]);
        w.types(alice, ending);
        w.settle();
        come_back(&mut w, bob, "bob");
        assert_eq!(letters(&w.saw(bob)), [""; 0], "{ending}");
        let unreadable = w
            .saw(bob)
            .iter()
            .any(|line| line.contains("cannot be read"));
        assert!(!unreadable, "it is no news: {:?}", w.saw(bob));
    }
}

#[test]
fn an_entry_until_a_logout_has_no_mail() {
    let mut w = World::new(11);
    let (alice, bob) = (w.join_keeping("alice"), w.join_keeping("bob"));
    w.introduce(alice, bob);
    w.cut_between(alice, bob);
    w.look_away();
    writes(&mut w, alice, &["one"]);
    assert_eq!(letters(&w.saw(bob)), [""; 0]);
    w.heal_between(alice, bob);
    w.run(2 * MINUTE);
    assert_eq!(letters(&w.saw(bob)), ["alice privately: one"]);
}

/// Written before the server was there, and left with it when it is.
#[test]
fn who_starts_without_the_server_leaves_it_later() {
    let mut w = World::new(12);
    let [alice, bob] = pair(&mut w);
    leave(&mut w, bob);
    w.crash(alice);
    w.crash_server();
    w.start_again_as(alice, Start::Offline);
    w.log_in(alice, "alice", "alice");
    w.settle();
    writes(&mut w, alice, &["one"]);
    w.start_server();
    w.run(2 * MINUTE);
    leave(&mut w, alice);
    come_back(&mut w, bob, "bob");
    assert_eq!(
        letters(&w.saw(bob)),
        ["alice privately: one"],
        "{}",
        w.log()
    );
}

/// The server has it under the recipient's key and cannot read it.
#[test]
fn no_text_of_it_is_at_the_server() {
    let mut w = World::new(13);
    let [alice, bob] = pair(&mut w);
    leave(&mut w, bob);
    writes(&mut w, alice, &["quite a secret"]);
    let records = format!("{:?}", w.store.records());
    assert!(records.contains("KeptMail"), "{records}");
    assert!(!records.contains("quite a secret"), "{records}");
    w.move_client(bob, Listening::There);
    come_back(&mut w, bob, "bob");
    assert_eq!(letters(&w.saw(bob)), ["alice privately: quite a secret"]);
}

/// It fits a mail, the request that the mail goes in, and a batch.
#[test]
fn the_longest_text_fits() {
    let config = Config {
        max_text: TEXT_LEN_MAX,
        ..Config::default()
    };
    let mut w = World::with_config(15, config);
    let [alice, bob] = pair(&mut w);
    leave(&mut w, bob);
    let longest = "x".repeat(TEXT_LEN_MAX);
    for text in ["short", &longest, "short again"] {
        let (to, text) = (
            "bob".parse().expect("a name"),
            text.parse().expect("it fits"),
        );
        let wish = Command::Private { to, text };
        w.command(alice, wish).expect("bob is in the address book");
    }
    w.run(MINUTE);
    leave(&mut w, alice);
    come_back(&mut w, bob, "bob");
    let seen = w.saw(bob);
    assert_eq!(seen[0], "logged in as bob, 3 kept");
    let letters = letters(&seen);
    assert_eq!(letters.len(), 3, "{letters:?}");
    assert!(
        letters[1].ends_with(&format!("({TEXT_LEN_MAX} bytes)")),
        "{}",
        letters[1]
    );
    assert_eq!(letters[2], "alice privately: short again");
}

/// Whoever has the server's disk of before can hand mail out again.
#[test]
fn a_mail_that_comes_again_shows_nothing() {
    let mut w = World::new(16);
    let [alice, bob] = pair(&mut w);
    leave(&mut w, bob);
    writes(&mut w, alice, &["one"]);
    let before = w.store.records();
    come_back(&mut w, bob, "bob");
    assert_eq!(letters(&w.saw(bob)), ["alice privately: one"]);
    leave(&mut w, bob);
    w.crash_server();
    w.store.forget();
    w.store.keep(before).expect("it works");
    w.start_server();
    w.run(MINUTE);
    come_back(&mut w, bob, "bob");
    let seen = w.saw(bob);
    assert_eq!(seen[0], "logged in as bob, 1 kept", "it is there again");
    assert_eq!(letters(&seen), [""; 0]);
}
