//! Makes other people's text safe for a terminal.
//!
//! What peers write could move the cursor, change colours, rename the window, turn letters around, hide words, pile up
//! marks over the neighbouring lines, or pretend to be another line of the conversation. Everything that somebody else
//! wrote goes through here before it is shown; what is refused becomes U+FFFD, so that people see that something was
//! there. [`clean_line`] is for what must stay on one line, [`clean_block`] for messages of several.
//!
//! Ordinary text stays as it is, in any script, with its emoji. That is why joiners and variation selectors are kept
//! where they do their job, although they are invisible, and refused where they could only hide something.
//!
//! What is not done here: breaking long lines. Blanks can still fill up a line of the terminal, so whoever breaks lines
//! has to indent what follows.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar as _;

const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;
/// Stands for the end of a line where there can be no other line.
const NEWLINE_MARK: &str = " \u{23ce} ";
/// So many marks, joiners and selectors may follow one character. Pointed Hebrew with its accents needs five; a pile of
/// them reaches into the lines above and below.
const ATTACHED_MAX: usize = 5;

/// The text without anything that does more than show. A tab becomes a blank; a newline is refused like all control
/// characters.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    clean_with(text, Newlines::Refused)
}

/// [`clean`] for text that has to stay on its line: an end of a line in it becomes ` ⏎ `.
#[must_use]
pub fn clean_line(text: &str) -> Cow<'_, str> {
    clean_with(text, Newlines::Marked)
}

/// [`clean`] for text of several lines: every line but the first starts with `indent`, so that none can look like a line
/// of the program's own.
#[must_use]
pub fn clean_block<'a>(text: &'a str, indent: &str) -> Cow<'a, str> {
    clean_with(text, Newlines::Indented(indent))
}

/// The start of a text, of so many characters, on one line: to repeat in an error what somebody typed.
#[must_use]
pub fn clean_start(text: &str, chars_max: usize) -> String {
    let end = text.char_indices().nth(chars_max).map(|(end, _)| end);
    let start = text.get(..end.unwrap_or(text.len())).unwrap_or(text);
    let ellipsis = if end.is_some() { "…" } else { "" };
    format!("{}{ellipsis}", clean_line(start))
}

/// What becomes of newlines.
#[derive(Clone, Copy)]
enum Newlines<'a> {
    Refused,
    Marked,
    Indented(&'a str),
}

/// What a character does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It stands for itself.
    Base,
    /// It is drawn onto the base before it.
    Mark,
    /// It joins its neighbours or keeps them apart: emoji, Arabic and Indic letters.
    Joiner,
    /// It chooses the look of the base before it.
    Selector,
    Tab,
    Newline,
    Refused,
}

impl Kind {
    fn of(c: char) -> Self {
        match c {
            ' '..='~' => Self::Base,
            '\t' => Self::Tab,
            '\n' => Self::Newline,
            '\u{200c}' | '\u{200d}' => Self::Joiner,
            '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{180b}'..='\u{180f}' => {
                Self::Selector
            }
            // It orders the marks around it.
            '\u{34f}' => Self::Mark,
            _ if c.is_control() || is_invisible(c) || is_no_character(c) => Self::Refused,
            _ if c.width() == Some(0) => Self::Mark,
            _ => Self::Base,
        }
    }
}

/// Characters that shape text without being seen, or that nothing can be seen of.
fn is_invisible(c: char) -> bool {
    matches!(c,
        | '\u{ad}' // soft hyphen
        | '\u{61c}' // Arabic letter mark: direction
        | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' // Hangul fillers
        | '\u{17b4}' | '\u{17b5}' // Khmer inherent vowels
        | '\u{200b}' // zero width space
        | '\u{200e}' | '\u{200f}' // marks of direction
        | '\u{2028}' | '\u{2029}' // separators of lines and paragraphs
        | '\u{202a}'..='\u{202e}' // embeddings and overrides of direction
        | '\u{2060}'..='\u{206f}' // word joiner, invisible operators, isolates of direction, deprecated formats
        | '\u{feff}' // byte order mark
        | '\u{fff0}'..='\u{fffb}' // reserved, and annotations between lines
        | '\u{1bca0}'..='\u{1bca3}' // shorthand formats
        | '\u{1d173}'..='\u{1d17a}' // musical formats
        | '\u{e0000}'..='\u{e0fff}' // tags and reserved; the selectors among them are asked for before
    )
}

