/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor does for a worker, as far as tests of the worker need it: segment `tables`. */
#ifndef SEALANE_TEST_SUPPORT_SEGMENTS_H
#define SEALANE_TEST_SUPPORT_SEGMENTS_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sealane/fib.h"
#include "sealane/layout_hash.h"

#define TEST_ROWS 1024u /* rows of each arena that are backed */

static inline int test_reserve(int fd, size_t offset, size_t length)
{
	size_t start = offset & ~(size_t)(SL_PAGE - 1);

	return fallocate(fd, 0, (off_t)start, (off_t)(offset + length - start));
}

static inline int test_reserve_arenas(int fd)
{
	const struct {
		size_t offset, row;
	} arenas[] = {
		{offsetof(struct sl_tables, accept), sizeof(struct sl_accept_row)},
		{offsetof(struct sl_tables, nexthop), sizeof(struct sl_nexthop_slot)},
		{offsetof(struct sl_tables, version), sizeof(struct sl_version_row)},
		{offsetof(struct sl_tables, sa_out), sizeof(struct sl_sa_row)},
		{offsetof(struct sl_tables, sa_in), sizeof(struct sl_sa_row)},
		{offsetof(struct sl_tables, prefix), sizeof(struct sl_prefix_row)},
		{offsetof(struct sl_tables, fib_node), sizeof(struct sl_fib_node)},
		{offsetof(struct sl_tables, fib_leaf), sizeof(uint64_t)},
	};

	for (size_t i = 0; i < sizeof(arenas) / sizeof(arenas[0]); i++)
		if (test_reserve(fd, arenas[i].offset, TEST_ROWS * arenas[i].row) != 0)
			return -1;
	return test_reserve(fd, 0, offsetof(struct sl_tables, accept));
}

/* A complete, empty segment at `path`, mapped for writing; NULL on failure. */
static inline struct sl_tables *test_tables_create(const char *path, uint64_t epoch)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct sl_tables *tables = MAP_FAILED;

	if (fd < 0)
		return NULL;
	if (ftruncate(fd, (off_t)sizeof(*tables)) == 0 && test_reserve_arenas(fd) == 0)
		tables = mmap(NULL, sizeof(*tables), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (tables == MAP_FAILED)
		return NULL;
	tables->header.segment.magic = SL_TABLES_MAGIC;
	tables->header.segment.layout_version = SL_LAYOUT_VERSION;
	tables->header.segment.layout_hash = sl_layout_hash();
	tables->header.segment.epoch = epoch;
	tables->header.reclaim_epoch = 1;
	for (int i = 0; i < SL_ARENA_COUNT; i++)
		tables->header.committed_rows[i] = TEST_ROWS;
	tables->fib_node[0].word[SL_FIB_LEAFVEC] = 1; /* the empty trie: one leaf, no route */
	tables->vrf[SL_VRF_CORE].state = SL_ROW_LIVE;
	__atomic_store_n(&tables->header.segment.complete, 1, __ATOMIC_RELEASE);
	return tables;
}

static inline void test_tables_free(struct sl_tables *tables) { munmap(tables, sizeof(*tables)); }

/* A CE or core interface row. */
static inline void test_interface(struct sl_tables *tables, uint32_t id, uint8_t role, uint32_t vrf,
                                  uint32_t port, uint16_t vlan, const uint8_t mac[6])
{
	struct sl_interface_row *row = &tables->interface[id];

	memset(row, 0, sizeof(*row));
	row->role = role;
	row->vrf = vrf;
	row->port = port;
	row->vlan = vlan;
	row->mtu = 1500;
	memcpy(row->mac, mac, sizeof(row->mac));
	__atomic_store_n(&row->state, SL_ROW_LIVE, __ATOMIC_RELEASE);
}

/* An SA row with AES-GCM-128 and a key made of `seed`, of the next generation. Returns that. */
static inline uint64_t test_sa(struct sl_tables *tables, struct sl_sa_row *row, uint8_t seed)
{
	uint64_t generation = ++tables->header.next_generation;

	__atomic_store_n(&row->generation, 0, __ATOMIC_SEQ_CST);
	memset(row, 0, sizeof(*row));
	row->spi = 0x10000000u | seed;
	row->algorithm = SL_ALG_AES_GCM_128;
	row->protection = SL_PROT_ENCRYPT;
	row->application = SL_APP_VPN;
	row->family = 4;
	row->selector_protocol = 47;
	row->encap = SL_ENCAP_GRE;
	row->sp_table = 1;
	row->replay_window = 1024;
	memset(row->key, seed, 16);
	memset(row->salt, seed ^ 0xff, sizeof(row->salt));
	__atomic_store_n(&row->generation, generation, __ATOMIC_RELEASE);
	return generation;
}

/* Map a worker's state segment for reading; NULL on failure. */
static inline const struct sl_state *test_state_map(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map = MAP_FAILED;

	if (fd >= 0) {
		map = mmap(NULL, sizeof(struct sl_state), PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
	}
	return map == MAP_FAILED ? NULL : map;
}

#endif
