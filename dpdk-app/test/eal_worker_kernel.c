/* SPDX-License-Identifier: Apache-2.0 */
/* Between a running worker and the kernel: host TUN, neighbour requests, detaching, label counters. */
#include "sealane/drop_reasons.h"
#include "support/netns.h"
#include "support/worker_session.h"

#define VRF 1u
#define INTERFACE 1u
#define HOST 2u

static const uint8_t port_mac[6] = {0x02, 0, 0, 0, 0, 0x0a};
static const uint8_t peer_mac[6] = {0x02, 0, 0, 0, 0, 0x0b};

/* All in one namespace: sl0 is the worker's, sl1 the wire's other end. */
static struct {
	struct test_worker worker;
	int raw, tap, tun;
	const struct sl_state *state;
} t;

/* Route everything in the VRF to one next hop of this kind. */
static void default_route(enum sl_nexthop_kind kind)
{
	struct sl_tables *tables = t.worker.tables;
	struct sl_version_row *version = &tables->version[1];

	memset(version, 0, sizeof(*version));
	version->kind = (uint8_t)kind;
	version->interface = INTERFACE;
	version->vrf = VRF;
	version->mtu = 1500;
	if (kind == SL_NH_ADJACENCY) {
		static const uint8_t type[] = {0x08, 0x00};

		version->template_len = ETH_HLEN;
		memcpy(version->template_bytes, peer_mac, 6);
		memcpy(version->template_bytes + 6, port_mac, 6);
		memcpy(version->template_bytes + 12, type, 2);
	}
	version->state = SL_ROW_LIVE;
	tables->nexthop[1].state = SL_ROW_LIVE;
	tables->fib_leaf[1] = sl_leaf(1, 0, 0);
	tables->fib_node[1].word[SL_FIB_LEAFVEC] = 1; /* one leaf for all 64 slots */
	tables->fib_node[1].word[SL_FIB_BASES] = 1;
	__atomic_store_n(&tables->nexthop[1].active, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&tables->vrf[VRF].fib_root[0], 1, __ATOMIC_RELEASE);
}

static int begin(void **cmocka)
{
	(void)cmocka;
	if (test_netns_new() < 0 ||
	    test_shell("sysctl -qw net.ipv6.conf.all.disable_ipv6=1; "
	               "ip link add name sl0 address 02:00:00:00:00:0a type veth peer name sl1 "
	               "address 02:00:00:00:00:0b && ip link set sl0 up && ip link set sl1 up") !=
	            0 ||
	    test_instance(&t.worker, TEST_EPOCH) != 0 || test_spawn(&t.worker, test_no_huge) != 0 ||
	    test_connect(&t.worker) != 0 || test_hello(&t.worker) != 0)
		return -1;
	t.raw = test_raw("sl1");
	t.tap = test_tap("sltap", IFF_TAP, IFF_NO_PI | IFF_MULTI_QUEUE);
	t.tun = test_tap("sltun", IFF_TUN, IFF_NO_PI | IFF_MULTI_QUEUE);
	t.worker.tables->vrf[VRF].state = SL_ROW_LIVE;
	t.worker.tables->vrf[VRF].host_interface = HOST;
	test_interface(t.worker.tables, INTERFACE, SL_ROLE_CE, VRF, 1, 0, port_mac);
	test_interface(t.worker.tables, HOST, SL_ROLE_HOST, VRF, 0, 0, port_mac);
	t.state = test_state_map(test_path(&t.worker, "state"));
	if (t.raw < 0 || t.tap < 0 || t.tun < 0 || t.state == NULL)
		return -1;
	if (test_shell("ip addr add 10.77.0.1/24 dev sltun && ip link set sltun up && "
	               "ip link set sltap up") != 0)
		return -1;
	return test_add_port(&t.worker, 1, "net_af_packet1,iface=sl0", -1) +
	       test_attach(&t.worker, INTERFACE, t.tap) + test_attach(&t.worker, HOST, t.tun) +
	       test_start(&t.worker);
}

static int end(void **cmocka)
{
	(void)cmocka;
	if (test_shutdown(&t.worker) != 0 || test_wait_exit(&t.worker, 10000) != 0)
		return -1;
	munmap((void *)(uintptr_t)t.state, sizeof(*t.state));
	close(t.worker.fd);
	test_instance_remove(&t.worker);
	close(t.raw);
	close(t.tap);
	close(t.tun);
	return 0;
}

