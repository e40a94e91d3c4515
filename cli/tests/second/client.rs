//! A client of the second implementation, which does one thing after another and keeps nothing.

use std::net::{SocketAddr, TcpListener, TcpStream};

use super::{
    Frame, HANDSHAKE, Handshake, Key, Part, Reader, Session, Turn, counted, fingerprint, items,
    random_key, read_frame, read_to_end, send, varint,
};
use crate::common::Server;

const INSTANCE: [u8; 16] = [7; 16];

/// What shows that a login is the account's.
pub(crate) enum Proof {
    Password(&'static str),
    Ticket(Vec<u8>),
}

/// What the welcome brings that is used here.
struct Welcome {
    ticket: Vec<u8>,
    cookie: Vec<u8>,
    login: u64,
}

/// A client that is logged in.
pub(crate) struct Client {
    name: &'static str,
    key: Key,
    server: SocketAddr,
    server_fingerprint: String,
    listener: TcpListener,
    pub(crate) session: Session,
    welcome: Welcome,
    number: u64,
    /// The session that a peer began with us.
    peer: Option<Session>,
}

/// What somebody wants who calls the listener.
pub(crate) enum Call {
    /// The server, with the items of a batch.
    Batch(Vec<Vec<u8>>),
    /// A peer that has shaken hands: who they are, the session that they began, and what they say.
    Greeting {
        conn: TcpStream,
        session: Session,
        key: Key,
        said: Vec<u8>,
    },
    /// A peer, with a private message.
    Private(Vec<u8>),
}

/// What a login needs that is there before it.
struct Caller<'a> {
    name: &'a str,
    key: Key,
    server: SocketAddr,
    server_fingerprint: &'a str,
    listener: &'a TcpListener,
}

impl Caller<'_> {
    /// Logs in: shakes hands, shows the proof, answers the server's probe.
    fn log_in(&self, cookie: &[u8], proof: &Proof, cause: &[u8]) -> (Session, Welcome) {
        let mut conn = TcpStream::connect(self.server).unwrap();
        let mut handshake = Handshake::new(&Part::LoginCaller, self.key, random_key());
        send(&mut conn, &handshake.write(cookie));
        assert_eq!(handshake.read(&read_frame(&mut conn)), [0; 0]);
        assert_eq!(fingerprint(handshake.remote()), self.server_fingerprint);
        send(&mut conn, &handshake.write(&self.request(proof, cause)));

        let mut session = handshake.finish();
        let answer = session.open(Turn::Answer, &read_frame(&mut conn));
        let welcome = read_welcome(&answer);
        self.answer_probe(&mut session);
        let checked = session.open(Turn::Answer, &read_frame(&mut conn));
        assert_eq!(items(&checked), [[3, 0]], "listener checked: reachable");
        read_to_end(conn);
        (session, welcome)
    }

    /// Login (0): name, proof, port, instance, lowest unanswered, cause, no candidates, any link.
    fn request(&self, proof: &Proof, cause: &[u8]) -> Vec<u8> {
        let proof = match proof {
            Proof::Password(password) => [vec![0], counted(password)].concat(),
            Proof::Ticket(ticket) => [vec![1], counted(ticket)].concat(),
        };
        let port = self.listener.local_addr().unwrap().port();
        [
            &[0][..],
            &counted(self.name),
            &proof,
            &varint(port.into()),
            &INSTANCE,
            &varint(1),
            cause,
            &[0],
            &[0],
        ]
        .concat()
    }

    /// The server probes the listener: probe (0) and a challenge, which comes back as probed (0).
    fn answer_probe(&self, session: &mut Session) {
        loop {
            let (mut conn, _) = self.listener.accept().unwrap();
            let frame = read_frame(&mut conn);
            // What was under way in a session that is no more gets no answer.
            if frame.1[..16] != session.id {
                continue;
            }
            let probe = items(&session.open(Turn::Call, &frame));
            assert_eq!((probe.len(), probe[0].len(), probe[0][0]), (1, 17, 0));
            send(&mut conn, &session.seal(Turn::Answer, &counted(&probe[0])));
            return;
        }
    }
}

fn read_welcome(answer: &[u8]) -> Welcome {
    let mut reader = Reader(answer);
    assert_eq!(reader.varint(), 0, "a welcome");
    Welcome {
        ticket: reader.counted().to_vec(),
        cookie: reader.counted().to_vec(),
        login: reader.varint(),
    }
}

impl Client {
    /// A person logs in with the password.
    pub(crate) fn log_in(server: &Server, name: &'static str, password: &'static str) -> Self {
        let (_, server_fingerprint) = server.place.split_once('#').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let key = random_key();
        let caller = Caller {
            name,
            key,
            server: server.address,
            server_fingerprint,
            listener: &listener,
        };
        let (session, welcome) = caller.log_in(&[], &Proof::Password(password), &[0]);
        Self {
            name,
            key,
            server: server.address,
            server_fingerprint: server_fingerprint.into(),
            session,
            welcome,
            listener,
            number: 0,
            peer: None,
        }
    }

