//! Writes settings as a file that explains each of them.

use std::fmt::Write as _;

use super::keys::{SECTIONS, Settings};

const HEAD: &str = "\
// The settings of simplechat. Each of them can be left out, and then has its default.
//
// A variable of the environment overrules this file, and a flag overrules both. They are written without quotes:
//     SIMPLECHAT_SERVE_TIMEOUT=95s
//     --set serve.timeout=95s
//
// Times are written with their unit: \"250ms\", \"30s\", \"10m\", \"1h 30m\".
(";

pub(super) fn to_ron(settings: &Settings) -> String {
    let mut text = String::from(HEAD);
    for section in SECTIONS {
        push_comment(&mut text, "    ", section.about);
        let _ = write!(text, "\n    {}: (", section.name);
        for (number, key) in section.keys.iter().enumerate() {
            if number > 0 {
                text.push('\n');
            }
            push_comment(&mut text, "        ", key.about);
            let _ = write!(text, "\n        {}: {},", key.name, (key.to_ron)(settings));
        }
        text.push_str("\n    ),\n");
    }
    text.push_str(")\n");
    text
}

fn push_comment(text: &mut String, indent: &str, about: &[&str]) {
    for line in about {
        let _ = write!(text, "\n{indent}//{line}");
    }
}
