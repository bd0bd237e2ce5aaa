/* SPDX-License-Identifier: Apache-2.0 */
/* Parts of the control half that need neither a process nor DPDK running. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/key_check.h"
#include "control/options.h"
#include "control/privileges.h"
#include "control/punt_limiter.h"
#include "control/resolve_limiter.h"
#include "ports/devargs.h"
#include "ports/pci.h"

static struct sl_fault fault;

static int parse(struct sl_options *options, const char *const *arguments)
{
	static char *vector[32];
	int count = 0;

	vector[count++] = (char[]){"sealane-worker"};
	while (*arguments != NULL)
		vector[count++] = (char *)(uintptr_t)*arguments++;
	vector[count] = NULL;
	return sl_options_parse(options, count, vector, &fault);
}

#define PARSE(...) parse(&options, (const char *const[]){__VA_ARGS__, NULL})

static void test_options(void **cmocka)
{
	static struct sl_options options;
	char long_path[200];

	(void)cmocka;
	assert_int_equal(PARSE("--instance-dir", "/run/a"), 0);
	assert_string_equal(options.tables, "/run/a/tables");
	assert_string_equal(options.state, "/run/a/state");
	assert_string_equal(options.socket, "/run/a/worker.sock");
	assert_string_equal(options.log, "/run/a/worker.log");
	assert_int_equal(options.memory_mb, 64);
	assert_int_equal(options.huge, SL_HUGE_AUTO);
	assert_false(options.idle_poll);
	assert_false(options.pci);
	assert_int_equal(options.eal_count, 0);

	assert_int_equal(PARSE("--instance-dir", "/run/a", "--state", "/s", "--no-huge", "--idle",
	                       "poll", "--pci", "--max-mtu", "9000", "--lcores", "1", "--", "-a",
	                       "0000:01:00.0"),
	                 0);
	assert_string_equal(options.state, "/s");
	assert_int_equal(options.huge, SL_HUGE_OFF);
	assert_true(options.idle_poll);
	assert_true(options.pci);
	assert_int_equal(options.max_mtu, 9000);
	assert_int_equal(options.eal_count, 2);
	assert_string_equal(options.eal_arguments[1], "0000:01:00.0");

	assert_int_equal(PARSE("--state", "/s"), -1);
	assert_int_equal(PARSE("--instance-dir", ""), -1);
	assert_int_equal(PARSE("--instance-dir", "/a", "stray"), -1);
	assert_int_equal(PARSE("--instance-dir", "/a", "--no-such"), -1);
	assert_non_null(strstr(fault.message, "--no-such"));
	assert_int_equal(PARSE("--instance-dir"), -1);
	assert_int_equal(PARSE("--instance-dir", "/a", "--memory-mb", "31"), -1);
	assert_int_equal(PARSE("--instance-dir", "/a", "--memory-mb", "64x"), -1);
	assert_int_equal(PARSE("--instance-dir", "/a", "--memory-mb", "-64"), -1);
	assert_int_equal(PARSE("--instance-dir", "/a", "--memory-mb", "99999999999999999999"), -1);
	assert_int_equal(PARSE("--instance-dir", "/a", "--idle", "sometimes"), -1);
	assert_int_equal(PARSE("--instance-dir", "/a", "--huge", "perhaps"), -1);
	assert_int_equal(PARSE("--instance-dir", "/a", "--lcores", "33"), -1);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(PARSE("--instance-dir", long_path),
	                 -1); /* a unix socket's path is short */
	assert_int_equal(fault.code, SL_FAULT_USAGE);
}

