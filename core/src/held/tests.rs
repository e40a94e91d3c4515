//! Two sides of a link.

use super::*;
use crate::wire::frame::RefusalCode;
use proptest::prelude::*;
use std::vec;

type Carried = Output<(), ()>;

const LINK: [ConnId; 2] = [ConnId::Dialled(0), ConnId::Accepted(0)];

fn ends() -> Ends {
    let address = SocketAddr::from(([127, 0, 0, 1], 4_000));
    Ends {
        remote: address,
        local: address,
    }
}

fn now() -> Timestamp {
    Timestamp::from_secs(1)
}

/// One side, and the bytes that are on their way to it.
struct Side {
    links: HeldLinks,
    link: ConnId,
    dialled: u64,
    arriving: Vec<u8>,
    is_closed: bool,
}

impl Side {
    fn new(link: ConnId) -> Self {
        let mut links = HeldLinks::default();
        links.hold(now(), link, ends());
        Self {
            links,
            link,
            dialled: 100,
            arriving: Vec::new(),
            is_closed: false,
        }
    }

    fn open(&mut self) -> ConnId {
        let conn = ConnId::Dialled(self.dialled);
        self.dialled += 1;
        self.links.open(now(), self.link, conn);
        conn
    }

    /// Does something; what goes out is on its way to the other side.
    fn does(&mut self, output: Carried, other: &mut Self) {
        for carried in self.links.carry(output).into_iter().flatten() {
            self.happens(carried, other);
        }
    }

    fn happens(&mut self, carried: Carried, other: &mut Self) {
        match carried {
            Output::Send { conn, bytes } if conn == self.link => other.arriving.extend(bytes),
            Output::Close { conn } if conn == self.link => self.is_closed = true,
            // The driver knows of no such connection, and does nothing.
            Output::Close { .. } => {}
            other @ (Output::Send { .. }
            | Output::Connect { .. }
            | Output::Keep { .. }
            | Output::Effect(())
            | Output::Event(())
            | Output::Stop) => panic!("{other:?} is not for the link"),
        }
    }

    fn sends(&mut self, conn: ConnId, bytes: Vec<u8>, other: &mut Self) {
        self.does(Output::Send { conn, bytes }, other);
    }

    fn closes(&mut self, conn: ConnId, other: &mut Self) {
        self.does(Output::Close { conn }, other);
    }

    fn hears(&mut self) -> Vec<Heard> {
        let bytes = core::mem::take(&mut self.arriving);
        self.links.received(now(), self.link, &bytes).unwrap()
    }
}

fn sides() -> (Side, Side) {
    (Side::new(LINK[0]), Side::new(LINK[1]))
}

fn frame(text: &[u8]) -> Vec<u8> {
    Frame::Handshake(text).to_bytes()
}

/// The stream on which this was heard to begin, with its first frame.
fn begun(heard: &[Heard]) -> (ConnId, &[u8]) {
    match heard {
        [
            Heard::Accepted { conn, ends: seen },
            Heard::Received { conn: on, frame },
        ] if conn == on && *seen == ends() => (*conn, frame),
        other => panic!("{other:?} is no beginning"),
    }
}

#[test]
fn an_exchange_goes_both_ways_and_ends_for_both() {
    for turned in [false, true] {
        let (mut a, mut b) = sides();
        if turned {
            core::mem::swap(&mut a, &mut b);
        }
        let ours = a.open();
        assert_eq!(b.hears(), [], "a stream begins with its first frame");
        a.sends(ours, frame(b"a question"), &mut b);
        let heard = b.hears();
        let (theirs, question) = begun(&heard);
        assert_eq!(question, frame(b"a question"));
        b.sends(theirs, frame(b"an answer"), &mut a);
        b.closes(theirs, &mut a);
        let answer = Heard::Received {
            conn: ours,
            frame: frame(b"an answer"),
        };
        assert_eq!(a.hears(), [answer, Heard::Ended { conn: ours }]);
        assert_eq!((a.links.streams(), b.links.streams()), (0, 0));
        assert_eq!((a.links.len(), a.links.next_deadline()), (1, None));
    }
}

#[test]
fn what_comes_for_a_stream_that_is_over_is_dropped() {
    let (mut a, mut b) = sides();
    let ours = a.open();
    a.sends(ours, frame(b"1"), &mut b);
    let heard = b.hears();
    let (theirs, _) = begun(&heard);
    a.sends(ours, frame(b"2"), &mut b);
    b.closes(theirs, &mut a);
    assert_eq!(b.hears(), []);
    assert_eq!(a.hears(), [Heard::Ended { conn: ours }]);
    a.closes(ours, &mut b);
    // The driver knows of no such connection, and does nothing.
    assert_eq!(a.arriving, []);
}

