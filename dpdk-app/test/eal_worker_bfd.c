/* SPDX-License-Identifier: Apache-2.0 */
/* BFD commands, sockets and counters of a worker process: what is refused, dropped and counted, and the list. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "sealane/drop_reasons.h"
#include "support/netns.h"
#include "support/worker_session.h"

#define FIRST_PORT 49152

/* Listener and sender as the supervisor makes them, on loopback. */
static int udp(const char *address, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1, ttl = 255;

	assert_int_equal(inet_pton(AF_INET, address, &in.sin_addr), 1);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &one, sizeof(one)), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one)), 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

static int add_listener(struct test_worker *worker, uint32_t listener, bool multihop, int fd)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(ADD_BFD_LISTENER));
	PB(AddBfdListener) add = SEALANE__WORKER__V1__ADD_BFD_LISTENER__INIT;
	char name[] = "loopback";

	add.listener = listener;
	add.name = name;
	add.multihop = multihop;
	command.add_bfd_listener = &add;
	return test_code(worker, &command, &fd, 1);
}

static int remove_listener(struct test_worker *worker, uint32_t listener)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(REMOVE_BFD_LISTENER));
	PB(RemoveBfdListener) remove = SEALANE__WORKER__V1__REMOVE_BFD_LISTENER__INIT;

	remove.listener = listener;
	command.remove_bfd_listener = &remove;
	return test_code(worker, &command, NULL, 0);
}

static PB(BfdParameters) parameters(void)
{
	PB(BfdParameters) value = SEALANE__WORKER__V1__BFD_PARAMETERS__INIT;

	value.desired_min_tx_us = 100000;
	value.required_min_rx_us = 100000;
	value.detect_mult = 3;
	value.min_ttl = 250;
	return value;
}

static int add_with(struct test_worker *worker, uint32_t id, uint32_t listener, const char *remote,
                    PB(BfdParameters) * value, int fd)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(ADD_BFD_SESSION));
	PB(AddBfdSession) add = SEALANE__WORKER__V1__ADD_BFD_SESSION__INIT;
	uint8_t address[16];
	char name[] = "a session";

	add.session = id;
	add.name = name;
	add.listener = listener;
	add.remote.len = strchr(remote, ':') != NULL ? 16 : 4;
	add.remote.data = address;
	assert_int_equal(inet_pton(add.remote.len == 4 ? AF_INET : AF_INET6, remote, address), 1);
	add.parameters = value;
	command.add_bfd_session = &add;
	return test_code(worker, &command, &fd, 1);
}

static int add_session(struct test_worker *worker, uint32_t id, uint32_t listener,
                       const char *remote, int fd)
{
	PB(BfdParameters) value = parameters();

	return add_with(worker, id, listener, remote, &value, fd);
}

static int change_session(struct test_worker *worker, uint32_t id, PB(BfdParameters) * value)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(CHANGE_BFD_SESSION));
	PB(ChangeBfdSession) change = SEALANE__WORKER__V1__CHANGE_BFD_SESSION__INIT;

	change.session = id;
	change.parameters = value;
	command.change_bfd_session = &change;
	return test_code(worker, &command, NULL, 0);
}

static int remove_session(struct test_worker *worker, uint32_t id)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(REMOVE_BFD_SESSION));
	PB(RemoveBfdSession) remove = SEALANE__WORKER__V1__REMOVE_BFD_SESSION__INIT;

	remove.session = id;
	command.remove_bfd_session = &remove;
	return test_code(worker, &command, NULL, 0);
}

static PB(WorkerMessage) * list(struct test_worker *worker, uint32_t after)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(LIST_BFD));
	PB(ListBfd) ask = SEALANE__WORKER__V1__LIST_BFD__INIT;
	PB(WorkerMessage) * message;

	ask.after = after;
	command.list_bfd = &ask;
	message = test_command(worker, &command, NULL, 0);
	assert_non_null(message);
	assert_int_equal(message->reply->code, PB_CODE(OK));
	assert_non_null(message->reply->bfd);
	return message;
}

