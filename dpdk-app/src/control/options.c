/* SPDX-License-Identifier: Apache-2.0 */
#include "control/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "sealane/layout.h"

static const char seek_help[] = "see sealane-worker --help";

void sl_options_usage(FILE *out)
{
	fputs("usage: sealane-worker --instance-dir DIR [option...] [-- EAL-argument...]\n"
	      "\n"
	      "  --instance-dir DIR   where tables, state, worker.sock and worker.log are\n"
	      "  --tables FILE        segment written by the supervisor     (DIR/tables)\n"
	      "  --state FILE         segment written by this worker        (DIR/state)\n"
	      "  --socket FILE        where the supervisor connects         (DIR/worker.sock)\n"
	      "  --log FILE           a file, or unixgram:PATH              (DIR/worker.log)\n"
	      "  --memory-mb N        memory for packets and ports, 32..65536 (64)\n"
	      "  --max-mtu N          largest IP packet of any port, 1280..9600 (1900)\n"
	      "  --huge auto|on|off   hugepages; auto: when enough are free (auto)\n"
	      "  --no-huge            the same as --huge off\n"
	      "  --pci                PCI ports will be added: let EAL scan the PCI bus\n"
	      "  --idle adaptive|poll adaptive: sleep up to 1 ms when idle; poll: never "
	      "(adaptive)\n"
	      "  --lcores N           packet threads (1)\n"
	      "  --lcore-map MAP      EAL's --lcores, to pin: first the control thread, then the\n"
	      "                       packet thread, e.g. 0@0,1@3 (default: float over all CPUs)\n"
	      "  --standby            prepare beside the worker that runs here, listen on\n"
	      "                       SOCKET.standby, and forward when told to take over\n"
	      "  --wait-ms N          how long to wait for the tables (10000)\n"
	      "  --help\n"
	      "\n"
	      "exit status: 0 shut down as asked, 1 failed, 2 usage, 3 segment missing or of "
	      "another\n"
	      "layout, 4 another worker runs here, 5 no memory, 6 no privilege\n",
	      out);
}

static int number(const char *name, const char *text, unsigned long low, unsigned long high,
                  unsigned int *value, struct sl_fault *fault)
{
	char *end;
	unsigned long parsed;

	errno = 0;
	parsed = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || parsed < low ||
	    parsed > high)
		return sl_fail(fault, SL_FAULT_USAGE, seek_help,
		               "--%s %s: a number %lu..%lu is expected", name, text, low, high);
	*value = (unsigned int)parsed;
	return 0;
}

static int path(const char *name, const char *text, char *out, size_t size, struct sl_fault *fault)
{
	if (text[0] == '\0' || strlen(text) >= size)
		return sl_fail(fault, SL_FAULT_USAGE, seek_help,
		               "--%s: a path of 1 to %zu bytes is expected", name, size - 1);
	memcpy(out, text, strlen(text) + 1);
	return 0;
}

static int huge(const char *text, struct sl_options *options, struct sl_fault *fault)
{
	if (strcmp(text, "auto") == 0)
		options->huge = SL_HUGE_AUTO;
	else if (strcmp(text, "on") == 0)
		options->huge = SL_HUGE_ON;
	else if (strcmp(text, "off") == 0)
		options->huge = SL_HUGE_OFF;
	else
		return sl_fail(fault, SL_FAULT_USAGE, seek_help,
		               "--huge %s: auto, on or off is expected", text);
	return 0;
}

static int idle(const char *text, struct sl_options *options, struct sl_fault *fault)
{
	options->idle_poll = strcmp(text, "poll") == 0;
	if (!options->idle_poll && strcmp(text, "adaptive") != 0)
		return sl_fail(fault, SL_FAULT_USAGE, seek_help,
		               "--idle %s: adaptive or poll is expected", text);
	return 0;
}

enum option_id {
	OPT_INSTANCE_DIR = 256,
	OPT_TABLES,
	OPT_STATE,
	OPT_SOCKET,
	OPT_LOG,
	OPT_MEMORY,
	OPT_MAX_MTU,
	OPT_HUGE,
	OPT_NO_HUGE,
	OPT_PCI,
	OPT_IDLE,
	OPT_LCORES,
	OPT_LCORE_MAP,
	OPT_STANDBY,
	OPT_WAIT,
	OPT_HELP,
};

