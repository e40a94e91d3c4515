//! Somebody who hears every line of the virtual network, with real encryption on it: no name, password or word of any
//! message is in what they hear, whoever says it to whom, and a later login with a ticket tells no more than the first.
#![allow(
    clippy::missing_assert_message,
    clippy::unwrap_used,
    reason = "helpers of tests are tests"
)]

use std::time::Duration;

use simplechat_sim::World;
use simplechat_sim::world::{ATTACKER, ClientId, SERVER};

const ANN: &str = "q7vhx2kwp9zt";
const BEN: &str = "n4bym8rjc3gd";
const PASSWORDS: [&str; 2] = ["T3gLw0RzBy8m", "f6QxVd1KeN5s"];
const WORDS: [&str; 5] = [
    "Xk4vTn9bQe2s",
    "pW7rYc5hGu1j",
    "zM0dFa8oLi6q",
    "J3tBw9xEv2Hn",
    "U8iCs4mPk7Ra",
];

fn sit_down(w: &mut World, name: &str, password: &str) -> ClientId {
    let id = w.sit_down(name);
    w.log_in(id, name, password);
    w.settle();
    id
}

/// Types a line; its last word arrives at somebody else.
fn say(w: &mut World, from: ClientId, line: &str, to: ClientId) {
    w.look_away();
    w.types(from, line);
    w.settle();
    let word = line.split(' ').next_back().unwrap();
    let seen = w.saw(to);
    assert!(seen.iter().any(|line| line.contains(word)), "{seen:?}");
}

/// What was heard on the way to a listener and back.
fn heard_at(w: &World, host: simplechat_sim::net::HostId) -> Vec<u8> {
    let listener = w.net.home(host).unwrap();
    let recordings = w.net.recordings().unwrap();
    (0..recordings.len())
        .filter_map(|index| recordings.get(index))
        .filter(|recording| recording.listener == listener)
        .flat_map(|recording| recording.bytes.iter().copied())
        .collect()
}

#[test]
fn who_hears_every_line_reads_no_name_password_or_word() {
    let mut w = World::new(1);
    w.net.record(ATTACKER, usize::MAX);
    w.set_account(ANN, PASSWORDS[0]);
    w.set_account(BEN, PASSWORDS[1]);
    w.reload().unwrap();
    let ann = sit_down(&mut w, ANN, PASSWORDS[0]);
    let ben = sit_down(&mut w, BEN, PASSWORDS[1]);
    say(&mut w, ann, &format!("message {BEN} {}", WORDS[0]), ben);
    say(&mut w, ben, &format!("broadcast {}", WORDS[1]), ann);
    w.introduce(ann, ben);
    say(&mut w, ann, &format!("private {BEN} {}", WORDS[2]), ben);
    say(&mut w, ben, &format!("private {ANN} {}", WORDS[3]), ann);
    w.crash_server();
    w.start_server();
    w.run(Duration::from_secs(60));
    say(&mut w, ben, &format!("message {ANN} {}", WORDS[4]), ann);

    for host in [SERVER, ann.host(), ben.host()] {
        let heard = heard_at(&w, host).to_ascii_lowercase();
        assert!(heard.len() > 500, "{host:?} was called");
        for word in [ANN, BEN].iter().chain(&PASSWORDS).chain(&WORDS) {
            let word = word.to_ascii_lowercase();
            let is_heard = heard
                .windows(word.len())
                .any(|part| part == word.as_bytes());
            assert!(!is_heard, "{word} was heard on the way to {host:?}");
        }
    }
}
