/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Longest-prefix match: the reader of the tries in segment `tables`, shared by the worker (C) and the
 * addon (C++). The only writer is addon/src/fib_writer.cc.
 *
 * One trie per VRF and family, its root in `vrf[].fib_root[]`, all in two shared pools. A level looks
 * at six address bits, the highest first (after Poptrie, SIGCOMM 2015):
 *
 *          fib_node row, 32 bytes
 *   word 0 | vector  : bit s = 1: slot s has a child node                                    |
 *   word 1 | leafvec : bit s = 1: slot s has no child and starts a new run of leaves          |
 *   word 2 | 63..32 first child (fib_node row)       | 31..0 first leaf (fib_leaf row)        |
 *   word 3 | 0                                                                                |
 *
 *   child of slot s = first child + popcount(vector  & bits 0..s) - 1
 *   leaf  of slot s = first leaf  + popcount(leafvec & bits 0..s) - 1
 *
 * Leaves are pushed: the slot that a walk ends at holds the answer of the longest prefix, also when
 * that prefix is much shorter. So a lookup depends on the one leaf word it reads last, and whatever
 * the writer does meanwhile, the answer is one that was right at some instant of the lookup.
 *
 * What a reader may rely on: while a row is reachable its words 0 and 1 never change, word 2 changes
 * by one atomic store (to another, finished array of children), a leaf by one atomic store. Rows that
 * were unlinked are left as they were until every reader has passed a grace period (reclaim_epoch in
 * tables.h, epochs in state.h), so a reader stays online from loading the root to reading the leaf.
 *
 * Row 0 of both pools is the empty trie: no child, one leaf, SL_LEAF_NONE. A root of 0 therefore
 * needs no test. The upper eight bits of a root word are 0 (room for other kinds of root).
 */
#ifndef SEALANE_FIB_H
#define SEALANE_FIB_H

#include "tables.h"

#define SL_FIB_STRIDE 6u
#define SL_FIB_SLOTS 64u
#define SL_FIB4_LEVELS 6u  /* ceil(32 / 6) */
#define SL_FIB6_LEVELS 22u /* ceil(128 / 6) */
#define SL_FIB_BURST 32u   /* lookups interleaved at a time */

/* Words of a fib_node row. */
#define SL_FIB_VECTOR 0
#define SL_FIB_LEAFVEC 1
#define SL_FIB_BASES 2

/* An address as the walk consumes it: the next six bits are the highest of `high`. */
struct sl_fib_key {
	uint64_t high;
	uint64_t low;
};

static inline struct sl_fib_key sl_fib4_key(uint32_t address /* host order */)
{
	struct sl_fib_key key = {(uint64_t)address << 32, 0};

	return key;
}

static inline uint64_t sl_fib_load64(const uint8_t *bytes /* network order */)
{
	uint64_t word;

	__builtin_memcpy(&word, bytes, sizeof(word));
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(word) : word;
}

static inline struct sl_fib_key sl_fib6_key(const uint8_t address[16] /* network order */)
{
	struct sl_fib_key key = {sl_fib_load64(address), sl_fib_load64(address + 8)};

	return key;
}

/* Drop the six bits that a level has consumed. */
static inline void sl_fib_advance(struct sl_fib_key *key)
{
	key->high = key->high << SL_FIB_STRIDE | key->low >> (64 - SL_FIB_STRIDE);
	key->low <<= SL_FIB_STRIDE;
}

/* Root word of a VRF; family 4 or 6. */
static inline uint32_t sl_fib_root(const struct sl_tables *t, uint32_t vrf, unsigned int family)
{
	return __atomic_load_n(&t->vrf[vrf].fib_root[family == 6], __ATOMIC_ACQUIRE);
}

/*
 * One level: returns 1 and the child's row in *row, or 0 and the leaf's row.
 * `slot` is the level's six bits. Written so that it compiles without a branch: which of the two it
 * will be cannot be predicted.
 */
static inline unsigned int sl_fib_step(const struct sl_tables *t, unsigned int slot, uint32_t *row)
{
	const uint64_t *word = t->fib_node[*row].word;
	const uint64_t up_to = ~0ull >> (63 - slot);
	const uint64_t vector = __atomic_load_n(&word[SL_FIB_VECTOR], __ATOMIC_RELAXED);
	const uint64_t leafvec = __atomic_load_n(&word[SL_FIB_LEAFVEC], __ATOMIC_RELAXED);
	const uint64_t bases = __atomic_load_n(&word[SL_FIB_BASES], __ATOMIC_ACQUIRE);
	const unsigned int child = (unsigned int)(vector >> slot & 1);
	const uint64_t ones = (child ? vector : leafvec) & up_to;
	const uint32_t base = (uint32_t)(bases >> (child << 5));

	*row = base + (uint32_t)__builtin_popcountll(ones) - 1;
	return child;
}

static inline uint64_t sl_fib_walk(const struct sl_tables *t, uint32_t root, struct sl_fib_key key,
                                   unsigned int levels)
{
	uint32_t row = root;

	for (unsigned int level = 0; level < levels; level++) {
		if (!sl_fib_step(t, (unsigned int)(key.high >> 58), &row))
			return __atomic_load_n(&t->fib_leaf[row], __ATOMIC_ACQUIRE);
		sl_fib_advance(&key);
	}
	return SL_LEAF_NONE; /* deeper than an address is long: the writer builds no such trie */
}

