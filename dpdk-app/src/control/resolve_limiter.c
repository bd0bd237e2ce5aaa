/* SPDX-License-Identifier: Apache-2.0 */
#include "control/resolve_limiter.h"

#include <string.h>

bool sl_resolve_allowed(struct sl_resolve_limiter *limiter, uint32_t interface, uint8_t family,
                        const uint8_t address[16], uint64_t now_ns)
{
	size_t length = family == 4 ? 4 : 16;
	uint32_t hash = 0x811c9dc5u ^ interface;
	struct sl_resolve_slot *slot;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ address[i]) * 0x01000193u;
	slot = &limiter->slots[(hash ^ hash >> 16) & (SL_RESOLVE_SLOTS - 1)];
	if (slot->asked_ns != 0 && now_ns - slot->asked_ns < SL_RESOLVE_REPEAT_NS &&
	    slot->interface == interface && slot->family == family &&
	    memcmp(slot->address, address, length) == 0)
		return false;
	if (now_ns - limiter->second_ns >= 1000000000ull) {
		limiter->second_ns = now_ns;
		limiter->in_second = 0;
	}
	if (limiter->in_second >= SL_RESOLVE_PER_SECOND)
		return false;
	limiter->in_second++;
	*slot = (struct sl_resolve_slot){
		.asked_ns = now_ns, .interface = interface, .family = family};
	memcpy(slot->address, address, length);
	return true;
}
