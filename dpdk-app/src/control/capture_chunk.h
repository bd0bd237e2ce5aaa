/* SPDX-License-Identifier: Apache-2.0 */
/* Captured packets as a message. */
#ifndef SEALANE_CONTROL_CAPTURE_CHUNK_H
#define SEALANE_CONTROL_CAPTURE_CHUNK_H

#include "control/captures.h"

bool sl_capture_is_empty(struct sl_capture_session *session);
/* Fill `chunk` with what there is, as far as it and the limits allow; the limits are counted down. */
void sl_capture_chunk_read(struct sl_capture_chunk *chunk, struct sl_capture_session *session,
                           struct sl_capture_limits *limits);
/* Its last one: why, and how many packets there was no room for. */
void sl_capture_chunk_end(struct sl_capture_chunk *chunk, const struct sl_capture_session *session,
                          const char *why);

#endif
