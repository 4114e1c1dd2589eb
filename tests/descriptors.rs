//! File descriptors run out: connections that exist stay, new ones are refused and logged, and the admin surface
//! answers.

use crate::harness::{Client, Host, PATIENCE, Setup, tidegate, wait_for};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A low limit of open files, and more peers than it allows.
const FILES_MAX: u32 = 128;
const PEERS: usize = 188;
/// How soon the admin surface must answer, whatever happens at the others.
const SOON: Duration = Duration::from_secs(1);
/// How long the host's processor time is measured, and the share of that time that it may use.
const WATCHED: Duration = Duration::from_secs(2);
const BUSY_MAX: f64 = 0.4;

fn host() -> Host {
    Setup::new().committed("downcase").committed("echo").files_max(FILES_MAX).start()
}

fn address(endpoint: &str) -> &str {
    endpoint.split_once("://").unwrap().1
}

/// Opens connections that send nothing, or as many of them as the system accepts at once.
fn crowd(endpoint: &str, count: usize) -> Vec<TcpStream> {
    (0..count).map(|_| TcpStream::connect(address(endpoint)).unwrap()).collect()
}

/// How many of them the host has closed.
fn closed(crowd: &mut [TcpStream]) -> usize {
    let is_closed = |stream: &mut TcpStream| {
        stream.set_nonblocking(true).unwrap();
        !matches!(stream.read(&mut [0; 256]), Err(error) if error.kind() == ErrorKind::WouldBlock)
    };
    crowd.iter_mut().map(is_closed).filter(|closed| *closed).count()
}

/// Whether an HTTP connection, on which nothing was sent yet, was answered that there is no room.
fn is_refused(caller: &mut TcpStream) -> bool {
    let mut answer = [0; 256];
    caller.set_nonblocking(true).unwrap();
    caller.read(&mut answer).is_ok_and(|length| answer[..length].starts_with(b"HTTP/1.1 503 "))
}

/// The processor time that the host has used so far.
fn processor_time(host: &Host) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", host.process.id())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = [fields[11], fields[12]].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 1_000 / rustix::param::clock_ticks_per_second())
}

#[track_caller]
fn answers_soon(host: &Host) {
    for path in ["/readyz", "/livez", "/metrics", "/plugins"] {
        let began = Instant::now();
        let answer = host.admin(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(began.elapsed() < SOON, "{path} took {:?}", began.elapsed());
    }
    let began = Instant::now();
    let health = tidegate().args(["health", "--admin", address(host.surface("admin"))]).output().unwrap();
    assert!(health.status.success() && began.elapsed() < 2 * SOON, "{health:?}");
}

/// The value of a counter of refused connections.
fn counted(host: &Host, sample: &str) -> u64 {
    let metrics = host.admin("/metrics");
    let found = metrics.text().lines().find_map(|line| line.strip_prefix(sample));
    found.map_or(0, |value| value.trim().parse().unwrap())
}

fn client(kind: zmq::SocketType, endpoint: &str) -> zmq::Socket {
    let socket = zmq::Context::new().socket(kind).unwrap();
    socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
    socket.set_linger(0).unwrap();
    if kind == zmq::SUB {
        socket.set_subscribe(b"").unwrap();
    }
    socket.connect(endpoint).unwrap();
    socket
}

#[track_caller]
fn is_asked_and_answers(socket: &zmq::Socket) {
    socket.send_multipart(["", "hello"], 0).unwrap();
    assert_eq!(socket.recv_multipart(0).expect("a reply").last().unwrap(), b"hello");
}

#[test]
fn a_crowd_of_peers_holds_up_nobody_who_is_in() {
    let host = host();
    let (subscriber, dealer) =
        (client(zmq::SUB, host.surface("publish")), client(zmq::DEALER, host.surface("frontend")));
    let http = Client::new(&host);
    let publish = || assert_eq!(http.request("GET", "/downcase/?param=AbC", None).unwrap().status, 200);
    is_asked_and_answers(&dealer);
    host.process.wait_for_log(" subscribed ");
    publish();
    assert_eq!(subscriber.recv_bytes(0).expect("a message"), b"lower case of AbC is abc");

    // Some peers that never start a handshake, and some of libzmq that reconnect in a loop.
    let mut crowds = [crowd(host.surface("frontend"), PEERS), crowd(host.surface("publish"), PEERS)];
    let dealers: Vec<_> = (0..20).map(|_| client(zmq::DEALER, host.surface("frontend"))).collect();
    wait_for("those who are too many", || {
        let closed: usize = crowds.iter_mut().map(|crowd| closed(crowd)).sum();
        (closed > 2 * PEERS - FILES_MAX as usize).then_some(())
    });
    host.process.wait_for_line(&["handshake refused", "as many descriptors are taken as peers may take"]);
    answers_soon(&host);
    let (began, used) = (Instant::now(), processor_time(&host));
    while began.elapsed() < WATCHED {
        is_asked_and_answers(&dealer);
        publish();
        assert_eq!(subscriber.recv_bytes(0).expect("a message"), b"lower case of AbC is abc");
        answers_soon(&host);
        std::thread::sleep(Duration::from_millis(200));
    }
    let busy = (processor_time(&host) - used).as_secs_f64() / began.elapsed().as_secs_f64();
    assert!(busy < BUSY_MAX, "{busy} of a processor");
    // HTTP has descriptors that ZeroMQ peers cannot take; once they are taken, the next connection is told so.
    assert_eq!(host.get("/downcase/?param=AbC").status, 200);
    let mut callers = crowd(host.surface("http"), 20);
    wait_for("one that is refused", || callers.iter_mut().any(is_refused).then_some(()));
    answers_soon(&host);
    assert!(counted(&host, "tidegate_http_accepts_failed_total{surface=\"http\"}") > 0);
    drop(callers);
    let refused = "tidegate_socket_handshakes_refused_total{socket=\"frontend\",reason=\"no-descriptors\"}";
    assert!(counted(&host, refused) > 0, "{}", host.admin("/metrics").text());
    let lines = host.process.stderr().matches("as many descriptors are taken").count();
    assert!(lines <= 4, "{lines} lines:\n{}", host.process.stderr());

    drop((crowds, dealers));
    let newcomer = client(zmq::DEALER, host.surface("frontend"));
    is_asked_and_answers(&newcomer);
    let newcomer = client(zmq::SUB, host.surface("publish"));
    wait_for("a message for the newcomer", || {
        publish();
        newcomer.recv_bytes(zmq::DONTWAIT).ok()
    });
    assert_eq!(host.stop(), 0);
}

/// Sends a request on a connection that stays open, and reads its answer.
#[track_caller]
fn asks_on(connection: &mut TcpStream) {
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection.write_all(b"GET /downcase/?param=AbC HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"lower case of AbC is abc") {
        let mut piece = [0; 1024];
        let length = connection.read(&mut piece).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&piece[..length]);
    }
}

