/* SPDX-License-Identifier: Apache-2.0 */
/* Ports and TAPs of a running worker: namespaces, refusals, the kernel's part of an interface. */
#include <linux/capability.h>

#include "sealane/drop_reasons.h"
#include "support/netns.h"
#include "support/worker_session.h"

static const uint8_t port_mac[6] = {0x02, 0, 0, 0, 0, 0x0a};
static const uint8_t peer_mac[6] = {0x02, 0, 0, 0, 0, 0x0b};

/* Namespaces: the worker starts in `home`; the port is in `port`, its far end in `peer`. */
static struct {
	int home, port, peer;
} ns;

static int make_namespaces(void **cmocka)
{
	(void)cmocka;
	ns.home = test_netns_new();
	ns.peer = test_netns_new();
	ns.port = test_netns_new();
	if (ns.home < 0 || ns.peer < 0 || ns.port < 0)
		return -1;
	if (test_shell("ip link add name sl0 address 02:00:00:00:00:0a type veth peer name sl1 "
	               "address 02:00:00:00:00:0b && ip link set sl1 netns /proc/%d/fd/%d && "
	               "ip link set sl0 up",
	               (int)getpid(), ns.peer) != 0)
		return -1;
	if (test_netns_enter(ns.peer) != 0 ||
	    test_shell("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && ip link set sl1 up") != 0)
		return -1;
	return test_netns_enter(ns.home);
}

static void test_port_refusals(void **cmocka)
{
	static const char *const pci[] = {"--no-huge", "--pci", NULL};
	struct test_worker worker, second;
	int null_fd = open("/dev/null", O_RDONLY);

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	/* in the worker's own namespace there is no sl0 */
	assert_int_equal(test_add_port(&worker, 1, "net_af_packet1,iface=sl0", -1),
	                 PB_CODE(DEVICE_UNKNOWN));
	assert_int_equal(test_add_port(&worker, 1, "net_af_packet1,iface=sl0", null_fd),
	                 PB_CODE(MALFORMED));
	assert_int_equal(test_add_port(&worker, 1, "net_af_packet1", ns.port), PB_CODE(MALFORMED));
	assert_int_equal(test_add_port(&worker, 1, "net_no_such_driver", -1),
	                 PB_CODE(DEVICE_UNKNOWN));
	assert_int_equal(test_add_port(&worker, 1, "0000:00:00.0", -1), PB_CODE(STATE));
	assert_int_equal(test_add_port(&worker, 1, "net_af_packet1,iface=sl0", ns.port),
	                 PB_CODE(OK));

	session_begin(&second, pci);
	assert_int_equal(test_add_port(&second, 1, "net_af_packet1,iface=sl0", ns.port),
	                 PB_CODE(DEVICE_BUSY));
	assert_int_equal(test_add_port(&second, 1, "net_af_xdp1,iface=sl0", ns.port),
	                 PB_CODE(DEVICE_BUSY));
	assert_int_equal(test_add_port(&second, 1, "ffff:1f:00.0", -1), PB_CODE(DEVICE_UNKNOWN));
	session_end(&worker);
	/* the claim ends with the worker that made it */
	assert_int_equal(test_add_port(&second, 1, "net_af_packet1,iface=sl0", ns.port),
	                 PB_CODE(OK));
	session_end(&second);
	close(null_fd);
}

