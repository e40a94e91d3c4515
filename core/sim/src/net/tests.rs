//! Each unkindness of the network, in a network in which it happens.

use super::*;

const A: HostId = HostId(1);
const B: HostId = HostId(2);
const DIALLED: ConnId = ConnId::Dialled(0);

/// Two hosts, of which one listens, and all that they were told.
struct Pair {
    net: Net,
    dice: Dice,
    now: Timestamp,
    told: Vec<(HostId, Delivery)>,
    /// The latest connection as the one who listens calls it.
    accepted: Option<ConnId>,
}

fn listener() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 2], 40_000))
}

impl Pair {
    fn new(seed: u64, weather: Weather) -> Self {
        let mut net = Net::new();
        net.weather = weather;
        net.place(A, SocketAddr::from(([10, 0, 0, 1], 40_000)));
        net.place(B, listener());
        Self {
            net,
            dice: Dice::new(seed),
            now: Timestamp::from_secs(1),
            told: Vec::new(),
            accepted: None,
        }
    }

    fn dial(&mut self) {
        self.net
            .connect(self.now, &mut self.dice, A, DIALLED, listener());
    }

    fn ask(&mut self, bytes: &[u8]) {
        self.net
            .send(self.now, &mut self.dice, A, DIALLED, bytes.to_vec());
    }

    fn answer(&mut self, bytes: &[u8]) {
        let conn = self.accepted.expect("somebody called");
        self.net
            .send(self.now, &mut self.dice, B, conn, bytes.to_vec());
    }

    fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(next) = self.net.next().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            while let Some((host, conn, delivery)) = self.net.pop_due(self.now) {
                if matches!(delivery, Delivery::Accepted { .. }) {
                    self.accepted = Some(conn);
                }
                self.told.push((host, delivery));
            }
        }
        self.now = until;
    }

    fn shortly(&mut self) {
        self.pass(Duration::from_secs(1));
    }

    fn pieces(&self, host: HostId) -> Vec<Vec<u8>> {
        let to_host = self.told.iter().filter(|(to, _)| *to == host);
        to_host
            .filter_map(|(_, delivery)| match delivery {
                Delivery::Bytes(bytes) => Some(bytes.clone()),
                Delivery::Accepted { .. }
                | Delivery::Connected { .. }
                | Delivery::Failed(_)
                | Delivery::Finished
                | Delivery::Closed(_) => None,
            })
            .collect()
    }

    fn bytes(&self, host: HostId) -> Vec<u8> {
        self.pieces(host).concat()
    }

    fn was_told(&self, host: HostId, what: &Delivery) -> bool {
        self.told.contains(&(host, what.clone()))
    }

    /// How a connection ended for a host, if it did.
    fn end(&self, host: HostId) -> Option<&Delivery> {
        let to_host = self.told.iter().filter(|(to, _)| *to == host);
        to_host.map(|(_, delivery)| delivery).find(|delivery| {
            matches!(
                delivery,
                Delivery::Failed(_) | Delivery::Closed(_) | Delivery::Finished
            )
        })
    }
}

const RESET: Delivery = Delivery::Closed(CloseReason::Reset);
const OVERDUE: Delivery = Delivery::Closed(CloseReason::Deadline);
const TIMED_OUT: Delivery = Delivery::Failed(ConnectFailure::TimedOut);

fn kind() -> Weather {
    Weather::default()
}

#[test]
fn in_kind_weather_a_question_is_answered() {
    let mut pair = Pair::new(0, kind());
    pair.dial();
    pair.ask(b"question");
    pair.shortly();
    pair.answer(b"answer");
    pair.shortly();
    assert_eq!(pair.bytes(B), b"question");
    assert_eq!(pair.bytes(A), b"answer");
    assert_eq!((pair.end(A), pair.end(B)), (None, None));
}

#[test]
fn a_connection_takes_time_to_stand() {
    let weather = Weather {
        set_up: Duration::from_millis(500),
        ..kind()
    };
    let slow = (0..50).filter(|seed| {
        let mut pair = Pair::new(*seed, weather);
        pair.dial();
        pair.pass(Duration::from_millis(20));
        pair.told.is_empty()
    });
    assert!(slow.count() > 30, "most take longer than the latency");
}