static void test_devargs(void **cmocka)
{
	struct sl_devargs devargs;
	char out[SL_DEVARGS_LEN + 64], small[40];

	(void)cmocka;
	assert_int_equal(sl_devargs_parse("0000:03:00.1,mprq_en=1", &devargs, &fault), 0);
	assert_int_equal(devargs.kind, SL_DEVICE_PCI);
	assert_string_equal(devargs.name, "0000:03:00.1");
	assert_int_equal(sl_devargs_parse("af:1f.7", &devargs, &fault), 0);
	assert_int_equal(devargs.kind, SL_DEVICE_PCI);
	assert_int_equal(sl_devargs_parse("net_ring0", &devargs, &fault), 0);
	assert_int_equal(devargs.kind, SL_DEVICE_VIRTUAL);
	assert_int_equal(sl_devargs_parse("net_af_xdp3,iface=eth0,start_queue=1", &devargs, &fault),
	                 0);
	assert_int_equal(devargs.kind, SL_DEVICE_AF_XDP);
	assert_string_equal(devargs.iface, "eth0");

	assert_int_equal(sl_devargs_parse("", &devargs, &fault), -1);
	assert_int_equal(sl_devargs_parse(",iface=eth0", &devargs, &fault), -1);
	assert_int_equal(sl_devargs_parse("net_af_packet0,if=eth0", &devargs, &fault), -1);
	assert_int_equal(sl_devargs_parse("net_af_packet0,iface=", &devargs, &fault), -1);
	assert_int_equal(
		sl_devargs_parse("net_af_packet0,iface=a-name-of-16-byt", &devargs, &fault), -1);
	assert_int_equal(sl_devargs_parse("net_af_packet0,iface=e,qpairs=2", &devargs, &fault), -1);
	assert_int_equal(sl_devargs_parse("net_null0, x=1", &devargs, &fault), -1);

	assert_int_equal(sl_devargs_parse("net_af_packet0,iface=e", &devargs, &fault), 0);
	assert_int_equal(sl_devargs_complete("net_af_packet0,iface=e", &devargs, 1500, 1, out,
	                                     sizeof(out), &fault),
	                 0);
	assert_string_equal(out, "net_af_packet0,iface=e,framesz=2048,blocksz=4096,qpairs=1");
	assert_int_equal(sl_devargs_complete("net_af_packet0,iface=e", &devargs, 9000, 2, out,
	                                     sizeof(out), &fault),
	                 0);
	assert_string_equal(out, "net_af_packet0,iface=e,framesz=12288,blocksz=12288,qpairs=2");
	assert_int_equal(sl_devargs_complete("net_af_packet0,iface=e,framesz=4096", &devargs, 1500,
	                                     1, out, sizeof(out), &fault),
	                 0);
	assert_string_equal(out, "net_af_packet0,iface=e,framesz=4096,qpairs=1");
	assert_int_equal(sl_devargs_complete("net_af_packet0,iface=e", &devargs, 1500, 1, small,
	                                     sizeof(small), &fault),
	                 -1);
}

/* One device of a made-up /sys; driver NULL: none. */
static void make_device(const char *sysfs, const char *address, const char *driver)
{
	char path[256], target[256];

	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", sysfs, address);
	assert_int_equal(mkdir(path, 0700), 0);
	if (driver == NULL)
		return;
	(void)snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver", sysfs, address);
	(void)snprintf(target, sizeof(target), "../../../../bus/pci/drivers/%s", driver);
	assert_int_equal(symlink(target, path), 0);
}

