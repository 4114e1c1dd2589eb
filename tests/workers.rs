//! Pools of workers: routes and flows lead through programs that connect, and nothing of it is lost without a count.

mod admin;
mod client;
mod frontend;
mod live;
mod majordomo;
mod routes;
