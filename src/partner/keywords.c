/* keywords: every keyword of partner files, a row each; and what a value may be, a row each. See partner.h. */
#include "partner/keywords.h"

#define ROLES "retailer|distributor|manufacturer|supplier|customer|3pl|warehouse|carrier|marketplace|shop|erp|wms|tms|other"

const struct partner_keyword partner_keywords[] = {
    { .name = "partner", .in = IN_FILE, .opens = IN_PARTNER, .arguments = "NAME \"TITLE\"",
      .value = { VALUE_NAME, VALUE_TEXT }, .least = 1, .most = 2, .required = true,
      .help = "who this file is about; the name is also that of the partner's folders" },

    { .name = "is", .in = IN_PARTNER, .arguments = "ROLE", .value = { VALUE_CHOICE }, .least = 1, .most = 1,
      .choice = ROLES, .otherwise = "other", .help = "what kind of partner this is; a system of our own is one, too" },
    { .name = "off", .in = IN_PARTNER, .arguments = "", .otherwise = "he is on",
      .help = "nothing is taken from this partner and nothing goes to him" },
    { .name = "group numbers", .in = IN_PARTNER, .arguments = "unique|repeat", .value = { VALUE_CHOICE }, .least = 1, .most = 1,
      .choice = "unique|repeat", .otherwise = "unique",
      .help = "whether a group's number that came before holds a file, or says nothing, as with partners who begin anew each time" },
    { .name = "takes tests", .in = IN_PARTNER, .arguments = "", .otherwise = "only under a group with usage test",
      .help = "documents marked as tests may go to this partner; otherwise they are held" },
    { .name = "x12", .in = IN_PARTNER, .opens = IN_X12, .arguments = "QUALIFIER:ID", .value = { VALUE_X12_PARTY },
      .least = 1, .most = 1, .repeats = true, .help = "the partner's identity in X12 interchanges (ISA05 to ISA08)" },
    { .name = "us", .in = IN_X12, .arguments = "QUALIFIER:ID", .value = { VALUE_X12_PARTY }, .least = 1, .most = 1,
      .required = true, .help = "our own identity towards this partner" },
    { .name = "group", .in = IN_X12, .opens = IN_GROUP, .arguments = "CODE", .value = { VALUE_CODE }, .least = 1,
      .most = 1, .repeats = true, .otherwise = "the ids of the interchange",
      .help = "the partner's code in functional groups (GS02, GS03)" },
    { .name = "us", .in = IN_GROUP, .arguments = "CODE", .value = { VALUE_CODE }, .least = 1, .most = 1,
      .otherwise = "our id of the interchange", .help = "our own code in functional groups" },
    { .name = "version", .in = IN_GROUP, .arguments = "VERSION", .value = { VALUE_VERSION }, .least = 1, .most = 1,
      .otherwise = "that of the document a record came from, else that of the map",
      .help = "the version written in GS08; its guide is the one documents are written by" },
    { .name = "usage", .in = IN_GROUP, .arguments = "production|test|information", .value = { VALUE_CHOICE },
      .least = 1, .most = 1, .choice = "production|test|information", .otherwise = "production",
      .help = "the usage indicator (ISA15); a record from a test stays a test" },
    { .name = "for", .in = IN_GROUP, .arguments = "SET, …", .value = { VALUE_DOCUMENT }, .least = 1,
      .most = PARTNER_MANY, .otherwise = "all", .help = "the transaction sets that this group is for" },
    { .name = "version", .in = IN_X12, .arguments = "VERSION", .value = { VALUE_INTERCHANGE_VERSION }, .least = 1,
      .most = 1, .otherwise = "the first five digits of the group's version",
      .help = "the version written in ISA12, such as 00401" },
    { .name = "separators", .in = IN_X12, .arguments = "ELEMENT COMPONENT TERMINATOR [REPETITION] [newline|crlf|none]",
      .value = { VALUE_SEPARATOR }, .least = 3, .most = 5, .otherwise = "* > ~ ^ newline",
      .help = "the delimiters written, then how lines end; each a character, newline, return or 0xHH" },
    { .name = "charset", .in = IN_X12, .arguments = "basic|extended|latin1|utf8", .value = { VALUE_CHOICE }, .least = 1,
      .most = 1, .choice = "basic|extended|latin1|utf8", .otherwise = "extended",
      .help = "the characters that may be written: capitals only, ASCII, ISO 8859-1, UTF-8" },
    { .name = "transliterate", .in = IN_X12, .arguments = "", .otherwise = "such characters are errors",
      .help = "write characters that the set lacks with others: Ü as UE" },
    { .name = "replace delimiters", .in = IN_X12, .arguments = "", .otherwise = "delimiters in data are errors",
      .help = "write a blank for a delimiter that stands in data" },

    { .name = "edifact", .in = IN_PARTNER, .opens = IN_EDIFACT, .arguments = "[QUALIFIER:]ID[:ROUTING]",
      .value = { VALUE_EDIFACT_PARTY }, .least = 1, .most = 1, .repeats = true,
      .help = "the partner's identity in EDIFACT interchanges (UNB02, UNB03): data elements 0007, 0004 or 0010, 0008 or 0014" },
    { .name = "us", .in = IN_EDIFACT, .arguments = "[QUALIFIER:]ID[:ROUTING]", .value = { VALUE_EDIFACT_PARTY },
      .least = 1, .most = 1, .required = true, .help = "our own identity towards this partner" },
    { .name = "message", .in = IN_EDIFACT, .opens = IN_MESSAGE, .arguments = "TYPE, …", .value = { VALUE_DOCUMENT },
      .least = 1, .most = PARTNER_MANY, .repeats = true, .otherwise = "what the line edifact says",
      .help = "message types that are written otherwise than the line edifact says" },
    { .name = "version", .in = IN_MESSAGE, .arguments = "DIRECTORY", .value = { VALUE_DIRECTORY }, .least = 1, .most = 1,
      .otherwise = "that of the line edifact",
      .help = "the directory written in UNH02, such as D.96A; its guide is the one messages are written by" },
    { .name = "association", .in = IN_MESSAGE, .arguments = "CODE", .value = { VALUE_ASSOCIATION }, .least = 1, .most = 1,
      .otherwise = "none",
      .help = "the association assigned code in UNH02: of EANCOM 97 (D.96A) EAN008 for ORDERS, EAN005 DESADV, EAN004 INVRPT" },
    { .name = "usage", .in = IN_MESSAGE, .arguments = "production|test", .value = { VALUE_CHOICE }, .least = 1, .most = 1,
      .choice = "production|test", .otherwise = "that of the line edifact", .help = "the test indicator (UNB11)" },
    { .name = "version", .in = IN_EDIFACT, .arguments = "DIRECTORY", .value = { VALUE_DIRECTORY }, .least = 1, .most = 1,
      .otherwise = "that of the message a record came from, else that of the map",
      .help = "the directory written in UNH02, such as D.96A; its guide is the one messages are written by" },
    { .name = "usage", .in = IN_EDIFACT, .arguments = "production|test", .value = { VALUE_CHOICE }, .least = 1, .most = 1,
      .choice = "production|test", .otherwise = "production",
      .help = "the test indicator (UNB11); a record from a test stays a test" },
    { .name = "application", .in = IN_EDIFACT, .arguments = "REFERENCE", .value = { VALUE_REFERENCE }, .least = 1,
      .most = 1, .otherwise = "none", .help = "the application reference (UNB07)" },
    { .name = "priority", .in = IN_EDIFACT, .arguments = "LETTER", .value = { VALUE_LETTER }, .least = 1, .most = 1,
      .otherwise = "none", .help = "the processing priority (UNB08); A is the highest" },
    { .name = "agreement", .in = IN_EDIFACT, .arguments = "TEXT", .value = { VALUE_AGREEMENT }, .least = 1, .most = 1,
      .otherwise = "none", .help = "the interchange agreement that is named (UNB10)" },
    { .name = "password-file", .in = IN_EDIFACT, .arguments = "FILE [AA|BB]", .value = { VALUE_FILE, VALUE_CHOICE },
      .least = 1, .most = 2, .choice = "AA|BB", .otherwise = "none",
      .help = "a file with the password that the partner wants in UNB06, then its qualifier (0025)" },
    { .name = "separators", .in = IN_EDIFACT, .arguments = "ELEMENT COMPONENT TERMINATOR [RELEASE] [newline|crlf|none]",
      .value = { VALUE_SEPARATOR }, .least = 3, .most = 5, .otherwise = "+ : ' ? newline",
      .help = "the delimiters written, then how lines end; each a character, newline, return or 0xHH" },
    { .name = "decimal", .in = IN_EDIFACT, .arguments = "point|comma", .value = { VALUE_CHOICE }, .least = 1, .most = 1,
      .choice = "point|comma", .otherwise = "point", .help = "the decimal mark written; either is read" },
    { .name = "una", .in = IN_EDIFACT, .arguments = "always|needed", .value = { VALUE_CHOICE }, .least = 1, .most = 1,
      .choice = "always|needed", .otherwise = "always",
      .help = "whether a UNA goes before each interchange, or only where delimiters or decimal mark are not the usual ones" },
    { .name = "transliterate", .in = IN_EDIFACT, .arguments = "", .otherwise = "such characters are errors",
      .help = "write characters that the set lacks with others: Ü as UE" },
    { .name = "charset", .in = IN_EDIFACT, .arguments = "UNOA…UNOY", .value = { VALUE_CHOICE }, .least = 1, .most = 1,
      .choice = "UNOA|UNOB|UNOC|UNOD|UNOE|UNOF|UNOG|UNOH|UNOI|UNOJ|UNOK|UNOL|UNOW|UNOY", .otherwise = "UNOC",
      .help = "the syntax identifier: which characters may be written; UNOC is ISO 8859-1, UNOW and UNOY UTF-8" },
    { .name = "syntax", .in = IN_EDIFACT, .arguments = "NUMBER", .value = { VALUE_NUMBER }, .least = 1, .most = 1,
      .least_number = 1, .most_number = 4, .otherwise = "3", .help = "the version of the syntax" },

    { .name = "as2", .in = IN_PARTNER, .opens = IN_AS2, .arguments = "NAME", .value = { VALUE_TEXT }, .least = 1,
      .most = 1, .help = "the partner's AS2 name" },
    { .name = "us", .in = IN_AS2, .arguments = "NAME", .value = { VALUE_TEXT }, .least = 1, .most = 1,
      .required = true, .help = "our own AS2 name towards this partner" },
    { .name = "url", .in = IN_AS2, .arguments = "URL", .value = { VALUE_URL }, .least = 1, .most = 1,
      .help = "where the partner receives" },
    { .name = "certificate", .in = IN_AS2, .arguments = "FILE", .value = { VALUE_FILE }, .least = 1, .most = 1,
      .repeats = true, .help = "the partner's certificate" },
    { .name = "sign", .in = IN_AS2, .arguments = "ALGORITHM", .value = { VALUE_CHOICE }, .least = 1, .most = 1,
      .choice = "sha-256|sha-384|sha-512|sha-1|none", .otherwise = "sha-256", .help = "how what we send is signed" },
    { .name = "encrypt", .in = IN_AS2, .arguments = "ALGORITHM", .value = { VALUE_CHOICE }, .least = 1, .most = 1,
      .choice = "aes-128-cbc|aes-192-cbc|aes-256-cbc|aes-128-gcm|aes-256-gcm|3des-cbc|none",
      .otherwise = "aes-256-cbc", .help = "how what we send is encrypted" },
    { .name = "compress", .in = IN_AS2, .arguments = "", .otherwise = "not compressed",
      .help = "compress what we send" },
    { .name = "mdn", .in = IN_AS2, .arguments = "[signed|unsigned] [sync|async]", .value = { VALUE_CHOICE },
      .least = 1, .most = 2, .choice = "signed|unsigned|sync|async", .otherwise = "signed sync",
      .help = "the receipt that we ask for" },

    { .name = "sftp", .in = IN_PARTNER, .opens = IN_SFTP, .arguments = "HOST[:PORT]", .value = { VALUE_HOST },
      .least = 1, .most = 1, .help = "the partner's SFTP server" },
    { .name = "user", .in = IN_SFTP, .arguments = "NAME", .value = { VALUE_TEXT }, .least = 1, .most = 1,
      .help = "whom to log in as" },
    { .name = "key", .in = IN_SFTP, .arguments = "FILE", .value = { VALUE_FILE }, .least = 1, .most = 1,
      .help = "our private key" },
    { .name = "password-file", .in = IN_SFTP, .arguments = "FILE", .value = { VALUE_FILE }, .least = 1, .most = 1,
      .help = "a file with the password, where there is no key" },
    { .name = "host-key", .in = IN_SFTP, .arguments = "SHA256:FINGERPRINT", .value = { VALUE_FINGERPRINT }, .least = 1,
      .most = 1, .repeats = true, .help = "the server's host key; any other is refused" },
    { .name = "port", .in = IN_SFTP, .arguments = "NUMBER", .value = { VALUE_NUMBER }, .least = 1, .most = 1,
      .least_number = 1, .most_number = 65535, .otherwise = "22", .help = "the server's port" },

    { .name = "http", .in = IN_PARTNER, .opens = IN_HTTP, .arguments = "URL", .value = { VALUE_URL }, .least = 1,
      .most = 1, .help = "the partner's HTTP interface; paths are relative to this" },
    { .name = "token-file", .in = IN_HTTP, .arguments = "FILE", .value = { VALUE_FILE }, .least = 1, .most = 1,
      .help = "a file with the bearer token" },

    { .name = "pick up", .in = IN_PARTNER, .opens = IN_PICK_UP, .arguments = "sftp|http|folder [PATH]",
      .value = { VALUE_CHOICE, VALUE_PATH }, .least = 1, .most = 2, .choice = PARTNER_TRANSPORTS, .repeats = true,
      .help = "fetch files from the partner" },
    { .name = "every", .in = IN_PICK_UP, .arguments = "TIME", .value = { VALUE_DURATION }, .least = 1, .most = 1,
      .otherwise = "5m", .help = "how often; a folder is looked at in each run, whatever this says" },
    { .name = "then", .in = IN_PICK_UP, .arguments = "delete|keep|move [PATH]", .value = { VALUE_CHOICE, VALUE_PATH },
      .least = 1, .most = 2, .choice = "delete|keep|move", .otherwise = "keep",
      .help = "what becomes of a file once it is safe with us" },

    { .name = "receive", .in = IN_PARTNER, .opens = IN_RECEIVE, .arguments = "SET|RECORD", .value = { VALUE_DOCUMENT },
      .least = 1, .most = 1, .repeats = true, .help = "a document type that comes from this partner" },
    { .name = "as", .in = IN_RECEIVE, .arguments = "RECORD", .value = { VALUE_RECORD }, .least = 1, .most = 1,
      .otherwise = "what the map makes", .help = "the kind of record that it becomes" },
    { .name = "map", .in = IN_RECEIVE, .arguments = "NAME|FILE", .value = { VALUE_MAP }, .least = 1, .most = 1,
      .otherwise = "the standard's own",
      .help = "the map: NAME.map beside this file, else a map of the maps folder" },
    { .name = "guide", .in = IN_RECEIVE, .arguments = "NAME|FILE", .value = { VALUE_MAP }, .least = 1, .most = 1,
      .otherwise = "the one beside the partner's own map",
      .help = "the partner's guide for this document: NAME.guide beside this file" },
    { .name = "to", .in = IN_RECEIVE, .arguments = "PARTNER, …", .value = { VALUE_NAME }, .least = 1,
      .most = PARTNER_MANY, .otherwise = "nobody; of a system of our own whom the record's `partner` names",
      .help = "who gets the record: partners, or origin, which is whoever sent what it answers" },
    { .name = "when", .in = IN_RECEIVE, .arguments = "FIELD =|!= VALUE", .value = { VALUE_FIELD, VALUE_CHOICE, VALUE_TEXT },
      .least = 3, .most = 3, .choice = "=|!=", .help = "only records with that value" },
    { .name = "priority", .in = IN_RECEIVE, .arguments = "high|normal|bulk", .value = { VALUE_CHOICE }, .least = 1,
      .most = 1, .choice = "high|normal|bulk", .otherwise = "normal", .help = "what goes before what" },
    { .name = "by", .in = IN_RECEIVE, .arguments = "TRANSPORT [METHOD] [PATH]", .value = { VALUE_CHOICE, VALUE_PATH },
      .least = 1, .most = 3, .choice = PARTNER_TRANSPORTS, .help = "how it is handed to a system of our own" },
    { .name = "body", .in = IN_RECEIVE, .arguments = "record|document", .value = { VALUE_CHOICE }, .least = 1,
      .most = 1, .choice = "record|document", .otherwise = "record", .help = "what is handed over" },
    { .name = "batch", .in = IN_RECEIVE, .arguments = "NUMBER", .value = { VALUE_NUMBER }, .least = 1, .most = 1,
      .least_number = 1, .most_number = 1000, .otherwise = "1", .help = "so many go together in one file, where so many wait" },
    { .name = "within", .in = IN_RECEIVE, .arguments = "TIME", .value = { VALUE_DURATION }, .least = 1, .most = 1,
      .otherwise = "what waits goes at once", .help = "how long a batch may wait to become full" },
    { .name = "same number", .in = IN_RECEIVE, .arguments = "held|change", .value = { VALUE_CHOICE }, .least = 1, .most = 1,
      .choice = "held|change", .otherwise = "held",
      .help = "what becomes of a document with a number that came before, and other content" },

    { .name = "send", .in = IN_PARTNER, .opens = IN_SEND, .arguments = "SET|RECORD", .value = { VALUE_DOCUMENT },
      .least = 1, .most = 1, .repeats = true, .help = "a document type that goes to this partner" },
    { .name = "from", .in = IN_SEND, .arguments = "RECORD|folder", .value = { VALUE_RECORD }, .least = 1, .most = 1,
      .otherwise = "what the map takes",
      .help = "the kind of record that it is made of; folder: what a system of our own puts into spool/in/PARTNER" },
    { .name = "map", .in = IN_SEND, .arguments = "NAME|FILE", .value = { VALUE_MAP }, .least = 1, .most = 1,
      .otherwise = "the standard's own",
      .help = "the map: NAME.map beside this file, else a map of the maps folder" },
    { .name = "guide", .in = IN_SEND, .arguments = "NAME|FILE", .value = { VALUE_MAP }, .least = 1, .most = 1,
      .otherwise = "the one beside the partner's own map",
      .help = "the partner's guide for this document: NAME.guide beside this file" },
    { .name = "when", .in = IN_SEND, .arguments = "FIELD =|!= VALUE", .value = { VALUE_FIELD, VALUE_CHOICE, VALUE_TEXT },
      .least = 3, .most = 3, .choice = "=|!=", .help = "only records with that value" },
    { .name = "priority", .in = IN_SEND, .arguments = "high|normal|bulk", .value = { VALUE_CHOICE }, .least = 1,
      .most = 1, .choice = "high|normal|bulk", .otherwise = "normal", .help = "what goes before what" },
    { .name = "by", .in = IN_SEND, .arguments = "TRANSPORT [METHOD] [PATH]", .value = { VALUE_CHOICE, VALUE_PATH },
      .least = 1, .most = 3, .choice = PARTNER_TRANSPORTS, .help = "how it is sent" },
    { .name = "body", .in = IN_SEND, .arguments = "record|document", .value = { VALUE_CHOICE }, .least = 1,
      .most = 1, .choice = "record|document", .otherwise = "document", .help = "what is sent" },
    { .name = "batch", .in = IN_SEND, .arguments = "NUMBER", .value = { VALUE_NUMBER }, .least = 1, .most = 1,
      .least_number = 1, .most_number = 1000, .otherwise = "1", .help = "so many go together in one file, where so many wait" },
    { .name = "within", .in = IN_SEND, .arguments = "TIME", .value = { VALUE_DURATION }, .least = 1, .most = 1,
      .otherwise = "what waits goes at once", .help = "how long a batch may wait to become full" },

    { .name = "acknowledge", .in = IN_PARTNER, .arguments = "997|999|ta1|contrl|contrl-2-2|mdn …", .value = { VALUE_CHOICE },
      .least = 1, .most = 6, .choice = "997|999|ta1|contrl|contrl-2-2|mdn",
      .help = "the acknowledgments that we send for what we receive; contrl: D:3, to syntax version 4 4:1" },
    { .name = "expect", .in = IN_PARTNER, .opens = IN_EXPECT, .arguments = "997|999|ta1|contrl|mdn",
      .value = { VALUE_CHOICE }, .least = 1, .most = 1, .choice = "997|999|ta1|contrl|mdn", .repeats = true,
      .help = "an acknowledgment of what we send; ta1 is asked for in ISA14" },
    { .name = "within", .in = IN_EXPECT, .arguments = "TIME", .value = { VALUE_DURATION }, .least = 1, .most = 1,
      .otherwise = "24h", .help = "how long to wait before it is said to be missing" },
    { .name = "allow", .in = IN_PARTNER, .arguments = "NAME, …", .value = { VALUE_FINDING }, .least = 1,
      .most = PARTNER_MANY, .repeats = true,
      .help = "findings that are warnings for this partner; `waybill help findings` lists the names" },
    { .name = "guide", .in = IN_PARTNER, .arguments = "NAME|FILE", .value = { VALUE_MAP }, .least = 1, .most = 1,
      .repeats = true, .help = "a guide of the partner's; it goes before the standard's guide for its set" },
    { .name = "retry", .in = IN_PARTNER, .opens = IN_RETRY, .arguments = "TIME", .value = { VALUE_DURATION },
      .least = 1, .most = 1, .otherwise = "15m", .help = "how long to wait before sending again" },
    { .name = "for", .in = IN_RETRY, .arguments = "TIME", .value = { VALUE_DURATION }, .least = 1, .most = 1,
      .otherwise = "2d", .help = "when to give up" },
    { .name = "keep", .in = IN_PARTNER, .arguments = "TIME", .value = { VALUE_DURATION }, .least = 1, .most = 1,
      .otherwise = "90d", .help = "how long payloads stay at hand before they go to the archive" },
    { .name = NULL },
};