#[test]
fn nobody_begins_more_than_they_may() {
    let (mut a, mut b) = sides();
    for number in 0..=STREAMS_MAX {
        let conn = a.open();
        a.sends(conn, frame(&[u8::try_from(number).unwrap()]), &mut b);
    }
    let heard = b.hears();
    assert_eq!(heard.len(), 2 * STREAMS_MAX + 1);
    let number = StreamNumber(u32::try_from(2 * STREAMS_MAX).unwrap());
    assert_eq!(heard.last(), Some(&Heard::TooMany { number }));
    let (first, _) = begun(&heard[..2]);
    b.closes(first, &mut a);
    let conn = a.open();
    a.sends(conn, frame(b"there is room again"), &mut b);
    begun(&b.hears());
}

#[test]
fn a_link_that_goes_takes_its_streams_along() {
    let (mut a, mut b) = sides();
    let ours = a.open();
    a.sends(ours, frame(b"x"), &mut b);
    assert_eq!(a.links.lost(LINK[0]), [ours]);
    assert_eq!(a.links.next_deadline(), None);
    a.links.open(now(), LINK[0], ConnId::Dialled(7));
    assert_eq!((a.links.len(), a.links.streams()), (0, 0));
    assert_eq!(a.links.received(now(), LINK[0], b"late"), Ok(vec![]));
}

#[test]
fn a_link_that_ends_waits_for_its_streams() {
    let (mut a, mut b) = sides();
    let [first, second] = [a.open(), a.open()];
    for conn in [first, second] {
        a.sends(conn, frame(b"x"), &mut b);
    }
    assert_eq!(a.links.finish::<(), ()>(now(), LINK[0]), None);
    let late = b.open();
    b.sends(late, frame(b"one more"), &mut a);
    let number = StreamNumber(1);
    assert_eq!(a.hears(), [Heard::TooMany { number }], "nothing new begins");
    b.closes(late, &mut a);
    a.closes(first, &mut b);
    assert!(!a.is_closed);
    let heard = b.hears();
    let (theirs, _) = begun(&heard[2..4]);
    b.closes(theirs, &mut a);
    assert_eq!(a.hears(), [Heard::Ended { conn: second }]);
    let closing: Option<Carried> = a.links.close_if_done(LINK[0]);
    assert_eq!(closing, Some(Output::Close { conn: LINK[0] }));
    let closing: Option<Carried> = b.links.finish(now(), LINK[1]);
    assert_eq!(closing, Some(Output::Close { conn: LINK[1] }));
}

#[test]
fn a_link_that_ends_does_not_wait_for_ever() {
    let (mut a, mut b) = sides();
    let theirs = b.open();
    b.sends(theirs, frame(b"and no more"), &mut a);
    a.hears();
    assert_eq!(a.links.finish::<(), ()>(now(), LINK[0]), None);
    let at = now() + EXCHANGE_WITHIN;
    assert_eq!(a.links.next_deadline(), Some(at));
    assert_eq!(a.links.overdue(at), Some(Overdue::Link(LINK[0])));
    a.links.lost(LINK[0]);
    assert_eq!(a.links.next_deadline(), None);
}

#[test]
fn only_what_we_began_is_ever_overdue() {
    let (mut a, mut b) = sides();
    let ours = a.open();
    a.sends(ours, frame(b"x"), &mut b);
    begun(&b.hears());
    assert_eq!(b.links.next_deadline(), None);
    let at = a.links.next_deadline().unwrap();
    assert_eq!(at, now() + EXCHANGE_WITHIN);
    assert_eq!(a.links.overdue(now()), None);
    assert_eq!(a.links.overdue(at), Some(Overdue::Link(LINK[0])));
    let later = now() + core::time::Duration::from_millis(1);
    assert_eq!(a.links.received(later, LINK[0], &[]), Ok(vec![]));
    assert_eq!(a.links.overdue(at), Some(Overdue::Stream(ours)));
    a.closes(ours, &mut b);
    assert_eq!(a.links.overdue(at), None);
}

