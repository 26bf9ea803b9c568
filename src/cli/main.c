/*
 * waybill: the command line. Only this file may exit.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "waybill.h"

enum { EXIT_CODE_USAGE = 64 };

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("waybill %s\n", waybill_version());
        return 0;
    }
    fputs("usage: waybill --version\n", stderr);
    return EXIT_CODE_USAGE;
}
