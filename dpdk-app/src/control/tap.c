/* SPDX-License-Identifier: Apache-2.0 */
#include "control/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "stages/jumbo.h"
#include "worker.h"

int sl_tap_check(int fd, bool is_tun, struct sl_fault *fault)
{
	static const char remedy[] =
		"pass a queue of the interface's TAP, or of the VRF's host TUN";
	struct ifreq request = {0};
	int flags;

	if (ioctl(fd, TUNGETIFF, &request) != 0)
		return sl_fail(fault, SL_FAULT_MALFORMED, remedy,
		               "the descriptor passed is not a TUN/TAP queue: %s", strerror(errno));
	if (((request.ifr_flags & IFF_TUN) != 0) != is_tun)
		return sl_fail(fault, SL_FAULT_MALFORMED, remedy,
		               "%.15s is a %s, and a %s is expected", request.ifr_name,
		               is_tun ? "TAP" : "TUN", is_tun ? "TUN" : "TAP");
	/* IFF_NO_PI cannot be asked for: the kernel reports IFF_NOFILTER in the same bit. */
	if ((request.ifr_flags & IFF_VNET_HDR) != 0)
		return sl_fail(fault, SL_FAULT_MALFORMED, "open it without IFF_VNET_HDR",
		               "%.15s puts a virtio header before the frames", request.ifr_name);
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "",
		               "cannot make a descriptor non-blocking: %s", strerror(errno));
	return 0;
}

enum sl_tap_read sl_tap_read(int fd, struct rte_mbuf *mbuf, uint8_t *spill, size_t *spilt)
{
	struct iovec parts[2];
	ssize_t length;

	/* Room for the longest template in front, for trailer and ICV behind. */
	mbuf->data_off = SL_HEADROOM;
	parts[0].iov_base = rte_pktmbuf_mtod(mbuf, void *);
	parts[0].iov_len = rte_pktmbuf_tailroom(mbuf) - SL_JUMBO_TAIL;
	parts[1].iov_base = spill;
	parts[1].iov_len = SL_TAP_SPILL;
	length = readv(fd, parts, 2);
	if (length < 0)
		return errno == EAGAIN || errno == EINTR ? SL_TAP_EMPTY : SL_TAP_BROKEN;
	*spilt = (size_t)length > parts[0].iov_len ? (size_t)length - parts[0].iov_len : 0;
	if (*spilt == SL_TAP_SPILL) /* and perhaps more */
		return SL_TAP_LONG;
	mbuf->data_len = (uint16_t)((size_t)length - *spilt);
	mbuf->pkt_len = mbuf->data_len;
	return SL_TAP_GOT;
}

bool sl_tap_write(int fd, const struct rte_mbuf *mbuf, uint16_t offset)
{
	ssize_t length;

	if (mbuf->nb_segs != 1 || offset >= mbuf->data_len)
		return false;
	length = mbuf->data_len - offset;
	return write(fd, rte_pktmbuf_mtod_offset(mbuf, const void *, offset), (size_t)length) ==
	       length;
}
