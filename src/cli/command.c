/*
 * command: see command.h. The table of commands, the table of options, and the parser that both feed.
 *
 * Nothing is kept between two runs; strings given to commands are those of argv.
 */
#include "cli/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/complain.h"

const struct exit_code_row exit_codes[] = {
    { EXIT_CODE_OK, "everything is right; warnings may have been given" },
    { EXIT_CODE_DIFFERENT, "of diff: the two files say different things" },
    { EXIT_CODE_USAGE, "the command line is wrong" },
    { EXIT_CODE_DATA, "a document or record is wrong; what is wrong has been said" },
    { EXIT_CODE_UNAVAILABLE, "a file cannot be read or written; the other files were worked on" },
    { EXIT_CODE_LATER, "for now: there is no memory; the same may succeed later" },
    { EXIT_CODE_CONFIG, "a guide, map or partner file is wrong or missing" },
    { 0, NULL },
};

const struct option_row options[OPTIONS] = {
    [OPTION_ALLOW] = { "allow", "NAME,…", COMPLETES_ALLOW, false,
                       "take these findings as warnings; `waybill help findings` lists the names" },
    [OPTION_STRICT] = { "strict", NULL, COMPLETES_NOTHING, false,
                        "take warnings as errors, except what --allow names" },
    [OPTION_GUIDE] = { "guide", "FILE", COMPLETES_FILE, false,
                       "a partner's guide, or one of the maps folder by its id; it goes before the standard's guide for its set" },
    [OPTION_PARTNER] = { "partner", "FILE", COMPLETES_FILE, false, "the partner file that says how this partner is" },
    [OPTION_MAP] = { "map", "MAP", COMPLETES_MAP, false, "the map, by its name (x12/850-order) or its file" },
    [OPTION_TO] = { "to", "x12|edifact|json|KIND", COMPLETES_NOTHING, false,
                    "what to make: documents, records, or records of another kind; otherwise the input decides, or --control "
                    "or --date" },
    [OPTION_VERSION] = { "version", "VERSION", COMPLETES_NOTHING, false,
                         "the version of what is written: 005010, or a directory such as d96a or d96a-ean008; otherwise the "
                         "partner's, or the one that the record came in" },
    [OPTION_SENDER_ID] = { "sender", "QUALIFIER:ID", COMPLETES_NOTHING, false,
                           "who sends what is written, such as 14:4012345000009; otherwise as the record came" },
    [OPTION_RECEIVER_ID] = { "receiver", "QUALIFIER:ID", COMPLETES_NOTHING, false, "and who receives it" },
    [OPTION_SYNTAX] = { "syntax", "SET:VERSION", COMPLETES_NOTHING, false,
                        "character set and syntax version of EDIFACT, such as UNOA:2; otherwise as the record came, or UNOC:3" },
    [OPTION_UNA] = { "una", "CHARACTERS|none", COMPLETES_NOTHING, false,
                     "the delimiters of EDIFACT as a UNA has them, such as \":+,? '\", with the decimal mark; none: the usual "
                     "ones, without a UNA" },
    [OPTION_CONTROL] = { "control", "NUMBER,…", COMPLETES_NOTHING, false,
                         "the first control number of what is written: the interchange's, then the group's and the "
                         "document's where they are others" },
    [OPTION_SET] = { "set", "997|999|contrl|contrl-2-2", COMPLETES_NOTHING, false,
                     "the acknowledgment to write; otherwise the one that the partner file names, or a 997; contrl: that of "
                     "EDIFACT in its usual version" },
    [OPTION_DATE] = { "date", "DATE", COMPLETES_NOTHING, false,
                      "date and time of what is written, such as 2026-11-20T15:30; otherwise now" },
    [OPTION_THREADS] = { "threads", "NUMBER", COMPLETES_NOTHING, false,
                         "work on that many documents at once; otherwise as many as there are processors" },
    [OPTION_TRANSMISSION] = { "transmission", "ID", COMPLETES_NOTHING, false,
                              "the correlation id that records carry as `transmission`" },
    [OPTION_RECALL] = { "recall", "FILE", COMPLETES_FILE, false,
                        "earlier records that the map may look back at, such as the orders that shipments answer" },
    [OPTION_BY] = { "by", "record|guide", COMPLETES_NOTHING, false,
                    "compare records, or segments at their places in the guide; otherwise records where there is "
                    "a map" },
    [OPTION_NUMBERS] = { "numbers", NULL, COMPLETES_NOTHING, false,
                         "compare the control numbers and times of the envelopes, too" },
    [OPTION_FORMAT] = { "format", "markdown|html", COMPLETES_NOTHING, false, "what to write; otherwise markdown" },
    [OPTION_SEGMENTS] = { "segments", NULL, COMPLETES_NOTHING, false,
                          "show the elements and notes of every segment" },
    [OPTION_CODES] = { "codes", NULL, COMPLETES_NOTHING, false, "show the codes of every element, too" },
    [OPTION_JSON] = { "json", NULL, COMPLETES_NOTHING, false, "print JSON instead of text, one object a line" },
    [OPTION_COLOR] = { "color", "auto|always|never", COMPLETES_NOTHING, false,
                       "colour; auto: on a terminal, unless NO_COLOR is set" },
    [OPTION_MAPS] = { "maps", "FOLDER", COMPLETES_FOLDER, false, "where guides, maps and record schemas are" },
    [OPTION_HOME] = { "home", "FOLDER", COMPLETES_FOLDER, false,
                      "the appliance's home; otherwise WAYBILL_HOME, or /etc/waybill" },
    [OPTION_ONCE] = { "once", NULL, COMPLETES_NOTHING, false, "work until there is nothing to do, and end" },
    [OPTION_OF_PARTNER] = { "partner", "NAME", COMPLETES_NOTHING, false, "only what came from this partner or goes to him" },
    [OPTION_STATE] = { "state", "STATE", COMPLETES_NOTHING, false, "only what is in this state; several times for several" },
    [OPTION_FROM] = { "from", "DATE", COMPLETES_NOTHING, false, "only since then: 2026-11-21 or 2026-11-21T08:30" },
    [OPTION_UNTIL] = { "until", "DATE", COMPLETES_NOTHING, false, "only before then" },
    [OPTION_LIMIT] = { "limit", "NUMBER", COMPLETES_NOTHING, false, "so many at most; otherwise 50; 0: all" },
    [OPTION_REASON] = { "reason", "WORDS", COMPLETES_NOTHING, false, "why: it stands in the log" },
    [OPTION_RECEIVER] = { "receiver", "PARTNER", COMPLETES_NOTHING, false,
                          "who gets the document, whatever the partner files say" },
    [OPTION_FILE] = { "file", "FILE", COMPLETES_FILE, false, "bytes that were mended by hand, in place of those that came" },
    [OPTION_ALL] = { "all", NULL, COMPLETES_NOTHING, false, "hand over again also what was recorded before" },
    [OPTION_ALL_HELD] = { "all", NULL, COMPLETES_NOTHING, false, "all that is held, of all partners" },
    [OPTION_HELD_FOR] = { "held-for", "WORDS", COMPLETES_NOTHING, false, "only what is held for a reason with these words in it" },
    [OPTION_WITH_KEYS] = { "with-keys", NULL, COMPLETES_NOTHING, false, "copy the private keys, too" },
    [OPTION_SKIP] = { "skip", "NUMBER", COMPLETES_NOTHING, false,
                      "let control numbers go on so much higher than they were; otherwise 1000" },
    [OPTION_MAN] = { "man", NULL, COMPLETES_NOTHING, false, "the manual page, as source for man(1)" },
    [OPTION_COMPLETE] = { "complete", NULL, COMPLETES_NOTHING, true,
                          "words that may stand in place of the last argument, for the shell" },
    [OPTION_HELP] = { "help", NULL, COMPLETES_NOTHING, false, "how the command is used" },
};

