/* SPDX-License-Identifier: Apache-2.0 */
/* BGP of the kernel leaves inside its own SA, or not at all (policy-model 18); the table of policies. */
#include "esp/sequence.h"
#include "net/ip4.h"
#include "support/host_policy.h"

static void to_peer(uint8_t family)
{
	if (family == 4)
		build_ip4(&b, LOCAL4, REMOTE4, 6, 255);
	else
		build_ip6(&b, LOCAL6, REMOTE6, 6, 255);
	build_eth(&b, P_MAC, PE_CORE_MAC, 0, family == 4 ? 0x0800 : 0x86dd);
}

static void inject(uint32_t interface) { world_inject(interface, build_bytes(&b), build_len(&b)); }

/* ---- Segments ---- */

/* What was sealed, opened as the peer would: the outbound SA's row taken for an inbound one's. */
static void expect_sealed(uint8_t family, const uint8_t *clear, size_t n)
{
	size_t ip = family == 4 ? 20 : 40, segment_len = n - 14 - ip, length;
	uint8_t frame[2048], nonce[12], *esp = frame + 14 + ip;
	size_t got = world_sent(PORT_CORE, frame);
	struct sl_esp_trailer trailer;
	uint8_t want[60];

	assert_int_equal(got, n + 16 + sl_esp_trailer_len(segment_len, 4) + 16);
	memcpy(want, clear, 14 + ip);
	if (family == 4) {
		sl_put16(want + 16, (uint16_t)(got - 14));
		want[23] = 50;
		sl_put16(want + 24, 0);
		sl_put16(want + 24, (uint16_t)~sl_sum_fold(sl_sum(want + 14, 20, 0)));
	} else {
		sl_put16(want + 18, (uint16_t)(got - 14 - 40));
		want[20] = 50;
	}
	world_expect_bytes("headers", frame, 14 + ip, want, 14 + ip);
	assert_int_equal(sl_esp_spi(esp), SPI_BGP_OUT);
	length = got - 14 - ip - 16 - 16;
	sl_esp_read_nonce(esp, world.keys_out[SA_BGP]->salt, nonce);
	assert_true(sl_esp_open(world.keys_out[SA_BGP], esp, length, nonce));
	assert_true(sl_esp_read_trailer(esp + 16, length, &trailer));
	assert_int_equal(trailer.next_header, 6);
	world_expect_bytes("segment", esp + 16, trailer.payload_len, clear + 14 + ip, segment_len);
}

static void sealed(void **state)
{
	static const uint16_t ports[][2] = {{40000, 179}, {179, 40000}, {179, 179}};

	(void)state;
	for (uint8_t family = 4; family <= 6; family += 2)
		for (size_t i = 0; i < 3; i++)
			for (size_t n = 0; n < 9; n++) {
				set(family);
				segment(ports[i][0], ports[i][1], n * 100 + n);
				to_peer(family);
				inject(IF_CORE);
				expect_sealed(family, build_bytes(&b), build_len(&b));
				assert_int_equal(world.state->sa_out[SA_BGP].packets, 1);
				assert_int_equal(world.state->sa_out[SA_BGP].last_sequence, 1);
				assert_int_equal(world.state->sa_out[SA_BGP].bytes,
				                 build_len(&b) - 14 + 32 +
				                         sl_esp_trailer_len(20 + n * 100 + n, 4));
				assert_int_equal(world_all_drops(), 0);
				world_expect_quiet();
			}
}

/* A segment in IPv4, with this word of flags and fragment offset. */
static void send_with_flags(uint16_t flags)
{
	segment(40000, 179, 30);
	build_ip4_flags(&b, LOCAL4, REMOTE4, 6, flags);
	build_eth(&b, P_MAC, PE_CORE_MAC, 0, 0x0800);
	inject(IF_CORE);
}

/* The other end takes no fragments of ESP, so nobody on the way may make any, whatever the socket wanted. */
static void never_to_be_fragmented(void **state)
{
	static const uint16_t flags[] = {0, 0x8000, 0x4000};
	uint8_t frame[2048];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		send_with_flags(flags[i]);
		assert_int_not_equal(world_sent(PORT_CORE, frame), 0);
		assert_int_equal(frame[14 + 9], 50);
		assert_int_equal(sl_get16(frame + 14 + 6), 0x4000);
		assert_int_equal(sl_ip4_check(frame + 14, sl_get16(frame + 14 + 2)), SL_IP_OK);
	}
	world_expect_quiet();
}

