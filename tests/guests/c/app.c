/** Does what a message's body or a request's first frame says, `word` or `word:text`; ../README.md lists the words.
 *
 * Nothing is freed that lives as long as its call: the host gives every call a fresh instance. */

#include "bindings/plugin.h"
#include <stdlib.h>
#include <string.h>

typedef exports_tidegate_plugin_processor_message_t message;
typedef exports_tidegate_plugin_processor_list_message_t list_message;
typedef exports_tidegate_plugin_reply_policy_request_t request;
typedef exports_tidegate_plugin_reply_policy_list_reply_t list_reply;
typedef exports_tidegate_plugin_reply_policy_reply_t reply;
typedef tidegate_plugin_types_error_t error;
typedef plugin_list_u8_t bytes;

/** What comes of a word. */
typedef enum { ANSWERED, FILTERED, REJECTED, FAILED } outcome;

static uint32_t calls = 0;

static void *allocate(size_t len) {
    void *memory = malloc(len == 0 ? 1 : len);
    if (memory == NULL) abort();
    return memory;
}

static void append(bytes *answer, const void *more, size_t len) {
    uint8_t *grown = realloc(answer->ptr, answer->len + len + 1);
    if (grown == NULL) abort();
    memcpy(grown + answer->len, more, len);
    answer->ptr = grown;
    answer->len += len;
}

static void append_text(bytes *answer, const char *text) { append(answer, text, strlen(text)); }

static void append_number(bytes *answer, uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    append(answer, digits + at, sizeof digits - at);
}

static void append_lower(bytes *answer, bytes text) {
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i], before = i > 0 ? text.ptr[i - 1] : 0;
        // Of Unicode's capitals, those of Latin-1 and of basic Greek, which are what is asked for.
        if (byte >= 'A' && byte <= 'Z') byte += 'a' - 'A';
        else if (before == 0xC3 && byte >= 0x80 && byte <= 0x9E && byte != 0x97) byte += 0x20;
        else if (before == 0xCE && byte >= 0x91 && byte <= 0x9F) byte += 0x20;
        else if (before == 0xCE && byte >= 0xA0 && byte <= 0xA9) {
            answer->ptr[answer->len - 1] = 0xCF;
            byte -= 0x20;
        }
        append(answer, &byte, 1);
    }
}

static void log_line(wasi_logging_logging_level_t level, const char *context, bytes text) {
    plugin_string_t name, line = {text.ptr, text.len};
    plugin_string_set(&name, context);
    wasi_logging_logging_log(level, &name, &line);
}

static bytes from(const char *text) { return (bytes){(uint8_t *)text, strlen(text)}; }

static void append_random(bytes *answer) {
    bytes random;
    wasi_random_random_get_random_bytes(8, &random);
    for (size_t i = 0; i < random.len; i++) {
        append(answer, &"0123456789abcdef"[random.ptr[i] >> 4], 1);
        append(answer, &"0123456789abcdef"[random.ptr[i] & 15], 1);
    }
    append_text(answer, " ");
    append_number(answer, wasi_random_insecure_get_insecure_random_u64());
}

static void append_clocks(bytes *answer) {
    wasi_clocks_wall_clock_datetime_t wall;
    wasi_clocks_wall_clock_now(&wall);
    append_number(answer, wall.seconds);
    append_text(answer, " ");
    append_number(answer, wasi_clocks_monotonic_clock_now() / 1000000000);
}

static void append_setting(bytes *answer, bytes key) {
    plugin_string_t name = {key.ptr, key.len};
    plugin_option_string_t value;
    wasi_config_store_error_t failed;
    if (wasi_config_store_get(&name, &value, &failed) && value.is_some) append(answer, value.val.ptr, value.val.len);
    else append_text(answer, "not set");
}

