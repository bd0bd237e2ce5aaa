/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sanitizer builds see reads beyond a frame inside its mbuf: proven by planting some. Each runs in a
 * child process that must die of an AddressSanitizer report; without sanitizers the tests are skipped.
 */
#include <sys/wait.h>

#include "stages/packet.h"
#include "support/scene.h"

#ifdef SEALANE_SANITIZE
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static struct build b;

static int fresh(void **state)
{
	(void)state;
	scene_set();
	return 0;
}

static struct rte_mbuf *entered(void)
{
	struct rte_mbuf *m;

	build_from_ce4(&b, THERE4, 21, 64);
	m = world_frame(build_bytes(&b), build_len(&b));
	memset(sl_packet(m), 0, sizeof(struct sl_packet));
	sl_poison_around(m);
	return m;
}

/* Run `fault` in a child; true when a sanitizer's report about poisoned memory ended it. */
static bool is_caught(void (*fault)(struct rte_mbuf *))
{
	char report[16384];
	size_t n = 0;
	struct rte_mbuf *m = entered(); /* here, because the pool is memory that both share */
	int ends[2], status;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		fault(m);
		_exit(0);
	}
	close(ends[1]);
	for (ssize_t got = 1; got > 0 && n < sizeof(report) - 1; n += (size_t)(got > 0 ? got : 0))
		got = read(ends[0], report + n, sizeof(report) - 1 - n);
	close(ends[0]);
	report[n] = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	sl_free(m);
	return !(WIFEXITED(status) && WEXITSTATUS(status) == 0) &&
	       strstr(report, "AddressSanitizer: use-after-poison") != NULL;
}

static volatile uint8_t sink;

static void read_behind(struct rte_mbuf *m)
{
	sink = rte_pktmbuf_mtod(m, volatile uint8_t *)[m->data_len];
}

static void read_before(struct rte_mbuf *m)
{
	sink = *(rte_pktmbuf_mtod(m, volatile uint8_t *) - 1);
}

/* A parser that believes a length field rather than the frame's end. */
static void believe_a_length(struct rte_mbuf *m)
{
	uint8_t *ip = rte_pktmbuf_mtod_offset(m, uint8_t *, 14);

	sl_put16(ip + 2, 60);
	sink = (uint8_t)sl_sum(ip, sl_ip4_total_len(ip), 0);
}

/* After the frame's end was moved, what lies behind the new end is out of bounds as well. */
static void read_what_was_trimmed(struct rte_mbuf *m)
{
	sl_end_at(m, 40);
	sink = rte_pktmbuf_mtod(m, volatile uint8_t *)[41];
}

static void read_nothing_wrong(struct rte_mbuf *m)
{
	for (uint16_t i = 0; i < m->data_len; i++)
		sink = rte_pktmbuf_mtod(m, volatile uint8_t *)[i];
	sl_end_at(m, 40);
	sink = rte_pktmbuf_mtod(m, volatile uint8_t *)[39];
	sl_unpoison(m);
	sink = rte_pktmbuf_mtod(m, volatile uint8_t *)[41];
}

static void planted_over_reads_are_caught(void **state)
{
	(void)state;
	if (!SANITIZED) {
		print_message("    needs the sanitizer build\n");
		skip();
	}
	assert_true(is_caught(read_behind));
	assert_true(is_caught(read_before));
	assert_true(is_caught(believe_a_length));
	assert_true(is_caught(read_what_was_trimmed));
	assert_false(is_caught(read_nothing_wrong));
}

/* Frames on their way out, and free ones, are whole buffers again: drivers write into them. */
static void nothing_stays_poisoned(void **state)
{
	struct rte_mbuf *all[WORLD_MBUFS];

	(void)state;
	build_from_ce4(&b, THERE4, 21, 64);
	build_receive(&b, PORT_CE); /* sent */
	build_from_ce4(&b, THERE4, 21, 1);
	build_receive(&b, PORT_CE); /* answered */
	build_from_ce4(&b, PE_CE4, 21, 1);
	build_receive(&b, PORT_CE); /* punted */
	build_from_ce4(&b, A4(10, 4, 0, 1), 21, 1);
	build_receive(&b, PORT_CE); /* dropped */
	build_from_ce4(&b, A4(10, 3, 0, 1), 21, 1);
	build_receive(&b, PORT_CE); /* pending */
	world_reset();              /* takes all of them back */
	assert_int_equal(rte_pktmbuf_alloc_bulk(world.worker.pool, all, WORLD_MBUFS), 0);
	for (unsigned int i = 0; i < WORLD_MBUFS; i++)
		memset(all[i]->buf_addr, 0, all[i]->buf_len);
	rte_pktmbuf_free_bulk(all, WORLD_MBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(planted_over_reads_are_caught, fresh),
		cmocka_unit_test_setup(nothing_stays_poisoned, fresh),
	};

	return cmocka_run_group_tests_name("eal_poison", tests, NULL, NULL);
}
