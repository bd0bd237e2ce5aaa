// SPDX-License-Identifier: Apache-2.0
/** Tunnels and manual SAs, against each other (policy-model 14-16, 22). */
import { describe, expect, it } from 'vitest';
import { expectMistakes, expectWarnings, good, put, told, type Draft } from './good.js';

const LAB_LINE =
  'manualSas: manual SAs are for a lab only: remove them, or say lab: { manualSas: true }';

describe('marking', () => {
  it('has a DSCP of the VRF in the pipe model alone, DSCPs that there are, and ECN in IP headers', () => {
    expectMistakes(
      (draft) => {
        draft.core.trafficClasses = { 46: 6, 63: 7, 64: 1, '-1': 2, '010': 3 };
        draft.vrfs['a']!.dscp = 10;
        draft.vrfs['b']!.trafficClass = 'pipe';
        draft.vrfs['b']!.dscp = 10;
        draft.core.lsps = { '192.0.2.4/32': { via: '198.51.100.2', labels: [16] } };
        draft.tunnels['lsp'] = {
          ...{ local: '192.0.2.1', remote: '192.0.2.4', ecn: 'normal' },
          ...{ protection: 'mpls', encapsulation: 'none' },
        };
      },
      'core.trafficClasses["64"]: no DSCP (1): 0..63: TC 0..7',
      'core.trafficClasses["-1"]: no DSCP (2): 0..63: TC 0..7',
      'core.trafficClasses["010"]: no DSCP (3): 0..63: TC 0..7',
      'vrfs.a.dscp: TC and outer DSCP follow from the packet in this model (10): remove it, or trafficClass: "pipe"',
      'tunnels.lsp.ecn: plain MPLS has no outer IP header ("normal"): remove it',
    );
  });
});

