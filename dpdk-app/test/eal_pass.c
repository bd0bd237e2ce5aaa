/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets between packet threads (policy-model 23): an SA's packets meet at its owner wherever they were received, in
 * order; nothing is read that its writer may have reused; a full ring has its counter.
 */
#include <pthread.h>
#include <sched.h>

#include "support/drops.h"
#include "support/host_policy.h"
#include "support/threads.h"

static uint8_t got[2048], alone[2048];

static int two_threads(void **state)
{
	(void)state;
	scene_set();
	threads_set();
	return 0;
}

static int one_thread(void **state)
{
	(void)state;
	world.worker.threads = 1;
	scene_set();
	return 0;
}

static uint64_t drops_of(const struct sl_worker *w, enum sl_drop_reason reason)
{
	return w->block->drops[reason];
}

/* The owner encrypts, and the bytes are those of one thread alone. */
static void sealed_by_the_owner(void **state)
{
	size_t n, m;

	(void)state;
	build_from_ce4(&b, THERE4, 100, 64);
	threads_receive(&world.worker, PORT_CE, &b);
	n = world_sent(PORT_CORE, alone);
	assert_true(n > 0);
	scene_set();
	threads_set();
	world.keys_out[1]->owner = 1;
	threads_receive(&world.worker, PORT_CE, &b);
	assert_int_equal(world.state->sa_out[1].last_sequence, 0); /* nothing reserved here */
	assert_int_equal(threads_round(&second), 1);
	assert_int_equal(world.state->sa_out[1].last_sequence, 1);
	assert_int_equal(world_sent(PORT_CORE, got),
	                 0); /* the port's queue is the first thread's */
	assert_int_equal(threads_round(&world.worker), 1);
	m = world_sent(PORT_CORE, got);
	world_expect_bytes("through two threads", got, m, alone, n);
	assert_int_equal(world.worker.block->passed, 1);
	assert_int_equal(second.block->taken, 1);
	assert_int_equal(second.block->passed, 1);
	assert_int_equal(world.worker.block->taken, 1);
	assert_int_equal(world.worker.block->interface[IF_CORE].tx_packets, 1);
	assert_int_equal(second.block->interface[IF_CORE].tx_packets, 0);
	world_expect_quiet();
}

/* The window is the owner's: a replay received by either thread is seen. */
static void opened_by_the_owner(void **state)
{
	(void)state;
	world.keys_in[1]->owner = 1;
	build_secured4(&b, 1, 5, LABEL_ALL, HERE4);
	threads_receive(&world.worker, PORT_CORE, &b);
	assert_int_equal(world.state->sa_in[1].packets, 0);
	threads_settle();
	assert_int_equal(world_sent(PORT_CE, got), 74);
	assert_int_equal(world.state->sa_in[1].packets, 1);
	build_secured4(&b, 1, 5, LABEL_ALL, HERE4);
	threads_receive(&second, PORT_CORE, &b);
	build_secured4(&b, 1, 5, LABEL_ALL, HERE4);
	threads_receive(&world.worker, PORT_CORE, &b);
	threads_settle();
	assert_int_equal(drops_of(&second, SL_DROP_esp_replayed), 2);
	assert_int_equal(drops_of(&world.worker, SL_DROP_esp_replayed), 0);
	assert_int_equal(world.state->sa_in[1].replayed, 2);
	world_expect_quiet();
}

/* The last four bytes of the payload that HERE sends number its packets. */
static void numbered(struct build *to, uint32_t number, uint8_t flow)
{
	build_payload(to, 60);
	sl_put32(to->room + to->end - 4, number);
	build_ip4(to, A4(10, 1, 1, flow), THERE4, 17, 64);
	build_eth(to, PE_CE_MAC, CE_MAC, 0, 0x0800);
}

/* A burst of them, received by `w`. */
static void receive_numbered(struct sl_worker *w, uint32_t *number, uint8_t flow, unsigned int n)
{
	struct rte_mbuf *frames[SL_BURST];
	struct build one;

	for (unsigned int i = 0; i < n; i++) {
		numbered(&one, ++*number, flow);
		frames[i] = world_frame(build_bytes(&one), build_len(&one));
	}
	sl_pipeline_receive(w, PORT_CE, frames, (uint16_t)n);
	sl_pipeline_flush(w);
}

