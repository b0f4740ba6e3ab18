#include "tests/harness/filter.h"

#include <stdint.h>
#include <string.h>

#include "tests/harness/check.h"

#define STEPS_MAX 512

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t value;

	CHECK(offset % sizeof(value) == 0 && offset + sizeof(value) <= sizeof(*data));
	memcpy(&value, (const char *)data + offset, sizeof(value));
	return value;
}

static uint32_t compute(const struct sock_filter *code, uint32_t value)
{
	switch (BPF_OP(code->code)) {
	case BPF_AND:
		return value & code->k;
	case BPF_ADD:
		return value + code->k;
	default:
		CHECK_FAIL("operation %x", code->code);
	}
}

static size_t jump(const struct sock_filter *code, uint32_t value)
{
	switch (BPF_OP(code->code)) {
	case BPF_JA:
		return code->k;
	case BPF_JEQ:
		return value == code->k ? code->jt : code->jf;
	case BPF_JGT:
		return value > code->k ? code->jt : code->jf;
	case BPF_JGE:
		return value >= code->k ? code->jt : code->jf;
	case BPF_JSET:
		return value & code->k ? code->jt : code->jf;
	default:
		CHECK_FAIL("jump %x", code->code);
	}
}

uint32_t filter_run(const struct program *program, const struct seccomp_data *data)
{
	uint32_t value = 0;

	for (size_t at = 0, steps = 0; steps < STEPS_MAX; at++, steps++) {
		const struct sock_filter *code = &program->code[at];

		CHECK(at < program->n);
		switch (BPF_CLASS(code->code)) {
		case BPF_RET:
			return code->k;
		case BPF_LD:
			CHECK_INT(code->code, BPF_LD | BPF_W | BPF_ABS);
			value = load(data, code->k);
			break;
		case BPF_ALU:
			value = compute(code, value);
			break;
		case BPF_JMP:
			at += jump(code, value);
			break;
		default:
			CHECK_FAIL("instruction %x", code->code);
		}
	}
	CHECK_FAIL("the filter does not end");
}

uint32_t filter_run_both(
	const struct program *first, const struct program *second, const struct seccomp_data *data)
{
	uint32_t a = filter_run(first, data), b = filter_run(second, data);

	return (int32_t)(a & SECCOMP_RET_ACTION_FULL) < (int32_t)(b & SECCOMP_RET_ACTION_FULL) ? a
											       : b;
}
