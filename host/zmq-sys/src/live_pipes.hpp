// Comes before every file of libzmq, to mend its zmq_socket_monitor_pipes_stats. In 4.3.5 that asks every pipe's other
// end for its depth, also one that may have been freed since the two agreed to end: a crash when a peer goes away at that
// moment (libzmq's issues 3446 and 4524). A libzmq with its pull request 4647 in it needs this file no more.
//
// The asking is `_pipes[i]->send_stats_to_peer (this)` in a socket. An overload for exactly that type of argument asks
// only where the pipe still lives.

#if __has_include("pipe.hpp")
#include "precompiled.hpp"

#define send_stats_to_peer(parameter)                                                                                  \
    send_stats_to_peer (parameter);                                                                                    \
    template <typename socket_t> void send_stats_to_peer (socket_t *socket_)                                           \
    {                                                                                                                  \
        if (_state == active)                                                                                          \
            send_stats_to_peer (static_cast<own_t *> (socket_));                                                       \
    }
#include "pipe.hpp"
#undef send_stats_to_peer
#endif
