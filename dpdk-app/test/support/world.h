/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PE in a test process: the packet path on real mbufs and two ports of DPDK's ring driver (what is
 * sent on one is received from it again), over hand-filled segments of anonymous memory.
 *
 *      CE 02:..:0c:01 --- port 1 [interface 1, VRF 1, CE]   PE   [interface 2, VRF 0, core] port 2 --- P 02:..:0f:01
 *                                        [interface 3, VRF 1, host TAP]
 *      port 1 VLAN 7: [interface 4, VRF 1, CE]              port 1 VLAN 8: [interface 5, VRF 2, CE]
 *
 * Addresses, labels and SPIs are those of vectors/generate.py.
 */
#ifndef SEALANE_TEST_WORLD_H
#define SEALANE_TEST_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "esp/sa_key.h"
#include "net/bytes.h"
#include "net/checksum.h"
#include "stages/poison.h"
#include "stages/queue.h"
#include "support/hex.h"
#include "support/trie.h"
#include "tables/clock.h"
#include "tables/policer.h"
#include "tables/sa_index.h"
#include "variant.h"
#include "vectors/frames.h"
#include "worker.h"

enum { IF_CE = 1, IF_CORE = 2, IF_HOST = 3, IF_CE_VLAN = 4, IF_CE_B = 5, IF_HOST_CORE = 6 };
enum { VRF_A = 1, VRF_B = 2, WORLD_VRFS = 3 };
enum { PORT_CE = 1, PORT_CORE = 2 };
enum { VLAN_A = 7, VLAN_B = 8 };
#define WORLD_MBUFS 2047
#define MTU_CE 1500
#define MTU_TUNNEL 1400

static const uint8_t CE_MAC[6] = {2, 0, 0, 0, 0x0c, 1}, PE_CE_MAC[6] = {2, 0, 0, 0, 1, 1};
static const uint8_t P_MAC[6] = {2, 0, 0, 0, 0x0f, 1}, PE_CORE_MAC[6] = {2, 0, 0, 0, 1, 2};
static const uint8_t LOCAL4[4] = {192, 0, 2, 1}, REMOTE4[4] = {192, 0, 2, 2};
static const uint8_t LOCAL6[16] = {0x20, 1, 0x0d, 0xb8, 0, 0x0f, [15] = 1};
static const uint8_t REMOTE6[16] = {0x20, 1, 0x0d, 0xb8, 0, 0x0f, [15] = 2};
static const uint8_t HERE4[4] = {10, 1, 1, 1}, THERE4[4] = {10, 2, 2, 2};
static const uint8_t HERE6[16] = {0x20, 1, 0x0d, 0xb8, 0, 0x0a, [15] = 1};
static const uint8_t THERE6[16] = {0x20, 1, 0x0d, 0xb8, 0, 0x0b, [15] = 2};
static const uint8_t PE_CE4[4] = {10, 1, 1, 254};
static const uint8_t PE_CE6[16] = {0x20, 1, 0x0d, 0xb8, 0, 0x0a, [15] = 0xfe};
static const uint8_t ICMP4[4] = {10, 255, 0, 1};
static const uint8_t ICMP6[16] = {0x20, 1, 0x0d, 0xb8, 0, 0xff, [15] = 1};

struct world {
	struct sl_worker worker;
	struct sl_tables *tables;
	struct sl_state *state;
	struct sl_sa_key **keys_out, **keys_in;
	struct sl_sa_index sa_index;
	struct trie_builder trie;
	uint32_t nexthops, versions, accepts;
	bool takes_udp;
};

static struct world world;

static inline void world_check(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "world: %s: %s\n", what, rte_strerror(rte_errno));
	abort();
}

static inline void *world_map(size_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
	                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	world_check(at != MAP_FAILED, "mmap");
	return at;
}

