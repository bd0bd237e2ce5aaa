/* SPDX-License-Identifier: Apache-2.0 */
/* Attaching the segments: what is refused and how, what is kept, what is replaced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "segments/process.h"
#include "segments/state_segment.h"
#include "segments/tables_segment.h"
#include "support/segments.h"

#define EPOCH 0x0102030405060708ull

static char dir[64];
static char tables_path[96], state_path[96], mark_path[112];
static struct sl_fault fault;

static int make_dir(void **cmocka)
{
	(void)cmocka;
	strcpy(dir, "/dev/shm/sealane-segments-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	(void)snprintf(tables_path, sizeof(tables_path), "%s/tables", dir);
	(void)snprintf(state_path, sizeof(state_path), "%s/state", dir);
	(void)snprintf(mark_path, sizeof(mark_path), "%s/state.epoch", dir);
	memset(&fault, 0, sizeof(fault));
	return 0;
}

static int remove_dir(void **cmocka)
{
	(void)cmocka;
	(void)unlink(tables_path);
	(void)unlink(state_path);
	(void)unlink(mark_path);
	return rmdir(dir);
}

/* Every refusal says what to do about it. */
static void assert_refused(const struct sl_tables *attached, const char *what)
{
	assert_null(attached);
	assert_int_equal(fault.code, SL_FAULT_SEGMENT);
	assert_non_null(strstr(fault.message, what));
	assert_int_not_equal(fault.remedy[0], '\0');
}

static void test_tables_refusals(void **cmocka)
{
	struct sl_tables *tables;

	(void)cmocka;
	assert_refused(sl_tables_attach(tables_path, 30, &fault), "does not exist");
	tables = test_tables_create(tables_path, EPOCH);
	assert_non_null(tables);

	tables->header.segment.complete = 0;
	assert_refused(sl_tables_attach(tables_path, 30, &fault), "not complete");
	tables->header.segment.complete = 1;
	tables->header.segment.magic = SL_STATE_MAGIC;
	assert_refused(sl_tables_attach(tables_path, 0, &fault), "magic");
	tables->header.segment.magic = SL_TABLES_MAGIC;
	tables->header.segment.layout_version++;
	assert_refused(sl_tables_attach(tables_path, 0, &fault), "layout version 4");
	tables->header.segment.layout_version--;
	tables->header.segment.layout_hash ^= 1;
	assert_refused(sl_tables_attach(tables_path, 0, &fault), "layout hash");
	tables->header.segment.layout_hash ^= 1;
	tables->header.segment.epoch = 0;
	assert_refused(sl_tables_attach(tables_path, 0, &fault), "epoch");
	tables->header.segment.epoch = EPOCH;
	assert_int_equal(truncate(tables_path, SL_PAGE), 0);
	assert_refused(sl_tables_attach(tables_path, 0, &fault), "4096 bytes");
	assert_int_equal(truncate(tables_path, 10), 0);
	assert_refused(sl_tables_attach(tables_path, 0, &fault), "not complete");
	munmap(tables, sizeof(*tables));
}

/* The supervisor may still be making it, or make it anew, while the worker waits. */
static void test_tables_are_waited_for(void **cmocka)
{
	const struct sl_tables *tables;
	struct sl_tables *made;
	pid_t creator;
	int status;

	(void)cmocka;
	creator = fork();
	if (creator == 0) {
		char fresh[112];

		(void)snprintf(fresh, sizeof(fresh), "%s.new", tables_path);
		made = test_tables_create(fresh, EPOCH - 1);
		made->header.segment.complete = 0; /* as left by a creator that died half-way */
		if (rename(fresh, tables_path) != 0)
			_exit(1);
		usleep(100000);
		made = test_tables_create(fresh, EPOCH);
		_exit(made != NULL && rename(fresh, tables_path) == 0 ? 0 : 1);
	}
	tables = sl_tables_attach(tables_path, 5000, &fault);
	assert_int_equal(waitpid(creator, &status, 0), creator);
	assert_int_equal(status, 0);
	assert_non_null(tables);
	assert_int_equal(tables->header.segment.epoch, EPOCH);
	sl_tables_detach(tables);
}

/* A write to the worker's map would be a write to the supervisor's tables. */
static void test_tables_are_read_only(void **cmocka)
{
	struct sl_tables *tables = test_tables_create(tables_path, EPOCH);
	const struct sl_tables *attached = sl_tables_attach(tables_path, 0, &fault);
	pid_t child;
	int status;

	(void)cmocka;
	assert_non_null(attached);
	child = fork();
	if (child == 0) {
		(void)signal(SIGSEGV, SIG_DFL);
		*(volatile uint64_t *)(uintptr_t)&attached->label[7] = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) ||
	            WEXITSTATUS(status) != 0); /* a sanitizer exits instead */
	assert_int_equal(tables->label[7], 0);
	sl_tables_detach(attached);
	munmap(tables, sizeof(*tables));
}

