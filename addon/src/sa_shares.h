// SPDX-License-Identifier: Apache-2.0
// By which outbound SA each packet thread sends where a next hop names another thread's (RFC 9611).
#ifndef SEALANE_ADDON_SA_SHARES_H
#define SEALANE_ADDON_SA_SHARES_H

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "rows.h"

namespace sealane
{

class SaShares
{
public:
	explicit SaShares(Context context) : context_(context) {}

	/// After the SAs: words of SAs that are not live any more are cleared.
	void attach();
	/// `shares`: outbound SA rows by thread, 0 = none; threads beyond have none. All live. Throws BAD_ARGUMENT for one
	/// that a template of `primary` does not fit.
	void set(uint32_t primary, const std::vector<uint32_t> &shares);
	/// As set() had it, without the zeros at its end.
	std::vector<uint32_t> of(uint32_t primary) const;
	/// The SA is about to be retired: it has no shares, and is nobody's.
	void forget(uint32_t sa);

private:
	using Place = std::pair<uint32_t, uint32_t>; // primary, thread

	bool live(uint32_t sa) const;
	void check(uint32_t primary, uint32_t share) const;
	void store(Place place, uint32_t share);
	void note(Place place, uint32_t share);

	Context context_;
	std::map<uint32_t, std::set<Place>> places_; // by the SA that is named there
};

} // namespace sealane

#endif
