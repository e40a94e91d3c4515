//! The history in a client's store: what is in it, and what is not any more.
#![allow(clippy::unwrap_used, clippy::missing_assert_message, reason = "a test")]

mod common;

use std::fs;
use std::path::Path;

use simplechat_core::client::event::{Event, MessageEvent, Verification};
use simplechat_core::client::ledger::MessageState;
use simplechat_core::client::record::Record;
use simplechat_core::id::{InstanceId, IntroductionId, Seq};
use simplechat_core::key::PublicKey;
use simplechat_core::name::Name;
use simplechat_core::text::Text;
use simplechat_core::time::WallTime;
use simplechat_core::wire::Term;
use simplechat_core::wire::peer::PrivateMessage;
use simplechat_core::wire::push::Audience;
use simplechat_core::wire::request::{Operation, Outcome, Refusal};
use simplechat_store::client::{
    Author, Conversation, Forgotten, Kept, Message, Route, Search, Store,
};

use common::{NOW, folder, name};

const ME: InstanceId = InstanceId([7; 16]);

fn text(text: &str) -> Text {
    text.parse().unwrap()
}

fn at(seconds: u64) -> WallTime {
    WallTime(NOW.0 + seconds * 1_000)
}

fn tells(seq: u64, to: &str, words: &str) -> Record {
    Record::Wished {
        seq: Seq(seq),
        operation: Operation::Message {
            to: name(to),
            text: text(words),
        },
        at: at(seq),
    }
}

fn tells_all(seq: u64, words: &str) -> Record {
    Record::Wished {
        seq: Seq(seq),
        operation: Operation::Broadcast { text: text(words) },
        at: at(seq),
    }
}

fn answered(seq: u64, outcome: Outcome) -> Record {
    Record::Answered {
        seq: Seq(seq),
        outcome,
    }
}

fn writes(seq: u64, to: &str, words: &str) -> Record {
    Record::Written {
        to: name(to),
        message: PrivateMessage {
            instance: ME,
            seq: Seq(seq),
            sent: at(seq),
            text: text(words),
        },
    }
}

fn hears(from: &str, seconds: u64, words: &str) -> Event {
    MessageEvent::Message {
        from: name(from),
        sent: at(seconds),
        audience: Audience::You,
        text: text(words),
    }
    .into()
}

fn hears_to_all(from: &str, seconds: u64, words: &str) -> Event {
    MessageEvent::Message {
        from: name(from),
        sent: at(seconds),
        audience: Audience::Everyone,
        text: text(words),
    }
    .into()
}

fn hears_privately(from: &str, verification: Verification, words: &str) -> Event {
    MessageEvent::Private {
        from: name(from),
        sent: at(0),
        verification,
        text: text(words),
    }
    .into()
}

fn keep(store: &mut Store, records: &[Record], shown: &[Event]) {
    store.apply(&[Kept { records, shown }]).unwrap();
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.text.as_str())
        .collect()
}

fn states(store: &Store) -> Vec<MessageState> {
    let own = |message: Message| match message.author {
        Author::Own(state) => Some(state),
        Author::Other(_) => None,
    };
    store
        .history(None, 100)
        .unwrap()
        .into_iter()
        .filter_map(own)
        .collect()
}

