/*
 * partner: see partner.h. First the lines are read into settings, by the table of keywords and nothing else; then
 * what the settings mean is laid out.
 *
 * Settings are kept in the arena. The text, the file's name and all words are copied into it, so that places and
 * slices stay good.
 */
#include "partner/partner.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/lines.h"
#include "edi/dialect.h"
#include "partner/keywords.h"

enum { PARTNER_MEMORY = 64 << 20, PATH_MOST = 4096, SCOPES_OPEN = 8, COLUMN = 18 };

/* A setting while its file is read. */
struct setting {
    struct partner_setting s;
    struct setting *last;               /* of what belongs to it */
    uint64_t seen[2];                   /* keywords that belong to it, by their rows */
    bool unclear;                       /* an unknown word may have been one of them */
};

/* A keyword under which others may stand, while its line or block is read. */
struct open_scope {
    enum partner_scope scope;
    struct setting *owner;
};

struct reading {
    struct arena *arena;
    struct complaints *c;
    struct lines lines;
    struct line line;
    struct open_scope block[LIMIT_LINE_DEPTH + 1];     /* by depth of the line */
    struct slice *value;                /* of the setting at hand */
    size_t room;
    bool further;                       /* lay out what was understood of a wrong file, to find more errors */
    bool nomem;
};

static bool none(struct reading *r)
{
    r->nomem = true;
    return false;
}

/* --- Settings ------------------------------------------------------------------------- */

/* The row for the words from word i on; *words_r is how many it takes. */
static const struct partner_keyword *find_keyword(const struct line *line, unsigned i, enum partner_scope scope,
                                                  unsigned *words_r)
{
    if (line->word[i].quoted)
        return NULL;
    for (const struct partner_keyword *k = partner_keywords; k->name; k++) {
        struct slice second;
        bool two;
        struct slice first = slice_cut(slice_of(k->name), ' ', &second, &two);

        if (k->in != scope || !slice_eq(first, line->word[i].s))
            continue;
        if (two && (i + 1 >= line->n || !slice_eq(second, line->word[i + 1].s)))
            continue;
        *words_r = 1 + two;
        return k;
    }
    return NULL;
}

/* The same in the scopes open on this line, the innermost first. */
static const struct partner_keyword *find_open(const struct line *line, unsigned i, const struct open_scope *open,
                                               unsigned n, unsigned *at_r, unsigned *words_r)
{
    for (unsigned s = n; s-- > 0;) {
        const struct partner_keyword *k = find_keyword(line, i, open[s].scope, words_r);
        if (k) {
            *at_r = s;
            return k;
        }
    }
    return NULL;
}

static void complain_unknown(struct reading *r, unsigned i, const struct open_scope *open, unsigned n,
                             const struct partner_keyword *before)
{
    struct place at = lines_place(&r->lines, &r->line, i);
    struct slice word = r->line.word[i].s, best = { NULL, 0 };
    const struct partner_keyword *elsewhere = NULL;
    unsigned distance = 3;

    for (unsigned s = 0; s < n; s++)
        open[s].owner->unclear = true;
    complain(r->c, &at, i == 0 ? "unknown keyword \"%.*s\"" : "\"%.*s\" does not belong here", SLICE_FMT(word));
    if (before && before->choice)
        partner_choice(before->choice, word, &best, &distance);
    for (const struct partner_keyword *k = partner_keywords; k->name; k++) {
        struct slice rest;
        bool two, offered = false;

        for (unsigned s = 0; s < n; s++)
            offered = offered || open[s].scope == k->in;
        if (offered) {
            /* of a keyword of two words the first alone, too: "pickup", "pick" */
            suggest(word, slice_of(k->name), &best, &distance);
            if (slice_eq(slice_cut(slice_of(k->name), ' ', &rest, &two), word) && two && distance > 0) {
                best = slice_of(k->name);
                distance = 0;
            }
        } else if (slice_is(word, k->name) && !elsewhere) {
            elsewhere = k;
        }
    }
    if (r->line.word[i].quoted) {
        complain_hint(r->c, "keywords stand without quotes.");
        return;
    }
    /* the very word elsewhere tells more than a similar one here */
    if (elsewhere && elsewhere->in == IN_FILE)
        complain_hint(r->c, "a file holds one partner.");
    else if (elsewhere && elsewhere->in == IN_PARTNER)
        complain_hint(r->c, "\"%s\" begins a line of its own, right under \"partner\".", elsewhere->name);
    else if (elsewhere)
        complain_hint(r->c, "\"%s\" belongs to \"%s\".", elsewhere->name, partner_scope_name(elsewhere->in));
    else if (best.n && !slice_eq(best, word))
        complain_hint(r->c, "did you mean \"%.*s\"?", SLICE_FMT(best));
}

