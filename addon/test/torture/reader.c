/* SPDX-License-Identifier: Apache-2.0 */
#include "reader.h"

#include <intel-ipsec-mb.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/sa_store.h"
#include "net/bytes.h"
#include "net/checksum.h"
#include "net/mpls.h"
#include "segments/state_segment.h"
#include "stages/packet.h"
#include "stages/queue.h"
#include "stages/stage.h"
#include "worker.h"

/* Behind the IP header of each packet. */
struct note {
	uint32_t magic;
	uint8_t customer, family, lasting, reserved;
	uint64_t serial;
	uint8_t destination[16];
};
#define MAGIC 0x70727475u
#define PROTOCOL 253u /* for experiments (RFC 3692) */

struct torture_reader {
	struct sl_worker worker; /* first: a stage is given this */
	uint32_t index;
	uint64_t random;
	uint64_t serial;
	uint64_t lasting_back; /* in this round */
	struct torture_count count;
	struct rte_mbuf *core[2 * SL_BURST]; /* sent into tunnels, to be received again */
	uint16_t core_count;
};

static struct {
	const struct sl_tables *tables;
	const struct torture_prefix *prefixes;
	struct sl_state_segment segment;
	struct sl_sa_store store;
	struct torture_reader *readers[TORTURE_READERS];
} torture;

/* What happens to packets while what they need comes and goes; any other reason is a wrong answer. */
static const enum sl_drop_reason in_change[] = {
	SL_DROP_nexthop_unusable, SL_DROP_sa_not_ready,  SL_DROP_sa_missing,      SL_DROP_blackhole,
	SL_DROP_held_expired,     SL_DROP_label_unknown, SL_DROP_esp_unknown_spi,
};

#define REQUIRE(condition, ...)                                                                    \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: failed: %s: ", __FILE__, __LINE__, #condition);    \
			fprintf(stderr, __VA_ARGS__);                                              \
			fprintf(stderr, "\n");                                                     \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static uint64_t draw(struct torture_reader *r)
{
	r->random ^= r->random << 13;
	r->random ^= r->random >> 7;
	r->random ^= r->random << 17;
	return r->random * 0x2545f4914f6cdd1dull >> 16;
}

/* ---- The control thread's part ---------------------------------------------------------------- */

/* As sl_packet_thread_quiesce(): two rounds have begun since, or the thread was seen offline. */
static int quiesce(void *context)
{
	(void)context;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < TORTURE_READERS; i++) {
		const struct sl_lcore_block *block;
		uint64_t first;

		if (torture.readers[i] == NULL)
			continue;
		block = torture.readers[i]->worker.block;
		first = __atomic_load_n(&block->rounds, __ATOMIC_ACQUIRE);
		while (__atomic_load_n(&block->epoch, __ATOMIC_ACQUIRE) != 0 &&
		       __atomic_load_n(&block->rounds, __ATOMIC_ACQUIRE) < first + 2)
			sched_yield();
	}
	return 0;
}

static void start_eal(void)
{
	static char text[][40] = {"torture",        "--no-huge",         "-m", "96",
	                          "--no-pci",       "--no-shconf",       "-l", "0",
	                          "--no-telemetry", "--log-level=error", ""};
	enum { ARGS = sizeof(text) / sizeof(text[0]) };
	char *args[ARGS];
	cpu_set_t all;

	snprintf(text[ARGS - 1], sizeof(text[0]), "--file-prefix=sealane-test-%d", (int)getpid());
	for (unsigned int i = 0; i < ARGS; i++)
		args[i] = text[i];
	REQUIRE(sched_getaffinity(0, sizeof(all), &all) == 0, "affinity");
	REQUIRE(rte_eal_init(ARGS, args) >= 0, "EAL");
	REQUIRE(sched_setaffinity(0, sizeof(all), &all) == 0, "affinity");
}

