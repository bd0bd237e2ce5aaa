/* SPDX-License-Identifier: Apache-2.0 */
#include <rte_version.h>
#include <stdlib.h>
#include <unistd.h>

#include "control/message.h"
#include "sealane/layout_hash.h"

_Static_assert(
	(int)SL_FAULT_MALFORMED == SEALANE__WORKER__V1__ERROR_CODE__MALFORMED &&
		(int)SL_FAULT_NOT_FOUND == SEALANE__WORKER__V1__ERROR_CODE__NOT_FOUND &&
		(int)SL_FAULT_ALREADY == SEALANE__WORKER__V1__ERROR_CODE__ALREADY &&
		(int)SL_FAULT_STATE == SEALANE__WORKER__V1__ERROR_CODE__STATE &&
		(int)SL_FAULT_DEVICE_UNKNOWN == SEALANE__WORKER__V1__ERROR_CODE__DEVICE_UNKNOWN &&
		(int)SL_FAULT_DEVICE_BOUND == SEALANE__WORKER__V1__ERROR_CODE__DEVICE_BOUND &&
		(int)SL_FAULT_DEVICE_BUSY == SEALANE__WORKER__V1__ERROR_CODE__DEVICE_BUSY &&
		(int)SL_FAULT_NO_PRIVILEGE == SEALANE__WORKER__V1__ERROR_CODE__NO_PRIVILEGE &&
		(int)SL_FAULT_NO_MEMORY == SEALANE__WORKER__V1__ERROR_CODE__NO_MEMORY &&
		(int)SL_FAULT_KEY_REFUSED == SEALANE__WORKER__V1__ERROR_CODE__KEY_REFUSED &&
		(int)SL_FAULT_INTERNAL == SEALANE__WORKER__V1__ERROR_CODE__INTERNAL,
	"fault codes are the protocol's");

void sl_encoded_free(struct sl_encoded *encoded)
{
	free(encoded->data);
	encoded->data = NULL;
}

static int encode(struct sl_encoded *encoded, const Sealane__Worker__V1__WorkerMessage *message)
{
	encoded->length = sealane__worker__v1__worker_message__get_packed_size(message);
	encoded->data = malloc(encoded->length);
	if (encoded->data == NULL)
		return -1;
	(void)sealane__worker__v1__worker_message__pack(message, encoded->data);
	return 0;
}

/* protobuf-c's fields are not const, though packing only reads them. */
static char *text(const char *string) { return (char *)(uintptr_t)string; }

static void fill_port(Sealane__Worker__V1__PortInfo *out, uint32_t id,
                      const struct sl_port_info *port)
{
	sealane__worker__v1__port_info__init(out);
	out->port = id;
	out->name = text(port->name);
	out->devargs = text(port->devargs);
	out->driver = text(port->driver);
	out->mac.data = (uint8_t *)(uintptr_t)port->mac;
	out->mac.len = sizeof(port->mac);
	out->mtu = port->mtu;
	out->link_up = port->link_up;
	out->no_offloads = port->no_offloads;
	out->offloads = text(port->offload_names);
}

static void fill_hello(Sealane__Worker__V1__HelloReply *out, const struct sl_hello_info *hello,
                       Sealane__Worker__V1__PortInfo *infos, Sealane__Worker__V1__PortInfo **ports)
{
	sealane__worker__v1__hello_reply__init(out);
	out->pid = (uint32_t)getpid();
	out->layout_hash = sl_layout_hash();
	out->epoch = hello->epoch;
	out->version = text(rte_version());
	out->started = hello->started;
	out->ports = ports;
	for (uint32_t id = 1; id < SL_MAX_PORTS; id++) {
		if (!hello->ports[id].exists)
			continue;
		fill_port(&infos[out->n_ports], id, &hello->ports[id]);
		ports[out->n_ports] = &infos[out->n_ports];
		out->n_ports++;
	}
	out->attached_interfaces = (uint32_t *)(uintptr_t)hello->attached;
	out->n_attached_interfaces = hello->attached_count;
}