static const char *const scope_names[PARTNER_SCOPES] = {
    [IN_NOTHING] = "",   [IN_FILE] = "",       [IN_PARTNER] = "partner", [IN_X12] = "x12",
    [IN_GROUP] = "group", [IN_EDIFACT] = "edifact", [IN_MESSAGE] = "message", [IN_AS2] = "as2", [IN_SFTP] = "sftp",
    [IN_HTTP] = "http",  [IN_PICK_UP] = "pick up", [IN_RECEIVE] = "receive", [IN_SEND] = "send",
    [IN_EXPECT] = "expect", [IN_RETRY] = "retry",
};

const char *partner_scope_name(enum partner_scope scope)
{
    return scope_names[scope];
}

/* --- Values -------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_among(char c, const char *others)
{
    return c && strchr(others, c);
}

/* Only letters, digits and `others`, between least and most bytes. */
static bool made_of(struct slice s, size_t least, size_t most, const char *others)
{
    if (s.n < least || s.n > most)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_letter(s.p[i]) && !is_digit(s.p[i]) && !is_among(s.p[i], others))
            return false;
    return true;
}

static bool is_printable(struct slice s, size_t least, size_t most)
{
    if (s.n < least || s.n > most)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e)
            return false;
    return s.n == 0 || (s.p[0] != ' ' && s.p[s.n - 1] != ' ');
}