/* A value in words behind it, and what could have been meant. */
static void complain_value(struct reading *r, const struct place *at, const struct partner_keyword *k,
                           unsigned argument, struct slice word, const char *wrong)
{
    struct slice best = { NULL, 0 };
    unsigned distance = 3, value = k->value[argument < PARTNER_ARGUMENTS ? argument : PARTNER_ARGUMENTS - 1];

    if (value == VALUE_NONE)
        value = k->value[1] != VALUE_NONE ? k->value[1] : k->value[0];
    if (value == VALUE_CHOICE) {
        complain(r->c, at, "\"%.*s\" is not one of %s", SLICE_FMT(word), k->choice);
        partner_choice(k->choice, word, &best, &distance);
    } else if (value == VALUE_NUMBER) {
        complain(r->c, at, "\"%.*s\" is not a number from %u to %u", SLICE_FMT(word), k->least_number, k->most_number);
    } else if (value == VALUE_FINDING) {
        for (unsigned i = 0; i < FINDING_CODES; i++) {
            if (slice_is(word, finding_rows[i].name) && !finding_rows[i].allow) {
                complain(r->c, at, "\"%.*s\" cannot be allowed: %s", SLICE_FMT(word), finding_rows[i].words);
                return;
            }
            if (finding_rows[i].allow)
                suggest(word, slice_of(finding_rows[i].allow), &best, &distance);
            suggest(word, slice_of(finding_rows[i].name), &best, &distance);
        }
        complain(r->c, at, "nothing that can be allowed is called \"%.*s\"", SLICE_FMT(word));
    } else {
        complain(r->c, at, "\"%.*s\" is not %s", SLICE_FMT(word), wrong);
    }
    if (best.n)
        complain_hint(r->c, "did you mean \"%.*s\"?", SLICE_FMT(best));
}

static bool add_value(struct reading *r, struct partner_setting *s, struct slice word, const struct place *at)
{
    struct slice *grown = arena_grow(r->arena, r->value, s->n, &r->room, sizeof(*grown));

    if (!grown)
        return none(r);
    if (s->n == 0)
        s->value_at = *at;
    grown[s->n++] = word;
    r->value = grown;
    s->value = grown;
    return true;
}

/* The words from *i on that are parted by commas. The last one has none behind it. */
static bool read_list(struct reading *r, struct partner_setting *s, unsigned *i)
{
    bool more = true;

    while (more && *i < r->line.n) {
        const struct word *w = &r->line.word[*i];
        struct place at = lines_place(&r->lines, &r->line, *i);
        struct slice rest = w->s;

        more = false;
        do {
            struct slice one = w->quoted ? rest : slice_cut(rest, ',', &rest, &more);
            struct place one_at = at;

            if (!w->quoted) {
                one_at.column = w->column + (uint32_t)(one.p - w->s.p);
                one_at.width = one.n ? (uint32_t)one.n : 1;
            }
            if (one.n) {
                const char *wrong = partner_check_value(s->keyword, s->n, one);
                if (wrong)
                    complain_value(r, &one_at, s->keyword, s->n, one, wrong);
                else if (!add_value(r, s, one, &one_at))
                    return false;
            }
        } while (!w->quoted && more && rest.n);
        ++*i;
        /* a comma may also stand alone, or before the next word */
        if (!more && *i < r->line.n && !r->line.word[*i].quoted && r->line.word[*i].s.p[0] == ',')
            more = true;
    }
    return true;
}

/* The arguments of a keyword, from word *i on. False: memory, or an error after which the line makes no sense. */
static bool read_arguments(struct reading *r, struct partner_setting *s, const struct open_scope *open, unsigned n,
                           unsigned *i)
{
    const struct partner_keyword *k = s->keyword;
    struct place end;

    r->value = NULL;
    r->room = 0;
    if (k->most == PARTNER_MANY && *i < r->line.n) {
        unsigned before = r->c->count;
        if (!read_list(r, s, i))
            return false;
        if (s->n || r->c->count > before)
            return true;
    }
    while (s->n < k->most && *i < r->line.n) {
        struct place at = lines_place(&r->lines, &r->line, *i);
        struct slice word = r->line.word[*i].s;
        const char *wrong = partner_check_value(k, s->n, word);
        unsigned scope, words;

        if (s->n >= k->least && (wrong || find_open(&r->line, *i, open, n, &scope, &words)))
            break;
        if (wrong)
            complain_value(r, &at, k, s->n, word, wrong);
        /* what is wrong keeps its place, empty */
        if (!add_value(r, s, wrong ? slice(NULL, 0) : word, &at))
            return false;
        ++*i;
    }
    if (s->n >= k->least)
        return true;
    end = lines_place(&r->lines, &r->line, *i);
    complain(r->c, &end, "\"%s\" needs %s", k->name, k->arguments);
    return false;
}

