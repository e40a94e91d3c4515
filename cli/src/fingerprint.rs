//! `simplechat fingerprint`: what a server is known by, for its operator.

use crate::args::ShowFingerprint;
use crate::data::{DataDirectory, DataError, Part, ServerIdentity};
use crate::exit::{Exit, Failure};
use crate::print;

/// Shows it. No key is made for this: a wrong directory would look like a right one.
pub(crate) fn run(args: &ShowFingerprint) -> Result<Exit, Failure> {
    let flags = [("--data", "serve.data", args.data.clone())];
    let settings = args.common.settings(&flags, std::env::vars_os())?.serve;
    let failed = |error: DataError| Failure::new(Exit::Failed, error);
    let path = Part::Server
        .path(settings.data.as_deref())
        .map_err(failed)?;
    let key = DataDirectory::find(&path)
        .and_then(|directory| match directory {
            Some(directory) => ServerIdentity::public_key(&directory),
            None => Ok(None),
        })
        .map_err(failed)?;
    let Some(key) = key else {
        let message = format!(
            "there is no server's key in {}: `simplechat serve` makes one at its first start",
            path.display()
        );
        return Err(Failure::new(Exit::Failed, message));
    };
    print(&format!("{}\n", key.fingerprint()))
}
