/* SPDX-License-Identifier: Apache-2.0 */
#include "control/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int sl_fail(struct sl_fault *fault, enum sl_fault_code code, const char *remedy, const char *format,
            ...)
{
	va_list args;

	fault->code = code;
	va_start(args, format);
	(void)vsnprintf(fault->message, sizeof(fault->message), format, args);
	va_end(args);
	(void)snprintf(fault->remedy, sizeof(fault->remedy), "%s", remedy);
	for (char *c = fault->message; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return -1;
}

enum sl_fault_code sl_fault_of_errno(int error)
{
	switch (error) {
	case EPERM:
	case EACCES:
		return SL_FAULT_NO_PRIVILEGE;
	case ENOMEM:
	case ENOSPC:
	case ENOBUFS:
	case EAGAIN:
		return SL_FAULT_NO_MEMORY;
	case EBUSY:
	case EADDRINUSE:
		return SL_FAULT_DEVICE_BUSY;
	case ENODEV:
	case ENXIO:
	case ENOENT:
		return SL_FAULT_DEVICE_UNKNOWN;
	default:
		return SL_FAULT_INTERNAL;
	}
}
