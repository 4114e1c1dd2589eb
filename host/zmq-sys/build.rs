//! Compiles libzmq against the libsodium that `libsodium-sys-stable` has built, so that CURVE is in it.

use std::path::PathBuf;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let include = sodium("INCLUDE");
    let lib = sodium("LIB");
    println!("cargo:rerun-if-changed=src/beyond.cpp");
    cc::Build::new().cpp(true).file("src/beyond.cpp").compile("beyond");
    println!("cargo:rerun-if-changed=src/live_pipes.hpp");
    println!("cargo:rerun-if-changed=src/timers.hpp");
    set_flags();
    zeromq_src::Build::new().with_libsodium(Some(zeromq_src::LibLocation::new(lib, include))).build();
}

/// A directory that the build script of `libsodium-sys-stable` (`links = "sodium"`) has published.
fn sodium(key: &str) -> PathBuf {
    let name = format!("DEP_SODIUM_{key}");
    std::env::var_os(&name)
        .unwrap_or_else(|| panic!("{name} is unset: libsodium-sys-stable did not say where it built libsodium"))
        .into()
}

/// Mends libzmq; and its own warnings are no news to whoever builds Tidegate.
#[allow(unsafe_code)]
fn set_flags() {
    let flags = std::env::var("CXXFLAGS").unwrap_or_default();
    // Relative to this package, where build scripts run: a path of the machine's may have spaces in it.
    let flags = format!("{flags} -w -include src/live_pipes.hpp -include src/timers.hpp");
    // Where there is one, a thread is woken by a counter in the kernel; otherwise by a byte through a pair of sockets.
    let eventfd = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux");
    let flags = if eventfd { format!("{flags} -DZMQ_HAVE_EVENTFD -DZMQ_HAVE_EVENTFD_CLOEXEC") } else { flags };
    // SAFETY: a build script has one thread here, so nothing reads the environment meanwhile.
    unsafe { std::env::set_var("CXXFLAGS", flags) };
}
