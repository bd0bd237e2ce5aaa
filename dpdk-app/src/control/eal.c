/* SPDX-License-Identifier: Apache-2.0 */
#include "control/eal.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <inttypes.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/log.h"

#define SL_EAL_ARGUMENTS 64
#define SL_EAL_TEXT 8192

/* The argument vector under construction; strings live in `text`. */
struct arguments {
	char *vector[SL_EAL_ARGUMENTS + 1];
	int count;
	char text[SL_EAL_TEXT];
	size_t used;
	bool full;
};

static void add(struct arguments *arguments, const char *argument)
{
	size_t size = strlen(argument) + 1;

	if (arguments->count >= SL_EAL_ARGUMENTS || arguments->used + size > SL_EAL_TEXT) {
		arguments->full = true;
		return;
	}
	memcpy(arguments->text + arguments->used, argument, size);
	arguments->vector[arguments->count++] = arguments->text + arguments->used;
	arguments->vector[arguments->count] = NULL;
	arguments->used += size;
}

/* The number in a file of /sys, 0 when there is none. */
static uint64_t read_number(const char *path)
{
	char text[32];
	FILE *file = fopen(path, "re");
	uint64_t number = 0;

	if (file == NULL)
		return 0;
	if (fgets(text, sizeof(text), file) != NULL)
		number = strtoull(text, NULL, 10);
	(void)fclose(file);
	return number;
}

/* Bytes of free hugepages of all sizes: folders hugepages-NkB. */
static uint64_t free_huge_bytes(void)
{
	static const char prefix[] = "hugepages-";
	DIR *sizes = opendir("/sys/kernel/mm/hugepages");
	struct dirent *entry;
	uint64_t total = 0;

	if (sizes == NULL)
		return 0;
	while ((entry = readdir(sizes)) != NULL) {
		char path[320];

		if (strncmp(entry->d_name, prefix, sizeof(prefix) - 1) != 0)
			continue;
		(void)snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/free_hugepages",
		               entry->d_name);
		total += read_number(path) *
		         strtoull(entry->d_name + sizeof(prefix) - 1, NULL, 10) * 1024;
	}
	closedir(sizes);
	return total;
}

static int choose_memory(struct sl_eal *eal, const struct sl_options *options,
                         struct sl_fault *fault)
{
	uint64_t wanted = (uint64_t)options->memory_mb << 20;
	uint64_t available = options->huge == SL_HUGE_OFF ? 0 : free_huge_bytes();

	eal->huge = options->huge == SL_HUGE_ON ||
	            (options->huge == SL_HUGE_AUTO && available >= wanted);
	if (options->huge == SL_HUGE_ON && available < wanted)
		return sl_fail(fault, SL_FAULT_NO_MEMORY,
		               "write more to /proc/sys/vm/nr_hugepages, or use --huge auto",
		               "%" PRIu64 " MB of hugepages are free, %u MB are wanted",
		               available >> 20, options->memory_mb);
	if (options->huge == SL_HUGE_AUTO && !eal->huge)
		sl_log(SL_LOG_INFO,
		       "%" PRIu64
		       " MB of hugepages are free, %u MB are wanted: using ordinary pages",
		       available >> 20, options->memory_mb);
	return 0;
}

/*
 * "(0-1)@(0,1,...)": control and packet threads all float over every CPU this process may use, so that
 * several workers share a small machine; the scheduler moves them apart.
 */
static void add_lcores(struct arguments *arguments, const struct sl_options *options)
{
	char map[2048];
	size_t length = (size_t)snprintf(map, sizeof(map), "(0-%u)@(", options->lcores);
	cpu_set_t cpus;

	add(arguments, "--lcores");
	if (options->lcore_map != NULL) {
		add(arguments, options->lcore_map);
		return;
	}
	CPU_ZERO(&cpus);
	(void)sched_getaffinity(0, sizeof(cpus), &cpus);
	for (int cpu = 0; cpu < CPU_SETSIZE && length < sizeof(map) - 16; cpu++)
		if (CPU_ISSET(cpu, &cpus))
			length += (size_t)snprintf(map + length, sizeof(map) - length, "%d,", cpu);
	map[length - 1] = ')'; /* in the place of the last comma */
	add(arguments, map);
}

/* FNV-1a of the instance directory's real path: the same for every run of an instance. */
static uint64_t instance_hash(const struct sl_options *options)
{
	char real[PATH_MAX];
	uint64_t hash = 0xcbf29ce484222325ull;

	if (realpath(options->instance_dir, real) == NULL)
		(void)snprintf(real, sizeof(real), "%s", options->instance_dir);
	for (const char *c = real; *c != '\0'; c++)
		hash = (hash ^ (uint8_t)*c) * 0x100000001b3ull;
	return hash;
}

