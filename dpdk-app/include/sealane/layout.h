/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two shared-memory segments, described once for the worker (C) and the addon (C++).
 *
 *   tables   written by the supervisor (through the addon), mapped read-only by the worker
 *   state    written by the worker, mapped read-only by the supervisor
 *
 * Each is a tmpfs file of fixed maximum virtual size, mapped once. Space is added only by
 * fallocate(2), by the segment's writer, before anything refers to it; a hole is never touched.
 * Only offsets and fixed-width integers live here: no pointers, bitfields, DPDK or ipsec-mb types.
 * All integers are host byte order unless a comment says "network order"; addresses are network
 * order byte arrays, an IPv4 address in the first four bytes of a 16-byte field.
 */
#ifndef SEALANE_LAYOUT_H
#define SEALANE_LAYOUT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define SL_STATIC_ASSERT(cond, text) static_assert(cond, text)
#else
#define SL_STATIC_ASSERT(cond, text) _Static_assert(cond, text)
#endif

#define SL_SIZE(type, bytes) SL_STATIC_ASSERT(sizeof(type) == (bytes), #type " has another size")
#define SL_AT(type, field, bytes)                                                                  \
	SL_STATIC_ASSERT(offsetof(type, field) == (bytes), #type "." #field " has moved")

#define SL_TABLES_MAGIC 0x31544c4145534c53ull /* "SLSEALT1" */
#define SL_STATE_MAGIC 0x31534c4145534c53ull  /* "SLSEALS1" */
/* Raised by hand whenever a meaning changes that sizes and offsets do not show. */
#define SL_LAYOUT_VERSION 3u

#define SL_PAGE 4096u
#define SL_HUGE_PAGE (2u << 20)
#define SL_NAME_LEN 64u     /* bytes of a stored name, NUL-terminated */
#define SL_ROW_NAME_LEN 96u /* of one that is put together of several and an address */

/* Capacities: virtual reservations, not memory. */
#define SL_MAX_VRFS 4096u
#define SL_MAX_INTERFACES 4096u
#define SL_MAX_PORTS 256u
#define SL_MAX_ACCEPT_SETS 65536u
#define SL_MAX_NEXTHOPS (1u << 20)
#define SL_MAX_VERSIONS (1u << 21)
#define SL_MAX_GROUPS (1u << 18)
#define SL_GROUP_MEMBERS 16u  /* ways of one route at most */
#define SL_MAX_SAS (1u << 17) /* per direction */
#define SL_SPI_SLOTS (1u << 20)
#define SL_MAX_LABELS (1u << 20)
#define SL_MAX_PREFIXES (1u << 22)
#define SL_MAX_FIB_NODES (1u << 24)
#define SL_MAX_FIB_LEAVES (1u << 26)
#define SL_MAX_FIB_DIRECT18 512u
#define SL_MAX_FIB_DIRECT24 16u
#define SL_MAX_LCORES 32u
#define SL_MAX_DROP_REASONS 256u
#define SL_MAX_HOST_POLICIES 1024u
#define SL_MAX_CLASSES 8u /* of packets by DSCP; 0 is "default" */
#define SL_CLASS_NAME_LEN 32u
#define SL_INTERFACE_POLICERS (SL_MAX_CLASSES + 1) /* one of each class, and one of all */
#define SL_INTERFACE_QUEUES (SL_MAX_CLASSES + 1)   /* one of each class, and the kernel's */
#define SL_MAX_SPS 64u /* secured label tables: 1..63; 0 is the unsecured one */

/* Id 0 of every table means "none", except VRF 0, which is the core's routing table. */
#define SL_VRF_CORE 0u

enum sl_row_state { SL_ROW_FREE = 0, SL_ROW_LIVE = 1, SL_ROW_RETIRED = 2 };

/* Who may write a segment; also the holder of an OFD write lock on byte 0 of the file. */
struct sl_writer {
	uint32_t pid;
	uint32_t reserved;
	uint64_t start_time; /* field 22 of /proc/PID/stat, clock ticks since boot */
};
SL_SIZE(struct sl_writer, 16);

/* First bytes of both segments. */
struct sl_segment_header {
	uint64_t magic;
	uint32_t layout_version;
	uint32_t complete; /* release-stored 1 once the creator has finished the header */
	uint64_t layout_hash;
	uint64_t epoch; /* random, non-zero, the same in both segments of one instance */
	struct sl_writer writer;
	uint8_t reserved[16];
};
SL_SIZE(struct sl_segment_header, 64);

#endif
