//! The structure of the sources: which folder may use which library, the size of folders, and how a file opens.

mod directions;
mod imports;

use crate::harness::root;
use std::path::{Path, PathBuf};

/// The Rust files below a directory.
pub fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_source_file_opens_with_one_sentence() {
    let mut files = Vec::new();
    for directory in ["benches", "host", "plugins", "tests"] {
        rust_files(&root().join(directory), &mut files);
    }
    assert!(files.len() > 40, "{}", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("//! "), "{} does not open with a //! sentence", file.display());
    }
}

#[test]
fn each_library_is_named_in_its_own_folder_alone() {
    let source = root().join("host/src");
    let mut files = Vec::new();
    rust_files(&source, &mut files);
    let folders: [(&str, &[&str]); 10] = [
        ("wasmtime", &["plugin"]),
        ("warp", &["http"]),
        ("zmq", &["clients", "messaging"]),
        ("oci_client", &["oci"]),
        ("mcap", &["record/capture"]),
        ("notify", &["system/file_watch.rs", "system/file_watch"]),
        ("opentelemetry", &["traces"]),
        ("opentelemetry_proto", &["traces"]),
        ("opentelemetry_sdk", &["traces"]),
        ("reqwest", &["oci", "traces"]),
    ];
    for (library, folders) in folders {
        let is_elsewhere = |file: &&PathBuf| !folders.iter().any(|folder| file.starts_with(source.join(folder)));
        for file in files.iter().filter(is_elsewhere) {
            let text = std::fs::read_to_string(file).unwrap();
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            for line in code {
                let is_part_of_a_word =
                    |before: &str| before.ends_with(|end: char| end.is_alphanumeric() || end == '_');
                let names = line.match_indices(&format!("{library}::")).any(|(at, _)| !is_part_of_a_word(&line[..at]));
                assert!(!names, "{} names {library}: {line}", file.display());
            }
        }
    }
}

#[test]
fn what_a_core_decides_needs_no_socket_no_thread_and_no_clock() {
    let mut files = Vec::new();
    rust_files(&root().join("host/src"), &mut files);
    let is_of_core = |file: &&PathBuf| {
        let path = file.with_extension("");
        let names: Vec<_> = path.iter().filter_map(|name| name.to_str()).collect();
        names.contains(&"core") && !names.contains(&"simulation") && !names.contains(&"tests")
    };
    let files: Vec<_> = files.iter().filter(is_of_core).collect();
    assert!(files.len() > 9, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for word in ["zmq::", "tokio::", "thread::", "Instant::now", "SystemTime", "std::fs", "std::io", "std::net"]
            {
                assert!(!line.contains(word), "{} names {word}: {line}", file.display());
            }
        }
    }
}

#[test]
fn no_folder_has_more_than_fifteen_files() {
    let mut files = Vec::new();
    rust_files(&root().join("host/src"), &mut files);
    let mut counts = std::collections::BTreeMap::new();
    for file in files {
        *counts.entry(file.parent().unwrap().to_owned()).or_insert(0) += 1;
    }
    let full: Vec<_> = counts.into_iter().filter(|(_, count)| *count > 15).collect();
    assert!(full.is_empty(), "{full:?}");
}

#[test]
fn unsafe_code_is_in_the_sys_crate_and_in_the_one_line_that_takes_over_machine_code() {
    let mut files = Vec::new();
    // Guests may use unsafe code: the sandbox contains them.
    for directory in ["benches", "host", "tests"] {
        rust_files(&root().join(directory), &mut files);
    }
    let elsewhere = files.iter().filter(|file| !file.starts_with(root().join("host/zmq-sys")));
    let found = elsewhere.flat_map(|file| {
        let text = std::fs::read_to_string(file).unwrap();
        let code = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
        let unsafe_lines = code.filter(|line| line.split_whitespace().any(|word| word == "unsafe")).count();
        vec![file.strip_prefix(root()).unwrap().to_owned(); unsafe_lines]
    });
    assert_eq!(found.collect::<Vec<_>>(), [Path::new("host/src/plugin/load.rs")]);
}

#[test]
fn libzmq_has_curve() {
    assert_eq!(zmq::version(), (4, 3, 5));
    assert_eq!(zmq::has("curve"), Some(true));
}

#[test]
fn every_fuzz_target_has_seeds() {
    let fuzz = root().join("tests/fuzz");
    let targets: Vec<_> = fuzz.join("targets").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(targets.len() > 10, "{}", targets.len());
    for target in targets {
        let seeds = fuzz.join("seeds").join(target.file_stem().unwrap());
        let some = seeds.read_dir().is_ok_and(|mut seeds| seeds.next().is_some());
        assert!(some, "{} has nothing to begin from: {}", target.display(), seeds.display());
    }
}
