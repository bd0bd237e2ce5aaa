/* SPDX-License-Identifier: Apache-2.0 */
#include "control/bfd_commands.h"

#include <string.h>

#define PB(name) Sealane__Worker__V1__##name
#define CASE(name) SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_##name

#define LEAST_INTERVAL_US 10000u
#define LONGEST_INTERVAL_US 60000000u
#define SESSIONS_PER_LIST 128u /* what surely fits one datagram */

/* ---- Checks -------------------------------------------------------------------------------------- */

bool sl_bfd_is_command(const SlCommand *command)
{
	switch ((int)command->command_case) {
	case CASE(ADD_BFD_LISTENER):
	case CASE(REMOVE_BFD_LISTENER):
	case CASE(ADD_BFD_SESSION):
	case CASE(CHANGE_BFD_SESSION):
	case CASE(REMOVE_BFD_SESSION):
	case CASE(LIST_BFD):
		return true;
	default:
		return false;
	}
}

static bool is_name(const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return length > 0 && length < SL_BFD_NAME_LEN;
}

static bool is_listener(uint32_t listener) { return listener > 0 && listener < SL_BFD_LISTENERS; }

static bool is_interval(uint32_t us)
{
	return us >= LEAST_INTERVAL_US && us <= LONGEST_INTERVAL_US;
}

static const char *check_parameters(const PB(BfdParameters) * in)
{
	if (in == NULL)
		return "BFD session without parameters";
	if (!is_interval(in->desired_min_tx_us) || !is_interval(in->required_min_rx_us))
		return "BFD interval outside 10,000..60,000,000 microseconds";
	if (in->detect_mult == 0 || in->detect_mult > 255)
		return "BFD detection multiplier outside 1..255";
	if (in->min_ttl > 255)
		return "BFD TTL outside 0..255";
	switch ((int)in->auth_type) {
	case SL_BFD_AUTH_NONE:
		return in->auth_key.len == 0 ? NULL : "BFD key without authentication";
	case SL_BFD_AUTH_KEYED_SHA1:
	case SL_BFD_AUTH_METICULOUS_SHA1:
		if (in->auth_key.len == 0 || in->auth_key.len > SL_BFD_KEY_BYTES)
			return "BFD key of other than 1..20 bytes";
		return in->auth_key_id > 255 ? "BFD key id outside 0..255" : NULL;
	default:
		return "BFD authentication that this worker does not know";
	}
}

static const char *check_resume(const PB(BfdResume) * in)
{
	if (in == NULL)
		return NULL;
	if (in->local_discriminator == 0 || in->remote_discriminator == 0)
		return "BFD discriminator 0";
	return in->remote_detect_mult == 0 || in->remote_detect_mult > 255
	               ? "BFD detection multiplier outside 1..255"
	               : NULL;
}

static const char *check_add_session(const PB(AddBfdSession) * in)
{
	if (in->session == 0)
		return "BFD session 0";
	if (!is_name(in->name))
		return "BFD session name of other than 1..127 printable bytes";
	if (!is_listener(in->listener))
		return "BFD listener outside 1..255";
	if (in->remote.len != 4 && in->remote.len != 16)
		return "BFD address of other than 4 or 16 bytes";
	if (check_resume(in->resume) != NULL)
		return check_resume(in->resume);
	return check_parameters(in->parameters);
}

const char *sl_bfd_check_command(const SlCommand *command, unsigned int *fds)
{
	*fds = 0;
	switch ((int)command->command_case) {
	case CASE(ADD_BFD_LISTENER):
		*fds = 1;
		if (!is_name(command->add_bfd_listener->name))
			return "BFD listener name of other than 1..127 printable bytes";
		return is_listener(command->add_bfd_listener->listener)
		               ? NULL
		               : "BFD listener outside 1..255";
	case CASE(REMOVE_BFD_LISTENER):
		return is_listener(command->remove_bfd_listener->listener)
		               ? NULL
		               : "BFD listener outside 1..255";
	case CASE(ADD_BFD_SESSION):
		*fds = 1;
		return check_add_session(command->add_bfd_session);
	case CASE(CHANGE_BFD_SESSION):
		return check_parameters(command->change_bfd_session->parameters);
	default:
		return NULL;
	}
}

/* ---- The list ------------------------------------------------------------------------------------ */

struct listed {
	PB(BfdSessionInfo) info;
	PB(BfdState) state;
	PB(BfdParameters) parameters;
	PB(BfdResume) resume;
};

