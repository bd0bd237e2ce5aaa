/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "control/bfd_commands.h"
#include "control/captures.h"
#include "control/message.h"
#include "control/options.h"
#include "control/probes.h"
#include "sealane/layout.h"

static int malformed(struct sl_fault *fault, const char *what)
{
	return sl_fail(fault, SL_FAULT_MALFORMED, "run supervisor and worker of the same build",
	               "malformed command: %s", what);
}

/* NAME fields are printed: keep them short and printable. */
static bool is_name(const char *text, size_t longest)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return length > 0 && length <= longest;
}

static int check_add_port(const Sealane__Worker__V1__AddPort *port, unsigned int fd_count,
                          struct sl_fault *fault)
{
	if (port->port == 0 || port->port >= SL_MAX_PORTS)
		return malformed(fault, "port id outside 1..255");
	if (!is_name(port->name, SL_PORT_NAME_LEN - 1))
		return malformed(fault, "port name of other than 1..63 printable bytes");
	if (!is_name(port->devargs, SL_DEVARGS_LEN - 1))
		return malformed(fault, "devargs of other than 1..511 printable bytes");
	if (port->mtu < 68 || port->mtu > SL_LARGEST_MTU)
		return malformed(fault, "port MTU outside 68..9600");
	if (fd_count != (port->netns_descriptor ? 1u : 0u))
		return malformed(fault, "AddPort with more or fewer descriptors than it says");
	return 0;
}

/* What each command needs beside it. */
static int check(const SlCommand *command, unsigned int fd_count, struct sl_fault *fault)
{
	unsigned int fds = 0;
	const char *wrong;

	if (command->id == 0)
		return malformed(fault, "id 0");
	switch (command->command_case) {
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_ADD_PORT:
		return check_add_port(command->add_port, fd_count, fault);
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_ATTACH_INTERFACE:
		if (command->attach_interface->interface == 0 ||
		    command->attach_interface->interface >= SL_MAX_INTERFACES)
			return malformed(fault, "interface row outside 1..4095");
		fds = 1;
		break;
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_DETACH_INTERFACE:
		if (command->detach_interface->interface == 0 ||
		    command->detach_interface->interface >= SL_MAX_INTERFACES)
			return malformed(fault, "interface row outside 1..4095");
		break;
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_RESERVE_LABELS:
		if (command->reserve_labels->labels > SL_MAX_LABELS)
			return malformed(fault, "more than 2^20 labels");
		break;
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_ADD_BFD_LISTENER:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_REMOVE_BFD_LISTENER:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_ADD_BFD_SESSION:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_CHANGE_BFD_SESSION:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_REMOVE_BFD_SESSION:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_LIST_BFD:
		wrong = sl_bfd_check_command(command, &fds);
		if (wrong != NULL)
			return malformed(fault, wrong);
		break;
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_START_CAPTURE:
		wrong = sl_captures_check(command->start_capture);
		if (wrong != NULL)
			return malformed(fault, wrong);
		break;
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_SEND_PROBES:
		wrong = sl_probes_check(command->send_probes);
		if (wrong != NULL)
			return malformed(fault, wrong);
		break;
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_READ_CAPTURE:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_STOP_CAPTURE:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_HELLO:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_INSTALL_SAS:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_START:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_SHUTDOWN:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_PREPARE_HAND_OVER:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_TAKE_OVER:
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_LIST_LAGS:
		break;
	case SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND__NOT_SET:
	case _SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND__CASE_IS_INT_SIZE:
	default:
		return malformed(fault, "no command this worker knows");
	}
	if (fd_count != fds)
		return malformed(fault, fds == 1 ? "exactly one descriptor must come beside it"
		                                 : "no descriptor may come beside it");
	return 0;
}

SlCommand *sl_command_decode(const uint8_t *data, size_t length, unsigned int fd_count,
                             uint64_t *id, struct sl_fault *fault)
{
	SlCommand *command = sealane__worker__v1__worker_command__unpack(NULL, length, data);

	*id = 0;
	if (command == NULL) {
		(void)malformed(fault, "it does not decode");
		return NULL;
	}
	*id = command->id;
	if (check(command, fd_count, fault) != 0) {
		sl_command_free(command);
		return NULL;
	}
	return command;
}

void sl_command_free(SlCommand *command)
{
	sealane__worker__v1__worker_command__free_unpacked(command, NULL);
}
