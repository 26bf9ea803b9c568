/* waybill translate: records from documents, documents from records. */
#include "cli/reading.h"

int command_translate(struct command_context *c)
{
    command_say(c, "not built yet");
    return EXIT_CODE_UNAVAILABLE;
}
