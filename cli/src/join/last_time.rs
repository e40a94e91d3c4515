//! What a client finds of its last time beside the store: at which port it listened, where peers look for it when there is no server,
//! and where the server was, so that it can start where its name cannot be found either.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::str::FromStr;

use crate::data::DataDirectory;

const PORT: &str = "port";
const SERVERS: &str = "servers";
/// More addresses of a server are not kept.
const SERVERS_MAX: usize = 16;

/// Where this client listens, and where its server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct LastTime {
    pub(super) port: u16,
    pub(super) servers: Vec<SocketAddr>,
}

impl LastTime {
    /// Keeps it for the next time, beside the store in a directory. A client does without it, so it matters little if it cannot be
    /// written: then its peers have to hear from the server where it is, and the server's name has to be found.
    pub(super) fn keep(&self, directory: &Path) {
        let servers = self.servers.iter().take(SERVERS_MAX);
        let servers: String = servers.map(|server| format!("{server}\n")).collect();
        let _ = DataDirectory::make(directory).and_then(|directory| {
            directory.write(PORT, self.port.to_string().as_bytes())?;
            directory.write(SERVERS, servers.as_bytes())
        });
    }
}

/// Where the client listened that worked with the store in a directory.
pub(super) fn port(directory: &Path) -> Option<u16> {
    lines(directory, PORT).first().copied()
}

/// Where its server was.
pub(super) fn servers(directory: &Path) -> Vec<SocketAddr> {
    lines(directory, SERVERS)
}

/// The first lines that can be read.
fn lines<T: FromStr>(directory: &Path, file: &str) -> Vec<T> {
    let text = fs::read_to_string(directory.join(file)).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.trim().parse().ok());
    lines.take(SERVERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::Folder;

    #[test]
    fn what_is_kept_is_found_and_what_is_damaged_is_left_out() {
        let folder = Folder::new();
        let directory = folder.path.as_path();
        assert_eq!((port(directory), servers(directory)), (None, vec![]));
        let last_time = LastTime {
            port: 4_711,
            servers: ["[::1]:5150", "192.0.2.1:5150"]
                .map(|at| at.parse().unwrap())
                .into(),
        };
        last_time.keep(directory);
        assert_eq!(port(directory), Some(last_time.port));
        assert_eq!(servers(directory), last_time.servers);
        fs::write(directory.join(PORT), "many\n").unwrap();
        fs::write(directory.join(SERVERS), "nowhere\n192.0.2.1:5150\n\u{fffd}").unwrap();
        assert_eq!(port(directory), None);
        assert_eq!(servers(directory), last_time.servers[1..]);
    }
}
