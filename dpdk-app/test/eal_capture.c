/* SPDX-License-Identifier: Apache-2.0 */
/* What is captured at which point, and what bounds it: the PE of support/scene.h. */
#include "control/captures.h"
#include "support/drops.h"

static struct sl_workers workers = {.count = 1, .thread = {&world.worker}};
static struct sl_captures captures;
static Sealane__Worker__V1__CaptureChunk *chunk;
static struct sl_fault fault;

static int fresh_captures(void **state)
{
	(void)state;
	scene_set();
	captures = (struct sl_captures){.workers = &workers};
	return 0;
}

/* The list is taken at the beginning of a round; here there is one before each packet. */
static void next_round(void) { world.worker.capture = world.worker.capture_next; }

static int no_captures(void **state)
{
	(void)state;
	sl_captures_end(&captures);
	next_round();
	assert_null(world.worker.capture);
	return 0;
}

static Sealane__Worker__V1__StartCapture request(uint32_t id, enum sl_capture_point point,
                                                 uint32_t row)
{
	Sealane__Worker__V1__StartCapture in = SEALANE__WORKER__V1__START_CAPTURE__INIT;

	in.session = id;
	in.point = (Sealane__Worker__V1__CapturePoint)point;
	if (point == SL_CAPTURE_AT_INTERFACE)
		in.interface = row;
	else
		in.vrf = row;
	in.snap_length = SL_CAPTURE_SNAP_MAX;
	in.packets = 1000000;
	in.bytes = 1u << 30;
	in.seconds = 60;
	return in;
}

static void start(const Sealane__Worker__V1__StartCapture *in)
{
	assert_null(sl_captures_check(in));
	assert_int_equal(sl_captures_start(&captures, in, &fault), 0);
	next_round();
}

static void begin(uint32_t id, enum sl_capture_point point, uint32_t row)
{
	Sealane__Worker__V1__StartCapture in = request(id, point, row);

	start(&in);
}

static size_t read_chunk(uint32_t id)
{
	assert_int_equal(sl_captures_read(&captures, id, &chunk, &fault), 0);
	next_round();
	return chunk->n_packets;
}

static void expect(size_t i, enum sl_capture_link link, uint32_t interface, uint32_t vrf,
                   enum sl_capture_direction direction, const uint8_t *bytes, size_t n)
{
	const Sealane__Worker__V1__CapturedPacket *packet = chunk->packets[i];

	assert_int_equal(packet->link_type, link);
	assert_int_equal(packet->interface, interface);
	assert_int_equal(packet->vrf, vrf);
	assert_int_equal(packet->direction, direction);
	assert_int_equal(packet->length, n);
	world_expect_bytes("captured", packet->data.data, packet->data.len, bytes, n);
}

static void send_secured(uint32_t label)
{
	build_labelled4(&b, label, HERE4);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, 1, 47);
	build_core4(&b, 50);
	from_core();
}

/* Both directions of one interface, and nothing of another, or of another VLAN on the port. */
static void at_an_interface(void **state)
{
	uint8_t frame[2048];
	size_t n;

	(void)state;
	begin(1, SL_CAPTURE_AT_INTERFACE, IF_CE);
	begin(2, SL_CAPTURE_AT_INTERFACE, IF_CORE);
	begin(3, SL_CAPTURE_AT_INTERFACE, IF_CE_VLAN);
	build_from_ce4(&b, THERE4, 30, 64);
	from_ce();
	n = world_sent(PORT_CORE, frame);
	assert_int_equal(read_chunk(1), 1);
	expect(0, SL_CAPTURE_ETHERNET, IF_CE, VRF_A, SL_CAPTURE_RECEIVED, build_bytes(&b),
	       build_len(&b));
	assert_int_equal(read_chunk(2), 1);
	expect(0, SL_CAPTURE_ETHERNET, IF_CORE, SL_VRF_CORE, SL_CAPTURE_SENT, frame, n);
	send_secured(LABEL_ALL);
	n = world_sent(PORT_CE, frame);
	assert_int_equal(read_chunk(2), 1);
	expect(0, SL_CAPTURE_ETHERNET, IF_CORE, SL_VRF_CORE, SL_CAPTURE_RECEIVED, build_bytes(&b),
	       build_len(&b));
	assert_int_equal(read_chunk(1), 1);
	expect(0, SL_CAPTURE_ETHERNET, IF_CE, VRF_A, SL_CAPTURE_SENT, frame, n);
	assert_int_equal(read_chunk(3), 0);
	world_expect_quiet();
}

