/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boundary between the two halves of the worker:
 *
 *   control   (main.c, control/, ports/): EAL, segments, ports, TAPs, the supervisor's socket, key
 *             expansion, the polling loop. Has system calls, logs and memory.
 *   packets   (pipeline.c, stages/, net/, esp/, tables/): what happens to a burst. No allocation,
 *             lock, log or system call.
 */
#ifndef SEALANE_WORKER_H
#define SEALANE_WORKER_H

#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdbool.h>

#include "sealane/drop_reasons.h"
#include "sealane/state.h"
#include "sealane/tables.h"

struct IMB_MGR;
union sl_buckets;   /* tables/policer.h */
struct sl_capture;  /* stages/capture.h */
struct sl_egress;   /* stages/queue.h */
struct sl_sa_index; /* tables/sa_index.h */
struct sl_sa_key;   /* expanded key of one SA, private to this process: esp/sa_key.h */

#define SL_BURST 32u
#define SL_HEADROOM 256u /* mbuf headroom: room for the longest template in front of a frame */

/* What a received packet was carried in when it reached the label lookup (policy-model 3, 4). */
struct sl_arrival {
	uint8_t protection; /* enum sl_protection */
	uint8_t encap;      /* enum sl_encap; SL_ENCAP_NONE for plain MPLS */
	uint8_t sp_table;   /* 1..63 out of an SA; 0 otherwise */
	uint8_t labelled;   /* 1: came by a label, so the route's accept set is checked */
};

/* Why an mbuf is on the punt ring; SL_PUNT_PROBE: on the inject ring, and no frame of the kernel's. */
enum sl_punt { SL_PUNT_FRAME = 1, SL_PUNT_PACKET = 2, SL_PUNT_RESOLVE = 3, SL_PUNT_PROBE = 4 };

/* What an mbuf of SL_PUNT_PROBE holds, in the place of a packet: stages/probe.c. */
struct sl_probe {
	uint32_t nexthop; /* of the tunnel */
	uint32_t sa;      /* outbound SA row that the tunnel has to have */
	uint32_t round;   /* told to the other end within the packet */
	uint32_t bytes;   /* of the outer IP packet, at most */
};

/*
 * Per-packet notes, in the mbuf's private area. Valid from classify to transmit, and across the punt
 * and inject rings (there: `interface`, `punt`, `address`, `family`).
 */
struct sl_packet {
	uint32_t interface; /* input interface row; on the rings: the interface concerned */
	uint32_t vrf;
	union {
		uint64_t leaf; /* route found; 0 = none */
		const struct sl_sa_key
			*key; /* within ESP: read once, so all of a packet sees one key */
		struct rte_mbuf *behind; /* in a queue: the next one; NULL = it is the last */
	};
	uint32_t label; /* label stack entry as received, host order */
	struct sl_arrival arrival;
	uint16_t l3_offset;    /* from rte_pktmbuf_mtod to the IP header */
	uint16_t upper_offset; /* from rte_pktmbuf_mtod to ESP, GRE or the label stack */
	uint8_t family;        /* of the packet at l3_offset: 4 or 6; 0 = under a swapped label,
	                        * not looked at */
	uint8_t punt;          /* enum sl_punt */
	uint8_t from_host;     /* 1: from the VRF's host TAP: TTL stays as it is */
	uint8_t ttl_source;    /* TTL the label carried, for the uniform model; on lane CORE: the
	                        * lowest of the transport labels it came under, 0 = none */
	uint8_t lane;          /* enum sl_lane of stages/stage.h: which stages are still to come */
	uint8_t l2_group;      /* 1: came in a multicast or broadcast frame */
	uint8_t opened;        /* within ESP: a special key's packet is authentic and decrypted */
	uint8_t in_udp;        /* on lane ESP: it came in UDP (RFC 3948) */
	uint32_t sa; /* SA row: inbound until the packet is opened, outbound once encapsulated */
	uint32_t version; /* next-hop version row chosen */
	union {
		uint8_t address[16];            /* SL_PUNT_RESOLVE: address to resolve */
		struct {                        /* within ESP */
			uint8_t nonce[12];      /* of AES-GCM, but for special keys */
			uint32_t sequence_high; /* of an extended sequence number, else 0 */
		};
	};
	uint8_t outer_ecn; /* under a swapped label: ECN of the outer IP header, 0 without one */
};
_Static_assert(sizeof(struct sl_packet) <= 64, "the notes of a packet are one cache line");

