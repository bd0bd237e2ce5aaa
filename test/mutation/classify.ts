// SPDX-License-Identifier: Apache-2.0
/** Which packets are taken for what: formats, interfaces, the core's own. */
import { of, type Mutation } from './mutation.js';

export const CLASSIFY: readonly Mutation[] = [
  ...of('net/gre.h', [
    [
      'GRE flags and version',
      'if (length < SL_GRE_LEN || sl_get16(gre) != 0)',
      'if (length < SL_GRE_LEN)',
      'formats: gre',
    ],
    [
      'MPLS unicast alone in GRE',
      'return sl_get16(gre + 2) == SL_ETHERTYPE_MPLS ? SL_GRE_MPLS : SL_GRE_PROTOCOL;',
      'return SL_GRE_MPLS;',
      'formats: gre',
    ],
  ]),
  ...of('stages/core.c', [
    [
      'under a transport label nothing is a neighbour’s',
      'if (scope == SL_SCOPE_LINK)\n\t\treturn sl_scope_drop(m, p, scope);',
      '',
      'eal_mpls: transport_label_opens_nothing',
    ],
    [
      'nor has a neighbour’s TTL',
      'sl_lower_ttl(ip, p->family, p->ttl_source);',
      '',
      'eal_mpls: transport_label_lowers_ttl',
    ],
    [
      'nor has a neighbour’s address',
      'if (from_link(ip, p->family))\n\t\treturn SL_DROP_ip_source;',
      '',
      'eal_mpls: transport_label_brings_no_neighbour',
    ],
    [
      'nor speaks OSPF',
      'upper->protocol == SL_PROTO_OSPF ||',
      '',
      'eal_mpls: transport_label_brings_no_neighbour',
    ],
    [
      'nor hides what it speaks',
      'if (upper == NULL || upper->protocol == SL_PROTO_OSPF || sl_upper_hides(p, upper))',
      'if (upper != NULL && upper->protocol == SL_PROTO_OSPF)',
      'eal_mpls: transport_label_brings_no_neighbour',
    ],
    ['no ESP out of a fragment', ' && !upper.fragment', '', 'eal_drops: outer_fragment'],
  ]),
  ...of('stages/local.c', [
    [
      'clear tunnels only where the interface accepts them (policy-model 4)',
      'if (!(sl_interface_flags(sl_interface(w, p->interface)) & accept))',
      'if (!(sl_interface_flags(sl_interface(w, p->interface)) | accept))',
      'eal_drops: gre_clear',
      'eal_drops: mpls_in_ip_clear',
    ],
    [
      'no tunnel packet out of a fragment',
      'if (unlikely(upper.fragment))\n\t\treturn sl_reassemble(w, m, &upper);',
      '',
      'eal_drops: outer_fragment',
    ],
    [
      'a PE is no transit router',
      'version->kind != SL_NH_RECEIVE ||',
      '',
      'eal_drops: core_transit',
    ],
  ]),
  ...of('stages/reassemble.c', [
    [
      'overlaps from below',
      'd->piece[i - 1].offset + d->piece[i - 1].length > span->offset',
      'false',
      'eal_reassemble: overlap',
    ],
    [
      'overlaps from above',
      '(i < d->count && d->piece[i].offset < end)',
      'false',
      'eal_reassemble: overlap',
    ],
    [
      'what follows the last fragment',
      '(d->total != 0 && end > d->total)',
      'false',
      'eal_reassemble: overlap',
    ],
    ['a second end', '(d->total != 0 || i < d->count)', 'false', 'eal_reassemble: overlap'],
    [
      'later fragments of a refused datagram',
      'd->refused = (uint8_t)reason;',
      '',
      'eal_reassemble: overlap',
    ],
    [
      'how many fragments there are',
      'while (w->reassembly.pieces > w->waiting.reassembly)',
      'while (false)',
      'eal_reassemble: fragments_in_all',
      'eal_reassemble_udp: kept_in_all',
    ],
    [
      'how many fragments a datagram has',
      'd->count == SL_REASSEMBLY_PIECES',
      'd->count == SL_REASSEMBLY_PIECES + 1',
      'eal_reassemble: too_many_fragments',
    ],
  ]),
  ...of('stages/reassembly_join.c', [
    [
      'the room of a buffer',
      'if (rte_pktmbuf_tailroom(m) >= more)',
      'if (true)',
      'eal_reassemble: too_large',
    ],
    ['congestion', 'd->ecn & 8u', 'false', 'eal_reassemble: congestion_is_kept'],
  ]),
  ...of('stages/esp_in_udp.c', [
    [
      'no UDP is put together for who knows no SPI',
      'has_sa(w, &d->key, sl_esp_spi(udp + SL_UDP_LEN))',
      'true',
      'eal_reassemble_udp: no_such_sa',
    ],
    [
      'nor for an SA that is not in UDP',
      'row->udp_source_port != 0 &&',
      '',
      'eal_reassemble_udp: no_such_sa',
    ],
    [
      'nor for another address',
      'memcmp(row->source, key->source, length) == 0 &&',
      '',
      'eal_reassemble_udp: no_such_sa',
    ],
    [
      'those that wait follow the first fragment to the kernel',
      'sl_udp_pieces_to_kernel(w, d, SL_DROP_reassembly_timeout);',
      '',
      'eal_reassemble_udp: ike_out_of_order',
    ],
    [
      'nothing to the kernel by an interface that is another one by now',
      'sl_interface_live(row) && row->role == SL_ROLE_CORE',
      'true',
      'eal_reassemble_udp: interface_is_gone',
    ],
  ]),
  ...of('stages/reassembly_table.c', [
    [
      'what may be of IKE is the kernel’s when its time or place is over',
      'if (d->kind == SL_DATAGRAM_UNTOLD) {',
      'if (false) {',
      'eal_reassemble_udp: first_never_comes',
      'eal_reassemble_udp: flood',
    ],
    [
      'how many datagrams a source has',
      'if (of_source >= SL_REASSEMBLY_PER_SOURCE)',
      'if (false)',
      'eal_reassemble: share_of_a_source',
    ],
    [
      'how long they wait',
      'SL_REASSEMBLY_SECONDS 2u',
      'SL_REASSEMBLY_SECONDS 3u',
      'eal_reassemble: too_late',
    ],
  ]),
  ...of('stages/rx.c', [
    [
      'plain MPLS only where the interface accepts it (policy-model 4)',
      ' || !(flags & (SL_IF_MPLS_OWN_SP | SL_IF_MPLS_OTHER_SP))',
      '',
      'eal_drops: mpls_not_accepted',
    ],
    [
      'plain MPLS never on a CE interface',
      'if (row->role != SL_ROLE_CORE || ',
      'if (',
      'eal_drops: mpls_not_accepted',
    ],
    [
      'transport labels are the own SP’s alone',
      'if (!(flags & SL_IF_MPLS_OWN_SP)) {',
      'if (false) {',
      'eal_mpls: other_sp_by_advertised_labels_alone',
      'eal_mpls: other_sp_has_no_transport_labels',
    ],
    [
      'the destination MAC',
      'if (!sl_mac_is_group(frame))\n\t\t\tgoto drop;',
      '',
      'eal_drops: rx_not_our_mac',
    ],
    [
      'an interface is shared only by packets of its VLAN',
      'if (tags != run->tags)',
      'if (run->row == NULL)',
      'eal_plain: both_ways_alike',
    ],
    [
      'a VLAN in a service VLAN is none of the port’s own',
      'tags = (uint32_t)eth->svlan << 16 | eth->vlan;',
      'tags = eth->vlan;',
      'eal_tags: a_burst_of_both',
    ],
    [
      'what a CE sends is an ordinary packet (policy-model 19)',
      'run->lane = row->role == SL_ROLE_CE ? SL_LANE_CE : SL_LANE_CORE;',
      'run->lane = SL_LANE_CORE;',
      'eal_paths: tunnel_protocols_of_customers',
    ],
  ]),
];
