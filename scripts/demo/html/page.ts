// SPDX-License-Identifier: Apache-2.0
/** The findings of a demo as one self-contained HTML page: it loads nothing and runs no script. */
import type { AttackResult, DropRow, Findings, PolicyRow } from '../findings.js';
import { html, Markup, table, verdict } from './markup.js';
import { packets } from './packets.js';
import { STYLE } from './style.js';
import { timeline } from './timeline.js';
import { coverOf, topology } from './topology.js';

/** Of our own making: what is in it needs no escape. */
const STYLE_MARKUP = new Markup(STYLE);

interface Tile {
  readonly number: string;
  readonly text: string;
  readonly good: boolean;
}

function tiles({ checks, attacks, policies, timeline: { events } }: Findings): Markup {
  const passed = checks.filter(({ ok }) => ok).length;
  const stopped = attacks.filter(({ ok }) => ok).length;
  const packetsSent = attacks.reduce((sum, { sent }) => sum + sent, 0);
  const agreeing = policies.filter(({ ok }) => ok).length;
  const strict = events.filter(({ mustBeZero }) => mustBeZero);
  const lost = strict.flatMap(({ losses }) => losses).reduce((sum, n) => sum + n, 0);
  const all: readonly Tile[] = [
    {
      ...{ number: `${String(passed)}/${String(checks.length)}`, text: 'checks passed' },
      good: passed === checks.length,
    },
    {
      number: `${String(agreeing)}/${String(policies.length)}`,
      ...{ text: 'policies: signalled = chosen = seen', good: agreeing === policies.length },
    },
    {
      number: `${String(stopped)}/${String(attacks.length)}`,
      text: `attacks stopped, all ${String(packetsSent)} packets counted`,
      good: stopped === attacks.length,
    },
    {
      ...{ number: `${String(lost)} lost`, good: lost === 0 },
      text: 'packets, where none may be: SAs rekeyed, a policy tightened, a supervisor killed',
    },
  ];
  return html`<ul class="tiles">
    ${all.map(
      ({ number, text, good }) =>
        html`<li class="${good ? 'good' : 'bad'}"><strong>${number}</strong>${text}</li>`,
    )}
  </ul>`;
}

function policyTable(policies: readonly PolicyRow[]): Markup {
  return table(
    'Who sends to whom, and how',
    [
      { title: 'VPN', cell: ({ vpn }) => vpn },
      { title: 'Ingress → egress', cell: ({ ingress, egress }) => `${ingress} → ${egress}` },
      { title: 'Prefix', cell: ({ prefix }) => html`<code>${prefix}</code>` },
      { title: 'RD', cell: ({ rd }) => html`<code>${rd}</code>` },
      {
        title: 'Signalled in BGP',
        cell: ({ signalled }) => html`<code>${signalled || 'nothing'}</code>`,
      },
      {
        title: 'Chosen',
        cell: ({ chosen }) =>
          html`<span class="cover ${coverOf(chosen)}"
            >${chosen.replace('gre', 'GRE').replace(/ip$/, 'IP')}</span
          >`,
      },
      { title: 'Seen on the wire', cell: ({ observed }) => observed },
      { title: 'Label', number: true, cell: ({ label }) => label },
      { title: 'Result', cell: ({ ok }) => verdict(ok, 'agree') },
    ],
    policies,
    ({ ok }) => (ok ? '' : 'failed'),
  );
}

const ATTACKERS: readonly (readonly [AttackResult['by'], string])[] = [
  ['outsider', 'An outsider on the path, without any key'],
  ['customer', 'A customer'],
  ['rogue PE, own SP', "rogue-n: a PE with a good certificate of PE2's own provider"],
  ['rogue PE, other SP', 'rogue-s: a PE with a good certificate of the other provider'],
];

function attackTables(attacks: readonly AttackResult[]): Markup[] {
  return ATTACKERS.flatMap(([by, words]) => {
    const own = attacks.filter((attack) => attack.by === by);
    if (own.length === 0) return [];
    return [
      table(
        words,
        [
          { title: 'What was tried', cell: ({ text }) => text },
          { title: 'Case', cell: ({ section }) => section },
          { title: 'Counter that caught it', cell: ({ counter }) => html`<code>${counter}</code>` },
          { title: 'Sent', number: true, cell: ({ sent }) => sent },
          { title: 'Counted', number: true, cell: ({ risen }) => risen },
          { title: 'Delivered', number: true, cell: ({ delivered }) => delivered },
          { title: 'Result', cell: ({ ok }) => verdict(ok, 'stopped') },
        ],
        own,
        ({ ok }) => (ok ? '' : 'failed'),
      ),
    ];
  });
}

