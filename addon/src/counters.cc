// SPDX-License-Identifier: Apache-2.0
// Sums over the worker's threads. Each counter has one writer and is read whole; a sum is not an
// instant's picture.
#include <algorithm>

#include "tables.h"
#include "tables_error.h"

namespace sealane
{

namespace
{

template <class T> T load(const T &word) { return __atomic_load_n(&word, __ATOMIC_RELAXED); }

/// Adds the words of one counter struct to another's; all its fields are 64-bit counters.
template <class T> void add(T &sum, const T &part)
{
	auto *to = reinterpret_cast<uint64_t *>(&sum);
	const auto *from = reinterpret_cast<const uint64_t *>(&part);
	for (size_t i = 0; i < sizeof(T) / sizeof(uint64_t); i++)
		to[i] += load(from[i]);
}

} // namespace

std::array<uint64_t, SL_DROP_COUNT> Tables::drops()
{
	std::array<uint64_t, SL_DROP_COUNT> sums{};
	const sl_state *state = state_.get();
	if (state == nullptr)
		return sums;
	const uint32_t lcores = state_.lcores();
	for (size_t reason = 0; reason < sums.size(); reason++) {
		sums[reason] = load(state->header.control_drops[reason]);
		for (uint32_t i = 0; i < lcores; i++)
			sums[reason] += load(state->lcore[i].block.drops[reason]);
	}
	return sums;
}

sl_interface_counters Tables::interface_counters(uint32_t id)
{
	interfaces.require(id);
	sl_interface_counters sum{};
	const sl_state *state = state_.get();
	for (uint32_t i = 0; state != nullptr && i < state_.lcores(); i++)
		add(sum, state->lcore[i].block.interface[id]);
	return sum;
}

PortCounters Tables::port_counters(uint32_t id)
{
	const std::string name = id < SL_MAX_PORTS ? ports.name(id) : "";
	PortCounters sum{};
	const sl_state *state = state_.get();
	if (name.empty())
		throw TablesError("NOT_FOUND", "port " + std::to_string(id) + " does not exist");
	if (state == nullptr ||
	    load(state->header.port[id].name) != sl_name_hash(name.data(), name.size()))
		return sum;
	add(sum.driver, state->header.port[id]);
	for (uint32_t i = 0; i < state_.lcores(); i++)
		sum.tx_full += load(state->lcore[i].block.tx_full[id]);
	return sum;
}

sl_vrf_counters Tables::vrf_counters(uint32_t id)
{
	vrfs.require(id);
	sl_vrf_counters sum{};
	const sl_state *state = state_.get();
	for (uint32_t i = 0; state != nullptr && i < state_.lcores(); i++)
		add(sum, state->lcore[i].block.vrf[id]);
	return sum;
}

sl_policer_counters Tables::policer_counters(uint32_t interface, uint32_t slot)
{
	interfaces.require(interface);
	sl_policer_counters sum{};
	const sl_state *state = state_.get();
	const uint32_t at = sl_policer_index(interface, slot);
	for (uint32_t i = 0; state != nullptr && i < state_.lcores(); i++)
		add(sum, state->lcore[i].block.policer[at]);
	return sum;
}

sl_queue_counters Tables::queue_counters(uint32_t interface, uint32_t slot)
{
	interfaces.require(interface);
	sl_queue_counters sum{};
	const sl_state *state = state_.get();
	const uint32_t at = sl_queue_index(interface, slot);
	for (uint32_t i = 0; state != nullptr && i < state_.lcores(); i++) {
		const sl_queue_counters &one = state->lcore[i].block.queue[at];
		sum.packets += load(one.packets);
		sum.bytes += load(one.bytes);
		sum.dropped += load(one.dropped);
		sum.depth += load(one.depth);
		sum.max_depth = std::max(sum.max_depth, load(one.max_depth));
	}
	return sum;
}

sl_label_counters Tables::label_counters(uint32_t label)
{
	sl_label_counters sum{};
	const sl_state *state = state_.get();
	if (label >= state_.labels())
		return sum;
	for (uint32_t i = 0; state != nullptr && i < state_.lcores(); i++)
		add(sum, state->lcore[i].block.label[label]);
	return sum;
}

SaCounters Tables::sa_counters(Direction direction, uint32_t id)
{
	sas.require(direction, id);
	const uint64_t generation = sas.row(direction, id).generation;
	const sl_sa_out_state *out = direction == Direction::out ? state_.sa_out(id) : nullptr;
	const sl_sa_in_state *in = direction == Direction::in ? state_.sa_in(id) : nullptr;
	if (out != nullptr && __atomic_load_n(&out->generation, __ATOMIC_ACQUIRE) == generation)
		return {load(out->ready_generation) == generation,
		        load(out->last_sequence),
		        load(out->packets),
		        load(out->bytes),
		        0,
		        0,
		        0,
		        0};
	const uint64_t probe = in != nullptr ? load(in->probe) : 0;
	if (in != nullptr && __atomic_load_n(&in->generation, __ATOMIC_ACQUIRE) == generation)
		return {load(in->ready_generation) == generation,
		        load(in->highest_sequence),
		        load(in->packets),
		        load(in->bytes),
		        load(in->replayed),
		        load(in->auth_failed),
		        sl_probe_seen_round(probe),
		        sl_probe_seen_bytes(probe)};
	return {};
}

} // namespace sealane
