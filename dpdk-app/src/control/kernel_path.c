/* SPDX-License-Identifier: Apache-2.0 */
#include "control/kernel_path.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "control/tap.h"
#include "stages/jumbo.h"

#define SL_TOO_BIG_PER_SECOND 200u

void sl_kernel_path_init(struct sl_kernel_path *path, const struct sl_workers *workers,
                         uint64_t *drops, int epoll_fd, uint64_t event_tag)
{
	memset(path, 0, sizeof(*path));
	path->workers = workers;
	path->drops = drops;
	path->epoll_fd = epoll_fd;
	path->event_tag = event_tag;
	for (uint32_t i = 0; i < SL_MAX_INTERFACES; i++)
		path->interface[i].fd = -1;
}

void sl_kernel_path_close(struct sl_kernel_path *path)
{
	for (uint32_t i = 0; i < SL_MAX_INTERFACES; i++)
		if (path->interface[i].fd >= 0)
			close(path->interface[i].fd);
}

/* The thread that has what the kernel sends: in one place its frames stay in order. */
static struct sl_worker *first(const struct sl_kernel_path *path)
{
	return path->workers->thread[0];
}

static int watch(struct sl_kernel_path *path, uint32_t interface, struct sl_fault *fault)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = path->event_tag | interface};

	if (epoll_ctl(path->epoll_fd, EPOLL_CTL_ADD, path->interface[interface].fd, &event) == 0)
		return 0;
	return sl_fail(fault, SL_FAULT_INTERNAL, "",
	               "cannot watch the TAP of interface %" PRIu32 ": %s", interface,
	               strerror(errno));
}

int sl_kernel_path_start(struct sl_kernel_path *path, struct sl_fault *fault)
{
	path->reading = true;
	for (uint32_t i = 0; i < SL_MAX_INTERFACES; i++)
		if (path->interface[i].fd >= 0 && watch(path, i, fault) != 0)
			return -1;
	return 0;
}

/* The words of an S-VID's frames on a port: made when it has its first interface. False: no memory. */
static bool make_svlan(struct sl_port *port, uint16_t svlan)
{
	uint32_t *by_vlan;

	if (svlan == 0 || port->by_svlan[svlan] != NULL)
		return true;
	by_vlan = calloc(4096, sizeof(*by_vlan));
	if (by_vlan != NULL)
		__atomic_store_n(&port->by_svlan[svlan], by_vlan, __ATOMIC_RELEASE);
	return by_vlan != NULL;
}

static void map_vlan(struct sl_kernel_path *path, const struct sl_attachment *attachment,
                     uint32_t interface)
{
	struct sl_port *port = &first(path)->ports[attachment->port];
	uint32_t *by_vlan = attachment->svlan == 0 ? port->interface_by_vlan
	                                           : port->by_svlan[attachment->svlan];

	if (attachment->port != 0)
		__atomic_store_n(&by_vlan[attachment->vlan], interface, __ATOMIC_RELEASE);
}

static void release(struct sl_kernel_path *path, uint32_t interface)
{
	struct sl_attachment *attachment = &path->interface[interface];

	if (attachment->fd < 0)
		return;
	map_vlan(path, attachment, 0);
	/* Closing is not enough: the supervisor may hold the same open file. */
	if (path->reading)
		(void)epoll_ctl(path->epoll_fd, EPOLL_CTL_DEL, attachment->fd, NULL);
	close(attachment->fd);
	*attachment = (struct sl_attachment){.fd = -1};
}

/* What the row says about where the interface is. */
static int locate(const struct sl_kernel_path *path, uint32_t interface,
                  const struct sl_interface_row *row, struct sl_fault *fault)
{
	struct sl_port *port = &first(path)->ports[row->port & (SL_MAX_PORTS - 1)];
	uint32_t taken;

	if (row->role == SL_ROLE_HOST)
		return 0;
	if (row->port == 0 || row->port >= SL_MAX_PORTS || port->dpdk_port == RTE_MAX_ETHPORTS)
		return sl_fail(fault, SL_FAULT_NOT_FOUND, "add the port first",
		               "interface %" PRIu32 " is on port %" PRIu32 ", which does not exist",
		               interface, row->port);
	if (row->vlan >= 4095 || row->svlan >= 4095 || (row->svlan != 0 && row->vlan == 0))
		return sl_fail(fault, SL_FAULT_MALFORMED,
		               "use VLANs of 0..4094, two or one or none",
		               "interface %" PRIu32 " has VLAN %u in service VLAN %u", interface,
		               row->vlan, row->svlan);
	taken = sl_port_interface(port, row->svlan, row->vlan);
	if (taken != 0 && taken != interface)
		return sl_fail(fault, SL_FAULT_ALREADY, "detach that interface first",
		               "port %" PRIu32 " VLAN %u in service VLAN %u is interface %" PRIu32
		               " already",
		               row->port, row->vlan, row->svlan, taken);
	if (!make_svlan(port, row->svlan))
		return sl_fail(fault, SL_FAULT_NO_MEMORY, "end something",
		               "no memory for service VLAN %u", row->svlan);
	return 0;
}

