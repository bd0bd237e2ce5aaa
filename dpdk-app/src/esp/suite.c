/* SPDX-License-Identifier: Apache-2.0 */
#include "esp/suite.h"

#include <string.h>

#include "esp/esp.h"

#define AAD_MAX 12u

/* SPI | [high half |] sequence number; returns its length. */
static unsigned int make_aad(const struct sl_esp_job *job, uint8_t *aad)
{
	memcpy(aad, job->esp, 4);
	if (!job->key->esn) {
		memcpy(aad + 4, job->esp + 4, 4);
		return 8;
	}
	sl_put32(aad + 4, job->high);
	memcpy(aad + 8, job->esp + 4, 4);
	return AAD_MAX;
}

/* What AES-GMAC authenticates has to lie in one piece: SPI and high half go in front of the low one. */
static void gmac(const struct sl_esp_job *job, aes_gcm_enc_dec_t run, const uint8_t *nonce,
                 uint8_t *icv)
{
	uint8_t *piece = job->esp - 4, *payload = job->esp + job->key->front_len, saved[8];
	struct gcm_context_data context;

	memcpy(saved, piece, sizeof(saved));
	memcpy(piece, job->esp, 4);
	sl_put32(piece + 4, job->high);
	run(&job->key->gcm, &context, payload, payload, 0, nonce, piece,
	    4u + job->key->front_len + job->length, icv, SL_ESP_ICV_LEN);
	memcpy(piece, saved, sizeof(saved));
}

static void aead(struct IMB_MGR *manager, const struct sl_esp_job *job, bool seal, uint8_t *icv)
{
	const struct sl_sa_key *key = job->key;
	uint8_t *payload = job->esp + key->front_len, nonce[SL_ESP_NONCE_LEN], aad[AAD_MAX];
	struct chacha20_poly1305_context_data chacha;
	struct gcm_context_data gcm;
	unsigned int aad_len = make_aad(job, aad);

	sl_esp_read_nonce(job->esp, key->salt, nonce);
	if (key->kind == SL_SUITE_GMAC) {
		gmac(job, seal ? key->seal : key->open, nonce, icv);
		return;
	}
	if (key->kind == SL_SUITE_GCM) {
		(seal ? key->seal : key->open)(&key->gcm, &gcm, payload, payload, job->length,
		                               nonce, aad, aad_len, icv, SL_ESP_ICV_LEN);
		return;
	}
	IMB_CHACHA20_POLY1305_INIT(manager, key->chacha, &chacha, nonce, aad, aad_len);
	if (seal)
		IMB_CHACHA20_POLY1305_ENC_UPDATE(manager, key->chacha, &chacha, payload, payload,
		                                 job->length);
	else
		IMB_CHACHA20_POLY1305_DEC_UPDATE(manager, key->chacha, &chacha, payload, payload,
		                                 job->length);
	IMB_CHACHA20_POLY1305_ENC_FINALIZE(manager, &chacha, icv, SL_ESP_ICV_LEN);
}

static bool is_aead(const struct sl_sa_key *key)
{
	return key->kind != SL_SUITE_CBC && key->kind != SL_SUITE_NULL;
}

/* Counter to IV: one block of AES of the random key. */
static void make_iv(struct IMB_MGR *manager, const struct sl_esp_job *job)
{
	_Alignas(16) uint8_t counter[IMB_AES_BLOCK_SIZE] = {0};
	static const uint8_t zeros[IMB_AES_BLOCK_SIZE];

	sl_put32(counter, job->high);
	memcpy(counter + 4, job->esp + 4, 4);
	/* CFB of zeros is the block cipher itself */
	IMB_AES128_CFB_ONE(manager, job->esp + SL_ESP_HEADER_LEN, zeros, counter, job->key->hmac.iv,
	                   IMB_AES_BLOCK_SIZE);
}