static void test_pci(void **cmocka)
{
	char sysfs[] = "/tmp/sealane-sysfs-XXXXXX", path[128];

	(void)cmocka;
	assert_non_null(mkdtemp(sysfs));
	for (int i = 0; i < 3; i++) {
		static const char *const parts[] = {"bus", "bus/pci", "bus/pci/devices"};

		(void)snprintf(path, sizeof(path), "%s/%s", sysfs, parts[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	make_device(sysfs, "0000:01:00.0", "vfio-pci");
	make_device(sysfs, "0000:01:00.1", "ixgbe");
	make_device(sysfs, "0000:01:00.2", NULL);
	assert_int_equal(sl_pci_check(sysfs, "0000:01:00.0", &fault), 0);
	assert_int_equal(sl_pci_check(sysfs, "01:00.0", &fault), 0);
	assert_int_equal(sl_pci_check(sysfs, "0000:01:00.1", &fault), -1);
	assert_int_equal(fault.code, SL_FAULT_DEVICE_BOUND);
	assert_non_null(strstr(fault.message, "ixgbe"));
	assert_non_null(strstr(fault.remedy, "dpdk-devbind"));
	assert_int_equal(sl_pci_check(sysfs, "0000:01:00.2", &fault), -1);
	assert_int_equal(fault.code, SL_FAULT_DEVICE_BOUND);
	assert_int_equal(sl_pci_check(sysfs, "0000:01:00.3", &fault), -1);
	assert_int_equal(fault.code, SL_FAULT_DEVICE_UNKNOWN);
	(void)snprintf(path, sizeof(path), "rm -r %s", sysfs);
	assert_int_equal(system(path), 0);
}

static uint32_t punts_allowed(struct sl_punt_bucket *bucket, uint32_t n, uint64_t now)
{
	uint32_t allowed = 0;

	for (uint32_t i = 0; i < n; i++)
		allowed += sl_punt_allowed(bucket, now);
	return allowed;
}

static void test_punt_limiter(void **cmocka)
{
	struct sl_punt_bucket bucket = {0}, other = {0};
	const uint64_t token = 1000000000u / SL_PUNT_PER_SECOND;
	uint64_t now = 5;

	(void)cmocka;
	assert_int_equal(punts_allowed(&bucket, SL_PUNT_BURST + 9, now), SL_PUNT_BURST);
	/* parts of a token add up */
	assert_int_equal(punts_allowed(&bucket, 9, now += token - 1), 0);
	assert_int_equal(punts_allowed(&bucket, 9, now += 1), 1);
	assert_int_equal(punts_allowed(&bucket, 99, now += 7 * token), 7);
	assert_int_equal(punts_allowed(&other, 9, now), 9);
	/* and never to more than the burst */
	now += 3600 * 1000000000ull;
	assert_int_equal(punts_allowed(&bucket, SL_PUNT_BURST + 9, now), SL_PUNT_BURST);
}

static void test_resolve_limiter(void **cmocka)
{
	static struct sl_resolve_limiter limiter;
	uint8_t address[16] = {10, 0, 0, 1};
	uint64_t now = 5000000000ull;
	unsigned int told = 0;

	(void)cmocka;
	assert_true(sl_resolve_allowed(&limiter, 1, 4, address, now));
	assert_false(sl_resolve_allowed(&limiter, 1, 4, address, now + 999999999));
	address[4] = 0xff; /* not part of an IPv4 address */
	assert_false(sl_resolve_allowed(&limiter, 1, 4, address, now + 999999999));
	assert_true(sl_resolve_allowed(&limiter, 2, 4, address, now));
	assert_true(sl_resolve_allowed(&limiter, 1, 4, address, now + 1000000000));
	/* a scan: bounded as a whole */
	now += 10000000000ull;
	for (unsigned int i = 0; i < 20000; i++) {
		memcpy(address, &i, sizeof(i));
		told += sl_resolve_allowed(&limiter, 1, 6, address, now);
	}
	assert_int_equal(told, SL_RESOLVE_PER_SECOND);
	address[0] ^= 0x5a;
	assert_true(sl_resolve_allowed(&limiter, 9, 6, address, now + 1000000000));
}

/* SHA-256 computed elsewhere: sha256sum of 16 (32) bytes of 0x11 (0x22), then 01 02 03 04. */
static void test_key_check(void **cmocka)
{
	struct sl_sa_row row = {.algorithm = SL_ALG_AES_GCM_128, .salt = {1, 2, 3, 4}};
	IMB_MGR *manager = alloc_mb_mgr(0);

	(void)cmocka;
	assert_non_null(manager);
	init_mb_mgr_auto(manager, NULL);
	memset(row.key, 0x11, 16);
	memset(row.key + 16, 0x99, 16); /* beyond a 128-bit key: does not count */
	assert_int_equal(sl_key_check(manager, &row), 0xbe259fdc63794b06ull);
	row.algorithm = SL_ALG_AES_GMAC_256;
	memset(row.key, 0x22, 32);
	assert_int_equal(sl_key_check(manager, &row), 0xedf3880d54db57daull);
	free_mb_mgr(manager);
}

static void *wait_for_pipe(void *context)
{
	char byte;

	(void)!read(*(int *)context, &byte, 1);
	return NULL;
}

/* In a process of its own: threads that were made while privileged, one of them with another set. */
static int drop_everywhere(void)
{
	pthread_t threads[4];
	int gate[2];

	if (!sl_privileges_have(CAP_NET_ADMIN) || pipe(gate) != 0)
		return 2;
	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, wait_for_pipe, &gate[0]) != 0)
			return 3;
	sl_privileges_prepare();
	if (!sl_privileges_have(CAP_NET_ADMIN)) /* ports are still to be made */
		return 4;
	if (sl_privileges_drop(&fault) != 0)
		return 5;
	if (sl_privileges_have(CAP_NET_ADMIN) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
		return 6;
	/* five threads, four sets each */
	if (system("test $(grep -hE '^Cap(Inh|Prm|Eff|Amb)' /proc/$PPID/task/*/status | "
	           "grep -c 0000000000000000) -eq 20") != 0)
		return 7;
	close(gate[1]);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

static void test_privileges(void **cmocka)
{
	pid_t child;
	int status;

	(void)cmocka;
	if (geteuid() != 0) {
		print_message("    needs root\n");
		skip();
	}
	child = fork();
	if (child == 0)
		_exit(drop_everywhere());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),      cmocka_unit_test(test_devargs),
		cmocka_unit_test(test_pci),          cmocka_unit_test(test_resolve_limiter),
		cmocka_unit_test(test_punt_limiter), cmocka_unit_test(test_key_check),
		cmocka_unit_test(test_privileges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
