//! An attacker that shakes hands or logs in: the project's own client, on one plain connection.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

use simplechat_core::client::command::Command;
use simplechat_core::client::config::Config;
use simplechat_core::client::{Client, Done, Effect, Trust};
use simplechat_core::key::StaticKey;
use simplechat_core::machine::{ConnId, Input, Machine as _, Output};
use simplechat_core::rng::{SecretSource as _, SeededSecrets};
use simplechat_core::text::Password;
use simplechat_core::wire::login::LinkChoice;
use simplechat_transport_std::Clock;

use super::Trouble;
use super::attack::connect;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Puppet {
    client: Client,
    key: StaticKey,
    source: IpAddr,
    connection: Option<(ConnId, TcpStream)>,
    sent: u32,
    is_linked: bool,
}

impl Puppet {
    /// One that calls from there and wants to be somebody.
    pub(crate) fn new(
        number: u64,
        source: IpAddr,
        server: SocketAddr,
        name: &str,
        password: String,
    ) -> Result<Self, Trouble> {
        let mut secrets = SeededSecrets::new(number);
        let key = StaticKey::generate(&mut secrets);
        let mut seed = [0; 32];
        secrets.fill(&mut seed);
        let mut config = Config::new(vec![server], SocketAddr::new(source, 1_024));
        config.link = LinkChoice::Held;
        let mut puppet = Self {
            client: Client::new(config, seed, Box::new(secrets), Clock.now()),
            key,
            source,
            connection: None,
            sent: 0,
            is_linked: false,
        };
        let login = Command::Login {
            user: name.parse()?,
            password: Password::new(password)?,
        };
        puppet.wish(login)?;
        Ok(puppet)
    }

    /// Does all up to the password, and does not wait for what becomes of it.
    pub(crate) fn show_password(&mut self) -> Result<(), Trouble> {
        // It meets the server, calls it again as somebody whom it trusts, and then says who it is.
        while self.sent < 3 {
            self.read()?;
        }
        Ok(())
    }

    /// Logs in, and stays on a held link.
    pub(crate) fn log_in(&mut self) -> Result<(), Trouble> {
        while !self.is_linked {
            self.read()?;
        }
        Ok(())
    }

    /// Writes to somebody, and takes what has come meanwhile, without waiting for it.
    pub(crate) fn write_to(&mut self, name: String, text: &str) -> Result<(), Trouble> {
        let (to, text) = (name.parse()?, text.parse()?);
        self.wish(Command::Message { to, text })?;
        self.glance()
    }

    fn glance(&mut self) -> Result<(), Trouble> {
        let blocks = |puppet: &Self, blocks: bool| match &puppet.connection {
            Some((_, stream)) => stream.set_nonblocking(!blocks),
            None => Err(io::ErrorKind::NotConnected.into()),
        };
        blocks(self, false)?;
        let read = self.read();
        blocks(self, true)?;
        match read {
            Err(trouble) if !would_block(&trouble) => Err(trouble),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn wish(&mut self, command: Command) -> Result<(), Trouble> {
        let _: Result<(), _> = self.client.handle_command(Clock.now(), command);
        self.drain()
    }

    fn read(&mut self) -> Result<(), Trouble> {
        let (conn, stream) = self.connection.as_mut().ok_or("hung up")?;
        let (conn, mut bytes) = (*conn, [0; 4_096]);
        let len = stream.read(&mut bytes)?;
        let bytes = bytes.get(..len).filter(|bytes| !bytes.is_empty());
        let bytes = bytes.ok_or("the server hung up")?;
        self.tell(Input::Received { conn, bytes })
    }

    fn tell(&mut self, input: Input<'_, Done>) -> Result<(), Trouble> {
        self.client.handle_input(Clock.now(), input);
        self.drain()
    }

    fn drain(&mut self) -> Result<(), Trouble> {
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Connect { conn, to } => {
                    let stream = connect(self.source, to)?;
                    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
                    let local = stream.local_addr()?;
                    self.connection = Some((conn, stream));
                    self.tell(Input::Connected { conn, local })?;
                }
                Output::Send { bytes, .. } => {
                    let (_, stream) = self.connection.as_mut().ok_or("hung up")?;
                    stream.write_all(&bytes)?;
                    self.sent += 1;
                }
                Output::Close { .. } => self.connection = None,
                Output::Effect(Effect::Store { id, .. }) => {
                    self.tell(Input::EffectDone(Done::Stored { id }))?;
                }
                Output::Effect(Effect::Show { id, .. }) => {
                    self.tell(Input::EffectDone(Done::Shown { id }))?;
                }
                Output::Effect(Effect::JudgeServer { id, .. }) => {
                    let trust = Trust::Trusted(self.key.clone());
                    self.tell(Input::EffectDone(Done::ServerJudged { id, trust }))?;
                }
                Output::Keep { .. } => self.is_linked = true,
                Output::Event(_) | Output::Stop => {}
            }
        }
        Ok(())
    }
}

fn would_block(trouble: &Trouble) -> bool {
    trouble
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}