static bool is_party(struct slice word, size_t least, size_t most, size_t id_most)
{
    struct slice id;
    bool found;
    struct slice qualifier = slice_cut(word, ':', &id, &found);

    return found && made_of(qualifier, least, most, "") && is_printable(id, 1, id_most);
}

bool partner_separator(struct slice word, char *c_r)
{
    static const struct {
        const char *name;
        char c;
    } names[] = { { "newline", '\n' }, { "return", '\r' }, { "tab", '\t' } };

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_is(word, names[i].name)) {
            *c_r = names[i].c;
            return true;
        }
    if (word.n == 4 && word.p[0] == '0' && word.p[1] == 'x') {
        unsigned value = 0;
        for (unsigned i = 2; i < 4; i++) {
            char c = word.p[i];
            int digit = is_digit(c)              ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
            if (digit < 0)
                return false;
            value = value * 16 + (unsigned)digit;
        }
        *c_r = (char)value;
        return value != 0;
    }
    if (word.n != 1 || (unsigned char)word.p[0] < 0x20 || (unsigned char)word.p[0] > 0x7e)
        return false;
    *c_r = word.p[0];
    return true;
}

bool partner_line_end(struct slice word, const char **end_r)
{
    *end_r = slice_is(word, "newline") ? "\n" : slice_is(word, "crlf") ? "\r\n" : "";
    return **end_r || slice_is(word, "none");
}

