/* Pipes to splice through. A pipe is the dear part of a connection (two descriptors, up to 256 KiB
 * of pages), so a direction borrows one only while bytes are on their way. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Four times the kernel's own size: a fifth more throughput on loopback. PIPES_MAX of them are what
 * fs.pipe-user-pages-soft (16,384 pages) grants one user; beyond, the kernel makes smaller ones. */
#define PIPE_BYTES (256 * 1024)
#define PIPE_BYTES_MIN 4096
#define PIPES_MAX 256
#define PIPES_STOCK_MAX 64 /* empty ones kept for the next borrower */

struct pipe {
	int read_fd, write_fd;
	size_t size_bytes; /* that an empty one takes at least, whatever the pieces */
	struct pipe *next;
};

struct pipes {
	struct pipe *stock;
	size_t n_stock, n_all;
};

/* An empty pipe, NULL when there is none to have now. `may_make`: whether descriptors are left. */
struct pipe *pipes_take(struct pipes *pipes, bool may_make);
/* `empty` must be true only if every byte was taken out: what is left in a pipe would be the next
 * borrower's, who may be another tenant. */
void pipes_give(struct pipes *pipes, struct pipe *pipe, bool empty);
void pipes_fini(struct pipes *pipes);