/* Its own VLAN tag goes in front of all that. */
static void sealed_with_vlan(void **state)
{
	uint8_t frame[2048];

	(void)state;
	world_interface(IF_CORE, SL_ROLE_CORE, SL_VRF_CORE, PORT_CORE, 9, PE_CORE_MAC);
	segment(40000, 179, 30);
	to_peer(4);
	inject(IF_CORE);
	assert_int_equal(world_sent(PORT_CORE, frame), 18 + 20 + 16 + 52 + 16);
	assert_int_equal(sl_get32(frame + 12), 0x81000009);
	assert_int_equal(frame[18 + 9], 50);
	world_expect_quiet();
}

/* Each side of the connection has its own SA: one that was negotiated for the other is not used. */
static void one_side_alone(void **state)
{
	uint8_t frame[2048];

	(void)state;
	world.tables->host_policy[POLICY4].sa_from_port = 0;
	segment(40000, 179, 10);
	to_peer(4);
	inject(IF_CORE);
	assert_true(world_sent(PORT_CORE, frame) > 0);
	assert_int_equal(frame[23], 50);
	segment(179, 40000, 10);
	to_peer(4);
	inject(IF_CORE);
	scene_expect_drops(SL_DROP_host_policy_no_sa, 1);
	set(4);
	world.tables->host_policy[POLICY4].sa_to_port = 0;
	segment(179, 40000, 10);
	to_peer(4);
	inject(IF_CORE);
	assert_true(world_sent(PORT_CORE, frame) > 0);
	segment(40000, 179, 10);
	to_peer(4);
	inject(IF_CORE);
	EXPECT_DROP(host_policy_no_sa);
}

static void send_segment(void)
{
	segment(40000, 179, 10);
	to_peer(4);
	inject(IF_CORE);
}

/* Whatever is wrong with the SA: nothing leaves. */
static void never_in_clear(void **state)
{
	(void)state;
	world.tables->host_policy[POLICY4].sa_to_port = 0;
	send_segment();
	EXPECT_DROP(host_policy_no_sa);
	world.tables->host_policy[POLICY4].sa_to_port = sl_host_sa(GENERATION + 1, SA_BGP);
	send_segment();
	EXPECT_DROP(sa_not_ready);
	world.tables->host_policy[POLICY4].sa_to_port = sl_host_sa(GENERATION, SA_BGP + 1);
	send_segment();
	EXPECT_DROP(sa_not_ready);
	world.tables->sa_out[SA_BGP].generation =
		GENERATION + 1; /* written anew, not installed yet */
	send_segment();
	EXPECT_DROP(sa_not_ready);
	world.state->sa_out[SA_BGP].ready_generation = 0;
	send_segment();
	EXPECT_DROP(sa_not_ready);
	world.tables->host_policy[POLICY4].sa_to_port =
		sl_host_sa(world.tables->sa_out[1].generation, 1); /* an SA of the VPN */
	send_segment();
	EXPECT_DROP(sa_not_ready);
	world.state->sa_out[SA_BGP].last_sequence = SL_ESP_LAST_SEQUENCE;
	send_segment();
	EXPECT_DROP(sa_exhausted);
	world.tables->interface[IF_CORE].mtu = 20 + 30 + 16 + 4 + 16 - 3; /* one byte short */
	send_segment();
	EXPECT_DROP(mtu_exceeded);
}

static void fragments_are_dropped(void **state)
{
	static const uint16_t flags[] = {0x2000, 0x0001, 0x2001, 0x1fff};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		send_with_flags(flags[i]);
		EXPECT_DROP(host_policy_fragment);
	}
	segment(40000, 179, 10);
	build_front(&b, 8)[0] = 6; /* IPv6 destination options */
	build_bytes(&b)[2] = 1;
	build_bytes(&b)[3] = 4;
	build_ip6(&b, LOCAL6, REMOTE6, 60, 64);
	build_eth(&b, P_MAC, PE_CORE_MAC, 0, 0x86dd);
	inject(IF_CORE);
	EXPECT_DROP(host_policy_fragment);
	for (size_t n = 0; n < 4; n++) { /* no ports */
		build_payload(&b, n);
		to_peer(4);
		inject(IF_CORE);
		EXPECT_DROP(host_policy_fragment);
	}
}

