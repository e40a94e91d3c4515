//! What was found: a line for each step, or one JSON object for programs.

use std::fmt::Write as _;

use crate::exit::{Exit, Failure};

/// How a step went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// Well.
    Fine,
    /// It works, but somebody may want to know.
    Note,
    /// Not: this is why nobody gets further.
    Failed(Exit),
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Fine => "ok",
            Self::Note => "note",
            Self::Failed(_) => "failed",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Step {
    name: &'static str,
    state: State,
    text: String,
}

/// All steps so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Report {
    steps: Vec<Step>,
}

impl Report {
    pub(super) fn fine(&mut self, name: &'static str, text: impl Into<String>) {
        self.add(name, State::Fine, text.into());
    }

    pub(super) fn note(&mut self, name: &'static str, text: impl Into<String>) {
        self.add(name, State::Note, text.into());
    }

    pub(super) fn failed(&mut self, name: &'static str, failure: Failure) {
        self.add(name, State::Failed(failure.exit), failure.message);
    }

    fn add(&mut self, name: &'static str, state: State, text: String) {
        self.steps.push(Step { name, state, text });
    }

    /// The exit code of the first step that failed.
    pub(super) fn exit(&self) -> Exit {
        let failed = self.steps.iter().find_map(|step| match step.state {
            State::Failed(exit) => Some(exit),
            State::Fine | State::Note => None,
        });
        failed.unwrap_or(Exit::Ok)
    }

    /// For people.
    pub(super) fn to_text(&self) -> String {
        let mut lines = String::new();
        for step in &self.steps {
            let text = step.text.replace('\n', "\n        ");
            let _ = writeln!(lines, "{:<7} {text}", step.state.word());
        }
        lines
    }

    /// For programs: one object.
    pub(super) fn to_json(&self) -> String {
        let steps: Vec<_> = self
            .steps
            .iter()
            .map(|step| {
                format!(
                    "{{\"step\":{},\"state\":{},\"text\":{}}}",
                    quoted(step.name),
                    quoted(step.state.word()),
                    quoted(&step.text)
                )
            })
            .collect();
        let exit = self.exit() as u8;
        format!("{{\"exit\":{exit},\"steps\":[{}]}}\n", steps.join(","))
    }
}

/// A text as JSON has it (RFC 8259, section 7).
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_well_for_people_and_programs() {
        let mut report = Report::default();
        report.fine("resolve", "localhost:1 is 127.0.0.1:1");
        report.note("dial", "[::1]:1: nobody listens there");
        assert_eq!(report.exit(), Exit::Ok);
        report.failed(
            "key",
            Failure::new(Exit::Untrusted, "not the key\nthat \"you\" gave\u{1}"),
        );
        report.failed("login", Failure::new(Exit::LoginRefused, "no"));
        assert_eq!(report.exit(), Exit::Untrusted);
        insta::assert_snapshot!(report.to_text().replace('\u{1}', ""), @r#"
        ok      localhost:1 is 127.0.0.1:1
        note    [::1]:1: nobody listens there
        failed  not the key
                that "you" gave
        failed  no
        "#);
        insta::assert_snapshot!(report.to_json(), @r#"{"exit":7,"steps":[{"step":"resolve","state":"ok","text":"localhost:1 is 127.0.0.1:1"},{"step":"dial","state":"note","text":"[::1]:1: nobody listens there"},{"step":"key","state":"failed","text":"not the key\nthat \"you\" gave\u0001"},{"step":"login","state":"failed","text":"no"}]}"#);
    }
}
