/* SPDX-License-Identifier: Apache-2.0 */
/* All BFD sessions of a worker: whose packet it is, and what is due next, against a search through all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "bfd/bfd_table.h"

static unsigned int seed;
static struct sl_bfd_table table;

static uint32_t draw(void *context)
{
	(void)context;
	return (uint32_t)rand_r(&seed) << 16 ^ (uint32_t)rand_r(&seed);
}

static const struct sl_bfd_config config = {
	.desired_min_tx_us = 50000, .required_min_rx_us = 50000, .detect_mult = 3};

static void reset(void)
{
	const struct sl_bfd_world world = {.random = draw};

	seed = 1;
	sl_bfd_table_init(&table, &world);
}

static struct sl_bfd_address_key key_of(uint32_t listener, uint32_t interface, uint16_t peer)
{
	struct sl_bfd_address_key key = {.listener = listener, .interface = interface, .family = 4};

	memcpy(key.local, (const uint8_t[4]){10, 0, 0, 1}, 4);
	memcpy(key.remote, (const uint8_t[4]){10, 1, (uint8_t)(peer >> 8), (uint8_t)peer}, 4);
	return key;
}

static struct sl_bfd_packet packet_to(uint32_t discr)
{
	return (struct sl_bfd_packet){
		.state = SL_BFD_DOWN, .detect_mult = 3, .my_discr = 9, .your_discr = discr};
}

/* RFC 5880 section 6.3. */
static void test_demultiplex(void **cmocka)
{
	struct sl_bfd_address_key one = key_of(1, 5, 1), unbound = key_of(1, 0, 2);
	struct sl_bfd_address_key elsewhere, other;
	struct sl_bfd_packet first = packet_to(0), known;
	struct sl_bfd_entry *a, *b;

	(void)cmocka;
	reset();
	a = sl_bfd_table_add(&table, 1, &one, &config, 1);
	b = sl_bfd_table_add(&table, 2, &unbound, &config, 1);
	assert_non_null(a);
	assert_non_null(b);
	assert_int_not_equal(a->session.local_discr, b->session.local_discr);
	/* without Your Discriminator: by addresses and interface */
	assert_ptr_equal(sl_bfd_table_demultiplex(&table, &first, &one), a);
	other = key_of(1, 6, 1); /* by another link than the session's */
	assert_null(sl_bfd_table_demultiplex(&table, &first, &other));
	other = key_of(1, 6, 2); /* a session that is bound to none */
	assert_ptr_equal(sl_bfd_table_demultiplex(&table, &first, &other), b);
	other = key_of(1, 5, 3); /* another peer */
	assert_null(sl_bfd_table_demultiplex(&table, &first, &other));
	other = one; /* to another of our addresses */
	other.local[3] = 2;
	assert_null(sl_bfd_table_demultiplex(&table, &first, &other));
	other = one;
	other.family = 6;
	assert_null(sl_bfd_table_demultiplex(&table, &first, &other));
	elsewhere =
		key_of(2, 5, 1); /* the same addresses in another namespace, or by several hops */
	assert_null(sl_bfd_table_demultiplex(&table, &first, &elsewhere));
	/* with it: by that alone, */
	known = packet_to(a->session.local_discr);
	other = key_of(1, 7, 99);
	assert_ptr_equal(sl_bfd_table_demultiplex(&table, &known, &other), a);
	assert_ptr_equal(sl_bfd_table_demultiplex(&table, &known, &unbound), a);
	/* but never from another namespace */
	assert_null(sl_bfd_table_demultiplex(&table, &known, &elsewhere));
	known = packet_to(a->session.local_discr ^ 1);
	assert_null(sl_bfd_table_demultiplex(&table, &known, &one));
	/* one that is gone is not found */
	known = packet_to(a->session.local_discr);
	sl_bfd_table_remove(&table, a);
	assert_null(sl_bfd_table_demultiplex(&table, &known, &one));
	assert_null(sl_bfd_table_demultiplex(&table, &first, &one));
	assert_ptr_equal(sl_bfd_table_demultiplex(&table, &first, &unbound), b);
}

