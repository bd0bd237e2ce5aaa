/* SPDX-License-Identifier: Apache-2.0 */
/* The course of a worker test, with cmocka's assertions: begin, talk, end. */
#ifndef SEALANE_TEST_SUPPORT_WORKER_SESSION_H
#define SEALANE_TEST_SUPPORT_WORKER_SESSION_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/worker_process.h"

#define TEST_EPOCH 0x1122334455667788ull

static const char *const test_no_huge[] = {"--no-huge", NULL};

static inline void session_greet(struct test_worker *worker)
{
	assert_int_equal(test_connect(worker), 0);
	assert_int_equal(test_hello(worker), PB_CODE(OK));
}

/* Start a worker in a fresh instance directory and greet it. */
static inline void session_begin(struct test_worker *worker, const char *const *arguments)
{
	assert_int_equal(test_instance(worker, TEST_EPOCH), 0);
	assert_int_equal(test_spawn(worker, arguments), 0);
	session_greet(worker);
}

/* Start another worker in the same directory. */
static inline void session_again(struct test_worker *worker)
{
	assert_int_equal(test_spawn(worker, test_no_huge), 0);
	session_greet(worker);
}

static inline void session_shutdown(struct test_worker *worker)
{
	assert_int_equal(test_shutdown(worker), PB_CODE(OK));
	assert_int_equal(test_wait_exit(worker, 10000), 0);
	close(worker->fd);
}

static inline void session_end(struct test_worker *worker)
{
	session_shutdown(worker);
	test_instance_remove(worker);
}

static inline void session_kill(struct test_worker *worker)
{
	assert_int_equal(kill(worker->pid, SIGKILL), 0);
	assert_int_equal(test_wait_exit(worker, 10000), 128 + SIGKILL);
	close(worker->fd);
}

static inline const struct sl_state *session_state(const struct test_worker *worker)
{
	const struct sl_state *state = test_state_map(test_path(worker, "state"));

	assert_non_null(state);
	return state;
}

static inline void session_unmap(const struct sl_state *state)
{
	munmap((void *)(uintptr_t)state, sizeof(*state));
}

/* Wait up to two seconds until a counter is at least `least`. */
static inline bool session_reaches(const uint64_t *counter, uint64_t least)
{
	for (int i = 0; i < 400; i++) {
		if (__atomic_load_n(counter, __ATOMIC_RELAXED) >= least)
			return true;
		test_sleep_ms(5);
	}
	return false;
}

#endif
