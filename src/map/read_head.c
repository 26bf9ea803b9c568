/*
 * read_head: what every record begins with: its kind, its id, and whose document it is.
 *
 * Most of it is the same for all documents of a group and made once, in the reader's `head`. Nothing here comes from
 * the document's body, and no map says anything of it.
 */
#include "map/read_inside.h"

#include <stdio.h>

#include "edi/check.h"
#include "edi/dialect.h"

static void add_field(struct buf *b, const char *name, struct slice v)
{
    v = slice_trim(v);
    if (v.n == 0)
        return;
    buf_add_char(b, '"');
    buf_add_text(b, name);
    buf_add_text(b, "\":\"");
    buf_add_json(b, v);
    buf_add_text(b, "\",");
}

static void add_party(struct buf *b, const char *name, struct slice qualifier, struct slice id)
{
    char both[128];
    qualifier = slice_trim(qualifier);
    id = slice_trim(id);
    if (id.n == 0 || id.n + qualifier.n + 2 > sizeof(both))
        return;
    snprintf(both, sizeof(both), "%.*s:%.*s", SLICE_FMT(qualifier), SLICE_FMT(id));
    add_field(b, name, slice_of(both));
}

/* "UNOC:3" */
static void add_syntax(struct buf *b, struct slice character_set, struct slice version)
{
    char both[20];
    if (!character_set.n || character_set.n + version.n + 2 > sizeof(both))
        return;
    snprintf(both, sizeof(both), "%.*s:%.*s", SLICE_FMT(character_set), SLICE_FMT(version));
    add_field(b, "syntax", slice_of(both));
}

static void add_moment(struct buf *b, const char *name, struct slice date, struct slice time)
{
    char text[40], *p = text;
    if (!check_is_date(date))
        return;
    p = read_run_date(p, date.p, date.n, 0);
    if (time.n >= 4 && is_digit(time.p[0]) && is_digit(time.p[1]) && is_digit(time.p[2]) && is_digit(time.p[3])) {
        p += snprintf(p, 8, "T%.2s:%.2s", time.p, time.p + 2);
        if (time.n >= 6 && is_digit(time.p[4]) && is_digit(time.p[5]))
            p += snprintf(p, 8, ":%.2s", time.p + 4);
    }
    add_field(b, name, slice(text, (size_t)(p - text)));
}

/* What every record begins with. All but the document's own numbers is the same for a whole group: it is made once,
 * in three pieces: up to ST02 in the id, up to ST02 in the source, and the rest. */
static int make_head(struct map_reader *r, const struct edi_document *d)
{
    const struct edi_interchange *i = d->interchange;
    const struct edi_group *g = d->group;
    const struct record_kind *kind = map_kind(r->plan->map);
    struct buf *b = &r->head;
    const struct slice usage = i->usage;
    const struct slice id[] = { i->sender_qualifier, i->sender,  i->receiver_qualifier,
                                i->receiver,         i->control, g->control };
    static const char between[] = ":/:///";

    buf_clear(b);
    buf_add_text(b, "{\"record\":\"");
    buf_add_json(b, kind->name);
    buf_printf(b, "\",\"version\":%u,\"id\":\"", kind->version);
    for (unsigned k = 0; k < 6; k++) {
        buf_add_json(b, slice_trim(id[k]));
        buf_add_char(b, between[k]);
    }
    r->head_cut[0] = b->n;
    add_field(b, "transmission", r->options.transmission);
    add_field(b, "partner", r->options.partner);
    buf_printf(b, "\"source\":{\"standard\":\"%s\",", i->dialect->standard);
    add_field(b, "version", d->version);
    add_field(b, "set", d->set);
    add_party(b, "sender", i->sender_qualifier, i->sender);
    add_party(b, "receiver", i->receiver_qualifier, i->receiver);
    add_field(b, "interchange", i->control);
    add_field(b, "group", g->control);
    r->head_cut[1] = b->n;
    add_field(b, "usage", slice_is(usage, "T") ? SLICE("test") : slice_is(usage, "I") ? SLICE("information")
                                                             : usage.n              ? SLICE("production")
                                                                                    : usage);
    add_moment(b, "sent_at", i->date, i->time);
    add_field(b, "group_sender", g->sender);
    add_field(b, "group_receiver", g->receiver);
    add_moment(b, "group_sent_at", g->date, g->time);
    add_syntax(b, i->character_set, i->version);
    add_field(b, "sender_routing", i->sender_routing);
    add_field(b, "receiver_routing", i->receiver_routing);
    add_field(b, "group_sender_qualifier", g->sender_qualifier);
    add_field(b, "group_receiver_qualifier", g->receiver_qualifier);
    add_field(b, "application", i->application);
    add_field(b, "priority", i->priority);
    add_field(b, "agreement", i->agreement);
    r->head_of = (struct head_key){ r->plan, d->interchange->ordinal, d->group->ordinal };
    snprintf(r->head_set, sizeof(r->head_set), "%.*s", SLICE_FMT(d->set));
    snprintf(r->head_version, sizeof(r->head_version), "%.*s", SLICE_FMT(d->version));
    return read_failed(r, b);
}

int read_head(struct map_reader *r, const struct edi_document *d)
{
    struct buf *b = &r->out;
    if (r->head_of.plan != r->plan || r->head_of.interchange != d->interchange->ordinal ||
        r->head_of.group != d->group->ordinal || !slice_is(d->set, r->head_set) ||
        !slice_is(d->version, r->head_version))
        if (make_head(r, d) < 0)
            return r->stopped;
    buf_add(b, r->head.p, r->head_cut[0]);
    buf_add_json(b, d->bare ? d->set : slice_trim(d->control));
    buf_printf(b, "/%llu\",", (unsigned long long)d->in_group);
    buf_add(b, r->head.p + r->head_cut[0], r->head_cut[1] - r->head_cut[0]);
    add_field(b, "document", d->control);
    buf_add(b, r->head.p + r->head_cut[1], r->head.n - r->head_cut[1]);
    add_field(b, "implementation", d->association.n ? d->association : d->implementation);
    read_close_bracket(b, '}');
    return read_failed(r, b);
}
