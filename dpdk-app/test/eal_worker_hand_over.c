/* SPDX-License-Identifier: Apache-2.0 */
/* One worker after another: no frame lost, none taken twice; and what a standby refuses. */
#include <inttypes.h>

#include "net/bytes.h"
#include "net/checksum.h"
#include "sealane/drop_reasons.h"
#include "support/netns.h"
#include "support/worker_session.h"

static const uint8_t port_mac[6] = {0x02, 0, 0, 0, 0, 0x0a};
/* Packet threads of each worker of the test under way, as its command line has them. */
static unsigned int lcores = 1;
static char lcores_text[4];
static const char *const first_arguments[] = {"--no-huge", "--lcores", lcores_text, NULL};
static const char *const standby_arguments[] = {"--no-huge", "--lcores", lcores_text, "--standby",
                                                NULL};

/* The port's far end is in `peer`. */
static struct {
	int home, peer;
} ns;

static int make_namespaces(void **cmocka)
{
	(void)cmocka;
	ns.home = test_netns_new();
	ns.peer = test_netns_new();
	if (ns.home < 0 || ns.peer < 0 || test_netns_enter(ns.home) != 0)
		return -1;
	if (test_shell("ip link add name sl0 address 02:00:00:00:00:0a type veth peer name sl1 && "
	               "ip link set sl1 netns /proc/%d/fd/%d && ip link set sl0 up",
	               (int)getpid(), ns.peer) != 0)
		return -1;
	if (test_netns_enter(ns.peer) != 0 ||
	    test_shell("sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && ip link set sl1 up") != 0)
		return -1;
	return test_netns_enter(ns.home);
}

/* An IPv4 packet of a flow to an address without a route: counted, and dropped as no_route. */
static size_t make_packet(uint8_t *frame, uint8_t flow)
{
	static const uint8_t ip[20] = {0x45, 0, 0,   20, 0, 1, 0,   0,  64, 59,
	                               0,    0, 198, 18, 0, 2, 198, 19, 0,  1};

	memset(frame, 0, 60);
	memcpy(frame, port_mac, sizeof(port_mac));
	frame[6] = 0x02;
	frame[12] = 0x08;
	memcpy(frame + 14, ip, sizeof(ip));
	frame[29] = flow;
	sl_put16(frame + 24, (uint16_t)~sl_sum_fold(sl_sum(frame + 14, sizeof(ip), 0)));
	return 60;
}

/* Of all packet threads together. */
static uint64_t received(const struct sl_state *state)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < lcores; i++)
		sum += __atomic_load_n(&state->lcore[i].block.interface[1].rx_packets,
		                       __ATOMIC_RELAXED);
	return sum;
}

/*
 * One packet each half millisecond until told to stop, as long as no more than a quarter of a socket's ring (1024
 * frames) is still to be received: on a busy machine a worker may not run for as long as it takes to fill one. The number
 * sent goes into the pipe.
 */
static pid_t start_sender(const struct sl_state *state, int *report, int *stop)
{
	int out[2], in[2];
	pid_t child;

	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(in), 0);
	child = fork();
	if (child == 0) {
		const struct timespec pause = {.tv_nsec = 500000};
		struct pollfd stopped = {.fd = in[0], .events = POLLIN};
		uint8_t frame[60];
		uint64_t sent = 0;
		int raw;

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (test_netns_enter(ns.peer) != 0 || (raw = test_raw("sl1")) < 0)
			_exit(1);
		while (poll(&stopped, 1, 0) == 0) {
			size_t length = make_packet(frame, (uint8_t)(sent % 64));

			if (sent < received(state) + 256 &&
			    send(raw, frame, length, 0) == (ssize_t)length)
				sent++;
			nanosleep(&pause, NULL);
		}
		_exit(write(out[1], &sent, sizeof(sent)) == sizeof(sent) ? 0 : 1);
	}
	close(out[1]);
	close(in[0]);
	*report = out[0];
	*stop = in[1];
	return child;
}

static uint64_t stop_sender(pid_t child, int report, int stop)
{
	uint64_t sent = 0;
	int status;

	assert_int_equal(write(stop, "", 1), 1);
	assert_int_equal(read(report, &sent, sizeof(sent)), sizeof(sent));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(report);
	close(stop);
	return sent;
}

/* A standby in the directory of `first`, greeted. */
static void stand_by(struct test_worker *next, const struct test_worker *first)
{
	*next = *first;
	next->fd = -1;
	assert_int_equal(test_spawn(next, standby_arguments), 0);
	assert_int_equal(test_connect_at(next, "worker.sock.standby"), 0);
	assert_int_equal(test_hello(next), PB_CODE(OK));
}

