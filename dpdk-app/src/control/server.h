/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket the supervisor connects to: AF_UNIX SOCK_SEQPACKET, mode 0600, peer of the same user. One
 * supervisor at a time: while one is alive a second one is refused; once it is dead the next takes over.
 */
#ifndef SEALANE_CONTROL_SERVER_H
#define SEALANE_CONTROL_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/fault.h"

#define SL_COMMAND_BYTES 65536u /* longest command */
#define SL_COMMAND_FDS 4u       /* descriptors taken off one message; more is malformed */

struct sl_server {
	int listen_fd; /* -1 = closed */
	int fd;        /* the connection, -1 = none */
	int epoll_fd;
	uint64_t connection_tag;
	bool greeted; /* Hello was accepted on this connection */
	uint32_t peer_pid;
	uint64_t peer_start_time;
	char path[108];
	uint8_t buffer[SL_COMMAND_BYTES];
};

/* Beside a server's path: where a worker that stands by listens. */
#define SL_STANDBY_SUFFIX ".standby"

struct sl_received {
	const uint8_t *data;
	size_t length;
	int fds[SL_COMMAND_FDS]; /* -1 once taken by a handler */
	unsigned int fd_count;
	bool cut; /* the message or its descriptors did not fit */
};

/*
 * Listen at `path`, removing what a dead worker left there; the caller holds the state lock, so there is
 * no other. `listen_tag` and `connection_tag` come back in epoll's data. 0, or -1 with `fault`.
 */
int sl_server_open(struct sl_server *server, const char *path, int epoll_fd, uint64_t listen_tag,
                   uint64_t connection_tag, struct sl_fault *fault);
void sl_server_close(struct sl_server *server);

/* Listen at `path` from now on, in the place of whoever did. 0, or -1 with `fault`. */
int sl_server_rename(struct sl_server *server, const char *path, struct sl_fault *fault);

/* Take one waiting connection, or refuse it with a reply. True when it is the supervisor's now. */
bool sl_server_accept(struct sl_server *server);

/* Receive one command. 1: `received` holds one; 0: none waits; -1: the connection ended (closed). */
int sl_server_receive(struct sl_server *server, struct sl_received *received);

/* Close descriptors that no handler took. */
void sl_received_close(struct sl_received *received);

/*
 * Send one datagram. A supervisor that does not read cannot be waited for: false when it was not sent
 * (there is none, or its buffer is full).
 */
bool sl_server_send(struct sl_server *server, const uint8_t *data, size_t length);

/* Close the connection. */
void sl_server_disconnect(struct sl_server *server);

#endif
