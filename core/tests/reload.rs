//! The operator gives the server other accounts: what is new, what changes, and what ends with an account that is gone.

use std::time::Duration;

use simplechat_core::server::event::{Departure, Event};
use simplechat_core::server::recording::tape::Decoder;
use simplechat_core::server::recording::{Entry, Fact, Header, Replay, Texts, Wish};
use simplechat_core::server::{Command, Missing, Rejected};
use simplechat_sim::World;
use simplechat_sim::store::Health;

/// The operator removes an account, and the server reads the accounts again.
fn remove(w: &mut World, name: &str) {
    w.remove_account(name);
    w.reload().expect("the server takes the accounts");
}

/// The operator adds an account, or changes its password, and the server reads the accounts again.
fn set(w: &mut World, name: &str, password: &str) {
    w.set_account(name, password);
    w.reload().expect("the server takes the accounts");
}

#[test]
fn a_removed_account_s_session_ends_and_the_others_hear_of_it() {
    let mut w = World::new(1);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.look_away();
    w.operator_saw();
    remove(&mut w, "alice");
    w.settle();
    assert_eq!(w.saw(alice), ["ended (removed), 0 unsent"]);
    assert_eq!(w.saw(bob), ["alice offline"]);
    let user = "alice".parse().unwrap();
    let departure = Departure::Removed;
    assert_eq!(
        w.operator_saw(),
        [
            Event::LoggedOut { user, departure },
            Event::AccountRemoved { user },
            Event::Reloaded,
            Event::AccountErased { user },
        ]
    );
    assert_eq!(w.server().online(), 1);
    w.types(bob, "message alice gone?");
    w.settle();
    assert_eq!(
        w.saw(bob),
        ["message alice gone?: refused, there is no such user"]
    );
}

#[test]
fn what_was_kept_is_gone_when_the_store_has_erased_it() {
    let mut w = World::new(1);
    w.join("alice");
    w.store.health = Health::Failing;
    w.operator_saw();
    remove(&mut w, "alice");
    w.run(Duration::from_secs(60));
    let user = "alice".parse().unwrap();
    let erased = Event::AccountErased { user };
    let seen = w.operator_saw();
    assert!(
        seen.contains(&Event::Reloaded) && !seen.contains(&erased),
        "{seen:?}"
    );
    w.store.health = Health::Working;
    w.run(Duration::from_secs(60));
    assert!(w.operator_saw().contains(&erased));
}

#[test]
fn a_client_that_could_not_be_told_is_refused_when_it_comes_back() {
    let mut w = World::new(2);
    let alice = w.join("alice");
    w.cut_from_server(alice);
    w.look_away();
    remove(&mut w, "alice");
    w.run(Duration::from_secs(5));
    w.heal_to_server(alice);
    w.run(Duration::from_secs(200));
    let seen = w.saw(alice);
    // She is told no more than somebody whose password was changed, and her password is wrong.
    let refused = ["password needed", "login refused: wrong name or password"];
    assert_eq!(seen[seen.len() - 2..], refused, "{seen:?}");
    assert_eq!(w.server().online(), 0);
}

#[test]
fn an_account_that_is_added_again_with_the_same_line_takes_no_ticket_from_before() {
    for restarts in [false, true] {
        let mut w = World::new(16);
        let alice = w.join("alice");
        w.cut_from_server(alice);
        remove(&mut w, "alice");
        set(&mut w, "alice", "alice");
        w.run(Duration::from_secs(5));
        if restarts {
            w.crash_server();
            w.start_server();
        }
        w.heal_to_server(alice);
        w.look_away();
        w.run(Duration::from_secs(200));
        let asked = "password needed".to_owned();
        assert!(w.saw(alice).contains(&asked), "{restarts}");
        // With the ticket that she has now she comes back by herself.
        w.run(Duration::from_secs(10));
        w.crash_server();
        w.start_server();
        w.run(Duration::from_secs(200));
        assert!(!w.saw(alice).contains(&asked), "{restarts}");
        assert_eq!(w.server().online(), 1, "{restarts}");
    }
}

