/* SPDX-License-Identifier: Apache-2.0 */
/* Queues of the CE interface of world.h: frames that come to them, rounds, and what has left. */
#ifndef SEALANE_TEST_QUEUES_SUPPORT_H
#define SEALANE_TEST_QUEUES_SUPPORT_H

#include "stages/queue.h"
#include "support/drops.h"

enum { VOICE = 1, VIDEO = 2, BULK = 3 };
enum { HEADERS = 34, FRAME = 1014 }; /* bytes; Ethernet and IPv4 */

static const uint64_t SECOND = 1000000000;

/* ---- Interfaces, frames and rounds ------------------------------------------------------------ */

static inline struct sl_egress_row *egress_row(uint32_t interface)
{
	return &world.tables->egress[interface];
}

static const struct sl_queue_counters *counters(uint32_t interface, uint32_t slot)
{
	return &world.worker.block->queue[sl_queue_index(interface, slot)];
}

/* The kernel's first, weights alike, no rate; a class's packets have the class selector of its number. */
static inline void set_queues(uint32_t interface, uint32_t limit)
{
	struct sl_egress_row *row = egress_row(interface);

	memset(row->strict, SL_QUEUE_NONE, sizeof(row->strict));
	row->strict[0] = SL_QUEUE_KERNEL;
	for (uint32_t slot = 0; slot < SL_INTERFACE_QUEUES; slot++) {
		row->limit[slot] = limit;
		row->quantum[slot] = 1514;
	}
	for (uint8_t class = 0; class < SL_MAX_CLASSES; class ++) {
		row->queue_of_class[class] = class;
		world.tables->header.classes.class_of_dscp[class * 8] = class;
	}
	row->change++;
	row->generation = 1;
	world.tables->interface[interface].queues = 1;
}

static inline void set_rate(uint32_t interface, uint64_t rate, uint32_t burst)
{
	struct sl_egress_row *row = egress_row(interface);

	row->cost = rate == 0 ? 0 : sl_policer_cost(rate);
	row->depth = sl_policer_time(row->cost, burst);
}

static inline int queues(void **state)
{
	(void)state;
	scene_set();
	world.worker.now_tsc = SECOND;
	set_queues(IF_CE, 100);
	return 0;
}

/* A frame of this many bytes for the CE comes to its queue; it holds its number. Slot of the kernel: it is the kernel's. */
static inline void come(uint32_t slot, uint32_t number, size_t bytes)
{
	struct rte_mbuf *m;

	build_payload(&b, bytes - HEADERS);
	sl_put32(build_bytes(&b), number);
	build_ip4(&b, HERE4, HERE4, 17, 64);
	if (slot == SL_QUEUE_KERNEL) {
		build_eth(&b, CE_MAC, PE_CE_MAC, 0, 0x0800);
		m = world_frame(build_bytes(&b), build_len(&b));
		sl_packet(m)->interface = IF_CE;
		sl_pipeline_inject(&world.worker, &m, 1);
		return;
	}
	sl_ip4_set_dscp(build_bytes(&b), (uint8_t)(slot * 8));
	build_eth(&b, PE_CE_MAC, CE_MAC, 0, 0x0800);
	m = world_frame(build_bytes(&b), build_len(&b));
	sl_pipeline_receive(&world.worker, PORT_CE, &m, 1);
}

static inline void come_many(uint32_t slot, uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		come(slot, first + i, FRAME);
}

/* All that may be sent by now; a round sends no more than a burst of the port's. */
static inline uint32_t round_now(void)
{
	uint32_t all = 0, n;

	while ((n = sl_pipeline_flush(&world.worker)) != 0)
		all += n;
	return all;
}

static inline uint32_t round_after(uint64_t ns)
{
	world.worker.now_tsc += ns;
	return round_now();
}

/* Number of the next frame that has left, and its bytes. */
static inline uint32_t left(size_t *bytes)
{
	uint8_t frame[2048];
	size_t n = world_sent(PORT_CE, frame);

	assert_true(n >= HEADERS + 4);
	if (bytes != NULL)
		*bytes = n;
	return sl_get32(frame + HEADERS);
}

static inline void expect_left(uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(left(NULL), first + i);
}

/* The thread ends: what waits is sent, and nobody looks at it. */
static inline void end(struct sl_worker *w)
{
	uint8_t frame[2048];

	sl_pipeline_end(w);
	assert_int_equal(w->queues.interfaces, 0);
	while (world_sent(PORT_CE, frame) != 0)
		;
}

#define QUEUES(test) cmocka_unit_test_setup(test, queues)

#endif
