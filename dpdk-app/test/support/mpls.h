/* SPDX-License-Identifier: Apache-2.0 */
/* The scene of eal_mpls*.c: labels of every kind, and interfaces of other SPs. */
#ifndef SEALANE_TEST_MPLS_H
#define SEALANE_TEST_MPLS_H

#include "net/ip4.h"
#include "support/drops.h"

enum {
	IF_OTHER = 20, /* another SP's, VLAN_OTHER */
	IF_THIRD = 21, /* the next one's, VLAN_THIRD */
	VLAN_OTHER = 30,
	VLAN_THIRD = 31,
	LABEL_POP = 600,    /* transport label of ours, from the own SP */
	LABEL_SWAP = 601,   /* advertised on IF_OTHER, leaves by an LSP */
	LABEL_AWAY = 602,   /* the same for a label whose next hop a test sets */
	LABEL_INSIDE = 603, /* swapped for the own SP's plain MPLS */
	OUT = 777,
};

static uint32_t away; /* next hop of LABEL_AWAY */

/* An LSP of `n` transport labels 41, 42, ... */
static inline struct sl_version_row lsp_version(uint8_t n)
{
	struct sl_version_row row = {.kind = SL_NH_TUNNEL,
	                             .interface = IF_CORE,
	                             .protection = SL_PROT_MPLS,
	                             .core_labels = n,
	                             .mtu = MTU_TUNNEL};
	uint8_t at = world_ethernet(row.template_bytes, P_MAC, PE_CORE_MAC, 0, 0x8847);

	for (uint8_t i = 0; i < n; i++, at = (uint8_t)(at + 4))
		sl_put32(row.template_bytes + at, (41u + i) << 12 | 200u);
	row.label_off = at;
	row.template_bytes[at + 2] = 1; /* S */
	row.template_len = (uint8_t)(at + 4);
	return row;
}

static inline int with_labels(void **state)
{
	struct sl_accept_row own = {.clear = SL_CLEAR_MPLS}, other = {.mpls_interface = IF_OTHER};
	struct sl_version_row lsp = lsp_version(1);
	uint64_t *label;
	uint32_t on_other;

	fresh(state);
	label = world.tables->label;
	world_interface(IF_OTHER, SL_ROLE_CORE, SL_VRF_CORE, PORT_CORE, VLAN_OTHER, PE_CORE_MAC);
	world_interface(IF_THIRD, SL_ROLE_CORE, SL_VRF_CORE, PORT_CORE, VLAN_THIRD, PE_CORE_MAC);
	world.tables->interface[IF_OTHER].flags = SL_IF_MPLS_OTHER_SP;
	world.tables->interface[IF_THIRD].flags = SL_IF_MPLS_OTHER_SP;
	world.tables->interface[IF_CORE].flags = SL_IF_MPLS_OWN_SP;
	on_other = world_accept(&other);
	away = world_nexthop(&lsp);
	label[LABEL_POP] = sl_label_row(SL_LABEL_POP, world_accept(&own), 0, 0);
	label[LABEL_SWAP] = sl_label_row(SL_LABEL_SWAP, on_other, OUT, world_nexthop(&lsp));
	label[LABEL_AWAY] = sl_label_row(SL_LABEL_SWAP, on_other, OUT, away);
	label[LABEL_INSIDE] = sl_label_row(SL_LABEL_SWAP, world_accept(&own), OUT, away);
	return 0;
}

/* As EXPECT, and the labels are there again. */
#define GONE(reason)                                                                               \
	do {                                                                                       \
		scene_expect_drops(SL_DROP_##reason, 1);                                           \
		with_labels(NULL);                                                                 \
	} while (0)
#undef CASE
#define CASE(test) cmocka_unit_test_setup(test, with_labels)

/* What is built, in plain MPLS, as if from `vlan`. */
static inline void send_mpls(uint16_t vlan)
{
	build_eth(&b, PE_CORE_MAC, P_MAC, vlan, 0x8847);
	from_core();
}

static inline void stack_of(unsigned int n, bool bottom)
{
	for (unsigned int i = 0; i < n; i++)
		build_label(&b, LABEL_POP, bottom && i == 0, 255);
}

/* MPLS-in-GRE from the remote PE, without Ethernet. */
static inline void build_tunnelled(uint32_t label)
{
	build_labelled4(&b, label, HERE4);
	build_gre(&b, 0, 0x8847);
	build_ip4(&b, REMOTE4, LOCAL4, 47, 255);
}

static inline void expect_at_ce(unsigned int n)
{
	uint8_t frame[2048];

	for (unsigned int i = 0; i < n; i++)
		assert_int_not_equal(world_sent(PORT_CE, frame), 0);
	assert_int_equal(world_all_drops(), 0);
	world_expect_quiet();
}

#endif
