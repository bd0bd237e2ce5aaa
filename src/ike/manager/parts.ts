// SPDX-License-Identifier: Apache-2.0
/** The machines below the manager, put together. */
import { createChannel, restoreChannel } from '../channel/channel.js';
import { createChildAgreement } from '../child/agreement.js';
import { screenInit } from '../exchange/ike-sa-init-responder.js';
import { openAsInitiator } from '../open/initiator.js';
import { openAsResponder } from '../open/responder.js';
import { createIkeSas } from '../sa/ike-sas.js';
import type { ManagerParts } from './deps.js';

export const realParts: ManagerParts = {
  createOpenings(given) {
    const env = { ...given, createChannel };
    const agreement = createChildAgreement(env);
    return {
      initiate: (request) => openAsInitiator(env, request, agreement),
      screen: (policy, octets, path) => screenInit(env, policy, octets, path),
      respond: (init, responderSpi, expireMs) =>
        openAsResponder(env, { init, responderSpi, expireMs }, agreement),
    };
  },
  createIkeSas(env, events) {
    const agreement = createChildAgreement(env);
    return createIkeSas({ ...env, agreement, createChannel, restoreChannel }, events);
  },
};
