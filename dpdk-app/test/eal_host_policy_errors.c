/* SPDX-License-Identifier: Apache-2.0 */
/* Messages about BGP that is inside its own SA, and what they may be hidden in (policy-model 18). */
#include "support/host_policy.h"

/* As if no policy had been configured. */
static void no_policies(void)
{
	memset(world.tables->host_policy_head, 0, sizeof(world.tables->host_policy_head));
}

/* The error message about a protected segment, or about one to port 22; `n` bytes of the quote. */
static void build_error(uint8_t family, bool protected, size_t n)
{
	segment(40000, protected ? 179 : 22, 0);
	if (family == 6)
		build_ip6(&b, LOCAL6, REMOTE6, 6, 64);
	else
		build_ip4(&b, LOCAL4, REMOTE4, 6, 64);
	b.end = b.at + n;
	build_front(&b, 8)[0] = family == 6 ? 1 : 3;
}

static void send4(uint16_t flags)
{
	build_ip4_flags(&b, other4, LOCAL4, 1, flags);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	from_core();
}

static void send6(const uint8_t *from, const uint8_t *to, uint8_t next, uint8_t hops)
{
	build_ip6(&b, from, to, next, hops);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x86dd);
	from_core();
}

/* To LOCAL6, `flags`: of the Fragment header (offset, reserved, M). */
static void send6_fragment(uint8_t next, uint16_t flags)
{
	uint8_t *fragment = build_front(&b, 8);

	fragment[0] = next;
	sl_put16(fragment + 2, flags);
	send6(THERE6, LOCAL6, 44, 64);
}

/* The kernel puts fragments together: the first one is what says of which session the message is. */
static void fragmented_errors_are_dropped(void **state)
{
	(void)state;
	for (size_t n = 0; n <= 40; n += 8) {
		build_error(4, true, n);
		send4(0x2000);
		EXPECT_DROP(host_policy_clear);
	}
	for (size_t n = 0; n <= 56; n += 8) {
		build_error(6, true, n);
		send6_fragment(58, 1);
		EXPECT_DROP(host_policy_clear);
	}
	build_error(6, true, 60); /* a fragment that is all there is */
	send6_fragment(58, 0);
	EXPECT_DROP(host_policy_clear);
	build_error(4, false, 40); /* of another session, as can be seen */
	send4(0x2000);
	expect_punted();
	build_error(6, false, 56);
	send6_fragment(58, 1);
	expect_punted();
	build_error(4, true, 40); /* a later fragment, whatever it looks like */
	send4(0x2001);
	expect_punted();
	build_error(6, true, 56);
	send6_fragment(58, 8);
	expect_punted();
	build_payload(&b, 64); /* a large ping */
	build_bytes(&b)[0] = 8;
	send4(0x2000);
	expect_punted();
	no_policies();
	build_error(4, true, 0);
	send4(0x2000);
	expect_punted();
}

/* Headers that are not walked hide an error that may be from anywhere. */
static void hidden_errors_are_dropped(void **state)
{
	(void)state;
	for (int policies = 1; policies >= 0; policies--) {
		if (!policies)
			no_policies();
		build_error(6, true, 60);
		sl_put32(build_front(&b, 8), 0x3a00c504); /* an option to be answered */
		send6(THERE6, LOCAL6, 60, 64);
		if (policies)
			EXPECT_DROP(host_policy_clear);
		else
			expect_punted();
		if (!policies)
			no_policies();
		build_error(6, true, 60);
		sl_put32(build_front(&b, 8), 0x3a000104); /* destination options in a fragment */
		send6_fragment(60, 1);
		if (policies)
			EXPECT_DROP(host_policy_clear);
		else
			expect_punted();
	}
}

static const uint8_t our_link6[16] = {0xfe, 0x80, [15] = 1},
		     their_link6[16] = {0xfe, 0x80, [15] = 2};

/* A redirect about what is built so far, in the option that has `units` of eight bytes, behind another one. */
static void redirect(const uint8_t *to, uint8_t units)
{
	uint8_t *option = build_front(&b, 8);

	option[0] = 4;
	option[1] = units;
	option = build_front(&b, 8); /* target's link-layer address */
	option[0] = 2;
	option[1] = 1;
	build_front(&b, 40)[0] = 137;
	memcpy(build_bytes(&b) + 8, their_link6, 16);
	memcpy(build_bytes(&b) + 24, REMOTE6, 16);
	send6(their_link6, to, 58, 255);
}

static void forged_redirects_are_dropped(void **state)
{
	static const uint8_t *const to[] = {LOCAL6, our_link6};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		segment(40000, 179, 4); /* as long as it says, and less: the kernel reads on */
		build_ip6(&b, LOCAL6, REMOTE6, 6, 64);
		redirect(to[i], 9);
		EXPECT_DROP(host_policy_clear);
		segment(40000, 179, 4);
		build_ip6(&b, LOCAL6, REMOTE6, 6, 64);
		redirect(to[i], 1);
		EXPECT_DROP(host_policy_clear);
		build_payload(&b, 24); /* about ESP it may be true */
		build_ip6(&b, LOCAL6, REMOTE6, 50, 64);
		redirect(to[i], 9);
		expect_punted();
		segment(40000, 179, 4); /* no kernel looks at such an option */
		build_ip6(&b, LOCAL6, REMOTE6, 6, 64);
		redirect(to[i], 0);
		expect_punted();
		segment(40000, 22, 4);
		build_ip6(&b, LOCAL6, REMOTE6, 6, 64);
		redirect(to[i], 9);
		expect_punted();
	}
	for (size_t n = 1; n < 8; n++) { /* an option cut off, and no byte behind it is read */
		build_payload(&b, 0);
		b.end += n;
		build_front(&b, 40)[0] = 137;
		send6(their_link6, LOCAL6, 58, 255);
		expect_punted();
	}
}

/* A destination of this link is no way around. */
static void link_scope_is_no_way_around(void **state)
{
	(void)state;
	build_error(6, true, 60);
	send6(THERE6, our_link6, 58, 64);
	EXPECT_DROP(host_policy_clear);
	build_error(6, true, 60);
	sl_put32(build_front(&b, 8), 0x3a00c504);
	send6(THERE6, our_link6, 60, 64);
	EXPECT_DROP(host_policy_clear);
	add_policy(7, 6, our_link6, their_link6); /* a session on the link itself */
	segment(40000, 179, 4);
	send6(their_link6, our_link6, 6, 255);
	EXPECT_DROP(host_policy_clear);
	build_error(6, false, 60);
	send6(THERE6, our_link6, 58, 64);
	expect_punted();
	build_payload(&b, 24); /* OSPF */
	build_ip4(&b, REMOTE4, A4(224, 0, 0, 5), 89, 1);
	build_eth(&b, PE_CORE_MAC, P_MAC, 0, 0x0800);
	from_core();
	expect_punted();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_CASE(fragmented_errors_are_dropped),
		HOST_CASE(hidden_errors_are_dropped),
		HOST_CASE(forged_redirects_are_dropped),
		HOST_CASE(link_scope_is_no_way_around),
	};

	return cmocka_run_group_tests_name("host policy, messages", tests, NULL, NULL);
}
