/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/log.h"

int sl_with_netns(int fd, int (*fn)(void *context, struct sl_fault *fault), void *context,
                  struct sl_fault *fault)
{
	int home, result;

	if (fd < 0)
		return fn(context, fault);
	home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (home < 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "mount /proc",
		               "cannot open the own network namespace: %s", strerror(errno));
	if (setns(fd, CLONE_NEWNET) != 0) {
		int error = errno;

		close(home);
		if (error == EINVAL)
			return sl_fail(fault, SL_FAULT_MALFORMED, "pass a network namespace",
			               "the descriptor passed is not a network namespace");
		return sl_fail(fault, sl_fault_of_errno(error),
		               "start the worker with CAP_SYS_ADMIN",
		               "cannot enter the network namespace: %s", strerror(error));
	}
	result = fn(context, fault);
	if (setns(home, CLONE_NEWNET) != 0) {
		sl_log(SL_LOG_ERROR, "cannot return to the own network namespace: %s",
		       strerror(errno));
		abort();
	}
	close(home);
	return result;
}
