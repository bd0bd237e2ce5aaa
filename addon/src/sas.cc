// SPDX-License-Identifier: Apache-2.0
#include "sas.h"

#include <cstring>
#include <string.h>

#include "sealane/suites.h"
#include "tables_error.h"

namespace sealane
{

namespace
{

constexpr size_t kRememberedKeys = 1u << 20;
constexpr uint32_t kLowestSpi = 256; // RFC 4303 2.1: 1..255 are reserved

uint32_t spi_slot(uint32_t spi) { return spi & (SL_SPI_SLOTS - 1); }

const sl_suite &suite_of(uint8_t algorithm)
{
	const sl_suite *suite = sl_suite_of(algorithm);
	if (suite == nullptr)
		bad_argument("unknown algorithm " + std::to_string(algorithm));
	return *suite;
}

/// IP protocol that comes out of it.
uint8_t selector_of(const sl_sa_row &row)
{
	if (row.application == SL_APP_BGP)
		return 6;
	return row.encap == SL_ENCAP_GRE ? 47 : 137;
}

} // namespace

void KeyMemory::add(uint64_t check)
{
	if (!known_.insert(check).second)
		return;
	order_.push_back(check);
	if (order_.size() > kRememberedKeys) {
		known_.erase(order_.front());
		order_.pop_front();
	}
}

Sas::Sas(Context context)
	: context_(context), out_{context.tables->sa_out, context.tables->sa_out_name,
                                  SL_ARENA_SA_OUT, SL_ARENA_SA_OUT_NAME,
                                  RowIds("sa_out", SL_MAX_SAS)},
	  in_{context.tables->sa_in, context.tables->sa_in_name, SL_ARENA_SA_IN,
              SL_ARENA_SA_IN_NAME, RowIds("sa_in", SL_MAX_SAS)},
	  shares_(context)
{
}

/// Keys that the state segment has counted for, their SAs long gone perhaps.
void Sas::remember_counted_keys()
{
	const auto note = [this](uint64_t check) {
		if (check != 0)
			keys_.add(check);
	};
	for (uint32_t id = 0; const sl_sa_out_state *s = context_.state.sa_out(id); id++)
		note(s->key_check);
	for (uint32_t id = 0; const sl_sa_in_state *s = context_.state.sa_in(id); id++)
		note(s->key_check);
}

void Sas::attach_side(Direction direction, bool counted, std::vector<uint32_t> &lost)
{
	Side &s = side(direction);
	const uint32_t end = context_.segment.committed(s.arena);
	for (uint32_t id = 1; id < end; id++) {
		if (s.rows[id].generation != 0)
			s.ids.adopt_up_to(id);
	}
	for (uint32_t id = 1; id < end; id++) {
		sl_sa_row &row = s.rows[id];
		if (row.generation == 0) {
			// Perhaps half written; no reader looks at it.
			explicit_bzero(&row, sizeof row);
			if (id < s.ids.end())
				s.ids.hold(id);
			continue;
		}
		keys_.add(row.key_check);
		if (row.state == SL_ROW_LIVE && counted) {
			if (direction == Direction::in)
				by_spi_slot_[spi_slot(row.spi)] = id;
			continue;
		}
		if (row.state == SL_ROW_LIVE && direction == Direction::out)
			lost.push_back(id);
		retire(direction, id);
	}
}

std::vector<uint32_t> Sas::attach()
{
	// Sequence numbers under these keys cannot go on from where they were unless the state
	// segment is there, or a worker is just making it.
	const bool counted = context_.state.get() != nullptr || context_.state.worker_alive();
	std::vector<uint32_t> lost;
	attach_side(Direction::out, counted, lost);
	attach_side(Direction::in, counted, lost);
	shares_.attach();
	remember_counted_keys();
	for (uint32_t slot = 0; slot < SL_SPI_SLOTS; slot++) {
		uint32_t &id = context_.tables->spi[slot];
		if (id != 0 && (!live(Direction::in, id) || spi_slot(in_.rows[id].spi) != slot))
			store_word(id, 0);
	}
	return lost;
}

void Sas::thaw()
{
	out_.ids.thaw();
	in_.ids.thaw();
}

bool Sas::live(Direction direction, uint32_t id) const
{
	const Side &s = side(direction);
	return id != 0 && id < s.ids.end() && id < context_.segment.committed(s.arena) &&
	       s.rows[id].generation != 0 && s.rows[id].state == SL_ROW_LIVE;
}

void Sas::require(Direction direction, uint32_t id) const
{
	if (!live(direction, id))
		not_found(std::string(direction == Direction::out ? "outbound" : "inbound") +
		          " SA " + std::to_string(id) + " does not exist");
}

const sl_sa_row &Sas::row(Direction direction, uint32_t id) const
{
	return side(direction).rows[id];
}

std::string Sas::name(Direction direction, uint32_t id) const
{
	return read_name(side(direction).names[id].name);
}

/// What an SA carries, and where labels out of it are looked up (policy-model 17).
void Sas::check_application(Direction direction, const sl_sa_row &w)
{
	if (w.application == SL_APP_BGP) {
		if (w.encap != SL_ENCAP_NONE || w.sp_table != 0)
			bad_argument("an SA of BGP has neither encapsulation nor label table");
		if (sl_suite_protection(&suite_of(w.algorithm)) == SL_PROT_AUTHENTICATE)
			bad_argument("an SA of BGP encrypts");
		if (w.udp_source_port != 0)
			bad_argument("an SA of BGP is not in UDP");
		return;
	}
	if (w.encap != SL_ENCAP_GRE && w.encap != SL_ENCAP_IP)
		bad_argument("an SA's encapsulation is gre or ip");
	if (w.source_port != 0 || w.destination_port != 0)
		bad_argument("an SA of the VPN has no ports");
	if (direction == Direction::in && (w.sp_table == 0 || w.sp_table >= SL_MAX_SPS))
		bad_argument("label table of an inbound SA is not within 1..63");
}

void Sas::check(Direction direction, const sl_sa_row &w) const
{
	if (w.spi < kLowestSpi)
		bad_argument("SPI " + std::to_string(w.spi) + " is reserved (below 256)");
	check_application(direction, w);
	if (w.packet_limit > UINT32_MAX && w.esn == 0)
		bad_argument("packet limit is above 2^32 - 1");
	if ((w.udp_source_port != 0) != (w.udp_destination_port != 0))
		bad_argument("ESP in UDP has two ports");
	if (direction == Direction::out) {
		if (w.sp_table != 0 || w.replay_window != 0)
			bad_argument("an outbound SA has neither label table nor replay window");
		// Over IPv6 the checksum of UDP is not optional (RFC 8200 8.1), and the worker makes none.
		if (w.udp_source_port != 0 && w.family != 4)
			bad_argument("ESP in UDP goes out over IPv4 alone");
		return;
	}
	if (w.replay_window > 4096 || w.replay_window % 64 != 0)
		bad_argument("replay window is not 0 or a multiple of 64 up to 4096");
	if (w.replay_window == 0 && w.esn != 0)
		bad_argument("extended sequence numbers need a replay window");
	if (w.packet_limit != 0 || w.byte_limit != 0)
		bad_argument("an inbound SA has no limits");
	if (by_spi_slot_.contains(spi_slot(w.spi)))
		throw TablesError(
			"SPI_TAKEN",
			"SPI " + std::to_string(w.spi) +
				", or its slot (the lower 20 bits), belongs to inbound SA " +
				std::to_string(by_spi_slot_.at(spi_slot(w.spi))),
			"choose another SPI");
}

uint32_t Sas::add(Direction direction, const sl_sa_row &wanted, const std::string &name,
                  const uint8_t *key, size_t key_bytes, uint64_t key_check)
{
	check_name("SA name", name, SL_ROW_NAME_LEN);
	const sl_suite &suite = suite_of(wanted.algorithm);
	const size_t length = sl_suite_key_bytes(&suite);
	check(direction, wanted);
	if (key_bytes != length + suite.salt)
		bad_argument("key must have " + std::to_string(length + suite.salt) +
		             " bytes: " + std::to_string(length) + " of key, " +
		             std::to_string(suite.salt) + " of salt");
	if (keys_.knows(key_check))
		throw TablesError("KEY_REUSED", "the key of SA " + name + " was used before",
		                  "generate a fresh key for each SA and direction");
	Side &s = side(direction);
	const uint32_t id = s.ids.allocate();
	try {
		context_.segment.commit(s.arena, id + 1);
		context_.segment.commit(s.name_arena, id + 1);
	} catch (...) {
		s.ids.release(id);
		throw;
	}
	// A number is spent before anybody sees it, so that none is given out twice.
	const uint64_t generation = context_.tables->header.next_generation + 1;
	store_word(context_.tables->header.next_generation, generation);
	keys_.add(key_check);
	sl_sa_row row = wanted;
	row.generation = 0;
	row.protection = sl_suite_protection(&suite);
	row.selector_protocol = selector_of(wanted);
	row.state = SL_ROW_LIVE;
	row.key_check = key_check;
	publish_name(s.names[id].name, name);
	sl_sa_row &to = s.rows[id];
	to = row;
	std::memcpy(to.key, key, length);
	std::memcpy(to.salt, key + length, suite.salt);
	if (direction == Direction::in)
		by_spi_slot_[spi_slot(row.spi)] = id;
	store_word(to.generation, generation);
	return id;
}

void Sas::activate(uint32_t id)
{
	require(Direction::in, id);
	const sl_sa_row &r = in_.rows[id];
	const sl_sa_in_state *state = context_.state.sa_in(id);
	if (state == nullptr ||
	    __atomic_load_n(&state->ready_generation, __ATOMIC_ACQUIRE) != r.generation)
		not_found("the worker has not installed inbound SA " + std::to_string(id) + " yet");
	store_word(context_.tables->spi[spi_slot(r.spi)], id);
}

void Sas::share(uint32_t primary, const std::vector<uint32_t> &shares)
{
	require(Direction::out, primary);
	shares_.set(primary, shares);
}

void Sas::retire(Direction direction, uint32_t id)
{
	__atomic_store_n(&side(direction).rows[id].state, static_cast<uint8_t>(SL_ROW_RETIRED),
	                 __ATOMIC_RELEASE);
	context_.reclaimer.retire(direction == Direction::out ? Retired::sa_out : Retired::sa_in,
	                          id, 1);
}

void Sas::remove(Direction direction, uint32_t id)
{
	require(direction, id);
	if (direction == Direction::out && context_.uses.sa_out.of(id) != 0)
		in_use("outbound SA " + std::to_string(id) + " has next hops");
	if (direction == Direction::out)
		shares_.forget(id);
	if (direction == Direction::in) {
		const uint32_t slot = spi_slot(in_.rows[id].spi);
		if (context_.tables->spi[slot] == id)
			store_word(context_.tables->spi[slot], 0);
		by_spi_slot_.erase(slot);
	}
	retire(direction, id);
}

void Sas::released(Direction direction, uint32_t id)
{
	Side &s = side(direction);
	store_word(s.rows[id].generation, 0);
	explicit_bzero(&s.rows[id], sizeof(sl_sa_row));
	publish_name(s.names[id].name, "");
	s.ids.release(id);
}

} // namespace sealane
