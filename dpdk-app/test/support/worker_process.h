/* SPDX-License-Identifier: Apache-2.0 */
/* A sealane-worker as a child process of a test, with the supervisor's side of its socket. */
#ifndef SEALANE_TEST_SUPPORT_WORKER_PROCESS_H
#define SEALANE_TEST_SUPPORT_WORKER_PROCESS_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "support/segments.h"
#include "worker.pb-c.h"

#define PB(name) Sealane__Worker__V1__##name
#define PB_CODE(name) SEALANE__WORKER__V1__ERROR_CODE__##name
#define PB_CASE(name) SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_##name

struct test_worker {
	char dir[64];
	struct sl_tables *tables;
	pid_t pid;
	int fd;
	uint64_t next_id;
	unsigned int
		link_ups[8]; /* by port: events told of a link that is up, and replies to AddPort */
};

static inline void test_sleep_ms(unsigned int ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&time, NULL);
}

static inline const char *test_path(const struct test_worker *worker, const char *name)
{
	static char path[4][128];
	static unsigned int next;
	char *out = path[next++ % 4];

	(void)snprintf(out, sizeof(path[0]), "%s/%s", worker->dir, name);
	return out;
}

/* A fresh instance directory on tmpfs, with a tables segment. */
static inline int test_instance(struct test_worker *worker, uint64_t epoch)
{
	memset(worker, 0, sizeof(*worker));
	worker->fd = -1;
	strcpy(worker->dir, "/dev/shm/sealane-test-XXXXXX");
	if (mkdtemp(worker->dir) == NULL)
		return -1;
	worker->tables = test_tables_create(test_path(worker, "tables"), epoch);
	return worker->tables != NULL ? 0 : -1;
}

static inline int test_remove_entry(const char *path, const struct stat *status, int type,
                                    struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

static inline void test_instance_remove(struct test_worker *worker)
{
	test_tables_free(worker->tables);
	(void)nftw(worker->dir, test_remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* The program beside the test's own. */
static inline void test_program(char *path, size_t size)
{
	char self[PATH_MAX - 32];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	self[length > 0 ? length : 0] = '\0';
	(void)snprintf(path, size, "%s/sealane-worker", dirname(self));
}

/* Start it with these arguments after --instance-dir; NULL-terminated. Its stderr is /dev/null. */
static inline int test_spawn(struct test_worker *worker, const char *const *arguments)
{
	char program[PATH_MAX];
	const char *vector[32] = {"sealane-worker", "--instance-dir", worker->dir};
	int count = 3;

	test_program(program, sizeof(program));
	while (arguments != NULL && *arguments != NULL && count < 31)
		vector[count++] = *arguments++;
	worker->pid = fork();
	if (worker->pid == 0) {
		int null_fd = open("/dev/null", O_RDWR);

		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed test leaves no worker */
		dup2(null_fd, STDERR_FILENO);
		execv(program, (char *const *)(uintptr_t)vector);
		_exit(127);
	}
	return worker->pid > 0 ? 0 : -1;
}

/* Exit status, or 128 + signal; -1 when it has not ended in time. */
static inline int test_wait_exit(struct test_worker *worker, unsigned int ms)
{
	int status;

	for (unsigned int waited = 0; waited <= ms; waited += 5) {
		if (waitpid(worker->pid, &status, WNOHANG) == worker->pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		test_sleep_ms(5);
	}
	return -1;
}

static inline int test_connect_to(const struct test_worker *worker, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", test_path(worker, name));
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static inline int test_connect_once(const struct test_worker *worker)
{
	return test_connect_to(worker, "worker.sock");
}

/* Connect, waiting for the worker to listen; -1 when it does not within 20 s or has ended. */
static inline int test_connect_at(struct test_worker *worker, const char *name)
{
	for (int i = 0; i < 2000; i++) {
		worker->fd = test_connect_to(worker, name);
		if (worker->fd >= 0)
			return 0;
		if (waitid(P_PID, (id_t)worker->pid, &(siginfo_t){0},
		           WEXITED | WNOHANG | WNOWAIT) != 0)
			return -1;
		test_sleep_ms(10);
	}
	return -1;
}

static inline int test_connect(struct test_worker *worker)
{
	return test_connect_at(worker, "worker.sock");
}

/* Send a datagram with `fd_count` descriptors. */
static inline int test_send(int socket_fd, const void *data, size_t length, const int *fds,
                            size_t fd_count)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(16 * sizeof(int))] = {0};
	struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = length};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd_count > 0) {
		struct cmsghdr *header = (struct cmsghdr *)control;

		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
	}
	return sendmsg(socket_fd, &message, MSG_NOSIGNAL) == (ssize_t)length ? 0 : -1;
}

/* The next message within `ms`; NULL when none came. To be freed with protobuf-c. */
static inline PB(WorkerMessage) * test_receive(int socket_fd, int ms)
{
	static uint8_t data[262144];
	struct pollfd poll_fd = {.fd = socket_fd, .events = POLLIN};
	ssize_t length;

	if (poll(&poll_fd, 1, ms) != 1)
		return NULL;
	length = recv(socket_fd, data, sizeof(data), 0);
	return length <= 0
	               ? NULL
	               : sealane__worker__v1__worker_message__unpack(NULL, (size_t)length, data);
}

/* Count a link that is told to be up, by whatever message. */
static inline void test_note_link(struct test_worker *worker, const PB(WorkerMessage) * message)
{
	const unsigned int n = sizeof(worker->link_ups) / sizeof(worker->link_ups[0]);

	if (message->message_case == SEALANE__WORKER__V1__WORKER_MESSAGE__MESSAGE_EVENT &&
	    message->event->event_case == SEALANE__WORKER__V1__EVENT__EVENT_LINK_STATE &&
	    message->event->link_state->up)
		worker->link_ups[message->event->link_state->port % n]++;
	if (message->message_case == SEALANE__WORKER__V1__WORKER_MESSAGE__MESSAGE_REPLY &&
	    message->reply->port != NULL && message->reply->port->link_up)
		worker->link_ups[message->reply->port->port % n]++;
}

/* Send a command and wait for its reply, dropping events (but see link_ups). NULL: none came. */
static inline PB(WorkerMessage) * test_command(struct test_worker *worker,
                                               PB(WorkerCommand) * command, const int *fds,
                                               size_t fd_count)
{
	uint8_t data[65536];
	size_t length;

	command->id = ++worker->next_id;
	length = sealane__worker__v1__worker_command__pack(command, data);
	if (test_send(worker->fd, data, length, fds, fd_count) != 0)
		return NULL;
	for (;;) {
		PB(WorkerMessage) *message = test_receive(worker->fd, 20000);

		if (message != NULL)
			test_note_link(worker, message);
		if (message == NULL ||
		    (message->message_case == SEALANE__WORKER__V1__WORKER_MESSAGE__MESSAGE_REPLY &&
		     message->reply->id == command->id))
			return message;
		sealane__worker__v1__worker_message__free_unpacked(message, NULL);
	}
}

/* The reply's code alone, printing what a refusal says; -1: no reply. Frees the message. */
static inline int test_reply_code(PB(WorkerMessage) * message)
{
	int code = message != NULL ? (int)message->reply->code : -1;

	if (code > 0)
		printf("    refused: %s; %s\n", message->reply->message, message->reply->remedy);
	sealane__worker__v1__worker_message__free_unpacked(message, NULL);
	return code;
}

static inline int test_code(struct test_worker *worker, PB(WorkerCommand) * command, const int *fds,
                            size_t fd_count)
{
	return test_reply_code(test_command(worker, command, fds, fd_count));
}

static inline PB(WorkerCommand) test_new_command(int command_case)
{
	PB(WorkerCommand) command = SEALANE__WORKER__V1__WORKER_COMMAND__INIT;

	command.command_case = command_case;
	return command;
}

static inline int test_hello(struct test_worker *worker)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(HELLO));
	PB(Hello) hello = SEALANE__WORKER__V1__HELLO__INIT;

	hello.protocol_version = 1;
	hello.tables_epoch = worker->tables->header.segment.epoch;
	command.hello = &hello;
	return test_code(worker, &command, NULL, 0);
}

