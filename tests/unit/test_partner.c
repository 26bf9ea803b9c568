/*
 * partner: what a partner file means, every error it can hold, and that all of it is said at once; that what is shown
 * can be read again; and that it does without any one allocation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/limits.h"
#include "failing_malloc.h"
#include "edi/dialect.h"
#include "partner/keywords.h"

/* All keywords, each at least once. */
static const char everything[] =
    "# a comment\n"
    "partner northwind \"Northwind \\\"Nord\\\" Traders\"\n"
    "  is        retailer\n"
    "  x12       ZZ:NORTHWIND             us ZZ:ACMECORP\n"
    "    group NWPO us ACME  version 004010VICS  usage production\n"
    "    group NWTEST us ACME  usage test  for 850, 860\n"
    "    separators * > ~  newline\n"
    "    charset latin1  transliterate  replace delimiters  version 00400\n"
    "  x12       12:8025550175  us ZZ:ACMECORP  separators 0x1d 0x1f newline ^\n"
    "  edifact   14:4012345000009         us 14:4098765000005  charset UNOC  syntax 3\n"
    "    message ORDERS, ORDCHG  version D.96A  association EAN008\n"
    "    message DESADV usage production\n"
    "    version D.01B  usage test  application RECADV  decimal comma  una needed  transliterate\n"
    "    priority A  agreement \"EANCOM 97\"  password-file northwind.password AA\n"
    "    separators + : 0x27 ? crlf\n"
    "  edifact   NORTHWIND  us 14:4098765000005:STORE  syntax 4  charset UNOW\n"
    "  as2       \"NORTHWIND EDI\" us ACME        url https://edi.northwind.example/as2\n"
    "    certificate northwind.pem  sign sha-256  encrypt aes-256-cbc  compress  mdn signed sync\n"
    "  sftp      edi.northwind.example    user acme  key northwind.key  port 2222 password-file p \\\n"
    "            host-key SHA256:pGf1pk0Nn3fB9ZkCkQ0eE5JXo6b5yGd8VwR2m7TzYhQ\n"
    "  http      https://erp.example/api/  token-file erp.token\n"
    "  pick up   sftp /outbound/*.edi     every 5m   then delete\n"
    "  receive   850 as order   map northwind/850   guide northwind/850.guide to erp, shop  priority high\n"
    "  receive   850 as order   to warehouse    when ship_to.id = \"0042, Door 7\"  same number change\n"
    "  receive   order     by http POST /orders       body record   batch 20 within 5m\n"
    "  acknowledge 997 ta1\n"
    "  send      856 from shipment  map x12/856-shipment  by sftp /inbound/%control.edi\n"
    "    priority bulk  body document when state != held guide northwind/856  batch 100 within 1h\n"
    "  send      shipment from folder\n"
    "  expect    997 within 24h\n"
    "  expect    ta1\n"
    "  allow     short-isa, wrong-counts\n"
    "  allow     over-max,X12-AK4-7\n"
    "  guide     northwind/860\n"
    "  retry     15m for 2d\n"
    "  off\n"
    "  takes tests\n"
    "  group numbers repeat\n"
    "  keep      400d\n";

static struct partner *read_good(const char *text)
{
    struct complaints c;
    struct partner *p;
    struct err err = { 0 };
    int rc;

    complaints_init(&c);
    rc = partner_read(SLICE("partners/x.conf"), slice_of(text), &c, &p, &err);
    if (rc != 0)
        print_error("%s\n", buf_text(&c.text));
    assert_int_equal(rc, 0);
    assert_int_equal(c.count, 0);
    assert_non_null(p);
    complaints_deinit(&c);
    return p;
}

static void is_slice(struct slice found, const char *expected)
{
    if (!slice_is(found, expected))
        fail_msg("found \"%.*s\", expected \"%s\"", SLICE_FMT(found), expected);
}

