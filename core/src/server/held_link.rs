//! Held links: the connections of clients whose listener the server cannot reach, or who want it so.
//!
//! Such a link is the login's connection, kept open. What travels on it is what would travel on connections of its own; see
//! [`crate::held`]. When it goes the client comes back by itself, and until then its messages wait.

use super::connection::Connection;
use super::event::Fault;
use super::session::{Listener, Session};
use super::{AccountId, Input, Output, Server};
use crate::held::{Garbled, Heard, Overdue};
use crate::id::SessionId;
use crate::machine::{CloseReason, ConnId};
use crate::wire::frame::{Frame, RefusalCode};
use crate::wire::request::Reach;

impl Server {
    /// Has the connection of a login stay open, and carry everything.
    pub(super) fn hold_link(&mut self, account: AccountId) {
        let Some(session) = &mut self.accounts.get_mut(account).session else {
            return;
        };
        let Some(link) = session.login_conn.take() else {
            return;
        };
        let Some(&Connection::LoggedIn { ends, .. }) = self.connections.get(&link) else {
            return;
        };
        if self.held.is_stream(link) {
            // Whoever logs in on a held link already wants a link on a link.
            session.listener = Listener::Unreachable;
            self.say_on_login(account, link, Reach::Unreachable);
            return self.close(link);
        }
        session.listener = Listener::Held { link };
        let session = session.channel.id();
        self.say_on_login(account, link, Reach::Held);
        self.output(Output::Keep { conn: link });
        self.held.hold(self.clock.at, link, ends);
        self.connections
            .insert(link, Connection::Held { account, session });
    }

    /// A session is over, and its link with it, once what is under way there is.
    pub(super) fn release_link(&mut self, session: &Session) {
        if let Listener::Held { link } = session.listener {
            self.connections.remove(&link);
            let closing = self.held.finish(self.clock.at, link);
            self.outputs.extend(closing);
        }
    }

    /// A link is gone.
    pub(super) fn on_link_lost(&mut self, link: ConnId, account: AccountId, session: SessionId) {
        let current = self.accounts.get_mut(account).session.as_mut();
        if let Some(current) = current.filter(|current| current.channel.id() == session)
            && current.listener == (Listener::Held { link })
        {
            current.listener = Listener::Unreachable;
        }
    }

    /// Bytes of a link.
    pub(super) fn on_link_received(&mut self, link: ConnId, bytes: &[u8]) {
        match self.held.received(self.clock.at, link, bytes) {
            Ok(all) => {
                for heard in all {
                    self.on_heard(link, &heard);
                }
                let closing = self.held.close_if_done(link);
                self.outputs.extend(closing);
            }
            Err(garbled) => {
                self.drop_streams(link);
                let (code, fault) = match garbled {
                    Garbled::Frame(error) => (error.refusal(), error.into()),
                    Garbled::Unannounced => (RefusalCode::Malformed, Fault::Unexpected),
                };
                self.on_unusable(link, code, fault);
            }
        }
    }

    fn on_heard(&mut self, link: ConnId, heard: &Heard) {
        match heard.as_input() {
            Ok(input) => self.take(input),
            Err(number) => {
                let bytes = Frame::End(number).to_bytes();
                self.outputs.push_back(Output::Send { conn: link, bytes });
            }
        }
    }

    /// Nothing travels on a link any more.
    pub(super) fn drop_streams(&mut self, link: ConnId) {
        for conn in self.held.lost(link) {
            self.lose_stream(conn, CloseReason::Reset);
        }
    }

    /// Exchanges that take too long are given up, as the driver does with those that have a connection of their own.
    pub(super) fn end_overdue_streams(&mut self) {
        while let Some(overdue) = self.held.overdue(self.clock.at) {
            match overdue {
                Overdue::Stream(conn) => {
                    let ending = self.held.carry(Output::Close { conn });
                    self.outputs.extend(ending.into_iter().flatten());
                    self.lose_stream(conn, CloseReason::Deadline);
                }
                Overdue::Link(link) => {
                    self.drop_streams(link);
                    self.lose_stream(link, CloseReason::Deadline);
                    self.outputs.push_back(Output::Close { conn: link });
                }
            }
        }
    }

    fn lose_stream(&mut self, conn: ConnId, reason: CloseReason) {
        self.take(Input::Closed { conn, reason });
    }
}
