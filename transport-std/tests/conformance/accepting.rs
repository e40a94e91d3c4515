//! Connections that peers make.

use std::net::Shutdown;

use simplechat_transport_std::Options;

use crate::common::peer;
use crate::common::toy::{Fact, echo};
use crate::common::world::World;

#[test]
fn bytes_come_back_however_they_are_cut() {
    let world = World::start(Options::default(), echo());
    let stream = peer::connect(world.address);
    let bytes: Vec<u8> = (0..100_000_u32)
        .map(|number| number.to_le_bytes()[0])
        .collect();
    let (mut written, mut piece) = (0, 1);
    while written < bytes.len() {
        let next = bytes.len().min(written + piece);
        peer::write(&stream, &bytes[written..next]);
        assert_eq!(
            peer::read_exactly(&stream, next - written),
            bytes[written..next]
        );
        (written, piece) = (next, piece * 3 / 2 + 1);
    }
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(peer::read_to_end(&stream), b"");
    assert!(
        !world
            .stop()
            .iter()
            .any(|fact| matches!(fact, Fact::Closed { .. }))
    );
}
