//! A TCP proxy to a registry that can close each connection after a number of bytes of the answers.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Proxy {
    /// `127.0.0.1:PORT`
    pub address: String,
    bytes_max: Arc<AtomicUsize>,
    cuts: Arc<AtomicUsize>,
}

impl Proxy {
    /// A proxy that forwards everything. Its threads end with their connections, or with the test's process.
    pub fn to(registry: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (bytes_max, cuts) = (Arc::new(AtomicUsize::new(usize::MAX)), Arc::new(AtomicUsize::new(0)));
        let (registry, limit, counter) = (registry.to_owned(), Arc::clone(&bytes_max), Arc::clone(&cuts));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&registry) else { continue };
                let (limit, counter) = (Arc::clone(&limit), Arc::clone(&counter));
                std::thread::spawn(move || carry(&client, &server, &limit, &counter));
            }
        });
        Self { address, bytes_max, cuts }
    }

    /// From now on each connection is closed after this many bytes to the client.
    pub fn cut_after(&self, bytes_max: usize) {
        self.bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::Relaxed)
    }
}

fn carry(client: &TcpStream, server: &TcpStream, bytes_max: &AtomicUsize, cuts: &AtomicUsize) {
    let (mut requests, mut towards) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut requests, &mut towards);
        let _ = towards.shutdown(Shutdown::Write);
    });
    let (mut server, mut client, mut carried) = (server, client, 0);
    let mut piece = [0; 1024];
    while let Ok(read @ 1..) = server.read(&mut piece) {
        carried += read;
        if carried > bytes_max.load(Ordering::Relaxed) {
            cuts.fetch_add(1, Ordering::Relaxed);
            break;
        }
        if client.write_all(&piece[..read]).is_err() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}