static bool has_allow(const struct sl_options *options)
{
	for (int i = 0; i < options->eal_count; i++)
		if (strncmp(options->eal_arguments[i], "-a", 2) == 0 ||
		    strncmp(options->eal_arguments[i], "--allow", 7) == 0)
			return true;
	return false;
}

static void add_all(struct arguments *arguments, const struct sl_eal *eal,
                    const struct sl_options *options, const char *prefix)
{
	char megabytes[16];

	add(arguments, "sealane-worker");
	add_lcores(arguments, options);
	add(arguments, "--no-telemetry");
	add(arguments, "--file-prefix");
	add(arguments, prefix);
	if (eal->huge) {
		add(arguments, "--in-memory");
	} else {
		(void)snprintf(megabytes, sizeof(megabytes), "%u", options->memory_mb);
		add(arguments, "--no-huge");
		add(arguments, "-m");
		add(arguments, megabytes);
		add(arguments, "--no-shconf");
	}
	if (!options->pci) {
		add(arguments, "--no-pci");
		add(arguments, "--iova-mode=va");
	} else if (!has_allow(options)) {
		/* An allow list of nothing: devices are probed when their AddPort comes, not now. */
		add(arguments, "-a");
		add(arguments, "ffff:ff:1f.7");
	}
	for (int i = 0; i < options->eal_count; i++)
		add(arguments, options->eal_arguments[i]);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	(void)remove(path);
	return 0;
}

static void remove_runtime_dir(const char *path)
{
	if (path[0] != '\0')
		(void)nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static int explain(const struct sl_eal *eal, const struct sl_options *options,
                   struct sl_fault *fault)
{
	enum sl_fault_code code = sl_fault_of_errno(rte_errno);

	if (code == SL_FAULT_NO_PRIVILEGE)
		return sl_fail(fault, code, "run as root", "DPDK did not start: %s",
		               sl_log_recent_dpdk());
	if (rte_errno == ENOMEM || rte_errno == ENOSPC)
		return sl_fail(fault, SL_FAULT_NO_MEMORY,
		               eal->huge ? "make more hugepages, or use --no-huge"
		                         : "give the machine more memory, or lower --memory-mb",
		               "DPDK did not start with %u MB: %s", options->memory_mb,
		               sl_log_recent_dpdk());
	return sl_fail(fault, SL_FAULT_USAGE, "check --lcore-map and the arguments after --",
	               "DPDK did not start: %s", sl_log_recent_dpdk());
}

static int find_lcores(struct sl_eal *eal, const struct sl_options *options, struct sl_fault *fault)
{
	unsigned int lcore = UINT32_MAX;

	for (unsigned int i = 0; i < options->lcores; i++) {
		lcore = rte_get_next_lcore(lcore, 1, 0);
		if (lcore >= RTE_MAX_LCORE)
			return sl_fail(fault, SL_FAULT_USAGE,
			               "map one more than --lcores, e.g. 0@0,1@3",
			               "--lcore-map has no lcore for packet thread %u of %u", i + 1,
			               options->lcores);
		eal->packet_lcore[i] = lcore;
	}
	return 0;
}

int sl_eal_start(struct sl_eal *eal, const struct sl_options *options, struct sl_fault *fault)
{
	struct arguments arguments = {.count = 0};
	char prefix[64];

	memset(eal, 0, sizeof(*eal));
	if (choose_memory(eal, options, fault) != 0)
		return -1;
	(void)snprintf(prefix, sizeof(prefix), "sealane-%016" PRIx64, instance_hash(options));
	add_all(&arguments, eal, options, prefix);
	if (arguments.full)
		return sl_fail(fault, SL_FAULT_USAGE, "pass fewer arguments after --",
		               "too many EAL arguments");
	sl_log_forget_dpdk();
	opterr = 1; /* EAL leaves it to getopt to name an argument that it does not know */
	if (rte_eal_init(arguments.count, arguments.vector) < 0)
		return explain(eal, options, fault);
	/*
	 * Nothing in it is needed without shared configuration, nor what a killed worker left there.
	 * Gone at once, it cannot be left behind by the next kill.
	 */
	(void)snprintf(eal->runtime_dir, sizeof(eal->runtime_dir), "%s", rte_eal_get_runtime_dir());
	remove_runtime_dir(eal->runtime_dir);
	return find_lcores(eal, options, fault);
}

void sl_eal_stop(struct sl_eal *eal)
{
	/*
	 * Not rte_eal_cleanup(): EAL's interrupt thread runs on and looks at its handles, which are in the memory
	 * that the cleanup unmaps. memif's listener leaves one behind for good. The ports have been
	 * closed, files there are none, and the kernel takes the rest back.
	 */
	remove_runtime_dir(eal->runtime_dir);
}
