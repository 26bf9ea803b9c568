/* path: see path.h. Borrows everything from the line read. */
#include "edi/path.h"

struct cursor {
    const struct lines *lines;
    const struct line *line;
    unsigned word;          /* the word at hand */
    size_t at;              /* inside it */
};

/* What a path is read into before it is known how much there is. */
struct room {
    struct path_step step[PATH_STEPS];
    struct path_element element[PATH_ELEMENTS];
    struct path_number number[PATH_NUMBERS];
};

static struct place place_of(const struct cursor *c)
{
    struct place at = lines_place(c->lines, c->line, c->word);
    at.column += (uint32_t)c->at;
    at.width = at.width > c->at ? at.width - (uint32_t)c->at : 1;
    return at;
}

static bool fail(const struct cursor *c, const char *what)
{
    struct place at = place_of(c);
    complain(c->lines->complaints, &at, "%s", what);
    return false;
}

static char peek(const struct cursor *c)
{
    struct slice w;
    if (c->word >= c->line->n)
        return 0;
    w = c->line->word[c->word].s;
    return c->at < w.n ? w.p[c->at] : 0;
}

/* To the next word, inside brackets only. */
static bool next_word(struct cursor *c)
{
    if (c->word + 1 >= c->line->n)
        return false;
    c->word++;
    c->at = 0;
    return true;
}

static bool is_name(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || is_digit(c) || c == '_' || c == '*' || c == ':';
}

static struct slice take_name(struct cursor *c)
{
    struct slice w = c->word < c->line->n ? c->line->word[c->word].s : slice(NULL, 0);
    size_t start = c->at;
    while (c->at < w.n && is_name(w.p[c->at]))
        c->at++;
    return w.n ? slice(w.p + start, c->at - start) : w;
}

bool path_split_element(struct slice word, struct slice *tag_r, unsigned *number_r)
{
    if (word.n < 4 || word.n > 5 || !is_digit(word.p[word.n - 1]) || !is_digit(word.p[word.n - 2]))
        return false;
    *tag_r = slice(word.p, word.n - 2);
    if (slice_is(*tag_r, "SG")) /* the group SG25 */
        return false;
    *number_r = (unsigned)(word.p[word.n - 2] - '0') * 10 + (unsigned)(word.p[word.n - 1] - '0');
    return *number_r > 0;
}

static bool all_digits(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i]))
            return false;
    return s.n > 0;
}

/* 1004 */
static bool is_element_number(struct slice name)
{
    return name.n == 4 && all_digits(name);
}

/* C082, S009. An X12 element such as C301 looks the same; that stands behind no tag of three letters. */
static bool is_composite_number(struct slice name)
{
    return name.n == 4 && name.p[0] >= 'A' && name.p[0] <= 'Z' && all_digits(slice_from(name, 1));
}

static bool is_number(struct slice name, struct slice tag)
{
    return tag.n >= 3 && (is_element_number(name) || is_composite_number(name));
}

/* What stands before "=" of a select: 01  01-2  3035  C507.2005 */
static bool read_select_element(struct slice word, struct path *p, struct path_select *s)
{
    struct path_number number = { .element = word };
    bool any;
    struct slice rest, first = slice_cut(word, '-', &rest, &any);
    uint64_t value;

    if (first.n == 2 && all_digits(first)) {
        slice_number(first, 99, &value);
        s->element = (uint8_t)value;
        if (any && (!slice_number(rest, 99, &value) || value == 0))
            return false;
        s->component = any ? (uint8_t)value : 0;
        return s->element > 0;
    }
    first = slice_cut(word, '.', &rest, &any);
    if (any && is_composite_number(first))
        number = (struct path_number){ first, rest };
    if (!is_element_number(number.element) || p->n_numbers == PATH_NUMBERS)
        return false;
    p->number[p->n_numbers++] = number;
    s->number = (uint8_t)p->n_numbers;
    return true;
}

/* [IA]  [01=PD 02=WD]; c stands behind the bracket. */
static bool read_selects(struct cursor *c, struct path *p)
{
    struct path_step *step = &p->step[p->n_steps - 1];

    for (;;) {
        struct path_select *s = &step->select[step->n_selects];
        struct slice w, value;
        size_t start;
        if (peek(c) == 0 && !next_word(c))
            return fail(c, "the bracket that opens before is not closed");
        if (peek(c) == ']') {
            c->at++;
            return step->n_selects ? true : fail(c, "a qualifier is expected between the brackets");
        }
        if (step->n_selects == PATH_SELECTS)
            return fail(c, "too many qualifiers");
        w = c->line->word[c->word].s;
        start = c->at;
        while (c->at < w.n && w.p[c->at] != ']')
            c->at++;
        value = slice(w.p + start, c->at - start);
        bool any;
        struct slice code, element = slice_cut(value, '=', &code, &any);
        if (any && code.n && read_select_element(element, p, s))
            value = code;
        if (value.n == 0 || value.n > 8)
            return fail(c, "a qualifier has 1 to 8 characters");
        s->value = value;
        step->n_selects++;
    }
}

