/* SPDX-License-Identifier: Apache-2.0 */
/* Drops of forwarding: routes, next hops, outbound SAs, ports, the kernel (support/drops.h). */
#include "support/drops.h"

/* ---- VRF lookup and next hops ---- */

static void no_route(void **state)
{
	(void)state;
	/* the ICMP error about it is tested in eal_icmp.c: here the VRF has no address to send it from */
	memset(world.tables->vrf[VRF_A].icmp_source4, 0, 4);
	build_from_ce4(&b, A4(172, 16, 0, 1), 20, 64);
	from_ce();
	assert_int_equal(world_drops(SL_DROP_icmp_forbidden), 1);
	world.worker.block->drops[SL_DROP_icmp_forbidden] = 0;
	assert_int_equal(world.worker.block->interface[IF_CE].drops, 1);
	assert_int_equal(world.worker.block->vrf[VRF_A].drops, 1);
	EXPECT(no_route);
	/* VRF B does not see VRF A's routes */
	build_from_ce4(&b, THERE4, 20, 64);
	build_bytes(&b);
	b.at += 14;
	build_eth(&b, PE_CE_MAC, CE_MAC, VLAN_B, 0x0800);
	from_ce();
	assert_int_equal(world.worker.block->vrf[VRF_B].drops, 1);
	assert_int_equal(world_drops(SL_DROP_icmp_forbidden), 1);
	world.worker.block->drops[SL_DROP_icmp_forbidden] = 0;
	EXPECT(no_route);
}

static void blackhole(void **state)
{
	(void)state;
	build_from_ce4(&b, A4(10, 4, 0, 1), 20, 64);
	from_ce();
	EXPECT(blackhole);
}

static void unreachable(void **state)
{
	struct sl_version_row silent = {.kind = SL_NH_DROP, .drop_reason = SL_DROP_unreachable};

	(void)state;
	world_route(VRF_A, 4, A4(10, 5, 0, 1), 32, world_nexthop(&silent), 0, 0);
	world_commit();
	build_from_ce4(&b, A4(10, 5, 0, 1), 20, 64);
	from_ce();
	EXPECT(unreachable);
}

static void nexthop_unusable(void **state)
{
	struct sl_version_row odd = {.kind = 77};

	(void)state;
	build_from_ce4(&b, A4(10, 6, 0, 1), 20, 64);
	from_ce();
	EXPECT(nexthop_unusable);
	world.tables->nexthop[scene.tunnel].active = 0; /* the tunnel lost its core route */
	build_from_ce4(&b, THERE4, 20, 64);
	from_ce();
	EXPECT(nexthop_unusable);
	world_route(VRF_A, 4, A4(10, 6, 0, 2), 32, world_nexthop(&odd), 0, 0);
	world_commit();
	build_from_ce4(&b, A4(10, 6, 0, 2), 20, 64);
	from_ce();
	EXPECT(nexthop_unusable);
	world.tables->version[world.tables->nexthop[scene.tunnel].active].template_len = 0;
	build_from_ce4(&b, THERE4, 20, 64);
	from_ce();
	EXPECT(nexthop_unusable);
}

static void neighbour_pending(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	build_from_ce4(&b, A4(10, 3, 0, 33), 20, 64);
	from_ce();
	m = world_punted();
	assert_non_null(m);
	assert_int_equal(sl_packet(m)->punt, SL_PUNT_RESOLVE);
	assert_int_equal(sl_packet(m)->interface, IF_CE);
	assert_int_equal(sl_packet(m)->family, 4);
	assert_memory_equal(sl_packet(m)->address, A4(10, 3, 0, 33), 4);
	rte_pktmbuf_free(m);
	EXPECT(neighbour_pending);
}

static void sa_missing(void **state)
{
	struct sl_version_row row = {.kind = SL_NH_DROP, .drop_reason = SL_DROP_sa_missing};
	uint32_t nexthop = world_nexthop(&row);

	(void)state;
	world_route(VRF_A, 4, A4(10, 6, 0, 3), 32, nexthop, 0, 0);
	world_commit();
	build_from_ce4(&b, A4(10, 6, 0, 3), 20, 64);
	from_ce(); /* held: eal_hold.c */
	assert_int_equal(world_all_drops(), 0);
	from_ce();
	assert_int_equal(world_acquired(), nexthop);
	assert_int_equal(world_all_drops(), 1);
	sl_pipeline_end(&world.worker); /* drops the one held */
	scene_expect_drops(SL_DROP_sa_missing, 2);
}

