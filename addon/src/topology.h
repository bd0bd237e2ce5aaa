// SPDX-License-Identifier: Apache-2.0
// VRFs, interfaces and port names.
#ifndef SEALANE_ADDON_TOPOLOGY_H
#define SEALANE_ADDON_TOPOLOGY_H

#include <map>
#include <string>

#include "rows.h"

namespace sealane
{

class Vrfs
{
public:
	explicit Vrfs(Context context) : context_(context), ids_("vrf", SL_MAX_VRFS) {}

	void attach();
	void thaw() { ids_.thaw(); }
	/// Inserts, or changes what may change while live; identity is the name. Of `wanted` the
	/// name, flags, host interface and ICMP sources are taken.
	uint32_t put(const sl_vrf_row &wanted);
	/// IN_USE while anything refers to it; `routes` is how many routes it has.
	void remove(uint32_t id, uint32_t routes);
	void released(uint32_t id);
	/// Whether the row is live; NOT_FOUND otherwise.
	void require(uint32_t id) const;
	uint32_t end() const { return ids_.end(); }
	const sl_vrf_row &row(uint32_t id) const { return context_.tables->vrf[id]; }
	uint32_t live_rows() const { return ids_.live() + 1; }

private:
	void update(sl_vrf_row &row, const sl_vrf_row &wanted);

	Context context_;
	RowIds ids_;
	std::map<std::string, uint32_t> by_name_;
};

class Interfaces
{
public:
	explicit Interfaces(Context context)
		: context_(context), ids_("interface", SL_MAX_INTERFACES)
	{
	}

	void attach();
	void thaw() { ids_.thaw(); }
	/// Identity is the name and all attributes but flags and addresses: a changed one gives a
	/// new row beside the old.
	uint32_t put(const sl_interface_row &wanted);
	void remove(uint32_t id);
	void released(uint32_t id);
	void require(uint32_t id) const;
	/// The row last put by that name, 0 when it has none that is live.
	uint32_t latest(const std::string &name) const;
	uint32_t end() const { return ids_.end(); }
	const sl_interface_row &row(uint32_t id) const { return context_.tables->interface[id]; }
	uint32_t live_rows() const { return ids_.live(); }

private:
	uint32_t find(const sl_interface_row &wanted) const;

	Context context_;
	RowIds ids_;
	std::map<std::string, uint32_t> latest_;
};

/// Stable ids of ports. Readers know ports by their ids alone, so a name needs no grace period.
class Ports
{
public:
	explicit Ports(Context context) : context_(context) {}

	uint32_t id(const std::string &name);
	void release(uint32_t id);
	/// Empty when the id is free.
	std::string name(uint32_t id) const;

private:
	Context context_;
};

} // namespace sealane

#endif
