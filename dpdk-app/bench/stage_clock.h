/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the packet path's time goes, stage by stage. The benchmark has a second pipeline (clocked_pipeline.c) with
 * this header in front: each call of a stage there becomes one between two readings of the time stamp counter.
 * The worker's knows nothing of it.
 */
#ifndef SEALANE_BENCH_STAGE_CLOCK_H
#define SEALANE_BENCH_STAGE_CLOCK_H

#include <rte_cycles.h>
#include <stdint.h>

#include "stages/stage.h"

#define SL_CLOCKED_STAGES(X)                                                                       \
	X(rx)                                                                                      \
	X(ce)                                                                                      \
	X(core)                                                                                    \
	X(lookup)                                                                                  \
	X(local)                                                                                   \
	X(esp_sa)                                                                                  \
	X(esp_open)                                                                                \
	X(host_tcp)                                                                                \
	X(decap)                                                                                   \
	X(label)                                                                                   \
	X(nexthop)                                                                                 \
	X(encap)                                                                                   \
	X(esp_seal)                                                                                \
	X(link)                                                                                    \
	X(tx)

#define SL_CLOCK_ENUM(stage) SL_CLOCK_##stage,
enum sl_clock_stage { SL_CLOCKED_STAGES(SL_CLOCK_ENUM) SL_CLOCK_COUNT };

/* Cycles of the time stamp counter spent in each stage since somebody set them to 0. */
extern uint64_t sl_stage_clock[SL_CLOCK_COUNT];

/* The entry point of that pipeline, for each variant of the stages (src/variant.h). */
#define SL_CLOCKED_ENTRY(variant)                                                                  \
	void sl_pipeline_receive_clocked_##variant(struct sl_worker *w, uint32_t port,             \
	                                           struct rte_mbuf **frames, uint16_t n);
SL_CLOCKED_ENTRY(generic)
SL_CLOCKED_ENTRY(avx2)
SL_CLOCKED_ENTRY(avx512)

/* A call that took longer was interrupted: the thread waited for its CPU. */
#define SL_CLOCK_INTERRUPTED 200000u

#define SL_CLOCKED(stage, call)                                                                    \
	__extension__({                                                                            \
		uint64_t clocked_from = rte_rdtsc(), clocked_for;                                  \
		uint16_t clocked_result = (call);                                                  \
                                                                                                   \
		clocked_for = rte_rdtsc() - clocked_from;                                          \
		if (clocked_for < SL_CLOCK_INTERRUPTED)                                            \
			sl_stage_clock[SL_CLOCK_##stage] += clocked_for;                           \
		clocked_result;                                                                    \
	})

#ifdef SEALANE_CLOCKED_PIPELINE
/* A macro is not expanded within itself: each of these ends at the function. */
#define sl_stage_rx(...) SL_CLOCKED(rx, sl_stage_rx(__VA_ARGS__))
#define sl_stage_ce(...) SL_CLOCKED(ce, sl_stage_ce(__VA_ARGS__))
#define sl_stage_core(...) SL_CLOCKED(core, sl_stage_core(__VA_ARGS__))
#define sl_stage_lookup(...) SL_CLOCKED(lookup, sl_stage_lookup(__VA_ARGS__))
#define sl_stage_local(...) SL_CLOCKED(local, sl_stage_local(__VA_ARGS__))
#define sl_stage_esp_sa(...) SL_CLOCKED(esp_sa, sl_stage_esp_sa(__VA_ARGS__))
#define sl_stage_esp_open(...) SL_CLOCKED(esp_open, sl_stage_esp_open(__VA_ARGS__))
#define sl_stage_host_tcp(...) SL_CLOCKED(host_tcp, sl_stage_host_tcp(__VA_ARGS__))
#define sl_stage_decap(...) SL_CLOCKED(decap, sl_stage_decap(__VA_ARGS__))
#define sl_stage_label(...) SL_CLOCKED(label, sl_stage_label(__VA_ARGS__))
#define sl_stage_nexthop(...) SL_CLOCKED(nexthop, sl_stage_nexthop(__VA_ARGS__))
#define sl_stage_encap(...) SL_CLOCKED(encap, sl_stage_encap(__VA_ARGS__))
#define sl_stage_esp_seal(...) SL_CLOCKED(esp_seal, sl_stage_esp_seal(__VA_ARGS__))
#define sl_stage_link(...) SL_CLOCKED(link, sl_stage_link(__VA_ARGS__))
#define sl_stage_tx(...) SL_CLOCKED(tx, sl_stage_tx(__VA_ARGS__))
#endif

#endif
