/* SPDX-License-Identifier: Apache-2.0 */
#include "control/server.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/log.h"
#include "control/message.h"
#include "segments/process.h"

static int bind_and_listen(int fd, const char *path, struct sl_fault *fault)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat status;
	mode_t mask;
	int result;

	if (strlen(path) >= sizeof(address.sun_path))
		return sl_fail(fault, SL_FAULT_USAGE, "choose a shorter path",
		               "socket path %s is too long", path);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (lstat(path, &status) == 0) {
		if (!S_ISSOCK(status.st_mode))
			return sl_fail(fault, SL_FAULT_USAGE,
			               "remove it, or choose another --socket",
			               "%s exists and is not a socket", path);
		(void)unlink(path);
	}
	mask = umask(0177);
	result = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	umask(mask);
	if (result != 0 || listen(fd, 4) != 0)
		return sl_fail(fault, SL_FAULT_USAGE, "check the directory and its owner",
		               "cannot listen on %s: %s", path, strerror(errno));
	return 0;
}

int sl_server_open(struct sl_server *server, const char *path, int epoll_fd, uint64_t listen_tag,
                   uint64_t connection_tag, struct sl_fault *fault)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = listen_tag};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memset(server, 0, sizeof(*server));
	server->fd = -1;
	server->listen_fd = -1;
	server->epoll_fd = epoll_fd;
	server->connection_tag = connection_tag;
	if (fd < 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "", "cannot open a socket: %s",
		               strerror(errno));
	if (bind_and_listen(fd, path, fault) != 0) {
		close(fd);
		return -1;
	}
	(void)snprintf(server->path, sizeof(server->path), "%s", path);
	server->listen_fd = fd;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		sl_server_close(server);
		return sl_fail(fault, SL_FAULT_INTERNAL, "", "cannot watch the socket: %s",
		               strerror(errno));
	}
	return 0;
}

void sl_server_disconnect(struct sl_server *server)
{
	if (server->fd >= 0)
		close(server->fd);
	server->fd = -1;
	server->greeted = false;
}

void sl_server_close(struct sl_server *server)
{
	sl_server_disconnect(server);
	if (server->listen_fd < 0)
		return;
	close(server->listen_fd);
	(void)unlink(server->path);
	server->listen_fd = -1;
}

int sl_server_rename(struct sl_server *server, const char *path, struct sl_fault *fault)
{
	if (rename(server->path, path) != 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "check the directory and its owner",
		               "cannot listen on %s: %s", path, strerror(errno));
	(void)snprintf(server->path, sizeof(server->path), "%s", path);
	return 0;
}

/* Is whoever holds the present connection still there? Its descriptor may live on in a child. */
static bool peer_alive(const struct sl_server *server)
{
	struct pollfd connection = {.fd = server->fd, .events = POLLRDHUP};

	if (poll(&connection, 1, 0) > 0 &&
	    (connection.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0)
		return false;
	return sl_process_alive(server->peer_pid, server->peer_start_time);
}

static void refuse(int fd, enum sl_fault_code code, const char *remedy, const char *message)
{
	struct sl_fault fault;
	struct sl_encoded encoded;

	(void)sl_fail(&fault, code, remedy, "%s", message);
	sl_log_fault(SL_LOG_WARNING, &fault);
	if (sl_encode_reply(&encoded, &(struct sl_reply){.fault = &fault}) == 0) {
		(void)send(fd, encoded.data, encoded.length, MSG_NOSIGNAL | MSG_DONTWAIT);
		sl_encoded_free(&encoded);
	}
	close(fd);
}

bool sl_server_accept(struct sl_server *server)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP,
	                            .data.u64 = server->connection_tag};
	struct ucred peer;
	socklen_t size = sizeof(peer);
	char text[128];
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 ||
	    (peer.uid != geteuid() && peer.uid != 0)) {
		refuse(fd, SL_FAULT_NO_PRIVILEGE, "connect as the user the worker runs as",
		       "a process of another user tried to control the worker");
		return false;
	}
	if (server->fd >= 0 && peer_alive(server)) {
		(void)snprintf(text, sizeof(text),
		               "another supervisor (pid %" PRIu32 ") is connected",
		               server->peer_pid);
		refuse(fd, SL_FAULT_STATE, "stop it first", text);
		return false;
	}
	sl_server_disconnect(server);
	if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		refuse(fd, SL_FAULT_INTERNAL, "", "cannot watch the connection");
		return false;
	}
	server->fd = fd;
	server->peer_pid = (uint32_t)peer.pid;
	server->peer_start_time = sl_process_start_time((uint32_t)peer.pid);
	return true;
}

/* Move the descriptors of a message to `received`; those beyond its room are closed. */
static void take_descriptors(struct msghdr *message, struct sl_received *received)
{
	struct cmsghdr *header;

	for (header = CMSG_FIRSTHDR(message); header != NULL;
	     header = CMSG_NXTHDR(message, header)) {
		size_t count;

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
			if (received->fd_count < SL_COMMAND_FDS) {
				received->fds[received->fd_count++] = fd;
			} else {
				close(fd);
				received->cut = true;
			}
		}
	}
}

int sl_server_receive(struct sl_server *server, struct sl_received *received)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(SL_COMMAND_FDS * sizeof(int))];
	struct iovec data = {.iov_base = server->buffer, .iov_len = sizeof(server->buffer)};
	struct msghdr message = {.msg_iov = &data,
	                         .msg_iovlen = 1,
	                         .msg_control = control,
	                         .msg_controllen = sizeof(control)};
	ssize_t length;

	memset(received, 0, sizeof(*received));
	if (server->fd < 0)
		return 0;
	length = recvmsg(server->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (length > 0)
		take_descriptors(&message, received);
	if (length <= 0) {
		sl_server_disconnect(server);
		return -1;
	}
	if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0)
		received->cut = true;
	received->data = server->buffer;
	received->length = (size_t)length;
	return 1;
}

void sl_received_close(struct sl_received *received)
{
	for (unsigned int i = 0; i < received->fd_count; i++)
		if (received->fds[i] >= 0)
			close(received->fds[i]);
	received->fd_count = 0;
}

bool sl_server_send(struct sl_server *server, const uint8_t *data, size_t length)
{
	return server->fd >= 0 &&
	       send(server->fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)length;
}
