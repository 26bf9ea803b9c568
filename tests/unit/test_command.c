/* command: the tables, the parser, and each command with memory running out at any moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"
#include "cli/command.h"
#include "cli/maps.h"
#include "failing_malloc.h"

static const char order[] =
    "ISA*00*          *00*          *ZZ*NORTHWIND      *ZZ*ACMECORP       *260115*1230*U*00401*000000905*0*T*>~\n"
    "GS*PO*NWPO*ACME*20260115*1230*17*X*004010~\n"
    "ST*850*0001~\n"
    "BEG*00*SA*PO-1001**20260115~\n"
    "PO1*1*10*EA*9.50**UP*012345678905~\n"
    "CTT*1~\n"
    "SE*5*0001~\n"
    "GE*1*17~\n"
    "IEA*1*000000905~\n";

static const char other_order[] =
    "ISA*00*          *00*          *ZZ*NORTHWIND      *ZZ*ACMECORP       *260115*1230*U*00401*000000906*0*P*>~\n"
    "GS*PO*NWPO*ACME*20260115*1230*17*X*004010~\n"
    "ST*850*0001~\n"
    "BEG*00*SA*PO-1001**20260115~\n"
    "REF*DP*7~\n"
    "PO1*1*12*EA*9.50**UP*012345678905~\n"
    "PO1*2*12*EA*9.50**UP*012345678912~\n"
    "CTT*2~\n"
    "SE*7*0001~\n"
    "ST*850*0002~\n"
    "BEG*00*SA*PO-1002**20260115~\n"
    "PO1*1*12*EA*9.50**UP*012345678905~\n"
    "SE*4*0002~\n"
    "GE*2*17~\n"
    "IEA*1*000000906~\n";

static const char record[] = "{\"record\":\"order\",\"version\":1,\"number\":\"PO-1001\",\"unmapped\":[{\"path\":"
                             "\"REF.REF02\",\"value\":\"7\"}],\"source\":{\"standard\":\"x12\",\"version\":"
                             "\"004010\",\"set\":\"850\"},\"lines\":[{\"number\":\"1\"}]}\n";

static const char other_record[] = "{\"record\":\"order\",\"version\":1,\"number\":\"PO-1001\",\"lines\":[{\"number\":"
                                   "\"2\",\"quantity\":\"12\"},{\"number\":\"3\"}]}\n";

static const char delta[] = "guide northwind/850 from x12/004010/850\n"
                            "  BEG02 only SA DS\n"
                            "  N1[ST].N104 length 13 13\n";
static const char small_delta[] = "guide northwind/997 from x12/004010/997\n"
                                  "  AK101 only PO\n";

static void test_tables_are_sound(void **state)
{
    (void)state;
    for (const struct command *row = commands; row->name; row++) {
        unsigned n = 0;
        for (const struct command *other = commands; other != row; other++)
            assert_string_not_equal(row->name, other->name);
        assert_true(row->run ? !appliance_has(row->name) : appliance_has(row->name));
        assert_non_null(row->arguments);
        assert_true(row->max >= row->min);
        assert_true(strlen(row->help) > 0 && strlen(row->help) < 70);
        assert_true(strlen(row->description) > 0);
        while (row->option[n] != OPTION_HELP) {
            /* two may have one name, but not in one command */
            for (unsigned k = 0; k < n; k++)
                assert_string_not_equal(options[row->option[n]].name, options[row->option[k]].name);
            assert_true(++n < COMMAND_OPTIONS);
        }
        for (unsigned i = 0; i < COMMAND_EXAMPLES && row->example[i].line; i++) {
            /* each example is of this command, and is explained */
            char start[64];
            snprintf(start, sizeof(start), "waybill %s", row->name);
            assert_memory_equal(row->example[i].line, start, strlen(start));
            assert_non_null(row->example[i].words);
        }
    }
    for (unsigned i = 0; i < OPTIONS; i++) {
        bool used = false;
        assert_non_null(options[i].name);
        assert_non_null(options[i].help);
        for (const struct command *row = commands; row->name && !used; row++)
            for (unsigned k = 0; k < COMMAND_OPTIONS; k++) {
                used |= row->option[k] == (enum option_id)i;
                if (row->option[k] == OPTION_HELP)
                    break;
            }
        assert_true(used);
    }
}

static void test_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(exit_code_worse(0, 0), 0);
    assert_int_equal(exit_code_worse(0, EXIT_CODE_DATA), EXIT_CODE_DATA);
    assert_int_equal(exit_code_worse(EXIT_CODE_UNAVAILABLE, EXIT_CODE_DATA), EXIT_CODE_UNAVAILABLE);
    assert_int_equal(exit_code_worse(EXIT_CODE_DATA, EXIT_CODE_CONFIG), EXIT_CODE_CONFIG);
    assert_int_equal(exit_code_of(0), 0);
    assert_int_equal(exit_code_of(ERR_NOMEM), EXIT_CODE_LATER);
    assert_int_equal(exit_code_of(ERR_CONFIG), EXIT_CODE_CONFIG);
    assert_int_equal(exit_code_of(ERR_DATA), EXIT_CODE_DATA);
    assert_int_equal(exit_code_of(ERR_MISSING), EXIT_CODE_UNAVAILABLE);
}

