//! What was written: by whom, for whom, what its author was told, and who was shown it.

use std::collections::BTreeMap;

use simplechat_core::name::Name;
use simplechat_core::time::Timestamp;
use simplechat_core::wire::request::Outcome;

use crate::world::ClientId;

/// A text, by its place among all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LetterId(usize);

/// How a text travels. Each route has an order of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Route {
    /// Through the server.
    Server,
    /// To a peer.
    Direct,
}

/// A text. No two are alike, so whoever sees one knows which it is. Their ids rise in the order in which they were written.
#[derive(Debug)]
pub struct Letter {
    /// What it says.
    pub text: String,
    /// Who wrote it.
    pub from: Name,
    /// At which client.
    pub by: ClientId,
    /// How it travels.
    pub route: Route,
    /// For whom; `None` is everybody.
    pub to: Option<Name>,
    /// When.
    pub wished: Timestamp,
    /// What its author was told, and when.
    pub word: Option<(Timestamp, Outcome)>,
    /// Where it was shown.
    pub shown: Vec<ClientId>,
    /// Whether it is on the screen of one of them.
    pub read: bool,
    /// Whether its author was told that it arrived, or it must have been acknowledged since.
    pub delivered: bool,
    /// Whether it was lost before anybody heard of it.
    pub is_lost: bool,
    /// When its author was told that it had expired.
    pub expired: Option<Timestamp>,
}

impl Letter {
    /// Whether it goes to a peer.
    #[must_use]
    pub fn is_private(&self) -> bool {
        self.route == Route::Direct
    }
}

/// All texts.
#[derive(Debug, Default)]
pub struct Letters {
    all: Vec<Letter>,
    by_text: BTreeMap<String, LetterId>,
    /// Those of each client, in the order of the numbers that it has for them.
    by_number: BTreeMap<ClientId, Vec<LetterId>>,
}

impl Letters {
    /// Somebody writes.
    pub fn write(
        &mut self,
        text: &str,
        from: Name,
        by: ClientId,
        route: Route,
        to: Option<Name>,
        wished: Timestamp,
    ) -> LetterId {
        let id = LetterId(self.all.len());
        self.by_text.insert(text.to_owned(), id);
        self.by_number.entry(by).or_default().push(id);
        self.all.push(Letter {
            text: text.to_owned(),
            from,
            by,
            route,
            to,
            wished,
            word: None,
            shown: Vec::new(),
            read: false,
            delivered: false,
            is_lost: false,
            expired: None,
        });
        id
    }

    /// Which text that is, if anybody wrote it.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<LetterId> {
        self.by_text.get(text).copied()
    }

    /// A text.
    #[must_use]
    pub fn get(&self, id: LetterId) -> &Letter {
        &self.all[id.0]
    }

    /// A text.
    pub fn get_mut(&mut self, id: LetterId) -> &mut Letter {
        &mut self.all[id.0]
    }

    /// All texts, in the order in which they were written.
    pub fn iter(&self) -> impl Iterator<Item = &Letter> {
        self.all.iter()
    }

    /// All texts.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Letter> {
        self.all.iter_mut()
    }

    /// All texts, with which they are.
    pub fn iter_with_id(&mut self) -> impl Iterator<Item = (LetterId, &mut Letter)> {
        (0..).map(LetterId).zip(&mut self.all)
    }

    /// The text that a client calls by this number, counted from 1.
    #[must_use]
    pub fn numbered(&self, by: ClientId, number: u64) -> Option<&Letter> {
        let place = usize::try_from(number).ok()?.checked_sub(1)?;
        let id = self.by_number.get(&by)?.get(place)?;
        Some(self.get(*id))
    }

    /// A client that starts again has other numbers for what waits, and none for the rest.
    pub(super) fn renumber(&mut self, by: ClientId, waiting: Vec<LetterId>) {
        self.by_number.insert(by, waiting);
    }

    pub(super) fn show(&mut self, id: LetterId, client: ClientId, _at: Timestamp) {
        self.get_mut(id).shown.push(client);
    }
}
