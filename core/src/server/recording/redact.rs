//! Takes out of payloads what a recording must not hold, and leaves their lengths as they were.

use alloc::string::String;
use alloc::vec;

use super::Texts;
use super::fact::{Items, Saying};
use crate::server::record::Record;
use crate::text::Text;
use crate::wire::Challenge;
use crate::wire::item::{self, ItemError, Payload, decode};
use crate::wire::mail::Sealed;
use crate::wire::push::Push;
use crate::wire::request::{Operation, Request};

/// Stands for each byte of a text.
const FILLER: &str = "x";

impl Items {
    /// What a client asks. It was written by somebody else, so only what is understood is kept: of an item of an unknown
    /// kind the kind, and of a malformed one that it was there, which is where the machine stops to read.
    pub(crate) fn of_request(payload: &[u8], texts: Texts) -> Self {
        let mut kept = Payload::default();
        for item in item::Items::new(payload) {
            match item.and_then(decode) {
                Ok(request) => kept.push(&redact_request(request, texts)),
                Err(ItemError::Unsupported(kind)) => kept.push_encoded(&kind_of_item(kind)),
                Err(ItemError::Malformed) => {
                    kept.push_encoded(&[]);
                    break;
                }
            }
        }
        Self(kept.into_bytes())
    }
}

impl Saying {
    /// What the machine answers holds names and numbers only.
    pub(crate) fn answers(payload: &Payload) -> Self {
        Self::Answers(Items(payload.as_bytes().into()))
    }

    pub(crate) fn pushes(payload: &Payload, texts: Texts) -> Self {
        let mut kept = Payload::default();
        for item in item::Items::new(payload.as_bytes()).flatten() {
            match decode(item) {
                Ok(push) => kept.push(&redact_push(push, texts)),
                // The machine made it, so this does not happen; if it did, better nothing than a secret.
                Err(_) => kept.push_encoded(&[]),
            }
        }
        Self::Pushes(Items(kept.into_bytes()))
    }
}

impl Record {
    /// The record as a recording may hold it.
    pub(crate) fn redacted(&self, texts: Texts) -> Self {
        match self.clone() {
            Self::Kept {
                to,
                place,
                mut message,
            } => {
                message.text = redact_text(message.text, texts);
                Self::Kept { to, place, message }
            }
            Self::Notice { to, subject, push } => Self::Notice {
                to,
                subject,
                push: redact_push(push, texts),
            },
            Self::KeptMail {
                to,
                key,
                place,
                mut mail,
            } => {
                mail.sealed = redact_sealed(mail.sealed, texts);
                Self::KeptMail {
                    to,
                    key,
                    place,
                    mail,
                }
            }
            other @ (Self::Taken { .. }
            | Self::Expired { .. }
            | Self::ToldExpired { .. }
            | Self::Outcomes { .. }
            | Self::Introduced { .. }
            | Self::LoggedIn { .. }
            | Self::LockedOut { .. }
            | Self::Blocked { .. }
            | Self::Unblocked { .. }
            | Self::Asked { .. }
            | Self::QuestionClosed { .. }
            | Self::Parted { .. }
            | Self::Told { .. }
            | Self::Removed { .. }) => other,
        }
    }
}

fn redact_request(request: Request, texts: Texts) -> Request {
    let redact = |text| redact_text(text, texts);
    match request {
        Request::Submit { seq, operation } => {
            let operation = match operation {
                Operation::Message { to, text } => Operation::Message {
                    to,
                    text: redact(text),
                },
                Operation::Broadcast { text } => Operation::Broadcast { text: redact(text) },
                Operation::Mail {
                    to,
                    key,
                    messages,
                    sealed,
                } => Operation::Mail {
                    to,
                    key,
                    messages,
                    sealed: redact_sealed(sealed, texts),
                },
                other @ (Operation::Block { .. }
                | Operation::Unblock { .. }
                | Operation::GetAddress { .. }
                | Operation::Accept { .. }
                | Operation::Deny { .. }
                | Operation::RemoveAddress { .. }
                | Operation::Skip) => other,
            };
            Request::Submit { seq, operation }
        }
        other @ (Request::Heartbeat
        | Request::LowestUnanswered { .. }
        | Request::ListOnline { .. }
        | Request::Logout
        | Request::Holds { .. }) => other,
    }
}

