/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/xdp.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "control/log.h"

/*
 * Request:  nlmsghdr | ifinfomsg | [IFLA_XDP { IFLA_XDP_FD -1, IFLA_XDP_FLAGS }]
 */
struct request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	uint8_t attributes[64];
};

static struct rtattr *add_attribute(struct request *request, unsigned short type, const void *data,
                                    unsigned short length)
{
	struct rtattr *attribute =
		(struct rtattr *)((uint8_t *)request + NLMSG_ALIGN(request->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(length);
	if (length > 0)
		memcpy(RTA_DATA(attribute), data, length);
	request->header.nlmsg_len =
		NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
	return attribute;
}

/* One request, one answer in `answer`; its length, or -1 with errno. */
static ssize_t ask(const struct request *request, void *answer, size_t size)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct nlmsghdr *header = answer;
	ssize_t length = -1;

	if (fd < 0)
		return -1;
	if (send(fd, request, request->header.nlmsg_len, 0) == (ssize_t)request->header.nlmsg_len)
		length = recv(fd, answer, size, 0);
	close(fd);
	if (length < (ssize_t)sizeof(*header))
		return -1;
	if (header->nlmsg_type == NLMSG_ERROR &&
	    length >= (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr))) {
		const struct nlmsgerr *error = NLMSG_DATA(header);

		errno = -error->error;
		return error->error == 0 ? length : -1;
	}
	return length;
}

/* Value of attribute `type` among `length` bytes of attributes, NULL when it is not there. */
static struct rtattr *find(struct rtattr *attribute, size_t length, unsigned short type)
{
	int left = (int)length;

	for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left))
		if ((attribute->rta_type & NLA_TYPE_MASK) == type)
			return attribute;
	return NULL;
}

/* Id of the XDP program on the interface, 0 when there is none. *mode: XDP_FLAGS_* to detach it. */
static uint32_t program_on(unsigned int index, uint32_t *mode)
{
	_Alignas(struct nlmsghdr) static uint8_t answer[32768];
	struct nlmsghdr *header = (struct nlmsghdr *)answer;
	struct request request = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
	                                     .nlmsg_type = RTM_GETLINK,
	                                     .nlmsg_flags = NLM_F_REQUEST},
	                          .link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index}};
	struct rtattr *xdp, *id, *attached;
	ssize_t length = ask(&request, answer, sizeof(answer));

	if (length < 0 || header->nlmsg_type != RTM_NEWLINK || header->nlmsg_len > (size_t)length)
		return 0;
	xdp = find(IFLA_RTA(NLMSG_DATA(header)), IFLA_PAYLOAD(header), IFLA_XDP);
	if (xdp == NULL)
		return 0;
	id = find(RTA_DATA(xdp), RTA_PAYLOAD(xdp), IFLA_XDP_PROG_ID);
	attached = find(RTA_DATA(xdp), RTA_PAYLOAD(xdp), IFLA_XDP_ATTACHED);
	if (id == NULL || attached == NULL)
		return 0;
	*mode = *(const uint8_t *)RTA_DATA(attached) == XDP_ATTACHED_SKB ? XDP_FLAGS_SKB_MODE
	                                                                 : XDP_FLAGS_DRV_MODE;
	return *(const uint32_t *)RTA_DATA(id);
}

static bool is_default_program(uint32_t id)
{
	struct bpf_prog_info info = {0};
	union bpf_attr by_id = {.prog_id = id}, about = {0};
	int fd = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &by_id, sizeof(by_id));
	long result;

	if (fd < 0)
		return false;
	about.info.bpf_fd = (uint32_t)fd;
	about.info.info_len = sizeof(info);
	about.info.info = (uint64_t)(uintptr_t)&info;
	result = syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &about, sizeof(about));
	close(fd);
	return result == 0 && strncmp(info.name, "xsk_def_prog", BPF_OBJ_NAME_LEN) == 0;
}

static int detach(unsigned int index, uint32_t mode)
{
	struct {
		struct nlmsghdr header;
		uint8_t rest[1024];
	} answer;
	struct request request = {.header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
	                                     .nlmsg_type = RTM_SETLINK,
	                                     .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
	                          .link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index}};
	struct rtattr *nest = add_attribute(&request, IFLA_XDP | NLA_F_NESTED, NULL, 0);
	int32_t no_program = -1;

	add_attribute(&request, IFLA_XDP_FD, &no_program, sizeof(no_program));
	add_attribute(&request, IFLA_XDP_FLAGS, &mode, sizeof(mode));
	nest->rta_len =
		(unsigned short)((uint8_t *)&request + request.header.nlmsg_len - (uint8_t *)nest);
	return ask(&request, &answer, sizeof(answer)) < 0 ? -1 : 0;
}

int sl_xdp_detach_stale(const char *iface, struct sl_fault *fault)
{
	unsigned int index = if_nametoindex(iface);
	uint32_t mode = 0, id = program_on(index, &mode);

	if (id == 0 || !is_default_program(id))
		return 0;
	if (detach(index, mode) != 0)
		return sl_fail(fault, sl_fault_of_errno(errno),
		               "detach it: `ip link set dev INTERFACE xdp off`",
		               "cannot detach the XDP program an earlier worker left on %s: %s",
		               iface, strerror(errno));
	sl_log(SL_LOG_INFO, "detached the XDP program an earlier worker left on %s", iface);
	return 0;
}
