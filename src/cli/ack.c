/* waybill ack: the acknowledgment of a file. */
#include "cli/reading.h"

int command_ack(struct command_context *c)
{
    command_say(c, "not built yet");
    return EXIT_CODE_UNAVAILABLE;
}
