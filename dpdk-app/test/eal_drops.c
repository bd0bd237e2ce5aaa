/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every drop reason of the packet path is provoked by packets that differ from an accepted one in that
 * respect alone: the counter rises by exactly the packets sent, and nothing goes anywhere.
 */
#include "support/scene.h"

static struct build b;

static int fresh(void **state)
{
	(void)state;
	scene_set();
	return 0;
}

/* A variant of the same packet within one test: a fresh PE, one packet, one drop. */
#define EXPECT(reason)                                                                             \
	do {                                                                                       \
		scene_expect_drops(SL_DROP_##reason, 1);                                           \
		scene_set();                                                                       \
	} while (0)

static void from_ce(void) { build_receive(&b, PORT_CE); }
static void from_core(void) { build_receive(&b, PORT_CORE); }

/* ---- receive ---- */

static void rx_truncated(void **state)
{
	(void)state;
	for (size_t n = 0; n < 14; n++) {
		build_from_ce4(&b, THERE4, 10, 64);
		world_receive(PORT_CE, build_bytes(&b), n);
		EXPECT(rx_truncated);
	}
	build_payload(&b, 3);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x8100); /* a tag without its end */
	from_ce();
	EXPECT(rx_truncated);
}

static void rx_not_our_mac(void **state)
{
	static const uint8_t group[6] = {1, 0, 0x5e, 0, 0, 1};

	(void)state;
	build_payload(&b, 10);
	build_ip4(&b, HERE4, THERE4, 17, 64);
	build_eth(&b, P_MAC, CE_MAC, 0, 0x0800);
	from_ce();
	EXPECT(rx_not_our_mac);
	build_payload(&b, 10); /* a unicast address in a multicast frame */
	build_ip4(&b, HERE4, THERE4, 17, 64);
	build_eth(&b, group, CE_MAC, 0, 0x0800);
	from_ce();
	EXPECT(rx_not_our_mac);
	build_secured4(&b, 1, 1, LABEL_ALL, HERE4);
	memcpy(build_bytes(&b), group, 6);
	from_core();
	EXPECT(rx_not_our_mac);
	world.tables->interface[IF_CORE].flags = SL_IF_MPLS_OWN_SP;
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_eth(&b, group, P_MAC, 0, 0x8847);
	from_core();
	EXPECT(rx_not_our_mac);
}

static void rx_unknown_vlan(void **state)
{
	(void)state;
	build_payload(&b, 10);
	build_ip4(&b, HERE4, THERE4, 17, 64);
	build_eth(&b, PE_CE_MAC, CE_MAC, 99, 0x0800);
	from_ce();
	assert_int_equal(world.worker.block->interface[IF_CE].rx_packets, 0);
	EXPECT(rx_unknown_vlan);
	world.tables->interface[IF_CE].state = SL_ROW_RETIRED;
	build_from_ce4(&b, THERE4, 10, 64);
	from_ce();
	EXPECT(rx_unknown_vlan);
}

static void rx_ethertype(void **state)
{
	static const uint16_t types[] = {0x88cc, 0x8848, 0x88a8, 0x0600, 0x05dc, 0x8864};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		for (uint32_t port = PORT_CE; port <= PORT_CORE; port++) {
			build_payload(&b, 46);
			build_eth(&b, port == PORT_CE ? PE_CE_MAC : PE_CORE_MAC, CE_MAC, 0,
			          types[i]);
			build_receive(&b, port);
			EXPECT(rx_ethertype);
		}
}

/* Plain MPLS: on CE interfaces never, on core interfaces only where configured (policy-model 4). */
static void mpls_not_accepted(void **state)
{
	(void)state;
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x8847);
	from_core();
	EXPECT(mpls_not_accepted);
	world.tables->interface[IF_CE].flags = SL_IF_MPLS_OWN_SP;
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x8847);
	from_ce();
	EXPECT(mpls_not_accepted);
	world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE | SL_IF_ACCEPT_IP;
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x8847);
	from_core();
	EXPECT(mpls_not_accepted);
}

/* ---- IP headers ---- */

/* Send an inner IPv4 packet that a test has broken: from the CE, in clear on the core, under a label. */
static void send_everywhere(void (*make)(void), uint16_t type, enum sl_drop_reason reason)
{
	make();
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, type);
	from_ce();
	scene_expect_drops(reason, 1);
	scene_set();
	make();
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, type);
	from_core();
	scene_expect_drops(reason, 1);
	scene_set();
	make();
	build_label(&b, LABEL_ALL, true, 255);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, 1, 47);
	build_core4(&b, 50);
	from_core();
	scene_expect_drops(reason, 1);
	scene_set();
}

static void make_length_beyond_end(void)
{
	build_payload(&b, 20);
	build_ip4(&b, THERE4, HERE4, 17, 64);
	sl_put16(build_bytes(&b) + 2, 41);
	build_sum4(&b);
}
static void make_length_below_header(void)
{
	build_payload(&b, 20);
	build_ip4(&b, THERE4, HERE4, 17, 64);
	sl_put16(build_bytes(&b) + 2, 19);
	build_sum4(&b);
}
static void make_short_header_length(void)
{
	build_payload(&b, 20);
	build_ip4(&b, THERE4, HERE4, 17, 64);
	build_bytes(&b)[0] = 0x44;
	sl_put16(build_bytes(&b) + 10, 0);
	sl_put16(build_bytes(&b) + 10, (uint16_t)~sl_sum_fold(sl_sum(build_bytes(&b), 20, 0)));
}
static void make_only_nineteen_bytes(void)
{
	build_payload(&b, 0);
	build_ip4(&b, THERE4, HERE4, 17, 64);
	b.end--;
}

