/* SPDX-License-Identifier: Apache-2.0 */
/* The worker as a process: start, stop, kill, privileges, the supervisor's socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>

#include <cmocka.h>

#include "support/worker_process.h"

static const char *const no_huge[] = {"--no-huge", NULL};
static const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 1};

static void begin(struct test_worker *worker, const char *const *arguments)
{
	assert_int_equal(test_instance(worker, 0x1122334455667788ull), 0);
	assert_int_equal(test_spawn(worker, arguments), 0);
	assert_int_equal(test_connect(worker), 0);
	assert_int_equal(test_hello(worker), PB_CODE(OK));
}

static void end(struct test_worker *worker)
{
	assert_int_equal(test_shutdown(worker), PB_CODE(OK));
	assert_int_equal(test_wait_exit(worker, 10000), 0);
	close(worker->fd);
	test_instance_remove(worker);
}

static void test_clean_run(void **cmocka)
{
	struct test_worker worker;
	const struct sl_state *state;
	uint64_t rounds;

	(void)cmocka;
	begin(&worker, no_huge);
	assert_int_equal(test_add_port(&worker, 3, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 3, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 3, "net_null1", -1), PB_CODE(ALREADY));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 4, "net_null2", -1), PB_CODE(STATE));

	state = test_state_map(test_path(&worker, "state"));
	assert_non_null(state);
	assert_int_equal(state->header.worker_starts, 1);
	assert_int_equal(state->header.segment.writer.pid, worker.pid);
	rounds = __atomic_load_n(&state->lcore[0].block.rounds, __ATOMIC_ACQUIRE);
	test_sleep_ms(100);
	assert_true(__atomic_load_n(&state->lcore[0].block.rounds, __ATOMIC_ACQUIRE) > rounds);
	assert_int_equal(state->lcore[0].block.running, 1);
	end(&worker);
	assert_int_equal(state->lcore[0].block.running, 0);
	assert_int_equal(state->lcore[0].block.epoch, 0);
	munmap((void *)(uintptr_t)state, sizeof(*state));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_run),
	};

	(void)mac;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
