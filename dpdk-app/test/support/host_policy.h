/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scene of eal_host_policy_*.c: one peer, IPv4 and IPv6, whose BGP has to be inside an SA, and one SA
 * pair for the family asked for.
 */
#ifndef SEALANE_TEST_HOST_POLICY_H
#define SEALANE_TEST_HOST_POLICY_H

#include "support/drops.h"
#include "tables/host_policy.h"

enum { SA_BGP = 2, POLICY4 = 5, POLICY6 = 6 };
#define SPI_BGP_IN (VEC_SPI_IN + 1)
#define SPI_BGP_OUT (VEC_SPI_OUT + 1)
#define GENERATION 9u

static const uint8_t other4[4] = {192, 0, 2, 77};

static inline void add_policy(uint32_t id, uint8_t family, const uint8_t *local,
                              const uint8_t *remote)
{
	struct sl_host_policy_row *row = &world.tables->host_policy[id];
	uint32_t *head;

	*row = (struct sl_host_policy_row){.state = SL_ROW_LIVE,
	                                   .family = family,
	                                   .protocol = 6,
	                                   .port = SL_PORT_BGP,
	                                   .sa_to_port = sl_host_sa(GENERATION, SA_BGP),
	                                   .sa_from_port = sl_host_sa(GENERATION, SA_BGP)};
	memcpy(row->local, local, family == 4 ? 4 : 16);
	memcpy(row->remote, remote, family == 4 ? 4 : 16);
	head = &world.tables->host_policy_head[sl_host_policy_chain(row->remote)];
	row->next = *head;
	*head = id;
}

static inline void bgp_sas(uint8_t family, uint8_t algorithm)
{
	struct sl_sa_row out = world_sa_row(algorithm, family, false, SL_ENCAP_NONE);
	struct sl_sa_row in = world_sa_row(algorithm, family, true, SL_ENCAP_NONE);

	out.application = in.application = SL_APP_BGP;
	out.selector_protocol = in.selector_protocol = 6;
	out.generation = in.generation = GENERATION;
	out.spi = SPI_BGP_OUT;
	in.spi = SPI_BGP_IN;
	in.sp_table = 0;
	world_sa_out(SA_BGP, &out);
	world_sa_in(SA_BGP, &in);
}

static inline void set(uint8_t family)
{
	scene_set();
	bgp_sas(family, SL_ALG_AES_GCM_128);
	add_policy(POLICY4, 4, LOCAL4, REMOTE4);
	add_policy(POLICY6, 6, LOCAL6, REMOTE6);
}

static inline int protected_peer(void **state)
{
	(void)state;
	set(4);
	return 0;
}

/* As EXPECT() of drops.h, and the scene of here again. */
#define EXPECT_DROP(reason)                                                                        \
	do {                                                                                       \
		scene_expect_drops(SL_DROP_##reason, 1);                                           \
		set(4);                                                                            \
	} while (0)
#define HOST_CASE(test) cmocka_unit_test_setup(test, protected_peer)

/* A segment with `n` bytes of data behind 20 of header. */
static inline void segment(uint16_t source, uint16_t destination, size_t n)
{
	uint8_t *tcp;

	build_payload(&b, n);
	tcp = build_front(&b, 20);
	sl_put16(tcp, source);
	sl_put16(tcp + 2, destination);
	tcp[12] = 5 << 4;
	tcp[13] = 0x18;
}

/* What is built came to the kernel as it was. */
static inline void expect_punted(void)
{
	struct rte_mbuf *m = world_punted();

	assert_non_null(m);
	assert_int_equal(sl_packet(m)->interface, IF_CORE);
	world_expect_bytes("punted", rte_pktmbuf_mtod(m, uint8_t *), m->data_len, build_bytes(&b),
	                   build_len(&b));
	rte_pktmbuf_free(m);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

#endif
