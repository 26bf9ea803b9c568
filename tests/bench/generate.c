/*
 * generate: writes EDI files of any size for the benchmarks, always the same bytes for the same arguments.
 *
 *     generate TYPE SIZE [SEED] [--one-document] [--documents N] [--group N] [--newline]
 *
 * What it writes is valid against our guide of its type, but for one 846 of more than 10,000 LIN loops: real dates,
 * right check digits, right counts, right control numbers, codes that are in the lists. Values vary as those of the
 * field do; names and addresses are invented. Files of EDIFACT are in Latin-1 (UNOC), with letters that are not ASCII and
 * with release characters. It never reads a file, a clock or the environment. A new type is a row of
 * the table `types` and a function that writes one document.
 *
 * All memory is one block in main(), freed there.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OUTPUT_ROOM = 1 << 20,      /* bytes gathered before they are written */
    SEGMENT_ROOM = 4096,        /* no segment of ours is longer */
    DAYS = 3 * 365,             /* dates that orders use: 2025 to 2027 */
    LINES_MOST = 100000,        /* what the guide allows in one 850 */
    TOTAL_MOST = 999999,        /* what CTT01 has room for */
    SDQ_MOST = 500,             /* and in one of its lines */
    NODES_MOST = 200000,        /* nodes in one 856 */
    GROUP_MOST = 1000,          /* documents in a functional group */
    SMALL = 10000               /* a file below this many bytes holds one document */
};

struct type;

struct generator {
    const struct type *type;
    uint64_t random;            /* state of the generator of numbers */
    uint64_t size;              /* bytes wanted */
    uint64_t documents;         /* documents wanted, 0: as many as the size takes */
    unsigned group;             /* documents in a group */
    bool newline;               /* after each terminator */
    bool failed;                /* a write did not succeed */

    uint64_t written;           /* bytes handed to the system */
    size_t n;                   /* bytes in `output` */
    uint64_t segments;          /* since the last start of a document */

    char date[DAYS][8];
    char output[OUTPUT_ROOM];
};

/* A row for each document type. */
struct type {
    const char *name;
    const char *title;
    const char *set;            /* ST01, UNH02-1 */
    const char *functional;     /* GS01; of EDIFACT what stands behind the set in UNH02 */
    bool edifact;
    /* Writes what lies between ST and SE or UNH and UNT, about until `until` bytes were written in all. */
    void (*body)(struct generator *g, uint64_t until, uint64_t line_bytes);
};

/* --- Numbers by chance -------------------------------------------------------- */

/* splitmix64 */
static inline uint64_t chance(struct generator *g)
{
    uint64_t z = g->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 … n-1 */
static inline unsigned pick(struct generator *g, unsigned n)
{
    return (unsigned)(((chance(g) >> 32) * n) >> 32);
}

static inline unsigned between(struct generator *g, unsigned low, unsigned high)
{
    return low + pick(g, high - low + 1);
}

static inline bool percent(struct generator *g, unsigned p)
{
    return pick(g, 100) < p;
}

/* --- Output ------------------------------------------------------------------- */

static void flush(struct generator *g)
{
    size_t done = 0;
    while (done < g->n && !g->failed) {
        ssize_t n = write(STDOUT_FILENO, g->output + done, g->n - done);
        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            g->failed = true;
    }
    g->written += g->n;
    g->n = 0;
}

static uint64_t bytes_so_far(const struct generator *g)
{
    return g->written + g->n;
}

static inline void put_bytes(struct generator *g, const char *p, size_t n)
{
    memcpy(g->output + g->n, p, n);
    g->n += n;
}

/* A literal: its length is known. */
#define put(g, literal) put_bytes((g), "" literal, sizeof(literal) - 1)

static inline void put_text(struct generator *g, const char *text)
{
    put_bytes(g, text, strlen(text));
}

static inline void put_char(struct generator *g, char c)
{
    g->output[g->n++] = c;
}

/* The empty string gives no place: tables hold at least one row. */
#define put_one(g, table) put_text((g), (table)[pick((g), (unsigned)(sizeof(table) / sizeof(table)[0]))])

/* A number, with zeros on the left up to `width`. */
static void put_number(struct generator *g, uint64_t value, unsigned width)
{
    char text[20];
    unsigned n = 0;
    do
        text[n++] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    while (n < width && n < sizeof text)
        text[n++] = '0';
    while (n)
        put_char(g, text[--n]);
}

/* value / 10^places as decimal text without zeros at its end: 1250 with 2 places is 12.5. */
static void put_decimal(struct generator *g, uint64_t value, unsigned places)
{
    uint64_t unit = 1;
    for (unsigned i = 0; i < places; i++)
        unit *= 10;
    put_number(g, value / unit, 0);
    uint64_t rest = value % unit;
    if (!rest)
        return;
    while (rest % 10 == 0)
        rest /= 10, places--;
    put_char(g, '.');
    put_number(g, rest, places);
}

static inline void put_date(struct generator *g, unsigned day)
{
    put_bytes(g, g->date[day], 8);
}

/* Begins a segment: its tag without the separator. */
#define segment(g, tag) (segment_room(g), put(g, tag))

static inline void segment_room(struct generator *g)
{
    if (g->n + SEGMENT_ROOM > OUTPUT_ROOM)
        flush(g);
}

static inline void segment_end(struct generator *g)
{
    put_char(g, g->type->edifact ? '\'' : '~');
    if (g->newline)
        put_char(g, '\n');
    g->segments++;
}

/* --- Invented values ---------------------------------------------------------- */

static const struct place {
    const char *city, *state, *postal;
} places[] = {
    { "ABERDEEN", "SD", "57401" },      { "ALBUQUERQUE", "NM", "87102" },  { "ATHENS", "GA", "306010125" },
    { "BANGOR", "ME", "04401" },        { "BATON ROUGE", "LA", "70801" },  { "BEND", "OR", "97701" },
    { "BOISE", "ID", "83702" },         { "CEDAR RAPIDS", "IA", "52401" }, { "CHARLOTTE", "NC", "282020001" },
    { "COEUR D'ALENE", "ID", "83814" }, { "DES MOINES", "IA", "50309" },   { "DULUTH", "MN", "55802" },
    { "EAU CLAIRE", "WI", "54701" },    { "FORT WAYNE", "IN", "46802" },   { "GRAND RAPIDS", "MI", "495031234" },
    { "HUNTSVILLE", "AL", "35801" },    { "KANSAS CITY", "MO", "64106" },  { "LEXINGTON", "KY", "40507" },
    { "MONTGOMERY", "AL", "36104" },    { "OGDEN", "UT", "84401" },        { "PEORIA", "IL", "61602" },
    { "RENO", "NV", "89501" },          { "ST. PAUL", "MN", "55102" },     { "TEMPLE", "TX", "76503" },
    { "TUCSON", "AZ", "85701" },        { "WILKES-BARRE", "PA", "18701" }, { "YAKIMA", "WA", "98901" },
    { "YORK", "PA", "17401" },
};

static const char *const companies[] = {
    "NORTHWIND TRADERS INC.",         "O'BRIEN & SONS CO.",          "BLUE RIDGE OUTFITTERS, LLC",
    "HARBOR LIGHT STORES",            "SMITH-HAWTHORNE DEPT. STORES", "PRAIRIE HOME & GARDEN",
    "CASCADE HARDWARE COOPERATIVE",   "THE CORNER MARKET #12",       "GREAT PLAINS FOODS, INC.",
    "LAKESHORE SPORTING GOODS",       "MEADOWBROOK PHARMACY",        "TRI-STATE AUTO PARTS",
    "SUNRISE GROCERS ASSN.",          "WESTGATE OFFICE SUPPLY",      "KEYSTONE TOOL & DIE",
    "FINCH/WREN APPAREL GROUP",
};

static const char *const sites[] = { " DC 04", " STORE 0117", " - EAST", " REGIONAL WHSE", "", "", " (ANNEX)", " DOCK 7" };

static const char *const streets[] = {
    " MAIN STREET",     " INDUSTRIAL PARKWAY", " N. HIGHWAY 31",  " ST. JOHN'S AVE",   " COMMERCE BLVD, SUITE 200",
    " W 5TH ST",        " OLD MILL ROAD",      " MARKET SQUARE",  " S. RIVERSIDE DR.", " DISTRIBUTION WAY",
    " COUNTY ROAD 1150", " E. LINCOLN AVE",
};

static const char *const persons[] = {
    "A. MARTINEZ", "JO ANN BECKER", "T. O'NEILL", "RECEIVING DESK", "K. WASHINGTON", "ORDER DEPT.", "LEE CHEN", "M. FITZGERALD",
};

static const char *const kinds[] = {
    "MENS ",  "LADIES' ", "KIDS ",   "PREMIUM ", "HEAVY-DUTY ", "ORGANIC ",  "CLASSIC ", "DELUXE ",
    "REFILL, ", "1/2\" ",  "STAINLESS ", "ALL-PURPOSE ", "2-PK ", "LOW-FAT ", "TRAVEL ", "",
};

static const char *const things[] = {
    "KNIT TOP S/S",   "CARGO SHORT",   "BBQ CHIPS",       "CLAW HAMMER",     "COTTON TOWEL",  "LED LAMP",
    "TRAIL MIX",      "DOG FOOD",      "SHOWER CURTAIN",  "HEX BOLT",        "OIL FILTER",    "PENCIL SET",
    "GARDEN HOSE",    "SHAMPOO",       "RUNNING SHOE",    "MIXING BOWL",     "TOOTHPASTE",    "PAPER PLATES",
    "WATER BOTTLE",   "PHONE CHARGER", "CANVAS TOTE BAG", "MAC & CHEESE",    "DRILL BIT",     "HAND CREAM",
};

static const char *const colours[] = { "NAVY", "BLACK", "WHITE", "HEATHER GRAY", "RED/BLUE", "FOREST", "TAN", "ASSORTED" };
static const char *const extents[] = { " SM", " MD", " LG", " XL", " 12 OZ", " 50 FT", " 24 CT", " 8 IN", " 1.5 LB", " 3/8 IN" };
static const char *const sizes[] = { "S", "M", "L", "XL", "2XL", "10.5", "32/34", "ONE SIZE" };

static const char *const messages[] = {
    "SHIP COMPLETE. NO BACKORDERS OR SUBSTITUTIONS WITHOUT WRITTEN APPROVAL.",
    "ROUTING GUIDE VERSION 7 APPLIES; CALL 48 HOURS BEFORE DELIVERY FOR AN APPOINTMENT",
    "ALL CARTONS MUST CARRY A UCC-128 LABEL (SSCC-18)",
    "P.O. NUMBER MUST APPEAR ON ALL PACKAGES, INVOICES & BILLS OF LADING",
    "Please confirm receipt by e-mail. Partial shipments are billed at the vendor's cost.",
    "DO NOT SHIP BEFORE THE DATE ABOVE",
};

/* The last digit of a UPC, EAN or shipping container code, from the digits before it. */
static char check_digit(const char *digits, unsigned n)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < n; i++)
        sum += (unsigned)(digits[i] - '0') * ((n - i) % 2 ? 3 : 1);
    return (char)('0' + (10 - sum % 10) % 10);
}

