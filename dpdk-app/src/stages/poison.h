/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AddressSanitizer does not see inside mbufs: their buffers are one piece of memory to it. In sanitizer
 * builds everything of a buffer but the frame is therefore poisoned while the packet path holds it, so
 * that a read beyond the frame is reported as one beyond an exact-size malloc would be. The functions
 * that move the frame's ends poison anew; before an mbuf leaves (to a driver, a ring, its pool), its
 * buffer is made whole again. Other builds: nothing.
 */
#ifndef SEALANE_STAGES_POISON_H
#define SEALANE_STAGES_POISON_H

#include <rte_mbuf.h>

#ifdef SEALANE_SANITIZE
#include <sanitizer/asan_interface.h>

static inline void sl_unpoison(struct rte_mbuf *m)
{
	ASAN_UNPOISON_MEMORY_REGION(m->buf_addr, m->buf_len);
}

static inline void sl_poison_around(struct rte_mbuf *m)
{
	uint8_t *buffer = m->buf_addr;

	sl_unpoison(m);
	ASAN_POISON_MEMORY_REGION(buffer, m->data_off);
	ASAN_POISON_MEMORY_REGION(buffer + m->data_off + m->data_len,
	                          (size_t)(m->buf_len - m->data_off - m->data_len));
}
#else
static inline void sl_unpoison(struct rte_mbuf *m) { (void)m; }
static inline void sl_poison_around(struct rte_mbuf *m) { (void)m; }
#endif

/* Give an mbuf back to its pool. */
static inline void sl_free(struct rte_mbuf *m)
{
	sl_unpoison(m);
	rte_pktmbuf_free(m);
}

#endif
