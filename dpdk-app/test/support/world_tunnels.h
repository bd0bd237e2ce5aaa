/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels and SAs of the PE of world.h, to and from the remote PE of the vectors. */
#ifndef SEALANE_TEST_WORLD_TUNNELS_H
#define SEALANE_TEST_WORLD_TUNNELS_H

#include "esp/sa_key.h"
#include "support/world.h"

/* Outer header of a tunnel at `ip`; returns its length. */
static inline uint8_t world_outer(struct sl_version_row *row, uint8_t *ip, uint8_t family,
                                  uint8_t protocol)
{
	if (family == 4) {
		ip[0] = 0x45;
		sl_put16(ip + 6, 0x4000);
		ip[8] = 64;
		ip[9] = protocol;
		memcpy(ip + 12, LOCAL4, 4);
		memcpy(ip + 16, REMOTE4, 4);
		row->ip4_sum = sl_sum_fold(sl_sum(ip, 20, 0));
		return 20;
	}
	ip[0] = 0x60;
	ip[6] = protocol;
	ip[7] = 64;
	memcpy(ip + 8, LOCAL6, 16);
	memcpy(ip + 24, REMOTE6, 16);
	return 40;
}

/* Version of a tunnel to the remote PE by the core interface; `sa` 0 = without ESP. */
static inline struct sl_version_row world_tunnel(enum sl_encap encap, uint8_t family, uint32_t sa,
                                                 bool dscp_copy)
{
	struct sl_version_row row = {.kind = SL_NH_TUNNEL,
	                             .interface = IF_CORE,
	                             .encap = (uint8_t)encap,
	                             .family = family,
	                             .sa = sa,
	                             .mtu = MTU_TUNNEL};
	uint8_t *t = row.template_bytes, protocol = encap == SL_ENCAP_GRE ? 47 : 137;
	uint8_t at = world_ethernet(t, P_MAC, PE_CORE_MAC, 0, family == 4 ? 0x0800 : 0x86dd);

	row.tos_copy = dscp_copy ? SL_TOS_DSCP : 0;
	row.ip_off = at;
	if (sa != 0)
		protocol = world.tables->sa_out[sa].udp_source_port != 0 ? 17 : 50;
	at = (uint8_t)(at + world_outer(&row, t + at, family, protocol));
	row.protection = SL_PROT_TUNNEL;
	if (protocol == 17) {
		row.udp_off = at;
		sl_put16(t + at, world.tables->sa_out[sa].udp_source_port);
		sl_put16(t + at + 2, world.tables->sa_out[sa].udp_destination_port);
		at = (uint8_t)(at + 8);
	}
	if (sa != 0) {
		row.esp_off = at;
		row.sa_generation = world.tables->sa_out[sa].generation;
		row.protection = world.tables->sa_out[sa].protection;
		sl_put32(t + at, world.tables->sa_out[sa].spi);
		at = (uint8_t)(at + 8 + sl_suite_of(world.tables->sa_out[sa].algorithm)->iv);
	}
	if (encap == SL_ENCAP_GRE) {
		row.gre_off = at;
		sl_put32(t + at, 0x8847);
		at = (uint8_t)(at + 4);
	}
	row.label_off = at;
	t[at + 2] = 1; /* S */
	row.template_len = (uint8_t)(at + 4);
	return row;
}

static inline struct sl_sa_row world_sa_row(uint8_t algorithm, uint8_t family, bool inbound,
                                            enum sl_encap encap)
{
	struct sl_sa_row row = {.generation = 7,
	                        .spi = inbound ? VEC_SPI_IN : VEC_SPI_OUT,
	                        .algorithm = algorithm,
	                        .application = SL_APP_VPN,
	                        .family = family,
	                        .encap = (uint8_t)encap,
	                        .sp_table = inbound ? 1 : 0,
	                        .random_spi = !inbound,
	                        .replay_window = inbound ? 1024 : 0};
	const uint8_t *local = family == 4 ? LOCAL4 : LOCAL6,
		      *remote = family == 4 ? REMOTE4 : REMOTE6;
	size_t n = family == 4 ? 4 : 16;
	uint8_t key[36];

	row.protection = sl_suite_protection(sl_suite_of(algorithm));
	row.selector_protocol = encap == SL_ENCAP_GRE ? 47 : 137;
	memcpy(row.source, inbound ? remote : local, n);
	memcpy(row.destination, inbound ? local : remote, n);
	if (algorithm > SL_ALG_AES_GMAC_256) { /* not in the vectors */
		memset(row.key, 0x50 + algorithm, sizeof(row.key));
		row.key[0] = inbound;
		return row;
	}
	hex_bytes(vec_keys[algorithm][inbound], key, sizeof(key));
	memcpy(row.key, key, 32);
	memcpy(row.salt, key + 32, 4);
	return row;
}

/* Install an SA as the control thread does. Rows may be installed again over old ones. */
static inline void world_sa_out(uint32_t id, const struct sl_sa_row *row)
{
	world.tables->sa_out[id] = *row;
	world.state->sa_out[id] = (struct sl_sa_out_state){.generation = row->generation,
	                                                   .ready_generation = row->generation};
	sl_sa_index_enter(&world.sa_index, id, row, 0);
	sl_sa_key_free(world.keys_out[id]);
	world.keys_out[id] = sl_sa_key_new(world.worker.crypto, row);
}

static inline void world_sa_in(uint32_t id, const struct sl_sa_row *row)
{
	world.tables->sa_in[id] = *row;
	world.takes_udp |= row->udp_source_port != 0;
	memset(&world.state->sa_in[id], 0, sizeof(world.state->sa_in[id]));
	world.state->sa_in[id].generation = world.state->sa_in[id].ready_generation =
		row->generation;
	world.tables->spi[row->spi & (SL_SPI_SLOTS - 1)] = id;
	sl_sa_key_free(world.keys_in[id]);
	world.keys_in[id] = sl_sa_key_new(world.worker.crypto, row);
}

#endif
