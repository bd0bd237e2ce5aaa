/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding the supervisor's commands: what is accepted, what refused, and that no bytes do harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/message.h"

#define PB(name) Sealane__Worker__V1__##name
#define PB_CASE(name) SEALANE__WORKER__V1__WORKER_COMMAND__COMMAND_##name

/* Decode a copy that ends where its memory ends, so that a sanitizer sees any read beyond. */
static int decode(const uint8_t *data, size_t length, unsigned int fds, uint64_t *id)
{
	struct sl_fault fault = {.code = SL_FAULT_NONE};
	uint8_t *exact = malloc(length > 0 ? length : 1);
	SlCommand *command;

	assert_non_null(exact);
	memcpy(exact, data, length);
	command = sl_command_decode(exact, length, fds, id, &fault);
	free(exact);
	if (command != NULL)
		sl_command_free(command);
	else
		assert_int_not_equal(fault.message[0], '\0');
	return (int)fault.code;
}

static size_t pack(SlCommand *command, uint8_t *data)
{
	return sealane__worker__v1__worker_command__pack(command, data);
}

static SlCommand new_command(int command_case)
{
	SlCommand command = SEALANE__WORKER__V1__WORKER_COMMAND__INIT;

	command.id = 77;
	command.command_case = (PB(WorkerCommand__CommandCase))command_case;
	return command;
}

static int code_of(SlCommand *command, unsigned int fds)
{
	uint8_t data[4096];
	uint64_t id;
	int code = decode(data, pack(command, data), fds, &id);

	assert_int_equal(id, command->id);
	return code;
}

static size_t packed_add_port(uint8_t *data)
{
	SlCommand command = new_command(PB_CASE(ADD_PORT));
	PB(AddPort) port;

	sealane__worker__v1__add_port__init(&port);
	port.port = 5;
	port.name = (char[]){"core0"};
	port.devargs = (char[]){"net_af_packet1,iface=eth0"};
	port.mtu = 1500;
	command.add_port = &port;
	return pack(&command, data);
}

static size_t packed_install(uint8_t *data)
{
	SlCommand command = new_command(PB_CASE(INSTALL_SAS));
	PB(InstallSas) install = SEALANE__WORKER__V1__INSTALL_SAS__INIT;
	uint32_t rows[] = {1, 2, 300, 70000};

	install.outbound = rows;
	install.n_outbound = 4;
	install.inbound = rows;
	install.n_inbound = 2;
	command.install_sas = &install;
	return pack(&command, data);
}

static void test_accepted(void **cmocka)
{
	uint8_t data[4096];
	uint64_t id;

	(void)cmocka;
	assert_int_equal(decode(data, packed_add_port(data), 0, &id), SL_FAULT_NONE);
	assert_int_equal(id, 77);
	assert_int_equal(decode(data, packed_install(data), 0, &id), SL_FAULT_NONE);
}

static void test_port_limits(void **cmocka)
{
	SlCommand command = new_command(PB_CASE(ADD_PORT));
	PB(AddPort) port;
	char name[] = "x", long_name[100], devargs[] = "net_null0", bad[] = "net_null0\n",
	     empty[] = "";

	(void)cmocka;
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	sealane__worker__v1__add_port__init(&port);
	command.add_port = &port;
	port.port = 255;
	port.name = name;
	port.devargs = devargs;
	port.mtu = 1500;
	assert_int_equal(code_of(&command, 0), SL_FAULT_NONE);
	assert_int_equal(code_of(&command, 1), SL_FAULT_MALFORMED);
	port.netns_descriptor = 1;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	assert_int_equal(code_of(&command, 1), SL_FAULT_NONE);
	port.netns_descriptor = 0;
	port.port = 0;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	port.port = 256;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	port.port = 1;
	port.mtu = 67;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	port.mtu = 9601;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	port.mtu = 9600;
	port.name = long_name;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	port.name = empty;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	port.name = name;
	port.devargs = bad;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	command.id = 0;
	port.devargs = devargs;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
}

static void test_interface_limits(void **cmocka)
{
	SlCommand command = new_command(PB_CASE(ATTACH_INTERFACE));
	PB(AttachInterface) attach = SEALANE__WORKER__V1__ATTACH_INTERFACE__INIT;
	SlCommand labels_command = new_command(PB_CASE(RESERVE_LABELS));
	PB(ReserveLabels) labels = SEALANE__WORKER__V1__RESERVE_LABELS__INIT;

	(void)cmocka;
	command.attach_interface = &attach;
	attach.interface = 4095;
	assert_int_equal(code_of(&command, 1), SL_FAULT_NONE);
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	assert_int_equal(code_of(&command, 2), SL_FAULT_MALFORMED);
	attach.interface = 4096;
	assert_int_equal(code_of(&command, 1), SL_FAULT_MALFORMED);
	attach.interface = 0;
	assert_int_equal(code_of(&command, 1), SL_FAULT_MALFORMED);
	labels_command.reserve_labels = &labels;
	labels.labels = 1u << 20;
	assert_int_equal(code_of(&labels_command, 0), SL_FAULT_NONE);
	labels.labels++;
	assert_int_equal(code_of(&labels_command, 0), SL_FAULT_MALFORMED);
}