bool partner_duration(struct slice word, uint64_t *seconds_r)
{
    static const char units[] = "smhdw";
    static const uint32_t seconds[] = { 1, 60, 3600, 86400, 604800 };
    const char *unit = word.n > 1 && word.p[word.n - 1] ? strchr(units, word.p[word.n - 1]) : NULL;
    uint64_t n;

    if (!unit || !slice_number(slice(word.p, word.n - 1), 1000000, &n) || n == 0)
        return false;
    *seconds_r = n * seconds[unit - units];
    return true;
}

bool partner_choice(const char *choice, struct slice word, struct slice *best, unsigned *distance)
{
    struct slice rest = slice_of(choice);
    bool more = choice != NULL, found = false;

    while (more) {
        struct slice one = slice_cut(rest, '|', &rest, &more);
        if (slice_eq(one, word))
            found = true;
        if (best && word.n > 1)
            suggest(word, one, best, distance);
    }
    return found;
}

static bool check_name(struct slice s)
{
    return made_of(s, 1, 64, "-_.") && s.p[0] != '.' && s.p[0] != '-';
}

static bool check_text(struct slice s)
{
    return s.n > 0 && s.n <= 1000 && !memchr(s.p, 0, s.n);
}

static bool check_x12_party(struct slice s)
{
    return is_party(s, 2, 2, 15);
}

