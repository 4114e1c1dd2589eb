//! What docs/ says is so: its commands run as shown, and its references are whole.

mod contract;
mod libzmq;
mod links;
mod outputs;
mod troubleshooting;
mod tutorial;