static void append_stdin(bytes *answer) {
    wasi_io_streams_borrow_input_stream_t in = wasi_io_streams_borrow_input_stream(wasi_cli_stdin_get_stdin());
    wasi_io_streams_stream_error_t failed;
    bytes read;
    bool is_open = wasi_io_streams_method_input_stream_blocking_read(in, 1, &read, &failed);
    append_text(answer, is_open ? "open" : failed.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED ? "closed" : "failed");
}

static void append_environment(bytes *answer) {
    plugin_list_tuple2_string_string_t pairs;
    wasi_cli_environment_get_environment(&pairs);
    append_number(answer, pairs.len);
}

static void append_arguments(bytes *answer) {
    plugin_list_string_t arguments;
    wasi_cli_environment_get_arguments(&arguments);
    append_number(answer, arguments.len);
}

static void fill(void) {
    // Where nobody looks at it, the compiler leaves the allocation out.
    for (;;) *(volatile uint8_t *)memset(allocate(1 << 20), 1, 1 << 20) = 2;
}

static outcome answer(bytes said, bytes *answer) {
    const uint8_t *colon = memchr(said.ptr, ':', said.len);
    size_t len = colon ? (size_t)(colon - said.ptr) : said.len;
    bytes text = colon ? (bytes){said.ptr + len + 1, said.len - len - 1} : (bytes){said.ptr, 0};
    *answer = (bytes){allocate(0), 0};
#define IS(word) (len == sizeof word - 1 && memcmp(said.ptr, word, len) == 0)
    if (IS("downcase")) {
        append_text(answer, "lower case of ");
        append(answer, text.ptr, text.len);
        append_text(answer, " is ");
        append_lower(answer, text);
    } else if (IS("filter")) {
        return FILTERED;
    } else if (IS("reject") || IS("fail")) {
        append(answer, text.ptr, text.len);
        return IS("reject") ? REJECTED : FAILED;
    } else if (IS("throw")) {
        // The language has no exceptions: this is its uncaught one.
        log_line(WASI_LOGGING_LOGGING_LEVEL_CRITICAL, "abort", from("nobody catches this"));
        abort();
    } else if (IS("loop")) {
        for (volatile bool goes_on = true; goes_on;) continue;
    } else if (IS("memory")) {
        fill();
    } else if (IS("big")) {
        answer->len = strtoul((const char *)memcpy(calloc(1, text.len + 1), text.ptr, text.len), NULL, 10);
        answer->ptr = memset(allocate(answer->len), 'x', answer->len);
    } else if (IS("remember")) {
        append_number(answer, ++calls);
    } else if (IS("setting")) {
        append_setting(answer, text);
    } else if (IS("log")) {
        log_line(WASI_LOGGING_LOGGING_LEVEL_INFO, "stdout", text);
        log_line(WASI_LOGGING_LOGGING_LEVEL_ERROR, "stderr", text);
        append(answer, text.ptr, text.len);
    } else if (IS("random")) {
        append_random(answer);
    } else if (IS("clock")) {
        append_clocks(answer);
    } else if (IS("environment")) {
        append_environment(answer);
    } else if (IS("arguments")) {
        append_arguments(answer);
    } else if (IS("stdin")) {
        append_stdin(answer);
    } else {
        append_text(answer, "no such word");
        return REJECTED;
    }
    return ANSWERED;
}

static void refuse(outcome why, bytes text, error *failed) {
    failed->tag = why == REJECTED ? TIDEGATE_PLUGIN_TYPES_ERROR_REJECTED : TIDEGATE_PLUGIN_TYPES_ERROR_FAILED;
    failed->val.rejected = (plugin_string_t){text.ptr, text.len};
}

/** A copy of the frames, since each message is freed with its own. */
static plugin_list_list_u8_t copy(const plugin_list_list_u8_t *frames) {
    plugin_list_list_u8_t copied = {allocate(frames->len * sizeof *frames->ptr), frames->len};
    for (size_t i = 0; i < frames->len; i++) {
        size_t len = frames->ptr[i].len;
        copied.ptr[i] = (bytes){memcpy(allocate(len), frames->ptr[i].ptr, len), len};
    }
    return copied;
}

