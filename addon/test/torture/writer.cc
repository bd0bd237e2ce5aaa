// SPDX-License-Identifier: Apache-2.0
#include "writer.h"

#include <cstring>
#include <thread>

#include "sealane/suites.h"

namespace sealane::test
{

namespace
{

constexpr uint8_t kCoreMac[6] = {2, 0, 0, 0, 1, 1};

sl_interface_row interface_row(uint32_t vrf)
{
	sl_interface_row row{};
	const std::string name = vrf == 0 ? "core" : "ce" + std::to_string(vrf);
	std::memcpy(row.name, name.data(), name.size());
	row.vrf = vrf;
	row.role = vrf == 0 ? SL_ROLE_CORE : SL_ROLE_CE;
	row.port = vrf == 0 ? TORTURE_PORT_CORE : TORTURE_PORT_CE;
	row.vlan = static_cast<uint16_t>(vrf);
	row.mtu = 1500;
	std::memcpy(row.mac, kCoreMac, sizeof row.mac);
	row.mac[3] = static_cast<uint8_t>(vrf);
	return row;
}

/// Tunnels with odd numbers are over IPv6; all of them together have every suite.
sl_sa_row tunnel_sa(uint32_t customer, uint32_t k)
{
	sl_sa_row row{};
	row.algorithm = static_cast<uint8_t>(SL_ALG_AES_GCM_128 + (customer * TORTURE_TUNNELS + k) %
	                                                                  SL_ALG_NULL_SHA_512);
	row.family = k % 2 == 0 ? 4 : 6;
	row.application = SL_APP_VPN;
	row.encap = SL_ENCAP_GRE;
	const auto end = static_cast<uint8_t>(1 + customer * TORTURE_TUNNELS + k);
	if (row.family == 4) {
		const uint8_t source[4] = {192, 0, 2, end}, destination[4] = {192, 0, 2, 254};
		std::memcpy(row.source, source, 4);
		std::memcpy(row.destination, destination, 4);
	} else {
		const uint8_t prefix[4] = {0x20, 1, 0x0d, 0xb8};
		std::memcpy(row.source, prefix, 4);
		std::memcpy(row.destination, prefix, 4);
		row.source[15] = end;
		row.destination[15] = 254;
	}
	return row;
}

/// Out of an SA of label table 1, encrypted or authenticated, in GRE.
sl_accept_row accepted()
{
	sl_accept_row row{};
	row.secured[0][0] = row.secured[1][0] = 1u << 1;
	return row;
}

} // namespace

std::vector<torture_prefix> torture_prefixes(Random &random)
{
	std::vector<torture_prefix> prefixes{{4, 8, {10}}, {6, 8, {0xfd}}};
	while (prefixes.size() < TORTURE_PREFIXES) {
		torture_prefix p{};
		p.family = below(random, 2) == 0 ? 4 : 6;
		p.length = static_cast<uint8_t>(12 + below(random, p.family == 4 ? 21 : 53));
		p.address[0] = p.family == 4 ? 10 : 0xfd;
		p.address[1] = static_cast<uint8_t>(0x40 | below(random, 4)); // close together
		for (unsigned i = 2; i < (p.family == 4 ? 4u : 8u); i++)
			p.address[i] = static_cast<uint8_t>(below(random, 8));
		for (unsigned bit = p.length; bit < 128; bit++)
			p.address[bit / 8] =
				static_cast<uint8_t>(p.address[bit / 8] & ~(0x80u >> bit % 8));
		// Each prefix once: its labels are for it alone.
		bool known = false;
		for (const torture_prefix &q : prefixes)
			known = known || std::memcmp(&p, &q, sizeof p) == 0;
		if (!known)
			prefixes.push_back(p);
	}
	return prefixes;
}

uint32_t TortureWriter::slot(const char *kind, uint32_t customer, uint32_t k)
{
	return tables_.nexthops.slot(kind + std::to_string(customer) + "-" + std::to_string(k));
}

void TortureWriter::route(uint32_t vrf, uint32_t prefix, uint32_t nexthop, uint32_t label,
                          uint16_t accept, const std::vector<uint32_t> &more)
{
	const torture_prefix &p = prefixes_[prefix];
	const uint8_t remove = nexthop == 0, owner = SL_OWNER_STATIC;
	const auto ways = static_cast<uint8_t>(more.size());
	const std::vector<uint32_t> labels(more.size(), label);
	tables_.routes.apply({vrf, p.family, 1, &remove, p.address, &p.length, &nexthop, &label,
	                      &accept, &owner, &ways, ways, more.data(), labels.data()});
}

void TortureWriter::ingress_route(uint32_t customer, uint32_t prefix, bool remove)
{
	std::vector<uint32_t> more;
	if (prefix >= TORTURE_LASTING && pick(4) == 0) {
		for (uint32_t n = 1 + pick(3); n > 0; n--)
			more.push_back(slot("tunnel", customer, pick(TORTURE_TUNNELS)));
	}
	const uint32_t k = prefix < TORTURE_LASTING ? 0 : pick(TORTURE_TUNNELS);
	route(torture_vrf_in(customer), prefix, remove ? 0 : slot("tunnel", customer, k),
	      torture_label(prefix, customer), 0, remove ? std::vector<uint32_t>{} : more);
}

void TortureWriter::egress_route(uint32_t customer, uint32_t prefix, bool remove)
{
	const uint32_t k = prefix < TORTURE_LASTING ? 0 : pick(TORTURE_ADJACENCIES);
	route(torture_vrf_out(customer), prefix, remove ? 0 : slot("ce", customer, k), 0, accept_);
}

void TortureWriter::label(uint32_t customer, uint32_t prefix, bool remove)
{
	const uint32_t value = torture_label(prefix, customer);
	if (remove && tables_.labels.row(value) != 0)
		tables_.labels.clear(value);
	else if (!remove)
		tables_.labels.set(value, SL_LABEL_VRF, torture_vrf_out(customer), accept_);
}

void TortureWriter::adjacency(uint32_t customer, uint32_t k, bool usable)
{
	const uint32_t vrf = torture_vrf_out(customer);
	VersionSpec spec{};
	spec.kind = SL_NH_ADJACENCY;
	spec.interface = torture_interface(vrf);
	spec.vrf = vrf;
	spec.mtu = static_cast<uint16_t>(1000 + pick(500));
	spec.neighbour_family = 4;
	// The customer's address, then as it may change; the worker's own; the VLAN.
	spec.ethernet = {2,
	                 0xce,
	                 0,
	                 0,
	                 static_cast<uint8_t>(vrf),
	                 static_cast<uint8_t>(pick(256)),
	                 2,
	                 0,
	                 0,
	                 static_cast<uint8_t>(vrf),
	                 1,
	                 1,
	                 0x81,
	                 0,
	                 0,
	                 static_cast<uint8_t>(vrf),
	                 8,
	                 0};
	tables_.nexthops.set(slot("ce", customer, k),
	                     usable ? std::optional<VersionSpec>(spec) : std::nullopt);
}

void TortureWriter::discard(uint32_t customer, uint32_t k, sl_drop_reason reason)
{
	VersionSpec spec{};
	spec.kind = SL_NH_DROP;
	spec.vrf = torture_vrf_in(customer);
	spec.drop_reason = reason;
	tables_.nexthops.set(slot("tunnel", customer, k), spec);
}

uint32_t TortureWriter::free_spi()
{
	for (;;) {
		const auto spi = static_cast<uint32_t>(random_() | 0x100);
		if (tables_.segment()->spi[spi & (SL_SPI_SLOTS - 1)] == 0)
			return spi;
	}
}

uint32_t TortureWriter::add_sa(Direction direction, const sl_sa_row &row, const uint8_t *key,
                               size_t bytes)
{
	return tables_.sas.add(direction, row, "sa" + std::to_string(row.spi), key, bytes,
	                       random_() | 1);
}

/// Make before break: the inbound SA is ready and linked, the outbound one ready, then one store moves the traffic.
void TortureWriter::rekey(uint32_t customer, uint32_t k)
{
	const uint32_t tunnel = slot("tunnel", customer, k);
	const uint32_t before = tables_.nexthops.version(tunnel);
	const uint32_t old = before != 0 ? tables_.nexthops.spec(before).sa : 0;
	sl_sa_row row = tunnel_sa(customer, k);
	const sl_suite &suite = *sl_suite_of(row.algorithm);
	uint8_t key[128];
	for (uint8_t &byte : key)
		byte = static_cast<uint8_t>(random_());
	const size_t bytes = sl_suite_key_bytes(&suite) + suite.salt;
	row.spi = free_spi();
	const uint32_t out = add_sa(Direction::out, row, key, bytes);
	row.sp_table = 1;
	row.replay_window = 64 * (1 + pick(4));
	const uint32_t in = add_sa(Direction::in, row, key, bytes);
	if (!install_(Direction::in, in))
		return;
	tables_.sas.activate(in);
	if (!install_(Direction::out, out))
		return;
	VersionSpec spec{};
	spec.kind = SL_NH_TUNNEL;
	spec.interface = TORTURE_IF_CORE;
	spec.mtu = static_cast<uint16_t>(1000 + pick(400));
	spec.protection = static_cast<sl_protection>(sl_suite_protection(&suite));
	spec.encap = SL_ENCAP_GRE;
	spec.sa = out;
	spec.tunnel.ethernet = {
		kCoreMac[0], 0, 0, 0, 1, 1, 2, 0, 0, 0, 9, static_cast<uint8_t>(pick(256)), 8, 0};
	if (row.family == 6)
		spec.tunnel.ethernet[12] = 0x86, spec.tunnel.ethernet[13] = 0xdd;
	spec.tunnel.family = row.family;
	std::memcpy(spec.tunnel.source.data(), row.source, 16);
	std::memcpy(spec.tunnel.destination.data(), row.destination, 16);
	spec.tunnel.ttl = 64;
	spec.tunnel.spi = row.spi;
	spec.tunnel.iv_len = suite.iv;
	tables_.nexthops.set(tunnel, spec);
	if (old != 0)
		old_.push_back({Direction::out, old});
}

void TortureWriter::change_tunnel(uint32_t customer, uint32_t k)
{
	const uint32_t tunnel = slot("tunnel", customer, k);
	const uint32_t before = tables_.nexthops.version(tunnel);
	const uint32_t old = before != 0 ? tables_.nexthops.spec(before).sa : 0;
	const uint32_t what = k == 0 ? 0 : pick(8);
	if (what < 4)
		return rekey(customer, k);
	if (what == 4)
		tables_.nexthops.set(tunnel, std::nullopt);
	else if (what == 5)
		discard(customer, k, SL_DROP_sa_missing);
	else if (what == 6)
		discard(customer, k, SL_DROP_blackhole);
	else if (code_of([&] { tables_.nexthops.remove(tunnel); }) == "IN_USE")
		return;
	if (old != 0)
		old_.push_back({Direction::out, old});
}

void TortureWriter::change()
{
	const uint32_t customer = pick(TORTURE_CUSTOMERS), what = pick(32);
	const uint32_t prefix = TORTURE_LASTING + pick(TORTURE_PREFIXES - TORTURE_LASTING);
	const bool remove = pick(3) == 0;
	if (what < 14)
		ingress_route(customer, prefix, remove);
	else if (what < 22)
		egress_route(customer, prefix, remove);
	else if (what < 26)
		label(customer, prefix, remove);
	else if (what < 27)
		label(customer, prefix % TORTURE_LASTING, false);
	else if (what < 28)
		ingress_route(customer, prefix % TORTURE_LASTING, false);
	else if (what < 30)
		change_tunnel(customer, pick(TORTURE_TUNNELS));
	else if (const uint32_t k = pick(TORTURE_ADJACENCIES); k == 0)
		adjacency(customer, 0, true);
	else
		adjacency(customer, k, !remove);
	if (old_.size() >= 16)
		settle();
}

/// The inbound SA of an outbound one has its SPI; it goes when no packet can be on its way by it.
void TortureWriter::settle()
{
	while (tables_.reclaim())
		std::this_thread::yield();
	for (const Old &old : old_) {
		const uint32_t spi = tables_.sas.row(old.direction, old.id).spi;
		const uint32_t in = tables_.segment()->spi[spi & (SL_SPI_SLOTS - 1)];
		CHECK(in != 0 && tables_.sas.row(Direction::in, in).spi == spi,
		      "the inbound SA of SPI %u is gone", spi);
		tables_.sas.remove(Direction::out, old.id);
		tables_.sas.remove(Direction::in, in);
	}
	old_.clear();
	while (tables_.reclaim())
		std::this_thread::yield();
}

void TortureWriter::set_up()
{
	for (const char *port : {"core", "ce"})
		tables_.ports.id(port);
	for (uint32_t vrf = 0; vrf <= 2 * TORTURE_CUSTOMERS; vrf++) {
		sl_vrf_row row{};
		const std::string name = vrf == 0 ? "" : "vrf" + std::to_string(vrf);
		std::memcpy(row.name, name.data(), name.size());
		CHECK(tables_.vrfs.put(row) == vrf, "VRF id");
		const uint32_t id = torture_interface(vrf);
		CHECK(tables_.interfaces.put(interface_row(vrf)) == id, "interface id");
	}
	accept_ = static_cast<uint16_t>(tables_.accepts.id(accepted()));
	// The destinations are ours: else a packet with an unknown SPI would count as in transit.
	VersionSpec here{};
	here.kind = SL_NH_RECEIVE;
	here.interface = TORTURE_IF_CORE;
	const uint32_t local = tables_.nexthops.slot("local");
	tables_.nexthops.set(local, here);
	for (const uint32_t k : {0u, 1u}) {
		const sl_sa_row sa = tunnel_sa(0, k);
		const uint8_t remove = 0, length = k == 0 ? 32 : 128, owner = SL_OWNER_LOCAL;
		const uint32_t no_label = 0;
		const uint16_t no_accept = 0;
		tables_.routes.apply({0, sa.family, 1, &remove, sa.destination, &length, &local,
		                      &no_label, &no_accept, &owner});
	}
	for (uint32_t i = 0; i < TORTURE_CUSTOMERS; i++) {
		rekey(i, 0);
		adjacency(i, 0, true);
		for (uint32_t prefix = 0; prefix < TORTURE_LASTING; prefix++) {
			label(i, prefix, false);
			egress_route(i, prefix, false);
			ingress_route(i, prefix, false);
		}
	}
}

void TortureWriter::fill()
{
	for (uint32_t i = 0; i < TORTURE_CUSTOMERS; i++) {
		for (uint32_t k = 1; k < TORTURE_TUNNELS; k++)
			rekey(i, k);
		for (uint32_t k = 1; k < TORTURE_ADJACENCIES; k++)
			adjacency(i, k, true);
		for (uint32_t prefix = TORTURE_LASTING; prefix < TORTURE_PREFIXES; prefix++) {
			label(i, prefix, false);
			egress_route(i, prefix, false);
			ingress_route(i, prefix, false);
		}
	}
}

void TortureWriter::adopt()
{
	const std::string fault = tables_.check();
	CHECK(fault.empty(), "%s", fault.c_str());
	accept_ = static_cast<uint16_t>(tables_.accepts.id(accepted()));
	// Which SPIs are in use. What is not was replaced, or had not yet come, when the writer died.
	std::vector<uint32_t> used;
	for (uint32_t i = 0; i < TORTURE_CUSTOMERS; i++) {
		for (uint32_t k = 0; k < TORTURE_TUNNELS; k++) {
			const uint32_t version = tables_.nexthops.version(slot("tunnel", i, k));
			CHECK(version != 0 || k != 0, "customer %u lost its tunnel", i);
			const uint32_t sa = version != 0 ? tables_.nexthops.spec(version).sa : 0;
			if (sa != 0)
				used.push_back(tables_.sas.row(Direction::out, sa).spi);
		}
	}
	while (tables_.reclaim()) // packets on their way by a version that is there no more
		std::this_thread::yield();
	for (const Direction direction : {Direction::out, Direction::in}) {
		for (uint32_t id = 1; id < tables_.sas.end(direction); id++) {
			if (!tables_.sas.live(direction, id))
				continue;
			const uint32_t spi = tables_.sas.row(direction, id).spi;
			if (std::find(used.begin(), used.end(), spi) == used.end())
				tables_.sas.remove(direction, id);
		}
	}
}

} // namespace sealane::test
