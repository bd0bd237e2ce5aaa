/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The budget of packet buffers: whatever waits at once, in queues, lists, rings between threads and rings of ports, there are
 * buffers for what ports receive; and what a worker or a port is refused for.
 */
#include "control/budget.h"
#include "stages/queue.h"
#include "support/netns.h"
#include "support/worker_session.h"

static struct sl_fault fault;

/* The memory that a remedy names. */
static unsigned int named_mb(const char *remedy)
{
	static const char before[] = "start the worker with --memory-mb ";

	assert_memory_equal(remedy, before, sizeof(before) - 1);
	return (unsigned int)strtoul(remedy + sizeof(before) - 1, NULL, 10);
}
static struct sl_budget budget;

static int make(unsigned int ordinary, unsigned int large, unsigned int threads)
{
	const unsigned int buffers[SL_POOLS] = {ordinary, large};

	fault = (struct sl_fault){.code = SL_FAULT_NONE};
	return sl_budget_make(&budget, buffers, 64, threads, &fault);
}

static unsigned int waits(unsigned int threads)
{
	return budget.inject + threads * (budget.waiting.hold + budget.waiting.reassembly +
	                                  budget.waiting.pass + budget.punt);
}

/* With enough of them everything is as large as it may be. */
static void enough(void **state)
{
	(void)state;
	assert_int_equal(make(15984, 0, 1), 0); /* --memory-mb 64 */
	assert_int_equal(budget.waiting.hold, SL_HOLD_MAX);
	assert_int_equal(budget.waiting.reassembly, SL_REASSEMBLY_HELD);
	assert_int_equal(budget.waiting.pass, 0);
	assert_int_equal(budget.pass_ring, 0);
	assert_int_equal(budget.punt, SL_PUNT_MOST);
	assert_int_equal(budget.inject, SL_INJECT_MOST);
	assert_true(budget.full_mb <= 64);
	assert_int_equal(budget.ports[1], 0);
	assert_int_equal(make(63937, 0, 2), 0); /* 256 */
	assert_int_equal(budget.waiting.pass, SL_PASS_RING - 1);
	assert_int_equal(budget.pass_ring, SL_PASS_RING - 1);
	assert_int_equal(make(250000, 0, 8), 0); /* 1024 */
	assert_int_equal(budget.waiting.pass, SL_PASS_MOST);
	assert_int_equal(budget.pass_ring, SL_PASS_MOST / 2);
	assert_true(budget.full_mb <= 64);
}

/* The parts never come to more than the pool, for any pool and number of threads; with the memory named nothing is cut. */
static void never_more_than_there_are(void **state)
{
	(void)state;
	for (unsigned int threads = 1; threads <= SL_MAX_LCORES; threads++) {
		for (unsigned int buffers = 1000; buffers < 2000000; buffers += buffers / 7) {
			unsigned int cache = sl_budget_cache(buffers, threads), share;

			if (make(buffers, buffers * 2, threads) != 0)
				continue;
			assert_int_equal(budget.waits, waits(threads));
			assert_true(budget.waits <= buffers / 4);
			share = budget.ports[0] + budget.waits + buffers / SL_QUEUES_SHARE +
			        (threads + 1) * (cache + cache / 2) + threads * 8 * SL_BURST;
			assert_int_equal(share, buffers);
			assert_true(budget.ports[1] > budget.ports[0]);
			assert_true(budget.waiting.reassembly >= SL_REASSEMBLY_PIECES);
			assert_true(budget.punt >= SL_BURST - 1);
			assert_true(threads == 1 || budget.pass_ring >= SL_BURST);
			assert_int_equal(budget.full_mb <= 64, budget.waiting.hold == SL_HOLD_MAX);
		}
	}
}

/* The smaller pool decides: packets in either kind of buffer wait in the same places. */
static void scaled(void **state)
{
	unsigned int hold;

	(void)state;
	assert_int_equal(make(63937, 0, 8), 0);
	assert_in_range(budget.waiting.hold, SL_HOLD_MAX / 8, SL_HOLD_MAX / 2);
	assert_true(budget.full_mb > 64);
	hold = budget.waiting.hold;
	assert_int_equal(make(63937, 30000, 8), 0);
	assert_true(budget.waiting.hold < hold);
	assert_true(budget.ports[1] < budget.ports[0]);
}