/* What the policy does not name leaves as it is: other ports, protocols, addresses, CE interfaces. */
static void others_are_left_alone(void **state)
{
	uint8_t frame[2048];

	(void)state;
#define EXPECT_SAME(interface, port)                                                               \
	do {                                                                                       \
		size_t n;                                                                          \
		inject(interface);                                                                 \
		n = world_sent(port, frame);                                                       \
		world_expect_bytes("frame", frame, n, build_bytes(&b), build_len(&b));             \
		assert_int_equal(world_all_drops(), 0);                                            \
	} while (0)
	segment(40000, 22, 10);
	to_peer(4);
	EXPECT_SAME(IF_CORE, PORT_CORE);
	segment(40000, 179, 10);
	build_ip4(&b, LOCAL4, REMOTE4, 17, 64);
	build_eth(&b, P_MAC, PE_CORE_MAC, 0, 0x0800);
	EXPECT_SAME(IF_CORE, PORT_CORE);
	segment(40000, 179, 10);
	build_ip4(&b, LOCAL4, other4, 6, 64);
	build_eth(&b, P_MAC, PE_CORE_MAC, 0, 0x0800);
	EXPECT_SAME(IF_CORE, PORT_CORE);
	segment(40000, 179, 10);
	build_ip4(&b, other4, REMOTE4, 6, 64);
	build_eth(&b, P_MAC, PE_CORE_MAC, 0, 0x0800);
	EXPECT_SAME(IF_CORE, PORT_CORE);
	segment(40000, 179, 10); /* the same addresses inside of a VRF are other hosts */
	build_ip4(&b, LOCAL4, REMOTE4, 6, 64);
	build_eth(&b, CE_MAC, PE_CE_MAC, 0, 0x0800);
	EXPECT_SAME(IF_CE, PORT_CE);
	build_payload(&b, 46); /* ARP */
	build_eth(&b, P_MAC, PE_CORE_MAC, 0, 0x0806);
	EXPECT_SAME(IF_CORE, PORT_CORE);
}

/* ---- The table ---- */

/* Every policy of a full table is found, whatever its chain; what has none is not. */
static void full_table(void **state)
{
	uint8_t local[16] = {11}, remote[16] = {10};

	(void)state;
	world_reset();
	for (uint32_t id = 1; id < SL_MAX_HOST_POLICIES; id++) {
		sl_put16(remote + 2, (uint16_t)(id / 4)); /* four to a remote address */
		sl_put16(local + 2, (uint16_t)(id % 4));
		add_policy(id, id % 2 ? 4 : 6, local, remote);
	}
	for (uint32_t id = 1; id < SL_MAX_HOST_POLICIES; id++) {
		sl_put16(remote + 2, (uint16_t)(id / 4));
		sl_put16(local + 2, (uint16_t)(id % 4));
		assert_ptr_equal(sl_host_policy_find(world.tables, id % 2 ? 4 : 6, local, remote),
		                 &world.tables->host_policy[id]);
		assert_null(sl_host_policy_find(world.tables, id % 2 ? 6 : 4, local, remote));
		assert_null(sl_host_policy_find(world.tables, id % 2 ? 4 : 6, remote, local));
	}
	/* rows that a broken writer has tied into a ring end the search all the same */
	world.tables->host_policy[1].next = 1;
	world.tables->host_policy_head[sl_host_policy_chain((const uint8_t[16]){9})] = 1;
	assert_null(sl_host_policy_find(world.tables, 4, local, (const uint8_t[16]){9}));
}

static void every_reason(void **state)
{
	(void)state;
	drops_expect_all(DROPS_HOST_POLICY_OUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_CASE(sealed),
		HOST_CASE(never_to_be_fragmented),
		HOST_CASE(sealed_with_vlan),
		HOST_CASE(one_side_alone),
		HOST_CASE(never_in_clear),
		HOST_CASE(fragments_are_dropped),
		HOST_CASE(others_are_left_alone),
		HOST_CASE(full_table),
		cmocka_unit_test(every_reason),
	};

	return cmocka_run_group_tests_name("host policy, outbound", tests, NULL, NULL);
}