/* Appends a setting to what it belongs to, unless its keyword may stand once only and stands there already. */
static void append(struct reading *r, struct setting *owner, struct setting *new)
{
    const struct partner_setting *s = &new->s, *before;
    size_t row = (size_t)(s->keyword - partner_keywords);

    if (!s->keyword->repeats && owner->seen[row / 64] >> row % 64 & 1) {
        for (before = owner->s.first; before->keyword != s->keyword;)
            before = before->next;
        complain(r->c, &s->at, "\"%s\" stands in line %u already", s->keyword->name, before->at.line);
        return;
    }
    owner->seen[row / 64] |= (uint64_t)1 << row % 64;
    if (owner->last)
        owner->last->s.next = s;
    else
        owner->s.first = s;
    owner->last = new;
}

/* All keywords of one line. The first is *first_r, NULL when nothing below the line can be understood. */
static bool read_line(struct reading *r, struct setting **first_r)
{
    struct open_scope open[SCOPES_OPEN];
    unsigned n = 1, i = 0;
    const struct partner_keyword *before = NULL;

    *first_r = NULL;
    open[0] = r->block[r->line.depth];
    while (i < r->line.n) {
        unsigned at = 0, words = 1;
        const struct partner_keyword *k = find_open(&r->line, i, open, n, &at, &words);
        struct setting *s, *owner;

        if (!k) {
            complain_unknown(r, i, open, n, before);
            return true;
        }
        s = ARENA_NEW(r->arena, struct setting);
        if (!s)
            return none(r);
        s->s.keyword = k;
        s->s.at = lines_place(&r->lines, &r->line, i);
        if (words == 2 && r->line.word[i + 1].line == r->line.word[i].line)
            s->s.at.width = r->line.word[i + 1].column + (uint32_t)r->line.word[i + 1].s.n - s->s.at.column;
        owner = open[at].owner;
        append(r, owner, s);
        if (!before)
            *first_r = s;
        /* what stands behind belongs to it, or to what it belongs to itself; but a partner's lines begin anew */
        n = k->in == IN_PARTNER || k->in == IN_FILE ? 0 : at + 1;
        if (k->opens != IN_NOTHING && k->in != IN_FILE)
            open[n++] = (struct open_scope){ k->opens, s };
        i += words;
        if (!read_arguments(r, &s->s, open, n, &i))
            return !r->nomem;
        before = k;
    }
    return true;
}

static bool read_lines(struct reading *r, struct setting *file)
{
    r->block[0] = (struct open_scope){ IN_FILE, file };
    while (lines_next(&r->lines, &r->line)) {
        unsigned depth = r->line.depth;
        struct setting *first;

        if (r->c->count > LIMIT_COMPLAINTS)
            return true;
        if (r->block[depth].scope == IN_NOTHING) {
            struct place at = lines_place(&r->lines, &r->line, 0);
            /* without an owner it belongs to a line that was complained of */
            if (r->block[depth].owner)
                complain(r->c, &at, "nothing belongs under \"%s\"", r->block[depth].owner->s.keyword->name);
            r->block[depth + 1] = (struct open_scope){ IN_NOTHING, NULL };
            lines_skip(&r->lines, depth - 1);
            continue;
        }
        if (!read_line(r, &first))
            return false;
        r->block[depth + 1] = (struct open_scope){ first ? first->s.keyword->opens : IN_NOTHING, first };
        if (!first)
            lines_skip(&r->lines, depth);
    }
    return !r->c->nomem;
}

/* --- What settings mean ---------------------------------------------------------------- */

static const struct partner_setting *find_setting(const struct partner_setting *owner, const char *name)
{
    for (const struct partner_setting *s = owner->first; s; s = s->next)
        if (slice_is(slice_of(s->keyword->name), name))
            return s;
    return NULL;
}

/* Its value, empty when it is not there. */
static struct slice value_of(const struct partner_setting *owner, const char *name)
{
    const struct partner_setting *s = find_setting(owner, name);
    return s && s->n ? s->value[0] : slice(NULL, 0);
}

static unsigned count_settings(const struct partner_setting *owner, const char *name)
{
    unsigned n = 0;
    for (const struct partner_setting *s = owner->first; s; s = s->next)
        n += strcmp(s->keyword->name, name) == 0;
    return n;
}

/* An array for all settings of a name; false: memory. At least one item, so that NULL is an error. */
static bool make_array(struct reading *r, const struct partner_setting *owner, const char *name, size_t size,
                       void *array_r)
{
    void *array = arena_array(r->arena, count_settings(owner, name) + 1, size);
    memcpy(array_r, &array, sizeof(array));
    return array ? true : none(r);
}

/* "ZZ:NORTHWIND"; in EDIFACT also "NORTHWIND" and "14:4012345000009:BRANCH". */
static void split_party(const struct dialect *d, struct slice word, struct slice *qualifier_r, struct slice *id_r,
                        struct slice *routing_r)
{
    bool found;

