//! Runs the real program for tests: servers and clients as processes, with pipes in place of terminals.
//!
//! Nothing here sleeps to wait for something: a test waits for a line, with a deadline that is only met when something
//! is wrong.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::missing_assert_message,
    reason = "helpers of tests are tests"
)]

#[cfg(target_os = "linux")]
pub(crate) mod device;
pub(crate) mod dice;

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_simplechat");
/// Longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const ACCOUNTS: &str = "alice a-pw\nbob b-pw\ncarol c-pw\ndave d-pw\n";

/// The transport of servers and clients in this test program, unless they are told otherwise: a program such as
/// `chat_async` runs the tests of `chat` on the other one.
fn transport() -> &'static str {
    if env!("CARGO_CRATE_NAME").ends_with("_async") {
        "async"
    } else {
        "std"
    }
}

/// An empty folder of its own for each caller, that later runs may use again.
pub(crate) fn folder() -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}-{number}", std::process::id());
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Writes a file into a folder of its own.
pub(crate) fn file(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder().join(name);
    fs::write(&path, content).unwrap();
    path
}

/// The program with an environment that is the same everywhere, and on a machine on which it has never run.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(args)
        .env("TZ", "UTC")
        .env("XDG_DATA_HOME", folder())
        .env("SIMPLECHAT_SERVE_TRANSPORT", transport())
        .env("SIMPLECHAT_JOIN_TRANSPORT", transport())
        .env_remove("NO_COLOR");
    command
}

