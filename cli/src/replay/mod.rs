//! `simplechat replay`: runs a recording through the server's machine again, and shows it as a timeline.

mod timeline;
mod wording;

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use jiff::tz::TimeZone;
use simplechat_core::name::Name;
use simplechat_core::server::recording::tape::{Decoder, Unreadable};
use simplechat_core::server::recording::{
    Act, Difference, End, Entry, Header, Items, Replay, Saying,
};
use simplechat_core::wire::item::Item;
use simplechat_core::wire::push::Push;
use simplechat_core::wire::request::Answer;

use crate::args;
use crate::clean::clean_line;
use crate::exit::{Exit, Failure};
use timeline::Timeline;

const READ_LEN: usize = 64 * 1024;

/// What of a recording is shown, and how.
#[derive(Debug)]
struct View {
    /// Only what has to do with this user.
    user: Option<Name>,
    /// Where the reader's clock hangs.
    zone: TimeZone,
}

/// Why a recording cannot be read to its end.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the file cannot be read: {0}")]
    File(io::Error),
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
    #[error("the recording breaks off in its header")]
    InHeader,
    #[error(
        "the recording breaks off after {entries} entries, at byte {place}: the server was killed, or runs still, or the file was cut"
    )]
    Cut { entries: u64, place: u64 },
    /// The timeline cannot be written: its reader is gone, most likely.
    #[error("the timeline cannot be written: {0}")]
    Output(io::Error),
}

/// Whether the machine did the same again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Same,
    Different,
}

