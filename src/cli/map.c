/* waybill map check: errors in maps, and what they leave out. */
#include "cli/reading.h"

int command_map_check(struct command_context *c)
{
    command_say(c, "not built yet");
    return EXIT_CODE_UNAVAILABLE;
}
