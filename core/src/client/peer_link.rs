//! How peers reach each other: the check of a caller's listener, and the held links of those who cannot be called.
//!
//! Whoever greets a peer learns on the same connection whether the peer can call them too, as with a login. If not, this
//! connection stays open, and the peer says there what it has to say, as on connections of its own; see [`crate::held`]. The one who
//! cannot be called sees to it that there is such a link: they look whether it stands, which keeps routers on the way from
//! forgetting it, and greet anew when it is gone.

use core::net::SocketAddr;
use core::time::Duration;

use super::connection::{Connection, HeldWith};
use super::event::AwayCause;
use super::peer::{Peer, Way};
use super::{Client, Output, TimerKind};
use crate::held::Ends;
use crate::id::{IntroductionId, SessionId};
use crate::limits::CLIENT_PORT_MIN;
use crate::machine::ConnId;
use crate::name::Name;
use crate::wire::deframer::Deframer;
use crate::wire::frame::{RefusalCode, SealedFrame};
use crate::wire::item::{Items, decode};
use crate::wire::login::LinkChoice;
use crate::wire::peer::{PeerAnswer, PeerPush};
use crate::wire::request::Reach;

/// Whoever has greeted us has word of their listener within this time.
const CHECK_WITHIN: Duration = Duration::from_secs(4);
/// So often a link is used at least. Routers are to remember a connection for hours (RFC 5382, REQ-5); many do for a minute.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// What a peer has said of how they reach us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Word {
    /// Nothing yet.
    None,
    /// They have been greeted on this connection, and look.
    Awaited(ConnId),
    /// This.
    Given(Reach),
}

/// The held links with a peer, each of them the connection of a greeting.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct PeerLinks {
    /// We greeted, and they cannot call us.
    pub(super) ours: Option<ConnId>,
    /// They greeted, and we cannot call them.
    pub(super) theirs: Option<ConnId>,
}

impl PeerLinks {
    pub(super) fn any(self) -> Option<ConnId> {
        self.ours.or(self.theirs)
    }

    /// A link is gone: whose it was.
    pub(super) fn lost(&mut self, link: ConnId) -> Option<Holder> {
        if self.ours == Some(link) {
            self.ours = None;
            Some(Holder::Us)
        } else if self.theirs == Some(link) {
            self.theirs = None;
            Some(Holder::Them)
        } else {
            None
        }
    }
}

/// Who needs a link, and sees to it that there is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Holder {
    Us,
    Them,
}

/// What a caller says of how they are to be reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Check {
    /// In which they are answered.
    pub(super) session: SessionId,
    /// Where they should be listening.
    pub(super) at: SocketAddr,
    pub(super) link: LinkChoice,
}

/// A caller who waits for word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct PeerCheck {
    peer: Name,
    check: Check,
}

impl Client {
    /// Begins an exchange with a peer.
    pub(super) fn dial_peer(&mut self, way: Way, purpose: Connection) -> ConnId {
        match way {
            Way::Address(address) => self.dial(address, purpose),
            Way::Link(link) => self.open_stream(link, purpose),
        }
    }

    /// Whoever calls our listener can.
    pub(super) fn hear_that_we_are_reached(&mut self, conn: ConnId, name: Name) {
        if !self.held.is_stream(conn)
            && let Some(peer) = self.book.get_mut(name)
            && peer.word == Word::None
        {
            peer.word = Word::Given(Reach::Reachable);
        }
    }

    /// A peer has greeted us, and is to know how we reach them: we look, unless we just did.
    pub(super) fn check_caller(&mut self, conn: ConnId, name: Name, check: Check) {
        let now = self.clock.at;
        let Some(peer) = self.book.get_mut(name) else {
            return;
        };
        let checking = Connection::Checking(PeerCheck { peer: name, check });
        let former = peer.checking.replace(conn);
        peer.places.port = (check.at.port() >= CLIENT_PORT_MIN).then_some(check.at.port());
        let wants_link = check.link == LinkChoice::Held;
        let is_known = peer.places.is_surely_at(now, check.at) && !wants_link;
        self.connections.insert(conn, checking);
        if let Some(former) = former {
            self.close(former);
        }
        if is_known || self.held.is_stream(conn) {
            return self.conclude_check(name, Reach::Reachable);
        }
        if wants_link || check.at.port() < CLIENT_PORT_MIN {
            return self.conclude_check(name, Reach::Unreachable);
        }
        self.timers
            .set(TimerKind::PeerCheck(name), now + CHECK_WITHIN);
        self.look_at(name, [check.at]);
    }

