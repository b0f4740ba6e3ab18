/* The part of a policy's filter that looks at arguments: one block for each call that rules are
 * about, before the tree of numbers.
 *
 * A filter's words have 32 bits. An argument that the kernel reads 32 bits of is one word, the
 * lower half, and what a program puts into the other half says nothing (CVE-2019-10063). One of 64
 * bits is two, compared one after the other. */
#include "supervisor/confine/sandbox-filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

#define DENY (SECCOMP_RET_ERRNO | EPERM)
#define SIGN_BIT 0x80000000u
#define EXITS_MAX (4 * POLICY_CONDITIONS_MAX) /* of a rule: a condition has three at most */

/* A jump to the end of a condition, or of a rule: patched when that is known. */
struct exit {
	size_t at;
	bool if_true;
};

struct exits {
	size_t n;
	struct exit list[EXITS_MAX];
};

static int emit(struct confine_code *code, struct sock_filter step)
{
	if (code->n == CONFINE_CODE_MAX)
		return -E2BIG;
	code->code[code->n++] = step;
	return 0;
}

/* Goes on with the next step if the comparison is `goes_on`, else leaves by `exits`. */
static int emit_test(struct confine_code *code, uint16_t comparison, uint32_t value, bool goes_on,
	struct exits *exits)
{
	exits->list[exits->n++] = (struct exit){code->n, !goes_on};
	return emit(code, (struct sock_filter)BPF_JUMP(BPF_JMP | comparison | BPF_K, value, 0, 0));
}

static void land(struct confine_code *code, const struct exits *exits)
{
	for (size_t i = 0; i < exits->n; i++) {
		struct sock_filter *jump = &code->code[exits->list[i].at];
		uint8_t distance = (uint8_t)(code->n - exits->list[i].at - 1);

		if (exits->list[i].if_true)
			jump->jt = distance;
		else
			jump->jf = distance;
	}
}

/* `half` 0: the lower. */
static int emit_load(struct confine_code *code, unsigned int index, unsigned int half)
{
	size_t offset = offsetof(struct seccomp_data, args) + index * sizeof(uint64_t);

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	half = !half;
#endif
	return emit(code, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
				  (uint32_t)(offset + half * sizeof(uint32_t))));
}

/* Of signed numbers the least becomes 0: the machine compares unsigned ones. */
static int emit_order(struct confine_code *code, const struct policy_condition *condition,
	unsigned int half, uint32_t *value)
{
	if (!condition->is_signed || half != condition->is_wide)
		return 0;
	*value += SIGN_BIT;
	return emit(code, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, SIGN_BIT));
}

/* Loads a half of the argument, as much of it as counts. */
static int emit_half(struct confine_code *code, const struct policy_condition *condition,
	unsigned int half, uint32_t *ret_value)
{
	uint64_t mask = condition->mask ? condition->mask : UINT64_MAX;
	uint32_t bits = (uint32_t)(mask >> (half * 32));
	int r = emit_load(code, condition->index, half);

	*ret_value = (uint32_t)(condition->value >> (half * 32)) & bits;
	if (r == 0 && bits != UINT32_MAX)
		r = emit(code, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits));
	return r;
}

/* "Holds" is left by `holds`, "does not" by `fails`; what goes on holds too. */
static int emit_equality(struct confine_code *code, const struct policy_condition *condition,
	struct exits *holds, struct exits *fails)
{
	bool is = condition->comparison == POLICY_IS;
	bool has_upper = condition->is_wide && (!condition->mask || condition->mask >> 32);
	uint32_t value;
	int r = 0;

	if (has_upper) {
		r = emit_half(code, condition, 1, &value);
		if (r == 0)
			r = emit_test(code, BPF_JEQ, value, true, is ? fails : holds);
	}
	if (r == 0)
		r = emit_half(code, condition, 0, &value);
	return r < 0 ? r : emit_test(code, BPF_JEQ, value, is, fails);
}

static int emit_upper_order(struct confine_code *code, const struct policy_condition *condition,
	struct exits *holds, struct exits *fails)
{
	bool at_least = condition->comparison == POLICY_AT_LEAST;
	uint32_t value;
	int r = emit_half(code, condition, 1, &value);

	if (r == 0)
		r = emit_order(code, condition, 1, &value);
	if (r == 0)
		r = emit_test(code, BPF_JGT, value, false, at_least ? holds : fails);
	return r < 0 ? r : emit_test(code, BPF_JEQ, value, true, at_least ? fails : holds);
}

static int emit_comparison(struct confine_code *code, const struct policy_condition *condition,
	struct exits *holds, struct exits *fails)
{
	bool at_least = condition->comparison == POLICY_AT_LEAST;
	uint32_t value;
	int r = condition->is_wide ? emit_upper_order(code, condition, holds, fails) : 0;

	if (r == 0)
		r = emit_half(code, condition, 0, &value);
	if (r == 0)
		r = emit_order(code, condition, 0, &value);
	if (r < 0)
		return r;
	return at_least ? emit_test(code, BPF_JGE, value, true, fails)
			: emit_test(code, BPF_JGT, value, false, fails);
}

static int emit_rule(struct confine_code *code, const struct policy_call_rule *rule)
{
	struct exits fails = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i < rule->n_conditions; i++) {
		const struct policy_condition *condition = &rule->conditions[i];
		struct exits holds = {0};

		r = condition->comparison == POLICY_IS || condition->comparison == POLICY_IS_NOT
			    ? emit_equality(code, condition, &holds, &fails)
			    : emit_comparison(code, condition, &holds, &fails);
		if (r == 0)
			land(code, &holds);
	}
	if (r == 0)
		r = emit(code, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, DENY));
	if (r == 0)
		land(code, &fails);
	return r;
}

/* The block ends with an answer, so that whoever jumps over it still has the number. A long jump:
 * the others reach 255 steps. */
static int emit_block(struct confine_code *code, const struct policy_call_rule *rules, size_t n,
	unsigned int number)
{
	size_t skip;
	int r = emit(code, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 1, 0));

	skip = code->n;
	if (r == 0)
		r = emit(code, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
	for (size_t i = 0; r == 0 && i < n; i++)
		r = emit_rule(code, &rules[i]);
	if (r == 0)
		r = emit(code, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	if (r == 0)
		code->code[skip].k = (uint32_t)(code->n - skip - 1);
	return r;
}

int confine_emit_rules(struct confine_code *code, const struct confine_table *table,
	const struct policy_call_rule *rules, size_t n)
{
	size_t next;

	for (size_t i = 0; i < n; i = next) {
		int number = confine_call_number(rules[i].name), r = 0;

		for (next = i + 1; next < n && strcmp(rules[next].name, rules[i].name) == 0; next++)
			;
		/* What is closed with any arguments stays so: the table says it. */
		if (number < 0 || number >= CONFINE_NUMBERS_MAX)
			r = -EINVAL;
		else if (table->actions[number] == SECCOMP_RET_ALLOW)
			r = emit_block(code, &rules[i], next - i, (unsigned int)number);
		if (r < 0)
			return r;
	}
	return 0;
}
