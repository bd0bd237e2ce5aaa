/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a NIC does beforehand changes nothing: the same frames, good and damaged, once as they are on the wire and once as
 * drivers hand them over (stages/offload.h), yield the same frames, the same punts and the same counters.
 */
#include "stages/offload.h"
#include "support/scene.h"

enum { IF_STACKED = 7, SVLAN = 100, FRAMES = 400, ROUNDS = 20, LOG = 4 << 20 };

struct input {
	size_t length;
	uint32_t port;
	uint8_t bytes[1700];
};

/* All that may be seen of a run. */
struct outcome {
	size_t logged;
	uint8_t log
		[LOG]; /* frames sent and punted, in order, each behind where it went and its length */
	uint64_t drops[SL_DROP_COUNT];
	struct sl_interface_counters interface[IF_STACKED + 1];
	struct sl_vrf_counters vrf[WORLD_VRFS];
};

static struct build b;
static struct input input[FRAMES];
static struct outcome software, offloaded;
static uint32_t in_svlan[4096];
static bool strips_only; /* ports are asked to take tags off, and not to sum headers */

static uint64_t random_state = 0x0ff10adull;
static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 32) * limit >> 32);
}

static void set_help(bool sums)
{
	for (uint32_t port = PORT_CE; port <= PORT_CORE; port++) {
		world.worker.ports[port].sums = sums;
		world.worker.ports[port].strips = sums || strips_only;
	}
}

static void open_scene(bool sums)
{
	struct sl_interface_row *row;

	scene_set();
	row = &world.tables->interface[IF_STACKED];
	world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE | SL_IF_MPLS_OWN_SP;
	world_interface(IF_STACKED, SL_ROLE_CE, VRF_A, 0, VLAN_A, PE_CE_MAC);
	row->port = PORT_CE;
	row->svlan = SVLAN;
	row->stag_type = 0x88a8;
	in_svlan[VLAN_A] = IF_STACKED;
	world.worker.ports[PORT_CE].by_svlan[SVLAN] = in_svlan;
	set_help(sums);
}

static int close_scene(void **state)
{
	(void)state;
	world.worker.ports[PORT_CE].by_svlan[SVLAN] = NULL;
	set_help(false);
	return 0;
}

/* A tag in front of what is behind the addresses. */
static void push_tag(uint16_t type, uint16_t tci)
{
	b.at -= SL_VLAN_LEN;
	memmove(build_bytes(&b), build_bytes(&b) + SL_VLAN_LEN, 2 * SL_MAC_LEN);
	sl_put16(build_bytes(&b) + 12, type);
	sl_put16(build_bytes(&b) + 14, tci);
}

/* None, one, two or three tags, of either type and of VLANs that exist, do not, or are none. */
static void push_tags(void)
{
	static const uint16_t vlans[] = {VLAN_A, VLAN_A, VLAN_B, SVLAN, 0, 99};
	uint32_t tags = random_below(4);

	if (tags == 2 && random_below(2)) { /* the interface of two */
		push_tag(0x8100, VLAN_A);
		push_tag(random_below(2) ? 0x8100 : 0x88a8, (uint16_t)(0xb000 | SVLAN));
		return;
	}
	for (; tags > 0; tags--)
		push_tag(random_below(3) ? 0x8100 : 0x88a8,
		         (uint16_t)(random_below(16) << 12 | vlans[random_below(6)]));
}

static uint32_t make_ce(void)
{
	static const uint8_t to[][4] = {{10, 1, 1, 7}, {10, 2, 2, 2},   {10, 5, 0, 1},
	                                {10, 8, 0, 1}, {10, 1, 1, 254}, {224, 0, 0, 5}};

	if (random_below(6) == 0) {
		build_from_ce6(&b, random_below(2) ? THERE6 : HERE6, random_below(100), 3);
	} else if (random_below(12) == 0) {
		build_payload(&b, 28);
		build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0806);
	} else {
		build_payload(&b, random_below(1450));
		if (random_below(6) == 0) { /* options: no operation */
			memset(build_front(&b, 4), 1, 4);
			build_ip4(&b, HERE4, to[random_below(6)], 17, 64);
			build_bytes(&b)[0] = 0x46;
			build_sum4(&b);
		} else {
			build_ip4(&b, HERE4, to[random_below(6)], 17, (uint8_t)random_below(4));
		}
		build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	}
	push_tags();
	return PORT_CE;
}

