/* SPDX-License-Identifier: Apache-2.0 */
/* What a running worker asks of the drivers of its ports (ports/offloads.h). */
#include <rte_ethdev.h>

#include "ports/offloads.h"
#include "support/netns.h"
#include "support/worker_session.h"

static int port_namespace;

static int make_namespace(void **cmocka)
{
	(void)cmocka;
	port_namespace = test_netns_new();
	if (port_namespace < 0)
		return -1;
	return test_shell("ip link add name sl0 type veth peer name sl1 && ip link set sl0 up && "
	                  "ip link set sl1 up");
}

static void expect_offloads(struct test_worker *worker, uint32_t id, const char *devargs, int netns,
                            bool wanted, const char *names)
{
	PB(WorkerMessage) *message = test_ask_port(worker, id, devargs, netns, wanted);

	assert_non_null(message);
	assert_non_null(message->reply->port);
	assert_string_equal(message->reply->port->offloads, names);
	assert_int_equal(message->reply->port->no_offloads, !wanted);
	assert_int_equal(test_reply_code(message), PB_CODE(OK));
}

/* What a driver offers is asked for, and nothing that it lacks. */
static void test_as_offered(void **cmocka)
{
	struct test_worker worker;
	char memif[256];

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	(void)snprintf(memif, sizeof(memif), "net_memif0,role=server,socket=%s,socket-abstract=no",
	               test_path(&worker, "memif.sock"));
	expect_offloads(&worker, 1, "net_af_packet1,iface=sl0", port_namespace, true, "vlan-strip");
	expect_offloads(&worker, 2, "net_ring0", -1, true, "");
	expect_offloads(&worker, 3, memif, -1, true, "");
	expect_offloads(&worker, 4, "net_null0", -1, true, "");
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	session_end(&worker);
}

static void test_unless_unwanted(void **cmocka)
{
	struct test_worker worker;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	expect_offloads(&worker, 1, "net_af_packet1,iface=sl0", port_namespace, false, "");
	/* with them it would be another port */
	assert_int_equal(test_add_port(&worker, 1, "net_af_packet1,iface=sl0", port_namespace),
	                 PB_CODE(ALREADY));
	session_end(&worker);
}

/* All of a group's members have to offer it: here they do. */
static void test_of_a_group(void **cmocka)
{
	struct test_worker worker;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	expect_offloads(&worker, 1,
	                "lag,rate=fast;net_af_packet1_0,iface=sl0;net_af_packet1_1,iface=sl1",
	                port_namespace, true, "vlan-strip");
	session_end(&worker);
}

/* Sums without stripped tags are not asked for, and not tags that the driver takes off by itself. */
static void test_what_is_wanted(void **cmocka)
{
	const uint64_t strip = RTE_ETH_RX_OFFLOAD_VLAN_STRIP, sum = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
	struct rte_eth_dev_info info = {.rx_offload_capa = UINT64_MAX, .driver_name = "net_ixgbe"};
	char text[SL_OFFLOADS_TEXT];

	(void)cmocka;
	assert_false(sl_offloads_emulated(&info));
	assert_int_equal(sl_offloads_wanted(&info, false), strip | sum);
	assert_int_equal(sl_offloads_wanted(&info, true), 0);
	info.rx_offload_capa = sum;
	assert_int_equal(sl_offloads_wanted(&info, false), 0);
	info.rx_offload_capa = strip;
	assert_int_equal(sl_offloads_wanted(&info, false), strip);
	info.driver_name = "net_virtio";
	assert_true(sl_offloads_emulated(&info));
	sl_offloads_text(UINT64_MAX, text);
	assert_string_equal(text, "vlan-strip ip4-checksum scatter");
	sl_offloads_text(0, text);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_as_offered),
		cmocka_unit_test(test_unless_unwanted),
		cmocka_unit_test(test_of_a_group),
		cmocka_unit_test(test_what_is_wanted),
	};

	if (geteuid() != 0) {
		(void)fputs("these tests start workers, which needs root\n", stderr);
		return 1;
	}
	return cmocka_run_group_tests(tests, make_namespace, NULL);
}
