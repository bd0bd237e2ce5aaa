/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one byte behind an exact-size buffer, as a careless parser would. The sanitizer build must
 * stop this program; that it does is a test, so that a silent sanitizer is not taken for clean code.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	size_t size = 20 + (size_t)argc - 1;
	uint8_t *packet = malloc(size);
	volatile uint8_t *bytes = packet;

	(void)argv;
	if (packet == NULL)
		return 1;
	printf("byte behind the buffer: %u\n", bytes[size]);
	free(packet);
	return 0;
}
