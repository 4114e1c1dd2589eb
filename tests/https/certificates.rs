//! Certificate and private key: how they are replaced while the host runs, and what the host says of wrong files.

use super::{ask, connect, host, pair, setup, write};
use crate::harness::{Setup, wait_for};
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_new_certificate_is_put_in_force_and_a_bad_one_is_not() {
    let (host, old) = host("");
    let directory = host.directory.path().to_owned();
    let mut before = connect(&host, &old);
    ask(&mut before).unwrap();

    std::fs::write(directory.join("key.pem"), pair().signing_key.serialize_pem()).unwrap();
    host.process.wait_for_line(&["ERROR", "it is not the key of the certificate", "stays in force"]);
    ask(&mut connect(&host, &old)).unwrap();

    let new = write(&directory, &pair());
    wait_for("the new certificate", || ask(&mut connect(&host, &new)).ok());
    host.process.wait_for_line(&["INFO", "the new one is in force"]);
    assert!(ask(&mut connect(&host, &old)).is_err());
    // A connection keeps the certificate that it began with.
    ask(&mut before).unwrap();

    std::fs::remove_file(directory.join("cert.pem")).unwrap();
    host.process.wait_for_line(&["ERROR", "reading the certificate", "stays in force"]);
    ask(&mut connect(&host, &new)).unwrap();
    assert_eq!(host.stop(), 0);
}

#[track_caller]
fn assert_refused(setup: Setup, code: i32, words: &[&str]) {
    let output = setup.command().output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{error}");
    for word in words {
        assert!(error.contains(word), "{word:?} is not in {error}");
    }
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    assert_refused(setup(""), 1, &["reading the certificate cert.pem", "No such file"]);

    let wrong_key = setup("");
    write(wrong_key.path(), &pair());
    std::fs::write(wrong_key.path().join("key.pem"), pair().signing_key.serialize_pem()).unwrap();
    assert_refused(wrong_key, 1, &["private key key.pem", "it is not the key of the certificate cert.pem"]);

    let encrypted = setup("");
    write(encrypted.path(), &pair());
    let section = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    std::fs::write(encrypted.path().join("key.pem"), section).unwrap();
    assert_refused(encrypted, 1, &["private key key.pem", "it is encrypted", "openssl pkey"]);

    for (file, words) in [("cert.pem", ["certificate cert.pem", "PEM"]), ("key.pem", ["private key key.pem", "PEM"])] {
        let no_pem = setup("");
        write(no_pem.path(), &pair());
        std::fs::write(no_pem.path().join(file), b"\x30\x00").unwrap();
        assert_refused(no_pem, 1, &words);
    }

    for (set, missing) in [("tls_cert", "http.tls_key"), ("tls_key", "http.tls_cert")] {
        let one = Setup::new().committed("downcase").config(&format!("[http]\n{set} = 'x.pem'"));
        assert_refused(one, 2, &[&format!("http.{set} is set without {missing}")]);
    }
}

#[test]
fn a_key_that_everybody_reads_is_warned_of() {
    let setup = setup("");
    write(setup.path(), &pair());
    std::fs::set_permissions(setup.path().join("key.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let host = setup.start();
    host.process.wait_for_line(&["WARN", "private key key.pem", "chmod 600"]);
}
