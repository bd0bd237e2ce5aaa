/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What arrives for the kernel in clear, and a host policy wants inside an SA (policy-model 18): the segments
 * themselves, what they may be hidden in, and messages about them. Not a stage of the chain: core.c and
 * local.c ask before they punt.
 */
#include "stages/ip_header.h"
#include "tables/host_policy.h"

#define SL_ICMP_LEN 8u
#define SL_ICMP6_REDIRECT 137u
#define SL_ICMP6_REDIRECT_LEN 40u /* without options */
#define SL_ND_OPTION_LEN 8u       /* type, length in units of this, 6 bytes */
#define SL_ND_REDIRECTED_HEADER 4u

/*
 * Is the packet at `ip`, of which `length` bytes were quoted, a segment of a protected flow? `cut`: what is
 * missing may come in another fragment. Routers between have seen ESP alone, so such a message is
 * forged, and could end a connection or shrink its segments.
 */
static bool quotes_segment(const struct sl_worker *w, const uint8_t *ip, size_t length,
                           uint8_t family, bool cut)
{
	size_t header = family == 4 ? SL_IP4_LEN : SL_IP6_LEN;
	const struct sl_host_policy_row *policy;

	if (length < header)
		return cut; /* the kernel finds no connection by it either */
	policy = sl_host_policy_of(w->tables, family, ip, true);
	if (policy == NULL)
		return false;
	if (family == 4)
		header = sl_ip4_header_len(ip);
	if ((family == 4 ? ip[9] : ip[6]) != policy->protocol)
		return family == 6 && ip[6] != SL_PROTO_ESP && ip[6] != SL_PROTO_UDP &&
		       ip[6] != SL_PROTO_ICMP6; /* TCP may be behind it */
	return length < header + SL_TCP_PORTS_LEN || sl_host_policy_has_port(policy, ip + header);
}

/*
 * The Redirected Header option of an ICMPv6 redirect (RFC 4861 4.5, 4.6.3), wherever it is among the options.
 * The kernel reads the packet in it beyond the option's end, so that counts here too.
 */
static bool redirect_quotes(const struct sl_worker *w, const uint8_t *icmp, size_t length, bool cut)
{
	size_t at = SL_ICMP6_REDIRECT_LEN;

	while (length >= at + SL_ND_OPTION_LEN) {
		size_t bytes = (size_t)icmp[at + 1] * SL_ND_OPTION_LEN;
		size_t quoted = at + SL_ND_OPTION_LEN;

		if (bytes == 0)
			return false; /* no kernel goes on from here (RFC 4861 4.6) */
		if (icmp[at] == SL_ND_REDIRECTED_HEADER &&
		    quotes_segment(w, icmp + quoted, length - quoted, 6, cut))
			return true;
		at += bytes;
	}
	return cut;
}

/* Is this an error or redirect about a protected flow? `cut`: the first fragment of one. */
static bool quotes_protected(const struct sl_worker *w, const uint8_t *icmp, size_t length,
                             uint8_t family, bool cut)
{
	bool error;

	if (length < SL_ICMP_LEN)
		return cut;
	if (family == 6 && icmp[0] == SL_ICMP6_REDIRECT)
		return redirect_quotes(w, icmp, length, cut);
	error = family == 4 ? icmp[0] == 3 || icmp[0] == 4 || icmp[0] == 5 || icmp[0] == 11 ||
	                              icmp[0] == 12
	                    : icmp[0] < 128;
	return error && quotes_segment(w, icmp + SL_ICMP_LEN, length - SL_ICMP_LEN, family, cut);
}

bool sl_host_policy_forbids(const struct sl_worker *w, struct rte_mbuf *m,
                            const struct sl_packet *p, const struct sl_upper *upper)
{
	const struct sl_host_policy_row *policy;
	const uint8_t *at;

	/* headers that we do not walk, the kernel may, and find what anyone may have sent about a flow */
	if (upper == NULL || sl_upper_hides(p, upper))
		return sl_host_policy_any(w->tables);
	at = rte_pktmbuf_mtod_offset(m, const uint8_t *, upper->offset);
	if (upper->protocol == (p->family == 4 ? SL_PROTO_ICMP : SL_PROTO_ICMP6)) {
		/* without its first fragment there is no message */
		if (!upper->first || (upper->fragment && !sl_host_policy_any(w->tables)))
			return false;
		return quotes_protected(w, at, m->data_len - upper->offset, p->family,
		                        upper->fragment);
	}
	policy = sl_host_policy_of(w->tables, p->family, sl_l3(m, p), false);
	if (likely(policy == NULL))
		return false;
	if (upper->protocol == SL_PROTO_AH)
		return true;
	if (upper->protocol != policy->protocol)
		return false;
	return upper->fragment || m->data_len < upper->offset + SL_TCP_PORTS_LEN ||
	       sl_host_policy_has_port(policy, at);
}
