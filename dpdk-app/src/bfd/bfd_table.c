/* SPDX-License-Identifier: Apache-2.0 */
#include "bfd/bfd_table.h"

#include <string.h>

static uint16_t index_of(const struct sl_bfd_table *table, const struct sl_bfd_entry *entry)
{
	return (uint16_t)(entry - table->entry);
}

/* ---- Order of what is due: a binary heap -------------------------------------------------------- */

uint64_t sl_bfd_entry_due(const struct sl_bfd_entry *entry)
{
	uint64_t due = sl_bfd_due(&entry->session);

	return due < entry->leaves_ns ? due : entry->leaves_ns;
}

static void heap_put(struct sl_bfd_table *table, uint16_t at, uint16_t index)
{
	table->heap[at] = index;
	table->entry[index].heap_at = at;
}

static uint64_t heap_due(const struct sl_bfd_table *table, uint16_t at)
{
	return sl_bfd_entry_due(&table->entry[table->heap[at]]);
}

static void heap_swap(struct sl_bfd_table *table, uint16_t a, uint16_t b)
{
	uint16_t index = table->heap[a];

	heap_put(table, a, table->heap[b]);
	heap_put(table, b, index);
}

static void heap_fix(struct sl_bfd_table *table, uint16_t at)
{
	while (at > 0 && heap_due(table, at) < heap_due(table, (uint16_t)((at - 1) / 2))) {
		heap_swap(table, at, (uint16_t)((at - 1) / 2));
		at = (uint16_t)((at - 1) / 2);
	}
	for (;;) {
		uint16_t first = at;

		for (unsigned int child = 2u * at + 1; child <= 2u * at + 2; child++)
			if (child < table->count &&
			    heap_due(table, (uint16_t)child) < heap_due(table, first))
				first = (uint16_t)child;
		if (first == at)
			return;
		heap_swap(table, at, first);
		at = first;
	}
}

void sl_bfd_table_moved(struct sl_bfd_table *table, struct sl_bfd_entry *entry)
{
	heap_fix(table, entry->heap_at);
}

struct sl_bfd_entry *sl_bfd_table_first(struct sl_bfd_table *table)
{
	return table->count > 0 ? &table->entry[table->heap[0]] : NULL;
}

/* ---- Finding ------------------------------------------------------------------------------------ */

static bool same_key(const struct sl_bfd_address_key *a, const struct sl_bfd_address_key *b)
{
	return a->listener == b->listener && a->interface == b->interface &&
	       a->family == b->family && memcmp(a->local, b->local, sizeof(a->local)) == 0 &&
	       memcmp(a->remote, b->remote, sizeof(a->remote)) == 0;
}

/* FNV-1a over the remote address: sessions with one peer on several interfaces are few. */
static unsigned int bucket_of(const struct sl_bfd_address_key *key)
{
	uint32_t hash = 2166136261u ^ key->listener;

	for (size_t i = 0; i < sizeof(key->remote); i++)
		hash = (hash ^ key->remote[i]) * 16777619u;
	return hash % SL_BFD_BUCKETS;
}

static struct sl_bfd_entry *by_discr(struct sl_bfd_table *table, uint32_t discr)
{
	uint16_t index = table->by_discr[discr % SL_BFD_BUCKETS];

	while (index != SL_BFD_NONE && table->entry[index].session.local_discr != discr)
		index = table->entry[index].next_by_discr;
	return index != SL_BFD_NONE ? &table->entry[index] : NULL;
}

struct sl_bfd_entry *sl_bfd_table_by_key(struct sl_bfd_table *table,
                                         const struct sl_bfd_address_key *key)
{
	uint16_t index = table->by_address[bucket_of(key)];

	while (index != SL_BFD_NONE && !same_key(&table->entry[index].key, key))
		index = table->entry[index].next_by_address;
	return index != SL_BFD_NONE ? &table->entry[index] : NULL;
}

struct sl_bfd_entry *sl_bfd_table_by_id(struct sl_bfd_table *table, uint32_t id)
{
	struct sl_bfd_entry *entry = sl_bfd_table_after(table, id - 1);

	return entry != NULL && entry->id == id ? entry : NULL;
}

struct sl_bfd_entry *sl_bfd_table_after(struct sl_bfd_table *table, uint32_t after)
{
	struct sl_bfd_entry *found = NULL;

