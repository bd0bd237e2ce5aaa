/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What handing a packet from one packet thread to another costs: two threads, each on a CPU of its own, pass the same
 * packets to and fro, so that per packet each puts one in and takes one out. Prints ns per packet and thread, of several runs.
 *
 *   sealane-pass-bench [RUNS]
 */
#include <pthread.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stages/pass.h"

#define ROUNDTRIPS 20000000u
#define UNDERWAY 512u

static struct sl_worker workers[2];
static struct sl_lcore_block *blocks[2];
static struct sl_pass passes[2];
static uint32_t stop;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* One round: back with what came. */
static uint32_t bounce(struct sl_worker *w)
{
	struct rte_mbuf *packets[SL_BURST];
	unsigned int other = 1 - w->index;
	uint16_t n = sl_pass_take(w, other, packets);

	for (uint16_t i = 0; i < n; i++)
		sl_pass(w, packets[i], other, SL_LANE_TUNNEL);
	if (n > 0)
		sl_pass_flush(w);
	return n;
}

static void *echo(void *context)
{
	(void)context;
	pin(1);
	while (__atomic_load_n(&stop, __ATOMIC_RELAXED) == 0)
		(void)bounce(&workers[1]);
	return NULL;
}

static void prepare(void)
{
	for (unsigned int i = 0; i < 2; i++) {
		blocks[i] = calloc(1, sizeof(*blocks[i]));
		passes[i].ring = rte_ring_create(i == 0 ? "there" : "back", SL_PASS_RING, 0,
		                                 RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (blocks[i] == NULL || passes[i].ring == NULL)
			exit(1);
		workers[i].block = blocks[i];
		workers[i].index = i;
		workers[i].threads = 2;
		workers[i].waiting = sl_waiting_most;
	}
	workers[0].pass_to[1] = workers[1].pass_from[0] = &passes[0];
	workers[1].pass_to[0] = workers[0].pass_from[1] = &passes[1];
}

int main(int argc, char **argv)
{
	static char text[][24] = {"pass",
	                          "--no-huge",
	                          "-m",
	                          "64",
	                          "-l",
	                          "0",
	                          "--no-pci",
	                          "--no-shconf",
	                          "--no-telemetry",
	                          "--log-level=error"};
	char *args[RTE_DIM(text)];
	int runs = argc > 1 ? atoi(argv[1]) : 5;
	struct rte_mempool *pool;
	pthread_t thread;

	for (size_t i = 0; i < RTE_DIM(text); i++)
		args[i] = text[i];
	if (rte_eal_init((int)RTE_DIM(text), args) < 0)
		return 1;
	pool = rte_pktmbuf_pool_create("packets", UNDERWAY, 0,
	                               RTE_ALIGN(sizeof(struct sl_packet), 64), 512, 0);
	if (pool == NULL)
		return 1;
	prepare();
	pin(0);
	for (unsigned int i = 0; i < UNDERWAY; i++)
		sl_pass(&workers[0], rte_pktmbuf_alloc(pool), 1, SL_LANE_TUNNEL);
	sl_pass_flush(&workers[0]);
	if (pthread_create(&thread, NULL, echo, NULL) != 0)
		return 1;
	for (int run = 0; run < runs; run++) {
		uint64_t begun = rte_rdtsc(), packets = 0;

		while (packets < ROUNDTRIPS)
			packets += bounce(&workers[0]);
		printf("%.1f ns\n", (double)(rte_rdtsc() - begun) * 1e9 / (double)rte_get_tsc_hz() /
		                            (double)packets);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	(void)pthread_join(thread, NULL);
	return 0;
}
