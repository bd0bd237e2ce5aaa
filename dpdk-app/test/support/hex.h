/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes written as hexadecimal text in tests and vectors. */
#ifndef SEALANE_TEST_HEX_H
#define SEALANE_TEST_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Decode `text` (an even number of digits) into `out` of `room` bytes; returns the number of bytes. */
static inline size_t hex_bytes(const char *text, uint8_t *out, size_t room)
{
	size_t n = strlen(text) / 2;

	if (n > room || strlen(text) % 2 != 0) {
		fprintf(stderr, "hex text does not fit\n");
		abort();
	}
	for (size_t i = 0; i < n; i++) {
		const char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
		char *end;

		out[i] = (uint8_t)strtoul(digits, &end, 16);
		if (end != digits + 2)
			abort();
	}
	return n;
}

/* The same into an exact-size heap block, so that a sanitizer sees a read beyond it. */
static inline uint8_t *hex_malloc(const char *text, size_t *n)
{
	size_t room = strlen(text) / 2;
	uint8_t *out = malloc(room == 0 ? 1 : room);

	if (out == NULL)
		abort();
	*n = hex_bytes(text, out, room);
	return out;
}

static inline void hex_print(const char *what, const uint8_t *bytes, size_t n)
{
	fprintf(stderr, "%s (%zu):", what, n);
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, "%s%02x", i % 16 == 0 ? "\n  " : " ", bytes[i]);
	fprintf(stderr, "\n");
}

#endif