int sl_kernel_path_attach(struct sl_kernel_path *path, uint32_t interface, int fd,
                          struct sl_fault *fault)
{
	const struct sl_interface_row *row;
	struct sl_attachment fresh = {.fd = fd};

	row = &first(path)->tables->interface[interface & (SL_MAX_INTERFACES - 1)];
	if (interface == 0 || interface >= SL_MAX_INTERFACES ||
	    __atomic_load_n(&row->state, __ATOMIC_ACQUIRE) != SL_ROW_LIVE)
		return sl_fail(fault, SL_FAULT_NOT_FOUND, "write the row first",
		               "interface row %" PRIu32 " is not live", interface);
	if (locate(path, interface, row, fault) != 0 ||
	    sl_tap_check(fd, row->role == SL_ROLE_HOST, fault) != 0)
		return -1;
	if (row->role != SL_ROLE_HOST) {
		fresh.port = row->port;
		fresh.svlan = row->svlan;
		fresh.vlan = row->vlan;
	}
	release(path, interface);
	path->interface[interface] = fresh;
	if (path->reading && watch(path, interface, fault) != 0) {
		path->interface[interface].fd = -1;
		return -1;
	}
	map_vlan(path, &fresh, interface);
	return 0;
}

int sl_kernel_path_detach(struct sl_kernel_path *path, uint32_t interface, struct sl_fault *fault)
{
	if (interface == 0 || interface >= SL_MAX_INTERFACES || path->interface[interface].fd < 0)
		return sl_fail(fault, SL_FAULT_NOT_FOUND, "attach it first",
		               "interface %" PRIu32 " is not attached", interface);
	release(path, interface);
	return 0;
}

static void count(struct sl_kernel_path *path, enum sl_drop_reason reason, uint32_t packets)
{
	/* One writer; relaxed, so that the supervisor reads whole words. */
	__atomic_store_n(&path->drops[reason], path->drops[reason] + packets, __ATOMIC_RELAXED);
}

/*
 * One frame into the ordinary buffer *mbuf, or, where that is too small, into a large one in its place. SL_TAP_LONG
 * with *reason: there is none that could take it.
 */
static enum sl_tap_read read_one(struct sl_kernel_path *path, int fd, struct rte_mbuf **mbuf,
                                 enum sl_drop_reason *reason)
{
	size_t spilt = 0;
	enum sl_tap_read result = sl_tap_read(fd, *mbuf, path->spill, &spilt);
	struct rte_mbuf *moved;

	*reason = SL_DROP_inject_malformed;
	if (result != SL_TAP_GOT || spilt == 0)
		return result;
	moved = sl_move_new(first(path), *mbuf, (uint32_t)spilt, reason);
	if (moved == NULL) {
		if (*reason == SL_DROP_jumbo_too_long)
			*reason = SL_DROP_inject_malformed;
		return SL_TAP_LONG;
	}
	memcpy(rte_pktmbuf_append(moved, (uint16_t)spilt), path->spill, spilt);
	*mbuf = moved;
	return result;
}

/* Read up to `want` frames. *lost: the device is gone. */
static uint32_t read_batch(struct sl_kernel_path *path, uint32_t interface,
                           struct rte_mbuf **frames, uint32_t want, bool *lost)
{
	uint32_t got = 0;

	for (uint32_t attempt = 0; attempt < want; attempt++) {
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(first(path)->pool);
		enum sl_drop_reason reason;
		enum sl_tap_read result;

		if (mbuf == NULL) { /* the kernel keeps the rest; the ports come first */
			count(path, SL_DROP_no_mbuf, 1);
			break;
		}
		result = read_one(path, path->interface[interface].fd, &mbuf, &reason);
		if (result == SL_TAP_GOT) {
			memset(sl_packet(mbuf), 0, sizeof(struct sl_packet));
			sl_packet(mbuf)->interface = interface;
			sl_packet(mbuf)->from_host = path->interface[interface].port == 0;
			frames[got++] = mbuf;
			continue;
		}
		rte_pktmbuf_free(mbuf);
		if (result == SL_TAP_LONG) {
			count(path, reason, 1);
			continue;
		}
		*lost = result == SL_TAP_BROKEN;
		break;
	}
	return got;
}

uint32_t sl_kernel_path_read(struct sl_kernel_path *path, uint32_t interface)
{
	struct rte_mbuf *frames[SL_INJECT_BATCH];
	bool lost = false;
	uint32_t got, sent;

	if (interface >= SL_MAX_INTERFACES || path->interface[interface].fd < 0)
		return 0;
	got = read_batch(path, interface, frames, SL_INJECT_BATCH, &lost);
	sent = rte_ring_sp_enqueue_burst(first(path)->inject, (void **)frames, got, NULL);
	if (sent < got) {
		count(path, SL_DROP_inject_full, got - sent);
		for (uint32_t i = sent; i < got; i++)
			path->on_drop(path->context, frames[i], SL_DROP_inject_full);
		rte_pktmbuf_free_bulk(frames + sent, got - sent);
	}
	if (lost) {
		release(path, interface);
		path->on_lost(path->context, interface);
	}
	return got;
}

