/* SPDX-License-Identifier: Apache-2.0 */
#include "control/log.h"

#include <errno.h>
#include <fcntl.h>
#include <rte_common.h>
#include <rte_log.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SL_LOG_LINE 1024u

static int log_fd = -1;
static bool to_stderr = true;
static char recent_dpdk[300];

static const char *level_name(enum sl_log_level level)
{
	static const char *const names[] = {"error", "warning", "info"};

	return names[level];
}

static void put_line(enum sl_log_level level, const char *text, size_t length)
{
	char line[SL_LOG_LINE + 64];
	struct timespec now;
	struct tm utc;
	ssize_t ignored = 0;
	int head;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	head = snprintf(line, sizeof(line), "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ %s ",
	                utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min,
	                utc.tm_sec, now.tv_nsec / 1000000, level_name(level));
	if (head < 0 || (size_t)head >= sizeof(line) - 2)
		return;
	if (length > sizeof(line) - (size_t)head - 1)
		length = sizeof(line) - (size_t)head - 1;
	memcpy(line + head, text, length);
	length += (size_t)head;
	line[length++] = '\n';
	/* A full disk or a reader that is gone must not stop the worker: nothing to do about a failure. */
	if (log_fd >= 0)
		ignored = write(log_fd, line, length);
	(void)ignored;
	if (to_stderr && level == SL_LOG_ERROR && write(STDERR_FILENO, line, length) < 0)
		to_stderr = false;
}

void sl_log(enum sl_log_level level, const char *format, ...)
{
	char text[SL_LOG_LINE];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (length < 0)
		return;
	put_line(level, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

void sl_log_last_words(const char *line, size_t length)
{
	ssize_t ignored = 0;

	if (log_fd >= 0)
		ignored = write(log_fd, line, length);
	(void)ignored;
}

void sl_log_fault(enum sl_log_level level, const struct sl_fault *fault)
{
	if (fault->remedy[0] != '\0')
		sl_log(level, "%s; %s", fault->message, fault->remedy);
	else
		sl_log(level, "%s", fault->message);
}

const char *sl_log_recent_dpdk(void) { return recent_dpdk; }

void sl_log_forget_dpdk(void) { recent_dpdk[0] = '\0'; }

static void remember(const char *text, size_t length)
{
	size_t used = strlen(recent_dpdk);

	(void)snprintf(recent_dpdk + used, sizeof(recent_dpdk) - used, "%s%.*s",
	               used > 0 ? "; " : "", (int)RTE_MIN(length, sizeof(recent_dpdk)), text);
}

/* DPDK's stream: whole lines, since it is line buffered. */
static ssize_t dpdk_write(void *cookie, const char *text, size_t size)
{
	size_t start = 0;

	(void)cookie;
	while (start < size) {
		const char *end = memchr(text + start, '\n', size - start);
		size_t length = (end != NULL ? (size_t)(end - text) : size) - start;

		if (length > 0) {
			put_line(SL_LOG_INFO, text + start, length);
			remember(text + start, length);
		}
		start += length + 1;
	}
	return (ssize_t)size;
}

static int open_socket(const char *path, struct sl_fault *fault)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return sl_fail(fault, SL_FAULT_USAGE, "choose a shorter path",
		               "log socket path is longer than %zu bytes",
		               sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		int error = errno;

		if (fd >= 0)
			close(fd);
		return sl_fail(fault, SL_FAULT_USAGE,
		               "start the log receiver first, or log to a file",
		               "cannot log to datagram socket %s: %s", path, strerror(error));
	}
	return fd;
}

int sl_log_open(const char *target, struct sl_fault *fault)
{
	static const cookie_io_functions_t functions = {.write = dpdk_write};
	static const char prefix[] = "unixgram:";
	FILE *stream;
	int fd;

	if (strncmp(target, prefix, sizeof(prefix) - 1) == 0) {
		fd = open_socket(target + sizeof(prefix) - 1, fault);
		if (fd < 0)
			return -1;
	} else {
		fd = open(target, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return sl_fail(fault, SL_FAULT_USAGE,
			               "create the instance directory, or choose another --log",
			               "cannot open log %s: %s", target, strerror(errno));
	}
	stream = fopencookie(NULL, "w", functions);
	if (stream == NULL) {
		close(fd);
		return sl_fail(fault, SL_FAULT_INTERNAL, "", "cannot make a log stream: %s",
		               strerror(errno));
	}
	setvbuf(stream, NULL, _IOLBF, 0);
	log_fd = fd;
	rte_openlog_stream(stream);
	return 0;
}

void sl_log_take_stdout(void)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null_fd < 0)
		return;
	/* dup2 clears close-on-exec, which matters not: nothing is executed. */
	(void)dup2(null_fd, STDIN_FILENO);
	(void)dup2(log_fd >= 0 ? log_fd : null_fd, STDOUT_FILENO);
	close(null_fd);
}

void sl_log_detach_stderr(void)
{
	to_stderr = false;
	(void)dup2(STDOUT_FILENO, STDERR_FILENO);
}
