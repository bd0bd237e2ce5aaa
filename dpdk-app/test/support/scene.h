/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PE with something of everything: routes of every kind in VRF A, tunnels, SAs, labels.
 *
 *   VRF A  10.1.1.0/24    CE (accepts all arrivals)     10.1.1.254/32  one of our addresses
 *          10.2.2.0/24    tunnel, ESP in GRE            10.3.0.0/24    glean
 *          10.4.0.0/24    blackhole                     10.5.0.0/24    unreachable, ICMP
 *          10.6.0.0/24    next hop without version      10.7.0.0/24    CE, exported to nobody
 *          10.8.0.0/24    CE of VRF B (imported)        10.9.0.0/24    tunnel, clear MPLS-in-IP
 *          10.10.0.9/32   one of VRF B's addresses      10.11.0.0/24   CE, exported as `encrypt` to SP 1
 *   and the IPv6 ones of HERE6 and THERE6
 */
#ifndef SEALANE_TEST_SCENE_H
#define SEALANE_TEST_SCENE_H

#include "support/build.h"

#define A4(a, b, c, d) ((const uint8_t[4]){a, b, c, d})

enum {
	LABEL_ALL = 100001,    /* VRF A, every arrival */
	LABEL_ENCRYPT = 500,   /* VRF A, `encrypt` in GRE from SP 1 */
	LABEL_CASE_II = 501,   /* VRF A, `encrypt` from SP 2, plain MPLS from our own */
	LABEL_GRE = 502,       /* VRF A, clear GRE and secured GRE of SP 1, `authenticate` */
	LABEL_MPLS = 503,      /* VRF A, plain MPLS */
	LABEL_NEXTHOP = 504,   /* straight to the CE */
	LABEL_TO_TUNNEL = 505, /* straight into a tunnel: never allowed */
	LABEL_ROW_BROKEN = 506,
	LABEL_SECURED_IP = 507, /* VRF A, `encrypt` in IP from SP 1 */
};

struct scene {
	uint32_t accept_all, accept_encrypt;
	uint32_t ce, ce6, tunnel, clear_tunnel, receive, glean; /* next hops */
};

static struct scene scene;

static inline void scene_routes(void)
{
	struct sl_version_row drop = {.kind = SL_NH_DROP, .drop_reason = SL_DROP_blackhole};
	struct sl_version_row unreachable = {.kind = SL_NH_DROP,
	                                     .drop_reason = SL_DROP_unreachable,
	                                     .flags = SL_NHF_ICMP_UNREACHABLE};
	uint32_t none = ++world.nexthops;

	world_route(VRF_A, 4, HERE4, 24, scene.ce, 0, scene.accept_all);
	world_route(VRF_A, 6, HERE6, 64, scene.ce6, 0, scene.accept_all);
	world_route(VRF_A, 4, PE_CE4, 32, scene.receive, 0, scene.accept_all);
	world_route(VRF_A, 6, PE_CE6, 128, scene.receive, 0, scene.accept_all);
	world_route(VRF_A, 4, THERE4, 24, scene.tunnel, VEC_LABEL_OUT, 0);
	world_route(VRF_A, 6, THERE6, 64, scene.tunnel, VEC_LABEL_OUT, 0);
	world_route(VRF_A, 4, A4(10, 3, 0, 0), 24, scene.glean, 0, scene.accept_all);
	world_route(VRF_A, 4, A4(10, 4, 0, 0), 24, world_nexthop(&drop), 0, scene.accept_all);
	world_route(VRF_A, 4, A4(10, 5, 0, 0), 24, world_nexthop(&unreachable), 0,
	            scene.accept_all);
	world_route(VRF_A, 4, A4(10, 6, 0, 0), 24, none, 0, scene.accept_all);
	world_route(VRF_A, 4, A4(10, 7, 0, 0), 24, scene.ce, 0, 0);
	world_route(VRF_A, 4, A4(10, 8, 0, 0), 24, world_adjacency(IF_CE_B, 4), 0, 0);
	world_route(VRF_A, 4, A4(10, 9, 0, 0), 24, scene.clear_tunnel, VEC_LABEL_OUT, 0);
	world_route(VRF_A, 4, A4(10, 10, 0, 9), 32, world_simple(SL_NH_RECEIVE, VRF_B, IF_CE_B), 0,
	            0);
	world_route(VRF_A, 4, A4(10, 11, 0, 0), 24, scene.ce, 0, scene.accept_encrypt);
	world_route(SL_VRF_CORE, 4, LOCAL4, 32, world_simple(SL_NH_RECEIVE, SL_VRF_CORE, IF_CORE),
	            0, 0);
	world_route(SL_VRF_CORE, 6, LOCAL6, 128, world_simple(SL_NH_RECEIVE, SL_VRF_CORE, IF_CORE),
	            0, 0);
	world_commit();
}

