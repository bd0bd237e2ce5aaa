/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nearly every packet is goes through the packet path in three goes, everything else from stage to stage. Here the
 * same bursts, good frames and damaged ones of every kind, go through twice, the second time all of them the long way:
 * what leaves, what the kernel gets and what is counted must be the same, octet by octet.
 */
#include "support/random_frames.h"

void sl_pipeline_receive_long(struct sl_worker *w, uint32_t port, struct rte_mbuf **frames,
                              uint16_t n);
void sl_pipeline_inject_long(struct sl_worker *w, struct rte_mbuf **frames, uint16_t n);
uint32_t sl_pipeline_take_long(struct sl_worker *w);
uint32_t sl_pipeline_release_long(struct sl_worker *w);
void sl_pipeline_end_long(struct sl_worker *w);
uint32_t sl_pipeline_flush_long(struct sl_worker *w);

static const struct sl_variant long_way = {
	.name = "long",
	.receive = sl_pipeline_receive_long,
	.inject = sl_pipeline_inject_long,
	.take = sl_pipeline_take_long,
	.release = sl_pipeline_release_long,
	.end = sl_pipeline_end_long,
	.flush = sl_pipeline_flush_long,
};

static const uint8_t IN_UDP[4] = {10, 12, 0, 9}, UNDER_LABEL[4] = {10, 13, 0, 9};

/* Everything that is to be seen of a burst from outside. */
struct outcome {
	size_t length;
	uint8_t bytes[SL_BURST * 2 * 2100];
	uint64_t drops[SL_MAX_DROP_REASONS];
	struct sl_interface_counters interface[8];
	struct sl_vrf_counters vrf[WORLD_VRFS + 1];
	struct sl_label_counters label[LABEL_SECURED_IP + 1];
	struct sl_label_counters label_all;
	struct sl_sa_out_state sa_out[3];
	struct sl_sa_in_state sa_in[3];
};

static void add(struct outcome *o, uint8_t kind, const uint8_t *bytes, size_t n)
{
	assert_true(o->length + n + 3 <= sizeof(o->bytes));
	o->bytes[o->length++] = kind;
	sl_put16(o->bytes + o->length, (uint16_t)n);
	memcpy(o->bytes + o->length + 2, bytes, n);
	o->length += n + 2;
}

