/* waybill translate --to x12: documents from records. */
#include "cli/translate.h"

int translate_to_document(struct command_context *c)
{
    command_say(c, "writing documents is not built yet");
    return EXIT_CODE_UNAVAILABLE;
}
