/* SPDX-License-Identifier: Apache-2.0 */
/* BGP of the kernel inside its own SA, or not at all (policy-model 18). */
#include "esp/sequence.h"
#include "support/drops.h"
#include "tables/host_policy.h"

enum { SA_BGP = 2, POLICY4 = 5, POLICY6 = 6 };
#define SPI_BGP_IN (VEC_SPI_IN + 1)
#define SPI_BGP_OUT (VEC_SPI_OUT + 1)
#define GENERATION 9u

static const uint8_t other4[4] = {192, 0, 2, 77};

/* ---- The scene: one peer, IPv4 and IPv6, one SA pair for the family asked for ---- */

static void add_policy(uint32_t id, uint8_t family, const uint8_t *local, const uint8_t *remote)
{
	struct sl_host_policy_row *row = &world.tables->host_policy[id];
	uint32_t *head;

	*row = (struct sl_host_policy_row){.state = SL_ROW_LIVE,
	                                   .family = family,
	                                   .protocol = 6,
	                                   .port = SL_PORT_BGP,
	                                   .sa_to_port = sl_host_sa(GENERATION, SA_BGP),
	                                   .sa_from_port = sl_host_sa(GENERATION, SA_BGP)};
	memcpy(row->local, local, family == 4 ? 4 : 16);
	memcpy(row->remote, remote, family == 4 ? 4 : 16);
	head = &world.tables->host_policy_head[sl_host_policy_chain(row->remote)];
	row->next = *head;
	*head = id;
}

static void bgp_sas(uint8_t family, uint8_t algorithm)
{
	struct sl_sa_row out = world_sa_row(algorithm, family, false, SL_ENCAP_NONE);
	struct sl_sa_row in = world_sa_row(algorithm, family, true, SL_ENCAP_NONE);

	out.application = in.application = SL_APP_BGP;
	out.selector_protocol = in.selector_protocol = 6;
	out.generation = in.generation = GENERATION;
	out.spi = SPI_BGP_OUT;
	in.spi = SPI_BGP_IN;
	in.sp_table = 0;
	world_sa_out(SA_BGP, &out);
	world_sa_in(SA_BGP, &in);
}

static void set(uint8_t family)
{
	scene_set();
	bgp_sas(family, SL_ALG_AES_GCM_128);
	add_policy(POLICY4, 4, LOCAL4, REMOTE4);
	add_policy(POLICY6, 6, LOCAL6, REMOTE6);
}

static int protected_peer(void **state)
{
	(void)state;
	set(4);
	return 0;
}

/* As EXPECT() of drops.h, and the scene of here again. */
#define EXPECT_DROP(reason)                                                                        \
	do {                                                                                       \
		scene_expect_drops(SL_DROP_##reason, 1);                                           \
		set(4);                                                                            \
	} while (0)
#define HOST_CASE(test) cmocka_unit_test_setup(test, protected_peer)

/* A segment with `n` bytes of data behind 20 of header. */
static void segment(uint16_t source, uint16_t destination, size_t n)
{
	uint8_t *tcp;

	build_payload(&b, n);
	tcp = build_front(&b, 20);
	sl_put16(tcp, source);
	sl_put16(tcp + 2, destination);
	tcp[12] = 5 << 4;
	tcp[13] = 0x18;
}

static void to_peer(uint8_t family)
{
	if (family == 4)
		build_ip4(&b, LOCAL4, REMOTE4, 6, 255);
	else
		build_ip6(&b, LOCAL6, REMOTE6, 6, 255);
	build_eth(&b, P_MAC, PE_CORE_MAC, 0, family == 4 ? 0x0800 : 0x86dd);
}

static void from_peer(uint8_t family, uint8_t protocol)
{
	if (family == 4)
		build_ip4(&b, REMOTE4, LOCAL4, protocol, 255);
	else
		build_ip6(&b, REMOTE6, LOCAL6, protocol, 255);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, family == 4 ? 0x0800 : 0x86dd);
}

static void inject(uint32_t interface) { world_inject(interface, build_bytes(&b), build_len(&b)); }

/* ---- Outbound ---- */

/* What was sealed, opened as the peer would: the outbound SA's row taken for an inbound one's. */
static void expect_sealed(uint8_t family, const uint8_t *clear, size_t n)
{
	size_t ip = family == 4 ? 20 : 40, segment_len = n - 14 - ip, length;
	uint8_t frame[2048], nonce[12], *esp = frame + 14 + ip;
	size_t got = world_sent(PORT_CORE, frame);
	struct sl_esp_trailer trailer;
	uint8_t want[60];

	assert_int_equal(got, n + 16 + sl_esp_trailer_len(segment_len) + 16);
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
				                         sl_esp_trailer_len(20 + n * 100 + n));
				assert_int_equal(world_all_drops(), 0);
				world_expect_quiet();
			}
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

