/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages of routers of the core that a tunnel's packet was too large for them. One is believed if what it quotes
 * shows that its sender has seen that packet (policy-model 21); docs/adr/0027-path-mtu.md says why these checks.
 * Not a stage of the chain: local.c asks before it punts.
 */
#include "net/too_big.h"

#include <rte_cycles.h>

#include "stages/ip_header.h"
#include "tables/sa_index.h"

/* By source, destination and UDP ports: what the SA's packets have, and who they are answered to. */
static bool is_from_us(const struct sl_sa_row *sa, const struct sl_too_big *said, const uint8_t *to)
{
	size_t n = sa->family == 4 ? 4 : 16;

	return memcmp(said->source, sa->source, n) == 0 && memcmp(said->source, to, n) == 0 &&
	       said->source_port == sa->udp_source_port &&
	       said->destination_port == sa->udp_destination_port;
}

/* One a second about an SA, unless it tells less than the one before. */
static bool is_news(struct sl_worker *w, uint32_t id, uint32_t mtu)
{
	struct sl_sa_note *note = &w->sa_index->note[id];
	uint64_t told = __atomic_load_n(&note->told_tsc, __ATOMIC_RELAXED);

	if (told != 0 && w->now_tsc - told < rte_get_tsc_hz() &&
	    mtu >= __atomic_load_n(&note->told_mtu, __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&note->told_mtu, mtu, __ATOMIC_RELAXED);
	__atomic_store_n(&note->told_tsc, w->now_tsc, __ATOMIC_RELAXED);
	return true;
}

/* SL_DROP_none: believed, and told to the control thread. */
static enum sl_drop_reason judge(struct sl_worker *w, uint8_t family, const uint8_t *to,
                                 const struct sl_too_big *said)
{
	uint32_t floor = __atomic_load_n(&w->tables->header.path_mtu_floor, __ATOMIC_RELAXED);
	uint32_t id = sl_sa_index_find(w->sa_index, w->tables, w->state, said->spi, family,
	                               said->destination);
	const struct sl_sa_row *sa = &w->tables->sa_out[id];
	uint64_t last;

	if (id == 0)
		return SL_DROP_too_big_no_sa;
	if (!is_from_us(sa, said, to))
		return SL_DROP_too_big_address;
	if (sa->random_spi == 0)
		return SL_DROP_too_big_spi;
	last = __atomic_load_n(&w->state->sa_out[id].last_sequence, __ATOMIC_RELAXED);
	if (!sl_sa_sent_recently(w->sa_index, id, last, said->sequence))
		return SL_DROP_too_big_sequence;
	if (said->mtu < floor || floor == 0)
		return SL_DROP_too_big_floor;
	if (said->mtu >= said->length)
		return SL_DROP_too_big_size;
	if (!is_news(w, id, said->mtu) || !sl_punt_too_big(w, id, (uint16_t)said->mtu))
		return SL_DROP_too_big_rate;
	return SL_DROP_none;
}

bool sl_take_too_big(struct sl_worker *w, struct rte_mbuf *m, const struct sl_packet *p,
                     const struct sl_upper *upper)
{
	const uint8_t *icmp = rte_pktmbuf_mtod_offset(m, const uint8_t *, upper->offset);
	size_t length = (size_t)(m->data_len - upper->offset);
	const uint8_t *addresses = sl_l3(m, p) + (p->family == 4 ? 12 : 8);
	enum sl_drop_reason reason = SL_DROP_too_big_quote;
	struct sl_too_big said;

	if (upper->fragment || !sl_is_too_big(icmp, length, p->family))
		return false;
	switch (sl_read_too_big(icmp, length, p->family, addresses, &said)) {
	case SL_TOO_BIG_OTHER:
		return false;
	case SL_TOO_BIG_IN_CLEAR:
		reason = SL_DROP_too_big_clear;
		break;
	case SL_TOO_BIG_ESP:
		reason = judge(w, p->family, addresses + (p->family == 4 ? 4 : 16), &said);
		break;
	case SL_TOO_BIG_UNLIKE:
	default:
		break;
	}
	if (reason == SL_DROP_none)
		sl_free(m);
	else
		sl_drop(w, m, reason);
	return true;
}