static void test_everything(void **state)
{
    struct partner *p = read_good(everything);
    const struct partner_identity *x = p->identity;

    (void)state;
    is_slice(p->name, "northwind");
    is_slice(p->title, "Northwind \"Nord\" Traders");
    is_slice(p->role, "retailer");
    assert_int_equal(p->n_identities, 4);
    is_slice(x->qualifier, "ZZ");
    is_slice(x->id, "NORTHWIND");
    is_slice(x->our_qualifier, "ZZ");
    is_slice(x->our_id, "ACMECORP");
    is_slice(x->version, "00400");
    assert_int_equal(x->line, 4);
    assert_int_equal(x->syntax.element, '*');
    assert_int_equal(x->syntax.component, '>');
    assert_int_equal(x->syntax.terminator, '~');
    assert_int_equal(x->syntax.repetition, '^');
    assert_string_equal(x->line_end, "\n");
    assert_int_equal(x->charset, CHARSET_LATIN1);
    assert_true(x->transliterate);
    assert_true(x->replace);
    assert_int_equal(x->n_groups, 2);
    is_slice(x->group[0].them, "NWPO");
    is_slice(x->group[0].us, "ACME");
    is_slice(x->group[0].version, "004010VICS");
    assert_int_equal(x->group[0].usage, 'P');
    assert_int_equal(x->group[0].n_documents, 0);
    is_slice(x->group[1].them, "NWTEST");
    assert_int_equal(x->group[1].usage, 'T');
    assert_int_equal(x->group[1].version.n, 0);
    assert_int_equal(x->group[1].n_documents, 2);
    is_slice(x->group[1].document[0], "850");
    is_slice(x->group[1].document[1], "860");
    x++;
    is_slice(x->id, "8025550175");
    assert_int_equal(x->syntax.element, 0x1d);
    assert_int_equal(x->syntax.component, 0x1f);
    assert_int_equal(x->syntax.terminator, '\n');
    assert_int_equal(x->syntax.repetition, '^');
    assert_string_equal(x->line_end, "");
    assert_int_equal(x->charset, CHARSET_EXTENDED);
    assert_false(x->transliterate);
    assert_false(x->replace);
    assert_int_equal(x->n_groups, 0);
    assert_ptr_equal(x->dialect, &dialect_x12);
    x++;
    assert_ptr_equal(x->dialect, &dialect_edifact);
    is_slice(x->qualifier, "14");
    is_slice(x->id, "4012345000009");
    is_slice(x->routing, "");
    is_slice(x->version, "3");
    is_slice(x->application, "RECADV");
    is_slice(x->priority, "A");
    is_slice(x->agreement, "EANCOM 97");
    is_slice(x->password_file, "northwind.password");
    is_slice(x->password_qualifier, "AA");
    assert_int_equal(x->charset, CHARSET_LATIN1);
    assert_int_equal(x->syntax.release, '?');
    assert_int_equal(x->syntax.repetition, 0);
    assert_int_equal(x->decimal, ',');
    assert_string_equal(x->line_end, "\r\n");
    assert_false(x->una);
    assert_true(x->transliterate);
    assert_int_equal(x->n_groups, 3);
    is_slice(x->group[0].version, "D.96A");
    is_slice(x->group[0].association, "EAN008");
    assert_int_equal(x->group[0].usage, 'T');
    assert_int_equal(x->group[0].n_documents, 2);
    is_slice(x->group[0].document[1], "ORDCHG");
    is_slice(x->group[1].version, "D.01B");
    assert_int_equal(x->group[1].usage, 'P');
    assert_false(partner_group_is_for(&x->group[1], SLICE("INVRPT")));
    assert_true(partner_group_is_for(&x->group[2], SLICE("INVRPT")));
    assert_int_equal(x->group[2].usage, 'T');
    x++;
    is_slice(x->qualifier, "");
    is_slice(x->id, "NORTHWIND");
    is_slice(x->our_id, "4098765000005");
    is_slice(x->our_routing, "STORE");
    assert_int_equal(x->syntax.repetition, '*');
    assert_int_equal(x->charset, CHARSET_UTF8);
    assert_true(x->una);
    assert_string_equal(x->line_end, "\n");
    assert_int_equal(x->n_groups, 1);
    assert_int_equal(p->n_routes, 5);
    assert_false(p->route[0].send);
    is_slice(p->route[0].document, "850");
    is_slice(p->route[0].record, "order");
    is_slice(p->route[0].map, "northwind/850");
    is_slice(p->route[0].guide, "northwind/850.guide");
    assert_int_equal(p->route[0].map_at.line, 23);
    assert_int_equal(p->route[0].map_at.column, 32);
    is_slice(p->route[1].document, "850");
    assert_int_equal(p->route[1].map.n, 0);
    assert_int_equal(p->route[2].document.n, 0);
    is_slice(p->route[2].record, "order");
    assert_true(p->route[3].send);
    is_slice(p->route[3].record, "shipment");
    is_slice(p->route[3].guide, "northwind/856");
    is_slice(p->route[4].record, "shipment");
    assert_int_equal(p->route[4].document.n, 0);
    assert_int_equal(p->acknowledge, PARTNER_997 | PARTNER_TA1);
    assert_int_equal(p->expect, PARTNER_997 | PARTNER_TA1);
    assert_int_equal(p->n_allow, 4);
    is_slice(p->allow[0], "short-isa");
    is_slice(p->allow[3], "X12-AK4-7");
    assert_true(partner_allows(p, SLICE("over-max")));
    assert_false(partner_allows(p, SLICE("over")));
    assert_int_equal(p->n_guides, 1);
    is_slice(p->guide[0].name, "northwind/860");
    partner_free(&p);
    assert_null(p);
    partner_free(&p);
}

