//! Plain blocking sockets for the other side, and what the system says about a connection.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};

use crate::{PATIENCE, eventually};

/// A connection to a driver.
pub fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).expect("the driver listens");
    patient(stream)
}

/// A connection to a driver, from one of this host's addresses.
pub fn connect_from(from: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).expect("a socket");
    socket
        .bind(&SocketAddr::new(from, 0).into())
        .expect("the address is this host's");
    socket.connect(&to.into()).expect("the driver listens");
    patient(socket.into())
}

/// A listener of the other side's.
pub fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("loopback has a free port")
}

/// Where it listens.
pub fn address_of(listener: &TcpListener) -> SocketAddr {
    listener
        .local_addr()
        .expect("a bound socket has an address")
}

/// The next connection that comes to it.
pub fn accept(listener: &TcpListener) -> TcpStream {
    listener
        .set_nonblocking(true)
        .expect("the socket takes the option");
    let mut accepted = None;
    eventually("somebody connects", || {
        accepted = listener.accept().ok();
        accepted.is_some()
    });
    let (stream, _) = accepted.expect("somebody connected");
    stream
        .set_nonblocking(false)
        .expect("the socket takes the option");
    patient(stream)
}

/// Whatever is read or written either goes on in time or fails the test.
fn patient(stream: TcpStream) -> TcpStream {
    for result in [
        stream.set_read_timeout(Some(PATIENCE)),
        stream.set_write_timeout(Some(PATIENCE)),
        stream.set_nodelay(true),
    ] {
        result.expect("the socket takes the option");
    }
    stream
}

/// The next so many bytes.
pub fn read_exactly(mut stream: &TcpStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).expect("so much comes");
    bytes
}

/// All that comes until the other side's end.
pub fn read_to_end(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream
        .read_to_end(&mut bytes)
        .expect("the other side ends in order");
    bytes
}

/// Sends all of it.
pub fn write(mut stream: &TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).expect("the other side reads");
}

/// Breaks the connection off: the other side gets a reset instead of an end.
pub fn reset(stream: TcpStream) {
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .expect("the socket takes the option");
    drop(stream);
}

/// How the connection ended for one who reads on: `None` is in order, else the error.
pub fn read_to_failure(mut stream: &TcpStream) -> Option<io::ErrorKind> {
    let mut scratch = [0; 4_096];
    loop {
        match stream.read(&mut scratch) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) => return Some(error.kind()),
        }
    }
}

/// An address at which nobody listens, nor will as long as what is returned lasts.
pub fn deaf_address() -> (SocketAddr, impl Sized) {
    let socket = bind();
    let address = socket.local_addr().expect("a bound socket has an address");
    let address = address.as_socket().expect("it is an internet address");
    (address, socket)
}

fn bind() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket is to be had");
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    socket
        .bind(&any_port.into())
        .expect("loopback has a free port");
    socket
}

/// An address that takes no more connections, so that a dial gets no answer. It lasts as long as what is returned.
pub fn silent_listener() -> (SocketAddr, impl Sized) {
    let socket = bind();
    socket.listen(0).expect("a bound socket can listen");
    let listener = TcpListener::from(socket);
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    // Nobody accepts, so the first few fill the backlog and the first without an answer shows that it is full.
    let mut fillers = Vec::new();
    while let Ok(filler) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        fillers.push(filler);
    }
    (address, (listener, fillers))
}

/// The states of the connections between two ports of this machine, as seen from the first one; 6 is TIME_WAIT.
#[cfg(target_os = "linux")]
pub fn tcp_states(local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("Linux has this file");
    let port_and_colon = |address: SocketAddr| format!(":{:04X}", address.port());
    table
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().skip(1);
            let (from, to, state) = (words.next()?, words.next()?, words.next()?);
            let is_it =
                from.ends_with(&port_and_colon(local)) && to.ends_with(&port_and_colon(remote));
            is_it.then(|| u8::from_str_radix(state, 16).expect("the state is a number"))
        })
        .collect()
}
