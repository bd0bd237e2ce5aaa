/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A number that differs whenever the shared segments' sizes or offsets do. Both sides compute it
 * from the headers they were compiled with; attaching compares it with the creator's in the segment
 * header. What sizes and offsets cannot show (a changed meaning) is SL_LAYOUT_VERSION's business.
 */
#ifndef SEALANE_LAYOUT_HASH_H
#define SEALANE_LAYOUT_HASH_H

#include "state.h"
#include "tables.h"

/* Every field of every row that both sides touch: F(struct, field). */
#define SL_LAYOUT_ROW_FIELDS(F)                                                                    \
	F(sl_writer, pid)                                                                          \
	F(sl_writer, start_time)                                                                   \
	F(sl_segment_header, magic)                                                                \
	F(sl_segment_header, layout_version)                                                       \
	F(sl_segment_header, complete)                                                             \
	F(sl_segment_header, layout_hash)                                                          \
	F(sl_segment_header, epoch)                                                                \
	F(sl_segment_header, writer)                                                               \
	F(sl_accept_row, secured)                                                                  \
	F(sl_accept_row, clear)                                                                    \
	F(sl_accept_row, state)                                                                    \
	F(sl_accept_row, mpls_interface)                                                           \
	F(sl_vrf_row, state)                                                                       \
	F(sl_vrf_row, flags)                                                                       \
	F(sl_vrf_row, fib_root)                                                                    \
	F(sl_vrf_row, host_interface)                                                              \
	F(sl_vrf_row, icmp_source4)                                                                \
	F(sl_vrf_row, icmp_source6)                                                                \
	F(sl_vrf_row, name)                                                                        \
	F(sl_interface_row, state)                                                                 \
	F(sl_interface_row, flags)                                                                 \
	F(sl_interface_row, vrf)                                                                   \
	F(sl_interface_row, port)                                                                  \
	F(sl_interface_row, vlan)                                                                  \
	F(sl_interface_row, svlan)                                                                 \
	F(sl_interface_row, stag_type)                                                             \
	F(sl_interface_row, mtu)                                                                   \
	F(sl_interface_row, role)                                                                  \
	F(sl_interface_row, mac)                                                                   \
	F(sl_interface_row, address4)                                                              \
	F(sl_interface_row, address6)                                                              \
	F(sl_interface_row, linklocal6)                                                            \
	F(sl_interface_row, name)                                                                  \
	F(sl_interface_row, police)                                                                \
	F(sl_interface_row, queues)                                                                \
	F(sl_policer_row, cost)                                                                    \
	F(sl_policer_row, depth)                                                                   \
	F(sl_policer_row, meter)                                                                   \
	F(sl_policer_row, action)                                                                  \
	F(sl_egress_row, cost)                                                                     \
	F(sl_egress_row, depth)                                                                    \
	F(sl_egress_row, generation)                                                               \
	F(sl_egress_row, change)                                                                   \
	F(sl_egress_row, limit)                                                                    \
	F(sl_egress_row, quantum)                                                                  \
	F(sl_egress_row, strict)                                                                   \
	F(sl_egress_row, queue_of_class)                                                           \
	F(sl_class_table, class_of_dscp)                                                           \
	F(sl_class_table, name)                                                                    \
	F(sl_nexthop_slot, active)                                                                 \
	F(sl_nexthop_slot, state)                                                                  \
	F(sl_version_row, sa_generation)                                                           \
	F(sl_version_row, sa)                                                                      \
	F(sl_version_row, interface)                                                               \
	F(sl_version_row, kind)                                                                    \
	F(sl_version_row, flags)                                                                   \
	F(sl_version_row, protection)                                                              \
	F(sl_version_row, encap)                                                                   \
	F(sl_version_row, family)                                                                  \
	F(sl_version_row, template_len)                                                            \
	F(sl_version_row, ip_off)                                                                  \
	F(sl_version_row, esp_off)                                                                 \
	F(sl_version_row, gre_off)                                                                 \
	F(sl_version_row, label_off)                                                               \
	F(sl_version_row, mtu)                                                                     \
	F(sl_version_row, ip4_sum)                                                                 \
	F(sl_version_row, drop_reason)                                                             \
	F(sl_version_row, state)                                                                   \
	F(sl_version_row, vrf)                                                                     \
	F(sl_version_row, neighbour)                                                               \
	F(sl_version_row, core_labels)                                                             \
	F(sl_version_row, udp_off)                                                                 \
	F(sl_version_row, tos_copy)                                                                \
	F(sl_version_row, template_bytes)                                                          \
	F(sl_sa_row, generation)                                                                   \
	F(sl_sa_row, spi)                                                                          \
	F(sl_sa_row, algorithm)                                                                    \
	F(sl_sa_row, protection)                                                                   \
	F(sl_sa_row, application)                                                                  \
	F(sl_sa_row, family)                                                                       \
	F(sl_sa_row, selector_protocol)                                                            \
	F(sl_sa_row, encap)                                                                        \
	F(sl_sa_row, sp_table)                                                                     \
	F(sl_sa_row, state)                                                                        \
	F(sl_sa_row, replay_window)                                                                \
	F(sl_sa_row, source)                                                                       \
	F(sl_sa_row, destination)                                                                  \
	F(sl_sa_row, key)                                                                          \
	F(sl_sa_row, salt)                                                                         \
	F(sl_sa_row, source_port)                                                                  \
	F(sl_sa_row, destination_port)                                                             \
	F(sl_sa_row, udp_source_port)                                                              \
	F(sl_sa_row, udp_destination_port)                                                         \
	F(sl_sa_row, packet_limit)                                                                 \
	F(sl_sa_row, byte_limit)                                                                   \
	F(sl_sa_row, esn)                                                                          \
	F(sl_sa_row, worker)                                                                       \
	F(sl_sa_row, random_spi)                                                                   \
	F(sl_sa_row, resource)                                                                     \
	F(sl_sa_row, key_check)                                                                    \
	F(sl_host_policy_row, sa_to_port)                                                          \
	F(sl_host_policy_row, sa_from_port)                                                        \
	F(sl_host_policy_row, next)                                                                \
	F(sl_host_policy_row, state)                                                               \
	F(sl_host_policy_row, family)                                                              \
	F(sl_host_policy_row, protocol)                                                            \
	F(sl_host_policy_row, port)                                                                \
	F(sl_host_policy_row, local)                                                               \
	F(sl_host_policy_row, remote)                                                              \
	F(sl_prefix_row, address)                                                                  \
	F(sl_prefix_row, leaf)                                                                     \
	F(sl_prefix_row, vrf)                                                                      \
	F(sl_prefix_row, owner)                                                                    \
	F(sl_prefix_row, family)                                                                   \
	F(sl_prefix_row, length)                                                                   \
	F(sl_prefix_row, state)                                                                    \
	F(sl_prefix_row, stale)                                                                    \
	F(sl_fib_node, word)                                                                       \
	F(sl_fib_direct18, slot)                                                                   \
	F(sl_fib_direct24, slot)                                                                   \
	F(sl_group_row, member)                                                                    \
	F(sl_sa_share_row, sa)                                                                     \
	F(sl_name_row, name)

