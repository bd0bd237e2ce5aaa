/* SPDX-License-Identifier: Apache-2.0 */
/* Segment `tables`: everything the packet path looks up. Written by the supervisor alone. */
#ifndef SEALANE_TABLES_H
#define SEALANE_TABLES_H

#include "egress.h"
#include "layout.h"

/* ---- Lookup result -------------------------------------------------------------------------
 *
 *  63    60 59            44 43                  24 23                     0
 * +--------+----------------+----------------------+------------------------+
 * | flags  |  accept set    |  VPN label           |  next hop              |
 * +--------+----------------+----------------------+------------------------+
 *
 * One longest-prefix match yields this and nothing more is looked up (P11). 0: no route.
 * Flags: bit 60 is set in every route; bit 61: several ways, `next hop` is a row of `group`, `VPN
 * label` is 0.
 * `accept set` is the route's own export class (policy-model 2): how a labelled packet must have
 * arrived to be forwarded by this route. Set 0 accepts nothing: a route exported nowhere.
 * `VPN label` is pushed when the next hop is a tunnel.
 */
#define SL_LEAF_NONE 0ull
#define SL_LEAF_VALID (1ull << 60)
static inline uint64_t sl_leaf(uint32_t nexthop, uint32_t label, uint32_t accept)
{
	return SL_LEAF_VALID | (uint64_t)(nexthop & 0xffffffu) |
	       (uint64_t)(label & 0xfffffu) << 24 | (uint64_t)(accept & 0xffffu) << 44;
}
static inline uint32_t sl_leaf_nexthop(uint64_t leaf) { return (uint32_t)(leaf & 0xffffffu); }
static inline uint32_t sl_leaf_label(uint64_t leaf) { return (uint32_t)(leaf >> 24 & 0xfffffu); }
static inline uint32_t sl_leaf_accept(uint64_t leaf) { return (uint32_t)(leaf >> 44 & 0xffffu); }

#define SL_LEAF_GROUP (1ull << 61)
static inline uint64_t sl_group_leaf(uint32_t group, uint32_t accept)
{
	return SL_LEAF_GROUP | sl_leaf(group, 0, accept);
}
static inline int sl_leaf_is_group(uint64_t leaf) { return (leaf & SL_LEAF_GROUP) != 0; }
static inline uint32_t sl_leaf_group(uint64_t leaf) { return sl_leaf_nexthop(leaf); }

/*
 * The ways of a route that has several (multipath): 2..16 members, each a leaf {next hop, label} with
 * accepted set 0, in ascending order, no two alike, then zeros. The accepted set is the route's, so
 * it stays in the leaf that names the group. Immutable while a leaf names it; a free row is all zero.
 * Which member carries a flow: docs/adr/0010-next-hop-groups.md.
 */
struct sl_group_row {
	uint64_t member[SL_GROUP_MEMBERS];
};
SL_SIZE(struct sl_group_row, 128);

/* ---- How a packet came, and who accepts that (policy-model 1-5) ------------------------------ */

enum sl_protection {
	SL_PROT_NONE = 0,
	SL_PROT_ENCRYPT = 1,      /* ESP with confidentiality and integrity */
	SL_PROT_AUTHENTICATE = 2, /* ESP with integrity alone */
	SL_PROT_TUNNEL = 3,       /* MPLS-in-GRE or MPLS-in-IP without IPsec */
	SL_PROT_MPLS = 4, /* plain MPLS on an interface of our own SP; also: an LSP to leave by */
	SL_PROT_MPLS_OTHER_SP = 5, /* plain MPLS on an interface of another SP: an arrival alone */
};
enum sl_encap { SL_ENCAP_NONE = 0, SL_ENCAP_GRE = 1, SL_ENCAP_IP = 2 };

/* Bits of sl_accept_row.clear: arrivals without IPsec. */
#define SL_CLEAR_GRE 1u         /* MPLS-in-GRE in clear */
#define SL_CLEAR_IP 2u          /* MPLS-in-IP in clear */
#define SL_CLEAR_MPLS 4u        /* plain MPLS: exported unprotected */
#define SL_CLEAR_MPLS_OWN_SP 8u /* plain MPLS: case ii, protection asked of other SPs only */