/* Whatever is wrong with the SA: nothing leaves. */
static void never_in_clear(void **state)
{
	(void)state;
#define SEND()                                                                                     \
	do {                                                                                       \
		segment(40000, 179, 10);                                                           \
		to_peer(4);                                                                        \
		inject(IF_CORE);                                                                   \
	} while (0)
	world.tables->host_policy[POLICY4].sa_to_port = 0;
	SEND();
	EXPECT_DROP(host_policy_no_sa);
	world.tables->host_policy[POLICY4].sa_to_port = sl_host_sa(GENERATION + 1, SA_BGP);
	SEND();
	EXPECT_DROP(sa_not_ready);
	world.tables->host_policy[POLICY4].sa_to_port = sl_host_sa(GENERATION, SA_BGP + 1);
	SEND();
	EXPECT_DROP(sa_not_ready);
	world.state->sa_out[SA_BGP].ready_generation = 0;
	SEND();
	EXPECT_DROP(sa_not_ready);
	world.tables->host_policy[POLICY4].sa_to_port =
		sl_host_sa(world.tables->sa_out[1].generation, 1); /* an SA of the VPN */
	SEND();
	EXPECT_DROP(sa_not_ready);
	world.state->sa_out[SA_BGP].last_sequence = SL_ESP_LAST_SEQUENCE;
	SEND();
	EXPECT_DROP(sa_exhausted);
	world.tables->interface[IF_CORE].mtu = 20 + 30 + 16 + 4 + 16 - 3; /* one byte short */
	SEND();
	EXPECT_DROP(mtu_exceeded);
}

static void fragments_are_dropped(void **state)
{
	static const uint16_t flags[] = {0x2000, 0x0001, 0x2001, 0x1fff};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		segment(40000, 179, 10);
		build_ip4(&b, LOCAL4, REMOTE4, 6, 64);
		sl_put16(build_bytes(&b) + 6, flags[i]);
		build_sum4(&b);
		build_eth(&b, P_MAC, PE_CORE_MAC, 0, 0x0800);
		inject(IF_CORE);
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

/* ---- Inbound in clear ---- */

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
		build_ip4(&b, REMOTE4, LOCAL4, 6, 64);
		sl_put16(build_bytes(&b) + 6, flags[i]);
		build_sum4(&b);
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
	static const uint8_t types4[] = {3, 4, 5, 11, 12}, types6[] = {1, 2, 3, 4, 127, 137};

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

static void expect_punted(void)
{
	struct rte_mbuf *m = world_punted();

	assert_non_null(m);
	assert_int_equal(sl_packet(m)->interface, IF_CORE);
	world_expect_bytes("punted", rte_pktmbuf_mtod(m, uint8_t *), m->data_len, build_bytes(&b),
	                   build_len(&b));
	rte_pktmbuf_free(m);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
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

/* ---- Inbound in its SA ---- */

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
	segment(40000, 22, 10);
	build_esp(&b, SA_BGP, 1, 6);
	from_peer(4, 50);
	from_core();
	EXPECT_DROP(esp_selector);
	for (size_t n = 0; n < 20; n++) { /* no whole TCP header */
		build_payload(&b, n);
		if (n >= 4)
			sl_put32(build_bytes(&b), 179u << 16 | 179u);
		build_esp(&b, SA_BGP, 1, 6);
		from_peer(4, 50);
		from_core();
		EXPECT_DROP(esp_selector);
	}
	/* TCP out of an SA of the VPN */
	segment(40000, 179, 10);
	build_esp(&b, 1, 1, 6);
	from_peer(4, 50);
	from_core();
	EXPECT_DROP(esp_selector);
	/* an SA that was negotiated for one side */
	world.tables->sa_in[SA_BGP].source_port = 179;
	segment(40000, 179, 10);
	build_esp(&b, SA_BGP, 1, 6);
	from_peer(4, 50);
	from_core();
	EXPECT_DROP(esp_selector);
	world.tables->sa_in[SA_BGP].destination_port = 179;
	segment(179, 40000, 10);
	build_esp(&b, SA_BGP, 1, 6);
	from_peer(4, 50);
	from_core();
	EXPECT_DROP(esp_selector);
	/* a row that says another protocol than its application has */
	world.tables->sa_in[SA_BGP].selector_protocol = 47;
	segment(40000, 179, 10);
	build_esp(&b, SA_BGP, 1, 6);
	from_peer(4, 50);
	from_core();
	EXPECT_DROP(esp_selector);
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
	drops_expect_all(DROPS_HOST_POLICY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_CASE(sealed),
		HOST_CASE(sealed_with_vlan),
		HOST_CASE(one_side_alone),
		HOST_CASE(never_in_clear),
		HOST_CASE(fragments_are_dropped),
		HOST_CASE(others_are_left_alone),
		HOST_CASE(clear_is_dropped),
		HOST_CASE(hidden_clear_is_dropped),
		HOST_CASE(forged_errors_are_dropped),
		HOST_CASE(other_traffic_is_punted),
		HOST_CASE(opened),
		HOST_CASE(options_go),
		HOST_CASE(selectors),
		HOST_CASE(hostile),
		HOST_CASE(full_table),
		cmocka_unit_test(every_reason),
	};

	return cmocka_run_group_tests_name("host policy", tests, NULL, NULL);
}
