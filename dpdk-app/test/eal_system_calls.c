/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that the worker may make after start (control/system_calls.h): each of these is made by
 * a process of its own, which must end by SIGSYS with a line in its log that says which call it was.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/log.h"
#include "control/privileges.h"
#include "control/system_calls.h"

#ifdef SEALANE_SANITIZE
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

struct attempt {
	const char *name;
	long call;
	long arguments[4];
};

static char log_path[] = "/tmp/sealane-system-calls-XXXXXX";
static const struct attempt *the_attempt;
static sem_t go;

static void try_it(const struct attempt *attempt)
{
	const long *a = attempt->arguments;

	(void)syscall(attempt->call, a[0], a[1], a[2], a[3]);
}

/* A thread from before the restriction, which takes no signal, as DPDK's. */
static void *elsewhere(void *context)
{
	sigset_t all;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, NULL);
	sem_wait(&go);
	try_it(the_attempt);
	return context;
}

static void restrict_this_process(void)
{
	struct sl_fault fault = {.code = SL_FAULT_NONE};

	(void)truncate(log_path, 0);
	sl_privileges_prepare();
	if (sl_log_open(log_path, &fault) != 0 || sl_system_calls_restrict(&fault) != 0) {
		(void)fprintf(stderr, "%s\n", fault.message);
		_exit(99);
	}
}

/* Wait status of a child that makes the attempt, itself or by a thread that was there before. */
static int outcome(const struct attempt *attempt, bool by_thread)
{
	pthread_t thread;
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		the_attempt = attempt;
		sem_init(&go, 0, 0);
		if (pthread_create(&thread, NULL, elsewhere, NULL) != 0)
			_exit(98);
		restrict_this_process();
		if (by_thread) {
			sem_post(&go);
			(void)pthread_join(thread, NULL);
		} else {
			try_it(attempt);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static bool log_says(const char *text)
{
	char log[4096];
	FILE *file = fopen(log_path, "r");
	size_t n;

	assert_non_null(file);
	n = fread(log, 1, sizeof(log) - 1, file);
	log[n] = '\0';
	(void)fclose(file);
	return strstr(log, text) != NULL;
}

#define X32 0x40000000L /* the other numbers of the same machine */
#define UNMAPPED 0x10000000L

static const struct attempt forbidden[] = {
	{"execve", SYS_execve, {0}},
	{"execveat", SYS_execveat, {-1}},
	{"fork", SYS_fork, {0}},
	{"vfork by clone", SYS_clone, {CLONE_VM | SIGCHLD}},
	{"new namespace by clone", SYS_clone, {CLONE_NEWUSER | SIGCHLD}},
	{"ptrace", SYS_ptrace, {0}},
	{"process_vm_readv", SYS_process_vm_readv, {1}},
	{"process_vm_writev", SYS_process_vm_writev, {1}},
	{"pidfd_open", SYS_pidfd_open, {1}},
	{"pidfd_getfd", SYS_pidfd_getfd, {-1}},
	{"kill", SYS_kill, {1, 0}},
	{"tgkill of another process", SYS_tgkill, {1, 1, 0}},
	{"mount", SYS_mount, {0}},
	{"open_tree", SYS_open_tree, {-1}},
	{"chroot", SYS_chroot, {0}},
	{"setns", SYS_setns, {-1, 0}},
	{"unshare", SYS_unshare, {CLONE_NEWUSER}},
	{"setuid", SYS_setuid, {0}},
	{"capset", SYS_capset, {0}},
	{"init_module", SYS_init_module, {0}},
	{"kexec_load", SYS_kexec_load, {0}},
	{"perf_event_open", SYS_perf_event_open, {0}},
	{"io_uring_setup", SYS_io_uring_setup, {1}},
	{"userfaultfd", SYS_userfaultfd, {0}},
	{"add_key", SYS_add_key, {0}},
	{"keyctl", SYS_keyctl, {0}},
	{"open_by_handle_at", SYS_open_by_handle_at, {-1}},
	{"chmod", SYS_chmod, {0}},
	{"symlink", SYS_symlink, {0}},
	{"mknod", SYS_mknod, {0}},
	{"seccomp", SYS_seccomp, {0}},
	{"dumpable again", SYS_prctl, {PR_SET_DUMPABLE, 1}},
	{"memory to write and execute",
         SYS_mmap,
         {0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS}},
	{"memory made executable", SYS_mprotect, {UNMAPPED, 4096, PROT_READ | PROT_EXEC}},
	{"a number of x32", X32 | SYS_getpid, {0}},
	{"a number of nobody", 4000, {0}},
};
#define FORBIDDEN (sizeof(forbidden) / sizeof(forbidden[0]))

static void each_ends_the_process_and_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < FORBIDDEN; i++) {
		int status = outcome(&forbidden[i], false);
		char line[80];

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s: wait status %#x", forbidden[i].name, (unsigned int)status);
		(void)snprintf(line, sizeof(line), "error system call %ld is forbidden after start",
		               forbidden[i].call);
		if (!log_says(line))
			fail_msg("%s: the log does not say so", forbidden[i].name);
	}
}

