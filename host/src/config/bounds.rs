//! What is fixed: the bounds and paces of the host that no configuration changes.

/// Where plugins are looked for when none is named.
pub const PLUGINS_DIRECTORY: &str = "plugins";
/// How long a changed file has to rest before it is read, so that a copy in progress is not read half. One that the system
/// says is whole, renamed into place or closed by its writer, is read at once; if it comes again within this time, it rests.
pub const SETTLE_MS: u64 = 50;
/// How long a file that looks half written has to rest before it is taken for what it is: slow copies come in pieces.
pub const UNFINISHED_REST_MS: u64 = 5_000;
/// How often the files are looked at in case the system reported no change (network file systems, renamed parents).
pub const RESCAN_MS: u64 = 1_000;
/// How soon a file is tried again for which the machine was too busy.
pub const BUSY_RETRY_MS: u64 = 5_000;
/// The longest that guest code holds a thread before it yields.
pub const EPOCH_TICK_MS: u64 = 5;
/// The same while long calls are about: each of them gives way to others so often. Ticking at this pace all the time
/// would cost an idle host some percent of a core.
pub const BUSY_EPOCH_TICK_MS: u64 = 1;
/// The most instances that exist at the same time, over all plugins.
pub const INSTANCES_MAX: u32 = 1_000;
/// How long a service manager waits for a look at all sources that it asked for.
pub const RELOAD_TOLD_MS_MAX: u64 = 30_000;
/// Plugins by name, whether loaded or not, up to which an admin call may add one.
pub const SLOTS_MAX: usize = 1_000;
/// Compilers at the same time; each is a process of its own.
pub const COMPILES_MAX: usize = 4;
/// As many more for components that someone asked for and waits for.
pub const COMPILES_ASKED_MAX: usize = 4;
/// What a compiler may write.
pub const ARTIFACT_BYTES_MAX: u64 = 2 << 30;
/// Examples that a component may carry.
pub const EXAMPLES_MAX: usize = 1_000;
/// How long trying all of them may take.
pub const EXAMPLES_MS_MAX: u64 = 30_000;
/// How often a probe or an example is tried where the host is too busy for it.
pub const BUSY_LOAD_TRIES: u32 = 5;
/// The rest before the next try.
pub const BUSY_LOAD_PAUSE_MS: u64 = 100;
/// How often `compile_ms_max` has to pass for a compiler that does not get the processor for one of them.
pub const BUSY_COMPILE_PERIODS: u32 = 8;
/// Generations that stay compiled beside the one that serves, to go back to.
pub const PREVIOUS_GENERATIONS_MAX: usize = 2;
/// Components of one plugin that are remembered as condemned; the ones that were condemned longest ago are forgotten first.
pub const CONDEMNED_MAX: usize = 16;
/// Records of condemned components in one cache, of all plugins and hosts.
pub const CONDEMNED_RECORDS_MAX: usize = 4_096;
/// The size of such a record.
pub const CONDEMNED_RECORD_BYTES_MAX: u64 = 16 << 10;
/// Host resources (timers, streams) that one call may hold.
pub const RESOURCES_MAX: usize = 1_000;
/// The headers that a handler puts together for one response or request, with what they take of the host's memory.
pub const HANDLER_FIELDS_BYTES_MAX: usize = 128 << 10;
/// The headers of a request that somebody writes to try a handler, which no connection bounds.
pub const HANDLER_REQUEST_FIELDS_MAX: usize = 100;
/// The headers of an answer of a worker.
pub const WORKER_HEADERS_MAX: usize = 100;
/// Their bytes, or those of the frame that has them.
pub const WORKER_HEADERS_BYTES_MAX: usize = 128 << 10;
/// How much a handler may write of a body at once.
pub const HANDLER_PIECE_BYTES_MAX: usize = 64 << 10;
/// How often it may write before the host has taken in any of it.
pub const HANDLER_PIECES_MAX: usize = 16;
/// Requests that the calls of one plugin send and that are not answered whole, at the same time.
pub const OUTBOUND_REQUESTS_MAX: usize = 64;
/// For a connection to another host, TLS included; the call has its own deadline.
pub const OUTBOUND_CONNECT_MS_MAX: u64 = 10_000;
/// What the long calls of a plugin may use at once before its share of the processor holds them back.
pub const CPU_BURST_MS: u64 = 100;
/// Bytes of one log line of a plugin.
pub const LOG_LINE_BYTES_MAX: usize = 4 << 10;
/// Bytes of what a guest wrote of its own error in one call that stand above its trap.
pub const ERROR_OUTPUT_BYTES_MAX: usize = 4 << 10;
/// Random bytes of one host call.
pub const RANDOM_BYTES_MAX: u64 = 1 << 20;
/// A line of the log about the same thing, dead letters that are lost or connections that are refused say, is written once in this
/// time.
pub const LOG_LIMIT_INTERVAL_MS: u64 = 60_000;
/// Things that are told apart at a time where lines about them are limited, such as peers; of more there are no lines.
pub const LOG_LIMIT_THINGS_MAX: usize = 1_000;
/// For the body of a request to the admin surface to come whole: components are large, and lines may be slow.
pub const ADMIN_BODY_MS_MAX: u64 = 600_000;
/// How often an HTTP/2 client that is silent is asked whether it is still there, and how long it may take to say so.
pub const HTTP2_PING_MS: u64 = 20_000;
/// How long the files of a certificate have to rest before they are read, and how often they are looked at in any case.
pub const CERTIFICATE_LOOK_MS: u64 = 1_000;
/// What an idle connection of the admin surface gets once all connections there are taken.
pub const HTTP_CROWDED_IDLE_MS: u64 = 1_000;
/// How long a connection that is to end may take for what it still has to say.
pub const HTTP_FAREWELL_MS: u64 = 1_000;
/// A rest of a request's body that nobody wants, up to which it is read so that the connection can be used again.
pub const HTTP_REST_BYTES_MAX: u64 = 64 << 10;
/// How long an answer waits for such a rest.
pub const HTTP_REST_MS_MAX: u64 = 100;
/// How often a WebSocket that is read is asked whether its client is still there.
pub const WEBSOCKET_PING_MS: u64 = 20_000;
/// So often in a row a client that says nothing at all may leave that unanswered.
pub const WEBSOCKET_PINGS_UNANSWERED_MAX: u32 = 2;
/// Pings that a client may send in [`WEBSOCKET_PING_MS`], each of which is answered.
pub const WEBSOCKET_PINGS_MAX: u32 = 1_000;
/// What each WebSocket has for reading, and what is gathered before it is written.
pub const WEBSOCKET_BUFFER_BYTES: usize = 16 << 10;
/// For the handshake of ZWS, once a WebSocket is open.
pub const WEBSOCKET_HANDSHAKE_MS: u64 = 5_000;
/// How long what a WebSocket has brought waits for a flow once its client has gone.
pub const WEBSOCKET_LEFT_MS: u64 = 5_000;
/// Messages of one WebSocket that are gathered before they are written, while more wait.
pub const WEBSOCKET_MESSAGES_AT_ONCE: usize = 64;
/// Messages between two plugins of a route, or behind the last: each may return several for each message.
pub const CHAIN_MESSAGES_MAX: usize = 1_000;
/// Bodies that are given or freed of a content coding at the same time; more wait for their turn.
pub const CODERS_MAX: usize = 16;
/// An answer with fewer bytes gets no content coding: it would save less than it costs.
pub const CODED_BYTES_MIN: usize = 1 << 10;
/// A body that is whole and has no more bytes than these is bounded by the count of requests alone.
pub const BODY_BYTES_UNCOUNTED: usize = 16 << 10;
/// How much of what a client still sends after its last answer is read and thrown away before its connection is closed:
/// closing earlier would make its system throw the answer away.
pub const HTTP_LINGER_BYTES_MAX: u64 = 256 << 20;
/// How long that may take.
pub const HTTP_LINGER_MS_MAX: u64 = 10_000;
/// And how long the client may be silent meanwhile.
pub const HTTP_LINGER_SILENCE_MS: u64 = 2_000;
/// How much of a plugin's own text a caller is told.
pub const REJECTED_TEXT_BYTES_MAX: usize = 1 << 10;
/// How much a caller is told of why a component is refused; a component can make that text as long as it likes.
pub const REFUSED_TEXT_BYTES_MAX: usize = 16 << 10;
/// Connections of a surface that may wait to be accepted; the system bounds it further. With the hundred or so that libraries
/// ask for, clients that come all at once are made to try again, a second later each time.
pub const BACKLOG: u32 = 4_096;
/// Things that happened to a plugin which are remembered, the last ones, and what each says of its reason in bytes.
pub const TIMELINE_ENTRIES_MAX: usize = 32;
/// The latter.
pub const TIMELINE_TEXT_BYTES_MAX: usize = 1 << 10;
/// Callers that may watch what changes in a host at the same time.
pub const ADMIN_WATCHERS_MAX: usize = 16;
/// How often they are told.
pub const ADMIN_CHANGES_MS: u64 = 1_000;
/// How far back the figures of the last seconds go.
pub const ADMIN_WINDOW_MS: u64 = 10_000;
/// Peers of one surface, and workers of one pool, that the admin surface tells of one by one.
pub const ADMIN_PEERS_MAX: usize = 200;
/// Components that the admin surface takes in at the same time; each is held in memory.
pub const ADMIN_UPLOADS_MAX: usize = 8;
/// The body of a call that is made through the admin surface.
pub const ADMIN_CALL_BYTES_MAX: usize = 16 << 20;
/// What all calls that are made through the admin surface may take and return at the same time.
pub const ADMIN_CALLS_BYTES_MAX: usize = 256 << 20;
/// The sockets, flows and routes that the admin surface is sent.
pub const ADMIN_FLOWS_BYTES_MAX: usize = 1 << 20;
/// For a flow to do what the admin surface was asked for before that answers how the flow does.
pub const FLOW_COMMAND_MS_MAX: u64 = 1_000;
/// For a pool of workers to say how it does.
pub const POOL_ANSWER_MS_MAX: u64 = 1_000;
/// How often the host looks whether it is ready while nobody asks.
pub const READINESS_LOOK_MS: u64 = 1_000;
/// Marks of the ledger that differences can be asked for since, and what they take of memory.
pub const LEDGER_MARKS_MAX: usize = 256;
/// The same in bytes.
pub const LEDGER_MARKS_BYTES_MAX: usize = 4 << 20;
/// Dead letters in one answer of the admin surface to a list.
pub const ADMIN_LETTERS_MAX: usize = 1_000;
/// What the letters of one request may take in such an answer.
pub const ADMIN_LETTERS_BYTES_MAX: usize = 64 << 20;
/// Calls of the admin surface that read the files of dead letters at the same time.
pub const ADMIN_LETTERS_READS_MAX: usize = 2;
/// Lines of a guest's log that are told with the answer to a call that tries it.
pub const CALL_LOG_LINES_MAX: usize = 100;
/// The same in bytes.
pub const CALL_LOG_BYTES_MAX: usize = 64 << 10;
/// Calls of a route's or a flow's steps that are told of one by one where it is tried.
pub const CALL_STEPS_MAX: usize = 100;
/// An example that is made of a call.
pub const CALL_EXAMPLE_BYTES_MAX: usize = 64 << 10;
/// The examples that a plugin's component is to carry too.
pub const ADD_EXAMPLES_BYTES_MAX: usize = 1 << 20;
/// The name that one of them is given.
pub const EXAMPLE_NAME_BYTES_MAX: usize = 256;
/// Live tails of the admin surface at the same time.
pub const TAILS_MAX: usize = 8;
/// Messages a second that a tail shows, where its caller does not say how many.
pub const TAIL_RATE: u32 = 20;
/// And how many its caller may ask for.
pub const TAIL_RATE_MAX: u32 = 1_000;
/// A topic, or a text, that a tail is asked to look for.
pub const TAIL_FILTER_BYTES_MAX: usize = 256;
/// Messages that wait until a tail's caller has read those before them; more are skipped.
pub const TAIL_QUEUE_MESSAGES_MAX: usize = 256;
/// The same in bytes.
pub const TAIL_QUEUE_BYTES_MAX: usize = 4 << 20;
/// How much of a topic a tail shows.
pub const TAIL_TOPIC_BYTES_MAX: usize = 256;
/// Frames of a message that a tail shows.
pub const TAIL_FRAMES_MAX: usize = 16;
/// How much of each it shows.
pub const TAIL_FRAME_BYTES_MAX: usize = 1 << 10;
/// Pairs of a message's metadata that a tail shows.
pub const TAIL_PAIRS_MAX: usize = 32;
/// How much of a key and of a value it shows.
pub const TAIL_VALUE_BYTES_MAX: usize = 256;
/// Names of sinks that a tail shows.
pub const TAIL_SINKS_MAX: usize = 16;
/// How often a tail says that messages were skipped.
pub const TAIL_SKIPPED_MS: u64 = 1_000;
/// How often a tail of which there is nothing to show says that it is still there.
pub const TAIL_HEARTBEAT_MS: u64 = 15_000;
/// Messages that a replay reads ahead, at once.
pub const REPLAY_BATCH_MESSAGES: usize = 256;
/// The same in bytes; a larger message goes alone.
pub const REPLAY_BATCH_BYTES: usize = 1 << 20;
/// Messages that wait for each receiver of a replay.
pub const REPLAY_QUEUE_MESSAGES_MAX: usize = 1_000;
/// The same in bytes.
pub const REPLAY_QUEUE_BYTES_MAX: usize = 64 << 20;
/// A message of a replay that goes by more than this after its time is late, and what comes after it is put off.
pub const REPLAY_LATE_MS: u64 = 10;
/// What is read of the answer to each message of a replay by HTTP.
pub const REPLAY_ANSWER_BYTES_MAX: u64 = 64 << 20;
/// A shorter token could be guessed.
pub const TOKEN_BYTES_MIN: usize = 16;
/// A topic that anybody may subscribe to.
pub const SUBSCRIPTION_BYTES_MAX: usize = 1 << 10;
/// What a subscriber may send at once, so that a longer topic is told from what is no subscription at all.
pub const SUBSCRIPTION_FRAME_BYTES_MAX: i64 = 64 << 10;
/// The identity of a client, and of each proxy before it: libzmq takes no longer one.
pub const IDENTITY_BYTES_MAX: usize = 255;
/// Subscriptions of one peer.
pub const SUBSCRIPTIONS_PER_PEER_MAX: u64 = 10_000;
/// The bytes of their topics, with 64 for each. libzmq takes up to fifty times that in memory.
pub const SUBSCRIPTIONS_BYTES_PER_PEER_MAX: u64 = 2 << 20;
/// The bytes of all topics of a publisher that differ, with 64 for each.
pub const SUBSCRIPTIONS_BYTES_MAX: u64 = 16 << 20;
/// What is taken from a subscriber before others have their turn: bytes of changes, with 64 for each. More wait at the peer.
pub const SUBSCRIPTION_CHANGES_BYTES_AT_ONCE: u64 = 8 << 10;
/// Changes of subscriptions that wait to be read for each peer; more wait at the peer.
pub const SUBSCRIPTION_CHANGES_QUEUED_MAX: i32 = 128;
/// What a subscriber may change as fast as it can: all that it may have, once, and the end of all that.
pub const SUBSCRIPTION_CHANGES_BURST: u64 = 2 * SUBSCRIPTIONS_PER_PEER_MAX;
/// The same in bytes, with 64 for each.
pub const SUBSCRIPTION_CHANGES_BURST_BYTES: u64 = 2 * SUBSCRIPTIONS_BYTES_PER_PEER_MAX;
/// What it may change for as long as it likes, where a change counts for a 20000th of the burst at least.
pub const SUBSCRIPTION_CHANGES_BYTES_PER_SECOND: u64 = 128 << 10;
/// Lines of the log about one host's connections that come and go, of each kind, in [`PEER_LOG_INTERVAL_MS`].
pub const PEER_LOG_LINES_MAX: u64 = 20;
/// After that time there are as many again, and how many were not written.
pub const PEER_LOG_INTERVAL_MS: u64 = 10_000;
/// How much of a peer's own text, a topic or an identity, a line of the log shows.
pub const PEER_TEXT_LOG_BYTES_MAX: usize = 100;
/// Messages that one message may become in a flow or a route of several plugins; more fail the message as `over-output`.
pub const FLOW_OUTPUTS_MAX: usize = 10_000;
/// Requests of one client that wait to be read; more wait in the client.
pub const REQUESTS_PER_CLIENT_MAX: i32 = 1_000;
/// Messages of one peer of a SUB, PULL or PAIR that wait in libzmq to be read; more wait at the peer.
pub const READ_QUEUE_MESSAGES_MAX: usize = 1_000;
/// Messages to one peer of a PUSH or PAIR that libzmq holds: they are lost with the peer. More wait in the socket's own queue.
pub const PUSH_QUEUE_MESSAGES_MAX: usize = 100;
/// Peers of a socket whose queues the metrics tell of one by one: those with the longest.
pub const METRICS_PEERS_MAX: usize = 100;
/// How long the last words of a run may take to be written, where nobody reads them.
pub const LAST_WORDS_MS: u64 = 1_000;
/// How long calls that are given up at the end of a run may take to end.
pub const GIVE_UP_MS: u64 = 100;
/// A file that holds a CURVE key.
pub const KEY_FILE_BYTES_MAX: u64 = 16 << 10;
/// Files in the directory of authorized keys.
pub const AUTHORIZED_KEYS_MAX: usize = 10_000;
/// How often that directory is looked at in case the system reported no change, and its list compared with the peers.
pub const AUTHORIZED_KEYS_LOOK_MS: u64 = 250;
/// How long a file there has to rest before it is said to hold no key.
pub const AUTHORIZED_KEYS_REST_MS: u64 = 200;
/// A look that takes longer is complained of: the file system hangs.
pub const AUTHORIZED_KEYS_STALL_MS: u64 = 5_000;
/// Spans that are sent to the collector at once.
pub const TRACES_BATCH_SPANS_MAX: usize = 512;
/// How long the first of them waits for others.
pub const TRACES_BATCH_MS: u64 = 1_000;
/// For a connection to the collector to come about.
pub const TRACES_CONNECT_MS: u64 = 2_000;
/// What is read of a collector's answer.
pub const TRACES_ANSWER_BYTES_MAX: usize = 64 << 10;
/// Attributes of one span.
pub const SPAN_ATTRIBUTES_MAX: u32 = 32;
/// The text of one of them, and of what a span says of its failure.
pub const SPAN_TEXT_BYTES_MAX: usize = 512;
/// Messages that a consumer of JetStream asks for at a time.
pub const JETSTREAM_PULL_MESSAGES_MAX: usize = 500;
/// Hosts that one `tidegate fleet` asks or changes; all are asked at the same time.
pub const FLEET_HOSTS_MAX: usize = 64;
/// What one of them may answer when it is asked how it does: a thousand plugins are a megabyte.
pub const FLEET_ANSWER_BYTES_MAX: u64 = 8 << 20;
/// For one of them to do what it is asked: longer than a component may take that waits for others to be compiled.
pub const FLEET_CHANGE_MS_MAX: u64 = 900_000;
/// How often a host that was changed is looked at, until it is known whether it is well.
pub const FLEET_LOOK_MS: u64 = 250;