/* Every row of the table stands in `everything`. */
static bool uses(const struct partner_setting *s, const struct partner_keyword *k)
{
    for (; s; s = s->next)
        if (s->keyword == k || uses(s->first, k))
            return true;
    return false;
}

static void test_all_keywords(void **state)
{
    struct partner *p = read_good(everything);

    (void)state;
    for (const struct partner_keyword *k = partner_keywords; k->name; k++) {
        if (!uses(p->setting, k))
            fail_msg("no test has the keyword \"%s\" of \"%s\"", k->name, partner_scope_name(k->in));
        assert_true(k->help[0] != 0);
        assert_true(k->least <= k->most);
        assert_true((k->most == 0) == (k->value[0] == VALUE_NONE));
        assert_true((k->most == 0) == (k->arguments[0] == 0));
        /* no word means two things in one place */
        for (const struct partner_keyword *other = k + 1; other->name; other++)
            assert_false(other->in == k->in && strcmp(other->name, k->name) == 0);
    }
    partner_free(&p);
}

static void test_defaults(void **state)
{
    struct partner *p = read_good("partner erp\n  x12 ZZ:A us ZZ:B\n    group AB");

    (void)state;
    is_slice(p->title, "erp");
    is_slice(p->role, "other");
    assert_string_equal(p->identity->line_end, "\n");
    assert_int_equal(p->identity->syntax.element, '*');
    assert_int_equal(p->identity->group->usage, 'P');
    assert_int_equal(p->identity->group->us.n, 0);
    assert_int_equal(p->n_routes, 0);
    assert_null(partner_route_of_record(p, SLICE("order"), NULL));
    partner_free(&p);
    p = read_good("partner erp \"ERP\"\n");
    assert_int_equal(p->n_identities, 0);
    partner_free(&p);
}

