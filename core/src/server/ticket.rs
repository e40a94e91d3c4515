//! Tickets and admission cookies: what the server hands a client at its login, and takes in place of a password when that client comes back.
//!
//! The server keeps none of them (RFC 5077): what it has to know stands in the ticket, sealed under a key that only the server
//! has. A ticket is good for one account, client key and client instance, while the account's line in the credentials is what it
//! was, and for [`TICKET_LIFETIME`]. An account that is added is another one than those of its name before, whatever its line.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};

use super::account::CredentialsDigest;
use super::admission::AccountTag;
use super::recording::Entrant;
use crate::id::InstanceId;
use crate::key::{KEY_LEN, PublicKey};
use crate::limits::{COOKIE_LEN, TICKET_LIFETIME};
use crate::name::Name;
use crate::rng::SecretSource;
use crate::time::WallTime;
use crate::wire::login::{Cookie, Ticket};

const NONCE_LEN: usize = 24;
/// What is sealed as the one does not open as the other.
const TICKET_LABEL: &[u8] = b"simplechat ticket 1";
const COOKIE_LABEL: &[u8] = b"simplechat cookie 2";

/// Whom a ticket is for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    pub(super) account: Name,
    pub(super) key: PublicKey,
    pub(super) instance: InstanceId,
    credentials: [u8; 32],
}