static void take_outcome(struct outcome *o)
{
	const struct sl_lcore_block *block = world.worker.block;
	uint8_t frame[2048];
	struct rte_mbuf *m;
	size_t n;

	memset(o, 0, sizeof(*o));
	for (uint32_t port = PORT_CE; port <= PORT_CORE; port++)
		while ((n = world_sent(port, frame)) != 0)
			add(o, (uint8_t)port, frame, n);
	while ((m = world_punted()) != NULL) {
		const struct sl_packet *p = sl_packet(m);

		if (p->punt == SL_PUNT_RESOLVE)
			add(o, 0x80, p->address, p->family == 4 ? 4 : 16);
		else
			add(o, (uint8_t)(0x80 | p->punt << 4 | p->interface),
			    rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
		rte_pktmbuf_free(m);
	}
	memcpy(o->drops, block->drops, sizeof(o->drops));
	memcpy(o->interface, block->interface, sizeof(o->interface));
	memcpy(o->vrf, block->vrf, sizeof(o->vrf));
	memcpy(o->label, block->label, sizeof(o->label));
	o->label_all = block->label[LABEL_ALL];
	memcpy(o->sa_out, world.state->sa_out, sizeof(o->sa_out));
	memcpy(o->sa_in, world.state->sa_in, sizeof(o->sa_in));
}

/* Out of an SA, nearly as nearly every packet is: one thing in eight of it is otherwise. */
static void make_sealed(uint32_t sequence)
{
	bool gre = random_below(8) != 0;
	unsigned int padding = random_below(8) != 0 ? 0 : random_below(255);
	uint32_t again = random_below(2) * random_below(40), sa = random_below(8) != 0 ? 1 : 2;

	build_payload(&b, random_below(300));
	build_ip4(&b, THERE4, HERE4, 17, (uint8_t)(2 + random_below(60)));
	build_label(&b, LABEL_ALL, random_below(8) != 0, 64);
	build_bytes(&b)[2] |= (uint8_t)(random_below(8) << 1); /* TC */
	if (gre)
		build_gre(&b, 0, 0x8847);
	if (random_below(8) ==
	    0) /* short: as much of it as there is, and what is there by chance */
		b.end = b.at + random_below(48);
	build_trailer(&b, sa, random_below(8) != 0 ? 47 : 137, padding);
	if (random_below(8) == 0) /* padding, its length or the next header */
		b.room[b.end - 1 - random_below(5)] ^= (uint8_t)(1u << random_below(8));
	build_sealed(&b, sa, sequence - again);
	build_core4(&b, 50);
}

/* From a CE, with any DSCP and ECN, of either family. */
static void make_marked(void)
{
	static const uint8_t *const to[] = {THERE4, HERE4, IN_UDP, UNDER_LABEL};
	uint8_t tos = (uint8_t)random_below(256), ttl = (uint8_t)(2 + random_below(60));

	if (random_below(4) != 0) {
		build_from_ce4(&b, to[random_below(RTE_DIM(to))], random_below(1500), ttl);
		b.at += 14;
		build_bytes(&b)[1] = tos;
		build_sum4(&b);
		b.at -= 14;
	} else {
		build_from_ce6(&b, random_below(2) ? THERE6 : HERE6, random_below(1500), ttl);
		sl_put16(build_bytes(&b) + 14, (uint16_t)(0x6000u | (uint32_t)tos << 4));
	}
}

/* A burst of the generator's frames by one port, half of its frames what nearly every packet is. */
static uint16_t make_burst(struct rte_mbuf **burst, uint32_t *port, uint32_t *sequence)
{
	uint16_t n = 0, want = (uint16_t)(1 + random_below(SL_BURST));
	bool core = random_below(2) != 0, damaged = random_below(2) != 0;

	*port = core ? PORT_CORE : PORT_CE;
	while (n < want) {
		bool plain = random_below(2) != 0;

		if (!plain) {
			make_frame((*sequence)++);
		} else if (core) {
			make_sealed((*sequence)++);
		} else {
			make_marked();
		}
		if (damaged && random_below(3) == 0)
			damage();
		burst[n] = world_frame(build_bytes(&b), build_len(&b));
		burst[n++]->ol_flags = 0;
	}
	if (random_below(16) == 0)
		*port = 3 - *port;
	return n;
}

/* Tunnels that are short enough for a plain one's template, and have what plain ones have not. */
static void add_tunnels(void)
{
	struct sl_sa_row udp = world_sa_row(SL_ALG_AES_GCM_128, 4, false, SL_ENCAP_IP);
	struct sl_version_row row;

	udp.spi++;
	udp.udp_source_port = udp.udp_destination_port = 4500;
	world_sa_out(2, &udp);
	row = world_tunnel(SL_ENCAP_IP, 4, 2, true);
	world_route(VRF_A, 4, IN_UDP, 24, world_nexthop(&row), VEC_LABEL_OUT, 0);
	row = world_tunnel(SL_ENCAP_GRE, 4, 1, true);
	memmove(row.template_bytes + 18, row.template_bytes + 14, SL_TEMPLATE_LEN - 18);
	sl_put16(row.template_bytes + 12, 0x8847);
	sl_put32(row.template_bytes + 14, 77u << 12 | 0x100u | 64);
	row.core_labels = 1;
	row.ip_off = (uint8_t)(row.ip_off + 4);
	row.esp_off = (uint8_t)(row.esp_off + 4);
	row.gre_off = (uint8_t)(row.gre_off + 4);
	row.label_off = (uint8_t)(row.label_off + 4);
	row.template_len = (uint8_t)(row.template_len + 4);
	world_route(VRF_A, 4, UNDER_LABEL, 24, world_nexthop(&row), VEC_LABEL_OUT, 0);
	world_commit();
}

/* Of what is to be seen: FNV-1a over words. */
static uint64_t digest(const struct outcome *o)
{
	const uint64_t *word = (const uint64_t *)o;
	uint64_t hash = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < sizeof(*o) / sizeof(*word); i++)
		hash = (hash ^ word[i]) * 0x100000001b3ull;
	return hash;
}

#define ROUNDS 200u
#define BURSTS 40u

/* The bursts of one round as `way` forwards them, and the digest of what is to be seen after each. Returns octets sent. */
static uint64_t run(const struct sl_variant *way, uint64_t seed, uint32_t round, uint64_t *digests)
{
	static struct outcome outcome;
	uint32_t sequence = 100;
	uint64_t sent = 0;

	sl_variant_use(way);
	random_state = seed;
	open_scene(round);
	add_tunnels();
	for (uint32_t i = 1; i <= world.versions; i++) /* also of those that nothing leaves by */
		if (world.tables->version[i].mtu == 0)
			world.tables->version[i].mtu = MTU_CE;
	for (uint32_t i = 0; i < BURSTS; i++) {
		struct rte_mbuf *burst[SL_BURST];
		uint32_t port;
		uint16_t n = make_burst(burst, &port, &sequence);

		world.worker.now_tsc += 1u << 20;
		sl_pipeline_receive(&world.worker, port, burst, n);
		sl_pipeline_flush(&world.worker);
		take_outcome(&outcome);
		digests[i] = digest(&outcome);
		sent += outcome.length;
	}
	sl_pipeline_end(&world.worker);
	return sent;
}

static void both_ways_alike(void **state)
{
	const struct sl_variant *ordinary;
	uint64_t digests[2][BURSTS], sent = 0;

	(void)state;
	world_reset();
	ordinary = sl_variant_used();
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint64_t seed = 0x5ea1a9e2ull + round * 0x9e3779b97f4a7c15ull;

		sent += run(ordinary, seed, round, digests[0]);
		(void)run(&long_way, seed, round, digests[1]);
		sl_variant_use(ordinary);
		for (uint32_t i = 0; i < BURSTS; i++)
			if (digests[0][i] != digests[1][i])
				fail_msg("round %u, burst %u: they differ", round, i);
	}
	assert_true(sent > 10000000);
	assert_int_equal(rte_mempool_avail_count(world.worker.pool), WORLD_MBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(both_ways_alike)};

	return cmocka_run_group_tests_name("eal_plain", tests, NULL, NULL);
}