/* Under labels and in tunnels are IPv4 headers that no NIC sums. */
static uint32_t make_core(uint32_t sequence)
{
	build_payload(&b, random_below(200));
	build_ip4(&b, THERE4, HERE4, 17, 64);
	if (random_below(4) == 0)
		build_bytes(&b)[10] ^= 0x20;
	build_label(&b, LABEL_ALL, true, 64);
	if (random_below(3) == 0) {
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x8847);
		return PORT_CORE;
	}
	build_gre(&b, 0, 0x8847);
	if (random_below(2)) {
		build_core4(&b, 47);
		return PORT_CORE;
	}
	build_esp(&b, 1, sequence, 47);
	build_core4(&b, 50);
	return PORT_CORE;
}

/* A bit of some header changed, often that of the sum or what it covers; or cut. */
static void damage(void)
{
	size_t n = build_len(&b), at = 14 + 4 * random_below(4);

	if (random_below(3) != 0)
		return;
	at = random_below(2) ? at + random_below(20) : random_below(60);
	if (at < n)
		build_bytes(&b)[at] ^= (uint8_t)(1u << random_below(8));
	if (random_below(4) == 0)
		b.end = b.at + random_below((uint32_t)n + 1);
}

static void make_frames(void)
{
	for (uint32_t i = 0; i < FRAMES; i++) {
		input[i].port = random_below(3) ? make_ce() : make_core(i + 1);
		damage();
		input[i].length = build_len(&b);
		assert_true(input[i].length <= sizeof(input[i].bytes));
		memcpy(input[i].bytes, build_bytes(&b), input[i].length);
	}
}

/*
 * A driver's word on an IPv4 header: bad where its NIC summed it and found it so. Of everything else it says "good", as
 * several do, and of some frames nothing.
 */
static uint64_t checksum_flag(const uint8_t *frame, size_t n)
{
	const uint8_t *ip = frame + SL_ETH_LEN;
	size_t header;

	if (n >= SL_ETH_LEN + SL_IP4_LEN && sl_get16(frame + 12) == SL_ETHERTYPE_IP4 &&
	    ip[0] >> 4 == 4) {
		header = sl_ip4_header_len(ip);
		if (header >= SL_IP4_LEN && SL_ETH_LEN + header <= n &&
		    sl_sum_fold(sl_sum(ip, header, 0)) != 0xffff)
			return RTE_MBUF_F_RX_IP_CKSUM_BAD;
	}
	return random_below(8) == 0 ? RTE_MBUF_F_RX_IP_CKSUM_NONE : RTE_MBUF_F_RX_IP_CKSUM_GOOD;
}

/* As a driver hands it over that has been asked for all there is. */
static struct rte_mbuf *receive_offloaded(const struct input *in)
{
	struct rte_mbuf *m = world_frame(in->bytes, in->length);
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	if (in->length >= SL_ETH_LEN + SL_VLAN_LEN && sl_get16(frame + 12) == SL_ETHERTYPE_VLAN) {
		m->vlan_tci = sl_get16(frame + 14);
		m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
		memmove(frame + SL_VLAN_LEN, frame, 2 * SL_MAC_LEN);
		frame = (uint8_t *)rte_pktmbuf_adj(m, SL_VLAN_LEN);
	}
	m->ol_flags |= checksum_flag(frame, m->data_len);
	return m;
}

static struct rte_mbuf *receive_plain(const struct input *in)
{
	return world_frame(in->bytes, in->length);
}

/* Nothing was asked for, and yet the driver says that all is good. */
static struct rte_mbuf *receive_unasked(const struct input *in)
{
	struct rte_mbuf *m = world_frame(in->bytes, in->length);

	m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
	return m;
}

static void note(struct outcome *o, uint8_t where, const uint8_t *bytes, size_t n)
{
	assert_true(o->logged + 3 + n <= LOG);
	o->log[o->logged] = where;
	sl_put16(o->log + o->logged + 1, (uint16_t)n);
	memcpy(o->log + o->logged + 3, bytes, n);
	o->logged += 3 + n;
}

