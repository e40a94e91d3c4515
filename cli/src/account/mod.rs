//! `simplechat account`: edits the file with the accounts.
//!
//! `document` changes the text and leaves alone what it is not told to change; `storage` replaces the file in one step,
//! with nobody else in between; `ask` gets a password that no other program can see.

mod ask;
mod document;
mod storage;

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use simplechat_core::name::Name;
use simplechat_core::text::Password;

use crate::args::{Account, AccountAction, AccountsFile};
use crate::credentials::{Cost, Hash, InvalidHash, Proof, Workbench};
use crate::exit::{Exit, Failure};
use crate::settings::ServeSettings;
use storage::{Absent, Editing};

/// Does what is asked, and says what was done.
pub(crate) fn run(args: &Account) -> Result<Exit, Failure> {
    let said = match &args.action {
        AccountAction::Add(one) => add(&one.file.settings()?, one.name, one.password_file()),
        AccountAction::Passwd(one) => passwd(&one.file.settings()?, one.name, one.password_file()),
        AccountAction::Remove { name, file } => remove(&file.settings()?, *name),
        AccountAction::List { file } => list(&file.settings()?),
        AccountAction::Harden { file } => harden(&file.settings()?),
    }?;
    // A reader who is gone is no reason to fail: what was to be done is done.
    let _ = io::stdout().write_all(said.as_bytes());
    Ok(Exit::Ok)
}

impl AccountsFile {
    fn settings(&self) -> Result<ServeSettings, Failure> {
        let credentials = self.credentials.as_ref();
        let flag = credentials.map(|path| path.display().to_string());
        let flags = [("--credentials", "serve.credentials", flag)];
        Ok(self.common.settings(&flags, std::env::vars_os())?.serve)
    }
}

fn add(settings: &ServeSettings, name: Name, given: Option<&Path>) -> Result<String, Failure> {
    let path = &settings.credentials;
    let exists = || {
        usage(format!(
            "{name} has an account already: see simplechat account passwd"
        ))
    };
    // Before it asks for a password, so that nobody types one for nothing; and again when nobody else can change it.
    if path.exists() && storage::read(path)?.proof(name).is_some() {
        return Err(exists());
    }
    let hash = ask_hash(settings, name, given)?;
    let mut editing = Editing::start(path, Absent::IsEmpty)?;
    if !editing.document.add(name, hash.as_str()) {
        return Err(exists());
    }
    editing.finish()?;
    Ok(format!("{name} has an account.\n"))
}

fn passwd(settings: &ServeSettings, name: Name, given: Option<&Path>) -> Result<String, Failure> {
    let path = &settings.credentials;
    if storage::read(path)?.proof(name).is_none() {
        return Err(nobody(name, path));
    }
    let hash = ask_hash(settings, name, given)?;
    let mut editing = Editing::start(path, Absent::IsError)?;
    if !editing.document.set(name, hash.as_str()) {
        return Err(nobody(name, path));
    }
    editing.finish()?;
    Ok(format!("{name} has a new password.\n"))
}

fn remove(settings: &ServeSettings, name: Name) -> Result<String, Failure> {
    let path = &settings.credentials;
    let mut editing = Editing::start(path, Absent::IsError)?;
    if !editing.document.remove(name) {
        return Err(nobody(name, path));
    }
    editing.finish()?;
    Ok(format!("{name} has no account any more.\n"))
}

fn list(settings: &ServeSettings) -> Result<String, Failure> {
    let accounts = storage::read(&settings.credentials)?.accounts();
    let width = accounts
        .iter()
        .map(|(name, _)| name.as_str().len())
        .max()
        .unwrap_or_default();
    let mut text = String::new();
    for (name, proof) in &accounts {
        let kind = match proof {
            Proof::Plain(_) => "plain text",
            Proof::Hash(hash) if hash.is_weak() => "weak hash",
            Proof::Hash(_) => "hash",
        };
        // Writing to a text does not fail.
        let _ = writeln!(text, "{:width$}  {kind}", name.as_str());
    }
    Ok(text)
}

fn harden(settings: &ServeSettings) -> Result<String, Failure> {
    let mut editing = Editing::start(&settings.credentials, Absent::IsError)?;
    let plain: Vec<_> = editing
        .document
        .accounts()
        .into_iter()
        .filter_map(|(name, proof)| match proof {
            Proof::Plain(password) => Some((name, password)),
            Proof::Hash(_) => None,
        })
        .collect();
    if plain.is_empty() {
        return Ok("No password is in plain text.\n".into());
    }
    let mut bench = Workbench::default();
    for (name, password) in &plain {
        let hash = make_hash(password, settings.hash_cost(), &mut bench)?;
        editing.document.set(*name, hash.as_str());
    }
    editing.finish()?;
    let hardened = match plain.len() {
        1 => "1 password was".into(),
        count => format!("{count} passwords were"),
    };
    Ok(format!(
        "{hardened} in plain text, and replaced by a hash.\n"
    ))
}

fn ask_hash(settings: &ServeSettings, name: Name, given: Option<&Path>) -> Result<Hash, Failure> {
    let password = match given {
        Some(path) => ask::from_file(path),
        None => ask::from_terminal(name),
    }?;
    make_hash(&password, settings.hash_cost(), &mut Workbench::default())
}

fn make_hash(password: &Password, cost: Cost, bench: &mut Workbench) -> Result<Hash, Failure> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| failed(format!("no salt for a hash: {error}")))?;
    Hash::make(password, cost, salt, bench)
        .map_err(|error: InvalidHash| failed(format!("the password could not be hashed: {error}")))
}

fn nobody(name: Name, path: &Path) -> Failure {
    usage(format!("{} has no account {name}", path.display()))
}

fn usage(message: String) -> Failure {
    Failure::new(Exit::Usage, message)
}

fn failed(message: String) -> Failure {
    Failure::new(Exit::Failed, message)
}
