// SPDX-License-Identifier: Apache-2.0
#include "reclaim.h"

#include <utility>

namespace sealane
{

namespace
{
// How many objects are retired before their space is asked for: an advance costs a system call.
constexpr uint32_t kAdvanceEvery = 512;
} // namespace

Reclaimer::Reclaimer(uint64_t *epoch_word, StateView &state, Release release)
	: epoch_word_(epoch_word), state_(state), release_(std::move(release))
{
}

void Reclaimer::retire(Retired kind, uint32_t id, uint32_t count)
{
	waiting_.push_back({*epoch_word_, id, static_cast<uint8_t>(count), kind});
	if (++since_advance_ >= kAdvanceEvery)
		advance();
}

bool Reclaimer::advance()
{
	since_advance_ = 0;
	if (waiting_.empty())
		return false;
	if (waiting_.back().epoch == *epoch_word_)
		__atomic_store_n(epoch_word_, *epoch_word_ + 1, __ATOMIC_RELEASE);
	const uint64_t oldest = state_.oldest_reader();
	while (!waiting_.empty() && waiting_.front().epoch < oldest) {
		const Entry entry = waiting_.front();
		waiting_.pop_front();
		release_(entry.kind, entry.id, entry.count);
	}
	return !waiting_.empty();
}

} // namespace sealane