static void test_state_is_made_and_kept(void **cmocka)
{
	struct sl_tables *tables = test_tables_create(tables_path, EPOCH);
	struct sl_state_segment segment;
	struct stat status;

	(void)cmocka;
	assert_int_equal(sl_state_attach(&segment, state_path, tables, &fault), 0);
	assert_true(segment.created);
	assert_int_equal(stat(state_path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(status.st_size, sizeof(struct sl_state));
	assert_int_equal(segment.state->header.segment.epoch, EPOCH);
	assert_int_equal(segment.state->header.segment.layout_hash, sl_layout_hash());
	assert_int_equal(segment.state->header.segment.writer.pid, getpid());
	assert_int_equal(segment.state->header.segment.writer.start_time,
	                 sl_process_start_time((uint32_t)getpid()));
	assert_int_equal(segment.state->header.worker_starts, 1);
	assert_int_equal(sl_state_commit_sa(&segment, SL_OUT, 2000, &fault), 0);
	segment.state->sa_out[2000].last_sequence = 99;
	segment.state->header.control_epoch = 5;
	sl_state_detach(&segment);

	assert_int_equal(sl_state_attach(&segment, state_path, tables, &fault), 0);
	assert_false(segment.created);
	assert_int_equal(segment.state->header.worker_starts, 2);
	assert_int_equal(segment.state->header.committed_sa_out, 2048);
	assert_int_equal(segment.state->sa_out[2000].last_sequence, 99);
	assert_int_equal(segment.state->header.control_epoch,
	                 0); /* the dead worker reads no more */
	sl_state_detach(&segment);
	munmap(tables, sizeof(*tables));
}

static void test_state_of_another_epoch_is_replaced(void **cmocka)
{
	struct sl_tables *tables = test_tables_create(tables_path, EPOCH);
	struct sl_state_segment segment;
	const struct sl_state *old;

	(void)cmocka;
	assert_int_equal(sl_state_attach(&segment, state_path, tables, &fault), 0);
	sl_state_detach(&segment);
	old = test_state_map(state_path); /* as a supervisor that has it mapped still */
	assert_non_null(old);
	tables->header.segment.epoch = EPOCH + 1;
	tables->header.next_generation = 7;
	assert_int_equal(sl_state_attach(&segment, state_path, tables, &fault), 0);
	assert_true(segment.created);
	assert_int_equal(segment.state->header.segment.epoch, EPOCH + 1);
	assert_int_equal(segment.state->header.worker_starts, 1);
	assert_int_equal(segment.state->header.generation_floor, 0);
	assert_int_equal(old->header.segment.epoch, EPOCH); /* not truncated under its reader */
	sl_state_detach(&segment);
	munmap((void *)(uintptr_t)old, sizeof(*old));
	munmap(tables, sizeof(*tables));
}

static void test_lost_state_is_noticed(void **cmocka)
{
	struct sl_tables *tables = test_tables_create(tables_path, EPOCH);
	struct sl_state_segment segment;

	(void)cmocka;
	assert_int_equal(sl_state_attach(&segment, state_path, tables, &fault), 0);
	assert_int_equal(segment.state->header.generation_floor, 0);
	sl_state_detach(&segment);
	assert_int_equal(unlink(state_path), 0);
	tables->header.next_generation = 42;
	assert_int_equal(sl_state_attach(&segment, state_path, tables, &fault), 0);
	assert_int_equal(segment.state->header.generation_floor, 42);
	sl_state_detach(&segment);
	/* and remembered by the worker after */
	assert_int_equal(sl_state_attach(&segment, state_path, tables, &fault), 0);
	assert_int_equal(segment.state->header.generation_floor, 42);
	sl_state_detach(&segment);
	munmap(tables, sizeof(*tables));
}

static void test_state_refusals(void **cmocka)
{
	struct sl_tables *tables = test_tables_create(tables_path, EPOCH);
	struct sl_state_segment segment, second;
	struct sl_segment_header header;
	int fd;

	(void)cmocka;
	/* another holder of the lock, in this process: OFD locks are per open file */
	assert_int_equal(sl_state_attach(&segment, state_path, tables, &fault), 0);
	assert_int_equal(sl_state_attach(&second, state_path, tables, &fault), -1);
	assert_int_equal(fault.code, SL_FAULT_LOCKED);
	assert_int_equal(segment.state->header.worker_starts, 1);
	sl_state_detach(&segment);

	fd = open(state_path, O_RDWR);
	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	header.layout_hash ^= 1;
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(sl_state_attach(&segment, state_path, tables, &fault), -1);
	assert_int_equal(fault.code, SL_FAULT_SEGMENT);
	assert_non_null(strstr(fault.message, "layout hash"));
	header.layout_hash ^= 1;
	header.magic = 0x4141414141414141ull;
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(sl_state_attach(&segment, state_path, tables, &fault), -1);
	assert_int_equal(fault.code, SL_FAULT_SEGMENT);
	/* one that a worker died over while making it has counted nothing */
	header.magic = SL_STATE_MAGIC;
	header.complete = 0;
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(sl_state_attach(&segment, state_path, tables, &fault), 0);
	assert_true(segment.created);
	sl_state_detach(&segment);
	close(fd);
	munmap(tables, sizeof(*tables));
}

static void test_commit_bounds(void **cmocka)
{
	struct sl_tables *tables = test_tables_create(tables_path, EPOCH);
	struct sl_state_segment segment;

	(void)cmocka;
	assert_int_equal(sl_state_attach(&segment, state_path, tables, &fault), 0);
	assert_int_equal(sl_state_commit_sa(&segment, SL_IN, SL_MAX_SAS, &fault), -1);
	assert_int_equal(sl_state_commit_lcores(&segment, SL_MAX_LCORES + 1, &fault), -1);
	assert_int_equal(sl_state_commit_labels(&segment, SL_MAX_LABELS + 1, &fault), -1);
	assert_int_equal(sl_state_commit_sa(&segment, SL_IN, SL_MAX_SAS - 1, &fault), 0);
	assert_int_equal(segment.state->header.committed_sa_in, SL_MAX_SAS);
	segment.state->sa_in[SL_MAX_SAS - 1].packets = 1;
	assert_int_equal(sl_state_commit_lcores(&segment, 2, &fault), 0);
	assert_int_equal(sl_state_commit_labels(&segment, 5000, &fault), 0);
	assert_int_equal(segment.state->header.committed_labels, 8192);
	assert_int_equal(sl_state_commit_lcores(&segment, 3, &fault), 0); /* labels come along */
	for (int i = 0; i < 3; i++)
		segment.state->lcore[i].block.label[8191].packets = 1;
	sl_state_detach(&segment);
	munmap(tables, sizeof(*tables));
}

/* On a full tmpfs growing is a typed refusal; what is there stays usable, and nobody gets SIGBUS. */
static int on_full_tmpfs(void)
{
	struct sl_tables *tables = test_tables_create(tables_path, EPOCH);
	struct sl_state_segment segment;
	char mount_dir[112], path[128];
	uint32_t row = 0;

	(void)snprintf(mount_dir, sizeof(mount_dir), "%s/small", dir);
	(void)snprintf(path, sizeof(path), "%s/state", mount_dir);
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mkdir(mount_dir, 0700) != 0 || mount("none", mount_dir, "tmpfs", 0, "size=1m") != 0)
		return 2;
	if (sl_state_attach(&segment, path, tables, &fault) != 0)
		return 3;
	while (sl_state_commit_sa(&segment, SL_OUT, row, &fault) == 0)
		row += 1024;
	if (row == 0 || fault.code != SL_FAULT_NO_MEMORY ||
	    strstr(fault.message, "No space") == NULL)
		return 4;
	for (uint32_t i = 0; i < segment.state->header.committed_sa_out; i++)
		segment.state->sa_out[i].packets = i;
	return segment.state->header.committed_sa_out >= row ? 0 : 5;
}

static void test_full_tmpfs(void **cmocka)
{
	char mount_dir[112];
	pid_t child = fork();
	int status;

	(void)cmocka;
	if (child == 0)
		_exit(on_full_tmpfs());
	assert_int_equal(waitpid(child, &status, 0), child);
	(void)snprintf(mount_dir, sizeof(mount_dir), "%s/small", dir);
	(void)rmdir(mount_dir);
	assert_int_equal(status, 0);
}

static void test_process_identity(void **cmocka)
{
	uint64_t start = sl_process_start_time((uint32_t)getpid());
	pid_t child;

	(void)cmocka;
	assert_int_not_equal(start, 0);
	assert_true(sl_process_alive((uint32_t)getpid(), start));
	assert_false(sl_process_alive((uint32_t)getpid(), start + 1));
	child = fork();
	if (child == 0)
		_exit(0);
	while (sl_process_alive((uint32_t)child, sl_process_start_time((uint32_t)child)))
		usleep(1000); /* until it is a zombie: dead, but its pid not free yet */
	assert_int_not_equal(sl_process_start_time((uint32_t)child), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(sl_process_start_time((uint32_t)child), 0);
}

#define segment_test(function) cmocka_unit_test_setup_teardown(function, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		segment_test(test_tables_refusals),
		segment_test(test_tables_are_waited_for),
		segment_test(test_tables_are_read_only),
		segment_test(test_state_is_made_and_kept),
		segment_test(test_state_of_another_epoch_is_replaced),
		segment_test(test_lost_state_is_noticed),
		segment_test(test_state_refusals),
		segment_test(test_commit_bounds),
		segment_test(test_full_tmpfs),
		cmocka_unit_test(test_process_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
