/* SPDX-License-Identifier: Apache-2.0 */
/* The supervisor's BFD commands: what each must hold, and what it does. */
#ifndef SEALANE_CONTROL_BFD_COMMANDS_H
#define SEALANE_CONTROL_BFD_COMMANDS_H

#include "control/bfd_link.h"
#include "control/message.h"

/* Is `command` one of them? */
bool sl_bfd_is_command(const SlCommand *command);

/*
 * What is wrong with a BFD command, as text, or NULL. `*fds`: how many descriptors must come beside it.
 */
const char *sl_bfd_check_command(const SlCommand *command, unsigned int *fds);

/*
 * Do it. `fd` is the descriptor that came beside; *taken when it is the worker's now. `*list` is a ListBfd's
 * answer, valid until the next call. 0, or -1 with `fault`.
 */
int sl_bfd_command(struct sl_bfd_link *link, const SlCommand *command, int fd, bool *taken,
                   Sealane__Worker__V1__BfdList **list, struct sl_fault *fault);

/* The BfdState event of a session. */
int sl_encode_bfd_state(struct sl_encoded *encoded, const struct sl_bfd_entry *entry);

#endif
