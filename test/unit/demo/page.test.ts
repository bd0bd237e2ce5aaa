// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';
import type { Findings } from '../../../scripts/demo/findings.js';
import { escape, html, Markup, table } from '../../../scripts/demo/html/markup.js';
import { page } from '../../../scripts/demo/html/page.js';
import { bins } from '../../../scripts/demo/html/timeline.js';
import { answers, lostAt } from '../../../scripts/demo/probes.js';

describe('markup', () => {
  it('escapes what is put in, in content and in attributes', () => {
    const hostile = `"><script>alert('&')</script>`;
    const made = html`<p title="${hostile}">${hostile}</p>`.text;
    const inert = '&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;';
    expect(made).toBe(`<p title="${inert}">${inert}</p>`);
  });

  it('takes its own markup, lists and numbers as they are', () => {
    expect(html`<i>${[html`<b>${1}</b>`, '<', 2]}</i>`.text).toBe('<i><b>1</b>&lt;2</i>');
  });

  it('has no control characters', () => {
    expect(escape('a\u0000b\u001bc\nd')).toBe('a\ufffdb\ufffdc\nd');
  });

  it('makes tables with headers for columns and rows', () => {
    const { text } = table('<c>', [{ title: 'N', cell: (n: number) => n, number: true }], [7]);
    expect(text).toMatch(/<caption>\s*&lt;c&gt;\s*<\/caption>/);
    expect(text).toMatch(/<th scope="col" class="number">N<\/th>/);
    expect(text).toMatch(/<th scope="row" class="number">7<\/th>/);
    expect(new Markup('<hr>').text).toBe('<hr>');
  });
});

/** Every text of it is a wicked one. */
const WICKED = '</style><script>x</script>"\'<!--';

function wicked(ok: boolean): Findings {
  const check = { id: WICKED, requirement: WICKED, ok, detail: WICKED };
  const layer = { name: WICKED, detail: WICKED, bytes: 1, cover: 'clear' } as const;
  return {
    ok,
    checks: [check],
    captures: [WICKED],
    throughput: { tcpMbps: 1, tcpRetransmits: 0, seconds: 3 },
    journeys: [
      { vpn: WICKED, title: WICKED, hops: [{ where: WICKED, bytes: 1, layers: [layer] }] },
    ],
    policies: [
      {
        ...{ vpn: 'A', ingress: 'pe1', egress: 'pe2', prefix: WICKED, rd: WICKED },
        ...{ targets: WICKED, signalled: WICKED, chosen: WICKED, label: WICKED },
        ...{ observed: WICKED, ok },
      },
    ],
    attacks: [
      {
        ...{ id: WICKED, requirement: WICKED, by: 'outsider', section: WICKED, text: WICKED },
        ...{ counter: WICKED, sent: 1, risen: 1, delivered: 0, others: WICKED, ok },
      },
    ],
    seen: [WICKED],
    drops: [{ pe: 'pe2', reason: WICKED, text: WICKED, packets: 1 }],
    timeline: {
      ...{ seconds: 10, perSecond: 50 },
      probes: [{ name: WICKED, vpn: 'A', sent: 500, lost: [1.2] }],
      events: [
        {
          ...{ id: WICKED, title: WICKED, begin: 1, end: 2, mustBeZero: true, losses: [1] },
          ...{ detail: WICKED, ok },
        },
      ],
    },
  };
}

describe('the page', () => {
  it('lets nothing of the findings become markup', () => {
    const text = page(wicked(false));
    expect(text).not.toContain('<script');
    expect(text).not.toContain('<!--');
    expect(text.split('</style>')).toHaveLength(2);
    expect(text).toContain('&lt;script&gt;');
  });

  it('says at its head what failed, and only then', () => {
    expect(page(wicked(false))).toContain('<h1>Sealane demo: 1 of 1 checks failed</h1>');
    const good = page(wicked(true));
    expect(good).toContain('<h1>Sealane demo: everything as expected</h1>');
    expect(good).not.toContain('What failed');
  });

  it('names no address to load anything from', () => {
    expect(page(wicked(true))).not.toMatch(/(src|href)="(?!data:)/);
  });
});

describe('losses', () => {
  const line = (at: number, number: number): string =>
    `[${at.toFixed(6)}] 64 bytes from 10.2.1.1: icmp_seq=${number} ttl=62 time=0.5 ms`;

  it('are read from what ping says, duplicates counted once', () => {
    const output = [
      'PING 10.2.1.1',
      line(100, 1),
      line(100.02, 2),
      `${line(100.03, 2)} (DUP!)`,
      '[100.500000] From 10.1.0.1 icmp_seq=3 Destination Net Unreachable',
      line(100.06, 4),
    ].join('\n');
    expect(answers(output)).toEqual([
      { number: 1, at: 100 },
      { number: 2, at: 100.02 },
      { number: 4, at: 100.06 },
    ]);
  });

  it('fall between the answers around them', () => {
    const found = [
      { number: 2, at: 10 },
      { number: 6, at: 14 },
    ];
    const lost = lostAt(found, 7, 8);
    expect(lost.map((at) => Number(at.toFixed(3)))).toEqual([9, 11, 12, 13, 14.02]);
  });

  it('are all of them where nothing was answered', () => {
    expect(lostAt([], 3, 5)).toHaveLength(3);
  });

  it('are counted by half second, the last ones in the last', () => {
    expect(bins([0, 0.4, 0.5, 1.9, 7], 2)).toEqual([2, 1, 0, 2]);
  });
});
