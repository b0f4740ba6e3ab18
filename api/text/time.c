#include "api/text/time.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define YEAR_FIRST 1970
#define YEAR_LAST 2553
#define SECOND_NS 1000000000ULL

/* Takes exactly `n` digits. */
static bool take_digits(const char **text, int n, int *ret_value)
{
	int value = 0;

	for (int i = 0; i < n; i++, (*text)++) {
		if (**text < '0' || **text > '9')
			return false;
		value = value * 10 + (**text - '0');
	}
	*ret_value = value;
	return true;
}

static bool take(const char **text, const char *allowed)
{
	if (!**text || !strchr(allowed, **text))
		return false;
	(*text)++;
	return true;
}

static bool take_fraction(const char **text, uint64_t *ret_ns)
{
	uint64_t unit = SECOND_NS / 10;

	*ret_ns = 0;
	if (!take(text, "."))
		return true;
	if (**text < '0' || **text > '9')
		return false;
	for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10) {
		if (unit == 0)
			return false;
		*ret_ns += unit * (uint64_t)(**text - '0');
	}
	return true;
}

static bool take_offset(const char **text, int *ret_seconds)
{
	int sign = **text == '-' ? -1 : 1, hours, minutes;

	*ret_seconds = 0;
	if (take(text, "Zz"))
		return true;
	if (!take(text, "+-") || !take_digits(text, 2, &hours) || !take(text, ":") ||
		!take_digits(text, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days since 1970-01-01; false when the month has no such day. */
static bool count_days(int year, int month, int day, int64_t *ret_days)
{
	static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
	int before_year = year - 1, length;

	if (year < YEAR_FIRST || year > YEAR_LAST || month < 1 || month > 12)
		return false;
	length = before[month] - before[month - 1] + (month == 2 && is_leap(year));
	if (day < 1 || day > length)
		return false;
	*ret_days = (year - YEAR_FIRST) * 365LL +
		    (before_year / 4 - before_year / 100 + before_year / 400) -
		    (1969 / 4 - 1969 / 100 + 1969 / 400) + before[month - 1] +
		    (month > 2 && is_leap(year)) + day - 1;
	return true;
}

int time_parse(const char *text, uint64_t *ret_realtime_ns)
{
	int year, month, day, hour, minute, second, offset;
	int64_t days, seconds;
	uint64_t fraction_ns;

	if (!take_digits(&text, 4, &year) || !take(&text, "-") || !take_digits(&text, 2, &month) ||
		!take(&text, "-") || !take_digits(&text, 2, &day) || !take(&text, "Tt") ||
		!take_digits(&text, 2, &hour) || !take(&text, ":") ||
		!take_digits(&text, 2, &minute) || !take(&text, ":") ||
		!take_digits(&text, 2, &second) || !take_fraction(&text, &fraction_ns) ||
		!take_offset(&text, &offset) || *text)
		return -EINVAL;
	if (hour > 23 || minute > 59 || second > 59 || !count_days(year, month, day, &days))
		return -EINVAL;
	seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset;
	if (seconds < 0)
		return -EINVAL;
	*ret_realtime_ns = (uint64_t)seconds * SECOND_NS + fraction_ns;
	return 0;
}
