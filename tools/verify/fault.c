#include "tools/verify/fault.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

const char *fault_name(enum fault_kind kind)
{
	static const char *const names[] = {
#define X(kind, name) [kind] = name,
		FAULT_KINDS(X)
#undef X
	};

	return names[kind];
}

enum verdict fault_set(struct fault *fault, enum fault_kind kind, const char *format, ...)
{
	va_list values;

	*fault = (struct fault){.kind = kind};
	va_start(values, format);
	vsnprintf(fault->what, sizeof(fault->what), format, values);
	va_end(values);
	return kind == FAULT_FAILED ? VERDICT_FAILED : VERDICT_INVALID;
}

void fault_at(struct fault *fault, const char *file, uint64_t line, uint64_t sequence)
{
	snprintf(fault->file, sizeof(fault->file), "%s", file);
	fault->line = line;
	fault->sequence = sequence;
}

void fault_expected(struct fault *fault, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(fault->expected, sizeof(fault->expected), format, values);
	va_end(values);
}

void fault_found(struct fault *fault, const char *format, ...)
{
	va_list values;

	va_start(values, format);
	vsnprintf(fault->found, sizeof(fault->found), format, values);
	va_end(values);
}

/* What a log chose must not reach a terminal as it is. */
static void print_plain(FILE *file, const char *text)
{
	for (; *text; text++)
		if (*text >= ' ' && *text < 0x7f)
			fputc(*text, file);
		else
			fprintf(file, "\\x%02x", (unsigned char)*text);
}

void fault_print(FILE *file, const struct fault *fault)
{
	fprintf(file, "%s: ", fault_name(fault->kind));
	if (fault->file[0]) {
		print_plain(file, fault->file);
		if (fault->line)
			fprintf(file, ":%" PRIu64, fault->line);
		fprintf(file, ": ");
	}
	if (fault->sequence)
		fprintf(file, "seq %" PRIu64 ": ", fault->sequence);
	print_plain(file, fault->what);
	if (fault->expected[0]) {
		fprintf(file, "; expected ");
		print_plain(file, fault->expected);
	}
	if (fault->found[0]) {
		fprintf(file, "; found ");
		print_plain(file, fault->found);
	}
	fputc('\n', file);
}

void text_print_json(FILE *file, const char *text)
{
	fputc('"', file);
	for (; *text; text++)
		if (*text == '"' || *text == '\\')
			fprintf(file, "\\%c", *text);
		else if (*text >= ' ' && *text < 0x7f)
			fputc(*text, file);
		else
			fprintf(file, "\\u%04x", (unsigned char)*text);
	fputc('"', file);
}

static void print_member(FILE *file, const char *name, const char *text)
{
	if (!text[0])
		return;
	fprintf(file, ",\"%s\":", name);
	text_print_json(file, text);
}

void fault_print_json(FILE *file, const struct fault *fault)
{
	fprintf(file, "{\"kind\":\"%s\"", fault_name(fault->kind));
	print_member(file, "file", fault->file);
	if (fault->line)
		fprintf(file, ",\"line\":%" PRIu64, fault->line);
	if (fault->sequence)
		fprintf(file, ",\"seq\":%" PRIu64, fault->sequence);
	print_member(file, "what", fault->what);
	print_member(file, "expected", fault->expected);
	print_member(file, "found", fault->found);
	fputc('}', file);
}
