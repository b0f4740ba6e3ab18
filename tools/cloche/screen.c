#include "tools/cloche/screen.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "supervisor/base/fd.h"

#define ENTER                                                                                      \
	"\033[?1049h\033[?25l" /* own screen, no cursor: xterm's, known to all that follow it */
#define LEAVE "\033[?25h\033[?1049l"
#define HOME "\033[H"
#define BOLD "\033[1m"
#define PLAIN "\033[m"
#define CLEAR_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
#define LINES_DEFAULT 24
#define COLUMNS_DEFAULT 80

struct screen {
	struct termios before;
	int resize_fd;
	unsigned int n_lines, n_columns, n_drawn;
	char *page; /* what is written next */
	size_t size;
	FILE *writer; /* into `page` */
};

static void measure(struct screen *screen)
{
	struct winsize size = {0};

	ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	screen->n_lines = size.ws_row ? size.ws_row : LINES_DEFAULT;
	screen->n_columns = size.ws_col ? size.ws_col : COLUMNS_DEFAULT;
}

static int watch_size(struct screen *screen)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGWINCH);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	screen->resize_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return screen->resize_fd < 0 ? -errno : 0;
}

int screen_open(struct screen **ret_screen)
{
	struct screen *screen;
	struct termios raw;
	int r;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return -ENOTTY;
	screen = calloc(1, sizeof(*screen));
	if (!screen)
		return -ENOMEM;
	r = watch_size(screen);
	if (r == 0 && tcgetattr(STDIN_FILENO, &screen->before) < 0)
		r = -errno;
	if (r < 0) {
		free(screen);
		return r;
	}
	/* Signals stay: Ctrl-C ends it as ever. Ctrl-Z would leave the terminal as it is now. */
	raw = screen->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	raw.c_cc[VSUSP] = _POSIX_VDISABLE;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0) {
		r = -errno;
		close(screen->resize_fd);
		free(screen);
		return r;
	}
	measure(screen);
	fd_write_all(STDOUT_FILENO, ENTER, strlen(ENTER));
	*ret_screen = screen;
	return 0;
}

struct screen *screen_close(struct screen *screen)
{
	if (!screen)
		return NULL;
	fd_write_all(STDOUT_FILENO, LEAVE, strlen(LEAVE));
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &screen->before);
	close(screen->resize_fd);
	if (screen->writer)
		fclose(screen->writer);
	free(screen->page);
	free(screen);
	return NULL;
}

void screen_size(const struct screen *screen, unsigned int *ret_lines, unsigned int *ret_columns)
{
	*ret_lines = screen->n_lines;
	*ret_columns = screen->n_columns;
}

int screen_resize_fd(const struct screen *screen)
{
	return screen->resize_fd;
}

void screen_resized(struct screen *screen)
{
	struct signalfd_siginfo signal;

	while (read(screen->resize_fd, &signal, sizeof(signal)) == sizeof(signal))
		;
	measure(screen);
}

void screen_begin(struct screen *screen)
{
	if (screen->writer)
		fclose(screen->writer);
	free(screen->page);
	screen->page = NULL;
	screen->n_drawn = 0;
	screen->writer = open_memstream(&screen->page, &screen->size);
	if (screen->writer)
		fputs(HOME, screen->writer);
}

/* Bytes of the first `n_columns` characters. */
static size_t cut(const char *text, unsigned int n_columns)
{
	size_t i = 0;

	for (; text[i]; i++)
		if (((unsigned char)text[i] >> 6) != 2 && n_columns-- == 0)
			break;
	return i;
}

void screen_line(struct screen *screen, const char *text, bool bold)
{
	if (!screen->writer || screen->n_drawn >= screen->n_lines)
		return;
	fprintf(screen->writer, "%s%s%.*s%s" CLEAR_LINE, screen->n_drawn ? "\r\n" : "",
		bold ? BOLD : "", (int)cut(text, screen->n_columns), text, bold ? PLAIN : "");
	screen->n_drawn++;
}

int screen_end(struct screen *screen)
{
	if (!screen->writer)
		return -ENOMEM;
	fputs(CLEAR_BELOW, screen->writer);
	if (fflush(screen->writer) != 0)
		return -ENOMEM;
	return fd_write_all(STDOUT_FILENO, screen->page, screen->size);
}
