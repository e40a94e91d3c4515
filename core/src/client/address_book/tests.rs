//! Tests of the address book.

use super::*;
use crate::id::InstanceId;
use crate::key::KEY_LEN;
use crate::time::WallTime;
use crate::wire::item::Bounded;

fn bob() -> Name {
    "bob".parse().unwrap()
}

fn introduction(number: u8) -> Introduction {
    Introduction {
        peer: bob(),
        id: IntroductionId([number; 16]),
        key: PublicKey([number; KEY_LEN]),
        whereabouts: Whereabouts {
            reach: Reach::Reachable,
            candidates: Bounded::first_of([]),
        },
        term: Term::UntilLogout,
    }
}

fn private(seq: u64) -> PrivateMessage {
    PrivateMessage {
        instance: InstanceId([0; 16]),
        seq: Seq(seq),
        sent: WallTime(0),
        text: "x".parse().unwrap(),
    }
}

#[test]
fn a_new_introduction_replaces_the_key_and_keeps_what_waits() {
    let mut book = AddressBook::default();
    let (first, second) = (introduction(1), introduction(2));
    let (old, new) = (first.id, second.id);
    book.introduce(first);
    book.get_mut(bob()).unwrap().push(private(1)).unwrap();
    book.introduce(second);
    assert!(!book.has(old));
    let peer = book.by_introduction(new).unwrap();
    assert_eq!((peer.waiting(), peer.key), (1, PublicKey([2; KEY_LEN])));
    assert_eq!(book.len(), 1);
}

#[test]
fn what_waits_is_bounded() {
    let mut peer = Peer::new(introduction(1));
    for seq in 0..u64::try_from(OUTBOX_MAX).unwrap() {
        peer.push(private(seq)).unwrap();
    }
    assert!(peer.push(private(9_999)).is_err());
}

#[test]
fn a_late_receipt_counts_nothing_twice() {
    let mut peer = Peer::new(introduction(1));
    peer.push(private(1)).unwrap();
    peer.push(private(2)).unwrap();
    assert_eq!(peer.taken(Seq(1)), 1);
    assert_eq!(peer.taken(Seq(1)), 0);
    assert_eq!(peer.waiting(), 1);
}

#[test]
fn nobody_knows_whether_a_peer_is_reachable_while_they_are_looked_for() {
    let mut peer = Peer::new(introduction(1));
    let reach = |peer: &Peer| peer.reach(Some(Reach::Held));
    assert_eq!(reach(&peer), PeerReach::Unreachable(Uncallable::Us));
    peer.greetings = 1;
    assert_eq!(reach(&peer), PeerReach::Unknown);
}

#[test]
fn a_peer_who_moves_is_where_they_were_until_they_are_found_elsewhere() {
    let at = Timestamp::from_secs;
    let [old, new, other] = [1, 2, 3].map(|port| SocketAddr::from(([10, 0, 0, 1], port)));
    let mut peer = Peer::new(introduction(1));
    peer.found(at(1), Way::Address(old));
    peer.found(at(1), Way::Address(other));
    assert_eq!(peer.address, Some(old), "the first one is as good");
    assert_eq!(peer.may_be_at(at(20), [old, new]), [old, new]);
    assert_eq!(peer.address, Some(old));
    assert_eq!(peer.may_be_at(at(21), [other]), [], "not again so soon");
    assert!(!peer.is_surely_at(at(20), old), "that was long ago");
    peer.found(at(22), Way::Address(new));
    assert_eq!(peer.address, Some(new));
    assert!(peer.is_surely_at(at(22), new));
}
