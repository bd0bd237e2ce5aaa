// SPDX-License-Identifier: Apache-2.0
#include "host_policies.h"

#include <algorithm>
#include <cstring>

#include "tables_error.h"

namespace sealane
{

namespace
{
bool same_pair(const sl_host_policy_row &a, const sl_host_policy_row &b)
{
	return a.family == b.family && std::memcmp(a.local, b.local, sizeof a.local) == 0 &&
	       std::memcmp(a.remote, b.remote, sizeof a.remote) == 0;
}
} // namespace

bool HostPolicies::live(uint32_t id) const
{
	return id != 0 && id < ids_.end() && row(id).state == SL_ROW_LIVE;
}

void HostPolicies::require(uint32_t id) const
{
	if (!live(id))
		not_found("host policy " + std::to_string(id) + " does not exist");
}

/// The word that names a linked row: its chain's head, or `next` of the row before.
uint32_t *HostPolicies::link_to(uint32_t id)
{
	sl_tables &t = *context_.tables;
	uint32_t *link = &t.host_policy_head[sl_host_policy_chain(row(id).remote)];
	for (uint32_t i = 0; *link != 0 && i < SL_MAX_HOST_POLICIES; i++) {
		if (*link == id)
			return link;
		link = &t.host_policy[*link & (SL_MAX_HOST_POLICIES - 1)].next;
	}
	return nullptr;
}

void HostPolicies::attach(const std::vector<uint32_t> &lost)
{
	for (uint32_t id = 1; id < SL_MAX_HOST_POLICIES; id++) {
		if (row(id).state != SL_ROW_FREE)
			ids_.adopt_up_to(id);
	}
	for (uint32_t id = 1; id < ids_.end(); id++) {
		sl_host_policy_row &r = context_.tables->host_policy[id];
		if (r.state == SL_ROW_FREE) {
			ids_.hold(id);
			continue;
		}
		// A writer that died between linking and marking: what is linked counts, because it drops.
		if (link_to(id) == nullptr) {
			store_word(r.state, SL_ROW_RETIRED);
			context_.reclaimer.retire(Retired::host_policy, id, 1);
			continue;
		}
		store_word(r.state, SL_ROW_LIVE);
		for (uint64_t *word : {&r.sa_to_port, &r.sa_from_port}) {
			const uint32_t sa = sl_host_sa_row(*word);
			if (std::find(lost.begin(), lost.end(), sa) != lost.end())
				store_word(*word, 0);
			else if (sa != 0)
				context_.uses.sa_out.add(sa);
		}
	}
}

uint32_t HostPolicies::find(const sl_host_policy_row &wanted) const
{
	for (uint32_t id = 1; id < ids_.end(); id++) {
		if (live(id) && same_pair(row(id), wanted))
			return id;
	}
	return 0;
}

uint32_t HostPolicies::put(const sl_host_policy_row &wanted)
{
	const uint32_t known = find(wanted);
	if (known != 0)
		return known;
	const uint32_t id = ids_.allocate();
	sl_tables &t = *context_.tables;
	sl_host_policy_row fresh{};
	fresh.family = wanted.family;
	fresh.protocol = 6;
	fresh.port = SL_PORT_BGP;
	std::memcpy(fresh.local, wanted.local, sizeof fresh.local);
	std::memcpy(fresh.remote, wanted.remote, sizeof fresh.remote);
	uint32_t &head = t.host_policy_head[sl_host_policy_chain(fresh.remote)];
	fresh.next = head;
	fresh.state = SL_ROW_LIVE;
	t.host_policy[id] = fresh;
	store_word(head, id);
	return id;
}

uint64_t HostPolicies::word_of(const sl_host_policy_row &policy, uint32_t sa, bool to_port) const
{
	if (sa == 0)
		return 0;
	const std::string text = "outbound SA " + std::to_string(sa);
	if (sa >= context_.segment.committed(SL_ARENA_SA_OUT) ||
	    context_.tables->sa_out[sa].generation == 0 ||
	    context_.tables->sa_out[sa].state != SL_ROW_LIVE)
		not_found(text + " does not exist");
	const sl_sa_row &row = context_.tables->sa_out[sa];
	if (row.application != SL_APP_BGP || row.family != policy.family ||
	    std::memcmp(row.source, policy.local, sizeof row.source) != 0 ||
	    std::memcmp(row.destination, policy.remote, sizeof row.destination) != 0)
		bad_argument(text + " is not for BGP between these addresses");
	const uint16_t port = to_port ? row.destination_port : row.source_port;
	const uint16_t other = to_port ? row.source_port : row.destination_port;
	if ((port != 0 && port != SL_PORT_BGP) || other != 0)
		bad_argument(text + " was not negotiated for this side");
	return sl_host_sa(row.generation, sa);
}

void HostPolicies::store(uint64_t &word, uint64_t value)
{
	const uint32_t before = sl_host_sa_row(word);
	if (word == value)
		return;
	if (value != 0)
		context_.uses.sa_out.add(sl_host_sa_row(value));
	store_word(word, value);
	if (before != 0)
		context_.uses.sa_out.drop(before);
}

void HostPolicies::set_sas(uint32_t id, uint32_t to_port, uint32_t from_port)
{
	require(id);
	sl_host_policy_row &r = context_.tables->host_policy[id];
	const uint64_t to = word_of(r, to_port, true);
	const uint64_t from = word_of(r, from_port, false);
	store(r.sa_to_port, to);
	store(r.sa_from_port, from);
}

void HostPolicies::remove(uint32_t id)
{
	require(id);
	sl_host_policy_row &r = context_.tables->host_policy[id];
	uint32_t *link = link_to(id);
	if (link != nullptr)
		store_word(*link, r.next);
	store(r.sa_to_port, 0);
	store(r.sa_from_port, 0);
	store_word(r.state, SL_ROW_RETIRED);
	context_.reclaimer.retire(Retired::host_policy, id, 1);
}

void HostPolicies::released(uint32_t id)
{
	store_word(context_.tables->host_policy[id].state, SL_ROW_FREE);
	ids_.release(id);
}

} // namespace sealane
