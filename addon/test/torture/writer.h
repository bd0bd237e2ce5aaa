// SPDX-License-Identifier: Apache-2.0
// The supervisor's side of the torture: changes every table at random, and finds its way again after a death.
#ifndef SEALANE_ADDON_TEST_TORTURE_WRITER_H
#define SEALANE_ADDON_TEST_TORTURE_WRITER_H

#include <functional>
#include <vector>

#include "../harness.h"
#include "world.h"

namespace sealane::test
{

std::vector<torture_prefix> torture_prefixes(Random &random);

/// Asks the worker to install an SA row; false: there is no worker any more.
using Install = std::function<bool(Direction direction, uint32_t row)>;

class TortureWriter
{
public:
	TortureWriter(Tables &tables, Random &random, const std::vector<torture_prefix> &prefixes,
	              Install install)
		: tables_(tables), random_(random), prefixes_(prefixes),
		  install_(std::move(install))
	{
	}
	/// VRFs, interfaces, and what lasts. Before there are readers.
	void set_up();
	/// Everything is there: all tunnels, routes and labels.
	void fill();
	/// After an attach: the tables are sound; what a dead writer had begun goes.
	void adopt();
	/// One change of any table.
	void change();
	/// What readers are past is given back, and old SAs go.
	void settle();

private:
	uint32_t slot(const char *kind, uint32_t customer, uint32_t k);
	uint32_t pick(uint32_t n) { return below(random_, n); }
	void route(uint32_t vrf, uint32_t prefix, uint32_t nexthop, uint32_t label, uint16_t accept,
	           const std::vector<uint32_t> &more = {});
	void ingress_route(uint32_t customer, uint32_t prefix, bool remove);
	void egress_route(uint32_t customer, uint32_t prefix, bool remove);
	void label(uint32_t customer, uint32_t prefix, bool remove);
	void adjacency(uint32_t customer, uint32_t k, bool usable);
	void discard(uint32_t customer, uint32_t k, sl_drop_reason reason);
	void rekey(uint32_t customer, uint32_t k);
	void change_tunnel(uint32_t customer, uint32_t k);
	uint32_t add_sa(Direction direction, const sl_sa_row &row, const uint8_t *key,
	                size_t bytes);
	uint32_t free_spi();

	Tables &tables_;
	Random &random_;
	const std::vector<torture_prefix> &prefixes_;
	Install install_;
	uint16_t accept_ = 0;
	struct Old {
		Direction direction;
		uint32_t id;
	};
	std::vector<Old> old_; // SAs that no version names any more
};

} // namespace sealane::test

#endif
