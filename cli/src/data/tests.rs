//! Tests of the data directory and the keys in it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use simplechat_core::key::{PublicKey, StaticKey};
use simplechat_core::name::Name;
use simplechat_core::rng::SeededSecrets;

use super::*;
use crate::entropy::OsSecrets;

/// A path at which nothing is yet, and nothing is left.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("simplechat-data-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        Self { path }
    }

    pub(crate) fn make(&self) -> DataDirectory {
        DataDirectory::make(&self.path).unwrap()
    }

    /// An error's words, the same in every run.
    fn why(&self, error: &DataError) -> String {
        let path = self.path.display().to_string();
        error.to_string().replace(&path, "DIR")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn server(directory: &DataDirectory, seed: u64) -> Result<PublicKey, DataError> {
    let identity = ServerIdentity::load(directory, &mut SeededSecrets::new(seed))?;
    Ok(identity.key.public())
}

fn client(directory: &DataDirectory, server: u8, account: &str) -> StaticKey {
    let account: Name = account.parse().unwrap();
    client_key(directory, &PublicKey([server; 32]), account, &mut OsSecrets).unwrap()
}

#[test]
fn keys_are_made_once() {
    let folder = Folder::new();
    let directory = folder.make();
    assert_eq!(ServerIdentity::public_key(&directory).unwrap(), None);
    let first = ServerIdentity::load(&directory, &mut SeededSecrets::new(1)).unwrap();
    let again = ServerIdentity::load(&folder.make(), &mut SeededSecrets::new(2)).unwrap();
    assert_eq!(first.key.public(), again.key.public());
    assert_eq!(first.ticket_key, again.ticket_key);
    assert_ne!(first.key.secret(), &*first.ticket_key);
    let public = ServerIdentity::public_key(&directory).unwrap();
    assert_eq!(public, Some(first.key.public()));
}

#[test]
fn each_account_at_each_server_has_a_key_of_its_own() {
    let folder = Folder::new();
    let directory = folder.make();
    let alice = client(&directory, 1, "alice").public();
    assert_eq!(client(&directory, 1, "Alice").public(), alice);
    assert_ne!(client(&directory, 2, "alice").public(), alice);
    assert_ne!(client(&directory, 1, "bob").public(), alice);
    for entry in fs::read_dir(&folder.path).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(!name.contains("alice") && !name.contains("bob"), "{name}");
    }
}

#[test]
fn those_who_start_at_once_have_the_same_key() {
    for _ in 0..10 {
        let folder = Folder::new();
        let keys = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for seed in 0..4 {
                let (folder, keys) = (&folder, &keys);
                scope.spawn(move || {
                    let key = server(&folder.make(), seed).unwrap();
                    keys.lock().unwrap().push(key);
                });
            }
        });
        let keys = keys.into_inner().unwrap();
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }
}

#[test]
fn a_draft_that_a_crash_left_is_replaced() {
    let folder = Folder::new();
    let directory = folder.make();
    let draft = folder.path.join("server.key.new");
    fs::write(&draft, "half a k").unwrap();
    server(&directory, 1).unwrap();
    assert!(!draft.exists());
    assert!(server(&directory, 2).is_ok());
}