/*
 * An accepted set (export class): which arrivals a label or a route accepts.
 * secured[p][e] has bit N set when a packet out of an SA of secured label table N (1..63) with
 * protection p (0 encrypt, 1 authenticate) and encapsulation e (0 GRE, 1 IP) is accepted.
 * `mpls_interface` is the interface row of another SP's on which plain MPLS is accepted, because the label
 * was advertised there (option B); 0 = none.
 * Immutable while live, but for `mpls_interface`, an atomic word that follows its interface: to the new row
 * when that gets one, to 0 when it goes. Row 0 is never live and accepts nothing.
 */
struct sl_accept_row {
	uint64_t secured[2][2];
	uint32_t clear;
	uint32_t state; /* enum sl_row_state */
	uint32_t mpls_interface;
	uint8_t reserved[20];
};
SL_SIZE(struct sl_accept_row, 64);

/* ---- VRFs, interfaces ------------------------------------------------------------------------ */

#define SL_VRF_TTL_UNIFORM 1u /* RFC 3443 uniform model; else pipe */
/*
 * RFC 3270 and RFC 2983, what the core sees of a packet's DSCP. Neither flag is the short pipe model: TC and outer
 * DSCP follow from the inner DSCP, which nothing changes.
 */
#define SL_VRF_TC_UNIFORM 2u /* uniform model: at the egress the inner DSCP follows from TC */
#define SL_VRF_DSCP_FIXED 4u /* pipe model: TC and outer DSCP follow from the VRF's DSCP */
#define SL_VRF_CLAMP_MSS 8u  /* TCP SYNs announce no larger segments than tunnels carry */
#define SL_VRF_DSCP_SHIFT 8u /* the VRF's DSCP, 6 bits, with SL_VRF_DSCP_FIXED; else 0 */

struct sl_vrf_row {
	uint32_t state;
	uint32_t flags;          /* atomic word: may be stored while live */
	uint32_t fib_root[2];    /* [0] IPv4 [1] IPv6: see fib.h; atomic words, 0 = empty table */
	uint32_t host_interface; /* interface row of the VRF's L3 host TAP, 0 = none */
	uint8_t icmp_source4
		[4]; /* source of ICMP errors when the input interface has no address; 0 = none */
	uint8_t icmp_source6[16];
	uint8_t reserved[24];
	char name[SL_NAME_LEN]; /* "" for the core's */
};
SL_SIZE(struct sl_vrf_row, 128);

enum sl_role { SL_ROLE_CE = 1, SL_ROLE_CORE = 2, SL_ROLE_HOST = 3 };

/* Bits of sl_interface_row.flags. What a core interface accepts in clear, by configuration. */
#define SL_IF_ACCEPT_GRE 1u  /* MPLS-in-GRE outside ESP */
#define SL_IF_ACCEPT_IP 2u   /* MPLS-in-IP outside ESP */
#define SL_IF_MPLS_OWN_SP 4u /* plain MPLS; the neighbour is inside our own SP */
#define SL_IF_MPLS_OTHER_SP                                                                        \
	8u /* plain MPLS by labels advertised on this interface alone (option B) */

struct sl_interface_row {
	uint32_t state;
	uint32_t flags; /* atomic word */
	uint32_t vrf;   /* VRF row id; SL_VRF_CORE for core interfaces */
	uint32_t port;  /* stable port id (1..255), 0 for a host TAP */
	uint16_t vlan;  /* C-VID (IEEE 802.1Q), 0 = untagged */
	uint16_t mtu;   /* largest IP packet, bytes */
	uint8_t role;   /* enum sl_role */
	uint8_t queues; /* atomic: 1 = what leaves here goes through queues: sl_egress_row */
	uint8_t mac[6];
	uint8_t address4[4];    /* first own IPv4 address: ICMP error source; 0 = none */
	uint8_t address6[16];   /* first own global IPv6 address; 0 = none */
	uint8_t linklocal6[16]; /* own fe80:: address; 0 = none */
	char name[SL_NAME_LEN];
	uint32_t police; /* atomic word: enum sl_police, of IP packets received on a CE interface */
	uint16_t svlan;  /* S-VID of a tag in front of that of `vlan`, which is not 0; 0 = none */
	uint16_t stag_type; /* EtherType of that tag in what is sent, 0x88a8 or 0x8100 */
	uint8_t reserved[56];
};
SL_SIZE(struct sl_interface_row, 192);

