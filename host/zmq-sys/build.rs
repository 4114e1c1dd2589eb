//! Compiles libzmq from a copy of its source that `patches/` are applied to, against the libsodium that
//! `libsodium-sys-stable` has built, so that CURVE is in it.

use std::fs;
use std::panic::Location;
use std::path::{Path, PathBuf};

/// What is mended of libzmq. Each begins with why.
const PATCHES: [&str; 12] = [
    "strlcpy",
    "timers",
    "queues",
    "xpub",
    "router",
    "peers",
    "accept",
    "subscriptions",
    "heartbeats",
    "monitor",
    "session",
    "disconnect",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(variable("OUT_DIR"));
    let source = out.join("libzmq");
    copy(&vendored(), &source);
    for name in PATCHES {
        let path = format!("patches/{name}.patch");
        println!("cargo:rerun-if-changed={path}");
        let patch = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        apply(&patch, &source).unwrap_or_else(|cause| panic!("{path}: {cause}"));
    }
    compile(&source, &out);
    println!("cargo:rerun-if-changed=src/beyond.cpp");
    println!("cargo:rerun-if-changed=src/accept.cpp");
    cc::Build::new().cpp(true).files(["src/beyond.cpp", "src/accept.cpp"]).compile("beyond");
}

/// Where the crate that carries libzmq has its source: it compiles it itself, and tells nobody the place. But it calls
/// what it is handed, and who calls is known.
fn vendored() -> PathBuf {
    struct Caller;
    #[allow(clippy::from_over_into, reason = "the blanket one need not pass on who calls")]
    impl Into<PathBuf> for Caller {
        #[track_caller]
        fn into(self) -> PathBuf {
            Location::caller().file().into()
        }
    }
    let library = zeromq_src::LibLocation::new(Caller, "").lib_dir().to_owned();
    // Of a crate within a workspace the path begins at the workspace.
    let here = PathBuf::from(variable("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .map(|directory| directory.join(&library).with_file_name("../vendor"))
        .find(|vendor| vendor.is_dir())
        .unwrap_or_else(|| {
            panic!("no source of libzmq beside {}: build without --remap-path-prefix", library.display())
        })
}

/// Copies the files of libzmq that are compiled.
fn copy(vendor: &Path, source: &Path) {
    for part in ["include", "src"] {
        let (from, to) = (vendor.join(part), source.join(part));
        let copied = fs::create_dir_all(&to).and_then(|()| {
            fs::read_dir(&from)?.try_for_each(|entry| {
                let name = entry?.file_name();
                // Not `fs::copy`: a source that may only be read would make a copy that may only be read.
                fs::write(to.join(&name), fs::read(from.join(&name))?)
            })
        });
        copied.unwrap_or_else(|error| panic!("copying {} to {}: {error}", from.display(), to.display()));
    }
}

/// Applies a unified diff. The lines that a hunk takes away, with those around them, have to be found once, wherever
/// that is.
fn apply(patch: &str, root: &Path) -> Result<(), String> {
    let mut file: Option<PathBuf> = None;
    for part in patch.split_inclusive('\n').collect::<Vec<_>>().chunk_by(|_, next| !next.starts_with("@@")) {
        if let Some(path) = &file
            && part[0].starts_with("@@")
        {
            replace(path, &side(part, '-'), &side(part, '+'))?;
        }
        if let Some(path) = part.iter().find_map(|line| line.strip_prefix("+++ b/")) {
            file = Some(root.join(path.trim_end()));
        }
    }
    file.map(drop).ok_or_else(|| "it names no file".to_owned())
}

/// A hunk's text before or after it: the lines around the change, and those with this sign.
fn side(hunk: &[&str], sign: char) -> String {
    let body = hunk[1..].iter().take_while(|line| !line.starts_with("diff "));
    body.filter_map(|line| line.strip_prefix([' ', sign])).collect()
}

fn replace(path: &Path, old: &str, new: &str) -> Result<(), String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    match text.matches(old).count() {
        1 => fs::write(path, text.replacen(old, new, 1)).map_err(|error| format!("{}: {error}", path.display())),
        found => Err(format!("{} has these lines {found} times, not once:\n{old}", path.display())),
    }
}

/// Compiles libzmq as the crate that carries it does.
fn compile(source: &Path, out: &Path) {
    let mut build = cc::Build::new();
    // Its warnings are no news to whoever builds Tidegate.
    build.cpp(true).std("c++11").warnings(false);
    // It wants a file of this name, for what is defined here.
    fs::write(source.join("platform.hpp"), "").unwrap_or_else(|error| panic!("writing platform.hpp: {error}"));
    build.include(source).include(source.join("include")).include(source.join("src")).include(sodium("INCLUDE"));
    for name in [
        "ZMQ_STATIC",
        "ZMQ_USE_CV_IMPL_STL11",
        "ZMQ_USE_LIBSODIUM",
        "ZMQ_HAVE_CURVE",
        "ZMQ_HAVE_IPC",
        "ZMQ_HAVE_UIO",
        "ZMQ_HAVE_STRUCT_SOCKADDR_UN",
        "ZMQ_POLL_BASED_ON_POLL",
        "HAVE_STRNLEN",
    ] {
        build.define(name, "1");
    }
    // Where there is one, a thread is woken by a counter in the kernel; otherwise by a byte through a pair of sockets.
    let of_system: &[&str] = match variable("CARGO_CFG_TARGET_OS").as_str() {
        "linux" => &[
            "ZMQ_HAVE_LINUX",
            "ZMQ_IOTHREAD_POLLER_USE_EPOLL",
            // What this process starts, compilers of plugins among it, inherits nothing of libzmq's.
            "ZMQ_IOTHREAD_POLLER_USE_EPOLL_CLOEXEC",
            "ZMQ_HAVE_EVENTFD",
            "ZMQ_HAVE_EVENTFD_CLOEXEC",
        ],
        _ => &["ZMQ_IOTHREAD_POLLER_USE_KQUEUE"],
    };
    for name in of_system {
        build.define(name, "1");
    }
    let files = fs::read_dir(source.join("src")).unwrap_or_else(|error| panic!("reading libzmq's source: {error}"));
    let mut files: Vec<_> = files.filter_map(|entry| Some(entry.ok()?.path())).collect();
    // Web sockets are no transport of ours.
    files.retain(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".cpp") && !name.starts_with("ws")
    });
    // The same archive each time, whatever the order in the directory.
    files.sort();
    // In one: what takes time is the headers, which each of them would read again.
    let whole: String = files.iter().map(|file| format!("#include \"{}\"\n", file.display())).collect();
    let file = out.join("zmq.cpp");
    fs::write(&file, whole).unwrap_or_else(|error| panic!("writing {}: {error}", file.display()));
    build.file(file).out_dir(out).compile("zmq");
    println!("cargo:rustc-link-search=native={}", sodium("LIB").display());
    println!("cargo:rustc-link-lib=static=sodium");
}

/// A directory that the build script of `libsodium-sys-stable` (`links = "sodium"`) has published.
fn sodium(key: &str) -> PathBuf {
    variable(&format!("DEP_SODIUM_{key}")).into()
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}