static bool add_element(struct cursor *c, struct path *p, unsigned element, unsigned component)
{
    if (p->n_elements == PATH_ELEMENTS)
        return fail(c, "too many elements");
    p->element[p->n_elements++] = (struct path_element){ .element = (uint8_t)element, .component = (uint8_t)component };
    return true;
}

/* The component of "REF04-2"; c stands behind the element. */
static bool read_component(struct cursor *c, unsigned *component_r)
{
    struct slice digits;
    uint64_t value;
    *component_r = 0;
    if (peek(c) != '-')
        return true;
    c->at++;
    digits = take_name(c);
    if (!slice_number(digits, 99, &value) || value == 0)
        return fail(c, "a component's number is expected behind \"-\"");
    *component_r = (unsigned)value;
    return true;
}

/* C082.3039  C082-1  C212  1004; c stands behind the first number. */
static bool read_number(struct cursor *c, struct path *p, struct slice name)
{
    struct path_number number = { .element = name };
    struct slice w = c->line->word[c->word].s;
    unsigned component = 0;

    if (is_composite_number(name)) {
        number = (struct path_number){ .composite = name };
        if (peek(c) == '.' && c->at + 1 < w.n && is_digit(w.p[c->at + 1])) {
            c->at++;
            number.element = take_name(c);
            if (!is_element_number(number.element))
                return fail(c, "an element's number has four digits");
        } else if (!read_component(c, &component)) {
            return false;
        }
    }
    if (!add_element(c, p, 0, component))
        return false;
    if (p->n_numbers == PATH_NUMBERS)
        return fail(c, "too many elements by their numbers");
    p->number[p->n_numbers++] = number;
    p->element[p->n_elements - 1].number = (uint8_t)p->n_numbers;
    return true;
}

/* An element named in full. Its tag must be the last step's, or becomes the last step. */
static bool read_element(struct cursor *c, struct path *p, struct slice name)
{
    struct slice tag;
    unsigned number, component;
    if (p->n_steps && is_number(name, p->step[p->n_steps - 1].tag))
        return read_number(c, p, name);
    if (!path_split_element(name, &tag, &number))
        return fail(c, "an element is expected, such as BEG03");
    if (p->n_steps && slice_eq(p->step[p->n_steps - 1].tag, tag)) {
        /* REF[IA].REF02 */
    } else if (p->n_elements) {
        return fail(c, "all elements must be of one segment");
    } else if (p->n_steps == PATH_STEPS) {
        return fail(c, "the path is too long");
    } else {
        p->step[p->n_steps++] = (struct path_step){ .tag = tag };
    }
    return read_component(c, &component) && add_element(c, p, number, component);
}

static bool read_list(struct cursor *c, struct path *p)
{
    for (;;) {
        struct slice name;
        if (peek(c) == 0 && !next_word(c))
            return fail(c, "the parenthesis that opens before is not closed");
        if (peek(c) == ')') {
            c->at++;
            return p->n_elements ? true : fail(c, "elements are expected between the parentheses");
        }
        name = take_name(c);
        if (!read_element(c, p, name))
            return false;
    }
}

/* The next word as one more range of the same segment. */
static bool read_further(struct cursor *c, struct path *p)
{
    const struct slice whole = c->line->word[c->word + 1].s, dots = SLICE("..");
    const char *middle = memmem(whole.p, whole.n, dots.p, dots.n);
    struct slice from = slice(whole.p, (size_t)(middle - whole.p)), to = slice_from(whole, from.n + dots.n), tag, same;
    unsigned first, last;

    c->word++;
    c->at = 0;
    if (!path_split_element(from, &tag, &first) || !path_split_element(to, &same, &last) || last < first ||
        !slice_eq(tag, p->step[p->n_steps - 1].tag) || !slice_eq(tag, same) ||
        first <= p->element[p->n_elements - 1].element)
        return fail(c, "a further range is of later elements of the same segment");
    for (unsigned i = first; i <= last; i++)
        if (!add_element(c, p, i, 0))
            return false;
    c->at = whole.n;
    return true;
}