/*
 * Up to SL_FIB_BURST walks side by side, a level of all of them at a time, each child and leaf
 * prefetched one level ahead. `key` is consumed.
 */
static inline void sl_fib_walk_burst(const struct sl_tables *t, const uint32_t *roots,
                                     struct sl_fib_key *key, unsigned int levels, uint64_t *leaves,
                                     unsigned int n)
{
	uint32_t row[SL_FIB_BURST];
	uint8_t active[SL_FIB_BURST]; /* walks that have not reached a leaf, in order */
	unsigned int left = n;

	for (unsigned int i = 0; i < n; i++) {
		row[i] = roots[i];
		active[i] = (uint8_t)i;
		__builtin_prefetch(&t->fib_node[row[i]]);
	}
	for (unsigned int level = 0; level < levels && left > 0; level++) {
		unsigned int kept = 0;

		for (unsigned int j = 0; j < left; j++) {
			const unsigned int i = active[j];
			const unsigned int child =
				sl_fib_step(t, (unsigned int)(key[i].high >> 58), &row[i]);
			const void *next = child ? (const void *)&t->fib_node[row[i]]
			                         : (const void *)&t->fib_leaf[row[i]];

			__builtin_prefetch(next);
			sl_fib_advance(&key[i]);
			active[kept] = (uint8_t)i;
			kept += child;
		}
		left = kept;
	}
	for (unsigned int j = 0; j < left; j++)
		row[active[j]] = 0; /* as in sl_fib_walk: no route */
	for (unsigned int i = 0; i < n; i++)
		leaves[i] = __atomic_load_n(&t->fib_leaf[row[i]], __ATOMIC_ACQUIRE);
}

/* The same for IPv4, whose key is one word: a third of the instructions. */
static inline void sl_fib4_walk_burst(const struct sl_tables *t, const uint32_t *roots,
                                      uint64_t *key, uint64_t *leaves, unsigned int n)
{
	uint32_t row[SL_FIB_BURST];
	uint8_t active[SL_FIB_BURST];
	unsigned int left = n;

	for (unsigned int i = 0; i < n; i++) {
		row[i] = roots[i];
		active[i] = (uint8_t)i;
		__builtin_prefetch(&t->fib_node[row[i]]);
	}
	for (unsigned int level = 0; level < SL_FIB4_LEVELS && left > 0; level++) {
		unsigned int kept = 0;

		for (unsigned int j = 0; j < left; j++) {
			const unsigned int i = active[j];
			const unsigned int slot = (unsigned int)(key[i] >> 58);

			key[i] <<= SL_FIB_STRIDE;
			if (sl_fib_step(t, slot, &row[i])) {
				__builtin_prefetch(&t->fib_node[row[i]]);
				active[kept++] = (uint8_t)i;
			} else {
				__builtin_prefetch(&t->fib_leaf[row[i]]);
			}
		}
		left = kept;
	}
	for (unsigned int j = 0; j < left; j++)
		row[active[j]] = 0;
	for (unsigned int i = 0; i < n; i++)
		leaves[i] = __atomic_load_n(&t->fib_leaf[row[i]], __ATOMIC_ACQUIRE);
}

/*
 * Leaf of one address, SL_LEAF_NONE when no prefix covers it.
 * `root`: as sl_fib_root() returned it since the reader went online.
 */
static inline uint64_t sl_fib4_lookup(const struct sl_tables *t, uint32_t root, uint32_t address)
{
	return sl_fib_walk(t, root, sl_fib4_key(address), SL_FIB4_LEVELS);
}

static inline uint64_t sl_fib6_lookup(const struct sl_tables *t, uint32_t root,
                                      const uint8_t address[16])
{
	return sl_fib_walk(t, root, sl_fib6_key(address), SL_FIB6_LEVELS);
}

/*
 * The same for n addresses, each in its own trie: roots[i] is that of addresses[i].
 * IPv4 addresses in host order, IPv6 addresses as they are in the packet.
 */
static inline void sl_fib4_lookup_bulk(const struct sl_tables *t, const uint32_t *roots,
                                       const uint32_t *addresses, uint64_t *leaves, unsigned int n)
{
	while (n > 0) {
		const unsigned int burst = n < SL_FIB_BURST ? n : SL_FIB_BURST;
		uint64_t key[SL_FIB_BURST];

		for (unsigned int i = 0; i < burst; i++)
			key[i] = (uint64_t)addresses[i] << 32;
		sl_fib4_walk_burst(t, roots, key, leaves, burst);
		roots += burst;
		addresses += burst;
		leaves += burst;
		n -= burst;
	}
}

static inline void sl_fib6_lookup_bulk(const struct sl_tables *t, const uint32_t *roots,
                                       const uint8_t (*addresses)[16], uint64_t *leaves,
                                       unsigned int n)
{
	while (n > 0) {
		const unsigned int burst = n < SL_FIB_BURST ? n : SL_FIB_BURST;
		struct sl_fib_key key[SL_FIB_BURST];

		for (unsigned int i = 0; i < burst; i++)
			key[i] = sl_fib6_key(addresses[i]);
		sl_fib_walk_burst(t, roots, key, SL_FIB6_LEVELS, leaves, burst);
		roots += burst;
		addresses += burst;
		leaves += burst;
		n -= burst;
	}
}

#endif