static void ip4_header(void **state)
{
	(void)state;
	send_everywhere(make_length_beyond_end, 0x0800, SL_DROP_ip4_header);
	send_everywhere(make_length_below_header, 0x0800, SL_DROP_ip4_header);
	send_everywhere(make_short_header_length, 0x0800, SL_DROP_ip4_header);
	send_everywhere(make_only_nineteen_bytes, 0x0800, SL_DROP_ip4_header);
	build_from_ce6(&b, THERE6, 30, 64); /* IPv6 under IPv4's EtherType */
	sl_put16(build_bytes(&b) + 12, 0x0800);
	from_ce();
	scene_expect_drops(SL_DROP_ip4_header, 1);
}

static void make_bad_checksum(void)
{
	build_payload(&b, 20);
	build_ip4(&b, THERE4, HERE4, 17, 64);
	build_bytes(&b)[11] ^= 1;
}

static void ip4_checksum(void **state)
{
	(void)state;
	send_everywhere(make_bad_checksum, 0x0800, SL_DROP_ip4_checksum);
	scene_provoked[SL_DROP_ip4_checksum] = true;
}

static void make_ip6_beyond_end(void)
{
	build_payload(&b, 20);
	build_ip6(&b, THERE6, HERE6, 17, 64);
	sl_put16(build_bytes(&b) + 4, 21);
}
static void make_ip6_cut(void)
{
	build_payload(&b, 0);
	build_ip6(&b, THERE6, HERE6, 17, 64);
	b.end--;
}

static void ip6_header(void **state)
{
	(void)state;
	send_everywhere(make_ip6_beyond_end, 0x86dd, SL_DROP_ip6_header);
	send_everywhere(make_ip6_cut, 0x86dd, SL_DROP_ip6_header);
	build_from_ce4(&b, THERE4, 30, 64);
	sl_put16(build_bytes(&b) + 12, 0x86dd);
	from_ce();
	scene_expect_drops(SL_DROP_ip6_header, 1);
}

static const uint8_t *source4, *destination4, *source6, *destination6;
static void make_addresses4(void)
{
	build_payload(&b, 20);
	build_ip4(&b, source4, destination4, 17, 64);
}
static void make_addresses6(void)
{
	build_payload(&b, 20);
	build_ip6(&b, source6, destination6, 17, 64);
}

static void ip_source(void **state)
{
	static const uint8_t bad4[][4] = {{0, 0, 0, 0},        {0, 1, 2, 3},     {127, 0, 0, 1},
	                                  {224, 0, 0, 5},      {239, 255, 0, 1}, {240, 0, 0, 1},
	                                  {255, 255, 255, 255}};
	static const uint8_t bad6[][16] = {
		{0}, {[15] = 1}, {0xff, 2, [15] = 1}, {0xff, 0x0e, [15] = 1}};

	(void)state;
	destination4 = HERE4;
	destination6 = HERE6;
	for (size_t i = 0; i < sizeof(bad4) / 4; i++) {
		source4 = bad4[i];
		send_everywhere(make_addresses4, 0x0800, SL_DROP_ip_source);
	}
	for (size_t i = 0; i < sizeof(bad6) / 16; i++) {
		source6 = bad6[i];
		send_everywhere(make_addresses6, 0x86dd, SL_DROP_ip_source);
	}
}

/* RFC 4291 2.5.6: a link-local source reaches our own addresses and nobody else's. */
static void ip_source_linklocal_is_not_forwarded(void **state)
{
	static const uint8_t linklocal[16] = {0xfe, 0x80, [15] = 1};

	(void)state;
	build_payload(&b, 20);
	build_ip6(&b, linklocal, THERE6, 17, 64);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x86dd);
	from_ce();
	EXPECT(ip_source);
}

static void ip_multicast(void **state)
{
	static const uint8_t groups4[][4] = {{224, 0, 1, 1}, {239, 1, 1, 1}};
	static const uint8_t groups6[][16] = {
		{0xff, 5, [15] = 1}, {0xff, 0x0e, [15] = 1}, {0xff, 0x18, [15] = 9}};

	(void)state;
	source4 = THERE4;
	source6 = THERE6;
	for (size_t i = 0; i < sizeof(groups4) / 4; i++) {
		destination4 = groups4[i];
		send_everywhere(make_addresses4, 0x0800, SL_DROP_ip_multicast);
	}
	for (size_t i = 0; i < sizeof(groups6) / 16; i++) {
		destination6 = groups6[i];
		send_everywhere(make_addresses6, 0x86dd, SL_DROP_ip_multicast);
	}
}

/* OSPF, ND and broadcast come to the link they are on, never out of a VPN SA (P8). */
static void link_traffic_out_of_a_tunnel(void **state)
{
	static const uint8_t link4[][4] = {{224, 0, 0, 5}, {224, 0, 0, 1}, {255, 255, 255, 255}};
	static const uint8_t link6[][16] = {
		{0xff, 2, [15] = 5}, {0xff, 2, [15] = 1}, {0xfe, 0x80, [15] = 9}};

	(void)state;
	for (size_t i = 0; i < 3; i++)
		for (int six = 0; six < 2; six++) {
			bool multicast = six ? link6[i][0] == 0xff : link4[i][0] == 224;

			build_payload(&b, 20);
			if (six)
				build_ip6(&b, THERE6, link6[i], 89, 1);
			else
				build_ip4(&b, THERE4, link4[i], 89, 1);
			build_label(&b, LABEL_ALL, true, 255);
			build_gre(&b, 0, 0x8847);
			build_esp(&b, 1, 1, 47);
			build_core4(&b, 50);
			from_core();
			scene_expect_drops(
				multicast ? SL_DROP_ip_multicast : SL_DROP_ip_destination, 1);
			scene_set();
		}
}