#[test]
fn bytes_are_cut_anywhere_and_joined_and_none_is_lost() {
    let weather = Weather {
        pieces_max: 5,
        joins_per_mille: 300,
        ..kind()
    };
    let sent: Vec<u8> = (0..100).collect();
    let (mut single, mut joined) = (0, 0);
    for seed in 0..200 {
        let mut pair = Pair::new(seed, weather);
        pair.dial();
        for half in sent.chunks(50) {
            pair.ask(half);
        }
        pair.shortly();
        assert_eq!(pair.bytes(B), sent, "seed {seed}");
        let pieces = pair.pieces(B);
        single += pieces.iter().filter(|piece| piece.len() == 1).count();
        let spans = |piece: &&Vec<u8>| piece[0] < 50 && piece[piece.len() - 1] >= 50;
        joined += pieces.iter().filter(spans).count();
    }
    assert!(single > 0, "a piece may be a single byte");
    assert!(joined > 0, "a piece may hold parts of two sends");
}

#[test]
fn connections_overtake_each_other() {
    let weather = Weather {
        jitter: Duration::from_millis(100),
        ..kind()
    };
    let overtakes = |seed| {
        let mut pair = Pair::new(seed, weather);
        for number in 0..2 {
            let conn = ConnId::Dialled(number);
            let now = pair.now;
            pair.net.connect(now, &mut pair.dice, A, conn, listener());
            let bytes = vec![u8::try_from(number).unwrap()];
            pair.net.send(now, &mut pair.dice, A, conn, bytes);
        }
        pair.shortly();
        pair.bytes(B) == [1, 0]
    };
    assert!((0..50).any(overtakes));
}

#[test]
fn connections_break_before_in_and_after_a_question() {
    let weather = Weather {
        breaks_per_mille: 1_000,
        ..kind()
    };
    let question = [7; 100];
    let (mut before, mut within, mut after) = (0, 0, 0);
    for seed in 0..200 {
        let mut pair = Pair::new(seed, weather);
        pair.dial();
        pair.ask(&question);
        pair.shortly();
        if pair.end(B).is_none() {
            pair.answer(&[9; 300]);
            pair.shortly();
            assert_eq!(pair.bytes(B).len(), question.len());
            after += usize::from(pair.bytes(A).is_empty());
        } else if pair.bytes(B).is_empty() {
            before += 1;
        } else {
            within += 1;
        }
        assert_eq!(pair.end(A), Some(&RESET), "seed {seed}");
        assert_eq!(pair.end(B), Some(&RESET), "seed {seed}");
    }
    assert!(before > 0, "some break before the first byte");
    assert!(within > 0, "some break in the middle");
    assert!(
        after > 0,
        "some break when all was delivered, before the answer"
    );
}

#[test]
fn connections_fall_silent_and_only_the_deadline_ends_them() {
    let weather = Weather {
        losses_per_mille: 1_000,
        ..kind()
    };
    for seed in 0..50 {
        let mut pair = Pair::new(seed, weather);
        pair.dial();
        pair.ask(&[7; 400]);
        pair.pass(Duration::from_secs(10));
        assert!(pair.bytes(B).len() < 300, "seed {seed}");
        pair.answer(b"what?");
        pair.pass(Duration::from_secs(3));
        assert_eq!(pair.bytes(A), b"");
        assert_eq!((pair.end(A), pair.end(B)), (None, None), "seed {seed}");
        pair.pass(Duration::from_secs(3));
        assert_eq!(pair.end(A), Some(&OVERDUE));
        assert_eq!(pair.end(B), Some(&OVERDUE));
        assert_eq!(pair.net.open_connections(), 0);
    }
}

#[test]
fn only_the_end_that_wants_to_keep_a_connection_outlasts_the_deadline() {
    let mut pair = Pair::new(1, kind());
    pair.dial();
    pair.net.keep(A, DIALLED);
    pair.pass(Duration::from_secs(60));
    assert_eq!((pair.end(A), pair.end(B)), (None, Some(&OVERDUE)));
}