describe('tunnels', () => {
  it('end at one of our tunnel addresses, and at another PE of the same family', () => {
    expectMistakes(
      (draft) => {
        draft.tunnels['pe3']!.local = '192.0.2.7';
        draft.tunnels['x'] = {
          ...{ local: '192.0.2.1', remote: '198.51.100.1' },
          ...{ protection: 'tunnel', encapsulation: 'gre' },
        };
        draft.tunnels['y'] = { ...draft.tunnels['x'], remote: '192.0.2.1' };
        draft.tunnels['z'] = { ...draft.tunnels['x'], remote: '2001:db8::9' };
      },
      'tunnels.pe3.local: not one of core.tunnelAddresses ("192.0.2.7"): did you mean "192.0.2.1"? known tunnel addresses: 192.0.2.1, 2001:db8::1',
      'tunnels.pe3.remote: not of the family of "local" ("2001:db8::3"): an IPv4 address',
      'tunnels.x.remote: one of this PE\'s own addresses ("198.51.100.1"): the other PE\'s address',
      'tunnels.y.remote: one of this PE\'s own addresses ("192.0.2.1"): the other PE\'s address',
      'tunnels.z.remote: not of the family of "local" ("2001:db8::9"): an IPv4 address',
    );
  });

  it('need a core interface', () => {
    expectMistakes((draft) => {
      draft.interfaces['core0'] = {
        ...{ role: 'ce', vrf: 'b', device: { kernel: 'wan' }, addresses: [] },
      };
      draft.vrfs['a']!.exports!.pop();
      draft.vrfs['b']!.exports!.pop();
    }, 'tunnels: no core interface to leave by: give one interface role: "core"');
  });

  it('have an SA exactly if they are protected', () => {
    expectMistakes(
      (draft) => {
        draft.tunnels['pe3']!.sa = 'pe2-out';
        Reflect.deleteProperty(draft.tunnels['pe2']!, 'sa');
        draft.tunnels['pe4'] = {
          ...{ local: '192.0.2.1', remote: '192.0.2.4' },
          ...{ protection: 'authenticate', encapsulation: 'gre' },
        };
      },
      'tunnels.pe2.sa: missing: protection "encrypt" needs an SA: "pe2-out"',
      'tunnels.pe3.sa: protection "tunnel" uses no SA ("pe2-out"): remove it, or protection: "encrypt" or "authenticate"',
      'tunnels.pe4.sa: missing: protection "authenticate" needs an SA: `ike` sets it up, or name an outbound SA of manualSas',
    );
  });

  it('use an SA that exists', () => {
    const draft = good();
    draft.tunnels['pe2']!.sa = 'pe2-uot';
    expect(told(draft)).toEqual({
      errors: [
        'tunnels.pe2.sa: no such SA ("pe2-uot"): did you mean "pe2-out"? known SAs: pe2-out, pe2-in',
      ],
      warnings: [
        'manualSas["pe2-out"]: no tunnel uses this outbound SA: a tunnel with sa: "pe2-out"',
      ],
    });
  });

  it.each([
    ['direction', 'in', 'an inbound SA', 'an SA with direction: "out"'],
    ['remote', '192.0.2.3', 'the SA has remote "192.0.2.3", the tunnel "192.0.2.2"', 'equal ones'],
    ['encapsulation', 'ip', 'the SA has encapsulation "ip", the tunnel "gre"', 'equal ones'],
    [
      ...['algorithm', 'aes-gmac-128'],
      `protection is "encrypt", and the SA's aes-gmac-128 does not encrypt`,
      'an SA with another algorithm, e.g. aes-gcm-128',
    ],
  ] as const)('use an SA that fits: %s %s does not', (key, value, reason, remedy) => {
    expectMistakes((draft) => {
      put(draft, `manualSas.pe2-out.${key}`, value);
    }, `tunnels.pe2.sa: ${reason} ("pe2-out"): ${remedy}`);
  });

  it('that only authenticate do not use an SA that encrypts (policy-model 16)', () => {
    expectMistakes((draft) => {
      draft.tunnels['pe2']!.protection = 'authenticate';
    }, `tunnels.pe2.sa: protection is "authenticate", and the SA's aes-gcm-128 encrypts ("pe2-out"): an SA with another algorithm, e.g. aes-gmac-128`);
    expectMistakes((draft) => {
      draft.tunnels['pe2']!.protection = 'authenticate';
      draft.manualSas['pe2-out']!.algorithm = 'aes-gmac-256';
    });
  });
});

describe('manual SAs', () => {
  it.each([[undefined], [{}], [{ manualSas: false }]])('are refused with lab: %j', (lab) => {
    expectMistakes((draft) => {
      put(draft, 'lab', lab);
    }, LAB_LINE);
  });

  it('are warned of in a lab, and only where there are any', () => {
    const count = (draft: Draft): number => told(draft).warnings.length;
    const { warnings } = told(good());
    expect(warnings).toEqual([]);
    const none = good();
    none.manualSas = {};
    Reflect.deleteProperty(none.tunnels, 'pe2');
    none.vrfs['a']!.routes!.shift();
    none.lab = {};
    expect(count(none)).toBe(0);
    expect(told(none).errors).toEqual([]);
  });

  it('end where tunnels do', () => {
    expectMistakes(
      (draft) => {
        draft.manualSas['pe2-in']!.local = '192.0.2.8';
        draft.manualSas['pe2-in']!.remote = '2001:db8::7';
      },
      'manualSas["pe2-in"].local: not one of core.tunnelAddresses ("192.0.2.8"): did you mean "192.0.2.1"? known tunnel addresses: 192.0.2.1, 2001:db8::1',
      'manualSas["pe2-in"].remote: not of the family of "local" ("2001:db8::7"): an IPv4 address',
    );
  });

  it('that are outbound have neither SP nor replay window', () => {
    expectMistakes(
      (draft) => {
        draft.manualSas['pe2-out']!.sp = 'south';
        draft.manualSas['pe2-out']!.replayWindow = 64;
      },
      'manualSas["pe2-out"].sp: means nothing for an outbound SA ("south"): remove it, or direction: "in"',
      'manualSas["pe2-out"].replayWindow: means nothing for an outbound SA (64): remove it, or direction: "in"',
    );
  });

  it('name an SP that is configured', () => {
    expectMistakes((draft) => {
      draft.manualSas['pe2-in']!.sp = 'soth';
    }, 'manualSas["pe2-in"].sp: no such SP ("soth"): did you mean "south"? known SPs: north, south');
  });

  it('of one remote belong to one SP (policy-model 14)', () => {
    const other = (draft: Draft, sp: string): void => {
      draft.manualSas['two'] = {
        ...draft.manualSas['pe2-in']!,
        ...{ spi: 0x300, keyFile: '/keys/3', sp, encapsulation: 'ip' },
      };
    };
    expectMistakes((draft) => {
      other(draft, 'north');
    });
    expectMistakes((draft) => {
      other(draft, 'south');
    }, 'manualSas.two.sp: SA "pe2-in" has the same remote in SP "north" ("south"): a PE belongs to one SP');
  });

  it('that no tunnel uses are warned of', () => {
    expectWarnings((draft) => {
      draft.manualSas['spare'] = { ...draft.manualSas['pe2-out']!, spi: 777, keyFile: '/k' };
    }, 'manualSas.spare: no tunnel uses this outbound SA: a tunnel with sa: "spare"');
  });
});

