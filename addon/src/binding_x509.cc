// SPDX-License-Identifier: Apache-2.0
// `certificates` of the module: converts and checks arguments, calls x509.h. Validation runs on a thread of
// libuv's pool, so that signatures with large keys do not hold up the event loop.
#include "binding_kernel.h"
#include "x509.h"

namespace
{

using namespace sealane::kernel_js;
using sealane::KernelError;
using sealane::x509::Bytes;
using sealane::x509::Facts;
using sealane::x509::Store;
using sealane::x509::Verdict;
using sealane::x509::View;

View view(const Value &value, const char *name)
{
	const Napi::Uint8Array from = bytes(value, name);
	return View(from.Data(), from.ByteLength());
}

std::vector<Bytes> list(const Value &value, const char *name, size_t most, size_t most_bytes)
{
	if (!value.IsArray())
		bad(name, "an array");
	const Napi::Array array = value.As<Napi::Array>();
	if (array.Length() > most)
		bad(name, "a shorter array");
	std::vector<Bytes> result;
	for (uint32_t i = 0; i < array.Length(); i++) {
		const View each = view(array.Get(i), name);
		// One byte too many is enough to have it refused: nothing large is copied.
		const size_t length = std::min(each.size(), most_bytes + 1);
		result.emplace_back(each.begin(), each.begin() + static_cast<ptrdiff_t>(length));
	}
	return result;
}

Napi::Value array_of(Napi::Env env, const Bytes &from)
{
	Napi::Uint8Array to = Napi::Uint8Array::New(env, from.size());
	std::copy(from.begin(), from.end(), to.Data());
	return to;
}

Napi::Array arrays_of(Napi::Env env, const std::vector<Bytes> &from)
{
	Napi::Array to = Napi::Array::New(env, from.size());
	for (size_t i = 0; i < from.size(); i++)
		to.Set(static_cast<uint32_t>(i), array_of(env, from[i]));
	return to;
}

/// Seconds; Infinity for ever.
Value seconds(Napi::Env env, int64_t from)
{
	return Napi::Number::New(env, from == sealane::x509::kForever ? INFINITY
	                                                              : static_cast<double>(from));
}

Napi::Object facts(Napi::Env env, const Facts &from)
{
	Napi::Object to = Napi::Object::New(env);
	to.Set("subject", from.subject);
	to.Set("subjectName", array_of(env, from.subject_name));
	to.Set("issuerName", array_of(env, from.issuer_name));
	to.Set("serial", from.serial);
	to.Set("notBefore", seconds(env, from.not_before));
	to.Set("notAfter", seconds(env, from.not_after));
	to.Set("isCa", from.is_ca);
	to.Set("keyHash", array_of(env, from.key_hash));
	if (from.key) {
		Napi::Object key = Napi::Object::New(env);
		key.Set("kind", from.key->kind);
		key.Set("numbers", arrays_of(env, from.key->numbers));
		to.Set("key", key);
	}
	to.Set("addresses", arrays_of(env, from.addresses));
	Napi::Array names = Napi::Array::New(env);
	for (size_t i = 0; i < from.dns_names.size(); i++)
		names.Set(static_cast<uint32_t>(i), from.dns_names[i]);
	to.Set("dnsNames", names);
	return to;
}

Value read_certificate(const CallbackInfo &info)
{
	const auto read = sealane::x509::read_certificate(view(info[0], "certificate"));
	return read ? facts(info.Env(), *read) : info.Env().Undefined();
}

Value same_name(const CallbackInfo &info)
{
	const bool is_same = sealane::x509::same_name(view(info[0], "name"), view(info[1], "name"));
	return Napi::Boolean::New(info.Env(), is_same);
}

Value ocsp_until(const CallbackInfo &info)
{
	const auto until = sealane::x509::ocsp_until(view(info[0], "response"));
	return until ? seconds(info.Env(), *until) : info.Env().Undefined();
}

Value fault_of_crl(const CallbackInfo &info)
{
	const std::string fault = sealane::x509::fault_of_crl(view(info[0], "CRL"));
	return fault.empty() ? info.Env().Undefined() : Napi::String::New(info.Env(), fault);
}

Napi::Object verdict_object(Napi::Env env, const Verdict &from)
{
	Napi::Object to = Napi::Object::New(env);
	to.Set("ok", from.code.empty());
	if (!from.code.empty()) {
		to.Set("code", from.code);
		to.Set("depth", from.depth);
		to.Set("subject", from.subject);
		to.Set("serial", from.serial);
		to.Set("detail", from.detail);
		return to;
	}
	to.Set("leaf", facts(env, *from.leaf));
	to.Set("anchor", static_cast<double>(from.anchor));
	to.Set("length", static_cast<double>(from.length));
	to.Set("validUntil", seconds(env, from.valid_until));
	to.Set("knownUntil", seconds(env, from.known_until));
	if (!from.stale_crl_issuer.empty())
		to.Set("staleCrl", from.stale_crl_issuer);
	return to;
}

class Validation final : public Napi::AsyncWorker
{
public:
	Validation(Napi::Env env, std::shared_ptr<const Store> store,
	           sealane::x509::Question question)
		: AsyncWorker(env, "sealane.certificates"), store_(std::move(store)),
		  question_(std::move(question)), deferred_(Napi::Promise::Deferred::New(env))
	{
	}

