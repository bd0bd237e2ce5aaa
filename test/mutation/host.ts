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
      'what is sealed fits the interface',
      'sl_l3_len(m, p) + more > sl_interface(w, p->interface)->mtu',
      'sl_l3_len(m, p) > sl_interface(w, p->interface)->mtu',
      'eal_host_policy: never_in_clear',
    ],
    [
      'what is sealed is never fragmented on its way',
      'sl_put16(ip + 6, SL_IP4_DF);',
      '',
      'eal_host_policy: never_to_be_fragmented',
    ],
  ]),
  ...of('stages/host_clear.c', [
    [
      'no fragment of such a flow is taken in clear',
      'return upper->fragment || m->data_len',
      'return m->data_len',
      'eal_host_policy: hidden_clear_is_dropped',
    ],
    [
      'nothing is hidden behind headers that are not walked',
      'if (upper == NULL || sl_upper_hides(p, upper))\n\t\treturn sl_host_policy_any(w->tables);',
      'if (upper == NULL || sl_upper_hides(p, upper))\n\t\treturn false;',
      'eal_host_policy: hidden_clear_is_dropped',
      'eal_host_policy: hidden_errors_are_dropped',
    ],
    [
      'nor in a fragment that begins with an extension header',
      'if (upper == NULL || sl_upper_hides(p, upper))',
      'if (upper == NULL)',
      'eal_host_policy: hidden_errors_are_dropped',
    ],
    [
      'but where nothing is protected the kernel answers',
      'return sl_host_policy_any(w->tables);',
      'return true;',
      'eal_host_policy: hidden_errors_are_dropped',
    ],
    [
      'nor in AH',
      'if (upper->protocol == SL_PROTO_AH)\n\t\treturn true;',
      '',
      'eal_host_policy: hidden_clear_is_dropped',
    ],
    [
      'no forged ICMP error about a protected session',
      'return error && quotes_segment(',
      'return false && quotes_segment(',
      'eal_host_policy: forged_errors_are_dropped',
    ],
    [
      'nor the first fragment of one',
      'if (!upper->first || (upper->fragment && !sl_host_policy_any(w->tables)))',
      'if (upper->fragment)',
      'eal_host_policy: fragmented_errors_are_dropped',
    ],
    [
      'nor one that shows too little',
      'return cut; /* the kernel finds no connection by it either */',
      'return false;',
      'eal_host_policy: fragmented_errors_are_dropped',
    ],
    [
      'later fragments are nobody’s',
      'if (!upper->first || (',
      'if ((',
      'eal_host_policy: fragmented_errors_are_dropped',
    ],
    [
      'no redirect that quotes a segment',
      'if (icmp[at] == SL_ND_REDIRECTED_HEADER &&',
      'if (false &&',
      'eal_host_policy: forged_redirects_are_dropped',
    ],
    [
      'as far as the kernel reads it',
      'length - quoted, 6, cut))',
      'bytes - SL_ND_OPTION_LEN, 6, cut))',
      'eal_host_policy: forged_redirects_are_dropped',
    ],
    [
      'an option of no length ends them',
      'if (bytes == 0)\n\t\t\treturn false;',
      'if (bytes == 0)\n\t\t\tbytes = SL_ND_OPTION_LEN;',
      'eal_host_policy: forged_redirects_are_dropped',
    ],
  ]),
  ...of('stages/core.c', [
    [
      'a destination of the link is no way around',
      'if (sl_host_policy_forbids(w, m, p, upper))',
      'if (false)',
      'eal_host_policy: link_scope_is_no_way_around',
      'eal_host_policy: forged_redirects_are_dropped',
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