static void ip_destination(void **state)
{
	static const uint8_t bad4[][4] = {
		{0, 0, 0, 0}, {127, 0, 0, 1}, {240, 0, 0, 1}, {255, 255, 255, 254}};
	static const uint8_t bad6[][16] = {{0}, {[15] = 1}};

	(void)state;
	source4 = THERE4;
	source6 = THERE6;
	for (size_t i = 0; i < sizeof(bad4) / 4; i++) {
		destination4 = bad4[i];
		send_everywhere(make_addresses4, 0x0800, SL_DROP_ip_destination);
	}
	for (size_t i = 0; i < sizeof(bad6) / 16; i++) {
		destination6 = bad6[i];
		send_everywhere(make_addresses6, 0x86dd, SL_DROP_ip_destination);
	}
}

/* ---- core ---- */

static const uint8_t other_pe4[4] = {192, 0, 2, 77};
static const uint8_t other_pe6[16] = {0x20, 1, 0x0d, 0xb8, 0, 0x0f, [15] = 77};

static void core_transit(void **state)
{
	static const uint8_t protocols[] = {6, 17, 47, 50, 137, 1};

	(void)state;
	for (size_t i = 0; i < sizeof(protocols); i++)
		for (int six = 0; six < 2; six++) {
			build_payload(&b, 60);
			if (six)
				build_ip6(&b, REMOTE6, other_pe6, protocols[i], 64);
			else
				build_ip4(&b, REMOTE4, other_pe4, protocols[i], 64);
			build_eth(&b, PE_CORE_MAC, P_MAC, 0, six ? 0x86dd : 0x0800);
			from_core();
			EXPECT(core_transit);
		}
	/* a customer's address is none of ours here, although VRF A has it */
	build_payload(&b, 60);
	build_ip4(&b, REMOTE4, PE_CE4, 17, 64);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	from_core();
	EXPECT(core_transit);
	/* nor does a route that leads to a customer make the PE forward from the core */
	world_route(SL_VRF_CORE, 4, other_pe4, 32, scene.ce, 0, scene.accept_all);
	world_commit();
	build_payload(&b, 60);
	build_ip4(&b, REMOTE4, other_pe4, 17, 64);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	from_core();
	EXPECT(core_transit);
}

static void outer_fragment(void **state)
{
	static const uint8_t protocols[] = {47, 50, 137};
	static const uint16_t flags[] = {0x2000, 0x0001, 0x2001, 0x1fff};

	(void)state;
	for (size_t i = 0; i < sizeof(protocols); i++)
		for (size_t j = 0; j < 4; j++) {
			world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE | SL_IF_ACCEPT_IP;
			build_payload(&b, 60);
			build_ip4(&b, REMOTE4, LOCAL4, protocols[i], 64);
			sl_put16(build_bytes(&b) + 6, flags[j]);
			build_sum4(&b);
			build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
			from_core();
			EXPECT(outer_fragment);
			build_payload(&b, 60);
			sl_put16(build_front(&b, 8) + 2, flags[j] & 0x1fff ? 0x0101 : 0x0001);
			build_bytes(&b)[0] = protocols[i];
			build_ip6(&b, REMOTE6, LOCAL6, 44, 64);
			build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x86dd);
			from_core();
			EXPECT(outer_fragment);
		}
}

/* ---- VRF lookup and next hops ---- */

static void no_route(void **state)
{
	(void)state;
	/* the ICMP error about it is tested in eal_icmp.c: here the VRF has no address to send it from */
	memset(world.tables->vrf[VRF_A].icmp_source4, 0, 4);
	build_from_ce4(&b, A4(172, 16, 0, 1), 20, 64);
	from_ce();
	assert_int_equal(world_drops(SL_DROP_icmp_forbidden), 1);
	world.worker.block->drops[SL_DROP_icmp_forbidden] = 0;
	assert_int_equal(world.worker.block->interface[IF_CE].drops, 1);
	assert_int_equal(world.worker.block->vrf[VRF_A].drops, 1);
	EXPECT(no_route);
	/* VRF B does not see VRF A's routes */
	build_from_ce4(&b, THERE4, 20, 64);
	build_bytes(&b);
	b.at += 14;
	build_eth(&b, PE_CE_MAC, CE_MAC, VLAN_B, 0x0800);
	from_ce();
	assert_int_equal(world.worker.block->vrf[VRF_B].drops, 1);
	assert_int_equal(world_drops(SL_DROP_icmp_forbidden), 1);
	world.worker.block->drops[SL_DROP_icmp_forbidden] = 0;
	EXPECT(no_route);
}

static void blackhole(void **state)
{
	(void)state;
	build_from_ce4(&b, A4(10, 4, 0, 1), 20, 64);
	from_ce();
	EXPECT(blackhole);
}

static void unreachable(void **state)
{
	struct sl_version_row silent = {.kind = SL_NH_DROP, .drop_reason = SL_DROP_unreachable};

	(void)state;
	world_route(VRF_A, 4, A4(10, 5, 0, 1), 32, world_nexthop(&silent), 0, 0);
	world_commit();
	build_from_ce4(&b, A4(10, 5, 0, 1), 20, 64);
	from_ce();
	EXPECT(unreachable);
}

static void nexthop_unusable(void **state)
{
	struct sl_version_row odd = {.kind = 77};

	(void)state;
	build_from_ce4(&b, A4(10, 6, 0, 1), 20, 64);
	from_ce();
	EXPECT(nexthop_unusable);
	world.tables->nexthop[scene.tunnel].active = 0; /* the tunnel lost its core route */
	build_from_ce4(&b, THERE4, 20, 64);
	from_ce();
	EXPECT(nexthop_unusable);
	world_route(VRF_A, 4, A4(10, 6, 0, 2), 32, world_nexthop(&odd), 0, 0);
	world_commit();
	build_from_ce4(&b, A4(10, 6, 0, 2), 20, 64);
	from_ce();
	EXPECT(nexthop_unusable);
	world.tables->version[world.tables->nexthop[scene.tunnel].active].template_len = 0;
	build_from_ce4(&b, THERE4, 20, 64);
	from_ce();
	EXPECT(nexthop_unusable);
}

