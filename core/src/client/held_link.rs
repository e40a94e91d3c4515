//! The held link: one connection to the server that stays open, where the server cannot call us or we do not want it to.
//!
//! It is the connection of the login. What travels on it is what would travel on connections of its own; see
//! [`crate::held`]. When it breaks, or an exchange on it takes too long, there is a new login, which nobody is asked for.

use core::net::SocketAddr;

use super::connection::{Connection, HeldWith};
use super::event::{AwayCause, SessionEvent};
use super::link::State;
use super::{Client, Input, Output};
use crate::held::{Ends, Overdue};
use crate::machine::{CloseReason, ConnId};
use crate::wire::frame::Frame;
use crate::wire::login::LinkChoice;
use crate::wire::request::Reach;

impl Client {
    /// The server says how it reaches us.
    pub(super) fn on_checked(&mut self, conn: ConnId, reach: Reach) {
        match reach {
            Reach::Reachable | Reach::Unreachable => self.close(conn),
            Reach::Held => self.hold_link(conn),
        }
        if self.link.reach.replace(reach) != Some(reach) {
            self.tell_reach(reach);
            self.seek_peers();
        }
    }

    /// Whether our listener can be called, if that was tried.
    pub(super) const fn own_reach(&self) -> Option<Reach> {
        match (self.link.reach, self.config.link) {
            (Some(Reach::Held), LinkChoice::Held) => None,
            (reach, _) => reach,
        }
    }

    fn hold_link(&mut self, conn: ConnId) {
        let Some(&remote) = self.config.servers.get(self.link.server) else {
            return self.close(conn);
        };
        let local = self.config.listener;
        self.output(Output::Keep { conn });
        self.held.hold(self.clock.at, conn, Ends { remote, local });
        let login = self
            .connections
            .insert(conn, Connection::Held(HeldWith::Server));
        self.link.held = Some(conn);
        // What the server says there may have come with the word that it is held.
        if let Some(Connection::Login(login)) = login {
            self.on_link_received(conn, &login.deframer.into_rest());
        }
    }

    fn tell_reach(&mut self, reach: Reach) {
        let port = self.config.listener.port();
        match (reach, self.config.link) {
            (Reach::Unreachable, _) => self.event(SessionEvent::ListenerUnreachable { port }),
            (Reach::Held, LinkChoice::Auto) => self.event(SessionEvent::LinkHeld { port }),
            (Reach::Held, LinkChoice::Held | LinkChoice::PerMessage) | (Reach::Reachable, _) => {}
        }
    }

    /// Begins an exchange with the server.
    pub(super) fn dial_server(&mut self, to: SocketAddr, purpose: Connection) -> ConnId {
        let Some(link) = self.link.held else {
            return self.dial(to, purpose);
        };
        self.open_stream(link, purpose)
    }

    /// Begins an exchange with whoever is at the other end of a link.
    pub(super) fn open_stream(&mut self, link: ConnId, purpose: Connection) -> ConnId {
        let conn = ConnId::Dialled(self.dialled);
        self.dialled += 1;
        self.connections.insert(conn, purpose);
        self.held.open(self.clock.at, link, conn);
        conn
    }

    /// Bytes of a link.
    pub(super) fn on_link_received(&mut self, link: ConnId, bytes: &[u8]) {
        let Ok(all) = self.held.received(self.clock.at, link, bytes) else {
            return self.drop_link(link);
        };
        for heard in all {
            match heard.as_input() {
                Ok(input) => self.take(input),
                Err(number) => {
                    let bytes = Frame::End(number).to_bytes();
                    self.outputs.push_back(Output::Send { conn: link, bytes });
                }
            }
        }
    }

    /// A link is of no more use.
    pub(super) fn drop_link(&mut self, link: ConnId) {
        let reason = CloseReason::Reset;
        let streams = self.held.lost(link);
        // First of all nothing new is begun there.
        self.take(Input::Closed { conn: link, reason });
        for conn in streams {
            self.take(Input::Closed { conn, reason });
        }
        self.outputs.push_back(Output::Close { conn: link });
    }

    /// Exchanges that take too long are given up, as the driver does with those that have a connection of their own.
    pub(super) fn end_overdue_streams(&mut self) {
        while let Some(overdue) = self.held.overdue(self.clock.at) {
            match overdue {
                Overdue::Stream(conn) => {
                    let ending = self.held.carry(Output::Close { conn });
                    self.outputs.extend(ending.into_iter().flatten());
                    let reason = CloseReason::Deadline;
                    self.take(Input::Closed { conn, reason });
                }
                Overdue::Link(link) => self.drop_link(link),
            }
        }
    }

    pub(super) fn on_link_lost(&mut self, link: ConnId, cause: AwayCause) {
        if self.link.held != Some(link) {
            return;
        }
        self.link.held = None;
        match self.link.state {
            // The server ends the link when it lets us in anew, and that word may be slower. If it does not, keys are due again soon.
            State::LoggingIn { .. } => {}
            State::Ready => {
                self.lose_session();
                self.on_server_failed(cause);
            }
            State::Idle | State::Judging { .. } | State::Resting => self.lose_session(),
        }
    }
}
