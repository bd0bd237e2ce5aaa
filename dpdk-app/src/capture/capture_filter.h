/* SPDX-License-Identifier: Apache-2.0 */
/* Classic BPF programs that say which packets are captured. They are compiled elsewhere, and not trusted. */
#ifndef SEALANE_CAPTURE_FILTER_H
#define SEALANE_CAPTURE_FILTER_H

#include <pcap/pcap.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SL_FILTER_MAX 1024u /* instructions; there are no loops, so as many steps */

struct sl_capture_filter {
	struct bpf_insn *program; /* NULL = everything */
};

/*
 * Take over `count` instructions, each code << 48 | jt << 40 | jf << 32 | k. NULL, or what is wrong: then
 * the filter is empty.
 */
const char *sl_capture_filter_open(struct sl_capture_filter *filter, const uint64_t *words,
                                   size_t count);
void sl_capture_filter_close(struct sl_capture_filter *filter);

/* Does the packet of `length` octets match, of which `stored` are there? Reads no others. */
bool sl_capture_filter_match(const struct sl_capture_filter *filter, const uint8_t *bytes,
                             uint32_t length, uint32_t stored);

#endif
