//! The types that settings have: how each is written in the file, and how on a command line.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use ron::value::RawValue;
use simplechat_core::client::config::StoreKind as ClientStoreKind;
use simplechat_core::server::config::StoreKind;
use simplechat_core::server::lockout::LockoutRule;
use simplechat_core::wire::login::LinkChoice;

use crate::clean::clean_start;

use super::{LogLevel, PlainPasswords, Transport};

/// So much of a wrong value is repeated.
const ECHO_CHARS_MAX: usize = 40;

/// A value as somebody wrote it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Written<'a> {
    /// In a file, as RON.
    Ron(&'a str),
    /// In the environment or a flag: without quotes.
    Plain(&'a str),
}

/// A type that a setting can have.
pub(super) trait Value: Sized {
    /// Whether it is a text in RON.
    const IS_QUOTED: bool;

    /// What can be written, to read after "must be".
    fn expected(quotes: Quotes) -> String;

    /// Reads it without quotes.
    fn parse(plain: &str) -> Option<Self>;

    /// Writes it without quotes.
    fn show(&self) -> String;

    /// Reads it as RON.
    fn parse_ron(ron: &str) -> Option<Self> {
        if Self::IS_QUOTED {
            Self::parse(&ron::from_str::<String>(ron).ok()?)
        } else {
            Self::parse(ron)
        }
    }

    /// Writes it as RON.
    fn to_ron(&self) -> String {
        if Self::IS_QUOTED {
            format!("{:?}", self.show())
        } else {
            self.show()
        }
    }
}

/// Whether texts stand in quotes where the wrong value was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Quotes {
    /// In a file.
    Needed,
    /// In the environment or a flag.
    None,
}

impl Quotes {
    fn around(self, example: &str) -> String {
        match self {
            Self::Needed => format!("\"{example}\""),
            Self::None => example.into(),
        }
    }
}

/// Reads a value, or says what it should be.
pub(super) fn read<T: Value>(written: Written<'_>) -> Result<T, String> {
    let (value, expected) = match written {
        Written::Ron(ron) => (T::parse_ron(ron), T::expected(Quotes::Needed)),
        Written::Plain(plain) => (T::parse(plain), T::expected(Quotes::None)),
    };
    value.ok_or_else(|| format!("must be {expected}, not {}", written.echo()))
}

/// Holds a value against what is possible.
pub(super) fn check_range<T: Value + PartialOrd>(
    value: &T,
    range: &RangeInclusive<T>,
    written: Written<'_>,
) -> Result<(), String> {
    if range.contains(value) {
        return Ok(());
    }
    let (start, end) = (range.start().show(), range.end().show());
    Err(format!(
        "must be between {start} and {end}, not {}",
        written.echo()
    ))
}

impl Written<'_> {
    /// The value as it was written: clean, on one line and shortened.
    fn echo(self) -> String {
        let text = match self {
            Self::Ron(text) | Self::Plain(text) => text,
        };
        if text.is_empty() {
            "an empty value".into()
        } else {
            clean_start(text, ECHO_CHARS_MAX)
        }
    }
}