/* A file with these bytes, open and without a name. */
static int temporary(const char *text)
{
    char name[] = "/tmp/waybill-test-XXXXXX";
    int fd = mkstemp(name);

    assert_true(fd >= 0);
    unlink(name);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

struct line {
    const char *word[8];        /* behind "waybill" */
    const char *input;          /* standard input */
    int expected;
};

/* Runs a command line with its output thrown away; what failed to be written counts as an error. */
static int run_line(void *arg)
{
    const struct line *line = arg;
    char *argv[10] = { (char *)(uintptr_t)"waybill" };
    struct progress progress = { .on = false };
    struct printer out, err;
    int argc = 1, code, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    assert_true(null >= 0);
    for (unsigned i = 0; line->word[i]; i++)
        argv[argc++] = (char *)(uintptr_t)line->word[i];
    if (line->input)
        assert_int_equal(lseek(0, 0, SEEK_SET), 0);
    printer_init(&out, null, &progress);
    printer_init(&err, null, &progress);
    code = command_main(argc, argv, &out, &err, &progress, command_appliance);
    printer_flush(&out);
    printer_flush(&err);
    if (code == 0 && (printer_failed(&out) || printer_failed(&err)))
        code = EXIT_CODE_LATER;
    printer_deinit(&out);
    printer_deinit(&err);
    close(null);
    return code == line->expected ? 0 : code ? code : -1;
}

static void test_memory_may_run_out(void **state)
{
    static const struct line lines[] = {
        { { "check", "-" }, order, 0 },
        { { "check", "--json", "--guide", "DELTA", "-" }, order, 0 },
        { { "explain", "-" }, order, 0 },
        { { "guide", "show", "x12/004010/850", "BEG", "--codes" }, NULL, 0 },
        { { "guide", "show", "DELTA" }, NULL, 0 },
        { { "guide", "list" }, NULL, 0 },
        { { "guide", "check", "DELTA" }, NULL, 0 },
        { { "guide", "document", "SMALL" }, NULL, 0 },
        { { "guide", "document", "--format", "html", "--codes", "x12/004010/997" }, NULL, 0 },
        { { "diff", "--by", "guide", "--numbers", "-", "OTHER" }, order, EXIT_CODE_DIFFERENT },
        { { "diff", "--json", "RECORD", "-" }, other_record, EXIT_CODE_DIFFERENT },
        { { "help" }, NULL, 0 },
        { { "help", "--man" }, NULL, 0 },
        { { "help", "findings" }, NULL, 0 },
        { { "help", "check" }, NULL, 0 },
    };
    static const struct {
        const char *name, *text;
    } files[] = { { "DELTA", delta }, { "OTHER", other_order }, { "RECORD", record }, { "SMALL", small_delta } };
    enum { FILES = sizeof(files) / sizeof(files[0]) };
    char path[FILES][64];
    int file[FILES], stdin_kept = dup(0);

    (void)state;
    for (unsigned i = 0; i < FILES; i++) {
        file[i] = temporary(files[i].text);
        snprintf(path[i], sizeof(path[i]), "/proc/self/fd/%d", file[i]);
    }
    for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct line line = lines[i];
        if (line.input) {
            int fd = temporary(line.input);
            assert_int_equal(dup2(fd, 0), 0);
            close(fd);
        }
        for (unsigned k = 0; line.word[k]; k++)
            for (unsigned f = 0; f < FILES; f++)
                if (strcmp(line.word[k], files[f].name) == 0)
                    line.word[k] = path[f];
        assert_true(fail_each_allocation(run_line, &line) > 0);
    }
    assert_int_equal(dup2(stdin_kept, 0), 0);
    close(stdin_kept);
    for (unsigned i = 0; i < FILES; i++)
        close(file[i]);
}

static int list_guides(void *arg)
{
    struct maps_list list;
    int rc = maps_list_read(arg, ".guide", &list, NULL);

    if (rc == 0)
        maps_list_free(&list);
    return rc;
}

static void test_lists_of_maps(void **state)
{
    char *maps = getenv("WAYBILL_MAPS");
    struct maps_list list;
    struct err err;

    (void)state;
    assert_int_equal(maps_list_read(maps, ".guide", &list, &err), 0);
    assert_true(list.n > 3);
    for (size_t i = 1; i < list.n; i++)
        assert_true(strcmp(list.name[i - 1], list.name[i]) < 0);
    maps_list_free(&list);
    assert_true(fail_each_allocation(list_guides, maps) > 3);
    assert_true(maps_list_read("/nowhere/at/all", ".guide", &list, &err) < 0);
    assert_false(maps_is_guide("x12/004010/segments"));
    assert_true(maps_is_guide("x12/004010/850"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_are_sound),
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_memory_may_run_out),
        cmocka_unit_test(test_lists_of_maps),
    };
    const char *maps = getenv("WAYBILL_MAPS_DIR");

    setenv("WAYBILL_MAPS", maps ? maps : "maps", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
