/* SPDX-License-Identifier: Apache-2.0 */
#include "control/sa_store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "control/key_check.h"
#include "control/log.h"
#include "esp/sa_key.h"
#include "segments/header.h"

static const char *const direction_name[] = {[SL_OUT] = "outbound", [SL_IN] = "inbound"};

/* The fields both directions' state rows have, wherever they are. */
struct counted {
	uint64_t *generation;
	uint64_t *ready;
	uint64_t *key_check;
	void *row;
	size_t bytes;
};

static struct counted counted_of(const struct sl_sa_store *store, enum sl_direction direction,
                                 uint32_t row)
{
	struct sl_state *state = store->segment->state;

	if (direction == SL_OUT) {
		struct sl_sa_out_state *out = &state->sa_out[row];

		return (struct counted){&out->generation, &out->ready_generation, &out->key_check,
		                        out, sizeof(*out)};
	}
	struct sl_sa_in_state *in = &state->sa_in[row];

	return (struct counted){&in->generation, &in->ready_generation, &in->key_check, in,
	                        sizeof(*in)};
}

#define SL_SLOTS_BYTES (SL_MAX_SAS * sizeof(struct sl_sa_key))

/* Address space for one key a row; memory only where a key is. */
static struct sl_sa_key *map_slots(void)
{
	void *map = mmap(NULL, SL_SLOTS_BYTES, PROT_READ | PROT_WRITE,
	                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		return NULL;
	/* few translations for many keys; without huge pages it is only slower */
	(void)madvise(map, SL_SLOTS_BYTES, MADV_HUGEPAGE);
	sl_map_protect(map, SL_SLOTS_BYTES);
	return map;
}

static int init_index(struct sl_sa_index *index)
{
	uint64_t secret = 0;

	if (getrandom(&secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		return -1;
	return sl_sa_index_init(index, secret);
}

int sl_sa_store_init(struct sl_sa_store *store, const struct sl_tables *tables,
                     struct sl_state_segment *segment, struct sl_fault *fault)
{
	memset(store, 0, sizeof(*store));
	store->tables = tables;
	store->segment = segment;
	store->threads = 1;
	store->crypto = alloc_mb_mgr(0);
	if (store->crypto != NULL)
		init_mb_mgr_auto(store->crypto, NULL);
	for (int d = 0; d < 2; d++) {
		store->keys[d] = calloc(SL_MAX_SAS, sizeof(void *));
		store->generations[d] = calloc(SL_MAX_SAS, sizeof(*store->generations[d]));
		store->slots[d] = map_slots();
	}
	if (store->crypto == NULL || imb_get_errno(store->crypto) != 0 ||
	    store->keys[SL_OUT] == NULL || store->keys[SL_IN] == NULL ||
	    store->generations[SL_OUT] == NULL || store->generations[SL_IN] == NULL ||
	    store->slots[SL_OUT] == NULL || store->slots[SL_IN] == NULL ||
	    sl_key_index_load(&store->index, segment->state) != 0 ||
	    init_index(&store->outbound) != 0)
		return sl_fail(fault, SL_FAULT_NO_MEMORY, "give the machine more memory",
		               "no memory for the SA tables");
	return 0;
}

void sl_sa_store_free(struct sl_sa_store *store)
{
	for (int d = 0; d < 2; d++) {
		for (uint32_t row = 0; store->keys[d] != NULL && row < SL_MAX_SAS; row++)
			if (store->keys[d][row] != NULL)
				explicit_bzero(store->keys[d][row], sizeof(struct sl_sa_key));
		if (store->slots[d] != NULL)
			munmap(store->slots[d], SL_SLOTS_BYTES);
		free(store->keys[d]);
		free(store->generations[d]);
	}
	sl_key_index_free(&store->index);
	sl_sa_index_free(&store->outbound);
	if (store->crypto != NULL)
		free_mb_mgr(store->crypto);
	memset(store, 0, sizeof(*store));
}

static const struct sl_sa_row *row_of(const struct sl_sa_store *store, enum sl_direction direction,
                                      uint32_t row)
{
	unsigned int arena = direction == SL_OUT ? SL_ARENA_SA_OUT : SL_ARENA_SA_IN;

	if (row == 0 || row >= SL_MAX_SAS ||
	    row >= __atomic_load_n(&store->tables->header.committed_rows[arena], __ATOMIC_ACQUIRE))
		return NULL;
	return direction == SL_OUT ? &store->tables->sa_out[row] : &store->tables->sa_in[row];
}

/* A consistent copy of a live row. */
static int read_row(const struct sl_sa_store *store, enum sl_direction direction, uint32_t id,
                    struct sl_sa_row *copy, struct sl_fault *fault)
{
	const struct sl_sa_row *row = row_of(store, direction, id);
	uint64_t generation = 0;

	if (row != NULL)
		generation = __atomic_load_n(&row->generation, __ATOMIC_ACQUIRE);
	if (generation == 0)
		return sl_fail(fault, SL_FAULT_NOT_FOUND, "write the row first",
		               "%s SA row %" PRIu32 " is not in use", direction_name[direction],
		               id);
	*copy = *row;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (__atomic_load_n(&row->generation, __ATOMIC_RELAXED) != generation)
		return sl_fail(fault, SL_FAULT_STATE, "install it again",
		               "%s SA row %" PRIu32 " was changed meanwhile",
		               direction_name[direction], id);
	return 0;
}

/* What the packet path relies on. */
static int check_row(enum sl_direction direction, uint32_t id, const struct sl_sa_row *row,
                     struct sl_fault *fault)
{
	const struct sl_suite *suite = sl_suite_of(row->algorithm);
	const char *wrong = NULL;

	if (suite == NULL)
		wrong = "an unknown algorithm";
	else if (row->protection != sl_suite_protection(suite))
		wrong = "a protection that its algorithm does not give";
	else if (row->family != 4 && row->family != 6)
		wrong = "an unknown address family";
	else if (row->replay_window % 64 != 0 || row->replay_window > 4096)
		wrong = "a replay window that is not a multiple of 64 up to 4096";
	else if (direction == SL_IN && row->esn != 0 && row->replay_window == 0)
		wrong = "extended sequence numbers without a replay window to guess them by";
	else if ((row->udp_source_port != 0) != (row->udp_destination_port != 0))
		wrong = "one UDP port";
	if (wrong == NULL)
		return 0;
	return sl_fail(fault, SL_FAULT_MALFORMED, "write a correct row",
	               "%s SA row %" PRIu32 " has %s", direction_name[direction], id, wrong);
}

static int refuse_key(enum sl_direction direction, uint32_t id, const char *why,
                      struct sl_fault *fault)
{
	return sl_fail(fault, SL_FAULT_KEY_REFUSED, "install an SA with a fresh key",
	               "%s SA row %" PRIu32 ": %s", direction_name[direction], id, why);
}

/*
 * policy-model 22: only where this very key has been counted since its first packet may it be used.
 * Returns 1 when the state row already counts for this generation, 0 when the generation is new.
 */
static int check_key(struct sl_sa_store *store, enum sl_direction direction, uint32_t id,
                     uint64_t generation, uint64_t check, struct sl_fault *fault)
{
	struct counted counted = counted_of(store, direction, id);
	const struct sl_key_owner *owner = sl_key_index_find(&store->index, check);

	if (generation <= store->segment->state->header.generation_floor)
		return refuse_key(direction, id,
		                  "the segment that counted its sequence numbers was lost", fault);
	if (*counted.generation == generation) {
		if (*counted.key_check != check)
			return refuse_key(direction, id,
			                  "its generation has been counted for another key", fault);
		return 1;
	}
	if (*counted.generation > generation)
		return refuse_key(direction, id, "its generation is older than the one counted",
		                  fault);
	if (owner != NULL)
		return refuse_key(direction, id, "its key belongs or belonged to another SA",
		                  fault);
	return 0;
}

/*
 * Take a key out of the packet thread's sight, then wipe it. The packet path looks at ready_generation
 * once per packet and then uses the pointer in several stages of the round: so first no new packet may
 * begin, then those under way must have ended, and only then does the pointer go.
 */
static int withdraw(struct sl_sa_store *store, enum sl_direction direction, uint32_t id,
                    struct sl_fault *fault)
{
	struct sl_sa_key *key = store->keys[direction][id];
	struct counted counted = counted_of(store, direction, id);
	uint64_t ready;

	if (key == NULL)
		return 0;
	ready = __atomic_exchange_n(counted.ready, 0, __ATOMIC_SEQ_CST);
	if (store->quiesce != NULL && store->quiesce(store->quiesce_context) != 0) {
		__atomic_store_n(counted.ready, ready, __ATOMIC_RELEASE);
		return sl_fail(fault, SL_FAULT_INTERNAL, "restart the worker",
		               "the packet thread does not move; %s SA row %" PRIu32
		               " keeps its key",
		               direction_name[direction], id);
	}
	__atomic_store_n(&store->keys[direction][id], NULL, __ATOMIC_RELEASE);
	store->generations[direction][id] = 0;
	if (direction == SL_OUT)
		sl_sa_index_leave(&store->outbound, id);
	explicit_bzero(key, sizeof(*key));
	return 0;
}

static void begin_generation(struct counted counted, uint64_t generation, uint64_t check)
{
	/* First nothing, then zeroes, then the generation: a death in between leaves nothing usable. */
	__atomic_store_n(counted.ready, 0, __ATOMIC_RELEASE);
	__atomic_store_n(counted.generation, 0, __ATOMIC_SEQ_CST);
	memset(counted.row, 0, counted.bytes);
	*counted.key_check = check;
	__atomic_store_n(counted.generation, generation, __ATOMIC_RELEASE);
}

static int install(struct sl_sa_store *store, enum sl_direction direction, uint32_t id,
                   const struct sl_sa_row *row, struct sl_fault *fault)
{
	uint64_t check = sl_key_check(store->crypto, row);
	struct counted counted = counted_of(store, direction, id);
	int known = check_key(store, direction, id, row->generation, check, fault);
	struct sl_sa_key *key = &store->slots[direction][id];

	if (known < 0)
		return -1;
	if (known == 1 && store->generations[direction][id] == row->generation)
		return 0;
	if (withdraw(store, direction, id, fault) != 0)
		return -1;
	if (known == 0) {
		struct sl_key_owner owner = {check, row->generation, id, direction};

		if (sl_key_index_add(&store->index, store->segment->state, &owner) != 0)
			return sl_fail(fault, SL_FAULT_NO_MEMORY, "give the machine more memory",
			               "no memory for the key index");
		begin_generation(counted, row->generation, check);
	}
	if (!sl_sa_key_expand(key, store->crypto, row))
		return sl_fail(fault, SL_FAULT_INTERNAL, "",
		               "%s SA row %" PRIu32 " does not expand", direction_name[direction],
		               id);
	key->owner = (uint8_t)(row->worker % store->threads);
	store->generations[direction][id] = row->generation;
	if (direction == SL_OUT)
		sl_sa_index_enter(&store->outbound, id, row,
		                  store->segment->state->sa_out[id].last_sequence);
	__atomic_store_n(&store->keys[direction][id], key, __ATOMIC_RELEASE);
	if (direction == SL_IN && row->udp_source_port != 0)
		__atomic_store_n(&store->takes_udp, true, __ATOMIC_RELAXED);
	__atomic_store_n(counted.ready, row->generation, __ATOMIC_RELEASE);
	return 0;
}

int sl_sa_install(struct sl_sa_store *store, enum sl_direction direction, uint32_t id,
                  struct sl_fault *fault)
{
	struct sl_sa_row row = {0};
	int result = read_row(store, direction, id, &row, fault);

	if (result == 0)
		result = check_row(direction, id, &row, fault);
	if (result == 0)
		result = sl_state_commit_sa(store->segment, direction, id, fault);
	if (result == 0)
		result = install(store, direction, id, &row, fault);
	explicit_bzero(&row, sizeof(row));
	return result;
}

static uint64_t committed_rows(const struct sl_sa_store *store, enum sl_direction direction)
{
	const struct sl_state_header *header = &store->segment->state->header;

	return direction == SL_OUT ? header->committed_sa_out : header->committed_sa_in;
}

uint32_t sl_sa_store_attach(struct sl_sa_store *store)
{
	struct sl_fault fault;
	uint32_t ready = 0;

	for (enum sl_direction d = SL_OUT; d <= SL_IN; d++) {
		unsigned int arena = d == SL_OUT ? SL_ARENA_SA_OUT : SL_ARENA_SA_IN;
		uint64_t rows = __atomic_load_n(&store->tables->header.committed_rows[arena],
		                                __ATOMIC_ACQUIRE);

		for (uint32_t id = 0; id < committed_rows(store, d); id++)
			__atomic_store_n(counted_of(store, d, id).ready, 0, __ATOMIC_RELEASE);
		for (uint32_t id = 1; id < rows && id < SL_MAX_SAS; id++) {
			if (__atomic_load_n(&row_of(store, d, id)->generation, __ATOMIC_ACQUIRE) ==
			    0)
				continue;
			if (sl_sa_install(store, d, id, &fault) == 0)
				ready++;
			else
				sl_log_fault(SL_LOG_WARNING, &fault);
		}
	}
	return ready;
}

void sl_sa_sweep(struct sl_sa_store *store, uint32_t rows)
{
	struct sl_fault fault;

	for (enum sl_direction d = SL_OUT; d <= SL_IN; d++) {
		uint64_t committed = committed_rows(store, d);

		for (uint32_t i = 0; i < rows && i < committed; i++) {
			uint32_t id = store->sweep_row[d];
			const struct sl_sa_row *row = row_of(store, d, id);

			store->sweep_row[d] = id + 1 < committed ? id + 1 : 0;
			if (store->keys[d][id] == NULL)
				continue;
			if (row != NULL && __atomic_load_n(&row->generation, __ATOMIC_ACQUIRE) ==
			                           store->generations[d][id])
				continue;
			if (withdraw(store, d, id, &fault) != 0)
				sl_log_fault(SL_LOG_ERROR, &fault);
		}
	}
}
