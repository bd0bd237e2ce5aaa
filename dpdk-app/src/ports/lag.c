/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/lag.h"

#include <errno.h>
#include <rte_eth_bond.h>
#include <rte_eth_bond_8023ad.h>
#include <rte_ethdev.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/log.h"
#include "ports/attempt.h"
#include "ports/kernel_device.h"

/* Of drivers that tell no change of a link; those that do are not asked. */
#define SL_LINK_POLL_MS 100u
#define SL_ACTIVE_TRIES                                                                            \
	50u /* of a tenth of a second each, the driver's first look at its members */

static int malformed(const struct sl_attempt *a, const char *what, struct sl_fault *fault)
{
	return sl_fail(fault, SL_FAULT_MALFORMED, "give lag,rate=RATE;MEMBER[;MEMBER]...",
	               "port %s: %s", a->request->name, what);
}

/* Copy what stands before the next ';', and return what is behind it; NULL: nothing is. */
static const char *next_part(const char *text, char part[SL_DEVARGS_LEN])
{
	size_t length = strcspn(text, ";");

	memcpy(part, text, length);
	part[length] = '\0';
	return text[length] == ';' ? text + length + 1 : NULL;
}

static int read_rate(const struct sl_attempt *a, const char *head, bool *fast,
                     struct sl_fault *fault)
{
	if (strcmp(head, "lag,rate=fast") == 0)
		*fast = true;
	else if (strcmp(head, "lag,rate=slow") != 0)
		return malformed(a, "its LACP rate is neither fast nor slow", fault);
	return 0;
}

/* As many queues as every member has: packet thread i polls queue i of all of them. */
static void limit_queues(struct sl_port_queues *queues, const struct sl_attempt *member)
{
	struct rte_eth_dev_info info;
	struct sl_port_queues has;

	if (rte_eth_dev_info_get(member->port->dpdk_port, &info) != 0)
		return;
	has = sl_port_queues(&member->devargs, &info, member->limits->threads);
	queues->rx = RTE_MIN(queues->rx, has.rx);
	queues->tx = RTE_MIN(queues->tx, has.tx);
}

/*
 * All frames of all members come: a member's device knows its own address, and the group has one for all of them. Now,
 * because the driver's other threads are in no port's namespace.
 */
static int open_filter(const struct sl_attempt *member, struct sl_fault *fault)
{
	int error = rte_eth_promiscuous_enable(member->port->dpdk_port);

	if (error != 0 && error != -ENOTSUP)
		return sl_attempt_fail(member, -error, "setting its receive filter", fault);
	return 0;
}

static int open_member(struct sl_attempt *group, struct sl_port_info *port, const char *devargs,
                       struct sl_fault *fault)
{
	struct sl_port_request request = *group->request;
	struct sl_attempt member = {.port = port, .request = &request, .limits = group->limits};

	request.devargs = devargs;
	request.promiscuous = true;
	if (sl_attempt_check(&member, fault) != 0)
		return -1;
	if (member.devargs.kind == SL_DEVICE_LAG)
		return malformed(group, "a member is a group itself", fault);
	if (sl_attempt_open(&member, fault) != 0 || open_filter(&member, fault) != 0)
		return -1;
	(void)snprintf(port->name, sizeof(port->name), "%s",
	               member.devargs.iface[0] != '\0' ? member.devargs.iface
	                                               : member.devargs.name);
	(void)snprintf(port->devargs, sizeof(port->devargs), "%s", devargs);
	port->exists = true;
	limit_queues(&group->port->queues, &member);
	group->kernel = group->kernel || member.kernel;
	return 0;
}

static int open_members(struct sl_attempt *a, const char *list, struct sl_fault *fault)
{
	struct sl_lag *lag = a->port->lag;
	char devargs[SL_DEVARGS_LEN];

	a->port->queues = (struct sl_port_queues){.rx = UINT16_MAX, .tx = UINT16_MAX};
	while (list != NULL) {
		if (lag->lacp.count == SL_LAG_MEMBERS)
			return malformed(a, "it has more than 8 members", fault);
		list = next_part(list, devargs);
		if (open_member(a, &lag->member[lag->lacp.count++], devargs, fault) != 0)
			return -1;
	}
	if (lag->lacp.count == 0)
		return malformed(a, "it has no members", fault);
	return 0;
}

/* DPDK's side of the group, with LACP left to us. */
static int make_bond(struct sl_attempt *a, struct sl_fault *fault)
{
	struct sl_lag *lag = a->port->lag;
	struct rte_eth_bond_8023ad_conf conf;
	char name[32];
	int id, error = 0;

	(void)snprintf(name, sizeof(name), "net_bonding%u", a->request->id);
	id = rte_eth_bond_create(name, BONDING_MODE_8023AD, 0);
	if (id < 0)
		return sl_attempt_fail(a, -id, "making the group", fault);
	a->port->dpdk_port = lag->bond = (uint16_t)id;
	for (unsigned int i = 0; error == 0 && i < lag->lacp.count; i++)
		error = rte_eth_bond_slave_add(lag->bond, lag->member[i].dpdk_port);
	if (error != 0)
		return sl_attempt_fail(a, EINVAL, "adding its members", fault);
	if (rte_eth_bond_xmit_policy_set(lag->bond, BALANCE_XMIT_POLICY_LAYER34) != 0 ||
	    rte_eth_bond_link_monitoring_set(lag->bond, SL_LINK_POLL_MS) != 0 ||
	    rte_eth_bond_8023ad_conf_get(lag->bond, &conf) != 0)
		return sl_attempt_fail(a, EINVAL, "setting the group up", fault);
	conf.slowrx_cb = sl_lag_received;
	if (rte_eth_bond_8023ad_setup(lag->bond, &conf) != 0)
		return sl_attempt_fail(a, EINVAL, "setting LACP up", fault);
	return 0;
}

