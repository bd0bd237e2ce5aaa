/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/accept.h"

#include <stdbool.h>

/* Out of an SA: look at secured[p][e]; when refused, say what a right packet would have differed in. */
static enum sl_accept_result check_secured(const struct sl_accept_row *row, unsigned int p,
                                           unsigned int e, uint8_t sp_table)
{
	uint64_t sp = 1ull << (sp_table & (SL_MAX_SPS - 1));

	if (row->secured[p][e] & sp)
		return SL_ACCEPTED;
	if (row->secured[p][1 - e] & sp)
		return SL_REFUSED_ENCAP;
	if ((row->secured[1 - p][0] | row->secured[1 - p][1]) & sp)
		return SL_REFUSED_PROTECTION;
	return SL_REFUSED_SP;
}

/* In clear: `wanted` are the bits of which one suffices, `other_encap` the same with other framing. */
static enum sl_accept_result check_clear(const struct sl_accept_row *row, uint32_t wanted,
                                         uint32_t other_encap)
{
	if (row->clear & wanted)
		return SL_ACCEPTED;
	if ((row->clear & (SL_CLEAR_GRE | SL_CLEAR_IP | SL_CLEAR_MPLS)) == 0)
		return SL_REFUSED_PROTECTED;
	return row->clear & other_encap ? SL_REFUSED_ENCAP : SL_REFUSED_PROTECTION;
}

enum sl_accept_result sl_accept_check(const struct sl_accept_row *row, uint8_t protection,
                                      uint8_t encap, uint8_t sp_table, uint32_t interface)
{
	bool live = row->state == SL_ROW_LIVE;
	unsigned int e = encap == SL_ENCAP_IP;

	/* a row that is not live accepts nothing */
	switch (protection) {
	case SL_PROT_ENCRYPT:
	case SL_PROT_AUTHENTICATE:
		if (!live || sp_table == 0 || sp_table >= SL_MAX_SPS || encap == SL_ENCAP_NONE)
			return SL_REFUSED_SP;
		return check_secured(row, protection == SL_PROT_AUTHENTICATE, e, sp_table);
	case SL_PROT_TUNNEL:
		if (!live || encap == SL_ENCAP_NONE)
			return SL_REFUSED_PROTECTED;
		return check_clear(row, e ? SL_CLEAR_IP : SL_CLEAR_GRE,
		                   e ? SL_CLEAR_GRE : SL_CLEAR_IP);
	case SL_PROT_MPLS:
		if (!live)
			return SL_REFUSED_PROTECTED;
		return check_clear(row, SL_CLEAR_MPLS | SL_CLEAR_MPLS_OWN_SP, 0);
	case SL_PROT_MPLS_OTHER_SP:
		if (!live || interface == 0 ||
		    __atomic_load_n(&row->mpls_interface, __ATOMIC_RELAXED) != interface)
			return SL_REFUSED_INTERFACE;
		return SL_ACCEPTED;
	default:
		return SL_REFUSED_PROTECTED;
	}
}
