/* SPDX-License-Identifier: Apache-2.0 */
#include "control/packet_thread.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_pause.h>
#include <time.h>
#include <unistd.h>

#include "stages/pass.h"
#include "stages/queue.h"
#include "tables/clock.h"

/* Empty rounds before each step of the ladder: poll, then pause, then sleep longer and longer. */
#define SL_POLL_ROUNDS 32u
#define SL_PAUSE_ROUNDS 256u
#define SL_PAUSES 16u
#define SL_FIRST_SLEEP_NS 50000u
#define SL_LONGEST_SLEEP_NS 1000000u
#define SL_HEARTBEATS_PER_SEC 1000u

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/*
 * From offline: whoever frees must either see this thread online, or this thread must see what was
 * unpublished; hence the full fence between the store and the reads that follow.
 */
static void go_online(struct sl_worker *w)
{
	uint64_t now = __atomic_load_n(&w->tables->header.reclaim_epoch, __ATOMIC_ACQUIRE);

	__atomic_store_n(&w->block->epoch, now, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Between rounds: everything read in the last round has been let go of, or other threads have it. */
static void stay_online(struct sl_worker *w)
{
	uint64_t now = __atomic_load_n(&w->tables->header.reclaim_epoch, __ATOMIC_ACQUIRE);

	if (unlikely(now != w->block->epoch) && w->threads > 1)
		now = sl_pass_epoch(w, now);
	if (now != w->block->epoch)
		__atomic_store_n(&w->block->epoch, now, __ATOMIC_RELEASE);
}

static void go_offline(struct sl_worker *w)
{
	__atomic_store_n(&w->block->epoch, 0, __ATOMIC_RELEASE);
}

/* One poll of everything. Returns the number of packets found. */
static uint32_t round_once(struct sl_packet_thread *thread)
{
	struct sl_worker *w = thread->worker;
	struct rte_mbuf *frames[SL_BURST];
	uint32_t found = 0;

	w->now_tsc = rte_rdtsc();
	w->capture = __atomic_load_n(&w->capture_next, __ATOMIC_ACQUIRE);
	for (uint32_t i = 0; i < thread->port_count; i++) {
		uint32_t id = thread->port_ids[i];
		uint16_t n = rte_eth_rx_burst(w->ports[id].dpdk_port, (uint16_t)w->index, frames,
		                              SL_BURST);

		if (n > 0)
			sl_pipeline_receive(w, id, frames, n);
		found += n;
	}
	if (!rte_ring_empty(w->inject)) {
		uint16_t n = (uint16_t)rte_ring_sc_dequeue_burst(w->inject, (void **)frames,
		                                                 SL_BURST, NULL);

		sl_pipeline_inject(w, frames, n);
		found += n;
	}
	if (w->threads > 1)
		found += sl_pipeline_take(w);
	found += sl_pipeline_release(w);
	if (found > 0 || unlikely(w->queues.interfaces != 0))
		found += sl_pipeline_flush(w);
	return found;
}

/*
 * How long to sleep after so many steps of the ladder; 0 = not at all. What waits in a queue of an interface is sent in time: the
 * kernel wakes a thread up some 50 us late.
 */
static uint32_t sleep_time(const struct sl_worker *w, uint32_t step)
{
	uint32_t ns = SL_LONGEST_SLEEP_NS, wait;

	if (step < 16)
		ns = RTE_MIN(SL_FIRST_SLEEP_NS << step / 3, SL_LONGEST_SLEEP_NS);
	if (likely(w->queues.interfaces == 0))
		return ns;
	wait = sl_queues_wait_ns(w, sl_clock(rte_rdtsc(), w->clock_scale),
	                         SL_LONGEST_SLEEP_NS + SL_FIRST_SLEEP_NS);
	return wait <= 2 * SL_FIRST_SLEEP_NS ? 0 : RTE_MIN(ns, wait - SL_FIRST_SLEEP_NS);
}

/* What to do after the `empty`th round in a row without a packet. */
static void idle(struct sl_packet_thread *thread, uint32_t empty)
{
	struct sl_worker *w = thread->worker;
	struct timespec time = {.tv_sec = 0};
	uint32_t sleep_ns = 0;
	bool settled;

	if (empty < SL_POLL_ROUNDS)
		return;
	if (!thread->idle_poll && empty >= SL_PAUSE_ROUNDS)
		sleep_ns = sleep_time(w, empty - SL_PAUSE_ROUNDS);
	if (sleep_ns == 0) {
		for (uint32_t i = 0; i < SL_PAUSES; i++)
			rte_pause();
		return;
	}
	time.tv_nsec = (long)sleep_ns;
	settled = sl_pass_settled(w);
	if (settled) {
		w->epoch_next = 0;
		go_offline(w);
	}
	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
	w->block->sleeps++;
	if (settled)
		go_online(w);
}

/* LACPDUs that wait in the bonding driver go out with what is sent; so that they do when nothing is: */
static void send_lacp(const struct sl_packet_thread *thread)
{
	const struct sl_worker *w = thread->worker;

	for (uint32_t i = 0; i < thread->lag_count; i++)
		(void)rte_eth_tx_burst(w->ports[thread->lag_ids[i]].dpdk_port, (uint16_t)w->index,
		                       NULL, 0);
}

static int packet_loop(void *context)
{
	struct sl_packet_thread *thread = context;
	struct sl_worker *w = thread->worker;
	const uint64_t heartbeat_tsc = rte_get_tsc_hz() / SL_HEARTBEATS_PER_SEC;
	uint64_t next_heartbeat = 0;
	uint32_t empty = 0;

	w->block->tid = (uint32_t)gettid();
	go_online(w);
	__atomic_store_n(&w->block->running, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&thread->stop, __ATOMIC_ACQUIRE) == 0) {
		stay_online(w);
		/* Released, so that whoever sees this round begun knows the last one's reads are over. */
		__atomic_store_n(&w->block->rounds, w->block->rounds + 1, __ATOMIC_RELEASE);
		if (round_once(thread) > 0) {
			w->block->busy_rounds++;
			empty = 0;
		} else if (empty < UINT32_MAX) {
			empty++;
		}
		if (w->now_tsc >= next_heartbeat) {
			w->block->heartbeat_ns = monotonic_ns();
			next_heartbeat = w->now_tsc + heartbeat_tsc;
			if (unlikely(thread->lag_count > 0))
				send_lacp(thread);
		}
		if (empty > 0)
			idle(thread, empty);
	}
	return 0;
}

/* The calling thread does what is left of this one's work, all threads having left. */
static void end(struct sl_worker *w)
{
	w->capture = NULL;
	sl_pipeline_end(w);
	sl_pipeline_flush(w);
	go_offline(w);
	__atomic_store_n(&w->block->running, 0, __ATOMIC_RELEASE);
}

int sl_packet_threads_launch(struct sl_packet_threads *threads)
{
	for (unsigned int i = 0; i < threads->count; i++) {
		struct sl_packet_thread *thread = &threads->thread[i];

		__atomic_store_n(&thread->stop, 0, __ATOMIC_RELEASE);
		if (rte_eal_remote_launch(packet_loop, thread, thread->lcore) != 0)
			return -1;
		thread->launched = true;
	}
	return 0;
}

/* Nobody receives any more: whatever one passed to another comes to its end within a few hops. */
static void take_rest(struct sl_packet_threads *threads)
{
	uint32_t found = 1;

	while (found != 0) {
		found = 0;
		for (unsigned int i = 0; i < threads->count; i++) {
			struct sl_worker *w = threads->thread[i].worker;

			w->capture = NULL;
			found += sl_pipeline_take(w);
			sl_pipeline_flush(w);
		}
	}
}

void sl_packet_threads_stop(struct sl_packet_threads *threads)
{
	bool ended = false;

	for (unsigned int i = 0; i < threads->count; i++)
		__atomic_store_n(&threads->thread[i].stop, 1, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < threads->count; i++) {
		if (!threads->thread[i].launched)
			continue;
		(void)rte_eal_wait_lcore(threads->thread[i].lcore);
		threads->thread[i].launched = false;
		ended = true;
	}
	if (!ended)
		return;
	take_rest(threads);
	for (unsigned int i = 0; i < threads->count; i++)
		end(threads->thread[i].worker);
}

/* Until it has begun two rounds from now on, or, when that is enough, sleeps. 0, or -1 at the deadline. */
static int wait_for_rounds(const struct sl_packet_thread *thread, bool or_asleep, uint64_t deadline)
{
	const struct sl_lcore_block *block = thread->worker->block;
	struct timespec pause = {.tv_nsec = 20000};
	uint64_t first;

	if (!thread->launched)
		return 0;
	first = __atomic_load_n(&block->rounds, __ATOMIC_ACQUIRE);
	/*
	 * The round after `first` may have loaded a pointer before its own count became visible; so two
	 * have to begin.
	 */
	while (__atomic_load_n(&block->rounds, __ATOMIC_ACQUIRE) < first + 2) {
		if (or_asleep && __atomic_load_n(&block->epoch, __ATOMIC_ACQUIRE) == 0)
			return 0;
		if (monotonic_ns() > deadline)
			return -1;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int wait_for_all(const struct sl_packet_threads *threads, bool or_asleep)
{
	uint64_t deadline = monotonic_ns() + 1000000000u;

	/* Pairs with the fence in go_online(). */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < threads->count; i++)
		if (wait_for_rounds(&threads->thread[i], or_asleep, deadline) != 0)
			return -1;
	return 0;
}

int sl_packet_threads_quiesce(void *context) { return wait_for_all(context, true); }

int sl_packet_threads_look(const struct sl_packet_threads *threads)
{
	return wait_for_all(threads, false);
}