static inline void world_start_port(uint16_t id)
{
	static const struct rte_eth_conf conf;

	world_check(rte_eth_dev_configure(id, 1, 1, &conf) == 0, "configure");
	world_check(rte_eth_rx_queue_setup(id, 0, 512, SOCKET_ID_ANY, NULL, world.worker.pool) == 0,
	            "rx queue");
	world_check(rte_eth_tx_queue_setup(id, 0, 512, SOCKET_ID_ANY, NULL) == 0, "tx queue");
	world_check(rte_eth_dev_start(id) == 0, "start");
}

/* The variant of the packet path that the test is run for (CMakeLists.txt); a skip where it cannot run. */
static inline void world_variant(void)
{
	const char *wanted = getenv("SEALANE_TEST_VARIANT");

	for (unsigned int i = 0; wanted != NULL && i < sl_variant_count; i++)
		if (strcmp(sl_variants[i].name, wanted) == 0)
			sl_variant_use(&sl_variants[i]);
	if (wanted == NULL)
		return;
	world_check(strcmp(sl_variant_used()->name, wanted) == 0, "no such variant");
	if (!sl_variant_used()->runs_here()) {
		printf("skipped: this CPU lacks %s\n", sl_variant_used()->needs);
		exit(77);
	}
}

/* EAL, ports, pool, segments: once per process. */
static inline void world_start(void)
{
	/* EAL wants writable strings */
	static char text[][40] = {"world",
	                          "--no-huge",
	                          "-m",
	                          "192",
	                          "--no-pci",
	                          "-l",
	                          "0",
	                          "--no-shconf",
	                          "--no-telemetry",
	                          "--log-level=error",
	                          "--vdev=net_ring0",
	                          "--vdev=net_ring1",
	                          ""};
	enum { ARGS = sizeof(text) / sizeof(text[0]) };
	char *args[ARGS];
	struct sl_worker *w = &world.worker;

	world_variant();
	snprintf(text[ARGS - 1], sizeof(text[0]), "--file-prefix=sealane-test-%d", (int)getpid());
	for (unsigned int i = 0; i < ARGS; i++)
		args[i] = text[i];
	world_check(rte_eal_init(ARGS, args) >= 0, "rte_eal_init");
	w->pool = rte_pktmbuf_pool_create("frames", WORLD_MBUFS, 0,
	                                  RTE_ALIGN(sizeof(struct sl_packet), 64),
	                                  SL_HEADROOM + 2048, SOCKET_ID_ANY);
	world_check(w->pool != NULL, "pool");
	w->punt = rte_ring_create("punt", 256, SOCKET_ID_ANY, 0);
	w->acquire = rte_ring_create("acquire", 256, SOCKET_ID_ANY, 0);
	w->too_big = rte_ring_create("too_big", 256, SOCKET_ID_ANY, 0);
	world_check(w->punt != NULL && w->acquire != NULL && w->too_big != NULL, "rings");
	w->sa_index = &world.sa_index;
	w->crypto = alloc_mb_mgr(0);
	world_check(w->crypto != NULL, "alloc_mb_mgr");
	init_mb_mgr_auto(w->crypto, NULL);
	w->ports = calloc(SL_MAX_PORTS, sizeof(*w->ports));
	w->tx = calloc(SL_MAX_PORTS, sizeof(*w->tx));
	w->buckets = calloc(SL_MAX_INTERFACES * SL_INTERFACE_POLICERS, sizeof(*w->buckets));
	w->threads = 1;
	w->waiting = sl_waiting_most;
	w->takes_udp = &world.takes_udp;
	w->egress = calloc(SL_MAX_INTERFACES, sizeof(*w->egress));
	w->clock_scale = sl_clock_scale(1000000000); /* a tick is a nanosecond */
	world.keys_out = world_map(SL_MAX_SAS * sizeof(void *));
	world.keys_in = world_map(SL_MAX_SAS * sizeof(void *));
	w->keys_out = world.keys_out;
	w->keys_in = world.keys_in;
	for (uint16_t i = 0; i < 2; i++)
		world_start_port(i);
}

