// SPDX-License-Identifier: Apache-2.0
// Segment `tables` as a whole, with the worker's counters beside it: what `Tables` of api.ts offers,
// without Node.
#ifndef SEALANE_ADDON_TABLES_H
#define SEALANE_ADDON_TABLES_H

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "host_policies.h"
#include "labels.h"
#include "nexthops.h"
#include "routes.h"
#include "sas.h"
#include "sealane/drop_reasons.h"
#include "topology.h"

namespace sealane
{

struct TableMemory {
	const char *table;
	uint64_t rows;  // in use
	uint64_t bytes; // backed by memory
};

/// What `state` says about an SA's present generation; zeros until the worker knows it.
struct SaCounters {
	bool ready;
	uint64_t sequence; // outbound: highest reserved; inbound: highest received
	uint64_t packets;
	uint64_t bytes;
	uint64_t replayed;
	uint64_t auth_failed;
	uint32_t probe_round; // inbound: of the path MTU probe that came last
	uint32_t probe_bytes; // the largest packet of it; 0: none has come
};

/// Of a port; `driver.name` is no counter.
struct PortCounters {
	sl_port_counters driver;
	uint64_t tx_full; // summed over the packet threads
};

class Tables
{
public:
	/// Creates segment `tables` or attaches to it. `state` is the path of the worker's segment,
	/// which may come later.
	Tables(const std::string &tables, const std::string &state);

	bool created() const { return segment_.created(); }
	const sl_tables_header &header() const { return segment_.tables()->header; }
	const sl_tables *segment() const { return segment_.tables(); }
	StateView &state() { return state_; }

	void remove_vrf(uint32_t id);
	/// As Interfaces::put() and remove(); accepted sets that name the interface follow it.
	uint32_t put_interface(const sl_interface_row &wanted);
	void remove_interface(uint32_t id);
	/// True while something still waits for readers.
	bool reclaim()
	{
		const bool more = routes.upkeep();
		return reclaimer_.advance() || more;
	}
	size_t waiting() const { return reclaimer_.waiting(); }
	void set_config_digest(const std::array<uint8_t, 32> &digest);
	/// TC 0..7 by DSCP; the way back follows from it. Throws BAD_ARGUMENT.
	void set_path_mtu_floor(uint32_t bytes);
	void set_traffic_classes(const std::array<uint8_t, 64> &tc_of_dscp);
	/// Replaces all classes. Throws BAD_ARGUMENT.
	void set_classes(const sl_class_table &wanted);
	/// Policers of an interface, by slot; those that `kind` does not ask for are off. Words of what stays the
	/// same are not touched. `meter` of a row that is not there is SL_METER_NONE.
	void set_policers(uint32_t interface, sl_police kind,
	                  const std::array<sl_policer_row, SL_INTERFACE_POLICERS> &wanted);

	/// Queues of what leaves by an interface; nullptr: none. What waits in those there were is sent still.
	void set_queues(uint32_t interface, const sl_egress_row *wanted);

	std::array<uint64_t, SL_DROP_COUNT> drops();
	/// Meters that are there.
	uint32_t live_policers() const;
	sl_interface_counters interface_counters(uint32_t id);
	/// Of the port with this id; zeros while another one's are there.
	PortCounters port_counters(uint32_t id);
	sl_vrf_counters vrf_counters(uint32_t id);
	sl_label_counters label_counters(uint32_t label);
	sl_policer_counters policer_counters(uint32_t interface, uint32_t slot);
	sl_queue_counters queue_counters(uint32_t interface, uint32_t slot);
	SaCounters sa_counters(Direction direction, uint32_t id);
	std::vector<TableMemory> memory() const;
	/// For tests: an empty string, or which derived structure disagrees with the rows.
	std::string check() { return routes.check(); }

private:
	void attach();
	void thaw();
	void release(Retired kind, uint32_t id, uint32_t count);

	Segment segment_;
	StateView state_;
	Uses uses_;
	Reclaimer reclaimer_;
	Context context_;

public:
	Vrfs vrfs;
	Interfaces interfaces;
	Ports ports;
	AcceptSets accepts;
	Labels labels;
	Nexthops nexthops;
	Sas sas;
	HostPolicies host_policies;
	Groups groups;
	Routes routes;
};

} // namespace sealane

#endif
