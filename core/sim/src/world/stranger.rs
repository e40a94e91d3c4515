//! A stranger: somebody with a socket of their own, and no machine of ours.

use std::time::Duration;

use simplechat_core::channel::{Calling, Channel, Noise, Part};
use simplechat_core::key::StaticKey;
use simplechat_core::machine::ConnId;
use simplechat_core::rng::SeededSecrets;
use simplechat_core::wire::deframer::Deframer;
use simplechat_core::wire::frame::Frame;
use simplechat_core::wire::item;
use simplechat_core::wire::login::{LoginAnswer, LoginRequest};

use super::{ClientId, STRANGER, World, server_address};

/// What they got back.
#[derive(Debug, Default)]
pub(super) struct Stranger {
    pub(super) received: Vec<u8>,
    pub(super) ended: bool,
}

impl World {
    /// A stranger connects to the server (`None`) or to a client's listener and sends bytes, in these pieces with a
    /// moment between them. Gives what came back, and whether the connection was ended.
    pub fn stranger_sends(&mut self, to: Option<ClientId>, pieces: &[&[u8]]) -> (Vec<u8>, bool) {
        let conn = self.stranger_connects(to);
        for piece in pieces {
            self.stranger_says(conn, piece);
        }
        self.stranger_leaves(conn)
    }

    /// A stranger logs in by hand over the real channel, in pieces of so many bytes. Gives what they were told, and their
    /// session.
    ///
    /// # Panics
    ///
    /// When the server does not shake hands, or does not answer.
    pub fn stranger_logs_in(
        &mut self,
        login: &LoginRequest,
        piece_len: usize,
    ) -> (LoginAnswer, Channel) {
        let mut secrets = SeededSecrets::new(self.dice.roll());
        let key = StaticKey::generate(&mut secrets);
        let conn = self.stranger_connects(None);
        let part = Part::LoginInitiator;
        let (calling, first) =
            Calling::start(&Noise, part, &key, &mut secrets, &[]).expect("a call");
        let second = self.stranger_is_answered(conn, &first, piece_len);
        let Ok(Frame::Handshake(message)) = Frame::parse(&second) else {
            panic!("{second:?} answers a handshake");
        };
        let met = calling.answered(message).expect("the server answers");
        let (mut channel, third) = met.say(&item::encode(login));
        let answer = self.stranger_is_answered(conn, &third, piece_len);
        let Ok(Frame::Session(sealed)) = Frame::parse(&answer) else {
            panic!("{answer:?} answers a login");
        };
        let opened = channel.open_answer(&sealed).expect("a sealed answer");
        let answer = item::decode(&opened.payload).expect("the answer to a login");
        self.stranger_leaves(conn);
        (answer, channel)
    }

    fn stranger_connects(&mut self, to: Option<ClientId>) -> ConnId {
        let address = to.map_or_else(server_address, |id| self.address_of(id));
        self.stranger = Stranger::default();
        self.strangers += 1;
        let conn = ConnId::Dialled(self.strangers);
        self.net
            .connect(self.now, &mut self.dice, STRANGER, conn, address);
        conn
    }

    fn stranger_says(&mut self, conn: ConnId, bytes: &[u8]) {
        let bytes = bytes.to_vec();
        self.net
            .send(self.now, &mut self.dice, STRANGER, conn, bytes);
        self.run(Duration::from_millis(100));
    }

    /// Sends a frame in pieces, and gives the first one that comes back.
    fn stranger_is_answered(&mut self, conn: ConnId, frame: &[u8], piece_len: usize) -> Vec<u8> {
        self.stranger.received.clear();
        for piece in frame.chunks(piece_len) {
            self.net
                .send(self.now, &mut self.dice, STRANGER, conn, piece.to_vec());
            self.run(Duration::from_millis(10));
        }
        self.run(Duration::from_secs(1));
        let mut deframer = Deframer::default();
        deframer.push(&self.stranger.received);
        deframer.next_frame().ok().flatten().expect("an answer")
    }

    fn stranger_leaves(&mut self, conn: ConnId) -> (Vec<u8>, bool) {
        self.settle();
        self.net.close(self.now, &mut self.dice, STRANGER, conn);
        let stranger = std::mem::take(&mut self.stranger);
        (stranger.received, stranger.ended)
    }
}