/* An IPv4/UDP packet of 40 bytes of payload from 10.77.0.2, as a frame to the port's MAC. */
static size_t make_frame(uint8_t *frame, const uint8_t to[4], uint8_t identification)
{
	static const uint8_t header[] = {0x08, 0,  0x45, 0, 0, 60, 0,  0, 0,
	                                 0,    64, 17,   0, 0, 10, 77, 0, 2};
	uint8_t *ip = frame + ETH_HLEN;
	uint32_t sum = 0;

	memset(frame, 0, ETH_HLEN + 60);
	memcpy(frame, port_mac, 6);
	memcpy(frame + 6, peer_mac, 6);
	memcpy(frame + 12, header, sizeof(header));
	memcpy(ip + 16, to, 4);
	ip[5] = identification;
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	return ETH_HLEN + 60;
}

static void send_to(const uint8_t to[4], uint8_t identification)
{
	uint8_t frame[128];
	size_t length = make_frame(frame, to, identification);

	assert_int_equal(send(t.raw, frame, length, 0), (ssize_t)length);
}

/* One request per address and second, whatever the number of packets. */
static void test_resolve_neighbour(void **cmocka)
{
	static const uint8_t unknown[2][4] = {{10, 77, 0, 55}, {10, 77, 0, 56}};
	const uint64_t *pending = &t.state->lcore[0].block.drops[SL_DROP_neighbour_pending];
	PB(WorkerMessage) * message;

	(void)cmocka;
	default_route(SL_NH_GLEAN);
	for (uint8_t i = 0; i < 2; i++) {
		for (uint8_t n = 0; n < 20; n++)
			send_to(unknown[i], n);
		message = test_receive(t.worker.fd, 5000);
		assert_non_null(message);
		assert_int_equal(message->message_case,
		                 SEALANE__WORKER__V1__WORKER_MESSAGE__MESSAGE_EVENT);
		assert_int_equal(message->event->event_case,
		                 SEALANE__WORKER__V1__EVENT__EVENT_RESOLVE_NEIGHBOUR);
		assert_int_equal(message->event->resolve_neighbour->interface, INTERFACE);
		assert_int_equal(message->event->resolve_neighbour->address.len, 4);
		assert_memory_equal(message->event->resolve_neighbour->address.data, unknown[i], 4);
		sealane__worker__v1__worker_message__free_unpacked(message, NULL);
	}
	assert_true(session_reaches(pending, 40));
	assert_null(test_receive(t.worker.fd, 50));
	test_sleep_ms(1100);
	send_to(unknown[0], 99);
	message = test_receive(t.worker.fd, 5000);
	assert_non_null(message);
	sealane__worker__v1__worker_message__free_unpacked(message, NULL);
}

/* One request per next hop and second for an SA, whatever the number of packets and of addresses. */
static void test_acquire_sa(void **cmocka)
{
	const uint64_t *missing = &t.state->lcore[0].block.drops[SL_DROP_sa_missing];
	PB(WorkerMessage) * message;

	(void)cmocka;
	default_route(SL_NH_DROP);
	t.worker.tables->version[1].drop_reason = SL_DROP_sa_missing;
	for (int round = 0; round < 2; round++) {
		for (uint8_t n = 0; n < 20; n++) {
			const uint8_t to[4] = {10, 77, 0, (uint8_t)(100 + n)};

			send_to(to, n);
		}
		message = test_receive(t.worker.fd, 5000);
		assert_non_null(message);
		assert_int_equal(message->message_case,
		                 SEALANE__WORKER__V1__WORKER_MESSAGE__MESSAGE_EVENT);
		assert_int_equal(message->event->event_case,
		                 SEALANE__WORKER__V1__EVENT__EVENT_ACQUIRE_SA);
		assert_int_equal(message->event->acquire_sa->nexthop, 1);
		sealane__worker__v1__worker_message__free_unpacked(message, NULL);
		/* the first one of all is held (eal_hold.c) */
		assert_true(session_reaches(missing, 20u * (uint64_t)(round + 1) - 1));
		assert_int_equal(t.state->lcore[0].block.held, 1);
		assert_null(test_receive(t.worker.fd, 50));
		test_sleep_ms(1100);
	}
}

/* What the kernel routes into the VRF's TUN is looked up in the VRF and leaves as a frame. */
static void test_from_the_host(void **cmocka)
{
	uint8_t frame[2048] = {0};
	uint16_t vlan;
	size_t length;

	(void)cmocka;
	default_route(SL_NH_ADJACENCY);
	(void)test_shell("ping -c 1 -W 1 -s 100 10.77.0.9 >/dev/null");
	length = test_raw_receive(t.raw, ETH_P_IP, frame, sizeof(frame), 3000, &vlan);
	assert_int_equal(length, ETH_HLEN + 128);
	assert_memory_equal(frame, peer_mac, 6);
	assert_memory_equal(frame + 6, port_mac, 6);
	assert_int_equal(frame[ETH_HLEN + 8], 64); /* the host's packets keep their TTL */
	assert_memory_equal(frame + ETH_HLEN + 12, ((const uint8_t[]){10, 77, 0, 1, 10, 77, 0, 9}),
	                    8);
	assert_true(session_reaches(&t.state->lcore[0].block.interface[HOST].injected, 1));
}