#[test]
fn dials_fail_at_once_or_hang() {
    let failing = Weather {
        failed_dials_per_mille: 1_000,
        ..kind()
    };
    let mut pair = Pair::new(0, failing);
    pair.dial();
    pair.shortly();
    assert!(
        matches!(pair.end(A), Some(Delivery::Failed(failure)) if *failure != ConnectFailure::TimedOut)
    );
    let hanging = Weather {
        hung_dials_per_mille: 1_000,
        ..kind()
    };
    let mut pair = Pair::new(0, hanging);
    pair.dial();
    pair.pass(Duration::from_millis(2_900));
    assert_eq!(pair.told, []);
    pair.shortly();
    assert_eq!(pair.told, [(A, TIMED_OUT)]);
}

#[test]
fn a_cut_loses_what_is_on_its_way_and_all_behind_it() {
    let mut pair = Pair::new(0, kind());
    pair.dial();
    pair.shortly();
    pair.ask(b"lost");
    pair.net.cut(A, B);
    pair.shortly();
    pair.net.heal(A, B);
    pair.ask(b"no gap");
    pair.shortly();
    assert_eq!(pair.bytes(B), b"");
    pair.answer(b"the other direction lost nothing");
    pair.shortly();
    assert_eq!(pair.bytes(A).len(), 32);
}

#[test]
fn a_cut_may_be_in_one_direction_only() {
    let mut pair = Pair::new(0, kind());
    pair.dial();
    pair.shortly();
    pair.net.cut_one_way(A, B);
    pair.ask(b"lost");
    pair.answer(b"arrives");
    pair.shortly();
    assert_eq!(
        (pair.bytes(A), pair.bytes(B)),
        (b"arrives".to_vec(), vec![])
    );
}

#[test]
fn nobody_is_reached_through_a_cut_in_either_direction() {
    for (from, to) in [(A, B), (B, A)] {
        let mut pair = Pair::new(0, kind());
        pair.net.cut_one_way(from, to);
        pair.dial();
        pair.pass(Duration::from_secs(20));
        let to_a: Vec<_> = pair.told.iter().filter(|(host, _)| *host == A).collect();
        assert_eq!(to_a, [&(A, TIMED_OUT)], "{from:?} to {to:?}");
        assert_eq!(pair.net.open_connections(), 0);
    }
}

#[test]
fn two_hosts_may_have_a_weather_of_their_own() {
    let mut pair = Pair::new(0, kind());
    let hanging = Weather {
        hung_dials_per_mille: 1_000,
        ..kind()
    };
    pair.net.set_weather_between(B, A, hanging);
    pair.dial();
    pair.pass(Duration::from_secs(4));
    assert_eq!(pair.told, [(A, TIMED_OUT)]);
    pair.net.cut_one_way(B, A);
    pair.net.calm();
    pair.dial();
    pair.shortly();
    assert!(pair.accepted.is_some(), "the network is kind again");
}

#[test]
fn a_sleeper_misses_what_is_sent_and_finds_out_when_it_wakes() {
    let mut pair = Pair::new(0, kind());
    pair.dial();
    pair.shortly();
    pair.net.put_to_sleep(B);
    pair.ask(b"hello?");
    pair.pass(Duration::from_secs(20));
    assert_eq!(pair.end(A), Some(&OVERDUE), "its peer gets silence");
    assert_eq!(pair.end(B), None);
    pair.net.wake(pair.now, B);
    pair.shortly();
    assert_eq!(pair.bytes(B), b"");
    assert!(
        pair.end(B).is_some(),
        "it learns that the connection is gone"
    );
    assert_eq!(pair.net.open_connections(), 0);
}

#[test]
fn a_short_sleep_breaks_only_what_was_missed() {
    for is_spoken_to in [0, 1] {
        let mut pair = Pair::new(0, kind());
        pair.dial();
        pair.shortly();
        pair.net.put_to_sleep(B);
        for _ in 0..is_spoken_to {
            pair.ask(b"hello?");
        }
        pair.shortly();
        pair.net.wake(pair.now, B);
        pair.ask(b"awake?");
        pair.shortly();
        if is_spoken_to == 0 {
            assert_eq!((pair.bytes(B), pair.end(B)), (b"awake?".to_vec(), None));
        } else {
            assert_eq!((pair.bytes(B), pair.end(B)), (vec![], Some(&RESET)));
        }
    }
}

