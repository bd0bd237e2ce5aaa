// SPDX-License-Identifier: Apache-2.0
/** Everything IKE counts, by name, with what it means. `sealane show ike --counters` prints this table. */
export const IKE_COUNTERS = {
  // datagrams
  rx_datagrams: 'datagrams received',
  tx_datagrams: 'datagrams sent, retransmissions included',
  rx_malformed: 'datagrams that are no IKE message, or one whose payloads cannot be read',
  rx_wrong_version: 'messages of another major version (RFC 7296 §2.5)',
  rx_unknown_spi: 'messages of no IKE SA here',
  rx_wrong_address: 'messages of an IKE SA from an address that is not its peer',
  rx_integrity: 'messages whose checksum is wrong',
  rx_unprotected: 'messages in clear where only protected ones are taken',
  rx_out_of_window: 'messages whose message ID is outside of the window (RFC 7296 §2.3)',
  rx_reflected: 'our own messages sent back to us',
  rx_retransmitted: 'requests that came again and were answered from memory',
  rx_fragments_dropped: 'fragments that fit no message, or for which there is no room (RFC 7383)',
  tx_retransmissions: 'requests sent again',
  exchange_timeouts: 'requests that were never answered',
  rx_esp_in_udp: 'datagrams on port 4500 without a non-ESP marker: ESP, which is not for IKE',
  rx_keepalives: 'keepalives of NATs (RFC 3948 §2.3) received',
  tx_keepalives: 'keepalives for NATs sent',
  tx_failed: 'datagrams that could not be sent',
  // opening
  init_cookies_sent: 'IKE_SA_INIT requests answered by a cookie (RFC 7296 §2.6)',
  init_cookies_wrong: 'IKE_SA_INIT requests with a cookie that is not ours, or too old',
  init_no_policy: 'IKE_SA_INIT requests from addresses that no rule allows',
  init_limited: 'IKE_SA_INIT requests dropped: too many half-open IKE SAs, in all or of one peer',
  init_no_proposal: 'IKE_SA_INIT exchanges without a common proposal',
  init_invalid_ke: 'IKE_SA_INIT requests answered by INVALID_KE_PAYLOAD',
  ke_refused: 'key exchange data that must not be used (RFC 6989, RFC 8031, FIPS 203)',
  nat_refused:
    'IKE SAs refused because a NAT is between, which the policy forbids (policy-model 15)',
  redirect_refused: 'REDIRECTs of peers, which are never followed (policy-model 15)',
  openings_repeated:
    'IKE SAs begun anew beside one that the peer says, without proof, it does not know any more',
  half_open_expired: 'IKE SAs that were begun and not authenticated in time',
  // authentication
  auth_failed: 'AUTH payloads that do not verify',
  auth_method_refused: 'peers that authenticate in a way that the policy does not allow',
  auth_identity_refused: 'identities that are not the address the IKE SA is with (policy-model 15)',
  auth_wrong_sp:
    'certificates of an SP whose tunnel address ranges do not hold the address (policy-model 14)',
  auth_no_psk: 'peers that use a preshared key where there is none for their address',
  cert_untrusted: 'certificates without a path to a trust anchor',
  cert_expired: 'certificates, or issuers, that are not yet or no more valid',
  cert_revoked: 'certificates, or issuers, that are revoked',
  cert_status_unknown:
    'certificates whose revocation status could not be found out where it must be',
  cert_wrong_usage:
    'certificates whose key usage, extended key usage or constraints forbid this use',
  cert_no_address: 'certificates that do not name the address that the tunnel ends at',
  cert_malformed: 'certificates that cannot be read',
  cert_weak: 'certificates, or issuers, with keys or signatures that are too weak',
  ppk_failed: 'IKE SAs refused for want of the postquantum preshared key (RFC 8784)',
  auth_overdue: 'IKE SAs ended because the peer did not authenticate anew in time (RFC 4478)',
  peer_refused_us: 'peers that answered AUTHENTICATION_FAILED',
  // SAs
  ike_sas_opened: 'IKE SAs that were authenticated',
  ike_sas_rekeyed: 'IKE SAs that were replaced by rekeying',
  ike_sas_closed: 'IKE SAs that were closed, for whatever reason',
  child_sas_opened: 'child SAs that were set up, rekeyed ones included',
  child_sas_rekeyed: 'child SAs that were replaced by rekeying',
  child_sas_closed: 'child SAs that were closed, for whatever reason',
  child_no_proposal: 'child SAs refused: no common proposal',
  child_ts_unacceptable: 'child SAs refused: traffic selectors that no policy allows',
  child_sas_limited:
    'child SAs refused: the peer has too many already, with those that it deleted just now',
  child_failed: 'child SAs that could not be set up for other reasons',
  collisions: 'simultaneous exchanges resolved (RFC 7296 §2.8, §2.25)',
  duplicates_closed: 'IKE SAs or child SAs closed because another one serves the same',
  peers_dead: 'peers given up because they do not answer',
} as const;

export type IkeCounter = keyof typeof IKE_COUNTERS;