/*
 * What left by the core: sequence numbers that rise from `*sequence` on, and each flow's packets in order. Returns how
 * many packets there were.
 */
static uint32_t expect_in_order(struct sl_sa_key *key, uint64_t *sequence, uint32_t last[2])
{
	uint32_t count = 0;
	size_t n;

	while ((n = world_sent(PORT_CORE, got)) != 0) {
		uint8_t *esp = got + 34, nonce[SL_ESP_NONCE_LEN];
		size_t length = n - 34 - SL_ESP_FRONT_LEN - SL_ESP_ICV_LEN;
		const uint8_t *inner = esp + SL_ESP_FRONT_LEN + 8;

		count++;
		assert_true(sl_esp_sequence(esp) > *sequence);
		*sequence = sl_esp_sequence(esp);
		sl_esp_read_nonce(esp, key->salt, nonce);
		/* the peer's view: the same key opens it */
		assert_true(sl_esp_open(key, esp, length, nonce));
		assert_true(inner[15] < 2);
		assert_true(sl_get32(inner + 76) > last[inner[15]]);
		last[inner[15]] = sl_get32(inner + 76);
	}
	return count;
}

/* Both threads receive for an SA of one of them, in bursts that leave their batches and rings half full. */
static void order_and_numbers(void **state)
{
	uint32_t last[2] = {0, 0}, number = 0, sent = 0;
	uint64_t sequence = 0;

	(void)state;
	world.keys_out[1]->owner = 1;
	for (unsigned int burst = 0; burst < 100; burst++) {
		receive_numbered(&world.worker, &number, 0, burst * 7 % 25 + 1);
		receive_numbered(&second, &number, 1, (burst * 7 + 3) % 25 + 1);
		if (burst % 3 != 0)
			(void)threads_round(&second);
		threads_settle();
		sent += expect_in_order(world.keys_out[1], &sequence, last);
	}
	assert_int_equal(sent, number);
	assert_int_equal(sequence, number);
	assert_int_equal(world.state->sa_out[1].last_sequence, number);
	assert_int_equal(world.state->sa_out[1].packets, number);
	assert_int_equal(drops_of(&second, SL_DROP_pass_full), 0);
	world_expect_quiet();
}

#define REAL_BURSTS 20000u
static uint32_t second_stop;

/* Go no further ahead of the other thread than half a ring: on one CPU it may be long until that one runs. */
static void pace(struct sl_worker *w)
{
	while (rte_ring_count(w->pass_to[1 - w->index]->ring) > THREADS_RING / 2) {
		(void)threads_round(w);
		(void)sched_yield();
	}
}

static void *run_second(void *context)
{
	uint32_t *number = context;

	for (unsigned int burst = 0; burst < REAL_BURSTS; burst++) {
		pace(&second);
		receive_numbered(&second, number, 1, burst % 8 + 1);
		(void)threads_round(&second);
	}
	while (__atomic_load_n(&second_stop, __ATOMIC_ACQUIRE) == 0)
		(void)threads_round(&second);
	return NULL;
}