    *routing_r = slice(NULL, 0);
    *qualifier_r = slice_cut(word, ':', id_r, &found);
    if (!found) {
        *id_r = word;
        *qualifier_r = slice(NULL, 0);
    } else if (d == &dialect_edifact) {
        *id_r = slice_cut(*id_r, ':', routing_r, &found);
    }
}

static bool make_groups(struct reading *r, const struct partner_setting *owner, struct partner_identity *x)
{
    struct partner_group *g;

    if (!make_array(r, owner, "group", sizeof(*g), &g))
        return false;
    x->group = g;
    for (const struct partner_setting *s = owner->first; s; s = s->next) {
        const struct partner_setting *documents;
        struct slice usage;

        if (strcmp(s->keyword->name, "group") != 0)
            continue;
        usage = value_of(s, "usage");
        documents = find_setting(s, "for");
        *g++ = (struct partner_group){
            .them = s->value[0],
            .us = value_of(s, "us"),
            .version = value_of(s, "version"),
            .usage = slice_is(usage, "test") ? 'T' : slice_is(usage, "information") ? 'I' : 'P',
            .document = documents ? documents->value : NULL,
            .n_documents = documents ? documents->n : 0,
            .line = s->at.line,
        };
        x->n_groups++;
    }
    return true;
}

/* Lines `message`, and what the line `edifact` says of all others. */
static bool make_messages(struct reading *r, const struct partner_setting *owner, struct partner_identity *x)
{
    struct partner_group *g;
    const struct partner_group rest = { .version = value_of(owner, "version"),
                                        .usage = slice_is(value_of(owner, "usage"), "test") ? 'T' : 'P',
                                        .line = owner->at.line };

    if (!make_array(r, owner, "message", sizeof(*g), &g))
        return false;
    x->group = g;
    for (const struct partner_setting *s = owner->first; s; s = s->next) {
        struct slice usage = value_of(s, "usage"), version = value_of(s, "version");

        if (strcmp(s->keyword->name, "message") != 0)
            continue;
        *g++ = (struct partner_group){
            .version = version.n ? version : rest.version,
            .association = value_of(s, "association"),
            .usage = slice_is(usage, "test") ? 'T' : usage.n ? 'P' : rest.usage,
            .document = s->value,
            .n_documents = s->n,
            .line = s->at.line,
        };
        x->n_groups++;
    }
    *g = rest;
    x->n_groups++;
    return true;
}

bool partner_group_is_for(const struct partner_group *g, struct slice document)
{
    for (unsigned i = 0; i < g->n_documents; i++)
        if (slice_eq(g->document[i], document))
            return true;
    return g->n_documents == 0;
}

void partner_write_options(const struct partner_identity *x, struct edi_write_options *o)
{
    o->dialect = x->dialect;
    o->syntax = x->syntax;
    o->decimal = x->decimal;
    o->una = x->una;
    o->line_end = x->line_end;
    o->charset = x->charset;
    o->transliterate = x->transliterate;
    o->replace = x->replace;
}

/* The delimiters are held against what the writer can do with them. The fourth is the standard's own. */
static void make_separators(struct reading *r, const struct partner_setting *s, struct partner_identity *x)
{
    struct edi_write_options options;
    struct edi_writer *writer = NULL;
    struct err err = { 0 };
    const bool releases = x->dialect == &dialect_edifact;
    char *const delimiter[] = { &x->syntax.element, &x->syntax.component, &x->syntax.terminator,
                                releases ? &x->syntax.release : &x->syntax.repetition };
    struct place at = s->value_at;
    bool fourth = false;

    x->line_end = "";
    for (unsigned i = 0; i < s->n; i++)
        if (!s->value[i].n)
            return;
    for (unsigned i = 0; i < s->n; i++) {
        bool is_separator = i < 4 && (i < 3 || !partner_line_end(s->value[i], &x->line_end));
        if (is_separator && !partner_separator(s->value[i], delimiter[i])) {
            complain(r->c, &at, "\"%.*s\" is not a separator", SLICE_FMT(s->value[i]));
            return;
        }
        fourth = fourth || (is_separator && i == 3);
        if (!is_separator && i == 4 && (!fourth || !partner_line_end(s->value[i], &x->line_end))) {
            complain(r->c, &at, "behind the separators stands how lines end: newline, crlf or none, and not \"%.*s\"",
                     SLICE_FMT(s->value[i]));
            return;
        }
    }
    /* the one nobody chose gives way to those that were chosen */
    if (!fourth && !releases && (x->syntax.element == '^' || x->syntax.component == '^' || x->syntax.terminator == '^'))
        x->syntax.repetition =
            x->syntax.element != '`' && x->syntax.component != '`' && x->syntax.terminator != '`' ? '`' : '!';
    edi_write_options_init(&options);
    partner_write_options(x, &options);
    if (edi_writer_new(&options, &writer, &err) == ERR_NOMEM)
        none(r);
    else if (!writer)
        complain(r->c, &at, "%s", err.text);
    edi_writer_free(&writer);
}