void torture_start(const char *path, const struct sl_tables *tables,
                   const struct torture_prefix *prefixes)
{
	struct sl_fault fault = {0};

	start_eal();
	torture.tables = tables;
	torture.prefixes = prefixes;
	REQUIRE(sl_state_attach(&torture.segment, path, tables, &fault) == 0 &&
	                sl_state_commit_lcores(&torture.segment, TORTURE_READERS, &fault) == 0 &&
	                sl_sa_store_init(&torture.store, tables, &torture.segment, &fault) == 0,
	        "%s", fault.message);
	torture.store.quiesce = quiesce;
}

void torture_share(const void *where)
{
	uintptr_t at = (uintptr_t)where;

	REQUIRE(mmap((void *)at, sizeof(struct sl_state), PROT_READ | PROT_WRITE,
	             MAP_SHARED | MAP_FIXED, torture.segment.fd, 0) == (void *)at,
	        "map");
	munmap(torture.segment.state, sizeof(struct sl_state));
	torture.segment.state = (void *)at;
}

int torture_install(int inbound, uint32_t row)
{
	struct sl_fault fault = {0};

	if (sl_sa_install(&torture.store, inbound ? SL_IN : SL_OUT, row, &fault) != 0) {
		fprintf(stderr, "install: %s\n", fault.message);
		return 0;
	}
	/* The PE talks to itself, so both directions have one key, which no PE's worker would take. */
	sl_key_index_free(&torture.store.index);
	REQUIRE(sl_key_index_init(&torture.store.index, 64) == 0, "memory");
	return 1;
}

void torture_sweep(void) { sl_sa_sweep(&torture.store, 4096); }

/* ---- Packets ---------------------------------------------------------------------------------- */

/* An address that a prefix covers. */
static void address_in(struct torture_reader *r, const struct torture_prefix *prefix, uint8_t *to)
{
	unsigned int bytes = prefix->family == 4 ? 4 : 16;

	memset(to, 0, 16);
	for (unsigned int i = 0; i < bytes; i++) {
		unsigned int fixed = prefix->length > 8 * i ? prefix->length - 8 * i : 0;
		uint8_t mask = fixed >= 8 ? 0xff : (uint8_t) ~(0xffu >> fixed);

		to[i] = (uint8_t)((prefix->address[i] & mask) | ((uint8_t)draw(r) & ~mask));
	}
}

static int covers(const struct torture_prefix *prefix, const uint8_t *address)
{
	for (unsigned int bit = 0; bit < prefix->length; bit++)
		if (((prefix->address[bit / 8] ^ address[bit / 8]) >> (7 - bit % 8) & 1) != 0)
			return 0;
	return 1;
}

/* One packet of four has only what lasts. Prefixes that change lie in the quarter with bits 01 behind the first byte. */
static void choose(struct torture_reader *r, struct note *note)
{
	uint32_t which = (uint32_t)(draw(r) % TORTURE_PREFIXES);

	*note = (struct note){.magic = MAGIC, .serial = ++r->serial};
	note->customer = (uint8_t)(2 * r->index + draw(r) % 2);
	note->lasting = draw(r) % 4 == 0;
	if (note->lasting)
		which %= TORTURE_LASTING;
	note->family = torture.prefixes[which].family;
	address_in(r, &torture.prefixes[which], note->destination);
	if (note->lasting)
		note->destination[1] &= 0x3f;
}