/* 14:4012345000009, 14:4012345000009:BRANCH, or NORTHWIND */
static bool check_edifact_party(struct slice s)
{
    struct slice rest, routing;
    bool found, routed = false;
    struct slice first = slice_cut(s, ':', &rest, &found), id = found ? slice_cut(rest, ':', &routing, &routed) : first;

    return (!found || made_of(first, 1, 4, "")) && is_printable(id, 1, 35) && (!routed || is_printable(routing, 1, 14));
}

static bool check_code(struct slice s)
{
    return is_printable(s, 2, 15);
}

static bool check_version(struct slice s)
{
    uint64_t number;
    return made_of(s, 6, 12, "") && slice_number(slice(s.p, 6), 999999, &number);
}

/* D.96A, 2.2, 1.911 */
static bool check_directory(struct slice s)
{
    struct slice release;
    bool found;
    struct slice version = slice_cut(s, '.', &release, &found);

    return found && made_of(version, 1, 3, "") && made_of(release, 1, 3, "");
}

static bool check_association(struct slice s)
{
    return is_printable(s, 1, 6);
}

static bool check_reference(struct slice s)
{
    return is_printable(s, 1, 14);
}

static bool check_agreement(struct slice s)
{
    return is_printable(s, 1, 35);
}

static bool check_letter(struct slice s)
{
    return s.n == 1 && s.p[0] >= 'A' && s.p[0] <= 'Z';
}