#define SL_LAYOUT_TABLES_FIELDS(F)                                                                 \
	F(sl_tables_header, segment)                                                               \
	F(sl_tables_header, reclaim_epoch)                                                         \
	F(sl_tables_header, next_generation)                                                       \
	F(sl_tables_header, config_generation)                                                     \
	F(sl_tables_header, committed_rows)                                                        \
	F(sl_tables_header, config_digest)                                                         \
	F(sl_tables_header, traffic_class)                                                         \
	F(sl_tables_header, classes)                                                               \
	F(sl_tables_header, path_mtu_floor)                                                        \
	F(sl_tables, header)                                                                       \
	F(sl_tables, vrf)                                                                          \
	F(sl_tables, interface)                                                                    \
	F(sl_tables, port_name)                                                                    \
	F(sl_tables, label)                                                                        \
	F(sl_tables, spi)                                                                          \
	F(sl_tables, host_policy_head)                                                             \
	F(sl_tables, host_policy)                                                                  \
	F(sl_tables, policer)                                                                      \
	F(sl_tables, egress)                                                                       \
	F(sl_tables, accept)                                                                       \
	F(sl_tables, nexthop)                                                                      \
	F(sl_tables, nexthop_name)                                                                 \
	F(sl_tables, version)                                                                      \
	F(sl_tables, sa_out)                                                                       \
	F(sl_tables, sa_in)                                                                        \
	F(sl_tables, sa_out_name)                                                                  \
	F(sl_tables, sa_in_name)                                                                   \
	F(sl_tables, prefix)                                                                       \
	F(sl_tables, fib_node)                                                                     \
	F(sl_tables, fib_leaf)                                                                     \
	F(sl_tables, group)                                                                        \
	F(sl_tables, sa_share)                                                                     \
	F(sl_tables, fib_direct18)                                                                 \
	F(sl_tables, fib_direct24)

