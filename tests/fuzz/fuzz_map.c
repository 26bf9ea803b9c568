/*
 * fuzz_map: map files, compiled for both guides of the 850. A text that is refused must be complained of; a map that
 * compiles reads a document, and what it writes is one line of valid JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edi/reader.h"
#include "map/read.h"
#include "tree/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define require(right) ((right) ? (void)0 : broken(#right))

static struct guides *guides;

static void broken(const char *what)
{
    fprintf(stderr, "not so: %s\n", what);
    abort();
}

static int choose(void *ctx, const struct edi_document *d, const struct map_plan **plan_r)
{
    (void)d;
    *plan_r = ctx;
    return 0;
}

static int take_records(void *ctx, const char *p, size_t n)
{
    (void)ctx;
    if (!memmem(p, n, "\n", 1))
        return 0; /* a part of a line */
    struct json_tape tape;
    json_tape_init(&tape, 1 << 26);
    require(p[n - 1] == '\n' && json_parse(&tape, slice(p, n - 1), NULL) == 0);
    json_tape_deinit(&tape);
    return 0;
}

static void read_document(const struct map_plan *plan)
{
    static const char text[] =
        "ISA*00*          *00*          *ZZ*NORTH          *ZZ*ACME           *260115*0905*U*00401*000000042*0*P*>~"
        "GS*PO*NORTH*ACME*20260115*0905*7*X*004010~ST*850*0001~BEG*00*SA*4711**20260115~CUR*BY*USD~REF*IA*1**BM>2~"
        "REF*DP*2~PER*OC*A*TE*1~FOB*PP~SAC*A*C310***1000~ITD*01*3*2**30**31~DTM*010*20260120*1200*ET~N9*L1*x~MSG*a b~"
        "N1*ST*B*92*001~N3*c*d~N4*e*NY*1~N1*BT*C*UL*0012345000058~PO1*1*5*EA*9.5**UP*012345678905**x*VN*~PID*F****\"g\\~"
        "MEA**WT*1*LB>2>3~SDQ*EA*92*1*2*3*4~SLN*1**I*1*EA~CTT*1*5~SE*23*0001~GE*1*7~IEA*1*000000042~";
    struct complaints c;
    struct edi_reader_options options = { .guides = guides, .complaints = &c };
    struct map_read_options m = { .choose = choose, .write = take_records, .ctx = (void *)plan };
    struct map_reader *map;
    struct edi_sink sink;
    struct edi_reader *reader;
    int r;

    complaints_init(&c);
    finding_policy_init(&options.policy);
    require(map_reader_new(&m, &map, NULL) == 0);
    map_reader_sink(map, &sink);
    require(edi_reader_new(&options, &sink, &reader, NULL) == 0);
    map_reader_attach(map, reader);
    r = edi_reader_feed(reader, slice_of(text), NULL);
    if (r == 0)
        r = edi_reader_end(reader, NULL);
    require(r == 0 || r == ERR_LIMIT);
    edi_reader_free(&reader);
    map_reader_free(&map);
    complaints_deinit(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *directory = getenv("WAYBILL_MAPS_DIR");
    const struct guide *guide = NULL;
    const struct map *map = NULL;
    const struct map_plan *plan = NULL;
    struct complaints c;
    struct maps *maps;
    char path[40];
    int fd = memfd_create("fuzz", MFD_CLOEXEC), r;

    directory = directory ? directory : "maps";
    if (!guides)
        require(guides_new(directory, &guides, NULL) == 0);
    require(fd >= 0 && (n == 0 || write(fd, data, n) == (ssize_t)n));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    complaints_init(&c);
    require(maps_new(directory, &maps, NULL) == 0);
    require(guides_by_id(guides, SLICE("x12/004010/850"), &c, &guide, NULL) == 0);
    r = maps_by_file(maps, path, &c, &map, NULL);
    if (r == 0)
        r = map_plan_for(maps, map, guide, &c, &plan, NULL);
    require(r == 0 ? plan != NULL : c.count > 0 || r == ERR_MISSING || r == ERR_LIMIT || r == ERR_CONFIG);
    if (plan)
        read_document(plan);
    maps_free(&maps);
    complaints_deinit(&c);
    close(fd);
    return 0;
}