int sl_encode_reply(struct sl_encoded *encoded, const struct sl_reply *reply)
{
	Sealane__Worker__V1__WorkerMessage message;
	Sealane__Worker__V1__Reply out;
	Sealane__Worker__V1__HelloReply hello;
	Sealane__Worker__V1__PortInfo infos[SL_MAX_PORTS];
	Sealane__Worker__V1__PortInfo *ports[SL_MAX_PORTS];

	sealane__worker__v1__worker_message__init(&message);
	sealane__worker__v1__reply__init(&out);
	message.message_case = SEALANE__WORKER__V1__WORKER_MESSAGE__MESSAGE_REPLY;
	message.reply = &out;
	out.id = reply->id;
	if (reply->fault != NULL) {
		/* Faults of start-up alone have no number of their own there. */
		out.code = reply->fault->code <= SL_FAULT_INTERNAL
		                   ? (Sealane__Worker__V1__ErrorCode)reply->fault->code
		                   : SEALANE__WORKER__V1__ERROR_CODE__INTERNAL;
		out.message = text(reply->fault->message);
		out.remedy = text(reply->fault->remedy);
	}
	if (reply->hello != NULL) {
		fill_hello(&hello, reply->hello, infos, ports);
		out.hello = &hello;
	}
	if (reply->port != NULL) {
		fill_port(&infos[0], reply->port_id, reply->port);
		out.port = &infos[0];
	}
	out.bfd = reply->bfd;
	out.lags = reply->lags;
	out.capture = reply->capture;
	return encode(encoded, &message);
}

int sl_encode_event(struct sl_encoded *encoded, Sealane__Worker__V1__Event *event)
{
	Sealane__Worker__V1__WorkerMessage message;

	sealane__worker__v1__worker_message__init(&message);
	message.message_case = SEALANE__WORKER__V1__WORKER_MESSAGE__MESSAGE_EVENT;
	message.event = event;
	return encode(encoded, &message);
}

int sl_encode_link_state(struct sl_encoded *encoded, uint32_t port, bool up)
{
	Sealane__Worker__V1__Event event;
	Sealane__Worker__V1__LinkState link;

	sealane__worker__v1__event__init(&event);
	sealane__worker__v1__link_state__init(&link);
	link.port = port;
	link.up = up;
	event.event_case = SEALANE__WORKER__V1__EVENT__EVENT_LINK_STATE;
	event.link_state = &link;
	return sl_encode_event(encoded, &event);
}

int sl_encode_resolve(struct sl_encoded *encoded, uint32_t interface, const uint8_t *address,
                      uint32_t length)
{
	Sealane__Worker__V1__Event event;
	Sealane__Worker__V1__ResolveNeighbour resolve;

	sealane__worker__v1__event__init(&event);
	sealane__worker__v1__resolve_neighbour__init(&resolve);
	resolve.interface = interface;
	resolve.address.data = (uint8_t *)(uintptr_t)address;
	resolve.address.len = length;
	event.event_case = SEALANE__WORKER__V1__EVENT__EVENT_RESOLVE_NEIGHBOUR;
	event.resolve_neighbour = &resolve;
	return sl_encode_event(encoded, &event);
}

int sl_encode_acquire(struct sl_encoded *encoded, uint32_t nexthop)
{
	Sealane__Worker__V1__Event event;
	Sealane__Worker__V1__AcquireSa acquire;

	sealane__worker__v1__event__init(&event);
	sealane__worker__v1__acquire_sa__init(&acquire);
	acquire.nexthop = nexthop;
	event.event_case = SEALANE__WORKER__V1__EVENT__EVENT_ACQUIRE_SA;
	event.acquire_sa = &acquire;
	return sl_encode_event(encoded, &event);
}

int sl_encode_path_mtu(struct sl_encoded *encoded, const uint8_t *local, const uint8_t *remote,
                       uint32_t length, uint16_t mtu)
{
	Sealane__Worker__V1__Event event;
	Sealane__Worker__V1__PathMtu path;

	sealane__worker__v1__event__init(&event);
	sealane__worker__v1__path_mtu__init(&path);
	path.local.data = (uint8_t *)(uintptr_t)local;
	path.local.len = length;
	path.remote.data = (uint8_t *)(uintptr_t)remote;
	path.remote.len = length;
	path.mtu = mtu;
	event.event_case = SEALANE__WORKER__V1__EVENT__EVENT_PATH_MTU;
	event.path_mtu = &path;
	return sl_encode_event(encoded, &event);
}

int sl_encode_alarm(struct sl_encoded *encoded, const char *name, const char *detail)
{
	Sealane__Worker__V1__Event event;
	Sealane__Worker__V1__Alarm alarm;

	sealane__worker__v1__event__init(&event);
	sealane__worker__v1__alarm__init(&alarm);
	alarm.name = text(name);
	alarm.detail = text(detail);
	event.event_case = SEALANE__WORKER__V1__EVENT__EVENT_ALARM;
	event.alarm = &alarm;
	return sl_encode_event(encoded, &event);
}