static inline void scene_labels(void)
{
	struct sl_accept_row case_ii = {.secured[0][0] = 1ull << 2, .clear = SL_CLEAR_MPLS_OWN_SP};
	struct sl_accept_row gre = {.secured[1][0] = 1ull << 1, .clear = SL_CLEAR_GRE};
	struct sl_accept_row mpls = {.clear = SL_CLEAR_MPLS};
	struct sl_accept_row ip = {.secured[0][1] = 1ull << 1};
	uint64_t *label = world.tables->label;

	label[LABEL_ALL] = sl_label_row(SL_LABEL_VRF, scene.accept_all, 0, VRF_A);
	label[LABEL_ENCRYPT] = sl_label_row(SL_LABEL_VRF, scene.accept_encrypt, 0, VRF_A);
	label[LABEL_CASE_II] = sl_label_row(SL_LABEL_VRF, world_accept(&case_ii), 0, VRF_A);
	label[LABEL_GRE] = sl_label_row(SL_LABEL_VRF, world_accept(&gre), 0, VRF_A);
	label[LABEL_MPLS] = sl_label_row(SL_LABEL_VRF, world_accept(&mpls), 0, VRF_A);
	label[LABEL_SECURED_IP] = sl_label_row(SL_LABEL_VRF, world_accept(&ip), 0, VRF_A);
	label[LABEL_NEXTHOP] = sl_label_row(SL_LABEL_NEXTHOP, scene.accept_all, 0, scene.ce);
	label[LABEL_TO_TUNNEL] = sl_label_row(SL_LABEL_NEXTHOP, scene.accept_all, 0, scene.tunnel);
	label[LABEL_ROW_BROKEN] = sl_label_row((enum sl_label_action)9, scene.accept_all, 0, VRF_A);
}

/* A fresh PE; clear encapsulations and plain MPLS are not accepted unless a test sets the flags. */
static inline void scene_set(void)
{
	struct sl_accept_row all = world_accept_all(), encrypt = {.secured[0][0] = 1ull << 1};
	struct sl_sa_row out = world_sa_row(SL_ALG_AES_GCM_128, 4, false, SL_ENCAP_GRE);
	struct sl_sa_row in = world_sa_row(SL_ALG_AES_GCM_128, 4, true, SL_ENCAP_GRE);
	struct sl_version_row row;

	world_reset();
	memcpy(world.tables->vrf[VRF_A].icmp_source4, ICMP4, 4);
	memcpy(world.tables->vrf[VRF_A].icmp_source6, ICMP6, 16);
	world_sa_out(1, &out);
	world_sa_in(1, &in);
	scene.accept_all = world_accept(&all);
	scene.accept_encrypt = world_accept(&encrypt);
	scene.ce = world_adjacency(IF_CE, 4);
	scene.ce6 = world_adjacency(IF_CE, 6);
	scene.receive = world_simple(SL_NH_RECEIVE, VRF_A, IF_CE);
	scene.glean = world_simple(SL_NH_GLEAN, VRF_A, IF_CE);
	row = world_tunnel(SL_ENCAP_GRE, 4, 1, false);
	scene.tunnel = world_nexthop(&row);
	row = world_tunnel(SL_ENCAP_IP, 4, 0, false);
	scene.clear_tunnel = world_nexthop(&row);
	scene_labels();
	scene_routes();
}

/* Exactly `n` packets were dropped, all for `reason`; nothing else happened. */
static bool scene_provoked[SL_DROP_COUNT];

static inline const char *scene_reason_name(unsigned int reason)
{
	static const char *const names[] = {
#define SL_DROP_NAME(name, text) #name,
		SL_DROP_REASONS(SL_DROP_NAME)
#undef SL_DROP_NAME
	};

	return names[reason];
}

static inline void scene_expect_drops(enum sl_drop_reason reason, uint64_t n)
{
	for (unsigned int i = 0; i < SL_DROP_COUNT; i++)
		if (world.worker.block->drops[i] != (i == reason ? n : 0))
			fail_msg("expected %lu of %s, but there are %lu of %s", n,
			         scene_reason_name(reason), world.worker.block->drops[i],
			         scene_reason_name(i));
	scene_provoked[reason] = true;
	world_expect_quiet();
}

#endif
