/** The plugin my-plugin: one message in, any number of messages out. bindings/plugin.h, which a build writes, has the
 * types. */

#include "bindings/plugin.h"
#include <stdlib.h>
#include <string.h>

typedef exports_tidegate_plugin_processor_message_t message;
typedef exports_tidegate_plugin_processor_list_message_t list_message;
typedef exports_tidegate_plugin_processor_error_t error;

/** As much memory, with what was in it before, or a trap, which the host turns into the failure of this call. */
static void *resize(void *before, size_t bytes) {
    void *memory = realloc(before, bytes);
    if (memory == NULL && bytes > 0) abort();
    return memory;
}

/** A frame of these bytes behind those of `before`. */
static plugin_list_u8_t frame(const char *before, const uint8_t *bytes, size_t len) {
    size_t before_len = strlen(before);
    plugin_list_u8_t made = {resize(NULL, before_len + len), before_len + len};
    memcpy(made.ptr, before, before_len);
    if (len > 0) memcpy(made.ptr + before_len, bytes, len);
    return made;
}

/** The message of one line: what comes before the body, and what was said. */
static message said(const plugin_list_list_u8_t *frames, const uint8_t *line, size_t len) {
    message made = {.frames = {resize(NULL, frames->len * sizeof *frames->ptr), frames->len}};
    for (size_t i = 0; i + 1 < frames->len; i++) made.frames.ptr[i] = frame("", frames->ptr[i].ptr, frames->ptr[i].len);
    made.frames.ptr[frames->len - 1] = frame("you said ", line, len);
    return made;
}

/** True: `returned` holds the messages. False: `failed` says why there are none. */
bool exports_tidegate_plugin_processor_process(message *input, list_message *returned, error *failed) {
    // The body comes last; by HTTP it is all there is.
    plugin_list_u8_t body = input->frames.ptr[input->frames.len - 1];
    bool says_something = body.len > 0;
    if (says_something) {
        // A message for each line; none for a comment.
        *returned = (list_message){NULL, 0};
        for (size_t from = 0, to; from < body.len; from = to + 1) {
            for (to = from; to < body.len && body.ptr[to] != '\n';) to++;
            if (to == from || body.ptr[from] == '#') continue;
            returned->ptr = resize(returned->ptr, (returned->len + 1) * sizeof(message));
            returned->ptr[returned->len++] = said(&input->frames, body.ptr + from, to - from);
        }
    } else {
        failed->tag = TIDEGATE_PLUGIN_TYPES_ERROR_REJECTED;
        plugin_string_dup(&failed->val.rejected, "say something");
    }
    // What comes in is ours to free; what goes out is freed once the host has copied it.
    exports_tidegate_plugin_processor_message_free(input);
    return says_something;
}