/* What is for one of our addresses in the VRF reaches its kernel. */
static void test_to_the_host(void **cmocka)
{
	static const uint8_t own[4] = {10, 77, 0, 1};
	uint64_t before = t.state->lcore[0].block.interface[INTERFACE].punted;
	uint8_t frame[2048];
	int listener = test_raw("sltap");

	(void)cmocka;
	assert_true(listener >= 0);
	default_route(SL_NH_RECEIVE);
	send_to(own, 1);
	assert_true(
		session_reaches(&t.state->lcore[0].block.interface[INTERFACE].punted, before + 1));
	assert_int_equal(
		test_raw_receive(listener, ETH_P_IP, frame, sizeof(frame), 3000, &(uint16_t){0}),
		ETH_HLEN + 60);
	assert_memory_equal(frame + ETH_HLEN + 16, own, 4);
	close(listener);
}

/* From the host for one of our own addresses: back by the VRF's TUN, an IP packet without a frame. */
static void test_back_to_the_host(void **cmocka)
{
	struct pollfd poll_fd = {.fd = test_raw("sltun"), .events = POLLIN};
	uint8_t packet[2048] = {0};

	(void)cmocka;
	assert_true(poll_fd.fd >= 0);
	default_route(SL_NH_RECEIVE);
	(void)test_shell("ping -c 1 -W 1 -s 100 10.77.0.9 >/dev/null");
	assert_int_equal(poll(&poll_fd, 1, 3000), 1);
	assert_int_equal(recv(poll_fd.fd, packet, sizeof(packet), 0), 128);
	assert_int_equal(packet[0], 0x45);
	assert_memory_equal(packet + 12, ((const uint8_t[]){10, 77, 0, 1, 10, 77, 0, 9}), 8);
	assert_true(session_reaches(&t.state->lcore[0].block.interface[HOST].punted, 1));
	close(poll_fd.fd);
}

static void test_reserve_labels(void **cmocka)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(RESERVE_LABELS));
	PB(ReserveLabels) labels = SEALANE__WORKER__V1__RESERVE_LABELS__INIT;

	(void)cmocka;
	command.reserve_labels = &labels;
	labels.labels = 100001;
	assert_int_equal(test_code(&t.worker, &command, NULL, 0), PB_CODE(OK));
	assert_true(t.state->header.committed_labels >= 100001);
	/* backed: reading it does not fault, and finds nothing counted */
	assert_int_equal(t.state->lcore[0].block.label[100000].packets, 0);
	labels.labels = 16;
	assert_int_equal(test_code(&t.worker, &command, NULL, 0), PB_CODE(OK));
	assert_true(t.state->header.committed_labels >= 100001);
}

/* A detached interface's frames are nobody's; attached again they are known again. */
static void test_detach(void **cmocka)
{
	const uint64_t *unknown = &t.state->lcore[0].block.drops[SL_DROP_rx_unknown_vlan];
	const uint64_t *received = &t.state->lcore[0].block.interface[INTERFACE].rx_packets;
	static const uint8_t any[4] = {10, 77, 0, 200};
	PB(WorkerCommand) command = test_new_command(PB_CASE(DETACH_INTERFACE));
	PB(DetachInterface) detach = SEALANE__WORKER__V1__DETACH_INTERFACE__INIT;
	uint64_t before;

	(void)cmocka;
	detach.interface = INTERFACE;
	command.detach_interface = &detach;
	assert_int_equal(test_code(&t.worker, &command, NULL, 0), PB_CODE(OK));
	assert_int_equal(test_code(&t.worker, &command, NULL, 0), PB_CODE(NOT_FOUND));
	before = *unknown;
	send_to(any, 1);
	assert_true(session_reaches(unknown, before + 1));
	before = *received;
	assert_int_equal(test_attach(&t.worker, INTERFACE, t.tap), PB_CODE(OK));
	send_to(any, 2);
	assert_true(session_reaches(received, before + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_resolve_neighbour), cmocka_unit_test(test_from_the_host),
		cmocka_unit_test(test_to_the_host),       cmocka_unit_test(test_back_to_the_host),
		cmocka_unit_test(test_reserve_labels),    cmocka_unit_test(test_detach),
		cmocka_unit_test(test_acquire_sa),
	};

	if (geteuid() != 0) {
		(void)fputs("these tests start workers, which needs root\n", stderr);
		return 1;
	}
	return cmocka_run_group_tests(tests, begin, end);
}
