//! Tests of the whole machine, of what the virtual world does not bring about: peers that say what no client of ours says, and
//! tables that are full.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec;
use core::net::SocketAddr;

use super::event::{KeyMismatch, PeerEvent};
use super::peer::Way;
use super::*;
use crate::channel::tests::pair;
use crate::channel::{Answering, Called, Calling, Channel, Part};
use crate::id::LoginNumber;
use crate::key::KEY_LEN;
use crate::limits::ADDRESS_BOOK_MAX;
use crate::rng::SeededSecrets;
use crate::time::{Timestamp, WallTime};
use crate::wire::Term;
use crate::wire::deframer::Deframer;
use crate::wire::frame::{Frame, RefusalCode};
use crate::wire::item::{Bounded, Payload};
use crate::wire::peer::{PeerAnswer, PeerPush, PrivateMessage};
use crate::wire::push::{Introduction, Presence, Whereabouts};
use crate::wire::request::Operation;

const NOW: Moment = Moment {
    at: Timestamp::ZERO,
    wall: WallTime(0),
};
const INTRODUCTION: IntroductionId = IntroductionId([1; 16]);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Alice's client, whose login was granted.
fn client() -> Client {
    let address = SocketAddr::from(([192, 0, 2, 1], 5150));
    let config = Config::new(vec![address], address);
    let secrets = Box::new(SeededSecrets::new(1));
    let mut client = Client::new(config, [1; 32], secrets, NOW);
    client = client.trusting(PublicKey([3; KEY_LEN]));
    client.user = Some(name("alice"));
    client.link.login = Some(LoginNumber(1));
    client
}

fn introduction(peer: Name, id: IntroductionId) -> Introduction {
    Introduction {
        peer,
        id,
        key: PublicKey([1; KEY_LEN]),
        whereabouts: at([]),
        term: Term::UntilLogout,
    }
}

fn at(candidates: impl IntoIterator<Item = SocketAddr>) -> Whereabouts {
    Whereabouts {
        reach: Reach::Reachable,
        candidates: Bounded::first_of(candidates),
    }
}

#[test]
fn nobody_is_asked_for_an_address_that_has_no_place_in_the_book() {
    let mut client = client();
    for number in 0..ADDRESS_BOOK_MAX {
        let id = IntroductionId(u128::try_from(number).unwrap().to_be_bytes());
        let peer = name(&format!("user{number}"));
        client.book.introduce(introduction(peer, id));
    }
    let ask = Command::GetAddress {
        user: name("bob"),
        term: Term::UntilLogout,
    };
    assert_eq!(
        client.handle_command(NOW, ask.clone()),
        Err(Rejected::AddressBookFull)
    );
    client.book.remove(name("user7"));
    assert_eq!(client.handle_command(NOW, ask), Ok(()));
}

/// Brings two texts to bob, who answers that he has all up to a number. Gives how many wait then.
fn waiting_after_receipt(seq: Seq) -> usize {
    let mut client = client();
    let (ours, mut bobs): (Channel, Channel) = pair(1);
    client
        .book
        .introduce(introduction(name("bob"), INTRODUCTION));
    client.peer_sessions.begin(NOW.at, INTRODUCTION, ours);
    let peer = client.book.get_mut(name("bob")).unwrap();
    let address = SocketAddr::from(([192, 0, 2, 8], 40_000));
    peer.found(NOW.at, Way::Address(address));
    for number in [1, 2] {
        let message = PrivateMessage {
            instance: InstanceId([0; 16]),
            seq: Seq(number),
            sent: NOW.wall,
            text: "hi".parse().unwrap(),
        };
        peer.push(message).unwrap();
    }
    peer.stored(Seq(2));
    client.pump_peer(name("bob"));
    let Some(Output::Connect { conn, .. }) = client.poll_output() else {
        panic!("bob is dialled");
    };
    let answer = Payload::of(&PeerAnswer::Taken { seq });
    let bytes = bobs.seal_answer(answer.as_bytes());
    client.handle_input(
        NOW,
        Input::Received {
            conn,
            bytes: &bytes,
        },
    );
    client.sizes().waiting
}

#[test]
fn a_receipt_for_less_than_was_sent_is_none() {
    assert_eq!(waiting_after_receipt(Seq(2)), 0);
    assert_eq!(waiting_after_receipt(Seq(1)), 2);
}

const BOB_AT: SocketAddr = SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 40_000);