#[test]
fn what_is_said_is_in_order_with_how_it_went() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    keep(&mut store, &[tells(1, "bob", "hello")], &[]);
    let verified = Verification::Verified;
    let shown = [
        hears("bob", 2, "hello you"),
        hears_to_all("carol", 3, "lunch?"),
        hears_privately("bob", verified, "psst"),
    ];
    keep(&mut store, &[], &shown);
    keep(&mut store, &[writes(1, "bob", "yes?")], &[]);
    store.close().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let all = store.history(None, 100).unwrap();
    assert_eq!(
        texts(&all),
        ["hello", "hello you", "lunch?", "psst", "yes?"]
    );
    let waiting = Author::Own(MessageState::Waiting);
    let bob = Author::Other(name("bob"));
    let with_bob = Conversation::With(name("bob"));
    assert_eq!(
        all.iter()
            .map(|message| (message.conversation, message.author, message.route))
            .collect::<Vec<_>>(),
        [
            (with_bob, waiting, Route::Server),
            (with_bob, bob, Route::Server),
            (
                Conversation::Everyone,
                Author::Other(name("carol")),
                Route::Broadcast
            ),
            (with_bob, bob, Route::Private(verified)),
            (with_bob, waiting, Route::Private(Verification::Unverified)),
        ]
    );
    assert_eq!(all.first().unwrap().at, at(1));
    assert_eq!(
        texts(&store.history(Some(name("bob")), 2).unwrap()),
        ["psst", "yes?"]
    );
    assert_eq!(
        texts(&store.history(Some(name("carol")), 9).unwrap()),
        ["lunch?"]
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "one story")]
fn a_message_says_where_it_stands() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    let bob = || name("bob");
    let written: Vec<_> = (1..=4)
        .map(|seq| tells(seq, "bob", "hi"))
        .chain([tells_all(5, "hi")])
        .chain((1..=3).map(|seq| writes(seq, "bob", "psst")))
        .collect();
    let peer = Record::Peer {
        peer: bob(),
        introduction: IntroductionId([1; 16]),
        key: PublicKey([1; 32]),
        candidates: Vec::new(),
        term: Term::UntilLogout,
    };
    keep(&mut store, &[peer], &[]);
    keep(&mut store, &written, &[]);
    assert_eq!(states(&store), [MessageState::Waiting; 8]);
    let to_all = Outcome::Broadcast {
        delivered: 3,
        stored: 2,
        refused: 1,
    };
    let news = [
        answered(1, Outcome::Delivered),
        answered(2, Outcome::Stored),
        answered(3, Outcome::Refused(Refusal::MailboxFull)),
        answered(5, to_all),
        Record::Taken {
            by: bob(),
            through: Seq(1),
        },
    ];
    keep(&mut store, &news, &[]);
    let to_all = MessageState::Broadcast {
        delivered: 3,
        stored: 2,
        refused: 1,
    };
    assert_eq!(
        states(&store),
        [
            MessageState::Delivered,
            MessageState::Stored,
            MessageState::Refused(Refusal::MailboxFull),
            MessageState::Waiting,
            to_all,
            MessageState::Delivered,
            MessageState::Waiting,
            MessageState::Waiting,
        ]
    );
    let news = [
        Record::Delivered { seq: Seq(2) },
        // What is delivered or refused stays so.
        Record::Expired { seq: Seq(2) },
        Record::Delivered { seq: Seq(3) },
        Record::GivenUp { to: name("carol") },
        Record::Taken {
            by: bob(),
            through: Seq(2),
        },
        // What waits for who is gone waits for another introduction, until it is given up.
        Record::PeerGone { peer: bob() },
    ];
    keep(&mut store, &news, &[]);
    assert_eq!(
        states(&store),
        [
            MessageState::Delivered,
            MessageState::Delivered,
            MessageState::Refused(Refusal::MailboxFull),
            MessageState::Waiting,
            to_all,
            MessageState::Delivered,
            MessageState::Delivered,
            MessageState::Waiting,
        ]
    );
    keep(&mut store, &[Record::GivenUp { to: bob() }], &[]);
    assert_eq!(states(&store).pop(), Some(MessageState::GivenUp));
}

fn found(store: &Store, words: &str, user: Option<Name>, since: Option<WallTime>) -> Vec<String> {
    let search = Search {
        words: words.into(),
        user,
        since,
    };
    let found = store.search(&search, 10).unwrap();
    found
        .into_iter()
        .map(|found| {
            let text = |message: Option<Message>| {
                message.map_or_else(|| "-".into(), |message| message.text)
            };
            let (before, after) = (text(found.before), text(found.after));
            format!("{before} / {} / {after}", found.message.text)
        })
        .collect()
}

#[test]
fn words_are_found_the_newest_first_with_what_stands_around_them() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    let shown = [
        hears("bob", 1, "Shall we deploy?"),
        hears("carol", 2, "the deployment of \"Café\" is done"),
        hears("bob", 3, "or not"),
        hears("bob", 4, "we deploy, then"),
        hears_to_all("bob", 5, "deployed"),
    ];
    keep(&mut store, &[], &shown);
    let all = |words| found(&store, words, None, None);
    assert_eq!(
        all("deploy"),
        [
            "- / deployed / -",
            "or not / we deploy, then / -",
            "- / the deployment of \"Café\" is done / -",
            "- / Shall we deploy? / or not"
        ]
    );
    assert_eq!(all("WE DEPLOY").len(), 2);
    assert_eq!(all("cafe").len(), 1, "accents do not matter");
    let bob = Some(name("bob"));
    assert_eq!(found(&store, "deploy", bob, Some(at(4))).len(), 2);
    // Nothing in what is looked for is a command of the index.
    for words in [
        "",
        " ",
        "\"",
        "\"\"",
        "deploy OR not",
        "*",
        "-",
        "text:we",
        "NEAR(we)",
        "we\0deploy",
        "(",
        "^we",
        "+",
    ] {
        let _ = all(words);
    }
    assert_eq!(all("\"café\"").len(), 1);
    assert_eq!(all("NOT").len(), 1);
}

