/* SPDX-License-Identifier: Apache-2.0 */
/* Segment `state`: what the worker counts and must not forget. Written by the worker alone. */
#ifndef SEALANE_STATE_H
#define SEALANE_STATE_H

#include "layout.h"

/*
 * Outbound SA. On a generation it has not seen the worker zeroes the row, then release-stores
 * `generation`; it expands the key, then release-stores `ready_generation`, and only then may a
 * version refer to the SA. `last_sequence` is the highest sequence number reserved: it is stored
 * before the burst that uses the range is encrypted, so a worker that died in between skips the
 * range and never repeats an IV (policy-model 22).
 */
struct sl_sa_out_state {
	uint64_t generation;
	uint64_t ready_generation;
	uint64_t last_sequence;
	uint64_t packets;
	uint64_t bytes;     /* of the ESP packets, outer IP header included */
	uint64_t key_check; /* first 8 bytes of SHA-256(key || salt): the key this row counts for */
	uint64_t reserved[2];
};
SL_SIZE(struct sl_sa_out_state, 64);

#define SL_REPLAY_WORDS                                                                            \
	128u /* ring of 8192 bits: windows of up to 4096 slide a word at a time (RFC 6479) */

struct sl_sa_in_state {
	uint64_t generation;
	uint64_t ready_generation;
	uint64_t highest_sequence;
	uint64_t packets;
	uint64_t bytes;
	uint64_t key_check;
	uint64_t replayed;    /* dropped: seen before or left of the window */
	uint64_t auth_failed; /* dropped: ICV mismatch */
	uint64_t window[SL_REPLAY_WORDS];
	/*
	 * The largest packet of the path MTU probe that came last (docs/adr/0032-path-mtu-probes.md), atomic: the probe's
	 * round, then bytes of the outer IP packet, 32 bits each. 0 = none has come.
	 */
	uint64_t probe;
	uint64_t reserved[7];
};
SL_SIZE(struct sl_sa_in_state, 1152);

static inline uint64_t sl_probe_seen(uint32_t round, uint32_t bytes)
{
	return (uint64_t)round << 32 | bytes;
}
static inline uint32_t sl_probe_seen_round(uint64_t seen) { return (uint32_t)(seen >> 32); }
static inline uint32_t sl_probe_seen_bytes(uint64_t seen) { return (uint32_t)seen; }

struct sl_interface_counters {
	uint64_t rx_packets;
	uint64_t rx_bytes; /* Ethernet frames without FCS */
	uint64_t tx_packets;
	uint64_t tx_bytes;
	uint64_t drops;       /* packets received here and dropped */
	uint64_t punted;      /* given to the kernel */
	uint64_t injected;    /* sent for the kernel */
	uint64_t reassembled; /* tunnel packets put together, by where the last fragment came */
};
SL_SIZE(struct sl_interface_counters, 64);

struct sl_vrf_counters {
	uint64_t from_ce_packets;
	uint64_t from_ce_bytes; /* IP packets */
	uint64_t from_core_packets;
	uint64_t from_core_bytes;
	uint64_t local_packets; /* CE to CE on this PE (P2) */
	uint64_t local_bytes;
	uint64_t drops;
	uint64_t
		fragmented; /* IPv4 packets sent in pieces, being larger than their next hop's MTU */
};
SL_SIZE(struct sl_vrf_counters, 64);

struct sl_label_counters {
	uint64_t packets;
	uint64_t bytes;
};
SL_SIZE(struct sl_label_counters, 16);

/* By colour, before anything is done with the packets. */
struct sl_policer_counters {
	uint64_t packets[3]; /* [SL_COLOURS] */
	uint64_t bytes[3];   /* IP packets */
	uint64_t reserved[2];
};
SL_SIZE(struct sl_policer_counters, 64);

/* Of a queue of an interface. `depth` and `max_depth` in packets. */
struct sl_queue_counters {
	uint64_t packets; /* sent */
	uint64_t bytes;   /* Ethernet frames without FCS */
	uint64_t dropped; /* packets that found no room */
	uint32_t depth;   /* that wait now */
	uint32_t max_depth;
};
SL_SIZE(struct sl_queue_counters, 32);

/*
 * Of a port, as its driver and the kernel count, over all workers there were. Written by the control thread, once a
 * second.
 */
