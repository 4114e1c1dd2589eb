//! What docs/ says is so: its commands run as shown, and its references are whole.

mod contract;
mod contributing;
mod libzmq;
mod links;
mod outputs;
mod readme;
mod recipes;
// The metrics of the process are those of Linux.
#[cfg(target_os = "linux")]
mod reference;
mod troubleshooting;
mod tutorial;
mod words;