static void test_no_privilege(void **cmocka)
{
	struct test_worker worker;
	pid_t child;
	int status;

	(void)cmocka;
	child = fork();
	if (child == 0) {
		bool ok;

		/* exec as root gives what the bounding set allows */
		if (prctl(PR_CAPBSET_DROP, CAP_NET_RAW) != 0)
			_exit(1);
		ok = test_instance(&worker, TEST_EPOCH) == 0 &&
		     test_spawn(&worker, test_no_huge) == 0 && test_connect(&worker) == 0 &&
		     test_hello(&worker) == 0 &&
		     test_add_port(&worker, 1, "net_af_packet1,iface=sl0", ns.port) ==
		             PB_CODE(NO_PRIVILEGE) &&
		     test_shutdown(&worker) == 0 && test_wait_exit(&worker, 10000) == 0;
		test_instance_remove(&worker);
		_exit(ok ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void test_devices_of_every_kind(void **cmocka)
{
	struct test_worker worker;
	char pcap[256];

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	(void)snprintf(pcap, sizeof(pcap), "net_pcap0,rx_iface=sl0,tx_iface=sl0");
	assert_int_equal(test_add_port(&worker, 1, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 2, "net_ring0", -1), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 3, pcap, ns.port), PB_CODE(OK));
	(void)snprintf(pcap, sizeof(pcap), "net_memif0,role=server,socket=%s,socket-abstract=no",
	               test_path(&worker, "memif.sock"));
	assert_int_equal(test_add_port(&worker, 4, pcap, -1), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 5, "net_af_packet0,iface=sl0", ns.port),
	                 PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	session_end(&worker);
}

/* Two ends of one memif come up, before Start is answered or after: the supervisor is told once for each. */
static void test_link_events(void **cmocka)
{
	struct test_worker worker;
	PB(WorkerMessage) * message;
	char server[256], client[256];

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	(void)snprintf(server, sizeof(server),
	               "net_memif1,role=server,socket=%s,socket-abstract=no",
	               test_path(&worker, "memif.sock"));
	(void)snprintf(client, sizeof(client),
	               "net_memif2,role=client,socket=%s,socket-abstract=no",
	               test_path(&worker, "memif.sock"));
	assert_int_equal(test_add_port(&worker, 1, server, -1), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 2, client, -1), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	while (worker.link_ups[1] + worker.link_ups[2] < 2) {
		message = test_receive(worker.fd, 20000);
		assert_non_null(message);
		assert_int_equal(message->message_case,
		                 SEALANE__WORKER__V1__WORKER_MESSAGE__MESSAGE_EVENT);
		assert_int_equal(message->event->event_case,
		                 SEALANE__WORKER__V1__EVENT__EVENT_LINK_STATE);
		assert_true(message->event->link_state->up);
		assert_in_range(message->event->link_state->port, 1, 2);
		test_note_link(&worker, message);
		sealane__worker__v1__worker_message__free_unpacked(message, NULL);
	}
	assert_int_equal(worker.link_ups[1], 1);
	assert_int_equal(worker.link_ups[2], 1);
	session_end(&worker);
}

/*
 * EAL's interrupt thread takes a memif apart whose other end has gone, just while the worker closes it: with
 * many ends in one worker, some of them at the same moment. The worker ends well all the same.
 */
static void test_memif_ends_with_its_peer(void **cmocka)
{
	enum { PAIRS = 8, ROUNDS = 4 };
	struct test_worker worker;
	char devargs[256];

	(void)cmocka;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		session_begin(&worker, test_no_huge);
		for (unsigned int port = 1; port <= 2 * PAIRS; port++) {
			(void)snprintf(devargs, sizeof(devargs),
			               "net_memif%u,role=%s,rsize=6,bsize=128,socket=%s%u,"
			               "socket-abstract=no",
			               port, port <= PAIRS ? "server" : "client",
			               test_path(&worker, "memif.sock"), port % PAIRS);
			assert_int_equal(test_add_port(&worker, port, devargs, -1), PB_CODE(OK));
		}
		assert_int_equal(test_start(&worker), PB_CODE(OK));
		session_end(&worker);
	}
}

static void test_attach_refusals(void **cmocka)
{
	struct test_worker worker;
	int tap, tun, with_header, null_fd = open("/dev/null", O_RDWR);

	(void)cmocka;
	tap = test_tap("slt0", IFF_TAP, IFF_NO_PI);
	tun = test_tap("slt1", IFF_TUN, IFF_NO_PI);
	with_header = test_tap("slt2", IFF_TAP, IFF_NO_PI | IFF_VNET_HDR);
	assert_true(tap >= 0 && tun >= 0 && with_header >= 0);
	session_begin(&worker, test_no_huge);
	assert_int_equal(test_attach(&worker, 1, tap), PB_CODE(NOT_FOUND)); /* no row */
	test_interface(worker.tables, 1, SL_ROLE_CE, 1, 9, 0, port_mac);
	assert_int_equal(test_attach(&worker, 1, tap), PB_CODE(NOT_FOUND)); /* no port */
	assert_int_equal(test_add_port(&worker, 9, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_attach(&worker, 1, null_fd), PB_CODE(MALFORMED));
	assert_int_equal(test_attach(&worker, 1, tun), PB_CODE(MALFORMED));
	assert_int_equal(test_attach(&worker, 1, with_header), PB_CODE(MALFORMED));
	assert_int_equal(test_attach(&worker, 1, tap), PB_CODE(OK));
	assert_int_equal(test_attach(&worker, 1, tap), PB_CODE(OK)); /* in the place of itself */
	test_interface(worker.tables, 2, SL_ROLE_CE, 1, 9, 0, port_mac);
	assert_int_equal(test_attach(&worker, 2, tap), PB_CODE(ALREADY)); /* port and VLAN taken */
	test_interface(worker.tables, 3, SL_ROLE_HOST, 1, 0, 0, port_mac);
	assert_int_equal(test_attach(&worker, 3, tap), PB_CODE(MALFORMED));
	assert_int_equal(test_attach(&worker, 3, tun), PB_CODE(OK));
	session_end(&worker);
	close(tap);
	close(tun);
	close(with_header);
	close(null_fd);
}

/* Who has 198.18.0.1, asks 198.18.0.2; tagged when `vlan` is not 0. Returns the frame's length. */
static size_t make_arp_request(uint8_t *frame, uint16_t vlan)
{
	const uint8_t tag[] = {0x81, 0, (uint8_t)(vlan >> 8), (uint8_t)vlan};
	static const uint8_t arp[] = {0x08, 0x06, 0,  1, 8, 0, 6, 4, 0, 1, 0x02, 0,   0,  0, 0,
	                              0x0b, 198,  18, 0, 2, 0, 0, 0, 0, 0, 0,    198, 18, 0, 1};
	size_t length = 12;

	memset(frame, 0xff, 6);
	memcpy(frame + 6, peer_mac, sizeof(peer_mac));
	if (vlan != 0) {
		memcpy(frame + length, tag, sizeof(tag));
		length += sizeof(tag);
	}
	memcpy(frame + length, arp, sizeof(arp));
	return length + sizeof(arp);
}

/* An ARP request from the wire reaches the kernel by the TAP, and the kernel's answer the wire. */
static void arp_both_ways(const char *devargs, uint16_t vlan)
{
	struct test_worker worker;
	const struct sl_state *state;
	uint8_t frame[2048] = {0};
	uint16_t answer_vlan = 0xffff;
	size_t length;
	int raw, tap = test_tap("sltap", IFF_TAP, IFF_NO_PI | IFF_MULTI_QUEUE);

	assert_true(tap >= 0);
	session_begin(&worker, test_no_huge);
	test_interface(worker.tables, 1, SL_ROLE_CE, 1, 1, vlan, port_mac);
	assert_int_equal(test_shell("ip link set sltap address 02:00:00:00:00:0a up && "
	                            "ip addr add 198.18.0.1/24 dev sltap"),
	                 0);
	assert_int_equal(test_add_port(&worker, 1, devargs, ns.port), PB_CODE(OK));
	assert_int_equal(test_attach(&worker, 1, tap), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));

	assert_int_equal(test_netns_enter(ns.peer), 0);
	raw = test_raw("sl1");
	assert_true(raw >= 0);
	length = make_arp_request(frame, vlan);
	assert_int_equal(send(raw, frame, length, 0), (ssize_t)length);
	length = test_raw_receive(raw, ETH_P_ARP, frame, sizeof(frame), 3000, &answer_vlan);
	close(raw);
	assert_int_equal(test_netns_enter(ns.home), 0);
	assert_true(length >= ETH_HLEN + 28);
	assert_int_equal(answer_vlan, vlan);
	assert_memory_equal(frame, peer_mac, 6);
	assert_memory_equal(frame + 6, port_mac, 6);
	assert_int_equal(frame[ETH_HLEN + 7], 2); /* a reply */
	assert_memory_equal(frame + ETH_HLEN + 8, port_mac, 6);

	state = test_state_map(test_path(&worker, "state"));
	assert_non_null(state);
	assert_true(session_reaches(&state->lcore[0].block.interface[1].punted, 1));
	assert_true(session_reaches(&state->lcore[0].block.interface[1].injected, 1));
	munmap((void *)(uintptr_t)state, sizeof(*state));
	session_end(&worker);
	close(tap);
}

static void test_arp_both_ways(void **cmocka)
{
	(void)cmocka;
	arp_both_ways("net_af_packet1,iface=sl0", 0);
}

static void test_arp_both_ways_on_a_vlan(void **cmocka)
{
	(void)cmocka;
	arp_both_ways("net_af_packet1,iface=sl0", 9);
}

/* A worker has no privilege left to detach its XDP program; the next one does it (ports/xdp.c). */
static void test_af_xdp_again(void **cmocka)
{
	(void)cmocka;
	arp_both_ways("net_af_xdp1,iface=sl0", 0);
	arp_both_ways("net_af_xdp1,iface=sl0", 9);
	arp_both_ways("net_af_xdp1,iface=sl0", 0);
	assert_int_equal(test_netns_enter(ns.port), 0);
	assert_int_equal(test_shell("ip link set dev sl0 xdp off"), 0);
	assert_int_equal(test_netns_enter(ns.home), 0);
}

/* Two IPv4 fragments as two frames of their own, for an address that is not ours. */
static size_t make_fragment(uint8_t *frame, bool first)
{
	static const uint8_t addresses[] = {198, 18, 0, 2, 198, 19, 0, 1};
	uint8_t *ip = frame + ETH_HLEN;
	uint16_t offset = first ? 0x2000 : 1000 / 8; /* more fragments | offset */
	uint32_t sum = 0;

	memset(frame, 0, ETH_HLEN + 1020);
	memcpy(frame, port_mac, 6);
	memcpy(frame + 6, peer_mac, 6);
	frame[12] = 0x08;
	ip[0] = 0x45;
	ip[2] = 1020 >> 8;
	ip[3] = 1020 & 0xff;
	ip[5] = 0x77;
	ip[6] = (uint8_t)(offset >> 8);
	ip[7] = (uint8_t)offset;
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, addresses, sizeof(addresses));
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)(ip[i] << 8 | ip[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	return ETH_HLEN + 1020;
}

/* AF_PACKET must not reassemble what only passes through (af_packet_socket.c). */
static void test_fragments_arrive_as_sent(void **cmocka)
{
	struct test_worker worker;
	const struct sl_interface_counters *counters;
	const struct sl_state *state;
	uint8_t frame[2048];
	size_t length;
	int raw, tap = test_tap("sltap", IFF_TAP, IFF_NO_PI);

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	test_interface(worker.tables, 1, SL_ROLE_CE, 1, 1, 0, port_mac);
	worker.tables->vrf[1].state = SL_ROW_LIVE;
	assert_int_equal(test_add_port(&worker, 1, "net_af_packet1,iface=sl0", ns.port),
	                 PB_CODE(OK));
	assert_int_equal(test_attach(&worker, 1, tap), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	assert_int_equal(test_netns_enter(ns.peer), 0);
	raw = test_raw("sl1");
	assert_true(raw >= 0);
	length = make_fragment(frame, true);
	assert_int_equal(send(raw, frame, length, 0), (ssize_t)length);
	length = make_fragment(frame, false);
	assert_int_equal(send(raw, frame, length, 0), (ssize_t)length);
	close(raw);
	assert_int_equal(test_netns_enter(ns.home), 0);

	state = test_state_map(test_path(&worker, "state"));
	assert_non_null(state);
	counters = &state->lcore[0].block.interface[1];
	assert_true(session_reaches(&counters->rx_packets, 2));
	assert_int_equal(counters->rx_bytes, 2 * length);
	assert_int_equal(state->lcore[0].block.drops[SL_DROP_no_route], 2);
	munmap((void *)(uintptr_t)state, sizeof(*state));
	session_end(&worker);
	close(tap);
}

/* What finds the kernel's ring full is seen by no driver and no stage, and counted all the same. */
static void test_losses_are_counted(void **cmocka)
{
	enum { SENT = 700, RING = 512 };
	struct test_worker worker;
	const struct sl_state *state;
	const uint64_t *drops;
	uint8_t frame[2048];
	size_t length;
	int raw;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	assert_int_equal(test_add_port(&worker, 1, "net_af_packet1,iface=sl0", ns.port),
	                 PB_CODE(OK));
	/* nobody polls before Start; no interface takes what is polled after */
	assert_int_equal(test_netns_enter(ns.peer), 0);
	raw = test_raw("sl1");
	assert_true(raw >= 0);
	length = make_fragment(frame, true);
	for (int i = 0; i < SENT; i++)
		assert_int_equal(send(raw, frame, length, 0), (ssize_t)length);
	close(raw);
	assert_int_equal(test_netns_enter(ns.home), 0);
	assert_int_equal(test_start(&worker), PB_CODE(OK));

	state = test_state_map(test_path(&worker, "state"));
	assert_non_null(state);
	drops = state->lcore[0].block.drops;
	assert_true(session_reaches(&drops[SL_DROP_rx_unknown_vlan], RING));
	assert_true(session_reaches(&state->header.control_drops[SL_DROP_rx_lost], SENT - RING));
	assert_int_equal(drops[SL_DROP_rx_unknown_vlan], RING);
	assert_int_equal(state->header.control_drops[SL_DROP_rx_lost], SENT - RING);
	assert_int_equal(state->header.port[1].rx_missed, SENT - RING);
	assert_int_equal(state->header.port[1].rx_packets, RING);
	assert_int_equal(state->header.port[1].rx_errors, 0);
	/* every buffer came back */
	assert_in_range(state->header.pool[SL_POOL_ORDINARY].size, 1000, 100000);
	assert_true(session_reaches(&state->header.pool[SL_POOL_ORDINARY].free,
	                            state->header.pool[SL_POOL_ORDINARY].size));
	assert_in_range(state->header.pool[SL_POOL_ORDINARY].least, 1,
	                state->header.pool[SL_POOL_ORDINARY].size);
	assert_int_equal(state->header.pool[SL_POOL_LARGE].size, 0);
	munmap((void *)(uintptr_t)state, sizeof(*state));
	session_end(&worker);
}

/* The TAP disappears under a running worker: an alarm, and the worker goes on. */
static void test_tap_disappears(void **cmocka)
{
	struct test_worker worker;
	PB(WorkerMessage) * message;
	int tap = test_tap("sltap", IFF_TAP, IFF_NO_PI | IFF_MULTI_QUEUE);

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	test_interface(worker.tables, 1, SL_ROLE_CE, 1, 1, 0, port_mac);
	assert_int_equal(test_add_port(&worker, 1, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_attach(&worker, 1, tap), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	assert_int_equal(test_shell("ip link del sltap"), 0);
	message = test_receive(worker.fd, 5000);
	assert_non_null(message);
	assert_int_equal(message->message_case, SEALANE__WORKER__V1__WORKER_MESSAGE__MESSAGE_EVENT);
	assert_int_equal(message->event->event_case, SEALANE__WORKER__V1__EVENT__EVENT_ALARM);
	assert_string_equal(message->event->alarm->name, "kernel_interface_lost");
	sealane__worker__v1__worker_message__free_unpacked(message, NULL);
	assert_int_equal(test_hello(&worker), PB_CODE(OK));
	session_end(&worker);
	close(tap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port_refusals),
		cmocka_unit_test(test_no_privilege),
		cmocka_unit_test(test_devices_of_every_kind),
		cmocka_unit_test(test_link_events),
		cmocka_unit_test(test_memif_ends_with_its_peer),
		cmocka_unit_test(test_attach_refusals),
		cmocka_unit_test(test_arp_both_ways),
		cmocka_unit_test(test_arp_both_ways_on_a_vlan),
		cmocka_unit_test(test_af_xdp_again),
		cmocka_unit_test(test_fragments_arrive_as_sent),
		cmocka_unit_test(test_losses_are_counted),
		cmocka_unit_test(test_tap_disappears),
	};

	if (geteuid() != 0) {
		(void)fputs("these tests start workers, which needs root\n", stderr);
		return 1;
	}
	return cmocka_run_group_tests(tests, make_namespaces, NULL);
}
