/* SPDX-License-Identifier: Apache-2.0 */
#include "ports/pci.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Drivers that leave the device to user space; the last two share it with DPDK's driver. */
static const char *const usable[] = {"vfio-pci", "uio_pci_generic", "igb_uio", "mlx5_core",
                                     "mlx4_core"};

int sl_pci_check(const char *sysfs, const char *address, struct sl_fault *fault)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *driver;
	ssize_t length;

	/* "03:00.0" means domain 0. */
	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/%s%s", sysfs,
	               strlen(address) < sizeof("0000:00:00.0") - 1 ? "0000:" : "", address);
	if (access(path, F_OK) != 0)
		return sl_fail(fault, SL_FAULT_DEVICE_UNKNOWN,
		               "see `dpdk-devbind.py --status` for addresses",
		               "there is no PCI device %s", address);
	(void)strncat(path, "/driver", sizeof(path) - strlen(path) - 1);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0)
		return sl_fail(fault, SL_FAULT_DEVICE_BOUND,
		               "bind it: `dpdk-devbind.py --bind=vfio-pci ADDRESS`",
		               "PCI device %s has no driver", address);
	target[length] = '\0';
	driver = strrchr(target, '/');
	driver = driver != NULL ? driver + 1 : target;
	for (size_t i = 0; i < sizeof(usable) / sizeof(usable[0]); i++)
		if (strcmp(driver, usable[i]) == 0)
			return 0;
	return sl_fail(fault, SL_FAULT_DEVICE_BOUND,
	               "take it from the kernel: `dpdk-devbind.py --bind=vfio-pci ADDRESS`",
	               "PCI device %s is still bound to kernel driver %s", address, driver);
}
