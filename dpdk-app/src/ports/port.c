/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/port.h"

#include <errno.h>
#include <rte_alarm.h>
#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/log.h"
#include "ports/attempt.h"
#include "ports/buffers.h"
#include "ports/kernel_device.h"
#include "ports/kernel_link.h"
#include "ports/lag.h"
#include "ports/netns.h"
#include "ports/pci.h"
#include "ports/xdp.h"

#define SL_RX_DESCRIPTORS 512u

/* DPDK's drivers often return -1 and give the reason only in their log. */
int sl_attempt_fail(const struct sl_attempt *a, int error, const char *what, struct sl_fault *fault)
{
	enum sl_fault_code code = sl_fault_of_errno(error);
	const char *why = sl_log_recent_dpdk();
	const char *remedy = "see the worker's log";

	if (code == SL_FAULT_NO_PRIVILEGE)
		remedy = "run as root; for vfio, give the user the /dev/vfio group";
	else if (code == SL_FAULT_NO_MEMORY)
		remedy = "start the worker with more --memory-mb, or make more hugepages";
	else if (code == SL_FAULT_DEVICE_BUSY)
		remedy = "stop the other process that uses the device";
	return sl_fail(fault, code, remedy, "port %s (%s): %s failed: %s", a->request->name,
	               a->devargs.name, what, why[0] != '\0' ? why : strerror(error));
}

/* Largest MTU the generic layer accepts: AF_PACKET reports a frame size that has nothing to do with it. */
static uint16_t rx_mtu(const struct sl_attempt *a, const struct rte_eth_dev_info *info)
{
	unsigned int mtu = a->request->mtu;

	if (a->kernel || mtu > info->max_mtu)
		mtu = RTE_MIN(RTE_MIN((unsigned int)RTE_ETHER_MTU, (unsigned int)info->max_mtu),
		              mtu);
	return (uint16_t)mtu;
}

/* Whether an ordinary buffer holds whatever comes with that MTU. */
static bool is_ordinary(const struct sl_attempt *a)
{
	return a->limits->jumbo == NULL ||
	       RTE_PKTMBUF_HEADROOM + sl_af_packet_frame(a->request->mtu) <=
	               rte_pktmbuf_data_room_size(a->limits->pool);
}

/*
 * What a port receives into. A large frame takes several ordinary buffers where the driver can do that, so that small
 * ones do not take large buffers; the packet path makes one of them (ADR 30). Other drivers get large ones.
 */
static struct rte_mempool *receive_pool(const struct sl_attempt *a,
                                        const struct rte_eth_dev_info *info,
                                        struct rte_eth_conf *conf)
{
	if (is_ordinary(a))
		return a->limits->pool;
	if ((info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) == 0 || a->request->no_offloads)
		return a->limits->jumbo;
	conf->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
	return a->limits->pool;
}

/* Does the driver, or that of a member of the group, take tags off in software? */
static bool is_emulated(const struct sl_attempt *a, const struct rte_eth_dev_info *info)
{
	const struct sl_lag *lag = a->port->lag;
	bool emulated = sl_offloads_emulated(info);

	for (unsigned int i = 0; lag != NULL && i < lag->lacp.count; i++) {
		struct rte_eth_dev_info member;

		emulated |= rte_eth_dev_info_get(lag->member[i].dpdk_port, &member) == 0 &&
		            sl_offloads_emulated(&member);
	}
	return emulated;
}

static int set_queues_up(const struct sl_attempt *a, struct rte_mempool *pool)
{
	uint16_t id = a->port->dpdk_port, rx = SL_RX_DESCRIPTORS, tx = SL_TX_DESCRIPTORS;
	int error = rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx, &tx);

	for (uint16_t i = 0; error == 0 && i < a->port->queues.rx; i++)
		error = rte_eth_rx_queue_setup(id, i, rx, rte_socket_id(), NULL, pool);
	for (uint16_t i = 0; error == 0 && i < a->port->queues.tx; i++)
		error = rte_eth_tx_queue_setup(id, i, tx, rte_socket_id(), NULL);
	return error;
}

