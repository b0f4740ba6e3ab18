/* The smallest test frame: a program registers tests, runs those that match argv[1], and prints
 * "ok NAME", "not ok NAME: file:line: why" or "skip NAME: reason" for each. tests/run adds them up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef void (*check_function)(void);

/* `TEST(name) { … }` defines and registers; the name says the rule: denies_unlink_outside_root. */
#define TEST(name)                                                                                 \
	static void name(void);                                                                    \
	__attribute__((constructor)) static void check_register_##name(void)                       \
	{                                                                                          \
		check_register(#name, name);                                                       \
	}                                                                                          \
	static void name(void)

void check_register(const char *name, check_function function);

/* Ends the running test as failed or skipped (longjmp). */
_Noreturn void check_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void check_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* `ms`, times CLOCHE_TEST_PATIENCE if that is set: for machines that are slow, as emulated ones. */
int check_patience_ms(int ms);

void check_true(const char *file, int line, bool value, const char *text);
void check_int(const char *file, int line, int64_t actual, int64_t expected, const char *text);
void check_text(const char *file, int line, const char *actual, const char *expected);

#define CHECK(condition) check_true(__FILE__, __LINE__, (condition), #condition)
#define CHECK_INT(actual, expected)                                                                \
	check_int(__FILE__, __LINE__, (int64_t)(actual), (int64_t)(expected), #actual)
#define CHECK_TEXT(actual, expected) check_text(__FILE__, __LINE__, (actual), (expected))
#define CHECK_FAIL(...) check_fail(__FILE__, __LINE__, __VA_ARGS__)
