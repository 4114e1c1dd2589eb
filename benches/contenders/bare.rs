//! A warp server with the route of `downcase` and nothing else, at the address given as its argument.
//!
//! It is an example of the package `host`, so that it uses the same warp and hyper as the host.

mod route;

use anyhow::{Context, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args().nth(1).context("say where to listen")?;
    warp::serve(route::downcase()).run(address.parse::<std::net::SocketAddr>()?).await;
    Ok(())
}
