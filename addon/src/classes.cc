// SPDX-License-Identifier: Apache-2.0
// Classes of packets by DSCP, the policers and the queues of interfaces. All of it may be stored while packets flow.
#include <cstring>

#include "tables.h"
#include "tables_error.h"

namespace sealane
{

namespace
{

template <class T> void store(T &to, T from) { __atomic_store_n(&to, from, __ATOMIC_RELAXED); }

} // namespace

void Tables::set_classes(const sl_class_table &wanted)
{
	for (const uint8_t number : wanted.class_of_dscp) {
		if (number >= SL_MAX_CLASSES || wanted.name[number][0] == '\0')
			bad_argument("there is no class " + std::to_string(number));
	}
	sl_class_table &classes = segment_.tables()->header.classes;
	for (size_t dscp = 0; dscp < sizeof wanted.class_of_dscp; dscp++)
		store(classes.class_of_dscp[dscp], wanted.class_of_dscp[dscp]);
	// Names are the writer's own.
	std::memcpy(classes.name, wanted.name, sizeof classes.name);
}

void Tables::set_policers(uint32_t interface, sl_police kind,
                          const std::array<sl_policer_row, SL_INTERFACE_POLICERS> &wanted)
{
	interfaces.require(interface);
	sl_interface_row &row = segment_.tables()->interface[interface];
	if (kind == SL_POLICE_NONE)
		store_word(row.police, uint32_t{kind});
	for (uint32_t slot = 0; slot < SL_INTERFACE_POLICERS; slot++) {
		sl_policer_row &policer =
			segment_.tables()->policer[sl_policer_index(interface, slot)];
		const sl_policer_row &from = wanted[slot];
		for (size_t i = 0; i < 2; i++) {
			store(policer.cost[i], from.cost[i]);
			store(policer.depth[i], from.depth[i]);
		}
		for (size_t colour = 0; colour < SL_COLOURS; colour++)
			store(policer.action[colour], from.action[colour]);
		store_word(policer.meter, from.meter);
	}
	if (kind != SL_POLICE_NONE)
		store_word(row.police, uint32_t{kind});
}

void Tables::set_queues(uint32_t interface, const sl_egress_row *wanted)
{
	interfaces.require(interface);
	uint8_t &queues = segment_.tables()->interface[interface].queues;
	sl_egress_row &row = segment_.tables()->egress[interface];
	if (wanted == nullptr) {
		store(queues, uint8_t{0});
		return;
	}
	store(row.cost, wanted->cost);
	store(row.depth, wanted->depth);
	for (uint32_t slot = 0; slot < SL_INTERFACE_QUEUES; slot++) {
		store(row.limit[slot], wanted->limit[slot]);
		store(row.quantum[slot], wanted->quantum[slot]);
		store(row.strict[slot], wanted->strict[slot]);
	}
	for (uint32_t i = 0; i < SL_MAX_CLASSES; i++)
		store(row.queue_of_class[i], wanted->queue_of_class[i]);
	store_word(row.change, row.change + 1);
	__atomic_store_n(&queues, uint8_t{1}, __ATOMIC_RELEASE);
}

uint32_t Tables::live_policers() const
{
	uint32_t count = 0;
	for (const sl_policer_row &row : segment_.tables()->policer)
		count += row.meter != SL_METER_NONE;
	return count;
}

} // namespace sealane