/// Runs the program to its end: exit code, standard output, standard error.
pub(crate) fn run(args: &[&str], input: &str) -> (i32, String, String) {
    let mut child = program(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Who does not read it all ends before we have written it all.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    (
        output.status.code().unwrap_or(-1),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// A process whose output is read line by line.
pub(crate) struct Process {
    name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    /// Lines that came and that no test has asked for yet.
    unread: Vec<String>,
    /// Everything that came, for when a test fails.
    transcript: Vec<String>,
}

impl Process {
    pub(crate) fn start(name: &str, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let outputs: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().unwrap()),
            Box::new(child.stderr.take().unwrap()),
        ];
        for output in outputs {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).lines() {
                    let Ok(line) = line else { return };
                    if sender.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Self {
            name: name.into(),
            stdin: child.stdin.take(),
            child,
            lines,
            unread: Vec::new(),
            transcript: Vec::new(),
        }
    }

    /// Types a line.
    pub(crate) fn types(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("the input is open");
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    /// Writes bytes as they are.
    pub(crate) fn writes(&mut self, bytes: &[u8]) {
        let stdin = self.stdin.as_mut().expect("the input is open");
        stdin.write_all(bytes).unwrap();
        stdin.flush().unwrap();
    }

    /// The next line is the last that anybody reads.
    pub(crate) fn stops_reading(&mut self) {
        self.lines = channel().1;
    }

    /// The input ends.
    pub(crate) fn ends_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for a line that holds this text, and takes it.
    pub(crate) fn sees(&mut self, text: &str) -> String {
        self.sees_one_of(&[text])
    }

    /// Waits for a line that holds one of these texts, and takes it.
    pub(crate) fn sees_one_of(&mut self, texts: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let is_one = |line: &String| texts.iter().any(|text| line.contains(text));
            if let Some(place) = self.unread.iter().position(is_one) {
                return self.unread.remove(place);
            }
            if !self.wait_for_line(deadline) {
                self.fail(&format!("never saw any of {texts:?}"));
            }
        }
    }

    /// Waits for these, in whatever order.
    pub(crate) fn sees_all(&mut self, texts: &[&str]) {
        for text in texts {
            self.sees(text);
        }
    }

    /// Asks again and again, until the line with such an answer ends as wanted.
    pub(crate) fn asks_until(&mut self, question: &str, answer: &str, wanted: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.types(question);
            if self.sees(answer).ends_with(wanted) {
                return;
            }
            if Instant::now() > deadline {
                self.fail(&format!("never said {wanted:?} when asked {question:?}"));
            }
        }
    }

    /// After something else has been seen: whether that had been seen before it.
    pub(crate) fn has_seen(&self, text: &str) -> bool {
        self.transcript.iter().any(|line| line.contains(text))
    }

    /// Every line until now that holds this text.
    pub(crate) fn all_with(&self, text: &str) -> Vec<&str> {
        self.transcript
            .iter()
            .map(String::as_str)
            .filter(|line| line.contains(text))
            .collect()
    }

    fn wait_for_line(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => {
                self.transcript.push(line.clone());
                self.unread.push(line);
                true
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    /// Waits for the process to end, and gives its exit code.
    pub(crate) fn ends(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        // Its output ends when it does.
        while self.wait_for_line(deadline) {}
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap_or(-1);
            }
            thread::yield_now();
        }
        self.fail("does not end")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn fail(&self, what: &str) -> ! {
        panic!(
            "{} {what}; it said:\n{}",
            self.name,
            self.transcript.join("\n")
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// The address and the fingerprint, as in the line that it prints.
    pub(crate) place: String,
    data: PathBuf,
    credentials: PathBuf,
    settings: Vec<String>,
}

impl Server {
    /// A server at any free port, with these settings (such as `timeout=3s`). It is patient with a busy machine: unless
    /// the settings say otherwise, a message to somebody online is stored only after a long time.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let credentials = file("credentials.txt", ACCOUNTS);
        let settings = ["store_after=10s"]
            .iter()
            .chain(settings)
            .map(|setting| (*setting).into())
            .collect();
        Self::start_at(&["127.0.0.1:0"], folder(), credentials, settings, &[])
    }

    /// A server with further arguments.
    pub(crate) fn start_with(args: &[&str]) -> Self {
        let credentials = file("credentials.txt", ACCOUNTS);
        let settings = vec!["store_after=10s".into()];
        Self::start_at(&["127.0.0.1:0"], folder(), credentials, settings, args)
    }

    fn start_at(
        listen: &[&str],
        data: PathBuf,
        credentials: PathBuf,
        settings: Vec<String>,
        args: &[&str],
    ) -> Self {
        let mut command = program(&["serve"]);
        for address in listen {
            command.args(["--listen", address]);
        }
        command
            .arg("--credentials")
            .arg(&credentials)
            .arg("--data")
            .arg(&data)
            .args(args);
        for setting in &settings {
            command.args(["--set", &format!("serve.{setting}")]);
        }
        let mut process = Process::start("server", command);
        let line = process.sees("Listening on ");
        let address = line
            .strip_prefix("Listening on ")
            .and_then(|rest| rest.split([',', ' ']).next())
            .unwrap()
            .parse()
            .unwrap();
        let fingerprint = process.sees("Fingerprint:  ");
        let fingerprint = fingerprint.trim_start_matches("Fingerprint:  ");
        Self {
            process,
            address,
            place: format!("{address}#{fingerprint}"),
            data,
            credentials,
            settings,
        }
    }

    /// A server with these accounts.
    pub(crate) fn start_for(credentials: PathBuf) -> Self {
        Self::start_at(&["127.0.0.1:0"], folder(), credentials, Vec::new(), &[])
    }

    /// A server that keeps its data there.
    pub(crate) fn start_in(data: PathBuf, settings: &[&str]) -> Self {
        let credentials = file("credentials.txt", ACCOUNTS);
        let settings = settings.iter().map(|setting| (*setting).into()).collect();
        Self::start_at(&["127.0.0.1:0"], data, credentials, settings, &[])
    }

    pub(crate) fn start_on(listen: &[&str]) -> Self {
        let credentials = file("credentials.txt", ACCOUNTS);
        Self::start_at(listen, folder(), credentials, Vec::new(), &[])
    }

    /// The server starts again at the same port, with what it has kept.
    pub(crate) fn start_again(&mut self) {
        self.start_again_with(&[]);
    }

    /// The same, with further arguments.
    pub(crate) fn start_again_with(&mut self, args: &[&str]) {
        let again = Self::start_at(
            &[&self.address.to_string()],
            self.data.clone(),
            self.credentials.clone(),
            self.settings.clone(),
            args,
        );
        self.process = again.process;
        self.place = again.place;
    }

    /// Its data directory.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Its accounts file.
    pub(crate) fn credentials(&self) -> &Path {
        &self.credentials
    }

    /// Logs somebody in, with a password that follows from the name.
    pub(crate) fn join(&self, name: &str) -> Process {
        let mut client = self.try_join(name, &format!("{}-pw", &name[..1]));
        client.sees(&format!("Logged in as {name}."));
        client
    }

    /// Logs somebody in on a device of theirs: with what they keep in this directory.
    pub(crate) fn join_on(&self, device: &Path, name: &str, args: &[&str]) -> Process {
        let mut client = self.begin_on(device, name, args);
        client.sees(&format!("Logged in as {name}."));
        client
    }

    /// The same, not yet let in.
    pub(crate) fn begin_on(&self, device: &Path, name: &str, args: &[&str]) -> Process {
        let device = ["--data", device.to_str().unwrap()];
        let mut client = self.client(name, &[&device, args].concat());
        client.types(name);
        client.types(&format!("{}-pw", &name[..1]));
        client
    }

    /// A client that tries a password.
    pub(crate) fn try_join(&self, name: &str, password: &str) -> Process {
        let mut client = self.client(name, &[]);
        client.types(name);
        client.types(password);
        client
    }

    /// A client with further arguments, that has been told nothing yet.
    pub(crate) fn client(&self, label: &str, args: &[&str]) -> Process {
        let mut command = program(&["join", &self.place]);
        command.args(args);
        Process::start(label, command)
    }

    /// Sends bytes from a stranger, and gives what comes back until the server ends the connection.
    pub(crate) fn stranger_sends(&self, bytes: &[u8]) -> Vec<u8> {
        stranger_sends(self.address, bytes)
    }
}

/// Connects somewhere, sends bytes, and gives what comes back until the other side ends it.
pub(crate) fn stranger_sends(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may be refused before all is sent.
    let _ = stream.write_all(bytes);
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    received
}

/// Two people put each other into their address books.
pub(crate) fn introduce(
    asker: &mut Process,
    asker_name: &str,
    asked: &mut Process,
    asked_name: &str,
) {
    agree((asker, asker_name), (asked, asked_name), "", "");
}

/// Two people put each other into their address books, to stay there.
pub(crate) fn introduce_for_good(
    asker: &mut Process,
    asker_name: &str,
    asked: &mut Process,
    asked_name: &str,
) {
    let (always, stays) = (" always", ", and stays there");
    agree((asker, asker_name), (asked, asked_name), always, stays);
}

/// One asks and the other accepts, with this word, and both are told so.
fn agree(asker: (&mut Process, &str), asked: (&mut Process, &str), word: &str, told: &str) {
    let ((asker, asker_name), (asked, asked_name)) = (asker, asked);
    asker.types(&format!("getaddress {asked_name}{word}"));
    asked.sees(&format!("{asker_name} asks to exchange addresses"));
    asked.types(&format!("accept {asker_name}{word}"));
    let introduced = |name| format!("* {name} is in your address book{told}");
    asker.sees(&introduced(asked_name));
    asked.sees(&introduced(asker_name));
}