/* netns: descriptor of the port's namespace, or -1. The reply, or NULL; its owner frees it. */
static inline PB(WorkerMessage) * test_ask_port(struct test_worker *worker, uint32_t id,
                                                const char *devargs, int netns, bool offloads)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(ADD_PORT));
	PB(AddPort) port;
	char name[16], text[512];

	(void)snprintf(name, sizeof(name), "port%u", id);
	(void)snprintf(text, sizeof(text), "%s", devargs);
	sealane__worker__v1__add_port__init(&port);
	port.port = id;
	port.name = name;
	port.devargs = text;
	port.mtu = 1500;
	port.netns_descriptor = netns >= 0;
	port.no_offloads = !offloads;
	command.add_port = &port;
	return test_command(worker, &command, &netns, netns >= 0 ? 1 : 0);
}

static inline int test_add_port(struct test_worker *worker, uint32_t id, const char *devargs,
                                int netns)
{
	return test_reply_code(test_ask_port(worker, id, devargs, netns, true));
}

static inline int test_start(struct test_worker *worker)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(START));
	PB(Start) start = SEALANE__WORKER__V1__START__INIT;

	command.start = &start;
	return test_code(worker, &command, NULL, 0);
}

static inline int test_shutdown_as(struct test_worker *worker, bool hand_over)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(SHUTDOWN));
	PB(Shutdown) shutdown_ = SEALANE__WORKER__V1__SHUTDOWN__INIT;

	shutdown_.hand_over = hand_over;
	command.shutdown = &shutdown_;
	return test_code(worker, &command, NULL, 0);
}

static inline int test_shutdown(struct test_worker *worker)
{
	return test_shutdown_as(worker, false);
}

static inline int test_prepare_hand_over(struct test_worker *worker, uint32_t lcores)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(PREPARE_HAND_OVER));
	PB(PrepareHandOver) prepare = SEALANE__WORKER__V1__PREPARE_HAND_OVER__INIT;

	prepare.lcores = lcores;
	command.prepare_hand_over = &prepare;
	return test_code(worker, &command, NULL, 0);
}

static inline int test_take_over(struct test_worker *worker)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(TAKE_OVER));
	PB(TakeOver) take_over = SEALANE__WORKER__V1__TAKE_OVER__INIT;

	command.take_over = &take_over;
	return test_code(worker, &command, NULL, 0);
}

static inline int test_attach(struct test_worker *worker, uint32_t interface, int fd)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(ATTACH_INTERFACE));
	PB(AttachInterface) attach = SEALANE__WORKER__V1__ATTACH_INTERFACE__INIT;

	attach.interface = interface;
	command.attach_interface = &attach;
	return test_code(worker, &command, &fd, 1);
}

static inline int test_install(struct test_worker *worker, uint32_t outbound, uint32_t inbound)
{
	PB(WorkerCommand) command = test_new_command(PB_CASE(INSTALL_SAS));
	PB(InstallSas) install = SEALANE__WORKER__V1__INSTALL_SAS__INIT;

	install.outbound = &outbound;
	install.n_outbound = outbound != 0;
	install.inbound = &inbound;
	install.n_inbound = inbound != 0;
	command.install_sas = &install;
	return test_code(worker, &command, NULL, 0);
}

#endif
