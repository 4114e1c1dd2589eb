/* A worker that speaks Majordomo 0.2 (RFC 18): worker [ENDPOINT [SERVICE]]
   cc worker.c -lzmq -o worker */

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

enum { READY = 1, REQUEST, PARTIAL, FINAL, HEARTBEAT, DISCONNECT };
enum { HEARTBEAT_MS = 1000, LIVENESS = 3, FRAMES_MAX = 16 };

static const char *endpoint = "tcp://127.0.0.1:5571", *service = "score";

static long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int send_command(void *socket, char command, int more) {
    zmq_send(socket, "MDPW02", 6, ZMQ_SNDMORE);
    return zmq_send(socket, &command, 1, more);
}

/* A new socket for each conversation: its identity is new, and nothing of the last one is in its queue. */
static void *conversation(void *context) {
    void *socket = zmq_socket(context, ZMQ_DEALER);
    int none = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    if (zmq_connect(socket, endpoint) != 0)
        return NULL;
    send_command(socket, READY, ZMQ_SNDMORE);
    zmq_send(socket, service, strlen(service), 0);
    return socket;
}

/* Receives all frames of a message, and keeps the first FRAMES_MAX of them. Returns how many those are. */
static int receive(void *socket, zmq_msg_t *frames) {
    int count = 0, more = 1;
    while (more) {
        zmq_msg_t rest, *frame = count < FRAMES_MAX ? &frames[count++] : &rest;
        zmq_msg_init(frame);
        zmq_msg_recv(frame, socket, 0);
        more = zmq_msg_more(frame);
        if (frame == &rest)
            zmq_msg_close(frame);
    }
    return count;
}

/* Frames of a request: header, command, address, an empty one, and the body. */
static void answer(void *socket, zmq_msg_t *frames, int count) {
    zmq_msg_t *address = &frames[2], *body = &frames[count - 1];
    char text[64];
    int length = snprintf(text, sizeof text, " is %zu", zmq_msg_size(body));
    send_command(socket, FINAL, ZMQ_SNDMORE);
    zmq_msg_send(address, socket, ZMQ_SNDMORE);
    zmq_send(socket, "", 0, ZMQ_SNDMORE);
    zmq_msg_t score;
    zmq_msg_init_size(&score, 9 + zmq_msg_size(body) + length);
    char *to = zmq_msg_data(&score);
    memcpy(to, "score of ", 9);
    memcpy(to + 9, zmq_msg_data(body), zmq_msg_size(body));
    memcpy(to + 9 + zmq_msg_size(body), text, length);
    zmq_msg_send(&score, socket, 0);
}

int main(int argc, char **argv) {
    endpoint = argc > 1 ? argv[1] : endpoint;
    service = argc > 2 ? argv[2] : service;
    void *context = zmq_ctx_new(), *socket = conversation(context);
    if (socket == NULL)
        return perror(endpoint), 1;
    long heard = now_ms(), sent = heard;
    for (;;) {
        zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
        long wait = sent + HEARTBEAT_MS - now_ms();
        char command = 0;
        if (zmq_poll(&item, 1, wait > 0 ? wait : 0) > 0) {
            zmq_msg_t frames[FRAMES_MAX];
            int count = receive(socket, frames);
            heard = now_ms();
            command = count > 1 && zmq_msg_size(&frames[1]) == 1 ? *(char *)zmq_msg_data(&frames[1]) : 0;
            if (command == REQUEST && count > 4) {
                answer(socket, frames, count);
                sent = now_ms();
            }
            for (int frame = 0; frame < count; frame++)
                zmq_msg_close(&frames[frame]);
        }
        if (command == DISCONNECT || now_ms() - heard > LIVENESS * HEARTBEAT_MS) {
            struct timespec pause = {HEARTBEAT_MS / 1000, 0};
            zmq_close(socket);
            nanosleep(&pause, NULL);
            socket = conversation(context);
            heard = sent = now_ms();
        }
        if (now_ms() - sent >= HEARTBEAT_MS) {
            send_command(socket, HEARTBEAT, 0);
            sent = now_ms();
        }
    }
}
