// SPDX-License-Identifier: Apache-2.0
// Counters and the worker's status as api.ts has them.
#include "binding_js.h"
#include "binding_rows.h"

namespace sealane::js
{

namespace
{

uint64_t load(const uint64_t &word) { return __atomic_load_n(&word, __ATOMIC_RELAXED); }

Napi::Object lcore_object(Napi::Env env, uint32_t index, const sl_lcore_block &block)
{
	Napi::Object to = Napi::Object::New(env);
	to.Set("index", index);
	to.Set("tid", block.tid);
	to.Set("epoch", bigint(env, load(block.epoch)));
	to.Set("rounds", bigint(env, load(block.rounds)));
	to.Set("busyRounds", bigint(env, load(block.busy_rounds)));
	to.Set("sleeps", bigint(env, load(block.sleeps)));
	to.Set("heartbeatNs", bigint(env, load(block.heartbeat_ns)));
	to.Set("held", bigint(env, load(block.held)));
	to.Set("released", bigint(env, load(block.released)));
	to.Set("passed", bigint(env, load(block.passed)));
	to.Set("taken", bigint(env, load(block.taken)));
	to.Set("passFull", bigint(env, load(block.drops[SL_DROP_pass_full])));
	return to;
}

Napi::Object pool_object(Napi::Env env, const sl_pool_state &pool)
{
	Napi::Object to = Napi::Object::New(env);
	to.Set("size", bigint(env, load(pool.size)));
	to.Set("free", bigint(env, load(pool.free)));
	to.Set("least", bigint(env, load(pool.least)));
	return to;
}

} // namespace

Napi::Object counters_object(Napi::Env env, const sl_interface_counters &c)
{
	Napi::Object to = Napi::Object::New(env);
	to.Set("rxPackets", bigint(env, c.rx_packets));
	to.Set("rxBytes", bigint(env, c.rx_bytes));
	to.Set("txPackets", bigint(env, c.tx_packets));
	to.Set("txBytes", bigint(env, c.tx_bytes));
	to.Set("drops", bigint(env, c.drops));
	to.Set("punted", bigint(env, c.punted));
	to.Set("injected", bigint(env, c.injected));
	to.Set("reassembled", bigint(env, c.reassembled));
	return to;
}

Napi::Object counters_object(Napi::Env env, const sl_vrf_counters &c)
{
	Napi::Object to = Napi::Object::New(env);
	to.Set("fromCePackets", bigint(env, c.from_ce_packets));
	to.Set("fromCeBytes", bigint(env, c.from_ce_bytes));
	to.Set("fromCorePackets", bigint(env, c.from_core_packets));
	to.Set("fromCoreBytes", bigint(env, c.from_core_bytes));
	to.Set("localPackets", bigint(env, c.local_packets));
	to.Set("localBytes", bigint(env, c.local_bytes));
	to.Set("drops", bigint(env, c.drops));
	to.Set("fragmented", bigint(env, c.fragmented));
	return to;
}

Napi::Object counters_object(Napi::Env env, const sl_label_counters &c)
{
	Napi::Object to = Napi::Object::New(env);
	to.Set("packets", bigint(env, c.packets));
	to.Set("bytes", bigint(env, c.bytes));
	return to;
}

Napi::Object counters_object(Napi::Env env, const PortCounters &c)
{
	Napi::Object to = Napi::Object::New(env);
	to.Set("rxPackets", bigint(env, c.driver.rx_packets));
	to.Set("rxMissed", bigint(env, c.driver.rx_missed));
	to.Set("rxErrors", bigint(env, c.driver.rx_errors));
	to.Set("rxNoBuffer", bigint(env, c.driver.rx_no_buffer));
	to.Set("txPackets", bigint(env, c.driver.tx_packets));
	to.Set("txFull", bigint(env, c.tx_full));
	to.Set("txErrors", bigint(env, c.driver.tx_errors));
	return to;
}

Napi::Object worker_object(Napi::Env env, StateView &view)
{
	const sl_state *state = view.get();
	Napi::Array pools = Napi::Array::New(env);
	for (uint32_t i = 0; i < SL_POOLS; i++)
		pools.Set(i, pool_object(env, state == nullptr ? sl_pool_state{}
		                                               : state->header.pool[i]));
	Napi::Array lcores = Napi::Array::New(env);
	for (uint32_t i = 0; state != nullptr && i < view.lcores(); i++) {
		const sl_lcore_block &block = state->lcore[i].block;
		if (__atomic_load_n(&block.running, __ATOMIC_ACQUIRE) != 0)
			lcores.Set(lcores.Length(), lcore_object(env, i, block));
	}
	Napi::Object to = Napi::Object::New(env);
	to.Set("alive", view.worker_alive());
	to.Set("pid", state == nullptr ? 0 : state->header.segment.writer.pid);
	to.Set("starts", bigint(env, state == nullptr ? 0 : load(state->header.worker_starts)));
	to.Set("controlHeartbeatNs",
	       bigint(env, state == nullptr ? 0 : load(state->header.control_heartbeat_ns)));
	to.Set("pools", pools);
	to.Set("lcores", lcores);
	return to;
}

} // namespace sealane::js