static void test_probe_limits(void **cmocka)
{
	SlCommand command = new_command(PB_CASE(SEND_PROBES));
	PB(SendProbes) probes = SEALANE__WORKER__V1__SEND_PROBES__INIT;
	uint32_t bytes[17] = {68, 9600};

	(void)cmocka;
	command.send_probes = &probes;
	probes.nexthop = (1u << 20) - 1;
	probes.sa = (1u << 17) - 1;
	probes.bytes = bytes;
	probes.n_bytes = 2;
	assert_int_equal(code_of(&command, 0), SL_FAULT_NONE);
	assert_int_equal(code_of(&command, 1),
	                 SL_FAULT_MALFORMED); /* nothing to do with a descriptor */
	for (unsigned int i = 0; i < 17; i++)
		bytes[i] = 1280;
	probes.n_bytes = 16;
	assert_int_equal(code_of(&command, 0), SL_FAULT_NONE);
	probes.n_bytes = 17;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	probes.n_bytes = 0;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	probes.n_bytes = 2;
	bytes[1] = 67;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	bytes[1] = 9601;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	bytes[1] = 1280;
	probes.nexthop++;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	probes.nexthop = 0;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	probes.nexthop = 1;
	probes.sa++;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
	probes.sa = 0;
	assert_int_equal(code_of(&command, 0), SL_FAULT_MALFORMED);
}

static void test_nothing_and_unknown(void **cmocka)
{
	static const uint8_t unknown_command[] = {0x08, 0x01, 0xa2, 0x06, 0x00}; /* field 100 */
	static const uint8_t id_only[] = {0x08, 0x2a};
	uint64_t id;

	(void)cmocka;
	assert_int_equal(decode(id_only, 0, 0, &id), SL_FAULT_MALFORMED);
	assert_int_equal(id, 0);
	assert_int_equal(decode(id_only, sizeof(id_only), 0, &id), SL_FAULT_MALFORMED);
	assert_int_equal(id, 42); /* so that the refusal can be told which command it is about */
	assert_int_equal(decode(unknown_command, sizeof(unknown_command), 0, &id),
	                 SL_FAULT_MALFORMED);
}

/* Truncations, flipped bits and noise: always an answer. */
static void test_mutations(void **cmocka)
{
	uint8_t good[2][4096], data[4096];
	size_t lengths[2];
	unsigned int seed = 20260131, refused = 0, accepted = 0;
	uint64_t id;

	(void)cmocka;
	lengths[0] = packed_add_port(good[0]);
	lengths[1] = packed_install(good[1]);
	for (int k = 0; k < 2; k++)
		for (size_t cut = 0; cut < lengths[k]; cut++)
			(void)decode(good[k], cut, 0, &id);
	for (int round = 0; round < 200000; round++) {
		size_t length = lengths[round & 1];

		if (length == 0)
			continue;
		memcpy(data, good[round & 1], length);
		for (int flips = 1 + rand_r(&seed) % 4; flips > 0; flips--)
			data[(size_t)rand_r(&seed) % length] ^= (uint8_t)(1u << rand_r(&seed) % 8);
		if (round % 5 == 0)
			length = (size_t)rand_r(&seed) % (length + 1);
		if (decode(data, length, (unsigned int)rand_r(&seed) % 3, &id) == SL_FAULT_NONE)
			accepted++;
		else
			refused++;
	}
	/* both outcomes were really met */
	assert_true(refused > 1000);
	assert_true(accepted > 1000);
}

static void test_replies_round_trip(void **cmocka)
{
	static struct sl_port_info ports[SL_MAX_PORTS];
	static const uint32_t attached[] = {1, 4095};
	struct sl_hello_info hello = {.epoch = 9,
	                              .started = true,
	                              .ports = ports,
	                              .attached = attached,
	                              .attached_count = 2};
	struct sl_reply reply = {.id = 3, .hello = &hello};
	struct sl_encoded encoded;
	PB(WorkerMessage) * message;
	struct sl_fault fault;

	(void)cmocka;
	for (int i = 1; i < (int)SL_MAX_PORTS; i++) {
		ports[i].exists = true;
		memset(ports[i].devargs, 'd', sizeof(ports[i].devargs) - 1);
	}
	assert_int_equal(sl_encode_reply(&encoded, &reply), 0);
	message = sealane__worker__v1__worker_message__unpack(NULL, encoded.length, encoded.data);
	assert_non_null(message);
	assert_int_equal(message->reply->hello->n_ports, SL_MAX_PORTS - 1);
	assert_int_equal(message->reply->hello->attached_interfaces[1], 4095);
	sealane__worker__v1__worker_message__free_unpacked(message, NULL);
	sl_encoded_free(&encoded);

	/* what a peer sent cannot put control characters into a message */
	(void)sl_fail(&fault, SL_FAULT_NOT_FOUND, "remedy", "port %s", "a\nb\xff");
	reply = (struct sl_reply){.id = 4, .fault = &fault};
	assert_int_equal(sl_encode_reply(&encoded, &reply), 0);
	message = sealane__worker__v1__worker_message__unpack(NULL, encoded.length, encoded.data);
	assert_non_null(message);
	assert_string_equal(message->reply->message, "port a?b?");
	assert_string_equal(message->reply->remedy, "remedy");
	assert_int_equal(message->reply->code, SEALANE__WORKER__V1__ERROR_CODE__NOT_FOUND);
	sealane__worker__v1__worker_message__free_unpacked(message, NULL);
	sl_encoded_free(&encoded);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_port_limits),
		cmocka_unit_test(test_interface_limits),
		cmocka_unit_test(test_nothing_and_unknown),
		cmocka_unit_test(test_probe_limits),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_replies_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