int sl_attempt_configure(struct sl_attempt *a, struct sl_fault *fault)
{
	uint16_t id = a->port->dpdk_port;
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	struct rte_mempool *pool;
	int error = rte_eth_dev_info_get(id, &info);

	if (error != 0)
		return sl_attempt_fail(a, -error, "reading its abilities", fault);
	if (info.max_mtu != 0 && !a->kernel && a->request->mtu > info.max_mtu)
		return sl_fail(fault, SL_FAULT_MALFORMED, "choose a smaller MTU",
		               "port %s (%s): MTU %u is above the device's %u", a->request->name,
		               a->devargs.name, a->request->mtu, info.max_mtu);
	memset(&conf, 0, sizeof(conf));
	if (!a->request->no_offloads)
		conf.rxmode.offloads = sl_offloads_wanted(&info, is_emulated(a, &info));
	pool = receive_pool(a, &info, &conf);
	a->port->offloads = conf.rxmode.offloads;
	conf.rxmode.mtu = rx_mtu(a, &info);
	if (a->devargs.kind != SL_DEVICE_LAG)
		a->port->queues = sl_port_queues(&a->devargs, &info, a->limits->threads);
	if (a->port->queues.rx > 1)
		sl_port_spread(&conf, &info);
	error = rte_eth_dev_configure(id, a->port->queues.rx, a->port->queues.tx, &conf);
	if (error != 0)
		return sl_attempt_fail(a, -error, "configuring", fault);
	error = set_queues_up(a, pool);
	if (error != 0)
		return sl_attempt_fail(a, -error, "setting its queues up", fault);
	return 0;
}

/*
 * virtio's driver always has its device filter VLANs, none of which is let in: tagged frames come to a
 * promiscuous port alone. What is not for us is dropped by the packet path (rx_not_our_mac).
 */
static bool filters_vlans(uint16_t id)
{
	struct rte_eth_dev_info info;

	return rte_eth_dev_info_get(id, &info) == 0 && info.driver_name != NULL &&
	       strcmp(info.driver_name, "net_virtio") == 0;
}

/* What the driver cannot do is no error: the frames then come anyway, or the supervisor sees to it. */
static int start(struct sl_attempt *a, struct sl_fault *fault)
{
	uint16_t id = a->port->dpdk_port;
	struct rte_ether_addr mac;
	int error;

	if (a->kernel && sl_kernel_device_prepare(a->devargs.iface, a->request->mtu,
	                                          a->request->promiscuous, fault) != 0)
		return -1;
	error = rte_eth_dev_start(id);
	if (error != 0)
		return sl_attempt_fail(a, -error, "starting", fault);
	if (!a->kernel) {
		error = a->request->promiscuous || filters_vlans(id)
		                ? rte_eth_promiscuous_enable(id)
		                : rte_eth_allmulticast_enable(id);
		if (error != 0 && error != -ENOTSUP)
			return sl_attempt_fail(a, -error, "setting its receive filter", fault);
	}
	if (rte_eth_macaddr_get(id, &mac) == 0)
		memcpy(a->port->mac, mac.addr_bytes, sizeof(a->port->mac));
	(void)sl_port_link_changed(a->port);
	return 0;
}

static int probe(struct sl_attempt *a, struct sl_fault *fault)
{
	struct sl_port_losses *losses = &a->port->losses;
	int error;

	(void)sl_af_packet_sockets_take(losses->packet_socket); /* of an attempt that failed */
	sl_log_forget_dpdk();
	if (a->devargs.kind != SL_DEVICE_PCI) {
		struct rte_devargs parsed;

		error = rte_devargs_parse(&parsed, a->probed);
		rte_devargs_reset(&parsed);
		if (error != 0)
			return sl_fail(fault, SL_FAULT_DEVICE_UNKNOWN,
			               "use a driver of this DPDK, e.g. net_af_packet",
			               "port %s: there is no DPDK driver for %s", a->request->name,
			               a->devargs.name);
	}
	error = rte_dev_probe(a->probed);
	if (error != 0)
		return sl_attempt_fail(a, error < -1 ? -error : rte_errno, "probing", fault);
	losses->sockets = sl_af_packet_sockets_take(losses->packet_socket);
	error = rte_eth_dev_get_port_by_name(a->devargs.name, &a->port->dpdk_port);
	if (error != 0)
		return sl_fail(fault, SL_FAULT_DEVICE_UNKNOWN,
		               "use a network device that this DPDK has a driver for",
		               "port %s (%s): DPDK made no Ethernet port of it", a->request->name,
		               a->devargs.name);
	if (sl_af_packet_join(losses->packet_socket, losses->sockets, a->request->standby) != 0)
		return sl_attempt_fail(a, errno, "joining its group of sockets", fault);
	return 0;
}