static void test_separators(void **state)
{
    static const struct {
        const char *line;
        char element, component, terminator, repetition;
        const char *end;
    } cases[] = {
        { "* > ~", '*', '>', '~', '^', "" },
        { "* > ~ none", '*', '>', '~', '^', "" },
        { "* > ~ crlf", '*', '>', '~', '^', "\r\n" },
        { "* > ~ ! newline", '*', '>', '~', '!', "\n" },
        { "| \"\\\"\" return", '|', '"', '\r', '^', "" },
        { "* > newline", '*', '>', '\n', '^', "" },
        { "^ : ~", '^', ':', '~', '`', "" },
        { "^ ` ~", '^', '`', '~', '!', "" },
        { "* : ~ none charset utf8", '*', ':', '~', '^', "" },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[200];
        struct partner *p;

        snprintf(text, sizeof(text), "partner a\n  x12 ZZ:A us ZZ:B\n    separators %s\n", cases[i].line);
        p = read_good(text);
        assert_int_equal(p->identity->syntax.element, cases[i].element);
        assert_int_equal(p->identity->syntax.component, cases[i].component);
        assert_int_equal(p->identity->syntax.terminator, cases[i].terminator);
        assert_int_equal(p->identity->syntax.repetition, cases[i].repetition);
        assert_string_equal(p->identity->line_end, cases[i].end);
        partner_free(&p);
    }
}

static void test_routes(void **state)
{
    struct partner *p = read_good("partner a\n"
                                  "  receive order by folder /x\n"
                                  "  receive 850 as order\n"
                                  "  send 855 from order_response\n"
                                  "  receive 855 as order_response\n"
                                  "  send 850 from stock\n");

    (void)state;
    assert_ptr_equal(partner_route_of_record(p, SLICE("order"), NULL), &p->route[1]);
    assert_ptr_equal(partner_route_of_record(p, SLICE("order_response"), NULL), &p->route[2]);
    assert_null(partner_route_of_record(p, SLICE("shipment"), NULL));
    assert_ptr_equal(partner_route_of_document(p, SLICE("850")), &p->route[1]);
    assert_ptr_equal(partner_route_of_document(p, SLICE("855")), &p->route[3]);
    assert_null(partner_route_of_document(p, SLICE("856")));
    partner_free(&p);
}

/* Which way a line goes, and all that it says of how. */
static void test_ways(void **state)
{
    struct partner *p = read_good(everything);
    const struct partner_route *r = p->route;

    (void)state;
    assert_true(p->off && p->takes_tests && p->groups_repeat);
    assert_int_equal(p->keep, 400 * 86400);
    assert_int_equal(p->retry, 900);
    assert_int_equal(p->retry_for, 2 * 86400);
    assert_int_equal(p->expect_within, 86400);
    assert_int_equal(p->n_pick_ups, 1);
    is_slice(p->pick_up->way, "sftp");
    is_slice(p->pick_up->path, "/outbound/*.edi");
    is_slice(p->pick_up->then, "delete");
    assert_int_equal(p->pick_up->every, 300);
    /* from the partner, to two of ours */
    assert_false(r->out);
    assert_int_equal(r->n_to, 2);
    is_slice(r->to[1], "shop");
    assert_int_equal(r->priority, 0);
    assert_false(r->change);
    r++;
    is_slice(r->when, "ship_to.id");
    is_slice(r->value, "0042, Door 7");
    assert_false(r->when_not);
    assert_int_equal(r->priority, 1);
    assert_true(r->change);
    r++;
    /* what a system of ours receives by some way goes to it */
    assert_true(r->out && r->as_record);
    is_slice(r->way, "http");
    is_slice(r->path, "/orders");
    assert_int_equal(r->batch, 20);
    assert_int_equal(r->within, 300);
    r++;
    assert_true(r->out && !r->as_record && r->when_not);
    is_slice(r->way, "sftp");
    is_slice(r->path, "/inbound/%control.edi");
    assert_int_equal(r->priority, 2);
    assert_int_equal(r->batch, 100);
    r++;
    /* and what it sends from a folder comes from it */
    assert_false(r->out);
    assert_true(r->as_record);
    is_slice(r->record, "shipment");
    partner_free(&p);

    p = read_good("partner b\n  send 856 from shipment\n  send order\n  receive order\n");
    assert_true(p->route[0].out && p->route[1].out && !p->route[2].out);
    is_slice(p->route[0].way, "folder");
    assert_int_equal(p->route[0].batch, 1);
    assert_int_equal(p->retry, 900);
    assert_int_equal(p->retry_for, 2 * 86400);
    assert_int_equal(p->keep, 90 * 86400);
    partner_free(&p);
}