#[test]
fn introductions_and_questions_end_with_an_account() {
    let mut w = World::new(3);
    let [alice, bob, carol, dave] = ["alice", "bob", "carol", "dave"].map(|name| w.join(name));
    w.introduce(alice, bob);
    w.types(alice, "getaddress carol");
    w.types(dave, "getaddress alice");
    w.settle();
    w.look_away();
    remove(&mut w, "alice");
    w.settle();
    let mut seen = w.saw(bob);
    seen.sort();
    assert_eq!(
        seen,
        ["alice gone (logged out), 0 undelivered", "alice offline"]
    );
    let mut seen = w.saw(carol);
    seen.sort();
    assert_eq!(seen, ["alice asks no more", "alice offline"]);
    let mut seen = w.saw(dave);
    seen.sort();
    assert_eq!(seen, ["alice offline", "no answer from alice"]);
    assert_eq!(w.server().sizes().questions, 0);
    assert_eq!(w.server().sizes().introductions, 0);
}

#[test]
fn the_same_name_later_is_another_account() {
    for restarts in [false, true] {
        let mut w = World::new(4);
        let (alice, bob) = (w.join("alice"), w.join("bob"));
        w.types(alice, "block carol");
        w.settle();
        w.types(alice, "logout");
        w.settle();
        w.types(bob, "message alice for the old one");
        w.settle();
        remove(&mut w, "alice");
        set(&mut w, "alice", "another password");
        w.settle();
        if restarts {
            w.crash_server();
            w.start_server();
            w.run(Duration::from_secs(60));
        }
        w.look_away();
        let again = w.sit_down("alice again");
        w.log_in(again, "alice", "another password");
        w.settle();
        assert_eq!(w.saw(again), ["logged in as alice, 0 kept"]);
        let carol = w.join("carol");
        w.look_away();
        w.types(carol, "message alice hello");
        w.settle();
        assert_eq!(w.saw(again), ["carol: hello"]);
        assert_eq!(w.saw(carol), ["message alice hello: delivered"]);
    }
}

#[test]
fn a_blacklist_holds_for_a_new_account_of_the_name_and_can_be_undone_without_one() {
    let mut w = World::new(5);
    let bob = w.join("bob");
    for blocked in ["alice", "carol"] {
        w.types(bob, &format!("block {blocked}"));
    }
    w.settle();
    remove(&mut w, "alice");
    remove(&mut w, "carol");
    w.look_away();
    w.types(bob, "unblock carol");
    w.settle();
    assert_eq!(w.saw(bob), ["unblock carol: done"]);
    set(&mut w, "alice", "alice");
    set(&mut w, "carol", "carol");
    let (alice, carol) = (w.join("alice"), w.join("carol"));
    w.look_away();
    w.types(alice, "message bob hi");
    w.types(carol, "message bob hi");
    w.settle();
    assert_eq!(w.saw(alice), ["message bob hi: refused, you are blocked"]);
    assert_eq!(w.saw(bob), ["carol: hi"]);
}

/// What belongs to others outlives an account, and a server too.
#[test]
fn after_a_restart_a_removed_account_is_as_it_was_before() {
    let mut w = World::new(13);
    let (alice, carol) = (w.join("alice"), w.join("carol"));
    w.types(carol, "block alice");
    w.types(alice, "message bob farewell");
    w.settle();
    remove(&mut w, "alice");
    w.settle();
    for _ in 0..2 {
        w.crash_server();
        w.start_server();
        w.run(Duration::from_secs(60));
    }
    w.look_away();
    let bob = w.join("bob");
    let seen = w.saw(bob);
    assert!(seen.contains(&"alice: farewell".to_owned()), "{seen:?}");
    set(&mut w, "alice", "alice");
    let again = w.join("alice");
    w.look_away();
    w.types(again, "message carol hi");
    w.settle();
    assert_eq!(w.saw(again), ["message carol hi: refused, you are blocked"]);
}

#[test]
fn a_sender_hears_what_becomes_of_messages_to_a_removed_account() {
    let mut w = World::new(6);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.cut_from_server(alice);
    w.store.takes = Duration::from_secs(10);
    w.look_away();
    w.types(bob, "message alice under way");
    w.run(Duration::from_millis(400));
    remove(&mut w, "alice");
    w.run(Duration::from_secs(30));
    assert_eq!(
        w.saw(bob),
        [
            "alice offline",
            "message alice under way: refused, there is no such user"
        ]
    );
}