static void neighbour_pending(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	build_from_ce4(&b, A4(10, 3, 0, 33), 20, 64);
	from_ce();
	m = world_punted();
	assert_non_null(m);
	assert_int_equal(sl_packet(m)->punt, SL_PUNT_RESOLVE);
	assert_int_equal(sl_packet(m)->interface, IF_CE);
	assert_int_equal(sl_packet(m)->family, 4);
	assert_memory_equal(sl_packet(m)->address, A4(10, 3, 0, 33), 4);
	rte_pktmbuf_free(m);
	EXPECT(neighbour_pending);
}

static void ttl_expired(void **state)
{
	(void)state;
	for (uint8_t ttl = 0; ttl < 2; ttl++)
		for (int six = 0; six < 2; six++) {
			memset(world.tables->vrf[VRF_A].icmp_source4, 0, 4);
			memset(world.tables->vrf[VRF_A].icmp_source6, 0, 16);
			if (six)
				build_from_ce6(&b, THERE6, 20, ttl);
			else
				build_from_ce4(&b, THERE4, 20, ttl);
			from_ce();
			assert_int_equal(world_drops(SL_DROP_icmp_forbidden), 1);
			world.worker.block->drops[SL_DROP_icmp_forbidden] = 0;
			EXPECT(ttl_expired);
		}
}

/* Without DF there is no ICMP error: the packet would have had to be fragmented. */
static void mtu_exceeded(void **state)
{
	(void)state;
	build_from_ce4(&b, THERE4, MTU_TUNNEL - 19, 64);
	b.at += 14;
	sl_put16(build_bytes(&b) + 6, 0);
	build_sum4(&b);
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	from_ce();
	EXPECT(mtu_exceeded);
}

static void mtu_is_exact(void **state)
{
	uint8_t frame[2048];

	(void)state;
	build_from_ce4(&b, THERE4, MTU_TUNNEL - 20, 64);
	from_ce();
	assert_int_equal(world_all_drops(), 0);
	assert_true(world_sent(PORT_CORE, frame) > MTU_TUNNEL);
	world_expect_quiet();
}

/* ---- outbound SA ---- */

static void send_into_tunnel(void)
{
	build_from_ce4(&b, THERE4, 20, 64);
	from_ce();
}

static void sa_not_ready(void **state)
{
	struct sl_sa_key *key;

	(void)state;
	world.tables->sa_out[1].generation++; /* the row was given to another SA */
	send_into_tunnel();
	EXPECT(sa_not_ready);
	world.state->sa_out[1].ready_generation =
		0; /* the control thread has not expanded the key */
	send_into_tunnel();
	EXPECT(sa_not_ready);
	world.tables->sa_out[1].generation = 0; /* free, and the version names no generation */
	world.state->sa_out[1].ready_generation = 0;
	world.tables->version[world.tables->nexthop[scene.tunnel].active].sa_generation = 0;
	send_into_tunnel();
	EXPECT(sa_not_ready);
	key = world.keys_out[1];
	world.keys_out[1] = NULL;
	send_into_tunnel();
	world.keys_out[1] = key;
	EXPECT(sa_not_ready);
}

static void sa_exhausted(void **state)
{
	(void)state;
	world.state->sa_out[1].last_sequence = 0xffffffff;
	send_into_tunnel();
	assert_int_equal(world.state->sa_out[1].last_sequence, 0xffffffff);
	EXPECT(sa_exhausted);
	world.tables->sa_out[1].packet_limit = 1000;
	world.state->sa_out[1].last_sequence = 1000;
	send_into_tunnel();
	EXPECT(sa_exhausted);
}

/* ---- inbound SA ---- */

static void esp_truncated(void **state)
{
	(void)state;
	for (size_t n = 0; n < SL_ESP_MIN_LEN; n++) {
		build_payload(&b, n);
		if (n >= 4)
			sl_put32(build_bytes(&b), VEC_SPI_IN);
		build_core4(&b, 50);
		from_core();
		EXPECT(esp_truncated);
	}
}

static void esp_unknown_spi(void **state)
{
	static const uint32_t spis[] = {VEC_SPI_IN ^ 1, VEC_SPI_IN ^ 0x80000000,
	                                VEC_SPI_IN + SL_SPI_SLOTS, 0};

	(void)state;
	for (size_t i = 0; i < sizeof(spis) / sizeof(spis[0]); i++) {
		build_secured4(&b, 1, 1, LABEL_ALL, HERE4);
		sl_put32(build_bytes(&b) + 34, spis[i]);
		from_core();
		EXPECT(esp_unknown_spi);
	}
}

static void esp_not_ready(void **state)
{
	(void)state;
	build_secured4(&b, 1, 1, LABEL_ALL, HERE4);
	world.state->sa_in[1].ready_generation--;
	from_core();
	EXPECT(esp_not_ready);
	build_secured4(&b, 1, 1, LABEL_ALL, HERE4);
	world.tables->sa_in[1].generation = 0;
	world.state->sa_in[1].ready_generation = 0;
	from_core();
	EXPECT(esp_not_ready);
	build_secured4(&b, 1, 1, LABEL_ALL, HERE4);
	{
		struct sl_sa_key *key = world.keys_in[1];

		world.keys_in[1] = NULL;
		from_core();
		world.keys_in[1] = key;
	}
	EXPECT(esp_not_ready);
}

static void esp_outer_address(void **state)
{
	(void)state;
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, 1, 47);
	build_ip4(&b, other_pe4, LOCAL4, 50, 60); /* another source */
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	from_core();
	EXPECT(esp_outer_address);

	world_route(SL_VRF_CORE, 4, other_pe4, 32,
	            world_simple(SL_NH_RECEIVE, SL_VRF_CORE, IF_CORE), 0, 0);
	world_commit();
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, 1, 47);
	build_ip4(&b, REMOTE4, other_pe4, 50, 60); /* another address of ours */
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	from_core();
	EXPECT(esp_outer_address);

	build_labelled4(&b, LABEL_ALL, HERE4);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, 1, 47);
	build_ip6(&b, REMOTE6, LOCAL6, 50, 60); /* another family */
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x86dd);
	from_core();
	EXPECT(esp_outer_address);
}