static struct rte_mbuf *make_packet(struct torture_reader *r)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(r->worker.pool);
	uint8_t *frame, *ip;
	struct note note;
	unsigned int header;
	uint32_t vrf;

	REQUIRE(m != NULL, "reader %u loses mbufs", r->index);
	choose(r, &note);
	vrf = torture_vrf_in(note.customer);
	header = note.family == 4 ? 20 : 40;
	m->data_off = SL_HEADROOM;
	frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(18 + header + sizeof(note)));
	REQUIRE(frame != NULL, "no room");
	memcpy(frame, torture.tables->interface[torture_interface(vrf)].mac, 6);
	memset(frame + 6, 0x0c, 6);
	sl_put16(frame + 12, 0x8100);
	sl_put16(frame + 14, (uint16_t)vrf);
	sl_put16(frame + 16, note.family == 4 ? 0x0800 : 0x86dd);
	ip = frame + 18;
	memset(ip, 0, header);
	if (note.family == 4) {
		static const uint8_t source[4] = {203, 0, 113, 1};

		ip[0] = 0x45;
		sl_put16(ip + 2, (uint16_t)(header + sizeof(note)));
		ip[8] = 64;
		ip[9] = PROTOCOL;
		memcpy(ip + 12, source, 4);
		memcpy(ip + 16, note.destination, 4);
		sl_put16(ip + 10, (uint16_t)~sl_sum_fold(sl_sum(ip, 20, 0)));
	} else {
		static const uint8_t source[16] = {0x20, 1, 0x0d, 0xb8, 0xff, [15] = 1};

		ip[0] = 0x60;
		sl_put16(ip + 4, sizeof(note));
		ip[6] = PROTOCOL;
		ip[7] = 64;
		memcpy(ip + 8, source, 16);
		memcpy(ip + 24, note.destination, 16);
	}
	memcpy(ip + header, &note, sizeof(note));
	return m;
}

/* A packet leaves on a CE interface: of the right customer, by a label that was for its address, unchanged. */
static void deliver(struct torture_reader *r, struct rte_mbuf *m, uint32_t interface)
{
	const struct sl_packet *p = sl_packet(m);
	const uint8_t *ip = sl_l3(m, p), *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	unsigned int header = p->family == 4 ? 20 : 40;
	uint32_t label = sl_mpls_label(p->label), prefix;
	struct note note;

	REQUIRE(sl_l3_len(m, p) == header + sizeof(note) && ip[p->family == 4 ? 9 : 6] == PROTOCOL,
	        "%u bytes, not what was sent", sl_l3_len(m, p));
	memcpy(&note, ip + header, sizeof(note));
	REQUIRE(note.magic == MAGIC && note.family == p->family &&
	                memcmp(note.destination, ip + header - (p->family == 4 ? 4 : 16),
	                       p->family == 4 ? 4 : 16) == 0,
	        "packet %llu is not what it was", (unsigned long long)note.serial);
	REQUIRE(interface == torture_interface(torture_vrf_out(note.customer)) &&
	                p->vrf == torture_vrf_out(note.customer) && frame[4] == p->vrf,
	        "customer %u's packet leaves on interface %u, VRF %u, to MAC ..:%02x",
	        note.customer, interface, p->vrf, frame[4]);
	REQUIRE(label >= 16 && (label - 16) % TORTURE_CUSTOMERS == note.customer,
	        "customer %u's packet came by label %u", note.customer, label);
	prefix = (label - 16) / TORTURE_CUSTOMERS;
	REQUIRE(prefix < TORTURE_PREFIXES && torture.prefixes[prefix].family == note.family &&
	                covers(&torture.prefixes[prefix], note.destination),
	        "label %u is not for the packet's address", label);
	REQUIRE(!note.lasting || prefix < TORTURE_LASTING,
	        "a lasting packet came by a route of prefix %u", prefix);
	r->count.delivered++;
	r->count.flows += prefix >= TORTURE_LASTING;
	r->lasting_back += note.lasting;
	rte_pktmbuf_free(m);
}

/* In the place of the worker's, which queues frames on ports. */
uint16_t sl_stage_tx(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	struct torture_reader *r = (struct torture_reader *)w;

	for (uint16_t i = 0; i < n; i++) {
		uint32_t interface = w->tables->version[sl_packet(packets[i])->version].interface;

		if (interface != TORTURE_IF_CORE) {
			deliver(r, packets[i], interface);
			continue;
		}
		REQUIRE(r->core_count < RTE_DIM(r->core), "packets multiply");
		r->core[r->core_count++] = packets[i];
	}
	return 0;
}

