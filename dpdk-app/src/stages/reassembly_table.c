/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fragments of tunnel packets that wait for the others. Anybody can send fragments, so what waits is bounded:
 * datagrams of a source and in all, fragments in all, and time. Who finds no room takes the place of the oldest,
 * of the same source when that has its share: those of one packet follow each other, and a flood of forged ones
 * has not the time to push them out.
 */
#include "stages/reassembly_table.h"

#include <rte_cycles.h>

#include "stages/esp_in_udp.h"
#include "stages/reassemble.h"

/* The core holds fragments of a packet back for much less; identifications of 16 bits come again (RFC 4963). */
#define SL_REASSEMBLY_SECONDS 2u
#define SL_REASSEMBLY_LOOKS_PER_SECOND 100u

void sl_datagram_lose_pieces(struct sl_worker *w, struct sl_datagram *d, enum sl_drop_reason reason)
{
	/* May be IKE's: the kernel waits longer, and for more. */
	if (d->kind == SL_DATAGRAM_UNTOLD) {
		sl_udp_pieces_to_kernel(w, d, reason);
		return;
	}
	w->block->drops[reason] += d->count;
	w->reassembly.pieces -= d->count;
	for (unsigned int i = 0; i < d->count; i++)
		sl_free(d->piece[i].packet);
	d->count = 0;
}

void sl_datagram_forget(struct sl_worker *w, struct sl_datagram *d, enum sl_drop_reason reason)
{
	sl_datagram_lose_pieces(w, d, reason);
	d->since_tsc = 0;
	w->reassembly.datagrams--;
}

struct sl_datagram *sl_datagram_oldest(struct sl_reassembly *r, const uint8_t *source,
                                       const struct sl_datagram *but)
{
	struct sl_datagram *found = NULL;

	for (unsigned int i = 0; i < SL_REASSEMBLY_DATAGRAMS; i++) {
		struct sl_datagram *d = &r->datagram[i];

		if (d->since_tsc == 0 || d == but ||
		    (source != NULL && memcmp(d->key.source, source, 16) != 0))
			continue;
		if (found == NULL || d->since_tsc < found->since_tsc)
			found = d;
	}
	return found;
}

/* A free place for a datagram of this key, made if need be. */
static struct sl_datagram *make_room(struct sl_worker *w, const struct sl_datagram_key *key)
{
	struct sl_reassembly *r = &w->reassembly;
	struct sl_datagram *d, *free_one = NULL;
	unsigned int of_source = 0;

	for (unsigned int i = 0; i < SL_REASSEMBLY_DATAGRAMS; i++) {
		d = &r->datagram[i];
		if (d->since_tsc == 0)
			free_one = d;
		else if (memcmp(d->key.source, key->source, 16) == 0)
			of_source++;
	}
	if (of_source >= SL_REASSEMBLY_PER_SOURCE)
		free_one = sl_datagram_oldest(r, key->source, NULL);
	else if (free_one == NULL)
		free_one = sl_datagram_oldest(r, NULL, NULL);
	if (free_one != NULL && free_one->since_tsc != 0)
		sl_datagram_forget(w, free_one, SL_DROP_reassembly_full);
	return free_one;
}

struct sl_datagram *sl_datagram_find(struct sl_worker *w, const struct sl_datagram_key *key)
{
	struct sl_reassembly *r = &w->reassembly;
	struct sl_datagram *d;

	for (unsigned int i = 0; i < SL_REASSEMBLY_DATAGRAMS; i++) {
		d = &r->datagram[i];
		if (d->since_tsc != 0 && memcmp(&d->key, key, sizeof(*key)) == 0)
			return d;
	}
	d = make_room(w, key);
	*d = (struct sl_datagram){.key = *key,
	                          .since_tsc = w->now_tsc | 1u,
	                          .kind = key->protocol == SL_PROTO_UDP ? SL_DATAGRAM_UNTOLD
	                                                                : SL_DATAGRAM_TUNNEL};
	r->datagrams++;
	return d;
}

void sl_reassembly_look(struct sl_worker *w)
{
	struct sl_reassembly *r = &w->reassembly;
	uint64_t hz = rte_get_tsc_hz();

	if (w->now_tsc < r->next_look_tsc)
		return;
	r->next_look_tsc = w->now_tsc + hz / SL_REASSEMBLY_LOOKS_PER_SECOND;
	for (unsigned int i = 0; i < SL_REASSEMBLY_DATAGRAMS; i++) {
		struct sl_datagram *d = &r->datagram[i];

		if (d->since_tsc != 0 && w->now_tsc > d->since_tsc + SL_REASSEMBLY_SECONDS * hz)
			sl_datagram_forget(w, d, SL_DROP_reassembly_timeout);
	}
}

void sl_reassembly_end(struct sl_worker *w)
{
	for (unsigned int i = 0; i < SL_REASSEMBLY_DATAGRAMS; i++) {
		struct sl_datagram *d = &w->reassembly.datagram[i];

		if (d->since_tsc == 0)
			continue;
		d->kind = SL_DATAGRAM_TUNNEL; /* nobody takes anything to the kernel any more */
		sl_datagram_forget(w, d, SL_DROP_reassembly_timeout);
	}
}

unsigned int sl_datagram_thread(const struct sl_worker *w, const struct sl_datagram_key *key)
{
	const uint8_t *byte = (const uint8_t *)key;
	uint32_t hash = 0x811c9dc5u;

	for (size_t i = 0; i < sizeof(*key); i++)
		hash = (hash ^ byte[i]) * 0x01000193u;
	return (hash ^ hash >> 16) % w->threads;
}