static void esp_replayed(void **state)
{
	uint8_t frame[2048];

	(void)state;
	for (uint32_t again = 0; again < 2; again++) {
		build_secured4(&b, 1, 2000, LABEL_ALL, HERE4);
		from_core();
	}
	assert_true(world_sent(PORT_CE, frame) > 0);
	build_secured4(&b, 1, 2000 - 1024, LABEL_ALL, HERE4); /* just left of the window */
	from_core();
	build_secured4(&b, 1, 0, LABEL_ALL, HERE4);
	from_core();
	assert_int_equal(world.state->sa_in[1].replayed, 3);
	scene_expect_drops(SL_DROP_esp_replayed, 3);
	build_secured4(&b, 1, 2000 - 1023, LABEL_ALL, HERE4); /* its last number */
	from_core();
	assert_true(world_sent(PORT_CE, frame) > 0);
	scene_expect_drops(SL_DROP_esp_replayed, 3);
}

/* Two equal packets in one burst: the check lets both pass, the update only one. */
static void esp_replayed_within_a_burst(void **state)
{
	struct rte_mbuf *burst[2];
	uint8_t frame[2048];

	(void)state;
	build_secured4(&b, 1, 1, LABEL_ALL, HERE4);
	for (int i = 0; i < 2; i++)
		burst[i] = world_frame(build_bytes(&b), build_len(&b));
	sl_pipeline_receive(&world.worker, PORT_CORE, burst, 2);
	sl_pipeline_flush(&world.worker);
	assert_true(world_sent(PORT_CE, frame) > 0);
	scene_expect_drops(SL_DROP_esp_replayed, 1);
}

/* Every bit from the SPI's end on; the window must not have moved. */
static void esp_auth_failed(void **state)
{
	uint64_t sent = 0;

	(void)state;
	build_secured4(&b, 1, 100, LABEL_ALL, HERE4);
	for (size_t bit = 8 * 42; bit < 8 * build_len(&b); bit++) {
		build_bytes(&b)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		from_core();
		build_bytes(&b)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		sent++;
	}
	assert_int_equal(world.state->sa_in[1].auth_failed, sent);
	assert_int_equal(world.state->sa_in[1].highest_sequence, 0);
	assert_int_equal(world.state->sa_in[1].packets, 0);
	scene_expect_drops(SL_DROP_esp_auth_failed, sent);
}

/* Padding that the key holder got wrong. */
static void esp_padding(void **state)
{
	(void)state;
	for (int longer = 0; longer < 2; longer++) {
		uint8_t nonce[12], *esp;
		size_t n;

		build_labelled4(&b, LABEL_ALL, HERE4);
		build_gre(&b, 0, 0x8847);
		n = build_len(&b);
		sl_esp_write_trailer(b.room + b.end, 6, 47);
		if (longer)
			b.room[b.end + 4] = 250; /* more padding than packet */
		else
			b.room[b.end + 1] = 9; /* not 1, 2, 3, 4 */
		b.end += 6;
		esp = build_front(&b, SL_ESP_FRONT_LEN);
		sl_put32(esp, VEC_SPI_IN);
		sl_esp_write_sequence(esp, 1, world.keys_in[1]->salt, nonce);
		sl_esp_seal(world.keys_in[1], esp, n + 6, nonce);
		b.end += SL_ESP_ICV_LEN;
		build_core4(&b, 50);
		from_core();
		EXPECT(esp_padding);
	}
}

static void esp_dummy(void **state)
{
	(void)state;
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, 1, 59);
	build_core4(&b, 50);
	from_core();
	EXPECT(esp_dummy);
}

/* Policy-model 17: out of this SA comes GRE and nothing else. */
static void esp_selector(void **state)
{
	(void)state;
	for (unsigned int next = 0; next < 256; next++) {
		if (next == 47 || next == 59)
			continue;
		build_labelled4(&b, LABEL_ALL, HERE4);
		if (next != 137)
			build_gre(&b, 0, 0x8847);
		build_esp(&b, 1, next + 1, (uint8_t)next);
		build_core4(&b, 50);
		from_core();
	}
	scene_expect_drops(SL_DROP_esp_selector, 254);
	/* not even when the row itself asks for a protocol that is no VPN encapsulation */
	scene_set();
	world.tables->sa_in[1].selector_protocol = 4;
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_esp(&b, 1, 1, 4);
	build_core4(&b, 50);
	from_core();
	scene_expect_drops(SL_DROP_esp_selector, 1);
}

static void esp_application(void **state)
{
	(void)state;
	world.tables->sa_in[1].application = SL_APP_VPN + 1;
	build_secured4(&b, 1, 1, LABEL_ALL, HERE4);
	from_core();
	EXPECT(esp_application);
}

/* ---- decapsulation ---- */

/* GRE with these first words, out of an SA or in clear. */
static void send_gre(uint16_t flags, uint16_t protocol, bool secured)
{
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_gre(&b, flags, protocol);
	if (secured)
		build_esp(&b, 1, 1, 47);
	else
		world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE;
	build_core4(&b, secured ? 50 : 47);
	from_core();
}

static void gre_header(void **state)
{
	static const uint16_t flags[] = {0x8000, 0x2000, 0x1000, 0xb000, 0x4000,
	                                 0x0800, 0x0080, 0x0001, 0x0007};

	(void)state;
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		for (int secured = 0; secured < 2; secured++) {
			send_gre(flags[i], 0x8847, secured);
			EXPECT(gre_header);
		}
	for (size_t n = 0; n < 4; n++) {
		build_payload(&b, n);
		memset(build_bytes(&b), 0, n);
		build_esp(&b, 1, 1, 47);
		build_core4(&b, 50);
		from_core();
		EXPECT(gre_header);
	}
}

