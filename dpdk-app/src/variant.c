/* SPDX-License-Identifier: Apache-2.0 */
#include "variant.h"

static bool anywhere(void) { return true; }

/* __builtin_cpu_supports() also asks the operating system whether it saves the registers (XGETBV). */
static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2");
}

static bool has_avx512(void)
{
	return has_avx2() && __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl");
}

#define SL_VARIANT_ENTRIES(variant)                                                                \
	void sl_pipeline_receive_##variant(struct sl_worker *w, uint32_t port,                     \
	                                   struct rte_mbuf **frames, uint16_t n);                  \
	void sl_pipeline_inject_##variant(struct sl_worker *w, struct rte_mbuf **frames,           \
	                                  uint16_t n);                                             \
	uint32_t sl_pipeline_take_##variant(struct sl_worker *w);                                  \
	uint32_t sl_pipeline_release_##variant(struct sl_worker *w);                               \
	void sl_pipeline_end_##variant(struct sl_worker *w);                                       \
	uint32_t sl_pipeline_flush_##variant(struct sl_worker *w);

SL_VARIANT_ENTRIES(generic)
SL_VARIANT_ENTRIES(avx2)
SL_VARIANT_ENTRIES(avx512)

#define SL_VARIANT(variant, what, predicate)                                                       \
	{                                                                                          \
		.name = #variant, .needs = (what), .runs_here = (predicate),                       \
		.receive = sl_pipeline_receive_##variant, .inject = sl_pipeline_inject_##variant,  \
		.take = sl_pipeline_take_##variant, .release = sl_pipeline_release_##variant,      \
		.end = sl_pipeline_end_##variant, .flush = sl_pipeline_flush_##variant,            \
	}

const struct sl_variant sl_variants[] = {
	SL_VARIANT(generic, "x86-64-v2", anywhere),
	SL_VARIANT(avx2, "AVX2, BMI, BMI2", has_avx2),
	SL_VARIANT(avx512, "AVX-512 F, BW, DQ, VL", has_avx512),
};
const unsigned int sl_variant_count = sizeof(sl_variants) / sizeof(sl_variants[0]);

static const struct sl_variant *used = &sl_variants[0];

const struct sl_variant *sl_variant_best(void)
{
	unsigned int i = sl_variant_count - 1;

	__builtin_cpu_init();
	while (i > 0 && !sl_variants[i].runs_here())
		i--;
	return &sl_variants[i];
}

void sl_variant_use(const struct sl_variant *variant) { used = variant; }

const struct sl_variant *sl_variant_used(void) { return used; }

void sl_pipeline_receive(struct sl_worker *w, uint32_t port, struct rte_mbuf **frames, uint16_t n)
{
	used->receive(w, port, frames, n);
}

void sl_pipeline_inject(struct sl_worker *w, struct rte_mbuf **frames, uint16_t n)
{
	used->inject(w, frames, n);
}

uint32_t sl_pipeline_take(struct sl_worker *w) { return used->take(w); }

uint32_t sl_pipeline_release(struct sl_worker *w) { return used->release(w); }

void sl_pipeline_end(struct sl_worker *w) { used->end(w); }

uint32_t sl_pipeline_flush(struct sl_worker *w) { return used->flush(w); }
