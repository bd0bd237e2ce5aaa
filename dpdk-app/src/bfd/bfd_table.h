/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All BFD sessions of a worker: found by id, by discriminator, or by addresses (RFC 5880 §6.3), and in the
 * order of what is due. No sockets, no clock; memory is fixed.
 */
#ifndef SEALANE_BFD_BFD_TABLE_H
#define SEALANE_BFD_BFD_TABLE_H

#include "bfd/bfd_session.h"

#define SL_BFD_SESSIONS 1024u
#define SL_BFD_NAME_LEN 128u /* with the final NUL */
#define SL_BFD_BUCKETS 1024u
#define SL_BFD_NONE UINT16_MAX /* no entry */

/* By whom a packet was sent and where it came in; what a packet without Your Discriminator is known by. */
struct sl_bfd_address_key {
	uint32_t listener;  /* which stands for namespace, family and single or multi hop */
	uint32_t interface; /* kernel's index; 0: the session is bound to none */
	uint8_t family;     /* 4 or 6 */
	uint8_t local[16];  /* network order, zeros behind an IPv4 address */
	uint8_t remote[16];
};

struct sl_bfd_entry {
	uint32_t id; /* the supervisor's; 0: being removed, or free */
	bool used;
	bool untold;   /* the supervisor has still to hear of a change */
	int fd;        /* for sending */
	uint16_t port; /* destination */
	uint8_t min_ttl;
	uint16_t heap_at;
	uint16_t next_by_discr;
	uint16_t next_by_address;
	uint64_t leaves_ns; /* removed, and gone then; SL_BFD_NEVER: stays */
	struct sl_bfd_address_key key;
	struct sl_bfd_session session;
	char name[SL_BFD_NAME_LEN];
};

struct sl_bfd_table {
	struct sl_bfd_world world;
	uint16_t count;
	uint16_t heap[SL_BFD_SESSIONS]; /* entries, the one due next first */
	uint16_t by_discr[SL_BFD_BUCKETS];
	uint16_t by_address[SL_BFD_BUCKETS];
	struct sl_bfd_entry entry[SL_BFD_SESSIONS];
};

void sl_bfd_table_init(struct sl_bfd_table *table, const struct sl_bfd_world *world);

/*
 * A session that begins now. Its discriminator is random (§10). The caller has checked that neither id nor key is
 * taken. NULL when the table is full.
 */
struct sl_bfd_entry *sl_bfd_table_add(struct sl_bfd_table *table, uint32_t id,
                                      const struct sl_bfd_address_key *key,
                                      const struct sl_bfd_config *config, uint64_t now_ns);

/*
 * Have an entry that was just added go on for a session of another worker. False when its discriminator is taken
 * here: the session then begins Down, as sl_bfd_table_add() left it.
 */
bool sl_bfd_table_go_on(struct sl_bfd_table *table, struct sl_bfd_entry *entry,
                        const struct sl_bfd_resume *resume, uint64_t now_ns);
void sl_bfd_table_remove(struct sl_bfd_table *table, struct sl_bfd_entry *entry);

/* By the supervisor's id (not 0). NULL: there is none. */
struct sl_bfd_entry *sl_bfd_table_by_id(struct sl_bfd_table *table, uint32_t id);
/* With the least id above `after`. */
struct sl_bfd_entry *sl_bfd_table_after(struct sl_bfd_table *table, uint32_t after);
/* Also one that is being removed. */
struct sl_bfd_entry *sl_bfd_table_by_key(struct sl_bfd_table *table,
                                         const struct sl_bfd_address_key *key);

/*
 * Whose packet this is, which came as `key` says (its `interface` the receiving one's): by Your Discriminator alone
 * where it has one, but only from where the session's packets may come (listener); else by its addresses, for a
 * session bound to that interface or to none. NULL: nobody's.
 */
struct sl_bfd_entry *sl_bfd_table_demultiplex(struct sl_bfd_table *table,
                                              const struct sl_bfd_packet *packet,
                                              const struct sl_bfd_address_key *key);

/* The entry that is due next, NULL when there is none; when it is due. */
struct sl_bfd_entry *sl_bfd_table_first(struct sl_bfd_table *table);
uint64_t sl_bfd_entry_due(const struct sl_bfd_entry *entry);
/* After each step of a session: what is due has changed. */
void sl_bfd_table_moved(struct sl_bfd_table *table, struct sl_bfd_entry *entry);

#endif