const struct sl_port_info sl_no_port = {.dpdk_port = RTE_MAX_ETHPORTS, .claim = -1};

/* A device to be ended by another thread, and whether that has been done. */
struct ending {
	uint16_t id;
	bool done; /* atomic */
};

static void end_device(void *context)
{
	struct ending *ending = context;

	(void)rte_eth_dev_stop(ending->id);
	(void)rte_eth_dev_close(ending->id);
	__atomic_store_n(&ending->done, true, __ATOMIC_RELEASE);
}

/*
 * memif takes its device apart in EAL's interrupt thread, too, as soon as the other end goes (or, with both
 * ends here, as soon as the first of them does), and locks nothing against a close: so that is done there.
 * There is no end to the waiting, because the interrupt thread may not go on with what is gone.
 */
static void end_in_interrupt_thread(struct ending *ending)
{
	struct timespec pause = {.tv_nsec = 100000};

	if (rte_eal_alarm_set(1, end_device, ending) != 0) {
		end_device(ending);
		return;
	}
	while (!__atomic_load_n(&ending->done, __ATOMIC_ACQUIRE))
		nanosleep(&pause, NULL);
}

/* Undo what part of an attempt was done. */
void sl_port_discard(struct sl_port_info *port)
{
	struct rte_eth_dev_info info;

	if (port->dpdk_port != RTE_MAX_ETHPORTS) {
		struct ending ending = {.id = port->dpdk_port};
		bool known = rte_eth_dev_info_get(port->dpdk_port, &info) == 0;

		if (known && info.driver_name != NULL && strcmp(info.driver_name, "net_memif") == 0)
			end_in_interrupt_thread(&ending);
		else
			end_device(&ending);
		if (known && info.device != NULL)
			(void)rte_dev_remove(info.device);
	}
	if (port->claim >= 0)
		close(port->claim);
	sl_lag_free(port->lag);
	*port = sl_no_port;
}

int sl_attempt_open(struct sl_attempt *a, struct sl_fault *fault)
{
	if (a->kernel) {
		a->port->claim = sl_kernel_device_claim(a->devargs.iface, fault);
		/* Only AF_PACKET's frames can be told whose they are. */
		if (a->port->claim < 0 && fault->code == SL_FAULT_DEVICE_BUSY &&
		    a->request->standby && a->devargs.kind == SL_DEVICE_AF_PACKET) {
			a->port->claim = sl_kernel_device_claim_later(fault);
			a->port->claim_due = true;
		}
		if (a->port->claim < 0)
			return -1;
	}
	a->port->keeps_sent =
		a->devargs.kind == SL_DEVICE_PCI || a->devargs.kind == SL_DEVICE_AF_XDP;
	if (a->devargs.kind == SL_DEVICE_AF_XDP &&
	    sl_xdp_detach_stale(a->devargs.iface, fault) != 0)
		return -1;
	return probe(a, fault);
}

/* Inside the namespace. */
static int make(void *context, struct sl_fault *fault)
{
	struct sl_attempt *a = context;

	if (a->devargs.kind == SL_DEVICE_LAG
	            ? sl_lag_make(a, fault) == 0
	            : sl_attempt_open(a, fault) == 0 && sl_attempt_configure(a, fault) == 0 &&
	                      start(a, fault) == 0)
		return 0;
	sl_port_discard(a->port);
	return -1;
}

int sl_attempt_check(struct sl_attempt *a, struct sl_fault *fault)
{
	if (sl_devargs_parse(a->request->devargs, &a->devargs, fault) != 0)
		return -1;
	a->kernel = a->devargs.kind == SL_DEVICE_AF_PACKET || a->devargs.kind == SL_DEVICE_AF_XDP;
	if (sl_devargs_complete(a->request->devargs, &a->devargs, a->request->mtu,
	                        a->limits->threads, a->probed, sizeof(a->probed), fault) != 0)
		return -1;
	if (a->request->mtu > a->limits->max_mtu)
		return sl_fail(fault, SL_FAULT_NO_MEMORY,
		               "start the worker with a larger --max-mtu",
		               "port %s: MTU %u is above the %u the packet buffers are made for",
		               a->request->name, a->request->mtu, a->limits->max_mtu);
	if (a->devargs.kind != SL_DEVICE_PCI)
		return 0;
	if (!a->limits->pci)
		return sl_fail(fault, SL_FAULT_STATE, "start the worker with --pci",
		               "port %s is a PCI device, and this worker does not scan the PCI bus",
		               a->request->name);
	return sl_pci_check("/sys", a->devargs.name, fault);
}