static bool check_interchange_version(struct slice s)
{
    uint64_t number;
    return s.n == 5 && slice_number(s, 99999, &number);
}

static bool check_separator(struct slice s)
{
    const char *end;
    char c;
    return partner_separator(s, &c) || partner_line_end(s, &end);
}

static bool check_duration(struct slice s)
{
    uint64_t seconds;
    return partner_duration(s, &seconds);
}

static bool check_file(struct slice s)
{
    return check_text(s) && s.p[s.n - 1] != '/';
}

static bool check_path(struct slice s)
{
    static const char methods[] = "GET|POST|PUT|PATCH";
    return check_text(s) && (s.p[0] == '/' || partner_choice(methods, s, NULL, NULL));
}

static bool check_url(struct slice s)
{
    size_t scheme = slice_starts(s, SLICE("https://")) ? 8 : slice_starts(s, SLICE("http://")) ? 7 : 0;
    return scheme && s.n > scheme && s.p[scheme] != '/' && is_printable(s, 1, 2000) && !memchr(s.p, ' ', s.n);
}

static bool check_host(struct slice s)
{
    struct slice port;
    bool found;
    uint64_t number;
    struct slice host = slice_cut(s, ':', &port, &found);

    return made_of(host, 1, 253, "-._") && (!found || (slice_number(port, 65535, &number) && number > 0));
}

