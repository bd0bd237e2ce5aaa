/* SPDX-License-Identifier: Apache-2.0 */
#include "control/bfd_link.h"

#include <errno.h>
#include <intel-ipsec-mb.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "control/bfd_socket.h"
#include "control/control.h"
#include "control/log.h"
#include "sealane/drop_reasons.h"

#define BILLION 1000000000ull
#define NS_PER_US 1000u

/* ---- What the machine needs of the world -------------------------------------------------------- */

static uint32_t random32(void *context)
{
	uint32_t value = 0;

	(void)context;
	/* Never short for so few bytes, and never waits once the system has booted. */
	(void)getrandom(&value, sizeof(value), 0);
	return value;
}

static void sha1(void *context, const uint8_t *data, size_t length, uint8_t out[20])
{
	IMB_SHA1((struct IMB_MGR *)context, data, length, out);
}

static void count(struct sl_bfd_link *link, enum sl_drop_reason reason)
{
	/* One writer; relaxed, so that the supervisor reads whole words. */
	__atomic_store_n(&link->drops[reason], link->drops[reason] + 1, __ATOMIC_RELAXED);
}

/* ---- The timer ---------------------------------------------------------------------------------- */

/* To be called whenever something may be due at another time. */
static void arm(struct sl_bfd_link *link)
{
	const struct sl_bfd_entry *first = sl_bfd_table_first(&link->table);
	uint64_t due = first != NULL ? sl_bfd_entry_due(first) : SL_BFD_NEVER;
	struct itimerspec time = {0}; /* zero disarms it */

	if (due == link->armed_ns)
		return;
	if (due != SL_BFD_NEVER) {
		time.it_value.tv_sec = (time_t)(due / BILLION);
		time.it_value.tv_nsec = (long)(due % BILLION);
	}
	if (timerfd_settime(link->timer_fd, TFD_TIMER_ABSTIME, &time, NULL) == 0)
		link->armed_ns = due;
}

/* ---- What a step brings about ------------------------------------------------------------------- */

static void send_packet(struct sl_bfd_link *link, struct sl_bfd_entry *entry,
                        const struct sl_bfd_packet *packet)
{
	uint8_t bytes[SL_BFD_MAX_BYTES];
	size_t length = sl_bfd_seal(&entry->session, packet, bytes);

	if (!sl_bfd_socket_send(entry, bytes, length))
		count(link, SL_DROP_bfd_send);
}

static void tell(struct sl_bfd_link *link, struct sl_bfd_entry *entry)
{
	entry->untold = !link->on_state(link->context, entry);
	link->untold = link->untold || entry->untold;
}

static void log_state(const struct sl_bfd_entry *entry)
{
	static const char *const states[] = {"AdminDown", "Down", "Init", "Up"};
	const struct sl_bfd_session *session = &entry->session;

	sl_log(SL_LOG_INFO, "BFD session %s is %s, diagnostic %u; its peer is %s, diagnostic %u",
	       entry->name, states[session->state], session->local_diag,
	       states[session->remote_state], session->remote_diag);
}

static void act(struct sl_bfd_link *link, struct sl_bfd_entry *entry,
                const struct sl_bfd_output *out)
{
	if (out->send)
		send_packet(link, entry, &out->packet);
	sl_bfd_table_moved(&link->table, entry);
	if (!out->changed || entry->id == 0)
		return;
	log_state(entry);
	tell(link, entry);
}

static void drop_session(struct sl_bfd_link *link, struct sl_bfd_entry *entry)
{
	close(entry->fd);
	sl_bfd_table_remove(&link->table, entry);
}

void sl_bfd_link_tell(struct sl_bfd_link *link)
{
	if (!link->untold)
		return;
	link->untold = false;
	for (uint16_t i = 0; i < link->table.count; i++) {
		struct sl_bfd_entry *entry = &link->table.entry[link->table.heap[i]];

		if (entry->untold && entry->id != 0)
			tell(link, entry);
	}
}

