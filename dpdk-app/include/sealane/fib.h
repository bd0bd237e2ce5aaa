/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Longest-prefix match: the reader of the tries in segment `tables`, shared by the worker (C) and the
 * addon (C++). The only writer is addon/src/fib_writer.cc; docs/adr/0022-fib-direct-tables.md says why.
 *
 * One trie per VRF and family, its root in `vrf[].fib_root[]`. A level looks at six address bits, the
 * highest first (after Poptrie, SIGCOMM 2015):
 *
 *          fib_node row, 32 bytes
 *   word 0 | vector  : bit s = 1: slot s has a child                                          |
 *   word 1 | leafvec : bit s = 1: slot s has no child and starts a new run of leaves          |
 *   word 2 | 63..32 first child (fib_node row)       | 31..0 first leaf (fib_leaf row)        |
 *   word 3 | tails   : bit s = 1: the child of slot s is a tail (IPv6 only)                   |
 *
 *   child of slot s = first child + popcount(vector  & bits 0..s) - 1
 *   leaf  of slot s = first leaf  + popcount(leafvec & bits 0..s) - 1
 *
 * A tail is a child below which there is one prefix alone, in the place of a chain of nodes:
 *
 *   word 0 | the prefix's bits from this level on, the first of them in bit 63                |
 *   word 1 | how many of them count, as a mask                                                |
 *   word 2 | leaf of addresses that have them        word 3 | leaf of all others              |
 *
 * Leaves are pushed: the slot that a walk ends at holds the answer of the longest prefix, also when
 * that prefix is much shorter. So a lookup depends on the one leaf word it reads last, and whatever
 * the writer does meanwhile, the answer is one that was right at some instant of the lookup.
 *
 * Large tries have the first 18 or 24 bits, three or four levels, as one array (`fib_direct18`,
 * `fib_direct24`). Its slots are leaves, or name what lies below: SL_FIB_NODE and a fib_node row, with
 * SL_FIB_TAIL when that is a tail. The root word tells: its upper eight bits are enum sl_fib_kind, the
 * others the row of the root in that kind's table.
 *
 * What a reader may rely on: while a row is reachable words 0 and 1 and the tails of a node never change,
 * word 2 changes by one atomic store (to another, finished array of children), a leaf, a tail's words 2
 * and 3 and a slot by one atomic store. Rows that were unlinked are left as they were until every reader
 * has passed a grace period (reclaim_epoch in tables.h, epochs in state.h), so a reader stays online from
 * loading the root to reading the leaf.
 *
 * Row 0 of fib_node and fib_leaf is the empty trie: no child, one leaf, SL_LEAF_NONE. A root of 0
 * therefore needs no test.
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
#define SL_FIB_TAILS 3
/* Words of one that is a tail. */
#define SL_FIB_TAIL_BITS 0
#define SL_FIB_TAIL_MASK 1
#define SL_FIB_TAIL_LEAF 2
#define SL_FIB_TAIL_OTHERS 3

/* Root words and slots of direct tables. */
enum sl_fib_kind { SL_FIB_TRIE = 0, SL_FIB_DIRECT18 = 1, SL_FIB_DIRECT24 = 2 };
#define SL_FIB_NODE (1ull << 63) /* no leaf has these bits */
#define SL_FIB_TAIL (1ull << 62)

static inline uint32_t sl_fib_root_word(unsigned int kind, uint32_t row)
{
	return (uint32_t)kind << 24 | row;
}
static inline unsigned int sl_fib_kind_of(uint32_t root) { return root >> 24; }
static inline uint32_t sl_fib_row(uint32_t root) { return root & 0xffffffu; }
/* Address bits that a root's table takes: 0 without one. */
static inline unsigned int sl_fib_direct_bits(unsigned int kind)
{
	return kind == SL_FIB_TRIE ? 0 : kind == SL_FIB_DIRECT18 ? 18 : 24;
}
/* Slots of a root that has a direct table. */
static inline const uint64_t *sl_fib_slots(const struct sl_tables *t, uint32_t root)
{
	return sl_fib_kind_of(root) == SL_FIB_DIRECT18 ? t->fib_direct18[sl_fib_row(root)].slot
	                                               : t->fib_direct24[sl_fib_row(root)].slot;
}

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

/* Drop the bits (0..24) that a table or level has consumed. */
static inline void sl_fib_advance(struct sl_fib_key *key, unsigned int bits)
{
	key->high = key->high << bits | key->low >> 1 >> (63 - bits);
	key->low <<= bits;
}

/* Root word of a VRF; family 4 or 6. */
static inline uint32_t sl_fib_root(const struct sl_tables *t, uint32_t vrf, unsigned int family)
{
	return __atomic_load_n(&t->vrf[vrf].fib_root[family == 6], __ATOMIC_ACQUIRE);
}

