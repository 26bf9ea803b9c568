/* limits: every ceiling of Waybill in one place. Bytes unless said. */
#ifndef WAYBILL_BASE_LIMITS_H
#define WAYBILL_BASE_LIMITS_H

#define LIMIT_CONFIG_FILE (16u << 20)      /* one guide, map, table or partner file */
#define LIMIT_LOOKUP (256u << 20)          /* one table of comma-separated values */
#define LIMIT_LINE_WORDS 4096u             /* words on one line of such a file */
#define LIMIT_LINE_DEPTH 32u               /* blocks inside blocks */
#define LIMIT_COMPLAINTS 100u              /* errors reported for one file, then "and more" */
#define LIMIT_CHUNK (128u << 10)           /* input read and indexed at a time */
#define LIMIT_SEGMENT (4u << 20)           /* one segment, binary ones excepted */
#define LIMIT_ELEMENTS 100u                /* elements in one segment */
#define LIMIT_LOOP_DEPTH 24u               /* loops inside loops */
#define LIMIT_FINDINGS 10000u              /* findings kept for one document's acknowledgment */
#define LIMIT_DOCUMENTS 1000000u           /* documents in one transmission of the appliance */
#define LIMIT_FINDINGS_KEPT 100000u        /* findings kept of one transmission of the appliance, then "and more" */
#define LIMIT_ITEM (64u << 20)             /* what one item of a record's arrays may gather in memory */
#define LIMIT_RECORD_DEPTH 64u             /* objects and arrays inside each other */
#define LIMIT_RECORD_MEMORY (8u << 20)     /* a record is read whole up to here, from a file beyond */
#define LIMIT_RECORD_FILE (1ull << 40)     /* and this is the most that file may hold */
#define LIMIT_ACKNOWLEDGMENT (64u << 20)   /* an acknowledgment before it is written */
#define LIMIT_SPOOL_SEGMENT (64u << 20)    /* a segment of the spool is left for another from here on */
#define LIMIT_BUNDLE_MEMBERS 10000u        /* in one bundle, folders included */
#define LIMIT_BUNDLE_TOTAL (8ull << 30)    /* what they hold, all together */
#define LIMIT_BUNDLE_RATIO 250u            /* and that, measured by the bundle's own size, */
#define LIMIT_BUNDLE_FREE (1u << 20)       /* from here on */
#define LIMIT_BUNDLE_NAME 1000u            /* a member's path */
#define LIMIT_RUN_MEMORY (2ull << 30)      /* of waybill run, libraries included */
#define LIMIT_BUNDLE_CONTENTS (16u << 20)  /* a bundle's table of contents */

#endif