/* Each reader is a packet thread that owns all SAs: none passes anything. */
uint16_t sl_stage_tx_passed(struct sl_worker *w, struct rte_mbuf **frames, uint16_t n)
{
	(void)w, (void)frames;
	REQUIRE(n == 0, "a frame of another thread");
	return 0;
}

uint16_t sl_stage_inject(struct sl_worker *w, struct rte_mbuf **frames, uint16_t n)
{
	(void)w, (void)frames;
	REQUIRE(n == 0, "nothing comes from the kernel");
	return 0;
}

/* Nothing gets that far. */
void sl_queues_end(struct sl_worker *w)
{
	REQUIRE(w->queues.interfaces == 0, "nothing waits in a queue");
}

/* ---- Rounds ----------------------------------------------------------------------------------- */

static void receive_core(struct torture_reader *r)
{
	struct rte_mbuf *frames[SL_BURST];

	while (r->core_count != 0) {
		uint16_t n = r->core_count < SL_BURST ? r->core_count : SL_BURST;

		r->core_count = (uint16_t)(r->core_count - n);
		memcpy(frames, r->core + r->core_count, n * sizeof(*frames));
		sl_pipeline_receive(&r->worker, TORTURE_PORT_CORE, frames, n);
	}
}

static void round_once(struct torture_reader *r)
{
	struct sl_worker *w = &r->worker;
	struct rte_mbuf *frames[SL_BURST];
	uint64_t lasting = 0;
	void *asked;

	w->now_tsc = rte_rdtsc();
	r->lasting_back = 0;
	for (unsigned int i = 0; i < SL_BURST; i++) {
		frames[i] = make_packet(r);
		lasting +=
			(uint64_t)(*(rte_pktmbuf_mtod(frames[i], uint8_t *) + frames[i]->data_len -
		                     sizeof(struct note) + offsetof(struct note, lasting)));
	}
	sl_pipeline_receive(w, TORTURE_PORT_CE, frames, SL_BURST);
	receive_core(r);
	(void)sl_pipeline_release(w);
	receive_core(r);
	while (rte_ring_dequeue(w->acquire, &asked) == 0)
		;
	REQUIRE(r->lasting_back == lasting, "%llu of %llu packets that nothing may stop are lost",
	        (unsigned long long)(lasting - r->lasting_back), (unsigned long long)lasting);
	r->count.sent += SL_BURST;
	r->count.lasting += lasting;
	r->count.rounds++;
}

/* Only for reasons that a change gives; none is lost in another way. */
static void check_drops(struct torture_reader *r)
{
	const uint64_t *drops = r->worker.block->drops;
	uint64_t allowed = 0, all = 0;

	for (unsigned int i = 0; i < RTE_DIM(in_change); i++)
		allowed += drops[in_change[i]];
	for (unsigned int i = 0; i < SL_DROP_COUNT; i++)
		all += drops[i];
	for (unsigned int i = 0; i < SL_DROP_COUNT && all != allowed; i++)
		if (drops[i] != 0)
			fprintf(stderr, "reader %u: drop reason %u: %llu\n", r->index, i,
			        (unsigned long long)drops[i]);
	REQUIRE(all == allowed, "dropped for a reason that no change gives");
	REQUIRE(r->count.sent == r->count.delivered + all + r->worker.hold.count,
	        "%llu sent, %llu delivered, %llu dropped, %u held",
	        (unsigned long long)r->count.sent, (unsigned long long)r->count.delivered,
	        (unsigned long long)all, r->worker.hold.count);
	r->count.dropped = all;
}