/* ---- Policers --------------------------------------------------------------------------------
 *
 * Time is counted in units of 2^-12 ns, modulo 2^64 (52 days). What a bucket holds is kept as time: a bucket that
 * is filled at some rate holds the bytes that come in by that rate since an instant.
 */
enum sl_police {
	SL_POLICE_NONE = 0,
	SL_POLICE_ALL = 1,   /* one policer for everything: slot SL_POLICER_ALL */
	SL_POLICE_CLASS = 2, /* one for each class, where it has one */
};
#define SL_POLICER_ALL SL_MAX_CLASSES

enum sl_colour { SL_GREEN = 0, SL_YELLOW = 1, SL_RED = 2, SL_COLOURS = 3 };

enum sl_meter {
	SL_METER_NONE = 0,
	SL_METER_SRTCM = 1, /* RFC 2697: [0] CBS and [1] EBS, both filled at CIR */
	SL_METER_TRTCM = 2, /* RFC 2698: [0] CBS filled at CIR, [1] PBS filled at PIR */
};
#define SL_METER_MASK 0xffu
#define SL_METER_COLOUR_AWARE 0x100u /* the packet's colour is its AF drop precedence (RFC 2597) */

/* What is done with packets of a colour: a DSCP 0..63 to store, or one of these. */
#define SL_ACTION_PASS 64u
#define SL_ACTION_DROP 65u

/*
 * Slot of an interface: sl_policer_index(). Words and action bytes are atomic, each may be stored while packets
 * flow; a packet that sees some of the old and some of the new ones is metered by a mixture of both.
 */
struct sl_policer_row {
	uint64_t cost[2];           /* 2^-28 ns in which the bucket gets a byte; srTCM: alike */
	uint64_t depth[2];          /* 2^-12 ns in which the bucket is filled */
	uint32_t meter;             /* enum sl_meter and flags, stored last */
	uint8_t action[SL_COLOURS]; /* by colour */
	uint8_t reserved[25];
};
SL_SIZE(struct sl_policer_row, 64);

static inline uint32_t sl_policer_index(uint32_t interface, uint32_t slot)
{
	return (interface & (SL_MAX_INTERFACES - 1)) * SL_INTERFACE_POLICERS + slot;
}

/* Rates 8 kb/s to 10 Tb/s and packets of up to 65535 bytes: a packet's time is less than 2^64 in units of 2^-28 ns. */
#define SL_POLICER_MIN_RATE 8000ull
#define SL_POLICER_MAX_RATE 10000000000000ull
#define SL_POLICER_MAX_BURST (1ull << 28) /* bytes */

/* For a rate in bit/s: 8 * 10^9 ns / rate. Within 2^-18 of it at 10 Tb/s, 2^-24 at 100 Gb/s. */
static inline uint64_t sl_policer_cost(uint64_t rate)
{
	return ((8000000000ull << 28) + rate / 2) / rate;
}
/* Time of this many bytes, to the nearest unit. */
static inline uint64_t sl_policer_time(uint64_t cost, uint32_t bytes)
{
	return (uint64_t)(((unsigned __int128)cost * bytes + 0x8000u) >> 16);
}

/* ---- Labels ----------------------------------------------------------------------------------
 *
 *  63    60 59            44 43                  24 23                     0
 * +--------+----------------+----------------------+------------------------+
 * | action |  accept set    |  out label (swap)    |  target                |
 * +--------+----------------+----------------------+------------------------+
 *
 * One word per label value, stored atomically; the "tables" of P13/P14 are the accept set checked
 * against how the packet came. 0: the label means nothing here. `out label` and `target` stand where a
 * leaf has label and next hop.
 *
 * VRF      the label goes; a lookup in VRF row `target`
 * NEXTHOP  the label goes; the IP packet leaves by next hop `target`
 * SWAP     option B: `out label` in its place, TTL less one, TC as it was; leaves by next hop `target`, a
 *          tunnel or an LSP. The label is the last of its stack; what is under it is not looked at
 * POP      a transport label of ours, taken in plain MPLS alone: it goes, and what is under it is treated as
 *          if it had come without: an IP packet of the core, or the next label. `target` is 0
 */
