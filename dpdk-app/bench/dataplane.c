/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealane-bench: the whole packet path of the worker on one thread, between a source that copies
 * prepared frames into fresh mbufs and a sink that frees what is sent.
 *
 *   sealane-bench TABLES STATE ADDRESSES RUNS PACKETS CASE... -- EAL arguments
 *   CASE = out|in|plain|gre,BYTES|imix,SAS,VRFS,ROUTES      (cases.h)
 *
 * perf/dataplane-rows.ts writes the tables and says which rows mean what; ADDRESSES is a file of 32-bit
 * addresses that a million routes lead somewhere. Prints "ready" when the SAs are installed, waits for a
 * line (ADDRESSES, SPI table and routes are written meanwhile), then prints one JSON object per case: nanoseconds of on-CPU
 * time per packet, per run, of the path, of the raw cipher on BYTES bytes in the same run, and of source
 * and sink alone; and of each stage, from one more run, with clocks.
 */
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "control/packet_pool.h"
#include "control/sa_store.h"
#include "esp/esp.h"
#include "segments/state_segment.h"
#include "segments/tables_segment.h"
#include "stage_clock.h"
#include "variant.h"
#include "worker.h"

#define RAW_FRAMES 256u
/* From so many frames on, the time it takes to forget their sequence numbers is taken out. */
#define UNTIMED_FORGET 1024u

uint64_t sl_stage_clock[SL_CLOCK_COUNT];

struct bench {
	struct sl_worker worker;
	struct sl_state_segment segment;
	struct sl_sa_store store;
	struct bench_addresses addresses;
	struct bench_frames frames;
	uint32_t next;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "sealane-bench: %s: %s\n", what, why);
	exit(1);
}

/* On-CPU nanoseconds of this thread so far: neighbours on the core do not count. */
static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* The source: fills what net_null handed out with the next prepared frames. */
static uint16_t fill(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t n,
                     uint16_t max, void *context)
{
	struct bench *b = context;

	(void)port, (void)queue, (void)max;
	for (uint16_t i = 0; i < n; i++) {
		const struct bench_frame *frame = &b->frames.frame[b->next];

		memcpy(rte_pktmbuf_mtod(mbufs[i], void *), frame->bytes, frame->length);
		mbufs[i]->data_len = frame->length;
		mbufs[i]->pkt_len = frame->length;
		b->next = b->next + 1 == b->frames.count ? 0 : b->next + 1;
	}
	return n;
}

/* Forget the sequence numbers of the prepared frames, so that they are new once more. */
static void forget(struct bench *b)
{
	for (uint32_t i = 0; i < b->frames.count; i++) {
		const struct bench_frame *frame = &b->frames.frame[i];
		struct sl_sa_in_state *state = &b->segment.state->sa_in[frame->sa];

		state->highest_sequence = 0;
		state->window[frame->sequence / 64 % SL_REPLAY_WORDS] = 0;
	}
}

static uint64_t dropped(const struct bench *b)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < SL_DROP_COUNT; i++)
		sum += b->worker.block->drops[i];
	return sum;
}

static uint64_t transmitted(void)
{
	struct rte_eth_stats stats;
	uint64_t sum = 0;
	uint16_t port;

	RTE_ETH_FOREACH_DEV (port) {
		if (rte_eth_stats_get(port, &stats) == 0)
			sum += stats.opackets;
	}
	return sum;
}

/* The worker's, or the one with clocks. */
struct path {
	void (*receive)(struct sl_worker *w, uint32_t port, struct rte_mbuf **frames, uint16_t n);
	uint32_t (*flush)(struct sl_worker *w);
};
static const struct path worker_path = {sl_pipeline_receive, sl_pipeline_flush};

/* The clocks around the stages of the variant in use. */
static struct path clocked_path(void)
{
	static const struct {
		const char *variant;
		struct path path;
	} paths[] = {
		{"generic", {sl_pipeline_receive_clocked_generic, sl_pipeline_flush}},
		{"avx2", {sl_pipeline_receive_clocked_avx2, sl_pipeline_flush}},
		{"avx512", {sl_pipeline_receive_clocked_avx512, sl_pipeline_flush}},
	};