static inline uint64_t sl_fib_load(const uint64_t *word)
{
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

/*
 * One level: returns 1 and the child's row in *row, or 0 and the leaf's row. `slot` is the level's six
 * bits. Written so that it compiles without a branch: which of the two it will be cannot be predicted.
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

/* The same where there may be tails: 2 and the tail's row. */
static inline unsigned int sl_fib_step_tails(const struct sl_tables *t, unsigned int slot,
                                             uint32_t *row)
{
	const uint64_t tails =
		__atomic_load_n(&t->fib_node[*row].word[SL_FIB_TAILS], __ATOMIC_RELAXED);

	return sl_fib_step(t, slot, row) + (unsigned int)(tails >> slot & 1);
}

/* The word that answers, of a tail at which `high` are the address's next 64 bits. */
static inline const uint64_t *sl_fib_tail(const struct sl_tables *t, uint32_t row, uint64_t high)
{
	const uint64_t *word = t->fib_node[row].word;
	const uint64_t bits = __atomic_load_n(&word[SL_FIB_TAIL_BITS], __ATOMIC_RELAXED);
	const uint64_t mask = __atomic_load_n(&word[SL_FIB_TAIL_MASK], __ATOMIC_RELAXED);

	return &word[SL_FIB_TAIL_LEAF + (((high ^ bits) & mask) != 0)];
}

static inline uint64_t sl_fib_walk(const struct sl_tables *t, uint32_t root, struct sl_fib_key key,
                                   unsigned int levels)
{
	const unsigned int bits = sl_fib_direct_bits(sl_fib_kind_of(root));
	uint32_t row = root;

	if (bits != 0) {
		const uint64_t word = sl_fib_load(&sl_fib_slots(t, root)[key.high >> (64 - bits)]);

		if (!(word & SL_FIB_NODE))
			return word;
		row = (uint32_t)word;
		sl_fib_advance(&key, bits);
		if (word & SL_FIB_TAIL)
			return sl_fib_load(sl_fib_tail(t, row, key.high));
	}
	for (unsigned int level = bits / SL_FIB_STRIDE; level < levels; level++) {
		const unsigned int step =
			sl_fib_step_tails(t, (unsigned int)(key.high >> 58), &row);

		sl_fib_advance(&key, SL_FIB_STRIDE);
		if (step == 0)
			return sl_fib_load(&t->fib_leaf[row]);
		if (step == 2)
			return sl_fib_load(sl_fib_tail(t, row, key.high));
	}
	return SL_LEAF_NONE; /* deeper than an address is long: the writer builds no such trie */
}

/*
 * The first load of up to SL_FIB_BURST lookups: into `words` what a direct table has for them, or
 * SL_FIB_NODE and the root's row. `top` are the highest 32 bits of the addresses. Returns the or of all.
 * Address i is looked up in roots[i * each]: `each` is 1, or 0 when all have one root.
 */
static inline uint64_t sl_fib_first(const struct sl_tables *t, const uint32_t *roots,
                                    unsigned int each, const uint32_t *top, uint64_t *words,
                                    unsigned int n)
{
	const unsigned int kind = each != 0 ? 0 : sl_fib_kind_of(roots[0]);
	const uint64_t *slots;
	uint64_t any = 0;

	if (kind == SL_FIB_DIRECT24) {
		slots = sl_fib_slots(t, roots[0]);
		for (unsigned int i = 0; i < n; i++)
			any |= words[i] = sl_fib_load(&slots[top[i] >> 8]);
		return any;
	}
	if (kind == SL_FIB_DIRECT18) {
		slots = sl_fib_slots(t, roots[0]);
		for (unsigned int i = 0; i < n; i++)
			any |= words[i] = sl_fib_load(&slots[top[i] >> 14]);
		return any;
	}
	for (unsigned int i = 0; i < n; i++) {
		const uint32_t root = roots[i * each];
		const unsigned int bits = sl_fib_direct_bits(sl_fib_kind_of(root));

		words[i] = SL_FIB_NODE | root;
		if (bits != 0)
			words[i] = sl_fib_load(&sl_fib_slots(t, root)[top[i] >> (32 - bits)]);
		any |= words[i];
	}
	return any;
}

/*
 * Up to SL_FIB_BURST IPv4 lookups side by side: what the direct tables did not answer walks on, a level
 * of all at a time, each child and leaf prefetched one level ahead.
 */
static inline void sl_fib4_burst(const struct sl_tables *t, const uint32_t *roots,
                                 unsigned int each, const uint32_t *addresses, uint64_t *leaves,
                                 unsigned int n)
{
	uint32_t key[SL_FIB_BURST];
	uint32_t row[SL_FIB_BURST];
	uint8_t active[SL_FIB_BURST]; /* walks that have not reached a leaf */
	uint8_t walked[SL_FIB_BURST]; /* those that had to be walked at all */
	unsigned int left = 0, walks;

	if (!(sl_fib_first(t, roots, each, addresses, leaves, n) & SL_FIB_NODE))
		return;
	for (unsigned int i = 0; i < n; i++) {
		if (!(leaves[i] & SL_FIB_NODE))
			continue;
		row[i] = (uint32_t)leaves[i];
		key[i] = addresses[i] << sl_fib_direct_bits(sl_fib_kind_of(roots[i * each]));
		walked[left] = active[left] = (uint8_t)i;
		left++;
		__builtin_prefetch(&t->fib_node[row[i]]);
	}
	walks = left;
	for (unsigned int level = 0; level < SL_FIB4_LEVELS && left > 0; level++) {
		unsigned int kept = 0;

		for (unsigned int j = 0; j < left; j++) {
			const unsigned int i = active[j];
			const unsigned int slot = key[i] >> 26;

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
		row[active[j]] = 0; /* as in sl_fib_walk: no route */
	for (unsigned int j = 0; j < walks; j++)
		leaves[walked[j]] = sl_fib_load(&t->fib_leaf[row[walked[j]]]);
}

/* The same for IPv6, where a walk may end in a tail. `key` is consumed. */
static inline void sl_fib6_burst(const struct sl_tables *t, const uint32_t *roots,
                                 unsigned int each, struct sl_fib_key *key, uint64_t *leaves,
                                 unsigned int n)
{
	uint32_t top[SL_FIB_BURST];
	uint32_t row[SL_FIB_BURST];
	uint8_t active[SL_FIB_BURST];
	uint8_t tail[SL_FIB_BURST];           /* walks that have reached one */
	const uint64_t *answer[SL_FIB_BURST]; /* of those in `answered` */
	uint8_t answered[SL_FIB_BURST];
	unsigned int left = 0, tails = 0, answers = 0;

	for (unsigned int i = 0; i < n; i++)
		top[i] = (uint32_t)(key[i].high >> 32);
	if (!(sl_fib_first(t, roots, each, top, leaves, n) & SL_FIB_NODE))
		return;
	for (unsigned int i = 0; i < n; i++) {
		if (!(leaves[i] & SL_FIB_NODE))
			continue;
		row[i] = (uint32_t)leaves[i];
		sl_fib_advance(&key[i], sl_fib_direct_bits(sl_fib_kind_of(roots[i * each])));
		__builtin_prefetch(&t->fib_node[row[i]]);
		if (leaves[i] & SL_FIB_TAIL)
			tail[tails++] = (uint8_t)i;
		else
			active[left++] = (uint8_t)i;
	}
	for (unsigned int level = 0; level < SL_FIB6_LEVELS && left > 0; level++) {
		unsigned int kept = 0;

		for (unsigned int j = 0; j < left; j++) {
			const unsigned int i = active[j];
			const unsigned int step =
				sl_fib_step_tails(t, (unsigned int)(key[i].high >> 58), &row[i]);

			sl_fib_advance(&key[i], SL_FIB_STRIDE);
			__builtin_prefetch(step == 0 ? (const void *)&t->fib_leaf[row[i]]
			                             : (const void *)&t->fib_node[row[i]]);
			active[kept] = (uint8_t)i;
			kept += step == 1;
			tail[tails] = (uint8_t)i;
			tails += step == 2;
			answer[answers] = &t->fib_leaf[row[i]];
			answered[answers] = (uint8_t)i;
			answers += step == 0;
		}
		left = kept;
	}
	for (unsigned int j = 0; j < left; j++)
		leaves[active[j]] = SL_LEAF_NONE;
	for (unsigned int j = 0; j < tails; j++)
		leaves[tail[j]] = sl_fib_load(sl_fib_tail(t, row[tail[j]], key[tail[j]].high));
	for (unsigned int j = 0; j < answers; j++)
		leaves[answered[j]] = sl_fib_load(answer[j]);
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
 * The same for n addresses: addresses[i] in the trie of roots[i * each], where `each` is 1, or 0 when all
 * are looked up in one. IPv4 addresses in host order, IPv6 addresses as they are in the packet.
 */
static inline void sl_fib4_lookup_bulk(const struct sl_tables *t, const uint32_t *roots,
                                       unsigned int each, const uint32_t *addresses,
                                       uint64_t *leaves, unsigned int n)
{
	while (n > 0) {
		const unsigned int burst = n < SL_FIB_BURST ? n : SL_FIB_BURST;

		sl_fib4_burst(t, roots, each, addresses, leaves, burst);
		roots += burst * each;
		addresses += burst;
		leaves += burst;
		n -= burst;
	}
}

static inline void sl_fib6_lookup_bulk(const struct sl_tables *t, const uint32_t *roots,
                                       unsigned int each, const uint8_t (*addresses)[16],
                                       uint64_t *leaves, unsigned int n)
{
	while (n > 0) {
		const unsigned int burst = n < SL_FIB_BURST ? n : SL_FIB_BURST;
		struct sl_fib_key key[SL_FIB_BURST];

		for (unsigned int i = 0; i < burst; i++)
			key[i] = sl_fib6_key(addresses[i]);
		sl_fib6_burst(t, roots, each, key, leaves, burst);
		roots += burst * each;
		addresses += burst;
		leaves += burst;
		n -= burst;
	}
}

#endif
