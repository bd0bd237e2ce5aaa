// SPDX-License-Identifier: Apache-2.0
/** The network as a picture, with what carries each VPN between the PEs. */
import type { PolicyRow } from '../findings.js';
import { html, type Markup } from './markup.js';

interface Place {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly note?: string;
  readonly foe?: true;
}

const ROUTERS: readonly Place[] = [
  { name: 'pe1', x: 235, y: 170, note: '192.0.2.1' },
  { name: 'pe2', x: 235, y: 360, note: '192.0.2.2' },
  { name: 'rr', x: 400, y: 360, note: 'GoBGP' },
  { name: 'p1', x: 480, y: 260, note: 'eavesdropper, attacker' },
  { name: 'rogue-n', x: 530, y: 360, note: 'keyed by north', foe: true },
  { name: 'p2', x: 690, y: 260, note: 'attacker' },
  { name: 'rogue-s', x: 690, y: 360, note: 'keyed by south', foe: true },
  { name: 'pe3', x: 840, y: 170, note: '203.0.113.3' },
];

const LINKS = [
  ['pe1', 'p1'],
  ['pe2', 'p1'],
  ['rr', 'p1'],
  ['rogue-n', 'p1'],
  ['p1', 'p2'],
  ['p2', 'pe3'],
  ['p2', 'rogue-s'],
] as const;

const CES = ['a', 'b', 'c'] as const;

const placeOf = (name: string): Place =>
  ROUTERS.find((one) => one.name === name) ?? { name, x: 0, y: 0 };

function link(from: Place, to: Place): Markup {
  return html`<line class="link" x1="${from.x}" y1="${from.y}" x2="${to.x}" y2="${to.y}" />`;
}

function router({ name, x, y, note = '', foe }: Place): Markup {
  const half = Math.max(38, note.length * 3.2 + 8);
  return html`<rect
      class="${foe === true ? 'box foe' : 'box'}"
      x="${x - half}"
      y="${y - 20}"
      width="${2 * half}"
      height="40"
      rx="6"
    />
    <text x="${x}" y="${y - 2}" text-anchor="middle" class="${foe === true ? 'foe-text' : ''}"
      >${name}</text
    >
    <text x="${x}" y="${y + 13}" text-anchor="middle" class="small">${note}</text>`;
}

function customers(pe: string, site: number, x: number): Markup[] {
  const at = placeOf(pe);
  return CES.map((vpn, i) => {
    const y = at.y + (i - 1) * 52;
    return html`<line class="link" x1="${x}" y1="${y}" x2="${at.x}" y2="${at.y}" />
      <circle class="box" cx="${x}" cy="${y}" r="21" />
      <text x="${x}" y="${y + 4}" text-anchor="middle" font-size="11">ce-${vpn}${site}</text>`;
  });
}

/** As the classes of the style are called. */
export function coverOf(chosen: string): 'encrypted' | 'authenticated' | 'clear' {
  if (chosen.startsWith('encrypt')) return 'encrypted';
  return chosen.startsWith('authenticate') ? 'authenticated' : 'clear';
}

/** What carries a VPN from PE1 to PE2 (straight) and to PE3 (in an arc). */
function services(policies: readonly PolicyRow[]): Markup[] {
  return ['A', 'B', 'C'].flatMap((vpn, i) => {
    const row = (egress: string): PolicyRow | undefined =>
      policies.find((one) => one.vpn === vpn && one.ingress === 'pe1' && one.egress === egress);
    const x = 215 + i * 20;
    const top = 40 + i * 27;
    const [near, far] = [row('pe2'), row('pe3')];
    return [
      ...(near === undefined
        ? []
        : [
            html`<path class="vpn ${coverOf(near.chosen)}" d="M ${x} 190 V 340" />
              <text class="vpn-text ${coverOf(near.chosen)}" x="${x + 4}" y="${257 + (i - 1) * 22}"
                >${vpn}</text
              >`,
          ]),
      ...(far === undefined
        ? []
        : [
            html`<path
                class="vpn ${coverOf(far.chosen)}"
                d="M ${212 + i * 20} 150 C ${212 + i * 20} ${top + 20}, 300 ${top}, 380 ${top} H 700 C 780 ${top}, ${863 - i * 20} ${top + 20}, ${863 - i * 20} 150"
              />
              <text
                class="vpn-text ${coverOf(far.chosen)}"
                x="540"
                y="${top - 6}"
                text-anchor="middle"
                >${vpn} ${far.chosen}</text
              >`,
          ]),
    ];
  });
}

export function topology(policies: readonly PolicyRow[]): Markup {
  const words =
    'Provider north has PE1, PE2, a route reflector and router p1; provider south has PE3 and router p2. ' +
    'Each PE has a site of VPN A, B and C. In p1 and p2 sit an eavesdropper and an attacker; ' +
    'rogue-n and rogue-s are PEs with good certificates that attack PE2.';
  return html`<figure>
    <div class="picture">
      <svg viewBox="0 0 1000 455" role="img" aria-labelledby="topology-title topology-words">
        <title id="topology-title">The demo's network</title>
        <desc id="topology-words">${words}</desc>
        <rect class="provider" x="150" y="112" width="440" height="312" rx="14" />
        <rect class="provider" x="620" y="112" width="275" height="312" rx="14" />
        <text x="470" y="132" class="small">north, AS 65001</text>
        <text x="772" y="416" class="small">south, AS 65002</text>
        ${LINKS.map(([from, to]) => link(placeOf(from), placeOf(to)))}
        <path class="link" d="M 235 360 V 440 H 605 V 272 H 690" />
        ${customers('pe1', 1, 60)}${customers('pe2', 2, 60)}${customers('pe3', 3, 955)}
        ${services(policies)} ${ROUTERS.map(router)}
      </svg>
    </div>
    <figcaption>
      Grey: links, over ordinary IP routers. Coloured: what carries each VPN from PE1 to PE2 and to
      PE3, <span class="cover encrypted">encrypted</span>
      <span class="cover authenticated">authenticated</span>
      <span class="cover clear">clear tunnel</span>. All three VPNs have the same addresses: site N
      is 10.N.1.0/24.
    </figcaption>
  </figure>`;
}
