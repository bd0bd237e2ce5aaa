/* SPDX-License-Identifier: Apache-2.0 */
/* What routers of the core say of tunnel packets that are too large for them: whom the PE believes (policy-model 21). */
#include "support/drops.h"
#include "vectors/too_big.h"

#include <rte_cycles.h>

/* Outbound SAs of the vectors. */
enum { SA_FOUR = 1, SA_UDP = 11, SA_SIX, SA_MANUAL };
#define BEFORE 1000u /* sent so long ago that it is not of late */

static void add_sa(uint32_t id, uint32_t spi, uint8_t family, uint16_t port, bool random)
{
	struct sl_sa_row row = world_sa_row(SL_ALG_AES_GCM_128, family, false, SL_ENCAP_GRE);

	row.generation = 100 + id;
	row.spi = spi;
	row.udp_source_port = row.udp_destination_port = port;
	row.random_spi = random;
	world_sa_out(id, &row);
	world.state->sa_out[id].last_sequence = BEFORE;
}

/* What has been sent until now is of long ago. */
static void forget_sent(void)
{
	for (int i = 0; i < 2; i++)
		sl_sa_index_tick(&world.sa_index, world.state, 100, world.sa_index.next_tick_ns);
}

static int sent(void **state)
{
	(void)state;
	scene_set();
	add_sa(SA_FOUR, VEC_SPI_OUT, 4, 0, true);
	add_sa(SA_UDP, VEC_SPI_UDP, 4, 4500, true);
	add_sa(SA_SIX, VEC_SPI_SIX, 6, 0, true);
	add_sa(SA_MANUAL, VEC_SPI_MANUAL, 4, 0, false);
	forget_sent();
	for (uint32_t id = 1; id <= SA_MANUAL; id++)
		world.state->sa_out[id].last_sequence = VEC_SEQUENCE;
	/* another address of the PE's own: "not to the quoted source" */
	world_route(SL_VRF_CORE, 4, A4(192, 0, 2, 77), 32,
	            world_simple(SL_NH_RECEIVE, SL_VRF_CORE, IF_CORE), 0, 0);
	world_commit();
	return 0;
}

static const struct vec_too_big *vector_named(const char *name)
{
	for (size_t i = 0; i < sizeof(vec_too_big) / sizeof(vec_too_big[0]); i++)
		if (strcmp(vec_too_big[i].name, name) == 0)
			return &vec_too_big[i];
	fail_msg("no vector %s", name);
	return NULL;
}

static void say_on(uint32_t port, const struct vec_too_big *v)
{
	uint8_t frame[2048] = {0};
	size_t n = hex_bytes(v->packet, frame + 14, sizeof(frame) - 14);
	uint16_t type = frame[14] >> 4 == 4 ? 0x0800 : 0x86dd;

	world_ethernet(frame, port == PORT_CORE ? PE_CORE_MAC : PE_CE_MAC,
	               port == PORT_CORE ? P_MAC : CE_MAC, 0, type);
	world_receive(port, frame, n + 14);
}

/* What the control thread was told: outbound SA row, MTU; all of it. */
static void expect_told(const char *name, uint32_t sa, uint16_t mtu)
{
	uintptr_t word = world_too_big();

	if (sl_too_big_sa(word) != sa || sl_too_big_mtu(word) != mtu)
		fail_msg("%s: told %u of SA %u, not %u of %u", name, sl_too_big_mtu(word),
		         sl_too_big_sa(word), mtu, sa);
	assert_int_equal(world_too_big(), 0);
}

static uint32_t sa_of(const char *name)
{
	if (strncmp(name, "ESP in UDP", 10) == 0)
		return SA_UDP;
	return strncmp(name, "IPv6", 4) == 0 ? SA_SIX : SA_FOUR;
}

static void as_scapy_builds_them(void **state)
{
	for (size_t i = 0; i < sizeof(vec_too_big) / sizeof(vec_too_big[0]); i++) {
		const struct vec_too_big *v = &vec_too_big[i];
		struct rte_mbuf *m;

		sent(state);
		say_on(PORT_CORE, v);
		m = world_punted();
		expect_told(v->name, v->mtu != 0 ? sa_of(v->name) : 0, v->mtu);
		assert_int_equal(m != NULL, v->reason == SL_DROP_none && v->mtu == 0);
		rte_pktmbuf_free(m);
		scene_expect_drops(v->reason, v->reason != SL_DROP_none);
	}
}

#define GOOD vector_named("a router's, 548 bytes quoted")