static void threads_that_were_there_are_restricted_as_well(void **state)
{
	(void)state;
	for (size_t i = 0; i < FORBIDDEN; i++) {
		int status = outcome(&forbidden[i], true);

		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
			fail_msg("%s: wait status %#x", forbidden[i].name, (unsigned int)status);
	}
}

/* The 32-bit entry of the kernel has numbers of its own. */
static void the_other_entry_is_closed(void **state)
{
	int status = 0;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		long result = 20; /* getpid there, writev here */

		restrict_this_process();
		__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status)); /* SIGSEGV where the kernel has no such entry */
}

static void *answer(void *context) { return context; }

/* Exit status: which of what the worker needs was refused; 0 = none. */
static int use_what_is_allowed(void)
{
	static char text[64];
	pthread_t thread;
	void *result = NULL;
	int fd = open("/proc/self/status", O_RDONLY);
	void *memory;

	if (fd < 0 || read(fd, text, sizeof(text)) <= 0 || close(fd) != 0)
		return 1;
	if (pthread_create(&thread, NULL, answer, text) != 0 ||
	    pthread_join(thread, &result) != 0 || result != text)
		return 2;
	memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED || mprotect(memory, 4096, PROT_READ) != 0)
		return 3;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || close(fd) != 0)
		return 4;
	errno = 0;
	if (socket(AF_PACKET, SOCK_RAW, 0) >= 0 || errno != EPERM)
		return 5;
	errno = 0;
	if (socket(38 /* AF_ALG */, SOCK_SEQPACKET, 0) >= 0 || errno != EPERM)
		return 6;
	errno = 0;
	if (syscall(SYS_bpf, 5 /* BPF_PROG_LOAD */, 0, 0) >= 0 || errno != EPERM)
		return 7;
	if (prctl(PR_SET_NAME, "renamed") != 0)
		return 8;
	return prctl(PR_GET_NAME, text) == 0 && strcmp(text, "renamed") == 0 ? 0 : 9;
}

static void what_the_worker_needs_is_allowed(void **state)
{
	int status = 0;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		restrict_this_process();
		_exit(use_what_is_allowed());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_ends_the_process_and_is_named),
		cmocka_unit_test(threads_that_were_there_are_restricted_as_well),
		cmocka_unit_test(the_other_entry_is_closed),
		cmocka_unit_test(what_the_worker_needs_is_allowed),
	};
	int fd, failed;

	if (SANITIZED) {
		(void)puts("    a sanitizer's own system calls are not those of the worker");
		return 0;
	}
	fd = mkstemp(log_path);
	if (fd < 0)
		return 1;
	close(fd);
	failed = cmocka_run_group_tests_name("eal_system_calls", tests, NULL, NULL);
	(void)unlink(log_path);
	return failed;
}