#[test]
fn who_wakes_finds_out_what_was_missed_also_where_the_way_is_cut() {
    let mut pair = Pair::new(0, kind());
    pair.dial();
    pair.shortly();
    pair.net.put_to_sleep(B);
    pair.ask(b"hello?");
    pair.net.cut(A, B);
    pair.pass(Duration::from_secs(20));
    pair.net.wake(pair.now, B);
    pair.shortly();
    assert!(pair.end(B).is_some());
    assert_eq!(pair.net.open_connections(), 0);
}

#[test]
fn nobody_reaches_a_sleeper_nor_does_its_dial_end_before_it_wakes() {
    let mut pair = Pair::new(0, kind());
    pair.net.put_to_sleep(B);
    pair.dial();
    pair.pass(Duration::from_secs(4));
    assert_eq!(pair.told, [(A, TIMED_OUT)]);
    let mut pair = Pair::new(0, kind());
    pair.dial();
    pair.net.put_to_sleep(A);
    pair.pass(Duration::from_secs(30));
    assert_eq!(pair.end(A), None);
    pair.net.wake(pair.now, A);
    pair.shortly();
    assert_eq!(pair.end(A), Some(&TIMED_OUT));
    assert_eq!(pair.end(B), Some(&OVERDUE));
}

#[test]
fn who_moves_leaves_dead_connections_behind() {
    let elsewhere = SocketAddr::from(([10, 1, 0, 2], 40_000));
    for listening in [Listening::There, Listening::Nowhere] {
        let mut pair = Pair::new(0, kind());
        pair.dial();
        pair.shortly();
        pair.net.relocate(B, elsewhere, listening);
        pair.ask(b"hello?");
        pair.answer(b"hello?");
        pair.shortly();
        assert_eq!((pair.bytes(A), pair.bytes(B)), (vec![], vec![]));
        assert_eq!((pair.end(A), pair.end(B)), (None, None));
        for (number, address) in [(1, listener()), (2, elsewhere)] {
            pair.told.clear();
            let (now, conn) = (pair.now, ConnId::Dialled(number));
            pair.net.connect(now, &mut pair.dice, A, conn, address);
            pair.shortly();
            let is_there = address == elsewhere && listening == Listening::There;
            let refused = Delivery::Failed(ConnectFailure::Refused);
            assert_eq!(pair.was_told(A, &refused), !is_there, "{address}");
        }
    }
}

#[test]
fn what_is_recorded_is_the_latest_and_nothing_of_the_recorder() {
    let mut pair = Pair::new(0, kind());
    let recorder = HostId(9);
    pair.net.record(recorder, 3);
    for number in 0..5 {
        let (now, conn) = (pair.now, ConnId::Dialled(number));
        pair.net.connect(now, &mut pair.dice, A, conn, listener());
        for byte in [0, 1] {
            pair.net.send(now, &mut pair.dice, A, conn, vec![byte]);
        }
        pair.net
            .connect(now, &mut pair.dice, recorder, conn, listener());
        pair.net.send(now, &mut pair.dice, recorder, conn, vec![9]);
        pair.shortly();
    }
    let recordings = pair.net.recordings().unwrap();
    assert_eq!(recordings.len(), 3);
    let heard = (0..3).filter_map(|index| recordings.get(index));
    for recording in heard {
        assert_eq!(recording.bytes, [0, 1]);
        assert_eq!(recording.listener, listener());
    }
}

#[test]
fn the_same_seed_is_the_same_weather() {
    let told = |seed| {
        let mut pair = Pair::new(seed, Weather::stormy());
        for _ in 0..50 {
            pair.dial();
            pair.ask(&[7; 100]);
            pair.shortly();
        }
        pair.told
    };
    assert_eq!(told(5), told(5));
    assert_ne!(told(5), told(6));
}
