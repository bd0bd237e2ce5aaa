/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fragments of UDP for us: those of ESP in UDP are put together (eal_reassemble.c has Scapy's); all others, IKE's
 * among them, come to the kernel, as they came, whatever anybody sends.
 */
#include <rte_cycles.h>

#include "net/eth.h"

#include "stages/esp_in_udp.h"
#include "support/drops.h"
#include "support/threads.h"

#define SPI VEC_SPI_IN
#define IKE 0u /* what stands where the SPI would: RFC 3948 2.2 */

static uint8_t frame[2048];

/* The PE of drops.h, whose inbound SA is in UDP. */
static int in_udp(void **state)
{
	(void)state;
	scene_set();
	world.tables->sa_in[1].udp_source_port = 4500;
	world.tables->sa_in[1].udp_destination_port = 4500;
	world.takes_udp = true;
	return 0;
}

/* UDP of `n` bytes between the SA's addresses, as its first fragment shows it. */
struct datagram {
	uint16_t id, port;
	uint32_t spi;
	uint16_t n;
};

/* Bytes `at` to `at + n` of it, received; `from` NULL: from the remote PE. */
static void fragment_from(struct sl_worker *w, const struct datagram *d, uint16_t at, uint16_t n,
                          const uint8_t *from)
{
	uint8_t *udp;

	build_payload(&b, n);
	udp = build_bytes(&b);
	if (at == 0 && n >= 8) {
		sl_put16(udp, 4500);
		sl_put16(udp + 2, d->port);
		sl_put16(udp + 4, d->n);
	}
	if (at == 0 && n >= 12)
		sl_put32(udp + 8, d->spi);
	build_ip4_flags(&b, from != NULL ? from : REMOTE4, LOCAL4, 17,
	                (uint16_t)((at + n < d->n ? 0x2000u : 0u) | at / 8u));
	sl_put16(build_bytes(&b) + 4, d->id);
	build_sum4(&b);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	threads_receive(w, PORT_CORE, &b);
}

static void fragment(const struct datagram *d, uint16_t at, uint16_t n)
{
	fragment_from(&world.worker, d, at, n, NULL);
}

/* The kernel gets the fragment that begins there: the frame that was received. */
static void expect_kernel(const struct datagram *d, uint16_t at, uint16_t n)
{
	struct rte_mbuf *m = world_punted();
	const uint8_t *ip;

	assert_non_null(m);
	ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, SL_ETH_LEN);
	assert_int_equal(m->data_len, SL_ETH_LEN + 20 + n);
	assert_int_equal(sl_get16(ip + 4), d->id);
	assert_int_equal((sl_get16(ip + 6) & 0x1fff) * 8, at);
	assert_int_equal(sl_packet(m)->punt, SL_PUNT_FRAME);
	assert_int_equal(sl_packet(m)->interface, IF_CORE);
	rte_pktmbuf_free(m);
}

static void wait_ms(uint64_t ms)
{
	world.worker.now_tsc += ms * (rte_get_tsc_hz() / 1000);
	(void)sl_pipeline_release(&world.worker);
}

static void nothing_waits(void)
{
	assert_int_equal(world_all_drops(), 0);
	assert_int_equal(world.worker.reassembly.pieces, 0);
	world_expect_quiet();
}

static const struct datagram ike = {1, 4500, IKE, 96};

/* In order: each fragment at once, none waits for another. */
static void ike_in_order(void **state)
{
	(void)state;
	for (uint16_t at = 0; at < 96; at = (uint16_t)(at + 32)) {
		fragment(&ike, at, 32);
		expect_kernel(&ike, at, 32);
	}
	nothing_waits();
}

/* The others come first: they follow the first one. */
static void ike_out_of_order(void **state)
{
	(void)state;
	fragment(&ike, 64, 32);
	fragment(&ike, 32, 32);
	assert_null(world_punted());
	assert_int_equal(world.worker.reassembly.pieces, 2);
	fragment(&ike, 0, 32);
	expect_kernel(&ike, 32, 32);
	expect_kernel(&ike, 64, 32);
	expect_kernel(&ike, 0, 32);
	nothing_waits();
}

/* The first one never comes: the kernel may know more, and waits longer. */
static void first_never_comes(void **state)
{
	(void)state;
	fragment(&ike, 32, 32);
	wait_ms(2100);
	expect_kernel(&ike, 32, 32);
	assert_int_equal(world.worker.reassembly.datagrams, 0);
	nothing_waits();
}

