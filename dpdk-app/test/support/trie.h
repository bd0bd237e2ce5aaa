/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Builds the tries of sealane/fib.h from a list of prefixes, the plainest way: from nothing, each leaf
 * slot a run of its own. Not the writer under test elsewhere, only what the packet path reads.
 */
#ifndef SEALANE_TEST_TRIE_H
#define SEALANE_TEST_TRIE_H

#include <assert.h>
#include <stdint.h>

#include "sealane/fib.h"

typedef unsigned __int128 trie_address; /* an IPv4 address in the highest 32 bits */

struct trie_prefix {
	trie_address address;
	uint64_t leaf;
	uint32_t vrf;
	uint8_t family, length;
};

struct trie_builder {
	struct sl_tables *tables;
	struct trie_prefix prefixes[512];
	unsigned int n;
	uint32_t nodes, leaves; /* rows used */
};

static inline trie_address trie_top(unsigned int bits)
{
	return bits == 0 ? 0 : ~(trie_address)0 << (128 - bits);
}

static inline trie_address trie_read(uint8_t family, const uint8_t *address)
{
	trie_address value = 0;

	for (unsigned int i = 0; i < 16; i++)
		value = value << 8 | (family == 6 || i < 4 ? address[i] : 0u);
	return value;
}

/* Answer of the longest prefix of at most `bits` bits that covers `path`; *deeper: longer ones lie inside. */
static inline uint64_t trie_slot(const struct trie_builder *b, uint32_t vrf, uint8_t family,
                                 trie_address path, unsigned int bits, int *deeper)
{
	uint64_t leaf = SL_LEAF_NONE;
	int best = -1;

	*deeper = 0;
	for (unsigned int i = 0; i < b->n; i++) {
		const struct trie_prefix *p = &b->prefixes[i];

		if (p->vrf != vrf || p->family != family)
			continue;
		if (p->length > bits) {
			*deeper |= ((p->address ^ path) & trie_top(bits)) == 0;
		} else if (((p->address ^ path) & trie_top(p->length)) == 0 && p->length > best) {
			best = p->length;
			leaf = p->leaf;
		}
	}
	return leaf;
}

static inline void trie_node(struct trie_builder *b, uint32_t row, uint32_t vrf, uint8_t family,
                             trie_address path, unsigned int depth)
{
	struct sl_fib_node *node = &b->tables->fib_node[row];
	unsigned int bits = depth + SL_FIB_STRIDE > 128 ? 128 : depth + SL_FIB_STRIDE;
	uint32_t first_child = b->nodes, first_leaf = b->leaves, child;
	uint64_t vector = 0, leafvec = 0;
	int deeper;

	for (unsigned int s = 0; s < SL_FIB_SLOTS; s++) {
		trie_address at = path | ((trie_address)s << 122) >> depth;
		uint64_t leaf = trie_slot(b, vrf, family, at, bits, &deeper);

		if (deeper) {
			vector |= 1ull << s;
			b->nodes++;
		} else {
			leafvec |= 1ull << s;
			b->tables->fib_leaf[b->leaves++] = leaf;
		}
	}
	node->word[SL_FIB_VECTOR] = vector;
	node->word[SL_FIB_LEAFVEC] = leafvec;
	node->word[SL_FIB_BASES] = (uint64_t)first_child << 32 | first_leaf;
	child = first_child;
	for (unsigned int s = 0; s < SL_FIB_SLOTS; s++)
		if (vector >> s & 1)
			trie_node(b, child++, vrf, family, path | ((trie_address)s << 122) >> depth,
			          depth + SL_FIB_STRIDE);
}

/* Add a prefix, or give it another leaf. */
static inline void trie_add(struct trie_builder *b, uint32_t vrf, uint8_t family,
                            const uint8_t *address, uint8_t length, uint64_t leaf)
{
	struct trie_prefix prefix = {
		.address = trie_read(family, address) & trie_top(length),
		.leaf = leaf,
		.vrf = vrf,
		.family = family,
		.length = length,
	};

	for (unsigned int i = 0; i < b->n; i++) {
		struct trie_prefix *p = &b->prefixes[i];

		if (p->vrf == vrf && p->family == family && p->length == length &&
		    p->address == prefix.address) {
			p->leaf = leaf;
			return;
		}
	}
	assert(b->n < sizeof(b->prefixes) / sizeof(b->prefixes[0]));
	b->prefixes[b->n++] = prefix;
}

/* Rebuild every trie of VRFs below `vrfs` and publish the roots. */
static inline void trie_commit(struct trie_builder *b, uint32_t vrfs)
{
	struct sl_tables *t = b->tables;

	b->nodes = b->leaves = 1;
	t->fib_leaf[0] = SL_LEAF_NONE;
	t->fib_node[0] = (struct sl_fib_node){.word = {0, 1, 0, 0}};
	for (uint32_t vrf = 0; vrf < vrfs; vrf++)
		for (unsigned int six = 0; six < 2; six++) {
			uint32_t root = b->nodes++;

			trie_node(b, root, vrf, six ? 6 : 4, 0, 0);
			__atomic_store_n(&t->vrf[vrf].fib_root[six], root, __ATOMIC_RELEASE);
		}
}

#endif
