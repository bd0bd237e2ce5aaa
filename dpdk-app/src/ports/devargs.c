/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/devargs.h"

#include <ctype.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>

/* "DDDD:BB:DD.F" or "BB:DD.F", hexadecimal: the pattern's x stand for digits. */
static bool is_pci(const char *name)
{
	const char *pattern = "xxxx:xx:xx.x";

	if (strlen(name) == sizeof("BB:DD.F") - 1)
		pattern += sizeof("xxxx:") - 1;
	for (; *pattern != '\0'; pattern++, name++)
		if (*pattern == 'x' ? !isxdigit((unsigned char)*name) : *name != *pattern)
			return false;
	return *name == '\0';
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool sl_devargs_get(const char *text, const char *key, char *value, size_t size)
{
	size_t key_length = strlen(key);
	const char *argument = strchr(text, ',');

	while (argument != NULL) {
		const char *next = strchr(++argument, ',');
		size_t length = next != NULL ? (size_t)(next - argument) : strlen(argument);

		if (length > key_length && strncmp(argument, key, key_length) == 0 &&
		    argument[key_length] == '=') {
			length -= key_length + 1;
			if (length >= size)
				return false;
			memcpy(value, argument + key_length + 1, length);
			value[length] = '\0';
			return true;
		}
		argument = next;
	}
	return false;
}

int sl_devargs_parse(const char *text, struct sl_devargs *devargs, struct sl_fault *fault)
{
	size_t length = strcspn(text, ",");
	char queues[8];

	memset(devargs, 0, sizeof(*devargs));
	if (strlen(text) >= SL_DEVARGS_LEN || length == 0 || length >= sizeof(devargs->name))
		return sl_fail(fault, SL_FAULT_MALFORMED, "give NAME[,KEY=VALUE]...",
		               "devargs without a device name, or too long");
	for (const char *c = text; *c != '\0'; c++)
		if (*c <= ' ' || *c > '~')
			return sl_fail(fault, SL_FAULT_MALFORMED, "give NAME[,KEY=VALUE]...",
			               "devargs with blanks or control characters");
	memcpy(devargs->name, text, length);
	if (is_pci(devargs->name))
		devargs->kind = SL_DEVICE_PCI;
	else if (starts_with(text, "net_af_packet") || starts_with(text, "eth_af_packet"))
		devargs->kind = SL_DEVICE_AF_PACKET;
	else if (starts_with(text, "net_af_xdp"))
		devargs->kind = SL_DEVICE_AF_XDP;
	else if (starts_with(text, "lag,"))
		devargs->kind = SL_DEVICE_LAG;
	else
		devargs->kind = SL_DEVICE_VIRTUAL;
	if (devargs->kind != SL_DEVICE_AF_PACKET && devargs->kind != SL_DEVICE_AF_XDP)
		return 0;
	if (!sl_devargs_get(text, "iface", devargs->iface, sizeof(devargs->iface)) ||
	    devargs->iface[0] == '\0')
		return sl_fail(fault, SL_FAULT_MALFORMED,
		               "add iface=NAME; a kernel interface's name has up to 15 bytes",
		               "%s does not name its kernel interface", devargs->name);
	if (sl_devargs_get(text, "qpairs", queues, sizeof(queues)))
		return sl_fail(fault, SL_FAULT_MALFORMED, "leave qpairs out",
		               "%s: there is a queue pair for each packet thread, not %s",
		               devargs->name, queues);
	return 0;
}

unsigned int sl_af_packet_frame(unsigned int mtu)
{
	/* Ethernet, two VLAN tags; before it the kernel's header, socket address and alignment. */
	unsigned int bytes = mtu + 22 + TPACKET2_HDRLEN + TPACKET_ALIGNMENT;

	/* Frames may not cross blocks, and blocks are whole pages. */
	if (bytes <= 2048)
		return 2048;
	return (bytes + 4095) / 4096 * 4096;
}

int sl_devargs_complete(const char *text, const struct sl_devargs *devargs, unsigned int mtu,
                        unsigned int queues, char *out, size_t size, struct sl_fault *fault)
{
	char value[16], frames[48] = "", pairs[24] = "";
	unsigned int frame = sl_af_packet_frame(mtu);
	int length;

	if (devargs->kind == SL_DEVICE_AF_PACKET) {
		if (!sl_devargs_get(text, "framesz", value, sizeof(value)) &&
		    !sl_devargs_get(text, "blocksz", value, sizeof(value)))
			(void)snprintf(frames, sizeof(frames), ",framesz=%u,blocksz=%u", frame,
			               frame > 4096 ? frame : 4096);
		(void)snprintf(pairs, sizeof(pairs), ",qpairs=%u", queues);
	}
	length = snprintf(out, size, "%s%s%s", text, frames, pairs);
	if (length < 0 || (size_t)length >= size)
		return sl_fail(fault, SL_FAULT_MALFORMED, "shorten them",
		               "devargs of %s are too long", devargs->name);
	return 0;
}
