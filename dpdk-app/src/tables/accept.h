/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does a label or a route accept the way a packet came? (policy-model 1-5; P13, P14)
 *
 * The label tables of P13 and P14 are not separate arrays: each label and each route names one
 * accepted set (struct sl_accept_row), and the arrival is a point that lies in the set or not.
 */
#ifndef SEALANE_TABLES_ACCEPT_H
#define SEALANE_TABLES_ACCEPT_H

#include <stdint.h>

#include "sealane/drop_reasons.h"
#include "sealane/tables.h"

enum sl_accept_result {
	SL_ACCEPTED,
	SL_REFUSED_PROTECTED,  /* came in clear; the set wants an SA, or MPLS from the own SP */
	SL_REFUSED_SP,         /* not exported to the SP whose SA the packet came out of */
	SL_REFUSED_PROTECTION, /* exported there, but not for this protection */
	SL_REFUSED_ENCAP,      /* nor for this encapsulation */
	SL_REFUSED_INTERFACE, /* plain MPLS of another SP, not advertised where the packet came in */
};

/*
 * How a packet came, in the terms of the set: enum sl_protection, enum sl_encap, table 0..63, and its input
 * interface row, which counts for SL_PROT_MPLS_OTHER_SP alone.
 */
enum sl_accept_result sl_accept_check(const struct sl_accept_row *row, uint8_t protection,
                                      uint8_t encap, uint8_t sp_table, uint32_t interface);

/* What a label counts a packet as that its set does not accept; SL_DROP_none: it does. */
static inline enum sl_drop_reason sl_accept_drop(enum sl_accept_result result)
{
	switch (result) {
	case SL_ACCEPTED:
		return SL_DROP_none;
	case SL_REFUSED_SP:
		return SL_DROP_label_wrong_sp;
	case SL_REFUSED_PROTECTION:
		return SL_DROP_label_wrong_protection;
	case SL_REFUSED_ENCAP:
		return SL_DROP_label_wrong_encap;
	case SL_REFUSED_INTERFACE:
		return SL_DROP_label_not_advertised;
	case SL_REFUSED_PROTECTED:
	default:
		return SL_DROP_label_protected;
	}
}

#endif