static void gre_protocol(void **state)
{
	static const uint16_t protocols[] = {0x0800, 0x86dd, 0x8848, 0x6558, 0x880b, 0};

	(void)state;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		for (int secured = 0; secured < 2; secured++) {
			send_gre(0, protocols[i], secured);
			EXPECT(gre_protocol);
		}
}

/* In clear for us: not without the interface's flag, and each flag is for its own encapsulation. */
static void gre_clear(void **state)
{
	(void)state;
	for (int others = 0; others < 2; others++) {
		world.tables->interface[IF_CORE].flags =
			others ? SL_IF_ACCEPT_IP | SL_IF_MPLS_OWN_SP : 0;
		build_labelled4(&b, LABEL_ALL, HERE4);
		build_gre(&b, 0, 0x8847);
		build_core4(&b, 47);
		from_core();
		EXPECT(gre_clear);
	}
}

static void mpls_in_ip_clear(void **state)
{
	(void)state;
	for (int others = 0; others < 2; others++) {
		world.tables->interface[IF_CORE].flags =
			others ? SL_IF_ACCEPT_GRE | SL_IF_MPLS_OWN_SP : 0;
		build_labelled4(&b, LABEL_ALL, HERE4);
		build_core4(&b, 137);
		from_core();
		EXPECT(mpls_in_ip_clear);
	}
}

/* ---- label ---- */

/* Put what is built into GRE and ESP and send it. */
static void send_secured(uint32_t sa)
{
	build_gre(&b, 0, 0x8847);
	build_esp(&b, sa, 1, 47);
	build_core4(&b, 50);
	from_core();
}

static void label_truncated(void **state)
{
	(void)state;
	for (size_t n = 0; n < 4; n++) { /* no label */
		build_payload(&b, n);
		send_secured(1);
		EXPECT(label_truncated);
	}
	build_payload(&b, 0); /* no packet under it */
	build_label(&b, LABEL_ALL, true, 255);
	send_secured(1);
	EXPECT(label_truncated);
	build_payload(&b, 0); /* no label under the explicit null */
	build_label(&b, 0, false, 255);
	send_secured(1);
	EXPECT(label_truncated);
}

static void label_stack(void **state)
{
	(void)state;
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_label(&b, LABEL_ALL, false, 255);
	send_secured(1);
	EXPECT(label_stack);
	build_labelled4(&b, 0, HERE4); /* explicit null alone */
	send_secured(1);
	EXPECT(label_stack);
	build_labelled4(&b, LABEL_ALL, HERE4); /* explicit null in clear */
	build_label(&b, 0, false, 255);
	build_gre(&b, 0, 0x8847);
	build_core4(&b, 47);
	world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE;
	from_core();
	EXPECT(label_stack);
}

static void label_unknown(void **state)
{
	static const uint32_t labels[] = {1, 3, 4, 14, 15, 16, 99999, 0xfffff, LABEL_ROW_BROKEN};

	(void)state;
	for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
		if (labels[i] < 16) /* even if a row were there by mistake */
			world.tables->label[labels[i]] =
				sl_label_row(SL_LABEL_VRF, scene.accept_all, VRF_A);
		build_labelled4(&b, labels[i], HERE4);
		send_secured(1);
		EXPECT(label_unknown);
	}
}

enum clear_kind { CLEAR_GRE, CLEAR_IP, CLEAR_MPLS };
static void send_clear(uint32_t label, enum clear_kind kind, const uint8_t *to)
{
	world.tables->interface[IF_CORE].flags =
		SL_IF_ACCEPT_GRE | SL_IF_ACCEPT_IP | SL_IF_MPLS_OWN_SP;
	build_labelled4(&b, label, to);
	if (kind == CLEAR_MPLS) {
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x8847);
	} else {
		if (kind == CLEAR_GRE)
			build_gre(&b, 0, 0x8847);
		build_core4(&b, kind == CLEAR_GRE ? 47 : 137);
	}
	from_core();
}

/* P13: the label of a protected route in clear, however it is wrapped. */
static void label_protected(void **state)
{
	(void)state;
	for (int kind = CLEAR_GRE; kind <= CLEAR_MPLS; kind++) {
		send_clear(LABEL_ENCRYPT, kind, HERE4);
		EXPECT(label_protected);
	}
	/* case ii: the own SP may leave it out only on plain MPLS, never behind outer addresses */
	send_clear(LABEL_CASE_II, CLEAR_GRE, HERE4);
	EXPECT(label_protected);
	send_clear(LABEL_CASE_II, CLEAR_IP, HERE4);
	EXPECT(label_protected);
}

/* An inbound SA like row 1 but for what a test changes; row 2, its own SPI. */
static struct sl_sa_row second_sa(uint8_t algorithm, enum sl_encap encap, uint8_t sp_table)
{
	struct sl_sa_row row = world_sa_row(algorithm, 4, true, encap);

	row.spi++;
	row.sp_table = sp_table;
	return row;
}

/* P14: a correctly keyed PE of an SP that the route was not exported to. */
static void label_wrong_sp(void **state)
{
	struct sl_sa_row row = second_sa(SL_ALG_AES_GCM_128, SL_ENCAP_GRE, 2);

	(void)state;
	world_sa_in(2, &row);
	build_labelled4(&b, LABEL_ENCRYPT, HERE4);
	send_secured(2);
	EXPECT(label_wrong_sp);
	build_labelled4(&b, LABEL_CASE_II, HERE4); /* and the other way round */
	send_secured(1);
	EXPECT(label_wrong_sp);
	build_labelled4(&b, LABEL_MPLS, HERE4); /* exported in clear alone */
	send_secured(1);
	EXPECT(label_wrong_sp);
}

