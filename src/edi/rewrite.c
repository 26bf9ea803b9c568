/* rewrite: see rewrite.h. rewritten_deinit() frees the copy. */
#include "edi/rewrite.h"

#include <stdlib.h>

#include "base/buf.h"

/* The most bytes that one becomes; what may be read behind the last. */
enum { GROWS = 3, BEHIND = 64 };

size_t rewrite_element(const struct edi_syntax *x, const uint16_t *page, bool lines, const char *p, size_t n, char *to,
                       size_t most, size_t *read_r)
{
    size_t i = 0, written = 0;
    while (i < n && written < most) {
        char c = p[i++];
        bool released = false;
        if (x->release && c == x->release && i < n) {
            c = p[i++];
            released = true;
        }
        if (lines && !released && (c == '\n' || c == '\r')) {
            continue;
        } else if (!released && x->component && c == x->component) {
            to[written++] = (char)REWRITTEN_COMPONENT;
        } else if (!released && x->repetition && c == x->repetition) {
            to[written++] = (char)REWRITTEN_REPETITION;
        } else if ((unsigned char)c < 0x80) {
            to[written++] = c;
        } else {
            unsigned length = page ? 0 : utf8_length(slice(p + i - 1, n - i + 1));
            if (length) {
                memcpy(to + written, p + i - 1, length);
                written += length;
                i += length - 1;
            } else {
                uint32_t u = (unsigned char)c;
                if (page && u >= 0xa0 && page[u - 0xa0])
                    u = page[u - 0xa0];
                written += utf8_put(u, to + written);
            }
        }
    }
    *read_r = i;
    return written;
}

static bool make_room(struct rewritten *c, size_t bytes, size_t n_at)
{
    if (c->room < bytes + BEHIND) {
        char *text = realloc(c->text, bytes + BEHIND);
        if (!text)
            return false;
        c->text = text;
        c->room = bytes + BEHIND;
    }
    if (c->n_at < n_at) {
        uint32_t *at = realloc(c->at, n_at * sizeof(*at));
        if (!at)
            return false;
        c->at = at;
        c->n_at = n_at;
    }
    return true;
}

const struct segment *rewrite_segment(struct rewritten *c, const struct edi_syntax *syntax, const uint16_t *page,
                                      bool lines, const struct segment *s, struct slice tag)
{
    size_t n = 0;
    if (!make_room(c, segment_bytes(s).n * GROWS, s->n + 1))
        return NULL;
    for (size_t i = 0; i < tag.n; i++)
        if (!lines || (tag.p[i] != '\n' && tag.p[i] != '\r'))
            c->text[n++] = tag.p[i] >= 'a' && tag.p[i] <= 'z' ? (char)(tag.p[i] - 'a' + 'A') : tag.p[i];
    c->at[0] = (uint32_t)n;
    for (unsigned k = 1; k <= s->n; k++) {
        struct slice v = segment_element(s, k);
        size_t taken;
        c->text[n++] = syntax->element;
        n += rewrite_element(syntax, page, lines, v.p, v.n, c->text + n, SIZE_MAX, &taken);
        c->at[k] = (uint32_t)n;
    }
    memset(c->text + n, 0, BEHIND);
    /* the bytes that separate are no UTF-8: whoever takes an element with some for a text must look */
    c->segment = (struct segment){
        c->text, c->at, 0, s->n, s->flags | SEGMENT_REWRITTEN | (s->flags & SEGMENT_PARTS ? SEGMENT_ESCAPE : 0),
        NULL,    NULL
    };
    c->of = s;
    return &c->segment;
}

void rewritten_deinit(struct rewritten *c)
{
    free(c->text);
    free(c->at);
    *c = (struct rewritten){ .text = NULL };
}
