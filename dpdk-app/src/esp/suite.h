/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ESP by all that is not AES-GCM or AES-GMAC with 32-bit sequence numbers (those are esp.h's): other
 * suites, and extended sequence numbers, whose high half is not sent (RFC 4303 2.2.1). Where it goes:
 *
 *   AES-GCM, ChaCha20-Poly1305   AAD = SPI | high | low (RFC 4106 5, RFC 7634 2.1)
 *   AES-GMAC                     SPI | high | low, then IV to Next Header (RFC 4543 3.3)
 *   HMAC                         SPI to Next Header, then high (RFC 4303 2.2.1)
 *
 * AES-CBC's IV has to be unpredictable (RFC 3602 3): it is the sequence number, encrypted under a random
 * key that this SA has for nothing else (after NIST SP 800-38A appendix C).
 *
 * Several packets at a time, because the HMAC of one packet leaves most of the CPU's lanes idle.
 */
#ifndef SEALANE_ESP_SUITE_H
#define SEALANE_ESP_SUITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "esp/sa_key.h"

#define SL_ESP_JOBS_MAX 32u
#define SL_ESP_ICV_MAX 32u

struct sl_esp_job {
	const struct sl_sa_key *key;
	/* ESP header, IV, then `length` bytes (payload and trailer), then the ICV or room for it. At least 4
	 * bytes in front of the header may be used, and are as they were afterwards. */
	uint8_t *esp;
	size_t length; /* a multiple of the key's `align` */
	uint32_t high; /* of an extended sequence number, else 0 */
	bool done;     /* set by the calls below: sealed; or authentic, and opened */
};

/* Seal up to SL_ESP_JOBS_MAX packets in place. Sequence number and (but for AES-CBC) IV are there. */
void sl_esp_seal_jobs(struct IMB_MGR *manager, struct sl_esp_job *jobs, unsigned int n);

/* Check the ICVs in constant time and decrypt in place; what is not `done` then must not be looked at. */
void sl_esp_open_jobs(struct IMB_MGR *manager, struct sl_esp_job *jobs, unsigned int n);

/*
 * The sequence number that the 32 bits `low` most likely stand for, when `highest` was authenticated last
 * and the window has `window` >= 1 packets (RFC 4303 A2.2). False: it would lie before the first.
 */
static inline bool sl_esn_guess(uint64_t highest, uint32_t window, uint32_t low, uint64_t *sequence)
{
	uint32_t top = (uint32_t)highest, bottom = top - window + 1;
	uint64_t high = highest >> 32;

	if (top >= window - 1) {
		if (low < bottom)
			high++;
	} else if (low >= bottom) {
		if (high == 0)
			return false;
		high--;
	}
	*sequence = high << 32 | low;
	return true;
}

#endif
