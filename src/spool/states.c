/* states: the names of states and the table of arrows. See states.h. */
#include "spool/states.h"

#include <string.h>

#define ROW(thing, name, from, to) [thing##_##name] = { thing, #name, from, to },
const struct arrow_row arrows[ARROW_END] = { ARROWS(ROW) };
#undef ROW

#define NAME(thing, name, words) [thing##_##name] = words,
static const char *const transmission_names[TRANSMISSION_STATE_END] = { TRANSMISSION_STATES(NAME) };
static const char *const document_names[DOCUMENT_STATE_END] = { DOCUMENT_STATES(NAME) };
static const char *const delivery_names[DELIVERY_STATE_END] = { DELIVERY_STATES(NAME) };
#undef NAME

static const struct {
    const char *const *name;
    unsigned n;
} names[] = {
    [TRANSMISSION] = { transmission_names, TRANSMISSION_STATE_END },
    [DOCUMENT] = { document_names, DOCUMENT_STATE_END },
    [DELIVERY] = { delivery_names, DELIVERY_STATE_END },
};

const char *state_name(enum thing thing, unsigned state)
{
    return state < names[thing].n && names[thing].name[state] ? names[thing].name[state] : "";
}

bool state_of(enum thing thing, const char *name, unsigned *state_r)
{
    for (unsigned i = 1; i < names[thing].n; i++)
        if (strcmp(names[thing].name[i], name) == 0) {
            *state_r = i;
            return true;
        }
    return false;
}
