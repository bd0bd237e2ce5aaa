/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames for the PE of fuzz_tables.h, out of what follows in the fuzz input. Each begins with eight octets
 * that say what is put around the octets behind them, so that a fuzzer finds its way behind checksums,
 * lengths and, with the peer's keys, inside ESP; and then it may be damaged.
 */
#ifndef SEALANE_TEST_FUZZ_FRAMES_H
#define SEALANE_TEST_FUZZ_FRAMES_H

#include "support/fuzz_tables.h"

enum fuzz_kind {
	FUZZ_RAW_CE,   /* the octets are the frame */
	FUZZ_RAW_CORE, /* the same */
	FUZZ_FROM_CE,
	FUZZ_CLEAR,  /* MPLS, MPLS-in-GRE, MPLS-in-IP, or an IP packet */
	FUZZ_SEALED, /* the same in ESP */
	FUZZ_KERNEL, /* from a TAP */
	FUZZ_CHANGE, /* no frame: something happens to the tables, or time goes by */
	FUZZ_BGP     /* TCP of a BGP session, in clear or in ESP */
};

/* The eight octets. */
struct fuzz_head {
	uint8_t kind; /* enum fuzz_kind in bits 0-2, encapsulation in 3-4: 0 MPLS, 1 GRE, 2 IP, 3 none */
	uint8_t inner;  /* bits 0-1: 0 as it is, 1 IPv4, 2 IPv6; 2-4 destination, 5-7 source */
	uint8_t labels; /* bits 0-3: which; 4-5: how many more above */
	uint8_t flags;  /* FUZZ_ODD_* */
	uint8_t sa;     /* inbound SA; interface of the kernel's frame */
	uint8_t odd; /* TTL; with FUZZ_ODD_PROTOCOL changes the protocol, with _DAMAGE the place */
	uint8_t octets; /* of the input, behind these */
	uint8_t more;   /* eight octets each, behind those */
};

#define FUZZ_ODD_PROTOCOL 1u
#define FUZZ_ODD_DAMAGE 2u /* two octets more of the input: place and change */
#define FUZZ_ODD_SUM 4u    /* with a right IPv4 checksum after damage */
#define FUZZ_ODD_BOTTOM 8u /* no label has S = 1 */
#define FUZZ_ODD_GROUP 16u /* multicast destination MAC address */
#define FUZZ_ODD_VLAN 32u
#define FUZZ_ODD_END 64u /* cut after the octet `odd` counts */
#define FUZZ_ODD_FIRST                                                                             \
	128u /* GRE flags and version as `labels` says; inner IPv4 without DF, flags as in `sa` */

/* What is known of a frame on its way, to judge where it comes out. */
struct fuzz_note {
	uint32_t port;      /* it came by; 0 = from the kernel */
	bool sealed;        /* by the peer, with a key of ours */
	bool exact;         /* one label of the table, S = 1, in an encapsulation without fault */
	uint8_t encap;      /* enum sl_encap */
	uint32_t label;     /* of the table, when exact */
	uint32_t sa;        /* when sealed */
	uint32_t interface; /* of the kernel's */
};

static struct build fuzz_built;

static inline struct fuzz_head fuzz_head(struct fuzz_input *in)
{
	struct fuzz_head head = {0};
	uint8_t *octets = (uint8_t *)&head;

	for (size_t i = 0; i < sizeof(head); i++)
		octets[i] = fuzz_octet(in);
	return head;
}

static inline void fuzz_payload(struct fuzz_input *in, const struct fuzz_head *head)
{
	struct build *b = &fuzz_built;

	build_payload(b, 0);
	for (unsigned int i = 0; i < head->octets && in->left > 0; i++)
		b->room[b->end++] = fuzz_octet(in);
	for (unsigned int i = 0; i < 8u * (head->more % 192u); i++)
		b->room[b->end++] = (uint8_t)i;
}

static inline void fuzz_inner(const struct fuzz_head *head, uint8_t protocol)
{
	unsigned int to = head->inner >> 2 & 7, from = head->inner >> 5;

	if (head->flags & FUZZ_ODD_PROTOCOL)
		protocol ^= head->odd;
	if ((head->inner & 3) == 1 && head->flags & FUZZ_ODD_FIRST)
		build_ip4_flags(&fuzz_built, fuzz_address(4, from), fuzz_address(4, to), protocol,
		                (uint16_t)(head->sa << 8));
	else if ((head->inner & 3) == 1)
		build_ip4(&fuzz_built, fuzz_address(4, from), fuzz_address(4, to), protocol,
		          head->odd);
	else if ((head->inner & 3) == 2)
		build_ip6(&fuzz_built, fuzz_address(6, from), fuzz_address(6, to), protocol,
		          head->odd);
}