#define SL_LAYOUT_STATE_FIELDS(F)                                                                  \
	F(sl_sa_out_state, generation)                                                             \
	F(sl_sa_out_state, ready_generation)                                                       \
	F(sl_sa_out_state, last_sequence)                                                          \
	F(sl_sa_out_state, packets)                                                                \
	F(sl_sa_out_state, bytes)                                                                  \
	F(sl_sa_out_state, key_check)                                                              \
	F(sl_sa_in_state, generation)                                                              \
	F(sl_sa_in_state, ready_generation)                                                        \
	F(sl_sa_in_state, highest_sequence)                                                        \
	F(sl_sa_in_state, packets)                                                                 \
	F(sl_sa_in_state, bytes)                                                                   \
	F(sl_sa_in_state, key_check)                                                               \
	F(sl_sa_in_state, replayed)                                                                \
	F(sl_sa_in_state, auth_failed)                                                             \
	F(sl_sa_in_state, window)                                                                  \
	F(sl_sa_in_state, probe)                                                                   \
	F(sl_interface_counters, rx_packets)                                                       \
	F(sl_interface_counters, rx_bytes)                                                         \
	F(sl_interface_counters, tx_packets)                                                       \
	F(sl_interface_counters, tx_bytes)                                                         \
	F(sl_interface_counters, drops)                                                            \
	F(sl_interface_counters, punted)                                                           \
	F(sl_interface_counters, injected)                                                         \
	F(sl_interface_counters, reassembled)                                                      \
	F(sl_vrf_counters, from_ce_packets)                                                        \
	F(sl_vrf_counters, from_ce_bytes)                                                          \
	F(sl_vrf_counters, from_core_packets)                                                      \
	F(sl_vrf_counters, from_core_bytes)                                                        \
	F(sl_vrf_counters, local_packets)                                                          \
	F(sl_vrf_counters, local_bytes)                                                            \
	F(sl_vrf_counters, drops)                                                                  \
	F(sl_vrf_counters, fragmented)                                                             \
	F(sl_policer_counters, packets)                                                            \
	F(sl_policer_counters, bytes)                                                              \
	F(sl_queue_counters, packets)                                                              \
	F(sl_queue_counters, bytes)                                                                \
	F(sl_queue_counters, dropped)                                                              \
	F(sl_queue_counters, depth)                                                                \
	F(sl_queue_counters, max_depth)                                                            \
	F(sl_label_counters, packets)                                                              \
	F(sl_label_counters, bytes)                                                                \
	F(sl_port_counters, name)                                                                  \
	F(sl_port_counters, rx_packets)                                                            \
	F(sl_port_counters, tx_packets)                                                            \
	F(sl_port_counters, rx_missed)                                                             \
	F(sl_port_counters, rx_errors)                                                             \
	F(sl_port_counters, rx_no_buffer)                                                          \
	F(sl_port_counters, tx_errors)                                                             \
	F(sl_pool_state, size)                                                                     \
	F(sl_pool_state, free)                                                                     \
	F(sl_pool_state, least)                                                                    \
	F(sl_lcore_block, epoch)                                                                   \
	F(sl_lcore_block, rounds)                                                                  \
	F(sl_lcore_block, busy_rounds)                                                             \
	F(sl_lcore_block, sleeps)                                                                  \
	F(sl_lcore_block, heartbeat_ns)                                                            \
	F(sl_lcore_block, tid)                                                                     \
	F(sl_lcore_block, running)                                                                 \
	F(sl_lcore_block, held)                                                                    \
	F(sl_lcore_block, released)                                                                \
	F(sl_lcore_block, passed)                                                                  \
	F(sl_lcore_block, taken)                                                                   \
	F(sl_lcore_block, drops)                                                                   \
	F(sl_lcore_block, tx_full)                                                                 \
	F(sl_lcore_block, interface)                                                               \
	F(sl_lcore_block, vrf)                                                                     \
	F(sl_lcore_block, policer)                                                                 \
	F(sl_lcore_block, queue)                                                                   \
	F(sl_lcore_block, label)                                                                   \
	F(sl_state_header, segment)                                                                \
	F(sl_state_header, control_epoch)                                                          \
	F(sl_state_header, control_heartbeat_ns)                                                   \
	F(sl_state_header, worker_starts)                                                          \
	F(sl_state_header, committed_sa_out)                                                       \
	F(sl_state_header, committed_sa_in)                                                        \
	F(sl_state_header, committed_lcores)                                                       \
	F(sl_state_header, committed_labels)                                                       \
	F(sl_state_header, generation_floor)                                                       \
	F(sl_state_header, pool)                                                                   \
	F(sl_state_header, control_drops)                                                          \
	F(sl_state_header, port)                                                                   \
	F(sl_state, header)                                                                        \
	F(sl_state, sa_out)                                                                        \
	F(sl_state, sa_in)                                                                         \
	F(sl_state, lcore)

