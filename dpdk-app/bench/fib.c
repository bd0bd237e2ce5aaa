/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealane-fib-bench TABLES RUNS LOOKUPS -- EAL arguments
 *
 * Longest-prefix match of the tries in a `tables` segment beside DPDK's rte_fib, rte_lpm and rte_fib6
 * holding the same prefixes, in one run, in turn. Reads the prefix rows of VRF 1. Every answer of a
 * sample is compared first: a fast wrong table is no reference.
 *
 * Prints one JSON object per family and pattern: ns per lookup of each table and run.
 *   random: addresses inside random prefixes; flows: 4096 of them over and over; hot: 16 of them.
 */
#include <inttypes.h>
#include <rte_eal.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_lpm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/bytes.h"
#include "sealane/fib.h"
#include "segments/tables_segment.h"

#define VRF 1u
#define BATCH 32u
#define SAMPLE 100000u
#define RING (1u << 20)

struct routes {
	const struct sl_prefix_row **row;
	uint32_t count;
};

struct bench {
	const struct sl_tables *tables;
	struct routes four, six;
	struct rte_fib *fib4;
	struct rte_lpm *lpm4;
	struct rte_fib6 *fib6;
	uint32_t *address4;
	uint8_t (*address6)[16];
	uint64_t sink;
};

static void die(const char *what)
{
	fprintf(stderr, "sealane-fib-bench: %s\n", what);
	exit(1);
}

