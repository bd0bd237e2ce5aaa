/* SPDX-License-Identifier: Apache-2.0 */
/* IP protocol numbers the packet path knows, and what a header check can find. */
#ifndef SEALANE_NET_PROTOCOL_H
#define SEALANE_NET_PROTOCOL_H

#define SL_PROTO_HOPOPTS 0u
#define SL_PROTO_ICMP 1u
#define SL_PROTO_TCP 6u
#define SL_PROTO_UDP 17u
#define SL_PROTO_DCCP 33u
#define SL_PROTO_ROUTING 43u
#define SL_PROTO_FRAGMENT 44u
#define SL_PROTO_GRE 47u
#define SL_PROTO_ESP 50u
#define SL_PROTO_AH 51u
#define SL_PROTO_ICMP6 58u
#define SL_PROTO_NONE 59u /* no next header: in ESP, a dummy packet (RFC 4303 2.6) */
#define SL_PROTO_DSTOPTS 60u
#define SL_PROTO_OSPF 89u
#define SL_PROTO_SCTP 132u
#define SL_PROTO_UDPLITE 136u
#define SL_PROTO_MPLS 137u

enum sl_ip_result {
	SL_IP_OK,
	SL_IP_TRUNCATED, /* fewer bytes than the header says */
	SL_IP_HEADER,    /* version, header length or total length cannot be */
	SL_IP_CHECKSUM,
};

#endif