function dropTable(drops: readonly DropRow[], attacks: readonly AttackResult[]): Markup {
  const attackersOf = ({ pe, reason }: DropRow): string => {
    if (pe !== 'pe2') return '';
    const by = new Map<string, number>();
    for (const attack of attacks) {
      if (attack.counter === reason) by.set(attack.by, (by.get(attack.by) ?? 0) + attack.risen);
    }
    return [...by].map(([who, n]) => `${who} ${String(n)}`).join(', ');
  };
  return table(
    'Every discarded packet has a named reason; before anything was killed',
    [
      { title: 'PE', cell: ({ pe }) => pe },
      { title: 'Reason', cell: ({ reason }) => html`<code>${reason}</code>` },
      { title: 'Packets', number: true, cell: ({ packets: n }) => n },
      { title: 'In words', cell: ({ text }) => text },
      { title: 'Of these by attackers', cell: attackersOf },
    ],
    drops,
  );
}

function checkTable(checks: Findings['checks']): Markup {
  return table(
    'All checks, in the order they were made',
    [
      { title: 'Check', cell: ({ id }) => html`<span class="mono">${id}</span>` },
      { title: 'Result', cell: ({ ok }) => verdict(ok) },
      { title: 'Shows', cell: ({ requirement }) => requirement },
      { title: 'Found', cell: ({ detail }) => detail },
    ],
    checks,
    ({ ok }) => (ok ? 'check' : 'check failed'),
  );
}

function head(title: string): Markup {
  return html`<head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta
      http-equiv="Content-Security-Policy"
      content="default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    />
    <link rel="icon" href="data:," />
    <title>${title}</title>
    <style>
      ${STYLE_MARKUP}
    </style>
  </head>`;
}

function failures(checks: Findings['checks']): Markup | string {
  const failed = checks.filter(({ ok }) => !ok);
  if (failed.length === 0) return '';
  const items = failed.map(
    ({ id, detail }) => html`<li><strong class="mono">${id}</strong>: ${detail}</li>`,
  );
  return html`<h2>What failed</h2>
    <ul>
      ${items}
    </ul>`;
}

/** What is seen while nobody attacks. */
function quiet({ policies, journeys, seen }: Findings): Markup {
  return html`<h2>The network</h2>
    ${topology(policies)}
    <h2>Policy: signalled, chosen, seen</h2>
    <p>
      The egress signals by the IPsec extended community, the ingress chooses by it, and tshark
      looks at what came of it.
    </p>
    ${policyTable(policies)}
    <h2>A packet's layers at each hop</h2>
    ${packets(journeys)}
    <h2>What an eavesdropper in the core saw</h2>
    <ul>
      ${seen.map((line) => html`<li>${line}</li>`)}
    </ul>`;
}

function hostile({ attacks, drops }: Findings): Markup {
  return html`<h2>Attacks on PE2</h2>
    <p>
      An attack counts as stopped only if exactly its counter rose, by exactly the packets sent, and
      no customer received one. Cases a, b.i, b.ii and b.iii are those of
      draft-ietf-ppvpn-ipsec-2547-03, section 2.7. What those cases do allow is sent too, and must
      arrive: the checks called case-a, case-b-i, case-b-i-tunnel and case-b-ii.
    </p>
    ${attackTables(attacks)}
    <h2>Drops by reason</h2>
    ${dropTable(drops, attacks)}`;
}

function rest({ checks, captures, throughput }: Findings): Markup {
  return html`<h2>Throughput</h2>
    <p>
      One TCP connection through VPN A between the providers: ${throughput.tcpMbps} Mbit/s over
      ${throughput.seconds} s. All PEs, customers and routers share one machine, and packets pass
      through AF_PACKET: this shows that it works, not how fast it is.
    </p>
    <h2>Checks</h2>
    ${checkTable(checks)}
    <h2>Captures</h2>
    <details>
      <summary>${captures.length} files for Wireshark</summary>
      <ul>
        ${captures.map((file) => html`<li class="mono">${file}</li>`)}
      </ul>
    </details>`;
}

export function page(f: Findings): string {
  const failed = f.checks.filter(({ ok }) => !ok).length;
  const title =
    failed === 0
      ? 'Sealane demo: everything as expected'
      : `Sealane demo: ${String(failed)} of ${String(f.checks.length)} checks failed`;
  return html`<!doctype html>
    <html lang="en">
      ${head(title)}
      <body>
        <header class="top">
          <h1>${title}</h1>
          <p>
            Customers' VPNs over two providers' networks that nobody has to trust: in place of each
            label-switched path between PEs stands an IPsec SA around the labelled packet. Each PE
            says in BGP how its routes must be protected; tunnels, keys and labels follow from that.
            Nothing about a remote end of a tunnel is configured anywhere.
          </p>
          ${tiles(f)}
        </header>
        <main>
          ${failures(f.checks)} ${quiet(f)}
          <h2>What happened to the running network</h2>
          ${timeline(f.timeline)} ${hostile(f)} ${rest(f)}
        </main>
      </body>
    </html> `.text;
}