#[test]
fn what_a_removed_account_had_written_arrives() {
    let mut w = World::new(7);
    let alice = w.join("alice");
    w.types(alice, "message bob farewell");
    w.settle();
    remove(&mut w, "alice");
    w.look_away();
    let bob = w.join("bob");
    let seen = w.saw(bob);
    assert!(seen.contains(&"alice: farewell".to_owned()), "{seen:?}");
}

#[test]
fn a_new_password_is_asked_for_at_once_and_nothing_is_lost() {
    let mut w = World::new(8);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.look_away();
    w.operator_saw();
    set(&mut w, "alice", "new password");
    w.settle();
    let user = "alice".parse().unwrap();
    let departure = Departure::CredentialsChanged;
    assert_eq!(
        w.operator_saw()[..3],
        [
            Event::CredentialsChanged { user },
            Event::LoggedOut { user, departure },
            Event::Reloaded
        ]
    );
    w.types(bob, "message alice still there?");
    w.types(alice, "message bob in a moment");
    w.run(Duration::from_secs(10));
    // The old one is typed, and wrong.
    assert_eq!(
        w.saw(alice),
        ["password needed", "login refused: wrong name or password"]
    );
    w.log_in(alice, "alice", "new password");
    w.settle();
    assert_eq!(
        w.saw(alice),
        [
            "logged in again as alice, 1 kept",
            "1 kept:",
            "bob: still there?",
            "that was kept",
            "message bob in a moment: delivered"
        ]
    );
    w.types(alice, "private bob here I am");
    w.settle();
    assert!(w.saw(bob).contains(&"alice privately: here I am".into()));
}

#[test]
fn who_has_only_the_old_password_is_out_also_if_they_could_not_be_told() {
    let mut w = World::new(14);
    let thief = w.join("alice");
    w.cut_from_server(thief);
    set(&mut w, "alice", "new password");
    w.run(Duration::from_secs(5));
    w.heal_to_server(thief);
    w.look_away();
    w.run(Duration::from_secs(200));
    let seen = w.saw(thief);
    let refused = ["password needed", "login refused: wrong name or password"];
    assert_eq!(seen[seen.len() - 2..], refused, "{seen:?}");
    assert_eq!(w.server().online(), 0);
}

#[test]
fn a_login_under_way_with_the_old_password_is_refused() {
    let mut w = World::new(15);
    w.check_takes = Duration::from_secs(2);
    let alice = w.sit_down("alice");
    w.log_in(alice, "alice", "alice");
    w.run(Duration::from_secs(1));
    set(&mut w, "alice", "new password");
    w.run(Duration::from_secs(2));
    assert_eq!(w.server().online(), 0);
    assert_eq!(w.saw(alice), ["login refused: wrong name or password"]);
}

/// The server never sees that it goes: it is just not there when it starts, and there again later.
#[test]
fn an_account_that_was_removed_while_no_server_ran_is_not_continued_either() {
    let mut w = World::new(15);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "logout");
    w.settle();
    w.types(bob, "message alice for the old one");
    w.settle();
    w.crash_server();
    w.remove_account("alice");
    w.start_server();
    w.settle();
    set(&mut w, "alice", "another password");
    w.crash_server();
    w.start_server();
    w.run(Duration::from_secs(60));
    let again = w.sit_down("alice again");
    w.log_in(again, "alice", "another password");
    w.settle();
    assert_eq!(w.saw(again), ["logged in as alice, 0 kept"]);
}

/// They are asked for it in the midst of a conversation, which is not over because the server is away just then.
#[test]
fn a_client_that_asks_for_a_new_password_goes_on_while_the_server_is_away() {
    let mut w = World::new(14);
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.introduce(alice, bob);
    w.set_account("alice", "new password");
    w.crash_server();
    w.start_server();
    w.settle();
    w.types(alice, "message bob unsent");
    w.run(Duration::from_secs(60));
    w.crash_server();
    w.look_away();
    w.log_in(alice, "alice", "new password");
    w.run(Duration::from_secs(60));
    assert!(!w.has_ended(alice), "{:?}", w.saw(alice));
    w.types(alice, "private bob still here");
    w.settle();
    w.start_server();
    w.run(Duration::from_secs(60));
    let seen = w.saw(bob);
    for line in ["alice privately: still here", "alice: unsent"] {
        assert!(seen.contains(&line.to_owned()), "{line}: {seen:?}");
    }
}