const struct command commands[] = {
    {
        .name = "check",
        .arguments = "FILE…",
        .min = 1,
        .max = ARGUMENTS_MANY,
        .completes = COMPLETES_FILE,
        .help = "check documents against their guides",
        .description =
            "Reads files of X12 and EDIFACT and says all that is wrong or odd in them: in the envelopes, the structure, "
            "every element, code, date and number. Each finding tells its place, what was found, what was expected, and "
            "what the acknowledgment will say. A bad document does not spoil the others of its file.\n\n"
            "Standard, version, transaction set or message and separators are recognised. A version without a guide is "
            "read with that of the nearest lower one, which is a finding, too. Findings are errors or warnings; "
            "deviations that partners really send (a short ISA, wrong counts, stray line breaks) are warnings unless "
            "--strict is given. With --partner an interchange has to be one between the partner and us, in either "
            "direction. What may stand at a place, codes included, tells `waybill guide show --codes` of the guide that "
            "`waybill explain` names. FILE - is standard input.",
        .example = {
            { "waybill check 850.edi", "check one file" },
            { "waybill check --json inbox/*.edi | jq -r .code | sort | uniq -c", "count what is wrong, by code" },
            { "waybill check --strict --allow over-max,wrong-counts 850.edi",
              "be strict, but let these two pass" },
        },
        .option = { OPTION_PARTNER, OPTION_ALLOW, OPTION_STRICT, OPTION_GUIDE, OPTION_JSON, OPTION_COLOR, OPTION_MAPS,
                    OPTION_HELP },
        .run = command_check,
    },
    {
        .name = "explain",
        .arguments = "FILE…",
        .min = 1,
        .max = ARGUMENTS_MANY,
        .completes = COMPLETES_FILE,
        .help = "tell in words what documents say",
        .description =
            "Shows files of X12 and EDIFACT segment by segment in words: the names of segments, elements and codes, dates "
            "and implied decimals written out, indented by loop. Of each document it tells the guide that it is read "
            "with. What is wrong stands below the segment it concerns. "
            "Works for documents without a guide and for segments that nobody knows, too.",
        .example = {
            { "waybill explain 850.edi | less -R", "read an order" },
            { "waybill explain --color always 850.edi | less -R", "the same in colour" },
        },
        .option = { OPTION_PARTNER, OPTION_ALLOW, OPTION_STRICT, OPTION_GUIDE, OPTION_COLOR, OPTION_MAPS, OPTION_HELP },
        .run = command_explain,
    },
    {
        .name = "translate",
        .arguments = "FILE…",
        .min = 1,
        .max = ARGUMENTS_MANY,
        .completes = COMPLETES_FILE,
        .help = "translate documents to records, and records to documents or others",
        .description =
            "Reads documents of X12 or EDIFACT and writes one record a line, as JSON; or reads records and writes documents: "
            "those that they came from, or with --to the other standard's. Format, "
            "transaction set and version of the input are recognised and choose the map, unless --map names one. "
            "Findings go to standard error. The record of a document that is refused ends in \"rejected\", a list of "
            "the reasons, and is not written as a document again; the others go on.\n\n"
            "What is written goes between the partner and us as the partner file says, otherwise from and to whom the "
            "record says it came. A document that goes back to where its record came from keeps its control numbers "
            "and times; for all others --control must give the first number. Records that follow each other and have "
            "the same envelope share a group. A record that cannot be written is refused, by the names of its "
            "fields; the others go on.\n\n"
            "Without a partner file EDIFACT is written in ISO 8859-1 and syntax version 3 (UNOC:3), with a UNA and a line for "
            "each segment; --syntax, --una, --sender, --receiver and --version say otherwise.\n\n"
            "--to with a kind of record makes records of other records: of an order the warehouse_order that a 3PL gets, by "
            "the map records/order-warehouse_order. Documents are made records first. What the map recalls, such as the "
            "order that a shipment answers, is looked for in the files that --recall names. All of what one record makes "
            "is written, or nothing; what of it no line of the map takes is told as lost.",
        .example = {
            { "waybill translate 850.edi >orders.json", "an order as a record" },
            { "waybill translate --to x12 orders.json >850.edi", "and back again, as it was" },
            { "waybill translate --to x12 --partner supplier.conf --control 42 orders.json >new.edi",
              "the same for a partner, as interchange 42" },
            { "waybill translate 850.edi | waybill translate --to edifact --allow loss --version d96a --control 1 -",
              "an order of X12 as an ORDERS of EDIFACT; what that has no word for is left out, and told" },
            { "waybill translate --to shipment --recall open-orders.json 945.edi >shipments.json",
              "what a warehouse shipped, as the ship notice that the orders ask for" },
        },
        .option = { OPTION_MAP, OPTION_PARTNER, OPTION_ALLOW, OPTION_STRICT, OPTION_TO, OPTION_CONTROL, OPTION_DATE,
                    OPTION_VERSION, OPTION_SENDER_ID, OPTION_RECEIVER_ID, OPTION_SYNTAX, OPTION_UNA, OPTION_THREADS,
                    OPTION_TRANSMISSION, OPTION_RECALL, OPTION_GUIDE, OPTION_JSON, OPTION_COLOR, OPTION_MAPS, OPTION_HELP },
        .run = command_translate,
    },
    {
        .name = "ack",
        .arguments = "FILE",
        .min = 1,
        .max = 1,
        .completes = COMPLETES_FILE,
        .help = "write the acknowledgment of a file",
        .description =
            "Checks FILE and writes the 997 or 999 that answers it: which transaction sets are accepted, accepted with "
            "errors, or rejected, and why; and a TA1 where the interchange asks for one or is wrong itself. Interchanges of "
            "EDIFACT are answered with a CONTRL each. Sender and "
            "receiver are turned round, version and separators are those received. Findings go to standard error.\n\n"
            "A 997 is written unless --set or the partner file's line `acknowledge` says 999. A 999 is of version "
            "005010X231A1, whatever it answers. A CONTRL is a 4:1 to syntax version 4; to others a D:3, or a 2:2 where "
            "--set or the partner file says contrl-2-2. It names the messages that are rejected or have something to be "
            "reported; all others are accepted by its action 7. 997s, 999s, TA1s and CONTRLs in FILE are not answered.\n\n"
            "--control gives the number of the first interchange written and of its group; those behind it count on. A "
            "partner takes a number once. Without --control the answer is numbered from 1, which is said.\n\n"
            "The exit code speaks of the answer: 0 also where documents are rejected, 65 where something in the file "
            "cannot be answered.",
        .example = { { "waybill ack --control 17 850.edi >997.edi", "answer an order" },
                     { "waybill ack --strict --partner northwind.conf --control 18 850.edi >997.edi",
                       "with the partner's guide and what he is allowed, and nothing else" } },
        .option = { OPTION_SET, OPTION_CONTROL, OPTION_PARTNER, OPTION_ALLOW, OPTION_STRICT, OPTION_GUIDE, OPTION_JSON,
                    OPTION_COLOR, OPTION_MAPS, OPTION_HELP },
        .run = command_ack,
    },
    {
        .name = "diff",
        .arguments = "OLD NEW",
        .min = 2,
        .max = 2,
        .completes = COMPLETES_FILE,
        .help = "tell in what two files differ by their meaning",
        .description =
            "Compares what the documents of two files say: not separators, line ends, padding, trailing empty "
            "elements, counts of envelopes, the spelling of numbers and dates, nor the order of what has none. "
            "Documents that there is a map for are compared as records, field by field (lines[2].quantity); "
            "others segment by segment at their places in the guide (PO1#3.PO102). Files of records, as JSON "
            "lines, are compared in the same way, with each other and with documents.\n\n"
            "Documents are paired by transaction set (or kind of record) and business number; where the files "
            "have no number in common, by their order. Lines and other lists are paired by what only two items "
            "share, so that a line put in between is one difference. Control numbers and times of the envelopes "
            "are left out unless --numbers is given; parties, versions and usage are compared, and shown last.\n\n"
            "The exit code is 0 when the files say the same, 1 when they differ, and 65 when one of them has "
            "errors, which are told on standard error; the rest is compared all the same. One of the files may be "
            "-, standard input.",
        .example = {
            { "waybill diff old.edi now.edi", "two documents" },
            { "waybill diff orders.json 850.edi", "a record and a document" },
            { "waybill diff --by guide --json old.edi now.edi | jq -r .path | sort | uniq -c",
              "count which elements differ" },
        },
        .option = { OPTION_BY, OPTION_NUMBERS, OPTION_MAP, OPTION_PARTNER, OPTION_ALLOW, OPTION_STRICT, OPTION_GUIDE,
                    OPTION_JSON, OPTION_COLOR, OPTION_MAPS, OPTION_HELP },
        .run = command_diff,
    },
    {
        .name = "guide list",
        .arguments = "",
        .help = "list all guides",
        .description = "Lists the guides of the maps folder by their ids.",
        .option = { OPTION_JSON, OPTION_MAPS, OPTION_HELP },
        .run = command_guide_list,
    },
    {
        .name = "guide show",
        .arguments = "ID [SEGMENT…]",
        .min = 1,
        .max = ARGUMENTS_MANY,
        .completes = COMPLETES_GUIDE,
        .help = "show what a document type may hold",
        .description =
            "Shows a guide as a tree: segments and loops with their requirement (M mandatory, O optional, - not "
            "used) and how often they may occur. With --segments or the names of segments, their elements with type, "
            "length, requirement and relational notes in words; with --codes the code lists as well. ID is that "
            "of a guide of the maps folder, such as x12/004010/850, the end of one, such as 850, or a "
            "partner's guide file.",
        .example = {
            { "waybill guide show 850", "the tree of the 850" },
            { "waybill guide show --codes x12/004010/850 BEG PO1", "two segments with all codes" },
        },
        .option = { OPTION_SEGMENTS, OPTION_CODES, OPTION_COLOR, OPTION_MAPS, OPTION_HELP },
        .run = command_guide_show,
    },
    {
        .name = "guide document",
        .arguments = "ID",
        .min = 1,
        .max = 1,
        .completes = COMPLETES_GUIDE,
        .help = "write a guide as a document to hand to a partner",
        .description =
            "Writes a guide as Markdown, or as one HTML page that needs nothing else and prints well: a table of "
            "its segments and loops, then each segment with its elements, their types, lengths, requirements and "
            "codes, the relational notes in words, and an example. What a partner's guide changes in the standard "
            "is marked. Long lists of codes are cut, with their number, unless --codes is given. ID is as for "
            "`guide show`.",
        .example = {
            { "waybill guide document --format html partners/northwind/850.guide >850.html", "a partner's guide" },
            { "waybill guide document --codes x12/004010/850 >850.md", "a standard's guide with all codes" },
        },
        .option = { OPTION_FORMAT, OPTION_CODES, OPTION_MAPS, OPTION_HELP },
        .run = command_guide_document,
    },
    {
        .name = "guide check",
        .arguments = "[FILE…]",
        .min = 0,
        .max = ARGUMENTS_MANY,
        .completes = COMPLETES_FILE,
        .help = "check guide files",
        .description =
            "Reads guide files and reports every error in them with its place. Without FILE all guides of the maps "
            "folder are read; FILE is a partner's guide.",
        .example = { { "waybill guide check northwind/850.guide", "check a partner's guide" } },
        .option = { OPTION_COLOR, OPTION_MAPS, OPTION_HELP },
        .run = command_guide_check,
    },
    {
        .name = "map list",
        .arguments = "",
        .help = "list all maps",
        .description = "Lists the maps of the maps folder by their names, with the record kind and the guides of each.",
        .option = { OPTION_JSON, OPTION_MAPS, OPTION_HELP },
        .run = command_map_list,
    },
    {
        .name = "map check",
        .arguments = "[MAP…]",
        .min = 0,
        .max = ARGUMENTS_MANY,
        .completes = COMPLETES_MAP,
        .help = "check maps and what they leave out",
        .description =
            "Reads maps and reports every error in them with its place, for every guide that a map names. Of maps that "
            "are right it tells, by name, what they leave out: elements of the guide that no line reads (they go to "
            "`unmapped`) or writes, and fields of the record that no line fills or writes (what they hold is lost). "
            "That is no error. MAP is a map of the maps folder, such as x12/850-order, or a file, whose guide is "
            "FILE.guide beside FILE.map or given by --guide; without MAP all maps of the maps folder are read.",
        .example = {
            { "waybill map check x12/850-order", "one map" },
            { "waybill map check partners/northwind/850.map", "a partner's, with 850.guide beside it" },
        },
        .option = { OPTION_GUIDE, OPTION_JSON, OPTION_COLOR, OPTION_MAPS, OPTION_HELP },
        .run = command_map_check,
    },
    {
        .name = "map loss",
        .arguments = "FROM TO",
        .min = 2,
        .max = 2,
        .completes = COMPLETES_MAP,
        .help = "tell what is lost from one document type to another",
        .description =
            "Tells, by name, what a document loses that FROM reads and TO writes: the fields of the record that the one map "
            "fills and the other does not write. Both are maps of the same kind of record, each with the first guide that it "
            "names. What a certain record has of these fields, `waybill translate` says when it writes it (MAP-LOSS).",
        .example = {
            { "waybill map loss edifact/ORDERS-order x12/850-order", "what an ORDERS holds that an 850 cannot" },
        },
        .option = { OPTION_GUIDE, OPTION_JSON, OPTION_COLOR, OPTION_MAPS, OPTION_HELP },
        .run = command_map_loss,
    },
    {
        .name = "init",
        .arguments = "FOLDER",
        .min = 1,
        .max = 1,
        .completes = COMPLETES_FOLDER,
        .help = "make a home for an appliance",
        .description =
            "Makes a folder with waybill.conf, partners, maps, keys and a spool. An example partner is there, switched off, and the "
            "file of a system of our own. What is there already stays: a home is never made over another.",
        .example = { { "waybill init edi", "a home" } },
        .option = { OPTION_HELP },
    },
    {
        .name = "run",
        .arguments = "",
        .help = "take in, translate, acknowledge, route and hand over",
        .description =
            "Works through what lies at the partners' doors (spool/in/PARTNER, and the folders that partner files name) until nothing "
            "is left to do: files are kept byte for byte, unpacked, checked, acknowledged, translated, recognised when they came "
            "before, routed, written for those who get them, and handed over. One process at a time works on a spool.\n\n"
            "It can be killed at any time, and loses nothing and does nothing twice.",
        .example = { { "waybill run --once --home edi", "work until it is idle" } },
        .option = { OPTION_ONCE, OPTION_HOME, OPTION_MAPS, OPTION_HELP },
    },
    {
        .name = "list",
        .arguments = "[LIST]",
        .max = 1,
        .help = "list what is in the spool, newest first",
        .description =
            "`transmission` lists files that arrived or left, and is what is listed without LIST; `document` what is in them, `delivery` "
            "records on their way to a partner. "
            "`dead` lists what could not be done, `held` what waits for somebody, `refused` documents with errors, `rejected` those "
            "of ours that the partner did not accept, `overdue` those that he did not acknowledge in time, and `delayed` files that "
            "could not be handed over yet; each with its reason, and once: what a file or document carries is listed with it. Needs no write access, and may run while others write.",
        .example = { { "waybill list", "the last 50 files" },
                     { "waybill list document --partner northwind --state refused", "what was refused of a partner" },
                     { "waybill list dead --json", "what could not be done, for a program" } },
        .option = { OPTION_OF_PARTNER, OPTION_STATE, OPTION_FROM, OPTION_UNTIL, OPTION_LIMIT, OPTION_HOME, OPTION_JSON, OPTION_COLOR,
                    OPTION_MAPS, OPTION_HELP },
    },
    {
        .name = "show",
        .arguments = "ID…",
        .min = 1,
        .max = ARGUMENTS_MANY,
        .help = "show a file, document or delivery with all that belongs to it",
        .description =
            "T12 is a transmission, D7 a document, V3 a delivery. Shows what it is, what it came in, what became of it, and every "
            "event with its time.",
        .example = { { "waybill show T12", "a file that arrived, its documents, and where they went" } },
        .option = { OPTION_HOME, OPTION_JSON, OPTION_COLOR, OPTION_MAPS, OPTION_HELP },
    },
    {
        .name = "cat",
        .arguments = "ID…",
        .min = 1,
        .max = ARGUMENTS_MANY,
        .help = "print the bytes of a file, or the record of a document",
        .description =
            "Prints a transmission's bytes as they came or left, the record of a document that arrived, or what a delivery carries.",
        .example = { { "waybill cat T12 >850.edi", "the file once more" }, { "waybill cat D7 | jq .", "a record" } },
        .option = { OPTION_HOME, OPTION_MAPS, OPTION_HELP },
    },
    {
        .name = "trace",
        .arguments = "NUMBER…",
        .min = 1,
        .max = ARGUMENTS_MANY,
        .help = "tell what became of an order, a shipment or a carton",
        .description =
            "Looks for documents by a number that stands in them, such as that of a purchase order, a shipment or a serial shipping "
            "container code, across all partners, and tells what became of each: what was made of it, who got it when, "
            "and what he said to it.",
        .example = { { "waybill trace 4711", "what became of purchase order 4711" } },
        .option = { OPTION_HOME, OPTION_JSON, OPTION_COLOR, OPTION_MAPS, OPTION_HELP },
    },
    {
        .name = "status",
        .arguments = "",
        .help = "one screen: how many of what are where, and what needs a look",
        .description =
            "Counts what arrived and what leaves, by state; partners that cannot be reached; files at the doors that are not taken, and "
            "why.",
        .option = { OPTION_OF_PARTNER, OPTION_HOME, OPTION_JSON, OPTION_COLOR, OPTION_MAPS, OPTION_HELP },
    },
    {
        .name = "replay",
        .arguments = "[ID…]",
        .max = ARGUMENTS_MANY,
        .help = "read, make or hand over again",
        .description =
            "A transmission that arrived is read again, as a new one: what of it was refused or dead may go through once the "
            "guide, map or partner file was mended; what was recorded before is recognised and goes again only with --all, or when "
            "all of it was. With --file its bytes are those of a file that was mended by hand. A transmission that left is handed over "
            "again, byte for byte, with the documents in it. The record of a document goes again where the partner files say, or to "
            "--receiver, also when it was dead or dropped; a delivery goes again as a new one. With --partner, --from and --until what "
            "arrived from a partner in that time and was not recorded is read again, with --all all of it; with --receiver "
            "the records of that time go to him, as far as they did not yet. What was dead, refused or not acknowledged is "
            "dropped with that, so that nobody does it twice; what somebody dropped by hand stays so, unless --all is given or nothing "
            "else is in the file. It waits for `waybill run`.",
        .example = { { "waybill replay T12", "a file, after its map was mended" },
                     { "waybill replay T12 --file mended.edi", "a file, with other bytes" },
                     { "waybill replay D7 --receiver northwind", "a record that nobody got" },
                     { "waybill replay --partner northwind --from 2026-11-20 --until 2026-11-21 --all", "a whole day" } },
        .option = { OPTION_FILE, OPTION_ALL, OPTION_RECEIVER, OPTION_OF_PARTNER, OPTION_FROM, OPTION_UNTIL, OPTION_HOME, OPTION_JSON,
                    OPTION_MAPS, OPTION_HELP },
    },
    {
        .name = "hold",
        .arguments = "[ID…]",
        .max = ARGUMENTS_MANY,
        .help = "let something wait until it is released",
        .description = "A file that was not read yet or not handed over, a document or a delivery that does not stand in a file yet: it "
                       "waits. With --partner all that is on its way to him, and all of him that was not read yet; what comes later "
                       "is not held by it: the line `off` in his file does that.",
        .example = { { "waybill hold V3 --reason 'the price is wrong, asked the buyer'", "a delivery" },
                     { "waybill hold --partner northwind --reason 'they move to a new system'", "what is on its way" } },
        .option = { OPTION_OF_PARTNER, OPTION_REASON, OPTION_HOME, OPTION_MAPS, OPTION_HELP },
    },
    {
        .name = "release",
        .arguments = "[ID…]",
        .max = ARGUMENTS_MANY,
        .help = "let what was held go on",
        .description =
            "What it was held for does not hold it again. A document of which it cannot be said who gets it goes to --receiver. With "
            "--partner all that is held of him or for him is released, with --all all that is held; --held-for, --from and --until say "
            "which of it.",
        .example = { { "waybill release T12", "a file whose interchange number came before" },
                     { "waybill release --partner shop --held-for 'switched off'", "what came while he was switched off" } },
        .option = { OPTION_OF_PARTNER, OPTION_ALL_HELD, OPTION_HELD_FOR, OPTION_FROM, OPTION_UNTIL, OPTION_RECEIVER, OPTION_HOME,
                    OPTION_MAPS, OPTION_HELP },
    },
    {
        .name = "drop",
        .arguments = "ID…",
        .min = 1,
        .max = ARGUMENTS_MANY,
        .help = "decide that nothing more becomes of what went wrong",
        .description =
            "What is held, dead, refused, rejected or overdue stays where it is and can be shown, with the reason; it goes nowhere and is "
            "listed no more among what needs a look.",
        .example = { { "waybill drop T12 --reason 'sent twice by mistake, says the partner'", "a file" } },
        .option = { OPTION_REASON, OPTION_HOME, OPTION_MAPS, OPTION_HELP },
    },
    {
        .name = "backup",
        .arguments = "FOLDER|FILE.tar",
        .min = 1,
        .max = 1,
        .completes = COMPLETES_FILE,
        .help = "copy all of the appliance, while it works",
        .description =
            "Copies the ledger as it is at one moment, every payload that it names, those in the archive included, the partner files, "
            "maps and waybill.conf into a new folder, or into a tar. Private keys only with --with-keys. What lies at the doors is not "
            "copied: what was accepted is in the ledger. It needs no halt; payloads are not removed nor archived meanwhile.",
        .example = { { "waybill backup edi-monday", "a folder" }, { "waybill backup edi-monday.tar", "one file" } },
        .option = { OPTION_WITH_KEYS, OPTION_HOME, OPTION_JSON, OPTION_MAPS, OPTION_HELP },
    },
    {
        .name = "restore",
        .arguments = "BACKUP",
        .min = 1,
        .max = 1,
        .completes = COMPLETES_FILE,
        .help = "make a home of a backup",
        .description =
            "Makes a new home of what `waybill backup` copied; --home names its folder, which is not there yet or empty. Every payload is "
            "read and compared, and what is damaged is told of. What had not left when the copy was made may have left since: "
            "it is held, and `waybill release` lets it go. What arrived since has to be sent again by the partner. Control numbers go on "
            "higher by 1000, or by what --skip says, so that none is given twice: it has to be more than were given "
            "since. Lines of waybill.conf that name other folders for partners, keys and spool are switched off.",
        .example = { { "waybill restore edi-monday.tar --home edi-again", "a new home" } },
        .option = { OPTION_SKIP, OPTION_HOME, OPTION_JSON, OPTION_HELP },
    },
    {
        .name = "partner list",
        .arguments = "",
        .help = "list the partners of the appliance",
        .description = "Lists the partner files of the home, with what is exchanged; wrong files are told of.",
        .option = { OPTION_HOME, OPTION_JSON, OPTION_COLOR, OPTION_MAPS, OPTION_HELP },
    },
    {
        .name = "partner check",
        .arguments = "[FILE…]",
        .max = ARGUMENTS_MANY,
        .completes = COMPLETES_FILE,
        .help = "check partner files and all that they name",
        .description =
            "Reads partner files and reports every error in them with its place, then every error in the guides and "
            "maps that they name: NAME.guide and NAME.map beside the partner file, or those of the maps folder. Without FILE all "
            "partner files of the appliance's home. In a home, a file is named after its partner, and those who get something "
            "have a file as well.",
        .example = { { "waybill partner check", "all partners of the home" },
                     { "waybill partner check northwind.conf", "one file" } },
        .option = { OPTION_HOME, OPTION_COLOR, OPTION_MAPS, OPTION_HELP },
        .run = command_partner_check,
    },
    {
        .name = "partner show",
        .arguments = "FILE",
        .min = 1,
        .max = 1,
        .completes = COMPLETES_FILE,
        .help = "show a partner file as it was understood",
        .description = "Shows a partner file with one keyword a line, each below the one that it belongs to.",
        .example = { { "waybill partner show partners/northwind.conf", "one partner" } },
        .option = { OPTION_JSON, OPTION_COLOR, OPTION_HELP },
        .run = command_partner_show,
    },
    {
        .name = "partner keywords",
        .arguments = "",
        .help = "list what may stand in a partner file",
        .description =
            "Lists all keywords of partner files, each below the one that it belongs to, with what follows them, what "
            "they mean, and what holds without them.",
        .option = { OPTION_MAN, OPTION_JSON, OPTION_COLOR, OPTION_HELP },
        .run = command_partner_keywords,
    },
    {
        .name = "help",
        .arguments = "[COMMAND|FINDING]",
        .min = 0,
        .max = ARGUMENTS_MANY,
        .completes = COMPLETES_COMMAND,
        .help = "explain a command",
        .description =
            "Without COMMAND lists all commands. `waybill help findings` lists all that may be found in a document, "
            "with the names that --allow takes; `waybill help X12-AK4-7` tells one, by its code or by such a name.",
        .option = { OPTION_MAN, OPTION_COMPLETE, OPTION_JSON, OPTION_HELP },
        .run = command_help,
    },
    {
        .name = "version",
        .arguments = "",
        .help = "tell the version of Waybill",
        .description = "Tells the version of this program.",
        .option = { OPTION_HELP },
        .run = command_version,
    },
    { .name = NULL },
};