static inline uint32_t world_version(const struct sl_version_row *row)
{
	world.tables->version[++world.versions] = *row;
	world.tables->version[world.versions].state = SL_ROW_LIVE;
	return world.versions;
}

/* New next hop with one active version. */
static inline uint32_t world_nexthop(const struct sl_version_row *row)
{
	uint32_t id = ++world.nexthops;

	world.tables->nexthop[id].state = SL_ROW_LIVE;
	world.tables->nexthop[id].active = world_version(row);
	return id;
}

static inline uint32_t world_accept(const struct sl_accept_row *row)
{
	world.tables->accept[++world.accepts] = *row;
	world.tables->accept[world.accepts].state = SL_ROW_LIVE;
	return world.accepts;
}

static inline void world_interface(uint32_t id, uint8_t role, uint32_t vrf, uint32_t port,
                                   uint16_t vlan, const uint8_t *mac)
{
	struct sl_interface_row *row = &world.tables->interface[id];

	*row = (struct sl_interface_row){.state = SL_ROW_LIVE,
	                                 .role = role,
	                                 .vrf = vrf,
	                                 .port = port,
	                                 .vlan = vlan,
	                                 .mtu = MTU_CE};
	if (mac != NULL)
		memcpy(row->mac, mac, 6);
	if (port != 0)
		world.worker.ports[port].interface_by_vlan[vlan] = id;
}

/* Ethernet header, tagged when `vlan` is not 0; returns its length. */
static inline uint8_t world_ethernet(uint8_t *at, const uint8_t *to, const uint8_t *from,
                                     uint16_t vlan, uint16_t type)
{
	memcpy(at, to, 6);
	memcpy(at + 6, from, 6);
	if (vlan != 0) {
		sl_put16(at + 12, 0x8100);
		sl_put16(at + 14, vlan);
		at += 4;
	}
	sl_put16(at + 12, type);
	return vlan != 0 ? 18 : 14;
}

static inline uint32_t world_adjacency(uint32_t interface, uint8_t family)
{
	const struct sl_interface_row *i = &world.tables->interface[interface];
	struct sl_version_row row = {.kind = SL_NH_ADJACENCY,
	                             .interface = interface,
	                             .vrf = i->vrf,
	                             .mtu = i->mtu,
	                             .family = family};

	row.template_len = world_ethernet(row.template_bytes, CE_MAC, i->mac, i->vlan,
	                                  family == 4 ? 0x0800 : 0x86dd);
	return world_nexthop(&row);
}

static inline uint32_t world_simple(enum sl_nexthop_kind kind, uint32_t vrf, uint32_t interface)
{
	struct sl_version_row row = {.kind = (uint8_t)kind, .vrf = vrf, .interface = interface};

	return world_nexthop(&row);
}

static inline void world_route(uint32_t vrf, uint8_t family, const uint8_t *address, uint8_t length,
                               uint32_t nexthop, uint32_t label, uint32_t accept)
{
	trie_add(&world.trie, vrf, family, address, length, sl_leaf(nexthop, label, accept));
}
static inline void world_commit(void) { trie_commit(&world.trie, WORLD_VRFS); }

/* Everything accepted: a route or label whose set does not matter to the test. */
static inline struct sl_accept_row world_accept_all(void)
{
	return (struct sl_accept_row){.secured = {{~1ull, ~1ull}, {~1ull, ~1ull}},
	                              .clear = SL_CLEAR_GRE | SL_CLEAR_IP | SL_CLEAR_MPLS};
}

/* mbuf holding `n` bytes, as a driver would leave it. */
static inline struct rte_mbuf *world_frame(const uint8_t *bytes, size_t n)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(world.worker.pool);

	world_check(m != NULL, "no mbuf left: a test loses them");
	m->data_off = SL_HEADROOM;
	memset(sl_packet(m), 0xa5,
	       sizeof(struct sl_packet)); /* notes are not initialised by drivers */
	world_check(rte_pktmbuf_append(m, (uint16_t)n) != NULL, "frame too long");
	memcpy(rte_pktmbuf_mtod(m, void *), bytes, n);
	return m;
}