/* A frame whose tag the driver has taken off is shown as it was on the wire, taken and dropped alike. */
static void with_the_tag_it_had(void **state)
{
	(void)state;
	begin(1, SL_CAPTURE_AT_INTERFACE, IF_CE_VLAN);
	begin(2, SL_CAPTURE_AT_DROPS, 0);
	for (int bad = 0; bad < 2; bad++) {
		uint8_t frame[2048];
		struct rte_mbuf *m;

		build_payload(&b, 30);
		build_ip4(&b, HERE4, A4(10, 1, 1, 7), 17, 64);
		build_bytes(&b)[10] ^= (uint8_t)bad;
		build_eth(&b, PE_CE_MAC, CE_MAC, VLAN_A, 0x0800);
		sl_put16(build_bytes(&b) + 14, 0x6000 | VLAN_A);
		m = world_frame(build_bytes(&b), build_len(&b));
		memmove(rte_pktmbuf_mtod(m, uint8_t *) + 4, build_bytes(&b), 12);
		rte_pktmbuf_adj(m, 4);
		m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
		m->vlan_tci = 0x6000 | VLAN_A;
		sl_pipeline_receive(&world.worker, PORT_CE, &m, 1);
		sl_pipeline_flush(&world.worker);
		assert_int_equal(world_sent(PORT_CE, frame) == 0, bad);
		assert_int_equal(read_chunk(1), 1);
		expect(0, SL_CAPTURE_ETHERNET, IF_CE_VLAN, VRF_A, SL_CAPTURE_RECEIVED,
		       build_bytes(&b), build_len(&b));
		assert_int_equal(read_chunk(2), bad);
	}
	expect(0, SL_CAPTURE_ETHERNET, IF_CE_VLAN, VRF_A, SL_CAPTURE_RECEIVED, build_bytes(&b),
	       build_len(&b));
	assert_int_equal(world.worker.block->interface[IF_CE_VLAN].rx_bytes, 2 * build_len(&b));
	scene_expect_drops(SL_DROP_ip4_checksum, 1);
}

/* A packet of a VRF on its way out, with its label in clear, and as it is on the wire. */
static void of_a_vrf_out(void **state)
{
	uint8_t frame[2048], want[128];
	size_t n;

	(void)state;
	begin(1, SL_CAPTURE_BEFORE_CRYPTO, VRF_A);
	begin(2, SL_CAPTURE_AFTER_CRYPTO, VRF_A);
	begin(3, SL_CAPTURE_BEFORE_CRYPTO, VRF_B);
	begin(4, SL_CAPTURE_AFTER_CRYPTO, VRF_B);
	build_from_ce4(&b, THERE4, 33, 64);
	memcpy(want + 4, build_bytes(&b) + 14, 53);
	from_ce();
	want[4 + 8]--; /* TTL */
	sl_put16(want + 4 + 10, 0);
	sl_put16(want + 4 + 10, (uint16_t)~sl_sum_fold(sl_sum(want + 4, 20, 0)));
	sl_put32(want, (uint32_t)VEC_LABEL_OUT << 12 | 1u << 8 | 255);
	n = world_sent(PORT_CORE, frame);
	assert_int_equal(read_chunk(1), 1);
	expect(0, SL_CAPTURE_MPLS, IF_CORE, VRF_A, SL_CAPTURE_SENT, want, 57);
	assert_int_equal(read_chunk(2), 1);
	expect(0, SL_CAPTURE_ETHERNET, IF_CORE, VRF_A, SL_CAPTURE_SENT, frame, n);
	assert_int_equal(frame[23], 50);
	assert_int_equal(read_chunk(3), 0);
	assert_int_equal(read_chunk(4), 0);
	world_expect_quiet();
}