/* First fragments that are not an SA's in UDP, whatever they look like. */
static void no_such_sa(void **state)
{
	static const struct datagram others[] = {
		{2, 4500, SPI + 1, 64}, /* no SA's */
		{3, 500, SPI, 64},
		{4, 4501, SPI, 64},
		{5, 53, SPI, 64},
	};
	struct datagram esp = {6, 4500, SPI, 64};

	(void)state;
	for (size_t i = 0; i < RTE_DIM(others); i++) {
		fragment(&others[i], 0, 32);
		expect_kernel(&others[i], 0, 32);
		fragment(&others[i], 32, 32);
		expect_kernel(&others[i], 32, 32);
	}
	/* malformed: the kernel judges that, too */
	esp.id = 60;
	fragment(&esp, 0, 31);
	expect_kernel(&esp, 0, 31);
	esp.id = 6;
	/* too short to show an SPI and a sequence number */
	fragment(&esp, 0, 8);
	expect_kernel(&esp, 0, 8);
	/* of another address */
	esp.id++;
	fragment_from(&world.worker, &esp, 0, 32, A4(192, 0, 2, 3));
	expect_kernel(&esp, 0, 32);
	/* the SA is not in UDP, or there is none any more */
	world.tables->sa_in[1].udp_source_port = 0;
	esp.id++;
	fragment(&esp, 0, 32);
	expect_kernel(&esp, 0, 32);
	world.tables->sa_in[1].udp_source_port = 4500;
	world.tables->sa_in[1].generation = 0;
	esp.id++;
	fragment(&esp, 0, 32);
	expect_kernel(&esp, 0, 32);
	nothing_waits();
}

/* Without any SA in UDP nothing is looked at. */
static void no_sa_in_udp(void **state)
{
	(void)state;
	world.takes_udp = false;
	fragment(&ike, 32, 32);
	expect_kernel(&ike, 32, 32);
	assert_int_equal(world.worker.reassembly.datagrams, 0);
	nothing_waits();
}

/* Overlaps, and more fragments than are kept, before anybody knows what it is: the kernel judges. */
static void untold_is_not_judged(void **state)
{
	struct datagram large = {9, 4500, IKE, 512};

	(void)state;
	fragment(&ike, 32, 32);
	fragment(&ike, 40, 56);
	expect_kernel(&ike, 32, 32);
	expect_kernel(&ike, 40, 56);
	fragment(&ike, 0, 32); /* the others of it follow */
	expect_kernel(&ike, 0, 32);
	for (uint16_t i = 1; i <= SL_REASSEMBLY_PIECES + 1; i++)
		fragment(&large, (uint16_t)(i * 8), 8);
	for (uint16_t i = 1; i <= SL_REASSEMBLY_PIECES + 1; i++)
		expect_kernel(&large, (uint16_t)(i * 8), 8);
	nothing_waits();
	/* repeated: once is enough */
	large.id++;
	fragment(&large, 8, 8);
	fragment(&large, 8, 8);
	assert_int_equal(world_drops(SL_DROP_reassembly_overlap), 1);
	wait_ms(2100);
	expect_kernel(&large, 8, 8);
	assert_null(world_punted());
}

/* ESP by its first fragment has ESP's bounds: an overlap ends it. */
static void esp_overlap(void **state)
{
	const struct datagram esp = {7, 4500, SPI, 96};

	(void)state;
	fragment(&esp, 0, 32);
	fragment(&esp, 24, 32);
	fragment(&esp, 32, 64);
	assert_null(world_punted());
	scene_expect_drops(SL_DROP_reassembly_overlap, 3);
}

/* Whole at last, and its UDP length is wrong: no ESP in UDP, so the kernel's, whole. */
static void wrong_length(void **state)
{
	struct datagram esp = {8, 4500, SPI, 64};
	struct rte_mbuf *m;

	(void)state;
	esp.n = 63;
	fragment(&esp, 0, 32);
	esp.n = 64;
	fragment(&esp, 32, 32);
	m = world_punted();
	assert_non_null(m);
	assert_int_equal(m->data_len, SL_ETH_LEN + 20 + 64);
	rte_pktmbuf_free(m);
	nothing_waits();
}

/* A flood from ever other sources pushes nothing of IKE's out but into the kernel. */
static void flood(void **state)
{
	unsigned int kernels = 0;
	struct rte_mbuf *m;

	(void)state;
	fragment(&ike, 32, 32);
	for (unsigned int i = 0; i < 1000; i++) {
		struct datagram forged = {(uint16_t)i, 4500, SPI, 64};

		world.worker.now_tsc += 10;
		fragment_from(&world.worker, &forged, i % 2 ? 0 : 32, 32,
		              A4(203, 0, i >> 8, i & 255));
		assert_true(world.worker.reassembly.datagrams <= SL_REASSEMBLY_DATAGRAMS);
		while ((m = world_punted()) != NULL) {
			const uint8_t *ip = rte_pktmbuf_mtod_offset(m, const uint8_t *, SL_ETH_LEN);

			kernels += memcmp(ip + 12, REMOTE4, 4) == 0;
			rte_pktmbuf_free(m);
		}
	}
	assert_int_equal(kernels, 1);
	wait_ms(2100);
	while ((m = world_punted()) != NULL)
		rte_pktmbuf_free(m);
	nothing_waits();
}