/* The library's description of one packet; the authenticated bytes end with the high half if there is one. */
static void describe(IMB_JOB *to, struct sl_esp_job *job, uint8_t *icv, bool seal)
{
	const struct sl_sa_key *key = job->key;
	const struct sl_hmac_key *hmac = &key->hmac;

	to->enc_keys = hmac->encrypt;
	to->dec_keys = hmac->decrypt;
	to->key_len_in_bytes = hmac->cipher_key;
	to->src = job->esp;
	to->dst = job->esp + key->front_len;
	to->cipher_start_src_offset_in_bytes = key->front_len;
	to->msg_len_to_cipher_in_bytes = job->length;
	to->hash_start_src_offset_in_bytes = 0;
	to->msg_len_to_hash_in_bytes = key->front_len + job->length + (key->esn ? 4 : 0);
	to->iv = job->esp + SL_ESP_HEADER_LEN;
	to->iv_len_in_bytes = IMB_AES_BLOCK_SIZE;
	to->auth_tag_output = icv;
	to->auth_tag_output_len_in_bytes = key->icv_len;
	to->u.HMAC._hashed_auth_key_xor_ipad = hmac->inner;
	to->u.HMAC._hashed_auth_key_xor_opad = hmac->outer;
	to->cipher_mode = hmac->cipher;
	to->hash_alg = hmac->hash;
	to->cipher_direction = seal ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
	to->chain_order = seal ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
	to->user_data = job;
}

/* Of each packet that comes back the library says whether it is done; the others stay not done. */
static void finish(const IMB_JOB *from)
{
	struct sl_esp_job *job = from->user_data;

	job->done = from->status == IMB_STATUS_COMPLETED;
}

static void submit(struct IMB_MGR *manager, struct sl_esp_job *job, uint8_t *icv, bool seal)
{
	IMB_JOB *next = IMB_GET_NEXT_JOB(manager);

	describe(next, job, icv, seal);
	for (next = IMB_SUBMIT_JOB(manager); next != NULL; next = IMB_GET_COMPLETED_JOB(manager))
		finish(next);
}

static void flush(struct IMB_MGR *manager)
{
	IMB_JOB *job;

	while ((job = IMB_FLUSH_JOB(manager)) != NULL)
		finish(job);
}

void sl_esp_seal_jobs(struct IMB_MGR *manager, struct sl_esp_job *jobs, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		struct sl_esp_job *job = &jobs[i];
		uint8_t *icv = job->esp + job->key->front_len + job->length;

		job->done = is_aead(job->key);
		if (job->done) {
			aead(manager, job, true, icv);
			continue;
		}
		if (job->key->kind == SL_SUITE_CBC)
			make_iv(manager, job);
		if (job->key->esn)
			sl_put32(icv, job->high); /* authenticated, then overwritten by the ICV */
		submit(manager, job, icv, true);
	}
	flush(manager);
}

/* Equal? In a time that does not depend on where they differ. */
static bool icv_equal(const uint8_t *a, const uint8_t *b, size_t length)
{
	uint64_t difference = 0;

	for (size_t i = 0; i < length; i += 8)
		difference |= sl_get64(a + i) ^ sl_get64(b + i);
	return difference == 0;
}

void sl_esp_open_jobs(struct IMB_MGR *manager, struct sl_esp_job *jobs, unsigned int n)
{
	uint8_t received[SL_ESP_JOBS_MAX][SL_ESP_ICV_MAX], made[SL_ESP_JOBS_MAX][SL_ESP_ICV_MAX];

	for (unsigned int i = 0; i < n; i++) {
		struct sl_esp_job *job = &jobs[i];
		uint8_t *icv = job->esp + job->key->front_len + job->length;

		memcpy(received[i], icv, job->key->icv_len);
		job->done = is_aead(job->key);
		if (job->done) {
			aead(manager, job, false, made[i]);
			continue;
		}
		if (job->key->esn)
			sl_put32(icv, job->high); /* authenticated in the ICV's place */
		submit(manager, job, made[i], false);
	}
	flush(manager);
	for (unsigned int i = 0; i < n; i++)
		jobs[i].done &= icv_equal(made[i], received[i], jobs[i].key->icv_len);
}
