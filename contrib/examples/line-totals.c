/* line-totals MAPS FILE: the lines of the orders in an X12 file, and what each comes to, exactly.
 *
 *     cc line-totals.c $(pkg-config --cflags --libs waybill) -o line-totals
 *     ./line-totals "$(pkg-config --variable=mapsdir waybill)" order.edi
 */
#include <inttypes.h>
#include <stdio.h>
#include <waybill.h>

static int show_order(void *ctx, const struct waybill_value *order)
{
    (void)ctx;
    printf("order %s%s\n", waybill_text(order, "number"), waybill_items(order, "rejected") ? " (refused)" : "");
    for (const struct waybill_value *line = waybill_first(order, "lines"); line; line = waybill_next(line)) {
        const char *item = waybill_text(line, "items[0].id"), *price = waybill_text(line, "unit_price");
        int64_t x = 0, y = 0, total, unit = 1;
        int x_places = 0, y_places = 0;
        printf("  %-14s %8s %s at %s", item ? item : "", waybill_text(line, "quantity"), waybill_text(line, "unit"),
               price ? price : "no price");
        if (waybill_decimal(line, "quantity", &x, &x_places) == 0 &&
            waybill_decimal(line, "unit_price", &y, &y_places) == 0 && !__builtin_mul_overflow(x, y, &total)) {
            for (int i = 0; i < x_places + y_places; i++)
                unit *= 10;
            printf(" = %s%" PRId64, total < 0 ? "-" : "", (total < 0 ? -total : total) / unit);
            if (unit > 1)
                printf(".%0*" PRId64, x_places + y_places, (total < 0 ? -total : total) % unit);
        }
        putchar('\n');
    }
    return 0;
}

static int show_finding(void *name, const struct waybill_finding *finding)
{
    const char *text = waybill_finding_text(finding, name);
    return fputs(text ? text : "out of memory\n", stderr) < 0;
}

int main(int argc, char **argv)
{
    struct waybill_error error = { WAYBILL_USAGE, "usage: line-totals MAPS FILE" };
    struct waybill *waybill = NULL;
    struct waybill_reader *reader = NULL;
    FILE *file = argc == 3 ? fopen(argv[2], "rb") : NULL;
    char bytes[16384];
    int rc = file ? waybill_new(argv[1], &waybill, &error) : WAYBILL_USAGE, bad = 1;
    if (rc == 0 && (rc = waybill_reader_new(waybill, &reader, &error)) == 0) {
        waybill_reader_on_record(reader, show_order, NULL);
        waybill_reader_on_finding(reader, show_finding, argv[2]);
        for (size_t n; rc == 0 && (n = fread(bytes, 1, sizeof(bytes), file)) > 0;)
            rc = waybill_reader_feed(reader, bytes, n, &error);
        if (rc == 0 && (rc = waybill_reader_end(reader, &error)) == 0)
            bad = waybill_reader_count(reader, WAYBILL_ERRORS) > 0;
    }
    if (rc)
        fprintf(stderr, "line-totals: %s\n", error.text);
    waybill_reader_free(&reader);
    waybill_free(&waybill);
    return bad;
}