static bool check_fingerprint(struct slice s)
{
    return slice_starts(s, SLICE("SHA256:")) && made_of(slice_from(s, 7), 43, 44, "+/=");
}

static bool check_document(struct slice s)
{
    return made_of(s, 2, 64, "_-") && s.p[0] != '-';
}

static bool check_record(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 'A' && s.p[i] <= 'Z')
            return false;
    return made_of(s, 2, 64, "_") && is_letter(s.p[0]);
}

static bool check_map(struct slice s)
{
    return check_file(s);
}

static bool check_finding(struct slice s)
{
    struct finding_policy policy;
    finding_policy_init(&policy);
    return finding_policy_allow(&policy, s);
}

static bool check_field(struct slice s)
{
    return made_of(s, 1, 200, "_.[]") && is_letter(s.p[0]);
}

static const struct {
    bool (*check)(struct slice s);
    const char *words;
} values[PARTNER_VALUES] = {
    [VALUE_NONE] = { NULL, "" },
    [VALUE_NAME] = { check_name, "a name of letters, digits and hyphens" },
    [VALUE_TEXT] = { check_text, "a text" },
    [VALUE_CHOICE] = { NULL, "one of these words" },
    [VALUE_X12_PARTY] = { check_x12_party, "a qualifier of two characters, a colon, and an id of at most 15 (ZZ:NORTHWIND)" },
    [VALUE_EDIFACT_PARTY] = { check_edifact_party,
                              "a qualifier, a colon, and an id of at most 35 characters (14:4012345000009), perhaps another "
                              "colon and an address of at most 14" },
    [VALUE_CODE] = { check_code, "a code of 2 to 15 characters" },
    [VALUE_VERSION] = { check_version, "a version of six digits, perhaps with letters behind (004010VICS)" },
    [VALUE_DIRECTORY] = { check_directory, "a version, a point and a release (D.96A)" },
    [VALUE_ASSOCIATION] = { check_association, "a code of at most 6 characters (EAN008)" },
    [VALUE_REFERENCE] = { check_reference, "a text of at most 14 characters" },
    [VALUE_AGREEMENT] = { check_agreement, "a text of at most 35 characters" },
    [VALUE_LETTER] = { check_letter, "a capital letter" },
    [VALUE_INTERCHANGE_VERSION] = { check_interchange_version, "a version of five digits (00401)" },
    [VALUE_SEPARATOR] = { check_separator, "one character, newline, return, tab or 0xHH" },
    [VALUE_NUMBER] = { NULL, "a number" },
    [VALUE_DURATION] = { check_duration, "a time such as 30s, 15m, 24h or 2d" },
    [VALUE_FILE] = { check_file, "a file" },
    [VALUE_PATH] = { check_path, "a path that begins with /, or a method of HTTP" },
    [VALUE_URL] = { check_url, "a URL (https://…)" },
    [VALUE_HOST] = { check_host, "a host, perhaps with a port (edi.northwind.example:22)" },
    [VALUE_FINGERPRINT] = { check_fingerprint, "a fingerprint as ssh-keygen -l shows it (SHA256: and 43 characters)" },
    [VALUE_DOCUMENT] = { check_document, "a document type (850) or a kind of record (order)" },
    [VALUE_RECORD] = { check_record, "a kind of record (order)" },
    [VALUE_MAP] = { check_map, "a name (x12/850-order) or a file" },
    [VALUE_FINDING] = { check_finding, "a name that can be allowed" },
    [VALUE_FIELD] = { check_field, "a field of a record (ship_to.id)" },
};

const char *partner_value_words(enum partner_value value)
{
    return values[value].words;
}

const char *partner_check_value(const struct partner_keyword *k, unsigned argument, struct slice word)
{
    unsigned value = VALUE_NONE;
    uint64_t number;

    for (unsigned i = 0; i < PARTNER_ARGUMENTS && i <= argument; i++)
        if (k->value[i] != VALUE_NONE)
            value = k->value[i];
    if (value == VALUE_CHOICE)
        return partner_choice(k->choice, word, NULL, NULL) ? NULL : k->choice;
    if (value == VALUE_NUMBER)
        return slice_number(word, k->most_number, &number) && number >= k->least_number ? NULL : values[value].words;
    return values[value].check(word) ? NULL : values[value].words;
}