static void too_few(void **state)
{
	unsigned int mb;

	(void)state;
	assert_int_equal(make(15984, 0, 32), -1);
	assert_int_equal(fault.code, SL_FAULT_NO_MEMORY);
	assert_string_equal(fault.message,
	                    "15984 packet buffers are too few for 32 packet threads");
	mb = named_mb(fault.remedy);
	/* what it names is enough, and little more than that */
	assert_int_equal(make(15984 * mb / 64, 0, 32), 0);
	assert_int_equal(make(15984 * (mb - mb / 10) / 64, 0, 32), -1);
}

static void for_another_port(void **state)
{
	unsigned int more, left;

	(void)state;
	assert_int_equal(make(15984, 0, 4), 0);
	left = budget.ports[0];
	more = sl_budget_more_mb(64, 15984, 5000);
	assert_true(more > 64);
	assert_int_equal(make(15984 * more / 64, 0, 4), 0);
	assert_true(budget.ports[0] >= left + 5000);
}

/* A worker that cannot work is not started; what it says names the remedy. */
static void refused_at_start(void **state)
{
	static const char *const many[] = {"--no-huge", "--memory-mb", "64",
	                                   "--lcores",  "32",          NULL};
	struct test_worker worker;
	char text[512];
	FILE *log;

	(void)state;
	assert_int_equal(test_instance(&worker, TEST_EPOCH), 0);
	assert_int_equal(test_spawn(&worker, many), 0);
	assert_int_equal(test_wait_exit(&worker, 20000), 5);
	log = fopen(test_path(&worker, "worker.log"), "re");
	assert_non_null(log);
	for (text[0] = 0; strstr(text, "too few for 32 packet threads") == NULL;)
		assert_non_null(fgets(text, sizeof(text), log));
	assert_non_null(strstr(text, "start the worker with --memory-mb "));
	(void)fclose(log);
	test_instance_remove(&worker);
}

/* Ports whose rings hold buffers, of a driver that takes 512 or so to begin with, until there are none left for ports. */
static void refused_ports(void **state)
{
	static const char *const little[] = {"--no-huge", "--memory-mb", "32", NULL};
	PB(WorkerCommand) command = test_new_command(PB_CASE(ADD_PORT));
	PB(AddPort) add = SEALANE__WORKER__V1__ADD_PORT__INIT;
	PB(WorkerMessage) * reply;
	char devargs[32], name[] = "p";
	struct test_worker worker;
	unsigned int mb;
	uint32_t id = 0;
	int code;

	(void)state;
	assert_true(test_netns_new() >= 0); /* its interfaces go with it */
	session_begin(&worker, little);
	do {
		(void)snprintf(devargs, sizeof(devargs), "net_tap%u,iface=bdg%u", id, id);
		code = test_add_port(&worker, ++id, devargs, -1);
	} while (code == PB_CODE(OK));
	assert_int_equal(code, PB_CODE(NO_MEMORY));
	assert_in_range(id, 4, 9);
	/* refused again, with the remedy, and nothing of it is left: what takes none is welcome */
	add.port = id;
	add.name = name;
	add.devargs = devargs;
	add.mtu = 1500;
	command.add_port = &add;
	reply = test_command(&worker, &command, NULL, 0);
	assert_non_null(reply);
	assert_int_equal(reply->reply->code, PB_CODE(NO_MEMORY));
	assert_non_null(strstr(reply->reply->message, "packet buffers, and"));
	mb = named_mb(reply->reply->remedy);
	assert_in_range(mb, 33, 64);
	sealane__worker__v1__worker_message__free_unpacked(reply, NULL);
	assert_int_equal(test_add_port(&worker, id, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	session_end(&worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enough),           cmocka_unit_test(never_more_than_there_are),
		cmocka_unit_test(scaled),           cmocka_unit_test(too_few),
		cmocka_unit_test(for_another_port), cmocka_unit_test(refused_at_start),
		cmocka_unit_test(refused_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