/// All that the client gives: where it sends frames, and what it tells.
fn outputs(client: &mut Client) -> (Vec<(ConnId, Vec<u8>)>, Vec<Event>) {
    let (mut frames, mut events) = (Vec::new(), Vec::new());
    while let Some(output) = client.poll_output() {
        match output {
            Output::Send { conn, bytes } => frames.push((conn, bytes)),
            Output::Event(event) => events.push(event),
            Output::Connect { .. }
            | Output::Close { .. }
            | Output::Keep { .. }
            | Output::Effect(_)
            | Output::Stop => {}
        }
    }
    (frames, events)
}

fn receive(client: &mut Client, conn: ConnId, bytes: &[u8]) {
    client.handle_input(NOW, Input::Received { conn, bytes });
}

fn handshake_in(bytes: &[u8]) -> Vec<u8> {
    let mut deframer = Deframer::default();
    deframer.push(bytes);
    let frame = deframer.next_frame().unwrap().unwrap();
    match Frame::parse(&frame) {
        Ok(Frame::Handshake(message)) => message.to_vec(),
        other => panic!("{other:?} is a handshake"),
    }
}

/// Alice's client, and what bob is known by there.
fn client_with_bob(candidates: Vec<SocketAddr>) -> (Client, StaticKey) {
    let mut client = client();
    let key = StaticKey::generate(&mut SeededSecrets::new(2));
    client.book.introduce(Introduction {
        key: key.public(),
        whereabouts: at(candidates),
        ..introduction(name("bob"), INTRODUCTION)
    });
    (client, key)
}

/// Somebody calls as bob. What the user is told.
fn called_by(client: &mut Client, key: &StaticKey, conn: u64) -> Vec<Event> {
    let conn = ConnId::Accepted(conn);
    let (local, remote) = (BOB_AT, BOB_AT);
    client.handle_input(
        NOW,
        Input::Accepted {
            conn,
            remote,
            local,
        },
    );
    let mut secrets = SeededSecrets::new(3);
    let part = Part::PeerInitiator(client.key.public());
    let (calling, first) = Calling::start(&Noise, part, key, &mut secrets, &[]).unwrap();
    receive(client, conn, &first);
    let (frames, _) = outputs(client);
    let met = calling.answered(&handshake_in(&frames[0].1)).unwrap();
    let hello = Payload::of(&PeerPush::Probe {
        introduction: INTRODUCTION,
    });
    let (_, third) = met.say(hello.as_bytes());
    receive(client, conn, &third);
    outputs(client).1
}

#[test]
fn a_caller_with_another_key_is_told_once() {
    let (mut client, bobs) = client_with_bob([BOB_AT].into());
    let other = StaticKey::generate(&mut SeededSecrets::new(9));
    let told = PeerEvent::KeyMismatch {
        peer: name("bob"),
        at: BOB_AT.ip(),
        mismatch: KeyMismatch::Calls,
    };
    assert_eq!(called_by(&mut client, &other, 1), [told.into()]);
    assert_eq!(called_by(&mut client, &other, 2), []);
    assert_eq!(called_by(&mut client, &bobs, 3), []);
    assert!(client.book.has(INTRODUCTION));
    let ask = Command::GetAddress {
        user: name("bob"),
        term: Term::UntilLogout,
    };
    assert_eq!(client.handle_command(NOW, ask), Ok(()));
}

/// Writes to bob, and gives the greetings that go out.
fn write_to_bob(client: &mut Client) -> Vec<(ConnId, Vec<u8>)> {
    let text = "hi".parse().unwrap();
    let to = name("bob");
    let command = Command::Private { to, text };
    assert_eq!(client.handle_command(NOW, command), Ok(()));
    outputs(client).0
}

/// Bob, with his key, answers a greeting.
fn bob_answers(key: &StaticKey, first: &[u8]) -> (Answering, Vec<u8>) {
    let mut secrets = SeededSecrets::new(4);
    let part = Part::PeerResponder;
    let called = Called::take(&Noise, part, key, &mut secrets, &handshake_in(first)).unwrap();
    called.answer().unwrap()
}

