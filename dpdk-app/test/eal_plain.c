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

/* Everything that is to be seen of a burst from outside. */
struct outcome {
	uint8_t bytes[SL_BURST * 2 * 2100];
	size_t length;
	uint64_t drops[SL_MAX_DROP_REASONS];
	struct sl_interface_counters interface[8];
	struct sl_vrf_counters vrf[WORLD_VRFS + 1];
	struct sl_label_counters label[LABEL_SECURED_IP + 1];
	struct sl_label_counters label_all;
	struct sl_sa_out_state sa_out[3];
	struct sl_sa_in_state sa_in[3];
};
static struct outcome outcomes[2];

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
			build_payload(&b, random_below(300));
			build_ip4(&b, THERE4, HERE4, 17, (uint8_t)(2 + random_below(60)));
			build_label(&b, LABEL_ALL, true, 64);
			build_gre(&b, 0, 0x8847);
			build_esp(&b, 1, *sequence - random_below(2) * random_below(40), 47);
			(*sequence)++;
			build_core4(&b, 50);
		} else {
			build_from_ce4(&b, random_below(2) ? THERE4 : HERE4, random_below(1500),
			               (uint8_t)(2 + random_below(60)));
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

/* Bursts of one round, as `way` forwards them: the outcome of each up to `stop`. */
static void run(const struct sl_variant *way, uint64_t seed, uint32_t round, uint32_t stop,
                struct outcome *o)
{
	uint32_t sequence = 100;

	sl_variant_use(way);
	random_state = seed;
	open_scene(round);
	world.tables->interface[IF_CE].police = 0;
	for (uint32_t i = 0; i <= stop; i++) {
		struct rte_mbuf *burst[SL_BURST];
		uint32_t port;
		uint16_t n = make_burst(burst, &port, &sequence);

		world.worker.now_tsc += 1u << 20;
		sl_pipeline_receive(&world.worker, port, burst, n);
		sl_pipeline_flush(&world.worker);
		take_outcome(o);
	}
	sl_pipeline_end(&world.worker);
}

#define ROUNDS 48u
#define BURSTS 40u

static void both_ways_alike(void **state)
{
	const struct sl_variant *ordinary;
	uint64_t forwarded = 0;

	(void)state;
	world_reset();
	ordinary = sl_variant_used();
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint64_t seed = 0x5ea1a9e2ull + round * 0x9e3779b97f4a7c15ull;

		for (uint32_t stop = 0; stop < BURSTS; stop += 1 + stop / 4) {
			run(ordinary, seed, round, stop, &outcomes[0]);
			run(&long_way, seed, round, stop, &outcomes[1]);
			sl_variant_use(ordinary);
			if (memcmp(&outcomes[0], &outcomes[1], sizeof(outcomes[0])) != 0)
				fail_msg("round %u, burst %u: they differ", round, stop);
			forwarded += outcomes[0].length;
		}
	}
	assert_true(forwarded > 1000000);
	assert_int_equal(rte_mempool_avail_count(world.worker.pool), WORLD_MBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(both_ways_alike)};

	return cmocka_run_group_tests_name("eal_plain", tests, NULL, NULL);
}