void sl_bfd_link_expire(struct sl_bfd_link *link)
{
	uint64_t expirations, now_ns = sl_monotonic_ns();
	struct sl_bfd_output out;

	(void)!read(link->timer_fd, &expirations, sizeof(expirations));
	link->armed_ns =
		0; /* a timer in the past fires again: nothing is forgotten when the batch is full */
	for (unsigned int i = 0; i < SL_BFD_EXPIRE_BATCH; i++) {
		struct sl_bfd_entry *entry = sl_bfd_table_first(&link->table);

		if (entry == NULL || sl_bfd_entry_due(entry) > now_ns)
			break;
		if (entry->leaves_ns <= now_ns) {
			drop_session(link, entry);
			continue;
		}
		sl_bfd_expire(&entry->session, now_ns, &out);
		act(link, entry, &out);
	}
	arm(link);
}

/* ---- Receiving ---------------------------------------------------------------------------------- */

static void take(struct sl_bfd_link *link, const struct sl_bfd_listener *listener,
                 const struct sl_bfd_datagram *datagram, uint64_t now_ns)
{
	struct sl_bfd_packet packet;
	struct sl_bfd_output out;
	struct sl_bfd_entry *entry;

	/* RFC 5881 §5: from further away than the link it is forged, whatever it holds. */
	if (!listener->multihop && datagram->ttl != 255) {
		count(link, SL_DROP_bfd_ttl);
		return;
	}
	if (sl_bfd_decode(datagram->bytes, datagram->length, &packet) != SL_BFD_OK) {
		count(link, SL_DROP_bfd_malformed);
		return;
	}
	entry = sl_bfd_table_demultiplex(&link->table, &packet, &datagram->key);
	if (entry == NULL) {
		count(link, SL_DROP_bfd_no_session);
		return;
	}
	if (listener->multihop && datagram->ttl < entry->min_ttl) {
		count(link, SL_DROP_bfd_ttl);
		return;
	}
	if (!sl_bfd_receive(&entry->session, &packet, datagram->bytes, now_ns, &out)) {
		count(link, SL_DROP_bfd_auth);
		return;
	}
	act(link, entry, &out);
}

void sl_bfd_link_receive(struct sl_bfd_link *link, uint32_t listener)
{
	const struct sl_bfd_listener *from = &link->listener[listener % SL_BFD_LISTENERS];
	struct sl_bfd_datagram datagram;

	for (unsigned int i = 0; i < SL_BFD_RECEIVE_BATCH && from->fd >= 0; i++) {
		if (!sl_bfd_socket_receive(from->fd, &datagram))
			break;
		datagram.key.listener = listener;
		take(link, from, &datagram, sl_monotonic_ns());
	}
	arm(link);
}

/* ---- Listeners ---------------------------------------------------------------------------------- */

int sl_bfd_link_listen(struct sl_bfd_link *link, uint32_t listener, const char *name, bool multihop,
                       int fd, struct sl_fault *fault)
{
	struct sl_bfd_listener *at = &link->listener[listener % SL_BFD_LISTENERS];
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = link->listener_tag | listener};
	uint8_t family;

	if (at->fd >= 0)
		return sl_fail(fault, SL_FAULT_ALREADY, "use another number",
		               "BFD listener %" PRIu32 " exists", listener);
	if (sl_bfd_socket_check_listener(fd, multihop, &family, fault) != 0)
		return -1;
	if (epoll_ctl(link->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "", "cannot watch a BFD socket: %s",
		               strerror(errno));
	at->fd = fd;
	at->multihop = multihop;
	at->family = family;
	(void)snprintf(at->name, sizeof(at->name), "%s", name);
	return 0;
}