/* `n` digits of which the last checks the others; `prefix` is a vendor's six digits. */
static void put_item_code(struct generator *g, const char *lead, unsigned prefix, unsigned item)
{
    size_t start = g->n;
    put_text(g, lead);
    put_number(g, prefix % 1000000, 6);
    put_number(g, item % 100000, 5);
    put_char(g, check_digit(g->output + start, (unsigned)(g->n - start)));
}

static void put_telephone(struct generator *g)
{
    put_number(g, between(g, 201, 989), 3);
    put(g, "-555-");
    put_number(g, pick(g, 10000), 4);
}

/* --- 850, Purchase Order ------------------------------------------------------ */

static void party(struct generator *g, const char *role, unsigned prefix)
{
    const struct place *place = &places[pick(g, sizeof places / sizeof places[0])];

    segment(g, "N1*");
    put_text(g, role);
    put(g, "*");
    put_one(g, companies);
    put_one(g, sites);
    if (percent(g, 70)) {
        put(g, "*92*");
        put_number(g, pick(g, 10000), 4);
    } else if (percent(g, 50)) {
        put(g, "*9*");
        put_number(g, 100000000u + prefix * 113u, 9);
        put_number(g, pick(g, 10000), 4);
    } else {
        put(g, "*UL*");
        put_item_code(g, "0", prefix, pick(g, 100000));
    }
    segment_end(g);
    if (percent(g, 20)) {
        segment(g, "N2*ATTN: ");
        put_one(g, persons);
        segment_end(g);
    }
    segment(g, "N3*");
    put_number(g, between(g, 1, 28999), 0);
    put_one(g, streets);
    if (percent(g, 25)) {
        put(g, "*P.O. BOX ");
        put_number(g, between(g, 10, 9999), 0);
    }
    segment_end(g);
    segment(g, "N4*");
    put_text(g, place->city);
    put(g, "*");
    put_text(g, place->state);
    put(g, "*");
    put_text(g, place->postal);
    if (percent(g, 60))
        put(g, "*US");
    segment_end(g);
    if (percent(g, 35)) {
        segment(g, "PER*");
        put_one(g, ((const char *const[]){ "RE", "DC", "IC" }));
        put(g, "*");
        put_one(g, persons);
        put(g, "*TE*");
        put_telephone(g);
        segment_end(g);
    }
}

static void price(struct generator *g)
{
    unsigned kind = pick(g, 20);
    if (kind == 0)
        put_decimal(g, between(g, 1, 9999), 4);
    else if (kind < 4)
        put_decimal(g, between(g, 10000, 250000), 2);
    else
        put_decimal(g, between(g, 49, 9999), 2);
}

