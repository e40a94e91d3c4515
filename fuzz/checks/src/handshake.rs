//! Handshakes over the real channel with callers who keep to the book as far as the fuzzer lets them.

use std::sync::Arc;

use arbitrary::{Result, Unstructured};
use simplechat_core::channel::Noise;
use simplechat_core::limits::{
    FORMER_PEERS_MAX, PARKED_MAX, PASSWORD_CHECKS_MAX, PEER_SESSIONS_MAX,
};

use crate::rig::perhaps_spoiled;
use crate::{client, server};

/// A server and a client's listener over Noise, called by people with keys of their own: whichever of their messages is changed,
/// made up, brought again or missing, nobody is let in without a right proof, nobody is answered as a peer who was not introduced, and the tables
/// stay within their bounds.
///
/// # Panics
///
/// When that does not hold.
pub fn handshake(data: &[u8]) {
    let mut u = Unstructured::new(data);
    match u.arbitrary() {
        Ok(true) => call_server(&mut u),
        Ok(false) => call_client(&mut u),
        Err(_) => {}
    }
}

fn call_server(u: &mut Unstructured<'_>) {
    let mut party = server::Party::new(Arc::new(Noise), perhaps_spoiled);
    while !u.is_empty() && act_on_server(&mut party, u).is_ok() {
        party.listen();
        let sizes = party.rig.machine.sizes();
        assert!(sizes.connections <= party.rig.connections(), "{sizes:?}");
        assert!(sizes.checks <= PASSWORD_CHECKS_MAX, "{sizes:?}");
        assert!(sizes.sessions <= sizes.accounts, "{sizes:?}");
    }
    party.end();
}

fn act_on_server(party: &mut server::Party, u: &mut Unstructured<'_>) -> Result<()> {
    match u.int_in_range(0..=9)? {
        0 => party.greet_with_bytes(u),
        1 => party.repeat(u),
        2 => party.rig.babble(u),
        3 => party.rig.disturb(u),
        4 => party.rig.pass_a_while(u),
        _ => party.log_in(u),
    }
}

fn call_client(u: &mut Unstructured<'_>) {
    let mut party = client::Party::new(Arc::new(Noise), perhaps_spoiled);
    party.log_in();
    party.listen();
    while !u.is_empty() && !party.rig.stopped && act_on_client(&mut party, u).is_ok() {
        party.listen();
        let sizes = party.rig.machine.sizes();
        assert!(sizes.connections <= party.rig.connections(), "{sizes:?}");
        assert!(sizes.parked <= PARKED_MAX, "{sizes:?}");
        assert!(sizes.peer_sessions <= PEER_SESSIONS_MAX, "{sizes:?}");
        assert!(sizes.former <= FORMER_PEERS_MAX, "{sizes:?}");
    }
    party.end();
}

fn act_on_client(party: &mut client::Party, u: &mut Unstructured<'_>) -> Result<()> {
    match u.int_in_range(0..=11)? {
        0 => party.call_anew(u),
        1 => party.rig.babble(u),
        2 => party.rig.disturb(u),
        3 => party.rig.pass_a_while(u),
        4 | 5 => party.introduce(u),
        6 => {
            party.turn_mood();
            Ok(())
        }
        7 => party.answer(u),
        _ => party.greet(u),
    }
}
