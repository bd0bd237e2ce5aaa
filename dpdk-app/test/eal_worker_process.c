/* SPDX-License-Identifier: Apache-2.0 */
/* The worker as a process: start, stop, kill, privileges, segments kept and refused. */
#include <dirent.h>
#include <sys/resource.h>

#include "support/worker_session.h"

static uint64_t rounds_of(const struct sl_state *state)
{
	return __atomic_load_n(&state->lcore[0].block.rounds, __ATOMIC_ACQUIRE);
}

static void test_clean_run(void **cmocka)
{
	struct test_worker worker;
	const struct sl_state *state;
	uint64_t rounds;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	assert_int_equal(test_add_port(&worker, 3, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 3, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 3, "net_null1", -1), PB_CODE(ALREADY));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 4, "net_null2", -1), PB_CODE(STATE));

	state = session_state(&worker);
	assert_int_equal(state->header.worker_starts, 1);
	assert_int_equal(state->header.segment.epoch, TEST_EPOCH);
	assert_int_equal(state->header.segment.writer.pid, worker.pid);
	assert_int_equal(state->lcore[0].block.running, 1);
	rounds = rounds_of(state);
	test_sleep_ms(100);
	assert_true(rounds_of(state) > rounds);

	session_shutdown(&worker);
	assert_int_equal(state->lcore[0].block.running, 0);
	assert_int_equal(state->lcore[0].block.epoch, 0);
	assert_int_equal(state->header.control_epoch, 0);
	assert_int_not_equal(access(test_path(&worker, "worker.sock"), F_OK), 0);
	session_unmap(state);
	test_instance_remove(&worker);
}

#ifdef SEALANE_SANITIZE
enum { SECCOMP_MODE = 0 }; /* not restricted then: control/commands.c */
#else
enum { SECCOMP_MODE = 2 }; /* a filter */
#endif

/*
 * Every capability set of every thread, the bounding set included; no way back by exec; system calls
 * restricted.
 */
static void assert_bare(pid_t pid, const char *task)
{
	char path[64], line[256];
	unsigned int sets = 0;
	FILE *status;

	(void)snprintf(path, sizeof(path), "/proc/%d/task/%.16s/status", (int)pid, task);
	status = fopen(path, "r");
	assert_non_null(status);
	while (fgets(line, sizeof(line), status) != NULL) {
		if (strncmp(line, "Cap", 3) == 0) {
			assert_int_equal(strtoull(line + 7, NULL, 16), 0);
			sets++;
		} else if (strncmp(line, "NoNewPrivs:", 11) == 0) {
			assert_int_equal(strtoul(line + 11, NULL, 10), 1);
			sets++;
		} else if (strncmp(line, "Seccomp:", 8) == 0) {
			assert_int_equal(strtoul(line + 8, NULL, 10), SECCOMP_MODE);
			sets++;
		}
	}
	(void)fclose(status);
	assert_int_equal(sets, 7);
}

static void test_privileges_are_gone_in_every_thread(void **cmocka)
{
	struct test_worker worker;
	unsigned int threads = 0;
	struct dirent *entry;
	char path[64];
	DIR *tasks;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	assert_int_equal(test_add_port(&worker, 1, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)worker.pid);
	tasks = opendir(path);
	assert_non_null(tasks);
	while ((entry = readdir(tasks)) != NULL)
		if (entry->d_name[0] != '.') {
			assert_bare(worker.pid, entry->d_name);
			threads++;
		}
	closedir(tasks);
	assert_true(threads >= 3); /* control, packets, EAL's interrupts */
	session_end(&worker);
}

static void test_leaves_its_parent(void **cmocka)
{
	struct test_worker worker;
	struct stat status;
	char path[64];

	(void)cmocka;
	/* a descriptor that is not close-on-exec, as a careless parent has */
	assert_int_equal(dup2(STDERR_FILENO, 222), 222);
	session_begin(&worker, test_no_huge);
	close(222);
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/222", (int)worker.pid);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(getsid(worker.pid), worker.pid);
	for (int fd = 1; fd <= 2; fd++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)worker.pid, fd);
		assert_int_equal(stat(path, &status), 0);
		assert_true(S_ISREG(status.st_mode)); /* the log, not our pipe or terminal */
	}
	session_end(&worker);
}

