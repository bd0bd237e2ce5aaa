/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Malformed packets by the table: every IPv4 option, chains of IPv6 extension headers and label stacks by
 * Scapy (vectors/malformed.py), and every value of every length field, every GRE header, ESP cut at every
 * octet by all suites. Of each: no crash (sanitizer builds see every access), and the one outcome it has to
 * have: sent, given to the kernel, or dropped for that one reason.
 */
#include "support/drops.h"

#define TO_CE (-1)
#define PUNTED (-2)
#define HELD (-3) /* a fragment, for the others */

struct malformed {
	const char *name;
	int outcome; /* enum sl_drop_reason, or of the above */
	const char *frame;
};

#include "vectors/malformed.h"

/* Sent, punted and dropped since the last call: exactly one packet, `outcome` of it. */
static void expect_outcome(const char *name, int outcome, uint64_t drops_before)
{
	static uint8_t frame[2048];
	uint64_t dropped = world_all_drops() - drops_before;
	unsigned int sent = 0, punted = 0;
	struct rte_mbuf *m;

	while (world_sent(PORT_CE, frame) != 0)
		sent++;
	while ((m = world_punted()) != NULL) {
		punted++;
		rte_pktmbuf_free(m);
	}
	if (sent != (outcome == TO_CE) || punted != (outcome == PUNTED) ||
	    dropped != (outcome >= 0) || world_sent(PORT_CORE, frame) != 0) {
		for (unsigned int i = 0; i < SL_DROP_COUNT && outcome != (int)i; i++)
			if (world_drops(i) != 0)
				print_message("    so far %lu of %s\n", world_drops(i),
				              scene_reason_name(i));
		fail_msg("%s: %u sent, %u punted, %lu dropped, but expected %s", name, sent, punted,
		         dropped,
		         outcome >= 0 ? scene_reason_name((unsigned int)outcome)
		                      : (outcome == TO_CE ? "to be sent" : "to be punted"));
	}
	assert_int_equal(world.worker.reassembly.pieces, outcome == HELD);
	if (outcome == HELD)
		sl_pipeline_end(&world.worker); /* drops it */
	assert_int_equal(rte_mempool_avail_count(world.worker.pool), WORLD_MBUFS);
}

/* What is built, by `port`; the one outcome. */
static void expect(const char *name, uint32_t port, int outcome)
{
	uint64_t drops = world_all_drops();
	uint64_t of_reason = outcome >= 0 ? world_drops((enum sl_drop_reason)outcome) : 0;

	build_receive(&b, port);
	expect_outcome(name, outcome, drops);
	if (outcome >= 0 && world_drops((enum sl_drop_reason)outcome) != of_reason + 1)
		fail_msg("%s: not dropped as %s", name, scene_reason_name((unsigned int)outcome));
}

static void run_vectors(const struct malformed *vectors, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		build_payload(&b, 0);
		b.end += hex_bytes(vectors[i].frame, b.room + b.at, sizeof(b.room) - b.at);
		expect(vectors[i].name,
		       memcmp(build_bytes(&b), PE_CE_MAC, 6) == 0 ? PORT_CE : PORT_CORE,
		       vectors[i].outcome);
	}
}
#define RUN(vectors) run_vectors(vectors, sizeof(vectors) / sizeof((vectors)[0]))

static void ip4_options(void **state)
{
	(void)state;
	RUN(malformed_options4);
}

static void ip6_extension_headers(void **state)
{
	(void)state;
	RUN(malformed_chains6);
}

static void accept_clear(void)
{
	world.tables->interface[IF_CORE].flags =
		SL_IF_ACCEPT_GRE | SL_IF_ACCEPT_IP | SL_IF_MPLS_OWN_SP;
}

static void label_stacks(void **state)
{
	(void)state;
	accept_clear();
	RUN(malformed_stacks);
}

/* ---- lengths ---- */

/* The IPv4 header `at` octets into what is built has this total length, and a right checksum. */
static void set_total4(size_t at, uint16_t total)
{
	b.at += at;
	sl_put16(build_bytes(&b) + 2, total);
	build_sum4(&b);
	b.at -= at;
}

