/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealane-worker: attaches both segments, brings DPDK up, expands the keys of live SAs, then does what
 * the supervisor asks on its socket. It outlives the supervisor, and may be killed at any time: what a
 * next worker has to know is in segment `state`.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/control.h"
#include "control/log.h"
#include "control/privileges.h"
#include "segments/tables_segment.h"
#include "variant.h"

#ifdef SEALANE_SANITIZE
/* libxdp 1.3 loses a bookkeeping object of each AF_XDP socket. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) { return "leak:libxdp.so\n"; }
#endif

/* Our own session: signals and the end of the parent's terminal do not concern us. */
static void leave_parent(void)
{
	sigset_t signals;

	/* A group leader (started from a shell) may not make a session: join the parent's group first. */
	if (getsid(0) != getpid() && setsid() < 0 && setpgid(0, getpgid(getppid())) == 0)
		(void)setsid();
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	/* Before any thread exists, so that none of them takes a signal from the control thread. */
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
}

static int attach(struct sl_control *control, struct sl_fault *fault)
{
	const struct sl_options *options = control->options;

	control->tables = sl_tables_attach(options->tables, options->wait_ms, fault);
	if (control->tables == NULL)
		return -1;
	control->standing_by = options->standby;
	if (options->standby)
		return sl_state_stand_by(&control->segment, control->tables, fault);
	return sl_state_attach(&control->segment, options->state, control->tables, fault);
}

/* A standby does it when it takes over: until then another worker says which SAs are ready. */
static void expand_keys(struct sl_control *control)
{
	sl_control_online(control);
	sl_log(SL_LOG_INFO, "segments attached, state %s, %u SAs ready",
	       control->segment.created ? "made anew" : "kept", sl_sa_store_attach(&control->sas));
	sl_control_offline(control);
}

/* Everything up to the supervisor's socket and back. */
static int run(struct sl_control *control, struct sl_fault *fault)
{
	int result = -1;

	if (attach(control, fault) != 0)
		return -1;
	if (sl_eal_start(&control->eal, control->options, fault) != 0)
		goto detach;
	if (sl_sa_store_init(&control->sas, control->tables, &control->segment, fault) != 0 ||
	    sl_control_make_workers(control, fault) != 0)
		goto stop;
	sl_variant_use(sl_variant_best());
	sl_log(SL_LOG_INFO, "packet path: variant %s (%s)", sl_variant_used()->name,
	       sl_variant_used()->needs);
	if (!control->standing_by)
		expand_keys(control);
	result = sl_control_run(control, fault);
stop:
	sl_control_free_workers(control);
	sl_sa_store_free(&control->sas);
	sl_eal_stop(&control->eal);
detach:
	sl_state_detach(&control->segment);
	return result;
}

static int exit_status(enum sl_fault_code code)
{
	switch ((int)code) {
	case SL_FAULT_USAGE:
	case SL_FAULT_MALFORMED:
		return 2;
	case SL_FAULT_SEGMENT:
		return 3;
	case SL_FAULT_LOCKED:
		return 4;
	case SL_FAULT_NO_MEMORY:
		return 5;
	case SL_FAULT_NO_PRIVILEGE:
		return 6;
	default:
		return 1;
	}
}

int main(int argc, char **argv)
{
	static struct sl_options options;
	static struct sl_control control = {.segment = {.fd = -1}};
	struct sl_fault fault = {.code = SL_FAULT_NONE};

	/* The supervisor's locks and sockets must not live on in this process. */
	(void)close_range(3, ~0u, 0);
	if (sl_options_parse(&options, argc, argv, &fault) != 0 ||
	    (!options.help && sl_log_open(options.log, &fault) != 0)) {
		sl_log_fault(SL_LOG_ERROR, &fault);
		return exit_status(fault.code);
	}
	if (options.help) {
		sl_options_usage(stdout);
		return 0;
	}
	leave_parent();
	sl_log_take_stdout();
	sl_privileges_prepare();
	control.options = &options;
	if (run(&control, &fault) != 0) {
		sl_log_fault(SL_LOG_ERROR, &fault);
		return exit_status(fault.code);
	}
	sl_log(SL_LOG_INFO, "shut down");
	return 0;
}