/* Count a packet that ends here; its buffer is the caller's. */
static void drop(struct sl_kernel_path *path, const struct rte_mbuf *mbuf,
                 enum sl_drop_reason reason)
{
	count(path, reason, 1);
	path->on_drop(path->context, mbuf, reason);
}

/* Frame or packet: to the descriptor of the interface noted. */
static void deliver(struct sl_kernel_path *path, const struct rte_mbuf *mbuf,
                    const struct sl_packet *packet, uint64_t now_ns)
{
	uint32_t id = packet->interface % SL_MAX_INTERFACES;
	const struct sl_attachment *to = &path->interface[id];
	bool is_host = packet->punt == SL_PUNT_PACKET;
	uint16_t offset = is_host ? packet->l3_offset : 0;

	if (!sl_punt_allowed(&path->bucket[id], now_ns))
		drop(path, mbuf, SL_DROP_punt_rate);
	else if (to->fd < 0 || (to->port == 0) != is_host || !sl_tap_write(to->fd, mbuf, offset))
		drop(path, mbuf, SL_DROP_punt_tap);
}

static void resolve(struct sl_kernel_path *path, const struct sl_packet *packet, uint64_t now_ns)
{
	if (packet->family != 4 && packet->family != 6)
		return;
	if (sl_resolve_allowed(&path->resolve, packet->interface, packet->family, packet->address,
	                       now_ns))
		(void)path->on_resolve(path->context, packet->interface, packet->address,
		                       packet->family == 4 ? 4 : 16);
}

/* One batch of a thread's requests for SAs. Returns the number taken. */
static uint32_t acquire(struct sl_kernel_path *path, const struct sl_worker *w, uint64_t now_ns)
{
	static const uint8_t none[16];
	void *nexthops[SL_PUNT_BATCH];
	uint32_t n = rte_ring_sc_dequeue_burst(w->acquire, nexthops, SL_PUNT_BATCH, NULL);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t nexthop = (uint32_t)(uintptr_t)nexthops[i];

		if (sl_resolve_allowed(&path->acquire, nexthop, 4, none, now_ns))
			(void)path->on_acquire(path->context, nexthop);
	}
	return n;
}

/* One batch of path MTUs. The packet thread lets few pass for an SA; here, few altogether. */
static uint32_t too_big(struct sl_kernel_path *path, const struct sl_worker *w, uint64_t now_ns)
{
	void *words[SL_PUNT_BATCH];
	uint32_t n = rte_ring_sc_dequeue_burst(w->too_big, words, SL_PUNT_BATCH, NULL);

	if (now_ns - path->too_big_second_ns >= 1000000000ull) {
		path->too_big_second_ns = now_ns;
		path->too_big_told = 0;
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t sa = sl_too_big_sa((uintptr_t)words[i]);
		uint16_t mtu = sl_too_big_mtu((uintptr_t)words[i]);

		if (path->too_big_told == SL_TOO_BIG_PER_SECOND) {
			count(path, SL_DROP_too_big_rate, 1);
			continue;
		}
		path->too_big_told++;
		(void)path->on_too_big(path->context, sa, mtu);
	}
	return n;
}

static uint32_t punt(struct sl_kernel_path *path, const struct sl_worker *w, uint64_t now_ns)
{
	struct rte_mbuf *mbufs[SL_PUNT_BATCH];
	uint32_t n, acquired = acquire(path, w, now_ns) + too_big(path, w, now_ns);

	if (rte_ring_empty(w->punt))
		return acquired;
	n = rte_ring_sc_dequeue_burst(w->punt, (void **)mbufs, SL_PUNT_BATCH, NULL);
	for (uint32_t i = 0; i < n; i++) {
		const struct sl_packet *packet = sl_packet(mbufs[i]);

		switch (packet->punt) {
		case SL_PUNT_FRAME:
		case SL_PUNT_PACKET:
			deliver(path, mbufs[i], packet, now_ns);
			break;
		case SL_PUNT_RESOLVE:
			resolve(path, packet, now_ns);
			break;
		default:
			drop(path, mbufs[i], SL_DROP_punt_tap);
			break;
		}
	}
	rte_pktmbuf_free_bulk(mbufs, n);
	return n + acquired;
}

uint32_t sl_kernel_path_punt(struct sl_kernel_path *path, uint64_t now_ns)
{
	uint32_t taken = 0;

	for (unsigned int i = 0; i < path->workers->count; i++)
		taken += punt(path, path->workers->thread[i], now_ns);
	return taken;
}

bool sl_kernel_path_waits(const struct sl_kernel_path *path)
{
	for (unsigned int i = 0; i < path->workers->count; i++)
		if (!rte_ring_empty(path->workers->thread[i]->punt) ||
		    !rte_ring_empty(path->workers->thread[i]->acquire) ||
		    !rte_ring_empty(path->workers->thread[i]->too_big))
			return true;
	return false;
}

bool sl_kernel_path_injected(const struct sl_kernel_path *path)
{
	return rte_ring_empty(first(path)->inject);
}