/* protobuf-c's fields are not const, though packing only reads them. */
static char *text(const char *string) { return (char *)(uintptr_t)string; }

static ProtobufCBinaryData address(const struct sl_bfd_entry *entry, const uint8_t *bytes)
{
	return (ProtobufCBinaryData){.data = (uint8_t *)(uintptr_t)bytes,
	                             .len = entry->key.family == 4 ? 4 : 16};
}

static void fill_state(PB(BfdState) * out, const struct sl_bfd_entry *entry)
{
	const struct sl_bfd_session *session = &entry->session;

	sealane__worker__v1__bfd_state__init(out);
	out->session = entry->id;
	out->state = (PB(BfdSessionState))session->state;
	out->diag = session->local_diag;
	out->remote_state = (PB(BfdSessionState))session->remote_state;
	out->remote_diag = session->remote_diag;
	out->remote_independent = session->remote_independent;
	out->ups = session->counters.ups;
	out->downs = session->counters.downs;
}

static void fill_parameters(PB(BfdParameters) * out, const struct sl_bfd_entry *entry)
{
	const struct sl_bfd_config *config = &entry->session.config;

	sealane__worker__v1__bfd_parameters__init(out);
	out->desired_min_tx_us = config->desired_min_tx_us;
	out->required_min_rx_us = config->required_min_rx_us;
	out->detect_mult = config->detect_mult;
	out->admin_down = config->admin_down;
	out->auth_type = (PB(BfdAuthType))config->key.type;
	out->auth_key_id = config->key.id;
	out->min_ttl = entry->min_ttl;
}

static void fill_resume(struct listed *out, const struct sl_bfd_entry *entry)
{
	struct sl_bfd_resume resume;

	if (!sl_bfd_get_resume(&entry->session, &resume))
		return;
	sealane__worker__v1__bfd_resume__init(&out->resume);
	out->resume.local_discriminator = resume.local_discr;
	out->resume.remote_discriminator = resume.remote_discr;
	out->resume.remote_min_rx_us = resume.remote_min_rx_us;
	out->resume.remote_min_tx_us = resume.remote_desired_min_tx_us;
	out->resume.remote_detect_mult = resume.remote_detect_mult;
	out->resume.remote_independent = resume.remote_independent;
	out->resume.auth_sequence = resume.xmit_seq;
	out->info.resume = &out->resume;
}

static void fill_session(struct listed *out, const struct sl_bfd_entry *entry)
{
	const struct sl_bfd_session *session = &entry->session;
	PB(BfdSessionInfo) *info = &out->info;

	sealane__worker__v1__bfd_session_info__init(info);
	info->name = text(entry->name);
	info->listener = entry->key.listener;
	info->local = address(entry, entry->key.local);
	info->remote = address(entry, entry->key.remote);
	info->local_discriminator = session->local_discr;
	info->remote_discriminator = session->remote_discr;
	info->tx_interval_us = session->tx_interval_us;
	info->detection_us = sl_bfd_detection_us(session);
	info->rx_packets = session->counters.rx;
	info->tx_packets = session->counters.tx;
	info->rx_bad_auth = session->counters.rx_bad_auth;
	fill_state(&out->state, entry);
	info->state = &out->state;
	fill_parameters(&out->parameters, entry);
	info->parameters = &out->parameters;
	fill_resume(out, entry);
}

static void fill_listeners(PB(BfdList) * list, const struct sl_bfd_link *link)
{
	static PB(BfdListenerInfo) infos[SL_BFD_LISTENERS];
	static PB(BfdListenerInfo) * pointers[SL_BFD_LISTENERS];

	list->listeners = pointers;
	for (uint32_t i = 1; i < SL_BFD_LISTENERS; i++) {
		PB(BfdListenerInfo) *info = &infos[i];

		if (link->listener[i].fd < 0)
			continue;
		sealane__worker__v1__bfd_listener_info__init(info);
		info->listener = i;
		info->name = text(link->listener[i].name);
		info->multihop = link->listener[i].multihop;
		pointers[list->n_listeners++] = info;
	}
}

static PB(BfdList) * make_list(struct sl_bfd_link *link, uint32_t after)
{
	static PB(BfdList) list;
	static struct listed sessions[SESSIONS_PER_LIST];
	static PB(BfdSessionInfo) * pointers[SESSIONS_PER_LIST];
	struct sl_bfd_entry *entry = sl_bfd_table_after(&link->table, after);

	sealane__worker__v1__bfd_list__init(&list);
	if (after == 0)
		fill_listeners(&list, link);
	list.sessions = pointers;
	while (entry != NULL && list.n_sessions < SESSIONS_PER_LIST) {
		fill_session(&sessions[list.n_sessions], entry);
		pointers[list.n_sessions] = &sessions[list.n_sessions].info;
		list.n_sessions++;
		entry = sl_bfd_table_after(&link->table, entry->id);
	}
	list.more = entry != NULL;
	return &list;
}

