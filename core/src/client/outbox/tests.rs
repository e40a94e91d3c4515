//! Tests of the outbox.

use alloc::vec::Vec;
use core::time::Duration;

use super::*;
use crate::channel::tests::pair;
use crate::wire::frame::Frame;
use crate::wire::item::{Items, decode};

const A: ConnId = ConnId::Dialled(1);
const B: ConnId = ConnId::Dialled(2);
const NOW: Timestamp = Timestamp::from_secs(9);

fn say(outbox: &mut Outbox, text: &str) {
    let text = text.parse().unwrap();
    outbox.push(Operation::Broadcast { text }).unwrap();
}

/// What goes into a frame: the numbers, with a mark at those that only fill their place.
fn send(outbox: &mut Outbox, conn: ConnId) -> Vec<(u64, bool)> {
    let mut payload = Payload::default();
    outbox.send(NOW, &mut payload, conn, |_| {});
    Items::new(payload.as_bytes())
        .filter_map(|item| {
            let Request::Submit { seq, operation } = decode(item.unwrap()).unwrap() else {
                return None;
            };
            Some((seq.0, operation == Operation::Skip))
        })
        .collect()
}

fn frame() -> Counter {
    let (mut server, mut client) = pair(0);
    let bytes = server.seal_answer(b"");
    let Ok(Frame::Session(sealed)) = Frame::parse(&bytes) else {
        panic!("{bytes:?} is no sealed frame");
    };
    client.open_answer(&sealed).unwrap().counter
}

fn answer(outbox: &mut Outbox, seq: u64) {
    let outcome = Outcome::Done;
    let frame = frame();
    outbox.answered(Seq(seq), Answered { outcome, frame });
}

fn popped(outbox: &mut Outbox) -> usize {
    core::iter::from_fn(|| outbox.pop_answered()).count()
}

#[test]
fn what_is_on_its_way_is_not_sent_twice_until_its_connection_is_over() {
    let mut outbox = Outbox::new(StoreKind::None);
    say(&mut outbox, "1");
    say(&mut outbox, "2");
    assert_eq!(send(&mut outbox, A), [(1, false), (2, false)]);
    say(&mut outbox, "3");
    assert_eq!(send(&mut outbox, B), [(3, false)]);
    assert!(outbox.next_send().is_none());
    answer(&mut outbox, 2);
    assert!(outbox.connection_over(A));
    assert_eq!(send(&mut outbox, B), [(1, false)]);
    assert!(!outbox.connection_over(A));
}

#[test]
fn answers_are_given_in_the_order_of_the_wishes() {
    let mut outbox = Outbox::new(StoreKind::None);
    for text in ["1", "2", "3"] {
        say(&mut outbox, text);
    }
    send(&mut outbox, A);
    answer(&mut outbox, 3);
    answer(&mut outbox, 2);
    assert_eq!(popped(&mut outbox), 0);
    assert_eq!(outbox.lowest_unanswered(), Seq(1));
    answer(&mut outbox, 1);
    answer(&mut outbox, 1);
    assert_eq!(popped(&mut outbox), 3);
    assert_eq!(outbox.lowest_unanswered(), Seq(4));
}

#[test]
fn a_server_that_forgot_gets_every_number_but_does_nothing_twice() {
    let mut outbox = Outbox::new(StoreKind::None);
    for text in ["1", "2", "3"] {
        say(&mut outbox, text);
    }
    send(&mut outbox, A);
    answer(&mut outbox, 2);
    outbox.send_all_again();
    assert_eq!(send(&mut outbox, B), [(1, false), (2, true), (3, false)]);
}

#[test]
fn what_was_put_off_waits_and_nothing_overtakes_it() {
    let mut outbox = Outbox::new(StoreKind::None);
    for text in ["1", "2", "3"] {
        say(&mut outbox, text);
    }
    send(&mut outbox, A);
    answer(&mut outbox, 1);
    let soon = NOW + Duration::from_millis(1);
    assert!(outbox.put_off(Seq(2), A, soon), "it is the first");
    assert!(!outbox.put_off(Seq(3), A, NOW));
    assert!(!outbox.connection_over(A), "all have a word");
    say(&mut outbox, "4");
    assert_eq!(outbox.next_send(), Some(soon));
    assert_eq!(send(&mut outbox, B), []);
    assert!(!outbox.put_off(Seq(2), A, NOW), "it is old news");
    assert_eq!(outbox.next_send(), Some(soon));
}

#[test]
fn that_it_is_slowed_is_news_again_when_nothing_waited() {
    let mut outbox = Outbox::new(StoreKind::None);
    for seq in [1, 2] {
        say(&mut outbox, "x");
        send(&mut outbox, A);
        assert!(outbox.put_off(Seq(seq), A, NOW));
        send(&mut outbox, A);
        assert!(!outbox.put_off(Seq(seq), A, NOW));
        answer(&mut outbox, seq);
        assert_eq!(popped(&mut outbox), 1);
    }
}

#[test]
fn no_more_than_the_window_is_on_its_way() {
    let mut outbox = Outbox::new(StoreKind::None);
    for _ in 0..SEQ_WINDOW + 5 {
        say(&mut outbox, "x");
    }
    assert_eq!(send(&mut outbox, A).last(), Some(&(SEQ_WINDOW, false)));
    assert!(outbox.next_send().is_none());
    answer(&mut outbox, 1);
    assert_eq!(popped(&mut outbox), 1);
    assert_eq!(send(&mut outbox, B), [(SEQ_WINDOW + 1, false)]);
}

#[test]
fn a_frame_takes_what_fits() {
    let mut outbox = Outbox::new(StoreKind::None);
    for _ in 0..3 {
        say(&mut outbox, &"x".repeat(30_000));
    }
    assert_eq!(send(&mut outbox, A).len(), 2);
    assert_eq!(send(&mut outbox, B), [(3, false)]);
}

#[test]
fn it_is_bounded() {
    let mut outbox = Outbox::new(StoreKind::None);
    for _ in 0..OUTBOX_MAX {
        say(&mut outbox, "x");
    }
    let text = "x".parse().unwrap();
    assert_eq!(outbox.push(Operation::Broadcast { text }), Err(Full));
}
