//! The middle of all cables of `.ci/hosts`: a packet stays here for 15 to 18 ms, and then goes on to the cable's other end.
//!
//! Both ends of a cable are VXLAN devices (RFC 7348), which send what enters them to ADDRESS, each packet in a datagram. The networks
//! of the two ends have the numbers 2n and 2n + 1, so what came from one end is turned to the other by one bit: nothing is
//! configured, and nothing is remembered. All cables share one queue, so nothing overtakes. What comes when it is full is lost, as
//! in a router.
//!
//! `slow_cables ADDRESS` goes on until it is killed.

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::BuildHasher;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

const LATENCY: Duration = Duration::from_millis(15);
const JITTER_MICROS: u64 = 3_000;
/// More datagrams than this do not wait.
const QUEUE_LEN: usize = 1_000;
/// More than a datagram has: a packet of 1500 bytes, and the headers of Ethernet and VXLAN.
const DATAGRAM_LEN: usize = 2_048;
/// Where a datagram has the lowest byte of its network's number.
const NETWORK_AT: usize = 6;

/// A packet on its way.
struct Packet {
    due: Instant,
    datagram: Vec<u8>,
    to: SocketAddr,
}

fn main() -> io::Result<()> {
    let address = env::args().nth(1);
    let address = address.ok_or_else(|| io::Error::other("ADDRESS is missing"))?;
    let socket = UdpSocket::bind(address)?;
    let out = socket.try_clone()?;
    let (queue, queued) = sync_channel(QUEUE_LEN);
    thread::spawn(move || send_on(&out, &queued));
    take_in(&socket, &queue)
}

fn take_in(socket: &UdpSocket, queue: &SyncSender<Packet>) -> io::Result<()> {
    let port = socket.local_addr()?.port();
    let mut due = Instant::now();
    let mut buffer = [0; DATAGRAM_LEN];
    loop {
        let (len, from) = match socket.recv_from(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            came => came?,
        };
        let mut datagram = buffer[..len].to_vec();
        let Some(network) = datagram.get_mut(NETWORK_AT) else {
            continue;
        };
        *network ^= 1;
        // Devices send from any port, and listen at the one that they send to.
        let to = SocketAddr::new(from.ip(), port);
        due = due.max(Instant::now() + LATENCY + jitter());
        let packet = Packet { due, datagram, to };
        if let Err(TrySendError::Disconnected(_)) = queue.try_send(packet) {
            return Err(io::Error::other("nothing is sent on any more"));
        }
    }
}

fn send_on(socket: &UdpSocket, queued: &Receiver<Packet>) {
    for packet in queued {
        thread::sleep(packet.due.saturating_duration_since(Instant::now()));
        // Whoever waits for a packet that cannot be sent will notice.
        let _ = socket.send_to(&packet.datagram, packet.to);
    }
}

/// Chance, of which std has only what is in its maps.
fn jitter() -> Duration {
    Duration::from_micros(RandomState::new().hash_one(()) % JITTER_MICROS)
}
