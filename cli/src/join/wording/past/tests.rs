//! What is said of messages of the past, as snapshots.

use simplechat_core::name::Name;
use simplechat_core::time::WallTime;
use simplechat_core::wire::request::Refusal;

use super::super::tests::{NOW, clock, name};
use super::*;

fn bob() -> Name {
    name("bob")
}

fn said_by(author: Author, conversation: Conversation, route: Route, text: &str) -> Message {
    Message {
        nr: 1,
        at: NOW,
        conversation,
        author,
        route,
        text: text.into(),
    }
}

fn theirs(conversation: Conversation, route: Route, text: &str) -> Message {
    said_by(Author::Other(bob()), conversation, route, text)
}

fn own(state: MessageState, conversation: Conversation, route: Route) -> Message {
    said_by(Author::Own(state), conversation, route, "hi")
}

#[test]
fn messages_look_as_they_came_and_own_ones_say_where_they_stand() {
    let with = Conversation::With(bob());
    let unmarked = Route::Private(Verification::Unverified);
    let marked = Route::Private(Verification::Verified);
    let to_all = MessageState::Broadcast {
        delivered: 1,
        stored: 1,
        refused: 1,
    };
    let long_ago = Message {
        at: WallTime(NOW.0 - 40 * 24 * 60 * 60 * 1_000),
        ..theirs(with, Route::Server, "long ago")
    };
    let all = [
        theirs(with, Route::Server, "hi"),
        theirs(Conversation::Everyone, Route::Broadcast, "hi"),
        theirs(with, unmarked, "hi"),
        theirs(with, marked, "hi"),
        theirs(with, Route::Server, "two\n[12:00] carol: lines \u{1b}[2J"),
        long_ago,
        own(MessageState::Delivered, with, Route::Server),
        own(MessageState::Waiting, with, Route::Server),
        own(MessageState::Stored, with, Route::Server),
        own(
            MessageState::Refused(Refusal::MailboxFull),
            with,
            Route::Server,
        ),
        own(MessageState::Waiting, with, unmarked),
        own(MessageState::GivenUp, with, unmarked),
        own(MessageState::Expired, with, Route::Server),
        own(to_all, Conversation::Everyone, Route::Broadcast),
    ]
    .map(|message| self::message(&message, &clock()));
    insta::assert_snapshot!(all.join("\n"), @r#"
    [08:00] bob: hi
    [08:00] bob to all: hi
    [08:00] bob privately: hi
    [08:00] bob (verified) privately: hi
    [08:00] bob: two
        [12:00] carol: lines �[2J
    [2026-12-06 08:00] bob: long ago
    [08:00] you > bob: hi
    [08:00] you > bob (waiting): hi
    [08:00] you > bob (kept by the server): hi
    [08:00] you > bob (refused, the mailbox is full): hi
    [08:00] you > bob privately (waiting): hi
    [08:00] you > bob privately (not delivered, and not sent any more): hi
    [08:00] you > bob (not fetched in time, and not kept any more): hi
    [08:00] you > all: hi
    "#);
}

#[test]
fn conversations_end_with_what_was_not_seen() {
    let with = Conversation::With(bob());
    let both = [
        Recent {
            messages: vec![theirs(Conversation::Everyone, Route::Broadcast, "lunch?")],
            unseen: 0,
        },
        Recent {
            messages: vec![
                own(MessageState::Delivered, with, Route::Server),
                theirs(with, Route::Server, "psst"),
            ],
            unseen: 1,
        },
    ];
    insta::assert_snapshot!(recent(&both, &clock()).join("\n"), @r#"
    --- to all ---
    [08:00] bob to all: lunch?
    --- with bob ---
    [08:00] you > bob: hi
    --- not seen yet ---
    [08:00] bob: psst
    "#);
}

#[test]
fn what_was_found_stands_between_its_neighbours() {
    let with = Conversation::With(bob());
    let long = format!("{}\n[12:00] carol: me", "so ".repeat(30));
    let found = [
        Found {
            before: Some(theirs(with, Route::Server, &long)),
            message: own(MessageState::Stored, with, Route::Server),
            after: Some(theirs(with, Route::Server, "two\nlines")),
        },
        Found {
            before: None,
            message: theirs(Conversation::Everyone, Route::Broadcast, "hi"),
            after: None,
        },
    ];
    insta::assert_snapshot!(super::found(&found, &clock()).join("\n"), @r#"
    --- with bob ---
      [08:00] bob: so so so so so so so so so so so so so so so so so so so so …
    [08:00] you > bob (kept by the server): hi
      [08:00] bob: two ⏎ lines
    --- to all ---
    [08:00] bob to all: hi
    "#);
}

#[test]
fn what_is_said_of_keeping() {
    let said = [
        not_kept("the store DIR/store.sqlite: database or disk is full"),
        KEPT_AGAIN.into(),
        HANDED_OVER.into(),
        NOTHING_KEPT.into(),
        EMPTY.into(),
        NOT_FOUND.into(),
        there_are_more(20),
        warning(&Part::User(bob())),
        warning(&Part::Before(jiff::civil::date(2027, 1, 31))),
        warning(&Part::All),
        forgotten(1),
        exported(2, Path::new("out\u{1b}.txt")),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    ! What you write and get cannot be kept: the store DIR/store.sqlite: database or disk is full
        Until it can, nothing is sent to anybody, and nobody is told that you have theirs. It is tried again by itself.
    ! What you write and get is kept again.
    ! Another client on this device goes on with your account, so this one ends.
    ! nothing is kept: this client was started with --no-history, or join.store is memory
      there are no messages
      nothing was found
      these are the last 20 messages; --user USER and --since DATE leave out others
    All that was written to and by bob is erased from this machine for good.
    All that was written before 2027-01-31 is erased from this machine for good.
    All that was written is erased from this machine for good.
      1 message erased
      out�.txt has 2 messages
    "#);
}