static void order_line_sdq(struct generator *g, const char *unit, unsigned stores)
{
    segment(g, "SDQ*");
    put_text(g, unit);
    put(g, "*92");
    for (unsigned i = 0; i < stores; i++) {
        put(g, "*");
        put_number(g, pick(g, 10000), 4);
        put(g, "*");
        put_number(g, between(g, 1, 96), 0);
    }
    segment_end(g);
}

static void order_line_sln(struct generator *g, unsigned prefix)
{
    unsigned parts = between(g, 2, 4);
    for (unsigned i = 1; i <= parts; i++) {
        segment(g, "SLN*");
        put_number(g, i, 0);
        put(g, "**I*");
        put_number(g, between(g, 1, 12), 0);
        put(g, "*EA*");
        price(g);
        put(g, "***UP*");
        put_item_code(g, "", prefix, pick(g, 100000));
        put(g, "*IZ*");
        put_one(g, sizes);
        segment_end(g);
    }
}

/* One PO1 with what belongs to it. Returns the quantity as the hash total counts it. */
static uint64_t order_line(struct generator *g, unsigned number, unsigned prefix, unsigned ship_day, uint64_t line_bytes)
{
    static const char *const units[] = { "EA", "EA", "EA", "EA", "CA", "CA", "DZ", "PK", "LB", "FT" };
    static const char *const bases[] = { "", "", "", "PE", "CT", "NT", "WE" };
    uint64_t start = bytes_so_far(g), counted;
    const char *unit = units[pick(g, sizeof units / sizeof units[0])];
    unsigned item = pick(g, 100000), pairs = between(g, 3, 4), sdq = 0;

    segment(g, "PO1*");
    put_number(g, number, percent(g, 20) ? 4 : 0);
    put(g, "*");
    if (unit[0] == 'L' && percent(g, 50)) {
        unsigned tenths = between(g, 11, 9999);
        put_decimal(g, tenths, 1);
        counted = tenths % 10 ? tenths : tenths / 10;
    } else {
        counted = percent(g, 70) ? between(g, 1, 60) : between(g, 61, 4800);
        put_number(g, counted, 0);
    }
    put(g, "*");
    put_text(g, unit);
    put(g, "*");
    price(g);
    put(g, "*");
    put_one(g, bases);
    if (percent(g, 80)) {
        put(g, "*UP*");
        put_item_code(g, "", prefix, item);
    } else if (percent(g, 50)) {
        put(g, "*EN*");
        put_item_code(g, "4", prefix, item);
    } else {
        put(g, "*UK*");
        put_item_code(g, "10", prefix, item);
    }
    put(g, "*IN*");
    put_number(g, 1000000u + item * 37u % 8999999u, 0);
    put(g, "*VN*");
    put_char(g, (char)('A' + item % 26));
    put_char(g, (char)('A' + item / 26 % 26));
    put(g, "-");
    put_number(g, item, 5);
    if (percent(g, 30))
        put(g, "/B");
    if (pairs == 4) {
        if (percent(g, 50)) {
            put(g, "*IZ*");
            put_one(g, sizes);
        } else {
            put(g, "*SK*");
            put_number(g, item * 11u + 7u, 8);
        }
    }
    segment_end(g);

    if (percent(g, 35)) {
        segment(g, "CTP**");
        put_one(g, ((const char *const[]){ "RTL", "MSR", "RES", "UCP" }));
        put(g, "*");
        price(g);
        segment_end(g);
    }

    segment(g, "PID*F*08***");
    put_one(g, kinds);
    put_one(g, things);
    put_one(g, extents);
    segment_end(g);
    if (percent(g, 40)) {
        segment(g, "PID*F*");
        put_one(g, ((const char *const[]){ "73", "75", "35" }));
        put(g, "***");
        put_one(g, colours);
        segment_end(g);
    }

    if (percent(g, 45)) {
        segment(g, "PO4*");
        put_number(g, between(g, 1, 144), 0);
        put(g, "*");
        put_decimal(g, between(g, 1, 640), 1);
        put(g, "*OZ");
        if (percent(g, 50)) {
            put(g, "*CTN*G*");
            put_decimal(g, between(g, 15, 4500), 1);
            put(g, "*LB*");
            put_decimal(g, between(g, 10, 900), 2);
            put(g, "*CF");
        }
        segment_end(g);
    }

    if (percent(g, 25)) {
        segment(g, "REF*");
        put_one(g, ((const char *const[]){ "CO", "LI", "CT" }));
        put(g, "*");
        put_number(g, pick(g, 100000000), 8);
        segment_end(g);
    }

    if (percent(g, 12)) {
        if (percent(g, 60)) {
            segment(g, "SAC*A*C310***");
            put_number(g, between(g, 25, 99999), 0);
            put(g, "*3*");
            put_decimal(g, between(g, 10, 3000), 2);
            put(g, "*****02***TRADE DISCOUNT");
        } else {
            segment(g, "SAC*C*D500***");
            put_number(g, between(g, 100, 25000), 0);
            put(g, "*******06***HANDLING, PER CASE");
        }
        segment_end(g);
    }

    if (percent(g, 20)) {
        order_line_sdq(g, unit, between(g, 2, 10));
        sdq++;
    }
    for (; line_bytes && bytes_so_far(g) - start < line_bytes && sdq < SDQ_MOST; sdq++)
        order_line_sdq(g, unit, 10);

    if (percent(g, 25)) {
        segment(g, "DTM*");
        put_one(g, ((const char *const[]){ "010", "002", "106" }));
        put(g, "*");
        put_date(g, ship_day + pick(g, 20));
        segment_end(g);
    }
    if (percent(g, 4)) {
        segment(g, "MSG*");
        put_one(g, messages);
        segment_end(g);
    }
    if (percent(g, 3))
        order_line_sln(g, prefix);
    return counted;
}