struct sl_port_counters {
	uint64_t name; /* whose they are: sl_name_hash(); an id may come to be another port's */
	uint64_t rx_packets; /* taken by the packet path */
	uint64_t tx_packets; /* taken by the driver, and sent */
	uint64_t rx_missed;  /* lost: the receive ring was full */
	uint64_t rx_errors;  /* lost: damaged */
	uint64_t
		rx_no_buffer; /* times that the driver found no packet buffer; frames wait meanwhile */
	uint64_t tx_errors; /* taken by the driver, and lost */
	uint64_t reserved;
};
SL_SIZE(struct sl_port_counters, 64);

/* FNV-1a, 64 bits, of a port's name in `tables`. */
static inline uint64_t sl_name_hash(const char *name, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < size && name[i] != 0; i++)
		hash = (hash ^ (uint8_t)name[i]) * 0x100000001b3ull;
	return hash;
}

/* Packet buffers of one pool. Written by the control thread, every 10 to 20 ms. */
struct sl_pool_state {
	uint64_t size;
	uint64_t free;
	uint64_t least; /* free ones when there were fewest, since the worker began */
	uint64_t reserved;
};
SL_SIZE(struct sl_pool_state, 32);

#define SL_POOL_ORDINARY 0u
#define SL_POOL_LARGE 1u
#define SL_POOLS 2u

/*
 * One per packet-path thread; written by that thread alone.
 * `epoch`: 0 = offline (holds no reference into `tables`); else the tables' reclaim_epoch as read at
 * the start of the thread's present round. A thread is offline before it sleeps, online before it reads.
 */
struct sl_lcore_block {
	uint64_t epoch;
	uint64_t rounds;      /* polls of all ports */
	uint64_t busy_rounds; /* polls that found packets */
	uint64_t sleeps;
	uint64_t heartbeat_ns; /* CLOCK_MONOTONIC, coarse */
	uint32_t tid;
	uint32_t running;
	uint64_t held;     /* packets that wait for an SA now */
	uint64_t released; /* packets that have waited for one, and were looked up again */
	uint64_t passed;   /* packets handed to other packet threads, which own what they need */
	uint64_t taken;    /* packets that other packet threads handed to this one */
	uint64_t drops[SL_MAX_DROP_REASONS];
	uint64_t tx_full[SL_MAX_PORTS]; /* drops of that reason, by port */
	struct sl_interface_counters interface[SL_MAX_INTERFACES];
	struct sl_vrf_counters vrf[SL_MAX_VRFS];
	struct sl_policer_counters policer[SL_MAX_INTERFACES * SL_INTERFACE_POLICERS];
	struct sl_queue_counters queue[SL_MAX_INTERFACES * SL_INTERFACE_QUEUES];
	struct sl_label_counters label[SL_MAX_LABELS]; /* packets accepted by label, egress PE */
};
SL_AT(struct sl_lcore_block, drops, 80);

struct sl_state_header {
	struct sl_segment_header segment;
	uint64_t control_epoch; /* reclaim participant: the worker's control thread */
	uint64_t control_heartbeat_ns;
	uint64_t worker_starts;    /* workers that have attached to this segment */
	uint64_t committed_sa_out; /* rows backed by memory */
	uint64_t committed_sa_in;
	uint64_t committed_lcores; /* blocks backed by memory, labels excluded */
	uint64_t committed_labels; /* label counters backed in each of those blocks */
	/*
	 * SA generations up to this one are refused: this segment was made after an older one of the
	 * same epoch was lost, and what those SAs had sent is unknown (policy-model 22). 0 = none.
	 */
	uint64_t generation_floor;
	struct sl_pool_state pool[SL_POOLS];
	uint64_t reserved[8];
	uint64_t control_drops[SL_MAX_DROP_REASONS]; /* counted by the control thread */
	struct sl_port_counters port[SL_MAX_PORTS];
};
SL_AT(struct sl_state_header, control_drops, 256);

#define SL_STATE_PAGED _Alignas(SL_PAGE)
#ifdef __cplusplus
#undef SL_STATE_PAGED
#define SL_STATE_PAGED alignas(SL_PAGE)
#endif

struct sl_lcore_slot {
	SL_STATE_PAGED struct sl_lcore_block block;
};

struct sl_state {
	SL_STATE_PAGED struct sl_state_header header;
	SL_STATE_PAGED struct sl_sa_out_state sa_out[SL_MAX_SAS];
	SL_STATE_PAGED struct sl_sa_in_state sa_in[SL_MAX_SAS];
	struct sl_lcore_slot lcore[SL_MAX_LCORES];
};

#endif