/* FNV-1a, 64 bits, over the eight bytes of `value`, least significant first. */
static inline uint64_t sl_fnv1a_word(uint64_t hash, uint64_t value)
{
	for (unsigned int i = 0; i < 8; i++) {
		hash = (hash ^ (value & 0xffu)) * 0x100000001b3ull;
		value >>= 8;
	}
	return hash;
}

/*
 * The layout hash of these headers: FNV-1a over the layout version, the size of both segments and of
 * one element of each array, and {offset, size} of every field. The same in C and C++.
 */
static inline uint64_t sl_layout_hash(void)
{
#define SL_LAYOUT_FIELD(row, field) offsetof(struct row, field), sizeof(((struct row *)0)->field),
	static const uint64_t words[] = {SL_LAYOUT_VERSION,
	                                 sizeof(struct sl_tables),
	                                 sizeof(struct sl_state),
	                                 sizeof(struct sl_lcore_slot),
	                                 sizeof(struct sl_accept_row),
	                                 sizeof(struct sl_vrf_row),
	                                 sizeof(struct sl_interface_row),
	                                 sizeof(struct sl_version_row),
	                                 sizeof(struct sl_sa_row),
	                                 sizeof(struct sl_host_policy_row),
	                                 sizeof(struct sl_policer_row),
	                                 sizeof(struct sl_policer_counters),
	                                 sizeof(struct sl_egress_row),
	                                 sizeof(struct sl_queue_counters),
	                                 sizeof(struct sl_port_counters),
	                                 sizeof(struct sl_pool_state),
	                                 sizeof(struct sl_prefix_row),
	                                 sizeof(struct sl_group_row),
	                                 sizeof(struct sl_sa_share_row),
	                                 sizeof(struct sl_sa_out_state),
	                                 sizeof(struct sl_sa_in_state),
	                                 SL_LAYOUT_ROW_FIELDS(SL_LAYOUT_FIELD)
	                                         SL_LAYOUT_TABLES_FIELDS(SL_LAYOUT_FIELD)
	                                                 SL_LAYOUT_STATE_FIELDS(SL_LAYOUT_FIELD)};
#undef SL_LAYOUT_FIELD
	uint64_t hash = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		hash = sl_fnv1a_word(hash, words[i]);
	return hash;
}

#endif