static void order_body(struct generator *g, uint64_t until, uint64_t line_bytes)
{
    unsigned prefix = between(g, 30000, 899999);
    unsigned ordered = pick(g, DAYS - 200);
    unsigned ship = ordered + between(g, 3, 60);
    unsigned lines = until ? LINES_MOST : between(g, 5, 35);
    uint64_t end = until ? until : g->size, hash = 0;
    unsigned line = 0;

    segment(g, "BEG*00*");
    put_one(g, ((const char *const[]){ "SA", "SA", "NE", "DS", "RL", "KN" }));
    put(g, "*");
    if (percent(g, 40))
        put(g, "PO-");
    put_number(g, pick(g, 1000000000), 8);
    put(g, "*");
    if (percent(g, 15))
        put_number(g, between(g, 1, 99), 3);
    put(g, "*");
    put_date(g, ordered);
    segment_end(g);

    segment(g, "CUR*BY*");
    put_one(g, ((const char *const[]){ "USD", "USD", "USD", "CAD" }));
    segment_end(g);

    segment(g, "REF*IA*");
    put_number(g, prefix, 6);
    segment_end(g);
    segment(g, "REF*DP*");
    put_number(g, between(g, 1, 999), 3);
    segment_end(g);
    if (percent(g, 30)) {
        segment(g, "REF*PD*SPRING '");
        put_number(g, between(g, 25, 27), 2);
        put(g, " PROMO");
        segment_end(g);
    }

    segment(g, "PER*BD*");
    put_one(g, persons);
    put(g, "*TE*");
    put_telephone(g);
    if (percent(g, 60)) {
        put(g, "*EM*buyer");
        put_number(g, between(g, 1, 400), 0);
        put(g, "@stores.example");
    }
    segment_end(g);

    segment(g, "FOB*");
    put_one(g, ((const char *const[]){ "PP", "CC", "DF" }));
    put_one(g, ((const char *const[]){ "*OR*FREIGHT PREPAID", "*DE", "*OR" }));
    segment_end(g);

    if (percent(g, 30)) {
        segment(g, "SAC*C*D240***");
        put_number(g, between(g, 500, 95000), 0);
        put(g, "*******06***FREIGHT");
        segment_end(g);
    }

    segment(g, "ITD*01*3*");
    if (percent(g, 60)) {
        put_decimal(g, between(g, 5, 40) * 5, 2);
        put_one(g, ((const char *const[]){ "**10**30", "**15**45", "**10**60*****NET 60 FROM INVOICE" }));
    } else {
        put_one(g, ((const char *const[]){ "****30", "****45*****NET 45", "****60" }));
    }
    segment_end(g);

    segment(g, "DTM*010*");
    put_date(g, ship);
    segment_end(g);
    segment(g, "DTM*002*");
    put_date(g, ship + between(g, 2, 14));
    if (percent(g, 25)) {
        put(g, "*");
        put_number(g, between(g, 6, 17), 2);
        put_one(g, ((const char *const[]){ "00", "30" }));
        put_one(g, ((const char *const[]){ "", "*ET", "*PT" }));
    }
    segment_end(g);
    segment(g, "DTM*037*");
    put_date(g, ship - 2);
    segment_end(g);
    segment(g, "DTM*038*");
    put_date(g, ship + 10);
    segment_end(g);

    segment(g, "TD5*O*2*");
    put_one(g, ((const char *const[]){ "UPSN*M*GROUND", "FDEG*M", "ABFS*M*LTL, CALL FIRST", "ODFL*LT", "CNWY*M*CON-WAY" }));
    segment_end(g);

    if (percent(g, 70)) {
        unsigned n = between(g, 1, 3);
        segment(g, "N9*L1*");
        put_number(g, between(g, 1, 9999), 0);
        put(g, "*SPECIAL INSTRUCTIONS");
        segment_end(g);
        while (n--) {
            segment(g, "MSG*");
            put_one(g, messages);
            segment_end(g);
        }
    }

    party(g, "ST", prefix);
    party(g, "BY", prefix);
    if (percent(g, 60))
        party(g, "BT", prefix);
    if (percent(g, 40))
        party(g, "VN", prefix);

    while (line < lines && (line == 0 || bytes_so_far(g) + 48 < end))
        hash += order_line(g, ++line, prefix, ship, line_bytes);

    segment(g, "CTT*");
    put_number(g, line, 0);
    put(g, "*");
    put_number(g, hash % 10000000000u, 0);
    segment_end(g);
}

/* --- 846, Inventory Inquiry/Advice --------------------------------------------- */

static uint64_t stock(struct generator *g, const char *state, unsigned most)
{
    unsigned n = percent(g, 12) ? 0 : between(g, 1, most);
    segment(g, "QTY*");
    put_text(g, state);
    put(g, "*");
    put_number(g, n, 0);
    put(g, "*EA");
    segment_end(g);
    return n;
}

/* A segment of a qualifier and a date. */
static void dated(struct generator *g, const char *start, unsigned day)
{
    segment(g, "DTM*");
    put_text(g, start);
    put(g, "*");
    put_date(g, day);
    segment_end(g);
}

static void stock_by_place(struct generator *g, unsigned day)
{
    unsigned n = between(g, 2, 7);
    while (n--) {
        segment(g, "SCH*");
        put_number(g, between(g, 0, 900), 0);
        put(g, "*EA*WH*");
        put_text(g, places[pick(g, sizeof places / sizeof places[0])].city);
        put(g, "*007*");
        put_date(g, day);
        segment_end(g);
    }
}

static void stock_by_lot(struct generator *g, unsigned day)
{
    unsigned n = between(g, 1, 3);
    segment(g, "LS*LOT");
    segment_end(g);
    while (n--) {
        segment(g, "REF*LT*L");
        put_number(g, pick(g, 1000000), 6);
        segment_end(g);
        dated(g, "036", day + between(g, 60, 180));
        if (percent(g, 40)) {
            segment(g, "N1*WH*");
            put_text(g, places[pick(g, sizeof places / sizeof places[0])].city);
            segment_end(g);
        }
    }
    segment(g, "LE*LOT");
    segment_end(g);
}

/* One LIN with what belongs to it. Returns the sum of its quantities. */
static uint64_t inventory_line(struct generator *g, unsigned number, unsigned prefix, unsigned day)
{
    unsigned item = pick(g, 100000);
    uint64_t sum;

    segment(g, "LIN*");
    put_number(g, number, 0);
    put(g, "*UP*");
    put_item_code(g, "", prefix, item);
    put(g, "*VN*");
    put_char(g, (char)('A' + item % 26));
    put_char(g, (char)('A' + item / 26 % 26));
    put(g, "-");
    put_number(g, item, 5);
    if (percent(g, 50)) {
        put(g, "*IN*");
        put_number(g, 1000000u + item * 37u % 8999999u, 0);
    }
    segment_end(g);
    if (percent(g, 80)) {
        segment(g, "PID*F*08***");
        put_one(g, kinds);
        put_one(g, things);
        put_one(g, extents);
        segment_end(g);
    }
    if (percent(g, 30)) {
        segment(g, "CTP**RTL*");
        price(g);
        segment_end(g);
    }
    if (percent(g, 10)) {
        segment(g, "REF*LT*L");
        put_number(g, pick(g, 1000000), 6);
        segment_end(g);
    }

    sum = stock(g, "33", percent(g, 10) ? 48000 : 900);
    if (percent(g, 20))
        dated(g, "007", day);
    if (percent(g, 30))
        stock_by_place(g, day);
    if (percent(g, 40))
        sum += stock(g, "17", 1200);
    if (percent(g, 6))
        stock_by_lot(g, day);
    if (percent(g, 30)) {
        sum += stock(g, "63", 2400);
        if (percent(g, 30)) {
            segment(g, "LDT*AF*");
            put_number(g, between(g, 3, 60), 0);
            put(g, "*DA");
            segment_end(g);
        }
        dated(g, "018", day + between(g, 3, 90));
    }
    if (percent(g, 15))
        sum += stock(g, percent(g, 50) ? "IQ" : "27", 300);
    if (percent(g, 5))
        sum += stock(g, percent(g, 50) ? "74" : "QH", 20);
    if (percent(g, 12)) {
        segment(g, "N1*WH*");
        put_text(g, places[pick(g, sizeof places / sizeof places[0])].city);
        put(g, "*92*");
        put_number(g, pick(g, 10000), 4);
        segment_end(g);
    }
    return sum;
}

