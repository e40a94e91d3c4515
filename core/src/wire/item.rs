//! Items: the messages inside a frame, one behind the other.
//!
//! A payload is a row of items, each its length (a varint) and its bytes. The bytes of an item are the postcard encoding
//! of one value of an enum such as [`super::request::Request`]: a varint that says which kind it is, then the kind's
//! fields. So an item of an unknown kind can be skipped, and fields that a later version appended are ignored.

use alloc::vec::Vec;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::limits::PAYLOAD_LEN_MAX;

/// An enum whose variants are the kinds of one family of items. Variants are only ever appended, and so are their fields.
pub trait Item: Serialize + DeserializeOwned {
    /// How many kinds this version knows.
    const KINDS: u32;
}

/// Why an item could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum ItemError {
    /// A kind of a later version: it can be skipped.
    #[error("an item of unknown kind {0}")]
    Unsupported(u32),
    /// Not an item of this family.
    #[error("a malformed item")]
    Malformed,
}

/// The bytes of an item, without its length: a login request or the answer to it.
///
/// # Panics
///
/// Never on what the wire types can hold: their serialisers cannot fail, and memory grows as needed.
#[must_use]
pub fn encode<T: Item>(item: &T) -> Vec<u8> {
    postcard::to_allocvec(item).expect("wire types always serialise")
}

/// Reads one item, ignoring fields appended by a later version.
///
/// # Errors
///
/// See [`ItemError`].
pub fn decode<T: Item>(bytes: &[u8]) -> Result<T, ItemError> {
    let (kind, _) = postcard::take_from_bytes::<u32>(bytes).map_err(|_| ItemError::Malformed)?;
    if kind >= T::KINDS {
        return Err(ItemError::Unsupported(kind));
    }
    let (item, _appended) = postcard::take_from_bytes(bytes).map_err(|_| ItemError::Malformed)?;
    Ok(item)
}

/// A payload that is being put together.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Payload {
    bytes: Vec<u8>,
}

impl Payload {
    pub(crate) fn of<T: Item>(item: &T) -> Self {
        let mut payload = Self::default();
        payload.push(item);
        payload
    }

    pub(crate) fn push<T: Item>(&mut self, item: &T) {
        self.push_encoded(&encode(item));
    }

    /// Adds an item that was encoded before, perhaps for many recipients.
    pub(crate) fn push_encoded(&mut self, item: &[u8]) {
        push_len(&mut self.bytes, item.len());
        self.bytes.extend_from_slice(item);
    }

    /// Whether an item of so many bytes still fits into one frame.
    pub(crate) fn has_room_for(&self, item_len: usize) -> bool {
        self.bytes.len() + item_len + LEN_LEN_MAX <= PAYLOAD_LEN_MAX
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The payload of a frame with one item.
#[must_use]
pub fn payload_of<T: Item>(item: &T) -> Vec<u8> {
    Payload::of(item).into_bytes()
}

/// Bytes of the longest length that a payload can hold.
const LEN_LEN_MAX: usize = 3;

fn push_len(bytes: &mut Vec<u8>, len: usize) {
    let mut rest = len;
    while let (low, high @ 1..) = (rest % 128, rest / 128) {
        bytes.push(u8::try_from(low).unwrap_or(0) | 0x80);
        rest = high;
    }
    bytes.push(u8::try_from(rest).unwrap_or(0));
}

/// The items of a payload, one after the other; after a malformed length there is nothing more.
#[derive(Debug, Clone)]
pub struct Items<'a> {
    rest: &'a [u8],
}

impl<'a> Items<'a> {
    /// The items in a payload.
    #[must_use]
    pub const fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<&'a [u8], ItemError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match postcard::take_from_bytes::<&[u8]>(self.rest) {
            Ok((item, rest)) => {
                self.rest = rest;
                Some(Ok(item))
            }
            Err(_) => {
                self.rest = &[];
                Some(Err(ItemError::Malformed))
            }
        }
    }
}

/// A list that cannot be made longer than `N` by whoever sends it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct Bounded<T, const N: usize>(Vec<T>);

impl<T, const N: usize> Bounded<T, N> {
    /// The first `N` of `items`.
    pub fn first_of(items: impl IntoIterator<Item = T>) -> Self {
        Self(items.into_iter().take(N).collect())
    }

    /// The items.
    #[must_use]
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Bounded<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T, const N: usize>(core::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>, const N: usize> de::Visitor<'de> for Visitor<T, N> {
            type Value = Bounded<T, N>;

            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "at most {N} items")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    if items.len() == N {
                        return Err(de::Error::invalid_length(N + 1, &self));
                    }
                    items.push(item);
                }
                Ok(Bounded(items))
            }
        }

        deserializer.deserialize_seq(Visitor(core::marker::PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec;
    use proptest::prelude::*;

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    enum Sample {
        Empty,
        Text { text: String },
        List { list: Bounded<u16, 3> },
    }

    impl Item for Sample {
        const KINDS: u32 = 3;
    }

    #[test]
    fn appended_fields_are_ignored_and_unknown_kinds_can_be_skipped() {
        let mut payload = Payload::default();
        payload.push_encoded(&[1, 2, b'h', b'i', 99, 98]);
        payload.push_encoded(&[3, 1, 2, 3]);
        payload.push(&Sample::Empty);
        let read: Vec<_> = Items::new(payload.as_bytes())
            .map(|item| decode::<Sample>(item.unwrap()))
            .collect();
        let text = "hi".into();
        assert_eq!(
            read,
            [
                Ok(Sample::Text { text }),
                Err(ItemError::Unsupported(3)),
                Ok(Sample::Empty)
            ]
        );
    }

    #[test]
    fn a_list_over_its_bound_is_malformed() {
        let list = |n: u16| {
            encode(&SampleList::List {
                list: vec![7; usize::from(n)],
            })
        };
        assert!(decode::<Sample>(&list(3)).is_ok());
        assert_eq!(decode::<Sample>(&list(4)), Err(ItemError::Malformed));

        #[derive(Serialize, Deserialize)]
        enum SampleList {
            #[allow(dead_code, reason = "keeps the kinds in step with Sample")]
            Empty,
            #[allow(dead_code, reason = "keeps the kinds in step with Sample")]
            Text {
                text: String,
            },
            List {
                list: Vec<u16>,
            },
        }
        impl Item for SampleList {
            const KINDS: u32 = 3;
        }
    }

    #[test]
    fn a_list_that_claims_too_much_allocates_nothing() {
        let claims_2_to_the_62 = [2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
        assert_eq!(
            decode::<Sample>(&claims_2_to_the_62),
            Err(ItemError::Malformed)
        );
    }

    proptest! {
        #[test]
        fn items_come_out_as_they_went_in(items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20)) {
            let mut payload = Payload::default();
            for item in &items {
                prop_assert!(payload.has_room_for(item.len()));
                payload.push_encoded(item);
            }
            let read: Result<Vec<_>, _> = Items::new(payload.as_bytes()).collect();
            let expected: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(read, Ok(expected));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            for item in Items::new(&bytes).flatten() {
                let _ = decode::<Sample>(item);
            }
        }
    }
}