    /// Gets new keys with the ticket, and gives the session that was.
    pub(crate) fn log_in_again(&mut self) -> Session {
        let caller = Caller {
            name: self.name,
            key: self.key,
            server: self.server,
            server_fingerprint: &self.server_fingerprint,
            listener: &self.listener,
        };
        let cause = [vec![1], varint(self.welcome.login)].concat();
        let proof = Proof::Ticket(self.welcome.ticket.clone());
        let (session, welcome) = caller.log_in(&self.welcome.cookie, &proof, &cause);
        assert_eq!(welcome.login, self.welcome.login, "it goes on");
        self.welcome = welcome;
        std::mem::replace(&mut self.session, session)
    }

    /// Sends a request, and gives the connection that its answer comes on.
    pub(crate) fn start_request(&mut self, items: &[Vec<u8>]) -> TcpStream {
        let payload: Vec<u8> = items.iter().flat_map(counted).collect();
        let mut conn = TcpStream::connect(self.server).unwrap();
        send(&mut conn, &self.session.seal(Turn::Call, &payload));
        conn
    }

    /// The items of the answer.
    pub(crate) fn finish_request(&mut self, mut conn: TcpStream) -> Vec<Vec<u8>> {
        let answer = self.session.open(Turn::Answer, &read_frame(&mut conn));
        read_to_end(conn);
        items(&answer)
    }

    /// The items that submit (2) the next operation, behind the lowest unanswered (1), and its number.
    pub(crate) fn operation(&mut self, operation: &[u8]) -> (u64, Vec<Vec<u8>>) {
        self.number += 1;
        let number = varint(self.number);
        let lowest = [&[1], &number[..]].concat();
        let submit = [&[2], &number[..], operation].concat();
        (self.number, vec![lowest, submit])
    }

    /// Takes the next call at the listener. Batches and private messages are acknowledged.
    pub(crate) fn take_call(&mut self) -> Call {
        let (mut conn, _) = self.listener.accept().unwrap();
        let frame = read_frame(&mut conn);
        if frame.0 == HANDSHAKE {
            return self.shake_hands(conn, &frame);
        }
        if frame.1[..16] == self.session.id {
            let batch = items(&self.session.open(Turn::Call, &frame));
            assert_eq!(batch[0][0], 1, "a batch");
            let taken = counted([&[1], &batch[0][1..]].concat());
            send(&mut conn, &self.session.seal(Turn::Answer, &taken));
            return Call::Batch(batch);
        }
        let peer = self.peer.as_mut().unwrap();
        let private = items(&peer.open(Turn::Call, &frame)).remove(0);
        let mut reader = Reader(&private);
        assert_eq!(reader.varint(), 1, "private");
        reader.take(16);
        let taken = [vec![1], varint(reader.varint())].concat();
        send(&mut conn, &peer.seal(Turn::Answer, &counted(taken)));
        Call::Private(private)
    }

    fn shake_hands(&self, mut conn: TcpStream, first: &Frame) -> Call {
        let mut handshake = Handshake::new(&Part::PeerCalled, self.key, random_key());
        assert_eq!(handshake.read(first), [0; 0]);
        send(&mut conn, &handshake.write(&[]));
        let said = handshake.read(&read_frame(&mut conn));
        Call::Greeting {
            conn,
            key: handshake.remote(),
            session: handshake.finish(),
            said,
        }
    }

    /// Lets a peer write to us in the session that they began: welcome (0), and they are reachable (4).
    pub(crate) fn welcome_peer(&mut self, mut conn: TcpStream, mut session: Session) {
        send(&mut conn, &session.seal(Turn::Answer, &counted([0])));
        send(&mut conn, &session.seal(Turn::Answer, &counted([4, 0])));
        self.peer = Some(session);
    }

    /// Calls a peer and looks whether they are there (3): the session that we begin.
    pub(crate) fn greet(&self, address: SocketAddr, key: Key, introduction: &[u8; 16]) -> Session {
        let mut conn = TcpStream::connect(address).unwrap();
        let mut handshake = Handshake::new(&Part::PeerCaller(key), self.key, random_key());
        send(&mut conn, &handshake.write(&[]));
        assert_eq!(handshake.read(&read_frame(&mut conn)), [0; 0]);
        let probe = counted([&[3], &introduction[..]].concat());
        send(&mut conn, &handshake.write(&probe));
        let mut session = handshake.finish();
        let answer = session.open(Turn::Answer, &read_frame(&mut conn));
        assert_eq!(items(&answer), [[0]], "welcome");
        read_to_end(conn);
        session
    }
}

/// Sends a private message (1), and gives the items of the answer.
pub(crate) fn tell(
    session: &mut Session,
    address: SocketAddr,
    number: u64,
    text: &str,
) -> Vec<Vec<u8>> {
    let private = [
        &[1][..],
        &INSTANCE,
        &varint(number),
        &varint(1_700_000_000_000),
        &counted(text),
    ]
    .concat();
    let mut conn = TcpStream::connect(address).unwrap();
    send(&mut conn, &session.seal(Turn::Call, &counted(private)));
    let answer = session.open(Turn::Answer, &read_frame(&mut conn));
    read_to_end(conn);
    items(&answer)
}
