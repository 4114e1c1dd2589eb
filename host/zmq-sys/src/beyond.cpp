// The functions of the monitor under C names. Without the draft flag libzmq compiles them, but declares them in its own
// draft header only, outside of `extern "C"`.

#include <cstddef>
#include <cstdint>

int zmq_socket_monitor_versioned(void *socket, const char *endpoint, uint64_t events, int version, int kind);
int zmq_socket_monitor_pipes_stats(void *socket);
int zmq_socket_get_peer_state(void *socket, const void *identity, size_t size);

extern "C" int tidegate_socket_monitor(void *socket, const char *endpoint, uint64_t events, int version, int kind) {
    return zmq_socket_monitor_versioned(socket, endpoint, events, version, kind);
}

extern "C" int tidegate_socket_pipes_stats(void *socket) {
    return zmq_socket_monitor_pipes_stats(socket);
}

extern "C" int tidegate_socket_peer_state(void *socket, const void *identity, size_t size) {
    return zmq_socket_get_peer_state(socket, identity, size);
}
