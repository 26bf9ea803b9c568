/*
 * The version of the library as an embedder asks for it.
 *
 * This room holds what include/waybill.h promises, by means of the rooms
 * below it. It never opens a configuration, never prints, never exits and
 * keeps no state of its own.
 */
#include "config.h"

#include "waybill.h"

const char *waybill_version(void)
{
    return PACKAGE_VERSION;
}
