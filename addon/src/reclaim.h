// SPDX-License-Identifier: Apache-2.0
// Epoch-based reclaim: what was unlinked is given back once no reader can see it any more.
//
// The writer tags what it unlinks with the present reclaim_epoch E, then raises it to E + 1. A
// reader announces the epoch it read at the start of its round; once every online reader announces
// more than E, each of them began its round after the unlinking.
#ifndef SEALANE_ADDON_RECLAIM_H
#define SEALANE_ADDON_RECLAIM_H

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>

#include "state_view.h"

namespace sealane
{

enum class Retired : uint8_t {
	fib_nodes, // `id` first row, `count` rows
	fib_leaves,
	fib_direct, // `id` root word
	version,
	nexthop,
	sa_out,
	sa_in,
	vrf,
	interface,
	group,
	host_policy,
	attach_barrier, // everything that was free or unknown when this writer attached
};

class Reclaimer
{
public:
	using Release = std::function<void(Retired kind, uint32_t id, uint32_t count)>;

	/// `epoch_word`: header.reclaim_epoch. `release` is called once per retired object.
	Reclaimer(uint64_t *epoch_word, StateView &state, Release release);

	/// The object must already be unreachable for readers that start now.
	void retire(Retired kind, uint32_t id, uint32_t count);
	/// Releases what readers can no longer see; true while something still waits.
	bool advance();
	/// Objects that wait for readers.
	size_t waiting() const { return waiting_.size(); }

private:
	struct Entry {
		uint64_t epoch;
		uint32_t id;
		uint8_t count;
		Retired kind;
	};

	uint64_t *epoch_word_;
	StateView &state_;
	Release release_;
	std::deque<Entry> waiting_; // oldest first
	uint32_t since_advance_ = 0;
};

} // namespace sealane

#endif
