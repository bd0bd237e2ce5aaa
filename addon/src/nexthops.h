// SPDX-License-Identifier: Apache-2.0
// Next-hop slots and their immutable versions.
#ifndef SEALANE_ADDON_NEXTHOPS_H
#define SEALANE_ADDON_NEXTHOPS_H

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "rows.h"
#include "sealane/drop_reasons.h"
#include "tunnel_template.h"

namespace sealane
{

/// One version, before it is a row. Which fields count depends on `kind`: see Version in api.ts.
struct VersionSpec {
	sl_nexthop_kind kind;
	uint32_t interface;
	uint32_t vrf;
	uint16_t mtu;
	sl_drop_reason drop_reason;
	bool icmp_unreachable;
	uint8_t neighbour_family; // adjacency: 4 or 6
	std::array<uint8_t, 16> neighbour;
	std::vector<uint8_t> ethernet; // adjacency
	sl_protection protection;
	sl_encap encap;
	uint32_t sa; // outbound SA row, 0 = none
	bool dscp_copy;
	bool ecn_copy; // RFC 6040 normal mode; not of an LSP, which has no outer header
	TunnelHeader tunnel;
};

class Nexthops
{
public:
	explicit Nexthops(Context context);

	void attach();
	void thaw();
	/// Slot of a name, allocated at first use without a version.
	uint32_t slot(const std::string &name);
	/// Publishes a version by one store; nullopt makes the slot unusable.
	void set(uint32_t id, const std::optional<VersionSpec> &version);
	/// IN_USE while a route or label refers to it.
	void remove(uint32_t id);
	/// Attach, when an outbound SA is gone: slots whose version uses it become unusable.
	void forget_sa(uint32_t sa);
	void released_slot(uint32_t id);
	void released_version(uint32_t id);

	uint32_t end() const { return slots_.end(); }
	bool live(uint32_t id) const;
	std::string name(uint32_t id) const;
	/// Version row in use, 0 when unusable.
	uint32_t version(uint32_t id) const { return context_.tables->nexthop[id].active; }
	VersionSpec spec(uint32_t version) const;
	uint32_t live_rows() const { return slots_.live(); }
	uint32_t live_versions() const { return versions_.live(); }

private:
	void require(uint32_t id) const;
	void check(const VersionSpec &spec) const;
	void check_sa(const VersionSpec &spec) const;
	uint32_t new_version(const VersionSpec &spec);
	void activate(uint32_t id, uint32_t version);
	void use(const sl_version_row &row);
	void disuse(const sl_version_row &row);

	Context context_;
	RowIds slots_;
	RowIds versions_;
	std::map<std::string, uint32_t> by_name_;
};

} // namespace sealane

#endif
