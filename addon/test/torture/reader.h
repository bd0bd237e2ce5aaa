/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's side of the torture: its packet path and its key store, on DPDK's mbufs. Whatever is not as it must
 * be ends the process with a line on standard error.
 */
#ifndef SEALANE_ADDON_TEST_TORTURE_READER_H
#define SEALANE_ADDON_TEST_TORTURE_READER_H

#include "sealane/tables.h"
#include "world.h"

#ifdef __cplusplus
extern "C" {
#endif

/* EAL, and segment `state` at `path`, made as a worker makes it. Once, before any reader. */
void torture_start(const char *path, const struct sl_tables *tables,
                   const struct torture_prefix *prefixes);
/* The state segment moves to `where`, at which the writer of this process has it mapped: a thread sanitizer
 * knows memory by its address. */
void torture_share(const void *where);
/* Install, or wipe what was given up, as the worker's control thread does. False: refused. */
int torture_install(int inbound, uint32_t row);
void torture_sweep(void);

struct torture_count {
	uint64_t rounds;
	uint64_t sent, delivered;
	uint64_t lasting; /* of both: those that nothing may stop */
	uint64_t flows;   /* delivered by a prefix that comes and goes */
	uint64_t dropped; /* all for reasons that a table in change gives */
};

struct torture_reader;
struct torture_reader *torture_reader_new(uint32_t index, uint64_t seed);
/* Forwards until *stop is not 0. In a thread of its own. */
void torture_reader_run(struct torture_reader *reader, const int *stop);
/* Forwards for so many rounds, in the caller's thread. */
void torture_reader_rounds(struct torture_reader *reader, uint64_t rounds);
/* Packet buffers that are not in the pool, and what waits in rings and queues. */
uint64_t torture_reader_kept(const struct torture_reader *reader);
/* After its thread has ended. */
struct torture_count torture_reader_count(const struct torture_reader *reader);

#ifdef __cplusplus
}
#endif

#endif
