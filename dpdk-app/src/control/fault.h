/* SPDX-License-Identifier: Apache-2.0 */
/* Why something was refused or failed: a code, what happened, and what to do about it, one line each. */
#ifndef SEALANE_CONTROL_FAULT_H
#define SEALANE_CONTROL_FAULT_H

/* Up to SL_FAULT_INTERNAL the numbers are those of ErrorCode in proto/worker.proto. */
enum sl_fault_code {
	SL_FAULT_NONE = 0,
	SL_FAULT_MALFORMED = 1,
	SL_FAULT_NOT_FOUND = 2,
	SL_FAULT_ALREADY = 3,
	SL_FAULT_STATE = 4,
	SL_FAULT_DEVICE_UNKNOWN = 5,
	SL_FAULT_DEVICE_BOUND = 6,
	SL_FAULT_DEVICE_BUSY = 7,
	SL_FAULT_NO_PRIVILEGE = 8,
	SL_FAULT_NO_MEMORY = 9,
	SL_FAULT_KEY_REFUSED = 10,
	SL_FAULT_INTERNAL = 11,
	/* Only before there is a socket to answer on: told by log, standard error and exit status. */
	SL_FAULT_USAGE = 100,
	SL_FAULT_SEGMENT = 101, /* missing, incomplete, or another layout */
	SL_FAULT_LOCKED = 102,  /* another worker holds the state segment */
};

struct sl_fault {
	enum sl_fault_code code;
	char message[384];
	char remedy[256];
};

/*
 * Fill in `fault` and return -1, so that `return sl_fail(...)` reads as what it is. Bytes that are not
 * printable ASCII become '?': parts of the text may come from the peer. `remedy` is a fixed text.
 */
int sl_fail(struct sl_fault *fault, enum sl_fault_code code, const char *remedy, const char *format,
            ...) __attribute__((format(printf, 4, 5)));

/* The code that stands for a failed system call or DPDK call with this errno value. */
enum sl_fault_code sl_fault_of_errno(int error);

#endif
