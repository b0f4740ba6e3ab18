#include "supervisor/audit/lines/time-text.h"

#include <errno.h>
#include <string.h>

#include "supervisor/base/clock.h"

#define SECONDS_PER_DAY 86400

/* Where the digits stand, and what stands between them. */
static const char form[TIME_TEXT_LENGTH + 1] = "0000-00-00T00:00:00.000000000Z";

static void put_digits(char *text, unsigned int n, uint64_t value)
{
	while (n-- > 0) {
		text[n] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* Days since 1970 to a date: the year is counted from March, so that the leap day is its last, and
 * 400 years (an era) have 146,097 days. */
static void date_of(uint64_t days, char *text)
{
	uint64_t shifted = days + 719468, era = shifted / 146097, day_of_era = shifted % 146097;
	uint64_t year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint64_t day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t month_from_march = (5 * day_of_year + 2) / 153;
	uint64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;

	put_digits(text, 4, year_of_era + era * 400 + (month <= 2));
	put_digits(text + 5, 2, month);
	put_digits(text + 8, 2, day_of_year - (153 * month_from_march + 2) / 5 + 1);
}

static uint64_t days_of(uint64_t year, uint64_t month, uint64_t day)
{
	uint64_t from_march = month > 2 ? month - 3 : month + 9;
	uint64_t shifted = year - (month <= 2), era = shifted / 400, year_of_era = shifted % 400;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       (153 * from_march + 2) / 5 + day - 1 - 719468;
}

void time_text_write(uint64_t time_ns, char ret_text[TIME_TEXT_LENGTH + 1])
{
	uint64_t seconds = time_ns / NS_PER_SECOND, of_day = seconds % SECONDS_PER_DAY;

	memcpy(ret_text, form, sizeof(form));
	date_of(seconds / SECONDS_PER_DAY, ret_text);
	put_digits(ret_text + 11, 2, of_day / 3600);
	put_digits(ret_text + 14, 2, of_day / 60 % 60);
	put_digits(ret_text + 17, 2, of_day % 60);
	put_digits(ret_text + 20, 9, time_ns % NS_PER_SECOND);
}

static uint64_t digits(const char *text, unsigned int n)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < n; i++)
		value = value * 10 + (uint64_t)(text[i] - '0');
	return value;
}

int time_text_parse(const char *text, size_t size_bytes, uint64_t *ret_time_ns)
{
	uint64_t year, month, day, of_day;

	if (size_bytes != TIME_TEXT_LENGTH)
		return -EINVAL;
	for (size_t i = 0; i < size_bytes; i++)
		if (form[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
			return -EINVAL;
	year = digits(text, 4);
	month = digits(text + 5, 2);
	day = digits(text + 8, 2);
	of_day = digits(text + 11, 2) * 3600 + digits(text + 14, 2) * 60 + digits(text + 17, 2);
	if (year < 1970 || year > 2553 || month < 1 || month > 12 || day < 1 || day > 31 ||
		of_day >= SECONDS_PER_DAY)
		return -EINVAL;
	*ret_time_ns = (days_of(year, month, day) * SECONDS_PER_DAY + of_day) * NS_PER_SECOND +
		       digits(text + 20, 9);
	return 0;
}