static inline struct sl_packet *sl_packet(struct rte_mbuf *mbuf)
{
	return (struct sl_packet *)rte_mbuf_to_priv(mbuf);
}

/* A running port as the packet path sees it. Indexed by stable port id. */
struct sl_port {
	uint16_t dpdk_port; /* DPDK's id, RTE_MAX_ETHPORTS = no such port */
	/* Packet threads up to these have a queue of their own, of their index. */
	uint16_t last_rx_queue, last_tx_queue;
	bool strips; /* its driver was asked to take tags off: stages/offload.h */
	bool sums; /* and to tell of IPv4 headers whether their sum is good; only where it strips */
	/*
	 * Interface row by VLAN id ([0] = untagged); 0 = none. by_svlan[S-VID], or NULL, has the same for frames of two
	 * tags. Atomic, stored by the control thread; what a pointer names is there as long as the worker.
	 */
	uint32_t interface_by_vlan[4096];
	uint32_t *by_svlan[4096];
};

/* The interface row of these VLAN ids, svlan 0: of one tag at most. 0 = none. */
static inline uint32_t sl_port_interface(const struct sl_port *port, uint16_t svlan, uint16_t vlan)
{
	const uint32_t *by_vlan = port->interface_by_vlan;

	if (svlan != 0)
		by_vlan = __atomic_load_n(&port->by_svlan[svlan & 4095], __ATOMIC_ACQUIRE);
	return by_vlan == NULL ? 0 : __atomic_load_n(&by_vlan[vlan & 4095], __ATOMIC_RELAXED);
}

/* Frames waiting for one port within a round. */
#define SL_TX_QUEUE (SL_BURST * 4)
struct sl_tx_queue {
	uint16_t count;
	bool alike;     /* all of them are of one interface */
	uint64_t bytes; /* of all of them */
	struct rte_mbuf *frames[SL_TX_QUEUE];
	/* for the interface's counters once a frame is sent and its mbuf gone */
	struct {
		uint32_t interface;
		uint32_t bytes;
	} note[SL_TX_QUEUE];
};

/* How many packets of a thread may wait at most; that there are buffers for: control/budget.h. */
struct sl_waiting {
	uint32_t hold;       /* for an SA */
	uint32_t reassembly; /* for other fragments */
	uint32_t pass;       /* for other packet threads */
};

/* Packets that wait for an SA, at most one for each next hop: stages/hold.c. */
#define SL_HOLD_MAX 256u
struct sl_held {
	struct rte_mbuf *packet; /* its notes as they were when it was looked up */
	uint64_t since_tsc;
	uint64_t held_tsc; /* since when for this next hop */
	uint32_t nexthop;
	char vrf[SL_NAME_LEN]; /* names of the VRF and the interface noted */
	char interface[SL_NAME_LEN];
};
struct sl_hold {
	uint32_t count;
	uint64_t next_look_tsc;
	uint64_t since_tsc;  /* of the packet being let go; 0 = none is */
	uint64_t *asked_tsc; /* [SL_MAX_NEXTHOPS] when an SA was asked for last; 0 = never */
	struct sl_held held[SL_HOLD_MAX];
};