enum sl_label_action {
	SL_LABEL_NONE = 0,
	SL_LABEL_VRF = 1,
	SL_LABEL_NEXTHOP = 2,
	SL_LABEL_SWAP = 3,
	SL_LABEL_POP = 4
};
static inline uint64_t sl_label_row(enum sl_label_action action, uint32_t accept,
                                    uint32_t out_label, uint32_t target)
{
	return (uint64_t)action << 60 | (uint64_t)(accept & 0xffffu) << 44 |
	       (uint64_t)(out_label & 0xfffffu) << 24 | (target & 0xffffffu);
}
static inline uint32_t sl_label_action(uint64_t row) { return (uint32_t)(row >> 60); }
static inline uint32_t sl_label_accept(uint64_t row) { return (uint32_t)(row >> 44 & 0xffffu); }
static inline uint32_t sl_label_out(uint64_t row) { return (uint32_t)(row >> 24 & 0xfffffu); }
static inline uint32_t sl_label_target(uint64_t row) { return (uint32_t)(row & 0xffffffu); }

/* ---- Next hops and tunnels -------------------------------------------------------------------
 *
 * A leaf names a stable slot; the slot's one 32-bit word names the active version; a version is
 * immutable. A rekey, a changed MAC or a rerouted core is one atomic store per slot.
 */
struct sl_nexthop_slot {
	uint32_t active; /* version row id, atomic; 0 = unusable (drop nexthop_unusable) */
	uint32_t state;
};
SL_SIZE(struct sl_nexthop_slot, 8);

enum sl_nexthop_kind {
	SL_NH_DROP = 1, /* discard, reason `drop_reason` (blackhole, unreachable: ICMP if flagged;
		    * sa_missing: ask the supervisor for an SA) */
	SL_NH_RECEIVE = 2,   /* one of our addresses in this VRF */
	SL_NH_GLEAN = 3,     /* on-link, neighbour unknown: ask the supervisor, drop */
	SL_NH_ADJACENCY = 4, /* template = Ethernet header; send on `interface` */
	SL_NH_TUNNEL =
		5, /* template = Ethernet [+ labels] [+ outer IP [+ ESP + IV] [+ GRE]] + label */
};

#define SL_NHF_ICMP_UNREACHABLE 1u /* SL_NH_DROP answers with an ICMP unreachable */

/* Bits of sl_version_row.tos_copy, as they stand in the IPv4 TOS octet. */
#define SL_TOS_DSCP                                                                                \
	0xfcu /* outer DSCP = the packet's, by its VRF's model; else what the template says */
#define SL_TOS_ECN                                                                                 \
	0x03u /* RFC 6040 normal mode: outer ECN = inner; else compatibility mode, Not-ECT */

#define SL_TEMPLATE_LEN 128u
#define SL_MAX_CORE_LABELS 8u /* transport labels in front of a packet */

/*
 * Template of a tunnel, exactly as it goes on the wire up to the inner IP packet:
 *
 *   Ethernet 14 (+4 per VLAN tag) | [transport labels 4 each] | outer IPv4 20 or IPv6 40
 *     | [UDP 8] | [ESP SPI 4, sequence 4, IV 0 to 16] | [GRE 4, EtherType 0x8847] | label stack entry 4
 *
 * and of an LSP (protection SL_PROT_MPLS, no outer IP header: ip_off 0):
 *
 *   Ethernet 14 (+4 per VLAN tag) | [transport labels 4 each] | label stack entry 4
 *
 * `core_labels` transport labels end where the outer IP header, or the VPN label of an LSP, begins: the
 * EtherType is then 0x8847, S = 1 is in the last one above an IP header. Their label, TTL and TC are in the
 * template; TC is filled per packet when the DSCP is copied, and TTL in an LSP of a VRF with uniform TTL.
 * Zero in the template and filled per packet: IPv4 total length and header checksum / IPv6 payload
 * length, UDP length, what `tos_copy` names, ESP sequence and IV, label value, TC and TTL (S = 1 is in the template).
 * The SPI, outer addresses, protocol, DF and outer TTL are in it. `ip4_sum` is the
 * one's-complement sum (host order, folded to 16 bits, not inverted) of the template's IPv4 header.
 * Without ESP: no SPI, sequence, IV. An offset of 0 means "this header is absent".
 */