int sl_port_add(struct sl_port_info *port, const struct sl_port_request *request,
                const struct sl_port_limits *limits, struct sl_fault *fault)
{
	struct sl_attempt a = {.port = port, .request = request, .limits = limits};
	struct rte_eth_dev_info info;
	uint32_t free[SL_POOLS];

	if (sl_attempt_check(&a, fault) != 0)
		return -1;
	*port = sl_no_port;
	sl_port_buffers_free(limits, free);
	if (sl_with_netns(request->netns, make, &a, fault) != 0)
		return -1;
	if (sl_port_buffers_take(port, request, limits, free, fault) != 0) {
		sl_port_discard(port);
		return -1;
	}
	if (rte_eth_dev_info_get(port->dpdk_port, &info) == 0 && info.driver_name != NULL)
		(void)snprintf(port->driver, sizeof(port->driver), "%s", info.driver_name);
	(void)snprintf(port->name, sizeof(port->name), "%s", request->name);
	(void)snprintf(port->devargs, sizeof(port->devargs), "%s", request->devargs);
	port->mtu = request->mtu;
	port->promiscuous = request->promiscuous;
	port->no_offloads = request->no_offloads;
	sl_offloads_text(port->offloads, port->offload_names);
	port->exists = true;
	/* Without a program all frames of a group go to its first member. A standby's come when it is its turn. */
	if (port->queues.rx > 1 && port->losses.sockets != 0 && !request->standby &&
	    sl_port_direct(port, SL_PORT_FIRST, fault) != 0) {
		sl_port_discard(port);
		return -1;
	}
	/* Not the device arguments: memif's hold a secret. */
	sl_log(SL_LOG_INFO, "port %u %s: %s, %u queues, offloads: %s, link %s", request->id,
	       port->name, port->driver, port->queues.rx,
	       port->offloads == 0 ? "none" : port->offload_names, port->link_up ? "up" : "down");
	return 0;
}

void sl_port_remove(struct sl_port_info *port)
{
	if (port->exists)
		sl_port_discard(port);
}

int sl_port_direct(const struct sl_port_info *port, enum sl_port_member member,
                   struct sl_fault *fault)
{
	bool has_group = port->losses.sockets != 0;
	uint32_t queues = port->queues.rx;

	if (has_group && sl_af_packet_direct(port->losses.packet_socket[0],
	                                     (uint32_t)member * queues, queues) == 0)
		return 0;
	if (port->lag != NULL)
		return sl_fail(
			fault, SL_FAULT_STATE, "stop this worker before the next one starts",
			"port %s: LACP begins anew with the next worker, and takes seconds more",
			port->name);
	return sl_fail(fault, SL_FAULT_STATE, "stop this worker before the next one starts",
	               "port %s: %s gives its frames to one process only", port->name,
	               has_group ? "this kernel" : port->driver);
}

int sl_port_claim(struct sl_port_info *port, struct sl_fault *fault)
{
	struct sl_devargs devargs;

	if (!port->claim_due)
		return 0;
	if (sl_devargs_parse(port->devargs, &devargs, fault) != 0 ||
	    sl_kernel_device_claim_now(port->claim, devargs.iface, fault) != 0)
		return -1;
	port->claim_due = false;
	return 0;
}

void sl_port_disclaim(struct sl_port_info *port)
{
	if (port->claim >= 0)
		close(port->claim);
	port->claim = -1;
}

uint64_t sl_port_lost(struct sl_port_info *port, struct sl_port_counters *counters)
{
	return port->lag != NULL ? sl_lag_lost(port->lag, counters)
	                         : sl_port_losses_since(&port->losses, port->dpdk_port, counters);
}

bool sl_port_link_changed(struct sl_port_info *port)
{
	struct rte_eth_link link = {0};
	bool up;

	if (port->lag != NULL)
		up = sl_lag_is_up(port->lag);
	else if (port->losses.sockets != 0)
		up = sl_kernel_link_up(port->losses.packet_socket[0]);
	else if (rte_eth_link_get_nowait(port->dpdk_port, &link) == 0)
		up = link.link_status == RTE_ETH_LINK_UP;
	else
		return false;
	if (up == port->link_up)
		return false;
	port->link_up = up;
	return true;
}
