/* SPDX-License-Identifier: Apache-2.0 */
/* What the data-plane benchmark measures: DIRECTION,BYTES,SAS,VRFS,ROUTES. */
#ifndef SEALANE_BENCH_CASES_H
#define SEALANE_BENCH_CASES_H

#include <stdbool.h>
#include <stdint.h>

#include "frames.h"
#include "sealane/tables.h"

/* Rows as perf/dataplane-rows.ts writes them; interface row = port for these two. */
enum { BENCH_PORT_CE = 1, BENCH_PORT_CORE = 2, BENCH_LABEL = 1000 };
/* The CE's tagged interfaces: row BENCH_PORT_CORE + VLAN, label BENCH_LABEL + VLAN, a VRF each. */
#define BENCH_VRFS 1000u     /* VLANs 1.. : VRFs with BENCH_VRF_ROUTES routes */
#define BENCH_VLAN_OUT 1001u /* the VRF whose million routes lead to tunnels */
#define BENCH_VLAN_IN 1002u  /* the one where they lead to the CE */
#define BENCH_VLANS 1002u

struct bench_case {
	char direction[8]; /* out, in, plain, gre */
	char bytes[8];     /* of the inner Ethernet frame without FCS; or imix */
	uint32_t sas;
	uint32_t vrfs;   /* 1 or BENCH_VRFS */
	uint32_t routes; /* in all of the VRFs; 0: those that are needed */
	bool inbound;
};

/* Addresses that the million routes lead somewhere, in host order. */
struct bench_addresses {
	const uint32_t *address;
	uint32_t count;
};

struct bench_frames {
	struct bench_frame *frame;
	uint32_t count; /* whole bursts */
	uint8_t *arena;
};

/* False: it is no case. */
bool bench_case_parse(const char *text, struct bench_case *c);

/* Size of the nth packet of a case: IMIX is 7 x 64, 4 x 570 and 1 x 1420 bytes. */
uint16_t bench_case_bytes(const struct bench_case *c, uint64_t n);

/* Makes the frames; bench_frames_free() afterwards. False: no memory. */
bool bench_case_prepare(const struct bench_case *c, const struct sl_tables *tables,
                        struct sl_sa_key *const *keys_in, const struct bench_addresses *addresses,
                        struct bench_frames *frames);
void bench_frames_free(struct bench_frames *frames);

#endif