/* The same in several buffers, cut after each `cut` bytes, as a driver that chains leaves it. */
static inline struct rte_mbuf *world_chain(const uint8_t *bytes, size_t n, size_t cut)
{
	struct rte_mbuf *m = world_frame(bytes, RTE_MIN(cut, n));

	for (size_t at = cut; at < n; at += cut)
		world_check(rte_pktmbuf_chain(m, world_frame(bytes + at, RTE_MIN(cut, n - at))) ==
		                    0,
		            "chain too long");
	return m;
}

static inline uint64_t world_drops(enum sl_drop_reason reason)
{
	return world.worker.block->drops[reason];
}

/* All drops together. */
static inline uint64_t world_all_drops(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < SL_DROP_COUNT; i++)
		sum += world.worker.block->drops[i];
	return sum;
}

/* Run one frame through the packet path and hand what was queued to the ports. */
static inline void world_receive(uint32_t port, const uint8_t *bytes, size_t n)
{
	struct rte_mbuf *m = world_frame(bytes, n);

	sl_pipeline_receive(&world.worker, port, &m, 1);
	sl_pipeline_flush(&world.worker);
}

static inline void world_inject(uint32_t interface, const uint8_t *bytes, size_t n)
{
	struct rte_mbuf *m = world_frame(bytes, n);

	sl_packet(m)->interface = interface;
	sl_pipeline_inject(&world.worker, &m, 1);
	sl_pipeline_flush(&world.worker);
}

/* Next frame sent on a port, copied to `out` (2048 bytes); 0 = none. */
static inline size_t world_sent(uint32_t port, uint8_t *out)
{
	struct rte_mbuf *m;
	size_t n;

	if (rte_eth_rx_burst(world.worker.ports[port].dpdk_port, 0, &m, 1) == 0)
		return 0;
	n = m->data_len;
	assert_int_equal(m->pkt_len, n);
	assert_true(n <= 2048);
	memcpy(out, rte_pktmbuf_mtod(m, void *), n);
	rte_pktmbuf_free(m);
	return n;
}

/* The next mbuf sent on a port, for frames too large for world_sent(); NULL = none; the caller frees it. */
static inline struct rte_mbuf *world_sent_mbuf(uint32_t port)
{
	struct rte_mbuf *m;

	if (rte_eth_rx_burst(world.worker.ports[port].dpdk_port, 0, &m, 1) == 0)
		return NULL;
	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->pkt_len, m->data_len);
	return m;
}

/* Next mbuf given to the kernel, NULL = none; the caller frees it. */
static inline struct rte_mbuf *world_punted(void)
{
	void *m;

	return rte_ring_dequeue(world.worker.punt, &m) == 0 ? m : NULL;
}

/* Next hop of the next request for an SA, 0 = none. */
static inline uint32_t world_acquired(void)
{
	void *nexthop;

	return rte_ring_dequeue(world.worker.acquire, &nexthop) == 0 ? (uint32_t)(uintptr_t)nexthop
	                                                             : 0;
}

/* Next path MTU that is believed, sl_too_big_word(); 0 = none. */
static inline uintptr_t world_too_big(void)
{
	void *word;

	return rte_ring_dequeue(world.worker.too_big, &word) == 0 ? (uintptr_t)word : 0;
}

static inline void world_expect_bytes(const char *what, const uint8_t *got, size_t n,
                                      const uint8_t *want, size_t m)
{
	if (n == m && memcmp(got, want, n) == 0)
		return;
	hex_print("got", got, n);
	hex_print("expected", want, m);
	fail_msg("%s: frames differ", what);
}

