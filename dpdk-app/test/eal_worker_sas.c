/* SPDX-License-Identifier: Apache-2.0 */
/* SAs of a running worker: which keys are refused, what a kill leaves, when keys go. */
#include "support/worker_session.h"

/* Killed at any time, nothing stops the next start, and what was counted is still there. */
static void test_kill_and_restart(void **cmocka)
{
	struct test_worker worker;
	const struct sl_state *state;
	struct sl_state *writable;
	uint64_t generation;
	int fd;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	generation = test_sa(worker.tables, &worker.tables->sa_out[5], 0x55);
	assert_int_equal(test_install(&worker, 5, 0), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	state = session_state(&worker);
	assert_int_equal(state->sa_out[5].ready_generation, generation);
	(void)test_sa(worker.tables, &worker.tables->sa_out[6], 0x66);
	assert_int_equal(test_install(&worker, 6, 0), PB_CODE(OK));
	session_kill(&worker);
	worker.tables->sa_out[6].generation = 0; /* removed while no worker runs */

	/* as if it had sent */
	fd = open(test_path(&worker, "state"), O_RDWR);
	writable = mmap(NULL, sizeof(*writable), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(writable, MAP_FAILED);
	close(fd);
	writable->sa_out[5].last_sequence = 4711;
	writable->sa_out[5].ready_generation = 99;

	session_again(&worker);
	assert_int_equal(state->header.worker_starts, 2);
	assert_int_equal(state->sa_out[5].last_sequence, 4711);
	assert_int_equal(state->sa_out[5].generation, generation);
	assert_int_equal(state->sa_out[5].ready_generation, generation); /* expanded at attach */
	assert_int_equal(state->sa_out[6].ready_generation, 0);
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	munmap(writable, sizeof(*writable));
	session_unmap(state);
	session_end(&worker);
}

static uint64_t last_copy; /* address of the last one that copies_of_key() found */

/* How often 16 bytes of `byte` are in the private memory of a process. */
static unsigned int copies_of_key(pid_t pid, uint8_t byte)
{
	static uint8_t chunk[(1 << 20) + 16];
	char path[64], line[512];
	unsigned int copies = 0;
	uint8_t key[16];
	FILE *maps;
	int memory;

	memset(key, byte, sizeof(key));
	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	memory = open(path, O_RDONLY);
	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	maps = fopen(path, "r");
	assert_true(memory >= 0 && maps != NULL);
	while (fgets(line, sizeof(line), maps) != NULL) {
		char *rest;
		off_t from = (off_t)strtoull(line, &rest, 16);
		off_t to = (off_t)strtoull(rest + 1, &rest, 16);

		/* not shared with the supervisor's rows, and not a sanitizer's terabytes */
		if (strncmp(rest, " rw-p", 5) != 0 || to - from > 1 << 30)
			continue;
		for (; from < to; from += 1 << 20) {
			size_t wanted = (size_t)(to - from) < sizeof(chunk) ? (size_t)(to - from)
			                                                    : sizeof(chunk);
			ssize_t length = pread(memory, chunk, wanted, from);
			const uint8_t *at = chunk;

			if (length < (ssize_t)sizeof(key))
				break;
			while ((at = memmem(at, (size_t)(chunk + length - at), key, sizeof(key)))) {
				copies++;
				last_copy = (uint64_t)from + (uint64_t)(at - chunk);
				at += sizeof(key);
			}
		}
	}
	(void)fclose(maps);
	close(memory);
	return copies;
}

/* Is the mapping at this address, or of this file, locked in memory and left out of core dumps? */
static bool is_kept_in_memory(pid_t pid, uint64_t address, const char *file)
{
	char path[64], line[512];
	bool here = false, kept = false;
	FILE *maps;

	(void)snprintf(path, sizeof(path), "/proc/%d/smaps", (int)pid);
	maps = fopen(path, "r");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		char *rest;
		uint64_t from = strtoull(line, &rest, 16), to = 0;

		if (*rest == '-') /* a mapping's first line: "from-to ..." */
			to = strtoull(rest + 1, &rest, 16);
		if (to != 0)
			here = file != NULL ? strstr(line, file) != NULL
			                    : from <= address && address < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			kept = strstr(line, " lo ") != NULL && strstr(line, " dd ") != NULL;
	}
	(void)fclose(maps);
	return kept;
}

static void test_keys_are_locked_and_not_dumped(void **cmocka)
{
	struct test_worker worker;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	(void)test_sa(worker.tables, &worker.tables->sa_out[3], 0x5c);
	assert_int_equal(test_install(&worker, 3, 0), PB_CODE(OK));
	assert_int_equal(copies_of_key(worker.pid, 0x5c), 1);
	assert_int_not_equal(last_copy, 0);
	assert_true(is_kept_in_memory(worker.pid, last_copy, NULL));
	assert_true(is_kept_in_memory(worker.pid, 0, test_path(&worker, "tables")));
	assert_false(
		is_kept_in_memory(worker.pid, 0, "[stack]")); /* the question has two answers */
	session_end(&worker);
}

/* The key of an SA whose row was given up goes by itself, and the SA is not usable any more. */
static void test_keys_of_removed_sas_are_wiped(void **cmocka)
{
	struct test_worker worker;
	const struct sl_state *state;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	(void)test_sa(worker.tables, &worker.tables->sa_out[700], 0xd8);
	(void)test_sa(worker.tables, &worker.tables->sa_in[1], 0xd9);
	(void)test_sa(worker.tables, &worker.tables->sa_in[2], 0xda);
	assert_int_equal(test_install(&worker, 700, 1), PB_CODE(OK));
	assert_int_equal(test_install(&worker, 0, 2), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	state = session_state(&worker);
	/* the first round key of AES is the key itself: in its slot, and nowhere else (no text has such octets) */
	assert_int_equal(copies_of_key(worker.pid, 0xd8), 1);
	__atomic_store_n(&worker.tables->sa_out[700].generation, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&worker.tables->sa_in[1].generation, 0, __ATOMIC_RELEASE);
	for (int i = 0; i < 1000 &&
	                state->sa_out[700].ready_generation + state->sa_in[1].ready_generation != 0;
	     i++)
		test_sleep_ms(5);
	assert_int_equal(state->sa_out[700].ready_generation, 0);
	assert_int_equal(state->sa_in[1].ready_generation, 0);
	assert_int_not_equal(state->sa_in[2].ready_generation, 0);
	assert_int_equal(copies_of_key(worker.pid, 0xd8), 0);
	assert_int_equal(copies_of_key(worker.pid, 0xda), 1);
	session_unmap(state);
	session_end(&worker);
}

/* policy-model 22: the segment that counted is gone, so the key is refused. */
static void test_lost_state_refuses_keys(void **cmocka)
{
	struct test_worker worker;
	uint64_t generation;
	const struct sl_state *state;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	(void)test_sa(worker.tables, &worker.tables->sa_out[5], 0x56);
	assert_int_equal(test_install(&worker, 5, 0), PB_CODE(OK));
	session_kill(&worker);
	assert_int_equal(unlink(test_path(&worker, "state")), 0);

	session_again(&worker);
	assert_int_equal(test_install(&worker, 5, 0), PB_CODE(KEY_REFUSED));
	generation = test_sa(worker.tables, &worker.tables->sa_out[5], 0x57);
	assert_int_equal(test_install(&worker, 5, 0), PB_CODE(OK));
	state = session_state(&worker);
	assert_int_equal(state->sa_out[5].ready_generation, generation);
	session_unmap(state);
	session_end(&worker);
}

static void test_key_refusals(void **cmocka)
{
	struct test_worker worker;
	struct sl_tables *tables;
	uint64_t counted;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	tables = worker.tables;
	assert_int_equal(test_install(&worker, 1, 0), PB_CODE(NOT_FOUND));
	assert_int_equal(test_install(&worker, TEST_ROWS, 0), PB_CODE(NOT_FOUND));
	assert_int_equal(test_install(&worker, SL_MAX_SAS, 0), PB_CODE(NOT_FOUND));
	(void)test_sa(tables, &tables->sa_out[1], 1);
	assert_int_equal(test_install(&worker, 1, 0), PB_CODE(OK));
	assert_int_equal(test_install(&worker, 1, 0), PB_CODE(OK));
	(void)test_sa(tables, &tables->sa_in[1], 1); /* the other direction */
	assert_int_equal(test_install(&worker, 0, 1), PB_CODE(KEY_REFUSED));
	(void)test_sa(tables, &tables->sa_out[2], 1); /* another row */
	assert_int_equal(test_install(&worker, 2, 0), PB_CODE(KEY_REFUSED));
	(void)test_sa(tables, &tables->sa_out[1], 1); /* the same row, a new generation */
	assert_int_equal(test_install(&worker, 1, 0), PB_CODE(KEY_REFUSED));
	(void)test_sa(tables, &tables->sa_out[1], 3);
	assert_int_equal(test_install(&worker, 1, 0), PB_CODE(OK));
	(void)test_sa(tables, &tables->sa_out[2], 1); /* a key of the past */
	assert_int_equal(test_install(&worker, 2, 0), PB_CODE(KEY_REFUSED));
	tables->sa_out[1].key[0] ^= 1; /* the same generation, another key */
	assert_int_equal(test_install(&worker, 1, 0), PB_CODE(KEY_REFUSED));
	counted = test_sa(tables, &tables->sa_out[3], 4);
	assert_int_equal(test_install(&worker, 3, 0), PB_CODE(OK));
	(void)test_sa(tables, &tables->sa_out[3], 5); /* a new key, an older generation */
	tables->sa_out[3].generation = counted - 1;
	assert_int_equal(test_install(&worker, 3, 0), PB_CODE(KEY_REFUSED));
	(void)test_sa(tables, &tables->sa_in[2], 9);
	tables->sa_in[2].algorithm = SL_ALG_AES_GMAC_128; /* protection does not follow from it */
	assert_int_equal(test_install(&worker, 0, 2), PB_CODE(MALFORMED));
	session_end(&worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kill_and_restart),
		cmocka_unit_test(test_keys_are_locked_and_not_dumped),
		cmocka_unit_test(test_keys_of_removed_sas_are_wiped),
		cmocka_unit_test(test_lost_state_refuses_keys),
		cmocka_unit_test(test_key_refusals),
	};

	if (geteuid() != 0) {
		(void)fputs("these tests start workers, which needs root\n", stderr);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
