// SPDX-License-Identifier: Apache-2.0
/** Numbers of rtnetlink, by the names of linux/netlink.h and linux/rtnetlink.h. */

/** nlmsg_type of control messages. */
export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3, OVERRUN: 4 } as const;

/** nlmsg_flags. The first group belongs to every message, then to GET, then to NEW, then to ERROR. */
export const NLM_F = {
  REQUEST: 0x1,
  MULTI: 0x2,
  ACK: 0x4,
  DUMP_INTR: 0x10,
  DUMP: 0x300, // ROOT | MATCH
  REPLACE: 0x100,
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
  CAPPED: 0x100,
  ACK_TLVS: 0x200,
} as const;

/** nlmsg_type of rtnetlink. */
export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  NEWADDR: 20,
  DELADDR: 21,
  GETADDR: 22,
  NEWROUTE: 24,
  DELROUTE: 25,
  GETROUTE: 26,
  NEWNEIGH: 28,
  DELNEIGH: 29,
  GETNEIGH: 30,
  NEWRULE: 32,
  DELRULE: 33,
  NEWQDISC: 36,
  NEWNEXTHOP: 104,
  DELNEXTHOP: 105,
} as const;

/** Multicast groups. */
export const RTNLGRP = {
  LINK: 1,
  NEIGH: 3,
  IPV4_IFADDR: 5,
  IPV4_ROUTE: 7,
  IPV4_RULE: 8,
  IPV6_IFADDR: 9,
  IPV6_ROUTE: 11,
  IPV6_RULE: 19,
  NEXTHOP: 32,
} as const;

export const AF = { UNSPEC: 0, INET: 2, INET6: 10 } as const;

/** Interface flags, linux/if.h. */
export const IFF = { UP: 0x1, LOOPBACK: 0x8, RUNNING: 0x40, LOWER_UP: 0x10000 } as const;

/** IFLA_INET6_ADDR_GEN_MODE. */
export const ADDR_GEN_MODE = { EUI64: 0, NONE: 1, STABLE_PRIVACY: 2, RANDOM: 3 } as const;

/** Scopes of addresses and routes. */
export const RT_SCOPE = { UNIVERSE: 0, SITE: 200, LINK: 253, HOST: 254 } as const;

/** Address flags. */
export const IFA_F = {
  NODAD: 0x02,
  DADFAILED: 0x08,
  TENTATIVE: 0x40,
  PERMANENT: 0x80,
  NOPREFIXROUTE: 0x200,
} as const;

/** Route types. */
export const RTN = {
  UNICAST: 1,
  LOCAL: 2,
  BROADCAST: 3,
  ANYCAST: 4,
  MULTICAST: 5,
  BLACKHOLE: 6,
  UNREACHABLE: 7,
  PROHIBIT: 8,
  THROW: 9,
} as const;

export const RT_TABLE = { MAIN: 254, LOCAL: 255 } as const;
/** "static": what an administrator, and so a supervisor, sets. */
export const RTPROT_STATIC = 4;
/** rtm_flags: answer with the route that matched, not with a cached destination. */
export const RTM_F_FIB_MATCH = 0x2000;
/** Next hop flags. */
export const RTNH_F = { DEAD: 0x1, ONLINK: 0x4, LINKDOWN: 0x10 } as const;

/** Neighbour states, linux/neighbour.h. */
export const NUD = {
  NONE: 0x00,
  INCOMPLETE: 0x01,
  REACHABLE: 0x02,
  STALE: 0x04,
  DELAY: 0x08,
  PROBE: 0x10,
  FAILED: 0x20,
  NOARP: 0x40,
  PERMANENT: 0x80,
} as const;
export const NTF_USE = 0x01;
export const NTF_EXT_MANAGED = 0x01;
