//! Tests of what is known of a peer.

use super::*;
use crate::id::InstanceId;
use crate::time::WallTime;
use crate::wire::item::Bounded;
use crate::wire::push::Whereabouts;

pub(in crate::client) fn bob() -> Name {
    "bob".parse().unwrap()
}

pub(in crate::client) fn introduction(number: u8) -> Introduction {
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

pub(in crate::client) fn private(seq: u64) -> PrivateMessage {
    PrivateMessage {
        instance: InstanceId([0; 16]),
        seq: Seq(seq),
        sent: WallTime(0),
        text: "x".parse().unwrap(),
    }
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