/* --- What commands say ------------------------------------------------------------ */

static void __attribute__((format(printf, 2, 0))) say(struct command_context *c, const char *format, va_list args)
{
    char words[2000];

    vsnprintf(words, sizeof(words), format, args);
    /* so that both, where they go the same way, are read in the order they were written */
    printer_flush(c->out);
    printer_safe(c->err, SLICE("waybill"));
    if (c->command) {
        printer_safe(c->err, SLICE(" "));
        printer_safe(c->err, slice_of(c->command->name));
    }
    printer_safe(c->err, SLICE(": "));
    printer_safe(c->err, slice_of(words));
    printer_text(c->err, "\n");
}

void command_say(struct command_context *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(c, format, args);
    va_end(args);
}

static void see_help(struct command_context *c)
{
    if (c->command) {
        help_usage_line(c->err, c->command);
        printer_printf(c->err, "`waybill help %s` says more.\n", c->command->name);
    } else {
        printer_text(c->err, "`waybill help` lists the commands.\n");
    }
}

int command_usage(struct command_context *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    say(c, format, args);
    va_end(args);
    see_help(c);
    return EXIT_CODE_USAGE;
}

static void hint(struct command_context *c, struct slice word, const char *before)
{
    if (!word.n)
        return;
    printer_printf(c->err, "hint: did you mean \"%s", before);
    printer_safe(c->err, word);
    printer_text(c->err, "\"?\n");
}