static void ttl_expired(void **state)
{
	(void)state;
	for (uint8_t ttl = 0; ttl < 2; ttl++)
		for (int six = 0; six < 2; six++) {
			memset(world.tables->vrf[VRF_A].icmp_source4, 0, 4);
			memset(world.tables->vrf[VRF_A].icmp_source6, 0, 16);
			if (six)
				build_from_ce6(&b, THERE6, 20, ttl);
			else
				build_from_ce4(&b, THERE4, 20, ttl);
			from_ce();
			assert_int_equal(world_drops(SL_DROP_icmp_forbidden), 1);
			world.worker.block->drops[SL_DROP_icmp_forbidden] = 0;
			EXPECT(ttl_expired);
		}
}

static void mtu_exceeded(void **state)
{
	uint8_t frame[2048];

	(void)state;
	build_from_ce4(&b, THERE4, MTU_TUNNEL - 19, 64);
	from_ce();
	assert_true(world_sent(PORT_CE, frame) > 0); /* eal_icmp.c */
	EXPECT(mtu_exceeded);
	build_from_ce6(&b, THERE6, MTU_TUNNEL - 39, 64);
	from_ce();
	assert_true(world_sent(PORT_CE, frame) > 0);
	EXPECT(mtu_exceeded);
}

static void mtu_is_exact(void **state)
{
	uint8_t frame[2048];

	(void)state;
	build_from_ce4(&b, THERE4, MTU_TUNNEL - 20, 64);
	from_ce();
	assert_int_equal(world_all_drops(), 0);
	assert_true(world_sent(PORT_CORE, frame) > MTU_TUNNEL);
	world_expect_quiet();
}

/* ---- outbound SA ---- */

static void send_into_tunnel(void)
{
	build_from_ce4(&b, THERE4, 20, 64);
	from_ce();
}

static void sa_not_ready(void **state)
{
	struct sl_sa_key *key;

	(void)state;
	world.tables->sa_out[1].generation++; /* the row was given to another SA */
	send_into_tunnel();
	EXPECT(sa_not_ready);
	world.state->sa_out[1].ready_generation =
		0; /* the control thread has not expanded the key */
	send_into_tunnel();
	EXPECT(sa_not_ready);
	world.tables->sa_out[1].generation = 0; /* free, and the version names no generation */
	world.state->sa_out[1].ready_generation = 0;
	world.tables->version[world.tables->nexthop[scene.tunnel].active].sa_generation = 0;
	send_into_tunnel();
	EXPECT(sa_not_ready);
	key = world.keys_out[1];
	world.keys_out[1] = NULL;
	send_into_tunnel();
	world.keys_out[1] = key;
	EXPECT(sa_not_ready);
}

static void sa_exhausted(void **state)
{
	(void)state;
	world.state->sa_out[1].last_sequence = 0xffffffff;
	send_into_tunnel();
	assert_int_equal(world.state->sa_out[1].last_sequence, 0xffffffff);
	EXPECT(sa_exhausted);
	world.tables->sa_out[1].packet_limit = 1000;
	world.state->sa_out[1].last_sequence = 1000;
	send_into_tunnel();
	EXPECT(sa_exhausted);
}

/* ---- transmit, kernel ---- */

static void tx_no_port(void **state)
{
	(void)state;
	world.worker.ports[PORT_CORE].dpdk_port = RTE_MAX_ETHPORTS;
	build_from_ce4(&b, THERE4, 20, 64);
	from_ce();
	world.worker.ports[PORT_CORE].dpdk_port = 1;
	EXPECT(tx_no_port);
	world.tables->interface[IF_CORE].port = 0;
	build_from_ce4(&b, THERE4, 20, 64);
	from_ce();
	EXPECT(tx_no_port);
}

