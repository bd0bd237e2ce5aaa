/* SPDX-License-Identifier: Apache-2.0 */
/* BGP for the kernel comes in inside its own SA, or not at all (policy-model 17, 18). */
#include "support/host_policy.h"

static void from_peer(uint8_t family, uint8_t protocol)
{
	if (family == 4)
		build_ip4(&b, REMOTE4, LOCAL4, protocol, 255);
	else
		build_ip6(&b, REMOTE6, LOCAL6, protocol, 255);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, family == 4 ? 0x0800 : 0x86dd);
}

/* ---- In clear ---- */

static void clear_is_dropped(void **state)
{
	(void)state;
	for (uint8_t family = 4; family <= 6; family += 2)
		for (int back = 0; back < 2; back++) {
			segment(back ? 179 : 40000, back ? 40000 : 179, 0);
			from_peer(family, 6);
			from_core();
			EXPECT_DROP(host_policy_clear);
		}
	/* not only while there is an SA */
	world.tables->host_policy[POLICY4].sa_to_port = 0;
	world.tables->host_policy[POLICY4].sa_from_port = 0;
	segment(40000, 179, 0);
	from_peer(4, 6);
	from_core();
	EXPECT_DROP(host_policy_clear);
	for (size_t n = 0; n < 4; n++) {
		build_payload(&b, n);
		from_peer(4, 6);
		from_core();
		EXPECT_DROP(host_policy_clear);
	}
}

/* What the kernel would put together or walk through, and the worker does not. */
static void hidden_clear_is_dropped(void **state)
{
	static const uint16_t flags[] = {0x2000, 0x0001, 0x2001, 0x1fff};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		segment(40000, 22, 10);
		build_ip4_flags(&b, REMOTE4, LOCAL4, 6, flags[i]);
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
		from_core();
		EXPECT_DROP(host_policy_clear);
	}
	for (unsigned int headers = 1; headers <= 12; headers++) {
		segment(40000, 179, 10);
		for (unsigned int i = 0; i < headers; i++) {
			uint8_t *options = build_front(&b, 8);

			options[0] = i == 0 ? 6 : 60;
			options[2] = 1; /* PadN */
			options[3] = 4;
		}
		from_peer(6, 60);
		from_core();
		EXPECT_DROP(host_policy_clear);
	}
	segment(40000, 179, 10);
	sl_put32(build_front(&b, 8), 0x06000502); /* router alert, to be looked at by hosts */
	from_peer(6, 0);
	from_core();
	EXPECT_DROP(host_policy_clear);
	segment(40000, 179, 10);
	sl_put16(build_front(&b, 8), 0x0600); /* first fragment */
	build_bytes(&b)[3] = 1;
	from_peer(6, 44);
	from_core();
	EXPECT_DROP(host_policy_clear);
	/* An extension header in it, and TCP behind that. */
	for (uint16_t next = 0; next < 4; next++) {
		static const uint16_t inside[] = {0, 43, 44, 60};

		segment(40000, 179, 10);
		sl_put32(build_front(&b, 8), 0x06000104);
		sl_put16(build_front(&b, 8), (uint16_t)(inside[next] << 8));
		from_peer(6, 44);
		from_core();
		EXPECT_DROP(host_policy_clear);
	}
	segment(40000, 179, 10);
	build_front(&b, 24)[0] = 6; /* AH, which some kernels know */
	build_bytes(&b)[1] = 4;
	from_peer(6, 51);
	from_core();
	EXPECT_DROP(host_policy_clear);
}

/* ICMP errors about segments that nobody between the two can have seen. */
static void forged_errors_are_dropped(void **state)
{
	static const uint8_t types4[] = {3, 4, 5, 11, 12}, types6[] = {1, 2, 3, 4, 127};

	(void)state;
	for (size_t i = 0; i < sizeof(types4) + sizeof(types6); i++) {
		bool six = i >= sizeof(types4);

		segment(40000, 179, 0);
		if (six)
			build_ip6(&b, LOCAL6, REMOTE6, 6, 64);
		else
			build_ip4(&b, LOCAL4, REMOTE4, 6, 64);
		build_front(&b, 8)[0] = six ? types6[i - sizeof(types4)] : types4[i];
		if (six)
			build_ip6(&b, THERE6, LOCAL6, 58, 64);
		else
			build_ip4(&b, other4, LOCAL4, 1, 64);
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, six ? 0x86dd : 0x0800);
		from_core();
		EXPECT_DROP(host_policy_clear);
	}
}