static inline void fuzz_stack(const struct fuzz_head *head, struct fuzz_note *note)
{
	static const uint32_t special[] = {0, 2, 3, 14, 15, 999, FUZZ_FIRST_LABEL, 1048575};
	unsigned int which = head->labels & 15, more = head->labels >> 4 & 3;
	uint32_t label = which < FUZZ_LABELS ? FUZZ_FIRST_LABEL + which : special[which % 8];

	note->exact = which < FUZZ_LABELS && more == 0 &&
	              !(head->flags & (FUZZ_ODD_BOTTOM | FUZZ_ODD_FIRST));
	note->label = label;
	build_label(&fuzz_built, label, !(head->flags & FUZZ_ODD_BOTTOM), head->odd);
	for (unsigned int i = 0; i < more; i++)
		build_label(&fuzz_built, special[(which + i) % 8], false, 200);
}

/* IP and UDP around what the peer sends by the addresses of a family. */
static inline void fuzz_outer(const struct fuzz_head *head, uint8_t family, bool udp,
                              uint8_t protocol)
{
	if (udp) {
		build_udp(&fuzz_built, 4500, 4500);
		protocol = 17;
	}
	if (head->flags & FUZZ_ODD_PROTOCOL)
		protocol ^= head->odd;
	if (family == 4)
		build_ip4(&fuzz_built, REMOTE4, LOCAL4, protocol, head->odd);
	else
		build_ip6(&fuzz_built, REMOTE6, LOCAL6, protocol, head->odd);
}

static inline void fuzz_ethernet(const struct fuzz_head *head, bool core, uint16_t type)
{
	static const uint8_t group[6] = {0x33, 0x33, 0, 0, 0, 5};
	const uint8_t *to = core ? PE_CORE_MAC : PE_CE_MAC;
	uint16_t vlan = head->flags & FUZZ_ODD_VLAN ? (head->odd & 1 ? VLAN_A : VLAN_B) : 0;

	build_eth(&fuzz_built, head->flags & FUZZ_ODD_GROUP ? group : to, core ? P_MAC : CE_MAC,
	          vlan, type);
}

static inline uint16_t fuzz_type(void)
{
	return build_len(&fuzz_built) > 0 && *build_bytes(&fuzz_built) >> 4 == 6 ? 0x86dd : 0x0800;
}

/* Change one octet and end early: anywhere, of whatever has been built so far. */
static inline void fuzz_damage(struct fuzz_input *in, const struct fuzz_head *head,
                               struct fuzz_note *note, size_t ip)
{
	struct build *b = &fuzz_built;

	if (head->flags & FUZZ_ODD_DAMAGE) {
		uint8_t place = fuzz_octet(in), change = fuzz_octet(in);

		note->exact = false;
		if (place < build_len(b))
			build_bytes(b)[place] ^= change;
	}
	if (head->flags & FUZZ_ODD_END && head->odd < build_len(b))
		b->end = b->at + head->odd;
	if (head->flags & FUZZ_ODD_SUM && build_len(b) >= ip + 20 &&
	    (build_bytes(b)[ip] >> 4) == 4 &&
	    (size_t)(build_bytes(b)[ip] & 15) * 4 <= build_len(b) - ip) {
		b->at += ip;
		build_sum4(b);
		b->at -= ip;
	}
}

/* What a label is put on, and GRE: what is in ESP, or on the core in clear. Returns the protocol. */
static inline uint8_t fuzz_labelled(struct fuzz_input *in, const struct fuzz_head *head,
                                    struct fuzz_note *note)
{
	uint8_t how = head->kind >> 3 & 3;

	fuzz_inner(head, 17);
	if (how == 3)
		return (head->inner & 3) == 2 ? 41 : 4;
	fuzz_stack(head, note);
	note->encap = how == 1 ? SL_ENCAP_GRE : how == 2 ? SL_ENCAP_IP : SL_ENCAP_NONE;
	if (how == 1)
		build_gre(&fuzz_built,
		          head->flags & FUZZ_ODD_FIRST
		                  ? (uint16_t)(head->labels << 8 | (head->odd & 7))
		                  : 0,
		          0x8847);
	if (head->kind & 32) /* inside, where nobody but the peer could */
		fuzz_damage(in, head, note, 0);
	return how == 1 ? 47 : 137;
}