struct sl_version_row {
	uint64_t
		sa_generation; /* of the outbound SA row below: another generation there = drop sa_not_ready */
	uint32_t sa;        /* outbound SA row, 0 = none */
	uint32_t interface; /* output interface row (receive, glean: the interface it belongs to) */
	uint8_t kind;       /* enum sl_nexthop_kind */
	uint8_t flags;      /* SL_NHF_* */
	uint8_t protection; /* enum sl_protection of a tunnel */
	uint8_t encap;      /* enum sl_encap of a tunnel */
	uint8_t family;     /* tunnel: of the outer header; adjacency: of the neighbour; 4 or 6 */
	uint8_t template_len;
	uint8_t ip_off;    /* outer IP header */
	uint8_t esp_off;   /* 0 = no ESP */
	uint8_t gre_off;   /* 0 = no GRE */
	uint8_t label_off; /* label stack entry */
	uint16_t
		mtu; /* largest inner IP packet that fits, padding and ICV counted; adjacency: the interface's */
	uint16_t ip4_sum;
	uint16_t drop_reason; /* SL_NH_DROP: enum sl_drop_reason */
	uint32_t state;
	uint32_t vrf;          /* VRF the next hop belongs to (adjacency, receive, glean) */
	uint8_t neighbour[16]; /* adjacency: next-hop address; else 0 */
	uint8_t core_labels;   /* tunnel: transport labels in the template, 0..SL_MAX_CORE_LABELS */
	uint8_t udp_off;       /* 0 = ESP is not in UDP (RFC 3948) */
	uint8_t tos_copy; /* tunnel: SL_TOS_*; of an LSP, SL_TOS_DSCP is for its transport labels */
	uint8_t reserved[5];
	uint8_t template_bytes[SL_TEMPLATE_LEN];
};
SL_SIZE(struct sl_version_row, 192);
SL_AT(struct sl_version_row, template_bytes, 64);

/* ---- Security associations ------------------------------------------------------------------- */

/* In the order of suites.h, from 1. */
enum sl_algorithm {
	SL_ALG_AES_GCM_128 = 1,
	SL_ALG_AES_GCM_256,
	SL_ALG_AES_GMAC_128,
	SL_ALG_AES_GMAC_256,
	SL_ALG_CHACHA20_POLY1305,
	SL_ALG_AES_CBC_128_SHA_256,
	SL_ALG_AES_CBC_128_SHA_384,
	SL_ALG_AES_CBC_128_SHA_512,
	SL_ALG_AES_CBC_256_SHA_256,
	SL_ALG_AES_CBC_256_SHA_384,
	SL_ALG_AES_CBC_256_SHA_512,
	SL_ALG_NULL_SHA_256,
	SL_ALG_NULL_SHA_384,
	SL_ALG_NULL_SHA_512,
};

/* What an SA may carry (policy-model 17). SL_APP_BGP: TCP of the kernel, no label ever. */
enum sl_application { SL_APP_VPN = 1, SL_APP_BGP = 2 };

#define SL_PORT_BGP 179u

/*
 * One direction of an SA pair. Written whole, then `generation` is release-stored; never edited.
 * Row ids of outbound and inbound SAs are separate; state lies under the same id in `state`.
 */