static void other_traffic_is_punted(void **state)
{
	(void)state;
	segment(40000, 22, 10); /* not BGP */
	from_peer(4, 6);
	from_core();
	expect_punted();
	segment(40000, 179, 10); /* not this neighbour */
	build_ip4(&b, other4, LOCAL4, 6, 64);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	from_core();
	expect_punted();
	segment(40000, 179, 10); /* UDP */
	from_peer(4, 17);
	from_core();
	expect_punted();
	build_payload(&b, 60); /* ping */
	build_bytes(&b)[0] = 8;
	from_peer(4, 1);
	from_core();
	expect_punted();
	segment(40000, 22, 10); /* an error about something else */
	build_ip4(&b, LOCAL4, REMOTE4, 6, 64);
	build_front(&b, 8)[0] = 3;
	from_peer(4, 1);
	from_core();
	expect_punted();
	build_payload(&b, 20); /* and one about the ESP that went out: path MTU */
	build_ip4(&b, LOCAL4, REMOTE4, 50, 64);
	build_front(&b, 8)[0] = 3;
	from_peer(4, 1);
	from_core();
	expect_punted();
}

/* ---- In its SA ---- */

static void expect_opened(uint8_t family, const uint8_t *segment_bytes, size_t n)
{
	struct rte_mbuf *m = world_punted();
	struct build want = {.at = 0};

	assert_non_null(m);
	build_payload(&want, n);
	memcpy(build_bytes(&want), segment_bytes, n);
	if (family == 4)
		build_ip4(&want, REMOTE4, LOCAL4, 6, 255);
	else
		build_ip6(&want, REMOTE6, LOCAL6, 6, 255);
	build_eth(&want, PE_CORE_MAC, P_MAC, 0, family == 4 ? 0x0800 : 0x86dd);
	world_expect_bytes("opened", rte_pktmbuf_mtod(m, uint8_t *), m->data_len,
	                   build_bytes(&want), build_len(&want));
	assert_int_equal(sl_packet(m)->punt, SL_PUNT_FRAME);
	rte_pktmbuf_free(m);
	assert_int_equal(world_all_drops(), 0);
	assert_int_equal(world.worker.block->interface[IF_CORE].punted, 1);
	world_expect_quiet();
}

static void opened(void **state)
{
	static const uint8_t algorithms[] = {SL_ALG_AES_GCM_128, SL_ALG_AES_GCM_256};
	uint8_t copy[1500];

	(void)state;
	for (uint8_t family = 4; family <= 6; family += 2)
		for (size_t i = 0; i < 2; i++)
			for (size_t n = 0; n < 9; n++) {
				set(family);
				bgp_sas(family, algorithms[i]);
				segment(n & 1 ? 179 : 40000, n & 1 ? 40000 : 179, 100 * n + n);
				memcpy(copy, build_bytes(&b), build_len(&b));
				build_esp(&b, SA_BGP, 1, 6);
				from_peer(family, 50);
				from_core();
				expect_opened(family, copy, 20 + 100 * n + n);
				assert_int_equal(world.state->sa_in[SA_BGP].packets, 1);
			}
}

/* Headers that the integrity check does not cover do not reach the kernel. */
static void options_go(void **state)
{
	uint8_t copy[64], *ip;

	(void)state;
	segment(40000, 179, 10);
	memcpy(copy, build_bytes(&b), 30);
	build_esp(&b, SA_BGP, 1, 6);
	ip = build_front(&b, 24);
	memset(ip + 20, 1, 4); /* four times "no operation" */
	ip[0] = 0x46;
	sl_put16(ip + 2, (uint16_t)build_len(&b));
	sl_put16(ip + 6, 0x4000);
	ip[8] = 255;
	ip[9] = 50;
	memcpy(ip + 12, REMOTE4, 4);
	memcpy(ip + 16, LOCAL4, 4);
	build_sum4(&b);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	from_core();
	expect_opened(4, copy, 30);
	set(6);
	segment(40000, 179, 10);
	build_esp(&b, SA_BGP, 1, 6);
	build_front(&b, 8)[0] = 50;
	build_bytes(&b)[2] = 1;
	build_bytes(&b)[3] = 4;
	from_peer(6, 60);
	from_core();
	expect_opened(6, copy, 30);
}

