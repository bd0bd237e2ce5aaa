/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PE whose tables are read off the first octets of a fuzz input: VRFs, accepted sets, SAs of every suite,
 * tunnels, labels, routes of all kinds. Whatever the octets are, the rows are such as a supervisor could
 * have written. Missing octets are zeros, and each table has its place, so that an octet that changes
 * changes one row.
 */
#ifndef SEALANE_TEST_FUZZ_TABLES_H
#define SEALANE_TEST_FUZZ_TABLES_H

#include "support/build.h"

struct fuzz_input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t fuzz_octet(struct fuzz_input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

enum { FUZZ_SAS = 2, FUZZ_ACCEPTS = 3, FUZZ_LABELS = 6, FUZZ_ROUTES = 8, FUZZ_ADDRESSES = 8 };
enum { FUZZ_FIRST_LABEL = 500, FUZZ_SA_BGP = FUZZ_SAS + 1 };

/* Kinds of next hop, in the order of struct fuzz_pe.nexthop. */
enum fuzz_nexthop {
	FUZZ_TO_CE,
	FUZZ_TO_CE6,
	FUZZ_TO_VLAN,
	FUZZ_TO_CE_B,
	FUZZ_TO_TUNNEL, /* and the next one: of the two outbound SAs */
	FUZZ_TO_TUNNEL_2,
	FUZZ_TO_CLEAR_TUNNEL,
	FUZZ_TO_LSP,
	FUZZ_TO_US,
	FUZZ_TO_US_B,
	FUZZ_TO_CORE,
	FUZZ_TO_GLEAN,
	FUZZ_TO_BLACKHOLE,
	FUZZ_TO_UNREACHABLE,
	FUZZ_TO_SA_MISSING,
	FUZZ_TO_NOTHING,
	FUZZ_NEXTHOPS
};

struct fuzz_pe {
	bool all_protected; /* no accepted set takes anything in clear */
	bool all_esp;       /* every way to the core is an SA */
	uint32_t nexthop[FUZZ_NEXTHOPS];
	uint64_t sequence[FUZZ_SA_BGP + 1]; /* last one that the peer used, by inbound SA */
};

static struct fuzz_pe fuzz_pe;

static const uint8_t fuzz_addresses4[FUZZ_ADDRESSES][4] = {
	{10, 1, 1, 1},  {10, 2, 2, 2},   {10, 1, 1, 254}, {192, 0, 2, 1},
	{192, 0, 2, 2}, {10, 3, 0, 129}, {224, 0, 0, 5},  {255, 255, 255, 255}};
static const uint8_t fuzz_addresses6[FUZZ_ADDRESSES][16] = {
	{0x20, 1, 0x0d, 0xb8, 0, 0x0a, [15] = 1},
	{0x20, 1, 0x0d, 0xb8, 0, 0x0b, [15] = 2},
	{0x20, 1, 0x0d, 0xb8, 0, 0x0a, [15] = 0xfe},
	{0x20, 1, 0x0d, 0xb8, 0, 0x0f, [15] = 1},
	{0x20, 1, 0x0d, 0xb8, 0, 0x0f, [15] = 2},
	{0x20, 1, 0x0d, 0xb8, 0, 0x0c, [15] = 3},
	{0xfe, 0x80, [15] = 9},
	{0xff, 2, [15] = 5}};

static inline const uint8_t *fuzz_address(uint8_t family, unsigned int which)
{
	which %= FUZZ_ADDRESSES;
	return family == 4 ? fuzz_addresses4[which] : fuzz_addresses6[which];
}

/* |esn|udp|encap|family| suite | and what differs by direction. */
static inline struct sl_sa_row fuzz_sa(struct fuzz_input *in, uint32_t id, bool inbound)
{
	uint8_t kind = fuzz_octet(in), second = fuzz_octet(in), third = fuzz_octet(in);
	uint8_t algorithm = (uint8_t)(1 + (kind & 15) % SL_ALG_NULL_SHA_512);
	struct sl_sa_row row = world_sa_row(algorithm, kind & 16 ? 6 : 4, inbound,
	                                    kind & 32 ? SL_ENCAP_IP : SL_ENCAP_GRE);

	row.spi += id;
	row.key[1] ^= (uint8_t)id;
	row.esn = kind >> 7;
	if (kind & 64)
		row.udp_source_port = row.udp_destination_port = 4500;
	if (inbound) {
		row.replay_window = 64u * (1u + second % 64);
		row.sp_table = 1 + third % 3;
		if ((third & 0xf0) == 0xf0)
			row.selector_protocol = 59;
	} else {
		row.packet_limit = second;
		row.byte_limit = third & 1 ? 64u * third : 0;
	}
	return row;
}

static inline void fuzz_sas(struct fuzz_input *in, bool policies)
{
	for (uint32_t id = 1; id <= FUZZ_SAS; id++) {
		struct sl_sa_row row = fuzz_sa(in, id, false);

		world_sa_out(id, &row);
		row = fuzz_sa(in, id, true);
		world_sa_in(id, &row);
	}
	for (uint32_t inbound = 0; policies && inbound < 2; inbound++) {
		struct sl_sa_row row = world_sa_row(SL_ALG_AES_GCM_128, 4, inbound, SL_ENCAP_NONE);

		row.application = SL_APP_BGP;
		row.selector_protocol = 6;
		row.sp_table = 0;
		row.spi += FUZZ_SA_BGP;
		(inbound ? world_sa_in : world_sa_out)(FUZZ_SA_BGP, &row);
	}
}

/* BGP between the two PEs has to be in an SA: IPv4 has one, IPv6 none. */
static inline void fuzz_policies(void)
{
	for (uint32_t id = 1; id <= 2; id++) {
		struct sl_host_policy_row *row = &world.tables->host_policy[id];

		*row = (struct sl_host_policy_row){.state = SL_ROW_LIVE,
		                                   .family = id == 1 ? 4 : 6,
		                                   .protocol = 6,
		                                   .port = SL_PORT_BGP};
		if (id == 1)
			row->sa_to_port = row->sa_from_port = sl_host_sa(7, FUZZ_SA_BGP);
		memcpy(row->local, id == 1 ? LOCAL4 : LOCAL6, id == 1 ? 4 : 16);
		memcpy(row->remote, id == 1 ? REMOTE4 : REMOTE6, id == 1 ? 4 : 16);
		world.tables->host_policy_head[sl_host_policy_chain(row->remote)] = id;
	}
}

static inline struct sl_version_row fuzz_lsp(void)
{
	struct sl_version_row row = {.kind = SL_NH_TUNNEL,
	                             .interface = IF_CORE,
	                             .protection = SL_PROT_MPLS,
	                             .core_labels = 1,
	                             .mtu = MTU_TUNNEL};
	uint8_t at = world_ethernet(row.template_bytes, P_MAC, PE_CORE_MAC, 0, 0x8847);

	sl_put32(row.template_bytes + at, 41u << 12 | 200u);
	row.label_off = (uint8_t)(at + 4);
	row.template_bytes[row.label_off + 2] = 1; /* S */
	row.template_len = (uint8_t)(at + 8);
	return row;
}

static inline uint32_t fuzz_tunnel(struct fuzz_input *in, uint32_t sa)
{
	const struct sl_sa_row *row = &world.tables->sa_out[sa];
	uint8_t mtu = fuzz_octet(in);
	struct sl_version_row version =
		world_tunnel((enum sl_encap)row->encap, row->family, sa, mtu & 1);

	if (mtu != 0)
		version.mtu = (uint16_t)(64 + 5 * mtu);
	return world_nexthop(&version);
}

static inline void fuzz_nexthops(struct fuzz_input *in)
{
	struct sl_version_row drop = {.kind = SL_NH_DROP, .drop_reason = SL_DROP_blackhole};
	struct sl_version_row clear = world_tunnel(SL_ENCAP_GRE, 4, 0, true), lsp = fuzz_lsp();
	uint32_t *to = fuzz_pe.nexthop;

	to[FUZZ_TO_CE] = world_adjacency(IF_CE, 4);
	to[FUZZ_TO_CE6] = world_adjacency(IF_CE, 6);
	to[FUZZ_TO_VLAN] = world_adjacency(IF_CE_VLAN, 4);
	to[FUZZ_TO_CE_B] = world_adjacency(IF_CE_B, 4);
	to[FUZZ_TO_TUNNEL] = fuzz_tunnel(in, 1);
	to[FUZZ_TO_TUNNEL_2] = fuzz_tunnel(in, 2);
	to[FUZZ_TO_CLEAR_TUNNEL] = fuzz_pe.all_esp ? to[FUZZ_TO_TUNNEL] : world_nexthop(&clear);
	to[FUZZ_TO_LSP] = fuzz_pe.all_esp ? to[FUZZ_TO_TUNNEL_2] : world_nexthop(&lsp);
	to[FUZZ_TO_US] = world_simple(SL_NH_RECEIVE, VRF_A, IF_CE);
	to[FUZZ_TO_US_B] = world_simple(SL_NH_RECEIVE, VRF_B, IF_CE_B);
	to[FUZZ_TO_CORE] = world_simple(SL_NH_RECEIVE, SL_VRF_CORE, IF_CORE);
	to[FUZZ_TO_GLEAN] = world_simple(SL_NH_GLEAN, VRF_A, IF_CE);
	to[FUZZ_TO_BLACKHOLE] = world_nexthop(&drop);
	drop.drop_reason = SL_DROP_unreachable;
	drop.flags = SL_NHF_ICMP_UNREACHABLE;
	to[FUZZ_TO_UNREACHABLE] = world_nexthop(&drop);
	drop.drop_reason = SL_DROP_sa_missing;
	drop.flags = 0;
	to[FUZZ_TO_SA_MISSING] = world_nexthop(&drop);
	to[FUZZ_TO_NOTHING] = ++world.nexthops;
}

/* Which SPs by which protection and encapsulation, four times two bits; what in clear. */
static inline void fuzz_accepts(struct fuzz_input *in)
{
	for (unsigned int i = 0; i < FUZZ_ACCEPTS; i++) {
		uint8_t secured = fuzz_octet(in), clear = fuzz_octet(in);
		struct sl_accept_row row = {.clear = clear & 15u,
		                            .mpls_interface = clear & 16 ? IF_CORE : 0};

		for (unsigned int way = 0; way < 4; way++)
			row.secured[way / 2][way % 2] = (uint64_t)(secured >> 2 * way & 3u) << 1;
		if (fuzz_pe.all_protected)
			row.clear = row.mpls_interface = 0;
		world_accept(&row);
	}
}

static inline void fuzz_labels(struct fuzz_input *in)
{
	for (uint32_t i = 0; i < FUZZ_LABELS; i++) {
		uint8_t kind = fuzz_octet(in), target = fuzz_octet(in);
		enum sl_label_action action = (enum sl_label_action)(1 + (kind & 3));

		world.tables->label[FUZZ_FIRST_LABEL + i] = sl_label_row(
			action, (kind >> 4) % (FUZZ_ACCEPTS + 1), 700u + i,
			action == SL_LABEL_VRF ? target % WORLD_VRFS
					       : fuzz_pe.nexthop[target % FUZZ_NEXTHOPS]);
	}
}

static inline void fuzz_routes(struct fuzz_input *in, bool for_us)
{
	for (uint32_t i = 0; i < FUZZ_ROUTES; i++) {
		uint8_t where = fuzz_octet(in), length = fuzz_octet(in), to = fuzz_octet(in);
		uint8_t family = where & 128 ? 6 : 4;
		uint32_t nexthop = fuzz_pe.nexthop[to % FUZZ_NEXTHOPS];
		uint64_t leaf = sl_leaf(nexthop, VEC_LABEL_OUT, (to >> 4) % (FUZZ_ACCEPTS + 1u));

		if ((to & 15) == 15) /* the group, or one that is not there */
			leaf = sl_group_leaf(1u + (to >> 7), (to >> 4) % (FUZZ_ACCEPTS + 1u));
		trie_add(&world.trie, (where >> 3 & 15) % WORLD_VRFS, family,
		         fuzz_address(family, where & 7), length % (family == 4 ? 33 : 129), leaf);
	}
	if (for_us) {
		world_route(SL_VRF_CORE, 4, LOCAL4, 32, fuzz_pe.nexthop[FUZZ_TO_CORE], 0, 0);
		world_route(SL_VRF_CORE, 6, LOCAL6, 128, fuzz_pe.nexthop[FUZZ_TO_CORE], 0, 0);
	}
	world_commit();
}

static inline void fuzz_group(void)
{
	struct sl_group_row *row = &world.tables->group[1];

	row->member[0] = sl_leaf(fuzz_pe.nexthop[FUZZ_TO_TUNNEL], 801, 0);
	row->member[1] = sl_leaf(fuzz_pe.nexthop[FUZZ_TO_TUNNEL_2], 802, 0);
	row->member[2] = sl_leaf(fuzz_pe.nexthop[FUZZ_TO_NOTHING], 803, 0);
	world.tables->header.committed_rows[SL_ARENA_GROUP] = 2;
}

/* A fresh PE of the octets. */
static inline void fuzz_pe_set(struct fuzz_input *in)
{
	uint8_t core = fuzz_octet(in), vrfs = fuzz_octet(in);

	world_reset();
	fuzz_pe = (struct fuzz_pe){.all_protected = core & 1, .all_esp = core & 2};
	world.tables->interface[IF_CORE].flags = core >> 2 & 15u;
	world.tables->vrf[VRF_A].flags = vrfs & 3u;
	world.tables->vrf[VRF_B].flags = vrfs >> 2 & 3u;
	if (!(vrfs & 16)) {
		memcpy(world.tables->vrf[VRF_A].icmp_source4, ICMP4, 4);
		memcpy(world.tables->vrf[VRF_A].icmp_source6, ICMP6, 16);
	}
	if (vrfs & 32)
		memcpy(world.tables->interface[IF_CE].address4, PE_CE4, 4);
	if (vrfs & 64)
		world.tables->vrf[VRF_B].host_interface = IF_HOST;
	world.worker.now_tsc = 1u << 20;
	fuzz_sas(in, core & 128);
	if (core & 128)
		fuzz_policies();
	fuzz_nexthops(in);
	fuzz_accepts(in);
	fuzz_labels(in);
	fuzz_group();
	fuzz_routes(in, !(core & 64));
}

#endif
