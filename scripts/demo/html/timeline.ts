// SPDX-License-Identifier: Apache-2.0
/** Losses over time as a picture, and by event as a table. */
import type { Timeline, TimelineEvent } from '../findings.js';
import { decimal, html, table, verdict, type Markup } from './markup.js';

const LEFT = 150;
const WIDTH = 830;
const TOP = 46;
const LANE = 30;
const BAR = 20;
/** Seconds of one bar. */
const BIN = 0.5;

/** Losses of each half second. */
export function bins(lost: readonly number[], seconds: number): number[] {
  const counts = Array.from({ length: Math.max(1, Math.ceil(seconds / BIN)) }, () => 0);
  for (const at of lost) {
    const i = Math.min(counts.length - 1, Math.max(0, Math.floor(at / BIN)));
    counts[i] = (counts[i] ?? 0) + 1;
  }
  return counts;
}

function lane(
  { seconds, perSecond }: Timeline,
  { name, lost }: Timeline['probes'][number],
  index: number,
): Markup {
  const y = TOP + index * LANE;
  const scale = WIDTH / seconds;
  const bars = bins(lost, seconds).flatMap((count, i) => {
    if (count === 0) return [];
    const height = Math.max(4, Math.min(1, count / (perSecond * BIN)) * BAR);
    const width = Math.max(2, BIN * scale - 0.5);
    const x = decimal(LEFT + i * BIN * scale);
    return [
      html`<rect
        class="lost"
        x="${x}"
        y="${decimal(y + BAR - height)}"
        width="${decimal(width)}"
        height="${decimal(height)}"
        ><title>${name}: ${count} lost from ${decimal(i * BIN)} s on</title></rect
      >`,
    ];
  });
  return html`<text x="8" y="${y + 15}">${name}</text>
    <rect class="fine" x="${LEFT}" y="${y + BAR - 2}" width="${WIDTH}" height="2" />${bars}`;
}

function span(event: TimelineEvent, index: number, { seconds, probes }: Timeline): Markup {
  const scale = WIDTH / seconds;
  const x = LEFT + event.begin * scale;
  const width = Math.max(14, (event.end - event.begin) * scale);
  const height = probes.length * LANE + 6;
  return html`<rect
      class="event"
      x="${decimal(x)}"
      y="${TOP - 8}"
      width="${decimal(width)}"
      height="${height}"
      rx="3"
    />
    <text x="${decimal(x + width / 2)}" y="${TOP - 14}" text-anchor="middle">${index + 1}</text>`;
}

function axis({ seconds, probes }: Timeline): Markup {
  const y = TOP + probes.length * LANE + 4;
  const step = seconds > 90 ? 20 : seconds > 40 ? 10 : 5;
  const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, i) => i * step);
  return html`<line class="axis" x1="${LEFT}" y1="${y}" x2="${LEFT + WIDTH}" y2="${y}" />
    ${ticks.map((at) => html`<text class="small" x="${decimal(LEFT + (at * WIDTH) / seconds)}" y="${y + 16}" text-anchor="middle">${at} s</text>`)}`;
}

function picture(found: Timeline): Markup {
  const { probes, events, perSecond } = found;
  const height = TOP + probes.length * LANE + 30;
  const lines = probes.map(
    ({ name, sent, lost }) => `${name}: ${String(lost.length)} of ${String(sent)} lost`,
  );
  return html`<figure>
    <div class="picture">
      <svg viewBox="0 0 1000 ${height}" role="img" aria-labelledby="timeline-title timeline-words">
        <title id="timeline-title">Losses over time</title>
        <desc id="timeline-words">
          ${lines.join('; ')}. The table below says which event they belong to.
        </desc>
        ${events.map((event, i) => span(event, i, found))}
        ${probes.map((probe, i) => lane(found, probe, i))} ${axis(found)}
      </svg>
    </div>
    <figcaption>
      A line for each stream of ${perSecond} echo requests a second; red: those never answered, by
      half second, full height if all were lost. Shaded and numbered: the events of the table.
    </figcaption>
  </figure>`;
}

export function timeline(found: Timeline): Markup {
  const { probes, events } = found;
  const numbered = events.map((event, i) => ({ event, number: i + 1 }));
  return html`${picture(found)}
  ${table(
    'What happened, and how many echo requests were lost by it',
    [
      { title: 'Event', cell: ({ event, number }) => `${String(number)}. ${event.title}` },
      { title: 'Seconds', number: true, cell: ({ event }) => decimal(event.end - event.begin) },
      ...probes.map(({ name }, p) => ({
        title: name,
        number: true as const,
        cell: ({ event }: { event: TimelineEvent }) => event.losses[p] ?? 0,
      })),
      { title: 'Allowed', cell: ({ event }) => (event.mustBeZero ? 'none' : 'while it is down') },
      { title: 'Result', cell: ({ event }) => verdict(event.ok) },
      { title: 'What was done', cell: ({ event }) => event.detail },
    ],
    numbered,
    ({ event }) => (event.ok ? '' : 'failed'),
  )}`;
}