/* A document of a given size takes as many items as that needs: beyond 10,000 more than the guide allows. */
static void inventory_body(struct generator *g, uint64_t until, uint64_t line_bytes)
{
    unsigned prefix = between(g, 30000, 899999), day = pick(g, DAYS - 200);
    unsigned lines = until ? UINT32_MAX : between(g, 5, 60), line = 0;
    uint64_t end = until ? until : g->size, hash = 0;

    (void)line_bytes;
    segment(g, "BIA*");
    put_one(g, ((const char *const[]){ "00", "00", "05", "04" }));
    put_one(g, ((const char *const[]){ "*SI*", "*SI*", "*DD*", "*MB*" }));
    put_number(g, pick(g, 1000000000), 8);
    put(g, "*");
    put_date(g, day);
    if (percent(g, 60)) {
        put(g, "*");
        put_number(g, between(g, 0, 23), 2);
        put_number(g, between(g, 0, 59), 2);
    }
    segment_end(g);
    dated(g, "007", day);
    segment(g, "REF*IA*");
    put_number(g, prefix, 6);
    segment_end(g);
    party(g, "VN", prefix);
    if (percent(g, 60))
        party(g, "WH", prefix);

    while (line < lines && (line == 0 || bytes_so_far(g) + 48 < end))
        hash += inventory_line(g, ++line, prefix, day);

    if (line > TOTAL_MOST)
        return;
    segment(g, "CTT*");
    put_number(g, line, 0);
    put(g, "*");
    put_number(g, hash % 10000000000u, 0);
    segment_end(g);
}

/* --- 856, Ship Notice --------------------------------------------------------- */

/* A node of the hierarchy; what stands below it is known beforehand. */
static unsigned node(struct generator *g, unsigned number, unsigned parent, char level, bool children)
{
    segment(g, "HL*");
    put_number(g, number, 0);
    put(g, "*");
    if (parent)
        put_number(g, parent, 0);
    put(g, "*");
    put_char(g, level);
    put(g, "*");
    put_char(g, children ? '1' : '0');
    segment_end(g);
    return number;
}

/* A serial shipping container code behind its application identifier. */
static void put_sscc(struct generator *g, unsigned prefix, unsigned serial)
{
    size_t start;
    put(g, "00");
    start = g->n;
    put(g, "00");
    put_number(g, prefix % 1000000, 6);
    put_number(g, serial, 9);
    put_char(g, check_digit(g->output + start, 17));
}

/* What lies in a carton. Returns the quantity. */
static unsigned shipped_item(struct generator *g, unsigned prefix)
{
    unsigned item = pick(g, 100000), quantity = between(g, 1, 144);

    segment(g, "LIN*");
    if (percent(g, 60))
        put_number(g, between(g, 1, 400), 0);
    put(g, "*UP*");
    put_item_code(g, "", prefix, item);
    put(g, "*VN*");
    put_char(g, (char)('A' + item % 26));
    put(g, "-");
    put_number(g, item, 5);
    if (percent(g, 15)) {
        put(g, "*LT*L2026-");
        put_number(g, item % 1000, 3);
    }
    segment_end(g);
    segment(g, "SN1**");
    put_number(g, quantity, 0);
    put_one(g, ((const char *const[]){ "*EA", "*EA", "*EA", "*CA" }));
    if (percent(g, 40)) {
        put(g, "**");
        put_number(g, quantity + pick(g, 12), 0);
        put(g, "*EA**AC");
    }
    segment_end(g);
    if (percent(g, 50)) {
        segment(g, "PID*F*08***");
        put_one(g, kinds);
        put_one(g, things);
        put_one(g, extents);
        segment_end(g);
    }
    return quantity;
}

/* Shipment, orders, pallets now and then, cartons, items. */
static void shipment_body(struct generator *g, uint64_t until, uint64_t line_bytes)
{
    unsigned prefix = between(g, 30000, 899999), nodes = 0, serial = 0, cartons = 0, carton = 0, items = 0, above = 0;
    unsigned order = 0, shipped = pick(g, DAYS - 200), most = until ? NODES_MOST : between(g, 12, 90);
    uint64_t end = until ? until : g->size, hash = 0;
    bool pallets = percent(g, 40);

    (void)line_bytes;
    segment(g, "BSN*00*");
    put_number(g, pick(g, 1000000000), 9);
    put(g, "*");
    put_date(g, shipped);
    put(g, "*");
    put_number(g, between(g, 6, 21), 2);
    put_one(g, ((const char *const[]){ "00", "15", "47" }));
    put(g, "*0001");
    segment_end(g);
    segment(g, "DTM*011*");
    put_date(g, shipped);
    segment_end(g);
    segment(g, "DTM*017*");
    put_date(g, shipped + between(g, 1, 9));
    segment_end(g);

    node(g, ++nodes, 0, 'S', true);
    segment(g, "TD1*CTN25*");
    put_number(g, between(g, 1, 400), 0);
    put(g, "****G*");
    put_decimal(g, between(g, 15, 45000), 1);
    put(g, "*LB");
    segment_end(g);
    segment(g, "TD5*O*2*");
    put_one(g, ((const char *const[]){ "UPSN*M*GROUND", "FDEG*M", "ABFS*M*LTL, CALL FIRST", "CNWY*M*CON-WAY" }));
    segment_end(g);
    segment(g, "REF*BM*");
    put_number(g, pick(g, 1000000000), 9);
    segment_end(g);
    party(g, "SF", prefix);
    party(g, "ST", prefix);

    /* the next of what is not full yet; whatever is begun gets at least one item */
    while (items == 0 || (nodes + 5 < most && bytes_so_far(g) + 400 < end)) {
        if (carton == 0) {
            if (cartons == 0) {
                order = node(g, ++nodes, 1, 'O', true);
                segment(g, "PRF*PO-");
                put_number(g, pick(g, 100000000), 8);
                put(g, "***");
                put_date(g, shipped > 9 ? shipped - 9 : 0);
                segment_end(g);
                cartons = between(g, 1, 40);
                above = order;
            }
            if (pallets && (above == order || percent(g, 10))) {
                above = node(g, ++nodes, order, 'T', true);
                segment(g, "MAN*GM*");
                put_sscc(g, prefix, ++serial);
                segment_end(g);
            }
            carton = node(g, ++nodes, above, 'P', true);
            cartons--;
            segment(g, "MAN*GM*");
            put_sscc(g, prefix, ++serial);
            segment_end(g);
        }
        node(g, ++nodes, carton, 'I', false);
        hash += shipped_item(g, prefix);
        items++;
        if (percent(g, 45))
            carton = 0;
    }

    segment(g, "CTT*");
    put_number(g, nodes, 0);
    put(g, "*");
    put_number(g, hash % 10000000000u, 0);
    segment_end(g);
}

/* --- What ORDERS and INVRPT share ---------------------------------------------- */

/* Text as EDIFACT has it: what separates is released. */
static void put_released(struct generator *g, const char *text)
{
    for (; *text; text++) {
        if (strchr("+:'?", *text))
            put_char(g, '?');
        put_char(g, *text);
    }
}

