/* SPDX-License-Identifier: Apache-2.0 */
#include "control/privileges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "control/log.h"

/* Above those glibc keeps for itself; nothing else in the worker uses real-time signals. */
#define SL_DROP_SIGNAL (SIGRTMIN + 3)
#define SL_DROP_ATTEMPTS 100

void sl_privileges_prepare(void)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		sl_log(SL_LOG_WARNING, "cannot forbid core dumps: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		sl_log(SL_LOG_WARNING, "cannot set no_new_privs: %s", strerror(errno));
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (unsigned long capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0;
	     capability++)
		(void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
}

bool sl_privileges_have(unsigned int capability)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data) != 0)
		return false;
	return (data[capability / 32].effective >> capability % 32 & 1u) != 0;
}

/* Async-signal-safe: one system call, errno kept. */
static void drop_own(int signal_number)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
	int saved = errno;

	(void)signal_number;
	(void)syscall(SYS_capset, &header, none);
	errno = saved;
}

/* True when the thread's permitted, effective, inheritable and ambient sets are empty, or it is gone. */
static bool is_bare(const char *task)
{
	static const char *const sets[] = {"CapInh:", "CapPrm:", "CapEff:", "CapAmb:"};
	char path[64], line[256];
	bool bare = true;
	FILE *status;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%.32s/status", task);
	status = fopen(path, "re");
	if (status == NULL)
		return errno == ENOENT;
	while (fgets(line, sizeof(line), status) != NULL)
		for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
			if (strncmp(line, sets[i], strlen(sets[i])) == 0 &&
			    strtoull(line + strlen(sets[i]), NULL, 16) != 0)
				bare = false;
	(void)fclose(status);
	return bare;
}

/* Ask every thread that still has capabilities to drop them; how many there were, -1: cannot tell. */
static int ask_threads(void)
{
	DIR *tasks = opendir("/proc/self/task");
	struct dirent *entry;
	int privileged = 0;

	if (tasks == NULL)
		return -1;
	while ((entry = readdir(tasks)) != NULL) {
		pid_t tid = (pid_t)strtol(entry->d_name, NULL, 10);

		if (tid <= 0 || is_bare(entry->d_name))
			continue;
		privileged++;
		(void)syscall(SYS_tgkill, getpid(), tid, SL_DROP_SIGNAL);
	}
	closedir(tasks);
	return privileged;
}

int sl_privileges_drop(struct sl_fault *fault)
{
	struct sigaction action = {.sa_handler = drop_own, .sa_flags = SA_RESTART};
	struct timespec pause = {.tv_nsec = 2000000};
	int privileged = 1;

	sigemptyset(&action.sa_mask);
	if (sigaction(SL_DROP_SIGNAL, &action, NULL) != 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "", "cannot handle signals: %s",
		               strerror(errno));
	/* A thread created meanwhile has its creator's capabilities: look until none has any. */
	for (int attempt = 0; attempt < SL_DROP_ATTEMPTS && privileged != 0; attempt++) {
		privileged = ask_threads();
		if (privileged != 0)
			nanosleep(&pause, NULL);
	}
	if (privileged != 0)
		return sl_fail(fault, SL_FAULT_INTERNAL,
		               "restart the worker; /proc must be mounted",
		               "a thread keeps its privileges");
	return 0;
}
