/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole packet path: tables of the input's first octets, then frames (support/fuzz_tables.h,
 * support/fuzz_frames.h). Sanitizers see every access inside the mbufs (stages/poison.h). Besides:
 *
 *   - every packet is sent, punted, held, cut, joined, or dropped and counted for one reason; an ICMP error is
 *     the packet it is about, counted once for what was wrong with it and once for what becomes of it
 *   - no mbuf is lost
 *   - nothing that came in clear, by a label that is not accepted in clear, leaves to a CE or a VRF's kernel
 *     side; nor what came out of an SA by a label that does not accept that SA
 *   - where every tunnel is an SA, nothing of a VRF leaves to the core but ESP that its peer can open
 */
#include "stages/fragment.h"
#include "stages/ip_header.h"
#include "stages/packet.h"
#include "stages/reassemble.h"
#include "stages/stage.h"
#include "support/fuzz_frames.h"

#define FUZZ_FRAMES 128u

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct fuzz_note notes[FUZZ_FRAMES];
static uint32_t frames;      /* in so far; also that many notes */
static uint64_t icmp_errors; /* calls */
static uint64_t out, punted; /* punted: without requests for a neighbour, which are drops */
static uint64_t pieces;      /* more packets than were cut up */
static uint64_t joined;      /* fewer packets than fragments were joined */
/* The fuzzer hit upon an ICV, or notes are mixed up: where packets leave is not judged. */
static bool forged;

/* Called in the place of sl_icmp_error(), which it calls: the linker's --wrap. */
void __real_sl_icmp_error(struct sl_worker *w, struct rte_mbuf *m, enum sl_drop_reason reason,
                          enum sl_icmp_error error, uint16_t mtu);
void __wrap_sl_icmp_error(struct sl_worker *w, struct rte_mbuf *m, enum sl_drop_reason reason,
                          enum sl_icmp_error error, uint16_t mtu);

void __wrap_sl_icmp_error(struct sl_worker *w, struct rte_mbuf *m, enum sl_drop_reason reason,
                          enum sl_icmp_error error, uint16_t mtu)
{
	icmp_errors++;
	__real_sl_icmp_error(w, m, reason, error, mtu);
}

struct rte_mbuf *__real_sl_reassemble(struct sl_worker *w, struct rte_mbuf *m,
                                      const struct sl_upper *upper);
struct rte_mbuf *__wrap_sl_reassemble(struct sl_worker *w, struct rte_mbuf *m,
                                      const struct sl_upper *upper);

struct rte_mbuf *__wrap_sl_reassemble(struct sl_worker *w, struct rte_mbuf *m,
                                      const struct sl_upper *upper)
{
	uint32_t before = w->reassembly.pieces;
	struct rte_mbuf *whole = __real_sl_reassemble(w, m, upper);

	if (whole != NULL)
		joined += before - w->reassembly.pieces;
	return whole;
}

