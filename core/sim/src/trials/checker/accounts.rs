//! Who has no account has no session, and an account is one from its beginning to its end: the same name added later is
//! another one, and has nothing of the one before.

use simplechat_core::client::event::{Event, MessageEvent};
use simplechat_core::server::event::Event as Operator;

use super::{Check, Sight, Watcher, promise};
use crate::observation::{Observation, Observed};
use crate::trials::model::Model;

#[derive(Debug)]
pub(super) struct Accounts;

impl Watcher for Accounts {
    fn on(&mut self, observed: &Observed, model: &Model) -> Check {
        match &observed.what {
            Observation::Operator(Operator::LoggedIn { user, .. }) => promise!(
                model.accounts.contains(user),
                Accounts,
                "{user} is logged in, and has no account"
            ),
            Observation::Operator(Operator::AccountRemoved { user }) => {
                let presence = model.presence.get(user);
                promise!(
                    presence.is_none_or(|presence| !presence.online),
                    Accounts,
                    "{user} is removed, and the session goes on"
                );
            }
            _ => {}
        }
        Ok(())
    }

    /// What was done with before an account was removed is not shown to who logged in to the next one.
    fn on_sight(&mut self, sight: Sight<'_>, model: &Model) -> Check {
        let Event::Message(MessageEvent::Message { text, from, .. }) = sight.event else {
            return Ok(());
        };
        let user = sight.user;
        let login = model.clients.get(&sight.client);
        let login = login.and_then(|client| client.login_wished);
        let letter = model.letters.find(text.as_str());
        let word = letter.and_then(|letter| model.letters.get(letter).word);
        let (Some(login), Some((done, _)), Some(removed)) =
            (login, word, model.surely_removed(user))
        else {
            return Ok(());
        };
        promise!(
            login <= removed || done > removed,
            Accounts,
            "{user} is shown what {from} wrote to an account that is no more"
        );
        Ok(())
    }
}
