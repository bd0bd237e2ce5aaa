/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of every kind, good ones and damaged ones, by chance that can be repeated. */
#ifndef SEALANE_TEST_RANDOM_FRAMES_H
#define SEALANE_TEST_RANDOM_FRAMES_H

#include "support/scene.h"

static uint64_t random_state = 0x5ea1a9e2ull;
static inline uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 32) * limit >> 32);
}

static struct build b;

/* A good frame of some kind; returns the port it comes from. */
static inline uint32_t make_frame(uint32_t sequence)
{
	static const uint8_t to[][4] = {{10, 1, 1, 7},   {10, 2, 2, 2},  {10, 3, 0, 1},
	                                {10, 5, 0, 1},   {10, 8, 0, 1},  {10, 9, 0, 1},
	                                {10, 1, 1, 254}, {172, 16, 0, 1}};
	const uint8_t *target = to[random_below(8)];
	uint8_t ttl = (uint8_t)random_below(4);
	uint32_t kind = random_below(9);

	if (kind < 3) {
		if (kind == 0)
			build_from_ce6(&b, random_below(2) ? THERE6 : HERE6, random_below(1500),
			               ttl);
		else
			build_from_ce4(&b, target, random_below(1500), ttl);
		return PORT_CE;
	}
	build_payload(&b, random_below(200));
	if (random_below(2))
		build_ip4(&b, THERE4, target, random_below(2) ? 1 : 17, ttl);
	else
		build_ip6(&b, THERE6, random_below(2) ? HERE6 : PE_CE6, random_below(2) ? 58 : 60,
		          ttl);
	build_label(&b, LABEL_ALL + (random_below(8) == 0), true, (uint8_t)random_below(4));
	if (random_below(4) == 0)
		build_label(&b, random_below(2) * 2, false, 1);
	if (kind == 3) {
		build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x8847);
	} else if (kind == 4) {
		build_core4(&b, 137);
	} else if (kind == 5) {
		build_gre(&b, 0, 0x8847);
		build_core4(&b, 47);
	} else {
		if (kind < 8)
			build_gre(&b, 0, 0x8847);
		/* damaged before it is sealed: the key holder is not trusted either */
		for (uint32_t i = random_below(4); i > 0; i--)
			build_bytes(&b)[random_below((uint32_t)build_len(&b))] =
				(uint8_t)random_below(256);
		build_esp(&b, kind == 8 ? 2 : 1, sequence, kind == 8 ? 137 : 47);
		build_core4(&b, 50);
	}
	return PORT_CORE;
}

/* Change bytes, most of them in headers, and lengths. */
static inline void damage(void)
{
	size_t n = build_len(&b);

	for (uint32_t i = random_below(4); i > 0 && n > 0; i--) {
		size_t at = random_below((uint32_t)(random_below(4) != 0 && n > 80 ? 80 : n));

		build_bytes(&b)[at] =
			random_below(2) ? (uint8_t)random_below(256)
					: build_bytes(&b)[at] ^ (uint8_t)(1u << random_below(8));
	}
	if (random_below(3) == 0)
		b.end = b.at + random_below((uint32_t)n + 1);
	/* often with a right checksum, so that what lies behind it is looked at */
	if (random_below(2) && build_len(&b) >= 34 && (build_bytes(&b)[14] & 15) == 5) {
		b.at += 14;
		build_sum4(&b);
		b.at -= 14;
	}
}

static inline void open_scene(uint32_t round)
{
	struct sl_sa_row ip = world_sa_row(SL_ALG_AES_GMAC_128, 4, true, SL_ENCAP_IP);

	scene_set();
	ip.spi++;
	world_sa_in(2, &ip);
	world.tables->interface[IF_CORE].flags =
		SL_IF_ACCEPT_GRE | SL_IF_ACCEPT_IP | SL_IF_MPLS_OWN_SP;
	world.tables->vrf[VRF_A].flags = round % 4;
}

#endif
