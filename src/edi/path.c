/* path: see path.h. Borrows everything from the line read. */
#include "edi/path.h"

struct cursor {
    const struct lines *lines;
    const struct line *line;
    unsigned word;          /* the word at hand */
    size_t at;              /* inside it */
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
    *number_r = (unsigned)(word.p[word.n - 2] - '0') * 10 + (unsigned)(word.p[word.n - 1] - '0');
    return *number_r > 0;
}

/* [IA]  [01=PD 02=WD]; c stands behind the bracket. */
static bool read_selects(struct cursor *c, struct path_step *step)
{
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
        s->element = 0;
        if (value.n > 3 && is_digit(value.p[0]) && is_digit(value.p[1]) && value.p[2] == '=') {
            s->element = (uint8_t)((value.p[0] - '0') * 10 + (value.p[1] - '0'));
            value = slice_from(value, 3);
        }
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
    p->element[p->n_elements++] = (struct path_element){ (uint8_t)element, (uint8_t)component };
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

/* An element named in full. Its tag must be the last step's, or becomes the last step. */
static bool read_element(struct cursor *c, struct path *p, struct slice name)
{
    struct slice tag;
    unsigned number, component;
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

bool path_read(const struct lines *lines, const struct line *line, unsigned *at, struct path *path_r)
{
    struct cursor c = { lines, line, *at, 0 };
    struct path *p = path_r;

    memset(p, 0, sizeof(*p));
    p->first_word = *at;
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
        if (path_split_element(name, &tag, &number)) {
            if (!read_element(&c, p, name))
                return false;
            break;
        }
        if (p->n_steps == PATH_STEPS)
            return fail(&c, "the path is too long");
        p->step[p->n_steps++] = (struct path_step){ .tag = name };
        if (peek(&c) == '[') {
            c.at++;
            if (!read_selects(&c, &p->step[p->n_steps - 1]))
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