/* Policy-model 3: `encrypt` asked for, authenticate-only used; and clear arrivals of the wrong sort. */
static void label_wrong_protection(void **state)
{
	struct sl_sa_row row = second_sa(SL_ALG_AES_GMAC_128, SL_ENCAP_GRE, 1);

	(void)state;
	world_sa_in(2, &row);
	build_labelled4(&b, LABEL_ENCRYPT, HERE4);
	send_secured(2);
	EXPECT(label_wrong_protection);
	build_labelled4(&b, LABEL_GRE, HERE4);
	send_secured(1);
	EXPECT(label_wrong_protection);
	send_clear(LABEL_MPLS, CLEAR_GRE, HERE4);
	EXPECT(label_wrong_protection);
	send_clear(LABEL_GRE, CLEAR_MPLS, HERE4);
	EXPECT(label_wrong_protection);
}

static void label_wrong_encap(void **state)
{
	(void)state;
	build_labelled4(&b, LABEL_SECURED_IP, HERE4);
	send_secured(1);
	EXPECT(label_wrong_encap);
	send_clear(LABEL_GRE, CLEAR_IP, HERE4);
	EXPECT(label_wrong_encap);
}

static void label_ttl_expired(void **state)
{
	(void)state;
	for (int uniform = 0; uniform < 2; uniform++) {
		world.tables->vrf[VRF_A].flags = uniform ? SL_VRF_TTL_UNIFORM : 0;
		build_payload(&b, 40);
		build_ip4(&b, THERE4, HERE4, 17, 33);
		build_label(&b, LABEL_ALL, true, 0);
		send_secured(1);
		EXPECT(label_ttl_expired);
	}
	/* uniform: 1 expires here, and the source hears of it (eal_icmp.c) unless there is no address */
	memset(world.tables->vrf[VRF_A].icmp_source4, 0, 4);
	world.tables->vrf[VRF_A].flags = SL_VRF_TTL_UNIFORM;
	build_payload(&b, 40);
	build_ip4(&b, THERE4, HERE4, 17, 33);
	build_label(&b, LABEL_ALL, true, 1);
	send_secured(1);
	assert_int_equal(world_drops(SL_DROP_icmp_forbidden), 1);
	world.worker.block->drops[SL_DROP_icmp_forbidden] = 0;
	EXPECT(label_ttl_expired);
}

/* Policy-model 2: the label is fine, the route behind it was exported otherwise, or to nobody. */
static void route_not_exported_this_way(void **state)
{
	struct sl_sa_row row = second_sa(SL_ALG_AES_GCM_128, SL_ENCAP_GRE, 2);

	(void)state;
	build_secured4(&b, 1, 1, LABEL_ALL, A4(10, 7, 0, 1)); /* exported to nobody */
	from_core();
	EXPECT(route_not_exported_this_way);
	send_clear(LABEL_ALL, CLEAR_MPLS,
	           A4(10, 11, 0, 1)); /* exported as `encrypt`; the plain label is good */
	EXPECT(route_not_exported_this_way);
	world_sa_in(2, &row);
	build_secured4(&b, 2, 1, LABEL_ALL, A4(10, 11, 0, 1)); /* exported to another SP */
	from_core();
	EXPECT(route_not_exported_this_way);
	world_route(VRF_A, 4, PE_CE4, 32, scene.receive, 0,
	            scene.accept_encrypt); /* our own address too */
	world_commit();
	send_clear(LABEL_ALL, CLEAR_MPLS, PE_CE4);
	EXPECT(route_not_exported_this_way);
	/* out of a tunnel and into one: not even when the sets would allow it */
	world_route(VRF_A, 4, THERE4, 24, scene.tunnel, VEC_LABEL_OUT, scene.accept_all);
	world_commit();
	build_secured4(&b, 1, 1, LABEL_ALL, THERE4);
	from_core();
	EXPECT(route_not_exported_this_way);
	build_secured4(&b, 1, 1, LABEL_TO_TUNNEL, HERE4);
	from_core();
	EXPECT(route_not_exported_this_way);
}

static void inner_not_ip(void **state)
{
	(void)state;
	for (unsigned int version = 0; version < 16; version++) {
		if (version == 4 || version == 6)
			continue;
		build_payload(&b, 40);
		build_ip4(&b, THERE4, HERE4, 17, 33);
		build_bytes(&b)[0] = (uint8_t)(version << 4 | 5);
		build_label(&b, LABEL_ALL, true, 255);
		send_secured(1);
		EXPECT(inner_not_ip);
	}
}

/* ---- transmit, kernel ---- */

static void tx_no_port(void **state)
{
	(void)state;
	world.worker.ports[PORT_CORE].dpdk_port = RTE_MAX_ETHPORTS;
	build_from_ce4(&b, THERE4, 20, 64);
	from_ce();
	world.worker.ports[PORT_CORE].dpdk_port = 1;
	EXPECT(tx_no_port);
	world.tables->interface[IF_CORE].port = 0;
	build_from_ce4(&b, THERE4, 20, 64);
	from_ce();
	EXPECT(tx_no_port);
}

/* The ring behind the port takes 1023 frames. Only what was sent is counted as sent. */
static void tx_full(void **state)
{
	uint8_t frame[2048];
	unsigned int sent = 0;

	(void)state;
	for (unsigned int i = 0; i < 1030; i++) {
		build_from_ce4(&b, THERE4, 20, 64);
		from_ce();
	}
	while (world_sent(PORT_CORE, frame) != 0)
		sent++;
	assert_int_equal(sent, 1023);
	assert_int_equal(world.worker.block->interface[IF_CORE].tx_packets, 1023);
	scene_expect_drops(SL_DROP_tx_full, 7);
}

