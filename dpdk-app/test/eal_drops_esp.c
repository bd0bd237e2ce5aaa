/* SPDX-License-Identifier: Apache-2.0 */
/* Drops between the core and the label: transit, SAs, ESP, GRE (support/drops.h). */
#include "support/drops.h"

static const uint8_t other_pe4[4] = {192, 0, 2, 77};
static const uint8_t other_pe6[16] = {0x20, 1, 0x0d, 0xb8, 0, 0x0f, [15] = 77};

/* ---- core ---- */

static void transit4(const uint8_t *to)
{
	build_payload(&b, 60);
	build_ip4(&b, REMOTE4, to, 17, 64);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	from_core();
	EXPECT(core_transit);
}

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
	transit4(PE_CE4);
	/* nor does a route that leads to a customer make the PE forward from the core */
	world_route(SL_VRF_CORE, 4, other_pe4, 32, scene.ce, 0, scene.accept_all);
	world_commit();
	transit4(other_pe4);
	/* nor one that leads back into the core */
	world_route(SL_VRF_CORE, 4, other_pe4, 32, world_adjacency(IF_CORE, 4), 0, 0);
	world_commit();
	transit4(other_pe4);
}

/* No fragment of a datagram: no payload, an end between two offsets, one beyond 65,535 (eal_reassemble.c: others). */
static void outer_fragment(void **state)
{
	static const uint8_t protocols[] = {47, 50, 137};
	static const struct {
		uint16_t flags, payload;
	} bad[] = {{0x2000, 0}, {0x2001, 60}, {0x0001, 0}, {0x1fff, 8}};

	(void)state;
	for (size_t i = 0; i < sizeof(protocols); i++)
		for (size_t j = 0; j < 4; j++) {
			world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE | SL_IF_ACCEPT_IP;
			build_payload(&b, bad[j].payload);
			build_ip4_flags(&b, REMOTE4, LOCAL4, protocols[i], bad[j].flags);
			build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
			from_core();
			EXPECT(outer_fragment);
			world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE | SL_IF_ACCEPT_IP;
			build_payload(&b, bad[j].payload);
			sl_put16(build_front(&b, 8) + 2,
			         (uint16_t)(bad[j].flags << 3 | bad[j].flags >> 13));
			build_bytes(&b)[0] = protocols[i];
			build_ip6(&b, REMOTE6, LOCAL6, 44, 64);
			build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x86dd);
			from_core();
			EXPECT(outer_fragment);
		}
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

/* RFC 3948: the SA is in UDP or it is not. */
static void esp_udp(void **state)
{
	(void)state;
	build_secured4(&b, 1, 1, LABEL_ALL, HERE4);
	world.tables->sa_in[1].udp_source_port = world.tables->sa_in[1].udp_destination_port = 4500;
	from_core();
	EXPECT(esp_udp);
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, 1, 47);
	build_udp(&b, 4500, 4500);
	build_core4(&b, 17);
	from_core();
	EXPECT(esp_udp);
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
	world.tables->sa_in[1].application = SL_APP_BGP + 1;
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

static void every_reason_was_provoked(void **state)
{
	(void)state;
	drops_expect_all(DROPS_ESP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(core_transit),
		CASE(outer_fragment),
		CASE(esp_truncated),
		CASE(esp_unknown_spi),
		CASE(esp_not_ready),
		CASE(esp_outer_address),
		CASE(esp_replayed),
		CASE(esp_replayed_within_a_burst),
		CASE(esp_auth_failed),
		CASE(esp_padding),
		CASE(esp_udp),
		CASE(esp_dummy),
		CASE(esp_selector),
		CASE(esp_application),
		CASE(gre_header),
		CASE(gre_protocol),
		CASE(gre_clear),
		CASE(mpls_in_ip_clear),
		CASE(every_reason_was_provoked),
	};

	return cmocka_run_group_tests_name("eal_drops_esp", tests, NULL, NULL);
}
