/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BFD between its machine (bfd/) and the kernel: UDP sockets that the supervisor made, one timer descriptor
 * for what is due, and what the supervisor is to be told. Needs no privilege. Control thread only.
 */
#ifndef SEALANE_CONTROL_BFD_LINK_H
#define SEALANE_CONTROL_BFD_LINK_H

#include "bfd/bfd_table.h"
#include "control/fault.h"

struct IMB_MGR;

#define SL_BFD_LISTENERS 256u
#define SL_BFD_RECEIVE_BATCH 64u /* packets per listener and wake-up */
#define SL_BFD_EXPIRE_BATCH 256u /* timers per wake-up */

struct sl_bfd_listener {
	int fd; /* -1 = none */
	bool multihop;
	uint8_t family; /* 4 or 6 */
	char name[SL_BFD_NAME_LEN];
};

struct sl_bfd_link {
	int epoll_fd;
	uint64_t listener_tag; /* ORed to the listener's number in epoll's data */
	int timer_fd;
	uint64_t armed_ns; /* what the timer is set to; SL_BFD_NEVER: disarmed */
	uint64_t *drops;   /* control_drops of segment `state` */
	struct IMB_MGR *hash;
	bool untold; /* some session's change could not be told yet */
	/* Tell the supervisor of an entry's state; false when it could not be told. */
	bool (*on_state)(void *context, const struct sl_bfd_entry *entry);
	void *context;
	struct sl_bfd_listener listener[SL_BFD_LISTENERS];
	struct sl_bfd_table table;
};

/* `timer_tag` comes back in epoll's data when sl_bfd_link_expire() is to be called. 0, or -1 with `fault`. */
int sl_bfd_link_open(struct sl_bfd_link *link, int epoll_fd, uint64_t timer_tag,
                     uint64_t listener_tag, uint64_t *drops, struct sl_fault *fault);

/*
 * Every peer is told AdminDown once (§6.8.16): that this worker ends is no failure of a path. With `handed_over`
 * none is told anything: another worker goes on with the sessions.
 */
void sl_bfd_link_close(struct sl_bfd_link *link, bool handed_over);

/* Takes `fd` only when it succeeds. `listener` is 1..255, `name` shorter than SL_BFD_NAME_LEN. */
int sl_bfd_link_listen(struct sl_bfd_link *link, uint32_t listener, const char *name, bool multihop,
                       int fd, struct sl_fault *fault);
int sl_bfd_link_unlisten(struct sl_bfd_link *link, uint32_t listener, struct sl_fault *fault);

struct sl_bfd_request {
	uint32_t id; /* not 0 */
	const char *name;
	uint32_t listener;
	const uint8_t *remote; /* network order */
	size_t remote_length;  /* 4 or 16 */
	uint8_t min_ttl;       /* of a multihop session */
	int fd;                /* bound to the local address; taken only when it succeeds */
	const struct sl_bfd_resume *resume; /* of the worker before, NULL = begin */
};
int sl_bfd_link_add(struct sl_bfd_link *link, const struct sl_bfd_request *request,
                    const struct sl_bfd_config *config, struct sl_fault *fault);
int sl_bfd_link_change(struct sl_bfd_link *link, uint32_t id, const struct sl_bfd_config *config,
                       uint8_t min_ttl, struct sl_fault *fault);
/* The peer is told AdminDown for as long as it would wait for a packet, then the session is gone. */
int sl_bfd_link_remove(struct sl_bfd_link *link, uint32_t id, struct sl_fault *fault);

/* Take what a listener has received: one batch. */
void sl_bfd_link_receive(struct sl_bfd_link *link, uint32_t listener);
/* Do what is due: one batch. */
void sl_bfd_link_expire(struct sl_bfd_link *link);
/* Try again to tell what could not be told. */
void sl_bfd_link_tell(struct sl_bfd_link *link);

#endif