#define put_one_released(g, table) \
    put_released((g), (table)[pick((g), (unsigned)(sizeof(table) / sizeof(table)[0]))])

/* Names of the field have letters that are not ASCII; here they are Latin-1. */
static const char *const persons_abroad[] = {
    "J. M\xdcLLER", "Anna G\xf3mez", "DISPOSITION", "Chlo\xe9 Lef\xe8vre", "T. O'NEILL", "Order desk",
};
static const char *const streets_abroad[] = {
    "Hafenstr. 12", "Am Kai 5", "Industrieweg 118", "Rue de l'\xc9glise 3", "Stationsplein 40", "Harbour Road 7",
    "Via Roma 21", "Storgatan 8", "K\xf6nigsallee 77",
};
static const struct {
    const char *city, *postal, *country;
} places_abroad[] = {
    { "Hamburg", "20095", "DE" }, { "K\xf6ln", "50667", "DE" },     { "Bremen", "28195", "DE" },   { "Lyon", "69002", "FR" },
    { "Utrecht", "3511", "NL" },  { "Malm\xf6", "21119", "SE" },    { "Milano", "20121", "IT" },   { "Leeds", "LS1 4AP", "GB" },
    { "Graz", "8010", "AT" },     { "Li\xe8ge", "4000", "BE" },
};

/* FTX: a line of text has 70 characters. */
static void note_abroad(struct generator *g, const char *subject)
{
    const char *text = messages[pick(g, sizeof messages / sizeof messages[0])];
    char line[71];
    segment(g, "FTX+");
    put_text(g, subject);
    put(g, "+++");
    for (bool again = false; *text; again = true) {
        size_t n = strlen(text) < sizeof line - 1 ? strlen(text) : sizeof line - 1;
        memcpy(line, text, n);
        line[n] = 0;
        if (again)
            put(g, ":");
        put_released(g, line);
        text += n;
    }
    segment_end(g);
}

/* Thirteen digits: a GLN. */
static void put_gln(struct generator *g, unsigned prefix, unsigned number)
{
    put_item_code(g, "4", prefix, number);
}

static void dated_102(struct generator *g, const char *qualifier, unsigned day)
{
    segment(g, "DTM+");
    put_text(g, qualifier);
    put(g, ":");
    put_date(g, day);
    put(g, ":102");
    segment_end(g);
}

static void quantity(struct generator *g, const char *qualifier, uint64_t tenths, const char *unit)
{
    segment(g, "QTY+");
    put_text(g, qualifier);
    put(g, ":");
    put_decimal(g, tenths, 1);
    put(g, ":");
    put_text(g, unit);
    segment_end(g);
}

static void party_abroad(struct generator *g, const char *role, unsigned prefix, unsigned address)
{
    segment(g, "NAD+");
    put_text(g, role);
    put(g, "+");
    put_gln(g, prefix, pick(g, 1000));
    put(g, "::9");
    if (percent(g, address)) {
        unsigned i = pick(g, sizeof places_abroad / sizeof places_abroad[0]);
        put(g, "++");
        put_one_released(g, companies);
        put(g, "+");
        put_one_released(g, streets_abroad);
        put(g, "+");
        put_text(g, places_abroad[i].city);
        put(g, "++");
        put_text(g, places_abroad[i].postal);
        put(g, "+");
        put_text(g, places_abroad[i].country);
    }
    segment_end(g);
}

static void contact_abroad(struct generator *g)
{
    segment(g, "CTA+");
    put_one(g, ((const char *const[]){ "OC", "PD", "IC" }));
    put(g, "+:");
    put_one_released(g, persons_abroad);
    segment_end(g);
    segment(g, "COM+49");
    put_number(g, between(g, 10000000, 99999999), 0);
    put(g, ":TE");
    segment_end(g);
}

/* LIN with the item's numbers and its name. */
static void item_abroad(struct generator *g, unsigned number, unsigned prefix)
{
    unsigned item = pick(g, 100000);
    segment(g, "LIN+");
    put_number(g, number, 0);
    put(g, "++");
    put_item_code(g, "4", prefix, item);
    put(g, ":EN");
    segment_end(g);
    segment(g, "PIA+1+");
    put_char(g, (char)('A' + item % 26));
    put_char(g, (char)('A' + item / 26 % 26));
    put(g, "-");
    put_number(g, item, 5);
    put(g, ":SA");
    if (percent(g, 60)) {
        put(g, "+");
        put_number(g, 1000000u + item * 37u % 8999999u, 0);
        put(g, ":IN");
    }
    segment_end(g);
    if (percent(g, 85)) {
        segment(g, "IMD+F++:::");
        put_one_released(g, kinds);
        put_one_released(g, things);
        put_one_released(g, extents);
        segment_end(g);
    }
}

/* --- ORDERS -------------------------------------------------------------------- */

/* One LIN with what belongs to it. Returns its amount in hundredths. */
static uint64_t orders_line(struct generator *g, unsigned number, unsigned prefix, unsigned day, uint64_t line_bytes)
{
    static const char *const units[] = { "PCE", "PCE", "PCE", "PCE", "CT", "KGM" };
    const char *unit = units[pick(g, sizeof units / sizeof units[0])];
    uint64_t start = bytes_so_far(g);
    unsigned tenths, cents = between(g, 49, 9999), store = 0;

    item_abroad(g, number, prefix);
    if (percent(g, 40)) {
        segment(g, "IMD+C++CU::9");
        segment_end(g);
    }
    if (percent(g, 15)) {
        segment(g, "MEA+PD+AAL+KGM:");
        put_decimal(g, between(g, 1, 640), 1);
        segment_end(g);
    }
    tenths = unit[0] == 'K' ? between(g, 11, 9999) : (percent(g, 70) ? between(g, 1, 60) : between(g, 61, 4800)) * 10;
    quantity(g, "21", tenths, unit);
    if (percent(g, 30))
        quantity(g, "59", between(g, 1, 48) * 10, "PCE");
    if (percent(g, 25))
        dated_102(g, "2", day + pick(g, 20));
    if (percent(g, 60)) {
        segment(g, "MOA+203:");
        put_decimal(g, (uint64_t)tenths * cents / 10, 2);
        segment_end(g);
    }
    if (percent(g, 6))
        note_abroad(g, "LIN");
    segment(g, "PRI+AAA:");
    put_decimal(g, cents, 2);
    segment_end(g);
    if (percent(g, 25)) {
        segment(g, "PRI+AAE:");
        put_decimal(g, cents * 2, 2);
        put(g, ":CT:SRP:1:PCE");
        segment_end(g);
    }
    if (percent(g, 25)) {
        segment(g, "RFF+CT:");
        put_number(g, pick(g, 100000000), 8);
        segment_end(g);
    }
    if (percent(g, 15)) {
        segment(g, "PAC+");
        put_number(g, between(g, 1, 40), 0);
        put(g, "+1+CT");
        segment_end(g);
    }
    if (percent(g, 20))
        store = between(g, 2, 6);
    for (; store || (line_bytes && bytes_so_far(g) - start < line_bytes && store < SDQ_MOST); store -= store > 0) {
        segment(g, "LOC+7+");
        put_gln(g, prefix, pick(g, 1000));
        put(g, "::9");
        segment_end(g);
        quantity(g, "11", between(g, 1, 96) * 10, unit);
        if (percent(g, 30))
            dated_102(g, "2", day + pick(g, 20));
    }
    segment(g, "TAX+7+VAT+++:::");
    put_one(g, ((const char *const[]){ "19+S", "7+S", "0+E" }));
    segment_end(g);
    if (percent(g, 12)) {
        segment(g, "ALC+A++1++DI");
        segment_end(g);
        segment(g, "PCD+3:");
        put_decimal(g, between(g, 10, 3000), 2);
        segment_end(g);
    }
    return (uint64_t)tenths * cents / 10;
}