/* Fragments of tunnel packets that wait for the others: stages/reassemble.c. */
#define SL_REASSEMBLY_DATAGRAMS 128u
#define SL_REASSEMBLY_PER_SOURCE 32u
#define SL_REASSEMBLY_PIECES 16u /* of a datagram */
#define SL_REASSEMBLY_HELD 512u  /* in all */
struct sl_datagram_key {
	uint8_t source[16];
	uint8_t destination[16];
	uint32_t id;
	uint8_t family;
	uint8_t protocol;
	uint8_t reserved[2];
};
struct sl_datagram {
	struct sl_datagram_key key;
	uint64_t since_tsc; /* when the first fragment came; 0 = no datagram */
	uint32_t total;     /* bytes of payload, 0 = the last fragment has not come */
	uint32_t have;
	uint8_t count;
	uint8_t ecn;     /* bit N: a fragment had ECN field N */
	uint8_t refused; /* enum sl_drop_reason: all of it is dropped */
	uint8_t kind;    /* enum sl_datagram_kind of stages/esp_in_udp.h */
	struct {
		struct rte_mbuf *packet;
		uint16_t offset, length; /* of the payload */
	} piece[SL_REASSEMBLY_PIECES];   /* by offset */
};
struct sl_reassembly {
	uint32_t datagrams, pieces;
	uint64_t next_look_tsc;
	struct sl_datagram datagram[SL_REASSEMBLY_DATAGRAMS];
};

/* Packets on their way from one packet thread to another, and how far they are: stages/pass.c. */
#define SL_PASS_RING 2048u /* what comes in the millisecond that the other one may sleep */
#define SL_PASS_MOST 4094u /* of one thread, on its rings to all others */
struct sl_pass {
	struct {                       /* the writer's own */
		struct rte_ring *ring; /* one writer, one reader */
		uint64_t put;          /* packets ever put in */
		uint64_t mark;         /* `put` as it was when the next epoch was seen */
	} __rte_cache_aligned;
	struct {                /* the reader's */
		uint64_t taken; /* packets ever taken out */
		uint64_t done;  /* atomic; of these, those that it holds nothing of any more */
	} __rte_cache_aligned;
};
_Static_assert(offsetof(struct sl_pass, taken) == RTE_CACHE_LINE_SIZE, "no line is both ends'");
struct sl_pass_batch {
	uint16_t count;
	struct rte_mbuf *packets[SL_BURST];
};

/* Interfaces of this thread with packets in queues: stages/queue.c. */
struct sl_queues {
	uint32_t interfaces; /* how many there are in `interface` */
	uint32_t packets[2]; /* in ordinary buffers, in large ones */
	uint64_t next;       /* clock.h: when the first of them may send */
	uint16_t interface[SL_MAX_INTERFACES];
};