/* The same by two threads that run when they will: what a full ring refused is counted, the rest is in order. */
static void order_for_real(void **state)
{
	uint32_t last[2] = {0, 0}, number[2] = {0, 0}, sent = 0;
	uint64_t sequence = 0, lost;
	bool joined = false;
	pthread_t thread;

	(void)state;
	second_stop = 0;
	world.keys_out[1]->owner = 1;
	assert_int_equal(pthread_create(&thread, NULL, run_second, &number[1]), 0);
	for (unsigned int burst = 0; burst < REAL_BURSTS; burst++) {
		pace(&world.worker);
		receive_numbered(&world.worker, &number[0], 0, burst % 5 + 1);
		(void)threads_round(&world.worker);
		sent += expect_in_order(world.keys_out[1], &sequence, last);
	}
	while (!sl_pass_settled(&world.worker) || threads_round(&world.worker) > 0)
		(void)threads_round(&world.worker);
	__atomic_store_n(&second_stop, 1, __ATOMIC_RELEASE);
	for (int tries = 0; !joined && tries < 100000;
	     tries++) { /* it may still be at its bursts */
		sent += expect_in_order(world.keys_out[1], &sequence, last);
		(void)threads_round(&world.worker);
		joined = pthread_tryjoin_np(thread, NULL) == 0;
		usleep(joined ? 0 : 100);
	}
	assert_true(joined);
	threads_settle();
	sent += expect_in_order(world.keys_out[1], &sequence, last);
	lost = drops_of(&world.worker, SL_DROP_pass_full) + drops_of(&second, SL_DROP_pass_full) +
	       drops_of(&world.worker, SL_DROP_tx_full);
	assert_true(sent > (number[0] + number[1]) / 2);
	assert_int_equal(sent + lost, number[0] + number[1]);
	assert_int_equal(second.block->taken, world.worker.block->passed);
	assert_int_equal(world.worker.block->taken, second.block->passed);
	world_expect_quiet();
}

static void full_ring(void **state)
{
	(void)state;
	world.keys_out[1]->owner = 1;
	for (uint32_t i = 0; i < THREADS_RING + 9; i++) {
		numbered(&b, i + 1, 0);
		threads_receive(&world.worker, PORT_CE, &b);
	}
	assert_int_equal(drops_of(&world.worker, SL_DROP_pass_full), 10);
	assert_int_equal(world.worker.block->interface[IF_CE].drops, 10);
	assert_int_equal(world.worker.block->passed, THREADS_RING - 1);
	threads_settle();
	assert_int_equal(world.state->sa_out[1].last_sequence, THREADS_RING - 1);
	while (world_sent(PORT_CORE, got) != 0)
		;
	scene_expect_drops(SL_DROP_pass_full, 10);
}

/* A datagram's fragments meet, whoever received each. */
static void fragments_meet(void **state)
{
	uint8_t whole[2048];
	size_t length, ip_length;

	(void)state;
	for (uint16_t id = 1; id <= 8; id++) { /* some meet here, some there */
		build_secured4(&b, 1, id, LABEL_ALL, HERE4);
		length = build_len(&b);
		memcpy(whole, build_bytes(&b), length);
		ip_length = length - 34;
		for (unsigned int piece = 0; piece < 2; piece++) {
			size_t from = piece * 64, n = piece == 0 ? 64 : ip_length - 64;

			build_payload(&b, n);
			memcpy(b.room + b.at, whole + 34 + from, n);
			build_ip4_flags(&b, REMOTE4, LOCAL4, 50,
			                (uint16_t)(piece == 0 ? 0x2000u : 8u));
			sl_put16(build_bytes(&b) + 4, id);
			build_sum4(&b);
			build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
			threads_receive(piece == 0 ? &world.worker : &second, PORT_CORE, &b);
		}
		threads_settle();
		assert_int_equal(world_sent(PORT_CE, got), 74);
	}
	assert_int_equal(world.worker.block->interface[IF_CORE].reassembled +
	                         second.block->interface[IF_CORE].reassembled,
	                 8);
	assert_true(second.block->interface[IF_CORE].reassembled > 0);
	assert_true(world.worker.block->interface[IF_CORE].reassembled > 0);
	world_expect_quiet();
}

/*
 * What a thread looked up is read by another until that one is done with the packet: so long its epoch stays, and it
 * does not go offline.
 */
static void epoch_waits(void **state)
{
	(void)state;
	world.worker.block->epoch = 1;
	world.keys_out[1]->owner = 1;
	assert_true(sl_pass_settled(&world.worker));
	numbered(&b, 1, 0);
	threads_receive(&world.worker, PORT_CE, &b);
	assert_false(sl_pass_settled(&world.worker));
	assert_int_equal(sl_pass_epoch(&world.worker, 2), 1);
	numbered(&b, 2, 0); /* looked up after epoch 2 was seen: no reason to stay */
	threads_receive(&world.worker, PORT_CE, &b);
	assert_int_equal(sl_pass_epoch(&world.worker, 3), 1);
	(void)sl_pipeline_take(&second); /* taken, not yet done with: still queued */
	assert_int_equal(sl_pass_epoch(&world.worker, 3), 1);
	assert_false(sl_pass_settled(&world.worker));
	sl_pipeline_flush(&second);
	assert_int_equal(sl_pass_epoch(&world.worker, 3), 2); /* that which was waited for */
	world.worker.block->epoch = 2;
	assert_int_equal(sl_pass_epoch(&world.worker, 3), 3);
	assert_true(sl_pass_settled(&world.worker));
	threads_settle();
	while (world_sent(PORT_CORE, got) != 0)
		;
	world_expect_quiet();
}

