/* SPDX-License-Identifier: Apache-2.0 */
/* Drops at reception: Ethernet and IP headers, addresses (support/drops.h). */
#include "support/drops.h"

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
	build_payload(&b, 10); /* what the kernel gets of us, to somebody else */
	build_ip4(&b, HERE4, A4(224, 0, 0, 5), 89, 1);
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

static void every_reason_was_provoked(void **state)
{
	(void)state;
	drops_expect_all(DROPS_RX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rx_truncated),      CASE(rx_not_our_mac),
		CASE(rx_unknown_vlan),   CASE(rx_ethertype),
		CASE(mpls_not_accepted), CASE(ip4_header),
		CASE(ip4_checksum),      CASE(ip6_header),
		CASE(ip_source),         CASE(ip_source_linklocal_is_not_forwarded),
		CASE(ip_multicast),      CASE(link_traffic_out_of_a_tunnel),
		CASE(ip_destination),    CASE(every_reason_was_provoked),
	};

	return cmocka_run_group_tests_name("eal_drops_rx", tests, NULL, NULL);
}
