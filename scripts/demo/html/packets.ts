// SPDX-License-Identifier: Apache-2.0
/** A packet of each VPN at each hop: its layers with their bytes, by what stands over them. */
import type { Hop, Journey, Layer } from '../findings.js';
import { html, type Markup } from './markup.js';

/** Headers of ours that nothing covers look different from what a customer sends in clear. */
function coverOf({ name, cover }: Layer, inTunnel: boolean): string {
  if (cover !== 'clear') return cover;
  const own = name === 'Ethernet' || name === 'IPv4';
  return own || !inTunnel ? 'outside' : 'clear';
}

function hop({ where, bytes, layers }: Hop): Markup {
  const inTunnel = layers.some(({ name }) => name === 'MPLS');
  const list = layers.map(
    (layer) =>
      html`<li class="${coverOf(layer, inTunnel)}">
        <span class="bytes">${layer.bytes} B</span><b>${layer.name}</b>
        <span class="mono">${layer.detail}</span>
      </li>`,
  );
  return html`<li>
    <strong>${where}</strong> <span class="quiet">${bytes} bytes</span>
    <ol>
      ${list}
    </ol>
  </li>`;
}

export function packets(journeys: readonly Journey[]): Markup {
  return html`${journeys.map(
      ({ title, hops }) =>
        html`<h3>${title}</h3>
          <ol class="way">
            ${hops.map(hop)}
          </ol>`,
    )}
    <p class="quiet">
      One ping, as captured at four points and read by tshark, with the keys where it is encrypted.
      <span class="cover encrypted">encrypted</span>: nobody on the path reads or changes it.
      <span class="cover authenticated">authenticated</span>: everybody reads it, nobody changes it.
      <span class="cover clear">clear</span>: everybody reads and changes it.
      <span class="cover outside">outer headers</span> and what travels on the customer's own link.
    </p>`;
}