static void test_log_to_a_datagram_socket(void **cmocka)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct test_worker worker;
	char target[128], line[1500] = "";
	const char *const arguments[] = {"--no-huge", "--log", target, NULL};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)cmocka;
	assert_int_equal(test_instance(&worker, TEST_EPOCH), 0);
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", test_path(&worker, "log"));
	(void)snprintf(target, sizeof(target), "unixgram:%s", address.sun_path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(test_spawn(&worker, arguments), 0);
	session_greet(&worker);
	assert_true(recv(fd, line, sizeof(line) - 1, MSG_DONTWAIT) > 0);
	assert_non_null(strstr(line, "Z info "));
	close(fd); /* nobody takes the log any more: the worker does not mind */
	assert_int_equal(test_add_port(&worker, 1, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	assert_int_not_equal(access(test_path(&worker, "worker.log"), F_OK), 0);
	session_end(&worker);
}

/* Keys are in memory: no core dump, even where the limit and the kernel would make one. */
static void test_no_core_dump(void **cmocka)
{
	struct rlimit before, limit;
	struct test_worker worker;
	int status;

	(void)cmocka;
	assert_int_equal(getrlimit(RLIMIT_CORE, &before), 0);
	limit = (struct rlimit){.rlim_cur = before.rlim_max, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_CORE, &limit), 0);
	session_begin(&worker, test_no_huge);
	assert_int_equal(setrlimit(RLIMIT_CORE, &before), 0);
	if (limit.rlim_max == 0)
		print_message("    no core dump is possible here anyway\n");
	assert_int_equal(kill(worker.pid, SIGQUIT), 0);
	assert_int_equal(waitpid(worker.pid, &status, 0), worker.pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGQUIT);
	assert_false(WCOREDUMP(status));
	close(worker.fd);
	test_instance_remove(&worker);
}

/* What EAL keeps in its runtime directory is gone even while the worker runs, so a kill leaves nothing. */
static void test_no_runtime_directory(void **cmocka)
{
	struct test_worker worker;
	char prefix[64], dir[128], file[160];
	const char *const arguments[] = {"--no-huge", "--", "--file-prefix", prefix, NULL};
	FILE *junk;

	(void)cmocka;
	(void)snprintf(prefix, sizeof(prefix), "sealane-process-test-%d", (int)getpid());
	(void)snprintf(dir, sizeof(dir), "/var/run/dpdk/%s", prefix);
	(void)snprintf(file, sizeof(file), "%s/config", dir);
	(void)mkdir("/var/run/dpdk", 0700);
	assert_int_equal(mkdir(dir, 0700), 0);
	junk = fopen(file, "w");
	assert_non_null(junk);
	(void)fclose(junk);
	session_begin(&worker, arguments);
	assert_int_not_equal(access(dir, F_OK), 0);
	session_end(&worker);
	assert_int_not_equal(access(dir, F_OK), 0);
}

static void test_sigterm(void **cmocka)
{
	struct test_worker worker;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	assert_int_equal(test_add_port(&worker, 1, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	assert_int_equal(kill(worker.pid, SIGTERM), 0);
	assert_int_equal(test_wait_exit(&worker, 10000), 0);
	assert_int_not_equal(access(test_path(&worker, "worker.sock"), F_OK), 0);
	close(worker.fd);
	test_instance_remove(&worker);
}

static void test_second_worker_is_refused(void **cmocka)
{
	struct test_worker worker, second;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	second = worker;
	assert_int_equal(test_spawn(&second, test_no_huge), 0);
	assert_int_equal(test_wait_exit(&second, 10000), 4);
	/* and has not disturbed the first */
	assert_int_equal(test_add_port(&worker, 1, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	session_end(&worker);
}

static void test_start_refusals(void **cmocka)
{
	static const char *const patient[] = {"--no-huge", "--wait-ms", "50", NULL};
	static const char *const many_lcores[] = {"--lcores", "33", NULL};
	static const char *const too_much[] = {"--huge", "on", "--memory-mb", "65536", NULL};
	static const char *const bad_eal[] = {"--no-huge", "--", "--no-such-argument", NULL};
	struct test_worker worker;

	(void)cmocka;
	assert_int_equal(test_instance(&worker, TEST_EPOCH), 0);
	assert_int_equal(test_spawn(&worker, many_lcores), 0);
	assert_int_equal(test_wait_exit(&worker, 10000), 2);
	assert_int_equal(test_spawn(&worker, too_much), 0);
	assert_int_equal(test_wait_exit(&worker, 10000), 5);
	assert_int_equal(test_spawn(&worker, bad_eal), 0);
	assert_int_equal(test_wait_exit(&worker, 10000), 2);
	worker.tables->header.segment.layout_hash ^= 1;
	assert_int_equal(test_spawn(&worker, patient), 0);
	assert_int_equal(test_wait_exit(&worker, 10000), 3);
	worker.tables->header.segment.layout_hash ^= 1;
	worker.tables->header.segment.complete = 0;
	assert_int_equal(test_spawn(&worker, patient), 0);
	assert_int_equal(test_wait_exit(&worker, 10000), 3);
	assert_int_equal(unlink(test_path(&worker, "tables")), 0);
	assert_int_equal(test_spawn(&worker, patient), 0);
	assert_int_equal(test_wait_exit(&worker, 10000), 3);
	test_instance_remove(&worker);
}

static void run_two(const char *const *arguments)
{
	struct test_worker one, two;
	const struct sl_state *state_one, *state_two;
	uint64_t rounds_one, rounds_two;

	session_begin(&one, arguments);
	session_begin(&two, arguments);
	assert_int_equal(test_add_port(&one, 1, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_add_port(&two, 1, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_start(&one), PB_CODE(OK));
	assert_int_equal(test_start(&two), PB_CODE(OK));
	state_one = session_state(&one);
	state_two = session_state(&two);
	rounds_one = rounds_of(state_one);
	rounds_two = rounds_of(state_two);
	test_sleep_ms(200);
	assert_true(rounds_of(state_one) > rounds_one);
	assert_true(rounds_of(state_two) > rounds_two);
	session_unmap(state_one);
	session_unmap(state_two);
	session_end(&one);
	session_end(&two);
}

static void test_two_workers_without_hugepages(void **cmocka)
{
	(void)cmocka;
	run_two(test_no_huge);
}

static unsigned long free_huge_mb(void)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	unsigned long pages = 0;
	char text[32];

	if (file != NULL) {
		if (fgets(text, sizeof(text), file) != NULL)
			pages = strtoul(text, NULL, 10);
		(void)fclose(file);
	}
	return pages * 2;
}

static void test_two_workers_with_hugepages(void **cmocka)
{
	static const char *const huge[] = {"--huge", "on", NULL};

	(void)cmocka;
	if (free_huge_mb() < 160) {
		print_message("    160 MB of free hugepages are needed for this\n");
		skip();
	}
	run_two(huge);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_run),
		cmocka_unit_test(test_privileges_are_gone_in_every_thread),
		cmocka_unit_test(test_leaves_its_parent),
		cmocka_unit_test(test_log_to_a_datagram_socket),
		cmocka_unit_test(test_no_core_dump),
		cmocka_unit_test(test_no_runtime_directory),
		cmocka_unit_test(test_sigterm),
		cmocka_unit_test(test_second_worker_is_refused),
		cmocka_unit_test(test_start_refusals),
		cmocka_unit_test(test_two_workers_without_hugepages),
		cmocka_unit_test(test_two_workers_with_hugepages),
	};

	if (geteuid() != 0) {
		(void)fputs("these tests start workers, which needs root\n", stderr);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