/* policy-model 19: on a CE's interface it is that VRF's, and no SA is looked for. */
static void from_a_ce_it_is_the_vrfs(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	/* the VRF may use the tunnel's address, too */
	world_route(VRF_A, 4, LOCAL4, 32, scene.receive, 0, scene.accept_all);
	world_commit();
	say_on(PORT_CE, GOOD);
	m = world_punted();
	assert_non_null(m);
	assert_int_equal(sl_packet(m)->interface, IF_CE);
	rte_pktmbuf_free(m);
	expect_told("from a CE", 0, 0);
	assert_int_equal(world_all_drops(), 0);
}

static void of_an_sa_that_is_not_live(void **state)
{
	world.state->sa_out[SA_FOUR].ready_generation = 0;
	say_on(PORT_CORE, GOOD);
	scene_expect_drops(SL_DROP_too_big_no_sa, 1);
	sent(state);
	world.tables->sa_out[SA_FOUR].generation = 0; /* given back by the supervisor */
	say_on(PORT_CORE, GOOD);
	scene_expect_drops(SL_DROP_too_big_no_sa, 1);
	sent(state);
	world.tables->sa_out[SA_FOUR].generation++; /* another one's, not ready yet */
	say_on(PORT_CORE, GOOD);
	scene_expect_drops(SL_DROP_too_big_no_sa, 1);
	sent(state);
	sl_sa_index_leave(&world.sa_index, SA_FOUR); /* withdrawn by the control thread */
	say_on(PORT_CORE, GOOD);
	scene_expect_drops(SL_DROP_too_big_no_sa, 1);
	expect_told("no SA", 0, 0);
}

/* BGP's own SAs have no tunnel whose MTU could be lowered. */
static void of_an_sa_of_bgp(void **state)
{
	struct sl_sa_row row = world.tables->sa_out[SA_FOUR];

	(void)state;
	row.application = SL_APP_BGP;
	sl_sa_index_enter(&world.sa_index, SA_FOUR, &row, 0);
	say_on(PORT_CORE, GOOD);
	scene_expect_drops(SL_DROP_too_big_no_sa, 1);
}

static void no_floor_believes_nothing(void **state)
{
	(void)state;
	world.tables->header.path_mtu_floor = 0;
	say_on(PORT_CORE, GOOD);
	scene_expect_drops(SL_DROP_too_big_floor, 1);
	expect_told("no floor", 0, 0);
}

static void a_higher_floor(void **state)
{
	(void)state;
	world.tables->header.path_mtu_floor = 1401;
	say_on(PORT_CORE, GOOD);
	scene_expect_drops(SL_DROP_too_big_floor, 1);
}

/* One a second of an SA, unless it tells less; another SA's is another matter. */
static void flood(void **state)
{
	uint64_t began;

	(void)state;
	world.worker.now_tsc = began = rte_get_tsc_hz();
	say_on(PORT_CORE, GOOD);
	expect_told("the first", SA_FOUR, 1400);
	for (int i = 0; i < 1000; i++)
		say_on(PORT_CORE, GOOD);
	scene_expect_drops(SL_DROP_too_big_rate, 1000);
	expect_told("the others", 0, 0);
	say_on(PORT_CORE, vector_named("the floor"));
	expect_told("less", SA_FOUR, 1280);
	say_on(PORT_CORE, vector_named("IPv6"));
	expect_told("another SA", SA_SIX, 1400);
	world.worker.now_tsc = began + rte_get_tsc_hz() - 1;
	say_on(PORT_CORE, GOOD);
	scene_expect_drops(SL_DROP_too_big_rate, 1001);
	world.worker.now_tsc = began + rte_get_tsc_hz();
	say_on(PORT_CORE, GOOD);
	expect_told("a second later", SA_FOUR, 1400);
	scene_expect_drops(SL_DROP_too_big_rate, 1001);
}

static void full_ring(void **state)
{
	(void)state;
	while (rte_ring_enqueue(world.worker.too_big, (void *)1) == 0)
		;
	say_on(PORT_CORE, GOOD);
	scene_expect_drops(SL_DROP_too_big_rate, 1);
	while (world_too_big() != 0)
		;
}