static void test_refused(void **cmocka)
{
	struct test_worker worker;
	PB(BfdParameters) wrong;
	int low = udp("127.0.0.1", 0), single = udp("0.0.0.0", 3784),
	    null_fd = open("/dev/null", O_RDWR);
	int multi = udp("127.0.0.1", 4784), any = udp("0.0.0.0", FIRST_PORT + 1), off = 0;
	int sender = udp("127.0.0.1", FIRST_PORT + 2), ttl = 64;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	assert_int_equal(add_listener(&worker, 0, false, single), PB_CODE(MALFORMED));
	assert_int_equal(add_listener(&worker, 256, false, single), PB_CODE(MALFORMED));
	assert_int_equal(add_listener(&worker, 1, false, null_fd), PB_CODE(MALFORMED));
	assert_int_equal(add_listener(&worker, 1, true, single), PB_CODE(MALFORMED));
	assert_int_equal(add_listener(&worker, 1, false, multi), PB_CODE(MALFORMED));
	assert_int_equal(setsockopt(multi, IPPROTO_IP, IP_RECVTTL, &off, sizeof(off)), 0);
	assert_int_equal(add_listener(&worker, 2, true, multi), PB_CODE(MALFORMED));
	assert_int_equal(remove_listener(&worker, 1), PB_CODE(NOT_FOUND));
	assert_int_equal(add_session(&worker, 1, 1, "127.0.0.2", sender), PB_CODE(NOT_FOUND));
	assert_int_equal(add_listener(&worker, 1, false, single), PB_CODE(OK));
	assert_int_equal(add_listener(&worker, 1, false, single), PB_CODE(ALREADY));

	assert_int_equal(add_session(&worker, 0, 1, "127.0.0.2", sender), PB_CODE(MALFORMED));
	assert_int_equal(add_session(&worker, 1, 1, "::1", sender), PB_CODE(MALFORMED));
	assert_int_equal(add_session(&worker, 1, 1, "127.0.0.2", null_fd), PB_CODE(MALFORMED));
	assert_int_equal(add_session(&worker, 1, 1, "127.0.0.2", any), PB_CODE(MALFORMED));
	assert_int_equal(setsockopt(sender, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	assert_int_equal(add_session(&worker, 1, 1, "127.0.0.2", sender), PB_CODE(MALFORMED));
	ttl = 255;
	assert_int_equal(setsockopt(sender, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	wrong = parameters();
	wrong.desired_min_tx_us = 9999;
	assert_int_equal(add_with(&worker, 1, 1, "127.0.0.2", &wrong, sender), PB_CODE(MALFORMED));
	wrong = parameters();
	wrong.required_min_rx_us = 60000001;
	assert_int_equal(add_with(&worker, 1, 1, "127.0.0.2", &wrong, sender), PB_CODE(MALFORMED));
	wrong = parameters();
	wrong.detect_mult = 0;
	assert_int_equal(add_with(&worker, 1, 1, "127.0.0.2", &wrong, sender), PB_CODE(MALFORMED));
	wrong = parameters();
	wrong.auth_type = SEALANE__WORKER__V1__BFD_AUTH_TYPE__BFD_AUTH_KEYED_SHA1;
	assert_int_equal(add_with(&worker, 1, 1, "127.0.0.2", &wrong, sender), PB_CODE(MALFORMED));
	wrong.auth_type = (PB(BfdAuthType))1; /* a password in clear */
	assert_int_equal(add_with(&worker, 1, 1, "127.0.0.2", &wrong, sender), PB_CODE(MALFORMED));
	assert_int_equal(add_with(&worker, 1, 1, "127.0.0.2", NULL, sender), PB_CODE(MALFORMED));
	wrong = parameters();
	wrong.detect_mult = 256;
	assert_int_equal(change_session(&worker, 1, &wrong), PB_CODE(MALFORMED));
	wrong = parameters();
	assert_int_equal(change_session(&worker, 1, &wrong), PB_CODE(NOT_FOUND));
	assert_int_equal(remove_session(&worker, 1), PB_CODE(NOT_FOUND));

	assert_int_equal(add_session(&worker, 1, 1, "127.0.0.2", sender), PB_CODE(OK));
	assert_int_equal(add_session(&worker, 1, 1, "127.0.0.3", sender), PB_CODE(ALREADY));
	assert_int_equal(add_session(&worker, 2, 1, "127.0.0.2", sender), PB_CODE(ALREADY));
	assert_int_equal(remove_listener(&worker, 1), PB_CODE(STATE));
	assert_int_equal(remove_session(&worker, 1), PB_CODE(OK));
	assert_int_equal(remove_listener(&worker, 1), PB_CODE(OK));
	close(low);
	close(single);
	close(multi);
	close(any);
	close(sender);
	close(null_fd);
	session_end(&worker);
}

/* | v1 Down, mult 3, 24 | My Discriminator 5 | Your Discriminator | 1 s | 1 s | 0 | */
static void send_packet(int fd, uint16_t port, uint32_t your_discr, int ttl, size_t length,
                        int count)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	uint8_t bytes[24] = {0x20, 0x40, 3, 24,   0,    0,    0, 5,    0,    0,
	                     0,    0,    0, 0x0f, 0x42, 0x40, 0, 0x0f, 0x42, 0x40};

	your_discr = htonl(your_discr);
	memcpy(bytes + 8, &your_discr, 4);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 0);
	for (int i = 0; i < count; i++)
		assert_int_equal(
			sendto(fd, bytes, length, 0, (const struct sockaddr *)&to, sizeof(to)),
			length);
}

static void test_dropped_and_counted(void **cmocka)
{
	struct test_worker worker;
	int single = udp("127.0.0.1", 3784), multi = udp("127.0.0.1", 4784);
	int near = udp("127.0.0.1", FIRST_PORT + 2), far = udp("127.0.0.1", FIRST_PORT + 3);
	int keyed = udp("127.0.0.1", FIRST_PORT + 4), lost = udp("127.0.0.1", FIRST_PORT + 5);
	int peer = udp("127.0.0.2", 0), third = udp("127.0.0.3", 0);
	PB(BfdParameters) authenticated = parameters();
	uint8_t key[] = {1, 2, 3};
	const struct sl_state *state;
	PB(WorkerMessage) * message;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	state = session_state(&worker);
	assert_int_equal(add_listener(&worker, 1, false, single), PB_CODE(OK));
	assert_int_equal(add_listener(&worker, 2, true, multi), PB_CODE(OK));
	assert_int_equal(add_session(&worker, 1, 1, "127.0.0.2", near), PB_CODE(OK));
	assert_int_equal(add_session(&worker, 2, 2, "127.0.0.2", far), PB_CODE(OK));
	authenticated.auth_type = SEALANE__WORKER__V1__BFD_AUTH_TYPE__BFD_AUTH_METICULOUS_SHA1;
	authenticated.auth_key = (ProtobufCBinaryData){.data = key, .len = sizeof(key)};
	assert_int_equal(add_with(&worker, 3, 1, "127.0.0.3", &authenticated, keyed), PB_CODE(OK));

	send_packet(peer, 3784, 0, 254, 24, 3);
	assert_true(session_reaches(&state->header.control_drops[SL_DROP_bfd_ttl], 3));
	send_packet(peer, 4784, 0, 249, 24, 2); /* min_ttl 250 */
	assert_true(session_reaches(&state->header.control_drops[SL_DROP_bfd_ttl], 5));
	send_packet(peer, 3784, 0, 255, 23, 4);
	assert_true(session_reaches(&state->header.control_drops[SL_DROP_bfd_malformed], 4));
	send_packet(peer, 3784, 0, 255, 0, 1);
	assert_true(session_reaches(&state->header.control_drops[SL_DROP_bfd_malformed], 5));
	send_packet(peer, 3784, 0xfefefefe, 255, 24, 6);
	assert_true(session_reaches(&state->header.control_drops[SL_DROP_bfd_no_session], 6));
	send_packet(third, 4784, 0, 255, 24, 1); /* its session is not of several hops */
	assert_true(session_reaches(&state->header.control_drops[SL_DROP_bfd_no_session], 7));
	send_packet(third, 3784, 0, 255, 24, 7);
	assert_true(session_reaches(&state->header.control_drops[SL_DROP_bfd_auth], 7));
	assert_int_equal(state->header.control_drops[SL_DROP_bfd_send], 0);
	/* a peer that there is no route to: loopback's address reaches no other host */
	assert_int_equal(add_session(&worker, 4, 1, "192.0.2.1", lost), PB_CODE(OK));
	assert_true(session_reaches(&state->header.control_drops[SL_DROP_bfd_send], 1));

	message = list(&worker, 0);
	assert_int_equal(message->reply->bfd->n_listeners, 2);
	assert_int_equal(message->reply->bfd->n_sessions, 4);
	assert_int_equal(message->reply->bfd->sessions[0]->rx_packets, 0);
	assert_int_equal(message->reply->bfd->sessions[1]->rx_packets, 0);
	assert_int_equal(message->reply->bfd->sessions[2]->rx_bad_auth, 7);
	assert_int_equal(message->reply->bfd->sessions[2]->parameters->auth_key.len, 0);
	assert_int_equal(message->reply->bfd->sessions[2]->parameters->min_ttl, 250);
	sealane__worker__v1__worker_message__free_unpacked(message, NULL);

	/* what is in order is taken: Down makes Init, at both */
	send_packet(peer, 3784, 0, 255, 24, 1);
	send_packet(peer, 4784, 0, 250, 24, 1);
	test_sleep_ms(200);
	message = list(&worker, 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(message->reply->bfd->sessions[i]->rx_packets, 1);
		assert_int_equal(message->reply->bfd->sessions[i]->remote_discriminator, 5);
		assert_int_equal(message->reply->bfd->sessions[i]->state->state,
		                 SEALANE__WORKER__V1__BFD_SESSION_STATE__BFD_INIT);
	}
	sealane__worker__v1__worker_message__free_unpacked(message, NULL);
	assert_int_equal(state->header.control_drops[SL_DROP_bfd_ttl], 5);
	assert_int_equal(state->header.control_drops[SL_DROP_bfd_malformed], 5);
	assert_int_equal(state->header.control_drops[SL_DROP_bfd_no_session], 7);
	assert_int_equal(state->header.control_drops[SL_DROP_bfd_auth], 7);
	session_unmap(state);
	close(single);
	close(multi);
	close(near);
	close(far);
	close(keyed);
	close(lost);
	close(peer);
	close(third);
	session_end(&worker);
}

/* More sessions than one datagram lists, also after Start, when there are no privileges. */
static void test_many_and_pages(void **cmocka)
{
	struct test_worker worker;
	int single = udp("0.0.0.0", 3784);
	uint32_t after = 0, seen = 0;
	bool more = true;

	(void)cmocka;
	session_begin(&worker, test_no_huge);
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	assert_int_equal(add_listener(&worker, 1, false, single), PB_CODE(OK));
	for (uint32_t i = 0; i < 300; i++) {
		char remote[32];
		int fd = udp("127.0.0.1", (uint16_t)(FIRST_PORT + 100 + i));

		(void)snprintf(remote, sizeof(remote), "127.1.%u.%u", i / 200, 1 + i % 200);
		assert_int_equal(add_session(&worker, 1000 - i, 1, remote, fd), PB_CODE(OK));
		close(fd);
	}
	while (more) {
		PB(WorkerMessage) *message = list(&worker, after);
		const PB(BfdList) *page = message->reply->bfd;

		assert_int_equal(page->n_listeners, after == 0 ? 1 : 0);
		assert_true(page->n_sessions > 0);
		for (size_t i = 0; i < page->n_sessions; i++) {
			assert_true(page->sessions[i]->state->session > after);
			after = page->sessions[i]->state->session;
			seen++;
		}
		more = page->more;
		sealane__worker__v1__worker_message__free_unpacked(message, NULL);
	}
	assert_int_equal(seen, 300);
	assert_int_equal(after, 1000);
	close(single);
	session_end(&worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_dropped_and_counted),
		cmocka_unit_test(test_many_and_pages),
	};

	if (geteuid() != 0) {
		(void)fputs("these tests start workers, which needs root\n", stderr);
		return 1;
	}
	if (test_netns_new() < 0 || test_shell("ip link set lo up") != 0) {
		(void)fputs("cannot make a network namespace\n", stderr);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