static void every_ip4_total_length(void **state)
{
	(void)state;
	for (uint32_t total = 0; total <= UINT16_MAX; total++) {
		build_from_ce4(&b, A4(10, 1, 1, 7), 20, 9);
		set_total4(14, (uint16_t)total);
		expect("from the CE", PORT_CE,
		       total < 20 || total > 40 ? SL_DROP_ip4_header : TO_CE);
	}
}

static void every_inner_ip4_total_length(void **state)
{
	(void)state;
	for (uint32_t total = 0; total <= UINT16_MAX; total += total < 300 ? 1 : 97) {
		scene_set();
		build_labelled4(&b, LABEL_ALL, HERE4);
		set_total4(4, (uint16_t)total);
		build_gre(&b, 0, 0x8847);
		build_esp(&b, 1, 1, 47);
		build_core4(&b, 50);
		expect("out of the SA", PORT_CORE,
		       total < 20 || total > 60 ? SL_DROP_ip4_header : TO_CE);
	}
}

static void every_ip6_payload_length(void **state)
{
	(void)state;
	for (uint32_t length = 0; length <= UINT16_MAX; length++) {
		build_from_ce6(&b, HERE6, 20, 9);
		sl_put16(build_bytes(&b) + 18, (uint16_t)length);
		expect("from the CE", PORT_CE, length > 20 ? SL_DROP_ip6_header : TO_CE);
	}
}

/* All versions and header lengths, with as many octets behind as there are. */
static void every_first_octet(void **state)
{
	(void)state;
	for (unsigned int n = 0; n <= 80; n++)
		for (unsigned int first = 0; first < 256; first++) {
			unsigned int header = (first & 15) * 4;
			bool good = first >> 4 == 4 && header >= 20 && n >= header;

			build_payload(&b, 0);
			b.end += n;
			memset(build_bytes(&b), 1, n); /* padding, as options */
			if (n >= 20) {
				memcpy(build_bytes(&b) + 12, HERE4, 4);
				memcpy(build_bytes(&b) + 16, A4(10, 1, 1, 7), 4);
				sl_put16(build_bytes(&b) + 2, (uint16_t)n);
				build_bytes(&b)[8] = 9; /* TTL */
				build_bytes(&b)[0] = (uint8_t)first;
				if (n >= header)
					build_sum4(&b);
			} else if (n > 0) {
				build_bytes(&b)[0] = (uint8_t)first;
			}
			build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
			expect("first octet", PORT_CE, good ? TO_CE : SL_DROP_ip4_header);
		}
}

/* Of ESP in UDP: what does not count exactly the datagram is not ESP, but the kernel's (IKE). */
static void every_udp_length(void **state)
{
	struct sl_sa_row in = world_sa_row(SL_ALG_AES_GCM_128, 4, true, SL_ENCAP_GRE);

	(void)state;
	in.udp_source_port = in.udp_destination_port = 4500;
	for (uint32_t length = 0; length <= UINT16_MAX; length++) {
		bool good;

		world_sa_in(1, &in);
		build_labelled4(&b, LABEL_ALL, HERE4);
		build_gre(&b, 0, 0x8847);
		build_esp(&b, 1, 1, 47);
		build_udp(&b, 4500, 4500);
		good = length == build_len(&b);
		sl_put16(build_bytes(&b) + 4, (uint16_t)length);
		build_core4(&b, 17);
		expect("UDP length", PORT_CORE, good ? TO_CE : PUNTED);
	}
}

/* ---- GRE ---- */

/* All flags, reserved bits and versions; then all EtherTypes: what is not the one that is sent is dropped. */
static void every_gre_header(void **state)
{
	struct sl_sa_row in = world_sa_row(SL_ALG_AES_GCM_128, 4, true, SL_ENCAP_GRE);

	(void)state;
	accept_clear();
	for (uint32_t word = 0; word <= UINT16_MAX; word++)
		for (unsigned int how = 0; how < 4; how++) {
			bool sealed = how & 1, flags = how & 2;
			int outcome = flags ? (word == 0 ? TO_CE : SL_DROP_gre_header)
			                    : (word == 0x8847 ? TO_CE : SL_DROP_gre_protocol);

			build_labelled4(&b, LABEL_ALL, HERE4);
			build_gre(&b, (uint16_t)(flags ? word : 0),
			          (uint16_t)(flags ? 0x8847 : word));
			if (sealed) {
				world_sa_in(1, &in);
				build_esp(&b, 1, 1, 47);
			}
			build_core4(&b, sealed ? 50 : 47);
			expect(sealed ? "in ESP" : "in clear", PORT_CORE, outcome);
		}
}

