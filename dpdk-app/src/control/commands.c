/* SPDX-License-Identifier: Apache-2.0 */
/* What each of the supervisor's commands does. */
#include <inttypes.h>
#include <string.h>

#include "control/bfd_commands.h"
#include "control/control.h"
#include "control/counters.h"
#include "control/hand_over.h"
#include "control/lag_list.h"
#include "control/log.h"
#include "control/privileges.h"
#include "control/probes.h"
#include "control/system_calls.h"

/* A command under way, and what its reply will hold. */
struct call {
	struct sl_control *control;
	const SlCommand *command;
	struct sl_received *received;
	struct sl_reply reply;
	struct sl_hello_info hello;
	uint32_t attached[SL_MAX_INTERFACES];
};

static int hello(struct call *call, struct sl_fault *fault)
{
	struct sl_control *control = call->control;
	uint64_t epoch = control->segment.state->header.segment.epoch;
	const Sealane__Worker__V1__Hello *in = call->command->hello;

	if (in->protocol_version != SL_PROTOCOL_VERSION)
		return sl_fail(fault, SL_FAULT_STATE, "run supervisor and worker of the same build",
		               "the supervisor speaks protocol version %" PRIu32 ", this worker %u",
		               in->protocol_version, SL_PROTOCOL_VERSION);
	if (in->tables_epoch != epoch)
		return sl_fail(fault, SL_FAULT_STATE, "shut this worker down and start another",
		               "the supervisor's tables are not those this worker has attached");
	sl_captures_end(&control->captures); /* of a supervisor before */
	control->server.greeted = true;
	call->hello = (struct sl_hello_info){.epoch = epoch,
	                                     .started = control->started,
	                                     .ports = control->ports,
	                                     .attached = call->attached};
	for (uint32_t i = 1; i < SL_MAX_INTERFACES; i++)
		if (control->kernel.interface[i].fd >= 0)
			call->attached[call->hello.attached_count++] = i;
	call->reply.hello = &call->hello;
	return 0;
}

static bool same_port(const struct sl_port_info *port, const Sealane__Worker__V1__AddPort *in)
{
	return strcmp(port->name, in->name) == 0 && strcmp(port->devargs, in->devargs) == 0 &&
	       port->mtu == in->mtu && port->promiscuous == (in->promiscuous != 0) &&
	       port->no_offloads == (in->no_offloads != 0);
}

/* What the ports that there are leave to another one. */
static void leave_buffers(const struct sl_control *control, uint32_t left[SL_POOLS])
{
	for (unsigned int i = 0; i < SL_POOLS; i++) {
		uint32_t taken = 0;

		for (uint32_t id = 1; id < SL_MAX_PORTS; id++)
			if (control->ports[id].exists)
				taken += control->ports[id].buffers[i];
		left[i] = control->budget.ports[i] - RTE_MIN(taken, control->budget.ports[i]);
	}
}

