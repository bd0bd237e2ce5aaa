/* SPDX-License-Identifier: Apache-2.0 */
#include "control/punt_limiter.h"

#define SL_NS_PER_TOKEN (1000000000u / SL_PUNT_PER_SECOND)

bool sl_punt_allowed(struct sl_punt_bucket *bucket, uint64_t now_ns)
{
	uint64_t fresh = (now_ns - bucket->filled_ns) / SL_NS_PER_TOKEN;

	if (bucket->filled_ns == 0 || bucket->tokens + fresh >= SL_PUNT_BURST) {
		bucket->tokens = SL_PUNT_BURST;
		bucket->filled_ns = now_ns;
	} else {
		/* what is left of a token's time counts for the next one */
		bucket->tokens += (uint32_t)fresh;
		bucket->filled_ns += fresh * SL_NS_PER_TOKEN;
	}
	if (bucket->tokens == 0)
		return false;
	bucket->tokens--;
	return true;
}