describe('SPIs', () => {
  const inbound = (draft: Draft, spi: number): void => {
    draft.manualSas['two'] = { ...draft.manualSas['pe2-in']!, spi, keyFile: '/keys/3' };
  };
  it('of inbound SAs differ in their low 20 bits', () => {
    expectMistakes((draft) => {
      inbound(draft, 0x1000_0002);
    }, 'manualSas.two.spi: SA "pe2-in" has the same SPI (268435458): an SPI whose low 20 bits no other inbound SA has');
    expectMistakes((draft) => {
      inbound(draft, 0xfff0_0002);
    }, 'manualSas.two.spi: SA "pe2-in" has an SPI with the same low 20 bits (4293918722): an SPI whose low 20 bits no other inbound SA has');
    expectMistakes((draft) => {
      inbound(draft, 0x1008_0002);
    });
  });

  it('of outbound SAs differ for each remote', () => {
    const outbound = (draft: Draft, remote: string): void => {
      draft.manualSas['two'] = { ...draft.manualSas['pe2-out']!, remote, keyFile: '/keys/3' };
      draft.tunnels['two'] = { ...draft.tunnels['pe2']!, remote, sa: 'two' };
    };
    expectMistakes((draft) => {
      outbound(draft, '192.0.2.2');
    }, 'manualSas.two.spi: SA "pe2-out" has the same SPI (268435457): an SPI that no other SA to this remote has');
    expectMistakes((draft) => {
      outbound(draft, '192.0.2.3');
    });
  });

  it('may be equal inbound and outbound', () => {
    expectMistakes((draft) => {
      draft.manualSas['pe2-in']!.spi = draft.manualSas['pe2-out']!.spi;
    });
  });
});

describe('key files (policy-model 22)', () => {
  it.each(['/keys/1to2', '/keys/../keys//1to2', '/keys/./1to2'])('are used once: %s', (keyFile) => {
    expectMistakes((draft) => {
      draft.manualSas['pe2-in']!.keyFile = keyFile;
    }, 'manualSas["pe2-in"].keyFile: SA "pe2-out" uses the same key file (not shown): one key file per SA: sealane lab keygen --algorithm ALGORITHM --out FILE');
  });
  it('have absolute paths', () => {
    expectMistakes((draft) => {
      draft.manualSas['pe2-in']!.keyFile = 'keys/2to1';
    }, 'manualSas["pe2-in"].keyFile: not an absolute path (not shown): begin with "/"');
  });
});