static void test_paths(void **state)
{
    static const struct {
        const char *file, *name, *path;
    } cases[] = {
        { "partners/x.conf", "northwind/850", "partners/northwind/850.map" },
        { "partners/x.conf", "northwind/850.map", "partners/northwind/850.map" },
        { "partners/x.conf", "/etc/850", "/etc/850.map" },
        { "x.conf", "850", "850.map" },
        { "/x.conf", "map", "/map.map" },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct partner p = { .file = slice_of(cases[i].file) };
        struct buf path;
        assert_true(partner_path(&p, slice_of(cases[i].name), ".map", &path));
        assert_string_equal(path.p, cases[i].path);
        buf_deinit(&path);
    }
}

static void test_policy(void **state)
{
    struct partner *p = read_good("partner a\n  allow over-max, \"unknown-codes\" , X12-AK5-3\n");
    struct finding_policy policy;

    (void)state;
    finding_policy_init(&policy);
    assert_int_equal(policy.severity[FINDING_LOOP_OVER_MAX], SEVERITY_ERROR);
    partner_allow(p, &policy);
    assert_int_equal(policy.severity[FINDING_LOOP_OVER_MAX], SEVERITY_WARNING);
    assert_int_equal(policy.severity[FINDING_ELEMENT_CODE], SEVERITY_WARNING);
    assert_int_equal(policy.severity[FINDING_ELEMENT_DATE], SEVERITY_ERROR);
    partner_free(&p);
}

/* What is shown says the same again. */
static void test_show(void **state)
{
    struct partner *p = read_good(everything), *again;
    struct buf first, second;

    (void)state;
    buf_init(&first, 1 << 20);
    buf_init(&second, 1 << 20);
    partner_show(p, &first);
    again = read_good(buf_text(&first));
    partner_show(again, &second);
    assert_string_equal(buf_text(&first), buf_text(&second));
    assert_int_equal(again->n_routes, p->n_routes);
    is_slice(again->title, "Northwind \"Nord\" Traders");
    assert_int_equal(again->identity[1].syntax.element, 0x1d);
    assert_non_null(strstr(first.p, "\n    when          ship_to.id = \"0042, Door 7\"\n"));
    assert_non_null(strstr(first.p, "\n    to            erp, shop\n"));
    buf_deinit(&first);
    buf_deinit(&second);
    partner_free(&p);
    partner_free(&again);
}

