/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of the supervisor's protocol (proto/worker.proto): commands in, replies and events out. */
#ifndef SEALANE_CONTROL_MESSAGE_H
#define SEALANE_CONTROL_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/fault.h"
#include "ports/port.h"
#include "worker.pb-c.h"

#define SL_PROTOCOL_VERSION 1u

typedef Sealane__Worker__V1__WorkerCommand SlCommand;

/*
 * Decode and check one command: every field in range, and as many descriptors beside it (`fd_count`) as
 * it must have. Returns it, to be freed by sl_command_free(), or NULL with `fault` (SL_FAULT_MALFORMED,
 * SL_FAULT_NO_MEMORY). `*id` is the command's id as far as it could be read, else 0. Reads nothing
 * outside `data`, whatever it holds.
 */
SlCommand *sl_command_decode(const uint8_t *data, size_t length, unsigned int fd_count,
                             uint64_t *id, struct sl_fault *fault);
void sl_command_free(SlCommand *command);

/* An encoded message. */
struct sl_encoded {
	uint8_t *data;
	size_t length;
};
void sl_encoded_free(struct sl_encoded *encoded);

struct sl_hello_info {
	uint64_t epoch;
	bool started;
	const struct sl_port_info *ports; /* [SL_MAX_PORTS] by stable id */
	const uint32_t *attached;         /* interface row ids */
	uint32_t attached_count;
};

struct sl_reply {
	uint64_t id;
	const struct sl_fault *fault;      /* NULL = OK */
	const struct sl_hello_info *hello; /* NULL = not a Hello's */
	const struct sl_port_info *port;   /* NULL = not an AddPort's */
	uint32_t port_id;
	Sealane__Worker__V1__BfdList *bfd;          /* NULL = not a ListBfd's */
	Sealane__Worker__V1__LagList *lags;         /* NULL = not a ListLags' */
	Sealane__Worker__V1__CaptureChunk *capture; /* NULL = not a ReadCapture's */
};

/* 0, or -1: no memory. */
int sl_encode_reply(struct sl_encoded *encoded, const struct sl_reply *reply);
int sl_encode_link_state(struct sl_encoded *encoded, uint32_t port, bool up);
/* `address`: 4 or 16 bytes, network order. */
int sl_encode_resolve(struct sl_encoded *encoded, uint32_t interface, const uint8_t *address,
                      uint32_t length);
int sl_encode_acquire(struct sl_encoded *encoded, uint32_t nexthop);
/* Addresses of `length` bytes, 4 or 16, network order. */
int sl_encode_path_mtu(struct sl_encoded *encoded, const uint8_t *local, const uint8_t *remote,
                       uint32_t length, uint16_t mtu);
/* Any event. */
int sl_encode_event(struct sl_encoded *encoded, Sealane__Worker__V1__Event *event);
int sl_encode_alarm(struct sl_encoded *encoded, const char *name, const char *detail);

#endif