static void test_ids_and_limits(void **cmocka)
{
	(void)cmocka;
	reset();
	for (uint32_t i = 0; i < SL_BFD_SESSIONS; i++) {
		struct sl_bfd_address_key key = key_of(1, 0, (uint16_t)i);

		assert_non_null(sl_bfd_table_add(&table, 3 * i + 1, &key, &config, 1));
	}
	assert_null(sl_bfd_table_add(&table, 2, &(struct sl_bfd_address_key){0}, &config, 1));
	assert_null(sl_bfd_table_by_id(&table, 0));
	assert_null(sl_bfd_table_by_id(&table, 2));
	assert_int_equal(sl_bfd_table_by_id(&table, 4)->id, 4);
	assert_int_equal(sl_bfd_table_after(&table, 0)->id, 1);
	assert_int_equal(sl_bfd_table_after(&table, 1)->id, 4);
	assert_null(sl_bfd_table_after(&table, 3 * SL_BFD_SESSIONS));
	sl_bfd_table_remove(&table, sl_bfd_table_by_id(&table, 4));
	assert_int_equal(sl_bfd_table_after(&table, 1)->id, 7);
	assert_non_null(
		sl_bfd_table_add(&table, 2, &(struct sl_bfd_address_key){.family = 4}, &config, 1));
}

/* The entry due first, by looking at all. */
static uint64_t least_due(void)
{
	uint64_t least = SL_BFD_NEVER;

	for (unsigned int i = 0; i < SL_BFD_SESSIONS; i++)
		if (table.entry[i].used && sl_bfd_entry_due(&table.entry[i]) < least)
			least = sl_bfd_entry_due(&table.entry[i]);
	return least;
}

static void check_all_found(void)
{
	unsigned int used = 0;

	for (unsigned int i = 0; i < SL_BFD_SESSIONS; i++) {
		struct sl_bfd_entry *entry = &table.entry[i];
		struct sl_bfd_packet known = packet_to(entry->session.local_discr);
		struct sl_bfd_packet first = packet_to(0);

		if (!entry->used)
			continue;
		used++;
		assert_ptr_equal(sl_bfd_table_demultiplex(&table, &known, &entry->key), entry);
		assert_ptr_equal(sl_bfd_table_demultiplex(&table, &first, &entry->key), entry);
		assert_int_equal(table.heap[entry->heap_at], i);
	}
	assert_int_equal(used, table.count);
}

static void test_random_operations(void **cmocka)
{
	uint64_t now_ns = 1000000000u;
	unsigned int choice = 3;

	(void)cmocka;
	reset();
	for (uint32_t i = 1; i < 30000; i++) {
		struct sl_bfd_address_key key = key_of(1 + i % 3, i % 2, (uint16_t)(i % 700));
		struct sl_bfd_entry *entry = sl_bfd_table_by_key(&table, &key);
		struct sl_bfd_output out;

		switch (rand_r(&choice) % 4) {
		case 0:
			if (entry == NULL)
				(void)sl_bfd_table_add(&table, i, &key, &config, now_ns);
			break;
		case 1:
			if (entry != NULL && rand_r(&choice) % 4 == 0)
				sl_bfd_table_remove(&table, entry);
			break;
		default:
			entry = sl_bfd_table_first(&table);
			if (entry == NULL)
				break;
			assert_int_equal(sl_bfd_entry_due(entry), least_due());
			if (sl_bfd_entry_due(entry) > now_ns)
				now_ns = sl_bfd_entry_due(entry);
			sl_bfd_expire(&entry->session, now_ns, &out);
			sl_bfd_table_moved(&table, entry);
			break;
		}
		if (i % 500 == 0)
			check_all_found();
	}
	while (table.count > 0)
		sl_bfd_table_remove(&table, sl_bfd_table_first(&table));
	for (unsigned int i = 0; i < SL_BFD_BUCKETS; i++) {
		assert_int_equal(table.by_discr[i], SL_BFD_NONE);
		assert_int_equal(table.by_address[i], SL_BFD_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_demultiplex),
		cmocka_unit_test(test_ids_and_limits),
		cmocka_unit_test(test_random_operations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