#[test]
fn the_ends_of_conversations_say_what_was_not_seen() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    for turn in 0..4 {
        let shown = [
            hears("bob", turn, &format!("b{turn}")),
            hears("carol", turn, &format!("c{turn}")),
        ];
        keep(&mut store, &[], &shown);
    }
    keep(&mut store, &[tells_all(1, "all")], &[]);
    store.saw_all().unwrap();
    keep(&mut store, &[], &[hears("bob", 9, "b9")]);
    drop(store);
    let mut store = Store::open(folder.path()).unwrap();
    let shown = |store: &Store, conversations| -> Vec<String> {
        let recent = store.recent(conversations, 3).unwrap();
        recent
            .iter()
            .map(|recent| format!("{} {}", texts(&recent.messages).join(" "), recent.unseen))
            .collect()
    };
    assert_eq!(shown(&store, 9), ["c1 c2 c3 0", "all 0", "b2 b3 b9 1"]);
    assert_eq!(shown(&store, 1), ["b2 b3 b9 1"]);
    assert_eq!(shown(&store, 0), [""; 0]);
    // The user's own are never unseen.
    keep(&mut store, &[tells(2, "carol", "me")], &[]);
    assert_eq!(shown(&store, 1), ["c2 c3 me 0"]);
    store.saw_all().unwrap();
    store.close().unwrap();
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(shown(&store, 2), ["b2 b3 b9 0", "c2 c3 me 0"]);
}

/// Whether these bytes are anywhere in the files of a folder.
fn holds(folder: &Path, bytes: &str) -> bool {
    let bytes = bytes.as_bytes();
    fs::read_dir(folder).unwrap().any(|entry| {
        let content = fs::read(entry.unwrap().path()).unwrap();
        content
            .windows(bytes.len())
            .any(|window| window.eq_ignore_ascii_case(bytes))
    })
}

#[test]
fn what_is_forgotten_is_in_no_file_any_more() {
    for what in [
        Forgotten::All,
        Forgotten::User(name("bob")),
        Forgotten::Before(at(5_000)),
    ] {
        let folder = folder();
        let mut store = Store::open(folder.path()).unwrap();
        let long = "xyzzyword ".repeat(1_000);
        keep(&mut store, &[], &[hears("bob", 1, &long)]);
        // Enough that the index is merged meanwhile, with other words in between.
        for turn in 0..120 {
            let shown = [
                hears("bob", turn, &format!("plughword{turn} plover{}", turn % 7)),
                hears("carol", turn + 5_000, &format!("staysword{turn} plain")),
                hears_to_all("bob", turn, &format!("plughtoall{turn}")),
            ];
            keep(
                &mut store,
                &[tells(turn + 1, "bob", &format!("plughmine{turn}"))],
                &shown,
            );
            keep(&mut store, &[answered(turn + 1, Outcome::Delivered)], &[]);
        }
        keep(&mut store, &[tells(121, "bob", "waitsword")], &[]);
        assert!(holds(folder.path(), "plughword119") && holds(folder.path(), "xyzzyword"));
        let count = store.forget(what).unwrap();
        let carols = if what == Forgotten::All { 120 } else { 0 };
        assert_eq!(count, 361 + carols);
        fs::copy(
            folder.path().join(simplechat_store::FILE),
            "/tmp/left.sqlite",
        )
        .unwrap();
        for word in ["xyzzy", "plugh", "plover"] {
            assert!(!holds(folder.path(), word), "{word} after {what:?}");
        }
        assert_eq!(found(&store, "plugh", None, None), [""; 0]);
        assert_eq!(found(&store, "stays", None, None).is_empty(), carols > 0);
        // What waits to be sent is not forgotten before it is sent.
        assert_eq!(found(&store, "waits", None, None).len(), 1);
        assert_eq!(store.load().unwrap().len(), 1);
        keep(&mut store, &[answered(121, Outcome::Delivered)], &[]);
        assert_eq!(store.forget(Forgotten::User(name("bob"))).unwrap(), 1);
        assert!(!holds(folder.path(), "waitsword"));
        store.close().unwrap();
        let store = rusqlite::Connection::open(folder.path().join(simplechat_store::FILE)).unwrap();
        let sound = "INSERT INTO word (word, rank) VALUES ('integrity-check', 1)";
        store.execute_batch(sound).unwrap();
    }
}

