/** The plugin my-plugin: one request of a broker's client in, any number of replies out. bindings/plugin.h, which a build
 * writes, has the types. */

#include "bindings/plugin.h"
#include <stdlib.h>
#include <string.h>

typedef exports_tidegate_plugin_reply_policy_request_t request;
typedef exports_tidegate_plugin_reply_policy_list_reply_t list_reply;
typedef exports_tidegate_plugin_reply_policy_reply_t reply;
typedef exports_tidegate_plugin_reply_policy_error_t error;

/** At once, and again 100 ms later. */
static const uint32_t delays_ms[] = {0, 100};

/** Memory, or a trap, which the host turns into the failure of this call. */
static void *allocate(size_t bytes) {
    void *memory = malloc(bytes);
    if (memory == NULL && bytes > 0) abort();
    return memory;
}

/** A copy, since each reply is freed with its frames. */
static plugin_list_list_u8_t copy(const plugin_list_list_u8_t *frames) {
    plugin_list_list_u8_t copied = {allocate(frames->len * sizeof *frames->ptr), frames->len};
    for (size_t i = 0; i < frames->len; i++) {
        const plugin_list_u8_t *frame = &frames->ptr[i];
        copied.ptr[i] = (plugin_list_u8_t){allocate(frame->len), frame->len};
        if (frame->len > 0) memcpy(copied.ptr[i].ptr, frame->ptr, frame->len);
    }
    return copied;
}

/** True: `returned` holds the replies. False: `failed` says why there are none. */
bool exports_tidegate_plugin_reply_policy_replies(request *asked, list_reply *returned, error *failed) {
    const plugin_list_list_u8_t *frames = &asked->message.frames;
    bool says_something = false;
    for (size_t i = 0; i < frames->len; i++) says_something |= frames->ptr[i].len > 0;
    if (says_something) {
        returned->len = sizeof delays_ms / sizeof *delays_ms;
        returned->ptr = allocate(returned->len * sizeof(reply));
        for (size_t i = 0; i < returned->len; i++) returned->ptr[i] = (reply){delays_ms[i], {.frames = copy(frames)}};
    } else {
        failed->tag = TIDEGATE_PLUGIN_TYPES_ERROR_REJECTED;
        plugin_string_dup(&failed->val.rejected, "say something");
    }
    // What comes in is ours to free; what goes out is freed once the host has copied it.
    exports_tidegate_plugin_reply_policy_request_free(asked);
    return says_something;
}
