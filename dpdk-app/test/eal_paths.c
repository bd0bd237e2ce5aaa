/* SPDX-License-Identifier: Apache-2.0 */
/* Where packets go: from CEs, from the kernel and to it, and the counters on the way. */
#include "support/scene.h"

static struct build b;
static uint8_t got[2048];

static int fresh(void **state)
{
	(void)state;
	scene_set();
	return 0;
}

/* What left is the IP packet in `b` (before sending) behind this Ethernet header, one hop older. */
static void expect_forwarded4(uint32_t port, const uint8_t *sent, size_t n, const uint8_t *to,
                              const uint8_t *from, uint16_t vlan)
{
	uint8_t want[2048];
	size_t front = world_ethernet(want, to, from, vlan, 0x0800);

	memcpy(want + front, sent, n);
	want[front + 8]--;
	sl_put16(want + front + 10, 0);
	sl_put16(want + front + 10, (uint16_t)~sl_sum_fold(sl_sum(want + front, 20, 0)));
	world_expect_bytes("forwarded", got, world_sent(port, got), want, front + n);
}

/* P2: CE to CE on this PE, also between VRFs, without any encapsulation. */
static void ce_to_ce(void **state)
{
	struct sl_vrf_counters *vrf;

	(void)state;
	build_from_ce4(&b, A4(10, 1, 1, 7), 30, 64);
	build_receive(&b, PORT_CE);
	expect_forwarded4(PORT_CE, build_bytes(&b) + 14, build_len(&b) - 14, CE_MAC, PE_CE_MAC, 0);
	build_from_ce4(&b, A4(10, 8, 0, 7), 30, 64);
	build_receive(&b, PORT_CE);
	expect_forwarded4(PORT_CE, build_bytes(&b) + 14, build_len(&b) - 14, CE_MAC, PE_CE_MAC,
	                  VLAN_B);
	vrf = &world.worker.block->vrf[VRF_A];
	assert_int_equal(vrf->from_ce_packets, 2);
	assert_int_equal(vrf->from_ce_bytes, 2 * 50);
	assert_int_equal(vrf->local_packets, 2);
	assert_int_equal(vrf->local_bytes, 2 * 50);
	assert_int_equal(vrf->from_core_packets, 0);
	assert_int_equal(world.worker.block->interface[IF_CE].rx_packets, 2);
	assert_int_equal(world.worker.block->interface[IF_CE].rx_bytes, 2 * 64);
	assert_int_equal(world.worker.block->interface[IF_CE].tx_packets, 1);
	assert_int_equal(world.worker.block->interface[IF_CE].tx_bytes, 64);
	assert_int_equal(world.worker.block->interface[IF_CE_B].tx_bytes, 68);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

/* One VLAN per VRF on one port; the tag may also have been taken off by the driver. */
static void vlans(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	for (int stripped = 0; stripped < 2; stripped++) {
		build_payload(&b, 30);
		build_ip4(&b, HERE4, A4(10, 1, 1, 7), 17, 64);
		build_eth(&b, PE_CE_MAC, CE_MAC, stripped ? 0 : VLAN_A, 0x0800);
		m = world_frame(build_bytes(&b), build_len(&b));
		if (stripped) {
			m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
			m->vlan_tci = 0x6000 | VLAN_A;
		}
		sl_pipeline_receive(&world.worker, PORT_CE, &m, 1);
		sl_pipeline_flush(&world.worker);
		b.at += stripped ? 14 : 18;
		expect_forwarded4(PORT_CE, build_bytes(&b), build_len(&b), CE_MAC, PE_CE_MAC, 0);
		assert_int_equal(world.worker.block->interface[IF_CE_VLAN].rx_packets,
		                 stripped + 1);
	}
	/* a priority tag is no VLAN */
	build_payload(&b, 30);
	build_ip4(&b, HERE4, A4(10, 1, 1, 7), 17, 64);
	build_eth(&b, PE_CE_MAC, CE_MAC, 1, 0x0800);
	sl_put16(build_bytes(&b) + 14, 0xe000);
	build_receive(&b, PORT_CE);
	b.at += 18;
	expect_forwarded4(PORT_CE, build_bytes(&b), build_len(&b), CE_MAC, PE_CE_MAC, 0);
	assert_int_equal(world_all_drops(), 0);
}

/* Ethernet pads short frames; the padding must not end up in the tunnel. */
static void link_padding_is_trimmed(void **state)
{
	(void)state;
	build_payload(&b, 5);
	build_ip4(&b, HERE4, A4(10, 1, 1, 7), 17, 64);
	b.end += 21; /* up to 60 bytes */
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	build_receive(&b, PORT_CE);
	b.end -= 21;
	expect_forwarded4(PORT_CE, build_bytes(&b) + 14, build_len(&b) - 14, CE_MAC, PE_CE_MAC, 0);
	build_secured4(&b, 1, 1, LABEL_ALL, HERE4);
	b.end += 7;
	build_receive(&b, PORT_CORE);
	assert_int_equal(world_sent(PORT_CE, got), 14 + 60);
	assert_int_equal(world_all_drops(), 0);
}

/* Policy-model 19: on a CE interface these are ordinary packets, whatever they carry. */
static void tunnel_protocols_of_customers(void **state)
{
	static const uint8_t protocols[] = {47, 50, 137};

	(void)state;
	world.tables->interface[IF_CE].flags = SL_IF_ACCEPT_GRE | SL_IF_ACCEPT_IP;
	for (size_t i = 0; i < sizeof(protocols); i++) {
		struct rte_mbuf *m;

		/* a perfect copy of what the core would bring, for the PE's loopback address */
		build_labelled4(&b, LABEL_ALL, HERE4);
		if (protocols[i] != 137)
			build_gre(&b, 0, 0x8847);
		if (protocols[i] == 50)
			build_esp(&b, 1, 1, 47);
		build_ip4(&b, REMOTE4, LOCAL4, protocols[i], 64);
		build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
		memset(world.tables->vrf[VRF_A].icmp_source4, 0, 4);
		build_receive(&b, PORT_CE);
		assert_int_equal(world_drops(SL_DROP_no_route),
		                 i + 1); /* VRF A has no such route */
		assert_int_equal(world.state->sa_in[1].packets + world.state->sa_in[1].replayed, 0);
		/* for the VRF's own address: the kernel's */
		b.at += 14 + 20;
		build_ip4(&b, HERE4, PE_CE4, protocols[i], 64);
		build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
		build_receive(&b, PORT_CE);
		m = world_punted();
		assert_non_null(m);
		assert_int_equal(sl_packet(m)->punt, SL_PUNT_FRAME);
		rte_pktmbuf_free(m);
	}
	assert_int_equal(world.worker.block->vrf[VRF_A].from_core_packets, 0);
	world_expect_quiet();
}

/* ---- what is for the kernel ---- */

/* The frame in `b` must come out on the TAP of `interface`, untagged. */
static void expect_punt_frame(uint32_t port, uint32_t interface, size_t tag)
{
	struct rte_mbuf *m;
	uint8_t want[2048];

	build_receive(&b, port);
	memcpy(want, build_bytes(&b), 12);
	memcpy(want + 12, build_bytes(&b) + 12 + tag, build_len(&b) - 12 - tag);
	m = world_punted();
	assert_non_null(m);
	assert_int_equal(sl_packet(m)->punt, SL_PUNT_FRAME);
	assert_int_equal(sl_packet(m)->interface, interface);
	world_expect_bytes("punted", rte_pktmbuf_mtod(m, uint8_t *), m->data_len, want,
	                   build_len(&b) - tag);
	rte_pktmbuf_free(m);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

static void arp_to_the_kernel(void **state)
{
	static const uint8_t broadcast[6] = {255, 255, 255, 255, 255, 255};

	(void)state;
	build_payload(&b, 28);
	build_eth(&b, broadcast, CE_MAC, 0, 0x0806);
	expect_punt_frame(PORT_CE, IF_CE, 0);
	build_payload(&b, 46); /* padded; the kernel may see the padding */
	build_eth(&b, PE_CE_MAC, CE_MAC, VLAN_B, 0x0806);
	expect_punt_frame(PORT_CE, IF_CE_B, 4);
	build_payload(&b, 28);
	build_eth(&b, broadcast, P_MAC, 0, 0x0806);
	expect_punt_frame(PORT_CORE, IF_CORE, 0);
	assert_int_equal(world.worker.block->interface[IF_CORE].punted, 1);
}

/* Link-local addresses, groups and broadcast stay on the link: the kernel's, on CE and core alike. */
static void link_traffic_to_the_kernel(void **state)
{
	static const uint8_t link4[][4] = {{224, 0, 0, 5}, {224, 0, 0, 22}, {255, 255, 255, 255}};
	static const uint8_t link6[][16] = {
		{0xff, 2, [15] = 1}, {0xff, 1, [15] = 1}, {0xfe, 0x80, [15] = 9}};
	static const uint8_t none[16];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (uint32_t port = PORT_CE; port <= PORT_CORE; port++) {
			const uint8_t *mac = port == PORT_CE ? PE_CE_MAC : PE_CORE_MAC;

			build_payload(&b, 20);
			build_ip4(&b, HERE4, link4[i], 89, 1);
			build_eth(&b, mac, CE_MAC, 0, 0x0800);
			expect_punt_frame(port, port, 0);
			build_payload(&b, 20);
			/* duplicate address detection has no source yet */
			build_ip6(&b, i == 0 ? none : HERE6, link6[i], 58, 255);
			build_eth(&b, mac, CE_MAC, 0, 0x86dd);
			expect_punt_frame(port, port, 0);
		}
	build_payload(&b, 20); /* DHCP */
	build_ip4(&b, none, link4[2], 17, 64);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	expect_punt_frame(PORT_CE, IF_CE, 0);
}

/* Our own address: with the frame, TTL as it came, whatever the TTL. */
static void own_address_from_a_ce(void **state)
{
	(void)state;
	for (uint8_t ttl = 1; ttl < 3; ttl++) {
		build_from_ce4(&b, PE_CE4, 20, ttl);
		expect_punt_frame(PORT_CE, IF_CE, 0);
		build_from_ce6(&b, PE_CE6, 20, ttl);
		expect_punt_frame(PORT_CE, IF_CE, 0);
	}
	build_payload(&b, 20);
	build_ip4(&b, HERE4, PE_CE4, 1, 64);
	build_eth(&b, PE_CE_MAC, CE_MAC, VLAN_A, 0x0800);
	expect_punt_frame(PORT_CE, IF_CE_VLAN, 4);
}

static void expect_punt_packet(uint32_t interface, const uint8_t *packet, size_t n)
{
	struct rte_mbuf *m = world_punted();

	assert_non_null(m);
	assert_int_equal(sl_packet(m)->punt, SL_PUNT_PACKET);
	assert_int_equal(sl_packet(m)->interface, interface);
	world_expect_bytes("punted", rte_pktmbuf_mtod(m, uint8_t *), m->data_len, packet, n);
	rte_pktmbuf_free(m);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

/* Out of a tunnel, or for another VRF's address: by that VRF's host TAP. */
static void own_address_from_elsewhere(void **state)
{
	uint8_t packet[60];

	(void)state;
	build_labelled4(&b, LABEL_ALL, PE_CE4);
	memcpy(packet, build_bytes(&b) + 4, 60);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, 1, 47);
	build_core4(&b, 50);
	build_receive(&b, PORT_CORE);
	expect_punt_packet(IF_HOST, packet, 60);
	assert_int_equal(world.worker.block->interface[IF_HOST].punted, 1);

	world_interface(IF_HOST_CORE, SL_ROLE_HOST, VRF_B, 0, 0, NULL);
	world.tables->vrf[VRF_B].host_interface = IF_HOST_CORE;
	build_from_ce4(&b, A4(10, 10, 0, 9), 40, 64);
	build_receive(&b, PORT_CE);
	expect_punt_packet(IF_HOST_CORE, build_bytes(&b) + 14, 60);
}

/* IKE, BGP, ping: what is for us on the core and no tunnel, also with headers that are not walked. */
static void core_packets_for_the_kernel(void **state)
{
	static const uint8_t protocols[] = {1, 6, 17, 51, 89};

	(void)state;
	for (size_t i = 0; i < sizeof(protocols); i++) {
		build_payload(&b, 40);
		build_ip4(&b, REMOTE4, LOCAL4, protocols[i], 64);
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
		expect_punt_frame(PORT_CORE, IF_CORE, 0);
		build_payload(&b, 40);
		build_ip6(&b, REMOTE6, LOCAL6, protocols[i], 64);
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x86dd);
		expect_punt_frame(PORT_CORE, IF_CORE, 0);
	}
	build_payload(&b, 40); /* a fragment of IKE */
	build_ip4_flags(&b, REMOTE4, LOCAL4, 17, 0x2000);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	expect_punt_frame(PORT_CORE, IF_CORE, 0);
	build_payload(&b, 40); /* ESP behind an option that asks for an answer */
	memcpy(build_front(&b, 8), "\x32\x00\xc5\x04\x00\x00\x00\x00", 8);
	build_ip6(&b, REMOTE6, LOCAL6, 60, 64);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x86dd);
	expect_punt_frame(PORT_CORE, IF_CORE, 0);
}

