/* SPDX-License-Identifier: Apache-2.0 */
#include "segments/epoch_mark.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SL_DIGITS 16

uint64_t sl_epoch_mark_read(const char *state_path)
{
	char path[PATH_MAX + 16], text[SL_DIGITS + 1], *end;
	uint64_t epoch;
	ssize_t length;
	int fd;

	(void)snprintf(path, sizeof(path), "%s.epoch", state_path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return 0;
	length = read(fd, text, SL_DIGITS);
	close(fd);
	if (length != SL_DIGITS)
		return 0;
	text[SL_DIGITS] = '\0';
	epoch = strtoull(text, &end, 16);
	return *end == '\0' ? epoch : 0;
}

int sl_epoch_mark_write(const char *state_path, uint64_t epoch, struct sl_fault *fault)
{
	char path[PATH_MAX + 16], fresh[PATH_MAX + 32], text[SL_DIGITS + 1];
	ssize_t written;
	int fd;

	if (sl_epoch_mark_read(state_path) == epoch)
		return 0;
	(void)snprintf(path, sizeof(path), "%s.epoch", state_path);
	(void)snprintf(fresh, sizeof(fresh), "%s.new", path);
	(void)snprintf(text, sizeof(text), "%016" PRIx64, epoch);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return sl_fail(fault, SL_FAULT_SEGMENT, "check the directory's owner",
		               "cannot create %s: %s", fresh, strerror(errno));
	written = write(fd, text, SL_DIGITS);
	if (close(fd) != 0 || written != SL_DIGITS || rename(fresh, path) != 0)
		return sl_fail(fault, SL_FAULT_NO_MEMORY,
		               "make room in the tmpfs that holds the segments",
		               "cannot write %s: %s", path, strerror(errno));
	return 0;
}