/* Numbers wrap with ESN; the window is as many packets, and the two ticks as long, as they say. */
static void recently(void **state)
{
	struct sl_sa_index *index = &world.sa_index;
	uint64_t far = 0x500000000ull;

	(void)state;
	sl_sa_index_enter(index, SA_FOUR, &world.tables->sa_out[SA_FOUR], 0);
	assert_true(sl_sa_sent_recently(index, SA_FOUR, far + 5, 0xfffffffeu));
	assert_true(sl_sa_sent_recently(index, SA_FOUR, far + 5, 5));
	assert_false(sl_sa_sent_recently(index, SA_FOUR, far + 5, 6));
	assert_true(sl_sa_sent_recently(index, SA_FOUR, far, 0u - (SL_SENT_RECENTLY - 1)));
	assert_false(sl_sa_sent_recently(index, SA_FOUR, far, 0u - SL_SENT_RECENTLY));
	/* before its first packet, and the first */
	assert_false(sl_sa_sent_recently(index, SA_FOUR, 0, 0));
	assert_false(sl_sa_sent_recently(index, SA_FOUR, 0, 0xffffffffu));
	assert_false(sl_sa_sent_recently(index, SA_FOUR, 1, 0));
	assert_true(sl_sa_sent_recently(index, SA_FOUR, 1, 1));
	/* sent just before a tick it is of late for one more, and no longer */
	world.state->sa_out[SA_FOUR].last_sequence = 70;
	index->next_tick_ns = 1000;
	sl_sa_index_tick(index, world.state, 100, 999);
	sl_sa_index_tick(index, world.state, 100, 1000);
	assert_true(sl_sa_sent_recently(index, SA_FOUR, 70, 70));
	sl_sa_index_tick(index, world.state, 100, 999 + SL_SENT_TICK_NS);
	assert_true(sl_sa_sent_recently(index, SA_FOUR, 70, 70));
	sl_sa_index_tick(index, world.state, 100, 1000 + SL_SENT_TICK_NS);
	assert_false(sl_sa_sent_recently(index, SA_FOUR, 70, 70));
	assert_true(sl_sa_sent_recently(index, SA_FOUR, 71, 71));
	/* what another worker had sent is not known to be of late */
	sl_sa_index_enter(index, SA_FOUR, &world.tables->sa_out[SA_FOUR], 71);
	assert_false(sl_sa_sent_recently(index, SA_FOUR, 72, 71));
	assert_true(sl_sa_sent_recently(index, SA_FOUR, 72, 72));
}

/* Rows come, change and go: each is found as long as it is entered, by what it was entered as. */
static void index_follows(void **state)
{
	enum { ROWS = 2000 };
	struct sl_sa_row row = world_sa_row(SL_ALG_AES_GCM_128, 4, false, SL_ENCAP_GRE);
	uint32_t spi[ROWS] = {0};

	(void)state;
	srand(1);
	for (int step = 0; step < 20000; step++) {
		uint32_t id = 20 + (uint32_t)rand() % (ROWS - 20);

		if (rand() % 3 == 0) {
			sl_sa_index_leave(&world.sa_index, id);
			spi[id] = 0;
		} else {
			row.generation = 1000u + (uint32_t)step;
			row.spi = spi[id] = 0x10000000u + (uint32_t)step;
			world.tables->sa_out[id] = row;
			world.state->sa_out[id].ready_generation = row.generation;
			sl_sa_index_enter(&world.sa_index, id, &row, 0);
		}
	}
	for (uint32_t id = 20; id < ROWS; id++) {
		uint32_t wanted = spi[id] != 0 ? spi[id] : world.tables->sa_out[id].spi;

		assert_int_equal(sl_sa_index_find(&world.sa_index, world.tables, world.state,
		                                  wanted, 4, REMOTE4),
		                 spi[id] != 0 ? id : 0);
	}
}

static void all_reasons_provoked(void **state)
{
	(void)state;
	drops_expect_all(DROPS_TOO_BIG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_scapy_builds_them),
		cmocka_unit_test_setup(from_a_ce_it_is_the_vrfs, sent),
		cmocka_unit_test_setup(of_an_sa_that_is_not_live, sent),
		cmocka_unit_test_setup(of_an_sa_of_bgp, sent),
		cmocka_unit_test_setup(no_floor_believes_nothing, sent),
		cmocka_unit_test_setup(a_higher_floor, sent),
		cmocka_unit_test_setup(flood, sent),
		cmocka_unit_test_setup(full_ring, sent),
		cmocka_unit_test_setup(recently, sent),
		cmocka_unit_test_setup(index_follows, sent),
		cmocka_unit_test(all_reasons_provoked),
	};

	return cmocka_run_group_tests_name("too big", tests, NULL, NULL);
}
