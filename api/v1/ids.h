/* Names of sandboxes and commands as clients see them: "sb-" and "ex-" with 16 hexadecimal
 * digits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ID_SIZE 20

void id_write_sandbox(uint64_t sandbox, char ret_text[static ID_SIZE]);
void id_write_exec(uint64_t exec, char ret_text[static ID_SIZE]);
/* Each returns false when the text is no such id; 0 is none. */
bool id_read_sandbox(const char *text, uint64_t *ret_sandbox);
bool id_read_exec(const char *text, uint64_t *ret_exec);
void id_write_webhook(uint64_t webhook, char ret_text[static ID_SIZE]);
bool id_read_webhook(const char *text, uint64_t *ret_webhook);