static void punt_full(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	for (unsigned int i = 0; i < 260; i++) {
		build_from_ce4(&b, PE_CE4, 20, 64);
		from_ce();
	}
	assert_int_equal(world.worker.block->interface[IF_CE].punted, 255);
	assert_int_equal(world.worker.block->interface[IF_CE].drops, 5);
	for (unsigned int i = 0; i < 255; i++) {
		m = world_punted();
		assert_non_null(m);
		rte_pktmbuf_free(m);
	}
	scene_expect_drops(SL_DROP_punt_full, 5);
}

/* A packet out of a tunnel for a VRF's address, and the VRF has no TAP. */
static void punt_tap(void **state)
{
	(void)state;
	world.tables->vrf[VRF_A].host_interface = 0;
	build_secured4(&b, 1, 1, LABEL_ALL, PE_CE4);
	from_core();
	EXPECT(punt_tap);
}

static void inject_malformed(void **state)
{
	uint8_t packet[64] = {0x45};

	(void)state;
	for (size_t n = 0; n < 14; n++) {
		world_inject(IF_CE, packet, n);
		EXPECT(inject_malformed);
	}
	for (size_t n = 0; n < 20; n++) {
		world_inject(IF_HOST, packet, n);
		EXPECT(inject_malformed);
	}
	packet[0] = 0x60;
	sl_put16(packet + 4, 25);
	world_inject(IF_HOST, packet, 64);
	EXPECT(inject_malformed);
	packet[0] = 0x50;
	world_inject(IF_HOST, packet, 64);
	EXPECT(inject_malformed);
}

static void inject_no_interface(void **state)
{
	static const uint32_t ids[] = {0, 77, SL_MAX_INTERFACES, 0xffffffff};
	uint8_t packet[64] = {0x45};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		world_inject(ids[i], packet, 64);
		EXPECT(inject_no_interface);
	}
	world.tables->interface[IF_CE].state = SL_ROW_RETIRED;
	world_inject(IF_CE, packet, 64);
	EXPECT(inject_no_interface);
}

/* No room in front or behind for what must be added. */
static void no_mbuf(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	build_from_ce4(&b, THERE4, 20, 64);
	m = world_frame(build_bytes(&b), build_len(&b));
	memmove(m->buf_addr, rte_pktmbuf_mtod(m, void *), m->data_len);
	m->data_off = 0;
	sl_pipeline_receive(&world.worker, PORT_CE, &m, 1);
	EXPECT(no_mbuf);

	build_from_ce4(&b, THERE4, 20, 64);
	m = world_frame(build_bytes(&b), build_len(&b));
	m->data_off = (uint16_t)(m->buf_len - m->data_len - 10);
	memcpy(rte_pktmbuf_mtod(m, void *), build_bytes(&b), build_len(&b));
	sl_pipeline_receive(&world.worker, PORT_CE, &m, 1);
	EXPECT(no_mbuf);
}

/* Reasons of the packet path that the tests above have not provoked: there must be none. */
static void every_reason_was_provoked(void **state)
{
	static const enum sl_drop_reason elsewhere[] = {
		SL_DROP_none,           SL_DROP_punt_rate, /* counted by the control thread */
		SL_DROP_inject_full,    SL_DROP_icmp_rate, /* eal_icmp.c */
		SL_DROP_icmp_forbidden,
	};
	static const char *const names[] = {
#define SL_DROP_NAME(name, text) #name,
		SL_DROP_REASONS(SL_DROP_NAME)
#undef SL_DROP_NAME
	};

	(void)state;
	for (size_t i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		scene_provoked[elsewhere[i]] = true;
	for (unsigned int i = 0; i < SL_DROP_COUNT; i++)
		if (!scene_provoked[i])
			fail_msg("no test provokes %s", names[i]);
}

#define CASE(test) cmocka_unit_test_setup(test, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rx_truncated),
		CASE(rx_not_our_mac),
		CASE(rx_unknown_vlan),
		CASE(rx_ethertype),
		CASE(mpls_not_accepted),
		CASE(ip4_header),
		CASE(ip4_checksum),
		CASE(ip6_header),
		CASE(ip_source),
		CASE(ip_source_linklocal_is_not_forwarded),
		CASE(ip_multicast),
		CASE(link_traffic_out_of_a_tunnel),
		CASE(ip_destination),
		CASE(core_transit),
		CASE(outer_fragment),
		CASE(no_route),
		CASE(blackhole),
		CASE(unreachable),
		CASE(nexthop_unusable),
		CASE(neighbour_pending),
		CASE(ttl_expired),
		CASE(mtu_exceeded),
		CASE(mtu_is_exact),
		CASE(sa_not_ready),
		CASE(sa_exhausted),
		CASE(esp_truncated),
		CASE(esp_unknown_spi),
		CASE(esp_not_ready),
		CASE(esp_outer_address),
		CASE(esp_replayed),
		CASE(esp_replayed_within_a_burst),
		CASE(esp_auth_failed),
		CASE(esp_padding),
		CASE(esp_dummy),
		CASE(esp_selector),
		CASE(esp_application),
		CASE(gre_header),
		CASE(gre_protocol),
		CASE(gre_clear),
		CASE(mpls_in_ip_clear),
		CASE(label_truncated),
		CASE(label_stack),
		CASE(label_unknown),
		CASE(label_protected),
		CASE(label_wrong_sp),
		CASE(label_wrong_protection),
		CASE(label_wrong_encap),
		CASE(label_ttl_expired),
		CASE(route_not_exported_this_way),
		CASE(inner_not_ip),
		CASE(tx_no_port),
		CASE(tx_full),
		CASE(punt_full),
		CASE(punt_tap),
		CASE(inject_malformed),
		CASE(inject_no_interface),
		CASE(no_mbuf),
		CASE(every_reason_was_provoked),
	};

	return cmocka_run_group_tests_name("eal_drops", tests, NULL, NULL);
}