int exit_code_of(int err_code)
{
    switch (err_code) {
    case 0: return EXIT_CODE_OK;
    case ERR_NOMEM: return EXIT_CODE_LATER;
    case ERR_CONFIG: return EXIT_CODE_CONFIG;
    case ERR_DATA:
    case ERR_LIMIT: return EXIT_CODE_DATA;
    case ERR_USAGE: return EXIT_CODE_USAGE;
    default: return EXIT_CODE_UNAVAILABLE;
    }
}

int exit_code_worse(int a, int b)
{
    static const int order[] = { EXIT_CODE_OK,     EXIT_CODE_DIFFERENT, EXIT_CODE_DATA, EXIT_CODE_UNAVAILABLE,
                                 EXIT_CODE_CONFIG, EXIT_CODE_LATER,     EXIT_CODE_USAGE };
    int worst = EXIT_CODE_OK;
    for (unsigned i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (order[i] == a || order[i] == b)
            worst = order[i];
    return worst;
}

int command_fail(struct command_context *c, const struct err *err)
{
    command_say(c, "%s", err->text);
    return exit_code_of(err->code);
}

/* --- The parser --------------------------------------------------------------------- */

static bool command_takes(const struct command *command, enum option_id id)
{
    for (unsigned i = 0;; i++) {
        if (command->option[i] == id)
            return true;
        if (command->option[i] == OPTION_HELP)
            return false;
    }
}

/* Whether `value` is among the words of "x12|json"; one in capitals stands for any. */
static bool among(const char *words, struct slice value)
{
    struct slice rest = slice_of(words);
    bool more = true;
    while (more) {
        struct slice one = slice_cut(rest, '|', &rest, &more);
        if (slice_eq(one, value) || (one.p[0] >= 'A' && one.p[0] <= 'Z' && value.n))
            return true;
    }
    return false;
}

static int add_option(struct command_context *c, enum option_id id, const char *value)
{
    const struct option_row *row = &options[id];

    if (row->value && strchr(row->value, '|') && !among(row->value, slice_of(value)))
        return command_usage(c, "--%s: \"%s\" is not one of %s", row->name, value, row->value);
    if (c->option[id].n == OPTION_VALUES)
        return command_usage(c, "--%s: given more than %d times", row->name, OPTION_VALUES);
    c->option[id].value[c->option[id].n++] = value;
    return 0;
}

static int unknown_option(struct command_context *c, const char *word, struct slice name)
{
    struct slice best = { NULL, 0 };
    unsigned distance = 3;

    command_say(c, "there is no option \"%s\"", word);
    for (unsigned i = 0; i < OPTIONS; i++)
        if (command_takes(c->command, (enum option_id)i) && !options[i].hidden)
            suggest(name, slice_of(options[i].name), &best, &distance);
    hint(c, best, "--");
    see_help(c);
    return EXIT_CODE_USAGE;
}

/* Takes the options out of the words behind the command; what is left are its arguments. */
static int take_options(struct command_context *c, int argc, char **argv)
{
    bool only_arguments = false;

    c->argument = argv;
    for (int i = 0; i < argc; i++) {
        struct slice name = slice_of(argv[i]), value;
        bool assigned;
        unsigned id;
        int code;

        if (only_arguments || argv[i][0] != '-' || !argv[i][1]) {
            argv[c->n++] = argv[i];
            continue;
        }
        if (slice_is(name, "--")) {
            only_arguments = true;
            continue;
        }
        if (slice_is(name, "-h"))
            name = SLICE("--help");
        if (!slice_starts(name, SLICE("--")))
            return unknown_option(c, argv[i], slice_from(name, 1));
        name = slice_cut(slice_from(name, 2), '=', &value, &assigned);
        for (id = 0; id < OPTIONS; id++)
            if (slice_is(name, options[id].name) && command_takes(c->command, (enum option_id)id))
                break;
        if (id == OPTIONS)
            return unknown_option(c, argv[i], name);
        if (!options[id].value && assigned)
            return command_usage(c, "--%s takes no value", options[id].name);
        if (!options[id].value) {
            code = add_option(c, (enum option_id)id, "");
        } else if (assigned) {
            code = add_option(c, (enum option_id)id, value.p);
        } else if (i + 1 < argc) {
            code = add_option(c, (enum option_id)id, argv[++i]);
        } else {
            code = command_usage(c, "--%s: %s is missing", options[id].name, options[id].value);
        }
        if (code)
            return code;
    }
    return 0;
}

/* The row whose name the words begin with; *words_r of them. */
static const struct command *find_command(int argc, char **argv, int *words_r)
{
    for (const struct command *row = commands; row->name; row++) {
        bool two;
        struct slice second, first = slice_cut(slice_of(row->name), ' ', &second, &two);
        if (argc < 1 + two || !slice_is(first, argv[0]) || (two && !slice_is(second, argv[1])))
            continue;
        *words_r = 1 + two;
        return row;
    }
    return NULL;
}

static int unknown_command(struct command_context *c, int argc, char **argv)
{
    struct slice best = { NULL, 0 }, given = slice_of(argv[0]);
    unsigned distance = 3;
    bool first_known = false;

    for (const struct command *row = commands; row->name; row++) {
        struct slice second;
        bool two;
        if (slice_is(slice_cut(slice_of(row->name), ' ', &second, &two), argv[0]) && two)
            first_known = true;
    }
    if (first_known && argc < 2) {
        command_say(c, "%s: which of them?", argv[0]);
    } else if (first_known) {
        command_say(c, "there is no command \"%s %s\"", argv[0], argv[1]);
        given = slice_of(argv[1]);
    } else {
        command_say(c, "there is no command \"%s\"", argv[0]);
    }
    for (const struct command *row = commands; row->name; row++) {
        struct slice second;
        bool two;
        struct slice first = slice_cut(slice_of(row->name), ' ', &second, &two);
        if (!first_known)
            suggest(given, first, &best, &distance);
        else if (two && slice_is(first, argv[0]) && argc < 2)
            help_usage_line(c->err, row);
        else if (two && slice_is(first, argv[0]))
            suggest(given, second, &best, &distance);
    }
    if (first_known && best.n)
        printer_printf(c->err, "hint: did you mean \"%s %.*s\"?\n", argv[0], SLICE_FMT(best));
    else
        hint(c, best, "");
    see_help(c);
    return EXIT_CODE_USAGE;
}

/* Options and arguments are there; are they enough? Then the command runs. */
static int run_command(struct command_context *c, int (*appliance)(struct command_context *c))
{
    const struct command *row = c->command;
    bool more;

    if (command_has(c, OPTION_HELP)) {
        help_command(c->out, row);
        return EXIT_CODE_OK;
    }
    if (c->n < row->min) {
        struct slice rest = slice_of(row->arguments), word = slice_cut(rest, ' ', &rest, &more);
        for (unsigned i = 0; i < c->n && more; i++)
            word = slice_cut(rest, ' ', &rest, &more);
        return command_usage(c, "%.*s is missing", (int)strcspn(word.p, " \xe2"), word.p);
    }
    if (c->n > row->max)
        return command_usage(c, "\"%s\" is one argument too many", c->argument[row->max]);
    printer_choose_colour(c->out, command_value(c, OPTION_COLOR));
    printer_choose_colour(c->err, command_value(c, OPTION_COLOR));
    c->out->json = c->err->json = command_has(c, OPTION_JSON);
    return row->run ? row->run(c) : appliance(c);
}

/* The command line as it was given: taking it apart changes its order. */
static char **keep_given(int argc, char **argv)
{
    char **given = calloc((size_t)argc + 1, sizeof(*given));

    for (int i = 0; given && i < argc; i++)
        given[i] = argv[i];
    return given;
}

int command_main(int argc, char **argv, struct printer *out, struct printer *err, struct progress *progress,
                 int (*appliance)(struct command_context *c))
{
    struct command_context c = { .out = out, .err = err, .progress = progress };
    const struct command *row;
    int words, code;

    if (argc < 2) {
        help_overview(err);
        return EXIT_CODE_USAGE;
    }
    if (slice_is(slice_of(argv[1]), "--version"))
        return command_version(&c);
    if (slice_is(slice_of(argv[1]), "--help") || slice_is(slice_of(argv[1]), "-h")) {
        help_overview(out);
        return EXIT_CODE_OK;
    }
    row = find_command(argc - 1, argv + 1, &words);
    if (!row)
        return unknown_command(&c, argc - 1, argv + 1);
    c.command = row;
    if (!row->run && !(c.given = keep_given(argc, argv))) {
        struct err nomem;
        err_nomem(&nomem);
        return command_fail(&c, &nomem);
    }
    code = take_options(&c, argc - 1 - words, argv + 1 + words);
    if (code == 0)
        code = run_command(&c, appliance);
    free(c.given);
    return code;
}