/* A gateway that is not known yet is asked for by its own address. */
static void neighbour_of_a_gateway(void **state)
{
	struct sl_version_row row = {
		.kind = SL_NH_GLEAN, .vrf = VRF_A, .interface = IF_CE, .family = 6};
	struct rte_mbuf *m;

	(void)state;
	memcpy(row.neighbour, PE_CE6, 16);
	world_route(VRF_A, 4, A4(10, 20, 0, 0), 16, world_nexthop(&row), 0, 0);
	world_commit();
	build_from_ce4(&b, A4(10, 20, 1, 1), 20, 64);
	build_receive(&b, PORT_CE);
	m = world_punted();
	assert_non_null(m);
	assert_int_equal(sl_packet(m)->punt, SL_PUNT_RESOLVE);
	assert_int_equal(sl_packet(m)->family, 6);
	assert_memory_equal(sl_packet(m)->address, PE_CE6, 16);
	rte_pktmbuf_free(m);
	scene_expect_drops(SL_DROP_neighbour_pending, 1);
}

/* ---- from the kernel ---- */

static void frames_from_the_kernel(void **state)
{
	uint8_t want[64];

	(void)state;
	build_payload(&b, 28);
	build_eth(&b, CE_MAC, PE_CE_MAC, 0, 0x0806);
	world_inject(IF_CE, build_bytes(&b), build_len(&b));
	world_expect_bytes("untagged", got, world_sent(PORT_CE, got), build_bytes(&b),
	                   build_len(&b));
	world_inject(IF_CE_B, build_bytes(&b), build_len(&b));
	memcpy(want, build_bytes(&b), 12);
	sl_put16(want + 12, 0x8100);
	sl_put16(want + 14, VLAN_B);
	memcpy(want + 16, build_bytes(&b) + 12, build_len(&b) - 12);
	world_expect_bytes("tagged", got, world_sent(PORT_CE, got), want, build_len(&b) + 4);
	world_inject(IF_CORE, build_bytes(&b), build_len(&b));
	world_expect_bytes("core", got, world_sent(PORT_CORE, got), build_bytes(&b), build_len(&b));
	assert_int_equal(world.worker.block->interface[IF_CE].injected, 1);
	assert_int_equal(world.worker.block->interface[IF_CE_B].injected, 1);
	assert_int_equal(world.worker.block->interface[IF_CE_B].tx_bytes, build_len(&b) + 4);
	assert_int_equal(world.worker.block->interface[IF_CORE].injected, 1);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

/* Packets of the VRF's own addresses: looked up, sent on, TTL as the kernel chose it. */
static void packets_from_the_host(void **state)
{
	uint8_t want[128];

	(void)state;
	for (uint8_t ttl = 0; ttl < 3; ttl++) {
		build_payload(&b, 20);
		build_ip4(&b, PE_CE4, HERE4, 1, ttl == 2 ? 64 : ttl);
		memcpy(want + world_ethernet(want, CE_MAC, PE_CE_MAC, 0, 0x0800), build_bytes(&b),
		       40);
		world_inject(IF_HOST, build_bytes(&b), build_len(&b));
		world_expect_bytes("to a CE", got, world_sent(PORT_CE, got), want, 54);
	}
	build_payload(&b, 20);
	build_ip4(&b, PE_CE4, THERE4, 1, 64);
	world_inject(IF_HOST, build_bytes(&b), build_len(&b));
	assert_int_equal(world_sent(PORT_CORE, got), 14 + 20 + 16 + 4 + 4 + 40 + 2 + 2 + 16);
	assert_int_equal(world.worker.block->interface[IF_HOST].injected, 4);
	assert_int_equal(world.worker.block->vrf[VRF_A].local_packets, 0);
	assert_int_equal(world.worker.block->vrf[VRF_A].from_ce_packets, 0);
	assert_int_equal(world_all_drops(), 0);
	build_payload(&b, 20); /* the kernel's own solicitations find nobody here */
	build_ip6(&b, PE_CE6, (const uint8_t[16]){0xff, 2, [15] = 2}, 58, 255);
	world_inject(IF_HOST, build_bytes(&b), build_len(&b));
	scene_expect_drops(SL_DROP_ip_multicast, 1);
}

#define CASE(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ce_to_ce),
		CASE(vlans),
		CASE(link_padding_is_trimmed),
		CASE(tunnel_protocols_of_customers),
		CASE(arp_to_the_kernel),
		CASE(link_traffic_to_the_kernel),
		CASE(own_address_from_a_ce),
		CASE(own_address_from_elsewhere),
		CASE(core_packets_for_the_kernel),
		CASE(neighbour_of_a_gateway),
		CASE(frames_from_the_kernel),
		CASE(packets_from_the_host),
	};

	return cmocka_run_group_tests_name("eal_paths", tests, NULL, NULL);
}
