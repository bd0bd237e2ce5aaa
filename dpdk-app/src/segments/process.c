/* SPDX-License-Identifier: Apache-2.0 */
#include "segments/process.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct stat_line {
	char state;
	uint64_t start_time;
};

/* "PID (COMM) STATE PPID ... STARTTIME ...": COMM may hold spaces and ')', so count from its end. */
static bool read_stat(uint32_t pid, struct stat_line *out)
{
	char path[64], text[1024], *field;
	ssize_t length;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%" PRIu32 "/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	length = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (length <= 0)
		return false;
	text[length] = '\0';
	field = strrchr(text, ')');
	if (field == NULL || field[1] != ' ')
		return false;
	field += 2;
	out->state = *field;
	for (int number = 3; number < 22; number++) {
		field = strchr(field, ' ');
		if (field == NULL)
			return false;
		field++;
	}
	out->start_time = strtoull(field, NULL, 10);
	return true;
}

uint64_t sl_process_start_time(uint32_t pid)
{
	struct stat_line line;

	return read_stat(pid, &line) ? line.start_time : 0;
}

bool sl_process_alive(uint32_t pid, uint64_t start_time)
{
	struct stat_line line;

	return read_stat(pid, &line) && line.start_time == start_time && line.state != 'Z' &&
	       line.state != 'X';
}