	for (unsigned int i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (strcmp(paths[i].variant, sl_variant_used()->name) == 0)
			return paths[i].path;
	die("no pipeline with clocks for the variant", sl_variant_used()->name);
	return worker_path;
}

/* ns per packet of the path; without one, of source and sink alone. */
static double run_path(struct bench *b, uint32_t port, uint64_t packets, bool inbound,
                       const struct path *path)
{
	struct rte_mbuf *frames[SL_BURST];
	uint64_t done = 0, passes = 0, sent = transmitted(), drops = dropped(b), begin, pause;
	uint16_t dpdk = b->worker.ports[port].dpdk_port;

	b->next = 0;
	if (inbound)
		forget(b);
	begin = cpu_ns();
	while (done < packets) {
		uint16_t n = rte_eth_rx_burst(dpdk, 0, frames, SL_BURST);

		b->worker.now_tsc = rte_rdtsc();
		if (path != NULL) {
			path->receive(&b->worker, port, frames, n);
			(void)path->flush(&b->worker);
		} else {
			(void)rte_eth_tx_burst(dpdk, 0, frames, n);
		}
		done += n;
		if (inbound && done / b->frames.count != passes) {
			passes = done / b->frames.count;
			pause = b->frames.count < UNTIMED_FORGET ? 0 : cpu_ns();
			forget(b);
			begin += pause == 0 ? 0 : cpu_ns() - pause;
		}
	}
	begin = cpu_ns() - begin;
	if (dropped(b) != drops || transmitted() - sent != done)
		die("measurement is void", "packets were dropped or lost");
	return (double)begin / (double)done;
}

/* The wall: one-shot GCM over as many bytes, IVs written in an earlier pass. */
static double run_raw(struct bench *b, const struct bench_case *c, uint64_t packets)
{
	static uint8_t buffers[RAW_FRAMES][BENCH_FRAME_MAX] __rte_aligned(64);
	static uint16_t bytes[RAW_FRAMES * 3]; /* whole mixes of IMIX */
	static uint8_t nonces[SL_BURST][16];
	const struct sl_sa_key *key = c->inbound ? b->worker.keys_in[1] : b->worker.keys_out[1];
	struct gcm_context_data context;
	uint8_t icv[16];
	uint64_t done = 0, begin;

	for (uint32_t i = 0; i < RTE_DIM(bytes); i++)
		bytes[i] = bench_case_bytes(c, i);
	begin = cpu_ns();
	while (done < packets) {
		for (uint32_t i = 0; i < SL_BURST; i++) {
			memcpy(nonces[i], key->salt, 4);
			sl_put64(nonces[i] + 4, done + i);
		}
		for (uint32_t i = 0; i < SL_BURST; i++) {
			uint8_t *at = buffers[(done + i) % RAW_FRAMES];

			(c->inbound ? key->open : key->seal)(&key->gcm, &context, at + 16, at + 16,
			                                     bytes[(done + i) % RTE_DIM(bytes)],
			                                     nonces[i], at, 8, icv, 16);
		}
		done += SL_BURST;
	}
	return (double)(cpu_ns() - begin) / (double)done;
}

/* Nanoseconds per packet of each stage that took any. */
static void print_stages(struct bench *b, uint32_t port, uint64_t packets, bool inbound)
{
#define STAGE_NAME(stage) #stage,
	static const char *const names[] = {SL_CLOCKED_STAGES(STAGE_NAME)};
	double per_cycle = 1e9 / (double)rte_get_tsc_hz() / (double)packets;
	const char *comma = "";
	struct path clocked = clocked_path();

	memset(sl_stage_clock, 0, sizeof(sl_stage_clock));
	(void)run_path(b, port, packets, inbound, &clocked);
	printf(",\"stages\":{");
	for (unsigned int i = 0; i < SL_CLOCK_COUNT; i++) {
		double ns = (double)sl_stage_clock[i] * per_cycle;

		if (ns >= 0.05) {
			printf("%s\"%s\":%.1f", comma, names[i], ns);
			comma = ",";
		}
	}
	printf("}");
}

static void measure(struct bench *b, const char *text, unsigned int runs, uint64_t packets)
{
	struct bench_case c;
	uint32_t port;

	if (!bench_case_parse(text, &c))
		die("bad case", text);
	if (!bench_case_prepare(&c, b->worker.tables, b->worker.keys_in, &b->addresses, &b->frames))
		die("memory", "not enough for the frames");
	port = c.inbound ? BENCH_PORT_CORE : BENCH_PORT_CE;
	packets = RTE_MAX(packets, 2 * (uint64_t)b->frames.count);
	(void)run_path(b, port, RTE_MAX(packets / 8, b->frames.count), c.inbound, &worker_path);
	printf("{\"direction\":\"%s\",\"bytes\":\"%s\",\"sas\":%u,\"vrfs\":%u,\"routes\":%u,"
	       "\"runs\":[",
	       c.direction, c.bytes, c.sas, c.vrfs, c.routes);
	for (unsigned int r = 0; r < runs; r++) {
		double raw = run_raw(b, &c, packets);
		double path = run_path(b, port, packets, c.inbound, &worker_path);
		double ends = run_path(b, port, packets, false, NULL);

		printf("%s{\"raw\":%.2f,\"path\":%.2f,\"ends\":%.2f}", r == 0 ? "" : ",", raw, path,
		       ends);
	}
	printf("]");
	print_stages(b, port, packets, c.inbound);
	printf("}\n");
	fflush(stdout);
	bench_frames_free(&b->frames);
}

/* The file of addresses, as long as the program runs. */
static void read_addresses(struct bench_addresses *a, const char *path)
{
	static uint32_t addresses[65536];
	FILE *file = fopen(path, "rb");

	if (file == NULL)
		die(path, "cannot be read");
	a->count = (uint32_t)fread(addresses, sizeof(addresses[0]), RTE_DIM(addresses), file);
	a->address = addresses;
	fclose(file);
	if (a->count == 0)
		die(path, "has no addresses");
}

static void start_port(struct bench *b, uint32_t id, uint16_t dpdk)
{
	struct rte_eth_conf conf = {0};

	if (rte_eth_dev_configure(dpdk, 1, 1, &conf) != 0 ||
	    rte_eth_rx_queue_setup(dpdk, 0, 512, 0, NULL, b->worker.pool) != 0 ||
	    rte_eth_tx_queue_setup(dpdk, 0, 512, 0, NULL) != 0 || rte_eth_dev_start(dpdk) != 0 ||
	    rte_eth_add_rx_callback(dpdk, 0, fill, b) == NULL)
		die("cannot start a net_null port", "two are needed: --vdev net_null0 ...");
	b->worker.ports[id].dpdk_port = dpdk;
	b->worker.ports[id].interface_by_vlan[0] = id; /* interface row = port id here */
	for (uint32_t vlan = 1; id == BENCH_PORT_CE && vlan <= BENCH_VLANS; vlan++)
		b->worker.ports[id].interface_by_vlan[vlan] = BENCH_PORT_CORE + vlan;
}

static void attach(struct bench *b, const char *tables, const char *state)
{
	struct sl_fault fault = {0};
	struct sl_worker *w = &b->worker;

	w->tables = sl_tables_attach(tables, 1000, &fault);
	if (w->tables == NULL || sl_state_attach(&b->segment, state, w->tables, &fault) != 0 ||
	    sl_state_commit_lcores(&b->segment, 1, &fault) != 0 ||
	    sl_state_commit_labels(&b->segment, 4096, &fault) != 0 ||
	    sl_sa_store_init(&b->store, w->tables, &b->segment, &fault) != 0)
		die(fault.message, fault.remedy);
	w->state = b->segment.state;
	w->block = &w->state->lcore[0].block;
	w->crypto = b->store.crypto;
	w->keys_out = b->store.keys[SL_OUT];
	w->keys_in = b->store.keys[SL_IN];
	w->labels_backed = 4096;
	fprintf(stderr, "sealane-bench: %u SAs ready\n", sl_sa_store_attach(&b->store));
}

int main(int argc, char **argv)
{
	static const bool takes_udp;
	static struct bench bench;
	struct sl_worker *w = &bench.worker;
	int cases = 6, end = 6, used;
	char line[16];

	while (end < argc && strcmp(argv[end], "--") != 0)
		end++;
	if (end < 7 || end == argc)
		die("usage", "TABLES STATE ADDRESSES RUNS PACKETS CASE... -- EAL arguments");
	argv[end] = argv[0];
	sl_variant_use(sl_variant_best()); /* as the worker does */
	used = rte_eal_init(argc - end, argv + end);
	if (used < 0)
		die("EAL", "could not start");
	w->pool = sl_packet_pool("packets", 8191, SL_HEADROOM + BENCH_FRAME_MAX + 128, 1);
	w->waiting = sl_waiting_most;
	w->takes_udp = &takes_udp;
	w->ports = calloc(SL_MAX_PORTS, sizeof(*w->ports));
	w->tx = calloc(SL_MAX_PORTS, sizeof(*w->tx));
	w->punt = rte_ring_create("punt", 1024, SOCKET_ID_ANY, 0);
	w->inject = rte_ring_create("inject", 1024, SOCKET_ID_ANY, 0);
	w->acquire = rte_ring_create("acquire", 1024, SOCKET_ID_ANY, 0);
	if (w->pool == NULL || w->ports == NULL || w->tx == NULL || w->punt == NULL ||
	    w->inject == NULL || w->acquire == NULL)
		die("memory", "not enough");
	for (uint32_t i = 0; i < SL_MAX_PORTS; i++)
		w->ports[i].dpdk_port = RTE_MAX_ETHPORTS;
	attach(&bench, argv[1], argv[2]);
	start_port(&bench, BENCH_PORT_CE, 0);
	start_port(&bench, BENCH_PORT_CORE, 1);
	printf("ready\n");
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return 0;
	read_addresses(&bench.addresses, argv[3]);
	for (; cases < end; cases++)
		measure(&bench, argv[cases], (unsigned int)atoi(argv[4]),
		        strtoull(argv[5], NULL, 10));
	sl_sa_store_free(&bench.store);
	rte_eal_cleanup();
	return 0;
}