struct sl_sa_row {
	uint64_t generation; /* 0 = free; never reused within an epoch */
	uint32_t spi;
	uint8_t algorithm;  /* enum sl_algorithm */
	uint8_t protection; /* SL_PROT_ENCRYPT or SL_PROT_AUTHENTICATE, follows from the algorithm */
	uint8_t application;       /* enum sl_application */
	uint8_t family;            /* of the outer addresses: 4 or 6 */
	uint8_t selector_protocol; /* VPN: 47 or 137; BGP: 6; policy-model 17 */
	uint8_t encap;             /* enum sl_encap that selector stands for; BGP: SL_ENCAP_NONE */
	uint8_t sp_table; /* inbound, VPN: secured label table of the peer's SP, 1..63; BGP: 0 */
	uint8_t state; /* enum sl_row_state, for the writer: retired rows await their grace period */
	uint32_t replay_window; /* packets, multiple of 64, 64..4096; 0 = off (outbound) */
	uint8_t source[16];     /* outer addresses as on the wire for this direction */
	uint8_t destination[16];
	uint16_t source_port; /* BGP: selector, ports as in packets of this direction; 0 = any */
	uint16_t destination_port;
	uint16_t
		udp_source_port; /* ESP in UDP (RFC 3948), as in packets of this direction; 0 = not */
	uint16_t udp_destination_port;
	uint64_t packet_limit; /* outbound: last sequence number; 0 = 2^32 - 1, with ESN 2^64 - 1 */
	uint64_t byte_limit;   /* outbound: stop before state's `bytes` exceed it; 0 = none */
	uint64_t key_check;    /* first 8 bytes, big-endian, of SHA-256(key || salt); never 0 */
	uint8_t salt[4];       /* zeros in suites without */
	uint8_t esn;           /* 1: extended sequence numbers, 64 bits (RFC 4303 2.2.1) */
	uint8_t worker; /* packet thread that owns it, modulo how many there are (policy-model 23) */
	uint8_t random_spi; /* 1: nobody can guess the SPI (policy-model 21) */
	uint8_t resource;   /* which of several like it between two PEs (RFC 9611); 0 = the first */
	uint8_t key[96];    /* of the cipher, then of the integrity, as long as suites.h says */
};
SL_SIZE(struct sl_sa_row, 192);
SL_AT(struct sl_sa_row, key, 96);

/*
 * Of an outbound SA that versions name: the SA by which each other packet thread sends what is for it (policy-model
 * 23), by the thread's index, in words as a host policy's (sl_host_sa()). 0, or an SA that is not ready or not that thread's:
 * the packet is passed to the owner of the SA that the version names. Both have the same algorithm, addresses,
 * encapsulation and UDP ports, so a template of one serves the other, but for the SPI. Row ids are those of
 * `sa_out`; a free row is all zero. Words are atomic.
 */
struct sl_sa_share_row {
	uint64_t sa[SL_MAX_LCORES];
};
SL_SIZE(struct sl_sa_share_row, 256);

/* ---- Host policies (policy-model 18) ----------------------------------------------------------
 *
 * What the kernel says to `remote` from `local` by TCP with `port` at either end leaves inside an SA or
 * not at all, and arrives inside one or not at all. Found by (remote, local) through chains:
 *
 *   host_policy_head[hash of remote] --> row --next--> row --next--> 0
 *
 * Which of the two SA words counts is decided by where `port` is: a peer may have negotiated
 * an SA for one side alone. A word is {generation 47 | outbound SA row 17}: both change by one store.
 * 0: there is no SA, drop. Rows are written whole, then linked; unlinked, then reused after a grace
 * period; a row on its way out keeps `next`, so that a reader on it finds its way.
 */
struct sl_host_policy_row {
	uint64_t sa_to_port;   /* SA for packets to `port` of the remote end; atomic */
	uint64_t sa_from_port; /* SA for packets from `port` of ours; atomic */
	uint32_t next;         /* atomic; 0 = last */
	uint32_t state;
	uint8_t family;   /* of the addresses: 4 or 6 */
	uint8_t protocol; /* 6 */
	uint16_t port;    /* 179 */
	uint8_t reserved[4];
	uint8_t local[16];
	uint8_t remote[16];
};
SL_SIZE(struct sl_host_policy_row, 64);

static inline uint64_t sl_host_sa(uint64_t generation, uint32_t row)
{
	return generation << 17 | (row & (SL_MAX_SAS - 1));
}
static inline uint64_t sl_host_sa_generation(uint64_t word) { return word >> 17; }
static inline uint32_t sl_host_sa_row(uint64_t word) { return (uint32_t)word & (SL_MAX_SAS - 1); }

/* Chain of a remote address; an IPv4 address is followed by zeros. The addresses are the operator's. */
static inline uint32_t sl_host_policy_chain(const uint8_t *remote)
{
	uint32_t hash = 0x811c9dc5u; /* FNV-1a */

	for (unsigned int i = 0; i < 16; i++)
		hash = (hash ^ remote[i]) * 0x01000193u;
	return (hash ^ hash >> 16) & (SL_MAX_HOST_POLICIES - 1);
}

