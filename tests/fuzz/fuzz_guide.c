/*
 * fuzz_guide: guide files.
 *
 * After the first byte comes the text of a partner's guide, a delta or a whole one ('d'), or four files with form feeds
 * between them: version, segments, elements and a guide of a version of their own, of X12 ('f') or EDIFACT ('e'). A text
 * that is refused must be complained of; one that is taken must be a guide that can be walked, and a document is read
 * with it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edi/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define require(right) ((right) ? (void)0 : broken(#right))

static char directory[64];

static void broken(const char *what)
{
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

static void walk_guide(const struct guide *g)
{
    struct complaints c;

    require(g->n > 1 && g->node[0].loop && g->node[0].end == g->n);
    for (unsigned i = 1; i < g->n; i++) {
        const struct guide_node *node = &g->node[i];
        require(node->ordinal == i && node->parent < i && g->node[node->parent].loop && node->end > i && node->end <= g->n);
        require(node->depth == g->node[node->parent].depth + 1);
        if (node->loop)
            continue;
        require(node->def && node->local < g->n_tags && slice_eq(g->tag[node->local], node->tag));
        require(guide_tag(g, node->def->key) == node->local);
        for (unsigned t = 0; t < g->n_tags; t++) {
            const struct guide_step *step = &g->step[(size_t)i * g->n_tags + t];
            for (unsigned k = 0; k < (step->flags & STEP_MORE ? step->candidates : 1u); k++) {
                uint16_t to = step->flags & STEP_MORE ? g->more[step->target + k].target : step->target;
                require(to == NODE_NONE || (to < g->n && !g->node[to].loop && g->node[to].local == t));
            }
        }
    }
    complaints_init(&c);
    guide_check_codes(g, &c);
    complaints_deinit(&c);
}

static int on_finding(void *ctx, const struct finding *f)
{
    struct buf *b = ctx;
    buf_clear(b);
    finding_text(f, SLICE("file"), false, b);
    require(!b->failed);
    return 0;
}

static void read_document(struct guides *guides, const struct guide *g)
{
    static const char text[] =
        "ISA*00*          *00*          *ZZ*NORTH          *ZZ*ACME           *260115*0905*U*00401*000000042*0*P*>~"
        "GS*PO*NORTH*ACME*20260115*0905*7*X*004010~ST*850*0001~BEG*00*SA*4711**20260115~CUR*BY*USD~REF*IA*1~REF*DP*2~"
        "PER*OC*A*TE*1~FOB*PP~SAC*A*C310***1000~ITD*01*3*2**30**31~DTM*010*20260120*1200~N9*L1*x~MSG*a b~"
        "N1*ST*B*92*001~N3*c*d~N4*e*NY*1~N1*BT*C*UL*0012345000058~PO1*1*5*EA*9.5**UP*012345678905~PID*F****g~"
        "MEA**WT*1*LB>2~SLN*1**I*1*EA~CTT*1~SE*22*0001~GE*1*7~IEA*1*000000042~";
    struct complaints c;
    const struct guide *partner[] = { g };
    struct edi_reader_options options = { .guides = guides, .partner = partner, .n_partner = 1, .complaints = &c };
    struct buf words;
    struct edi_sink sink = { .ctx = &words, .finding = on_finding };
    struct edi_reader *reader;

    if (!slice_is(g->set, "850"))
        return;
    complaints_init(&c);
    buf_init(&words, 1 << 20);
    finding_policy_init(&options.policy);
    require(edi_reader_new(&options, &sink, &reader, NULL) == 0);
    require(edi_reader_feed(reader, slice_of(text), NULL) == 0 && edi_reader_end(reader, NULL) == 0);
    edi_reader_free(&reader);
    complaints_deinit(&c);
    buf_deinit(&words);
}

static void fuzz_delta(struct slice text)
{
    const char *from = getenv("WAYBILL_MAPS_DIR");
    struct guides *guides;
    const struct guide *g = NULL;
    struct complaints c;
    int r;

    complaints_init(&c);
    require(guides_new(from ? from : "maps", &guides, NULL) == 0);
    r = guides_read_delta(guides, SLICE("fuzz"), text, &c, &g, NULL);
    require(r == 0 ? g && c.count == 0 : c.count > 0 || r == ERR_MISSING || r == ERR_LIMIT);
    if (g) {
        walk_guide(g);
        read_document(guides, g);
    }
    guides_free(&guides);
    complaints_deinit(&c);
}

/* Where files go: their standard, its version, the document's own file. */
static const struct home {
    const char *standard, *version, *set;
} homes[] = { { "x12", "004010", "850" }, { "edifact", "d96a", "ORDERS" } };

static void put_file(const struct home *home, const char *name, struct slice text)
{
    char path[160];
    int fd;

    snprintf(path, sizeof(path), "%s/%s/%s/%s.guide", directory, home->standard, home->version, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    require(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n);
    close(fd);
}

static void clean_up(void)
{
    static const char *const names[] = { "/x12/004010/version.guide", "/x12/004010/segments.guide", "/x12/004010/elements.guide",
                                         "/x12/004010/850.guide", "/x12/004010", "/x12", "/edifact/d96a/version.guide",
                                         "/edifact/d96a/segments.guide", "/edifact/d96a/elements.guide",
                                         "/edifact/d96a/ORDERS.guide", "/edifact/d96a", "/edifact", "" };
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[160];
        snprintf(path, sizeof(path), "%s%s", directory, names[i]);
        remove(path);
    }
}

static void fuzz_files(const struct home *home, struct slice text)
{
    const char *const names[] = { "version", "segments", "elements", home->set };
    struct guides *guides;
    const struct guide *g = NULL;
    struct complaints c;
    int r;

    if (!directory[0]) {
        char path[128];
        const char *tmp = getenv("TMPDIR");
        snprintf(directory, sizeof(directory), "%.40s/fuzz-guide-XXXXXX", tmp ? tmp : "/tmp");
        require(mkdtemp(directory) != NULL);
        atexit(clean_up);
        for (unsigned i = 0; i < sizeof(homes) / sizeof(homes[0]); i++) {
            snprintf(path, sizeof(path), "%s/%s", directory, homes[i].standard);
            require(mkdir(path, 0700) == 0);
            snprintf(path, sizeof(path), "%s/%s/%s", directory, homes[i].standard, homes[i].version);
            require(mkdir(path, 0700) == 0);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        bool more;
        put_file(home, names[i], slice_cut(text, '\f', &text, &more));
    }
    complaints_init(&c);
    require(guides_new(directory, &guides, NULL) == 0);
    r = guides_find(guides, slice_of(home->standard), slice_of(home->version), slice_of(home->set), &c, &g, NULL);
    require(r == 0 ? g && c.count == 0 : c.count > 0 || r == ERR_MISSING || r == ERR_LIMIT || r == ERR_CONFIG);
    if (g)
        walk_guide(g);
    guides_free(&guides);
    complaints_deinit(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = n ? slice((const char *)data + 1, n - 1) : slice(NULL, 0);

    if (n == 0)
        return 0;
    if (*data == 'f' || *data == 'e')
        fuzz_files(&homes[*data == 'e'], text);
    else
        fuzz_delta(text);
    return 0;
}