static void make_x12_syntax(const struct partner_setting *s, struct partner_identity *x)
{
    static const char *const charsets[] = { "basic", "extended", "latin1", "utf8" };
    struct slice charset = value_of(s, "charset");
    struct edi_write_options defaults;

    edi_write_options_init(&defaults);
    x->syntax = defaults.syntax;
    x->charset = defaults.charset;
    x->decimal = '.';
    for (unsigned i = 0; i < sizeof(charsets) / sizeof(charsets[0]); i++)
        if (slice_is(charset, charsets[i]))
            x->charset = (enum edi_charset)i;
    x->version = value_of(s, "version");
}

static void make_edifact_syntax(const struct partner_setting *s, struct partner_identity *x)
{
    x->version = value_of(s, "syntax");
    if (!x->version.n)
        x->version = SLICE("3");
    x->syntax = (struct edi_syntax){ '+', '\'', ':', slice_is(x->version, "4") ? '*' : 0, '?' };
    x->charset = CHARSET_LATIN1;
    x->character_set = value_of(s, "charset");
    charset_of_syntax(x->character_set, &x->charset);
    x->decimal = slice_is(value_of(s, "decimal"), "comma") ? ',' : '.';
    x->una = !slice_is(value_of(s, "una"), "needed");
    x->application = value_of(s, "application");
    x->priority = value_of(s, "priority");
    x->agreement = value_of(s, "agreement");
    if (find_setting(s, "password-file")) {
        const struct partner_setting *password = find_setting(s, "password-file");
        x->password_file = password->value[0];
        x->password_at = password->value_at;
        x->password_qualifier = password->n > 1 ? password->value[1] : slice(NULL, 0);
    }
}

/* The dialect of a line `x12` or `edifact`; NULL: it is another. */
static const struct dialect *dialect_of(const struct partner_setting *s)
{
    return dialect_named(slice_of(s->keyword->name));
}

/* How interchanges are written. */
static void make_syntax(struct reading *r, const struct partner_setting *s, struct partner_identity *x)
{
    const struct partner_setting *separators = find_setting(s, "separators");

    *x = (struct partner_identity){ .dialect = dialect_of(s), .line_end = "\n", .line = s->at.line };
    if (x->dialect == &dialect_x12)
        make_x12_syntax(s, x);
    else
        make_edifact_syntax(s, x);
    x->transliterate = find_setting(s, "transliterate") != NULL;
    x->replace = find_setting(s, "replace delimiters") != NULL;
    if (separators)
        make_separators(r, separators, x);
}

/* What must be there, in this block and those inside it; and separators that can serve. */
static void check_block(struct reading *r, const struct partner_setting *owner)
{
    const struct setting *whole = (const struct setting *)owner;

    for (const struct partner_keyword *k = partner_keywords; k->name; k++)
        if (k->required && k->in == owner->keyword->opens && k->in != IN_NOTHING && !whole->unclear &&
            !find_setting(owner, k->name))
            complain(r->c, &owner->at, "\"%s\" needs \"%s %s\"", owner->keyword->name, k->name, k->arguments);
    for (const struct partner_setting *s = owner->first; s; s = s->next) {
        struct partner_identity x;

        if (s->keyword->opens != IN_NOTHING)
            check_block(r, s);
        if (dialect_of(s))
            make_syntax(r, s, &x);
    }
}

static bool make_identities(struct reading *r, const struct partner_setting *owner, struct partner *p)
{
    unsigned n = count_settings(owner, dialect_x12.standard) + count_settings(owner, dialect_edifact.standard);
    struct partner_identity *x = arena_array(r->arena, n + 1, sizeof(*x));
    struct edi_parties *parties = arena_array(r->arena, n + 1, sizeof(*parties));

    if (!x || !parties)
        return none(r);
    p->identity = x;
    p->parties = parties;
    for (const struct partner_setting *s = owner->first; s; s = s->next) {
        if (!dialect_of(s))
            continue;
        make_syntax(r, s, x);
        split_party(x->dialect, s->value[0], &x->qualifier, &x->id, &x->routing);
        split_party(x->dialect, value_of(s, "us"), &x->our_qualifier, &x->our_id, &x->our_routing);
        *parties++ = (struct edi_parties){ x->qualifier, x->id, x->our_qualifier, x->our_id, x->dialect };
        if (!(x->dialect->groups ? make_groups(r, s, x) : make_messages(r, s, x)))
            return false;
        x++;
        p->n_identities++;
    }
    return !r->nomem;
}