/// Numbers are written in digits, which may be grouped by underscores. One that is too large for its type is taken as
/// the largest, which no range allows.
macro_rules! number {
    ($($kind:ty),+) => { $(
        impl Value for $kind {
            const IS_QUOTED: bool = false;

            fn expected(_: Quotes) -> String {
                "a whole number in plain digits".into()
            }

            fn parse(plain: &str) -> Option<Self> {
                let is_number = plain.starts_with(|c: char| c.is_ascii_digit())
                    && plain.chars().all(|c| c.is_ascii_digit() || c == '_');
                is_number.then(|| plain.replace('_', "").parse().unwrap_or(Self::MAX))
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )+ };
}

number!(u32, usize);

/// Times are written with their unit: `30s`, `250ms`, `1h 30m`.
impl Value for Duration {
    const IS_QUOTED: bool = true;

    fn expected(quotes: Quotes) -> String {
        let [seconds, millis, minutes] =
            ["30s", "250ms", "10m"].map(|example| quotes.around(example));
        format!("a time with its unit, such as {seconds}, {millis} or {minutes}")
    }

    fn parse(plain: &str) -> Option<Self> {
        // The parser also takes `1:30:00`, in which people do not agree about the units.
        let has_units = !plain.contains(':');
        has_units
            .then(|| SpanParser::new().parse_unsigned_duration(plain).ok())
            .flatten()
    }

    /// In the largest unit that gives a whole number; but up to two minutes are said in seconds, and up to two hours in
    /// minutes.
    fn show(&self) -> String {
        let nanos = self.as_nanos();
        let units = [
            (3_600_000_000_000, "h"),
            (60_000_000_000, "m"),
            (1_000_000_000, "s"),
            (1_000_000, "ms"),
            (1_000, "us"),
            (1, "ns"),
        ];
        for (unit, name) in units {
            let is_long = nanos > 2 * unit || unit <= 1_000_000_000;
            if is_long && nanos.is_multiple_of(unit) {
                return format!("{}{name}", nanos / unit);
            }
        }
        format!("{nanos}ns")
    }
}

impl Value for SocketAddr {
    const IS_QUOTED: bool = true;

    fn expected(quotes: Quotes) -> String {
        let [v4, v6] = ["127.0.0.1:5150", "[::1]:5150"].map(|example| quotes.around(example));
        format!("an IP address with its port, such as {v4} or {v6}")
    }

    fn parse(plain: &str) -> Option<Self> {
        plain.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// One or a list of them: in brackets in the file, with commas between them elsewhere.
impl<T: Value> Value for Vec<T> {
    const IS_QUOTED: bool = T::IS_QUOTED;

    fn expected(quotes: Quotes) -> String {
        let list = match quotes {
            Quotes::Needed => "a list of them in brackets",
            Quotes::None => "several with commas between them",
        };
        format!("{}, or {list}", T::expected(quotes))
    }

    fn parse(plain: &str) -> Option<Self> {
        plain.split(',').map(|one| T::parse(one.trim())).collect()
    }

    fn show(&self) -> String {
        let shown: Vec<_> = self.iter().map(T::show).collect();
        shown.join(",")
    }

    fn parse_ron(ron: &str) -> Option<Self> {
        if !ron.starts_with('[') {
            return Some(vec![T::parse_ron(ron)?]);
        }
        let values = ron::from_str::<Vec<&RawValue>>(ron).ok()?;
        let values = values
            .iter()
            .map(|value| T::parse_ron(value.trim().get_ron()));
        values
            .collect::<Option<Self>>()
            .filter(|values| !values.is_empty())
    }

    fn to_ron(&self) -> String {
        let written: Vec<_> = self.iter().map(T::to_ron).collect();
        match written.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        }
    }
}

/// Absent is written `None`, on a command line in any case.
impl<T: Value> Value for Option<T> {
    const IS_QUOTED: bool = T::IS_QUOTED;

    fn expected(quotes: Quotes) -> String {
        format!("{}, or None", T::expected(quotes))
    }

    fn parse(plain: &str) -> Option<Self> {
        if plain.eq_ignore_ascii_case("none") {
            return Some(None);
        }
        T::parse(plain).map(Some)
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "none".into(), T::show)
    }

    fn parse_ron(ron: &str) -> Option<Self> {
        if ron == "None" {
            return Some(None);
        }
        let inner = ron
            .strip_prefix("Some(")
            .and_then(|rest| rest.strip_suffix(')'));
        T::parse_ron(inner.map_or(ron, str::trim)).map(Some)
    }

    fn to_ron(&self) -> String {
        self.as_ref().map_or_else(|| "None".into(), T::to_ron)
    }
}

impl Value for PathBuf {
    const IS_QUOTED: bool = true;

    fn expected(quotes: Quotes) -> String {
        format!("a path, such as {}", quotes.around("credentials.txt"))
    }

    fn parse(plain: &str) -> Option<Self> {
        (!plain.is_empty()).then(|| plain.into())
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

/// Words are written without quotes everywhere.
macro_rules! word {
    ($kind:ty: $expected:literal, $($word:literal = $value:path),+) => {
        impl Value for $kind {
            const IS_QUOTED: bool = false;

            fn expected(quotes: Quotes) -> String {
                match quotes {
                    Quotes::Needed => concat!($expected, ", without quotes").into(),
                    Quotes::None => $expected.into(),
                }
            }

            fn parse(plain: &str) -> Option<Self> {
                match plain {
                    $( $word => Some($value), )+
                    _ => None,
                }
            }

            fn show(&self) -> String {
                match *self {
                    $( $value => $word.into(), )+
                }
            }
        }
    };
}

word!(LockoutRule: "account_and_source or account",
    "account_and_source" = Self::AccountAndSource, "account" = Self::Account);
word!(PlainPasswords: "loopback or anywhere",
    "loopback" = Self::Loopback, "anywhere" = Self::Anywhere);
word!(StoreKind: "disk or memory",
    "disk" = Self::Lasting, "memory" = Self::Passing);
word!(ClientStoreKind: "disk or memory",
    "disk" = Self::Lasting, "memory" = Self::None);
word!(LinkChoice: "auto, per_message or held",
    "auto" = Self::Auto, "per_message" = Self::PerMessage, "held" = Self::Held);
word!(Transport: "std or async",
    "std" = Self::Std, "async" = Self::Async);
word!(LogLevel: "error, warn, info or debug",
    "error" = Self::Error, "warn" = Self::Warn, "info" = Self::Info, "debug" = Self::Debug);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(text: &str) -> Option<Duration> {
        Duration::parse(text)
    }

    #[test]
    fn times_need_a_unit_and_no_sign() {
        assert_eq!(time("30s"), Some(Duration::from_secs(30)));
        assert_eq!(time("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(time("10m"), Some(Duration::from_secs(600)));
        assert_eq!(time("1h 30m"), Some(Duration::from_secs(5_400)));
        assert_eq!(time("0s"), Some(Duration::ZERO));
        for wrong in [
            "", "30", "1:30:00", "-30s", "30s ago", "s", "30 s x", "1d", "1e3s",
        ] {
            assert_eq!(time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_are_shown_as_people_say_them() {
        for shown in ["0s", "1ms", "250ms", "1500ms", "95s", "120s", "10m", "720h"] {
            assert_eq!(time(shown).map(|time| time.show()).as_deref(), Some(shown));
        }
        assert_eq!(Duration::from_secs(60).show(), "60s");
        assert_eq!(Duration::from_secs(5_400).show(), "90m");
    }

    #[test]
    fn numbers_are_digits() {
        assert_eq!(usize::parse("4_194_304"), Some(4_194_304));
        assert_eq!(u32::parse("5000000000"), Some(u32::MAX));
        for wrong in ["", "-1", "+1", "_1", "1k", "0x10", "1.5", " 1", "\u{663}"] {
            assert_eq!(u32::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_option_is_read_with_and_without_some() {
        type Listen = Option<SocketAddr>;
        let address: SocketAddr = "[::1]:5".parse().unwrap();
        for ron in ["\"[::1]:5\"", "Some(\"[::1]:5\")", "Some( \"[::1]:5\" )"] {
            assert_eq!(Listen::parse_ron(ron), Some(Some(address)));
        }
        assert_eq!(Listen::parse_ron("None"), Some(None));
        assert_eq!(Listen::parse_ron("\"None\""), None);
        assert_eq!(Listen::parse("None"), Some(None));
    }

    #[test]
    fn a_list_is_read_from_one_or_several() {
        type Listen = Vec<SocketAddr>;
        let [v4, v6]: [SocketAddr; 2] =
            ["127.0.0.1:5", "[::1]:5"].map(|text| text.parse().unwrap());
        assert_eq!(Listen::parse("127.0.0.1:5"), Some(vec![v4]));
        assert_eq!(Listen::parse("127.0.0.1:5, [::1]:5"), Some(vec![v4, v6]));
        assert_eq!(Listen::parse_ron("\"127.0.0.1:5\""), Some(vec![v4]));
        for ron in [
            "[\"127.0.0.1:5\",\"[::1]:5\"]",
            "[ \"127.0.0.1:5\" , \"[::1]:5\", ]",
        ] {
            assert_eq!(Listen::parse_ron(ron), Some(vec![v4, v6]), "{ron}");
        }
        assert_eq!(
            Listen::parse_ron(&vec![v4, v6].to_ron()),
            Some(vec![v4, v6])
        );
        for wrong in ["", ",", "127.0.0.1:5,", "127.0.0.1:5 [::1]:5"] {
            assert_eq!(Listen::parse(wrong), None, "{wrong}");
        }
        for wrong in ["[]", "[", "[127.0.0.1:5]", "\"127.0.0.1:5,[::1]\""] {
            assert_eq!(Listen::parse_ron(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn times_read_back(secs in 0u64..3_000_000, nanos in 0u32..1_000_000_000, unit in 0u32..10) {
            let unit = 10u32.pow(unit);
            let value = Duration::new(secs, nanos / unit * unit);
            prop_assert_eq!(time(&value.show()), Some(value), "{}", value.show());
        }

        #[test]
        fn paths_read_back(text in "\\PC{1,20}|[\\x00-\\x7f\"\\\\]{1,20}") {
            let path = PathBuf::parse(&text).unwrap();
            prop_assert_eq!(PathBuf::parse_ron(&path.to_ron()), Some(path));
        }

        #[test]
        fn any_text_is_taken_or_refused(text in any::<String>()) {
            let _ = (time(&text), u32::parse(&text), SocketAddr::parse(&text), LockoutRule::parse(&text));
            let _ = (Duration::parse_ron(&text), Option::<SocketAddr>::parse_ron(&text));
            let shown = read::<Duration>(Written::Plain(&text)).err().unwrap_or_default();
            prop_assert!(!shown.contains(char::is_control));
        }
    }
}