typedef void leave_fn(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
void __real_sl_fragment(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n,
                        leave_fn *leave);
void __wrap_sl_fragment(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n,
                        leave_fn *leave);

/* Of the call of sl_fragment() that runs. */
static struct {
	leave_fn *leave;
	struct rte_mbuf *packet[SL_BURST];
	uint16_t n;
	uint32_t note; /* of the packet before */
	uint64_t left, dropped_behind;
} cut;

/* What leaves sl_fragment(): pieces follow their packet, and get its note. */
static void note_pieces(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
	uint64_t before = world_all_drops();

	for (uint16_t i = 0; i < n; i++) {
		bool itself = false;

		for (uint16_t j = 0; j < cut.n; j++)
			itself |= packets[i] == cut.packet[j];
		if (itself)
			cut.note = packets[i]->hash.usr;
		packets[i]->hash.usr = cut.note;
	}
	cut.left += n;
	cut.leave(w, packets, n);
	cut.dropped_behind += world_all_drops() - before;
}

void __wrap_sl_fragment(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n, leave_fn *leave)
{
	uint64_t before = world_all_drops(), dropped;

	memset(&cut, 0, sizeof(cut));
	cut.leave = leave;
	cut.n = n;
	memcpy(cut.packet, packets, n * sizeof(packets[0]));
	__real_sl_fragment(w, packets, n, note_pieces);
	dropped = world_all_drops() - before - cut.dropped_behind;
	pieces += cut.left + dropped - n;
	/* the mbuf of one that was dropped may be another's piece by now: whose note is whose? */
	forged |= dropped != 0;
}

uint16_t __real_sl_stage_decap(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);
uint16_t __wrap_sl_stage_decap(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n);

/* Another program of this source has a fault planted here, behind ESP, which must be found first. */
uint16_t __wrap_sl_stage_decap(struct sl_worker *w, struct rte_mbuf **packets, uint16_t n)
{
#ifdef SEALANE_PLANTED
	static volatile uint8_t sink;

	for (uint16_t i = 0; i < n; i++) {
		const struct sl_packet *p = sl_packet(packets[i]);

		/* believes that there is a label behind every GRE header out of an SA */
		if (p->lane == SL_LANE_GRE && p->arrival.sp_table != 0)
			sink = rte_pktmbuf_mtod_offset(packets[i], uint8_t *, p->upper_offset)[7];
	}
	(void)sink;
#endif
	return __real_sl_stage_decap(w, packets, n);
}

static void refuse(const char *what, const struct fuzz_note *note)
{
	fprintf(stderr, "%s: came by port %u, %s, encapsulation %u, label %u, SA %u\n", what,
	        note->port, note->sealed ? "sealed" : "in clear", note->encap, note->label,
	        note->sa);
	abort();
}

/* Does the accepted set of the note's label take what the note says? Written from policy-model 1-4 alone. */
static bool label_accepts(const struct fuzz_note *note)
{
	uint64_t label = world.tables->label[note->label];
	const struct sl_accept_row *set = &world.tables->accept[sl_label_accept(label)];
	const struct sl_sa_row *sa = &world.tables->sa_in[note->sa];
	uint32_t flags = world.tables->interface[IF_CORE].flags;

	if (sl_label_action(label) == SL_LABEL_POP && !note->sealed)
		return true; /* leads to what is under it, which is not known here */
	if (note->sealed)
		return set->secured[sa->protection == SL_PROT_AUTHENTICATE]
		                   [note->encap == SL_ENCAP_IP] >>
		               sa->sp_table &
		       1;
	if (note->encap == SL_ENCAP_GRE)
		return set->clear & SL_CLEAR_GRE && flags & SL_IF_ACCEPT_GRE;
	if (note->encap == SL_ENCAP_IP)
		return set->clear & SL_CLEAR_IP && flags & SL_IF_ACCEPT_IP;
	if (flags & SL_IF_MPLS_OWN_SP)
		return set->clear & (SL_CLEAR_MPLS | SL_CLEAR_MPLS_OWN_SP);
	return flags & SL_IF_MPLS_OTHER_SP && set->mpls_interface == IF_CORE;
}

/* It has come out in a VRF: at a CE, or at the VRF's kernel side. */
static void came_out_in_vrf(const struct fuzz_note *note)
{
	if (note->port != PORT_CORE || forged)
		return;
	if (fuzz_pe.all_protected && !note->sealed)
		refuse("in clear, and every label is protected", note);
	if (note->exact && !label_accepts(note))
		refuse("by a label that does not accept it", note);
	if (note->sealed && note->sa == FUZZ_SA_BGP)
		refuse("out of an SA of BGP", note);
}

/* Is it ESP of one of our SAs, and does the peer, who has its key, open it? */
static bool peer_opens(uint8_t *frame, size_t length)
{
	size_t at = sl_get16(frame + 12) == 0x0800 ? 34 : 54;
	uint8_t nonce[SL_ESP_NONCE_LEN];
	const struct sl_sa_key *key;
	struct sl_esp_job job;
	uint32_t id;

	if (length > at + 8 && (at == 34 ? frame[23] : frame[20]) == 17)
		at += 8;
	if (length < at + SL_ESP_LEAST_LEN)
		return false;
	id = sl_esp_spi(frame + at) - VEC_SPI_OUT;
	if (id == 0 || id > FUZZ_SAS)
		return false;
	key = world.keys_out[id];
	if (length < at + key->front_len + key->icv_len + SL_ESP_TRAILER_MIN)
		return false;
	job = (struct sl_esp_job){.key = key,
	                          .esp = frame + at,
	                          .length = length - at - key->front_len - key->icv_len};
	if (key->special) {
		sl_esp_open_jobs(world.worker.crypto, &job, 1);
		return job.done;
	}
	sl_esp_read_nonce(frame + at, key->salt, nonce);
	return sl_esp_open(key, job.esp, job.length, nonce);
}

static void came_out_on_core(const struct fuzz_note *note, uint8_t *frame, size_t length)
{
	bool of_vrf = note->port == PORT_CE || (note->port == 0 && note->interface != IF_CORE);

	if (!forged && of_vrf && fuzz_pe.all_esp && !peer_opens(frame, length))
		refuse("left in clear, and every tunnel is an SA", note);
}

static const struct fuzz_note *note_of(const struct rte_mbuf *m)
{
	if (m->hash.usr >= frames || m->nb_segs != 1 || m->pkt_len != m->data_len)
		abort();
	return &notes[m->hash.usr];
}

static void collect(void)
{
	struct rte_mbuf *m;

	for (uint16_t port = PORT_CE; port <= PORT_CORE; port++)
		while (rte_eth_rx_burst(world.worker.ports[port].dpdk_port, 0, &m, 1) != 0) {
			if (port == PORT_CE)
				came_out_in_vrf(note_of(m));
			else
				came_out_on_core(note_of(m), rte_pktmbuf_mtod(m, uint8_t *),
				                 m->data_len);
			out++;
			rte_pktmbuf_free(m);
		}
	while ((m = world_punted()) != NULL) {
		if (sl_packet(m)->punt == SL_PUNT_PACKET)
			came_out_in_vrf(note_of(m));
		punted += sl_packet(m)->punt != SL_PUNT_RESOLVE;
		rte_pktmbuf_free(m);
	}
	while (world_too_big() != 0) /* a message believed ends there */
		punted++;
	while (world_acquired() != 0)
		;
}

static uint64_t authentic(void)
{
	uint64_t n = 0;

	for (uint32_t id = 1; id <= FUZZ_SA_BGP; id++)
		n += world.state->sa_in[id].packets;
	return n;
}

/* Something that happens while packets are on their way. */
static void change(const struct fuzz_head *head)
{
	struct sl_nexthop_slot *slots = world.tables->nexthop;
	uint32_t from = fuzz_pe.nexthop[head->labels % FUZZ_NEXTHOPS];
	uint32_t to = fuzz_pe.nexthop[FUZZ_TO_SA_MISSING], id = 1 + (head->sa & 1);

	switch (head->inner % 6) {
	case 0: /* the SA is there, or whatever else the next hop becomes */
		slots[to].active = slots[from].active;
		break;
	case 1:
		slots[from].active = slots[to].active;
		break;
	case 2:
		world.state->sa_out[id].ready_generation = 0;
		break;
	case 3:
		world.tables->sa_in[id].generation = 0;
		break;
	case 4:
		world.tables->interface[IF_CE].state = 0;
		break;
	default:
		world.worker.now_tsc += rte_get_tsc_hz() * head->odd;
		break;
	}
	world.worker.now_tsc += rte_get_tsc_hz();
	sl_pipeline_release(&world.worker);
	sl_pipeline_flush(&world.worker);
	collect();
}

struct burst {
	struct rte_mbuf *frame[SL_BURST];
	uint32_t port;
	uint16_t n;
	uint64_t sealed;
};

static void run(struct burst *burst)
{
	uint64_t before = authentic();

	if (burst->n == 0)
		return;
	if (burst->port != 0)
		sl_pipeline_receive(&world.worker, burst->port, burst->frame, burst->n);
	else
		sl_pipeline_inject(&world.worker, burst->frame, burst->n);
	sl_pipeline_flush(&world.worker);
	forged |= authentic() - before > burst->sealed;
	collect();
	*burst = (struct burst){.n = 0};
}

/* Every fourth frame from a port comes in several buffers, cut at an offset of its own. */
static struct rte_mbuf *chained(uint32_t port, const uint8_t *bytes, size_t n)
{
	size_t at = 0;

	if (n != 0 && port != 0 && frames % 4 == 3)
		at = 1 + (n * 31 + bytes[n - 1] * 7u + frames) % 200;
	if (at == 0 || at >= n || n / at >= 64)
		return world_frame(bytes, n);
	return world_chain(bytes, n, at);
}

static void add(struct burst *burst, const struct fuzz_note *note)
{
	struct rte_mbuf *m;

	if (burst->n == SL_BURST || (burst->n > 0 && burst->port != note->port))
		run(burst);
	m = chained(note->port, build_bytes(&fuzz_built), build_len(&fuzz_built));
	m->ol_flags = 0;
	m->hash.usr = frames;
	sl_packet(m)->interface = note->interface;
	notes[frames++] = *note;
	burst->port = note->port;
	burst->sealed += note->sealed;
	burst->frame[burst->n++] = m;
}

static void expect_balance(void)
{
	uint64_t held = world.worker.hold.count + world.worker.reassembly.pieces + joined;
	uint64_t gone = world_all_drops() + out + punted + held;

	if (frames + icmp_errors + pieces != gone) {
		fprintf(stderr,
		        "%u frames, %lu ICMP errors, %lu pieces, but %lu drops, %lu out, %lu "
		        "punted, "
		        "%lu held\n",
		        frames, icmp_errors, pieces, world_all_drops(), out, punted, held);
		abort();
	}
	sl_pipeline_end(&world.worker);
	if (rte_mempool_avail_count(world.worker.pool) != WORLD_MBUFS) {
		fprintf(stderr, "%u mbufs of %u are back\n",
		        rte_mempool_avail_count(world.worker.pool), WORLD_MBUFS);
		abort();
	}
}

/* EAL's own comparisons teach a fuzzer nothing: begin when they are over. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	world_reset();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	struct burst burst = {.n = 0};
	struct fuzz_note note = {.port = 0};

	frames = 0;
	icmp_errors = out = punted = pieces = joined = 0;
	forged = false;
	fuzz_pe_set(&in);
	while (in.left > 0 && frames < FUZZ_FRAMES - 1) {
		struct fuzz_head head = fuzz_head(&in);

		if ((head.kind & 7) == FUZZ_CHANGE) {
			run(&burst);
			change(&head);
			continue;
		}
		fuzz_frame(&in, &head, &note);
		add(&burst, &note);
		if (head.sa & 128) /* and again: a replay */
			add(&burst, &note);
	}
	run(&burst);
	expect_balance();
	return 0;
}