static void of_a_vrf_in(void **state)
{
	uint8_t frame[2048], want[128];
	size_t n;

	(void)state;
	begin(1, SL_CAPTURE_BEFORE_CRYPTO, VRF_A);
	begin(2, SL_CAPTURE_AFTER_CRYPTO, VRF_A);
	begin(3, SL_CAPTURE_BEFORE_CRYPTO, VRF_B);
	begin(4, SL_CAPTURE_AFTER_CRYPTO, VRF_B);
	build_labelled4(&b, LABEL_ALL, HERE4);
	n = build_len(&b);
	memcpy(want, build_bytes(&b), n);
	send_secured(LABEL_ALL);
	assert_int_not_equal(world_sent(PORT_CE, frame), 0);
	assert_int_equal(read_chunk(1), 1);
	expect(0, SL_CAPTURE_MPLS, IF_CORE, VRF_A, SL_CAPTURE_RECEIVED, want, n);
	assert_int_equal(read_chunk(2), 1);
	expect(0, SL_CAPTURE_ETHERNET, IF_CORE, VRF_A, SL_CAPTURE_RECEIVED, build_bytes(&b),
	       build_len(&b)); /* encrypted, though it has been opened in its buffer since */
	assert_int_equal(read_chunk(3), 0);
	assert_int_equal(read_chunk(4), 0);
	world_expect_quiet();
}

/* The frame as it came; behind an SA the packet from its label on. */
static void drops(void **state)
{
	uint8_t frame[2048], want[128];
	size_t n;

	(void)state;
	begin(1, SL_CAPTURE_AT_DROPS, 0);
	build_from_ce4(&b, A4(10, 4, 0, 1), 30, 64);
	from_ce();
	assert_int_equal(read_chunk(1), 1);
	expect(0, SL_CAPTURE_ETHERNET, IF_CE, VRF_A, SL_CAPTURE_RECEIVED, build_bytes(&b),
	       build_len(&b));
	assert_int_equal(chunk->packets[0]->drop_reason, SL_DROP_blackhole);

	build_from_ce4(&b, THERE4, 30, 1); /* answered by ICMP: a drop, and no other */
	from_ce();
	assert_int_equal(read_chunk(1), 1);
	expect(0, SL_CAPTURE_ETHERNET, IF_CE, VRF_A, SL_CAPTURE_RECEIVED, build_bytes(&b),
	       build_len(&b));
	assert_int_equal(chunk->packets[0]->drop_reason, SL_DROP_ttl_expired);
	assert_int_not_equal(world_sent(PORT_CE, frame), 0);

	build_labelled4(&b, 99999, HERE4);
	n = build_len(&b);
	memcpy(want, build_bytes(&b), n);
	send_secured(99999);
	assert_int_equal(read_chunk(1), 1);
	expect(0, SL_CAPTURE_MPLS, IF_CORE, SL_VRF_CORE, SL_CAPTURE_RECEIVED, want, n);
	assert_int_equal(chunk->packets[0]->drop_reason, SL_DROP_label_unknown);

	/* damaged: as it came, not what decryption made of it */
	build_labelled4(&b, LABEL_ALL, HERE4);
	build_gre(&b, 0, 0x8847);
	build_esp(&b, 1, 2, 47);
	build_core4(&b, 50);
	b.room[b.end - 1] ^= 1;
	from_core();
	assert_int_equal(read_chunk(1), 1);
	expect(0, SL_CAPTURE_ETHERNET, IF_CORE, SL_VRF_CORE, SL_CAPTURE_RECEIVED, build_bytes(&b),
	       build_len(&b));
	assert_int_equal(chunk->packets[0]->drop_reason, SL_DROP_esp_auth_failed);

	world.worker.ports[PORT_CORE].dpdk_port = RTE_MAX_ETHPORTS;
	build_from_ce4(&b, THERE4, 30, 64); /* sealed, and nowhere to go */
	from_ce();
	assert_int_equal(read_chunk(1), 1);
	assert_int_equal(chunk->packets[0]->drop_reason, SL_DROP_tx_no_port);
	assert_int_equal(chunk->packets[0]->interface, IF_CORE);
	assert_int_equal(chunk->packets[0]->direction, SL_CAPTURE_SENT);
	assert_int_equal(chunk->packets[0]->data.data[23], 50);
	world.worker.ports[PORT_CORE].dpdk_port = 1;
	world_expect_quiet();
}