/* Text under "partner a\n", and all that is complained of: LINE:COLUMN: words | hint. */
static const struct {
    const char *text;
    const char *complaints;
} wrong[] = {
    { "  recieve 850 as order\n", "2:3: unknown keyword \"recieve\" | did you mean \"receive\"?" },
    { "  pickup sftp\n", "2:3: unknown keyword \"pickup\" | did you mean \"pick up\"?" },
    { "  pick sftp\n", "2:3: unknown keyword \"pick\" | did you mean \"pick up\"?" },
    { "  \"is\" erp\n", "2:3: unknown keyword \"is\" | keywords stand without quotes." },
    { "  is erpp\n",
      "2:6: \"erpp\" is not one of retailer|distributor|manufacturer|supplier|customer|3pl|warehouse|carrier|"
      "marketplace|shop|erp|wms|tms|other | did you mean \"erp\"?" },
    { "  is\n", "2:5: \"is\" needs ROLE" },
    { "  is erp\n  is shop\n", "3:3: \"is\" stands in line 2 already" },
    { "  is erp shop\n", "2:10: \"shop\" does not belong here" },
    { "  is erp\n    x12 ZZ:A us ZZ:B\n    what\n  iss\n",
      "3:5: nothing belongs under \"is\"\n5:3: unknown keyword \"iss\" | did you mean \"is\"?" },
    { "  version 004010\n", "2:3: unknown keyword \"version\" | \"version\" belongs to \"group\"." },
    { "  x12 ZZ:A us ZZ:B is erp\n",
      "2:20: \"is\" does not belong here | \"is\" begins a line of its own, right under \"partner\"." },
    { "  partner b\n", "2:3: unknown keyword \"partner\" | a file holds one partner." },
    { "  x12 ZZ:A\n", "2:3: \"x12\" needs \"us QUALIFIER:ID\"" },
    { "  x12 A us ZZ:B\n", "2:7: \"A\" is not a qualifier of two characters, a colon, and an id of at most 15 "
                           "(ZZ:NORTHWIND)" },
    { "  x12 ZZ:1234567890123456 us ZZ:B\n",
      "2:7: \"ZZ:1234567890123456\" is not a qualifier of two characters, a colon, and an id of at most 15 "
      "(ZZ:NORTHWIND)" },
    { "  x12 ZZ:A us ZZ:B\n    group AA version 4010  usage real\n",
      "3:22: \"4010\" is not a version of six digits, perhaps with letters behind (004010VICS)\n"
      "3:34: \"real\" is not one of production|test|information" },
    { "  x12 ZZ:A us ZZ:B\n    separators * * ~\n",
      "3:16: element separator and component separator are the same (0x2A)" },
    { "  x12 ZZ:A us ZZ:B\n    separators * A ~\n",
      "3:16: the component separator cannot be \"A\": data are full of it" },
    { "  x12 ZZ:A us ZZ:B\n    separators * >\n",
      "3:19: \"separators\" needs ELEMENT COMPONENT TERMINATOR [REPETITION] [newline|crlf|none]" },
    { "  x12 ZZ:A us ZZ:B\n    separators * > ~ newline newline\n",
      "3:16: behind the separators stands how lines end: newline, crlf or none, and not \"newline\"" },
    { "  x12 ZZ:A us ZZ:B\n    separators * > crlf\n", "3:16: \"crlf\" is not a separator" },
    { "  x12 ZZ:A us ZZ:B\n    separators * > 0xe9\n    charset utf8\n",
      "3:16: the segment terminator cannot be 0xE9 where text is UTF-8" },
    { "  x12 ZZ:A us ZZ:B version 4010\n", "2:28: \"4010\" is not a version of five digits (00401)" },
    { "  edifact 14:1 us 14:2 syntax 9\n", "2:31: \"9\" is not a number from 1 to 4" },
    { "  edifact 14: us 14:2\n",
      "2:11: \"14:\" is not a qualifier, a colon, and an id of at most 35 characters (14:4012345000009), perhaps another "
      "colon and an address of at most 14" },
    { "  edifact 14:1 us 14:2\n    message ORDERS version 96A association EAN0080\n",
      "3:28: \"96A\" is not a version, a point and a release (D.96A)\n"
      "3:44: \"EAN0080\" is not a code of at most 6 characters (EAN008)" },
    { "  edifact 14:1 us 14:2\n    separators + : ' '\n",
      "3:16: segment terminator and release character are the same (0x27)" },
    { "  sftp h port 0 host-key MD5:1\n",
      "2:15: \"0\" is not a number from 1 to 65535\n"
      "2:26: \"MD5:1\" is not a fingerprint as ssh-keygen -l shows it (SHA256: and 43 characters)" },
    { "  http ftp://x\n", "2:8: \"ftp://x\" is not a URL (https://…)" },
    { "  retry 15 for 2y\n", "2:9: \"15\" is not a time such as 30s, 15m, 24h or 2d\n"
                             "2:16: \"2y\" is not a time such as 30s, 15m, 24h or 2d" },
    { "  allow short-is, X12-AK4-6\n",
      "2:9: nothing that can be allowed is called \"short-is\" | did you mean \"short-isa\"?\n"
      "2:19: \"X12-AK4-6\" cannot be allowed: an element holds a character it may not hold" },
    { "  allow ,\n", "2:10: \"allow\" needs NAME, …" },
    { "  acknowledge 997 tal\n", "2:19: \"tal\" does not belong here | did you mean \"ta1\"?" },
    { "  acknowledge CONTRL\n",
      "2:15: \"CONTRL\" is not one of 997|999|ta1|contrl|contrl-2-2|mdn | did you mean \"contrl\"?" },
    { "  receive 850 as Order when a b c\n",
      "2:18: \"Order\" is not a kind of record (order)\n2:31: \"b\" is not one of =|!=" },
    { "  expect 997\n    within\n", "3:11: \"within\" needs TIME" },
    { "  \tis erp\n\tretry 15m\n", "2:3: a tab; use blanks | expand(1) makes blanks of all the tabs of a file." },
    { "  x12 ZZ:A us \"ZZ:B\n", "2:15: the quote that opens here is not closed on this line" },
    { "  x12 ZZ:\xc3\x9c us ZZ:B\n",
      "2:7: \"ZZ:\xc3\x9c\" is not a qualifier of two characters, a colon, and an id of at most 15 (ZZ:NORTHWIND)" },
};

