/* SPDX-License-Identifier: Apache-2.0 */
/* A shift by more than the type has bits: what the undefined-behaviour sanitizer is there for. */
#include <stdint.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	uint32_t prefix_length = 32u + (uint32_t)argc - 1u;

	(void)argv;
	printf("mask: %x\n", UINT32_MAX << prefix_length);
	return 0;
}
