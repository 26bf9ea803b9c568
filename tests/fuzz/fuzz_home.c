/*
 * Any bytes as waybill.conf: a home opens, with folders and times that make sense, or something is complained of.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "flow/home.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int condition)
{
    if (!condition)
        abort();
}

/* A folder with nothing but partners/, made once and removed at the end. */
static char folder[64], path[100], partners[100];

static void remove_folder(void)
{
    unlink(path);
    rmdir(partners);
    rmdir(folder);
}

static void make_folder(void)
{
    const char *in = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    snprintf(folder, sizeof(folder), "%s/fuzz-home-XXXXXX", in);
    require(mkdtemp(folder) != NULL);
    snprintf(partners, sizeof(partners), "%s/partners", folder);
    snprintf(path, sizeof(path), "%s/waybill.conf", folder);
    require(mkdir(partners, 0700) == 0);
    atexit(remove_folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct complaints c;
    struct home *home = NULL;
    struct err err = { 0 };
    FILE *f;
    int rc;

    if (!folder[0])
        make_folder();
    f = fopen(path, "w");
    require(f != NULL);
    require(fwrite(data, 1, size, f) == size);
    require(fclose(f) == 0);
    complaints_init(&c);
    rc = home_open(folder, folder, &c, &home, &err);
    require((rc == 0) == (home != NULL));
    /* a folder that it names need not be there */
    require(rc != ERR_CONFIG || c.count > 0);
    if (home) {
        const struct home_settings *s = home_settings(home);
        require(*s->partners && *s->keys && *s->spool && *s->maps);
        require(s->settle <= UINT64_C(86400) * 1000000000);
    }
    home_close(&home);
    complaints_deinit(&c);
    return 0;
}
