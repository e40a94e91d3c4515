//! The one declaration of each setting, and what becomes of it.

use super::keys::Settings;
use super::value::Written;

/// A part of the settings: the command that they are for.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) about: &'static [&'static str],
    pub(super) keys: &'static [Key],
}

/// A setting.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    pub(super) about: &'static [&'static str],
    /// Sets it, or says what would be possible instead.
    pub(super) set: fn(&mut Settings, Written<'_>) -> Result<(), String>,
    /// Its value as the file writes it.
    pub(super) to_ron: fn(&Settings) -> String,
}

impl Key {
    /// Its name with its section.
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// Its name in the environment.
    pub(super) fn variable(&self) -> String {
        variable_prefix(self.section) + &self.name.to_uppercase()
    }
}

/// What the variables of a section start with.
pub(super) fn variable_prefix(section: &str) -> String {
    format!("SIMPLECHAT_{}_", section.to_uppercase())
}

/// Declares sections of settings: for each its name, its type and its keys; for each key its explanation, type, default
/// as a flag would write it, and range if it has one. Gives the structs with their defaults, and the table `SECTIONS`.
macro_rules! settings {
    ($(
        $(#[doc = $section_about:literal])+
        $section:ident: $struct:ident {
            $(
                $(#[doc = $about:literal])+
                $key:ident: $kind:ty = $default:literal $(in $range:expr)?;
            )+
        }
    )+) => {
        /// All settings.
        #[derive(Clone, PartialEq, Eq, Debug, Default)]
        pub struct Settings {
            $( $(#[doc = $section_about])+ pub $section: $struct, )+
        }

        $(
            $(#[doc = $section_about])+
            #[derive(Clone, PartialEq, Eq, Debug)]
            pub struct $struct {
                $( $(#[doc = $about])+ pub $key: $kind, )+
            }

            impl Default for $struct {
                fn default() -> Self {
                    Self {
                        $( $key: Value::parse($default).expect("a default can be read"), )+
                    }
                }
            }
        )+

        pub(super) const SECTIONS: &[Section] = &[
            $( Section {
                name: stringify!($section),
                about: &[$($section_about),+],
                keys: &[
                    $( Key {
                        section: stringify!($section),
                        name: stringify!($key),
                        about: &[$($about),+],
                        set: |settings, written| {
                            let value: $kind = value::read(written)?;
                            $( value::check_range(&value, &$range, written)?; )?
                            settings.$section.$key = value;
                            Ok(())
                        },
                        to_ron: |settings| settings.$section.$key.to_ron(),
                    }, )+
                ],
            }, )+
        ];
    };
}

pub(super) use settings;
