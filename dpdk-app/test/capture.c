/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of captured packets, and what filters are taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "capture/capture_filter.h"
#include "capture/capture_ring.h"

#define RING 4096u

/* A packet whose bytes follow from its number. */
static bool put(struct sl_capture_ring *ring, uint32_t number, uint32_t stored)
{
	struct sl_capture_record record = {.length = number, .stored = stored};
	uint8_t bytes[512];

	for (uint32_t i = 0; i < stored; i++)
		bytes[i] = (uint8_t)(number + i);
	return sl_capture_ring_put(ring, &record, bytes);
}

static bool is_packet(const struct sl_capture_record *record, uint32_t number)
{
	const uint8_t *bytes = (const uint8_t *)(record + 1);

	for (uint32_t i = 0; i < record->stored; i++)
		if (bytes[i] != (uint8_t)(number + i))
			return false;
	return record->length == number;
}

static void in_order_round_and_round(void **state)
{
	struct sl_capture_ring ring;
	uint32_t in = 0, out = 0;

	(void)state;
	assert_true(sl_capture_ring_open(&ring, RING));
	assert_null(sl_capture_ring_peek(&ring));
	for (int turn = 0; turn < 5000; turn++) {
		while (rand() % 5 != 0 && put(&ring, in, (uint32_t)rand() % 500))
			in++;
		while (rand() % 5 != 0 && sl_capture_ring_peek(&ring) != NULL) {
			assert_true(is_packet(sl_capture_ring_peek(&ring), out++));
			sl_capture_ring_drop(&ring);
		}
	}
	assert_true(in > 5000);
	assert_true(in - out < RING / 32);
	sl_capture_ring_close(&ring);
}

/* What does not fit is refused, and nothing that is there is touched. */
static void full(void **state)
{
	struct sl_capture_ring ring;
	uint32_t in = 0, out = 0;

	(void)state;
	assert_true(sl_capture_ring_open(&ring, RING));
	while (put(&ring, in, 96))
		in++;
	assert_int_equal(in, RING / (32 + 96));
	assert_false(put(&ring, in, 0));
	while (sl_capture_ring_peek(&ring) != NULL) {
		assert_true(is_packet(sl_capture_ring_peek(&ring), out++));
		sl_capture_ring_drop(&ring);
	}
	assert_int_equal(out, in);
	assert_true(put(&ring, in, 96));
	sl_capture_ring_close(&ring);
}

#define THREADED 200000u
static void *writer(void *context)
{
	for (uint32_t i = 0; i < THREADED; i++)
		while (!put(context, i, i % 300))
			sched_yield();
	return NULL;
}

static void two_threads(void **state)
{
	struct sl_capture_ring ring;
	pthread_t thread;

	(void)state;
	assert_true(sl_capture_ring_open(&ring, RING));
	assert_int_equal(pthread_create(&thread, NULL, writer, &ring), 0);
	for (uint32_t out = 0; out < THREADED;) {
		const struct sl_capture_record *record = sl_capture_ring_peek(&ring);

		if (record == NULL) {
			sched_yield();
			continue;
		}
		assert_true(is_packet(record, out));
		assert_int_equal(record->stored, out % 300);
		sl_capture_ring_drop(&ring);
		out++;
	}
	assert_int_equal(pthread_join(thread, NULL), 0);
	sl_capture_ring_close(&ring);
}

/* ---- filters ---- */

static uint64_t word(uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	return (uint64_t)code << 48 | (uint64_t)jt << 40 | (uint64_t)jf << 32 | k;
}