#[test]
fn a_damaged_key_is_refused_and_stays() {
    let folder = Folder::new();
    let directory = folder.make();
    server(&directory, 1).unwrap();
    for name in ["server.key", "ticket.key"] {
        let path = folder.path.join(name);
        let whole = fs::read(&path).unwrap();
        for damaged in [&whole[..50], b"", &[0xff; 100], &[b'x'; 10_000]] {
            fs::write(&path, damaged).unwrap();
            assert!(matches!(server(&directory, 2), Err(DataError::Key { .. })));
            assert_eq!(fs::read(&path).unwrap(), damaged);
        }
        fs::write(&path, &whole).unwrap();
    }
    fs::write(folder.path.join("ticket.key"), "").unwrap();
    let why = folder.why(&server(&directory, 2).unwrap_err());
    insta::assert_snapshot!(why, @r#"
    DIR/ticket.key is damaged; restore it from a backup, or remove it: a new one is made, and everybody who is logged in will need their password again
    "#);
    let server_key = folder.path.join("server.key");
    fs::copy(folder.path.join("ticket.key"), &server_key).unwrap();
    let why = folder.why(&server(&directory, 2).unwrap_err());
    insta::assert_snapshot!(why, @r#"
    DIR/server.key is damaged; restore it from a backup, or remove it: a new one is made, and every user will have to accept it
    "#);
}

#[test]
fn what_is_no_directory_and_no_file_is_refused() {
    let folder = Folder::new();
    let directory = folder.make();
    fs::create_dir(folder.path.join("server.key")).unwrap();
    let no_file = server(&directory, 1).unwrap_err();
    let in_the_way = folder.path.join("file");
    fs::write(&in_the_way, "").unwrap();
    let no_directory = DataDirectory::make(&in_the_way).unwrap_err();
    let beyond = DataDirectory::make(&in_the_way.join("under")).unwrap_err();
    insta::assert_snapshot!([
        folder.why(&no_file),
        folder.why(&no_directory),
        folder.why(&beyond),
    ].join("\n"), @r#"
    DIR/server.key is no ordinary file: put the file itself there, not a link to it, or remove it
    DIR/file is no directory: name another one with --data DIR
    DIR/file/under cannot be read: Not a directory (os error 20)
    "#);
}

#[cfg(unix)]
mod on_unix {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn everything_is_made_for_its_owner_alone() {
        let folder = Folder::new();
        let deep = folder.path.join("a/b");
        let directory = DataDirectory::make(&deep).unwrap();
        server(&directory, 1).unwrap();
        for path in [&folder.path, &folder.path.join("a"), &deep] {
            assert_eq!(mode(path), 0o700, "{}", path.display());
        }
        for name in ["server.key", "ticket.key", "lock"] {
            assert_eq!(mode(&deep.join(name)), 0o600, "{name}");
        }
    }

    #[test]
    fn a_key_that_others_can_read_or_write_is_refused() {
        let folder = Folder::new();
        let directory = folder.make();
        server(&directory, 1).unwrap();
        let path = folder.path.join("server.key");
        for mode in [0o640, 0o604, 0o620, 0o602] {
            set_mode(&path, mode);
            assert!(matches!(
                server(&directory, 1),
                Err(DataError::OpenSecret(_))
            ));
        }
        insta::assert_snapshot!(folder.why(&server(&directory, 1).unwrap_err()), @r#"
        others can read or write DIR/server.key, which is secret: run `chmod 600 DIR/server.key`; if somebody may have read it, remove it, and a new one is made
        "#);
        for mode in [0o600, 0o400] {
            set_mode(&path, mode);
            assert!(server(&directory, 1).is_ok(), "{mode:o}");
        }
    }

    #[test]
    fn a_directory_in_which_others_can_write_is_refused() {
        let folder = Folder::new();
        folder.make();
        set_mode(&folder.path, 0o770);
        let error = DataDirectory::make(&folder.path).unwrap_err();
        insta::assert_snapshot!(folder.why(&error), @r#"
        others can write in the data directory DIR: run `chmod go-w DIR`, and look at who has written there
        "#);
        set_mode(&folder.path, 0o755);
        assert!(DataDirectory::make(&folder.path).is_ok());
    }

    #[test]
    fn a_directory_that_everybody_could_replace_is_refused() {
        let folder = Folder::new();
        let deep = folder.path.join("a/b");
        DataDirectory::make(&deep).unwrap();
        set_mode(&folder.path, 0o777);
        let error = DataDirectory::make(&deep).unwrap_err();
        insta::assert_snapshot!(folder.why(&error), @r#"
        everybody can write in DIR, and so put another directory in the place of DIR/a/b: run `chmod o-w DIR`, or name another directory with --data DIR
        "#);
        for harmless in [0o1777, 0o775, 0o700] {
            set_mode(&folder.path, harmless);
            assert!(DataDirectory::make(&deep).is_ok(), "{harmless:o}");
        }
        let elsewhere = Folder::new();
        elsewhere.make();
        let link = elsewhere.path.join("link");
        symlink(&deep, &link).unwrap();
        assert!(DataDirectory::make(&link).is_ok());
        set_mode(&elsewhere.path, 0o777);
        assert!(matches!(
            DataDirectory::make(&link),
            Err(DataError::OpenParent { .. })
        ));
    }

    #[test]
    fn a_directory_of_another_user_is_refused() {
        let check = |owner, ours| check_owner(Path::new("DIR"), owner, ours);
        assert!(check(1_000, 1_000).is_ok());
        assert!(check(0, 1_000).is_ok());
        for (owner, ours) in [(1_001, 1_000), (1_000, 0)] {
            assert!(matches!(
                check(owner, ours),
                Err(DataError::ForeignDirectory { owner: shown, .. }) if shown == owner
            ));
        }
        let folder = Folder::new();
        folder.make();
        let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(&folder.path).unwrap());
        assert_eq!(owner, our_id());
    }

    #[test]
    fn a_link_to_a_key_is_refused_and_one_to_the_directory_is_followed() {
        let folder = Folder::new();
        let real = folder.path.join("real");
        let key = server(&DataDirectory::make(&real).unwrap(), 1).unwrap();
        let link = folder.path.join("link");
        symlink(&real, &link).unwrap();
        assert_eq!(
            server(&DataDirectory::make(&link).unwrap(), 2).unwrap(),
            key
        );
        fs::rename(real.join("server.key"), real.join("moved")).unwrap();
        symlink("moved", real.join("server.key")).unwrap();
        let directory = DataDirectory::make(&real).unwrap();
        assert!(matches!(server(&directory, 2), Err(DataError::NoFile(_))));
    }
}
