// SPDX-License-Identifier: Apache-2.0
#include "labels.h"

#include <cstring>

#include "tables_error.h"

namespace sealane
{

namespace
{
constexpr uint32_t kFirstLabel = 16; // RFC 3032 2.1: 0..15 have special meanings
} // namespace

AcceptSets::Content AcceptSets::content(const sl_accept_row &row)
{
	return {row.secured[0][0], row.secured[0][1], row.secured[1][0],
	        row.secured[1][1], row.clear,         row.mpls_interface};
}

void AcceptSets::attach()
{
	const uint32_t end = context_.segment.committed(SL_ARENA_ACCEPT);
	for (uint32_t id = 1; id < end; id++) {
		sl_accept_row &r = context_.tables->accept[id];
		if (r.state != SL_ROW_LIVE)
			continue;
		ids_.adopt_up_to(id);
		if (r.mpls_interface != 0 &&
		    (r.mpls_interface >= SL_MAX_INTERFACES ||
		     context_.tables->interface[r.mpls_interface].state != SL_ROW_LIVE))
			store_word(r.mpls_interface, 0);
		if (context_.uses.accept.of(id) != 0)
			by_content_[content(r)] = id;
		else
			store_word(r.state, SL_ROW_FREE);
	}
	for (uint32_t id = 1; id < ids_.end(); id++) {
		if (row(id).state != SL_ROW_LIVE)
			ids_.hold(id);
	}
}

uint32_t AcceptSets::id(const sl_accept_row &wanted)
{
	const Content key = content(wanted);
	if (key == Content{})
		return 0;
	const auto known = by_content_.find(key);
	if (known != by_content_.end())
		return known->second;
	if (wanted.mpls_interface != 0 &&
	    (wanted.mpls_interface >= SL_MAX_INTERFACES ||
	     context_.tables->interface[wanted.mpls_interface].state != SL_ROW_LIVE))
		not_found("interface " + std::to_string(wanted.mpls_interface) + " does not exist");
	const uint32_t id = ids_.allocate();
	try {
		context_.segment.commit(SL_ARENA_ACCEPT, id + 1);
	} catch (...) {
		ids_.release(id);
		throw;
	}
	sl_accept_row &row = context_.tables->accept[id];
	std::memcpy(row.secured, wanted.secured, sizeof row.secured);
	row.clear = wanted.clear;
	row.mpls_interface = wanted.mpls_interface;
	store_word(row.state, SL_ROW_LIVE);
	by_content_[key] = id;
	return id;
}

void AcceptSets::follow(uint32_t from, uint32_t to)
{
	for (uint32_t id = 1; id < ids_.end(); id++) {
		sl_accept_row &row = context_.tables->accept[id];
		if (row.state != SL_ROW_LIVE || row.mpls_interface != from)
			continue;
		const auto known = by_content_.find(content(row));
		if (known != by_content_.end() && known->second == id)
			by_content_.erase(known);
		store_word(row.mpls_interface, to);
		if (to != 0)
			by_content_[content(row)] = id;
	}
}

UseCount *Labels::target_uses(uint64_t row)
{
	switch (sl_label_action(row)) {
	case SL_LABEL_VRF:
		return &context_.uses.vrf;
	case SL_LABEL_NEXTHOP:
	case SL_LABEL_SWAP:
		return &context_.uses.nexthop;
	default:
		return nullptr;
	}
}

void Labels::use(uint64_t row)
{
	if (UseCount *const uses = target_uses(row))
		uses->add(sl_label_target(row));
	context_.uses.accept.add(sl_label_accept(row));
	live_++;
}

void Labels::disuse(uint64_t row)
{
	if (UseCount *const uses = target_uses(row))
		uses->drop(sl_label_target(row));
	context_.uses.accept.drop(sl_label_accept(row));
	live_--;
}

void Labels::attach()
{
	for (uint32_t label = 0; label < SL_MAX_LABELS; label++) {
		if (row(label) != 0)
			use(row(label));
	}
}

void Labels::check_target(const std::string &text, enum sl_label_action action,
                          uint32_t target) const
{
	if (action == SL_LABEL_POP && target != 0)
		bad_argument(text + ": a transport label leads nowhere");
	if (action == SL_LABEL_VRF &&
	    (target >= SL_MAX_VRFS || context_.tables->vrf[target].state != SL_ROW_LIVE))
		not_found(text + ": VRF " + std::to_string(target) + " does not exist");
	if ((action == SL_LABEL_NEXTHOP || action == SL_LABEL_SWAP) &&
	    (target == 0 || target >= context_.segment.committed(SL_ARENA_NEXTHOP) ||
	     context_.tables->nexthop[target].state != SL_ROW_LIVE))
		not_found(text + ": next hop " + std::to_string(target) + " does not exist");
}

void Labels::set(uint32_t label, enum sl_label_action action, uint32_t target, uint32_t accept,
                 uint32_t out)
{
	const std::string text = "label " + std::to_string(label);
	if (label < kFirstLabel || label >= SL_MAX_LABELS)
		bad_argument(text + " is not within 16..1048575");
	if (action == SL_LABEL_SWAP ? out < kFirstLabel || out >= SL_MAX_LABELS : out != 0)
		bad_argument(text + ": out label " + std::to_string(out) +
		             " is not within 16..1048575, or the label is not swapped");
	check_target(text, action, target);
	if (accept != 0 && (accept >= context_.segment.committed(SL_ARENA_ACCEPT) ||
	                    context_.tables->accept[accept].state != SL_ROW_LIVE))
		not_found(text + ": accept set " + std::to_string(accept) + " does not exist");
	const uint64_t before = row(label);
	const uint64_t now = sl_label_row(action, accept, out, target);
	store_word(context_.tables->label[label], now);
	use(now);
	if (before != 0)
		disuse(before);
}

void Labels::clear(uint32_t label)
{
	if (label >= SL_MAX_LABELS || row(label) == 0)
		not_found("label " + std::to_string(label) + " is not in use");
	const uint64_t before = row(label);
	store_word(context_.tables->label[label], 0);
	disuse(before);
}

} // namespace sealane
