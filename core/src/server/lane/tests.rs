//! Tests of the lane.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use super::*;
use crate::id::InstanceId;
use crate::key::KEY_LEN;
use crate::server::AccountId;
use crate::server::expiry::Untold;
use crate::server::mailbox::{Entry, Keeping, MailboxLimits, Origin};
use crate::wire::Term;
use crate::wire::item::{Items, decode};
use crate::wire::push::{Audience, Delivery};

const INTERVAL: Duration = Duration::from_secs(2);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

const CLIENT: PublicKey = PublicKey([1; KEY_LEN]);

fn put(mailbox: &mut Mailbox, seq: u64, text: &str) {
    let delivery = Delivery {
        from: name("bob"),
        instance: InstanceId([0; 16]),
        seq: Seq(seq),
        sent: crate::time::WallTime(0),
        audience: Audience::You,
        text: text.parse().unwrap(),
    };
    let item: Arc<[u8]> = encode(&Push::Message(delivery)).into();
    let origin = Origin {
        account: AccountId(1),
        instance: InstanceId([0; 16]),
        seq: Seq(seq),
    };
    let entry = Entry {
        item,
        origin,
        audience: Audience::You,
        mail: None,
        accepted: at(0),
        expires: at(1_000),
        keeping: Keeping::Passing,
    };
    mailbox.push(entry, MailboxLimits::default()).unwrap();
}

/// What the next batch holds, in short.
#[allow(clippy::wildcard_enum_match_arm, reason = "the others show themselves")]
fn next(lane: &mut Lane, now: Timestamp, mailbox: &Mailbox) -> Vec<String> {
    match lane.next(now, mailbox, &Untold::default()) {
        Next::Send(payload) => Items::new(payload.as_bytes())
            .map(|item| match decode::<Push>(item.unwrap()).unwrap() {
                Push::Batch { number } => format!("#{}", number.0),
                Push::Message(delivery) => format!("message {}", delivery.seq.0),
                Push::Presence { user, presence } => format!("{user} {presence:?}"),
                Push::KeptStart { count } => format!("kept {count}"),
                Push::KeptEnd => "kept end".into(),
                Push::AddressDenied { by } => format!("denied {by}"),
                Push::Introduced(introduction) => format!("introduced {}", introduction.peer),
                Push::NoAnswer { from } => format!("no answer {from}"),
                Push::AddressAsked { by, .. } => format!("asked {by}"),
                other => format!("{other:?}"),
            })
            .collect(),
        Next::Wait(until) => alloc::vec![format!("wait until {until:?}")],
        Next::Nothing => Vec::new(),
    }
}

fn take(lane: &mut Lane, mailbox: &mut Mailbox, number: u64) {
    let taken = lane.taken(BatchNumber(number)).unwrap();
    if let Some(through) = taken.through {
        mailbox.take_up_to(through, CLIENT);
    }
}

const CONN: ConnId = ConnId::Dialled(1);

#[test]
fn a_failed_batch_comes_again_unchanged() {
    let mut mailbox = Mailbox::default();
    let mut lane = Lane::new(CLIENT, INTERVAL, &mailbox);
    let mut rng = Rng::new([0; 32]);
    put(&mut mailbox, 1, "one");
    assert_eq!(next(&mut lane, at(0), &mailbox), ["#1", "message 1"]);
    lane.sending(CONN);
    put(&mut mailbox, 2, "two");
    assert_eq!(next(&mut lane, at(1), &mailbox), [""; 0], "one at a time");
    assert!(lane.failed(ConnId::Dialled(9), &mut rng).is_none());
    assert!(lane.failed(CONN, &mut rng).is_some());
    assert_eq!(next(&mut lane, at(2), &mailbox), [""; 0], "it rests");
    lane.wake();
    assert_eq!(next(&mut lane, at(3), &mailbox), ["#1", "message 1"]);
    lane.sending(CONN);
    assert!(lane.taken(BatchNumber(9)).is_none());
    take(&mut lane, &mut mailbox, 1);
    assert_eq!(next(&mut lane, at(4), &mailbox), ["#2", "message 2"]);
    take(&mut lane, &mut mailbox, 2);
    assert_eq!(next(&mut lane, at(5), &mailbox), [""; 0]);
    assert!(lane.is_drained(&mailbox));
}

#[test]
fn kept_messages_stand_between_their_marks() {
    let mut mailbox = Mailbox::default();
    put(&mut mailbox, 1, &"x".repeat(40_000));
    put(&mut mailbox, 2, &"x".repeat(40_000));
    let mut lane = Lane::new(CLIENT, INTERVAL, &mailbox);
    put(&mut mailbox, 3, "later");
    assert_eq!(
        next(&mut lane, at(0), &mailbox),
        ["#1", "kept 2", "message 1"]
    );
    take(&mut lane, &mut mailbox, 1);
    assert_eq!(
        next(&mut lane, at(0), &mailbox),
        ["#2", "message 2", "kept end", "message 3"]
    );
}