int sl_encode_bfd_state(struct sl_encoded *encoded, const struct sl_bfd_entry *entry)
{
	PB(BfdState) state;
	PB(Event) event;

	sealane__worker__v1__event__init(&event);
	fill_state(&state, entry);
	event.event_case = SEALANE__WORKER__V1__EVENT__EVENT_BFD_STATE;
	event.bfd_state = &state;
	return sl_encode_event(encoded, &event);
}

/* ---- Commands ------------------------------------------------------------------------------------ */

static struct sl_bfd_config config_of(const PB(BfdParameters) * in)
{
	struct sl_bfd_config config = {.desired_min_tx_us = in->desired_min_tx_us,
	                               .required_min_rx_us = in->required_min_rx_us,
	                               .detect_mult = (uint8_t)in->detect_mult,
	                               .admin_down = in->admin_down != 0};

	config.key.type = (uint8_t)in->auth_type;
	if (config.key.type == SL_BFD_AUTH_NONE)
		return config;
	config.key.id = (uint8_t)in->auth_key_id;
	memcpy(config.key.octets, in->auth_key.data, in->auth_key.len);
	return config;
}

static struct sl_bfd_resume resume_of(const PB(BfdResume) * in)
{
	return (struct sl_bfd_resume){
		.local_discr = in->local_discriminator,
		.remote_discr = in->remote_discriminator,
		.remote_min_rx_us = in->remote_min_rx_us,
		.remote_desired_min_tx_us = in->remote_min_tx_us,
		.remote_detect_mult = (uint8_t)in->remote_detect_mult,
		.remote_independent = in->remote_independent != 0,
		.xmit_seq = in->auth_sequence,
	};
}

static int add_session(struct sl_bfd_link *link, const PB(AddBfdSession) * in, int fd,
                       struct sl_fault *fault)
{
	struct sl_bfd_config config = config_of(in->parameters);
	struct sl_bfd_resume resume;
	struct sl_bfd_request request = {.id = in->session,
	                                 .name = in->name,
	                                 .listener = in->listener,
	                                 .remote = in->remote.data,
	                                 .remote_length = in->remote.len,
	                                 .min_ttl = (uint8_t)in->parameters->min_ttl,
	                                 .fd = fd};
	int result;

	if (in->resume != NULL) {
		resume = resume_of(in->resume);
		request.resume = &resume;
	}
	result = sl_bfd_link_add(link, &request, &config, fault);

	explicit_bzero(&config.key, sizeof(config.key));
	return result;
}

static int change_session(struct sl_bfd_link *link, const PB(ChangeBfdSession) * in,
                          struct sl_fault *fault)
{
	struct sl_bfd_config config = config_of(in->parameters);
	int result = sl_bfd_link_change(link, in->session, &config,
	                                (uint8_t)in->parameters->min_ttl, fault);

	explicit_bzero(&config.key, sizeof(config.key));
	return result;
}

int sl_bfd_command(struct sl_bfd_link *link, const SlCommand *command, int fd, bool *taken,
                   PB(BfdList) * *list, struct sl_fault *fault)
{
	const PB(AddBfdListener) * listener;
	int result;

	switch ((int)command->command_case) {
	case CASE(ADD_BFD_LISTENER):
		listener = command->add_bfd_listener;
		result = sl_bfd_link_listen(link, listener->listener, listener->name,
		                            listener->multihop != 0, fd, fault);
		*taken = result == 0;
		return result;
	case CASE(REMOVE_BFD_LISTENER):
		return sl_bfd_link_unlisten(link, command->remove_bfd_listener->listener, fault);
	case CASE(ADD_BFD_SESSION):
		result = add_session(link, command->add_bfd_session, fd, fault);
		*taken = result == 0;
		return result;
	case CASE(CHANGE_BFD_SESSION):
		return change_session(link, command->change_bfd_session, fault);
	case CASE(REMOVE_BFD_SESSION):
		return sl_bfd_link_remove(link, command->remove_bfd_session->session, fault);
	default:
		*list = make_list(link, command->list_bfd->after);
		return 0;
	}
}
