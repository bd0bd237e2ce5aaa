// SPDX-License-Identifier: Apache-2.0
/** {@link ControlError} as gRPC carries it: a status code, and an ErrorDetail in the metadata. */
import { Metadata, status, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { CONTROL_ERROR_CODES, ControlError, type ControlErrorCode } from './errors.js';
import { ErrorDetail } from './gen/control.js';

const DETAIL_KEY = 'sealane-error-bin';
/** Metadata are headers: long ones make the peer reset the stream. */
const MAX_TEXT = 1000;

const STATUS: Readonly<Record<ControlErrorCode, status>> = {
  INVALID_ARGUMENT: status.INVALID_ARGUMENT,
  INVALID_CONFIG: status.FAILED_PRECONDITION,
  CONFIG_LOAD: status.FAILED_PRECONDITION,
  NOT_FOUND: status.NOT_FOUND,
  BUSY: status.ABORTED,
  UNAVAILABLE: status.UNAVAILABLE,
  TIMEOUT: status.DEADLINE_EXCEEDED,
  APPLY_FAILED: status.INTERNAL,
  NO_PRIVILEGE: status.PERMISSION_DENIED,
  INTERNAL: status.INTERNAL,
};

/** Any thrown value as a ControlError; what is none is a defect, INTERNAL. */
export function toControlError(error: unknown): ControlError {
  if (error instanceof ControlError) return error;
  const words = error instanceof Error ? error.message : 'unknown error';
  return new ControlError('INTERNAL', words, {
    remedy: 'see the log of the supervisor',
    cause: error,
  });
}

export function toDetail(error: ControlError): ErrorDetail {
  const { code, message, remedy, issues } = error;
  return { code, message, remedy, issues: issues.map((found) => ({ ...found })) };
}

export function fromDetail(detail: ErrorDetail): ControlError {
  const code = CONTROL_ERROR_CODES.find((known) => known === detail.code) ?? 'INTERNAL';
  const { message, remedy, issues } = detail;
  return new ControlError(code, message, { remedy, issues });
}

/** What a handler gives gRPC. */
export function toStatus(error: unknown): Pick<StatusObject, 'code' | 'details' | 'metadata'> {
  const known = toControlError(error);
  const detail: ErrorDetail = {
    code: known.code,
    message: known.message.slice(0, MAX_TEXT),
    remedy: known.remedy.slice(0, MAX_TEXT),
    issues: [],
  };
  const metadata = new Metadata();
  metadata.set(DETAIL_KEY, Buffer.from(ErrorDetail.encode(detail).finish()));
  // `details` becomes a header as well: ASCII, one line.
  const details = detail.message.replace(/[^\x20-\x7e]/g, '?');
  return { code: STATUS[known.code], details, metadata };
}

const REMEDY: Readonly<Partial<Record<ControlErrorCode, string>>> = {
  UNAVAILABLE: 'is the supervisor running? Start it with: sealane run',
  TIMEOUT: 'the supervisor may be stuck: see its log, or restart it; packets go on meanwhile',
};

const CODE: ReadonlyMap<status, ControlErrorCode> = new Map([
  [status.UNAVAILABLE, 'UNAVAILABLE'],
  [status.DEADLINE_EXCEEDED, 'TIMEOUT'],
  [status.CANCELLED, 'TIMEOUT'],
  [status.PERMISSION_DENIED, 'NO_PRIVILEGE'],
]);

/** What a client got, from our server or from gRPC itself. */
export function fromServiceError(error: ServiceError): ControlError {
  const [detail] = error.metadata.get(DETAIL_KEY);
  if (detail instanceof Buffer) {
    try {
      return fromDetail(ErrorDetail.decode(detail));
    } catch {
      // Not from a server of ours: what gRPC says will have to do.
    }
  }
  const code = CODE.get(error.code) ?? 'INTERNAL';
  return new ControlError(code, error.details, { remedy: REMEDY[code] ?? '', cause: error });
}