/* A kind of record is written in small letters, a document type never is. */
static bool is_record_kind(struct slice word)
{
    return word.n && word.p[0] >= 'a' && word.p[0] <= 'z';
}

/* Seconds; `otherwise` where it is not said. */
static uint64_t duration_of(const struct partner_setting *owner, const char *name, uint64_t otherwise)
{
    uint64_t seconds = otherwise;

    partner_duration(value_of(owner, name), &seconds);
    return seconds;
}

static unsigned priority_of(const struct partner_setting *s)
{
    struct slice word = value_of(s, "priority");
    return slice_is(word, "high") ? 0 : slice_is(word, "bulk") ? 2 : 1;
}

/* Which way it goes, and how. */
static void make_way(const struct partner_setting *s, struct partner_route *route)
{
    const struct partner_setting *by = find_setting(s, "by"), *when = find_setting(s, "when"),
                                 *to = find_setting(s, "to");
    struct slice from = value_of(s, "from");
    bool fetched = partner_choice(PARTNER_TRANSPORTS, from, NULL, NULL) && from.n;
    uint64_t number = 1;

    route->out = by || (route->send && !fetched);
    if (fetched)
        route->record = route->document.n ? slice(NULL, 0) : route->record;
    route->way = by && by->n ? by->value[0] : SLICE("folder");
    for (unsigned i = 1; by && i < by->n; i++)
        if (by->value[i].n && by->value[i].p[0] == '/')
            route->path = by->value[i];
    route->as_record = !route->document.n || slice_is(value_of(s, "body"), "record");
    if (to) {
        route->to = to->value;
        route->n_to = to->n;
    }
    if (when && when->n == 3) {
        route->when = when->value[0];
        route->when_not = slice_is(when->value[1], "!=");
        route->value = when->value[2];
    }
    route->priority = priority_of(s);
    slice_number(value_of(s, "batch"), 1000, &number);
    route->batch = number ? (unsigned)number : 1;
    route->within = duration_of(s, "within", 0);
    route->change = slice_is(value_of(s, "same number"), "change");
}

static bool make_pick_ups(struct reading *r, const struct partner_setting *owner, struct partner *p)
{
    struct partner_pick_up *pick;

    if (!make_array(r, owner, "pick up", sizeof(*pick), &pick))
        return false;
    p->pick_up = pick;
    for (const struct partner_setting *s = owner->first; s; s = s->next) {
        const struct partner_setting *then;

        if (strcmp(s->keyword->name, "pick up") != 0 || s->n == 0)
            continue;
        then = find_setting(s, "then");
        *pick++ = (struct partner_pick_up){
            .way = s->value[0],
            .path = s->n > 1 ? s->value[1] : slice(NULL, 0),
            .then = then && then->n ? then->value[0] : SLICE("keep"),
            .then_path = then && then->n > 1 ? then->value[1] : slice(NULL, 0),
            .every = duration_of(s, "every", 300),
        };
        p->n_pick_ups++;
    }
    return true;
}

static bool make_routes(struct reading *r, const struct partner_setting *owner, struct partner *p)
{
    struct partner_route *route =
        arena_array(r->arena, count_settings(owner, "receive") + count_settings(owner, "send") + 1, sizeof(*route));

    if (!route)
        return none(r);
    p->route = route;
    for (const struct partner_setting *s = owner->first; s; s = s->next) {
        bool send = strcmp(s->keyword->name, "send") == 0;
        const struct partner_setting *map, *guide, *record;

        if ((!send && strcmp(s->keyword->name, "receive") != 0) || s->n == 0)
            continue;
        map = find_setting(s, "map");
        guide = find_setting(s, "guide");
        record = find_setting(s, send ? "from" : "as");
        route->send = send;
        route->at = s->at;
        route->record_at = record && record->n ? record->value_at : s->value_at;
        if (is_record_kind(s->value[0])) {
            route->record = s->value[0];
        } else {
            route->document = s->value[0];
            route->record = value_of(s, send ? "from" : "as");
        }
        if (map && map->n) {
            route->map = map->value[0];
            route->map_at = map->value_at;
        }
        if (guide && guide->n) {
            route->guide = guide->value[0];
            route->guide_at = guide->value_at;
        }
        make_way(s, route);
        route++;
        p->n_routes++;
    }
    return true;
}

static bool make_lists(struct reading *r, const struct partner_setting *owner, struct partner *p)
{
    struct partner_guide *guide;
    struct slice *allow;
    unsigned n = 0;

    for (const struct partner_setting *s = owner->first; s; s = s->next)
        if (strcmp(s->keyword->name, "allow") == 0)
            n += s->n;
    allow = ARENA_ARRAY(r->arena, n + 1, struct slice);
    if (!allow || !make_array(r, owner, "guide", sizeof(*guide), &guide))
        return none(r);
    p->allow = allow;
    p->guide = guide;
    for (const struct partner_setting *s = owner->first; s; s = s->next) {
        if (strcmp(s->keyword->name, "guide") == 0 && s->n)
            guide[p->n_guides++] = (struct partner_guide){ s->value[0], s->value_at };
        for (unsigned i = 0; i < s->n && strcmp(s->keyword->name, "allow") == 0; i++)
            allow[p->n_allow++] = s->value[i];
    }
    return true;
}