#[test]
fn a_crowd_of_http_clients_holds_up_nobody_who_is_in() {
    let host = host();
    let mut http = TcpStream::connect(address(host.surface("http"))).unwrap();
    asks_on(&mut http);
    let crowd = crowd(host.surface("http"), PEERS);
    answers_soon(&host);
    // ZeroMQ peers have descriptors that HTTP cannot take.
    let dealer = client(zmq::DEALER, host.surface("frontend"));
    is_asked_and_answers(&dealer);
    let used = processor_time(&host);
    std::thread::sleep(WATCHED);
    let busy = (processor_time(&host) - used).as_secs_f64() / WATCHED.as_secs_f64();
    assert!(busy < BUSY_MAX, "{busy} of a processor");
    asks_on(&mut http);
    // A component can still be loaded, although its compiler needs descriptors for pipes.
    let loaded = host.admin_request("PUT", "/plugins/downcase", Some(&crate::harness::bytes("upcase")));
    assert_eq!(loaded.status, 200, "{}", loaded.text());
    drop(crowd);
    assert_eq!(host.get("/downcase/?param=AbC").text(), crate::harness::UP);
    assert_eq!(host.stop(), 0);
}

/// Over `ipc` an unpatched libzmq ends the process if there is no descriptor for a connection.
#[test]
fn a_crowd_at_a_path_ends_nothing() {
    let setup = Setup::new().committed("echo").files_max(FILES_MAX);
    let endpoint = format!("ipc://{}/frontend", setup.path().display());
    let host = setup.with(&[&format!("--frontend={endpoint}")]).start();
    let dealer = client(zmq::DEALER, &endpoint);
    is_asked_and_answers(&dealer);
    let path = endpoint.strip_prefix("ipc://").unwrap();
    let crowd: Vec<_> = (0..PEERS).map(|_| std::os::unix::net::UnixStream::connect(path).unwrap()).collect();
    host.process.wait_for_line(&["handshake refused", "as many descriptors are taken as peers may take"]);
    answers_soon(&host);
    is_asked_and_answers(&dealer);
    drop(crowd);
    is_asked_and_answers(&client(zmq::DEALER, &endpoint));
    assert_eq!(host.stop(), 0);
}

/// The host raises the soft limit that it inherits to the hard limit.
#[test]
fn the_soft_limit_is_raised_at_the_start() {
    let setup = Setup::new().committed("downcase");
    let mut command = std::process::Command::new("sh");
    let host = setup.command();
    command.args(["-c", "ulimit -S -n 100 && exec \"$0\" \"$@\""]).arg(host.get_program()).args(host.get_args());
    command.current_dir(setup.path()).env("XDG_CACHE_HOME", setup.path().join("cache"));
    let mut process = crate::harness::Process::start(&mut command);
    wait_for("ready", || process.stdout().ends_with("ready\n").then_some(()));
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let [soft, hard] = [3, 4].map(|index| line.split_whitespace().nth(index).unwrap());
    assert_eq!(soft, hard, "{line}");
    process.signal("TERM");
    assert_eq!(process.wait().code(), Some(0));
}

#[test]
fn idle_callers_of_the_admin_surface_make_way() {
    let never = "[http]\nhead_timeout_ms = 3600000\nidle_timeout_ms = 3600000";
    let host = Setup::new().committed("downcase").files_max(FILES_MAX).config(never).start();
    // More connections than the admin surface accepts at once, which is an eighth of the descriptors.
    let silent = crowd(host.surface("admin"), FILES_MAX as usize / 4);
    assert_eq!(host.admin("/livez").status, 200);
    drop(silent);
}