impl Holder {
    /// Who logs in, by these credentials.
    pub(super) const fn of(entrant: &Entrant, credentials: CredentialsDigest) -> Self {
        Self {
            account: entrant.name,
            key: entrant.key,
            instance: entrant.instance,
            credentials: credentials.0,
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Content {
    holder: Holder,
    expires: WallTime,
}

/// Seals tickets, and knows them again.
pub(super) struct TicketKey(XChaCha20Poly1305);

impl TicketKey {
    pub(super) fn new(key: &[u8; KEY_LEN]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    /// A ticket for who has just logged in.
    pub(super) fn issue(
        &self,
        holder: Holder,
        now: WallTime,
        secrets: &mut dyn SecretSource,
    ) -> Ticket {
        let expires = expiry(now);
        let content = postcard::to_allocvec(&Content { holder, expires })
            .expect("names, keys and numbers always serialise");
        let bytes = self.seal(&content, TICKET_LABEL, secrets);
        Ticket::new(bytes).expect("a ticket is short")
    }

    fn seal(&self, content: &[u8], label: &[u8], secrets: &mut dyn SecretSource) -> Vec<u8> {
        // 192 bits of chance: no nonce comes twice under one key.
        let mut bytes = alloc::vec![0; NONCE_LEN];
        secrets.fill(&mut bytes);
        let sealed = self.0.encrypt(
            XNonce::from_slice(&bytes),
            Payload {
                msg: content,
                aad: label,
            },
        );
        bytes.extend(sealed.expect("tickets and cookies are short"));
        bytes
    }

    /// An admission cookie for who has just logged in. Whose it is only the server can read.
    pub(super) fn cookie(
        &self,
        account: AccountTag,
        now: WallTime,
        secrets: &mut dyn SecretSource,
    ) -> Cookie {
        let expires = u32::try_from(expiry(now).0 / 1_000).unwrap_or(u32::MAX);
        let content = [expires.to_be_bytes(), account.0.to_be_bytes()].concat();
        let bytes = self.seal(&content, COOKIE_LABEL, secrets);
        Cookie::new(bytes.try_into().expect("cookies are all of one length"))
    }

    /// Who has logged in lately, if somebody shows this: the account that was given it.
    pub(super) fn open_cookie(&self, bytes: &[u8], now: WallTime) -> Option<AccountTag> {
        if bytes.len() != COOKIE_LEN {
            return None;
        }
        let content = self.unseal(bytes, COOKIE_LABEL)?;
        let (expires, account) = content.split_first_chunk()?;
        let account = AccountTag(u32::from_be_bytes(account.try_into().ok()?));
        let is_good = now.0 / 1_000 < u32::from_be_bytes(*expires).into();
        is_good.then_some(account)
    }

    /// Whether a ticket is good for who shows it at the end of a period, and was given to them within it.
    pub(super) fn is_good(
        &self,
        ticket: &Ticket,
        holder: &Holder,
        period: Range<WallTime>,
    ) -> bool {
        self.open(ticket).is_some_and(|content| {
            content.holder == *holder
                && content.expires >= expiry(period.start)
                && content.expires > period.end
        })
    }

    fn open(&self, ticket: &Ticket) -> Option<Content> {
        let content = self.unseal(ticket.as_bytes(), TICKET_LABEL)?;
        postcard::from_bytes(&content).ok()
    }

    fn unseal(&self, bytes: &[u8], label: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
        let payload = Payload {
            msg: sealed,
            aad: label,
        };
        self.0.decrypt(XNonce::from_slice(nonce), payload).ok()
    }
}

fn expiry(now: WallTime) -> WallTime {
    let lifetime = u64::try_from(TICKET_LIFETIME.as_millis()).unwrap_or(u64::MAX);
    WallTime(now.0.saturating_add(lifetime))
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::NAME_LEN_MAX;
    use crate::rng::SeededSecrets;

    const NOW: WallTime = WallTime(1_000_000);
    const ANY: WallTime = WallTime(0);

    fn holder() -> Holder {
        Holder {
            account: "n".repeat(NAME_LEN_MAX).parse().unwrap(),
            key: PublicKey([1; KEY_LEN]),
            instance: InstanceId([2; 16]),
            credentials: [3; 32],
        }
    }

    fn issued() -> (TicketKey, Ticket) {
        let key = TicketKey::new(&[7; KEY_LEN]);
        let ticket = key.issue(holder(), NOW, &mut SeededSecrets::new(1));
        (key, ticket)
    }

    #[test]
    fn a_ticket_is_good_until_it_expires() {
        let (key, ticket) = issued();
        let last = WallTime(NOW.0 + 24 * 60 * 60 * 1_000 - 1);
        assert!(key.is_good(&ticket, &holder(), ANY..last));
        assert!(!key.is_good(&ticket, &holder(), ANY..WallTime(last.0 + 1)));
    }

    #[test]
    fn a_ticket_from_before_an_account_was_there_is_for_an_earlier_one() {
        let (key, ticket) = issued();
        assert!(key.is_good(&ticket, &holder(), NOW..NOW));
        let next = WallTime(NOW.0 + 1);
        assert!(!key.is_good(&ticket, &holder(), next..next));
    }

    #[test]
    fn a_ticket_is_good_for_nobody_else() {
        let (key, ticket) = issued();
        let others = [
            Holder {
                account: "other".parse().unwrap(),
                ..holder()
            },
            Holder {
                key: PublicKey([9; KEY_LEN]),
                ..holder()
            },
            Holder {
                instance: InstanceId([9; 16]),
                ..holder()
            },
            Holder {
                credentials: [9; 32],
                ..holder()
            },
        ];
        for (number, other) in others.iter().enumerate() {
            assert!(!key.is_good(&ticket, other, ANY..NOW), "{number}");
        }
    }

    #[test]
    fn a_cookie_is_good_until_it_expires_and_a_ticket_is_none() {
        let (key, ticket) = issued();
        let account = AccountTag::of(holder().account);
        let cookie = key.cookie(account, NOW, &mut SeededSecrets::new(2));
        let last = WallTime(NOW.0 + 24 * 60 * 60 * 1_000 - 1);
        let opened = |key: &TicketKey, bytes: &[u8], now| key.open_cookie(bytes, now);
        assert_eq!(opened(&key, cookie.as_bytes(), last), Some(account));
        let expired = WallTime(last.0 + 1);
        assert_eq!(opened(&key, cookie.as_bytes(), expired), None);
        assert_eq!(opened(&key, ticket.as_bytes(), NOW), None);
        assert_eq!(opened(&key, &[], NOW), None);
        let other = TicketKey::new(&[8; KEY_LEN]);
        assert_eq!(opened(&other, cookie.as_bytes(), NOW), None);
    }

    #[test]
    fn only_its_own_tickets_are_good() {
        let (key, ticket) = issued();
        let other = TicketKey::new(&[8; KEY_LEN]);
        assert!(!other.is_good(&ticket, &holder(), ANY..NOW));
        let bytes = ticket.as_bytes();
        for place in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[place] ^= 1;
            assert!(!key.is_good(&Ticket::new(changed).unwrap(), &holder(), ANY..NOW));
            let cut = Ticket::new(bytes[..place].to_vec()).unwrap();
            assert!(!key.is_good(&cut, &holder(), ANY..NOW));
        }
    }
}