/// Code points that will never be characters.
fn is_no_character(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || u32::from(c) & 0xfffe == 0xfffe
}

fn clean_with<'a>(text: &'a str, newlines: Newlines<'_>) -> Cow<'a, str> {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.into();
    }
    let mut cleaner = Cleaner::new(newlines, text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        // `\r\n` ends a line as `\n` does.
        let is_line_end = c == '\r' && rest.peek() == Some(&'\n');
        if !(is_line_end && cleaner.keeps_lines()) {
            cleaner.take(c);
        }
    }
    if cleaner.cleaned == text {
        text.into()
    } else {
        cleaner.cleaned.into()
    }
}

/// Takes a text character by character. What becomes of one depends on it and on what was kept before it, so cleaning
/// what is clean changes nothing.
struct Cleaner<'a> {
    newlines: Newlines<'a>,
    cleaned: String,
    /// The last character that was kept on this line.
    last: Option<char>,
    /// How many follow their base since it was kept.
    attached: usize,
    /// Whether marks beyond the bound were replaced just now: the others of the pile go without a trace.
    is_pile: bool,
}

impl<'a> Cleaner<'a> {
    fn new(newlines: Newlines<'a>, len: usize) -> Self {
        Self {
            newlines,
            cleaned: String::with_capacity(len),
            last: None,
            attached: 0,
            is_pile: false,
        }
    }

    fn keeps_lines(&self) -> bool {
        match self.newlines {
            Newlines::Refused => false,
            Newlines::Marked | Newlines::Indented(_) => true,
        }
    }

    fn take(&mut self, c: char) {
        let was_pile = std::mem::take(&mut self.is_pile);
        match Kind::of(c) {
            Kind::Base => self.put_base(c),
            Kind::Tab => self.put_base(' '),
            Kind::Refused => self.put_base(REPLACEMENT),
            Kind::Newline => self.end_line(),
            Kind::Joiner if self.takes_joiner() => self.attach(c),
            Kind::Selector if self.takes_selector() => self.attach(c),
            Kind::Joiner | Kind::Selector => self.put_base(REPLACEMENT),
            Kind::Mark if was_pile => self.is_pile = true,
            Kind::Mark if self.last.is_some() && self.attached < ATTACHED_MAX => self.attach(c),
            Kind::Mark => {
                self.put_base(REPLACEMENT);
                self.is_pile = true;
            }
        }
    }

    fn put_base(&mut self, c: char) {
        self.cleaned.push(c);
        self.last = Some(c);
        self.attached = 0;
    }

    fn attach(&mut self, c: char) {
        self.cleaned.push(c);
        self.last = Some(c);
        self.attached += 1;
    }

    fn end_line(&mut self) {
        match self.newlines {
            Newlines::Refused => self.put_base(REPLACEMENT),
            Newlines::Marked => {
                self.cleaned.push_str(NEWLINE_MARK);
                self.last = Some(' ');
                self.attached = 0;
            }
            Newlines::Indented(indent) => {
                self.cleaned.push('\n');
                self.cleaned.push_str(indent);
                self.last = None;
                self.attached = 0;
            }
        }
    }

    /// A joiner has work to do after a letter, mark or emoji of the scripts that have joiners.
    fn takes_joiner(&self) -> bool {
        self.attached < ATTACHED_MAX
            && self.last.is_some_and(|last| {
                !last.is_ascii()
                    && !last.is_whitespace()
                    && last != REPLACEMENT
                    && Kind::of(last) != Kind::Joiner
            })
    }

    /// A selector has work to do right after its base. Of ASCII only the characters on a telephone have other looks.
    fn takes_selector(&self) -> bool {
        self.attached == 0
            && self.last.is_some_and(|last| match last {
                '0'..='9' | '#' | '*' => true,
                REPLACEMENT => false,
                _ => !last.is_ascii() && !last.is_whitespace(),
            })
    }
}

#[cfg(test)]
mod tests;
