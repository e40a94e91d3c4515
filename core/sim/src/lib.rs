//! Worlds to test SimpleChat's machines in: a server and clients in one thread, with a virtual clock and a virtual
//! network, and no socket, thread or sleep.
//!
//! [`World`] is what tests use: it runs the machines as a driver would, and logs what each person does and sees.
//! [`net`] carries their bytes, late, in pieces, over connections that race, break and hang. An [`attacker`] may play back
//! what was on the network, and shake hands with everybody. The machines use the real channel, or a [`test_channel`] in its place. The same seed gives the same world, to the byte.

pub mod attacker;
pub mod crowd;
pub mod dice;
pub mod net;
pub mod observation;
pub mod script;
pub mod store;
pub mod tape;
pub mod test_channel;
pub mod trials;
pub mod weak_channel;
pub mod world;

pub use world::{ClientId, World};