#[test]
fn what_no_client_sends_is_noticed() {
    let stream = Frame::Stream(StreamNumber(0)).to_bytes();
    let bad = [
        frame(b"whose is that?"),
        Frame::Refusal(RefusalCode::Busy).to_bytes(),
        [&stream[..], &stream].concat(),
        [&stream[..], &Frame::End(StreamNumber(0)).to_bytes()].concat(),
        vec![0xff; 8],
    ];
    for bytes in bad {
        let (_, mut b) = sides();
        assert!(
            b.links.received(now(), LINK[1], &bytes).is_err(),
            "{bytes:?}"
        );
    }
}

#[derive(Clone, Debug)]
enum Step {
    Open(usize),
    Send(usize, prop::sample::Index),
    Close(usize, prop::sample::Index),
    Arrive(usize, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0usize..2).prop_map(Step::Open),
        (0usize..2, any::<prop::sample::Index>()).prop_map(|(side, which)| Step::Send(side, which)),
        (0usize..2, any::<prop::sample::Index>())
            .prop_map(|(side, which)| Step::Close(side, which)),
        (0usize..2, 1usize..60).prop_map(|(side, bytes)| Step::Arrive(side, bytes)),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    /// However the bytes are cut and whoever ends what when: what is heard on a stream is what was sent on it, from the
    /// first frame on and without a gap, and at last neither side has a stream that the other does not know.
    #[test]
    fn streams_do_not_mix(steps in steps()) {
        let (a, b) = sides();
        let mut sides = [a, b];
        // What each side has sent on each of its streams, and what was heard on those of the other side.
        let mut open: [Vec<ConnId>; 2] = Default::default();
        let mut sent: BTreeMap<(usize, ConnId), Vec<Vec<u8>>> = BTreeMap::new();
        let mut heard: BTreeMap<(usize, ConnId), Vec<Vec<u8>>> = BTreeMap::new();
        let mut tags = 0u32;
        let rest = [Step::Arrive(0, usize::MAX), Step::Arrive(1, usize::MAX), Step::Arrive(0, usize::MAX)];
        for step in steps.into_iter().chain(rest) {
            match step {
                Step::Open(side) => {
                    let conn = sides[side].open();
                    open[side].push(conn);
                }
                Step::Send(side, which) if !open[side].is_empty() => {
                    let conn = open[side][which.index(open[side].len())];
                    tags += 1;
                    let frame = frame(&tags.to_be_bytes());
                    sent.entry((side, conn)).or_default().push(frame.clone());
                    let [one, other] = sides.get_disjoint_mut([side, 1 - side]).unwrap();
                    one.sends(conn, frame, other);
                }
                Step::Close(side, which) if !open[side].is_empty() => {
                    let place = which.index(open[side].len());
                    let conn = open[side].swap_remove(place);
                    let [one, other] = sides.get_disjoint_mut([side, 1 - side]).unwrap();
                    one.closes(conn, other);
                }
                Step::Send(..) | Step::Close(..) => {}
                Step::Arrive(side, bytes) => {
                    let bytes = bytes.min(sides[side].arriving.len());
                    let later = sides[side].arriving.split_off(bytes);
                    let all = sides[side].hears();
                    sides[side].arriving = later;
                    for one in all {
                        match one {
                            Heard::Accepted { conn, .. } => open[side].push(conn),
                            Heard::Received { conn, frame } => {
                                prop_assert!(open[side].contains(&conn));
                                heard.entry((side, conn)).or_default().push(frame);
                            }
                            Heard::Ended { conn } => open[side].retain(|it| *it != conn),
                            Heard::TooMany { .. } => {}
                        }
                    }
                }
            }
        }
        for ((side, conn), frames) in &heard {
            let source = sent.iter().find(|((sender, _), sent)| *sender != *side && sent.first() == frames.first());
            let is_answer = matches!(conn, ConnId::Dialled(_));
            let is_prefix = source.is_some_and(|(_, sent)| sent.starts_with(frames));
            prop_assert!(is_prefix, "{side} heard {frames:?} on {conn:?}, {is_answer}");
        }
        let known: Vec<_> = sides.iter().map(|side| side.links.streams()).collect();
        let unsaid = |side: usize| open[side].iter().filter(|conn| {
            matches!(conn, ConnId::Dialled(_)) && !sent.contains_key(&(side, **conn))
        }).count();
        prop_assert_eq!(known[0] - unsaid(0), known[1] - unsaid(1));
    }

    #[test]
    fn no_bytes_panic(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..20)) {
        let (_, mut b) = sides();
        for chunk in chunks {
            let _ = b.links.received(now(), LINK[1], &chunk);
        }
    }
}