/* Datagrams of the kernel's are remembered, and hold nothing: what is kept of others has its bound all the same. */
static void kept_in_all(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	world.worker.waiting.reassembly = 32;
	for (uint16_t id = 0; id < 20; id++) {
		struct datagram one = {id, 500, IKE, 64};

		world.worker.now_tsc += 10;
		fragment_from(&world.worker, &one, 0, 32, A4(203, 0, 1, id));
	}
	for (uint16_t id = 0; id < 20; id++) {
		struct datagram one = {id, 4500, SPI, 256};

		world.worker.now_tsc += 10;
		for (uint16_t at = 0; at < 64; at = (uint16_t)(at + 8))
			fragment_from(&world.worker, &one, (uint16_t)(at + 8), 8,
			              A4(203, 0, 2, id));
		assert_true(world.worker.reassembly.pieces <= 32);
	}
	world.worker.waiting = sl_waiting_most;
	wait_ms(2100);
	while ((m = world_punted()) != NULL)
		rte_pktmbuf_free(m);
	nothing_waits();
}

/* Its interface is another one by now: not for a customer's kernel side. */
static void interface_is_gone(void **state)
{
	(void)state;
	fragment(&ike, 32, 32);
	world.tables->interface[IF_CORE].role = SL_ROLE_CE;
	wait_ms(2100);
	assert_null(world_punted());
	scene_expect_drops(SL_DROP_reassembly_timeout, 1);
}

/* Each received by another thread: they meet, and what comes of it is the same. */
static void two_threads(void **state)
{
	(void)state;
	threads_set();
	for (uint16_t id = 1; id <= 8; id++) {
		struct datagram esp = {id, 4500, SPI, 0},
				other = {(uint16_t)(id + 100), 500, 0, 64};
		uint8_t whole[512];

		/* the ESP packet of build_secured4(), in UDP and two pieces, the second one first */
		build_secured4(&b, 1, id, LABEL_ALL, HERE4);
		esp.n = (uint16_t)(build_len(&b) - 34 + 8);
		memcpy(whole + 8, build_bytes(&b) + 34, esp.n - 8u);
		sl_put16(whole, 4500);
		sl_put16(whole + 2, 4500);
		sl_put16(whole + 4, esp.n);
		sl_put16(whole + 6, 0);
		for (unsigned int piece = 2; piece-- > 0;) {
			size_t at = piece * 64, n = piece == 0 ? 64 : esp.n - 64u;

			build_payload(&b, n);
			memcpy(build_bytes(&b), whole + at, n);
			build_ip4_flags(&b, REMOTE4, LOCAL4, 17,
			                (uint16_t)(piece == 0 ? 0x2000u : 8u));
			sl_put16(build_bytes(&b) + 4, id);
			build_sum4(&b);
			build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
			threads_receive(piece == 0 ? &world.worker : &second, PORT_CORE, &b);
			threads_settle();
		}
		assert_int_equal(world_sent(PORT_CE, frame), 74);
		fragment_from(&second, &other, 32, 32, NULL);
		threads_settle();
		fragment_from(&world.worker, &other, 0, 32, NULL);
		threads_settle();
		expect_kernel(&other, 32, 32);
		expect_kernel(&other, 0, 32);
	}
	assert_true(second.block->interface[IF_CORE].reassembled > 0);
	assert_true(world.worker.block->interface[IF_CORE].reassembled > 0);
	nothing_waits();
	world.worker.threads = 1;
}

/* The thread ends: nobody would take it to the kernel. */
static void end(void **state)
{
	(void)state;
	fragment(&ike, 32, 32);
	sl_pipeline_end(&world.worker);
	assert_null(world_punted());
	scene_expect_drops(SL_DROP_reassembly_timeout, 1);
}

#define UDP_CASE(test) cmocka_unit_test_setup(test, in_udp)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UDP_CASE(ike_in_order), UDP_CASE(ike_out_of_order), UDP_CASE(first_never_comes),
		UDP_CASE(no_such_sa),   UDP_CASE(no_sa_in_udp),     UDP_CASE(untold_is_not_judged),
		UDP_CASE(esp_overlap),  UDP_CASE(wrong_length),     UDP_CASE(flood),
		UDP_CASE(kept_in_all),  UDP_CASE(two_threads),      UDP_CASE(interface_is_gone),
		UDP_CASE(end),
	};

	return cmocka_run_group_tests_name("eal_reassemble_udp", tests, NULL, NULL);
}