static const struct option long_options[] = {
	{"instance-dir", required_argument, NULL, OPT_INSTANCE_DIR},
	{"tables", required_argument, NULL, OPT_TABLES},
	{"state", required_argument, NULL, OPT_STATE},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"log", required_argument, NULL, OPT_LOG},
	{"memory-mb", required_argument, NULL, OPT_MEMORY},
	{"max-mtu", required_argument, NULL, OPT_MAX_MTU},
	{"huge", required_argument, NULL, OPT_HUGE},
	{"no-huge", no_argument, NULL, OPT_NO_HUGE},
	{"pci", no_argument, NULL, OPT_PCI},
	{"idle", required_argument, NULL, OPT_IDLE},
	{"lcores", required_argument, NULL, OPT_LCORES},
	{"lcore-map", required_argument, NULL, OPT_LCORE_MAP},
	{"standby", no_argument, NULL, OPT_STANDBY},
	{"wait-ms", required_argument, NULL, OPT_WAIT},
	{"help", no_argument, NULL, OPT_HELP},
	{NULL, 0, NULL, 0},
};

static int take(struct sl_options *o, int id, const char *value, struct sl_fault *fault)
{
	switch (id) {
	case OPT_INSTANCE_DIR:
		return path("instance-dir", value, o->instance_dir, sizeof(o->instance_dir), fault);
	case OPT_TABLES:
		return path("tables", value, o->tables, sizeof(o->tables), fault);
	case OPT_STATE:
		return path("state", value, o->state, sizeof(o->state), fault);
	case OPT_SOCKET:
		return path("socket", value, o->socket, sizeof(o->socket), fault);
	case OPT_LOG:
		return path("log", value, o->log, sizeof(o->log), fault);
	case OPT_MEMORY:
		return number("memory-mb", value, 32, 65536, &o->memory_mb, fault);
	case OPT_MAX_MTU:
		return number("max-mtu", value, 1280, SL_LARGEST_MTU, &o->max_mtu, fault);
	case OPT_HUGE:
		return huge(value, o, fault);
	case OPT_NO_HUGE:
		o->huge = SL_HUGE_OFF;
		return 0;
	case OPT_PCI:
		o->pci = true;
		return 0;
	case OPT_IDLE:
		return idle(value, o, fault);
	case OPT_LCORES:
		return number("lcores", value, 1, SL_MAX_LCORES, &o->lcores, fault);
	case OPT_LCORE_MAP:
		o->lcore_map = value;
		return 0;
	case OPT_STANDBY:
		o->standby = true;
		return 0;
	case OPT_WAIT:
		return number("wait-ms", value, 0, 600000, &o->wait_ms, fault);
	case OPT_HELP:
		o->help = true;
		return 0;
	default:
		return sl_fail(fault, SL_FAULT_USAGE, seek_help,
		               "%s: unknown option, or no value given", value);
	}
}

/* DIR/NAME, unless the path was given; `out` has PATH_MAX bytes. */
static int in_dir(const struct sl_options *o, const char *name, char *out, struct sl_fault *fault)
{
	int length;

	if (out[0] != '\0')
		return 0;
	length = snprintf(out, PATH_MAX, "%s/%s", o->instance_dir, name);
	if (length < 0 || length >= PATH_MAX)
		return sl_fail(fault, SL_FAULT_USAGE, "choose a shorter --instance-dir",
		               "the path of %s would be too long", name);
	return 0;
}

int sl_options_parse(struct sl_options *options, int argc, char **argv, struct sl_fault *fault)
{
	int id;

	memset(options, 0, sizeof(*options));
	options->memory_mb = SL_DEFAULT_MEMORY_MB;
	options->max_mtu = SL_DEFAULT_MAX_MTU;
	options->lcores = 1;
	options->wait_ms = 10000;
	opterr = 0;
	optind = 0; /* a second call starts afresh */
	while ((id = getopt_long(argc, argv, "+:", long_options, NULL)) != -1)
		if (take(options, id, id == '?' || id == ':' ? argv[optind - 1] : optarg, fault) !=
		    0)
			return -1;
	/* getopt stops behind "--"; a stray argument would otherwise reach EAL unseen. */
	if (optind < argc && strcmp(argv[optind - 1], "--") != 0)
		return sl_fail(fault, SL_FAULT_USAGE, seek_help, "unexpected argument %s",
		               argv[optind]);
	options->eal_count = argc - optind;
	options->eal_arguments = argv + optind;
	if (options->help)
		return 0;
	if (options->instance_dir[0] == '\0')
		return sl_fail(fault, SL_FAULT_USAGE, seek_help, "--instance-dir is missing");
	if (in_dir(options, "tables", options->tables, fault) != 0 ||
	    in_dir(options, "state", options->state, fault) != 0 ||
	    in_dir(options, "worker.sock", options->socket, fault) != 0 ||
	    in_dir(options, "worker.log", options->log, fault) != 0)
		return -1;
	if (strlen(options->socket) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return sl_fail(fault, SL_FAULT_USAGE, "choose a shorter --instance-dir or --socket",
		               "socket path is longer than %zu bytes: %s",
		               sizeof(((struct sockaddr_un *)0)->sun_path) - 1, options->socket);
	return 0;
}
