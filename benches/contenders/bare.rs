//! A server of warp with the route of `downcase` and nothing else, at the address that is its argument, until it is ended.
//!
//! An example of the package `host`, so that it is warp and hyper as the host has them.

mod route;

use anyhow::{Context, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args().nth(1).context("say where to listen")?;
    warp::serve(route::downcase()).run(address.parse::<std::net::SocketAddr>()?).await;
    Ok(())
}