static void orders_body(struct generator *g, uint64_t until, uint64_t line_bytes)
{
    unsigned prefix = between(g, 300000, 899999), day = pick(g, DAYS - 200), line = 0;
    unsigned lines = until ? LINES_MOST : between(g, 5, 35);
    uint64_t end = until ? until : g->size, total = 0;

    segment(g, "BGM+220::9+");
    if (percent(g, 40))
        put(g, "PO-");
    put_number(g, pick(g, 1000000000), 8);
    put(g, "+9");
    segment_end(g);
    segment(g, "DTM+137:");
    put_date(g, day);
    put_number(g, between(g, 6, 21), 2);
    put_number(g, between(g, 0, 59), 2);
    put(g, ":203");
    segment_end(g);
    dated_102(g, "2", day + between(g, 3, 60));
    if (percent(g, 40))
        dated_102(g, "64", day + 3);
    if (percent(g, 50))
        note_abroad(g, "DEL");
    segment(g, "RFF+CT:K");
    put_number(g, pick(g, 100000), 5);
    segment_end(g);
    dated_102(g, "171", day);
    party_abroad(g, "BY", prefix, 80);
    segment(g, "RFF+VA:DE");
    put_number(g, between(g, 100000000, 999999999), 9);
    segment_end(g);
    contact_abroad(g);
    party_abroad(g, "SU", prefix, 30);
    segment(g, "RFF+IA:");
    put_number(g, prefix, 6);
    segment_end(g);
    party_abroad(g, "DP", prefix, 90);
    if (percent(g, 60))
        party_abroad(g, "IV", prefix, 60);
    segment(g, "CUX+2:EUR:9");
    segment_end(g);
    segment(g, "PAT+1++5:3:D:30");
    segment_end(g);
    if (percent(g, 40)) {
        segment(g, "PAT+22++5:3:D:10");
        segment_end(g);
        segment(g, "PCD+12:");
        put_decimal(g, between(g, 10, 40) * 5, 2);
        segment_end(g);
    }
    segment(g, "TDT+20++30+31");
    segment_end(g);
    segment(g, "TOD+3++");
    put_one(g, ((const char *const[]){ "DDP", "CIP", "EXW" }));
    segment_end(g);

    while (line < lines && (line == 0 || bytes_so_far(g) + 48 < end))
        total += orders_line(g, ++line, prefix, day, line_bytes);

    segment(g, "UNS+S");
    segment_end(g);
    segment(g, "MOA+79:");
    put_decimal(g, total, 2);
    segment_end(g);
    segment(g, "CNT+2:");
    put_number(g, line, 0);
    segment_end(g);
}

/* --- INVRPT -------------------------------------------------------------------- */

static void stock_abroad(struct generator *g, const char *state, unsigned prefix, unsigned day, unsigned more)
{
    quantity(g, state, percent(g, 12) ? 0 : between(g, 1, 900) * 10, "PCE");
    if (percent(g, more / 3)) {
        segment(g, "INV++");
        put_one(g, ((const char *const[]){ "1++1", "2", "4" }));
        segment_end(g);
    }
    if (percent(g, more / 2)) {
        segment(g, "GIN+BX+L");
        put_number(g, pick(g, 1000000), 6);
        segment_end(g);
    }
    if (percent(g, more)) {
        segment(g, "LOC+18+");
        put_gln(g, prefix, pick(g, 1000));
        put(g, "::9");
        segment_end(g);
    }
    if (percent(g, more / 2))
        dated_102(g, "361", day + between(g, 60, 180));
}

static void invrpt_line(struct generator *g, unsigned number, unsigned prefix, unsigned day)
{
    unsigned n = percent(g, 30) ? between(g, 2, 5) : 1;

    item_abroad(g, number, prefix);
    while (n--)
        stock_abroad(g, "145", prefix, day, 60);
    if (percent(g, 30)) {
        stock_abroad(g, "21", prefix, day, 0);
        dated_102(g, "44", day + between(g, 3, 90));
    }
    if (percent(g, 40))
        stock_abroad(g, "66", prefix, day, 10);
    if (percent(g, 15))
        stock_abroad(g, "83", prefix, day, 0);
}

/* A document of a given size takes as many items as that needs: beyond 9,999 more than the guide allows. */
static void invrpt_body(struct generator *g, uint64_t until, uint64_t line_bytes)
{
    unsigned prefix = between(g, 300000, 899999), day = pick(g, DAYS - 200);
    unsigned lines = until ? UINT32_MAX : between(g, 5, 60), line = 0;
    uint64_t end = until ? until : g->size;

    (void)line_bytes;
    segment(g, "BGM+35::9+INV-");
    put_number(g, pick(g, 1000000000), 8);
    put(g, "+9");
    segment_end(g);
    dated_102(g, "137", day);
    dated_102(g, "366", day);
    party_abroad(g, "BY", prefix, 30);
    party_abroad(g, "SU", prefix, 30);
    contact_abroad(g);
    if (percent(g, 60))
        party_abroad(g, "WH", prefix, 90);

    while (line < lines && (line == 0 || bytes_so_far(g) + 48 < end))
        invrpt_line(g, ++line, prefix, day);
}

/* --- The envelope of X12 ------------------------------------------------------ */

static void x12_document(struct generator *g, uint64_t number, uint64_t until, uint64_t line_bytes)
{
    g->segments = 0;
    segment(g, "ST*");
    put_text(g, g->type->set);
    put(g, "*");
    put_number(g, number, 4);
    segment_end(g);
    g->type->body(g, until, line_bytes);
    uint64_t segments = g->segments + 1;
    segment(g, "SE*");
    put_number(g, segments, 0);
    put(g, "*");
    put_number(g, number, 4);
    segment_end(g);
}