/* What is built, inside of `sa`, and the SA does not stand for it. */
static void expect_refused(uint32_t sa)
{
	build_esp(&b, sa, 1, 6);
	from_peer(4, 50);
	from_core();
	EXPECT_DROP(esp_selector);
}

/* An SA of BGP yields TCP of BGP and nothing else: no label, no other port, no other protocol. */
static void selectors(void **state)
{
	(void)state;
	for (unsigned int next = 0; next < 256; next++) {
		if (next == 6 || next == 59)
			continue;
		build_labelled4(&b, LABEL_ALL, HERE4);
		if (next == 47)
			build_gre(&b, 0, 0x8847);
		build_esp(&b, SA_BGP, next + 1, (uint8_t)next);
		from_peer(4, 50);
		from_core();
	}
	scene_expect_drops(SL_DROP_esp_selector, 254);
	set(4);
	for (unsigned int next = 0; next < 256;
	     next++) { /* nor what looks like BGP, and says it is not TCP */
		if (next == 6 || next == 59)
			continue;
		segment(40000, 179, 10);
		build_esp(&b, SA_BGP, next + 1, (uint8_t)next);
		from_peer(4, 50);
		from_core();
	}
	scene_expect_drops(SL_DROP_esp_selector, 254);
	set(4);
	segment(40000, 22, 10);
	expect_refused(SA_BGP);
	for (size_t n = 0; n < 20; n++) { /* no whole TCP header */
		build_payload(&b, n);
		if (n >= 4)
			sl_put32(build_bytes(&b), 179u << 16 | 179u);
		expect_refused(SA_BGP);
	}
	segment(40000, 179, 10); /* TCP out of an SA of the VPN */
	expect_refused(1);
	world.tables->sa_in[SA_BGP].source_port = 179; /* negotiated for one side */
	segment(40000, 179, 10);
	expect_refused(SA_BGP);
	world.tables->sa_in[SA_BGP].destination_port = 179;
	segment(179, 40000, 10);
	expect_refused(SA_BGP);
	/* a row that says another protocol than its application has */
	world.tables->sa_in[SA_BGP].selector_protocol = 47;
	segment(40000, 179, 10);
	expect_refused(SA_BGP);
}

static void hostile(void **state)
{
	uint64_t sent = 0;

	(void)state;
	segment(40000, 179, 10);
	build_esp(&b, SA_BGP, 1, 6);
	build_ip4(&b, other4, LOCAL4, 50, 255); /* not from the peer */
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	from_core();
	EXPECT_DROP(esp_outer_address);
	for (int again = 0; again < 2; again++) {
		struct rte_mbuf *m;

		segment(40000, 179, 10);
		build_esp(&b, SA_BGP, 1, 6);
		from_peer(4, 50);
		from_core();
		m = world_punted();
		assert_true((m == NULL) == again);
		rte_pktmbuf_free(m);
	}
	EXPECT_DROP(esp_replayed);
	segment(40000, 179, 10);
	build_esp(&b, SA_BGP, 1, 6);
	from_peer(4, 50);
	for (size_t bit = 8 * 42; bit < 8 * build_len(&b); bit++) {
		build_bytes(&b)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		from_core();
		build_bytes(&b)[bit / 8] ^= (uint8_t)(1u << bit % 8);
		sent++;
	}
	scene_expect_drops(SL_DROP_esp_auth_failed, sent);
}

static void every_reason(void **state)
{
	(void)state;
	drops_expect_all(DROPS_HOST_POLICY_IN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_CASE(clear_is_dropped),
		HOST_CASE(hidden_clear_is_dropped),
		HOST_CASE(forged_errors_are_dropped),
		HOST_CASE(other_traffic_is_punted),
		HOST_CASE(opened),
		HOST_CASE(options_go),
		HOST_CASE(selectors),
		HOST_CASE(hostile),
		cmocka_unit_test(every_reason),
	};

	return cmocka_run_group_tests_name("host policy, inbound", tests, NULL, NULL);
}