static void hand_over(struct test_worker *worker, int tap)
{
	struct test_worker next;

	assert_int_equal(test_prepare_hand_over(worker, lcores), PB_CODE(OK));
	stand_by(&next, worker);
	assert_int_equal(test_add_port(&next, 1, "net_af_packet1,iface=sl0", -1), PB_CODE(OK));
	assert_int_equal(test_attach(&next, 1, tap), PB_CODE(OK));
	test_sleep_ms(100); /* both have the device open: the first forwards alone */
	assert_int_equal(test_shutdown_as(worker, true), PB_CODE(OK));
	for (int i = 0; i < 2000; i++) { /* until the first has let go of the segment */
		if (test_take_over(&next) == PB_CODE(OK))
			break;
		assert_int_not_equal(i, 1999);
		test_sleep_ms(5);
	}
	assert_int_equal(test_start(&next), PB_CODE(OK));
	assert_int_equal(test_wait_exit(worker, 10000), 0);
	close(worker->fd);
	assert_int_equal(access(test_path(&next, "worker.sock.standby"), F_OK), -1);
	assert_int_equal(access(test_path(&next, "worker.sock"), F_OK), 0);
	*worker = next;
}

static bool reaches(const struct sl_state *state, uint64_t least)
{
	for (int i = 0; i < 6000 && received(state) < least; i++)
		test_sleep_ms(5);
	return received(state) >= least;
}

/* Every frame was received once, and dropped where it was received. */
static void expect_all(const struct sl_state *state, uint64_t sent)
{
	uint64_t dropped = 0;

	if (!reaches(state, sent))
		fail_msg("%" PRIu64 " of %" PRIu64 " frames received, %" PRIu64 " lost before that",
		         received(state), sent, state->header.control_drops[SL_DROP_rx_lost]);
	test_sleep_ms(50); /* and no more than that */
	assert_int_equal(received(state), sent);
	for (unsigned int i = 0; i < lcores; i++) {
		dropped += state->lcore[i].block.drops[SL_DROP_no_route];
		/* flows are spread: every thread has its share */
		assert_true(state->lcore[i].block.interface[1].rx_packets > sent / 8);
	}
	assert_int_equal(dropped, sent);
}

static void replace_under_traffic(unsigned int threads)
{
	enum { ROUNDS = 3 };
	struct test_worker worker;
	const struct sl_state *state;
	int report, stop, tap = test_tap("sltap", IFF_TAP, IFF_NO_PI);
	uint64_t sent;
	pid_t sender;

	lcores = threads;
	(void)snprintf(lcores_text, sizeof(lcores_text), "%u", threads);
	session_begin(&worker, first_arguments);
	test_interface(worker.tables, 1, SL_ROLE_CE, 1, 1, 0, port_mac);
	worker.tables->vrf[1].state = SL_ROW_LIVE;
	assert_int_equal(test_add_port(&worker, 1, "net_af_packet1,iface=sl0", -1), PB_CODE(OK));
	assert_int_equal(test_attach(&worker, 1, tap), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	state = session_state(&worker);
	sender = start_sender(state, &report, &stop);
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t before = received(state);

		hand_over(&worker, tap);
		if (!reaches(state, before + 500))
			fail_msg("%" PRIu64 " frames received since the hand-over, %" PRIu64
			         " ever lost before that",
			         received(state) - before,
			         state->header.control_drops[SL_DROP_rx_lost]);
	}
	sent = stop_sender(sender, report, stop);
	expect_all(state, sent);
	assert_int_equal(state->header.worker_starts, ROUNDS + 1);
	assert_int_equal(state->header.segment.writer.pid, worker.pid);
	printf("    %llu frames across %d hand-overs\n", (unsigned long long)sent, ROUNDS);
	session_unmap(state);
	session_end(&worker);
	close(tap);
}

static void test_no_frame_is_lost_or_taken_twice(void **cmocka)
{
	(void)cmocka;
	replace_under_traffic(1);
}

static void test_nor_with_two_threads(void **cmocka)
{
	(void)cmocka;
	replace_under_traffic(2);
}

/* Members leave one after the other, and the kernel moves the last one to the place of each: with three it shows. */
static void test_nor_with_three(void **cmocka)
{
	(void)cmocka;
	replace_under_traffic(3);
}

