/* SPDX-License-Identifier: Apache-2.0 */
#include "capture/capture_filter.h"

#include <stdlib.h>

/* libpcap ends the process at any other. */
static bool is_known(uint16_t code)
{
	switch (code) {
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_MSH | BPF_B:
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
		return true;
	default:
		break;
	}
	if ((code & ~(uint16_t)(0xf0 | BPF_X)) == BPF_ALU)
		return BPF_OP(code) <= BPF_XOR && (code & BPF_X ? BPF_OP(code) != BPF_NEG : true);
	return (code & ~(uint16_t)(0xf0 | BPF_X)) == BPF_JMP && BPF_OP(code) <= BPF_JSET &&
	       code != (BPF_JMP | BPF_JA | BPF_X);
}

/*
 * libpcap's own check lets the distance of an unconditional jump wrap around and so lead backwards: a loop.
 * Its compiler never writes one.
 */
static bool is_forward(const struct bpf_insn *program, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (program[i].code == (BPF_JMP | BPF_JA) && program[i].k >= count - i - 1)
			return false;
	return true;
}

const char *sl_capture_filter_open(struct sl_capture_filter *filter, const uint64_t *words,
                                   size_t count)
{
	filter->program = NULL;
	if (count == 0)
		return NULL;
	if (count > SL_FILTER_MAX)
		return "a filter of more than 1024 instructions";
	filter->program = calloc(count, sizeof(*filter->program));
	if (filter->program == NULL)
		return "no memory for a filter";
	for (size_t i = 0; i < count; i++)
		filter->program[i] = (struct bpf_insn){.code = (uint16_t)(words[i] >> 48),
		                                       .jt = (uint8_t)(words[i] >> 40),
		                                       .jf = (uint8_t)(words[i] >> 32),
		                                       .k = (uint32_t)words[i]};
	for (size_t i = 0; i < count; i++)
		if (!is_known(filter->program[i].code))
			goto refuse;
	if (is_forward(filter->program, count) && bpf_validate(filter->program, (int)count))
		return NULL;
refuse:
	sl_capture_filter_close(filter);
	return "a filter that is no valid BPF program";
}

void sl_capture_filter_close(struct sl_capture_filter *filter)
{
	free(filter->program);
	filter->program = NULL;
}

bool sl_capture_filter_match(const struct sl_capture_filter *filter, const uint8_t *bytes,
                             uint32_t length, uint32_t stored)
{
	return filter->program == NULL || bpf_filter(filter->program, bytes, length, stored) != 0;
}
