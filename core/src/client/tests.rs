//! Tests of the whole machine, of what the virtual world does not bring about: peers that say what no client of ours says, and
//! tables that are full.

use alloc::boxed::Box;
use alloc::format;
use alloc::vec;
use core::net::SocketAddr;

use super::*;
use crate::channel::Channel;
use crate::channel::tests::pair;
use crate::id::LoginNumber;
use crate::key::KEY_LEN;
use crate::limits::ADDRESS_BOOK_MAX;
use crate::rng::SeededSecrets;
use crate::time::{Timestamp, WallTime};
use crate::wire::item::{Bounded, Payload};
use crate::wire::peer::{PeerAnswer, PrivateMessage};
use crate::wire::push::Introduction;

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
    client.user = Some(name("alice"));
    client.link.login = Some(LoginNumber(1));
    client
}

fn introduction(peer: Name, id: IntroductionId) -> Introduction {
    Introduction {
        peer,
        id,
        key: PublicKey([1; KEY_LEN]),
        candidates: Bounded::first_of([]),
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
    let ask = Command::GetAddress { user: name("bob") };
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
    peer.address = Some(SocketAddr::from(([192, 0, 2, 8], 40_000)));
    for number in [1, 2] {
        let message = PrivateMessage {
            instance: InstanceId([0; 16]),
            seq: Seq(number),
            sent: NOW.wall,
            text: "hi".parse().unwrap(),
        };
        peer.push(message).unwrap();
    }
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