/* A filter of frames for frames, one of packets for what is under a label. */
static void filters(void **state)
{
	uint64_t ethernet[] = {0x0020ull << 48 | 30, 0x0015ull << 48 | 1ull << 32 | 0x0a020202,
	                       0x0006ull << 48 | 1, 0x0006ull << 48};
	uint64_t ip[] = {0x0020ull << 48 | 16, 0x0015ull << 48 | 1ull << 32 | 0x0a020202,
	                 0x0006ull << 48 | 1, 0x0006ull << 48};
	Sealane__Worker__V1__StartCapture at = request(1, SL_CAPTURE_AT_INTERFACE, IF_CE);
	Sealane__Worker__V1__StartCapture of = request(2, SL_CAPTURE_BEFORE_CRYPTO, VRF_A);
	uint8_t frame[2048];

	(void)state;
	at.ethernet_filter = ethernet;
	at.n_ethernet_filter = 4;
	of.ip_filter = ip;
	of.n_ip_filter = 4;
	start(&at);
	start(&of);
	for (uint8_t last = 1; last <= 3; last++) { /* 10.2.2.2 is one of them */
		build_from_ce4(&b, A4(10, 2, 2, last), 30, 64);
		from_ce();
		assert_int_not_equal(world_sent(PORT_CORE, frame), 0);
	}
	assert_int_equal(read_chunk(1), 1);
	assert_int_equal(chunk->packets[0]->data.data[33], 2);
	assert_int_equal(read_chunk(2), 1);
	assert_int_equal(chunk->packets[0]->data.data[23], 2);
}

/* Octets beyond the snap length are cut off, and their number is known. */
static void snap_length(void **state)
{
	Sealane__Worker__V1__StartCapture in = request(1, SL_CAPTURE_AT_INTERFACE, IF_CE);
	uint8_t frame[2048];

	(void)state;
	in.snap_length = 20;
	start(&in);
	build_from_ce4(&b, THERE4, 100, 64);
	from_ce();
	assert_int_not_equal(world_sent(PORT_CORE, frame), 0);
	assert_int_equal(read_chunk(1), 1);
	assert_int_equal(chunk->packets[0]->data.len, 20);
	assert_int_equal(chunk->packets[0]->length, 134);
}

static void send_many(uint32_t n, size_t payload)
{
	for (uint32_t i = 0; i < n; i++) {
		build_from_ce4(&b, A4(10, 4, 0, 1), payload, 64);
		from_ce();
	}
}

static void expect_end(uint32_t id, const char *why)
{
	assert_string_equal(chunk->ended, why);
	assert_int_equal(sl_captures_read(&captures, id, &chunk, &fault), -1);
	assert_int_equal(fault.code, SL_FAULT_NOT_FOUND);
	assert_null(world.worker.capture);
}

static void limits(void **state)
{
	Sealane__Worker__V1__StartCapture in = request(1, SL_CAPTURE_AT_INTERFACE, IF_CE);

	(void)state;
	in.packets = 3;
	start(&in);
	send_many(5, 30);
	assert_int_equal(read_chunk(1), 3);
	expect_end(1, "packets");

	in = request(1, SL_CAPTURE_AT_INTERFACE, IF_CE);
	in.bytes = 129;
	start(&in);
	send_many(5, 30);
	assert_int_equal(read_chunk(1), 3); /* 64 octets each */
	expect_end(1, "bytes");

	in = request(1, SL_CAPTURE_AT_INTERFACE, IF_CE);
	in.seconds = 1;
	start(&in);
	send_many(2, 30);
	assert_int_equal(read_chunk(1), 2);
	assert_string_equal(chunk->ended, "");
	sleep(1);
	assert_int_equal(read_chunk(1), 0);
	expect_end(1, "seconds");

	begin(1, SL_CAPTURE_AT_INTERFACE, IF_CE);
	send_many(300, 30);
	assert_int_equal(sl_captures_stop(&captures, 1, false, &fault), 0);
	next_round();
	assert_null(world.worker.capture);
	assert_int_equal(read_chunk(1), SL_CAPTURE_CHUNK_PACKETS);
	assert_string_equal(chunk->ended, "");
	assert_int_equal(read_chunk(1), 300 - SL_CAPTURE_CHUNK_PACKETS);
	expect_end(1, "stopped");
}

