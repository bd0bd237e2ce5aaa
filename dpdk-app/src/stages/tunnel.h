/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tunnel that a run of packets enters (encap.c): its version, the SA that this thread seals with, and what may be sent by
 * that. In a header because it is done for each run, which in traffic of many peers is each packet.
 */
#ifndef SEALANE_STAGES_TUNNEL_H
#define SEALANE_STAGES_TUNNEL_H

#include "esp/esp.h"
#include "esp/sequence.h"
#include "stages/packet.h"
#include "tables/sa_share.h"

/* Templates of these lengths are two vectors that may overlap. */
#define SL_PLAIN_TEMPLATE_MIN 32u
#define SL_PLAIN_TEMPLATE_MAX 64u

/* What packets with the same version share. */
struct sl_tunnel {
	const struct sl_version_row *version;
	uint32_t sa;  /* 0 without ESP */
	uint32_t spi; /* where it is not the template's; else 0 */
	const struct sl_sa_row *row;
	const struct sl_sa_key *key; /* NULL without ESP */
	struct sl_sa_out_state *state;
	uint64_t sequence; /* next */
	uint64_t bytes;
	unsigned int inside; /* bytes of the template within the ESP payload */
	uint8_t next_header;
	/* as most are: AES-GCM or AES-GMAC, neither UDP nor transport labels, the template's own SPI */
	bool plain;
	uint32_t salt;
	uint64_t trailer[SL_ESP_ALIGN]; /* plain: of 0 to 3 bytes of padding, as in memory */
};

/* Bytes that the template has for ESP header and IV. */
static inline unsigned int esp_front(const struct sl_version_row *v)
{
	return (unsigned int)(v->gre_off != 0 ? v->gre_off : v->label_off) - v->esp_off;
}

/* An upper bound of what a packet by this version has around and behind its inner one. */
static inline uint32_t longest(const struct sl_version_row *v, const struct sl_sa_key *key)
{
	return (uint32_t)v->mtu + v->template_len + SL_ESP_TRAILER_MIN + key->align + key->icv_len;
}

/* Fill in an SA, of this generation. False: it is gone, or its key is of another one or another suite. */
static inline bool find_sa(const struct sl_worker *w, struct sl_tunnel *t, uint32_t sa,
                           uint64_t generation)
{
	t->sa = sa & (SL_MAX_SAS - 1);
	t->row = &w->tables->sa_out[t->sa];
	t->state = &w->state->sa_out[t->sa];
	t->key = __atomic_load_n(&w->keys_out[t->sa], __ATOMIC_ACQUIRE);
	return t->key != NULL && generation != 0 &&
	       __atomic_load_n(&t->row->generation, __ATOMIC_ACQUIRE) == generation &&
	       esp_front(t->version) == t->key->front_len;
}

static inline bool is_ready(const struct sl_tunnel *t, uint64_t generation)
{
	return __atomic_load_n(&t->state->ready_generation, __ATOMIC_ACQUIRE) == generation;
}

/*
 * In the place of another thread's SA: one of this thread's own with the same peer (RFC 9611), where there is one that
 * the template and the version's MTU fit. False: there is none, and the tunnel stays as it is.
 */
static inline bool use_share(const struct sl_worker *w, struct sl_tunnel *t)
{
	struct sl_tunnel own = *t;
	uint64_t word = sl_sa_share(w->tables, t->sa, w->index);

	if (word == 0 || !find_sa(w, &own, sl_host_sa_row(word), sl_host_sa_generation(word)))
		return false;
	if (own.key->owner != w->index || own.row->algorithm != t->row->algorithm ||
	    !is_ready(&own, sl_host_sa_generation(word)))
		return false;
	own.spi = own.row->spi;
	*t = own;
	return true;
}

/*
 * Reserve sequence numbers for `n` packets by version `id`. Returns how many packets may use the
 * tunnel; *reason says why the others may not: SL_PASSED when the SA is another thread's.
 */
static inline uint32_t sl_open_tunnel(struct sl_worker *w, uint32_t id, uint32_t n,
                                      struct sl_tunnel *t, enum sl_drop_reason *reason)
{
	const struct sl_version_row *v = &w->tables->version[id];

	*t = (struct sl_tunnel){.version = v};
	*reason = SL_DROP_nexthop_unusable;
	if (unlikely(v->template_len < 16 || v->template_len > SL_TEMPLATE_LEN))
		return 0;
	if (v->esp_off == 0)
		return n;
	*reason = SL_DROP_sa_not_ready;
	if (unlikely(!find_sa(w, t, v->sa, v->sa_generation)))
		return 0;
	if (unlikely(t->key->owner != w->index)) {
		/* Whether it is ready is the owner's to see: nothing that the owner writes is read here. */
		if (!use_share(w, t)) {
			*reason = SL_PASSED;
			return 0;
		}
	} else if (unlikely(!is_ready(t, v->sa_generation))) {
		return 0;
	}
	rte_prefetch0(&t->key->gcm);
	t->inside = (unsigned int)v->template_len - v->esp_off - t->key->front_len;
	t->plain = !t->key->special && v->ip_off != 0 && v->udp_off == 0 && v->core_labels == 0 &&
	           t->spi == 0 && v->template_len >= SL_PLAIN_TEMPLATE_MIN &&
	           v->template_len <= SL_PLAIN_TEMPLATE_MAX;
	t->next_header = v->gre_off != 0 ? SL_PROTO_GRE : SL_PROTO_MPLS;
	if (likely(t->plain)) {
		memcpy(&t->salt, t->key->salt, sizeof(t->salt));
		for (unsigned int padding = 0; padding < SL_ESP_ALIGN; padding++)
			t->trailer[padding] = sl_esp_short_trailer(padding, t->next_header);
	}
	*reason = SL_DROP_sa_exhausted;
	n = sl_esp_byte_room(t->state, t->row, n, longest(v, t->key));
	return sl_esp_reserve(t->state, sl_esp_last_sequence(t->row), n, &t->sequence);
}

#endif