    /// It is known whether a peer can be called who waits for word of it.
    pub(super) fn conclude_check(&mut self, name: Name, found: Reach) {
        self.timers.cancel(TimerKind::PeerCheck(name));
        let Some(peer) = self.book.get_mut(name) else {
            return;
        };
        let Some(conn) = peer.checking.take() else {
            return;
        };
        let introduction = peer.introduction;
        let Some(&Connection::Checking(PeerCheck { check, .. })) = self.connections.get(&conn)
        else {
            return;
        };
        let reach = match (found, check.link) {
            (Reach::Reachable, _) => Reach::Reachable,
            (Reach::Unreachable | Reach::Held, LinkChoice::PerMessage) => Reach::Unreachable,
            (Reach::Unreachable | Reach::Held, LinkChoice::Auto | LinkChoice::Held) => Reach::Held,
        };
        let answer = PeerAnswer::ListenerChecked { reach };
        self.say_to_peer(conn, check.session, &answer);
        match reach {
            Reach::Reachable | Reach::Unreachable => self.close(conn),
            Reach::Held => self.hold_peer_link(conn, introduction, check.at, Holder::Them),
        }
    }

    /// A caller does not wait any more.
    pub(super) fn on_check_lost(&mut self, check: &PeerCheck, conn: ConnId) {
        if let Some(peer) = self.book.get_mut(check.peer)
            && peer.checking == Some(conn)
        {
            peer.checking = None;
            self.timers.cancel(TimerKind::PeerCheck(check.peer));
        }
    }

    /// We have greeted a peer, who looks now whether they can call us.
    pub(super) fn await_word(&mut self, introduction: IntroductionId, conn: ConnId) {
        if let Some(peer) = self.book.by_introduction(introduction) {
            peer.word = Word::Awaited(conn);
        }
    }

    /// A peer says how they reach us.
    pub(super) fn on_checked_by_peer(&mut self, conn: ConnId, sealed: &SealedFrame<'_>) {
        let Some(Connection::Greeting { greeting, .. }) = self.connections.get(&conn) else {
            return;
        };
        let (introduction, way) = (greeting.introduction, greeting.way);
        let session = self.peer_sessions.get_mut(sealed.session);
        let opened = session
            .filter(|session| session.introduction == introduction)
            .and_then(|session| session.channel.open_answer(sealed).ok());
        let answer =
            opened.and_then(|opened| decode(Items::new(&opened.payload).next()?.ok()?).ok());
        let Some(PeerAnswer::ListenerChecked { reach }) = answer else {
            return self.refuse(conn, RefusalCode::Malformed);
        };
        let Some(peer) = self.book.by_introduction(introduction) else {
            return self.close(conn);
        };
        let was_awaited = peer.word == Word::Awaited(conn);
        if was_awaited {
            peer.word = Word::Given(reach);
        }
        match (reach, way) {
            (Reach::Held, Way::Address(remote))
                if was_awaited && self.config.link != LinkChoice::PerMessage =>
            {
                self.hold_peer_link(conn, introduction, remote, Holder::Us);
            }
            _ => self.close(conn),
        }
    }

    /// The connection on which a peer was to say how they reach us is gone.
    pub(super) fn on_word_lost(&mut self, introduction: IntroductionId, conn: ConnId) {
        if let Some(peer) = self.book.by_introduction(introduction)
            && peer.word == Word::Awaited(conn)
        {
            peer.word = Word::None;
            let name = peer.name;
            self.on_peer_not_found(name);
        }
    }

