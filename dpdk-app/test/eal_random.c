/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bursts of damaged frames through the whole packet path: good frames of every kind with bytes changed,
 * cut, repeated. Nothing may be lost or leaked: each packet is dropped for one reason, sent or punted.
 * Under sanitizers every read and write inside the mbufs is checked as well (stages/poison.h).
 */
#include "support/random_frames.h"

static uint64_t count_out(void)
{
	uint8_t frame[2048];
	struct rte_mbuf *m;
	uint64_t n = 0;

	while (world_sent(PORT_CE, frame) != 0 || world_sent(PORT_CORE, frame) != 0)
		n++;
	while ((m = world_punted()) != NULL) {
		n += sl_packet(m)->punt != SL_PUNT_RESOLVE;
		rte_pktmbuf_free(m);
	}
	return n;
}

static uint64_t suppressed(void)
{
	return world_drops(SL_DROP_icmp_rate) + world_drops(SL_DROP_icmp_forbidden);
}

static void damaged_bursts(void **state)
{
	uint32_t rounds = 40, bursts = 100, sequence = 1;

	(void)state;
	for (uint32_t round = 0; round < rounds; round++) {
		uint64_t in = 0, out = 0, answered = 0;

		open_scene(round);
		for (uint32_t i = 0; i < bursts; i++) {
			struct rte_mbuf *burst[SL_BURST];
			uint32_t port = PORT_CE;
			uint16_t n = 0, want = (uint16_t)(1 + random_below(SL_BURST));

			world.worker.now_tsc += 1u << 20;
			while (n < want) {
				port = make_frame(sequence++);
				if (random_below(3) != 0)
					damage();
				/* half the bursts come by the wrong port */
				burst[n++] = world_frame(build_bytes(&b), build_len(&b));
				if (random_below(2))
					burst[n - 1]->ol_flags = 0;
			}
			in += n;
			if (random_below(8) == 0)
				port = 3 - port;
			sl_pipeline_receive(&world.worker, port, burst, n);
			sl_pipeline_flush(&world.worker);
			out += count_out();
		}
		sl_pipeline_end(&world.worker); /* fragments that wait are dropped */
		/* every packet was dropped once or went out; answers are packets more */
		answered = in + suppressed();
		assert_true(world_all_drops() + out >= answered);
		assert_true(world_all_drops() + out <= answered + in);
		assert_int_equal(rte_mempool_avail_count(world.worker.pool), WORLD_MBUFS);
	}
}

/* The same from the kernel's side. */
static void damaged_injections(void **state)
{
	(void)state;
	open_scene(0);
	for (uint32_t i = 0; i < 20000; i++) {
		static const uint32_t interfaces[] = {IF_CE,   IF_CORE, IF_HOST,
		                                      IF_CE_B, IF_HOST, 99};

		make_frame(i + 1);
		b.at += random_below(2) ? 14 : 0;
		damage();
		world_inject(interfaces[random_below(6)], build_bytes(&b), build_len(&b));
		if (i % 64 == 0)
			count_out();
	}
	count_out();
	sl_pipeline_end(&world.worker);
	assert_int_equal(rte_mempool_avail_count(world.worker.pool), WORLD_MBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_bursts),
		cmocka_unit_test(damaged_injections),
	};

	return cmocka_run_group_tests_name("eal_random", tests, NULL, NULL);
}