static unsigned acknowledgments(const struct partner_setting *s)
{
    static const char *const names[] = { "997", "999", "ta1", "contrl", "mdn", "contrl-2-2" };
    unsigned bits = 0;

    for (unsigned k = 0; k < s->n; k++)
        for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
            if (slice_is(s->value[k], names[i]))
                bits |= 1u << i;
    return bits;
}

static bool make_partner(struct reading *r, const struct partner_setting *s, struct partner *p)
{
    p->setting = s;
    if (s->n == 0)
        return true;
    p->name = s->value[0];
    p->title = s->n > 1 ? s->value[1] : p->name;
    p->role = value_of(s, "is");
    if (!p->role.n)
        p->role = SLICE("other");
    for (const struct partner_setting *a = s->first; a; a = a->next) {
        if (strcmp(a->keyword->name, "acknowledge") == 0)
            p->acknowledge |= acknowledgments(a);
        if (strcmp(a->keyword->name, "expect") == 0) {
            p->expect |= acknowledgments(a);
            p->expect_within = duration_of(a, "within", 86400);
        }
        if (strcmp(a->keyword->name, "retry") == 0)
            p->retry_for = duration_of(a, "for", 2 * 86400);
    }
    p->off = find_setting(s, "off") != NULL;
    p->groups_repeat = slice_is(value_of(s, "group numbers"), "repeat");
    p->takes_tests = find_setting(s, "takes tests") != NULL;
    p->retry = duration_of(s, "retry", 900);
    if (!p->retry_for)
        p->retry_for = 2 * 86400;
    p->keep = duration_of(s, "keep", 90 * 86400);
    return (r->further || make_identities(r, s, p)) && make_routes(r, s, p) && make_pick_ups(r, s, p) &&
           make_lists(r, s, p);
}

/* --- Reading --------------------------------------------------------------------------- */

static int read_into(struct reading *r, struct partner *p, struct slice text)
{
    struct setting file = { .last = NULL };
    unsigned before = r->c->count;
    const struct partner_setting *s;

    lines_init(&r->lines, p->file, text, r->arena, r->c);
    if (!read_lines(r, &file))
        return ERR_NOMEM;
    s = file.s.first;
    if (!s) {
        if (r->c->count == before) {
            struct place at = { .file = p->file, .line = 1 };
            complain(r->c, &at, "a partner file begins with: partner NAME \"TITLE\"");
        }
        return ERR_CONFIG;
    }
    check_block(r, s);
    /* values that are missing were complained of; identities are only laid out when all is complete */
    if (r->c->count == before)
        r->further = false;
    if ((r->c->count == before || r->further) && !make_partner(r, s, p))
        return ERR_NOMEM;
    return r->nomem || r->c->nomem ? ERR_NOMEM : r->c->count > before ? ERR_CONFIG : 0;
}

static int read_partner(struct slice file, struct slice text, bool further, struct complaints *c,
                        struct partner **partner_r, struct err *err)
{
    struct arena *arena = malloc(sizeof(*arena));
    struct partner *p = NULL;
    int rc = ERR_NOMEM;

    *partner_r = NULL;
    if (!arena)
        return err_nomem(err);
    arena_init(arena, PARTNER_MEMORY);
    p = ARENA_NEW(arena, struct partner);
    if (p) {
        struct slice own = arena_copy(arena, text);
        struct reading r = { .arena = arena, .c = c, .further = further };
        p->arena = arena;
        p->file = arena_copy(arena, file);
        if (own.p && p->file.p)
            rc = read_into(&r, p, own);
    }
    if (rc == 0 || (rc == ERR_CONFIG && further && p->setting && !c->nomem)) {
        *partner_r = p;
    } else {
        arena_deinit(arena);
        free(arena);
    }
    if (rc == 0)
        return 0;
    return rc == ERR_NOMEM ? err_nomem(err) : err_set(err, rc, "%.*s: the partner file is wrong", SLICE_FMT(file));
}

int partner_read(struct slice file, struct slice text, struct complaints *c, struct partner **partner_r,
                 struct err *err)
{
    return read_partner(file, text, false, c, partner_r, err);
}

static int load(const char *path, bool further, struct complaints *c, struct partner **partner_r, struct err *err)
{
    struct buf text;
    int rc;

    *partner_r = NULL;
    buf_init(&text, LIMIT_CONFIG_FILE);
    rc = file_read(path, &text, err);
    if (rc == 0)
        rc = read_partner(slice_of(path), buf_slice(&text), further, c, partner_r, err);
    buf_deinit(&text);
    return rc;
}