static void close_listener(struct sl_bfd_link *link, struct sl_bfd_listener *listener)
{
	/* Closing is not enough: the supervisor may hold the same open file. */
	(void)epoll_ctl(link->epoll_fd, EPOLL_CTL_DEL, listener->fd, NULL);
	close(listener->fd);
	listener->fd = -1;
}

int sl_bfd_link_unlisten(struct sl_bfd_link *link, uint32_t listener, struct sl_fault *fault)
{
	struct sl_bfd_listener *at = &link->listener[listener % SL_BFD_LISTENERS];
	struct sl_bfd_table *table = &link->table;

	if (at->fd < 0)
		return sl_fail(fault, SL_FAULT_NOT_FOUND, "add it first",
		               "there is no BFD listener %" PRIu32, listener);
	for (uint16_t i = 0; i < table->count; i++) {
		const struct sl_bfd_entry *entry = &table->entry[table->heap[i]];

		if (entry->key.listener == listener && entry->id != 0)
			return sl_fail(fault, SL_FAULT_STATE, "remove its sessions first",
			               "BFD session %s is on listener %" PRIu32, entry->name,
			               listener);
	}
	/* What is being removed only sends. */
	close_listener(link, at);
	return 0;
}

/* ---- Sessions ----------------------------------------------------------------------------------- */

static int no_session(uint32_t id, struct sl_fault *fault)
{
	return sl_fail(fault, SL_FAULT_NOT_FOUND, "add it first",
	               "there is no BFD session %" PRIu32, id);
}

/* Which packets will be the new session's. */
static int make_key(const struct sl_bfd_link *link, const struct sl_bfd_request *request,
                    struct sl_bfd_address_key *key, struct sl_fault *fault)
{
	const struct sl_bfd_listener *listener =
		&link->listener[request->listener % SL_BFD_LISTENERS];

	memset(key, 0, sizeof(*key));
	if (listener->fd < 0)
		return sl_fail(fault, SL_FAULT_NOT_FOUND, "add it first",
		               "there is no BFD listener %" PRIu32, request->listener);
	key->listener = request->listener;
	key->family = listener->family;
	if (request->remote_length != (key->family == 4 ? 4u : 16u))
		return sl_fail(fault, SL_FAULT_MALFORMED, "use a listener of the peer's family",
		               "BFD session %s: its listener is IPv%u", request->name, key->family);
	memcpy(key->remote, request->remote, request->remote_length);
	return sl_bfd_socket_check_sender(request->fd, key, fault);
}

int sl_bfd_link_add(struct sl_bfd_link *link, const struct sl_bfd_request *request,
                    const struct sl_bfd_config *config, struct sl_fault *fault)
{
	struct sl_bfd_address_key key;
	struct sl_bfd_entry *entry;

	if (make_key(link, request, &key, fault) != 0)
		return -1;
	entry = sl_bfd_table_by_key(&link->table, &key);
	if ((entry != NULL && entry->id != 0) ||
	    sl_bfd_table_by_id(&link->table, request->id) != NULL)
		return sl_fail(fault, SL_FAULT_ALREADY, "change it, or remove it first",
		               "there is a BFD session of this number or with these addresses");
	if (entry != NULL) /* the one before it, being removed */
		drop_session(link, entry);
	entry = sl_bfd_table_add(&link->table, request->id, &key, config, sl_monotonic_ns());
	if (entry == NULL)
		return sl_fail(fault, SL_FAULT_NO_MEMORY, "remove sessions",
		               "there are %u BFD sessions already", SL_BFD_SESSIONS);
	entry->fd = request->fd;
	entry->min_ttl = request->min_ttl;
	entry->port = link->listener[key.listener].multihop ? SL_BFD_MULTIHOP_PORT : SL_BFD_PORT;
	(void)snprintf(entry->name, sizeof(entry->name), "%s", request->name);
	if (request->resume != NULL && !config->admin_down)
		(void)sl_bfd_table_go_on(&link->table, entry, request->resume, sl_monotonic_ns());
	arm(link);
	return 0;
}