/* The ring behind the port takes 1023 frames. Only what was sent is counted as sent. */
static void tx_full(void **state)
{
	uint8_t frame[2048];
	unsigned int sent = 0;

	(void)state;
	for (unsigned int i = 0; i < 1030; i++) {
		build_from_ce4(&b, THERE4, 20, 64);
		from_ce();
	}
	while (world_sent(PORT_CORE, frame) != 0)
		sent++;
	assert_int_equal(sent, 1023);
	assert_int_equal(world.worker.block->interface[IF_CORE].tx_packets, 1023);
	assert_int_equal(world.worker.block->tx_full[PORT_CORE], 7);
	assert_int_equal(world.worker.block->tx_full[PORT_CE], 0);
	scene_expect_drops(SL_DROP_tx_full, 7);
}

static void punt_full(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	for (unsigned int i = 0; i < 260; i++) {
		build_from_ce4(&b, PE_CE4, 20, 64);
		from_ce();
	}
	assert_int_equal(world.worker.block->interface[IF_CE].punted, 255);
	assert_int_equal(world.worker.block->interface[IF_CE].drops, 5);
	for (unsigned int i = 0; i < 255; i++) {
		m = world_punted();
		assert_non_null(m);
		rte_pktmbuf_free(m);
	}
	scene_expect_drops(SL_DROP_punt_full, 5);
}

/* A packet out of a tunnel for a VRF's address, and the VRF has no TAP. */
static void punt_tap(void **state)
{
	(void)state;
	world.tables->vrf[VRF_A].host_interface = 0;
	build_secured4(&b, 1, 1, LABEL_ALL, PE_CE4);
	from_core();
	EXPECT(punt_tap);
}

static void inject_malformed(void **state)
{
	uint8_t packet[64] = {0x45};

	(void)state;
	for (size_t n = 0; n < 14; n++) {
		world_inject(IF_CE, packet, n);
		EXPECT(inject_malformed);
	}
	for (size_t n = 0; n < 20; n++) {
		world_inject(IF_HOST, packet, n);
		EXPECT(inject_malformed);
	}
	packet[0] = 0x60;
	sl_put16(packet + 4, 25);
	world_inject(IF_HOST, packet, 64);
	EXPECT(inject_malformed);
	packet[0] = 0x50;
	world_inject(IF_HOST, packet, 64);
	EXPECT(inject_malformed);
}

static void inject_no_interface(void **state)
{
	static const uint32_t ids[] = {0, 77, SL_MAX_INTERFACES, 0xffffffff};
	uint8_t packet[64] = {0x45};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		world_inject(ids[i], packet, 64);
		EXPECT(inject_no_interface);
	}
	world.tables->interface[IF_CE].state = SL_ROW_RETIRED;
	world_inject(IF_CE, packet, 64);
	EXPECT(inject_no_interface);
}

/* No room in front for what must be added: a tag, to a frame that came without. */
static void no_mbuf(void **state)
{
	struct rte_mbuf *m;

	(void)state;
	build_from_ce4(&b, A4(10, 8, 0, 1), 20, 64);
	m = world_frame(build_bytes(&b), build_len(&b));
	memmove(m->buf_addr, rte_pktmbuf_mtod(m, void *), m->data_len);
	m->data_off = 0;
	sl_pipeline_receive(&world.worker, PORT_CE, &m, 1);
	EXPECT(no_mbuf);
}

static void every_reason_was_provoked(void **state)
{
	(void)state;
	drops_expect_all(DROPS_FORWARD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(no_route),
		CASE(blackhole),
		CASE(unreachable),
		CASE(nexthop_unusable),
		CASE(neighbour_pending),
		CASE(ttl_expired),
		CASE(mtu_exceeded),
		CASE(mtu_is_exact),
		CASE(sa_not_ready),
		CASE(sa_exhausted),
		CASE(tx_no_port),
		CASE(tx_full),
		CASE(punt_full),
		CASE(punt_tap),
		CASE(inject_malformed),
		CASE(inject_no_interface),
		CASE(no_mbuf),
		CASE(sa_missing),
		CASE(every_reason_was_provoked),
	};

	return cmocka_run_group_tests_name("eal_drops_forward", tests, NULL, NULL);
}