static void note_outputs(struct outcome *o)
{
	uint8_t frame[2048];
	struct rte_mbuf *m;
	size_t n;

	for (uint32_t port = PORT_CE; port <= PORT_CORE; port++)
		while ((n = world_sent(port, frame)) != 0)
			note(o, (uint8_t)port, frame, n);
	while ((m = world_punted()) != NULL) {
		note(o, (uint8_t)(0x10 + sl_packet(m)->punt), rte_pktmbuf_mtod(m, uint8_t *),
		     m->data_len);
		rte_pktmbuf_free(m);
	}
}

/* In bursts of frames of one port, as they come. */
static void run(struct outcome *o, struct rte_mbuf *(*receive)(const struct input *in))
{
	struct rte_mbuf *burst[SL_BURST];
	uint16_t n = 0;

	o->logged = 0;
	for (uint32_t i = 0; i < FRAMES; i++) {
		burst[n++] = receive(&input[i]);
		if (n < SL_BURST && i + 1 < FRAMES && input[i + 1].port == input[i].port)
			continue;
		sl_pipeline_receive(&world.worker, input[i].port, burst, n);
		sl_pipeline_flush(&world.worker);
		note_outputs(o);
		n = 0;
	}
	world_expect_quiet();
	memcpy(o->drops, world.worker.block->drops, sizeof(o->drops));
	memcpy(o->interface, world.worker.block->interface, sizeof(o->interface));
	memcpy(o->vrf, world.worker.block->vrf, sizeof(o->vrf));
}

static void expect_same(uint32_t round)
{
	for (unsigned int i = 0; i < SL_DROP_COUNT; i++)
		if (software.drops[i] != offloaded.drops[i])
			fail_msg("round %u: %lu of %s instead of %lu", round, offloaded.drops[i],
			         scene_reason_name(i), software.drops[i]);
	assert_int_equal(offloaded.logged, software.logged);
	assert_memory_equal(offloaded.log, software.log, software.logged);
	assert_memory_equal(offloaded.interface, software.interface, sizeof(software.interface));
	assert_memory_equal(offloaded.vrf, software.vrf, sizeof(software.vrf));
}

static void compare(bool sums, struct rte_mbuf *(*receive)(const struct input *in))
{
	uint64_t checksum = 0, stacked = 0;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		open_scene(false);
		make_frames();
		run(&software, receive_plain);
		open_scene(sums);
		run(&offloaded, receive);
		expect_same(round);
		checksum += software.drops[SL_DROP_ip4_checksum];
		stacked += software.interface[IF_STACKED].rx_packets;
		assert_true(software.logged > 10000);
	}
	assert_true(checksum > 100);
	assert_true(stacked > 100);
}

static void the_same_with_a_nics_help(void **state)
{
	(void)state;
	compare(true, receive_offloaded);
}

static void nothing_is_believed_unasked(void **state)
{
	(void)state;
	compare(false, receive_unasked);
	strips_only = true;
	compare(false, receive_unasked);
	strips_only = false;
}

/* A driver that takes tags off although nobody asked for it. */
static void tags_taken_off_unasked(void **state)
{
	(void)state;
	compare(false, receive_offloaded);
}

/* Else the comparison above would show nothing: a header that the NIC has summed is not summed again. */
static void a_good_header_is_not_summed_again(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	for (int tagged = 0; tagged < 2; tagged++) {
		open_scene(true);
		build_from_ce4(&b, THERE4, 30, 64);
		build_bytes(&b)[14 + 10] ^= 1;
		if (tagged)
			push_tag(0x8100, 0);
		m = world_frame(build_bytes(&b), build_len(&b));
		m->ol_flags |= RTE_MBUF_F_RX_IP_CKSUM_GOOD;
		sl_pipeline_receive(&world.worker, PORT_CE, &m, 1);
		sl_pipeline_flush(&world.worker);
		assert_int_equal(world_drops(SL_DROP_ip4_checksum), tagged);
	}
}

#define CASE(test) cmocka_unit_test_teardown(test, close_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_same_with_a_nics_help),
		CASE(nothing_is_believed_unasked),
		CASE(tags_taken_off_unasked),
		CASE(a_good_header_is_not_summed_again),
	};

	return cmocka_run_group_tests_name("eal_offload", tests, NULL, NULL);
}