	/* The heap is the list of used entries. */
	for (uint16_t i = 0; i < table->count; i++) {
		struct sl_bfd_entry *entry = &table->entry[table->heap[i]];

		if (entry->id > after && (found == NULL || entry->id < found->id))
			found = entry;
	}
	return found;
}

struct sl_bfd_entry *sl_bfd_table_demultiplex(struct sl_bfd_table *table,
                                              const struct sl_bfd_packet *packet,
                                              const struct sl_bfd_address_key *key)
{
	struct sl_bfd_address_key unbound = *key;
	struct sl_bfd_entry *entry;

	if (packet->your_discr != 0) {
		entry = by_discr(table, packet->your_discr);
		return entry != NULL && entry->key.listener == key->listener ? entry : NULL;
	}
	entry = sl_bfd_table_by_key(table, key);
	unbound.interface = 0;
	return entry != NULL ? entry : sl_bfd_table_by_key(table, &unbound);
}

/* ---- Adding and removing ------------------------------------------------------------------------ */

void sl_bfd_table_init(struct sl_bfd_table *table, const struct sl_bfd_world *world)
{
	memset(table, 0, sizeof(*table));
	table->world = *world;
	for (unsigned int i = 0; i < SL_BFD_BUCKETS; i++) {
		table->by_discr[i] = SL_BFD_NONE;
		table->by_address[i] = SL_BFD_NONE;
	}
}

static uint32_t new_discr(struct sl_bfd_table *table)
{
	uint32_t discr;

	do
		discr = table->world.random(table->world.random_context);
	while (discr == 0 || by_discr(table, discr) != NULL);
	return discr;
}

struct sl_bfd_entry *sl_bfd_table_add(struct sl_bfd_table *table, uint32_t id,
                                      const struct sl_bfd_address_key *key,
                                      const struct sl_bfd_config *config, uint64_t now_ns)
{
	struct sl_bfd_entry *entry = table->entry;
	uint16_t *discr_head, *address_head;
	uint16_t index;

	if (table->count == SL_BFD_SESSIONS)
		return NULL;
	while (entry->used)
		entry++;
	index = index_of(table, entry);
	memset(entry, 0, sizeof(*entry));
	entry->id = id;
	entry->used = true;
	entry->fd = -1;
	entry->leaves_ns = SL_BFD_NEVER;
	entry->key = *key;
	sl_bfd_start(&entry->session, &table->world, config, new_discr(table), now_ns);
	discr_head = &table->by_discr[entry->session.local_discr % SL_BFD_BUCKETS];
	address_head = &table->by_address[bucket_of(key)];
	entry->next_by_discr = *discr_head;
	entry->next_by_address = *address_head;
	*discr_head = index;
	*address_head = index;
	heap_put(table, table->count++, index);
	heap_fix(table, entry->heap_at);
	return entry;
}

static void leave_discr(struct sl_bfd_table *table, const struct sl_bfd_entry *entry)
{
	uint16_t *link = &table->by_discr[entry->session.local_discr % SL_BFD_BUCKETS];
	uint16_t index = index_of(table, entry);

	while (*link != index)
		link = &table->entry[*link].next_by_discr;
	*link = entry->next_by_discr;
}

bool sl_bfd_table_go_on(struct sl_bfd_table *table, struct sl_bfd_entry *entry,
                        const struct sl_bfd_resume *resume, uint64_t now_ns)
{
	uint16_t *head = &table->by_discr[resume->local_discr % SL_BFD_BUCKETS];

	if (by_discr(table, resume->local_discr) != NULL)
		return false;
	leave_discr(table, entry);
	sl_bfd_go_on(&entry->session, resume, now_ns);
	entry->next_by_discr = *head;
	*head = index_of(table, entry);
	heap_fix(table, entry->heap_at);
	return true;
}

void sl_bfd_table_remove(struct sl_bfd_table *table, struct sl_bfd_entry *entry)
{
	uint16_t index = index_of(table, entry), at = entry->heap_at;
	uint16_t *link;

	leave_discr(table, entry);
	link = &table->by_address[bucket_of(&entry->key)];
	while (*link != index)
		link = &table->entry[*link].next_by_address;
	*link = entry->next_by_address;
	heap_put(table, at, table->heap[--table->count]);
	if (at < table->count)
		heap_fix(table, at);
	explicit_bzero(entry, sizeof(*entry)); /* it may hold a key */
}
