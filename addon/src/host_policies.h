// SPDX-License-Identifier: Apache-2.0
// Host policies: which flows of the kernel are inside an SA or not at all (policy-model 18).
#ifndef SEALANE_ADDON_HOST_POLICIES_H
#define SEALANE_ADDON_HOST_POLICIES_H

#include <vector>

#include "rows.h"

namespace sealane
{

class HostPolicies
{
public:
	explicit HostPolicies(Context context)
		: context_(context), ids_("host_policy", SL_MAX_HOST_POLICIES)
	{
	}

	/// `lost`: outbound SAs that must not be used on; policies that named them drop from now on.
	void attach(const std::vector<uint32_t> &lost);
	void thaw() { ids_.thaw(); }
	/// Row of a pair of addresses, made at first use: then without an SA, so that all is dropped. Of
	/// `wanted` family and addresses are taken.
	uint32_t put(const sl_host_policy_row &wanted);
	/// Outbound SA rows for packets to and from port 179 of the remote end, 0 = none; one store each.
	/// Throws NOT_FOUND, or BAD_ARGUMENT for an SA of other addresses or of another application.
	void set_sas(uint32_t id, uint32_t to_port, uint32_t from_port);
	/// What it named may be in clear from now on.
	void remove(uint32_t id);
	void released(uint32_t id);

	uint32_t end() const { return ids_.end(); }
	bool live(uint32_t id) const;
	const sl_host_policy_row &row(uint32_t id) const
	{
		return context_.tables->host_policy[id];
	}
	uint32_t live_rows() const { return ids_.live(); }

private:
	uint32_t *link_to(uint32_t id);
	uint32_t find(const sl_host_policy_row &wanted) const;
	void require(uint32_t id) const;
	uint64_t word_of(const sl_host_policy_row &row, uint32_t sa, bool to_port) const;
	void store(uint64_t &word, uint64_t value);

	Context context_;
	RowIds ids_;
};

} // namespace sealane

#endif
