/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's socket: who may speak, what is refused, and that nothing malformed does harm. */
#include <dirent.h>

#include "support/worker_session.h"

/* Connected, but not greeted yet. */
static void begin(struct test_worker *worker)
{
	assert_int_equal(test_instance(worker, TEST_EPOCH), 0);
	assert_int_equal(test_spawn(worker, test_no_huge), 0);
	assert_int_equal(test_connect(worker), 0);
}

static unsigned int descriptors_of(pid_t pid)
{
	char path[64];
	struct dirent *entry;
	unsigned int count = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void test_hello_comes_first(void **cmocka)
{
	struct test_worker worker;
	struct stat status;

	(void)cmocka;
	begin(&worker);
	assert_int_equal(stat(test_path(&worker, "worker.sock"), &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(test_add_port(&worker, 1, "net_null0", -1), PB_CODE(STATE));
	assert_int_equal(test_start(&worker), PB_CODE(STATE));
	worker.tables->header.segment.epoch ^= 1; /* what the supervisor says, not what is mapped */
	assert_int_equal(test_hello(&worker), PB_CODE(STATE));
	worker.tables->header.segment.epoch ^= 1;
	assert_int_equal(test_start(&worker), PB_CODE(STATE));
	assert_int_equal(test_hello(&worker), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 1, "net_null0", -1), PB_CODE(OK));
	session_end(&worker);
}

static void test_hello_tells_what_there_is(void **cmocka)
{
	struct test_worker worker;
	PB(WorkerCommand) command = test_new_command(PB_CASE(HELLO));
	PB(Hello) hello = SEALANE__WORKER__V1__HELLO__INIT;
	PB(WorkerMessage) * message;
	PB(HelloReply) * reply;

	(void)cmocka;
	begin(&worker);
	assert_int_equal(test_hello(&worker), PB_CODE(OK));
	assert_int_equal(test_add_port(&worker, 7, "net_null0", -1), PB_CODE(OK));
	assert_int_equal(test_start(&worker), PB_CODE(OK));
	/* a new supervisor after the old one is gone; the worker runs on */
	close(worker.fd);
	assert_int_equal(test_connect(&worker), 0);
	hello.protocol_version = 1;
	hello.tables_epoch = TEST_EPOCH;
	command.hello = &hello;
	message = test_command(&worker, &command, NULL, 0);
	assert_non_null(message);
	assert_int_equal(message->reply->code, PB_CODE(OK));
	reply = message->reply->hello;
	assert_non_null(reply);
	assert_int_equal(reply->pid, worker.pid);
	assert_int_equal(reply->epoch, TEST_EPOCH);
	assert_int_equal(reply->layout_hash, sl_layout_hash());
	assert_true(reply->started);
	assert_int_equal(reply->n_ports, 1);
	assert_int_equal(reply->ports[0]->port, 7);
	assert_string_equal(reply->ports[0]->driver, "net_null");
	assert_string_equal(reply->ports[0]->devargs, "net_null0");
	assert_int_equal(reply->ports[0]->mac.len, 6);
	assert_int_equal(reply->n_attached_interfaces, 0);
	sealane__worker__v1__worker_message__free_unpacked(message, NULL);
	session_end(&worker);
}

/* Whatever comes is answered, keeps no descriptor and changes nothing. */
static void test_malformed_datagrams(void **cmocka)
{
	struct test_worker worker;
	uint8_t junk[512];
	unsigned int before, seed = 1;
	int null_fd = open("/dev/null", O_RDWR);
	int fds[8];

	(void)cmocka;
	for (size_t i = 0; i < 8; i++)
		fds[i] = null_fd;
	begin(&worker);
	assert_int_equal(test_hello(&worker), PB_CODE(OK));
	before = descriptors_of(worker.pid);
	for (int i = 0; i < 300; i++) {
		PB(WorkerMessage) * message;
		size_t length = 1 + (size_t)rand_r(&seed) % sizeof(junk);

		for (size_t j = 0; j < length; j++)
			junk[j] = (uint8_t)rand_r(&seed);
		if (i % 3 == 0) /* a field that says it is longer than the message */
			memcpy(junk, "\x08\x01\x22\xff\xff\xff\x7f", length < 7 ? length : 7);
		assert_int_equal(test_send(worker.fd, junk, length, fds, (size_t)i % 8), 0);
		message = test_receive(worker.fd, 5000);
		assert_non_null(message);
		assert_int_equal(message->message_case,
		                 SEALANE__WORKER__V1__WORKER_MESSAGE__MESSAGE_REPLY);
		assert_int_equal(message->reply->code, PB_CODE(MALFORMED));
		sealane__worker__v1__worker_message__free_unpacked(message, NULL);
	}
	/* well formed, but with descriptors it does not ask for, or without the one it needs */
	PB(WorkerCommand) command = test_new_command(PB_CASE(START));
	PB(Start) start = SEALANE__WORKER__V1__START__INIT;

	command.start = &start;
	assert_int_equal(test_code(&worker, &command, fds, 1), PB_CODE(MALFORMED));
	PB(WorkerCommand) attach = test_new_command(PB_CASE(ATTACH_INTERFACE));
	PB(AttachInterface) interface = SEALANE__WORKER__V1__ATTACH_INTERFACE__INIT;

	interface.interface = 1;
	attach.attach_interface = &interface;
	assert_int_equal(test_code(&worker, &attach, NULL, 0), PB_CODE(MALFORMED));
	assert_int_equal(test_code(&worker, &attach, fds, 2), PB_CODE(MALFORMED));
	assert_int_equal(test_code(&worker, &attach, fds, 1), PB_CODE(NOT_FOUND));
	assert_int_equal(descriptors_of(worker.pid), before);
	close(null_fd);
	session_end(&worker);
}

static void test_command_too_large(void **cmocka)
{
	static uint8_t large[70000];
	struct test_worker worker;
	PB(WorkerMessage) * message;

	(void)cmocka;
	begin(&worker);
	assert_int_equal(test_hello(&worker), PB_CODE(OK));
	assert_int_equal(test_send(worker.fd, large, sizeof(large), NULL, 0), 0);
	message = test_receive(worker.fd, 5000);
	assert_non_null(message);
	assert_int_equal(message->reply->code, PB_CODE(MALFORMED));
	assert_int_equal(message->reply->id, 0);
	sealane__worker__v1__worker_message__free_unpacked(message, NULL);
	assert_int_equal(test_hello(&worker), PB_CODE(OK));
	session_end(&worker);
}

/* Two processes: the first is the supervisor until it dies, even if a child of it holds the socket. */
static void test_one_supervisor_at_a_time(void **cmocka)
{
	struct test_worker worker, other;
	PB(WorkerMessage) * message;
	int ready[2], status;
	pid_t supervisor, holder = 0;
	char byte = 0;

	(void)cmocka;
	begin(&worker);
	close(worker.fd);
	assert_int_equal(pipe(ready), 0);
	supervisor = fork();
	if (supervisor == 0) {
		int result = test_connect(&worker) == 0 && test_hello(&worker) == 0 ? 0 : 1;

		holder = fork();
		if (holder == 0) { /* holds the connection, no more */
			test_sleep_ms(5000);
			_exit(0);
		}
		if (result != 0 || write(ready[1], &holder, sizeof(holder)) != sizeof(holder))
			_exit(1);
		test_sleep_ms(20000);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &holder, sizeof(holder)), sizeof(holder));

	other = worker;
	other.fd = test_connect_once(&other);
	assert_true(other.fd >= 0);
	message = test_receive(other.fd, 5000);
	assert_non_null(message);
	assert_int_equal(message->reply->code, PB_CODE(STATE));
	sealane__worker__v1__worker_message__free_unpacked(message, NULL);
	assert_int_equal(recv(other.fd, &byte, 1, 0), 0); /* closed */
	close(other.fd);

	assert_int_equal(kill(supervisor, SIGKILL), 0);
	assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
	other.fd = test_connect_once(&other);
	assert_int_equal(test_hello(&other), PB_CODE(OK));
	(void)kill(holder, SIGKILL);
	close(ready[0]);
	close(ready[1]);
	session_end(&other);
}

/* Status of a child of another user: 0 when it was refused for what it is and the connection closed. */
static int refused_as_another(const struct test_worker *worker)
{
	PB(WorkerMessage) * message;
	uint8_t byte;
	int fd;

	if (setgid(65534) != 0 || setuid(65534) != 0)
		return 2;
	fd = test_connect_once(worker);
	if (fd < 0)
		return 3;
	message = test_receive(fd, 5000);
	if (message == NULL || message->reply->code != PB_CODE(NO_PRIVILEGE))
		return 4;
	return recv(fd, &byte, 1, 0) == 0 ? 0 : 5;
}

/* Even where the modes of files would let it: the kernel says who it is (SO_PEERCRED). */
static void test_peer_of_another_user(void **cmocka)
{
	struct test_worker worker;
	int status = 0;
	pid_t child;

	(void)cmocka;
	assert_int_equal(test_instance(&worker, TEST_EPOCH), 0);
	assert_int_equal(test_spawn(&worker, test_no_huge), 0);
	session_greet(&worker);
	child = fork();
	if (child == 0)
		_exit(refused_as_another(&worker));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), 3); /* mode 0600 */
	assert_int_equal(chmod(worker.dir, 0755), 0);
	assert_int_equal(chmod(test_path(&worker, "worker.sock"), 0666), 0);
	child = fork();
	if (child == 0)
		_exit(refused_as_another(&worker));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	/* and has not disturbed the one that was there */
	assert_int_equal(test_add_port(&worker, 1, "net_null0", -1), PB_CODE(OK));
	session_end(&worker);
}

/* A supervisor that sends without reading loses its connection; the worker goes on. */
static void test_supervisor_that_does_not_read(void **cmocka)
{
	struct test_worker worker;
	uint8_t junk = 0xff;
	bool cut = false;

	(void)cmocka;
	begin(&worker);
	for (int i = 0; i < 100000 && !cut; i++)
		cut = send(worker.fd, &junk, 1, MSG_NOSIGNAL) < 0;
	assert_true(cut);
	close(worker.fd);
	assert_int_equal(test_connect(&worker), 0);
	assert_int_equal(test_hello(&worker), PB_CODE(OK));
	session_end(&worker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hello_comes_first),
		cmocka_unit_test(test_hello_tells_what_there_is),
		cmocka_unit_test(test_malformed_datagrams),
		cmocka_unit_test(test_command_too_large),
		cmocka_unit_test(test_one_supervisor_at_a_time),
		cmocka_unit_test(test_peer_of_another_user),
		cmocka_unit_test(test_supervisor_that_does_not_read),
	};

	if (geteuid() != 0) {
		(void)fputs("these tests start workers, which needs root\n", stderr);
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