static void go_online(struct sl_worker *w)
{
	uint64_t now = __atomic_load_n(&w->tables->header.reclaim_epoch, __ATOMIC_ACQUIRE);

	__atomic_store_n(&w->block->epoch, now, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void one_round(struct torture_reader *r)
{
	struct sl_worker *w = &r->worker;

	go_online(w);
	__atomic_store_n(&w->block->rounds, w->block->rounds + 1, __ATOMIC_RELEASE);
	round_once(r);
	if (r->count.rounds % 64 == 0) {
		check_drops(r);
		__atomic_store_n(&w->block->epoch, 0, __ATOMIC_RELEASE);
		sched_yield();
	}
}

static void end(struct torture_reader *r)
{
	check_drops(r);
	__atomic_store_n(&r->worker.block->epoch, 0, __ATOMIC_RELEASE);
}

void torture_reader_run(struct torture_reader *r, const int *stop)
{
	while (__atomic_load_n(stop, __ATOMIC_ACQUIRE) == 0)
		one_round(r);
	end(r);
	sl_pipeline_end(&r->worker);
	REQUIRE(torture_reader_kept(r) == 0, "reader %u lost mbufs", r->index);
}

void torture_reader_rounds(struct torture_reader *r, uint64_t rounds)
{
	while (rounds-- > 0)
		one_round(r);
	end(r);
}

uint64_t torture_reader_kept(const struct torture_reader *r)
{
	const struct sl_worker *w = &r->worker;

	return rte_mempool_in_use_count(w->pool) + rte_ring_count(w->punt) +
	       rte_ring_count(w->acquire) + w->hold.count + w->reassembly.pieces + r->core_count;
}

struct torture_reader *torture_reader_new(uint32_t index, uint64_t seed)
{
	struct torture_reader *r = rte_zmalloc("reader", sizeof(*r), RTE_CACHE_LINE_SIZE);
	struct sl_worker *w = &r->worker;
	char name[3][16];

	REQUIRE(r != NULL, "memory");
	snprintf(name[0], sizeof(name[0]), "packets%u", index);
	snprintf(name[1], sizeof(name[1]), "punt%u", index);
	snprintf(name[2], sizeof(name[2]), "acquire%u", index);
	r->index = index;
	r->random = seed | 1;
	w->tables = torture.tables;
	w->state = torture.segment.state;
	w->waiting = sl_waiting_most;
	w->takes_udp = &torture.store.takes_udp;
	/* its index is 0, as of the one thread of a worker: owner of all SAs it meets */
	w->block = &w->state->lcore[index].block;
	w->pool = rte_pktmbuf_pool_create(name[0], 511, 0, sizeof(struct sl_packet),
	                                  SL_HEADROOM + 512, SOCKET_ID_ANY);
	w->punt = rte_ring_create(name[1], 64, SOCKET_ID_ANY, 0);
	w->acquire = rte_ring_create(name[2], 64, SOCKET_ID_ANY, 0);
	w->ports = calloc(SL_MAX_PORTS, sizeof(*w->ports));
	w->tx = calloc(SL_MAX_PORTS, sizeof(*w->tx));
	w->hold.asked_tsc = calloc(SL_MAX_NEXTHOPS, sizeof(*w->hold.asked_tsc));
	w->crypto = alloc_mb_mgr(0);
	REQUIRE(w->pool != NULL && w->punt != NULL && w->acquire != NULL && w->ports != NULL &&
	                w->tx != NULL && w->hold.asked_tsc != NULL && w->crypto != NULL,
	        "memory");
	init_mb_mgr_auto(w->crypto, NULL);
	w->keys_out = torture.store.keys[SL_OUT];
	w->keys_in = torture.store.keys[SL_IN];
	w->ports[TORTURE_PORT_CORE].interface_by_vlan[0] = TORTURE_IF_CORE;
	for (uint32_t vrf = 1; vrf <= 2 * TORTURE_CUSTOMERS; vrf++)
		w->ports[TORTURE_PORT_CE].interface_by_vlan[vrf] = torture_interface(vrf);
	torture.readers[index] = r;
	return r;
}

struct torture_count torture_reader_count(const struct torture_reader *r) { return r->count; }
