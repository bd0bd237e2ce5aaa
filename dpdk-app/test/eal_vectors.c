/* SPDX-License-Identifier: Apache-2.0 */
/* Whole frames, in and out, against what Scapy and OpenSSL made of the same packets. */
#include "support/drops.h"
#include "support/world_tunnels.h"
#include "vectors/ecn.h"

static void expect_sent(const struct vec_frame *v, uint32_t port, const char *hex)
{
	uint8_t got[2048], want[2048];
	size_t n = world_sent(port, got), m = hex_bytes(hex, want, sizeof(want));

	world_expect_bytes(v->name, got, n, want, m);
}

/* Frames come in buffers of this many bytes; 0 = in one. */
static size_t cut;

static void receive(uint32_t port, const char *hex)
{
	uint8_t frame[2048] = {0};
	size_t n = hex_bytes(hex, frame, sizeof(frame));
	struct rte_mbuf *m = cut == 0 ? world_frame(frame, n) : world_chain(frame, n, cut);

	sl_pipeline_receive(&world.worker, port, &m, 1);
	sl_pipeline_flush(&world.worker);
}

static void set_vrf_flags(const struct vec_frame *v)
{
	uint32_t flags = v->flags & (SL_VRF_TTL_UNIFORM | SL_VRF_TC_UNIFORM | SL_VRF_DSCP_FIXED);

	if (flags & SL_VRF_DSCP_FIXED)
		flags |= VEC_PIPE_DSCP << SL_VRF_DSCP_SHIFT;
	world.tables->vrf[VRF_A].flags = flags;
}

/* CE -> VRF lookup -> label, GRE or IP, ESP -> core. */
static void into_tunnel(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vec_frames) / sizeof(vec_frames[0]); i++) {
		const struct vec_frame *v = &vec_frames[i];
		struct sl_version_row row;

		world_reset();
		set_vrf_flags(v);
		if (v->algorithm != 0) {
			struct sl_sa_row sa = world_sa_row(v->algorithm, v->outer, false, v->encap);

			world_sa_out(1, &sa);
			world.state->sa_out[1].last_sequence = v->sequence - 1ull;
		}
		row = world_tunnel(v->encap, v->outer, v->algorithm != 0, false);
		row.tos_copy = (uint8_t)((v->flags & VEC_DSCP_COPY ? SL_TOS_DSCP : 0) |
		                         (v->flags & VEC_ECN_COPY ? SL_TOS_ECN : 0));
		world_route(VRF_A, v->inner, v->inner == 4 ? THERE4 : THERE6,
		            v->inner == 4 ? 24 : 64, world_nexthop(&row), VEC_LABEL_OUT, 0);
		world_commit();
		receive(PORT_CE, v->from_ce);
		assert_int_equal(world_all_drops(), 0);
		expect_sent(v, PORT_CORE, v->to_core);
		world_expect_quiet();
		if (v->algorithm != 0) {
			assert_int_equal(world.state->sa_out[1].last_sequence, v->sequence);
			assert_int_equal(world.state->sa_out[1].packets, 1);
			assert_int_equal(world.state->sa_out[1].bytes, strlen(v->to_core) / 2 - 14);
		}
	}
}

/* Core -> SA, integrity, label -> VRF lookup -> CE. */
static void out_of_tunnel(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vec_frames) / sizeof(vec_frames[0]); i++) {
		const struct vec_frame *v = &vec_frames[i];
		struct sl_accept_row all = world_accept_all();
		uint32_t accept;

		world_reset();
		set_vrf_flags(v);
		accept = world_accept(&all);
		if (v->algorithm != 0) {
			struct sl_sa_row sa = world_sa_row(v->algorithm, v->outer, true, v->encap);

			world_sa_in(1, &sa);
		} else {
			world.tables->interface[IF_CORE].flags = SL_IF_ACCEPT_GRE | SL_IF_ACCEPT_IP;
		}
		world_route(SL_VRF_CORE, v->outer, v->outer == 4 ? LOCAL4 : LOCAL6,
		            v->outer == 4 ? 32 : 128,
		            world_simple(SL_NH_RECEIVE, SL_VRF_CORE, IF_CORE), 0, 0);
		world_route(VRF_A, v->inner, v->inner == 4 ? HERE4 : HERE6, v->inner == 4 ? 24 : 64,
		            world_adjacency(IF_CE, v->inner), 0, accept);
		world.tables->label[VEC_LABEL_IN] = sl_label_row(SL_LABEL_VRF, accept, 0, VRF_A);
		world_commit();
		receive(PORT_CORE, v->from_core);
		assert_int_equal(world_all_drops(), 0);
		expect_sent(v, PORT_CE, v->to_ce);
		world_expect_quiet();
		if (v->algorithm != 0) {
			assert_int_equal(world.state->sa_in[1].highest_sequence, v->sequence);
			assert_int_equal(world.state->sa_in[1].packets, 1);
			assert_int_equal(world.state->sa_in[1].bytes,
			                 strlen(v->from_core) / 2 - 14);
		}
		assert_int_equal(world.worker.block->label[VEC_LABEL_IN].packets, 1);
	}
}

/* The same in chained buffers: within addresses, SPI, IV, label, inner header, padding, ICV, and where they meet. */
static void in_chained_buffers(void **state)
{
	for (cut = 1; cut < 160; cut++) {
		into_tunnel(state);
		out_of_tunnel(state);
	}
	cut = 0;
}

/* Every inner codepoint in every outer one (RFC 6040 figure 4). */
static void congestion_at_egress(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vec_ecns) / sizeof(vec_ecns[0]); i++) {
		const struct vec_ecn *v = &vec_ecns[i];
		struct sl_accept_row all = world_accept_all();
		struct sl_sa_row sa = world_sa_row(1, v->outer, true, SL_ENCAP_GRE);
		struct vec_frame left = {.name = v->name};
		uint32_t accept;

		world_reset();
		accept = world_accept(&all);
		world_sa_in(1, &sa);
		world_route(VRF_A, v->inner, v->inner == 4 ? HERE4 : HERE6, v->inner == 4 ? 24 : 64,
		            world_adjacency(IF_CE, v->inner), 0, accept);
		world.tables->label[VEC_LABEL_IN] = sl_label_row(SL_LABEL_VRF, accept, 0, VRF_A);
		world_commit();
		receive(PORT_CORE, v->from_core);
		if (v->to_ce[0] != '\0')
			expect_sent(&left, PORT_CE, v->to_ce);
		assert_int_equal(world_all_drops(), v->to_ce[0] == '\0');
		assert_int_equal(world.worker.block->drops[SL_DROP_ecn_not_ect],
		                 v->to_ce[0] == '\0');
		world_expect_quiet();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(into_tunnel),
		cmocka_unit_test(out_of_tunnel),
		cmocka_unit_test(in_chained_buffers),
		cmocka_unit_test(congestion_at_egress),
	};

	return cmocka_run_group_tests_name("eal_vectors", tests, NULL, NULL);
}