#[test]
fn kept_messages_that_were_discarded_leave_no_marks() {
    let mut mailbox = Mailbox::default();
    put(&mut mailbox, 1, "one");
    let mut lane = Lane::new(CLIENT, INTERVAL, &mailbox);
    mailbox.discard_from(AccountId(1));
    assert_eq!(next(&mut lane, at(0), &mailbox), [""; 0]);
}

#[test]
fn presence_is_told_at_most_once_in_the_interval_and_only_its_net_effect() {
    let mailbox = Mailbox::default();
    let mut lane = Lane::new(CLIENT, INTERVAL, &mailbox);
    lane.note_presence(name("bob"), Presence::Online);
    assert_eq!(next(&mut lane, at(5_000), &mailbox), ["#1", "bob Online"]);
    assert!(lane.taken(BatchNumber(1)).is_some());
    lane.note_presence(name("bob"), Presence::Offline);
    lane.note_presence(name("carol"), Presence::Online);
    lane.note_presence(name("bob"), Presence::Online);
    assert_eq!(
        next(&mut lane, at(5_001), &mailbox),
        ["wait until 7.000000s"]
    );
    assert_eq!(next(&mut lane, at(7_000), &mailbox), ["#2", "carol Online"]);
}

#[test]
fn presence_rides_on_what_goes_anyway() {
    let mut mailbox = Mailbox::default();
    let mut lane = Lane::new(CLIENT, INTERVAL, &mailbox);
    put(&mut mailbox, 1, "one");
    lane.note_presence(name("carol"), Presence::Online);
    assert_eq!(
        next(&mut lane, at(0), &mailbox),
        ["#1", "message 1", "carol Online"]
    );
}

#[test]
fn a_notice_replaces_the_one_it_makes_stale() {
    let mailbox = Mailbox::default();
    let mut lane = Lane::new(CLIENT, INTERVAL, &mailbox);
    let notice = |subject, push| Notice { subject, push };
    let bob = name("bob");
    lane.notify(notice(
        Subject::OwnQuestion(bob),
        Push::AddressDenied { by: bob },
    ));
    lane.notify(notice(
        Subject::Question(bob),
        Push::AddressAsked {
            by: bob,
            expires_in_ms: 1,
            term: Term::UntilLogout,
        },
    ));
    lane.notify(notice(
        Subject::OwnQuestion(bob),
        Push::NoAnswer { from: bob },
    ));
    assert_eq!(
        next(&mut lane, at(0), &mailbox),
        ["#1", "asked bob", "no answer bob"]
    );
}

#[test]
fn what_was_not_acknowledged_is_there_for_the_next_session() {
    let mailbox = Mailbox::default();
    let mut lane = Lane::new(CLIENT, INTERVAL, &mailbox);
    let bob = name("bob");
    let notice = |subject, push| Notice { subject, push };
    lane.notify(notice(
        Subject::OwnQuestion(bob),
        Push::AddressDenied { by: bob },
    ));
    assert_eq!(next(&mut lane, at(0), &mailbox), ["#1", "denied bob"]);
    lane.sending(CONN);
    lane.notify(notice(
        Subject::Question(bob),
        Push::QuestionClosed { by: bob },
    ));
    let left: Vec<_> = lane
        .take_notices()
        .into_iter()
        .map(|notice| notice.push)
        .collect();
    assert_eq!(
        left,
        [
            Push::AddressDenied { by: bob },
            Push::QuestionClosed { by: bob }
        ]
    );
}

#[test]
fn nothing_waits_without_bound() {
    let mailbox = Mailbox::default();
    let mut lane = Lane::new(CLIENT, INTERVAL, &mailbox);
    for number in 0..NOTICES_MAX + 9 {
        let from = name(&format!("user{number}"));
        lane.notify(Notice {
            subject: Subject::OwnQuestion(from),
            push: Push::NoAnswer { from },
        });
    }
    for seq in 0..2_000 {
        lane.note_receipt(Seq(seq), name("bob"));
    }
    assert_eq!(lane.notices(), NOTICES_MAX);
    assert_eq!(lane.receipts(), RECEIPTS_MAX);
    assert_eq!(mailbox.len(), 0);
}

#[test]
fn a_lane_is_drained_when_nothing_waits_and_nothing_is_on_its_way() {
    let mut mailbox = Mailbox::default();
    let mut lane = Lane::new(CLIENT, INTERVAL, &mailbox);
    assert!(lane.is_drained(&mailbox));
    lane.notify(Notice {
        subject: Subject::Server,
        push: Push::Stopping,
    });
    assert!(!lane.is_drained(&mailbox), "a notice waits");
    let _ = next(&mut lane, at(0), &mailbox);
    assert!(!lane.is_drained(&mailbox), "it is on its way");
    take(&mut lane, &mut mailbox, 1);
    assert!(lane.is_drained(&mailbox));
    put(&mut mailbox, 1, "one");
    assert!(!lane.is_drained(&mailbox), "a message waits");
}
