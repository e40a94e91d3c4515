//! `simplechat store`: looks after what a server keeps on disk, also while it runs.

use std::fmt::Write as _;
use std::path::PathBuf;

use simplechat_store::{FILE, Stats, back_up, check, stats};

use crate::args::{Store, StoreAction};
use crate::data::{DataDirectory, DataError, Part};
use crate::exit::{Exit, Failure};
use crate::print;

/// Does what the command line says. Nothing is made where no server has started yet.
pub(crate) fn run(args: &Store) -> Result<Exit, Failure> {
    let failed = |error: &dyn ToString| Failure::new(Exit::Failed, error.to_string());
    let said = match &args.action {
        StoreAction::Check { kept } => {
            let directory = directory(kept)?;
            check(&directory).map_err(|error| failed(&error))?;
            format!("{} is sound.\n", directory.join(FILE).display())
        }
        StoreAction::Backup { file, kept } => {
            back_up(&directory(kept)?, file).map_err(|error| failed(&error))?;
            format!("{} is a copy of it.\n", file.display())
        }
        StoreAction::Stats { kept } => {
            table(&stats(&directory(kept)?).map_err(|error| failed(&error))?)
        }
    };
    print(&said)
}

fn directory(kept: &crate::args::ServerData) -> Result<PathBuf, Failure> {
    let flags = [("--data", "serve.data", kept.data.clone())];
    let settings = kept.common.settings(&flags, std::env::vars_os())?.serve;
    let failed = |error: DataError| Failure::new(Exit::Failed, error);
    let path = Part::Server
        .path(settings.data.as_deref())
        .map_err(failed)?;
    // Others who can write there could put anything in its place.
    DataDirectory::find(&path).map_err(failed)?;
    Ok(path)
}

fn table(stats: &Stats) -> String {
    let mut text = format!(
        "{:<32} {:>9} {:>12} {:>8} {:>8}\n",
        "user", "messages", "bytes", "blocked", "notices"
    );
    let (mut messages, mut bytes) = (0, 0);
    for (name, user) in &stats.users {
        messages += user.messages;
        bytes += user.bytes;
        // A string takes whatever is written to it.
        let _ = writeln!(
            text,
            "{name:<32} {:>9} {:>12} {:>8} {:>8}",
            user.messages, user.bytes, user.blocked, user.notices
        );
    }
    let _ = writeln!(
        text,
        "\nusers {}, messages {messages} with {bytes} bytes, introductions {}, open questions {}, lockouts {}\n\
         database {} bytes, of which {} free",
        stats.users.len(),
        stats.introductions,
        stats.questions,
        stats.lockouts,
        stats.bytes,
        stats.free_bytes
    );
    text
}
