// SPDX-License-Identifier: Apache-2.0
/** The tests of certificates that mutations name: "FILE below test/unit: beginning of a title". */
export const ROGUE = (title: string): string => `ike/auth/rogue.test.ts: ${title}`;
export const GOOD = (title: string): string => `ike/auth/good.test.ts: ${title}`;
export const REVOCATION = (title: string): string => `ike/auth/revocation.test.ts: ${title}`;
export const HOSTILE = (title: string): string => `ike/auth/hostile.test.ts: ${title}`;
export const ADDON = (title: string): string => `addon/certificates.test.ts: ${title}`;

/** addon/test/x509.cc: what the openssl program cannot make. */
export const PROGRAM = 'addon/programs.test.ts: are judged, 20,000 damaged ones among them';