static int add_port(struct call *call, struct sl_fault *fault)
{
	struct sl_control *control = call->control;
	const Sealane__Worker__V1__AddPort *in = call->command->add_port;
	struct sl_port_info *port = &control->ports[in->port];
	struct sl_port_request request = {.id = in->port,
	                                  .name = in->name,
	                                  .devargs = in->devargs,
	                                  .netns = in->netns_descriptor ? call->received->fds[0]
	                                                                : -1,
	                                  .mtu = in->mtu,
	                                  .promiscuous = in->promiscuous,
	                                  .no_offloads = in->no_offloads,
	                                  .standby = control->standing_by};
	struct sl_port_limits limits = {.pool = control->workers.thread[0]->pool,
	                                .jumbo = control->workers.thread[0]->jumbo,
	                                .max_mtu = control->options->max_mtu,
	                                .pci = control->options->pci,
	                                .threads = control->workers.count,
	                                .memory_mb = control->options->memory_mb};
	struct sl_port *shown; /* to the packet threads */
	int result;

	call->reply.port = port;
	call->reply.port_id = in->port;
	if (port->exists && same_port(port, in))
		return 0;
	if (port->exists)
		return sl_fail(fault, SL_FAULT_ALREADY,
		               "use another port id, or restart the worker",
		               "port %" PRIu32 " exists with other attributes", in->port);
	if (control->started)
		return sl_fail(fault, SL_FAULT_STATE,
		               "restart the worker: it gave up its privileges when it started",
		               "port %s cannot be added after Start", in->name);
	leave_buffers(control, limits.buffers);
	sl_control_offline(control);
	result = sl_port_add(port, &request, &limits, fault);
	sl_control_online(control);
	if (result != 0)
		return -1;
	shown = &control->workers.thread[0]->ports[in->port];
	shown->last_rx_queue = (uint16_t)(port->queues.rx - 1);
	shown->last_tx_queue = (uint16_t)(port->queues.tx - 1);
	shown->strips = (port->offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP) != 0;
	shown->sums = (port->offloads & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0;
	shown->dpdk_port = port->dpdk_port;
	return 0;
}

static int attach_interface(struct call *call, struct sl_fault *fault)
{
	if (sl_kernel_path_attach(&call->control->kernel,
	                          call->command->attach_interface->interface,
	                          call->received->fds[0], fault) != 0)
		return -1;
	call->received->fds[0] = -1;
	return 0;
}

static int detach_interface(struct call *call, struct sl_fault *fault)
{
	return sl_kernel_path_detach(&call->control->kernel,
	                             call->command->detach_interface->interface, fault);
}

static int install_sas(struct call *call, struct sl_fault *fault)
{
	const Sealane__Worker__V1__InstallSas *in = call->command->install_sas;
	struct sl_sa_store *sas = &call->control->sas;

	for (size_t i = 0; i < in->n_outbound; i++)
		if (sl_sa_install(sas, SL_OUT, in->outbound[i], fault) != 0)
			return -1;
	for (size_t i = 0; i < in->n_inbound; i++)
		if (sl_sa_install(sas, SL_IN, in->inbound[i], fault) != 0)
			return -1;
	return 0;
}

static int reserve_labels(struct call *call, struct sl_fault *fault)
{
	struct sl_control *control = call->control;

	if (sl_state_commit_labels(&control->segment, call->command->reserve_labels->labels,
	                           fault) != 0)
		return -1;
	for (unsigned int i = 0; i < control->workers.count; i++)
		__atomic_store_n(&control->workers.thread[i]->labels_backed,
		                 (uint32_t)control->segment.state->header.committed_labels,
		                 __ATOMIC_RELEASE);
	return 0;
}

/* Every thread that has a queue of the port polls it. */
static uint32_t poll_port(struct sl_control *control, uint32_t id)
{
	for (unsigned int i = 0; i < control->threads.count; i++) {
		struct sl_packet_thread *thread = &control->threads.thread[i];

		if (i < control->ports[id].queues.rx)
			thread->port_ids[thread->port_count++] = id;
	}
	if (control->ports[id].lag != NULL) {
		struct sl_packet_thread *first = &control->threads.thread[0];

		first->lag_ids[first->lag_count++] = id;
	}
	return 1;
}

static int start(struct call *call, struct sl_fault *fault)
{
	struct sl_control *control = call->control;
	uint32_t ports = 0;

	if (control->started)
		return 0;
	for (uint32_t id = 1; id < SL_MAX_PORTS; id++)
		if (control->ports[id].exists)
			ports += poll_port(control, id);
	sl_counters_begin(control);
	if (sl_privileges_drop(fault) != 0)
		return -1;
#ifndef SEALANE_SANITIZE /* their reports start programs */
	if (sl_system_calls_restrict(fault) != 0)
		return -1;
#endif
	if (sl_kernel_path_start(&control->kernel, fault) != 0)
		return -1;
	if (sl_packet_threads_launch(&control->threads) != 0)
		return sl_fail(fault, SL_FAULT_INTERNAL, "restart the worker",
		               "a packet thread does not start");
	control->started = true;
	sl_log(SL_LOG_INFO, "started: %" PRIu32 " ports, %u packet threads, no privileges left",
	       ports, control->threads.count);
	return 0;
}

static int take_over(struct call *call, struct sl_fault *fault)
{
	struct sl_control *control = call->control;

	if (!control->standing_by)
		return sl_fail(fault, SL_FAULT_STATE, "", "this worker does not stand by");
	if (sl_hand_over_take(control, fault) != 0)
		return -1;
	return sl_server_rename(&control->server, control->options->socket, fault);
}

static int send_probes(struct call *call, struct sl_fault *fault)
{
	if (!call->control->started)
		return sl_fail(fault, SL_FAULT_STATE, "send Start first",
		               "no packet leaves before Start");
	return sl_probes_send(call->control->workers.thread[0], call->command->send_probes, fault);
}

static int stop(struct call *call)
{
	call->control->stopping = true;
	call->control->handing_over = call->command->shutdown->hand_over;
	return 0;
}

/* What a standby may be told before TakeOver: what is not kept in segment `state`. */
static bool may_stand_by(const SlCommand *command)
{
	switch ((int)command->command_case) {
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_ADD_PORT:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_ATTACH_INTERFACE:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_DETACH_INTERFACE:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_TAKE_OVER:
		return true;
	default:
		return false;
	}
}

static int bfd(struct call *call, struct sl_fault *fault)
{
	struct sl_received *received = call->received;
	bool taken = false;
	int result = sl_bfd_command(&call->control->bfd, call->command, received->fds[0], &taken,
	                            &call->reply.bfd, fault);

	if (taken)
		received->fds[0] = -1;
	return result;
}

static int dispatch(struct call *call, struct sl_fault *fault)
{
	switch (call->command->command_case) {
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_HELLO:
		return hello(call, fault);
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_SHUTDOWN:
		return stop(call);
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_ADD_PORT:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_ATTACH_INTERFACE:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_DETACH_INTERFACE:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_INSTALL_SAS:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_RESERVE_LABELS:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_START:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_ADD_BFD_LISTENER:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_REMOVE_BFD_LISTENER:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_ADD_BFD_SESSION:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_CHANGE_BFD_SESSION:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_REMOVE_BFD_SESSION:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_LIST_BFD:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_START_CAPTURE:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_READ_CAPTURE:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_STOP_CAPTURE:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_PREPARE_HAND_OVER:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_TAKE_OVER:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_LIST_LAGS:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_SEND_PROBES:
		break;
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND__NOT_SET:
	case _SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND__CASE_IS_INT_SIZE:
	default:
		return sl_fail(fault, SL_FAULT_MALFORMED, "", "no command this worker knows");
	}
	/* Rows and descriptors belong to the tables that Hello compared. */
	if (!call->control->server.greeted)
		return sl_fail(fault, SL_FAULT_STATE, "send Hello first",
		               "no Hello on this connection");
	if (call->control->standing_by && !may_stand_by(call->command))
		return sl_fail(fault, SL_FAULT_STATE, "send TakeOver first",
		               "this worker stands by: another one forwards");
	if (sl_bfd_is_command(call->command))
		return bfd(call, fault);
	switch ((int)call->command->command_case) {
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_ADD_PORT:
		return add_port(call, fault);
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_ATTACH_INTERFACE:
		return attach_interface(call, fault);
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_DETACH_INTERFACE:
		return detach_interface(call, fault);
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_INSTALL_SAS:
		return install_sas(call, fault);
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_RESERVE_LABELS:
		return reserve_labels(call, fault);
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_START_CAPTURE:
		return sl_captures_start(&call->control->captures, call->command->start_capture,
		                         fault);
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_READ_CAPTURE:
		return sl_captures_read(&call->control->captures,
		                        call->command->read_capture->session, &call->reply.capture,
		                        fault);
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_STOP_CAPTURE:
		return sl_captures_stop(&call->control->captures,
		                        call->command->stop_capture->session,
		                        call->command->stop_capture->discard, fault);
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_PREPARE_HAND_OVER:
		return sl_hand_over_prepare(call->control, call->command->prepare_hand_over->lcores,
		                            fault);
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_TAKE_OVER:
		return take_over(call, fault);
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_LIST_LAGS:
		call->reply.lags = sl_lag_list(call->control->ports);
		return 0;
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_SEND_PROBES:
		return send_probes(call, fault);
	default:
		return start(call, fault);
	}
}

static void send_reply(struct sl_control *control, const struct sl_reply *reply)
{
	struct sl_encoded encoded;
	bool sent = false;

	if (sl_encode_reply(&encoded, reply) == 0) {
		sent = sl_server_send(&control->server, encoded.data, encoded.length);
		sl_encoded_free(&encoded);
	}
	/* It would wait for this answer for ever; on a new connection it asks again. */
	if (!sent) {
		sl_log(SL_LOG_WARNING, "the supervisor does not take replies: disconnected");
		sl_server_disconnect(&control->server);
	}
}

void sl_control_command(struct sl_control *control, struct sl_received *received)
{
	struct call call = {.control = control, .received = received};
	struct sl_fault fault = {.code = SL_FAULT_NONE};
	SlCommand *command = NULL;
	int result = -1;

	if (received->cut)
		(void)sl_fail(&fault, SL_FAULT_MALFORMED, "send less at a time",
		              "a command is larger than %u bytes or has more than %u descriptors",
		              SL_COMMAND_BYTES, SL_COMMAND_FDS);
	else
		command = sl_command_decode(received->data, received->length, received->fd_count,
		                            &call.reply.id, &fault);
	if (command != NULL) {
		call.command = command;
		result = dispatch(&call, &fault);
	}
	if (result != 0) {
		call.reply.fault = &fault;
		call.reply.port = NULL;
		sl_log_fault(SL_LOG_WARNING, &fault);
	}
	sl_received_close(received);
	send_reply(control, &call.reply);
	if (command != NULL)
		sl_command_free(command);
}