int sl_bfd_link_change(struct sl_bfd_link *link, uint32_t id, const struct sl_bfd_config *config,
                       uint8_t min_ttl, struct sl_fault *fault)
{
	struct sl_bfd_entry *entry = sl_bfd_table_by_id(&link->table, id);
	struct sl_bfd_output out;

	if (entry == NULL)
		return no_session(id, fault);
	entry->min_ttl = min_ttl;
	sl_bfd_configure(&entry->session, config, sl_monotonic_ns(), &out);
	act(link, entry, &out);
	arm(link);
	return 0;
}

/* The last state of a session. Returns when a packet tells the peer. */
static bool take_down(struct sl_bfd_link *link, struct sl_bfd_entry *entry, uint64_t now_ns)
{
	struct sl_bfd_config config = entry->session.config;
	struct sl_bfd_output out;
	bool heard = entry->session.remote_discr != 0;

	entry->id = 0;
	if (!heard)
		return false;
	config.admin_down = true;
	sl_bfd_configure(&entry->session, &config, now_ns, &out);
	act(link, entry, &out);
	return true;
}

int sl_bfd_link_remove(struct sl_bfd_link *link, uint32_t id, struct sl_fault *fault)
{
	struct sl_bfd_entry *entry = sl_bfd_table_by_id(&link->table, id);
	uint64_t now_ns = sl_monotonic_ns(), interval_us;

	if (entry == NULL)
		return no_session(id, fault);
	if (take_down(link, entry, now_ns)) {
		interval_us = entry->session.tx_interval_us;
		entry->leaves_ns =
			now_ns + entry->session.config.detect_mult * interval_us * NS_PER_US;
		sl_bfd_table_moved(&link->table, entry);
	} else {
		drop_session(link, entry);
	}
	arm(link);
	return 0;
}

/* ---- Beginning and end --------------------------------------------------------------------------- */

/* A session has a descriptor of its own: as many as are allowed. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}

int sl_bfd_link_open(struct sl_bfd_link *link, int epoll_fd, uint64_t timer_tag,
                     uint64_t listener_tag, uint64_t *drops, struct sl_fault *fault)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = timer_tag};
	struct sl_bfd_world world = {.random = random32};

	memset(link, 0, sizeof(*link));
	for (uint32_t i = 0; i < SL_BFD_LISTENERS; i++)
		link->listener[i].fd = -1;
	link->epoll_fd = epoll_fd;
	link->listener_tag = listener_tag;
	link->armed_ns = SL_BFD_NEVER;
	link->drops = drops;
	link->hash = alloc_mb_mgr(0);
	if (link->hash == NULL)
		return sl_fail(fault, SL_FAULT_NO_MEMORY, "", "no memory for BFD");
	init_mb_mgr_auto(link->hash, NULL);
	world.hasher = (struct sl_bfd_hasher){.sha1 = sha1, .context = link->hash};
	sl_bfd_table_init(&link->table, &world);
	raise_descriptor_limit();
	link->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (link->timer_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, link->timer_fd, &event) != 0) {
		free_mb_mgr(link->hash);
		return sl_fail(fault, SL_FAULT_INTERNAL, "", "no timer for BFD: %s",
		               strerror(errno));
	}
	return 0;
}

void sl_bfd_link_close(struct sl_bfd_link *link, bool handed_over)
{
	uint64_t now_ns = sl_monotonic_ns();

	while (link->table.count > 0) {
		struct sl_bfd_entry *entry = sl_bfd_table_first(&link->table);

		if (!handed_over)
			(void)take_down(link, entry, now_ns);
		drop_session(link, entry);
	}
	for (uint32_t i = 1; i < SL_BFD_LISTENERS; i++)
		if (link->listener[i].fd >= 0)
			close_listener(link, &link->listener[i]);
	close(link->timer_fd);
	free_mb_mgr(link->hash);
}
