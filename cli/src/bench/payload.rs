//! What a text of a load test says: who sent it, which of theirs it is, and when it was due, so that whoever gets it can tell
//! whether all came once and in order, and how long it took.

use simplechat_core::text::Text;
use simplechat_core::time::Timestamp;

use super::crowd::UserId;

/// Tells the texts of this run from what earlier ones left in mailboxes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Run(pub(super) u64);

/// What a text says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Payload {
    pub(super) run: Run,
    pub(super) from: UserId,
    /// The first is 0.
    pub(super) number: u64,
    pub(super) sent: Timestamp,
}

const MARK: &str = "bench";

impl Payload {
    /// As a text of so many bytes, or of as many as it needs.
    pub(super) fn to_text(self, size: usize) -> Text {
        let mut text = format!(
            "{MARK} {:x} {:x} {:x} {:x} ",
            self.run.0,
            self.from.0,
            self.number,
            self.sent.as_micros()
        );
        let padding = size.saturating_sub(text.len());
        text.extend(std::iter::repeat_n('.', padding));
        Text::new(text).expect("the command line bounds its length")
    }

    /// What a text says, if it is one of this run.
    pub(super) fn of(run: Run, text: &Text) -> Option<Self> {
        let mut words = text.as_str().split(' ');
        if words.next()? != MARK {
            return None;
        }
        let mut number = || u64::from_str_radix(words.next()?, 16).ok();
        let payload = Self {
            run: Run(number()?),
            from: UserId(u32::try_from(number()?).ok()?),
            number: number()?,
            sent: Timestamp::from_micros(number()?),
        };
        (payload.run == run).then_some(payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: Payload = Payload {
        run: Run(u64::MAX),
        from: UserId(7),
        number: 1_000_000,
        sent: Timestamp::from_secs(1_000_000),
    };

    #[test]
    fn a_text_says_what_was_put_in_and_is_as_long_as_it_should_be() {
        let text = PAYLOAD.to_text(64);
        assert_eq!(text.len(), 64);
        assert_eq!(Payload::of(PAYLOAD.run, &text), Some(PAYLOAD));
    }

    #[test]
    fn texts_of_others_are_not_ours() {
        assert_eq!(Payload::of(Run(1), &PAYLOAD.to_text(64)), None);
        for text in ["hello", "bench", "bench 1 zz 3 4 ", "bench 1 2"] {
            assert_eq!(Payload::of(Run(1), &text.parse().unwrap()), None, "{text}");
        }
    }
}
