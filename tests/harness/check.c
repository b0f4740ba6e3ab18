#include "tests/harness/check.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TESTS_MAX 512

enum outcome { OUTCOME_PASSED, OUTCOME_FAILED, OUTCOME_SKIPPED };

static struct {
	const char *names[TESTS_MAX];
	check_function functions[TESTS_MAX];
	size_t n;
	jmp_buf leave;
	char message[1024];
} check_state;

void check_register(const char *name, check_function function)
{
	if (check_state.n == TESTS_MAX)
		abort();
	check_state.names[check_state.n] = name;
	check_state.functions[check_state.n++] = function;
}

void check_fail(const char *file, int line, const char *format, ...)
{
	va_list arguments;
	int used =
		snprintf(check_state.message, sizeof(check_state.message), "%s:%d: ", file, line);

	va_start(arguments, format);
	vsnprintf(check_state.message + used, sizeof(check_state.message) - (size_t)used, format,
		arguments);
	va_end(arguments);
	longjmp(check_state.leave, OUTCOME_FAILED);
}

void check_skip(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(check_state.message, sizeof(check_state.message), format, arguments);
	va_end(arguments);
	longjmp(check_state.leave, OUTCOME_SKIPPED);
}

int check_patience_ms(int ms)
{
	const char *text = getenv("CLOCHE_TEST_PATIENCE");
	int factor = text ? atoi(text) : 1;

	return ms * (factor > 1 ? factor : 1);
}

void check_true(const char *file, int line, bool value, const char *text)
{
	if (!value)
		check_fail(file, line, "not true: %s", text);
}

void check_int(const char *file, int line, int64_t actual, int64_t expected, const char *text)
{
	if (actual != expected)
		check_fail(
			file, line, "%s is %" PRId64 ", expected %" PRId64, text, actual, expected);
}

void check_text(const char *file, int line, const char *actual, const char *expected)
{
	if (!actual || strcmp(actual, expected) != 0)
		check_fail(file, line, "\"%s\", expected \"%s\"", actual ? actual : "(null)",
			expected);
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	volatile int n_failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (volatile size_t i = 0; i < check_state.n; i++) {
		if (!strstr(check_state.names[i], word) && !strstr(argv[0], word))
			continue;
		switch (setjmp(check_state.leave)) {
		case OUTCOME_PASSED:
			check_state.functions[i]();
			printf("ok %s\n", check_state.names[i]);
			break;
		case OUTCOME_FAILED:
			printf("not ok %s: %s\n", check_state.names[i], check_state.message);
			n_failed = n_failed + 1;
			break;
		default:
			printf("skip %s: %s\n", check_state.names[i], check_state.message);
		}
	}
	return n_failed ? 1 : 0;
}