#[test]
fn what_was_sent_is_kept_nowhere_but_in_the_history() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    let began = Record::Began {
        instance: ME,
        next_wish: Seq(1),
        next_private: Seq(1),
    };
    keep(
        &mut store,
        &[began, tells(1, "bob", "plugh"), writes(1, "bob", "xyzzy")],
        &[],
    );
    let given_up = Record::GivenUp { to: name("bob") };
    keep(&mut store, &[answered(1, Outcome::Stored), given_up], &[]);
    assert_eq!(store.forget(Forgotten::All).unwrap(), 2);
    assert!(!holds(folder.path(), "plugh") && !holds(folder.path(), "xyzzy"));
}

#[test]
fn a_history_that_is_too_large_loses_its_oldest() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    keep(&mut store, &[tells(1, "bob", "waits")], &[]);
    for turn in 0..30 {
        let shown: Vec<_> = (0..100)
            .map(|number| {
                hears(
                    "bob",
                    turn,
                    &format!("{turn} {number} {}", "x ".repeat(100)),
                )
            })
            .collect();
        keep(&mut store, &[], &shown);
    }
    store.tidy(400_000).unwrap();
    let left = store.history(None, 10_000).unwrap();
    assert!((500..2_000).contains(&left.len()), "{}", left.len());
    assert_eq!(left.first().unwrap().text, "waits");
    assert!(left.last().unwrap().text.starts_with("29 99 "));
    let length = fs::metadata(folder.path().join(simplechat_store::FILE))
        .unwrap()
        .len();
    assert!(length < 800_000, "{length}");
    // Where nothing is left to forget it ends.
    store.tidy(1).unwrap();
    assert_eq!(texts(&store.history(None, 9).unwrap()), ["waits"]);
}

#[test]
fn all_of_it_can_be_handed_out() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    keep(
        &mut store,
        &[],
        &[hears("bob", 1, "a"), hears("carol", 2, "b")],
    );
    let mut out = Vec::new();
    let taken = store.export(None, |message| {
        out.push(message.text.clone());
        Ok::<_, ()>(())
    });
    assert_eq!((taken.unwrap(), out.len()), (Ok(2), 2));
    let bob = store.export(Some(name("bob")), |_| Err("full"));
    assert_eq!(bob.unwrap(), Err("full"));
}

#[test]
fn it_is_one_clients_alone_and_no_servers() {
    let folder = folder();
    let mut first = Store::open(folder.path()).unwrap();
    keep(&mut first, &[], &[hears("bob", 1, "a")]);
    let second = Store::open(folder.path()).unwrap_err();
    assert!(second.is_in_use());
    let said = second.to_string();
    assert!(said.contains("another client (process "), "{said}");
    first.close().unwrap();
    let server = simplechat_store::Store::open(folder.path()).unwrap_err();
    assert!(!server.is_in_use());
    assert!(server.to_string().contains("another program's"), "{server}");
    Store::open(folder.path()).unwrap();
}

#[test]
fn a_private_message_is_kept_by_the_server_as_long_as_the_mail_with_it_is() {
    use MessageState::{Delivered, Stored, Waiting};

    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    let bob = || name("bob");
    let peer = |number| Record::Peer {
        peer: bob(),
        introduction: IntroductionId([number; 16]),
        key: PublicKey([number; 32]),
        candidates: Vec::new(),
        term: Term::Lasting,
    };
    let posted = |wish, through| Record::Posted {
        to: bob(),
        through: Seq(through),
        wish: Seq(wish),
    };
    let lost = Record::MailLost { to: bob() };
    let taken = Record::Taken {
        by: bob(),
        through: Seq(1),
    };
    let full = Outcome::Refused(Refusal::ShareFull);
    keep(&mut store, &[peer(1)], &[]);
    keep(&mut store, &[writes(1, "bob", "one"), posted(1, 1)], &[]);
    keep(&mut store, &[writes(2, "bob", "two")], &[]);
    for (news, expected) in [
        (vec![answered(1, Outcome::Stored)], [Stored, Waiting]),
        (vec![posted(2, 2), answered(2, full)], [Stored, Waiting]),
        (
            vec![posted(3, 2), answered(3, Outcome::Delivered)],
            [Stored, Stored],
        ),
        (vec![lost], [Waiting, Waiting]),
        (
            vec![posted(4, 2), answered(4, Outcome::Stored)],
            [Stored, Stored],
        ),
        (vec![taken], [Delivered, Stored]),
        (vec![peer(2)], [Delivered, Waiting]),
    ] {
        keep(&mut store, &news, &[]);
        assert_eq!(states(&store), expected, "{news:?}");
    }
}
