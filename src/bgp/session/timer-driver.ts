// SPDX-License-Identifier: Apache-2.0
/** Real time for what is not a machine. */

/** Calls back after so many milliseconds, unless cancelled by what it returns. Keeps no process alive. */
export function after(ms: number, work: () => void): () => void {
  const handle = setTimeout(work, ms);
  handle.unref();
  return () => {
    clearTimeout(handle);
  };
}