/* Rekeying, and the key's owner with it, between receiving and sealing: the new owner gets what is underway. */
static void owner_changes_underway(void **state)
{
	(void)state;
	world.keys_out[1]->owner = 1;
	numbered(&b, 1, 0);
	threads_receive(&world.worker, PORT_CE, &b);
	world.keys_out[1]->owner = 0;
	threads_settle();
	assert_int_equal(world.state->sa_out[1].last_sequence, 1);
	assert_true(world_sent(PORT_CORE, got) > 0);
	world_expect_quiet();
}

/* BGP of the kernel: the frame goes to its SA's owner as the kernel gave it. */
static void kernels_frames(void **state)
{
	(void)state;
	set(4);
	threads_set();
	world.keys_out[SA_BGP]->owner = 1;
	segment(40000, SL_PORT_BGP, 20);
	build_ip4(&b, LOCAL4, REMOTE4, 6, 64);
	build_eth(&b, P_MAC, PE_CORE_MAC, 0, 0x0800);
	world_inject(IF_CORE, build_bytes(&b), build_len(&b));
	assert_int_equal(world.state->sa_out[SA_BGP].last_sequence, 0);
	threads_settle();
	assert_int_equal(world.state->sa_out[SA_BGP].last_sequence, 1);
	assert_true(world_sent(PORT_CORE, got) > 0);
	assert_int_equal(got[23], 50);
	world_expect_quiet();
}

/* Two threads have no more ICMP errors than one. */
static void shares_of_icmp(void **state)
{
	uint32_t sent = 0;

	(void)state;
	for (unsigned int i = 0; i < 300; i++) {
		build_from_ce4(&b, THERE4, 40, 1); /* TTL expired */
		threads_receive(i % 2 ? &second : &world.worker, PORT_CE, &b);
		threads_settle();
	}
	while (world_sent(PORT_CE, got) != 0)
		sent++;
	assert_int_equal(sent, 100);
	assert_int_equal(drops_of(&world.worker, SL_DROP_icmp_rate), 100);
	assert_int_equal(drops_of(&second, SL_DROP_icmp_rate), 100);
	world_expect_quiet();
}

/* Over all rings of a thread no more wait than there are buffers for; what is taken makes room. */
static void no_more_than_may_wait(void **state)
{
	(void)state;
	world.worker.waiting.pass = 10;
	world.worker.pass_room = 0;
	world.keys_out[1]->owner = 1;
	for (unsigned int i = 0; i < 15; i++) {
		build_from_ce4(&b, THERE4, 100, 64);
		threads_receive(&world.worker, PORT_CE, &b);
	}
	assert_int_equal(world_drops(SL_DROP_pass_full), 5);
	assert_int_equal(threads_round(&second), 10);
	for (unsigned int i = 0; i < 11; i++) {
		build_from_ce4(&b, THERE4, 100, 64);
		threads_receive(&world.worker, PORT_CE, &b);
	}
	assert_int_equal(world_drops(SL_DROP_pass_full), 6);
	assert_int_equal(world.worker.block->passed, 20);
	threads_settle();
	while (world_sent(PORT_CORE, got) != 0)
		;
	world.worker.waiting = sl_waiting_most;
	world_expect_quiet();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sealed_by_the_owner, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(opened_by_the_owner, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(order_and_numbers, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(order_for_real, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(full_ring, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(no_more_than_may_wait, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(fragments_meet, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(epoch_waits, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(owner_changes_underway, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(kernels_frames, two_threads, one_thread),
		cmocka_unit_test_setup_teardown(shares_of_icmp, two_threads, one_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