/* ---- Routes ---------------------------------------------------------------------------------- */

/* The truth about a route; the trie of fib.h is derived from these rows. */
struct sl_prefix_row {
	uint8_t address[16]; /* network order, host bits zero */
	uint64_t leaf;
	uint32_t vrf;
	uint32_t owner; /* who asked for it: enum sl_owner */
	uint8_t family; /* 4 or 6 */
	uint8_t length; /* bits */
	uint8_t state;  /* enum sl_row_state, stored last */
	uint8_t stale;  /* 1: kept from before a restart, not yet confirmed */
	uint32_t reserved;
};
SL_SIZE(struct sl_prefix_row, 40);

enum sl_owner {
	SL_OWNER_STATIC = 1,
	SL_OWNER_CONNECTED = 2,
	SL_OWNER_LOCAL = 3,
	SL_OWNER_NEIGHBOUR = 4,
	SL_OWNER_TUNNEL = 5,
	SL_OWNER_BGP = 6
};

/* FIB trie pools: see fib.h for the meaning of the bytes. */
struct sl_fib_node {
	uint64_t word[4];
};
SL_SIZE(struct sl_fib_node, 32);

/* First levels of a large trie as one array: row r of these arenas is a table of its own, row 0 too. */
struct sl_fib_direct18 {
	uint64_t slot[1u << 18]; /* by the address's first 18 bits */
};
SL_SIZE(struct sl_fib_direct18, 2u << 20);

struct sl_fib_direct24 {
	uint64_t slot[1u << 24];
};
SL_SIZE(struct sl_fib_direct24, 128u << 20);

/* Names of next hops, SAs, ports: cold, for reconciliation and `show`. */
struct sl_name_row {
	char name[SL_ROW_NAME_LEN];
};
SL_SIZE(struct sl_name_row, 96);

/* ---- The segment ----------------------------------------------------------------------------- */

enum sl_arena {
	SL_ARENA_ACCEPT,
	SL_ARENA_NEXTHOP,
	SL_ARENA_NEXTHOP_NAME,
	SL_ARENA_VERSION,
	SL_ARENA_SA_OUT,
	SL_ARENA_SA_IN,
	SL_ARENA_SA_OUT_NAME,
	SL_ARENA_SA_IN_NAME,
	SL_ARENA_PREFIX,
	SL_ARENA_FIB_NODE,
	SL_ARENA_FIB_LEAF,
	SL_ARENA_GROUP,
	SL_ARENA_SA_SHARE,
	SL_ARENA_FIB_DIRECT18,
	SL_ARENA_FIB_DIRECT24,
	SL_ARENA_COUNT
};

/*
 * E-LSP (RFC 3270 3.1): one map for all of the core, by default the class selector bits. Bytes are atomic: each may
 * be stored while packets flow. A DSCP of `dscp_of_tc` is one that `tc_of_dscp` gives that TC, where there is any.
 */
struct sl_traffic_class_map {
	uint8_t tc_of_dscp[64]; /* 0..7 */
	uint8_t dscp_of_tc[8];  /* 0..63 */
};
SL_SIZE(struct sl_traffic_class_map, 72);

/* The default: TC is the class selector bits of the DSCP (RFC 2474 4.2.2.1), and the other way round. */
static inline void sl_class_selectors(struct sl_traffic_class_map *map)
{
	for (unsigned int dscp = 0; dscp < 64; dscp++)
		map->tc_of_dscp[dscp] = (uint8_t)(dscp >> 3);
	for (unsigned int tc = 0; tc < 8; tc++)
		map->dscp_of_tc[tc] = (uint8_t)(tc << 3);
}

/*
 * Classes of packets by DSCP, of the whole PE. Bytes of the map are atomic. A name stays with its number as long
 * as the class is configured; "" = free.
 */
struct sl_class_table {
	uint8_t class_of_dscp[64]; /* 0..SL_MAX_CLASSES - 1 */
	char name[SL_MAX_CLASSES][SL_CLASS_NAME_LEN];
};
SL_SIZE(struct sl_class_table, 320);