static double now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint64_t random64(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static struct routes collect(const struct sl_tables *t, uint8_t family)
{
	uint64_t rows = t->header.committed_rows[SL_ARENA_PREFIX];
	struct routes r = {.row = calloc(rows + 1, sizeof(*r.row))};

	if (r.row == NULL)
		die("memory");
	for (uint64_t i = 0; i < rows; i++) {
		const struct sl_prefix_row *row = &t->prefix[i];

		if (row->state == SL_ROW_LIVE && row->vrf == VRF && row->family == family)
			r.row[r.count++] = row;
	}
	return r;
}

/* The references store the label of the leaf as their next hop: 20 bits and known to be unique enough. */
static uint32_t answer_of(uint64_t leaf) { return leaf == 0 ? 0 : sl_leaf_label(leaf); }

static void build4(struct bench *b)
{
	struct rte_fib_conf fib = {
		.type = RTE_FIB_DIR24_8,
		.default_nh = 0,
		.max_routes = 2000000,
		.dir24_8 = {.nh_sz = RTE_FIB_DIR24_8_4B, .num_tbl8 = 1u << 15},
	};
	struct rte_lpm_config lpm = {.max_rules = 2000000, .number_tbl8s = 1u << 15};

	b->fib4 = rte_fib_create("bench4", SOCKET_ID_ANY, &fib);
	b->lpm4 = rte_lpm_create("bench4", SOCKET_ID_ANY, &lpm);
	if (b->fib4 == NULL || b->lpm4 == NULL)
		die("cannot create rte_fib or rte_lpm");
	/* by rising length: rte_lpm's insertion is slow enough as it is */
	for (unsigned int length = 1; length <= 32; length++)
		for (uint32_t i = 0; i < b->four.count; i++) {
			const struct sl_prefix_row *row = b->four.row[i];

			if (row->length != length)
				continue;
			if (rte_fib_add(b->fib4, sl_get32(row->address), row->length,
			                answer_of(row->leaf)) != 0 ||
			    rte_lpm_add(b->lpm4, sl_get32(row->address), row->length,
			                answer_of(row->leaf)) != 0)
				die("a reference table is full");
		}
	(void)rte_fib_select_lookup(b->fib4, RTE_FIB_LOOKUP_DEFAULT);
}

static void build6(struct bench *b)
{
	struct rte_fib6_conf conf = {
		.type = RTE_FIB6_TRIE,
		.default_nh = 0,
		.max_routes = 1000000,
		.trie = {.nh_sz = RTE_FIB6_TRIE_4B, .num_tbl8 = 1u << 20},
	};

	b->fib6 = rte_fib6_create("bench6", SOCKET_ID_ANY, &conf);
	if (b->fib6 == NULL)
		die("cannot create rte_fib6");
	for (uint32_t i = 0; i < b->six.count; i++)
		if (rte_fib6_add(b->fib6, b->six.row[i]->address, b->six.row[i]->length,
		                 answer_of(b->six.row[i]->leaf)) != 0)
			die("rte_fib6 is full");
	(void)rte_fib6_select_lookup(b->fib6, RTE_FIB6_LOOKUP_DEFAULT);
}

/* An address inside a random prefix of the table. */
static void pick(const struct routes *r, uint8_t *address, unsigned int bytes)
{
	const struct sl_prefix_row *row = r->row[random64() % r->count];
	uint64_t noise[2] = {random64(), random64()};

	memcpy(address, noise, bytes);
	for (unsigned int bit = 0; bit < row->length; bit++) {
		uint8_t mask = (uint8_t)(0x80u >> bit % 8);

		address[bit / 8] =
			(uint8_t)((address[bit / 8] & ~mask) | (row->address[bit / 8] & mask));
	}
}

static void fill(struct bench *b, uint32_t distinct)
{
	for (uint32_t i = 0; i < RING; i++) {
		uint8_t four[4];

		if (i < distinct) {
			pick(&b->four, four, 4);
			b->address4[i] = sl_get32(four);
			pick(&b->six, b->address6[i], 16);
		} else {
			uint32_t j = (uint32_t)(random64() % distinct);

			b->address4[i] = b->address4[j];
			memcpy(b->address6[i], b->address6[j], 16);
		}
	}
}

enum table { OURS4, FIB4, LPM4, OURS6, FIB6, TABLES };

static void lookup(struct bench *b, enum table which, uint32_t at, uint32_t *answers)
{
	uint32_t root;
	uint64_t leaves[BATCH];
	uint32_t *four = &b->address4[at];

	root = sl_fib_root(b->tables, VRF, which == OURS4 ? 4 : 6);
	switch (which) {
	case OURS4:
		sl_fib4_lookup_bulk(b->tables, &root, 0, four, leaves, BATCH);
		break;
	case OURS6:
		sl_fib6_lookup_bulk(b->tables, &root, 0, (const uint8_t(*)[16]) & b->address6[at],
		                    leaves, BATCH);
		break;
	case FIB4:
		(void)rte_fib_lookup_bulk(b->fib4, four, leaves, BATCH);
		break;
	case FIB6:
		(void)rte_fib6_lookup_bulk(b->fib6, &b->address6[at], leaves, BATCH);
		break;
	case LPM4:
		(void)rte_lpm_lookup_bulk(b->lpm4, four, answers, BATCH);
		for (uint32_t i = 0; i < BATCH; i++)
			answers[i] =
				answers[i] & RTE_LPM_LOOKUP_SUCCESS ? answers[i] & 0xffffffu : 0;
		return;
	case TABLES:
	default:
		die("unknown table");
	}
	for (uint32_t i = 0; i < BATCH; i++)
		answers[i] =
			which == FIB4 || which == FIB6 ? (uint32_t)leaves[i] : answer_of(leaves[i]);
}

static void compare(struct bench *b)
{
	uint32_t ours[BATCH], theirs[BATCH];

	for (uint32_t at = 0; at < SAMPLE; at += BATCH)
		for (enum table t = FIB4; t < TABLES; t++) {
			if (t == OURS6)
				continue;
			lookup(b, t == FIB6 ? OURS6 : OURS4, at, ours);
			lookup(b, t, at, theirs);
			if (memcmp(ours, theirs, sizeof(ours)) != 0)
				die("tables disagree on an address");
		}
}

static double run(struct bench *b, enum table which, uint64_t lookups)
{
	uint32_t answers[BATCH];
	double begin = now_ns();

	for (uint64_t done = 0; done < lookups; done += BATCH) {
		lookup(b, which, (uint32_t)(done % RING), answers);
		b->sink += answers[0];
	}
	return (now_ns() - begin) / (double)lookups;
}

static void measure(struct bench *b, const char *pattern, uint32_t distinct, unsigned int runs,
                    uint64_t lookups)
{
	static const char *const name[TABLES] = {"ours4", "rte_fib", "rte_lpm", "ours6",
	                                         "rte_fib6"};

	fill(b, distinct);
	compare(b);
	printf("{\"pattern\":\"%s\",\"runs\":[", pattern);
	for (unsigned int r = 0; r < runs; r++) {
		printf("%s{", r == 0 ? "" : ",");
		for (enum table t = OURS4; t < TABLES; t++)
			printf("%s\"%s\":%.2f", t == 0 ? "" : ",", name[t], run(b, t, lookups));
		printf("}");
	}
	printf("]}\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct bench b;
	struct sl_fault fault = {0};
	unsigned int runs;
	uint64_t lookups;

	if (argc < 5 || strcmp(argv[4], "--") != 0)
		die("usage: TABLES RUNS LOOKUPS -- EAL arguments");
	argv[4] = argv[0];
	if (rte_eal_init(argc - 4, argv + 4) < 0)
		die("EAL could not start");
	runs = (unsigned int)atoi(argv[2]);
	lookups = strtoull(argv[3], NULL, 10);
	b.tables = sl_tables_attach(argv[1], 1000, &fault);
	if (b.tables == NULL)
		die(fault.message);
	b.four = collect(b.tables, 4);
	b.six = collect(b.tables, 6);
	b.address4 = calloc(RING, sizeof(*b.address4));
	b.address6 = calloc(RING, sizeof(*b.address6));
	if (b.address4 == NULL || b.address6 == NULL || b.four.count == 0 || b.six.count == 0)
		die("no prefixes, or no memory");
	build4(&b);
	build6(&b);
	measure(&b, "random", RING, runs, lookups);
	measure(&b, "flows", 4096, runs, lookups);
	measure(&b, "hot", 16, runs, lookups);
	fprintf(stderr, "sealane-fib-bench: %u + %u prefixes (%" PRIu64 ")\n", b.four.count,
	        b.six.count, b.sink & 1);
	rte_eal_cleanup();
	return 0;
}
