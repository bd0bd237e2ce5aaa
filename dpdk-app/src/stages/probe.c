/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Path MTU probes: dummy packets (RFC 4303 2.6) of a size that the supervisor wants to know of whether it passes. They
 * leave as the tunnel's packets do, by the same SA and the same template as far as that is the same:
 *
 *   | Ethernet | labels | outer IP | [UDP] ESP, IV | round 4 | zeros | trailer 2, next header 59 | ICV room |
 *
 * Encryption follows in esp_seal.c. docs/adr/0032-path-mtu-probes.md says what becomes of them.
 */
#include "net/protocol.h"
#include "stages/pass.h"
#include "stages/stage.h"
#include "stages/tunnel_frame.h"

/* At least this is behind the IV: the round, and the trailer. */
#define SL_PROBE_LEAST (4u + SL_ESP_TRAILER_MIN)

/* The tunnel as its packets find it, and the one SA that is meant: another one's packets may take another way. */
static enum sl_drop_reason find_tunnel(struct sl_worker *w, const struct sl_probe *probe,
                                       uint32_t id, struct sl_tunnel *t)
{
	const struct sl_version_row *v = &w->tables->version[id];

	*t = (struct sl_tunnel){.version = v, .next_header = SL_PROTO_NONE};
	if (v->template_len < 16 || v->template_len > SL_TEMPLATE_LEN || v->esp_off == 0 ||
	    v->ip_off == 0 || v->sa != probe->sa)
		return SL_DROP_nexthop_unusable;
	if (!find_sa(w, t, v->sa, v->sa_generation))
		return SL_DROP_sa_not_ready;
	if (v->esp_off < v->ip_off || v->esp_off + esp_front(v) > v->template_len)
		return SL_DROP_nexthop_unusable;
	if (t->key->owner != w->index)
		return SL_PASSED;
	return is_ready(t, v->sa_generation) ? SL_DROP_none : SL_DROP_sa_not_ready;
}

/* Bytes behind the IV and before the ICV, in whole blocks: what fits into an outer IP packet of `bytes`. 0: too few. */
static unsigned int sealed_len(const struct sl_tunnel *t, uint32_t bytes)
{
	const struct sl_sa_key *key = t->key;
	unsigned int around = (unsigned int)t->version->esp_off - t->version->ip_off +
	                      key->front_len + key->icv_len;
	unsigned int room = bytes > around ? (bytes - around) / key->align * key->align : 0;

	return room < SL_PROBE_LEAST ? 0 : room;
}

static void lay_out(struct rte_mbuf *m, struct sl_packet *p, struct sl_tunnel *t, uint32_t round,
                    unsigned int sealed)
{
	const struct sl_version_row *v = t->version;
	unsigned int front = (unsigned int)v->esp_off + t->key->front_len;
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	p->l3_offset = v->ip_off;
	p->family = v->family;
	sl_end_at(m, (uint16_t)(front + sealed + t->key->icv_len));
	memcpy(frame, v->template_bytes, front);
	memset(frame + front, 0, sealed);
	sl_put32(frame + front, round);
	sl_write_esp(p, t, frame + v->esp_off, sealed - SL_ESP_TRAILER_MIN, SL_ESP_TRAILER_MIN);
	if (v->udp_off != 0)
		sl_put16(frame + v->udp_off + 4, (uint16_t)(m->data_len - v->udp_off));
	sl_finish_outer(v, frame + v->ip_off, sl_l3_len(m, p), 0);
}

static enum sl_drop_reason make_probe(struct sl_worker *w, struct rte_mbuf *m)
{
	struct sl_packet *p = sl_packet(m);
	struct sl_probe probe;
	struct sl_tunnel t;
	unsigned int sealed;
	enum sl_drop_reason reason;

	memcpy(&probe, rte_pktmbuf_mtod(m, uint8_t *), sizeof(probe));
	p->version = sl_nexthop_active(w, probe.nexthop);
	reason = find_tunnel(w, &probe, p->version, &t);
	if (reason == SL_PASSED)
		sl_pass(w, m, t.key->owner, SL_LANE_HOST);
	if (reason != SL_DROP_none)
		return reason;
	sealed = sealed_len(&t, probe.bytes);
	if (sealed == 0)
		return SL_DROP_nexthop_unusable;
	if ((uint32_t)m->data_off + t.version->ip_off + probe.bytes > m->buf_len)
		return SL_DROP_no_mbuf;
	if (sl_esp_byte_room(t.state, t.row, 1, probe.bytes) == 0 ||
	    sl_esp_reserve(t.state, sl_esp_last_sequence(t.row), 1, &t.sequence) == 0)
		return SL_DROP_sa_exhausted;
	lay_out(m, p, &t, probe.round, sealed);
	p->sa = t.sa;
	t.state->packets++;
	t.state->bytes += sl_l3_len(m, p);
	return SL_DROP_none;
}

uint16_t sl_stage_probe(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint16_t kept = 0;

	for (uint16_t i = 0; i < n; i++) {
		enum sl_drop_reason reason = make_probe(w, packets[i]);

		if (reason == SL_DROP_none)
			packets[kept++] = packets[i];
		else if (reason != SL_PASSED)
			sl_drop(w, packets[i], reason);
	}
	return kept;
}