/* The first member's address is the group's, and stays so whoever of them is up. */
static int name_group(struct sl_attempt *a, bool fast, struct sl_fault *fault)
{
	struct sl_lag *lag = a->port->lag;
	struct rte_ether_addr mac;
	int error = rte_eth_macaddr_get(lag->member[0].dpdk_port, &mac);

	for (unsigned int i = 0; error == 0 && i < lag->lacp.count; i++) {
		struct rte_ether_addr own;

		error = rte_eth_macaddr_get(lag->member[i].dpdk_port, &own);
		memcpy(lag->member[i].mac, own.addr_bytes, sizeof(lag->member[i].mac));
	}
	if (error == 0)
		error = rte_eth_bond_mac_address_set(lag->bond, &mac);
	if (error != 0)
		return sl_attempt_fail(a, EINVAL, "giving the group its address", fault);
	memcpy(a->port->mac, mac.addr_bytes, sizeof(a->port->mac));
	sl_lacp_init(&lag->lacp, mac.addr_bytes, (uint16_t)a->request->id, lag->lacp.count, fast);
	return 0;
}

/*
 * The driver takes a member up in another thread, and makes what it needs for that: have it done while there are privileges
 * and memory to be had. A NIC without link is taken up when its link comes.
 */
static void wait_until_active(const struct sl_lag *lag)
{
	const struct timespec pause = {.tv_nsec = SL_LINK_POLL_MS * 100000};
	uint16_t active[SL_LAG_MEMBERS];

	for (unsigned int i = 0; i < SL_ACTIVE_TRIES; i++) {
		if (rte_eth_bond_active_slaves_get(lag->bond, active, SL_LAG_MEMBERS) ==
		    (int)lag->lacp.count)
			return;
		nanosleep(&pause, NULL);
	}
}

static int start(struct sl_attempt *a, struct sl_fault *fault)
{
	struct sl_lag *lag = a->port->lag;
	int error;

	for (unsigned int i = 0; i < lag->lacp.count; i++) {
		struct sl_devargs devargs;

		if (sl_devargs_parse(lag->member[i].devargs, &devargs, fault) != 0 ||
		    (devargs.iface[0] != '\0' &&
		     sl_kernel_device_prepare(devargs.iface, a->request->mtu, true, fault) != 0))
			return -1;
	}
	error = rte_eth_promiscuous_enable(lag->bond);
	if (error == 0)
		error = rte_eth_dev_start(lag->bond);
	if (error != 0)
		return sl_attempt_fail(a, -error, "starting the group", fault);
	wait_until_active(lag);
	for (unsigned int i = 0; i < lag->lacp.count; i++) {
		struct sl_port_info *member = &lag->member[i];

		member->queues = a->port->queues;
		if (member->queues.rx > 1 && member->losses.sockets != 0 &&
		    sl_port_direct(member, SL_PORT_FIRST, fault) != 0)
			return -1;
	}
	return 0;
}

int sl_lag_make(struct sl_attempt *a, struct sl_fault *fault)
{
	const char *list;
	char head[SL_DEVARGS_LEN];
	bool fast = false;

	if (a->request->standby)
		return sl_fail(fault, SL_FAULT_STATE, "stop this worker before the next one starts",
		               "port %s: a link aggregation group has one worker",
		               a->request->name);
	list = next_part(a->request->devargs, head);
	if (read_rate(a, head, &fast, fault) != 0)
		return -1;
	a->port->lag = calloc(1, sizeof(*a->port->lag));
	if (a->port->lag == NULL || sl_lag_begin() != 0)
		return sl_attempt_fail(a, ENOMEM, "making the group", fault);
	a->port->lag->bond = RTE_MAX_ETHPORTS;
	for (unsigned int i = 0; i < SL_LAG_MEMBERS; i++)
		a->port->lag->member[i] = sl_no_port;
	if (open_members(a, list, fault) != 0 || make_bond(a, fault) != 0 ||
	    name_group(a, fast, fault) != 0 || sl_attempt_configure(a, fault) != 0)
		return -1;
	return start(a, fault);
}

void sl_lag_free(struct sl_lag *lag)
{
	if (lag == NULL)
		return;
	for (unsigned int i = 0; i < SL_LAG_MEMBERS; i++)
		sl_port_discard(&lag->member[i]);
	free(lag);
}

bool sl_lag_is_up(const struct sl_lag *lag)
{
	for (unsigned int i = 0; i < lag->lacp.count; i++)
		if (sl_lacp_distributes(&lag->lacp, i))
			return true;
	return false;
}

uint64_t sl_lag_lost(struct sl_lag *lag, struct sl_port_counters *counters)
{
	uint64_t lost = 0;

	for (unsigned int i = 0; i < lag->lacp.count; i++)
		lost += sl_port_losses_since(&lag->member[i].losses, lag->member[i].dpdk_port,
		                             counters);
	return lost;
}