/* Whoever is gone wants nothing more: neither what was taken. */
static void discarded(void **state)
{
	(void)state;
	begin(1, SL_CAPTURE_AT_INTERFACE, IF_CE);
	send_many(3, 30);
	assert_int_equal(sl_captures_stop(&captures, 1, true, &fault), 0);
	next_round();
	assert_int_equal(sl_captures_read(&captures, 1, &chunk, &fault), -1);
	assert_null(world.worker.capture);
}

/* The ring is all the memory there is: what comes while it is full is counted, by interface and link. */
static void a_full_ring(void **state)
{
	const uint32_t kept = SL_CAPTURE_RING_BYTES / (32 + 1048), sent = kept + 77;
	uint32_t read = 0;

	(void)state;
	begin(1, SL_CAPTURE_AT_DROPS, 0);
	send_many(sent, 1014); /* frames of 1048 octets */
	assert_int_equal(sl_captures_stop(&captures, 1, false, &fault), 0);
	next_round();
	do
		read += (uint32_t)read_chunk(1);
	while (chunk->ended[0] == '\0');
	assert_int_equal(chunk->n_lost, 1);
	assert_int_equal(chunk->lost[0]->interface, IF_CE);
	assert_int_equal(chunk->lost[0]->link_type, SL_CAPTURE_ETHERNET);
	assert_int_equal(chunk->lost[0]->packets, sent - read);
	assert_in_range(read, kept - 1, kept);
}

static void refused(void **state)
{
	uint64_t loop = 0x0005ull << 48 | UINT32_MAX;
	Sealane__Worker__V1__StartCapture in = request(1, SL_CAPTURE_AT_DROPS, 0);

	(void)state;
	in.ip_filter = &loop;
	in.n_ip_filter = 1;
	assert_int_equal(sl_captures_start(&captures, &in, &fault), -1);
	assert_int_equal(fault.code, SL_FAULT_MALFORMED);
	for (uint32_t id = 1; id <= SL_CAPTURE_SESSIONS; id++)
		begin(id, SL_CAPTURE_AT_DROPS, 0);
	in = request(1, SL_CAPTURE_AT_DROPS, 0);
	assert_int_equal(sl_captures_start(&captures, &in, &fault), -1);
	assert_int_equal(fault.code, SL_FAULT_ALREADY);
	in.session = 9;
	assert_int_equal(sl_captures_start(&captures, &in, &fault), -1);
	assert_int_equal(fault.code, SL_FAULT_STATE);
	assert_int_equal(sl_captures_stop(&captures, 9, false, &fault), -1);
	assert_int_equal(fault.code, SL_FAULT_NOT_FOUND);
}

/* What the control thread drops is in it as well, in its place in time. */
static void drops_of_the_control_thread(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	begin(1, SL_CAPTURE_AT_DROPS, 0);
	send_many(1, 30);
	build_from_ce4(&b, PE_CE4, 30, 64);
	m = world_frame(build_bytes(&b), build_len(&b));
	memset(sl_packet(m), 0, sizeof(struct sl_packet));
	sl_packet(m)->interface = IF_CE;
	sl_captures_drop(&captures, m, SL_DROP_punt_rate);
	rte_pktmbuf_free(m);
	send_many(1, 30);
	assert_int_equal(read_chunk(1), 3);
	assert_int_equal(chunk->packets[0]->drop_reason, SL_DROP_blackhole);
	assert_int_equal(chunk->packets[1]->drop_reason, SL_DROP_punt_rate);
	assert_int_equal(chunk->packets[2]->drop_reason, SL_DROP_blackhole);
	assert_true(chunk->packets[0]->time_ns <= chunk->packets[1]->time_ns);
	assert_true(chunk->packets[1]->time_ns <= chunk->packets[2]->time_ns);
	assert_true(llabs((long long)(chunk->packets[2]->time_ns / 1000000000u) - time(NULL)) <= 1);
}

#undef CASE
#define CASE(test) cmocka_unit_test_setup_teardown(test, fresh_captures, no_captures)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(at_an_interface), CASE(with_the_tag_it_had),
		CASE(of_a_vrf_out),    CASE(of_a_vrf_in),
		CASE(drops),           CASE(filters),
		CASE(snap_length),     CASE(limits),
		CASE(a_full_ring),     CASE(discarded),
		CASE(refused),         CASE(drops_of_the_control_thread),
	};

	return cmocka_run_group_tests_name("eal_capture", tests, NULL, NULL);
}
