// How listeners of libzmq accept: while few descriptors are left, a newcomer is refused in place of those who are in.

#include <atomic>
#include <cerrno>
#include <climits>
#include <sys/socket.h>
#include <unistd.h>

namespace {
// The system gives the lowest number that is free: a connection with this one or a higher one tells that so many
// descriptors are taken.
std::atomic<int> descriptors_below(INT_MAX);

// With nothing left to accept by, the connection waits in the system, and whoever asks for it at once asks in vain.
const useconds_t pause_us = 1000;
} // namespace

extern "C" void tidegate_accept_below(int below) {
    descriptors_below.store(below, std::memory_order_relaxed);
}

extern "C" int tidegate_accept(int listener, sockaddr *address, socklen_t *address_bytes) {
#if defined __linux__
    const int accepted = ::accept4(listener, address, address_bytes, SOCK_CLOEXEC);
#else
    const int accepted = ::accept(listener, address, address_bytes);
#endif
    if (accepted >= descriptors_below.load(std::memory_order_relaxed)) {
        ::close(accepted);
        // Of the two numbers for it the one that every listener of libzmq bears.
        errno = ENFILE;
        return -1;
    }
    switch (accepted == -1 ? errno : 0) {
        case 0:
        case EAGAIN:
        case EINTR:
        case ECONNABORTED:
        case EPROTO:
            break;
        // No descriptors, no memory, a firewall that forbids it: libzmq would try again at once, or end the process.
        default:
            ::usleep(pause_us);
            errno = ENFILE;
    }
    return accepted;
}
