/** The plugin my-plugin: one message in, at most one out. bindings/plugin.h, which a build writes, has the types. */

#include "bindings/plugin.h"
#include <stdlib.h>
#include <string.h>

typedef exports_tidegate_plugin_transform_message_t message;
typedef exports_tidegate_plugin_transform_option_message_t option_message;
typedef exports_tidegate_plugin_transform_error_t error;

/** True: `returned` is what becomes of the message. False: `failed` says why not. */
bool exports_tidegate_plugin_transform_transform(message *input, option_message *returned, error *failed) {
    static const char before[] = "you said ";
    const size_t before_len = sizeof before - 1;

    plugin_list_u8_t body = input->body;
    if (body.len == 0) {
        failed->tag = TIDEGATE_PLUGIN_TYPES_ERROR_REJECTED;
        plugin_string_dup(&failed->val.rejected, "say something");
        exports_tidegate_plugin_transform_message_free(input);
        return false;
    }
    memset(returned, 0, sizeof *returned);
    if (body.ptr[0] != '#') {
        plugin_list_u8_t *answer = &returned->val.body;
        answer->len = before_len + body.len;
        answer->ptr = malloc(answer->len);
        if (answer->ptr == NULL) abort(); // A trap, which the host turns into the failure of this call.
        memcpy(answer->ptr, before, before_len);
        memcpy(answer->ptr + before_len, body.ptr, body.len);
        returned->is_some = true;
    }
    // What comes in is ours to free; what goes out is freed once the host has copied it.
    exports_tidegate_plugin_transform_message_free(input);
    return true;
}
