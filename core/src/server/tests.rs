//! Tests of the whole machine, of what the virtual world does not bring about: peers that do half of what they should, and
//! tables that are full.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::connection::Connection;
use super::lane::{Lane, Notice};
use super::mailbox::Mailbox;
use super::record::Subject;
use super::recording::Answered;
use super::session::{Listener, Origination, Session};
use super::*;
use crate::channel::tests::pair;
use crate::held::{Ends, Heard};
use crate::id::{BatchNumber, InstanceId, IntroductionId, StreamNumber};
use crate::key::{KEY_LEN, PublicKey};
use crate::limits::{INTRODUCTIONS_MAX, PROBE_WITHIN};
use crate::rng::SeededSecrets;
use crate::time::{Timestamp, WallTime};
use crate::wire::Term;
use crate::wire::frame::Frame;
use crate::wire::item::Bounded;
use crate::wire::login::LinkChoice;
use crate::wire::push::Push;
use crate::wire::request::Refusal;
use core::net::SocketAddr;

const ALICE: AccountId = AccountId(0);
const BOB: AccountId = AccountId(1);
const LOGIN: ConnId = ConnId::Accepted(1);

fn after(duration: Duration) -> Moment {
    Moment {
        at: Timestamp::ZERO + duration,
        wall: WallTime(0),
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Alice and bob have accounts.
fn server() -> Server {
    let accounts = ["alice", "bob"].map(|text| AccountEntry {
        name: name(text),
        credentials: CredentialsDigest([0; 32]),
    });
    let secrets = Box::new(SeededSecrets::new(1));
    Server::new(
        Config::default(),
        accounts,
        [1; 32],
        secrets,
        after(Duration::ZERO),
    )
}

/// A session that has begun just now.
fn session() -> Session {
    let key = PublicKey([1; KEY_LEN]);
    let origination = Origination {
        link: LinkChoice::PerMessage,
        since: Timestamp::ZERO,
        instance: InstanceId([0; 16]),
        key,
        remote: SocketAddr::from(([192, 0, 2, 7], 30_000)),
        local: [192, 0, 2, 1].into(),
        port: 40_000,
        own_candidates: Bounded::first_of([]),
        login_conn: LOGIN,
    };
    let lane = Lane::new(key, Duration::ZERO, &Mailbox::default());
    Session::new(pair(1).0, lane, origination)
}

fn outputs(server: &mut Server) -> Vec<Output> {
    core::iter::from_fn(|| server.poll_output()).collect()
}

#[test]
fn who_says_nothing_and_will_say_no_more_is_sent_away() {
    let mut server = server();
    let (now, conn) = (after(Duration::ZERO), ConnId::Accepted(7));
    let accepted = Input::Accepted {
        conn,
        remote: SocketAddr::from(([192, 0, 2, 7], 30_000)),
        local: SocketAddr::from(([192, 0, 2, 1], 5150)),
    };
    server.handle_input(now, accepted);
    assert_eq!(outputs(&mut server), []);
    server.handle_input(now, Input::Finished { conn });
    assert_eq!(outputs(&mut server), [Output::Close { conn }]);
    assert_eq!(server.sizes().connections, 0);
}

#[test]
fn a_listener_that_takes_a_call_and_keeps_silent_is_given_up_in_time() {
    let mut server = server();
    server.accounts.get_mut(ALICE).session = Some(session());
    server.probe(ALICE);
    let asked = outputs(&mut server);
    let Some(&Output::Connect { conn, to }) = asked.first() else {
        panic!("the listener is dialled: {asked:?}");
    };
    let in_time = after(PROBE_WITHIN - Duration::from_millis(1));
    server.handle_input(in_time, Input::Timeout);
    assert_eq!(outputs(&mut server), [], "it may still answer");
    server.handle_input(after(PROBE_WITHIN), Input::Timeout);
    let given_up = outputs(&mut server);
    let told = Event::ListenerUnreachable {
        user: name("alice"),
        listener: to,
    };
    assert!(given_up.contains(&Output::Event(told)), "{given_up:?}");
    for over in [conn, LOGIN] {
        let closes = Output::Close { conn: over };
        assert!(given_up.contains(&closes), "{over:?}: {given_up:?}");
    }
}

fn dialled(outputs: &[Output]) -> Option<ConnId> {
    outputs.iter().find_map(|output| match *output {
        Output::Connect { conn, .. } => Some(conn),
        _ => None,
    })
}

/// Somebody on the way can bring the word on an earlier batch that got lost: it is genuine, and says nothing of this one.
#[test]
fn a_word_on_an_earlier_batch_leaves_none_waiting_for_ever() {
    let mut server = server();
    let from = name("bob");
    let mut session = session();
    session.listener = Listener::Reachable;
    session.lane.notify(Notice {
        subject: Subject::OwnQuestion(from),
        push: Push::NoAnswer { from },
    });
    server.accounts.get_mut(ALICE).session = Some(session);
    server.pump(ALICE);
    let conn = dialled(&outputs(&mut server)).unwrap();
    server.on_delivery_answer(conn, ALICE, Answered::Taken(BatchNumber(77)));
    assert!(outputs(&mut server).contains(&Output::Close { conn }));
    server.handle_input(after(Duration::from_secs(1)), Input::Timeout);
    assert!(dialled(&outputs(&mut server)).is_some(), "it comes again");
}

const TERM: Term = Term::UntilLogout;

#[test]
fn who_has_all_the_introductions_there_may_be_gets_no_more() {
    let mut server = server();
    for number in 0..u32::try_from(INTRODUCTIONS_MAX).unwrap() {
        let peer = AccountId(9 + number);
        let id = IntroductionId([1; 16]);
        server.introductions.introduce(ALICE, peer, id, TERM);
    }
    let too_many = Err(Refusal::TooManyIntroductions { max: 500 });
    assert_eq!(server.ask_address(ALICE, name("bob"), TERM), too_many);
    assert_eq!(server.ask_address(BOB, name("alice"), TERM), Ok(()));
    assert_eq!(server.accept(ALICE, name("bob"), TERM), too_many);
}

/// Nobody reads what such a link would carry, and nothing would end it.
#[test]
fn a_login_on_a_held_link_gets_no_link_of_its_own() {
    let mut server = server();
    let address = SocketAddr::from(([192, 0, 2, 7], 30_000));
    let ends = Ends {
        remote: address,
        local: address,
    };
    server.held.hold(Timestamp::ZERO, LOGIN, ends);
    let begin = [
        Frame::Stream(StreamNumber(0)).to_bytes(),
        Frame::Handshake(b"x").to_bytes(),
    ];
    let heard = server
        .held
        .received(Timestamp::ZERO, LOGIN, &begin.concat())
        .unwrap();
    let Some(&Heard::Accepted { conn, .. }) = heard.first() else {
        panic!("a stream begins: {heard:?}");
    };
    let mut session = session();
    session.login_conn = Some(conn);
    server.accounts.get_mut(ALICE).session = Some(session);
    let account = ALICE;
    server
        .connections
        .insert(conn, Connection::LoggedIn { account, ends });
    server.hold_link(ALICE);
    assert_eq!(server.held.len(), 1, "the outer one");
    let session = server.accounts.get(ALICE).session.as_ref();
    assert_eq!(
        session.map(|session| session.listener),
        Some(Listener::Unreachable)
    );
}
