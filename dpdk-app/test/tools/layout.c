/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints where a field of a row lies in its segment's file, in bytes: for tests that watch or spoil
 * what no interface of the product lets them.
 *
 *   tool_layout TABLE.FIELD ROW
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sealane/state.h"
#include "sealane/tables.h"

static const struct {
	const char *name;
	size_t table, row, field;
} fields[] = {
	/* segment `tables` */
	{"group.member", offsetof(struct sl_tables, group), sizeof(struct sl_group_row),
         offsetof(struct sl_group_row, member)},
	{"sa_in.application", offsetof(struct sl_tables, sa_in), sizeof(struct sl_sa_row),
         offsetof(struct sl_sa_row, application)},
	{"sa_in.key", offsetof(struct sl_tables, sa_in), sizeof(struct sl_sa_row),
         offsetof(struct sl_sa_row, key)},
	{"sa_in.salt", offsetof(struct sl_tables, sa_in), sizeof(struct sl_sa_row),
         offsetof(struct sl_sa_row, salt)},
	{"sa_out.key", offsetof(struct sl_tables, sa_out), sizeof(struct sl_sa_row),
         offsetof(struct sl_sa_row, key)},
	{"sa_out.salt", offsetof(struct sl_tables, sa_out), sizeof(struct sl_sa_row),
         offsetof(struct sl_sa_row, salt)},
	/* segment `state` */
	{"sa_out_state.last_sequence", offsetof(struct sl_state, sa_out),
         sizeof(struct sl_sa_out_state), offsetof(struct sl_sa_out_state, last_sequence)},
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < sizeof(fields) / sizeof(fields[0]); i++)
		if (strcmp(argv[1], fields[i].name) == 0) {
			printf("%zu\n", fields[i].table +
			                        fields[i].row * strtoul(argv[2], NULL, 10) +
			                        fields[i].field);
			return 0;
		}
	fputs("usage: tool_layout TABLE.FIELD ROW\n", stderr);
	return 2;
}
