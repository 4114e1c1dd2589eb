//! Stores messages in JetStream as async-nats does alone, each under a name of its own: `async-nats-publish URL STREAM
//! window|each MESSAGES BYTES IN_FLIGHT` makes the stream for `STREAM.>`, and prints how many seconds that took.
//!
//! `window`: one task, which has so many sent and not acknowledged. `each`: so many tasks, each of which waits for the
//! acknowledgement of one message before it sends the next.

use anyhow::{Context as _, Result, bail};
use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::PublishAckFuture;
use async_nats::jetstream::stream::Config;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::future::IntoFuture;
use std::time::{Duration, Instant};

#[derive(Clone)]
struct Publisher {
    jetstream: Context,
    subject: String,
    body: Vec<u8>,
}

impl Publisher {
    async fn send(&self, sender: u64, number: u64) -> Result<PublishAckFuture> {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("{sender:x}-{number:x}"));
        Ok(self.jetstream.publish_with_headers(self.subject.clone(), headers, self.body.clone().into()).await?)
    }

    async fn window(&self, messages: u64, in_flight: usize) -> Result<()> {
        let mut acknowledgements = FuturesUnordered::new();
        for number in 0..messages {
            if acknowledgements.len() == in_flight {
                acknowledgements.next().await.context("one is outstanding")??;
            }
            acknowledgements.push(self.send(0, number).await?.into_future());
        }
        while let Some(acknowledged) = acknowledgements.next().await {
            acknowledged?;
        }
        Ok(())
    }

    async fn each(self, sender: u64, messages: u64) -> Result<()> {
        for number in 0..messages {
            self.send(sender, number).await?.await?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url, stream, how, messages, bytes, in_flight] = &arguments[..] else {
        bail!("URL STREAM window|each MESSAGES BYTES IN_FLIGHT");
    };
    let (messages, in_flight): (u64, u64) = (messages.parse()?, in_flight.parse()?);
    let jetstream = async_nats::jetstream::new(async_nats::connect(url).await?);
    let config = Config {
        name: stream.clone(),
        subjects: vec![format!("{stream}.>")],
        max_bytes: 1 << 30,
        max_age: Duration::from_secs(86_400),
        ..Config::default()
    };
    jetstream.create_stream(config).await?;
    let publisher = Publisher { jetstream, subject: format!("{stream}.a"), body: vec![b'x'; bytes.parse()?] };
    let began = Instant::now();
    match &how[..] {
        "window" => publisher.window(messages, usize::try_from(in_flight)?).await?,
        "each" => {
            let senders: Vec<_> = (0..in_flight)
                .map(|sender| tokio::spawn(publisher.clone().each(sender, messages / in_flight)))
                .collect();
            for sender in senders {
                sender.await??;
            }
        }
        other => bail!("{other} is neither window nor each"),
    }
    println!("{}", began.elapsed().as_secs_f64());
    Ok(())
}
