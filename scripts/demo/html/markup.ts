// SPDX-License-Identifier: Apache-2.0
/** HTML and SVG as text. Whatever is put into a template is escaped, unless it came out of one. */

/** Markup that is as it should be. */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** For element content and for attributes in quotes. Control characters that no document may have are replaced. */
export function escape(text: string): string {
  return text
    .replace(/[&<>"']/g, (c) => ENTITIES[c] ?? c)
    .replace(/\p{Cc}/gu, (c) => ('\t\n\r'.includes(c) ? c : '\u{fffd}'));
}

export type Content = Markup | string | number | readonly Content[];

function inserted(content: Content): string {
  if (content instanceof Markup) return content.text;
  if (typeof content === 'string') return escape(content);
  if (typeof content === 'number') return String(content);
  return content.map(inserted).join('');
}

/** Tag of templates: html`<p>${text}</p>`. Attributes are to be written in double quotes. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  const text = parts.map((part, i) => {
    const content = contents[i];
    return part + (content === undefined ? '' : inserted(content));
  });
  return new Markup(text.join(''));
}

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => Content;
  /** Of numbers: to the right. */
  readonly number?: true;
}

/**
 * A table in a frame of its own that scrolls, if it is too wide: the page never does. The first column's cells are the
 * rows' headers.
 */
export function table<Row>(
  caption: string,
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  rowClass: (row: Row) => string = () => '',
): Markup {
  const classOf = (column: Column<Row>): string => (column.number === true ? 'number' : '');
  const head = columns.map((c) => html`<th scope="col" class="${classOf(c)}">${c.title}</th>`);
  const body = rows.map((row) => {
    const cells = columns.map((c, i) =>
      i === 0
        ? html`<th scope="row" class="${classOf(c)}">${c.cell(row)}</th>`
        : html`<td class="${classOf(c)}">${c.cell(row)}</td>`,
    );
    return html`<tr class="${rowClass(row)}">
      ${cells}
    </tr> `;
  });
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${head}
        </tr>
      </thead>
      <tbody>
        ${body}
      </tbody>
    </table>
  </div>`;
}

/** A word that says whether something is as it should be; never by colour alone. */
export const verdict = (ok: boolean, good = 'ok', bad = 'FAILED'): Markup =>
  html`<span class="verdict ${ok ? 'good' : 'bad'}">${ok ? `✓ ${good}` : `✗ ${bad}`}</span>`;

/** 12.345 -> "12.3". */
export const decimal = (n: number): string => n.toFixed(1);
