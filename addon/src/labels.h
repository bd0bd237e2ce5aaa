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
	/// Of `wanted`, `secured`, `clear` and `mpls_interface` are taken. 0 for a set that accepts
	/// nothing. NOT_FOUND when the interface is not live.
	uint32_t id(const sl_accept_row &wanted);
	uint32_t end() const { return ids_.end(); }
	const sl_accept_row &row(uint32_t id) const { return context_.tables->accept[id]; }
	uint32_t live_rows() const { return ids_.live(); }
	/// The sets that name an interface follow it to its new row; to 0: it is gone.
	void follow(uint32_t from, uint32_t to);

private:
	using Content = std::array<uint64_t, 6>;
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
	/// `out`: the label that a swap pushes, else 0. Throws NOT_FOUND when target or set is not live,
	/// BAD_ARGUMENT for a reserved label, for an out label or target where the action has none.
	void set(uint32_t label, enum sl_label_action action, uint32_t target, uint32_t accept,
	         uint32_t out = 0);
	void clear(uint32_t label);
	uint64_t row(uint32_t label) const { return context_.tables->label[label]; }
	uint32_t live_rows() const { return live_; }

private:
	void use(uint64_t row);
	void disuse(uint64_t row);
	/// nullptr: the action has no target.
	UseCount *target_uses(uint64_t row);
	void check_target(const std::string &text, enum sl_label_action action,
	                  uint32_t target) const;

	Context context_;
	uint32_t live_ = 0;
};

} // namespace sealane

#endif