/// Replays a recording and shows it.
pub(crate) fn run(args: &args::Replay) -> Result<Exit, Failure> {
    let failed = |error: Broken| {
        let message = format!("{}: {error}", args.recording.display());
        Failure::new(Exit::Failed, message)
    };
    let file = open(&args.recording).map_err(|error| failed(Broken::File(error)))?;
    let view = View {
        user: args.user,
        zone: TimeZone::system(),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut reader = Reader::new(file);
    let verdict = replay(&mut reader, &mut out, view);
    let flushed = out.flush();
    match (verdict, flushed) {
        // Whoever reads the first lines only has seen enough.
        (Err((_, Broken::Output(error))), _) | (Ok(_), Err(error))
            if error.kind() == io::ErrorKind::BrokenPipe =>
        {
            Ok(Exit::Ok)
        }
        (Ok(Verdict::Same), Ok(())) => Ok(Exit::Ok),
        (Ok(Verdict::Different), Ok(())) => Ok(Exit::Differs),
        (Ok(_), Err(error)) => Err(failed(Broken::Output(error))),
        (Err((Verdict::Same, error)), _) => Err(failed(error)),
        (Err((Verdict::Different, error)), _) => Err(Failure {
            exit: Exit::Differs,
            ..failed(error)
        }),
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Reads a recording piece by piece.
#[derive(Debug)]
struct Reader<R> {
    file: R,
    decoder: Decoder,
    entries: u64,
}

impl<R: Read> Reader<R> {
    fn new(file: R) -> Self {
        Self {
            file,
            decoder: Decoder::default(),
            entries: 0,
        }
    }

    fn header(&mut self) -> Result<Header, Broken> {
        loop {
            if let Some(header) = self.decoder.header()? {
                return Ok(header);
            }
            if !self.fill()? {
                return Err(if self.decoder.is_empty() {
                    Unreadable::Foreign.into()
                } else {
                    Broken::InHeader
                });
            }
        }
    }

    /// The next entry. A recording ends with [`Entry::End`], or it was cut.
    fn entry(&mut self) -> Result<Entry, Broken> {
        loop {
            if let Some(entry) = self.decoder.entry()? {
                self.entries += 1;
                return Ok(entry);
            }
            if !self.fill()? {
                return Err(Broken::Cut {
                    entries: self.entries,
                    place: self.decoder.place(),
                });
            }
        }
    }

    /// Reads on; `false` at the end of the file.
    fn fill(&mut self) -> Result<bool, Broken> {
        let mut bytes = vec![0; READ_LEN];
        loop {
            match self.file.read(&mut bytes) {
                Ok(len) => {
                    self.decoder.push(bytes.get(..len).unwrap_or_default());
                    return Ok(len > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Broken::File(error)),
            }
        }
    }
}

/// Shows a recording, entry by entry, with the first difference in its place. A recording that breaks off is shown as far
/// as it goes.
fn replay(
    reader: &mut Reader<impl Read>,
    out: &mut impl Write,
    view: View,
) -> Result<Verdict, (Verdict, Broken)> {
    let mut verdict = Verdict::Same;
    let show = || -> Result<(), Broken> {
        let header = reader.header()?;
        let mut replay = Replay::new(&header);
        let mut timeline = Timeline::new(header, view.zone, view.user);
        let mut say = |line: String| writeln!(out, "{line}").map_err(Broken::Output);
        say(timeline.title())?;
        loop {
            let entry = reader.entry()?;
            if verdict == Verdict::Same
                && let Err(difference) = replay.take(&entry)
            {
                verdict = Verdict::Different;
                for line in show_difference(&timeline, reader.entries, &entry, &difference) {
                    say(line)?;
                }
            }
            if let Some(line) = timeline.line(&entry) {
                say(line)?;
            }
            if let Entry::End(end) = entry {
                return say(conclusion(end, verdict, reader.entries));
            }
        }
    };
    match show() {
        Ok(()) => Ok(verdict),
        Err(broken) => Err((verdict, broken)),
    }
}

fn show_difference(
    timeline: &Timeline,
    number: u64,
    entry: &Entry,
    difference: &Difference,
) -> [String; 4] {
    let describe = |act: &Act| timeline.describe(&Entry::Act(act.clone()));
    let (recorded, now) = match difference {
        Difference::Act {
            recorded,
            now: None,
        } => (describe(recorded), "nothing".into()),
        Difference::Act {
            recorded,
            now: Some(now),
        } => match (describe(recorded), describe(now)) {
            // The words leave out what differs.
            (same, words) if same == words => (in_full(recorded), in_full(now)),
            different => different,
        },
        Difference::Unrecorded(act) => ("nothing more before what follows".into(), describe(act)),
        Difference::Fact(misfit) => {
            let now = format!("this cannot happen: {misfit}");
            (timeline.describe(entry), now)
        }
    };
    [
        format!("!!! The replay differs here, at entry {number}."),
        format!("!!!   recorded: {recorded}"),
        format!("!!!   now:      {now}"),
        "!!! What follows is as it was recorded.".into(),
    ]
}

fn in_full(act: &Act) -> String {
    fn items<T: Item + fmt::Debug>(items: &Items) -> String {
        format!("{:?}", items.decoded::<T>().collect::<Vec<_>>())
    }
    let act = match act {
        Act::Say {
            saying: Saying::Pushes(pushes),
            ..
        } => items::<Push>(pushes),
        Act::Say {
            saying: Saying::Answers(answers),
            ..
        } => items::<Answer>(answers),
        Act::Dial { .. }
        | Act::Say { .. }
        | Act::Close { .. }
        | Act::CheckPassword { .. }
        | Act::Keep(_)
        | Act::Store { .. }
        | Act::Event(_)
        | Act::Stop => format!("{act:?}"),
    };
    clean_line(&act).into_owned()
}

fn conclusion(end: End, verdict: Verdict, entries: u64) -> String {
    let ended = match end {
        End::ServerEnded => "The server ended.",
        End::Overrun => {
            "The recording ends here, as it could not be written fast enough; the server went on."
        }
    };
    let verdict = match verdict {
        Verdict::Same => "the machine did the same again",
        Verdict::Different => "the machine did something else: see !!! above",
    };
    format!("--- {ended} {entries} entries; {verdict}. ---")
}

#[cfg(test)]
mod tests;