/* ---- ESP ---- */

/*
 * What comes of the first `n` octets of an ESP packet, by RFC 4303 and the suite's RFC: less than header, IV,
 * two octets of trailer and ICV is truncated; so is, where the suite has blocks, no whole number of them; all
 * other is not authentic.
 */
static int cut_outcome(const struct sl_suite *suite, bool esn, size_t n)
{
	size_t around = 8u + suite->iv + suite->icv;
	bool direct = suite->kind == SL_SUITE_GCM || suite->kind == SL_SUITE_GMAC;

	if (n < around + 2)
		return SL_DROP_esp_truncated;
	if ((!direct || esn) && (n - around) % suite->align != 0)
		return SL_DROP_esp_truncated;
	return SL_DROP_esp_auth_failed;
}

static void esp_cut_by(uint8_t algorithm, bool esn, uint8_t family)
{
	const struct sl_suite *suite = sl_suite_of(algorithm);
	struct sl_sa_row in = world_sa_row(algorithm, family, true, SL_ENCAP_GRE);
	size_t whole = SIZE_MAX;

	in.esn = esn;
	for (size_t n = 0; n <= whole; n++) {
		world_sa_in(1, &in);
		build_labelled4(&b, LABEL_ALL, HERE4);
		build_gre(&b, 0, 0x8847);
		build_esp(&b, 1, 1, 47);
		whole = build_len(&b);
		b.end = b.at + n;
		if (family == 4)
			build_ip4(&b, REMOTE4, LOCAL4, 50, 60);
		else
			build_ip6(&b, REMOTE6, LOCAL6, 50, 60);
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, family == 4 ? 0x0800 : 0x86dd);
		expect(suite->name, PORT_CORE, n == whole ? TO_CE : cut_outcome(suite, esn, n));
	}
}

static void esp_cut_at_every_octet(void **state)
{
	(void)state;
	for (unsigned int algorithm = 1; algorithm <= SL_ALG_NULL_SHA_512; algorithm++)
		for (unsigned int how = 0; how < 4; how++)
			esp_cut_by((uint8_t)algorithm, how & 1, how & 2 ? 6 : 4);
}

/* Sealed by the right key around nothing, or around less than its trailer says. */
static void every_pad_length(void **state)
{
	(void)state;
	for (unsigned int body = 0; body <= 64; body += 4)
		for (unsigned int pad = 0; pad < 256; pad++) {
			/* as a dummy: what is in front of the padding does not matter then */
			bool fits = pad + 2 <= body + 4;
			uint8_t nonce[SL_ESP_NONCE_LEN], *esp;
			size_t length;

			scene_set();
			build_payload(&b, 0);
			for (unsigned int i = 0; i < body + 2; i++)
				b.room[b.end++] = (uint8_t)(i + 1 - (body + 2 - pad));
			b.room[b.end++] = (uint8_t)pad;
			b.room[b.end++] = 59;
			length = build_len(&b);
			esp = build_front(&b, 16);
			sl_put32(esp, VEC_SPI_IN);
			b.end += 16;
			sl_esp_write_sequence(esp, 1, world.keys_in[1]->salt, nonce);
			sl_esp_seal(world.keys_in[1], esp, length, nonce);
			build_core4(&b, 50);
			expect("pad length", PORT_CORE,
			       fits ? SL_DROP_esp_dummy : SL_DROP_esp_padding);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(ip4_options),
		CASE(ip6_extension_headers),
		CASE(label_stacks),
		CASE(every_ip4_total_length),
		CASE(every_inner_ip4_total_length),
		CASE(every_ip6_payload_length),
		CASE(every_first_octet),
		CASE(every_udp_length),
		CASE(every_gre_header),
		CASE(esp_cut_at_every_octet),
		CASE(every_pad_length),
	};

	return cmocka_run_group_tests_name("eal_malformed", tests, NULL, NULL);
}