/* One packet-path thread. Everything it may touch. */
struct sl_worker {
	const struct sl_tables *tables;
	struct sl_state *state;
	struct sl_lcore_block *block; /* own counters, in `state` */
	struct IMB_MGR *crypto;
	struct rte_mempool *pool;
	/* large buffers, NULL when no port needs them: stages/jumbo.h */
	struct rte_mempool *jumbo;
	struct sl_port *ports;   /* [SL_MAX_PORTS], all threads' */
	struct sl_tx_queue *tx;  /* [SL_MAX_PORTS] */
	struct rte_ring *punt;   /* to the control thread */
	struct rte_ring *inject; /* from the control thread */
	/* to the control thread: next hops an SA is wanted for, as numbers in the place of pointers */
	struct rte_ring *acquire;
	/* to the control thread: path MTUs believed, as sl_too_big_word() in the place of pointers */
	struct rte_ring *too_big;
	struct sl_sa_index *sa_index; /* outbound SAs, for the messages that tell those */
	/* expanded keys by SA row; NULL = not ready. Stored (release) by the control thread. */
	struct sl_sa_key *const *keys_out;
	struct sl_sa_key *const *keys_in;
	const bool *takes_udp;     /* atomic: there is, or was, an inbound SA in UDP */
	union sl_buckets *buckets; /* [sl_policer_index()], of all packet threads */
	struct sl_egress *egress;  /* [SL_MAX_INTERFACES], each one thread's: stages/queue.h */
	uint64_t clock_scale;      /* 2^-12 ns of a TSC tick, times 2^32 */
	uint64_t now_tsc;          /* taken once per round */
	uint32_t icmp_tokens;      /* rate limit of generated ICMP errors */
	uint64_t icmp_refill_tsc;
	uint32_t labels_backed; /* label counters exist for values below this (atomic) */
	unsigned int index;     /* block index in `state` */
	unsigned int threads;   /* packet threads of this process */
	struct sl_waiting waiting;
	/* by index of the other thread; NULL: there is none */
	struct sl_pass *pass_to[SL_MAX_LCORES], *pass_from[SL_MAX_LCORES];
	struct sl_capture *capture_next; /* atomic; what the control thread has captured, or NULL */
	/* Below: the packet path's own, zero at start. */
	uint64_t tx_pending[SL_MAX_PORTS / 64]; /* bit set: tx[port] is not empty */
	uint32_t lanes;    /* of the packets that a stage has sorted: 1 << enum sl_lane */
	bool policed;      /* some of this burst came by an interface with policers */
	bool special_keys; /* of the packets in lane ESP some have a special key: esp/suite.h */
	bool unclaimed;    /* some of this burst from the core may be in lane LOCAL */
	bool opened_tcp;   /* some may be in lane TCP */
	struct sl_capture *capture; /* `capture_next` as it was when the round began */
	uint16_t icmp_count;        /* ICMP errors built in this burst, still to be forwarded */
	uint16_t oversized;         /* packets of this burst to be fragmented */
	uint16_t
		sa_runs; /* times that the SA was another one than before, in the last burst from the core */
	struct rte_mbuf *icmp[SL_BURST];
	struct sl_hold hold;
	struct sl_reassembly reassembly;
	struct sl_queues queues;
	uint32_t pass_pending; /* bit: pass_batch[thread] is not empty */
	uint32_t pass_room;    /* as many may be passed before those that wait are counted again */
	uint32_t pass_taken;   /* bit: packets of that thread were taken in this round */
	uint64_t epoch_next;   /* seen, and not published yet; 0 = none */
	struct sl_pass_batch pass_batch[SL_MAX_LCORES];
};

/* All that lists and rings are made for. */
static const struct sl_waiting sl_waiting_most = {SL_HOLD_MAX, SL_REASSEMBLY_HELD, SL_PASS_MOST};

/* The packet threads of this process. They share pool, ports and key arrays; the rest each has its own. */
struct sl_workers {
	unsigned int count;
	struct sl_worker *thread[SL_MAX_LCORES];
};

/* Outbound SA row and path MTU, bytes, in one word; never 0. */
static inline uintptr_t sl_too_big_word(uint32_t sa, uint16_t mtu)
{
	return (uintptr_t)sa << 16 | mtu;
}
static inline uint32_t sl_too_big_sa(uintptr_t word) { return (uint32_t)(word >> 16); }
static inline uint16_t sl_too_big_mtu(uintptr_t word) { return (uint16_t)word; }

/* Run a burst received on stable port `port` to its end; all mbufs are consumed. n <= SL_BURST. */
void sl_pipeline_receive(struct sl_worker *w, uint32_t port, struct rte_mbuf **frames, uint16_t n);
/* The same for what other packet threads have passed to this one; returns how many packets that was. */
uint32_t sl_pipeline_take(struct sl_worker *w);
/* The same for frames (CE, core interfaces) and IP packets (host TAPs) from the kernel. */
void sl_pipeline_inject(struct sl_worker *w, struct rte_mbuf **frames, uint16_t n);
/*
 * Once per round: send on the packets held for an SA that is there now, drop those held too long, fragments
 * too. Returns how many packets were held for an SA no more. Costs two comparisons when nothing is held.
 */
uint32_t sl_pipeline_release(struct sl_worker *w);
/* The thread stops: free what it still holds. */
void sl_pipeline_end(struct sl_worker *w);
/*
 * Hand everything to the ports, and to other threads; called at the end of each round that found packets, or while some are
 * in queues of interfaces. Returns how many left those.
 */
uint32_t sl_pipeline_flush(struct sl_worker *w);

/* Count a drop (reason, interface, VRF as noted in the packet) and free the mbuf. */
void sl_drop(struct sl_worker *w, struct rte_mbuf *mbuf, enum sl_drop_reason reason);

#endif