/* Nothing is on its way any more, and every mbuf is back in the pool. */
static inline void world_expect_quiet(void)
{
	uint8_t frame[2048];

	assert_int_equal(world_sent(PORT_CE, frame), 0);
	assert_int_equal(world_sent(PORT_CORE, frame), 0);
	assert_null(world_punted());
	assert_int_equal(rte_mempool_avail_count(world.worker.pool), WORLD_MBUFS);
	if (world.worker.jumbo != NULL)
		assert_true(rte_mempool_full(world.worker.jumbo));
}

/* Empty segments, zero counters, interfaces; the tests add next hops, routes, labels, SAs. */
static inline void world_reset(void)
{
	struct sl_worker *w = &world.worker;
	struct rte_mbuf *m;
	uint8_t frame[2048];

	if (world.tables == NULL)
		world_start();
	else
		sl_pipeline_end(w);
	while (world_sent(PORT_CE, frame) != 0 || world_sent(PORT_CORE, frame) != 0)
		;
	while ((m = world_punted()) != NULL)
		rte_pktmbuf_free(m);
	while (world_acquired() != 0 || world_too_big() != 0)
		;
	sl_sa_index_free(&world.sa_index);
	world_check(sl_sa_index_init(&world.sa_index, 0x5ea1a5e) == 0, "index");
	if (world.tables != NULL) {
		munmap(w->hold.asked_tsc, SL_MAX_NEXTHOPS * sizeof(*w->hold.asked_tsc));
		munmap(world.tables, sizeof(*world.tables));
		munmap(world.state, sizeof(*world.state));
	}
	w->hold = (struct sl_hold){.asked_tsc =
	                                   world_map(SL_MAX_NEXTHOPS * sizeof(*w->hold.asked_tsc))};
	world.tables = world_map(sizeof(*world.tables));
	world.state = world_map(sizeof(*world.state));
	sl_class_selectors(&world.tables->header.traffic_class);
	world.tables->header.path_mtu_floor = 1280;
	w->tables = world.tables;
	w->state = world.state;
	w->block = &world.state->lcore[0].block;
	w->labels_backed = 1u << 17;
	w->now_tsc = 1;
	w->reassembly.next_look_tsc = 0;
	world.takes_udp = false;
	memset(w->buckets, 0, SL_MAX_INTERFACES * SL_INTERFACE_POLICERS * sizeof(*w->buckets));
	memset(w->egress, 0, SL_MAX_INTERFACES * sizeof(*w->egress));
	w->icmp_tokens = 0;
	w->icmp_refill_tsc = 0;
	world.nexthops = world.versions = world.accepts = 0;
	world.trie = (struct trie_builder){.tables = world.tables};
	for (uint32_t i = 0; i < SL_MAX_PORTS; i++) {
		memset(w->ports[i].interface_by_vlan, 0, sizeof(w->ports[i].interface_by_vlan));
		w->ports[i].dpdk_port = RTE_MAX_ETHPORTS;
	}
	w->ports[PORT_CE].dpdk_port = 0;
	w->ports[PORT_CORE].dpdk_port = 1;
	world_interface(IF_CE, SL_ROLE_CE, VRF_A, PORT_CE, 0, PE_CE_MAC);
	world_interface(IF_CORE, SL_ROLE_CORE, SL_VRF_CORE, PORT_CORE, 0, PE_CORE_MAC);
	world_interface(IF_HOST, SL_ROLE_HOST, VRF_A, 0, 0, NULL);
	world_interface(IF_CE_VLAN, SL_ROLE_CE, VRF_A, PORT_CE, VLAN_A, PE_CE_MAC);
	world_interface(IF_CE_B, SL_ROLE_CE, VRF_B, PORT_CE, VLAN_B, PE_CE_MAC);
	for (uint32_t vrf = 0; vrf < WORLD_VRFS; vrf++)
		world.tables->vrf[vrf].state = SL_ROW_LIVE;
	world.tables->vrf[VRF_A].host_interface = IF_HOST;
	world_commit();
}

#endif
