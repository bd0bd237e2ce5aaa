/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's log: a file, or a datagram socket ("unixgram:PATH"), never a pipe: a pipe to a dead
 * parent would kill the worker. One line is one write(2), so threads need no lock. The packet path
 * never logs. Key material never comes here.
 */
#ifndef SEALANE_CONTROL_LOG_H
#define SEALANE_CONTROL_LOG_H

#include <stddef.h>

#include "control/fault.h"

enum sl_log_level { SL_LOG_ERROR, SL_LOG_WARNING, SL_LOG_INFO };

/*
 * Open the log and send DPDK's messages there too. Until sl_log_detach_stderr(), lines of level error
 * are also written to standard error, so that whoever started the worker sees why it refused.
 * Returns 0, or -1 with `fault`.
 */
int sl_log_open(const char *target, struct sl_fault *fault);

/* Standard input is /dev/null and standard output the log from now on: libraries print there. */
void sl_log_take_stdout(void);

/* Start-up is over: standard error no longer leads to the parent either. */
void sl_log_detach_stderr(void);

/* "2026-01-31T12:00:00.123Z level message", cut at about 1000 bytes. */
void sl_log(enum sl_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A whole line as it is, from a signal handler that ends the worker. Errno is not kept. */
void sl_log_last_words(const char *line, size_t length);

/* Log what happened and what to do. */
void sl_log_fault(enum sl_log_level level, const struct sl_fault *fault);

/*
 * What DPDK wrote since sl_log_forget_dpdk(), lines joined by "; ", cut at 300 bytes, "" when nothing: its
 * drivers return -1 and say why only in their log. Control thread only.
 */
const char *sl_log_recent_dpdk(void);
void sl_log_forget_dpdk(void);

#endif
