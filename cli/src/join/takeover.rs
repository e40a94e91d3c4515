//! Two clients of one account on one device: the second takes over from the first, which ends in order.
//!
//! A client that has the account's store open listens at a port of this machine. The port is in a file beside the store,
//! with a word that only whoever may read the store can know. Who wants the store calls there and says the word; the client
//! that has it closes it and then ends the connection, so that the caller knows when to open it.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use simplechat_store::StoreError;
use simplechat_store::client::Store;
use subtle::ConstantTimeEq as _;

use crate::data::DataDirectory;

const FILE: &str = "takeover";
/// So long a client has to write down where it listens, or to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// After this it is tried again to reach it.
const PAUSE: Duration = Duration::from_millis(50);
/// The word has so many bytes.
const WORD_LEN: usize = 32;
/// Who does not say the word in time is nobody of ours.
const WORD_WITHIN: Duration = Duration::from_secs(1);

/// Somebody who wants the store. It may be opened when this is dropped.
#[derive(Debug)]
pub(super) struct Successor(TcpStream);

impl Drop for Successor {
    fn drop(&mut self) {
        // It waits for the end of the connection, which comes in any case.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Opens the store in a directory. A client that has it is asked to end.
pub(super) fn open(directory: &Path) -> Result<Store, StoreError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match Store::open(directory) {
            Err(error) if error.is_in_use() && Instant::now() < deadline => {
                if ask(directory, deadline).is_err() {
                    // It may be about to say where it listens, or about to end.
                    thread::sleep(PAUSE);
                }
            }
            opened => return opened,
        }
    }
}

/// Asks the client that has the store to end, and waits until it has closed it.
fn ask(directory: &Path, deadline: Instant) -> io::Result<()> {
    let text = fs::read_to_string(directory.join(FILE))?;
    let (port, word) = text
        .trim()
        .split_once(' ')
        .ok_or(io::ErrorKind::InvalidData)?;
    let port = port.parse().map_err(io::Error::other)?;
    let word = HEXLOWER.decode(word.as_bytes());
    let word = word.map_err(|_| io::ErrorKind::InvalidData)?;
    let left = deadline.saturating_duration_since(Instant::now());
    let left = left.max(PAUSE);
    let mut stream = TcpStream::connect_timeout(&at(port), left)?;
    stream.write_all(&word)?;
    stream.set_read_timeout(Some(left))?;
    // Nothing comes but the end.
    match stream.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn at(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// Listens for whoever wants the store in a directory, on a thread of its own, and hands over the first one.
pub(super) fn listen(
    directory: &Path,
    word: [u8; WORD_LEN],
    hand_over: impl FnOnce(Successor) + Send + 'static,
) -> io::Result<()> {
    let listener = TcpListener::bind(at(0))?;
    let port = listener.local_addr()?.port();
    let text = format!("{port} {}\n", HEXLOWER.encode(&word));
    DataDirectory::make(directory)
        .and_then(|directory| directory.write(FILE, text.as_bytes()))
        .map_err(io::Error::other)?;
    thread::Builder::new()
        .name("takeover".to_owned())
        .spawn(move || {
            for stream in listener.incoming() {
                match stream {
                    Ok(stream) if says(&stream, &word).is_ok_and(|is_right| is_right) => {
                        return hand_over(Successor(stream));
                    }
                    Ok(_) => {}
                    // Without descriptors nobody can be taken, and the next try would fail at once.
                    Err(_) => thread::sleep(PAUSE),
                }
            }
        })?;
    Ok(())
}

fn says(mut stream: &TcpStream, word: &[u8; WORD_LEN]) -> io::Result<bool> {
    stream.set_read_timeout(Some(WORD_WITHIN))?;
    let mut said = [0; WORD_LEN];
    stream.read_exact(&mut said)?;
    Ok(said.ct_eq(word).into())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::data::Folder;

    const WORD: [u8; WORD_LEN] = [7; WORD_LEN];

    #[test]
    fn the_store_goes_from_one_to_the_other() {
        let folder = Folder::new();
        folder.make();
        let first = open(&folder.path).unwrap();
        let (sender, successors) = channel();
        listen(&folder.path, WORD, move |successor| {
            sender.send(successor).unwrap();
        })
        .unwrap();
        let path = folder.path.clone();
        let second = thread::spawn(move || open(&path).map(drop));
        let successor = successors.recv_timeout(PATIENCE).unwrap();
        first.close().unwrap();
        drop(successor);
        second.join().unwrap().unwrap();
    }

    #[test]
    fn who_does_not_know_the_word_is_not_heard() {
        let folder = Folder::new();
        folder.make();
        let (sender, successors) = channel();
        listen(&folder.path, WORD, move |successor| {
            sender.send(successor).unwrap();
        })
        .unwrap();
        let text = fs::read_to_string(folder.path.join(FILE)).unwrap();
        let port = text.split(' ').next().unwrap().parse().unwrap();
        let mut stranger = TcpStream::connect(at(port)).unwrap();
        stranger.write_all(&[8; WORD_LEN]).unwrap();
        assert_eq!(stranger.read(&mut [0]).unwrap(), 0);
        assert!(successors.try_recv().is_err());
        // It goes on listening.
        ask(&folder.path, Instant::now()).unwrap_err();
        successors.recv_timeout(PATIENCE).unwrap();
    }
}