static plugin_string_t copy_text(plugin_string_t text) {
    return (plugin_string_t){memcpy(allocate(text.len), text.ptr, text.len), text.len};
}

static plugin_list_tuple2_string_string_t copy_pairs(const plugin_list_tuple2_string_string_t *pairs) {
    plugin_list_tuple2_string_string_t copied = {allocate(pairs->len * sizeof *pairs->ptr), pairs->len};
    for (size_t i = 0; i < pairs->len; i++) {
        copied.ptr[i].f0 = copy_text(pairs->ptr[i].f0);
        copied.ptr[i].f1 = copy_text(pairs->ptr[i].f1);
    }
    return copied;
}

/** One more message: the frames that came in, with another body. */
static void add(list_message *messages, const message *input, bool with_metadata, bytes body) {
    message added = {.frames = copy(&input->frames)};
    added.frames.ptr[added.frames.len - 1] = body;
    if (with_metadata) added.metadata = copy_pairs(&input->metadata);
    messages->ptr = realloc(messages->ptr, (messages->len + 1) * sizeof added);
    if (messages->ptr == NULL) abort();
    messages->ptr[messages->len++] = added;
}

/** A message for each part of a text with commas. */
static void split(list_message *messages, const message *input, bytes text) {
    for (size_t from = 0, to; from <= text.len; from = to + 1) {
        for (to = from; to < text.len && text.ptr[to] != ',';) to++;
        add(messages, input, true, (bytes){memcpy(allocate(to - from), text.ptr + from, to - from), to - from});
    }
}

bool exports_tidegate_plugin_processor_process(message *input, list_message *returned, error *failed) {
    static const char splits[] = "split:";
    const size_t splits_len = sizeof splits - 1;
    bytes said = input->frames.ptr[input->frames.len - 1], text;
    *returned = (list_message){NULL, 0};
    if (said.len >= splits_len && memcmp(said.ptr, splits, splits_len) == 0) {
        split(returned, input, (bytes){said.ptr + splits_len, said.len - splits_len});
        return true;
    }
    if (said.len == 6 && memcmp(said.ptr, "frames", 6) == 0) {
        *returned = (list_message){memset(allocate(sizeof(message)), 0, sizeof(message)), 1};
        return true;
    }
    outcome what = answer(said, &text);
    if (what == REJECTED || what == FAILED) {
        refuse(what, text, failed);
        return false;
    }
    if (what == ANSWERED) add(returned, input, false, text);
    return true;
}

/** The number of replies, and their delays: as the plugin random-replies. */
static size_t random_delays_ms(uint32_t delays_ms[4]) {
    bytes random;
    wasi_random_random_get_random_bytes(5, &random);
    for (size_t i = 0; i < 4; i++) delays_ms[i] = 1000 / (random.ptr[i + 1] % 10 + 1);
    return random.ptr[0] % 5;
}

bool exports_tidegate_plugin_reply_policy_replies(request *asked, list_reply *returned, error *failed) {
    bytes said = asked->message.frames.ptr[0], text;
    size_t len = said.len;
    uint32_t delays_ms[4] = {0, 100};
    plugin_list_list_u8_t frames = asked->message.frames;
    const uint8_t *colon = memchr(said.ptr, ':', said.len);
    if (colon) len = (size_t)(colon - said.ptr);
    *returned = (list_reply){NULL, 0};
    if (IS("none")) {
        return true;
    } else if (IS("twice")) {
        returned->len = 2;
    } else if (IS("random")) {
        returned->len = random_delays_ms(delays_ms);
    } else if (IS("nothing")) {
        returned->len = 1;
        frames.len = 0;
    } else {
        outcome what = answer(said, &text);
        if (what == REJECTED || what == FAILED) {
            refuse(what, text, failed);
            return false;
        }
    }
    returned->ptr = allocate(returned->len * sizeof(reply));
    for (size_t i = 0; i < returned->len; i++) returned->ptr[i] = (reply){delays_ms[i], {.frames = copy(&frames)}};
    return true;
}