/* What libpcap compiles is taken, and decides as libpcap's own reader of captures does. */
static void filters_of_libpcap(void **state)
{
	static const char *const expressions[] = {"",
	                                          "icmp",
	                                          "host 10.1.1.1 or vlan 7",
	                                          "tcp port 179 and greater 100",
	                                          "ip[8] < 5 and ip[9] != 6",
	                                          "less 60"};
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, 16384);
	unsigned int matched = 0;

	(void)state;
	assert_non_null(pcap);
	for (size_t e = 0; e < sizeof(expressions) / sizeof(expressions[0]); e++) {
		struct sl_capture_filter filter;
		struct bpf_program program;
		uint64_t words[SL_FILTER_MAX];

		if (pcap_compile(pcap, &program, expressions[e], 1, 0) != 0)
			fail_msg("%s: %s", expressions[e], pcap_geterr(pcap));
		for (unsigned int i = 0; i < program.bf_len; i++)
			words[i] = word(program.bf_insns[i].code, program.bf_insns[i].jt,
			                program.bf_insns[i].jf, program.bf_insns[i].k);
		assert_null(sl_capture_filter_open(&filter, words, program.bf_len));
		for (int i = 0; i < 2000; i++) {
			static const uint8_t start[16] = {[12] = 8, [14] = 0x45};
			struct pcap_pkthdr header;
			uint8_t frame[80];

			memcpy(frame, start, sizeof(start));
			for (size_t at = 16; at < sizeof(frame); at++)
				frame[at] = (uint8_t)(rand() % 12);
			header.len = 60 + (unsigned int)rand() % 100;
			header.caplen = (unsigned int)rand() % sizeof(frame);
			assert_int_equal(
				sl_capture_filter_match(&filter, frame, header.len, header.caplen),
				pcap_offline_filter(&program, &header, frame) != 0);
			matched += pcap_offline_filter(&program, &header, frame) != 0;
		}
		sl_capture_filter_close(&filter);
		pcap_freecode(&program);
	}
	assert_in_range(matched, 2001, 11999);
	pcap_close(pcap);
}

/* Whatever is sent, a program ends, and reads no octet that is not there. */
static void bad_programs(void **state)
{
	const uint64_t ret = word(BPF_RET | BPF_K, 0, 0, 1);
	const uint64_t bad[][3] = {
		{word(BPF_JMP | BPF_JA, 0, 0, UINT32_MAX), ret, ret},     /* to itself */
		{ret, word(BPF_JMP | BPF_JA, 0, 0, UINT32_MAX - 1), ret}, /* backwards */
		{word(BPF_JMP | BPF_JA, 0, 0, 2), ret, ret},              /* behind the end */
		{word(BPF_JMP | BPF_JEQ, 7, 0, 0), ret, ret},
		{word(BPF_LD | BPF_MEM, 0, 0, BPF_MEMWORDS), ret, ret},
		{word(BPF_ST, 0, 0, BPF_MEMWORDS), ret, ret},
		{word(BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0), ret, ret},
		{word(0xffff, 0, 0, 0), ret, ret},
		{word(BPF_JMP | 0xf0, 0, 0, 0), ret, ret},
		{word(BPF_ALU | 0xb0, 0, 0, 0), ret, ret},
		{word(BPF_LD | BPF_MSH, 0, 0, 0), ret, ret},
		{ret, ret, word(BPF_LD | BPF_IMM, 0, 0, 0)}, /* no end */
	};
	static const uint64_t beyond[] = {0x0020ull << 48 | 1000000, 0x0006ull << 48 | 1};
	uint64_t many[SL_FILTER_MAX + 1];
	struct sl_capture_filter filter;
	uint8_t *octets = calloc(1, 8);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (sl_capture_filter_open(&filter, bad[i], 3) == NULL)
			fail_msg("program %zu was taken", i);
		assert_null(filter.program);
	}
	for (size_t i = 0; i <= SL_FILTER_MAX; i++)
		many[i] = ret;
	assert_non_null(sl_capture_filter_open(&filter, many, SL_FILTER_MAX + 1));
	assert_null(sl_capture_filter_open(&filter, many, SL_FILTER_MAX));
	sl_capture_filter_close(&filter);
	assert_null(sl_capture_filter_open(&filter, beyond, 2));
	assert_false(sl_capture_filter_match(&filter, octets, 1500, 8));
	sl_capture_filter_close(&filter);
	free(octets);
}

/* Every operation there could be is refused, or runs and ends: libpcap's own reader ends the process at some. */
static void every_operation(void **state)
{
	static const uint8_t octets[64];
	unsigned int taken = 0;

	(void)state;
	for (uint32_t code = 0; code <= UINT16_MAX; code++) {
		uint64_t program[] = {word((uint16_t)code, 0, 0, 1),
		                      word(BPF_RET | BPF_K, 0, 0, 1)};
		struct sl_capture_filter filter;

		if (sl_capture_filter_open(&filter, program, 2) != NULL)
			continue;
		taken++;
		(void)sl_capture_filter_match(&filter, octets, 64, 64);
		sl_capture_filter_close(&filter);
	}
	assert_int_equal(taken, 19 + 21 + 8); /* without the jump beyond the end */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order_round_and_round),
		cmocka_unit_test(full),
		cmocka_unit_test(two_threads),
		cmocka_unit_test(filters_of_libpcap),
		cmocka_unit_test(bad_programs),
		cmocka_unit_test(every_operation),
	};

	return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