/// Its password is right by the accounts that it came to, but they are no more.
#[test]
fn a_login_under_way_is_not_continued_by_a_new_account_of_the_name() {
    let mut w = World::new(9);
    w.check_takes = Duration::from_secs(2);
    let alice = w.sit_down("alice");
    w.log_in(alice, "alice", "alice");
    w.run(Duration::from_secs(1));
    remove(&mut w, "alice");
    set(&mut w, "alice", "another password");
    w.run(Duration::from_secs(2));
    assert_eq!(w.server().online(), 0);
    assert_eq!(w.saw(alice), ["login refused: wrong name or password"]);
}

#[test]
fn accounts_that_lack_over_half_of_the_known_ones_are_refused() {
    let mut w = World::new(10);
    let alice = w.join("alice");
    w.look_away();
    for name in ["alice", "bob", "carol", "dave", "erin", "frank"] {
        w.remove_account(name);
    }
    w.set_account("zoe", "zoe");
    let (missing, known) = (6, 10);
    assert_eq!(w.reload(), Err(Rejected::TooManyMissing { missing, known }));
    w.settle();
    assert!(
        !w.has_ended(alice) && w.server().online() == 1,
        "nothing was changed"
    );
    w.set_account("frank", "frank");
    assert_eq!(w.reload(), Ok(()));
    w.settle();
    assert!(w.has_ended(alice));
}

#[test]
fn they_are_gone_if_the_operator_says_so() {
    let mut w = World::new(10);
    let alice = w.join("alice");
    w.operate(Command::Reload {
        accounts: Vec::new(),
        missing: Missing::Confirmed,
    });
    w.settle();
    assert!(w.has_ended(alice));
}

#[test]
fn a_server_that_is_ending_takes_no_accounts() {
    let mut w = World::new(11);
    let _alice = w.join("alice");
    w.operate(Command::Shutdown);
    assert_eq!(w.reload(), Err(Rejected::Stopping));
}

fn read(bytes: &[u8]) -> (Header, Vec<Entry>) {
    let mut decoder = Decoder::default();
    decoder.push(bytes);
    let header = decoder.header().expect("a header").expect("all of it");
    let mut entries = Vec::new();
    while let Some(entry) = decoder.entry().expect("an entry") {
        entries.push(entry);
    }
    (header, entries)
}

#[test]
fn a_recording_goes_over_reloads_and_shows_nothing_of_credentials() {
    let mut w = World::new(12);
    let tape = w.record(Texts::Filled);
    w.start_server();
    let (alice, bob) = (w.join("alice"), w.join("bob"));
    w.types(alice, "message carol kept");
    set(&mut w, "alice", "sesame-1");
    set(&mut w, "zoe", "sesame-2");
    remove(&mut w, "carol");
    let zoe = w.sit_down("zoe");
    w.log_in(zoe, "zoe", "sesame-2");
    w.settle();
    w.types(zoe, "message bob hello");
    w.types(bob, "message zoe hello");
    set(&mut w, "zoe", "sesame-1");
    w.settle();
    w.operate(Command::Shutdown);
    w.settle();
    let bytes = tape.bytes();
    assert!(!bytes.windows(6).any(|window| window == b"sesame"));
    let (header, entries) = read(&bytes);
    let mut replay = Replay::new(&header);
    for entry in &entries {
        assert_eq!(replay.take(entry), Ok(()), "{entry:?}");
    }
    let number = |name: &str| {
        let wishes = entries.iter().filter_map(|entry| {
            let Entry::Fact(_, Fact::Command(Wish::Reload { accounts, .. })) = entry else {
                return None;
            };
            Some(accounts)
        });
        let name = name.parse().unwrap();
        let numbers = wishes.filter_map(move |accounts| {
            let account = accounts.iter().find(|account| account.name == name)?;
            Some(account.credentials)
        });
        numbers.collect::<Vec<_>>()
    };
    let sesame = number("alice");
    assert_eq!(sesame, [sesame[0]; 4], "the same for the same");
    assert_eq!(number("zoe"), [sesame[0] + 1, sesame[0] + 1, sesame[0]]);
}
