/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests that provoke drops, each by packets that differ from an accepted one in that respect alone: the
 * counter rises by exactly the packets sent, and nothing goes anywhere. Spread over the eal_drops_*.c;
 * together they must provoke every reason of drop_reasons.h.
 */
#ifndef SEALANE_TEST_DROPS_H
#define SEALANE_TEST_DROPS_H

#include "support/scene.h"

static struct build b;

static inline int fresh(void **state)
{
	(void)state;
	scene_set();
	return 0;
}

/* A variant of the same packet within one test: a fresh PE, one packet, one drop. */
#define EXPECT(reason)                                                                             \
	do {                                                                                       \
		scene_expect_drops(SL_DROP_##reason, 1);                                           \
		scene_set();                                                                       \
	} while (0)

#define CASE(test) cmocka_unit_test_setup(test, fresh)

static inline void from_ce(void) { build_receive(&b, PORT_CE); }
static inline void from_core(void) { build_receive(&b, PORT_CORE); }

/* Which program provokes a reason; 0 = none, which fails all of them. */
enum drops_program {
	DROPS_RX = 1,
	DROPS_FORWARD,
	DROPS_ESP,
	DROPS_LABEL,
	DROPS_MULTIPATH,
	DROPS_MPLS,
	DROPS_HOST_POLICY_OUT,
	DROPS_HOST_POLICY_IN,
	DROPS_MARKING,
	DROPS_POLICERS,
	DROPS_QUEUES,
	DROPS_TOO_BIG,
	DROPS_ELSEWHERE
};

static const uint8_t drops_provoked_by[SL_DROP_COUNT] = {
	[SL_DROP_none] = DROPS_ELSEWHERE,
	[SL_DROP_rx_truncated] = DROPS_RX,
	[SL_DROP_rx_not_our_mac] = DROPS_RX,
	[SL_DROP_rx_unknown_vlan] = DROPS_RX,
	[SL_DROP_rx_ethertype] = DROPS_RX,
	[SL_DROP_mpls_not_accepted] = DROPS_RX,
	[SL_DROP_ip4_header] = DROPS_RX,
	[SL_DROP_ip4_checksum] = DROPS_RX,
	[SL_DROP_ip6_header] = DROPS_RX,
	[SL_DROP_ip_source] = DROPS_RX,
	[SL_DROP_ip_multicast] = DROPS_RX,
	[SL_DROP_ip_destination] = DROPS_RX,
	[SL_DROP_core_transit] = DROPS_ESP,
	[SL_DROP_outer_fragment] = DROPS_ESP,
	[SL_DROP_no_route] = DROPS_FORWARD,
	[SL_DROP_blackhole] = DROPS_FORWARD,
	[SL_DROP_unreachable] = DROPS_FORWARD,
	[SL_DROP_nexthop_unusable] = DROPS_FORWARD,
	[SL_DROP_neighbour_pending] = DROPS_FORWARD,
	[SL_DROP_ttl_expired] = DROPS_FORWARD,
	[SL_DROP_mtu_exceeded] = DROPS_FORWARD,
	[SL_DROP_sa_not_ready] = DROPS_FORWARD,
	[SL_DROP_sa_exhausted] = DROPS_FORWARD,
	[SL_DROP_esp_truncated] = DROPS_ESP,
	[SL_DROP_esp_unknown_spi] = DROPS_ESP,
	[SL_DROP_esp_not_ready] = DROPS_ESP,
	[SL_DROP_esp_outer_address] = DROPS_ESP,
	[SL_DROP_esp_udp] = DROPS_ESP,
	[SL_DROP_esp_replayed] = DROPS_ESP,
	[SL_DROP_esp_auth_failed] = DROPS_ESP,
	[SL_DROP_esp_padding] = DROPS_ESP,
	[SL_DROP_esp_dummy] = DROPS_ESP,
	[SL_DROP_esp_selector] = DROPS_ESP,
	[SL_DROP_esp_application] = DROPS_ESP,
	[SL_DROP_gre_header] = DROPS_ESP,
	[SL_DROP_gre_protocol] = DROPS_ESP,
	[SL_DROP_gre_clear] = DROPS_ESP,
	[SL_DROP_mpls_in_ip_clear] = DROPS_ESP,
	[SL_DROP_label_truncated] = DROPS_LABEL,
	[SL_DROP_label_stack] = DROPS_LABEL,
	[SL_DROP_label_unknown] = DROPS_LABEL,
	[SL_DROP_label_protected] = DROPS_LABEL,
	[SL_DROP_label_wrong_sp] = DROPS_LABEL,
	[SL_DROP_label_wrong_protection] = DROPS_LABEL,
	[SL_DROP_label_wrong_encap] = DROPS_LABEL,
	[SL_DROP_label_ttl_expired] = DROPS_LABEL,
	[SL_DROP_route_not_exported_this_way] = DROPS_LABEL,
	[SL_DROP_inner_not_ip] = DROPS_LABEL,
	[SL_DROP_tx_full] = DROPS_FORWARD,
	[SL_DROP_tx_no_port] = DROPS_FORWARD,
	[SL_DROP_punt_full] = DROPS_FORWARD,
	[SL_DROP_punt_rate] = DROPS_ELSEWHERE, /* the control thread's */
	[SL_DROP_punt_tap] = DROPS_FORWARD,
	[SL_DROP_inject_full] = DROPS_ELSEWHERE, /* the control thread's */
	[SL_DROP_inject_malformed] = DROPS_FORWARD,
	[SL_DROP_inject_no_interface] = DROPS_FORWARD,
	[SL_DROP_icmp_rate] = DROPS_ELSEWHERE,      /* eal_icmp.c */
	[SL_DROP_icmp_forbidden] = DROPS_ELSEWHERE, /* eal_icmp.c */
	[SL_DROP_no_mbuf] = DROPS_FORWARD,
	[SL_DROP_rx_lost] = DROPS_ELSEWHERE,        /* eal_worker_ports.c */
	[SL_DROP_bfd_malformed] = DROPS_ELSEWHERE,  /* eal_worker_bfd.c */
	[SL_DROP_bfd_ttl] = DROPS_ELSEWHERE,        /* eal_worker_bfd.c */
	[SL_DROP_bfd_no_session] = DROPS_ELSEWHERE, /* eal_worker_bfd.c */
	[SL_DROP_bfd_auth] = DROPS_ELSEWHERE,       /* eal_worker_bfd.c */
	[SL_DROP_bfd_send] = DROPS_ELSEWHERE,       /* eal_worker_bfd.c */
	[SL_DROP_group_unknown] = DROPS_MULTIPATH,
	[SL_DROP_sa_missing] = DROPS_FORWARD,
	[SL_DROP_held_expired] = DROPS_ELSEWHERE, /* eal_hold.c */
	[SL_DROP_label_not_advertised] = DROPS_MPLS,
	[SL_DROP_host_policy_clear] = DROPS_HOST_POLICY_IN,
	[SL_DROP_host_policy_no_sa] = DROPS_HOST_POLICY_OUT,
	[SL_DROP_host_policy_fragment] = DROPS_HOST_POLICY_OUT,
	[SL_DROP_reassembly_timeout] = DROPS_ELSEWHERE, /* eal_reassemble.c */
	[SL_DROP_reassembly_full] = DROPS_ELSEWHERE,    /* eal_reassemble.c */
	[SL_DROP_reassembly_overlap] = DROPS_ELSEWHERE, /* eal_reassemble.c */
	[SL_DROP_reassembly_size] = DROPS_ELSEWHERE,    /* eal_reassemble.c */
	[SL_DROP_ecn_not_ect] = DROPS_MARKING,
	[SL_DROP_policed] = DROPS_POLICERS,
	[SL_DROP_queue_full] = DROPS_QUEUES,
	[SL_DROP_queue_buffers] = DROPS_QUEUES,
	[SL_DROP_queue_gone] = DROPS_QUEUES,
	[SL_DROP_jumbo_no_buffer] = DROPS_ELSEWHERE, /* eal_jumbo.c */
	[SL_DROP_jumbo_too_long] = DROPS_ELSEWHERE,  /* eal_jumbo.c */
	[SL_DROP_too_big_quote] = DROPS_TOO_BIG,
	[SL_DROP_too_big_clear] = DROPS_TOO_BIG,
	[SL_DROP_too_big_no_sa] = DROPS_TOO_BIG,
	[SL_DROP_too_big_address] = DROPS_TOO_BIG,
	[SL_DROP_too_big_spi] = DROPS_TOO_BIG,
	[SL_DROP_too_big_sequence] = DROPS_TOO_BIG,
	[SL_DROP_too_big_floor] = DROPS_TOO_BIG,
	[SL_DROP_too_big_size] = DROPS_TOO_BIG,
	[SL_DROP_too_big_rate] = DROPS_TOO_BIG,
	[SL_DROP_pass_full] = DROPS_ELSEWHERE, /* eal_pass.c */
};

/* Last test of each program. */
static inline void drops_expect_all(enum drops_program program)
{
	for (unsigned int i = 0; i < SL_DROP_COUNT; i++) {
		if (drops_provoked_by[i] == 0)
			fail_msg("no program provokes %s", scene_reason_name(i));
		if (drops_provoked_by[i] == program && !scene_provoked[i])
			fail_msg("no test provoked %s", scene_reason_name(i));
	}
}

#endif
