/* waybill init DIR: a home for an appliance: folders, a commented waybill.conf, and an example partner who is switched
 * off. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/spool.h"
#include "flow/folder.h"

static const char conf[] =
    "# waybill.conf: where things are. Paths are relative to this folder; what is commented out says what holds anyway.\n"
    "\n"
    "# partners        partners        # a file for each partner; `waybill partner keywords` lists what may stand in one\n"
    "# keys            keys            # private keys and certificates\n"
    "# spool           spool           # all that arrived and left; in/PARTNER and out/PARTNER are its doors\n"
    "# maps            /usr/share/waybill/maps     # guides, maps and record schemas\n"
    "\n"
    "# settle          2s              # a file at a door is taken when it has rested for so long\n"
    "# bundle-members  10000           # the most that a zip, tar or 7z may hold\n"
    "# bundle-size     4G              # and the most that it may become\n";

static const char example[] =
    "# An example, switched off. Copy it, name the copy after your partner, and take the line `off` away.\n"
    "#\n"
    "# Files that the partner brings are put into spool/in/example, files for him are found in spool/out/example.\n"
    "# `waybill partner keywords` lists all that may stand here; `waybill partner check` tells what is wrong.\n"
    "\n"
    "partner example \"Example Retail\"\n"
    "  off\n"
    "  is        retailer\n"
    "  x12       ZZ:EXAMPLE        us ZZ:OURSELVES\n"
    "    group EXAMPLE us OURSELVES  version 004010  usage test\n"
    "    separators * > ~ newline\n"
    "  receive   850 as order      to erp\n"
    "  send      856 from shipment by folder\n"
    "  acknowledge 997\n"
    "  expect    997 within 24h\n"
    "\n"
    "# One who speaks EDIFACT, here EANCOM 97, has these lines instead:\n"
    "#\n"
    "# edifact   14:4012345000009  us 14:4098765000005\n"
    "#   charset UNOC  syntax 3  version D.96A\n"
    "#   message DESADV association EAN005\n"
    "# receive   ORDERS as order           to erp\n"
    "# receive   INVRPT as inventory       to erp\n"
    "# send      DESADV from shipment      by folder\n"
    "# acknowledge contrl\n"
    "# expect    contrl within 24h\n";

static const char erp[] =
    "# A system of our own is a partner like any other: what it is to get, and what it brings.\n"
    "# Records are JSON, one a line; their schemas lie in the maps folder (records/*.schema.json).\n"
    "\n"
    "partner erp \"Our ERP\"\n"
    "  is        erp\n"
    "  receive   order     by folder       # it finds orders in spool/out/erp\n"
    "  receive   inventory by folder\n"
    "  send      shipment  from folder     # and puts shipments into spool/in/erp; their `partner` says whom they are for\n"
    "  takes tests\n";

static int make_folder(const char *folder, const char *name, mode_t mode, struct err *err)
{
    char path[4096];

    if ((size_t)snprintf(path, sizeof(path), "%s%s%s", folder, *name ? "/" : "", name) >= sizeof(path))
        return err_set(err, ERR_USAGE, "%s: the path is too long", folder);
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return err_system(err, "%s", path);
    return 0;
}

/* All of it, or nothing. One that is there already stays as it is. */
static int make_file(const char *folder, const char *name, const char *text, struct err *err)
{
    int fd, rc = folder_open(AT_FDCWD, folder, &fd, err);

    if (rc < 0)
        return rc;
    rc = folder_write_file(fd, name, 0640, slice_of(text), err);
    close(fd);
    return rc < 0 ? rc : 0;
}

int command_init(struct command_context *c)
{
    static const struct {
        const char *name;
        mode_t mode;
    } folders[] = { { "", 0750 }, { "partners", 0750 }, { "maps", 0750 }, { "keys", 0700 }, { "spool", 0750 } };
    const char *folder = c->argument[0];
    const struct store_options store = { .write = true, .who = "init" };
    struct store *ledger = NULL;
    struct err err = { 0 };
    char spool[4096], partners[4096];
    int rc = 0;

    if ((size_t)snprintf(partners, sizeof(partners), "%s/partners", folder) >= sizeof(partners))
        rc = err_set(&err, ERR_USAGE, "%s: the path is too long", folder);
    snprintf(spool, sizeof(spool), "%s/waybill.conf", folder);
    if (rc == 0 && access(spool, F_OK) == 0)
        rc = err_set(&err, ERR_USAGE, "%s: is a home already", folder);
    snprintf(spool, sizeof(spool), "%s/spool", folder);

    for (unsigned i = 0; rc == 0 && i < sizeof(folders) / sizeof(folders[0]); i++)
        rc = make_folder(folder, folders[i].name, folders[i].mode, &err);
    if (rc == 0)
        rc = make_file(partners, "example.conf", example, &err);
    if (rc == 0)
        rc = make_file(partners, "erp.conf", erp, &err);
    if (rc == 0)
        rc = objects_make(spool, &err);
    if (rc == 0)
        rc = store_open(spool, &store, &ledger, &err);
    store_close(&ledger);
    /* the last one, for it makes a home of the folder */
    if (rc == 0)
        rc = make_file(folder, "waybill.conf", conf, &err);
    if (rc < 0)
        return command_fail(c, &err);
    printer_printf(c->out, "%s is a home now. Its partners are in %s/partners: example.conf shows how one is written.\n"
                   "`waybill run --once --home %s` works through what lies in %s/spool/in.\n",
                   folder, folder, folder, folder);
    return EXIT_CODE_OK;
}
