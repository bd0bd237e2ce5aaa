// SPDX-License-Identifier: Apache-2.0
/**
 * One-line structured logs: `TIME LEVEL AREA: text key=value …`, greppable and readable.
 * Values are quoted when they hold white space or quotes. What must not be logged (keys) is never
 * handed in: a value is a string, number, bigint or boolean, so no object can carry one by accident.
 */

export const LOG_LEVELS = ['error', 'warning', 'notice', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export type LogValue = string | number | bigint | boolean;
export type LogFields = Readonly<Record<string, LogValue | undefined>>;

export interface LogSink {
  /** One line without its newline. */
  write(line: string): void;
  /** ISO 8601 time of now. */
  now(): string;
}

export interface Logger {
  error(text: string, fields?: LogFields): void;
  warning(text: string, fields?: LogFields): void;
  notice(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  debug(text: string, fields?: LogFields): void;
  /** The same log for another area. */
  area(name: string): Logger;
}

/** Control characters would let a value forge a line or drive a terminal. */
function clean(text: string): string {
  // eslint's no-control-regex is about typing mistakes; JSON escapes exactly these.
  return JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
}

function value(field: LogValue): string {
  const text = String(field);
  return /^[^\s"=\\]+$/.test(text) && clean(text) === text ? text : JSON.stringify(text);
}

export function formatLine(
  time: string,
  level: LogLevel,
  area: string,
  text: string,
  fields: LogFields = {},
): string {
  const pairs = Object.entries(fields)
    .filter((pair): pair is [string, LogValue] => pair[1] !== undefined)
    .map(([key, field]) => ` ${key}=${value(field)}`);
  return `${time} ${level} ${area}: ${clean(text)}${pairs.join('')}`;
}

/** A log that writes lines of `level` and graver ones. */
export function createLogger(sink: LogSink, level: LogLevel = 'info', area = 'sealane'): Logger {
  const most = LOG_LEVELS.indexOf(level);
  const at =
    (severity: LogLevel) =>
    (text: string, fields?: LogFields): void => {
      if (LOG_LEVELS.indexOf(severity) <= most) {
        sink.write(formatLine(sink.now(), severity, area, text, fields));
      }
    };
  return {
    error: at('error'),
    warning: at('warning'),
    notice: at('notice'),
    info: at('info'),
    debug: at('debug'),
    area: (name) => createLogger(sink, level, name),
  };
}
