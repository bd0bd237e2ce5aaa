// SPDX-License-Identifier: Apache-2.0
/** BGP of the kernel inside its own SA (policy-model 18). */
import { of, type Mutation } from './mutation.js';

export const HOST: readonly Mutation[] = [
  ...of('stages/local.c', [
    [
      'no BGP in clear where a policy wants an SA (policy-model 18)',
      'if (sl_host_policy_forbids(w, m, p, walked ? &upper : NULL))\n\t\t\tgoto drop;',
      '',
      'eal_host_policy: clear_is_dropped',
    ],
  ]),
  ...of('stages/host_policy.c', [
    [
      'no segment without an SA (policy-model 18)',
      'if (unlikely(word == 0))\n\t\treturn SL_DROP_host_policy_no_sa;',
      'if (unlikely(word == 0))\n\t\treturn SL_DROP_none;',
      'eal_host_policy: never_in_clear',
      'eal_host_policy: one_side_alone',
    ],
    [
      'no segment by an SA of another generation',
      '__atomic_load_n(&row->generation, __ATOMIC_ACQUIRE) != generation ||',
      '',
      'eal_host_policy: never_in_clear',
    ],
    [
      'no BGP inside an SA of the VPN (policy-model 17)',
      'row->application != SL_APP_BGP ||',
      '',
      'eal_host_policy: never_in_clear',
    ],
    [
      'no fragment of a flow that has to be protected leaves',
      '!walked || upper.fragment || m->data_len',
      '!walked || m->data_len',
      'eal_host_policy: fragments_are_dropped',
    ],
    [
      'no fragment of such a flow is taken in clear',
      'return upper->fragment || m->data_len',
      'return m->data_len',
      'eal_host_policy: hidden_clear_is_dropped',
    ],
    [
      'nothing is hidden behind headers that are not walked',
      'if (upper == NULL || upper->protocol == SL_PROTO_AH || hides(p, upper))\n\t\treturn true;',
      'if (upper == NULL || upper->protocol == SL_PROTO_AH)\n\t\treturn false;',
      'eal_host_policy: hidden_clear_is_dropped',
    ],
    [
      'no forged ICMP error about a protected session',
      'policy = error ? find(w, ip, family, true) : NULL;',
      'policy = NULL;',
      'eal_host_policy: forged_errors_are_dropped',
    ],
    [
      'what is sealed fits the interface',
      'sl_l3_len(m, p) + more > sl_interface(w, p->interface)->mtu',
      'sl_l3_len(m, p) > sl_interface(w, p->interface)->mtu',
      'eal_host_policy: never_in_clear',
    ],
  ]),
  ...of('stages/esp_open.c', [
    [
      'an SA of BGP yields TCP alone (policy-model 17)',
      'if (trailer->next_header != SL_PROTO_TCP || row->selector_protocol',
      'if (row->selector_protocol',
      'eal_host_policy: selectors',
    ],
    [
      'an SA of BGP yields port 179 alone',
      ' ||\n\t    (source != SL_PORT_BGP && destination != SL_PORT_BGP)',
      '',
      'eal_host_policy: selectors',
    ],
    [
      'the ports that were negotiated',
      '(row->source_port != 0 && source != row->source_port) ||',
      '',
      'eal_host_policy: selectors',
    ],
  ]),
  ...of('stages/host_tcp.c', [
    ['IPv4 options that nothing covers go', 'ip[0] = 0x45;', '', 'eal_host_policy: options_go'],
  ]),
];