static bool read_path(const struct lines *lines, const struct line *line, unsigned *at, struct path *p)
{
    struct cursor c = { lines, line, *at, 0 };

    if (*at >= line->n)
        return fail(&c, "a segment, loop or element is expected here");
    for (;;) {
        struct slice name, tag;
        unsigned number;
        if (peek(&c) == '(') {
            c.at++;
            if (!read_list(&c, p))
                return false;
            break;
        }
        name = take_name(&c);
        if (name.n == 0)
            return fail(&c, "a segment, loop or element is expected here");
        if ((p->n_steps && is_number(name, p->step[p->n_steps - 1].tag)) || path_split_element(name, &tag, &number)) {
            if (!read_element(&c, p, name))
                return false;
            break;
        }
        if (p->n_steps == PATH_STEPS)
            return fail(&c, "the path is too long");
        p->step[p->n_steps++] = (struct path_step){ .tag = name };
        if (peek(&c) == '[') {
            c.at++;
            if (!read_selects(&c, p))
                return false;
        }
        if (peek(&c) == '/') {
            c.at++;
        } else if (peek(&c) == '.' && c.at + 1 < line->word[c.word].s.n && line->word[c.word].s.p[c.at + 1] != '.') {
            c.at++;
        } else {
            break;
        }
    }
    if (peek(&c) == '.') {
        struct slice rest = slice_from(line->word[c.word].s, c.at);
        if (rest.n < 2 || rest.p[1] != '.')
            return fail(&c, "\"..\" or a blank is expected here");
        c.at += 2;
        p->open = true;
        if (peek(&c)) {
            struct slice name = take_name(&c), tag;
            unsigned last;
            if (!path_split_element(name, &tag, &last) || p->n_elements != 1 ||
                !slice_eq(tag, p->step[p->n_steps - 1].tag) || last < p->element[0].element)
                return fail(&c, "the range must end at a later element of the same segment");
            for (unsigned i = p->element[0].element + 1u; i <= last; i++)
                if (!add_element(&c, p, i, 0))
                    return false;
            p->range = true;
            p->open = false;
        }
    }
    if (peek(&c))
        return fail(&c, "this does not belong to a path");
    while (p->range && c.word + 1 < line->n && memmem(line->word[c.word + 1].s.p, line->word[c.word + 1].s.n, "..", 2))
        if (!read_further(&c, p))
            return false;
    p->n_words = c.word + 1 - *at;
    *at = c.word + 1;
    return true;
}

static void *keep(const struct lines *lines, const void *array, size_t n)
{
    return (void *)arena_copy(lines->arena, slice(array, n)).p;
}

bool path_read(const struct lines *lines, const struct line *line, unsigned *at, struct path *path_r)
{
    struct room room;
    struct path p = { .step = room.step, .element = room.element, .number = room.number, .first_word = *at };
    bool done = read_path(lines, line, at, &p);

    *path_r = p;
    path_r->step = keep(lines, room.step, p.n_steps * sizeof(*p.step));
    path_r->element = keep(lines, room.element, p.n_elements * sizeof(*p.element));
    path_r->number = keep(lines, room.number, p.n_numbers * sizeof(*p.number));
    if (path_r->step && path_r->element && path_r->number)
        return done;
    *path_r = (struct path){ .first_word = p.first_word };
    lines->complaints->nomem = true;
    return false;
}

bool path_find_number(const struct segment_def *def, const struct path_number *number, uint8_t *element_r,
                      uint8_t *component_r)
{
    for (unsigned i = 0; i < def->n; i++) {
        const struct element *e = def->use[i].element;
        if (number->composite.n && !slice_eq(e->id, number->composite))
            continue;
        *element_r = (uint8_t)(i + 1);
        if (!number->element.n || slice_eq(e->id, number->element))
            return true;
        for (unsigned k = 0; k < e->n_parts; k++)
            if (slice_eq(e->part[k].element->id, number->element)) {
                *component_r = (uint8_t)(k + 1);
                return true;
            }
    }
    return false;
}

static bool resolve(const struct lines *lines, const struct line *line, const struct path *path, uint8_t *which,
                    const struct segment_def *def, uint8_t *element_r, uint8_t *component_r)
{
    struct place at = lines_place(lines, line, 0);
    const struct path_number *number;

    if (*which == 0)
        return true;
    number = &path->number[*which - 1];
    if (!path_find_number(def, number, element_r, component_r)) {
        complain(lines->complaints, &at, "segment %.*s has no element %.*s%s%.*s", SLICE_FMT(def->tag),
                 SLICE_FMT(number->composite), number->composite.n && number->element.n ? "." : "",
                 SLICE_FMT(number->element));
        return false;
    }
    *which = 0;
    return true;
}

bool path_resolve(const struct lines *lines, const struct line *line, struct path *path, const struct segment_def *def)
{
    for (unsigned i = 0; i < path->n_elements; i++) {
        struct path_element *e = &path->element[i];
        if (!resolve(lines, line, path, &e->number, def, &e->element, &e->component))
            return false;
    }
    return true;
}

bool path_resolve_select(const struct lines *lines, const struct line *line, const struct path *path,
                         struct path_select *select, const struct segment_def *def)
{
    return resolve(lines, line, path, &select->number, def, &select->element, &select->component);
}
