/* The terminal as one page that is drawn over and over: raw keys, an own screen, all given back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct screen;

/* Takes the terminal at standard input and output over. -ENOTTY when one of them is none, other
 * -errno. */
int screen_open(struct screen **ret_screen);
/* Gives it back as it was. Takes NULL, returns NULL. */
struct screen *screen_close(struct screen *screen);

void screen_size(const struct screen *screen, unsigned int *ret_lines, unsigned int *ret_columns);
/* A descriptor that is readable when the terminal has another size. */
int screen_resize_fd(const struct screen *screen);
/* Takes that note. */
void screen_resized(struct screen *screen);

/* A page: lines are cut to the width and to what fits, then written at once, each over the old one,
 * so that nothing flickers. `text` is printable (print_plain()). */
void screen_begin(struct screen *screen);
void screen_line(struct screen *screen, const char *text, bool bold);
/* Returns 0 or -errno. */
int screen_end(struct screen *screen);
