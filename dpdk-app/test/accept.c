/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accepted sets, exhaustively: every set over two SPs against every arrival. The model is a list of
 * points; a set is any subset of them, and an arrival is accepted when its point is in the subset.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tables/accept.h"

enum point_kind { SECURED, TUNNEL, MPLS, MPLS_OWN };

struct point {
	enum point_kind kind;
	uint8_t protection, encap, sp_table;
};

static const struct point points[] = {
	{SECURED, SL_PROT_ENCRYPT, SL_ENCAP_GRE, 1},
	{SECURED, SL_PROT_ENCRYPT, SL_ENCAP_IP, 1},
	{SECURED, SL_PROT_AUTHENTICATE, SL_ENCAP_GRE, 1},
	{SECURED, SL_PROT_AUTHENTICATE, SL_ENCAP_IP, 1},
	{SECURED, SL_PROT_ENCRYPT, SL_ENCAP_GRE, 63},
	{SECURED, SL_PROT_ENCRYPT, SL_ENCAP_IP, 63},
	{SECURED, SL_PROT_AUTHENTICATE, SL_ENCAP_GRE, 63},
	{SECURED, SL_PROT_AUTHENTICATE, SL_ENCAP_IP, 63},
	{TUNNEL, SL_PROT_TUNNEL, SL_ENCAP_GRE, 0},
	{TUNNEL, SL_PROT_TUNNEL, SL_ENCAP_IP, 0},
	{MPLS, SL_PROT_MPLS, SL_ENCAP_NONE, 0},
	{MPLS_OWN, SL_PROT_MPLS, SL_ENCAP_NONE, 0}, /* arrives as the one above */
};
enum { POINTS = sizeof(points) / sizeof(points[0]) };

static struct sl_accept_row row_of(uint32_t subset)
{
	struct sl_accept_row row = {.state = SL_ROW_LIVE};

	for (unsigned int i = 0; i < POINTS; i++) {
		const struct point *p = &points[i];

		if (!(subset >> i & 1))
			continue;
		if (p->kind == SECURED)
			row.secured[p->protection == SL_PROT_ENCRYPT ? 0 : 1]
				   [p->encap == SL_ENCAP_GRE ? 0 : 1] |= 1ull << p->sp_table;
		else if (p->kind == TUNNEL)
			row.clear |= p->encap == SL_ENCAP_GRE ? 1 : 2;
		else
			row.clear |= p->kind == MPLS ? 4 : 8;
	}
	return row;
}

/* Is some point in the subset that agrees with `a` where asked? */
static int contains(uint32_t subset, const struct point *a, int same_protection, int same_encap)
{
	for (unsigned int i = 0; i < POINTS; i++) {
		const struct point *p = &points[i];

		if (subset >> i & 1 && p->sp_table == a->sp_table && p->kind != MPLS_OWN &&
		    (!same_protection || p->protection == a->protection) &&
		    (!same_encap || p->encap == a->encap))
			return 1;
	}
	return 0;
}

static enum sl_accept_result expected(uint32_t subset, unsigned int i)
{
	const struct point *a = &points[i];

	/* plain MPLS has two ways to be accepted that look alike on the wire */
	if (subset >> i & 1 || (a->protection == SL_PROT_MPLS && subset >> 10 & 3))
		return SL_ACCEPTED;
	if (!contains(subset, a, 0, 0))
		return a->kind == SECURED ? SL_REFUSED_SP : SL_REFUSED_PROTECTED;
	return contains(subset, a, 1, 0) ? SL_REFUSED_ENCAP : SL_REFUSED_PROTECTION;
}

static void every_set_and_arrival(void **state)
{
	(void)state;
	for (uint32_t subset = 0; subset < 1u << POINTS; subset++) {
		struct sl_accept_row row = row_of(subset);

		for (unsigned int i = 0; i < POINTS; i++)
			if (sl_accept_check(&row, points[i].protection, points[i].encap,
			                    points[i].sp_table, 1) != expected(subset, i))
				fail_msg("set %#x, arrival %u", subset, i);
	}
}

/* A row that is free or retired accepts nothing, whatever its bits. */
static void not_live_accepts_nothing(void **state)
{
	struct sl_accept_row row = row_of((1u << POINTS) - 1);

	(void)state;
	for (uint32_t s = 0; s < 4; s++) {
		row.state = s;
		for (unsigned int i = 0; i < POINTS; i++) {
			enum sl_accept_result got = sl_accept_check(
				&row, points[i].protection, points[i].encap, points[i].sp_table, 1);

			assert_int_equal(got == SL_ACCEPTED, s == SL_ROW_LIVE);
		}
	}
}

/* Arrivals that no stage makes are refused by a set that accepts everything. */
static void impossible_arrivals(void **state)
{
	struct sl_accept_row row = row_of((1u << POINTS) - 1);

	(void)state;
	for (unsigned int p = 0; p < 2; p++)
		for (unsigned int e = 0; e < 2; e++)
			row.secured[p][e] = ~0ull;
	for (unsigned int protection = 0; protection < 256; protection++)
		for (unsigned int sp = 0; sp < 256; sp++) {
			int possible = protection == SL_PROT_TUNNEL || protection == SL_PROT_MPLS;

			if (protection == SL_PROT_ENCRYPT || protection == SL_PROT_AUTHENTICATE)
				possible = sp >= 1 && sp < SL_MAX_SPS;
			assert_int_equal(sl_accept_check(&row, (uint8_t)protection, SL_ENCAP_GRE,
			                                 (uint8_t)sp, 1) == SL_ACCEPTED,
			                 possible);
		}
	assert_int_equal(sl_accept_check(&row, SL_PROT_ENCRYPT, SL_ENCAP_NONE, 1, 1),
	                 SL_REFUSED_SP);
	assert_int_equal(sl_accept_check(&row, SL_PROT_TUNNEL, SL_ENCAP_NONE, 0, 1),
	                 SL_REFUSED_PROTECTED);
}

/* Plain MPLS of another SP: the interface the label was advertised on, and no bit makes up for it. */
static void advertised_interface(void **state)
{
	struct sl_accept_row row = row_of((1u << POINTS) - 1);

	(void)state;
	for (uint32_t set = 0; set < 3; set++) {
		row.mpls_interface = set;
		for (uint32_t on = 0; on < 3; on++)
			assert_int_equal(
				sl_accept_check(&row, SL_PROT_MPLS_OTHER_SP, SL_ENCAP_NONE, 0, on),
				set != 0 && set == on ? SL_ACCEPTED : SL_REFUSED_INTERFACE);
	}
	row.mpls_interface = 1;
	row.state = SL_ROW_RETIRED;
	assert_int_equal(sl_accept_check(&row, SL_PROT_MPLS_OTHER_SP, SL_ENCAP_NONE, 0, 1),
	                 SL_REFUSED_INTERFACE);
	row = (struct sl_accept_row){.state = SL_ROW_LIVE, .mpls_interface = 1};
	assert_int_equal(sl_accept_check(&row, SL_PROT_MPLS, SL_ENCAP_NONE, 0, 1),
	                 SL_REFUSED_PROTECTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_set_and_arrival),
		cmocka_unit_test(not_live_accepts_nothing),
		cmocka_unit_test(impossible_arrivals),
		cmocka_unit_test(advertised_interface),
	};

	return cmocka_run_group_tests_name("accept", tests, NULL, NULL);
}
