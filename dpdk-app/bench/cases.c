/* SPDX-License-Identifier: Apache-2.0 */
#include "cases.h"

#include <rte_common.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TO_TUNNELS 0x0a800000u   /* 10.128.0.0/9: the /25 number k goes into tunnel k */
#define TO_CE 0x0ac80001u        /* 10.200.0.1 of the first VRF: adjacency */
#define TO_CLEAR_GRE 0x0ac90001u /* 10.201.0.1: tunnel without IPsec */
#define TO_CES 0x0a400000u       /* 10.64.0.0/10 of the many VRFs: /25s to its CE */
#define VRF_ROUTES 500u /* /25s to tunnels in each of the many VRFs, and as many to its CE */
#define SPREAD 40503u   /* odd: i * SPREAD visits each of 2^n once, neighbours far apart */

#define FEW_FRAMES 256u
#define SOME_FRAMES 1024u
#define MANY_FRAMES 65536u
#define IMIX_FRAMES 96u /* whole bursts and whole mixes */

static const uint16_t imix[] = {64, 570, 64, 64, 570, 64, 64, 570, 64, 64, 570, 1420};

bool bench_case_parse(const char *text, struct bench_case *c)
{
	static const char *const directions[] = {"out", "in", "plain", "gre"};
	bool known = false;
	long bytes;

	if (sscanf(text, "%7[a-z],%7[a-z0-9],%u,%u,%u", c->direction, c->bytes, &c->sas, &c->vrfs,
	           &c->routes) != 5)
		return false;
	for (unsigned int i = 0; i < RTE_DIM(directions); i++)
		known = known || strcmp(c->direction, directions[i]) == 0;
	c->inbound = strcmp(c->direction, "in") == 0;
	bytes = strtol(c->bytes, NULL, 10);
	return known && c->sas > 0 && (c->vrfs == 1 || c->vrfs == BENCH_VRFS) &&
	       (strcmp(c->bytes, "imix") == 0 || (bytes >= 64 && bytes <= 1500));
}

uint16_t bench_case_bytes(const struct bench_case *c, uint64_t n)
{
	if (c->bytes[0] == 'i')
		return imix[n % RTE_DIM(imix)];
	return (uint16_t)strtol(c->bytes, NULL, 10);
}

/* As many as there are different ways through the tables, so that each pass takes all of them. */
static uint32_t frames_of(const struct bench_case *c)
{
	uint32_t wanted = FEW_FRAMES;

	if (c->vrfs > 1 || c->routes > 0)
		wanted = MANY_FRAMES;
	else if (c->sas > SOME_FRAMES)
		wanted = c->sas;
	else if (c->sas > FEW_FRAMES)
		wanted = SOME_FRAMES;
	if (c->bytes[0] == 'i')
		wanted += IMIX_FRAMES - wanted % IMIX_FRAMES;
	return wanted;
}

/* Where a customer's frame comes in or goes out, and its destination. */
struct way {
	uint16_t vlan;
	uint32_t destination;
};

static struct way way_of(const struct bench_case *c, uint32_t i, uint32_t tunnel,
                         const struct bench_addresses *addresses)
{
	uint32_t spread = i * SPREAD;

	if (c->vrfs > 1)
		return (struct way){
			.vlan = (uint16_t)(1 + spread % BENCH_VRFS),
			.destination = (c->inbound ? TO_CES : TO_TUNNELS) +
		                       (spread / BENCH_VRFS % VRF_ROUTES << 7) + 1,
		};
	if (c->routes > 0)
		return (struct way){
			.vlan = c->inbound ? BENCH_VLAN_IN : BENCH_VLAN_OUT,
			.destination = addresses->address[spread % addresses->count],
		};
	if (strcmp(c->direction, "out") == 0)
		return (struct way){.destination = TO_TUNNELS + (tunnel << 7) + 1};
	return (struct way){
		.destination = strcmp(c->direction, "gre") == 0 ? TO_CLEAR_GRE : TO_CE,
	};
}

bool bench_case_prepare(const struct bench_case *c, const struct sl_tables *tables,
                        struct sl_sa_key *const *keys_in, const struct bench_addresses *addresses,
                        struct bench_frames *frames)
{
	uint8_t *at;

	frames->count = frames_of(c);
	frames->frame = calloc(frames->count, sizeof(*frames->frame));
	frames->arena = malloc((size_t)frames->count * BENCH_FRAME_MAX);
	if (frames->frame == NULL || frames->arena == NULL)
		return false;
	at = frames->arena;
	for (uint32_t i = 0; i < frames->count; i++) {
		struct bench_frame *frame = &frames->frame[i];
		uint32_t tunnel = (c->sas > SOME_FRAMES ? i * SPREAD : i) % c->sas;
		struct way way = way_of(c, i, tunnel, addresses);
		uint16_t bytes = bench_case_bytes(c, i);

		frame->bytes = at;
		if (c->inbound) {
			frame->sa = 1 + tunnel;
			bench_tunnel_frame(frame, bytes, tables->interface[BENCH_PORT_CORE].mac,
			                   &tables->sa_in[frame->sa], keys_in[frame->sa],
			                   i / c->sas + 1, BENCH_LABEL + way.vlan, way.destination);
		} else {
			bench_customer_frame(frame, bytes, tables->interface[BENCH_PORT_CE].mac,
			                     way.vlan, way.destination, i);
		}
		at += RTE_ALIGN(frame->length, RTE_CACHE_LINE_SIZE);
	}
	return true;
}

void bench_frames_free(struct bench_frames *frames)
{
	free(frames->frame);
	free(frames->arena);
	*frames = (struct bench_frames){0};
}
