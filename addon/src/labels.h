// SPDX-License-Identifier: Apache-2.0
// Labels, and the accepted sets that labels and routes refer to.
#ifndef SEALANE_ADDON_LABELS_H
#define SEALANE_ADDON_LABELS_H

#include <array>
#include <map>

#include "rows.h"

namespace sealane
{

/// Accepted sets are shared by content and stay: their number follows from the configuration's
/// export rules, not from routes. Sets that nothing refers to are dropped at attach, when nobody can
/// hold their ids.
class AcceptSets
{
public:
	explicit AcceptSets(Context context) : context_(context), ids_("accept", SL_MAX_ACCEPT_SETS)
	{
	}

	/// After labels and routes have counted their uses.
	void attach();
	void thaw() { ids_.thaw(); }
	/// Of `wanted`, `secured` and `clear` are taken. 0 for a set that accepts nothing.
	uint32_t id(const sl_accept_row &wanted);
	uint32_t end() const { return ids_.end(); }
	const sl_accept_row &row(uint32_t id) const { return context_.tables->accept[id]; }
	uint32_t live_rows() const { return ids_.live(); }

private:
	using Content = std::array<uint64_t, 5>;
	static Content content(const sl_accept_row &row);

	Context context_;
	RowIds ids_;
	std::map<Content, uint32_t> by_content_;
};

class Labels
{
public:
	explicit Labels(Context context) : context_(context) {}

	void attach();
	/// Throws NOT_FOUND when target or set is not live, BAD_ARGUMENT for a reserved label.
	void set(uint32_t label, enum sl_label_action action, uint32_t target, uint32_t accept);
	void clear(uint32_t label);
	uint64_t row(uint32_t label) const { return context_.tables->label[label]; }
	uint32_t live_rows() const { return live_; }

private:
	void use(uint64_t row);
	void disuse(uint64_t row);
	UseCount &target_uses(uint64_t row);

	Context context_;
	uint32_t live_ = 0;
};

} // namespace sealane

#endif