#[test]
fn a_peer_who_knows_this_client_by_another_key_is_told() {
    let (mut client, bobs) = client_with_bob([BOB_AT].into());
    let (conn, first) = write_to_bob(&mut client).remove(0);
    let (_, second) = bob_answers(&bobs, &first);
    receive(&mut client, conn, &second);
    let refusal = Frame::Refusal(RefusalCode::Malformed).to_bytes();
    receive(&mut client, conn, &refusal);
    let told = PeerEvent::KeyMismatch {
        peer: name("bob"),
        at: BOB_AT.ip(),
        mismatch: KeyMismatch::Refuses,
    };
    let (_, events) = outputs(&mut client);
    assert!(events.contains(&told.into()), "{events:?}");
    assert_eq!(client.sizes().waiting, 1);
}

/// Somebody else is at one of bob's addresses, and bob at another one or nowhere. Whether the user is told.
fn is_mismatch_told(bob_elsewhere: Presence) -> bool {
    let elsewhere = SocketAddr::from(([192, 0, 2, 9], 40_000));
    let (mut client, bobs) = client_with_bob([BOB_AT, elsewhere].into());
    let greetings = write_to_bob(&mut client);
    let [(not_bob, _), (bob, first)] = &greetings[..] else {
        panic!("both are greeted: {greetings:?}");
    };
    let refusal = Frame::Refusal(RefusalCode::Malformed).to_bytes();
    receive(&mut client, *not_bob, &refusal);
    if bob_elsewhere == Presence::Online {
        let (answering, second) = bob_answers(&bobs, first);
        receive(&mut client, *bob, &second);
        let (frames, _) = outputs(&mut client);
        let (mut channel, ..) = answering.finish(&handshake_in(&frames[0].1)).unwrap();
        let welcome = Payload::of(&PeerAnswer::Welcome);
        let bytes = channel.seal_answer(welcome.as_bytes());
        receive(&mut client, *bob, &bytes);
    } else {
        client.handle_input(NOW, Input::Finished { conn: *bob });
    }
    let is_mismatch = |event: &Event| matches!(event, Event::Peer(PeerEvent::KeyMismatch { .. }));
    outputs(&mut client).1.iter().any(is_mismatch)
}

#[test]
fn somebody_else_at_an_address_is_no_news_while_the_peer_is_at_another() {
    assert!(is_mismatch_told(Presence::Offline));
    assert!(!is_mismatch_told(Presence::Online));
}

#[test]
fn an_introduction_that_nobody_agreed_to_changes_nothing() {
    let (mut client, bobs) = client_with_bob([BOB_AT].into());
    let unasked = |peer| [Event::from(PeerEvent::IntroducedUnasked { peer })];
    let next = IntroductionId([2; 16]);
    for peer in ["bob", "carol"].map(name) {
        let events = client.on_introduced(introduction(peer, next));
        assert_eq!(events, unasked(peer));
    }
    assert!(client.book.has(INTRODUCTION) && !client.book.has(next));
    assert_eq!(client.book.get(name("bob")).unwrap().key, bobs.public());
    // Carol does not go on with somebody who has not her; what is between bob and this client stays.
    client.do_due();
    let wishes: Vec<_> = client.outbox.unanswered().map(|(_, wish)| wish).collect();
    let user = name("carol");
    assert_eq!(wishes, [&Operation::RemoveAddress { user }]);

    let ask = Command::GetAddress {
        user: name("carol"),
        term: Term::UntilLogout,
    };
    assert_eq!(client.handle_command(NOW, ask), Ok(()));
    let events = client.on_introduced(introduction(name("carol"), next));
    let peer = name("carol");
    assert_eq!(
        events,
        [PeerEvent::Introduced {
            peer,
            term: Term::UntilLogout,
        }
        .into()]
    );
}

#[test]
fn who_calls_too_often_is_refused_before_anything_is_computed() {
    let (mut client, _) = client_with_bob([BOB_AT].into());
    let nonsense = Frame::Handshake(&[7; 48]).to_bytes();
    let mut refusals = Vec::new();
    for number in 0..121 {
        let conn = ConnId::Accepted(number);
        let (local, remote) = (BOB_AT, BOB_AT);
        let accepted = Input::Accepted {
            conn,
            remote,
            local,
        };
        client.handle_input(NOW, accepted);
        receive(&mut client, conn, &nonsense);
        refusals.extend(outputs(&mut client).0.into_iter().map(|(_, bytes)| bytes));
    }
    let malformed = Frame::Refusal(RefusalCode::Malformed).to_bytes();
    let busy = Frame::Refusal(RefusalCode::Busy).to_bytes();
    assert_eq!(refusals[..120], vec![malformed; 120]);
    assert_eq!(refusals[120..], [busy]);
}
