// SPDX-License-Identifier: Apache-2.0
/** core.lsps, core.transportLabels, and tunnels of plain MPLS. */
import { expect, it } from 'vitest';
import type { Lsp } from '../../../src/config/types.js';
import { expectMistakes, good, told, type Draft } from './good.js';

const LSP: Lsp = { via: '198.51.100.2', labels: [100, 200], forIp: true };
const withLsps = (draft: Draft, lsps: Record<string, unknown>): void => {
  Object.assign(draft.core, { lsps });
};

it('are accepted as they should be', () => {
  const draft = good();
  withLsps(draft, {
    '192.0.2.0/24': LSP,
    '192.0.2.2/32': { via: '198.51.100.2', labels: [3] },
    '2001:db8::/32': { via: 'fe80::9', interface: 'core0', labels: [16, 1_048_575] },
  });
  Object.assign(draft.core, { transportLabels: [16, 32_767] });
  draft.tunnels['lsp'] = {
    ...{ local: '192.0.2.1', remote: '192.0.2.9', protection: 'mpls', encapsulation: 'none' },
  };
  expect(told(draft).errors).toEqual([]);
});

it('lead to prefixes, over a core interface, with one to eight labels', () => {
  expectMistakes(
    (draft) => {
      withLsps(draft, {
        pe2: LSP,
        '192.0.2.7/24': LSP,
        '192.0.2.1/32': { ...LSP, labels: [] },
        '192.0.2.2/32': { ...LSP, labels: [3, 100] },
        '192.0.2.3/32': { ...LSP, labels: [16, 17, 18, 19, 20, 21, 22, 23, 24] },
        '192.0.2.4/32': { ...LSP, via: '203.0.113.1' },
        '192.0.2.5/32': { ...LSP, interface: 'ce-a' },
        '192.0.2.6/32': { ...LSP, interface: 'core9' },
      });
    },
    'core.lsps.pe2: not a prefix ("pe2"): far ends such as "192.0.2.2/32"',
    'core.lsps["192.0.2.7/24"]: has host bits ("192.0.2.7/24"): the prefix with its host bits zero',
    'core.lsps["192.0.2.1/32"].labels: no label ([]): [3] (implicit null) for an LSP without a label',
    'core.lsps["192.0.2.2/32"].labels: 3 (implicit null) says that there is no label ([3,100]): [3] alone, or none of it',
    'core.lsps["192.0.2.3/32"].labels: 9 labels ([16,17,18,19,20,21,22,23,24]): at most 8',
    'core.lsps["192.0.2.4/32"].via: on no core interface ("203.0.113.1"): an address in the subnet of a core interface, or name the interface',
    'core.lsps["192.0.2.5/32"].interface: not a core interface ("ce-a"): a core interface',
    'core.lsps["192.0.2.6/32"].interface: no such interface ("core9"): a core interface',
  );
});

it.each([0, 1, 2, 4, 15, 1_048_576, 16.5, '16'])('have no transport label %j', (label) => {
  const draft = good();
  withLsps(draft, { '192.0.2.2/32': { ...LSP, labels: [label] } });
  expect(told(draft).errors).toHaveLength(1);
});

it('name the far ends once', () => {
  expectMistakes((draft) => {
    withLsps(draft, { '2001:db8::/32': LSP, '2001:0db8::/32': LSP });
  }, 'core.lsps["2001:0db8::/32"]: the same far ends as "2001:db8::/32" ("2001:0db8::/32"): remove one');
});

it('transport labels of this PE are its own, each once, below those of routes', () => {
  expectMistakes(
    (draft) => {
      Object.assign(draft.core, { transportLabels: [30, 30, 1001] });
    },
    'core.transportLabels[1]: named twice (30): remove one',
    'core.transportLabels[2]: vrfs.a.exports[0].label is the same label (1001): a label of its own: it has one meaning (policy-model 5)',
  );
  const draft = good();
  Object.assign(draft.core, { transportLabels: [32_768] });
  expect(told(draft).errors).toHaveLength(1);
});

it('encapsulation none and protection mpls belong together, without an SA', () => {
  const ends = { local: '192.0.2.1', remote: '192.0.2.2' };
  expectMistakes(
    (draft) => {
      withLsps(draft, { '192.0.2.2/32': LSP });
      draft.tunnels['x'] = { ...ends, protection: 'mpls', encapsulation: 'gre' };
      draft.tunnels['y'] = { ...ends, protection: 'tunnel', encapsulation: 'none' };
      draft.tunnels['z'] = { ...ends, protection: 'mpls', encapsulation: 'none', sa: 'pe2-out' };
    },
    'tunnels.z.sa: protection "mpls" uses no SA ("pe2-out"): remove it, or protection: "encrypt" or "authenticate"',
    'tunnels.x.encapsulation: an LSP has no encapsulation ("gre"): "none"',
    'tunnels.y.encapsulation: a tunnel that is no LSP needs one ("none"): "gre" or "ip", or protection: "mpls"',
  );
});

it('warn where nothing lets them in or leads there', () => {
  const draft = good();
  const core0 = draft.interfaces['core0'];
  if (core0?.role === 'core') core0.mpls = 'other-sp';
  Object.assign(draft.core, { transportLabels: [30] });
  draft.tunnels['lsp'] = {
    ...{ local: '192.0.2.1', remote: '192.0.2.9', protection: 'mpls', encapsulation: 'none' },
  };
  expect(told(draft).warnings.filter((text) => !text.startsWith('vrfs'))).toEqual([
    'core.transportLabels: no core interface lets them in ([30]): mpls: "own-sp" on a core interface',
    'tunnels.lsp.remote: no LSP of core.lsps leads there ("192.0.2.9"): name it in core.lsps, unless BGP brings one',
  ]);
});
