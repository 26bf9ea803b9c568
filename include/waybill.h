/*
 * waybill.h: Waybill's translator as a library, and the only header an
 * embedder needs.
 *
 * The library opens no configuration and no spool on its own, keeps no global
 * state, never prints and never exits.
 */
#ifndef WAYBILL_H
#define WAYBILL_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define WAYBILL_API __attribute__((visibility("default")))
#else
#define WAYBILL_API
#endif

/* The version of the library, such as "0.1.0". Never freed by the caller. */
WAYBILL_API const char *waybill_version(void);

#ifdef __cplusplus
}
#endif

#endif
