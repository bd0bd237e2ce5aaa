// SPDX-License-Identifier: Apache-2.0
#include "sa_shares.h"

#include <cstring>

#include "tables_error.h"

namespace sealane
{

namespace
{

/// What a packet's bytes in front of the payload, and how many there are, follow from; but for the SPI.
bool alike(const sl_sa_row &a, const sl_sa_row &b)
{
	return a.algorithm == b.algorithm && a.application == b.application && a.encap == b.encap &&
	       a.family == b.family && a.udp_source_port == b.udp_source_port &&
	       a.udp_destination_port == b.udp_destination_port &&
	       std::memcmp(a.source, b.source, sizeof a.source) == 0 &&
	       std::memcmp(a.destination, b.destination, sizeof a.destination) == 0;
}

} // namespace

bool SaShares::live(uint32_t sa) const
{
	return sa != 0 && sa < context_.segment.committed(SL_ARENA_SA_OUT) &&
	       context_.tables->sa_out[sa].generation != 0 &&
	       context_.tables->sa_out[sa].state == SL_ROW_LIVE;
}

void SaShares::check(uint32_t primary, uint32_t share) const
{
	if (share == 0)
		return;
	if (!live(share))
		not_found("outbound SA " + std::to_string(share) + " does not exist");
	const sl_sa_row &row = context_.tables->sa_out[share];
	if (share == primary || row.application != SL_APP_VPN ||
	    !alike(row, context_.tables->sa_out[primary]))
		bad_argument("outbound SA " + std::to_string(share) +
		             " does not fit the templates of " + std::to_string(primary));
}

void SaShares::attach()
{
	const uint32_t end = context_.segment.committed(SL_ARENA_SA_SHARE);
	for (uint32_t primary = 0; primary < end; primary++) {
		for (uint32_t thread = 0; thread < SL_MAX_LCORES; thread++) {
			const uint64_t word = context_.tables->sa_share[primary].sa[thread];
			const uint32_t share = sl_host_sa_row(word);
			if (word == 0)
				continue;
			if (live(primary) && live(share) &&
			    sl_host_sa(context_.tables->sa_out[share].generation, share) == word)
				note({primary, thread}, share);
			else
				store_word(context_.tables->sa_share[primary].sa[thread], 0);
		}
	}
}

void SaShares::note(Place place, uint32_t share) { places_[share].insert(place); }

/// One store.
void SaShares::store(Place place, uint32_t share)
{
	uint64_t &word = context_.tables->sa_share[place.first].sa[place.second];
	const uint64_t value =
		share == 0 ? 0 : sl_host_sa(context_.tables->sa_out[share].generation, share);
	if (word == value)
		return;
	const auto before = places_.find(sl_host_sa_row(word));
	if (word != 0 && before != places_.end()) {
		before->second.erase(place);
		if (before->second.empty())
			places_.erase(before);
	}
	if (share != 0)
		note(place, share);
	store_word(word, value);
}

void SaShares::set(uint32_t primary, const std::vector<uint32_t> &shares)
{
	if (!live(primary))
		not_found("outbound SA " + std::to_string(primary) + " does not exist");
	if (shares.size() > SL_MAX_LCORES)
		bad_argument("more than " + std::to_string(SL_MAX_LCORES) + " packet threads");
	bool any = primary < context_.segment.committed(SL_ARENA_SA_SHARE);
	for (const uint32_t share : shares) {
		check(primary, share);
		any = any || share != 0;
	}
	if (!any)
		return;
	context_.segment.commit(SL_ARENA_SA_SHARE, primary + 1);
	for (uint32_t thread = 0; thread < SL_MAX_LCORES; thread++)
		store({primary, thread}, thread < shares.size() ? shares[thread] : 0);
}

std::vector<uint32_t> SaShares::of(uint32_t primary) const
{
	std::vector<uint32_t> shares;
	if (primary >= context_.segment.committed(SL_ARENA_SA_SHARE))
		return shares;
	for (uint32_t thread = 0; thread < SL_MAX_LCORES; thread++) {
		const uint64_t word = context_.tables->sa_share[primary].sa[thread];
		if (word == 0)
			continue;
		shares.resize(thread + 1);
		shares[thread] = sl_host_sa_row(word);
	}
	return shares;
}

void SaShares::forget(uint32_t sa)
{
	if (sa < context_.segment.committed(SL_ARENA_SA_SHARE))
		for (uint32_t thread = 0; thread < SL_MAX_LCORES; thread++)
			store({sa, thread}, 0);
	const auto named = places_.find(sa);
	if (named == places_.end())
		return;
	for (const Place &place : std::set<Place>(named->second))
		store(place, 0);
}

} // namespace sealane