struct sl_tables_header {
	struct sl_segment_header segment;
	uint64_t
		reclaim_epoch; /* atomic; raised by the supervisor, copied by each reader: see state.h */
	uint64_t next_generation;   /* SA generations handed out so far in this epoch */
	uint64_t config_generation; /* raised after each applied configuration */
	uint64_t committed_rows[SL_ARENA_COUNT]; /* rows backed by memory, atomic, only grows */
	uint8_t config_digest[32]; /* SHA-256 of the applied configuration's canonical JSON */
	struct sl_traffic_class_map traffic_class;
	struct sl_class_table classes;
	/* atomic: no message from the core lowers a path MTU below this, bytes of outer IP packet; 0 = none is believed */
	uint32_t path_mtu_floor;
};

#define SL_PAGED _Alignas(SL_PAGE)
#ifdef __cplusplus
#undef SL_PAGED
#define SL_PAGED alignas(SL_PAGE)
#endif

/* The fixed-size tables up to `egress` are backed whole at creation: a packet can index any of their rows. */
struct sl_tables {
	SL_PAGED struct sl_tables_header header;
	SL_PAGED struct sl_vrf_row vrf[SL_MAX_VRFS];
	SL_PAGED struct sl_interface_row interface[SL_MAX_INTERFACES];
	SL_PAGED struct sl_name_row port_name[SL_MAX_PORTS];
	SL_PAGED uint64_t label[SL_MAX_LABELS];
	/* inbound SA row ids, index = SPI & (SL_SPI_SLOTS - 1); atomic words, 0 = no SA */
	SL_PAGED uint32_t spi[SL_SPI_SLOTS];
	/* host policy row ids, index = sl_host_policy_chain(); atomic words, 0 = empty */
	SL_PAGED uint32_t host_policy_head[SL_MAX_HOST_POLICIES];
	SL_PAGED struct sl_host_policy_row host_policy[SL_MAX_HOST_POLICIES];
	SL_PAGED struct sl_policer_row policer[SL_MAX_INTERFACES * SL_INTERFACE_POLICERS];
	SL_PAGED struct sl_egress_row egress[SL_MAX_INTERFACES];
	/* arenas, backed in chunks */
	SL_PAGED struct sl_accept_row accept[SL_MAX_ACCEPT_SETS];
	SL_PAGED struct sl_nexthop_slot nexthop[SL_MAX_NEXTHOPS];
	SL_PAGED struct sl_name_row nexthop_name[SL_MAX_NEXTHOPS];
	SL_PAGED struct sl_version_row version[SL_MAX_VERSIONS];
	SL_PAGED struct sl_sa_row sa_out[SL_MAX_SAS];
	SL_PAGED struct sl_sa_row sa_in[SL_MAX_SAS];
	SL_PAGED struct sl_name_row sa_out_name[SL_MAX_SAS];
	SL_PAGED struct sl_name_row sa_in_name[SL_MAX_SAS];
	SL_PAGED struct sl_prefix_row prefix[SL_MAX_PREFIXES];
	SL_PAGED struct sl_fib_node fib_node[SL_MAX_FIB_NODES];
	SL_PAGED uint64_t fib_leaf[SL_MAX_FIB_LEAVES];
	SL_PAGED struct sl_group_row group[SL_MAX_GROUPS];
	SL_PAGED struct sl_sa_share_row sa_share[SL_MAX_SAS];
	/* never used: direct tables are whole huge pages (map.h) */
	SL_PAGED uint8_t fib_direct_gap[488 * SL_PAGE];
	SL_PAGED struct sl_fib_direct18 fib_direct18[SL_MAX_FIB_DIRECT18];
	SL_PAGED struct sl_fib_direct24 fib_direct24[SL_MAX_FIB_DIRECT24];
};
SL_STATIC_ASSERT(offsetof(struct sl_tables, fib_direct18) % SL_HUGE_PAGE == 0,
                 "fib_direct_gap has another size");
SL_STATIC_ASSERT(offsetof(struct sl_tables, fib_direct24) % SL_HUGE_PAGE == 0,
                 "fib_direct18 is no multiple of a huge page");

#endif