static bool runs(const struct sl_lcore_block *block)
{
	for (int i = 0; i < 1000 && __atomic_load_n(&block->running, __ATOMIC_ACQUIRE) == 0; i++)
		test_sleep_ms(5);
	return block->running == 1;
}

/*
 * A restart with other numbers of threads: what each counted stays, what it held is gone, and none of those that are
 * there no more keeps the supervisor from reusing rows.
 */
static void test_other_numbers_of_threads(void **cmocka)
{
	static const char *const numbers[] = {"3", "1", "2"};
	struct test_worker worker;
	const struct sl_state *state;
	uint64_t rounds[3] = {0};

	(void)cmocka;
	assert_int_equal(test_instance(&worker, TEST_EPOCH), 0);
	for (unsigned int i = 0; i < 3; i++) {
		unsigned int count = (unsigned int)(numbers[i][0] - '0');

		(void)snprintf(lcores_text, sizeof(lcores_text), "%s", numbers[i]);
		assert_int_equal(test_spawn(&worker, first_arguments), 0);
		session_greet(&worker);
		state = session_state(&worker);
		assert_int_equal(test_prepare_hand_over(&worker, count), PB_CODE(OK));
		assert_int_equal(test_prepare_hand_over(&worker, count + 1), PB_CODE(STATE));
		assert_int_equal(test_start(&worker), PB_CODE(OK));
		for (unsigned int t = 0; t < 3; t++) {
			const struct sl_lcore_block *block = &state->lcore[t].block;

			if (t < count) {
				assert_true(runs(block));
				assert_true(session_reaches(&block->rounds, block->rounds + 10));
			} else {
				assert_int_equal(block->running, 0);
				assert_int_equal(block->epoch, 0);
			}
			assert_true(block->rounds >= rounds[t]);
			rounds[t] = block->rounds;
		}
		session_unmap(state);
		if (i == 1)
			session_kill(&worker);
		else
			session_shutdown(&worker);
	}
	test_instance_remove(&worker);
}

/* Whose driver gives frames to one process only is named, and goes on. */
static void test_ports_that_cannot(void **cmocka)
{
	struct test_worker worker;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	assert_int_equal(test_prepare_hand_over(&worker, 1), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 1, "net_af_packet1,iface=sl0", -1), PB_CODE(OK));
	assert_int_equal(test_prepare_hand_over(&worker, 1), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 2, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_prepare_hand_over(&worker, 1), PB_CODE(STATE));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	session_end(&worker);
}

static void test_what_a_standby_refuses(void **cmocka)
{
	struct test_worker worker, next;
	const struct sl_state *state;

	(void)cmocka;
	(void)snprintf(lcores_text, sizeof(lcores_text), "1");
	session_begin(&worker, test_no_huge);
	assert_int_equal(test_take_over(&worker), PB_CODE(STATE)); /* it does not stand by */
	assert_int_equal(test_add_port(&worker, 1, "net_af_packet1,iface=sl0", -1), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	stand_by(&next, &worker);
	/* AF_XDP would take the frames away from the first at once */
	assert_int_equal(test_add_port(&next, 1, "net_af_xdp1,iface=sl0", -1),
	                 PB_CODE(DEVICE_BUSY));
	assert_int_equal(test_start(&next), PB_CODE(STATE));
	assert_int_equal(test_install(&next, 1, 0), PB_CODE(STATE));
	/* while the first has the segment, and after a failure, it is as it was */
	assert_int_not_equal(test_take_over(&next), PB_CODE(OK));
	assert_int_equal(test_start(&next), PB_CODE(STATE));
	state = session_state(&worker);
	assert_int_equal(state->header.segment.writer.pid, worker.pid);
	session_unmap(state);
	/* nobody wants it any more */
	close(next.fd);
	assert_int_equal(test_wait_exit(&next, 10000), 0);
	assert_int_equal(access(test_path(&worker, "worker.sock"), F_OK), 0);
	session_end(&worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_frame_is_lost_or_taken_twice),
		cmocka_unit_test(test_nor_with_two_threads),
		cmocka_unit_test(test_nor_with_three),
		cmocka_unit_test(test_other_numbers_of_threads),
		cmocka_unit_test(test_ports_that_cannot),
		cmocka_unit_test(test_what_a_standby_refuses),
	};

	if (geteuid() != 0) {
		(void)fputs("these tests start workers, which needs root\n", stderr);
		return 1;
	}
	return cmocka_run_group_tests(tests, make_namespaces, NULL);
}