fn redact_push(push: Push, texts: Texts) -> Push {
    match push {
        Push::Message(mut delivery) => {
            delivery.text = redact_text(delivery.text, texts);
            Push::Message(delivery)
        }
        Push::Mail(mut mail) => {
            mail.sealed = redact_sealed(mail.sealed, texts);
            Push::Mail(mail)
        }
        Push::Probe { .. } => Push::Probe {
            challenge: Challenge([0; 16]),
        },
        other @ (Push::Batch { .. }
        | Push::KeptStart { .. }
        | Push::KeptEnd
        | Push::Introduced(_)
        | Push::Presence { .. }
        | Push::AddressAsked { .. }
        | Push::QuestionClosed { .. }
        | Push::IntroductionEnded { .. }
        | Push::AddressDenied { .. }
        | Push::NoAnswer { .. }
        | Push::Delivered { .. }
        | Push::SessionEnded { .. }
        | Push::Stopping
        | Push::Undelivered { .. }
        | Push::Addresses { .. }
        | Push::Absent { .. }
        | Push::MailExpired { .. }
        | Push::Expired(_)) => other,
    }
}

fn redact_text(text: Text, texts: Texts) -> Text {
    match texts {
        Texts::Kept => text,
        Texts::Filled => filler(text.len()),
    }
}

/// What is sealed goes with the texts: a recording may come to who can open it.
fn redact_sealed(sealed: Sealed, texts: Texts) -> Sealed {
    match texts {
        Texts::Kept => sealed,
        Texts::Filled => Sealed::new(vec![0; sealed.as_bytes().len()]).unwrap_or(sealed),
    }
}

fn filler(len: usize) -> Text {
    let filler: String = FILLER.repeat(len);
    Text::new(filler).expect("as long as a text was, of one-byte letters")
}

/// An item that says of which kind it is and nothing else.
fn kind_of_item(kind: u32) -> vec::Vec<u8> {
    postcard::to_allocvec(&kind).expect("a number always serialises")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Seq;
    use crate::wire::item::encode;
    use proptest::prelude::*;

    fn message(text: &str) -> Request {
        Request::Submit {
            seq: Seq(7),
            operation: Operation::Message {
                to: "bob".parse().unwrap(),
                text: text.parse().unwrap(),
            },
        }
    }

    fn payload(items: &[&[u8]]) -> vec::Vec<u8> {
        let mut payload = Payload::default();
        for item in items {
            payload.push_encoded(item);
        }
        payload.into_bytes()
    }

    #[test]
    fn texts_keep_their_length_and_nothing_else() {
        let whole = payload(&[&encode(&Request::Heartbeat), &encode(&message("héllo ⚽"))]);
        let filled = Items::of_request(&whole, Texts::Filled);
        assert_eq!(filled.as_bytes().len(), whole.len());
        assert_eq!(
            filled.decoded::<Request>().collect::<vec::Vec<_>>(),
            [Ok(Request::Heartbeat), Ok(message("xxxxxxxxxx"))]
        );
        assert_eq!(Items::of_request(&whole, Texts::Kept).as_bytes(), whole);
    }

    #[test]
    fn what_is_not_understood_leaves_only_that_it_was_there() {
        let mut with_appended = encode(&message("hi"));
        with_appended.extend(b"a secret of a later version");
        let whole = payload(&[
            &with_appended,
            b"\x63a secret of an unknown kind",
            b"\x02\x07",
            &encode(&message("never read")),
        ]);
        let kept = Items::of_request(&whole, Texts::Kept);
        assert_eq!(
            kept.decoded::<Request>().collect::<vec::Vec<_>>(),
            [
                Ok(message("hi")),
                Err(ItemError::Unsupported(0x63)),
                Err(ItemError::Malformed)
            ]
        );
        assert!(kept.as_bytes().len() < 20, "{kept:?}");
    }

    proptest! {
        /// Whatever a client sends, the machine reads the same items from the record, and no text.
        #[test]
        fn the_machine_reads_the_same(
            items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..6),
            tail in prop::collection::vec(any::<u8>(), 0..6),
        ) {
            let items: vec::Vec<&[u8]> = items.iter().map(vec::Vec::as_slice).collect();
            let mut whole = payload(&items);
            whole.extend(tail);
            let read = |bytes: &[u8]| {
                let mut read = vec::Vec::new();
                for item in item::Items::new(bytes) {
                    let item: Result<Request, _> = item.and_then(decode);
                    let stops = item == Err(ItemError::Malformed);
                    read.push(item.map(|request| redact_request(request, Texts::Filled)));
                    if stops { break; }
                }
                read
            };
            let kept = Items::of_request(&whole, Texts::Filled);
            prop_assert_eq!(read(kept.as_bytes()), read(&whole));
            prop_assert!(kept.as_bytes().len() <= whole.len() + 1);
        }
    }
}
