//! Lines from a pipe or a file, none of them longer than a bound: whoever writes them cannot fill our memory.
//!
//! The client reads its commands through this when they do not come from a terminal. A line that is too long is skipped
//! up to its end, and reported with its length, so that the reader can say so and go on with the next one.

use std::io::{self, BufRead, ErrorKind};

/// What the next line is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BoundedLine {
    /// A line without its end (`\n` or `\r\n`). What was not UTF-8 in it was replaced by U+FFFD.
    Line(String),
    /// A line that exceeds the bound; it is gone.
    TooLong {
        /// Its length without its `\n`.
        bytes: u64,
    },
}

/// The lines of a reader. Of each at most the bound is held, besides what the reader itself buffers.
///
/// The last line counts with and without a newline behind it. After an error the next call reads on.
#[derive(Debug)]
pub struct BoundedLines<R> {
    reader: R,
    bytes_max: usize,
    line: Vec<u8>,
    /// How long the line is so far, with what is not held of it.
    bytes: u64,
}

/// What came of looking at one buffer of the reader.
enum Step {
    Within,
    LineEnd,
    InputEnd,
}

impl<R: BufRead> BoundedLines<R> {
    /// Reads lines of up to so many bytes, without their newline.
    pub fn new(reader: R, bytes_max: usize) -> Self {
        Self {
            reader,
            bytes_max,
            line: Vec::new(),
            bytes: 0,
        }
    }

    /// Takes what the reader has, up to the end of the line.
    fn step(&mut self) -> io::Result<Step> {
        let buffer = self.reader.fill_buf()?;
        if buffer.is_empty() {
            return Ok(Step::InputEnd);
        }
        let newline = buffer.iter().position(|byte| *byte == b'\n');
        let part = buffer
            .get(..newline.unwrap_or(buffer.len()))
            .unwrap_or(buffer);
        self.bytes += u64::try_from(part.len()).unwrap_or(u64::MAX);
        if u64::try_from(self.bytes_max).is_ok_and(|max| self.bytes <= max) {
            self.line.extend_from_slice(part);
        }
        let used = part.len() + usize::from(newline.is_some());
        self.reader.consume(used);
        Ok(if newline.is_some() {
            Step::LineEnd
        } else {
            Step::Within
        })
    }

    fn take_line(&mut self) -> BoundedLine {
        let bytes = std::mem::take(&mut self.bytes);
        let mut line = std::mem::take(&mut self.line);
        if u64::try_from(line.len()).is_ok_and(|held| held < bytes) {
            return BoundedLine::TooLong { bytes };
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let text = String::from_utf8(line)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        BoundedLine::Line(text)
    }
}

impl<R: BufRead> Iterator for BoundedLines<R> {
    type Item = io::Result<BoundedLine>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step() {
                Ok(Step::Within) => {}
                Ok(Step::LineEnd) => return Some(Ok(self.take_line())),
                Ok(Step::InputEnd) if self.bytes == 0 => return None,
                Ok(Step::InputEnd) => return Some(Ok(self.take_line())),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{BufReader, Read};

    fn lines(input: &[u8], bytes_max: usize, buffer: usize) -> Vec<BoundedLine> {
        BoundedLines::new(BufReader::with_capacity(buffer, input), bytes_max)
            .map(Result::unwrap)
            .collect()
    }

    fn line(text: &str) -> BoundedLine {
        BoundedLine::Line(text.into())
    }

    #[test]
    fn lines_come_without_their_ends() {
        let all = [line("a"), line(""), line("b c"), line("d")];
        assert_eq!(lines(b"a\n\nb c\r\nd\n", 10, 3), all);
        assert_eq!(lines(b"a\n\nb c\r\nd", 10, 3), all);
        assert_eq!(lines(b"", 10, 3), []);
        assert_eq!(lines(b"\n", 10, 3), [line("")]);
    }

    #[test]
    fn a_long_line_is_skipped_and_the_next_one_is_read() {
        assert_eq!(
            lines(b"12345\n123456\n123456789\nend", 5, 4),
            [
                line("12345"),
                BoundedLine::TooLong { bytes: 6 },
                BoundedLine::TooLong { bytes: 9 },
                line("end"),
            ]
        );
        assert_eq!(
            lines(b"12345678", 5, 4),
            [BoundedLine::TooLong { bytes: 8 }]
        );
        // A part that would fit alone is not taken for the line.
        assert_eq!(
            lines(b"123456x\n", 5, 6),
            [BoundedLine::TooLong { bytes: 7 }]
        );
    }

    #[test]
    fn a_line_of_any_length_takes_no_more_memory_than_the_bound() {
        let endless = io::repeat(b'x').take(100_000_000);
        let mut lines = BoundedLines::new(BufReader::new(endless), 1_000);
        let longest = lines.next().unwrap().unwrap();
        assert_eq!(longest, BoundedLine::TooLong { bytes: 100_000_000 });
        assert!(lines.line.capacity() <= 16 * 1024);
    }

    #[test]
    fn what_is_not_utf_8_is_replaced() {
        assert_eq!(lines(b"a\xff\nb", 10, 9), [line("a\u{fffd}"), line("b")]);
    }

    #[test]
    fn an_interrupted_read_goes_on_and_an_error_does_not_lose_what_came() {
        struct Faulty(Vec<io::Result<&'static [u8]>>);
        impl Read for Faulty {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let Some(next) = self.0.pop() else {
                    return Ok(0);
                };
                next.map(|bytes| {
                    buffer[..bytes.len()].copy_from_slice(bytes);
                    bytes.len()
                })
            }
        }
        let faulty = Faulty(vec![
            Ok(b"d\n"),
            Err(ErrorKind::TimedOut.into()),
            Ok(b"bc"),
            Err(ErrorKind::Interrupted.into()),
            Ok(b"a"),
        ]);
        let mut lines = BoundedLines::new(BufReader::new(faulty), 10);
        assert_eq!(
            lines.next().unwrap().unwrap_err().kind(),
            ErrorKind::TimedOut
        );
        assert_eq!(lines.next().unwrap().unwrap(), line("abcd"));
        assert!(lines.next().is_none());
    }

    proptest! {
        #[test]
        fn they_are_the_lines_of_the_text(
            text in "[a\u{e4}\u{1f600}\n]{0,60}",
            bytes_max in 0usize..20,
            buffer in 1usize..20,
        ) {
            let expected: Vec<_> = text
                .lines()
                .map(|text| {
                    if text.len() <= bytes_max {
                        line(text)
                    } else {
                        let bytes = u64::try_from(text.len()).unwrap();
                        BoundedLine::TooLong { bytes }
                    }
                })
                .collect();
            prop_assert_eq!(lines(text.as_bytes(), bytes_max, buffer), expected);
        }

        #[test]
        fn no_bytes_panic(bytes in any::<Vec<u8>>(), bytes_max in 0usize..20) {
            let _ = lines(&bytes, bytes_max, 7);
        }
    }
}