int partner_load(const char *path, struct complaints *c, struct partner **partner_r, struct err *err)
{
    return load(path, false, c, partner_r, err);
}

int partner_load_to_check(const char *path, struct complaints *c, struct partner **partner_r, struct err *err)
{
    return load(path, true, c, partner_r, err);
}

void partner_free(struct partner **partner)
{
    struct arena *arena;

    if (!*partner)
        return;
    arena = (*partner)->arena;
    *partner = NULL;
    arena_deinit(arena);
    free(arena);
}

/* --- Questions ------------------------------------------------------------------------- */

void partner_allow(const struct partner *p, struct finding_policy *policy)
{
    for (unsigned i = 0; i < p->n_allow; i++)
        finding_policy_allow(policy, p->allow[i]);
}

bool partner_allows(const struct partner *p, struct slice name)
{
    for (unsigned i = 0; i < p->n_allow; i++)
        if (slice_eq(p->allow[i], name))
            return true;
    return false;
}

static const struct partner_route *find_route(const struct partner *p, bool send, struct slice document,
                                              struct slice record, const struct dialect *dialect)
{
    for (unsigned i = 0; i < p->n_routes; i++) {
        const struct partner_route *route = &p->route[i];
        if (route->send == send && route->document.n && (!dialect || dialect_of_set(route->document) == dialect) &&
            (document.n ? slice_eq(route->document, document) : slice_eq(route->record, record)))
            return route;
    }
    return NULL;
}

const struct partner_route *partner_route_of_record(const struct partner *p, struct slice record,
                                                    const struct dialect *dialect)
{
    const struct partner_route *route = find_route(p, true, slice(NULL, 0), record, dialect);
    return route ? route : find_route(p, false, slice(NULL, 0), record, dialect);
}

const struct partner_route *partner_route_of_document(const struct partner *p, struct slice document)
{
    const struct partner_route *route = find_route(p, false, document, slice(NULL, 0), NULL);
    return route ? route : find_route(p, true, document, slice(NULL, 0), NULL);
}

bool partner_path(const struct partner *p, struct slice name, const char *suffix, struct buf *path_r)
{
    size_t folder = p->file.n, suffix_n = strlen(suffix);

    while (folder > 0 && p->file.p[folder - 1] != '/')
        folder--;
    buf_init(path_r, PATH_MOST);
    if (name.n && name.p[0] != '/')
        buf_add(path_r, p->file.p, folder);
    buf_add_slice(path_r, name);
    if (name.n < suffix_n || memcmp(name.p + name.n - suffix_n, suffix, suffix_n) != 0)
        buf_add_text(path_r, suffix);
    buf_text(path_r);
    if (!path_r->failed)
        return true;
    buf_deinit(path_r);
    return false;
}

/* --- Showing --------------------------------------------------------------------------- */

static bool needs_quotes(struct slice s)
{
    if (s.n == 0 || s.p[0] == '#' || s.p[0] == '"' || slice_is(s, "\\"))
        return true;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == ' ' || s.p[i] == ',')
            return true;
    return false;
}

static void show_value(const struct partner_setting *s, unsigned i, struct buf *out)
{
    struct slice v = s->value[i];

    if (!needs_quotes(v) && !(s->keyword->in == IN_FILE && i == 1)) {
        buf_add_safe(out, v, v.n);
        return;
    }
    buf_add_char(out, '"');
    for (size_t k = 0; k < v.n; k++) {
        if (v.p[k] == '"' || v.p[k] == '\\')
            buf_add_char(out, '\\');
        if ((unsigned char)v.p[k] < 0x80)
            buf_add_safe(out, slice(v.p + k, 1), 1);
        else
            buf_add_char(out, v.p[k]);
    }
    buf_add_char(out, '"');
}

static void show_setting(const struct partner_setting *s, unsigned depth, struct buf *out)
{
    size_t start = out->n;      /* columns are the same for all depths */

    for (unsigned i = 0; i < 2 * depth; i++)
        buf_add_char(out, ' ');
    buf_add_text(out, s->keyword->name);
    for (unsigned i = 0; i < s->n; i++) {
        if (i == 0)
            while (depth > 0 && out->n < start + COLUMN && !out->failed)
                buf_add_char(out, ' ');
        if (i > 0 && s->keyword->most == PARTNER_MANY)
            buf_add_char(out, ',');
        if (i > 0 || out->n != start + COLUMN)
            buf_add_char(out, ' ');
        show_value(s, i, out);
    }
    buf_add_char(out, '\n');
    for (const struct partner_setting *in = s->first; in; in = in->next)
        show_setting(in, depth + 1, out);
}

void partner_show(const struct partner *p, struct buf *out)
{
    show_setting(p->setting, 0, out);
}
