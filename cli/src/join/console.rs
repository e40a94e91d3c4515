//! The terminal, or the pipe in its place: where lines come from and where they are shown.
//!
//! With a terminal on both sides the line that is being typed stays whole while others are shown above it. Otherwise
//! lines are read and written as they are, for scripts and for programs that read aloud.

use std::io::{self, BufReader, IsTerminal as _, Stdin, Write as _};

use anstyle::AnsiColor;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, ExternalPrinter};
use simplechat_core::limits::TEXT_LEN_MAX;
use unicode_width::UnicodeWidthChar as _;

use super::wording::INDENT;
use crate::bounded_lines::{BoundedLine, BoundedLines};
use crate::exit::{Exit, Failure};
use crate::quiet::Quiet;

/// A command with the longest text fits.
const LINE_LEN_MAX: usize = TEXT_LEN_MAX + 1_024;
const PROMPT: &str = "> ";
/// Terminals narrower than this, and those that do not say how wide they are, are left to break lines themselves.
const WIDTH_MIN: usize = 20;

/// Where lines come from.
pub(super) enum Input {
    /// A person with a terminal.
    Editor(Box<DefaultEditor>),
    /// Anything else.
    Lines(BoundedLines<BufReader<Stdin>>),
}

/// A line, or what came instead of one.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entered {
    Line(String),
    TooLong {
        bytes: u64,
    },
    /// The person wants to leave.
    Interrupt,
    /// There is no more.
    End,
}

/// Where lines are shown.
pub(super) enum Screen {
    /// A terminal on which somebody may be typing.
    Terminal {
        printer: Box<dyn ExternalPrinter + Send>,
        /// How it was before.
        modes: Termios,
        colours: Colours,
    },
    /// Anything else.
    Stream,
}

/// Whether lines are told apart by colours too. Their first character does it in any case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Colours {
    On,
    Off,
}

impl Colours {
    /// As <https://no-color.org> has it.
    fn from_environment() -> Self {
        let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if is_refused || is_dumb {
            Self::Off
        } else {
            Self::On
        }
    }

    /// A text in the colour of its kind: see [`super::wording`] for what the first character means.
    fn paint(self, text: &str) -> String {
        let colour = match text.chars().next() {
            Some('*' | '-') => AnsiColor::Cyan,
            Some('!') => AnsiColor::Yellow,
            Some('[') => AnsiColor::Green,
            _ => return text.into(),
        };
        if self == Self::Off {
            return text.into();
        }
        let style = colour.on_default();
        format!("{style}{text}{style:#}")
    }
}

/// Finds out what there is on both sides.
pub(super) fn open() -> Result<(Input, Screen), Failure> {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    if stdin.is_terminal() && stdout.is_terminal() {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(
                Exit::Failed,
                format!("the terminal cannot be used: {error}"),
            )
        };
        let modes = tcgetattr(&stdin).map_err(|error| failed(&error))?;
        let mut editor = DefaultEditor::new().map_err(|error| failed(&error))?;
        let printer = editor
            .create_external_printer()
            .map_err(|error| failed(&error))?;
        let screen = Screen::Terminal {
            printer: Box::new(printer),
            modes,
            colours: Colours::from_environment(),
        };
        return Ok((Input::Editor(Box::new(editor)), screen));
    }
    let lines = BoundedLines::new(BufReader::new(stdin), LINE_LEN_MAX);
    Ok((Input::Lines(lines), Screen::Stream))
}

impl Input {
    /// Whether a person sits there who can be asked again.
    pub(super) const fn is_person(&self) -> bool {
        matches!(self, Self::Editor(_))
    }

    /// Reads a command.
    pub(super) fn read_command(&mut self) -> Entered {
        match self {
            Self::Editor(editor) => {
                let entered = edit(editor, PROMPT);
                if let Entered::Line(line) = &entered {
                    // Without a history the editor still works.
                    let _ = editor.add_history_entry(line);
                }
                entered
            }
            Self::Lines(lines) => next_line(lines),
        }
    }

    /// Asks for the name.
    pub(super) fn ask_name(&mut self) -> Result<String, Failure> {
        let entered = match self {
            Self::Editor(editor) => edit(editor, "Name: "),
            Self::Lines(lines) => next_line(lines),
        };
        answer(entered, "a name")
    }

    /// Asks a person something that takes several lines to say. Of anything else there is no answer.
    pub(super) fn ask(&mut self, question: &str, prompt: &str) -> Option<String> {
        match self {
            Self::Editor(editor) => {
                print_plainly(question).ok()?;
                match edit(editor, prompt) {
                    Entered::Line(line) => Some(line),
                    Entered::TooLong { .. } | Entered::Interrupt | Entered::End => None,
                }
            }
            Self::Lines(_) => None,
        }
    }

    /// Asks for the password. A terminal does not show it.
    pub(super) fn ask_password(&mut self) -> Result<String, Failure> {
        let entered = match self {
            Self::Editor(_) => {
                let _quiet = Quiet::start();
                match rpassword::prompt_password("Password: ") {
                    Ok(password) => Entered::Line(password),
                    Err(_) => Entered::End,
                }
            }
            Self::Lines(lines) => next_line(lines),
        };
        answer(entered, "a password")
    }
}

fn answer(entered: Entered, what: &str) -> Result<String, Failure> {
    match entered {
        Entered::Line(line) => Ok(line),
        Entered::TooLong { bytes } => Err(Failure::new(
            Exit::Usage,
            format!("{what} was expected, and a line of {bytes} bytes came"),
        )),
        Entered::Interrupt | Entered::End => Err(Failure::new(
            Exit::Usage,
            format!("{what} was expected, and the input ended"),
        )),
    }
}

