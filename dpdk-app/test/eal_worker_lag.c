/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link aggregation groups of a running worker: two, whose members are the ends of two veth pairs, so that LACP goes from one to
 * the other. test/interop/lag-linux-pe.test.ts has the Linux kernel at the other end, and traffic.
 */
#include "support/netns.h"
#include "support/worker_session.h"

#define LEFT "lag,rate=fast;net_af_packet1_0,iface=la0;net_af_packet1_1,iface=la1"
#define RIGHT "lag,rate=slow;net_af_packet2_0,iface=lb0;net_af_packet2_1,iface=lb1"

enum { DISTRIBUTING = 0x20, SHORT_TIMEOUT = 0x02 };

static struct {
	int home, port;
} ns;

static int make_namespaces(void **cmocka)
{
	(void)cmocka;
	ns.home = test_netns_new();
	ns.port = test_netns_new();
	if (ns.home < 0 || ns.port < 0 ||
	    test_shell(
		    "sysctl -qw net.ipv6.conf.all.disable_ipv6=1; for n in 0 1; do "
		    "ip link add name la$n address 02:00:00:00:01:0$n type veth peer name lb$n "
		    "address 02:00:00:00:02:0$n && ip link set la$n up && ip link set lb$n up || "
		    "exit 1; done") != 0)
		return -1;
	return test_netns_enter(ns.home);
}

static PB(WorkerMessage) * list(struct test_worker *worker)
{
	PB(WorkerCommand)
	command = test_new_command(SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_LIST_LAGS);
	PB(ListLags) body;
	PB(WorkerMessage) * message;

	sealane__worker__v1__list_lags__init(&body);
	command.list_lags = &body;
	message = test_command(worker, &command, NULL, 0);
	assert_non_null(message);
	assert_int_equal(message->reply->code, PB_CODE(OK));
	assert_non_null(message->reply->lags);
	return message;
}

/* Bit n: member n of the list distributes. */
static unsigned int distributing(struct test_worker *worker)
{
	PB(WorkerMessage) *message = list(worker);
	unsigned int members = 0;

	for (size_t i = 0; i < message->reply->lags->n_members; i++)
		if ((message->reply->lags->members[i]->actor->state & DISTRIBUTING) != 0)
			members |= 1u << i;
	sealane__worker__v1__worker_message__free_unpacked(message, NULL);
	return members;
}

static void wait_for(struct test_worker *worker, unsigned int members)
{
	for (int i = 0; i < 300; i++) {
		if (distributing(worker) == members)
			return;
		test_sleep_ms(50);
	}
	fail_msg("members %x distribute instead of %x", distributing(worker), members);
}

static void check_list(struct test_worker *worker)
{
	PB(WorkerMessage) *message = list(worker);
	PB(LagMember) *const *member = message->reply->lags->members;
	static const char *const names[] = {"la0", "la1", "lb0", "lb1"};
	static const uint8_t left[6] = {2, 0, 0, 0, 1, 0}, right[6] = {2, 0, 0, 0, 2, 0};

	assert_int_equal(message->reply->lags->n_members, 4);
	for (unsigned int i = 0; i < 4; i++) {
		assert_string_equal(member[i]->name, names[i]);
		assert_int_equal(member[i]->port, i / 2 + 1);
		assert_true(member[i]->link_up);
		assert_true(member[i]->selected);
		/* the group has its first member's address */
		assert_memory_equal(member[i]->actor->system.data, i < 2 ? left : right, 6);
		assert_memory_equal(member[i]->partner->system.data, i < 2 ? right : left, 6);
		assert_int_equal(member[i]->partner->key, i < 2 ? 2 : 1);
		assert_int_equal(member[i]->actor->state & SHORT_TIMEOUT,
		                 i < 2 ? SHORT_TIMEOUT : 0);
		assert_true(member[i]->rx_lacpdus > 0);
		assert_true(member[i]->rx_packets >= member[i]->rx_lacpdus);
		assert_true(member[i]->tx_packets > 0);
		assert_int_equal(member[i]->rx_malformed, 0);
	}
	sealane__worker__v1__worker_message__free_unpacked(message, NULL);
}

static void set_link(const char *name, const char *state)
{
	assert_int_equal(test_netns_enter(ns.port), 0);
	assert_int_equal(test_shell("ip link set %s %s", name, state), 0);
	assert_int_equal(test_netns_enter(ns.home), 0);
}

static void groups_of(const char *const *arguments)
{
	struct test_worker worker;

	session_begin(&worker, arguments);
	assert_int_equal(test_add_port(&worker, 1, LEFT, ns.port), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 1, LEFT, ns.port), PB_CODE(OK)); /* the same */
	assert_int_equal(test_add_port(&worker, 2, RIGHT, ns.port), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	wait_for(&worker, 15);
	check_list(&worker);
	set_link("lb1", "down");
	wait_for(&worker, 5);
	set_link("lb1", "up");
	wait_for(&worker, 15);
	set_link("la0", "down");
	wait_for(&worker, 10);
	set_link("la0", "up");
	wait_for(&worker, 15);
	/* told once for each group: what members do is no event while one of them is there */
	assert_int_equal(worker.link_ups[1], 1);
	assert_int_equal(worker.link_ups[2], 1);
	session_end(&worker);
}

static void test_groups(void **cmocka)
{
	(void)cmocka;
	groups_of(test_no_huge);
}

static void test_groups_of_two_threads(void **cmocka)
{
	static const char *const two[] = {"--no-huge", "--lcores", "2", NULL};

	(void)cmocka;
	groups_of(two);
}

static void test_refusals(void **cmocka)
{
	static const char nine[] = "lag,rate=fast;net_null0;net_null1;net_null2;net_null3;"
				   "net_null4;net_null5;net_null6;net_null7;net_null8";
	static const char *const wrong[] = {
		"lag,rate=fast",
		"lag,rate=often;net_af_packet1_0,iface=la0",
		"lag,rate=fast;",
		"lag,rate=fast;lag,rate=fast;net_null0",
		nine,
	};
	struct test_worker worker, second;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(test_add_port(&worker, 1, wrong[i], ns.port), PB_CODE(MALFORMED));
	assert_int_equal(
		test_add_port(&worker, 1, "lag,rate=fast;net_af_packet1_0,iface=none", ns.port),
		PB_CODE(DEVICE_UNKNOWN));
	/* what was made of a group that failed is gone: its members are free */
	assert_int_equal(test_add_port(&worker, 1,
	                               "lag,rate=fast;net_af_packet1_0,iface=la0;"
	                               "net_af_packet1_1,iface=none",
	                               ns.port),
	                 PB_CODE(DEVICE_UNKNOWN));
	assert_int_equal(test_add_port(&worker, 1, LEFT, ns.port), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 3, "net_af_packet3,iface=la1", ns.port),
	                 PB_CODE(DEVICE_BUSY));
	session_begin(&second, test_no_huge);
	assert_int_equal(test_add_port(&second, 1, LEFT, ns.port), PB_CODE(DEVICE_BUSY));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	/* LACP has one speaker: the next worker begins anew */
	assert_int_equal(test_prepare_hand_over(&worker, 1), PB_CODE(STATE));
	session_end(&worker);
	assert_int_equal(test_add_port(&second, 1, LEFT, ns.port), PB_CODE(OK));
	session_end(&second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_groups_of_two_threads),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, make_namespaces, NULL);
}
