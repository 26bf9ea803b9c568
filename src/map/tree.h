/*
 * tree: the nodes of a hierarchy (HL, CPS) as they come, each with the name that others call it by.
 *
 * A node's number is its place in the document, from 1. Mostly that is its name, too: then nothing is kept of it. Only
 * nodes of other names take memory, up to TREE_MOST of them: some 25 bytes for each. And a bit or two for each that is
 * a parent or says that it is one.
 */
#ifndef WAYBILL_MAP_TREE_H
#define WAYBILL_MAP_TREE_H

#include "base/buf.h"
#include "base/slice.h"

enum { TREE_MOST = 1 << 18 };

struct tree {
    uint64_t n;                 /* nodes so far */
    struct buf names;           /* of each: its number, how long its key is, the key */
    uint32_t *slot;             /* a hash: places in `names`, from 1; 0: free */
    uint32_t named, mask;
    struct buf own;             /* a bit for each node whose name is not its number */
    struct buf parents;         /* a bit for each node that is a parent */
    struct buf says, denies;    /* and that says it is one, or is none */
};

void tree_init(struct tree *t);
void tree_deinit(struct tree *t);
/* No nodes again; memory stays. */
void tree_clear(struct tree *t);

/* The number that a name is when it is a plain one; 0: it is none. */
static inline uint64_t tree_plain(struct slice name)
{
    uint64_t number = 0;
    if (name.n == 0 || name.n > 18 || name.p[0] == '0')
        return 0;
    for (size_t i = 0; i < name.n; i++) {
        if (!is_digit(name.p[i]))
            return 0;
        number = number * 10 + (uint64_t)(name.p[i] - '0');
    }
    return number;
}

/* The next node. Without a name it is called by its number. 0; 1: there is one of that name, which this one is called
 * by from now on; ERR_NOMEM, ERR_LIMIT: too many names. */
int tree_add(struct tree *t, struct slice name);
/* The next node, which has no name: nobody can call it. 0, ERR_NOMEM. */
int tree_add_nameless(struct tree *t);
/* Gives a nameless node its name. 0; 1: there is another of that name; ERR_NOMEM, ERR_LIMIT. */
int tree_name(struct tree *t, uint64_t number, struct slice name);
/* The number of the node of that name. 0: there is none so far. */
uint64_t tree_find(const struct tree *t, struct slice name);
/* Remembers that a node has children: ERR_NOMEM. */
int tree_set_parent(struct tree *t, uint64_t number);
bool tree_is_parent(const struct tree *t, uint64_t number);
/* The last node says that it has children, or has none. 0, ERR_NOMEM. */
int tree_say(struct tree *t, bool children);
bool tree_denies(const struct tree *t, uint64_t number);
/* Is a node called by its number, or by nothing? */
static inline bool tree_is_plain(const struct tree *t, uint64_t number)
{
    uint64_t i = number / 8;
    return i >= t->own.n || !((unsigned char)t->own.p[i] >> (number % 8) & 1);
}

/* How many nodes say that they have children and have none (or the other way round), and the first of them. */
uint64_t tree_count_wrong(const struct tree *t, bool children, uint64_t *first_r);

#endif
