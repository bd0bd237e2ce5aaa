// SPDX-License-Identifier: Apache-2.0
/** What is wrong with the demo's page, as a reader with a browser would find it. */
import type { Findings } from '../../../scripts/demo/findings.js';
import type { Browser, Window } from './browser.js';

export const WINDOWS: readonly Window[] = [1280, 400].flatMap((width) =>
  (['light', 'dark'] as const).map((scheme) => ({ width, scheme })),
);

/** Run in the page: everything that a reader could stumble over, in words. */
const LOOK = `(() => {
  const problems = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    problems.push('overflow: ' + root.scrollWidth + ' in ' + root.clientWidth);
  }
  const headings = [...document.querySelectorAll('h1, h2, h3, h4')];
  if (headings.filter((h) => h.tagName === 'H1').length !== 1) problems.push('headings: not one h1');
  headings.reduce((level, h) => {
    const own = Number(h.tagName[1]);
    if (own > level + 1) problems.push('headings: ' + h.textContent + ' skips a level');
    return own;
  }, 0);
  for (const table of document.querySelectorAll('table')) {
    if (!table.caption || !table.caption.textContent.trim()) problems.push('table: no caption');
    if (!table.querySelector('thead th[scope=col]')) problems.push('table: no headers');
    for (const row of table.querySelectorAll('tbody tr')) {
      if (!row.querySelector('th[scope=row]')) problems.push('table: a row without header');
    }
  }
  for (const svg of document.querySelectorAll('svg')) {
    for (const name of ['title', 'desc']) {
      const one = svg.querySelector(':scope > ' + name);
      if (!one || !one.textContent.trim()) problems.push('svg: no ' + name);
    }
    const box = svg.getBoundingClientRect();
    if (box.width < 100 || box.height < 50) problems.push('svg: not to be seen');
    const view = svg.viewBox.baseVal;
    for (const text of svg.querySelectorAll('text')) {
      const { x, y, width, height } = text.getBBox();
      if (x < -1 || y < -1 || x + width > view.width + 1 || y + height > view.height + 1) {
        problems.push('svg: ' + text.textContent + ' is cut off');
      }
    }
  }
  if (!document.title || !root.lang) problems.push('document: no title or language');
  return problems;
})()`;

/** Run in the page: text on its ground, WCAG 2 AA (4.5, large text 3). */
const CONTRAST = `(() => {
  const numbers = (color) => {
    const found = color.match(/[\\d.]+(e-?\\d+)?/g).map(Number);
    const [r, g, b, a = 1] = found;
    const scale = color.startsWith('color(') ? 255 : 1;
    return [r * scale, g * scale, b * scale, a];
  };
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
  const groundOf = (element) => {
    if (element === null) return [255, 255, 255];
    const own = numbers(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own : over(own, groundOf(element.parentElement));
  };
  const luminance = (color) => {
    const [r, g, b] = color.slice(0, 3).map((c) => {
      const s = c / 255;
      return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const problems = new Set();
  for (const element of document.body.querySelectorAll('*')) {
    const text = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim() !== '');
    const inSvg = element.ownerSVGElement;
    if (!text || ['title', 'desc', 'TITLE', 'STYLE'].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const ground = groundOf(inSvg ? inSvg.parentElement : element);
    const ink = over(numbers(inSvg ? style.fill : style.color), ground);
    const [a, b] = [luminance(ink), luminance(ground)].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24;
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) {
      problems.add('contrast: ' + element.tagName + ' ' + element.textContent.trim().slice(0, 40));
    }
  }
  return [...problems];
})()`;

/** Run in the page, a function of what it must show: the texts that are not to be seen. */
const UNSEEN = (texts: readonly string[]): string => `((wanted) => {
  for (const one of document.querySelectorAll('details')) one.open = true;
  const shown = new Set();
  for (const cell of document.querySelectorAll('th, td, li, text')) {
    const box = cell.getBoundingClientRect();
    const style = getComputedStyle(cell);
    const visible = box.width > 0 && box.height > 0 && style.visibility === 'visible' && Number(style.opacity) > 0;
    if (visible) shown.add(cell.textContent.trim().replace(/\\s+/g, ' '));
  }
  return wanted.filter((text) => !shown.has(text.trim().replace(/\\s+/g, ' ')));
})(${JSON.stringify(texts)})`;

/** Texts that each stand alone in a cell or a line of the page. */
function mustShow(findings: Findings): string[] {
  return [
    ...findings.checks.flatMap(({ id, detail }) => [id, detail]),
    ...findings.attacks.map(({ text }) => text),
    ...findings.policies.map(({ observed }) => observed),
    ...findings.timeline.events.map(({ detail }) => detail),
    ...findings.seen,
  ].filter((text) => text !== '');
}

/** Everything wrong with a page in one window; '' nothing. */
export async function inspect(
  browser: Browser,
  file: string,
  findings: Findings,
  window: Window,
): Promise<string[]> {
  const page = await browser.open(file, window);
  const look = async (expression: string): Promise<string[]> =>
    (await page.evaluate(expression)) as string[];
  const problems = [...(await look(LOOK)), ...(await look(CONTRAST))];
  const unseen = await look(UNSEEN(mustShow(findings)));
  problems.push(...unseen.map((text) => `not to be seen: ${text}`));
  const ground = String(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
  const [red = 0] = (/\d+/.exec(ground) ?? []).map(Number);
  if (window.scheme === 'dark' ? red > 80 : red < 180) problems.push(`scheme: ${ground}`);
  const [, ...others] = page.requests.filter((url) => !url.startsWith('data:'));
  problems.push(...others.map((url) => `request: ${url}`));
  problems.push(...page.complaints.map((words) => `complaint: ${words}`));
  await page.close();
  return problems;
}
