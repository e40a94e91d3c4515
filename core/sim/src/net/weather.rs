//! How unkind a network is, and what that does to a single connection.

use std::time::Duration;

use simplechat_core::machine::ConnectFailure;

use super::wire::Fate;
use crate::dice::Dice;

/// Bytes of a connection within which it breaks or is lost, if it is to: two or three frames.
const DOOMED_WITHIN: usize = 300;

/// How unkind the network is. [`Weather::default`] is kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weather {
    /// The shortest time that anything takes from one host to another.
    pub latency: Duration,
    /// Up to so much more, differently each time.
    pub jitter: Duration,
    /// Up to so much more until a connection stands.
    pub set_up: Duration,
    /// What is sent at once is cut into up to so many pieces.
    pub pieces_max: usize,
    /// Of 1000 pieces, so many wait for what is sent after them and arrive with it.
    pub joins_per_mille: u32,
    /// Of 1000 connections, so many break: somewhere in what is sent, or just before the answer.
    pub breaks_per_mille: u32,
    /// Of 1000 connections, so many fall silent at some byte, and nobody is told.
    pub losses_per_mille: u32,
    /// Of 1000 dials, so many fail at once.
    pub failed_dials_per_mille: u32,
    /// Of 1000 dials, so many get no answer.
    pub hung_dials_per_mille: u32,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(5),
            jitter: Duration::from_millis(5),
            set_up: Duration::ZERO,
            pieces_max: 2,
            joins_per_mille: 0,
            breaks_per_mille: 0,
            losses_per_mille: 0,
            failed_dials_per_mille: 0,
            hung_dials_per_mille: 0,
        }
    }
}

impl Weather {
    /// A network on which every unkindness is frequent, and a chat still gets through.
    #[must_use]
    pub const fn stormy() -> Self {
        Self {
            latency: Duration::from_millis(10),
            jitter: Duration::from_millis(150),
            set_up: Duration::from_millis(300),
            pieces_max: 5,
            joins_per_mille: 300,
            breaks_per_mille: 80,
            losses_per_mille: 30,
            failed_dials_per_mille: 30,
            hung_dials_per_mille: 20,
        }
    }

    /// How long something takes.
    pub(super) fn delay(&self, dice: &mut Dice) -> Duration {
        self.latency + dice.fraction_of(self.jitter)
    }

    /// How much longer a connection takes to stand.
    pub(super) fn set_up(&self, dice: &mut Dice) -> Duration {
        if self.set_up.is_zero() {
            Duration::ZERO
        } else {
            dice.fraction_of(self.set_up)
        }
    }

    /// What is to become of a dial. One roll decides it all, so the rates add up to 1000 at most.
    pub(super) fn forecast(&self, dice: &mut Dice) -> Forecast {
        let rolled = dice.below(1_000);
        let mut sum = 0;
        let mut is = |per_mille: u32| {
            sum += usize::try_from(per_mille).unwrap_or(usize::MAX);
            rolled < sum
        };
        if is(self.breaks_per_mille) {
            let fate = match dice.below(4) {
                0 => Fate::BreaksBeforeAnswer,
                _ => Fate::BreaksAfter(dice.below(DOOMED_WITHIN)),
            };
            Forecast::Stands(fate)
        } else if is(self.losses_per_mille) {
            Forecast::Stands(Fate::LostAfter(dice.below(DOOMED_WITHIN)))
        } else if is(self.failed_dials_per_mille) {
            let failures = [ConnectFailure::Refused, ConnectFailure::Unreachable];
            Forecast::Fails(failures[dice.below(failures.len())])
        } else if is(self.hung_dials_per_mille) {
            Forecast::Hangs
        } else {
            Forecast::Stands(Fate::Whole)
        }
    }

    /// Cuts bytes into pieces, anywhere.
    pub(super) fn cut(&self, dice: &mut Dice, mut bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let mut cuts: Vec<_> = (1..self.pieces_max)
            .map(|_| dice.below(bytes.len() + 1))
            .collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        while let Some(cut) = cuts.pop() {
            pieces.push(bytes.split_off(cut));
        }
        pieces.push(bytes);
        pieces.reverse();
        pieces.retain(|piece| !piece.is_empty());
        pieces
    }

    /// Whether a piece arrives together with the one before it.
    pub(super) fn joins(&self, dice: &mut Dice) -> bool {
        let per_mille = usize::try_from(self.joins_per_mille).unwrap_or(usize::MAX);
        per_mille > 0 && dice.below(1_000) < per_mille
    }
}

/// What is to become of a dial.
#[derive(Clone, Copy, Debug)]
pub(super) enum Forecast {
    /// The connection stands, and this becomes of it.
    Stands(Fate),
    /// It fails at once.
    Fails(ConnectFailure),
    /// Nobody answers.
    Hangs,
}