static inline void fuzz_clear(struct fuzz_input *in, const struct fuzz_head *head,
                              struct fuzz_note *note)
{
	uint8_t protocol = fuzz_labelled(in, head, note);

	if ((head->kind >> 3 & 3) == 0) {
		fuzz_ethernet(head, true, 0x8847);
		return;
	}
	if ((head->kind >> 3 & 3) != 3 || (head->inner & 3) == 0)
		fuzz_outer(head, head->sa & 1 ? 6 : 4, false, protocol);
	fuzz_ethernet(head, true, fuzz_type());
}

static inline void fuzz_seal(struct fuzz_input *in, const struct fuzz_head *head,
                             struct fuzz_note *note, uint8_t protocol)
{
	uint32_t id = note->sa;
	const struct sl_sa_row *row = &world.tables->sa_in[id];
	uint64_t step = head->sa & 4 ? (uint64_t)head->more << 5 : 1;

	if (protocol == 0)
		protocol = fuzz_labelled(in, head, note);
	if (note->encap != row->encap)
		note->exact = false;
	note->sealed = true;
	fuzz_pe.sequence[id] += step;
	build_esp(&fuzz_built, id, fuzz_pe.sequence[id],
	          head->flags & FUZZ_ODD_PROTOCOL ? protocol ^ head->odd : protocol);
	fuzz_outer(&(struct fuzz_head){.odd = 64}, row->family, row->udp_source_port != 0, 50);
	fuzz_ethernet(head, true, row->family == 4 ? 0x0800 : 0x86dd);
}

static inline void fuzz_bgp(struct fuzz_input *in, const struct fuzz_head *head,
                            struct fuzz_note *note)
{
	uint8_t *tcp = build_front(&fuzz_built, 20);

	sl_put16(tcp, head->sa & 8 ? 179 : 50000);
	sl_put16(tcp + 2, head->sa & 16 ? 179 : 50000);
	tcp[12] = 5 << 4;
	note->sa = FUZZ_SA_BGP;
	if (head->sa & 1 && world.keys_in[FUZZ_SA_BGP] != NULL &&
	    world.tables->sa_in[FUZZ_SA_BGP].generation != 0) {
		fuzz_seal(in, head, note, 6);
		return;
	}
	fuzz_outer(head, head->sa & 2 ? 6 : 4, false, 6);
	fuzz_ethernet(head, true, fuzz_type());
}

/* The next frame, left in fuzz_built; what it is in *note. */
static inline void fuzz_frame(struct fuzz_input *in, const struct fuzz_head *head,
                              struct fuzz_note *note)
{
	static const uint32_t taps[] = {IF_CE, IF_CORE, IF_HOST, IF_CE_B, IF_HOST, 99};
	enum fuzz_kind kind = (enum fuzz_kind)(head->kind & 7);

	*note = (struct fuzz_note){.port = PORT_CORE, .sa = 1 + (head->sa & 1)};
	fuzz_payload(in, head);
	switch (kind) {
	case FUZZ_RAW_CE:
	case FUZZ_FROM_CE:
		note->port = PORT_CE;
		if (kind == FUZZ_FROM_CE) {
			fuzz_inner(head, 17);
			fuzz_ethernet(head, false, fuzz_type());
		}
		break;
	case FUZZ_CLEAR:
		fuzz_clear(in, head, note);
		break;
	case FUZZ_SEALED:
		fuzz_seal(in, head, note, 0);
		break;
	case FUZZ_BGP:
		fuzz_bgp(in, head, note);
		break;
	case FUZZ_KERNEL:
		note->port = 0;
		note->interface = taps[head->sa % 6];
		fuzz_inner(head, 17);
		if (note->interface != IF_HOST)
			fuzz_ethernet(head, note->interface == IF_CORE, fuzz_type());
		break;
	case FUZZ_RAW_CORE:
	case FUZZ_CHANGE:
	default:
		break;
	}
	if (!(head->kind & 32))
		fuzz_damage(in, head, note, 14);
	if (build_len(&fuzz_built) > 2000)
		fuzz_built.end = fuzz_built.at + 2000;
}

#endif
