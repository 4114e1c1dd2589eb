//! Who the host is to NATS: credentials files, passwords and tokens, which are read again when they have been replaced.

use super::jwt::{Trust, User, now};
use super::nats::Nats;
use super::{THROUGH, peer};
use crate::harness::{Host, LONG_PATIENCE, Process, Setup, tidegate, wait_up_to};
use async_nats::ConnectOptions;
use serde_json::json;
use std::path::{Path, PathBuf};

const KEEP: &str = "[routes.keep]\nthrough = ['downcase']\nto = ['jetstream:orders.kept']\n";

/// A server that trusts these, and with whom the test itself is another user.
fn server(trust: &Trust) -> Option<Nats> {
    let options = ConnectOptions::with_credentials(&trust.user(None).credentials).unwrap();
    let mut nats = Nats::configured(&trust.server_config(None), options)?;
    nats.run();
    Some(nats)
}

/// A host with these lines in `[nats]`.
fn host_with(nats: &Nats, lines: &str, config: &str) -> Setup {
    let own = nats.config().replacen("[streams", &format!("{lines}\n[streams"), 1);
    Setup::new().config(&format!("{own}{config}")).committed("downcase")
}

/// Puts a file in the place of another in one step, as what replaces secrets does.
fn replace(file: &Path, text: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// A directory with a file of secrets, and how the configuration has it.
fn secret(key: &str, text: &str) -> (tempfile::TempDir, PathBuf, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    std::fs::write(&file, text).unwrap();
    let line = format!("{key} = '{}'", file.display());
    (directory, file, line)
}

/// Waits until `/readyz` says why NATS is away, with these words.
#[track_caller]
fn wait_for_refusal(host: &Host, words: &[&str]) {
    wait_up_to(LONG_PATIENCE, &format!("/readyz to say {words:?}"), || {
        let lines = host.readiness();
        let says = |line: &String| line.contains("is away") && words.iter().all(|word| line.contains(word));
        lines.into_iter().find(says)
    });
}

/// Waits until NATS is there, and then a message gets a receipt.
#[track_caller]
fn wait_for_receipt(host: &Host) {
    wait_up_to(LONG_PATIENCE, "NATS", || host.readiness().iter().all(|line| !line.contains("NATS")).then_some(()));
    wait_up_to(LONG_PATIENCE, "a receipt", || (host.post("/keep/", b"A").status == 200).then_some(()));
}

/// None of the secrets is in the log.
fn stop_without(host: &mut Host, secrets: &[&str]) {
    let (code, log) = host.stop_and_tell();
    assert_eq!(code, 0);
    for line in log.lines() {
        assert!(line.len() < 1_500, "a long line: {line}");
        assert!(secrets.iter().all(|secret| !line.contains(secret)), "a secret: {line}");
    }
}

/// The lines of credentials that nobody may see.
fn hidden(user: &User) -> Vec<&str> {
    user.credentials.lines().filter(|line| line.len() > 30 && !line.contains(' ')).collect()
}

#[test]
fn credentials_let_the_host_in_and_what_goes_into_jetstream_comes_out() {
    let trust = Trust::new();
    let Some(nats) = server(&trust) else { return };
    let user = trust.user(None);
    let (_directory, file, line) = secret("credentials_file", &user.credentials);
    let mut host = host_with(&nats, &line, THROUGH).start();
    let (sender, receiver) = (peer(&host, zmq::PUSH, "in"), peer(&host, zmq::PULL, "out"));
    for number in 0..100 {
        sender.send_multipart(["eu", &number.to_string()], 0).unwrap();
    }
    for number in 0..100 {
        assert_eq!(receiver.recv_multipart(0).unwrap()[1], number.to_string().as_bytes());
    }
    nats.stored("orders", 100);
    nats.with(async |jetstream| jetstream.create_stream(letters()).await.map(drop)).unwrap();
    let directory = host.directory.path().to_owned();
    let fetch = |more: &[&str]| {
        let mut command = tidegate();
        command.args(["dead-letters", "fetch", &nats.url(), "orders-dead-letters", "-o", "letters"]).args(more);
        let mut process = Process::start(command.current_dir(&directory));
        (process.wait().code(), process.stdout(), process.stderr())
    };
    let (code, stdout, stderr) = fetch(&["--credentials", file.to_str().unwrap()]);
    assert!(code == Some(0) && stdout.starts_with("fetched 0 dead letters"), "{stdout}{stderr}");
    std::fs::remove_file(directory.join("letters")).unwrap();
    let (code, _, stderr) = fetch(&[]);
    assert!(code == Some(1) && stderr.contains("authorization violation: set nats.credentials_file"), "{stderr}");
    stop_without(&mut host, &hidden(&user));
}

fn letters() -> async_nats::jetstream::stream::Config {
    async_nats::jetstream::stream::Config {
        name: "orders-dead-letters".to_owned(),
        subjects: vec!["letters".to_owned()],
        ..Default::default()
    }
}

/// The server ends the connection when the token expires, and lets the host in again when the file has another.
#[test]
fn credentials_that_expire_are_told_of_and_read_again_once_they_are_replaced() {
    let trust = Trust::new();
    let Some(nats) = server(&trust) else { return };
    let (brief, next) = (trust.user(Some(now() + 4)), trust.user(None));
    let (_directory, file, line) = secret("credentials_file", &brief.credentials);
    let mut host = host_with(&nats, &line, KEEP).start();
    wait_for_refusal(&host, &["authorization violation", "nats.credentials_file", file.to_str().unwrap(), "anew"]);
    assert_eq!(host.post("/keep/", b"A").status, 503);
    // What is no whole file is told of, and read again as well.
    replace(&file, "");
    wait_for_refusal(&host, &[file.to_str().unwrap(), "no JWT and no seed", "nsc generate creds"]);
    std::fs::remove_file(&file).unwrap();
    wait_for_refusal(&host, &[file.to_str().unwrap(), "No such file"]);
    replace(&file, &next.credentials);
    wait_for_receipt(&host);
    stop_without(&mut host, &[hidden(&brief), hidden(&next)].concat());
}

#[test]
fn credentials_that_are_revoked_or_of_a_stranger_are_refused() {
    let trust = Trust::new();
    let Some(mut nats) = server(&trust) else { return };
    let (known, next, stranger) = (trust.user(None), trust.user(None), Trust::new().user(None));
    let (_directory, file, line) = secret("credentials_file", &known.credentials);
    let mut host = host_with(&nats, &line, KEEP).start();
    wait_for_receipt(&host);
    nats.configure(&trust.server_config(Some(&known)));
    nats.kill();
    nats.run();
    let words = ["authorization violation", file.to_str().unwrap()];
    wait_for_refusal(&host, &words);
    replace(&file, &next.credentials);
    wait_for_receipt(&host);
    // A connection that is there stays, and the next one is made with what the file has then.
    replace(&file, &stranger.credentials);
    wait_for_receipt(&host);
    nats.kill();
    nats.run();
    wait_for_refusal(&host, &words);
    replace(&file, &next.credentials);
    wait_for_receipt(&host);
    stop_without(&mut host, &[hidden(&known), hidden(&next), hidden(&stranger)].concat());
}

/// Who is let in, and may not do what the host has to.
#[test]
fn a_user_who_may_not_use_jetstream_is_told_of() {
    let trust = Trust::new();
    let Some(nats) = server(&trust) else { return };
    let user = trust.user_who_may(None, json!({"deny": ["$JS.>"]}));
    let (_directory, _, line) = secret("credentials_file", &user.credentials);
    let mut host = host_with(&nats, &line, KEEP).start();
    host.process.wait_for_line(&["WARN", "NATS refused something", "Permissions Violation for Publish"]);
    wait_up_to(LONG_PATIENCE, "/readyz to name the stream", || {
        host.readiness().into_iter().find(|line| line.contains("streams.orders: looking at it"))
    });
    stop_without(&mut host, &hidden(&user));
}

/// The server answers nothing to what is sent where nobody of the account may; the others are stored as ever.
#[test]
fn what_goes_to_a_subject_that_is_denied_is_refused_and_holds_up_nobody() {
    let trust = Trust::new();
    let Some(nats) = server(&trust) else { return };
    let user = trust.user_who_may(None, json!({"deny": ["orders.kept", "orders.secret.>"]}));
    let (_directory, _, line) = secret("credentials_file", &user.credentials);
    let config = format!("ack_timeout_ms = 5000\n{line}");
    let own = nats.config().replace("ack_timeout_ms = 2000", &config);
    // Without the way out, which nobody takes.
    let intake = THROUGH.split("[flows.outtake]").next().unwrap();
    let mut host = Setup::new().config(&format!("{own}{KEEP}{intake}")).committed("downcase").start();
    let sender = peer(&host, zmq::PUSH, "in");
    for number in 0..100 {
        let topic = if number % 2 == 0 { "open" } else { "secret.\"a\\\"" };
        sender.send_multipart([topic, &number.to_string()], 0).unwrap();
    }
    host.wait_for_hop("flows.intake", &json!({"in": 100, "out": 50, "dropped": {"not-stored": 50}}));
    let stored = nats.stored("orders", 50);
    assert!(stored.iter().all(|(subject, ..)| subject == "orders.open"), "{stored:?}");
    // More than the client can tell of at a time.
    for number in 0..1_000 {
        sender.send_multipart([&format!("secret.{number}"), "x"], 0).unwrap();
    }
    sender.send_multipart(["open", "x"], 0).unwrap();
    wait_up_to(LONG_PATIENCE, "the last", || (nats.count("orders") == Some(51)).then_some(()));
    host.wait_for_hop("flows.intake", &json!({"in": 1_101, "out": 51, "dropped": {"not-stored": 1_050}}));
    let answer = host.post("/keep/", b"A");
    assert!(answer.status == 502 && answer.text().contains("not-stored"), "{}", answer.text());
    host.process.wait_for_line(&["NATS refused something", "Permissions Violation for Publish", "orders."]);
    stop_without(&mut host, &hidden(&user));
}

#[test]
fn a_password_and_a_token_are_read_again_once_they_are_mended() {
    let with_password = ConnectOptions::with_user_and_password("host".to_owned(), "Right-1".to_owned());
    let with_token = ConnectOptions::with_token("Right-1".to_owned());
    for (authorization, options, key, more) in [
        ("user: host, password: \"Right-1\"", with_password, "password_file", "\nuser = 'host'"),
        ("token: \"Right-1\"", with_token, "token_file", ""),
    ] {
        let config = format!("jetstream {{ store_dir: \"{{store}}\" }}\nauthorization {{ {authorization} }}\n");
        let Some(mut nats) = Nats::configured(&config, options) else { return };
        nats.run();
        let (_directory, file, line) = secret(key, "Wrong-1\n");
        let mut host = host_with(&nats, &format!("{line}{more}"), KEEP).start();
        wait_for_refusal(&host, &["authorization violation", &format!("nats.{key} {}", file.display())]);
        replace(&file, "Right-1\n");
        wait_for_receipt(&host);
        stop_without(&mut host, &["Right-1", "Wrong-1"]);
    }
}

#[test]
fn a_host_that_shows_nothing_is_told_what_it_could_show() {
    let config = "jetstream { store_dir: \"{store}\" }\nauthorization { token: t }\n";
    let Some(mut nats) = Nats::configured(config, ConnectOptions::with_token("t".to_owned())) else { return };
    nats.run();
    let host = host_with(&nats, "", KEEP).start();
    wait_for_refusal(&host, &["authorization violation: set nats.credentials_file, nats.user or nats.token_file"]);
    host.process.wait_for_line(&["WARN", "is away: authorization violation: set nats.credentials_file"]);
    assert_eq!(host.stop(), 0);
}

/// What is wrong from the beginning keeps the host from starting, before it says a word to any server.
#[test]
fn files_that_are_none_keep_the_host_from_starting() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let file = directory.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let credentials = Trust::new().user(None).credentials;
    let seed = credentials.lines().find(|line| line.starts_with("SU")).unwrap();
    let broken = path("broken", &credentials.replace(seed, &seed.to_lowercase()));
    let (empty, huge, words) =
        (path("empty", " \n"), path("huge", &"x".repeat(1_100_000)), path("words", "Secret-words"));
    for (lines, words) in [
        ("credentials_file = '/nowhere'".to_owned(), "nats.credentials_file /nowhere: No such file"),
        (format!("credentials_file = '{}'", directory.path().display()), "Is a directory"),
        (
            format!("credentials_file = '{words}'"),
            "it has no JWT and no seed between dashes: write it with `nsc generate",
        ),
        (format!("credentials_file = '{broken}'"), "its seed is none: write it with `nsc generate creds`"),
        (format!("credentials_file = '{huge}'"), "it has more than 1048576 bytes"),
        ("user = 'u'\npassword_file = '/nowhere'".to_owned(), "nats.password_file /nowhere: No such file"),
        (format!("token_file = '{empty}'"), "it is empty: write the secret into it"),
        ("token_file = '/dev/zero'".to_owned(), "nats.token_file /dev/zero: it has more than 1048576 bytes"),
        ("tls_ca = '/nowhere'".to_owned(), "nats.tls_ca /nowhere: No such file"),
        ("tls_ca = '/dev/zero'".to_owned(), "nats.tls_ca /dev/zero: it has more than 1048576 bytes"),
        (format!("tls_ca = '{words}'"), "it holds no certificate in PEM form"),
        (format!("tls_cert = '{words}'\ntls_key = '{words}'"), "it holds no certificate in PEM form"),
    ] {
        let config = format!("[nats]\nurl = 'nats://127.0.0.1:1'\n{lines}\n{KEEP}");
        let setup = Setup::new().config(&config).committed("downcase");
        let mut process = Process::start(&mut setup.command());
        let (status, stderr) = (process.wait(), process.stderr());
        assert!(status.code() == Some(1) && stderr.contains(words), "{lines}: {words}: {stderr}");
        assert!(!stderr.contains("Secret-words") && !stderr.contains(&seed.to_lowercase()), "{stderr}");
    }
}