/* "x.conf:2:3: words\n    line\n    ^\nhint: …\n" as "2:3: words | …", one a line. */
static void shorten(struct slice text, struct buf *out)
{
    while (text.n) {
        bool found;
        struct slice line = slice_cut(text, '\n', &text, &found);
        if (slice_starts(line, SLICE("x.conf:"))) {
            if (out->n)
                buf_add_char(out, '\n');
            buf_add_slice(out, slice_from(line, 7));
        } else if (slice_starts(line, SLICE("hint: "))) {
            buf_add_text(out, " | ");
            buf_add_slice(out, slice_from(line, 6));
        }
    }
}

static void test_errors(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct complaints c;
        struct partner *p;
        struct err err = { 0 };
        struct buf text, found;

        buf_init(&text, 1 << 16);
        buf_init(&found, 1 << 16);
        complaints_init(&c);
        buf_add_text(&text, "partner a\n");
        buf_add_text(&text, wrong[i].text);
        assert_int_equal(partner_read(SLICE("x.conf"), buf_slice(&text), &c, &p, &err), ERR_CONFIG);
        assert_null(p);
        shorten(buf_slice(&c.text), &found);
        if (strcmp(buf_text(&found), wrong[i].complaints) != 0)
            fail_msg("of\n%s\nfound:\n%s\nexpected:\n%s", wrong[i].text, buf_text(&found), wrong[i].complaints);
        complaints_deinit(&c);
        buf_deinit(&text);
        buf_deinit(&found);
    }
}

static void complains(const char *text, const char *expected)
{
    struct complaints c;
    struct partner *p;
    struct err err = { 0 };

    complaints_init(&c);
    assert_int_equal(partner_read(SLICE("x.conf"), slice_of(text), &c, &p, &err), ERR_CONFIG);
    assert_null(p);
    assert_string_equal(buf_text(&c.text), expected);
    complaints_deinit(&c);
}