static void x12_file(struct generator *g, uint64_t seed)
{
    uint64_t control = seed % 1000000000, groups = 0, number = 0;
    bool more = true;

    segment(g, "ISA*00*          *00*          *ZZ*NORTHWIND      *12*6145550123     *261120*1200*U*00401*");
    put_number(g, control, 9);
    put(g, "*0*P*>");
    segment_end(g);

    while (more) {
        unsigned in_group = 0;
        groups++;
        segment(g, "GS*");
        put_text(g, g->type->functional);
        put(g, "*NORTHWIND*ACMECORP*20261120*1200*");
        put_number(g, groups, 0);
        put(g, "*X*004010");
        segment_end(g);
        while (more && in_group < g->group) {
            uint64_t until = 0, line_bytes = 0;
            if (g->documents) {
                uint64_t share = bytes_so_far(g) < g->size ? (g->size - bytes_so_far(g)) / (g->documents - number) : 0;
                until = bytes_so_far(g) + share;
                if (until == 0)
                    until = 1;
                /* More than the lines of one document can hold: longer lines. */
                if (share / (LINES_MOST - LINES_MOST / 20) > 150)
                    line_bytes = share / (LINES_MOST - LINES_MOST / 20);
            }
            in_group++;
            x12_document(g, ++number, until, line_bytes);
            /* A last document that would be too short for its own heading is not begun. */
            more = !g->failed && (g->documents ? number < g->documents : bytes_so_far(g) + 2000 < g->size);
        }
        segment(g, "GE*");
        put_number(g, in_group, 0);
        put(g, "*");
        put_number(g, groups, 0);
        segment_end(g);
    }

    segment(g, "IEA*");
    put_number(g, groups, 0);
    put(g, "*");
    put_number(g, control, 9);
    segment_end(g);
    flush(g);
}

/* --- The envelope of EDIFACT -------------------------------------------------- */

static void edifact_message(struct generator *g, uint64_t number, uint64_t until, uint64_t line_bytes)
{
    g->segments = 0;
    segment(g, "UNH+");
    put_number(g, number, 0);
    put(g, "+");
    put_text(g, g->type->set);
    put_text(g, g->type->functional);
    segment_end(g);
    g->type->body(g, until, line_bytes);
    uint64_t segments = g->segments + 1;
    segment(g, "UNT+");
    put_number(g, segments, 0);
    put(g, "+");
    put_number(g, number, 0);
    segment_end(g);
}

/* Groups are not used: all messages stand in one interchange. */
static void edifact_file(struct generator *g, uint64_t seed)
{
    uint64_t number = 0;
    bool more = true;

    segment(g, "UNA:+.? ");
    segment_end(g);
    segment(g, "UNB+UNOC:3+4012345000009:14+4098765000005:14+261120:1200+");
    put_number(g, seed % 1000000000, 0);
    segment_end(g);
    while (more) {
        uint64_t until = 0, line_bytes = 0;
        if (g->documents) {
            uint64_t share = bytes_so_far(g) < g->size ? (g->size - bytes_so_far(g)) / (g->documents - number) : 0;
            until = bytes_so_far(g) + share;
            if (until == 0)
                until = 1;
            if (share / (LINES_MOST - LINES_MOST / 20) > 200)
                line_bytes = share / (LINES_MOST - LINES_MOST / 20);
        }
        edifact_message(g, ++number, until, line_bytes);
        more = !g->failed && (g->documents ? number < g->documents : bytes_so_far(g) + 2000 < g->size);
    }
    segment(g, "UNZ+");
    put_number(g, number, 0);
    put(g, "+");
    put_number(g, seed % 1000000000, 0);
    segment_end(g);
    flush(g);
}

/* --- Arguments ---------------------------------------------------------------- */

static const struct type types[] = {
    { "850", "X12 004010 purchase orders", "850", "PO", false, order_body },
    { "846", "X12 004010 inventory reports", "846", "IB", false, inventory_body },
    { "856", "X12 004010 ship notices", "856", "SH", false, shipment_body },
    { "ORDERS", "EDIFACT D.96A purchase orders", "ORDERS", ":D:96A:UN:EAN008", true, orders_body },
    { "INVRPT", "EDIFACT D.96A inventory reports", "INVRPT", ":D:96A:UN:EAN004", true, invrpt_body },
};

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static void dates_init(struct generator *g)
{
    static const unsigned char lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    unsigned year = 2025, month = 0, day = 0;
    for (unsigned i = 0; i < DAYS; i++) {
        unsigned length = lengths[month] + (month == 1 && is_leap(year));
        unsigned value = year * 10000 + (month + 1) * 100 + day + 1;
        for (unsigned k = 8; k--; value /= 10)
            g->date[i][k] = (char)('0' + value % 10);
        if (++day == length) {
            day = 0;
            if (++month == 12)
                month = 0, year++;
        }
    }
}

/* 4096, 5k, 50m, 2g. False when it is none of these. */
static bool read_size(const char *text, uint64_t *size_r)
{
    uint64_t value = 0, unit = 1;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (value > (UINT64_C(1) << 40))
            return false;
        value = value * 10 + (uint64_t)(*p - '0');
    }
    if (p == text)
        return false;
    if (*p == 'k' || *p == 'K')
        unit = 1000, p++;
    else if (*p == 'm' || *p == 'M')
        unit = 1000000, p++;
    else if (*p == 'g' || *p == 'G')
        unit = 1000000000, p++;
    if (*p || value > (UINT64_C(1) << 44) / unit)
        return false;
    *size_r = value * unit;
    return true;
}

static int usage(void)
{
    fputs("usage: generate TYPE SIZE [SEED] [--one-document] [--documents N] [--group N] [--newline]\n"
          "SIZE: bytes, or with k, m, g: thousands, millions, thousands of millions\n"
          "TYPE:\n", stderr);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        fprintf(stderr, "  %-8s %s\n", types[i].name, types[i].title);
    return 64;
}

int main(int argc, char **argv)
{
    struct generator *g = calloc(1, sizeof *g);
    uint64_t seed = 1, value;
    int result = 64, words = 0;

    if (!g) {
        fputs("generate: no memory\n", stderr);
        return 75;
    }
    g->group = GROUP_MOST;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--one-document") == 0) {
            g->documents = 1;
        } else if (strcmp(word, "--newline") == 0) {
            g->newline = true;
        } else if (strcmp(word, "--documents") == 0 || strcmp(word, "--group") == 0) {
            if (++i == argc || !read_size(argv[i], &value) || value == 0 || value > 99999999) {
                usage();
                goto out;
            }
            if (word[2] == 'd')
                g->documents = value;
            else
                g->group = (unsigned)(value < GROUP_MOST ? value : GROUP_MOST);
        } else if (word[0] == '-') {
            usage();
            goto out;
        } else if (words == 0) {
            for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
                if (strcmp(types[k].name, word) == 0)
                    g->type = &types[k];
            words++;
        } else if (words == 1 && read_size(word, &g->size)) {
            words++;
        } else if (words == 2 && read_size(word, &seed)) {
            words++;
        } else {
            usage();
            goto out;
        }
    }
    if (!g->type || words < 2) {
        usage();
        goto out;
    }
    if (g->size < SMALL && !g->documents)
        g->documents = 1;
    g->random = seed * 0x2545f4914f6cdd1du;
    dates_init(g);
    if (g->type->edifact)
        edifact_file(g, seed);
    else
        x12_file(g, seed);
    result = 0;
    if (g->failed) {
        perror("generate: cannot write");
        result = 75;
    }

out:
    free(g);
    return result;
}