    /// Has the connection of a greeting stay open, in place of one that did before.
    fn hold_peer_link(
        &mut self,
        conn: ConnId,
        introduction: IntroductionId,
        remote: SocketAddr,
        holder: Holder,
    ) {
        let now = self.clock.at;
        let Some(peer) = self.book.by_introduction(introduction) else {
            return self.close(conn);
        };
        let name = peer.name;
        let place = match holder {
            Holder::Us => &mut peer.links.ours,
            Holder::Them => &mut peer.links.theirs,
        };
        let former = place.replace(conn);
        peer.found(now, Way::Link(conn));
        let local = self.config.listener;
        self.output(Output::Keep { conn });
        self.held.hold(now, conn, Ends { remote, local });
        let held = Connection::Held(HeldWith::Peer(introduction));
        let greeting = self.connections.insert(conn, held);
        if let Some(former) = former {
            self.take_back(name, former);
            self.release_link(former);
        }
        self.timers.cancel(TimerKind::Peer(name));
        if holder == Holder::Us {
            self.plan_keep_alive(name);
        }
        self.pump_peer(name);
        // What they say there may have come with the word that it is held.
        if let Some(Connection::Greeting { deframer, .. }) = greeting {
            self.on_link_received(conn, &Deframer::into_rest(deframer));
        }
    }

    /// What we have under way with a peer on their former link begins anew on the other, as they may know already that nothing
    /// arrives there. What they get twice they show once.
    fn take_back(&mut self, name: Name, link: ConnId) {
        for conn in self.held.begun_on(link) {
            let Some(peer) = self.book.get_mut(name) else {
                return;
            };
            match self.connections.get(&conn) {
                Some(Connection::PeerDelivery { .. }) => {
                    peer.sends_again();
                    self.ledger.lost(conn, AwayCause::Silent.into());
                }
                Some(Connection::Greeting { greeting, .. })
                    if matches!(greeting.saying, PeerPush::Probe { .. }) =>
                {
                    peer.greetings = peer.greetings.saturating_sub(1);
                }
                _ => continue,
            }
            self.close(conn);
        }
    }

    fn plan_keep_alive(&mut self, name: Name) {
        let at = self.clock.at + KEEP_ALIVE_INTERVAL;
        self.timers.set(TimerKind::PeerLink(name), at);
    }

    /// Looks whether the link with a peer stands. If it does not, that is noticed as with any other exchange there. Where there is
    /// none the peer may have to be greeted.
    pub(super) fn keep_peer_link(&mut self, name: Name) {
        let Some(peer) = self.book.get_mut(name) else {
            return;
        };
        let Some(link) = peer.links.ours else {
            return self.pump_peer(name);
        };
        peer.greetings += 1;
        let (introduction, key) = (peer.introduction, peer.key);
        let probe = PeerPush::Probe { introduction };
        self.greet(introduction, key, Way::Link(link), probe);
        self.plan_keep_alive(name);
    }

    /// A link with a peer is gone. Whoever needed it sees to a new one.
    pub(super) fn on_peer_link_lost(&mut self, introduction: IntroductionId, link: ConnId) {
        let Some(peer) = self.book.by_introduction(introduction) else {
            return;
        };
        let name = peer.name;
        if peer.links.lost(link) == Some(Holder::Us) {
            self.timers.cancel(TimerKind::PeerLink(name));
            peer.word = Word::None;
        }
        self.pump_peer(name);
    }

    /// Somebody is a peer no more, or a new one under this name: what was open with them ends when what is under way there does.
    pub(super) fn release_peer_links(&mut self, name: Name, former: &Peer) {
        self.timers.cancel(TimerKind::PeerLink(name));
        self.timers.cancel(TimerKind::PeerCheck(name));
        if let Some(conn) = former.checking {
            self.close(conn);
        }
        self.release_links(former.links);
    }

    /// What was open with somebody ends when what is under way there does.
    pub(super) fn release_links(&mut self, links: PeerLinks) {
        for link in links.ours.into_iter().chain(links.theirs) {
            self.release_link(link);
        }
    }

    fn release_link(&mut self, link: ConnId) {
        self.connections.remove(&link);
        let closing = self.held.finish(self.clock.at, link);
        self.outputs.extend(closing);
    }
}