static void test_caret(void **state)
{
    (void)state;
    complains("", "x.conf:1: a partner file begins with: partner NAME \"TITLE\"\n");
    complains("# nothing\n", "x.conf:1: a partner file begins with: partner NAME \"TITLE\"\n");
    complains("partner acme \"Acme\"\n\n  is other\n  recieve 850 as order\n",
              "x.conf:4:3: unknown keyword \"recieve\"\n"
              "    recieve 850 as order\n"
              "    ^~~~~~~\n"
              "hint: did you mean \"receive\"?\n");
    complains("is erp\n", "x.conf:1:1: unknown keyword \"is\"\n"
                          "    is erp\n"
                          "    ^~\n"
                          "hint: \"is\" begins a line of its own, right under \"partner\".\n");
    complains("partner a\n  pick up   sftp /x\n    every never\n",
              "x.conf:3:11: \"never\" is not a time such as 30s, 15m, 24h or 2d\n"
              "    every never\n"
              "          ^~~~~\n");
}

/* A flood of errors ends, and is counted. */
static void test_many_errors(void **state)
{
    struct complaints c;
    struct partner *p;
    struct err err = { 0 };
    struct buf text;

    (void)state;
    buf_init(&text, 1 << 20);
    complaints_init(&c);
    buf_add_text(&text, "partner a\n");
    for (unsigned i = 0; i < 1000; i++)
        buf_add_text(&text, "  is erp\n");
    assert_int_equal(partner_read(SLICE("x.conf"), buf_slice(&text), &c, &p, &err), ERR_CONFIG);
    assert_true(c.count > LIMIT_COMPLAINTS);
    assert_non_null(strstr(buf_text(&c.text), "and more errors, not shown"));
    complaints_deinit(&c);
    buf_deinit(&text);
}

static void test_durations(void **state)
{
    uint64_t seconds;

    (void)state;
    assert_true(partner_duration(SLICE("30s"), &seconds) && seconds == 30);
    assert_true(partner_duration(SLICE("15m"), &seconds) && seconds == 900);
    assert_true(partner_duration(SLICE("2w"), &seconds) && seconds == 1209600);
    assert_false(partner_duration(SLICE("0m"), &seconds));
    assert_false(partner_duration(SLICE("m"), &seconds));
    assert_false(partner_duration(SLICE("1.5h"), &seconds));
    assert_false(partner_duration(slice("1\0", 2), &seconds));
}

static int read_and_show(void *text)
{
    struct complaints c;
    struct partner *p = NULL;
    struct buf shown;
    int rc;

    complaints_init(&c);
    buf_init(&shown, 1 << 20);
    rc = partner_read(SLICE("x.conf"), slice_of(text), &c, &p, NULL);
    if (rc == ERR_CONFIG && !c.nomem)
        rc = 0;
    if (p)
        partner_show(p, &shown);
    if (rc == 0)
        rc = shown.failed;
    if (rc == 0 && c.nomem)
        rc = ERR_NOMEM;
    buf_deinit(&shown);
    complaints_deinit(&c);
    partner_free(&p);
    return rc;
}

static void test_every_allocation_may_fail(void **state)
{
    static char bad[] = "partner a\n  is erpp\n  allow nothing, such\n  x12 ZZ:A\n  x12 ZZ:B us ZZ:A separators * * *\n";

    (void)state;
    assert_true(fail_each_allocation(read_and_show, (void *)everything) > 3);
    assert_true(fail_each_allocation(read_and_show, bad) > 3);
}

static void test_files(void **state)
{
    struct complaints c;
    struct partner *p;
    struct err err = { 0 };

    (void)state;
    complaints_init(&c);
    assert_int_equal(partner_load("/nowhere/x.conf", &c, &p, &err), ERR_MISSING);
    assert_null(p);
    assert_int_equal(c.count, 0);
    complaints_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything),
        cmocka_unit_test(test_all_keywords),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_separators),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_ways),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_policy),
        cmocka_unit_test(test_show),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_caret),
        cmocka_unit_test(test_many_errors),
        cmocka_unit_test(test_durations),
        cmocka_unit_test(test_every_allocation_may_fail),
        cmocka_unit_test(test_files),
    };
    return cmocka_run_group_tests_name("partner", tests, NULL, NULL);
}
