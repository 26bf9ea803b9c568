/*
 * Any bytes as a file that people write: the reader ends, its numbers stay
 * within the text, and each word lies within the text or is a quoted one.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice((const char *)data, size);
    struct complaints complaints;
    struct arena arena;
    struct lines reader;
    struct line line;
    uint32_t number = 0;

    arena_init(&arena, LIMIT_CONFIG_FILE);
    complaints_init(&complaints);
    lines_init(&reader, SLICE("fuzz"), text, &arena, &complaints);
    while (lines_next(&reader, &line)) {
        unsigned i;
        require(line.number > number);
        number = line.number;
        require(line.n >= 1 && line.n <= LIMIT_LINE_WORDS);
        require(line.depth < LIMIT_LINE_DEPTH);
        require(line.offset <= line.end && line.end <= size);
        for (i = 0; i <= line.n; i++) {
            struct place place = lines_place(&reader, &line, i);
            if (i == line.n)
                break;
            complain(&complaints, &place, "word %u", i);
            if (!line.word[i].quoted)
                require(line.word[i].s.p >= text.p && line.word[i].s.p + line.word[i].s.n <= text.p + size);
        }
    }
    complaints_deinit(&complaints);
    arena_deinit(&arena);
    return 0;
}
