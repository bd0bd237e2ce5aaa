/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From SA rows in `tables` to usable SAs. The activation handshake:
 *
 *   supervisor  writes the row, release-stores its generation, asks by InstallSas
 *   here        checks that the key counts in this state row alone (policy-model 22); on a new
 *               generation zeroes the state row, then release-stores the generation;
 *               expands the key, publishes it, release-stores ready_generation
 *   supervisor  sees ready_generation; only then may a version or the SPI table refer to the SA
 *
 * Control thread only.
 */
#ifndef SEALANE_CONTROL_SA_STORE_H
#define SEALANE_CONTROL_SA_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/fault.h"
#include "control/key_index.h"
#include "segments/state_segment.h"
#include "tables/sa_index.h"

struct IMB_MGR;
struct sl_sa_key;

struct sl_sa_store {
	const struct sl_tables *tables;
	struct sl_state_segment *segment;
	struct IMB_MGR *crypto;
	/* by direction, then SA row; NULL = not usable. Read by the packet thread. */
	struct sl_sa_key **keys[2];
	/* what they point to: one slot a row, locked in memory as it is touched, in no core dump */
	struct sl_sa_key *slots[2];
	uint64_t *generations[2]; /* generation each expanded key belongs to */
	struct sl_key_index index;
	struct sl_sa_index outbound; /* those of `keys[SL_OUT]`, for packet threads */
	bool takes_udp; /* atomic, for packet threads: an inbound SA in UDP has been installed */
	uint32_t sweep_row[2];
	unsigned int threads; /* packet threads that SAs are shared out to */
	/* Returns once no packet thread can still hold a pointer taken from `keys` before the call; -1
	   when the packet thread does not move. */
	int (*quiesce)(void *context);
	void *quiesce_context;
};

/* 0, or -1 with `fault`. The quiesce function may be set later, before the packet thread starts. */
int sl_sa_store_init(struct sl_sa_store *store, const struct sl_tables *tables,
                     struct sl_state_segment *segment, struct sl_fault *fault);

/* Wipe and free every key. No packet thread may run. */
void sl_sa_store_free(struct sl_sa_store *store);

/*
 * Install every live row, as a worker does before it polls: no SA is ready until this worker has
 * expanded its key. Refused rows are logged and stay unusable. Returns how many are ready.
 */
uint32_t sl_sa_store_attach(struct sl_sa_store *store);

/* Install one row. Installing it again is harmless. 0, or -1 with `fault`. */
int sl_sa_install(struct sl_sa_store *store, enum sl_direction direction, uint32_t row,
                  struct sl_fault *fault);

/* Wipe keys whose row has been given up since; looks at up to `rows` rows of each direction. Ticks the index. */
void sl_sa_sweep(struct sl_sa_store *store, uint32_t rows);

#endif