	Napi::Promise promise() const { return deferred_.Promise(); }

	void Execute() override
	{
		try {
			verdict_ = store_->verify(question_);
		} catch (const std::bad_alloc &) {
			verdict_.code = "INTERNAL";
		}
	}

	void OnOK() override { deferred_.Resolve(verdict_object(Env(), verdict_)); }

private:
	std::shared_ptr<const Store> store_;
	sealane::x509::Question question_;
	Napi::Promise::Deferred deferred_;
	Verdict verdict_;
};

sealane::x509::Question question_of(const Value &value)
{
	using namespace sealane::x509;
	const Napi::Object from = object(value, "question");
	Question question;
	const auto certificates = list(from.Get("certificates"), "certificates",
	                               kMostCertificates + 1, kMostCertificateBytes);
	if (certificates.empty())
		bad("certificates", "an array with a leaf");
	question.leaf = certificates.front();
	question.others.assign(certificates.begin() + 1, certificates.end());
	question.ocsp = list(from.Get("ocsp"), "ocsp", kMostResponses, kMostOcspBytes);
	question.now = integer(from.Get("now"), "now", 0, INT64_C(1) << 48);
	return question;
}

Value open_store(const CallbackInfo &info)
{
	constexpr size_t kMost = 4096;
	const Napi::Object from = object(info[0], "trust");
	sealane::x509::Trust trust;
	trust.anchors =
		list(from.Get("anchors"), "anchors", kMost, sealane::x509::kMostCertificateBytes);
	trust.intermediates = list(from.Get("intermediates"), "intermediates", kMost,
	                           sealane::x509::kMostCertificateBytes);
	trust.crls = list(from.Get("crls"), "crls", kMost, SIZE_MAX - 1);
	trust.status_required = flag(from.Get("statusRequired"), "statusRequired");
	trust.ocsp_max_age = integer(from.Get("ocspMaxAge"), "ocspMaxAge", 0, UINT32_MAX);
	const auto store = std::make_shared<const Store>(trust);
	const auto validate = [store](const CallbackInfo &call) -> Value {
		try {
			auto *work = new Validation(call.Env(), store, question_of(call[0]));
			const Napi::Promise promise = work->promise();
			work->Queue();
			return promise;
		} catch (const KernelError &error) {
			throw_addon_error(call.Env(), error);
		}
	};
	Napi::Object result = Napi::Object::New(info.Env());
	result.Set("validate", Napi::Function::New(info.Env(), validate, "validate"));
	return result;
}

} // namespace

void sl_bind_x509(Napi::Env env, Napi::Object exports)
{
	Napi::Object certificates = Napi::Object::New(env);
	add_for_all<read_certificate>(certificates, "read");
	add_for_all<same_name>(certificates, "sameName");
	add_for_all<ocsp_until>(certificates, "ocspUntil");
	add_for_all<fault_of_crl>(certificates, "faultOfCrl");
	add_for_all<open_store>(certificates, "openStore");
	exports.Set("certificates", certificates);
}