fn edit(editor: &mut DefaultEditor, prompt: &str) -> Entered {
    match editor.readline(prompt) {
        Ok(line) => Entered::Line(line),
        Err(ReadlineError::Interrupted) => Entered::Interrupt,
        // A terminal that fails is as good as gone.
        Err(_) => Entered::End,
    }
}

fn next_line(lines: &mut BoundedLines<BufReader<Stdin>>) -> Entered {
    match lines.next() {
        Some(Ok(BoundedLine::Line(line))) => Entered::Line(line),
        Some(Ok(BoundedLine::TooLong { bytes })) => Entered::TooLong { bytes },
        Some(Err(_)) | None => Entered::End,
    }
}

impl Screen {
    /// Shows text, which may have several lines.
    pub(super) fn print(&mut self, text: &str) -> io::Result<()> {
        match self {
            Self::Terminal {
                printer, colours, ..
            } => {
                let wrapped = colours.paint(&wrap(text, terminal_width()));
                printer.print(wrapped + "\n").map_err(io::Error::other)
            }
            Self::Stream => print_plainly(text),
        }
    }

    /// Leaves the terminal as it was before, also if somebody was typing. Nothing but [`print_last`] may follow.
    pub(super) fn close(&mut self) {
        if let Self::Terminal { modes, .. } = self {
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, modes);
            // Over the line that was being typed.
            let mut stdout = io::stdout().lock();
            let _ = write!(stdout, "\r\u{1b}[K");
            let _ = stdout.flush();
        }
    }
}

/// Shows a last text after the screen was closed.
pub(super) fn print_last(text: &str) {
    // If nobody can read it, that changes nothing any more.
    let _ = print_plainly(text);
}

fn print_plainly(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Columns of the terminal, or 0.
fn terminal_width() -> usize {
    tcgetwinsize(io::stdout()).map_or(0, |size| size.ws_col.into())
}

/// Breaks lines that are longer than the terminal is wide, between words where it can, and indents what follows: left to
/// the terminal, blanks could fill a line up so that what somebody wrote looks like a line of its own.
fn wrap(text: &str, width: usize) -> String {
    if width < WIDTH_MIN {
        return text.into();
    }
    let lines: Vec<_> = text
        .split('\n')
        .map(|line| wrap_line(line, width))
        .collect();
    lines.join("\n")
}

fn wrap_line(line: &str, width: usize) -> String {
    let mut wrapped = String::with_capacity(line.len());
    let mut rest = line;
    let mut room = width - 1;
    while let Some(end) = overflow(rest, room) {
        let (fits, _) = rest.split_at(end);
        // A word that starts in the first half of the line is broken all the same.
        let (head, tail) = match fits.rfind(' ') {
            Some(blank) if blank > end / 2 => (&rest[..blank], rest[blank + 1..].trim_start()),
            _ => rest.split_at(end),
        };
        wrapped.push_str(head);
        wrapped.push('\n');
        wrapped.push_str(INDENT);
        rest = tail;
        room = width - 1 - INDENT.len();
    }
    wrapped.push_str(rest);
    wrapped
}

/// Where a text exceeds so many columns, if it does; after its first character at the earliest.
fn overflow(text: &str, columns: usize) -> Option<usize> {
    let mut column = 0;
    for (place, c) in text.char_indices() {
        column += c.width().unwrap_or(0);
        if column > columns && place > 0 {
            return Some(place);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_kind_of_line_has_its_colour_unless_colours_are_off() {
        assert_eq!(
            Colours::On.paint("* bob is online"),
            "\u{1b}[36m* bob is online\u{1b}[0m"
        );
        assert_eq!(
            Colours::On.paint("  delivered to bob"),
            "  delivered to bob"
        );
        assert_eq!(Colours::Off.paint("* bob is online"), "* bob is online");
    }

    #[test]
    fn long_lines_are_broken_between_words_and_indented() {
        assert_eq!(
            wrap("[08:00] bob: let us meet at noon in the yard", 32),
            "[08:00] bob: let us meet at\n    noon in the yard"
        );
        assert_eq!(
            wrap("[08:00] bob: https://example.org/very/long", 32),
            "[08:00] bob: https://example.or\n    g/very/long"
        );
        assert_eq!(wrap("short\nlines", 32), "short\nlines");
        assert_eq!(wrap("宽宽宽宽宽宽宽宽宽宽宽", 20).lines().count(), 2);
        let long = "x".repeat(100);
        assert_eq!(wrap(&long, 0), long, "a terminal that does not say");
    }

    #[test]
    fn blanks_cannot_fake_a_line() {
        let text = "[08:00] bob: hello                  [08:00] carol: I am carol";
        for line in wrap(text, 32).lines().skip(1) {
            assert!(line.starts_with(INDENT), "{line}");
        }
    }

    proptest! {
        /// No word is lost, no line is too wide, and what was broken is indented.
        #[test]
        fn wrapping_keeps_the_text(text in "[ a-z宽\n]{0,200}", width in 20usize..60) {
            let wrapped = wrap(&text, width);
            for line in wrapped.lines() {
                let columns: usize = line.chars().map(|c| c.width().unwrap_or(0)).sum();
                prop_assert!(columns < width, "{:?}", line);
            }
            let letters = |text: &str| text.replace([' ', '\n'], "");
            prop_assert_eq!(letters(&wrapped), letters(&text));
            let broken = wrapped.split('\n').count() - text.split('\n').count();
            let indented = wrapped.split('\n').filter(|line| line.starts_with(INDENT)).count();
            prop_assert!(indented >= broken);
        }
    }
}
