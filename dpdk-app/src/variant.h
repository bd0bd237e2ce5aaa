/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet path (pipeline.c, stages/ and what they call) is compiled several times, for CPUs with wider
 * and wider instruction sets, and one of them is chosen at start: one build runs everywhere. CMakeLists.txt
 * renames the entry points of each; the sl_pipeline_*() of worker.h call the chosen one's.
 */
#ifndef SEALANE_VARIANT_H
#define SEALANE_VARIANT_H

#include <stdbool.h>

#include "worker.h"

struct sl_variant {
	const char *name;
	const char *needs; /* of the CPU, for people */
	bool (*runs_here)(void);
	void (*receive)(struct sl_worker *w, uint32_t port, struct rte_mbuf **frames, uint16_t n);
	void (*inject)(struct sl_worker *w, struct rte_mbuf **frames, uint16_t n);
	uint32_t (*take)(struct sl_worker *w);
	uint32_t (*release)(struct sl_worker *w);
	void (*end)(struct sl_worker *w);
	uint32_t (*flush)(struct sl_worker *w);
};

/* Of all, the least demanding first. */
extern const struct sl_variant sl_variants[];
extern const unsigned int sl_variant_count;

/* The most demanding one that this CPU and its operating system can run. */
const struct sl_variant *sl_variant_best(void);
/* Before the packet thread starts. Until then it is the first of all. */
void sl_variant_use(const struct sl_variant *variant);
const struct sl_variant *sl_variant_used(void);

#endif
